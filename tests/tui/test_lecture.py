"""Lecture mode on the screen: large, with the keys by name, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ipctui.lab.player import Player
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Call
from ipctui.widgets.bigtext import HUGE, LARGE, SMALL, big_lines, widest
from ipctui.widgets.hangul import can_draw, hangul_lines
from ipctui.widgets.lecture import focus, last_operation, taller
from ipctui.widgets.view import View
from ipctui.widgets.words import word
from tests.recorded import path
from tests.tui.fake import process, toasts
from tests.tui.test_walk import SECOND, begun, replayed, text

BLOCKED = "███  █     ██   ███ █  █ ████ ███"
"""The first row of the word BLOCKED in small letters."""
SIZES = ((80, 24), (120, 36))


# The mode.


@pytest.mark.parametrize("size", SIZES)
async def test_f5_draws_for_a_room_and_gives_the_former_theme_back(size: tuple[int, int]) -> None:
    app, player, _ = replayed("held")
    async with app.run_test(size=size) as pilot:
        await begun(app, pilot)
        player.cursor().seek(5_900_000_000)
        await pilot.press("t")
        app.redraw()
        former = app.theme
        plain = text(app)
        await pilot.press("f5")
        assert app.theme == "projector"
        lecture = text(app)
        assert lecture != plain
        assert "help" not in lecture, "the footer is gone"
        assert ("██  ██  ██" in lecture) if size[0] == 120 else (BLOCKED in lecture)
        assert "‖ before read(3)" in lecture
        assert "write(4)" in lecture
        assert "A read by child would wake it" in " ".join(lecture.split())
        assert any("▸" in line and "sent = calls.write(w, message)" in line for line in lecture.splitlines())
        assert len(lecture.splitlines()) <= size[1]
        await pilot.press("f5")
        assert app.theme == former
        assert text(app).splitlines()[1:] == plain.splitlines()[1:]
        await pilot.press("f5", "escape")
        assert app.theme == former
        assert not app.view.lecture


async def test_a_theme_taken_meanwhile_stays() -> None:
    app, _, _ = replayed("held")
    async with app.run_test() as pilot:
        await begun(app, pilot)
        await pilot.press("t", "f5", "t")
        taken = app.theme
        await pilot.press("f5")
        assert app.theme == taken != "projector"


async def test_the_last_keys_are_shown_by_name() -> None:
    app, _, _ = replayed("held")
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app, pilot)
        await pilot.press("comma", "f5")
        assert "[" not in text(app).splitlines()[0], "what was pressed before is not shown"
        await pilot.press("tab", "comma", "comma")
        assert "[Tab] next · [,] call back ×2" in text(app).splitlines()[0]
        await pilot.press("full_stop", "left", "right")
        head = text(app).splitlines()[0]
        assert "[Right] 1 s on" in head
        assert "Tab" not in head
        assert "REPLAY 00:" in head, "the clock has its place whatever was pressed"


async def test_an_enlarged_part_is_left_before_the_lecture() -> None:
    app, _, _ = replayed("held")
    async with app.run_test() as pilot:
        await begun(app, pilot)
        await pilot.press("f5", "5")
        assert app.view.zoom == "calls"
        await pilot.press("escape")
        assert (app.view.zoom, app.view.lecture) == ("", True)
        await pilot.press("escape")
        assert not app.view.lecture


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "name", ["held", "many-writers", "deadlock", "killed", "stopped", "twelve", "steps", "hostile"]
)
def test_every_recording_can_be_drawn_for_a_room(name: str, size: tuple[int, int], ascii: bool, language: str) -> None:
    pane = catalogue.pane("pipe")
    player = Player(path(name), catalogue.channel, background=False)
    try:
        cursor = player.cursor()
        for share in range(0, 11, 2):
            cursor.seek(player.timeline.end * share // 10)
            now = -(-cursor.t // 100_000_000) * 100_000_000
            for selected in list(cursor.state.processes)[:3] or [""]:
                view = View(selected, lecture=True, language=language, ascii=ascii, now=now, keys="[n] step")
                frame = pane.draw(cursor.state, view, *size)
                assert len(frame.rows) == size[1]
                if ascii and language == "en":
                    assert frame.text().isascii()
    finally:
        player.close()


def test_large_letters_and_the_banner_fit_their_width() -> None:
    words = (
        "RUNNING",
        "PACED",
        "BLOCKED",
        "HELD",
        "STOPPED",
        "EXITED",
        "UNKNOWN",
        "NOT STARTED",
        "블록됨",
        "알 수 없음",
    )
    for each in words:
        for width in (20, 38, 58, 97):
            for size in (SMALL, LARGE, HUGE):
                lines = big_lines(each, width, size)
                assert len(lines) in {SMALL: (5, 6), LARGE: (6, 7), HUGE: (6, 12)}[size]
                assert widest(lines) <= width, (each, width)
    assert big_lines("BLOCKED", 38, SMALL)[0].rstrip() == BLOCKED
    assert big_lines("HELD", 38, SMALL, "▒")[0].strip("▒ ") == ""
    assert len(big_lines("BLOCKED", 97, HUGE)) == len(big_lines("블록됨", 97, HUGE)) == 12
    assert "아 직" in big_lines("아직 시작 전", 38, SMALL)[2], "a banner, for 전 has no large letters"


def test_korean_states_are_large_too() -> None:
    for state in ("BLOCKED", "HELD", "RUNNING", "PACED", "STOPPED", "EXITED"):
        korean = word("ko", state)
        assert can_draw(korean), state
        for width in (37, 57):
            lines = big_lines(korean, width, SMALL)
            assert len(lines) == 6
            assert widest(lines) <= width
            assert set("".join(lines)) <= set(" ▀▄█")
    assert hangul_lines("블")[0] == " █▄▄▄▄▄▄▄█ "
    assert [can_draw(each) for each in ("", " ", "전", "abc", "블록")] == [False, False, False, False, True]


def test_of_many_the_selected_and_who_is_stuck_longest_are_large() -> None:
    second = 1_000_000_000
    blocked = {f"w{place}": replace(process(f"w{place}", "blocked"), role=f"w{place}") for place in range(1, 5)}
    for place, each in enumerate(blocked.values()):
        assert each.state is not None
        blocked[each.role] = replace(each, state=replace(each.state, since=place * second))
    state = LabState(processes={"reader": process("reader"), **blocked})
    view = View("reader", now=10 * second)
    assert [each.role for each in focus(state, view)] == ["reader", "w1"]
    assert [each.role for each in focus(state, View("w1", now=10 * second))] == ["w1", "w2"]
    assert [each.role for each in focus(LabState(processes={"reader": process("reader")}), view)] == ["reader"]


def test_a_gauge_is_drawn_three_rows_tall_where_there_is_room() -> None:
    gauge, words = [("██", "fill"), ("░", "fill.empty")], [("4 of 6", "number")]
    assert taller([words, gauge], 6) == [words, gauge, gauge, gauge]
    assert taller([words, gauge], 3) == [words, gauge, gauge]
    assert taller([words, gauge], 2) == [words, gauge]


def test_a_held_process_tells_what_it_did_last() -> None:
    parent = process("parent", "held")
    call = Call("parent", parent.pid, "write", "write", "4", -1, 0, 1, 4, errno="EAGAIN")
    others = (replace(call, process="child", result=7), replace(call, pid=1, result=8))
    state = LabState(processes={"parent": parent}, calls=(call, *others))
    assert last_operation(state, parent) == "write(4) = -1 EAGAIN"
    assert last_operation(state, process("child")) == ""
    frame = catalogue.pane("pipe").draw(state, View("parent", lecture=True), 80, 24)
    assert "last write(4) = -1 EAGAIN" in frame.text()


def test_a_short_sleep_is_told_from_being_stuck_without_colour() -> None:
    asleep = process("parent", "blocked")
    assert asleep.state is not None
    state = LabState(processes={"parent": replace(asleep, state=replace(asleep.state, since=SECOND))})
    pane = catalogue.pane("pipe")
    short = pane.draw(state, View("parent", lecture=True, now=SECOND + 100_000_000), 80, 24).text()
    long = pane.draw(state, View("parent", lecture=True, now=2 * SECOND), 80, 24).text()
    assert BLOCKED in long
    assert BLOCKED not in short
    assert BLOCKED.replace("█", "▒") in short
    ascii = pane.draw(state, View("parent", lecture=True, ascii=True, now=SECOND), 80, 24).text()
    assert BLOCKED.replace("█", "%") in ascii


async def test_what_is_said_in_passing_is_korean_too() -> None:
    app, _, _ = replayed("held", language="ko")
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("home", "left", "n", "M", "enter")
        said = toasts(app)
        assert len(said) == 4
        assert all(re.search("[가-힣]", text) for text in said), said
