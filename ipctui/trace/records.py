"""The record vocabulary: what a session is told in, live, in a file and on standard output.

Every record is a frozen dataclass with a `kind`; trace.record_json has its JSON form. Times (`t`, `begin`, `end`,
`since`, `until`) are nanoseconds since the clock's zero. A field that does not apply is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

FORMAT = "ipctui"
VERSION = 1
REFUSED = "refused"
"""The event of a message that was offered and that nobody took."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first record: what was run, where and when.

    Attributes:
        started: UTC, ISO 8601, of the clock's zero.
        machine: system, release, machine, python, cpus.
        programs: the program's file as text and its functions' line ranges, and the listing in C.
    """

    kind: ClassVar[str] = "header"
    mechanism: str
    variant: str
    parameters: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    programs: dict[str, Any] = field(default_factory=dict)
    format: str = FORMAT
    version: int = VERSION
    clock: str = "monotonic_ns"


@dataclass(frozen=True, slots=True)
class Process:
    """A process is to come, began or ended: `event` is planned, started or exited.

    Attributes:
        status: How it ended, "status 1" or "signal SIGKILL".
        due: When a planned process is to start.
    """

    kind: ClassVar[str] = "process"
    t: int
    process: str
    pid: int
    event: str
    ppid: int | None = None
    start_time: int | None = None
    status: str | None = None
    program: str | None = None
    cell: str | None = None
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One traced operation as it returned; `result` is -1 on failure and None while in flight at the end."""

    kind: ClassVar[str] = "call"
    process: str
    pid: int
    name: str
    syscall: str | None
    args: str
    result: int | None
    begin: int
    end: int
    fd: int | None = None
    object: str | None = None
    errno: str | None = None
    message: tuple[str, ...] = ()
    offset: int | None = None
    line: int | None = None
    tid: int | None = None
    source: str = "traced"
    cell: str | None = None

    @property
    def t(self) -> int:
        """When it became known: its end."""
        return self.end


@dataclass(frozen=True, slots=True)
class Access:
    """A load or store of a word or of a slot in shared memory: no system call.

    Attributes:
        value: The number in the word; of a slot, the number of bytes in it.
        message: The message in the slot, by its id; none where its first bytes do not name it.
        size: Bytes in the slot; None for a word.
        text: The first bytes in the slot as strace prints them; None for a word.
    """

    kind: ClassVar[str] = "access"
    process: str
    pid: int
    name: str
    object: str | None
    offset: int
    value: int
    begin: int
    end: int
    line: int | None = None
    cell: str | None = None
    message: tuple[str, ...] = ()
    size: int | None = None
    text: str | None = None

    @property
    def t(self) -> int:
        """When it became known: its end."""
        return self.end


@dataclass(frozen=True, slots=True)
class Before:
    """The operation that a process stands before or sleeps in."""

    name: str
    args: str = ""
    fd: int | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a process is doing: running, paced, held, blocked, stopped, exited or unknown.

    Attributes:
        before: The operation that it stands before or sleeps in.
        wchan: The kernel's own label of where it sleeps; a label, it changes with the kernel.
        until: When a paced worker's turn comes.
        reason: Why it is blocked, or why its state is unknown; every blocked state has one.
        waker: What would wake it.
        wakers: The processes that could.
        pending: What the user asked for that takes effect when it leaves its call.
        kernel: The kernel's letter (R S D T Z X), proc_pid_stat(5).
        syscall: The kernel's name of the call that it sleeps in.
        progress: Bytes of a half written message that are in the channel already, and its size.
    """

    kind: ClassVar[str] = "state"
    t: int
    process: str
    pid: int
    state: str
    before: Before | None = None
    object: str | None = None
    wchan: str | None = None
    since: int | None = None
    until: int | None = None
    reason: str | None = None
    waker: str | None = None
    wakers: tuple[str, ...] = ()
    pending: str | None = None
    kernel: str | None = None
    syscall: str | None = None
    progress: tuple[int, int] | None = None
    tid: int | None = None
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user has set for a process: held, messages a second (0 is flat out), message size in bytes.

    Attributes:
        nonblocking: How it makes operations that have no descriptor of their own to go by; None where nobody said.
    """

    kind: ClassVar[str] = "settings"
    t: int
    process: str
    held: bool
    rate: float
    size: int
    cell: str | None = None
    nonblocking: bool | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One row of a process's descriptor table: proc_pid_fd(5) and proc_pid_fdinfo(5).

    Attributes:
        peers: Who holds the other end: (role or "pid N", descriptor).
        end: "read", "write" or "read-write"; "read closed" and so on for one that the process closed.
        name: Its own address, of a socket that listens or takes datagrams: `127.0.0.1:5000`.
    """

    fd: int
    object: str
    end: str
    nonblocking: bool = False
    close_on_exec: bool = False
    packets: bool = False
    peers: tuple[tuple[str, int], ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The descriptors of a process that matter: those of channel objects, open and closed again."""

    kind: ClassVar[str] = "descriptors"
    t: int
    process: str
    rows: tuple[Held, ...]
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A message in a channel: its id or None for foreign bytes, its text (escaped, cut), its true size in bytes."""

    id: str | None
    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Channel:
    """An object between processes, as it was measured.

    Attributes:
        used: Fill in `unit`; None when it could not be read.
        slots: Slots, and how many hold something, where the object fills by slots.
        items: The oldest messages in it, at most a handful; `count` is how many there are in all.
        last: The youngest message, when it is not among the items.
        head: The first bytes of its contents, as hexadecimal digits.
        waiting: Bytes of the first message that its reader has already taken.
        readers: Processes that hold a read end; writers likewise.
        method: How it was observed.
        refused: Why something could not be read.
        type: What sort of object it is: pipe, fifo, shm, mqueue, semaphore, socket.
        facts: What else a mechanism measures of it, plain JSON values by name.
    """

    kind: ClassVar[str] = "channel"
    t: int
    object: str
    used: int | None = None
    capacity: int | None = None
    unit: str = "bytes"
    slots: int | None = None
    slots_used: int | None = None
    packets: bool = False
    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    last: Item | None = None
    count: int | None = None
    head: str = ""
    method: str | None = None
    refused: str | None = None
    name: str | None = None
    closed: bool = False
    cell: str | None = None
    type: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """What no single call tells."""

    kind: ClassVar[str] = "event"
    t: int
    name: str
    process: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What the user asked for (`by` key or script), and its outcome: done, pending: …, or refused: …"""

    kind: ClassVar[str] = "command"
    t: int
    command: str
    by: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Absolute figures of one operation on one descriptor of one object."""

    name: str
    syscall: str | None
    fd: int | None
    object: str | None
    calls: int
    bytes: int = 0
    errors: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counters:
    """The exact absolute counts of a process since it began.

    Attributes:
        sent: Messages wholly handed to the kernel.
        received: Messages whose end was received; `whole` of them arrived in one piece.
        offered: Messages that the program had to send, where it counts those that nobody took: `refused` of them.
        cpu: CPU time used, in nanoseconds (user and system).
        work: Units of other work done beside the messages, where the program has any.
        median: Of the latest messages' delays from send to receipt, nanoseconds; None where they are not timed.
        p99: Their 99th percentile.
    """

    kind: ClassVar[str] = "counters"
    t: int
    process: str
    pid: int
    calls: tuple[Count, ...] = ()
    sent: int = 0
    received: int = 0
    whole: int = 0
    cpu: int | None = None
    cell: str | None = None
    work: int = 0
    median: int | None = None
    p99: int | None = None
    offered: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """Records that are not in the stream: how many, and why (overwritten, not folded, not written)."""

    kind: ClassVar[str] = "lost"
    t: int
    count: int
    why: str
    process: str | None = None
    cell: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The whole folded state at one moment: a recording that was begun in mid-session starts from it.

    Attributes:
        state: Its JSON form (lab.state_json).
    """

    kind: ClassVar[str] = "checkpoint"
    t: int
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """The last record, a function of the folded state alone."""

    kind: ClassVar[str] = "summary"
    t: int
    processes: dict[str, Any] = field(default_factory=dict)
    channels: dict[str, Any] = field(default_factory=dict)
    proofs: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record of a kind that this version does not know: skipped and counted."""

    kind: ClassVar[str] = "unknown"
    t: int
    named: str


Record = (
    Header
    | Process
    | Call
    | Access
    | State
    | Settings
    | Descriptors
    | Channel
    | Event
    | Command
    | Counters
    | Lost
    | Checkpoint
    | Summary
    | Unknown
)
