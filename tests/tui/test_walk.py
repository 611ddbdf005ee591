"""Walking through time on the screen: a recording played and searched, a live view paused and taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from ipctui.cli.replay import Shelf
from ipctui.lab.fold import fold
from ipctui.lab.history import History
from ipctui.lab.player import Player
from ipctui.lab.recorder import Recorder, RecorderError
from ipctui.lab.state import LabState
from ipctui.lab.timeline import Cursor
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import read_recording
from ipctui.trace.records import Event, Lost, Record, Summary
from ipctui.tui.app import IpctuiApp, Look
from ipctui.tui.footer import hit_at
from ipctui.tui.walk import moment_of
from tests.recorded import path, recording
from tests.tui.fake import THEMES, FakeSource, fake_pane, make_app, toasts, until

SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def replayed(name: str = "held", file: Path | None = None, **look: object) -> tuple[IpctuiApp, Player, Clock]:
    clock = Clock()
    player = Player(file or path(name), catalogue.channel, clock, background=False)
    app = IpctuiApp(Shelf(), player, catalogue.pane("pipe"), THEMES, Look(**look), None)  # type: ignore[arg-type]
    return app, player, clock


def text(app: IpctuiApp) -> str:
    return app._main.live.frame.text()


async def begun(app: IpctuiApp, pilot: Pilot[None]) -> None:
    await pilot.pause()
    app.tick()
    app.redraw()
    await pilot.pause()


async def test_a_recording_plays_in_the_same_pane() -> None:
    app, player, clock = replayed()
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app, pilot)
        clock.now += 2.0
        app.tick()
        app.redraw()
        assert "▸ REPLAY 00:02.1" in text(app)
        assert "LIVE" not in text(app)
        assert "‖ HELD before read(3)" in text(app)
        await pilot.press("p")
        assert "║ REPLAY 00:02.000" in text(app)
        clock.now += 1.0
        app.beat()
        assert not player.playing
        assert player.now() == pytest.approx(2 * SECOND, abs=2_000_000)
        await pilot.press("p")
        await pilot.press("plus", "plus")
        assert player.speed == 5
        assert "5x" in text(app)
        await pilot.press("minus")
        clock.now += 100.0
        app.tick()
        app.redraw()
        assert not player.playing
        assert "║ REPLAY 00:06.004" in text(app)
        await pilot.press("p")
        assert player.playing
        assert player.now() < SECOND


async def test_keys_walk_back_and_forth() -> None:
    app, player, _ = replayed("two-way")
    cursor = player.cursor()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("end")
        assert cursor.position == player.timeline.last
        assert not player.playing
        await pilot.press("left")
        assert cursor.t == player.timeline.end - SECOND
        await pilot.press("shift+left")
        assert cursor.t < SECOND // 100
        await pilot.press("right")
        assert cursor.t == pytest.approx(SECOND, abs=2_000_000)
        for forth, back in (("full_stop", "comma"), ("greater_than_sign", "less_than_sign"),
                            ("right_parenthesis", "left_parenthesis"),
                            ("right_curly_bracket", "left_curly_bracket")):  # fmt: skip
            await pilot.press(forth)
            first = cursor.position
            await pilot.press(forth)
            assert cursor.position > first
            await pilot.press(back)
            assert cursor.position == first
        assert any(
            process.state is not None and process.state.state == "blocked"
            for process in cursor.state.processes.values()
        )
        await pilot.press("home", "left")
        assert toasts(app) == ["this is as far back as it goes"]
        await pilot.press("apostrophe", "quotation_mark")
        assert toasts(app)[1:] == ["no mark after this moment", "no mark before this moment"]


async def test_a_time_is_typed() -> None:
    app, player, _ = replayed()
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        for typed, seconds in (("2.5", 2.5), ("0:01", 1.0), ("+1.5", 2.5), ("-1", player.timeline.end / 1e9 - 1)):
            await pilot.press("g")
            app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            await until(pilot, lambda wanted=seconds: abs(player.now() / 1e9 - wanted) < 1e-6)
        await pilot.press("g")
        app.screen.query_one(Input).value = "[/oops]"
        await pilot.press("enter")
        await until(pilot, lambda: toasts(app))
        assert toasts(app)[0].startswith("'[/oops]' is no time: write 12.4")


def test_times_that_can_be_typed() -> None:
    assert moment_of(" 12.4 ", 0, 0) == 12_400_000_000
    assert moment_of("1:05", 0, 0) == 65 * SECOND
    assert moment_of("+2", SECOND, 0) == 3 * SECOND
    assert moment_of("-1:00", 0, 90 * SECOND) == 30 * SECOND
    for wrong in ("", "x", "1:2:3", "1e9", "--3", "9" * 40):
        with pytest.raises(ValueError, match="is no time"):
            moment_of(wrong, 0, 0)


async def test_a_click_on_the_bar_goes_there() -> None:
    app, player, _ = replayed()
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app, pilot)
        for x, least, most in ((10, 0, 0.5), (40, 2.0, 4.0), (64, 5.0, 6.1)):
            hit = hit_at(app._main.live.frame, x, 22)
            assert hit is not None
            assert hit.action.startswith("seek:")
            await pilot.click(offset=(x, 22))
            await until(pilot, lambda low=least, high=most: low <= player.now() / 1e9 <= high)
        assert not player.playing


async def test_what_needs_a_laboratory_says_so() -> None:
    app, _, _ = replayed()
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        for key in ("space", "n", "i", "b", "k", "r", "v", "m", "6"):
            await pilot.press(key)
        assert len(toasts(app)) == 9
        assert all("this is a recording: nothing in it can be commanded" in toast for toast in toasts(app))
        await pilot.press("M", "R")
        assert toasts(app)[9:] == ["only a running laboratory can be marked and recorded"] * 2
        app.restart("deadlock")
        await pilot.pause()
        assert "this is a recording" in toasts(app)[-1]
    app, _, _ = replayed(language="ko")
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("space")
        assert toasts(app) == ["기록에는 명령할 수 없습니다. 실험실은 ipctui run 으로 엽니다"]


async def test_what_is_wrong_with_the_file_is_said_once_and_briefly(tmp_path: Path) -> None:
    file = tmp_path / "damaged.jsonl"
    lines = [recording("held").header, *recording("held").records]
    from ipctui.trace.recording import lines_of

    file.write_text(lines_of(lines[:50]) + "{broken\n" * 9 + lines_of(lines[50:]))
    app, _, _ = replayed(file=file)
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        app.beat()
        assert toasts(app) == [
            *(f"{file}:{number}: skipped: no JSON" for number in (51, 52, 53)),
            "6 more problems with this file; `ipctui replay FILE --headless` tells them",
        ]


async def test_a_moment_that_no_pane_can_draw_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _, _ = replayed()

    def broken(*arguments: object) -> None:
        raise KeyError("\x1b[2J")

    async with app.run_test() as pilot:
        await begun(app, pilot)
        monkeypatch.setattr("ipctui.tui.footer._under", broken)
        app.redraw()
        assert "the recording is damaged: this moment cannot be drawn" in text(app)
        assert "KeyError" not in text(app)
        assert "\x1b" not in text(app)


async def test_help_and_palette_have_the_keys_of_time() -> None:
    app, _, _ = replayed(language="ko")
    from ipctui.tui.palette import LabProvider
    from ipctui.tui.screens import help_text

    for language, title in (("en", "Time"), ("ko", "시간")):
        told = help_text(app.actions, app.pane.offers, language).plain
        assert f"\n{title}\n" in told
        assert "Shift+Left" in told
    async with app.run_test() as pilot:
        await begun(app, pilot)
        entries = [entry.text for entry in LabProvider(app.screen).entries()]
        assert "다음 블록 (})" in entries
        assert not any(entry.startswith("variant:") for entry in entries), "a recording has no other variant"


# A live view.


class LiveFake(FakeSource):
    """A laboratory whose records are told by the test, with a history, marks and recordings."""

    can = frozenset({"command", "seek", "record"})

    def __init__(self) -> None:
        super().__init__(LabState())
        self.real = catalogue.channel("pipe")
        self.timeline = History(lambda: self.state, self.real.reduce)
        self.recorder: Recorder | None = None
        self.marks = 0
        self.refuses = ""
        self.listeners: list[Callable[[Sequence[Record]], None]] = []

    @property
    def recording(self) -> bool:
        return self.recorder is not None

    def tell_records(self, records: Sequence[Record]) -> None:
        self.state = fold(self.state, records, self.real.reduce)
        self.time = max(self.time, self.state.t)
        self.timeline.take(records)
        for listener in list(self.listeners):
            listener(records)

    def cursor(self) -> Cursor:
        cursor = Cursor(self.timeline)
        cursor.end()
        return cursor

    def mark(self, text: str = "") -> None:
        self.marks += 1
        self.tell_records([Event(self.time, "mark")])

    def record(self, path: Path) -> None:
        if self.refuses:
            raise RecorderError(self.refuses)
        self.recorder = Recorder(path, self.real, lambda: self.state, midway=True)

    def stop_recording(self) -> Path | None:
        assert self.recorder is not None
        recorder, self.recorder = self.recorder, None
        recorder.end()
        return recorder.path

    def complaint(self) -> str:
        said, self.problem_said = self.problem_said, ""
        return said

    problem_said = ""


@pytest.fixture
def live() -> LiveFake:
    source = LiveFake()
    source.tell_records([recording("held").header])
    records = [record for record in recording("held").records if not isinstance(record, Summary)]
    for low in range(0, len(records), 6):
        source.tell_records(records[low : low + 6])
    return source


def live_app(source: LiveFake) -> IpctuiApp:
    app = make_app(source, catalogue.pane("pipe"))
    app.tick()
    return app


async def test_a_live_view_is_paused_and_taken_back_while_the_workers_run_on(live: LiveFake) -> None:
    app = live_app(live)
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app, pilot)
        assert "● LIVE" in text(app)
        await pilot.press("p")
        assert "║ PAUSED -0.0 s · 00:06.004" in text(app)
        await pilot.press("left", "left")
        assert "║ PAUSED -2.0 s · 00:04.004" in text(app)
        shown = app.shown
        assert shown.t <= 4_004_843_392 < live.state.t
        before = text(app)
        live.time += 3 * SECOND
        live.tell_records([Lost(live.time, 1, "overwritten", "parent")])
        app.beat()
        assert text(app) == before, "a picture that one talks over stands still"
        assert app.shown is shown
        await pilot.press("comma")
        assert "PAUSED -5.0 s" in text(app), "how far back is measured when a key is pressed"
        await pilot.press("home")
        assert "PAUSED -9.0 s · 00:00.0" in text(app)
        assert "parent" in text(app)
        await pilot.press("end")
        assert "● LIVE 00:09.1" in text(app)
        assert app.shown is live.state
        assert app.view.moment is None


async def test_a_key_of_time_pauses_first_and_p_goes_on(live: LiveFake) -> None:
    app = live_app(live)
    async with app.run_test(size=(80, 24)) as pilot:
        await begun(app, pilot)
        await pilot.press("left_curly_bracket")
        assert app.view.paused
        assert app.view.moment is not None
        assert app.view.moment.blocked
        await pilot.press("p")
        assert "● LIVE" in text(app)
        await pilot.press("end")
        assert "● LIVE" in text(app)


async def test_the_workers_are_commanded_while_the_view_is_in_the_past(live: LiveFake) -> None:
    app = live_app(live)
    async with app.run_test() as pilot:
        await begun(app, pilot)
        await pilot.press("left", "space")
        assert live.given == ["hold parent"]
        assert app.view.paused


async def test_another_session_is_looked_at_now(live: LiveFake) -> None:
    app = live_app(live)
    async with app.run_test() as pilot:
        await begun(app, pilot)
        await pilot.press("left", "r")
        assert not app.view.paused
        assert app.view.moment is None


async def test_marks_are_set_and_gone_back_to(live: LiveFake) -> None:
    app = live_app(live)
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("M")
        assert live.marks == 1
        marked = live.time
        assert toasts(app) == ["marked 00:06.0"]
        live.tell_records([Lost(live.time + SECOND, 1, "overwritten")])
        await pilot.press("quotation_mark")
        assert app.view.moment is not None
        assert app.view.moment.t == marked
        assert app.view.moment.marks == (marked,)


async def test_r_records_and_ends_the_recording(
    live: LiveFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = live_app(live)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("R")
        (file,) = tmp_path.iterdir()
        assert file.name.startswith("ipctui-pipe-one-way-")
        assert toasts(app) == [f"recording to {file} (R ends it)"]
        app.redraw()
        assert "● REC" in text(app)
        await pilot.press("R")
        assert toasts(app)[1:] == [f"recorded: {file}"]
        app.redraw()
        assert "● REC" not in text(app)
        assert read_recording(file).problems == ()
        live.refuses = "x.jsonl.gz: Permission denied"
        await pilot.press("R")
        assert toasts(app)[2:] == ["x.jsonl.gz: Permission denied"]
        live.problem_said = "x: recording ended: No space left on device; the laboratory goes on"
        app.beat()
        await pilot.pause()
        assert toasts(app)[3:] == ["x: recording ended: No space left on device; the laboratory goes on"]


async def test_a_view_without_a_past_says_so() -> None:
    app = make_app(FakeSource(), fake_pane())
    async with app.run_test(notifications=True) as pilot:
        app.beat()
        await pilot.press("left", "M")
        assert toasts(app) == [
            "the past of this view is not kept",
            "only a running laboratory can be marked and recorded",
        ]
