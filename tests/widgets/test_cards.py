"""Cards and rosters where there is little room: what gives way, what never does, and what is counted instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ipctui.lab.state import ProcessState
from ipctui.trace.records import Held
from ipctui.widgets.canvas import Canvas, Line
from ipctui.widgets.card import card_lines, descriptor_lines, draw_card, draw_roster, state_line
from ipctui.widgets.lanes import draw_lanes
from ipctui.widgets.particles import with_particles
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, word
from tests.widgets import made

VIEW = View(now=made.NOW)


_ANY = str.maketrans("를는이과", "을은가와")


def texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def blocked(reason: str) -> ProcessState:
    process = made.process("consumer", "blocked")
    assert process.state is not None
    return replace(process, state=replace(process.state, reason=reason))


def test_a_reason_takes_the_lines_that_it_needs() -> None:
    reason = "the mutex belongs to a process that has died"
    rows = texts(card_lines(blocked(reason), VIEW, 24, 3))
    assert rows[0].startswith("■ BLOCKED")
    assert " ".join(row.strip() for row in rows[1:]) == reason
    assert " ↔ other 3" in "\n".join(texts(card_lines(blocked("full"), VIEW, 24, 3)))


def test_a_reason_never_ends_in_the_midst() -> None:
    reason = "nothing at the connection port or at 1 private port"
    assert texts(card_lines(blocked(reason), VIEW, 38, 3))[1:] == [
        " nothing at the connection port or at",
        " 1 private port",
    ]


@given(st.integers(1, 12), st.integers(20, 60), st.text("ab (", min_size=1, max_size=60))
def test_a_card_never_has_more_lines_than_its_height(height: int, width: int, reason: str) -> None:
    lines = card_lines(blocked(reason), VIEW, width, height, [[("its own line", "dim")]])
    assert 1 <= len(lines) <= height
    assert texts(lines)[0].startswith("■ BLOCKED")


def test_a_mechanisms_own_lines_outlast_the_descriptors_and_errors_the_counts() -> None:
    process = replace(made.process("p"), descriptors=(Held(3, "link", "read-write", peers=(("q", 4),)),))
    assert texts(card_lines(process, VIEW, 30, 2, [[("names q", "dim")]]))[1] == "names q"
    assert process.counters is not None
    torn = replace(process, counters=replace(process.counters, received=10, whole=8))
    assert texts(card_lines(torn, VIEW, 30, 3))[-1] == "torn 2"
    assert texts(card_lines(torn, View(now=made.NOW, language="ko"), 30, 3))[-1] == "찢김 2"


def test_descriptors_without_a_line_are_counted() -> None:
    rows = tuple(Held(fd, "pipe", "read", peers=(("q", 4),)) for fd in range(3, 8))
    assert texts(descriptor_lines(rows, "en", 40, 2))[-1].endswith(" +3 fd")
    assert all(cell_len(line) <= 19 for line in texts(descriptor_lines(rows, "en", 19, 2)))
    closed = (*rows[:2], replace(rows[2], end="read closed"))
    assert "fd" not in texts(descriptor_lines(closed, "en", 40, 2))[-1]


@pytest.mark.parametrize("width", range(14, 40))
def test_a_descriptor_fits_and_names_whom_it_can(width: int) -> None:
    row = Held(3, "/x", "read-write", peers=(("writer", 3), ("reader", 3)))
    said = texts(descriptor_lines((row,), "en", width, 1))[0]
    assert cell_len(said) <= width
    assert "writer 3" in said or "writer +1" in said or "×2" in said


@pytest.mark.parametrize(
    ("end", "nonblocking", "width", "said"),
    [
        ("read-write", False, 40, "3 read-write 127.0.0.1:50000"),
        ("read-write", False, 24, "3 rw 127.0.0.1:50000"),
        ("read-write", False, 18, "3 127.0.0.1:50000"),
        ("read-write", True, 40, "3 read-write 127.0.0.1:50000 NONBLOCK"),
        ("read-write", True, 24, "3 rw 127.0.0.1:50000 NB"),
        ("listen", False, 24, "3 listen 127.0.0.1:50000"),
        ("listen", False, 20, "3 127.0.0.1:50000"),
    ],
)
def test_a_socket_without_another_end_is_told_by_its_address(
    end: str, nonblocking: bool, width: int, said: str
) -> None:
    row = Held(3, "socket:[7]", end, nonblocking, name="127.0.0.1:50000")
    assert texts(descriptor_lines((row,), "en", width, 1)) == [said]
    connected = replace(row, peers=(("receiver", 3),))
    assert "receiver 3" in texts(descriptor_lines((connected,), "en", 40, 1))[0]


def test_a_title_leaves_out_a_number_whole() -> None:
    process = made.process("mutex-waiter")
    for width in range(20, 40):
        canvas = Canvas(width, 4)
        draw_card(canvas, process, VIEW, 0, 0, width, 4)
        title = canvas.frame().text().splitlines()[0]
        assert "…" not in title
        assert ("◂" in title) == (f"◂{process.ppid} " in title)


@pytest.mark.parametrize(("count", "width", "height"), [(13, 48, 3), (9, 24, 7), (5, 30, 1), (7, 26, 6), (6, 26, 6)])
def test_a_roster_counts_those_without_a_line_by_their_states(count: int, width: int, height: int) -> None:
    states = ("blocked", "held", "paced")
    processes = [made.process(f"w{number}", states[number % 3]) for number in range(count)]
    for selected in processes:
        canvas = Canvas(width, height)
        draw_roster(canvas, processes, View(now=made.NOW, selected=selected.name), 0, 0, width, height)
        frame = canvas.frame()
        shown = {hit.action.removeprefix("select:") for hit in frame.hits}
        assert selected.name in shown
        hidden = [process for process in processes if process.name not in shown]
        assert (f"+{len(hidden)} " in frame.text()) == bool(hidden)
        for state in states if hidden else ():
            number = sum(process.state is not None and process.state.state == state for process in hidden)
            assert (f"{STATE_GLYPHS[state]}{number}" in frame.text()) == bool(number)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_lanes_count_those_without_a_line(language: str) -> None:
    processes = [made.process(f"w{number}") for number in range(13)]
    state = made.laboratory("pipe", processes, ())
    for height, hidden in ((6, 8), (13, 1), (14, 0)):
        canvas = Canvas(78, height)
        draw_lanes(canvas, state, View(now=made.NOW, selected="w7", language=language), 0, 0, 78, height)
        text = canvas.frame().text()
        assert "w7" in text
        assert sum(f"w{number} " in text for number in range(13)) == 13 - hidden
        assert (f"+{hidden} {word(language, 'more')}" in text) == bool(hidden)


def test_who_has_not_started_is_told_without_the_time_where_there_is_none() -> None:
    waiting = replace(made.process("late"), pid=0, state=None, due=made.NOW + 3_000_000_000)
    assert state_line(waiting, VIEW, 30)[0] == "– NOT STARTED · 3.0 s"
    assert state_line(waiting, VIEW, 14)[0] == "– NOT STARTED"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("writer1가 와서", "writer1이 와서"),
        ("writer2을 재웠다", "writer2를 재웠다"),
        ("m가 r를, p은", "m이 r을, p는"),
        ("q와 l와 child10와", "q와 l과 child10과"),
        ("pid 25993이고, O_RDWR로", "pid 25993이고, O_RDWR로"),
        ("reader가 parent를", "reader가 parent를"),
        ("6을 누르면", "6을 누르면"),
        ("16,777,216로 읽었다", "16,777,216으로 읽었다"),
        ("q으로, r으로, m로", "q로, r로, m으로"),
    ],
)
def test_particles_follow_the_sound_of_the_name(written: str, said: str) -> None:
    assert with_particles(written) == said


@given(st.text("abml129 가이를을는은와과 으로고_-(),", max_size=40))
def test_particles_are_put_right_once(text: str) -> None:
    once = with_particles(text)
    assert with_particles(once) == once
    assert once.replace("으로", "로").translate(_ANY) == text.replace("으로", "로").translate(_ANY)
