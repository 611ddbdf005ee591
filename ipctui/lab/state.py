"""The state of a laboratory: what the folded records say. Frozen; panes, summary and captions are functions of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipctui.trace.records import Access, Call, Channel, Command, Counters, Event, Header, Held, Settings, State

RECENT_CALLS = 400
RECENT_SPANS = 1200
RECENT_LINKS = 400
RECENT_EVENTS = 60
RECENT_FILL = 600


@dataclass(frozen=True, slots=True)
class Span:
    """From `t` on, a process was in this state (until the next span)."""

    t: int
    state: str


@dataclass(frozen=True, slots=True)
class Link:
    """A message: who sent it when (the send's end), and who received it when; None while it is under way."""

    id: str
    sender: str
    sent: int
    receiver: str | None = None
    received: int | None = None


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One role: the process that fills it now, and what it has done.

    Attributes:
        earlier: Counts of processes that filled the role before (a restart).
        rate: Messages a second over the last two counter records.
        empties: When operations came back empty-handed (EAGAIN, EINTR).
        unfinished: Calls that it, or whoever filled the role before, was in when it ended: they never returned.
        due: When it is to start, where it has not started yet (pid 0).
    """

    role: str
    pid: int
    ppid: int | None = None
    program: str | None = None
    started: int = 0
    exited: int | None = None
    status: str | None = None
    state: State | None = None
    settings: Settings | None = None
    descriptors: tuple[Held, ...] = ()
    counters: Counters | None = None
    earlier: tuple[Counters, ...] = ()
    rate: float = 0.0
    spans: tuple[Span, ...] = ()
    empties: tuple[int, ...] = ()
    unfinished: tuple[Call, ...] = ()
    cell: str | None = None
    due: int | None = None

    @property
    def name(self) -> str:
        """CELL/ROLE, or the role alone: by it a state keeps it, commands and keys name it."""
        return f"{self.cell}/{self.role}" if self.cell else self.role


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One object: its last measure, and its fill over time as (t, used)."""

    now: Channel
    fill: tuple[tuple[int, int], ...] = ()
    peak: int = 0


@dataclass(frozen=True, slots=True)
class LabState:
    """Everything that is known of a session at one moment.

    Attributes:
        t: The latest time in any record, nanoseconds since the clock's zero.
        lost: Records missing from the stream, by (process, why).
        unknown: Records of kinds that this version does not know.
        facts: What the mechanism itself remembers (Channel.reduce).
        told: What a lecture's file says of this moment: its latest `caption` event.
    """

    header: Header | None = None
    t: int = 0
    processes: Mapping[str, ProcessState] = field(default_factory=dict)
    channels: Mapping[str, ChannelState] = field(default_factory=dict)
    calls: tuple[Call | Access, ...] = ()
    links: tuple[Link, ...] = ()
    events: tuple[Event, ...] = ()
    commands: tuple[Command, ...] = ()
    lost: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unknown: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    told: Event | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles in the order in which they appeared."""
        return tuple(self.processes)


def cycle(state: LabState) -> tuple[str, ...]:
    """The processes that wait for each other in a ring, each for the next; empty when there is no deadlock.

    A process that would be woken by any of several is in a ring only if all of these are blocked as well.
    """
    waits = {}
    for role, process in state.processes.items():
        if process.state is not None and process.state.state == "blocked" and process.state.wakers:
            waits[role] = process.state.wakers
    # Whoever waits for somebody who can still run is not stuck; what is left after taking these away is.
    while True:
        stuck = {role: wakers for role, wakers in waits.items() if all(waker in waits for waker in wakers)}
        if len(stuck) == len(waits):
            break
        waits = stuck
    if not waits:
        return ()
    role = min(waits)
    path: list[str] = []
    while role not in path:
        path.append(role)
        role = waits[role][0]
    return tuple(path[path.index(role) :])
