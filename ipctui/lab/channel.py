"""What a mechanism is to the laboratory: its variants and parameters, its plan, and how its objects are looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ipctui.kernel.descriptors import Descriptor
from ipctui.kernel.syscalls import SystemCall
from ipctui.lab.fold import key
from ipctui.lab.parameters import Parameter
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Counters, Event, Record
from ipctui.worker.names import Kind


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run a mechanism: its name, one sentence about it, and the values that it has of its own."""

    name: str
    about: str
    roles: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedSeat:
    """A process to come.

    Attributes:
        letter: What its messages repeat.
        paced: The operations that wait for its turn.
        rate: Messages a second, 0 for flat out.
        program: The function it runs, for the listing.
        sends: Whether it sends messages of its own, so that the user can inject some.
        held: Whether it begins held at its gate, before its first operation.
        cell: The cell it belongs to, where several small laboratories run side by side.
        first: The number after which its messages are numbered.
    """

    role: str
    program: str
    letter: str
    paced: tuple[str, ...]
    rate: float
    sends: bool
    held: bool = False
    cell: str | None = None
    first: int = 0

    @property
    def name(self) -> str:
        """How commands and records name it: CELL/ROLE, or the role alone."""
        return key(self.role, self.cell)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start: independent processes, each with the seats of the children that it will fork.

    Attributes:
        module: The module that holds the programs.
        trees: For each process started, the seats: its own first.
        given: What the programs read.
        limit: Messages for each sender, 0 for no end.
        pieces: Whether receivers look for torn messages.
        adopts: The function that a worker runs which a living one forks on request, to inherit its ends.
        newcomers: By role without its number, the seat of an independent process added later; its role's number,
            its letter and its rate are set anew.
        no_more: Why nobody can be added, where neither `adopts` nor `newcomers` says how.
        late: By the name of a tree's first seat, seconds after the session's beginning at which it is started.
        names: What the session puts into the system's name spaces, by kind: removed at its end, whoever dies.
        shown_last: Names of seats that stand behind all others on the screen, though they may be their parents.
        refuses: By the name of a command that would change nothing here, the reason in a sentence.
        guard: Asked before a process of `late` is started by itself: why that must wait, "" when it need not.
    """

    module: str
    trees: tuple[tuple[PlannedSeat, ...], ...]
    given: Mapping[str, Any]
    limit: int = 0
    pieces: bool = False
    adopts: str = ""
    newcomers: Mapping[str, PlannedSeat] = field(default_factory=dict)
    no_more: str = ""
    late: Mapping[str, float] = field(default_factory=dict)
    names: tuple[tuple[Kind, str], ...] = ()
    shown_last: tuple[str, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=dict)
    guard: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as the laboratory sees it in one tick.

    Attributes:
        still: It stands at its gate, held: it makes no call before the laboratory lets it.
    """

    role: str
    pid: int
    pidfd: int
    descriptors: Sequence[Descriptor]
    counters: Counters | None
    cell: str | None = None
    still: bool = False

    @property
    def name(self) -> str:
        """CELL/ROLE, or the role alone."""
        return key(self.role, self.cell)


@dataclass(frozen=True, slots=True)
class Sleep:
    """A process asleep in the kernel in one of its operations (`name`, of the man page, on `object`)."""

    role: str
    name: str
    fd: int | None
    object: str | None
    call: SystemCall
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a process sleeps and what would wake it; `progress` is (bytes in the channel already, bytes in all)."""

    reason: str
    waker: str | None = None
    wakers: tuple[str, ...] = ()
    progress: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """What a worker is asked to do between two of its operations, with traced calls of its own.

    Attributes:
        worker: Its name, CELL/ROLE or the role alone.
        function: The function of the program's module that it runs, as `function(calls, given, *arguments)`; what that
            returns is told. "" for none.
        then: The program that it begins after that, its queues closed; "" to go on where it was.
    """

    worker: str
    function: str = ""
    arguments: tuple[Any, ...] = ()
    then: str = ""


@dataclass(frozen=True, slots=True)
class Errands:
    """A mechanism's command that its workers carry out.

    Attributes:
        values: Parameters that are other ones from now on, after a restart, too.
    """

    each: tuple[Errand, ...]
    values: Mapping[str, Any] = field(default_factory=dict)


class Observer(Protocol):
    """The live side of a channel: looks at its objects without consuming or disturbing anything."""

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> Sequence[ChannelRecord | Event]:
        """The objects as they are now, and what it noticed; `outsiders` holds, by object, "pid N" and its access."""

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a process sleeps, by what was sampled last."""

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | Errands | None:
        """Carry out a command that only this mechanism knows: its outcome, or what workers shall do for it.

        None when it is not one of its commands.

        Raises:
            UsageError: it is one, and cannot be done.
        """

    def close(self) -> None:
        """Give back what it holds."""


@runtime_checkable
class Guarded(Protocol):
    """An observer whose objects have names that a stranger may have given to something else."""

    def ready(self, anew: bool) -> None:
        """Whether processes may be started on the names as they are now; `anew` where all are, with new names.

        Raises:
            UsageError: they would take a stranger's file for theirs.
        """


@runtime_checkable
class Limited(Protocol):
    """An observer whose objects the system sets limits to."""

    def limits(self) -> Mapping[str, int]:
        """The limits as they are now, by name: told with every call that failed."""


@runtime_checkable
class Partial(Protocol):
    """A mechanism of which some variants may run on a machine where others cannot."""

    def lacks(self, variant: Variant) -> str | None:
        """What a variant needs and this machine has not, in one sentence; None when it has all."""


class Channel(Protocol):
    """A mechanism: what it is called, what can be set, and what it makes of a session."""

    name: str
    title: str
    about: str
    variants: tuple[Variant, ...]
    commands: tuple[str, ...]

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, with the ranges of this machine."""

    def unavailable(self) -> str | None:
        """Why this machine cannot run it, in one sentence; None when it can."""

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """Raise UsageError when values that are right each by itself do not go together."""

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """What to start for a variant."""

    def observer(self, plan: Plan) -> Observer:
        """A new live side for what was started by this plan."""

    def listing(self, variant: Variant) -> str:
        """The same in C, as textbooks print it."""

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """What this mechanism remembers of a session, with more records added; pure."""

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """What a session proves, by name."""


def lacking(channel: Channel, variant: Variant) -> str | None:
    """Why this machine cannot run a variant, in one sentence; None when it can."""
    why = channel.unavailable()
    return channel.lacks(variant) if why is None and isinstance(channel, Partial) else why
