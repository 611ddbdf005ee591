"""The drawing parts, one by one: what they say, and that it fits."""

from __future__ import annotations

import stat
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.lab.state import ProcessState, Span
from ipctui.trace.records import Channel
from ipctui.widgets.calllog import short_names
from ipctui.widgets.canvas import Canvas, Line, width_of
from ipctui.widgets.file import File, file_lines
from ipctui.widgets.gauge import fill_line, is_full
from ipctui.widgets.hexdump import Range, bytes_per_row, hex_lines
from ipctui.widgets.lanes import BRIEFLY, cell_states, label_width
from ipctui.widgets.links import Peer, link_count, link_lines
from ipctui.widgets.meter import Meter, meter_lines, nice
from ipctui.widgets.queue import Letter, Mailbox, queue_lines
from ipctui.widgets.semaphore import Semaphore, semaphore_lines
from ipctui.widgets.slots import Ring, Slot, slot_lines
from ipctui.widgets.view import View
from ipctui.widgets.waiting import Waiter, waiters
from tests.widgets import made

bounded = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def text(lines: Iterable[Line]) -> str:
    return "\n".join("".join(part for part, _ in line).rstrip() for line in lines)


def roles(line: Line, role: str) -> str:
    return "".join(part for part, own in line if own == role)


def ascii_text(lines: Iterable[Line], width: int = 120) -> str:
    rows = list(lines)
    canvas = Canvas(width, len(rows), ascii=True)
    canvas.lines(0, 0, rows, width, len(rows))
    return canvas.frame().text()


# The hex dump


def test_a_dump_has_offsets_digits_and_text() -> None:
    lines = hex_lines(b"tick 12\x00\x1b\xff", 78)
    assert text(lines) == "0000  74 69 63 6b 20 31 32 00 1b ff" + " " * 20 + "tick 12..."


def test_rows_alike_are_joined_but_never_the_last() -> None:
    lines = hex_lines(bytes(16 * 10), 78)
    assert text(lines).splitlines()[1] == "*"
    assert text(lines).splitlines()[-1].startswith("0090")
    assert len(lines) == 3


def test_fresh_bytes_are_lit_and_bracketed() -> None:
    (first, *_) = hex_lines(b"abcdefgh" * 4, 78, [Range(2, 3, age=0.0)])
    assert "62[63 64 65]66" in text([first])
    assert roles(first, "fresh").split() == ["[636465]cde"]
    (first, *_) = hex_lines(b"abcdefgh" * 4, 78, [Range(0, 2, age=0.9)])
    assert "[" not in text([first])
    assert roles(first, "fresh").strip() == ""
    (first, *_) = hex_lines(b"abcdefgh" * 4, 78, [Range(0, 2, age=0.1)])
    assert text([first]).startswith("0000 [61 62]63")


def test_names_stand_beside_the_rows_in_which_they_begin() -> None:
    lines = hex_lines(bytes(64), 78, [Range(0, 4, "in"), Range(4, 4, "out"), Range(32, 16, "slot 12")])
    rows = text(lines).splitlines()
    assert rows[0].endswith("in out")
    assert next(row for row in rows if row.endswith("slot 12")).startswith("0020")


def test_a_dump_of_a_part_counts_from_its_origin() -> None:
    lines = hex_lines(b"x" * 16, 78, [Range(0x40, 4, "slot 0", 0.0)], origin=0x40)
    assert text(lines).startswith("0040 [78")
    assert text(lines).endswith("slot 0")


@bounded
@given(st.binary(max_size=700), st.integers(40, 200), st.lists(st.tuples(st.integers(0, 700), st.integers(1, 64))))
def test_a_dump_fits_and_shows_every_row(data: bytes, width: int, marks: list[tuple[int, int]]) -> None:
    ranges = [Range(start, size, f"slot {place}", place / 3) for place, (start, size) in enumerate(marks[:3])]
    lines = hex_lines(data, width, ranges)
    for line in lines:
        shown = "".join(part for part, _ in line)
        assert shown.isascii()
        assert shown.isprintable()
    per_row = bytes_per_row(width, max((len(found.label) for found in ranges), default=0))
    dumped = [line for line in text(lines).splitlines() if line != "*"]
    assert all(int(line[:4], 16) % per_row == 0 for line in dumped)
    if not ranges and width >= 48:
        assert max((width_of(line) for line in lines), default=0) <= width


def test_wide_dumps_have_more_bytes_in_a_row() -> None:
    assert [bytes_per_row(width) for width in (50, 78, 118, 198)] == [8, 16, 16, 32]
    assert bytes_per_row(78, len("slot 12")) == 16


# The ring


def test_the_ring_marks_in_out_and_the_slot_kept_empty() -> None:
    rows = text(slot_lines(made.ring(8, 5, 2), 78, 5)).splitlines()
    assert len(rows) == 5
    assert rows[1].count("××") == 1
    at = rows[1].index("××")
    assert rows[1].index("12") > at
    assert rows[2].count("▲") == 2
    assert rows[2].index("▲") == rows[3].index("out") + 1
    assert rows[3].index("out") < rows[3].index("in")
    assert "in 5  out 2  3 of 7 slots" in rows[4]


def test_a_full_ring_and_an_empty_one_say_so() -> None:
    assert "FULL" in text(slot_lines(made.ring(8, 1, 2), 78, 5))
    empty = text(slot_lines(made.ring(8, 2, 2), 78, 5))
    assert "empty" in empty
    assert "in=out" in empty


def test_a_lost_slot_is_told_without_colour() -> None:
    slots = (Slot("7", True, lost=True), Slot(), Slot())
    assert "!7" in text(slot_lines(Ring(slots, 1, 0), 40, 5))


@bounded
@given(st.integers(1, 256), st.integers(20, 200), st.integers(1, 16), st.integers(0, 255), st.integers(0, 255))
def test_a_ring_fits_whatever_its_size(count: int, width: int, height: int, into: int, out: int) -> None:
    ring = made.ring(count, into % count, out % count)
    lines = slot_lines(ring, width, height)
    assert 1 <= len(lines) <= height
    for line in lines:
        # The figures alone may be cut by whoever places them.
        assert width_of(line) <= width or text([line]).startswith(("in ", "–"))
    assert ascii_text(lines).isascii()
    assert "?" not in ascii_text(lines)


@pytest.mark.parametrize("count", [8, 16, 40, 64, 128, 256])
def test_a_large_ring_degrades_and_keeps_in_and_out(count: int) -> None:
    shown = text(slot_lines(made.ring(count, 5, 2), 78, 6))
    assert "in" in shown
    assert "out" in shown


def test_hostile_and_wide_contents_keep_the_columns() -> None:
    slots = tuple(Slot("한글🙂", True) for _ in range(4))
    lines = slot_lines(Ring(slots, 0, 0, spare=False), 40, 4)
    widths = {width_of(line) for line in lines[:3]}
    assert len(widths) == 1


# The mailbox


def test_messages_stand_in_leaving_order_grouped_by_priority() -> None:
    shown = text(queue_lines(Mailbox(made.letters(), 4, 10, 8192), 78, 5))
    assert 'next ▸ [9] "b-0" [5] "b-1" "b-2" [0] "b-3" ◂ last' in shown
    assert " 4 of 10 messages ▮▮▮▮▯▯▯▯▯▯" in shown
    assert "8,192 B each" in shown


def test_what_is_not_shown_is_counted() -> None:
    for height in (2, 3, 5):
        many = Mailbox(made.letters(24), 200, 200, last=Letter("z"))
        lines = queue_lines(many, 60, height)
        shown = text(lines)
        assert len(lines) <= height
        hidden = 200 - shown.count('"') // 2
        assert f"… {hidden} more" in shown.replace("\n", " ").replace("  ", " ")
        assert '"z" ◂ last' in shown
        assert all(width_of(line) <= 61 for line in lines)
        assert "FULL" in shown


def test_who_waits_stands_with_the_time() -> None:
    box = Mailbox((), 0, 10, receivers=(Waiter("P2", 4712, "mq_receive", "3.1 s"), Waiter("P3", 4713, "", "0.4 s")))
    shown = text(queue_lines(box, 78, 4))
    assert "■ 2 wait to receive: P2 4712 3.1 s, P3 4713 0.4 s" in shown
    assert "next ▸ (empty)" in shown
    assert "■ 1 waits to send: P1 2.0 s" in text(
        queue_lines(Mailbox((), 0, senders=(Waiter("P1", age="2.0 s"),)), 78, 4)
    )


def test_waiters_are_those_the_kernel_put_to_sleep() -> None:
    found = waiters(made.mailbox_state(), "/orders", {"mq_receive"}, View(now=made.NOW))
    assert [(waiter.role, waiter.age) for waiter in found] == [("P2", "3.0 s"), ("P3", "1.0 s")]
    assert waiters(made.mailbox_state(), "/orders", {"mq_send"}, View(now=made.NOW)) == ()


# The file


FIFO = File("/tmp/ipctui-4711-9f/fifo", stat.S_IFIFO | 0o600, 1, 1000, 1000, 0, 8123)


def test_a_file_is_shown_as_ls_does() -> None:
    assert text(file_lines(FIFO, 78)) == "prw------- 1 1000 1000 0 B inode 8123 /tmp/ipctui-4711-9f/fifo"


def test_a_narrow_file_keeps_the_end_of_its_name() -> None:
    first, second = text(file_lines(FIFO, 24, 2)).splitlines()
    assert first.startswith("prw------- 1 1000 1000")
    assert second.endswith("/fifo")
    assert "…" in text(file_lines(FIFO, 40))


def test_a_file_that_is_not_there() -> None:
    assert File.of(None) is None
    assert File.of({"name": "x"}) is None
    assert File.of({name: getattr(FIFO, name) for name in File.__slots__} | {"more": 1}) == FIFO
    assert text(file_lines(None, 40, name="/tmp/fifo")) == "– no file /tmp/fifo"


# Links


def test_links_join_their_columns() -> None:
    rows = text(link_lines([Peer(name) for name in "PQRS"], made.LINKS, 100, 6)).splitlines()
    assert [rows[0].index(name) for name in "PQRS"] == [place * 21 + 12 for place in range(4)]
    assert rows[1].index("●") == rows[0].index("P") - 2
    assert "●▮▮▮▸" in rows[1]
    assert "◂▮×12●" in rows[2]
    assert "★ just made" in rows[3]
    assert "× broken" in rows[4]
    assert text([link_count([Peer(name) for name in "PQRS"], made.LINKS)]) == "4 of 6 links"


def test_links_that_have_no_line_are_counted() -> None:
    rows = text(link_lines([Peer(name) for name in "PQRS"], made.LINKS, 76, 3)).splitlines()
    assert rows[0].endswith("+2")
    assert "broken" in rows[2]
    assert "no link" in text(link_lines([Peer("P"), Peer("Q")], (), 76, 3))
    assert not link_lines([], made.LINKS, 76, 3)


@bounded
@given(st.integers(1, 8), st.integers(40, 200), st.integers(1, 12))
def test_links_fit(count: int, width: int, height: int) -> None:
    lines = link_lines([Peer("한글🙂" if place else "P") for place in range(count)], made.LINKS, width, height)
    assert len(lines) <= height
    assert all(width_of(line) == width for line in lines)


# Semaphores and meters


def test_semaphores_are_aligned_and_tell_their_holder() -> None:
    some = (
        Semaphore("mutex", 0, 1, "producer2", waiting=(Waiter("consumer", age="2.3 s"),)),
        Semaphore("empty", 3, 7),
        Semaphore("full", None),
    )
    rows = text(semaphore_lines(some, 78, height=3)).splitlines()
    assert rows == ["mutex 0 ▪ held by producer2 ■ 1 waits: consumer 2.3 s", "empty 3 ▮▮▮▯▯▯▯", "full  ?"]
    assert text(semaphore_lines(some, 78, height=1)).count("\n") == 0
    assert "■ 1 waits" in text(semaphore_lines(some, 36, height=3))


def test_a_dead_holder_is_an_error() -> None:
    (line,) = semaphore_lines((Semaphore("mutex", 0, 1, "producer", dead=True),), 60, height=1)
    assert "✝ held by the dead producer" in text([line])
    assert "producer" in roles(line, "error")
    assert "▫ free" in text(semaphore_lines((Semaphore("mutex", 1, 1),), 60, height=1))


def test_meters_share_a_scale_and_their_figures_a_width() -> None:
    rows = text(meter_lines((Meter("spinning", 98.0), Meter("semaphores", 4.0)), 60, "%", most=100)).splitlines()
    assert rows[0].startswith("spinning    98 % █")
    assert rows[1].startswith("semaphores   4 % █")
    assert rows[0].count("█") > 20 * rows[1].count("█") - 20
    empty = text(meter_lines((Meter("a", None), Meter("b", 0.0)), 40))
    assert "–" in empty
    assert "█" not in empty
    assert "▸" in text(meter_lines((Meter("a", 300.0),), 40, most=100))


@bounded
@given(st.floats(0, 1e9), st.integers(20, 120))
def test_meters_fit(value: float, width: int) -> None:
    assert all(width_of(line) <= max(width, 24) for line in meter_lines((Meter("lost", value),), width, "/s"))
    assert nice(value) >= value * 0.999


# Lanes and names


def lane(*spans: tuple[int, str]) -> list[str | None]:
    """Cells of 100 ms over two seconds."""
    process = ProcessState("reader", 1, spans=tuple(Span(at * 1_000_000, state) for at, state in spans))
    return cell_states(process, 0, 20, 100_000_000)


def test_short_blocks_one_after_another_are_calm_and_a_long_one_is_loud() -> None:
    waiting = tuple((at, "blocked") for at in range(0, 1000, 50))
    shown = lane(*waiting, (1000, "blocked"))
    assert shown[:10] == [BRIEFLY] * 10
    assert shown[10:] == ["blocked"] * 10


def test_a_block_is_brief_only_when_it_ends_soon() -> None:
    assert lane((0, "running"), (500, "blocked"), (700, "running"))[5:7] == [BRIEFLY] * 2
    assert lane((0, "running"), (500, "blocked"), (900, "running"))[5:9] == ["blocked"] * 4


def test_lanes_have_room_for_the_names() -> None:
    assert label_width(["parent", "child"]) == 8
    assert label_width(["producer2"]) == 10
    assert label_width(["x" * 40]) == 17
    assert label_width([]) == 8


def test_short_names_tell_processes_apart() -> None:
    assert short_names(["parent", "child1", "child2"]) == {"parent": "p", "child1": "c1", "child2": "c2"}
    assert short_names(["P", "Q"]) == {"P": "P", "Q": "Q"}
    assert len(set(short_names(["producer", "prosumer", "consumer"]).values())) == 3


@pytest.mark.parametrize(
    ("used", "slots_used", "waited_for", "full"),
    [(64, 1, False, False), (64, 1, True, True), (4096, 1, False, True), (0, 0, True, False), (0, 0, False, False)],
)
def test_a_channel_with_a_free_slot_is_never_called_full(
    used: int, slots_used: int, waited_for: bool, full: bool
) -> None:
    """A writer that was seen asleep has been woken since: the pipe is looked at after the processes."""
    channel = Channel(1, "pipe:[1]", used=used, capacity=4096, slots=1, slots_used=slots_used, type="pipe")
    assert is_full(channel, waited_for) is full
    assert ("FULL" in "".join(text for text, _ in fill_line(channel, "en", waited_for))) is full
