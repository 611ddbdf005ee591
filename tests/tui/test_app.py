from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ipctui.tui.app import BEAT, FRAME, IpctuiApp, start
from tests.lab.conftest import PATIENCE
from tests.tui.fake import (
    THEMES,
    Drawings,
    FakeChannel,
    FakeSource,
    fake_pane,
    make_app,
    toasts,
    two,
    until,
)


class Pace:
    """An app that is beaten by hand on a clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.source = FakeSource()
        self.drawings = Drawings()
        self.app = make_app(self.source, fake_pane(drawings=self.drawings))
        self.clock = time.monotonic() + 1000
        # The app's name for the module, not the module: the event loop's own clock must go on.
        monkeypatch.setattr("ipctui.tui.app.time", SimpleNamespace(monotonic=lambda: self.clock))

    def drawn(self, beats: int, step: float, changing: bool) -> int:
        """How often the pane was drawn in so many beats."""
        count = len(self.drawings.views)
        for _ in range(beats):
            self.clock += step
            self.source.time += int(step * 1e9)
            if changing:
                self.source.state = two()
            self.app.beat()
        return len(self.drawings.views) - count


async def test_an_idle_laboratory_is_drawn_for_the_clock_alone_and_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(monkeypatch)
    async with pace.app.run_test():
        pace.app.beat()
        pace.app.redraw()
        assert 3 <= pace.drawn(25, BEAT, changing=False) <= 10
        assert pace.drawings.views[-1].now % 100_000_000 == 0
        assert pace.drawings.views[-1].now + 500_000_000 > pace.source.time


async def test_nothing_is_drawn_when_nothing_that_is_seen_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(monkeypatch)
    async with pace.app.run_test():
        pace.app.beat()
        pace.app.redraw()
        assert pace.drawn(1000, 0.0, changing=False) == 0
        pace.source.alive = False
        pace.drawn(1, BEAT, changing=False)
        assert pace.drawn(1000, BEAT, changing=False) == 0, "the clock of a lab that ended stands still"


async def test_a_paused_view_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(monkeypatch)
    async with pace.app.run_test() as pilot:
        pace.app.beat()
        await pilot.press("p")
        pace.drawn(1, 1.0, changing=True)
        assert pace.drawn(100, BEAT, changing=True) == 0


async def test_drawing_keeps_to_its_pace_however_quick_the_news(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(monkeypatch)
    async with pace.app.run_test():
        pace.app.beat()
        pace.app.redraw()
        drawn = pace.drawn(1000, 0.005, changing=True)
        assert abs(drawn - 5 / FRAME) <= 2
        assert FRAME >= 1 / 20


async def test_now_lies_after_everything_that_is_known() -> None:
    source, drawings = FakeSource(), Drawings()
    app = make_app(source, fake_pane(drawings=drawings))
    async with app.run_test():
        source.time = 1_234_567_890
        app.redraw()
        assert drawings.views[-1].now == 1_300_000_000


async def test_s_saves_a_picture_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    channel = FakeChannel("pipe", ("one/../way",))
    app = make_app(FakeSource(channel=channel))
    async with app.run_test(notifications=True) as pilot:
        app.redraw()
        await pilot.pause()
        await pilot.press("s")
        (path,) = tmp_path.glob("*.svg")
        assert path.name.startswith("ipctui-pipe-one_.._way-")
        assert "parent" in path.read_text()
        assert toasts(app) == [str(path)]
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        await pilot.press("s")
        assert "No such file" in toasts(app)[1]


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_quitting_closes_the_laboratory(key: str) -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        await pilot.press(key)
    assert source.closed
    assert app.return_code == 0


@pytest.mark.parametrize("before", ["i", "m", "question_mark", "slash", "ctrl+p"])
async def test_ctrl_c_quits_whatever_has_the_focus(before: str) -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        app.beat()
        await pilot.press(before)
        assert app.is_running
        await pilot.press("ctrl+c")
    assert app.return_code == 0


async def test_hostile_outcomes_are_shown_as_text() -> None:
    source = FakeSource()
    source.outcome = "refused: [/oops]\x1b[2J 한글"
    app = make_app(source)
    async with app.run_test(notifications=True) as pilot:
        app.beat()
        await pilot.press("space")
        await until(pilot, lambda: app.screen.query("Toast"))
        assert toasts(app) == ["hold parent: refused: [/oops]␛[2J 한글"]
        assert "\x1b" not in app.export_screenshot()


async def test_a_lab_that_ended_is_said_and_ticked_no_more() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test(notifications=True) as pilot:
        source.alive, source.problem = False, "the launcher died [/oops]"
        ticks = source.ticks
        app.beat()
        app.beat()
        assert source.ticks == ticks
        await pilot.pause()
        assert toasts(app) == ["the launcher died [/oops]"]


async def test_an_unexpected_exception_ends_the_app_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    source = FakeSource()
    source.fails = RuntimeError("broken\n[/oops]\x1b[2J")
    app = make_app(source, beat=0.01)
    with pytest.raises(RuntimeError):
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.failure)
    assert source.closed
    assert app.return_code == 1
    assert app.failure == "RuntimeError: broken␊[/oops]␛[2J"
    assert capsys.readouterr().err == ""


_CRASH = """
from tests.tui.fake import FakeSource, make_app
from ipctui.tui.app import start
source = FakeSource()
source.fails = RuntimeError("broken")
raise SystemExit(start(make_app(source, beat=0.01)))
"""


@pytest.mark.parametrize("wanted", ["", "1"])
def test_a_user_sees_no_traceback_unless_asked_for(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUI_TRACEBACK", wanted)
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.headless_driver:HeadlessDriver")
    done = subprocess.run([sys.executable, "-c", _CRASH], capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == bool(wanted)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ipctui: the screen failed: RuntimeError: broken")
    assert wanted or done.stderr.count("\n") == 1


def test_start_closes_the_laboratory_and_gives_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource()
    app = make_app(source)
    monkeypatch.setattr(IpctuiApp, "run", lambda self: None)
    assert start(app) == 0
    assert source.closed


@pytest.mark.parametrize("theme", sorted(THEMES))
@pytest.mark.parametrize("how", ["environment", "flag"])
async def test_without_colour_nothing_is_coloured(theme: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(theme=theme, no_color=how == "flag")
    async with app.run_test() as pilot:
        assert not app.native_ansi_color, "Textual's monochrome filter would make black of the terminal's default"
        app.redraw()
        await pilot.pause()
        for y in range(24):
            for segment in app._main.live.render_line(y):
                assert segment.style is not None
                assert segment.style.color is None
                assert segment.style.bgcolor is None


async def test_a_resize_storm_with_the_laboratory_running() -> None:
    source = FakeSource()
    app = make_app(source, beat=0.001)
    async with app.run_test() as pilot:
        sizes = [(80, 24), (1, 1), (200, 60), (79, 24), (80, 23), (2, 50), (300, 1), (120, 36), (10, 3), (80, 24)]
        for width, height in sizes * 3:
            source.state = two()
            await pilot.resize_terminal(width, height)
        await until(pilot, lambda: app._main.live.frame.width == 80)
        assert "parent" in app._main.live.frame.text()


@pytest.mark.parametrize("key", ["i", "m", "question_mark", "slash", "ctrl+p", "V"])
async def test_every_screen_survives_every_size(key: str) -> None:
    app = make_app(language="ko")
    async with app.run_test(notifications=True) as pilot:
        app.beat()
        await pilot.press(key)
        app.say("toast", "error")
        for size in ((1, 1), (5, 2), (80, 24), (200, 60), (3, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert app.is_running


@pytest.mark.parametrize(("language", "said"), [("en", "this terminal is 79x24"), ("ko", "79x24")])
async def test_a_small_terminal_is_told_what_is_needed(language: str, said: str) -> None:
    app = make_app(language=language)
    async with app.run_test(size=(79, 24)) as pilot:
        app.redraw()
        text = app._main.live.frame.text()
        assert said in text
        assert "80x24" in text
        assert ("needs" in text) == (language == "en")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "parent" in app._main.live.frame.text())
