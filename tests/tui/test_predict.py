"""Predict, then reveal: the pane asks, the room guesses, and a record that came after answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipctui.mechanisms import catalogue
from ipctui.trace.records import Call, Record, Settings, Summary
from ipctui.tui.app import IpctuiApp, Look
from tests.recorded import recording
from tests.tui.fake import THEMES, FakeCatalogue, toasts
from tests.tui.test_walk import LiveFake, begun, replayed, text


async def test_a_recording_answers_with_its_own_next_record() -> None:
    app, player, _ = replayed("held")
    cursor = player.cursor()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("p")
        cursor.seek(2_500_000_000)
        await pilot.press("P")
        shown = text(app)
        assert "? What happens next? parent stands before write(4)." in shown
        assert "  2 the kernel puts parent to sleep: BLOCKED" in shown
        assert "n: let the kernel answer" in shown
        before = cursor.position
        await pilot.press("2")
        assert "▸ 2 the kernel puts parent to sleep" in text(app)
        assert cursor.position == before, "a guess is no answer"
        await pilot.press("n")
        shown = text(app)
        assert "✓ 1 write(4) returns" in shown
        assert "× 2 the kernel puts parent to sleep" in shown
        assert "× NOT SO  The kernel: write(4) = 64" in shown
        (record,) = player.timeline.between(cursor.position - 1, cursor.position) or ()
        assert isinstance(record, Call)
        assert (record.process, record.name, record.result) == ("parent", "write", 64)
        await pilot.press("1", "P", "1", "enter")
        assert "✓ RIGHT  The kernel: write(4) = 64" in text(app)
        await pilot.press("escape")
        assert "What happens next" not in text(app)


async def test_a_recording_that_ends_before_it_tells_claims_nothing() -> None:
    app, _, _ = replayed("held")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("end", "P", "1", "n")
        assert app.predict.waiting
        assert "✓" not in text(app)
        assert toasts(app) == ["the recording ends before it tells what came of write(4)"]


@pytest.fixture
def live() -> LiveFake:
    source = LiveFake()
    source.tell_records([recording("held").header])
    source.tell_records([record for record in recording("held").records if not isinstance(record, Summary)])
    return source


async def test_live_it_waits_for_the_next_record_and_steps_whom_it_asked_about(live: LiveFake) -> None:
    app = IpctuiApp(FakeCatalogue(), live, catalogue.pane("pipe"), THEMES, Look(), None)
    app.tick()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("tab")
        assert app.view.selected == "child"
        assert live.state.processes["child"].state is not None
        assert live.state.processes["child"].state.state == "held"
        await pilot.press("P", "1", "tab", "n")
        assert live.given == ["step child"]
        assert app.predict.waiting, "nothing is claimed before the kernel has spoken"
        pid, t = live.state.processes["child"].pid, live.time
        mine = Call("child", pid, "read", "read", '3, "", 65536', 0, t + 1, t + 2, 3)
        others: list[Record] = [
            Settings(t + 1, "child", True, 0, 64),
            replace(mine, process="parent", pid=pid + 1),
            replace(mine, end=t - 5, result=9),
        ]
        live.tell_records(others)
        app.beat()
        assert app.predict.waiting
        live.tell_records([mine])
        app.beat()
        await pilot.pause()
        shown = text(app)
        assert "× NOT SO  The kernel: read(3) = 0" in shown
        assert "✓ 3 read(3) returns 0: end of file" in shown
        assert live.listeners == []


async def test_who_sleeps_is_asked_about_and_not_stepped(live: LiveFake) -> None:
    app = IpctuiApp(FakeCatalogue(), live, catalogue.pane("pipe"), THEMES, Look(language="ko"), None)
    app.tick()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("P", "n", "enter")
        assert "parent가 write(4)에서 자고 있다" in text(app)
        assert live.given == []
        pid, t = live.state.processes["parent"].pid, live.time
        live.tell_records([Call("parent", pid, "write", "write", '4, "", 64', 64, t, t + 2, 4)])
        app.beat()
        assert "커널의 답: write(4) = 64" in text(app)


async def test_a_question_about_a_process_that_runs_says_to_hold_it(live: LiveFake) -> None:
    parent = live.state.processes["parent"]
    assert parent.state is not None
    running = replace(parent, state=replace(parent.state, state="paced"))
    live.state = replace(live.state, processes={**live.state.processes, "parent": running})
    app = IpctuiApp(FakeCatalogue(), live, catalogue.pane("pipe"), THEMES, Look(), None)
    app.tick()
    async with app.run_test(notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("P")
        assert toasts(app) == ["hold parent first (space): the question is about its next operation"]
        assert not app.predict.open


async def test_a_paused_live_view_is_answered_from_its_past(live: LiveFake) -> None:
    app = IpctuiApp(FakeCatalogue(), live, catalogue.pane("pipe"), THEMES, Look(), None)
    app.tick()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        await pilot.press("left", "left", "left", "P", "1", "n")
        assert live.given == [], "the past is not commanded"
        assert "✓ RIGHT  The kernel: write(4) = 64" in text(app)
