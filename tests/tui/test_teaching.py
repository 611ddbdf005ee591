"""A lecture's file that is played on the screen."""

from __future__ import annotations

import pytest

from ipctui.lab.lecture import Lecture
from ipctui.lab.scenario import parse_scenario
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Record, Summary
from ipctui.tui.app import IpctuiApp, Look
from tests.recorded import recording
from tests.tui.fake import THEMES, FakeCatalogue, toasts, until
from tests.tui.test_walk import LiveFake, begun, text

FILE = b"""
mechanism = "pipe"
[[step]]
do = "hold child"
caption = { en = "The child is held.", ko = "x" }
mark = "held"
select = "child"
stop = true
[[step]]
do = "release child"
caption = "It goes on."
stop = true
"""


class Taught(LiveFake):
    def command(self, text: str, by: str = "script") -> None:
        self.given.append(text)

    def tell(self, record: Record) -> None:  # type: ignore[override]
        self.tell_records([record])


@pytest.fixture
def taught() -> Taught:
    source = Taught()
    source.tell_records([recording("held").header])
    source.tell_records([record for record in recording("held").records if not isinstance(record, Summary)])
    return source


async def test_a_lectures_file_is_played_large_and_stops_for_a_key(taught: Taught) -> None:
    app = IpctuiApp(FakeCatalogue(), taught, catalogue.pane("pipe"), THEMES, Look(), None)
    scenario = parse_scenario(FILE, "x.toml", catalogue.channel)
    app.teaching.teach(lambda: Lecture(scenario, taught))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begun(app, pilot)
        assert app.view.lecture
        assert taught.given == ["hold child"]
        assert app.view.selected == "child"
        shown = text(app)
        assert "The child is held." in shown
        assert "║ 1/2   Enter goes on" in shown
        await pilot.press("pagedown")
        assert taught.given == ["hold child", "release child"]
        shown = text(app)
        assert "It goes on." in shown
        assert "║ 2/2" in shown
        assert "[PageDown] go on" not in shown.splitlines()[-1]
        assert "[Enter] go on" in shown.splitlines()[0]
        await pilot.press("f5")
        shown = text(app)
        assert "It goes on." in shown
        assert "? help" in shown
        await pilot.press("enter", "enter")
        assert "║" not in text(app)
        said = toasts(app)
        assert any("played to its end" in each for each in said)
        assert any("no lecture's file waits at a stop" in each for each in said)
        await pilot.press("r")
        assert app.teaching.taught is not None
        assert app.teaching.taught.step == 0, "r begins the lecture anew"
        await pilot.press("v")
        assert app.teaching.taught is None


async def test_what_did_not_come_true_is_said_and_the_lecture_goes_on(taught: Taught) -> None:
    app = IpctuiApp(FakeCatalogue(), taught, catalogue.pane("pipe"), THEMES, Look(), None)
    raw = b'mechanism = "pipe"\n[[step]]\nexpect = "parent exited"\nwithin = 0.1\n[[step]]\nstop = true\n'
    scenario = parse_scenario(raw, "x.toml", catalogue.channel)
    app.teaching.teach(lambda: Lecture(scenario, taught))
    async with app.run_test(notifications=True) as pilot:
        await until(pilot, lambda: app.tick() or toasts(app))
        assert toasts(app)[0].startswith("x.toml:2: 'parent exited' did not come true within 0.1 s; parent is blocked")
        app.tick()
        assert app.teaching.stop == (2, 2)
        assert len(toasts(app)) == 1, "it is said once"
