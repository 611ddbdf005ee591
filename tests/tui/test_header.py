"""A pane's first line: whatever stands at its right edge, the clock is legible."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Counters, Header, Settings
from ipctui.widgets.canvas import Canvas
from ipctui.widgets.header import draw_header
from ipctui.widgets.view import Moment, View

SENDER = ProcessState(
    "parent", 5, settings=Settings(0, "parent", False, 20, 64), counters=Counters(0, "parent", 5, sent=3)
)
STATE = LabState(Header("pipe", "one-way"), processes={"parent": SENDER})


def line(state: LabState, view: View, width: int = 80) -> str:
    canvas = Canvas(width, 1, view.ascii)
    draw_header(canvas, state, view)
    return canvas.frame().text()


def skipped(count: int) -> LabState:
    return replace(STATE, lost={("parent", "overwritten"): count})


def test_what_the_screen_skipped_is_said_calmly_and_exactly() -> None:
    view = View(now=12_400_000_000)
    assert line(skipped(1234), view, 120).endswith("1,234 operations not shown, all counted · 20 msg/s")
    assert line(skipped(1234), view).endswith("● LIVE 00:12.4      1,234 not shown · 20 msg/s")
    korean = line(skipped(1234), replace(view, language="ko"), 120)
    assert korean.endswith("1,234 개 연산 생략, 집계에는 포함 · 20 건/초")
    assert "not shown" not in line(STATE, view)


@given(
    st.integers(0, 10**14),
    st.integers(80, 130),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "processes", "contents"]),
    st.sampled_from(["en", "ko"]),
    st.sampled_from([None, Moment(3_500_000_000, 0, 600_000_000_000), Moment(1, 0, 9, playing=True)]),
    st.text("abc [],·n", max_size=90),
    st.booleans(),
)
def test_the_clock_is_whole_whatever_stands_beside_it(
    count: int,
    width: int,
    recording: bool,
    replay: bool,
    zoom: str,
    language: str,
    moment: Moment | None,
    keys: str,
    lecture: bool,
) -> None:
    view = View(
        now=3_500_000_000,
        recording=recording,
        replay=replay,
        zoom=zoom,
        language=language,
        moment=moment,
        lecture=lecture,
        keys=keys,
        paused=moment is not None,
    )
    shown = line(skipped(count), view, width)
    assert "00:0" in shown
    clock = shown.index("00:0")
    assert shown[clock : clock + 7].strip().replace(":", "").replace(".", "").isdigit()
    after = shown[clock:].split("  ", 1)
    assert len(after[0].strip()) <= 9, "between the clock and what follows there are two blanks"
    if recording and not keys and len(shown) < width - 5:
        assert "● REC" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_of_the_keys_the_last_stands_where_all_have_no_room(width: int) -> None:
    keys = "[Shift+Left] 10 s back · [Shift+Right] 10 s on · [n] step"
    shown = line(STATE, View(lecture=True, keys=keys, now=1), width)
    assert shown.endswith(keys if width == 120 else "[n] step")
