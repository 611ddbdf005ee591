"""The stage: what every pane shares holds at every size, in both languages, in ASCII, for any number of processes."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ipctui.tui.roles import ROLES
from ipctui.widgets.canvas import Canvas, Frame, padded, width_of
from ipctui.widgets.card import card_lines, count_line, state_line
from ipctui.widgets.header import draw_header
from ipctui.widgets.scroll import draw_scrolled, first_line
from ipctui.widgets.stage import Box, Stage, living, parts
from ipctui.widgets.view import View
from tests.widgets import made

ZOOMS = ("", *(offer.zoom for offer in parts("")))
VIEWS = st.fixed_dictionaries(
    {
        "language": st.sampled_from(["en", "ko"]),
        "zoom": st.sampled_from(ZOOMS),
        "scroll": st.sampled_from([0, 1, -1, -7, 1000, -1000]),
        "ascii": st.booleans(),
    }
)
every_size = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


def drawn(name: str, size: tuple[int, int] = (80, 23), count: int | None = None, **view: Any) -> Frame:
    make, stage = made.STAGES[name]
    state = make() if count is None else make(count)
    view.setdefault("selected", next(iter(state.processes), ""))
    return stage.draw(state, View(now=made.NOW, **view), *size)


@every_size
@given(
    st.sampled_from(list(made.STAGES)), st.integers(0, 6), st.tuples(st.integers(80, 200), st.integers(23, 60)), VIEWS
)
def test_every_row_is_as_wide_as_the_frame(name: str, count: int, size: tuple[int, int], view: dict[str, Any]) -> None:
    counts = count if name in ("shm", "side", "direct") else None
    frame = drawn(name, size, counts, **view)
    assert (frame.width, len(frame.rows)) == size
    for row in frame.rows:
        assert sum(cell_len(text) for text, _ in row) == size[0]
        assert {role for _, role in row} <= set(ROLES)
    for char in set(frame.text()) - {"\n"}:
        assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    for hit in frame.hits:
        assert 0 <= hit.x < hit.x + hit.width <= size[0]
        assert 0 <= hit.y < hit.y + hit.height <= size[1]
    if view["ascii"] and view["language"] == "en":
        assert frame.text().isascii()
        assert "?" not in frame.text(), "a glyph of the drawing without a stand-in"


@pytest.mark.parametrize("name", ["shm", "mailbox"])
@pytest.mark.parametrize("size", [(80, 23), (120, 35), (200, 59)])
def test_the_essential_is_on_every_pane(name: str, size: tuple[int, int]) -> None:
    state = made.STAGES[name][0]()
    text = drawn(name, size).text()
    for process in state.processes.values():
        assert f"{process.role} {process.pid}" in text
    assert "■ BLOCKED" in text
    for words in {"shm": ("in ", "out", "××", "mutex 0", "full"), "mailbox": ("next ▸ [9]", "2 wait to receive")}[name]:
        assert words in text


def test_two_cards_stand_at_the_sides_or_above() -> None:
    side, wide = drawn("side").text().splitlines(), drawn("shm").text().splitlines()
    assert made.SHM[:12] in side[1]
    assert "producer" in side[1]
    assert "consumer" in side[1]
    assert made.SHM not in wide[1]
    assert any(line.startswith(f"┌ {made.SHM}") for line in wide)


def test_more_processes_than_cards_are_all_in_the_roster() -> None:
    text = drawn("shm", count=6).text()
    for role in made.shm_state(6).processes:
        assert f"{role:<9} " in text
    assert "6 processes" in text


def test_what_does_not_fit_is_a_key_away() -> None:
    """Every line of the contents is in sight at some scroll position, and the last line tells how many are not."""
    seen: set[str] = set()
    for down in range(60):
        frame = drawn("shm", zoom="contents", scroll=-down)
        seen |= {line.strip() for line in frame.text().splitlines()[1:-2]}
        if down == 0:
            assert "↓ 9 lines" in frame.text()
    assert any("slot 7" in line for line in seen)
    assert any(line.startswith("0530") for line in seen)
    assert "↑" in frame.text()


def test_an_enlarged_card_scrolls() -> None:
    state = made.laboratory("pipe", [made.process("parent", fds=30), made.process("child")], [])
    stage = Stage(lambda state, view: [], made.caption)

    def text(scroll: int) -> str:
        return stage.draw(state, View(zoom="processes", scroll=scroll, now=made.NOW), 80, 23).text()

    assert "32 read-write" not in text(0)
    assert "32 read-write" in text(-20)
    assert text(-500) == text(-1000)


def test_boxes_that_have_no_room_are_counted() -> None:
    one = Box([("pipe", "title")], lambda width, height: [], lambda width, height: [[("all", "text")]])
    stage = Stage(lambda state, view: [one] * 6, made.caption)
    text = stage.draw(made.shm_state(), View(now=made.NOW), 80, 23).text()
    assert "┌ pipe" in text
    assert " +4 " in text
    zoomed = stage.draw(made.shm_state(), View(now=made.NOW, zoom="contents"), 80, 23).text()
    assert zoomed.count("all") == 6


def test_living_objects_come_before_those_that_are_gone() -> None:
    state = made.shm_state()
    (held,) = state.channels.values()
    gone = replace(held, now=replace(held.now, object="old", closed=True))
    assert [channel.object for channel in living(replace(state, channels={"old": gone, "new": held}))] == [made.SHM]
    assert [channel.object for channel in living(replace(state, channels={"old": gone}))] == ["old"]


def test_a_state_line_keeps_the_time_where_the_operation_has_no_room() -> None:
    process = made.process("P2", "blocked")
    view = View(now=made.NOW)
    assert state_line(process, view, 40)[0] == "■ BLOCKED mq_receive(3) 3.0 s"
    assert state_line(process, view, 26)[0] == "■ BLOCKED mq_receive 3.0 s"
    assert state_line(process, view, 20)[0] == "■ BLOCKED 3.0s"
    for width in range(14, 40):
        text, role = state_line(process, view, width)
        assert cell_len(text) <= width
        assert text.startswith("■ BLOCKED")
        assert "3.0" in text
        assert role == "blocked"


def test_counts_are_whole_at_every_width() -> None:
    process = made.process("P1")
    for width in range(20, 40):
        line = count_line(process, "en", width)
        text = "".join(part for part, _ in line)
        assert "1,234" in text
        assert "1,200" in text
        assert width_of(line) <= width + 1


def test_notes_stand_on_the_card() -> None:
    notes = [[("mapped at 7f00", "number")]]
    lines = card_lines(made.process("P1"), View(now=made.NOW), 40, 20, notes)
    assert notes[0] in lines


def test_scrolling_stops_at_both_ends() -> None:
    assert first_line(View(scroll=5), 30, 10) == 0
    assert first_line(View(scroll=-5), 30, 10) == 5
    assert first_line(View(scroll=-500), 30, 10) == 20
    canvas = Canvas(20, 3)
    draw_scrolled(canvas, [[(str(place), "text")] for place in range(9)], View(scroll=-1), 0, 0, 20, 3)
    assert canvas.frame().text().split("\n") == ["1", "2", "↑ 1 line   ↓ 6 lines"]


def test_nothing_that_a_terminal_would_obey_gets_through() -> None:
    canvas = Canvas(40, 1)
    canvas.put(0, 0, made.HOSTILE)
    canvas.put(30, 0, "\x1b[2J")
    text = canvas.frame().text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[/oops]" in text
    assert cell_len("".join(part for part, _ in canvas.frame().rows[0])) == 40


def test_padding_counts_cells() -> None:
    assert padded("한글", 6) == "한글  "
    assert cell_len(padded("한글🙂abc", 5)) == 5


def test_the_header_stands_on_the_first_row() -> None:
    canvas = Canvas(80, 1)
    draw_header(canvas, made.shm_state(), View(now=made.NOW))
    assert "shm · made-up" in canvas.frame().text()
