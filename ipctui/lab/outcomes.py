"""What can come of an operation that a process stands before or sleeps in, and what the records say came of it.

The possible outcomes are made by small rules from the kind of operation. Which of them is true is never made by a rule:
it is read from the records that follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ipctui.lab.fold import key
from ipctui.lab.state import LabState
from ipctui.trace.records import Call, Process, Record, State

RETURNS, PART, END, SLEEPS, EAGAIN, BROKEN, ERROR, EINTR, ENDS = (
    "returns",
    "part",
    "end",
    "sleeps",
    "EAGAIN",
    "broken",
    "error",
    "EINTR",
    "ends",
)
"""The kinds of outcome: it returns; only part is taken; end of file; put to sleep; would block; nobody is at the other
end (EPIPE, SIGPIPE); another error; interrupted by a signal; the process ends."""

_WRITES = frozenset({"write", "send", "sendto", "sendmsg"})
_READS = frozenset({"read", "recv", "recvfrom", "recvmsg"})
_TRIES = frozenset({"sem_trywait", "pthread_mutex_trylock"})
_SLEEPERS = frozenset(
    {"mq_send", "mq_receive", "accept", "sem_wait", "pthread_mutex_lock", "poll", "epoll_wait", "waitpid", "open"}
    | {"connect", "io_uring_enter", "clock_nanosleep"}
)
_CERTAIN = frozenset(
    [
        "load",
        "store",
        "call",
        "tell",
        "tell_rest",
        "work",
        "notice",
        "clock_gettime",
        "sem_getvalue",
        "io_uring_prep_read",
        "io_uring_peek_cqe",
    ]
)
"""Operations that ask the kernel for nothing: they are done, and there is nothing to guess."""
_PIPE_BUF = 4096
_COUNT = re.compile(r", (\d+)(?:, [^,]*)?$")
"""The number of bytes asked for: the third argument of write(2), read(2), send(2)."""

_ASKABLE = frozenset({"held", "paced", "blocked"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: what comes of this operation of this process.

    Attributes:
        process: CELL/ROLE, or the role alone.
        operation: The man page's name; `call` is how it is shown, `write(4)`.
        asleep: It sleeps in it already.
        t: The moment of the question, nanoseconds since the clock's zero.
        kinds: The possible outcomes, at most five.
    """

    process: str
    pid: int
    operation: str
    call: str
    asleep: bool
    t: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a record says came of it: the kind, and the record's own words."""

    kind: str
    words: str


def asked(state: LabState, name: str, t: int) -> Asked | None:
    """The question about a process at a moment; None where it stands before no operation that can turn out so or so."""
    process = state.processes.get(name)
    now = process.state if process is not None and process.exited is None else None
    if process is None or now is None or now.state not in _ASKABLE or now.before is None:
        return None
    if is_certain(now.before.name):
        return None
    before, asleep = now.before, now.state == "blocked"
    call = f"{before.name}({'' if before.fd is None else before.fd})"
    size = process.settings.size if process.settings is not None else 0
    return Asked(name, process.pid, before.name, call, asleep, t, kinds_of(before.name, asleep, size))


def is_certain(operation: str) -> bool:
    """Whether an operation asks the kernel for nothing, so that it is simply done."""
    return operation in _CERTAIN


def kinds_of(operation: str, asleep: bool, size: int) -> tuple[str, ...]:
    """The outcomes that an operation can have; `size` is that of the process's messages, bytes."""
    if asleep:
        end = (END,) if operation in _READS else (BROKEN,) if operation in _WRITES else ()
        return (RETURNS, *end, EINTR, ENDS)
    if operation in _WRITES:
        # write(2) on a pipe takes all or nothing up to PIPE_BUF bytes, pipe(7).
        part = (PART,) if size > _PIPE_BUF else ()
        return (RETURNS, *part, SLEEPS, EAGAIN, BROKEN)
    if operation in _READS:
        return (RETURNS, SLEEPS, END, EAGAIN)
    if operation in _TRIES:
        return (RETURNS, EAGAIN)
    if operation in _SLEEPERS:
        return (RETURNS, SLEEPS, EAGAIN, ERROR)
    return (RETURNS, SLEEPS, ERROR)


def told(record: Record, question: Asked) -> Outcome | None:
    """What a record that came after the question says of it; None when it says nothing."""
    if isinstance(record, Call):
        return _of_call(record, question)
    if isinstance(record, State):
        asleep = record.state == "blocked" and record.before is not None and record.before.name == question.operation
        if question.asleep or not asleep or not _is_of(record, question) or record.t < question.t:
            return None
        return Outcome(SLEEPS, record.reason or record.wchan or "")
    if isinstance(record, Process) and record.event == "exited" and _is_of(record, question):
        status = record.status or "?"
        broken = question.operation in _WRITES and status == "signal SIGPIPE"
        return Outcome(BROKEN if broken else ENDS, status)
    return None


def _is_of(record: Call | State | Process, question: Asked) -> bool:
    return record.pid == question.pid and key(record.process, record.cell) == question.process


def _of_call(record: Call, question: Asked) -> Outcome | None:
    if record.result is None or record.name != question.operation or record.end < question.t:
        return None
    if not _is_of(record, question):
        return None
    # Without the arguments: what counts is at the end, and must not be cut.
    words = f"{question.call} = {record.result}{f' {record.errno}' if record.errno else ''}"
    if record.result < 0:
        kinds = {"EAGAIN": EAGAIN, "EPIPE": BROKEN, "EINTR": EINTR}
        return Outcome(kinds.get(record.errno or "", ERROR), words)
    if record.name in _READS and record.result == 0:
        return Outcome(END, words)
    wanted = _COUNT.search(record.args) if record.name in _WRITES else None
    if wanted is not None and record.result < int(wanted[1]):
        return Outcome(PART, words)
    return Outcome(RETURNS, words)
