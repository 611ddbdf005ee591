from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.tui.actions import ACTIONS
from ipctui.tui.footer import footer, hit_at, screen_frame
from ipctui.widgets.canvas import Canvas, Frame, Line
from ipctui.widgets.view import View
from tests.tui.fake import fake_pane, two

CAN = frozenset({"command"})
STATES = [two(), two(state="blocked"), two(held=True), two(state="stopped"), LabState()]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_the_footer_fits_every_width_and_always_offers_help(state: LabState, paused: bool, language: str) -> None:
    view = View("parent", paused=paused, language=language, zoom="calls")
    for width in range(80, 201):
        frame = footer(state, fake_pane(), view, width, ACTIONS, CAN)
        (row,) = frame.rows
        assert sum(cell_len(text) for text, _ in row) == width
        ids = [hit.action for hit in frame.hits]
        assert "help" in ids
        assert "…" not in frame.text(), "a key is whole or not there"
        assert max(hit.x + hit.width for hit in frame.hits) <= width
        assert ids[0] == ("pause" if paused else "back")
        for hit in frame.hits:
            assert hit_at(frame, hit.x, 0) is hit


def test_the_footer_says_what_each_key_would_do_now() -> None:
    def text(state: LabState, **view: object) -> str:
        return footer(state, fake_pane(), View("parent", **view), 200, ACTIONS, CAN).text()  # type: ignore[arg-type]

    assert "space hold  n step  i inject  b non-blocking  u unblock  p pause  v variant" in text(two())
    assert "space release" in text(two(held=True))
    assert "p resume" in text(two(), paused=True)
    assert "1 calls  2 shrink" in text(two())
    assert "Escape back" in text(two(), zoom="calls")
    assert "멈춰 보기" in text(two(), language="ko")


def test_unblock_keeps_its_place_and_matters_only_while_somebody_sleeps() -> None:
    roles = []
    for state in (two(), two(state="blocked")):
        frame = footer(state, fake_pane(), View("parent"), 120, ACTIONS, CAN)
        (hit,) = [hit for hit in frame.hits if hit.action == "unblock"]
        x = 0
        for text, role in frame.rows[0]:
            if x <= hit.x < x + cell_len(text):
                roles.append((hit.x, role))
            x += cell_len(text)
    assert roles[0][0] == roles[1][0]
    assert [role for _, role in roles] == ["dim", "key"]


def test_the_footer_of_a_small_language_is_ascii() -> None:
    view = View("parent", ascii=True, zoom="calls")
    assert footer(two(), fake_pane(), view, 80, ACTIONS, CAN).text().isascii()


def test_the_pane_and_its_footer_are_one_frame() -> None:
    frame = screen_frame(two(), fake_pane(), View("child"), 120, 36)
    assert (frame.width, frame.height, len(frame.rows)) == (120, 36, 36)
    assert {hit.y for hit in frame.hits if hit.action == "step"} == {35}
    assert all(sum(cell_len(text) for text, _ in row) == 120 for row in frame.rows)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("ascii", [False, True])
def test_no_terminal_is_too_small(language: str, ascii: bool) -> None:
    view = View("parent", language=language, ascii=ascii)
    for width in range(82):
        for height in (0, 1, 2, 23, 24):
            frame = screen_frame(two(), fake_pane(), view, width, height)
            assert len(frame.rows) == height
            assert all(sum(cell_len(text) for text, _ in row) == width for row in frame.rows)


def test_of_parts_over_each_other_the_last_is_clicked() -> None:
    frame = screen_frame(two(), fake_pane(), View("child"), 80, 24)
    first = frame.hits[0]
    above = replace(first, action="help")
    assert hit_at(replace(frame, hits=(*frame.hits, above)), first.x, first.y) is above
    assert hit_at(frame, 79, 10) is None


def test_a_question_lies_over_the_panes_last_rows_and_what_is_told_takes_rows_of_its_own() -> None:
    heights: list[int] = []

    def draw(state: LabState, view: View, width: int, height: int) -> Frame:
        heights.append(height)
        canvas = Canvas(width, height)
        for row in range(height):
            canvas.put(0, row, f"row {row}")
        canvas.hit(0, 0, 10, height, "zoom:calls")
        return canvas.frame()

    pane = replace(fake_pane(), draw=draw)
    told: list[Line] = [[("told", "title")]]
    question: list[Line] = [[(f"question {number}", "title")] for number in range(5)]
    view = View("parent")
    frame = screen_frame(two(), pane, view, 80, 24, band=told, over=question)
    lines = frame.text().splitlines()
    assert heights == [22], "a row is told, a row is the footer"
    assert lines[16] == "row 16"
    assert lines[17:22] == [f"question {number}" for number in range(5)]
    assert lines[22] == "told"
    assert "help" in lines[23]
    hit = hit_at(frame, 1, 16)
    assert hit is not None
    assert hit.action == "zoom:calls"
    assert hit_at(frame, 1, 17) is None, "what is covered answers no click"
