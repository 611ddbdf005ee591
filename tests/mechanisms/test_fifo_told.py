"""What is said of a FIFO, from states and records made by hand: captions, facts, boxes, reasons."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipctui.kernel.pipes import PipeView
from ipctui.kernel.syscalls import SystemCall
from ipctui.lab.channel import Plan, PlannedSeat, Seen, Sleep
from ipctui.lab.fold import fold
from ipctui.lab.state import LabState
from ipctui.lab.streams import half_written, messages_in
from ipctui.mechanisms.fifo.caption import caption, short
from ipctui.mechanisms.fifo.channel import CHANNEL
from ipctui.mechanisms.fifo.look import Looker
from ipctui.mechanisms.fifo.pane import PANE, boxes
from ipctui.trace.records import (
    Before,
    Call,
    Channel,
    Count,
    Counters,
    Event,
    Header,
    Item,
    Process,
    Record,
    Settings,
    State,
)
from ipctui.widgets.view import View

PATH = "/tmp/orders"
FILE = {"name": PATH, "mode": 0o10600, "links": 1, "uid": 0, "gid": 0, "size": 0, "inode": 77}
FACTS: dict[str, Any] = {
    "named": True,
    "joined": False,
    "by_us": False,
    "row": f"prw------- 1 root root 0 Nov 21 14:22 {PATH}",
    "file": FILE,
}
OPEN = Channel(
    5,
    PATH,
    64,
    4096,
    slots=1,
    slots_used=1,
    readers=("reader",),
    writers=("writer",),
    name=PATH,
    type="fifo",
    facts=FACTS,
)
CLOSED = Channel(5, PATH, 0, name=PATH, type="fifo", facts=FACTS)


def state(*records: Record, variant: str = "one-way") -> LabState:
    begun = [Process(1, role, pid, "started") for role, pid in (("writer", 11), ("reader", 12))]
    return fold(LabState(), [Header("fifo", variant), *begun, *records], CHANNEL.reduce)


def blocked(role: str, call: str, reason: str, *wakers: str) -> State:
    fd = None if call == "open" else 3
    return State(9, role, 11, "blocked", Before(call, fd=fd), PATH, reason=reason, wakers=wakers, kernel="S")


FULL = blocked("writer", "write", "FIFO full", "reader")
IN_OPEN = blocked("writer", "open", "no reader: reader must open it for reading", "reader")
ENDED = [Process(8, role, pid, "exited", status="status 0") for role, pid in (("writer", 11), ("reader", 12))]
TORN = [Counters(9, "reader", 12, received=10, whole=4), Counters(9, "writer", 11, sent=10)]
UNLINKED = {name: value for name, value in FACTS.items() if name not in ("row", "file")} | {"named": False}


def later(seconds: int) -> Channel:
    """A look at the FIFO so much later."""
    return replace(OPEN, t=9 + seconds * 10**9)


@pytest.mark.parametrize(
    ("records", "english", "korean"),
    [
        (
            [CLOSED, IN_OPEN],
            "nobody has this FIFO open for reading. An open(O_RDONLY) by reader",
            "읽기용으로 열지 않았다",
        ),
        ([OPEN, FULL], "The FIFO is full (64/4,096 bytes): the kernel put writer to sleep in write(3)", "FIFO가 찼다"),
        ([replace(OPEN, facts=UNLINKED)], "A stranger deleted the file", "다른 누군가가 파일을 지웠다"),
        ([replace(OPEN, facts=UNLINKED | {"by_us": True})], "You unlinked the name", "이름을 unlink했다"),
        (
            [replace(OPEN, facts=UNLINKED | {"instead": "a regular file"})],
            "A regular file has the name now",
            "다른 것(a regular file)이 있고",
        ),
        (
            [CLOSED, *ENDED],
            "the file is still there",
            "파일은 그대로 있다",
        ),
        (
            [
                CLOSED,
                Event(7, "failed", "reader", {"call": "open", "errno": "ENOENT", "why": "No such file or directory"}),
                Process(8, "reader", 12, "exited", status="status 1"),
            ],
            "reader ended because its open() failed: ENOENT (No such file or directory)",
            "reader의 open() 호출이 실패해",
        ),
        ([OPEN, State(9, "reader", 12, "stopped")], "reader is stopped by SIGSTOP", "reader는 SIGSTOP으로"),
        (
            [OPEN, Counters(9, "reader", 12, received=10, whole=4)],
            "6 of 10 messages came torn",
            "10개 중 6개가 찢어졌다",
        ),
        (
            [OPEN, *TORN, Settings(10, "writer", False, 0, 6000), later(12)],
            "6 of 10 messages came torn: between the bytes of a write larger than PIPE_BUF (4,096) the kernel may put "
            "another's. Select writer, and [ halves its messages.",
            "writer를 고르고 [ 를 누르면",
        ),
        (
            [OPEN, *TORN, Settings(10, "writer", False, 0, 3000), later(1)],
            "6 of 10 messages came torn",
            "10개 중 6개가 찢어졌다",
        ),
        (
            [OPEN, *TORN, Settings(10, "writer", False, 0, 3000), later(12)],
            "None is torn any more: every write is at most PIPE_BUF (4,096 bytes)",
            "이제 찢어지지 않는다",
        ),
        ([OPEN], "share only a name", "이름만 아는"),
    ],
)
def test_the_caption_says_what_is_so_and_why(records: list[Record], english: str, korean: str) -> None:
    assert english in caption(state(*records), "en")
    assert korean in caption(state(*records), "ko")


def test_a_long_name_is_cut_where_names_of_a_session_are_alike() -> None:
    there = "/tmp/ipctui-4711-123456-9f8e7d6c"
    assert short(PATH) == "orders"
    assert len(short(there)) == len(short(f"{there}.back")) == 21
    assert short(there) != short(f"{there}.back")


def call(role: str, result: int, *message: str) -> Call:
    return Call(role, 11, "read", "read", "3, …, 64", result, 1, 2, 3, PATH, message=message)


def test_reads_of_ones_own_and_empty_reads_are_remembered() -> None:
    facts = CHANNEL.reduce(
        {}, [call("writer", 64, "writer:1"), call("writer", 64, "reader:1"), call("reader", 0), FULL]
    )
    assert facts == {"blocked": {"writer write": 1}, "own": {"writer": 1}, "empty": {"reader": 1}}
    assert CHANNEL.reduce(facts, [call("reader", 64, "writer:2")]) is facts


@pytest.mark.parametrize("size", [(80, 21), (120, 33), (200, 57)])
@pytest.mark.parametrize("zoom", ["", "processes", "contents", "time", "program", "calls"])
@pytest.mark.parametrize("channel", [OPEN, CLOSED, replace(OPEN, facts=UNLINKED), replace(OPEN, closed=True)])
def test_every_size_and_part_can_be_drawn(size: tuple[int, int], zoom: str, channel: Channel) -> None:
    for language in ("en", "ko"):
        frame = PANE.draw(state(channel, IN_OPEN), View("writer", zoom=zoom, language=language, now=10), *size)
        assert (frame.width, frame.height) == size


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8])
def test_who_waits_in_open_is_said_however_low_the_box(height: int) -> None:
    (box,) = boxes(state(CLOSED, IN_OPEN), View(now=10))
    lines = ["".join(text for text, _ in line) for line in box.lines(26, height)]
    assert len(lines) <= height
    assert lines[0].startswith("prw-------")
    assert height < 2 or any(line.startswith("■ writer in open()") for line in lines)


# The observer's words.

PLAN = Plan(
    "m",
    ((PlannedSeat("writer", "writer", "a", (), 0, True),), (PlannedSeat("reader", "reader", "b", (), 0, False),)),
    {"path": PATH + "-none", "back": PATH + "-none", "joined": False},
)


def test_why_an_open_sleeps_names_who_must_open_which_end(tmp_path: Path) -> None:
    path = str(tmp_path / "fifo")
    plan = replace(PLAN, given={"path": path, "back": path, "joined": False})
    looker = Looker(plan)
    sleep = Sleep("reader", "open", None, path, SystemCall(257, "openat", (0, 0, 0, 0, 0, 0), None))
    try:
        looker.sample(0, [], {})
        assert "the name is gone" in looker.explain(sleep, []).reason
        os.mkfifo(path)
        (record,) = looker.sample(1, [], {})
        assert (record.used, record.capacity, record.facts["named"]) == (0, None, True)
        assert looker.sample(2, [], {}) == [], "told only when something changed"
        assert looker.explain(sleep, []).reason == "no writer: writer (not running) must open it for writing"
        running = [Seen("writer", 11, -1, (), None)]
        assert looker.explain(sleep, running).reason == "no writer: writer must open it for writing"
        assert looker.explain(sleep, running).wakers == ("writer",)
    finally:
        looker.close()


def test_what_lies_in_a_stream_is_told_message_by_message() -> None:
    assert messages_in(None) == (None, (), None)
    assert messages_in(b"") == (0, (), None)
    assert messages_in(b"a:1 x\nb:2 y") == (
        2,
        (Item("a:1", "a:1 x", 6), Item("b:2", "b:2 y", 5)),
        Item("b:2", "b:2 y", 5),
    )
    count, shown, last = messages_in(b"?\n" * 100)
    assert (count, len(shown), last) == (100, 24, Item(None, "?", 2))


def test_half_a_message_is_what_lies_there_and_was_read_less_what_was_written_before() -> None:
    view = PipeView(4096, 4096, 1, 1, b"", None, False, "pidfd_getfd", None)
    counted = [
        Seen("writer", 11, -1, (), Counters(0, "writer", 11, (Count("write", "write", 3, PATH, 1, 10_000),))),
        Seen("reader", 12, -1, (), Counters(0, "reader", 12, (Count("read", "read", 3, PATH, 2, 9_000),))),
    ]
    assert half_written(PATH, view, counted, 10_000) == (3096, 10_000)
    assert half_written(PATH, view, counted, 4096) is None
    assert half_written(PATH, view, [replace(counted[0], counters=None)], 10_000) is None
