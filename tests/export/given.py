"""Records for the tests of exports: short to write, and strategies of such that have much to do with each other."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ipctui.export.perfetto import Trace
from ipctui.export.reading import LATEST, item_of
from ipctui.trace import records
from ipctui.trace.record_json import to_json
from ipctui.trace.recording import line_of
from ipctui.trace.records import Before, Call, Header, Process, Record, State
from tests.export import chrome
from tests.trace.given import of_class

HEADER = Header("pipe", "one-way", started="2026-11-21T12:00:00.000Z")
PIPE = "pipe:[77]"
PIDS = {"parent": 4711, "child": 4712}
ZERO = 1_000


def call(process: str, name: str, begin: int, end: int, result: int | None = 0, **more: Any) -> Call:
    """A call of parent (4711) or child (4712)."""
    values = {"args": "", "syscall": name, "object": PIPE, "tid": PIDS[process], **more}
    return Call(process=process, pid=PIDS[process], name=name, result=result, begin=begin, end=end, **values)


def write(begin: int, end: int, message: str, offset: int, size: int = 64, asked: int = 64) -> Call:
    """A write of the parent that is given `asked` bytes and takes `size`."""
    args = f'4, "{message}"..., {asked}'
    return call("parent", "write", begin, end, size, args=args, message=(message,), offset=offset, fd=4)


def read(begin: int, end: int, messages: tuple[str, ...], offset: int, size: int = 64) -> Call:
    """A read of the child."""
    return call("child", "read", begin, end, size, args='3, "..."..., 65536', message=messages, offset=offset, fd=3)


def state(process: str, t: int, name: str, since: int | None = None, **more: Any) -> State:
    """A state before or in read(3)."""
    return State(t, process, PIDS[process], name, since=since, **{"before": Before("read", "3, ", 3, 33), **more})


def started(process: str, t: int = 0) -> Process:
    """A process that begins."""
    return Process(t, process, PIDS[process], "started")


def traced(*told: Record, language: str = "en", shift: int = ZERO) -> chrome.Loaded:
    """The trace of some records, taken by the strict reader; its zero is `ZERO` nanoseconds in."""
    out = io.StringIO()
    trace = Trace(out, HEADER, shift, language)
    for record in told:
        trace.add(item_of(to_json(record)))
    trace.finish()
    return chrome.load(out.getvalue())


def arrows(*told: Record) -> list[tuple[str, int, int]]:
    """(message, beginning of the send, end of the receipt) of each arrow."""
    return [
        (flow.name, flow.out.begin - ZERO, flow.into.end - ZERO)
        for flow in traced(*told).flows
        if flow.into is not None
    ]


def stored(folder: Path, *told: Record, header: Header = HEADER) -> Path:
    """A recording of some records."""
    path = folder / "recording.jsonl"
    path.write_text("".join(map(line_of, (header, *told))), encoding="utf-8", errors="surrogatepass")
    return path


TIMES = st.integers(-30, 90)
ROLES = st.sampled_from(["parent", "child"])
NUMBERS = st.sampled_from([4711, 4712, 0, -1, 1 << 40])
MESSAGES = st.lists(st.sampled_from(["parent:1", "parent:2", "child:1", "\udcff\x1b"]), max_size=3).map(tuple)
CALLS = st.builds(
    Call,
    process=ROLES,
    pid=NUMBERS,
    name=st.sampled_from(["read", "write", "close"]),
    syscall=st.sampled_from(["read", None]),
    args=st.sampled_from(['3, "x", 64', "3, \x1b\n\udcff", '3, "parent:1 a", 10']),
    result=st.sampled_from([None, -1, 0, 10, 64]),
    begin=TIMES,
    end=TIMES,
    object=st.sampled_from([PIPE, None]),
    errno=st.sampled_from([None, "EAGAIN", "\x07"]),
    message=MESSAGES,
    offset=st.sampled_from([None, 0, 64, 100]),
    tid=st.sampled_from([None, 4711, 4712, 4713, -5]),
    cell=st.sampled_from([None, "a"]),
)
STATES = st.builds(
    State,
    t=TIMES,
    process=ROLES,
    pid=NUMBERS,
    state=st.sampled_from(["running", "blocked", "held", "paced", "exited", "\x1b[2J"]),
    since=st.none() | TIMES,
    before=st.sampled_from([None, Before("read", "3", 3), Before("\x07")]),
    reason=st.sampled_from([None, "pipe empty", "\udcff"]),
)
PROCESSES = st.builds(
    Process, t=TIMES, process=ROLES, pid=NUMBERS, event=st.sampled_from(["started", "exited", "planned"])
)
KINDS = (records.Channel, records.Event, records.Command, records.Counters, records.Lost, records.Access)


def _fits(record: Record) -> bool:
    times = (getattr(record, name, None) for name in ("t", "begin", "end", "since", "until"))
    return all(time is None or -30 <= time < LATEST for time in times)


RECORDS = st.lists(
    CALLS | STATES | PROCESSES | st.one_of([of_class(kind).filter(_fits) for kind in KINDS]), max_size=30
)
"""Records that no laboratory writes in this order: of one time, overlapping, late, in numbers that no process has."""
