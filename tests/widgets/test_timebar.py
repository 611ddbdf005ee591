"""The time bar and the header: where in time one is, and that a recording is none that lives."""

import pytest
from rich.cells import cell_len

from ipctui.lab.player import SPEEDS
from ipctui.tui.roles import ROLES
from ipctui.widgets.canvas import Canvas, Frame
from ipctui.widgets.header import ago, draw_header, fine_face
from ipctui.widgets.timebar import column_of, draw_timebar
from ipctui.widgets.view import Moment, View
from tests.recorded import state_at

S = 1_000_000_000
PAST = Moment(58 * S, 10 * S, 70 * S, (20 * S, 69 * S), ((30 * S, 40 * S),))


def bar(view: View, width: int = 80) -> Frame:
    canvas = Canvas(width, 1, view.ascii)
    draw_timebar(canvas, view, 0)
    return canvas.frame()


@pytest.mark.parametrize("width", range(80, 140, 7))
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_bar_is_one_row_with_all_that_it_has_to_say(width: int, language: str) -> None:
    frame = bar(View(moment=PAST, language=language), width)
    (row,) = frame.rows
    assert sum(cell_len(text) for text, _ in row) == width
    text = frame.text()
    assert text.startswith(" -1:00   ─")
    assert text.endswith("지금" if language == "ko" else "now")
    assert (text.count("┃"), text.count("▼")) == (1, 2)
    assert abs(text.count("■") - (width - 14) / 6) < 2
    assert {role for _, role in row} <= set(ROLES)


def test_every_cell_seeks_from_the_beginning_to_the_end() -> None:
    frame = bar(View(moment=PAST))
    times = [int(hit.action.removeprefix("seek:")) for hit in frame.hits]
    assert (times[0], times[-1]) == (10 * S, 70 * S)
    assert times == sorted(times)
    assert [hit.x for hit in frame.hits] == list(range(frame.hits[0].x, frame.hits[0].x + len(times)))
    for hit, t in zip(frame.hits, times, strict=True):
        assert hit.x == frame.hits[0].x + column_of(PAST, t, len(times)) or t not in (10 * S, 70 * S)


def test_a_recording_says_how_long_how_fast_and_how_much_is_known() -> None:
    whole = Moment(3 * S, 0, 65 * S, playing=True, speed=0.5)
    assert bar(View(moment=whole, replay=True)).text().endswith("01:05.0 0.5x")
    half = Moment(3 * S, 0, 65 * S, share=0.5)
    frame = bar(View(moment=half, replay=True))
    assert frame.text().endswith("50 %   1x")
    assert 20 < frame.text().count("·") < 40
    assert len(frame.hits) < 40, "what is not known yet cannot be gone to"


def test_the_bar_stays_in_its_place_while_speed_share_and_reach_change() -> None:
    def places(moment: Moment, replay: bool) -> tuple[int, int]:
        frame = bar(View(moment=moment, replay=replay))
        axis = [index for index, char in enumerate(frame.text()) if char in "─·┃"]
        return axis[0], axis[-1]

    speeds = {places(Moment(3 * S, 0, 65 * S, speed=speed), True) for speed in SPEEDS}
    shares = {places(Moment(3 * S, 0, 65 * S, share=share), True) for share in (0.01, 0.09, 0.5, 0.99, 1.0)}
    assert len(speeds | shares) == 1
    reaches = (5 * S, 59 * S, 61 * S, 599 * S)
    assert len({places(Moment(3 * S, 0, reach), False) for reach in reaches}) == 1


def test_a_past_cut_short_by_memory_says_so() -> None:
    assert bar(View(moment=Moment(S, 0, 5 * S, full=True))).text().startswith(" -5.0 s  (100 MB) ")


@pytest.mark.parametrize(
    "moment", [Moment(0, 0, 0), Moment(5, 5, 5), Moment(-9, 3, 1 << 62, ((1 << 63),), ((-5, 1 << 63),))]
)
def test_no_moment_is_too_strange_for_the_bar(moment: Moment) -> None:
    for width in (0, 1, 9, 20, 80):
        for replay in (False, True):
            frame = bar(View(moment=moment, replay=replay, ascii=True), width)
            assert frame.text().isascii()


def header(view: View, width: int = 80) -> str:
    canvas = Canvas(width, 1, view.ascii)
    draw_header(canvas, state_at("two-way", 1.0), view)
    return canvas.frame().text()


def test_the_header_tells_live_past_and_recording_apart() -> None:
    assert "● LIVE 00:12.4" in header(View(now=12_413_000_000))
    assert "║ PAUSED -12.0 s · 00:58.000" in header(View(paused=True, moment=PAST))
    playing = Moment(12_413_000_000, 0, 65 * S, playing=True)
    assert "▸ REPLAY 00:12.4" in header(View(replay=True, moment=playing))
    assert "║ REPLAY 00:58.000" in header(View(replay=True, moment=PAST, paused=True))
    assert "재생 00:12.4" in header(View(replay=True, now=12_413_000_000, language="ko"))
    assert "REC" in header(View(recording=True))
    for view in (View(replay=True), View(replay=True, moment=playing), View(replay=True, moment=PAST)):
        assert "LIVE" not in header(view)
        assert header(View(replay=True, ascii=True)).isascii()


def test_times_are_short_and_never_jitter() -> None:
    assert [ago(each * S // 10) for each in (0, 32, 599, 600, 5989)] == [
        "-0.0 s",
        "-3.2 s",
        "-59.9 s",
        "-1:00",
        "-9:58",
    ]
    assert fine_face(12_413_999_999) == "00:12.413"
    assert fine_face(-5) == "00:00.000"
