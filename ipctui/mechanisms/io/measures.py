"""What each way costs, from the records alone: calls a message, CPU time, other work done, delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ipctui.lab.fold import key
from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.record_json import RecordError, from_json, to_json
from ipctui.trace.records import Access, Call, Counters, Header, Process, Record

JOB_CALLS = frozenset({"read", "epoll_wait", "io_uring_enter", "aio_read"})
"""The operations by which messages are waited for and fetched; the others set the stage."""
CELLS = {
    "block": "sync-blocking",
    "poll": "sync-nonblocking",
    "epoll": "async-blocking",
    "aio": "async-nonblocking",
    "sigio": "signal-driven",
}
"""The cells of the variant `all`, in the order in which they are shown, and the way that each of them goes."""
_WINDOW = 4_000_000_000
"""Nanoseconds over which the live figures are taken."""
_RECENT = 6


@dataclass(frozen=True, slots=True)
class Measures:
    """A collector's figures; None where there is no measure yet.

    Attributes:
        calls: System calls that it made for its messages, over the last seconds.
        messages: Messages that it received in these seconds.
        share: CPU time used in these seconds, of one core (1.0 is a core burned).
        cpu: CPU time used since it began, nanoseconds.
        rate: Units of other work a second, over the last seconds; `work` is all of them.
        median: Delay from send to receipt of the latest messages, nanoseconds; `p99` its 99th percentile.
    """

    calls: int | None = None
    messages: int | None = None
    share: float | None = None
    cpu: int | None = None
    rate: float | None = None
    work: int = 0
    median: int | None = None
    p99: int | None = None

    @property
    def calls_each(self) -> float | None:
        """System calls a message."""
        return self.calls / self.messages if self.messages and self.calls is not None else None


def job_calls(counters: Counters) -> int:
    """System calls made for the messages since the process began."""
    return sum(count.calls for count in counters.calls if count.name in JOB_CALLS and count.syscall is not None)


def reduce(facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
    """The facts with more records added: samples of each collector's counts, and every process's latest calls."""
    samples: dict[str, list[list[int]]] = dict(facts.get("samples", {}))
    recent: dict[str, list[dict[str, Any] | Call]] = dict(facts.get("recent", {}))
    for record in records:
        match record:
            case Header():
                samples, recent = {}, {}
            case Process(event="started"):
                samples.pop(key(record.process, record.cell), None)
            case Counters(process="collector", cpu=int(cpu)):
                name = key(record.process, record.cell)
                row = [record.t, job_calls(record), record.received, cpu, record.work]
                samples[name] = [*(old for old in samples.get(name, ()) if record.t - old[0] <= _WINDOW), row]
            case Call():
                name = key(record.process, record.cell)
                # Flat out a poller makes thousands: what was done before, the same once more, is no news.
                kept = [old for old in recent.get(name, ()) if not _repeats(record, old)]
                recent[name] = [*kept, record][-_RECENT:]
    told = {
        name: [call if isinstance(call, dict) else to_json(call) for call in calls] for name, calls in recent.items()
    }
    return {**facts, "samples": samples, "recent": told}


def _repeats(record: Call, old: Mapping[str, Any] | Call) -> bool:
    """Whether a call did what an older one did, with nothing to show for it."""
    before = (old.name, old.fd, old.errno) if isinstance(old, Call) else (old["name"], old["fd"], old["errno"])
    return before == (record.name, record.fd, record.errno) and (record.errno == "EAGAIN" or record.name == "work")


def recent_calls(state: LabState, names: Sequence[str]) -> tuple[Call | Access, ...]:
    """The latest calls of some processes, in the order in which they returned."""
    calls: list[Call | Access] = []
    for name in names:
        for body in state.facts.get("recent", {}).get(name, ()):
            try:
                record = from_json(body)
            except RecordError:
                continue  # a damaged recording's
            if isinstance(record, Call):
                calls.append(record)
    return tuple(sorted(calls, key=lambda call: call.end))


def collectors(state: LabState) -> list[tuple[str, ProcessState]]:
    """The collectors by name, in their order."""
    return [(name, process) for name, process in state.processes.items() if process.role == "collector"]


def way_of(state: LabState, name: str) -> str:
    """Which of the ways a process goes: its cell's, or where it is alone the variant's."""
    cell = state.processes[name].cell if name in state.processes else None
    return CELLS.get(cell or "") or (state.header.variant if state.header is not None else "?")


def measures(state: LabState, name: str) -> Measures:
    """A collector's figures now."""
    process = state.processes.get(name)
    counters = process.counters if process is not None else None
    if counters is None:
        return Measures()
    plain = Measures(cpu=counters.cpu, work=counters.work, median=counters.median, p99=counters.p99)
    rows = state.facts.get("samples", {}).get(name, ())
    if len(rows) < 2 or rows[-1][0] <= rows[0][0]:
        return plain
    first, last = rows[0], rows[-1]
    span = last[0] - first[0]
    return replace(
        plain,
        cpu=last[3],
        calls=last[1] - first[1],
        messages=last[2] - first[2],
        share=(last[3] - first[3]) / span,
        rate=(last[4] - first[4]) * 1e9 / span,
    )


def summary(counters: Mapping[str, Counters]) -> dict[str, Any]:
    """What a session proves: each collector's calls, messages, empty-handed calls and other work."""
    proofs: dict[str, Any] = {
        "sent_messages": sum(count.sent for count in counters.values()),
        "received_messages": sum(count.received for count in counters.values()),
    }
    ways = {
        name: {
            "messages": count.received,
            "calls": job_calls(count),
            "calls_a_message": round(job_calls(count) / count.received, 2) if count.received else None,
            "empty_handed": sum(each.errors.get("EAGAIN", 0) for each in count.calls if each.name == "read"),
            "other_work": count.work,
            "median_ns": count.median,
            "p99_ns": count.p99,
        }
        for name, count in counters.items()
        if count.process == "collector"
    }
    return {**proofs, "ways": ways}
