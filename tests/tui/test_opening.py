"""The opening screen in the app: choosing, filtering, opening and coming back; and the real one on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ipctui.lab.pairs import Models
from ipctui.mechanisms import catalogue
from ipctui.tui.app import IpctuiApp
from ipctui.tui.opening import BLANK, Lobby, OpeningHelp, OpeningScreen, Rest
from ipctui.tui.tiles import tile
from ipctui.widgets.language import in_language
from tests.lab.conftest import waited
from tests.test_leaving import GONE_WITHIN, Session, session
from tests.tui.fake import FakeCatalogue, FakeChannel, FakeSource, make_app, toasts, until


class FakePairs:
    """Measures nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.models = Models()
        self.paused = True
        self.sizes: list[int] = []
        self.ticks = 0
        self.closed = 0

    def tick(self) -> bool:
        self.ticks += 1
        return False

    def resize(self, size: int) -> None:
        self.sizes.append(size)

    def close(self) -> None:
        self.closed += 1


class Opened:
    """An app that begins with the opening screen."""

    def __init__(self, live: bool = False, **look: Any) -> None:
        self.catalogue = FakeCatalogue()
        self.pairs = FakePairs()
        self.begun: list[FakeSource] = []
        self.fails = False
        rest = Rest(self.catalogue.channel("pipe"))
        self.app: IpctuiApp = make_app(rest, BLANK, self.catalogue, **look)  # type: ignore[arg-type]
        begin = self.begin if live else None
        self.app.lobby = Lobby(self.app, self.catalogue, self.pairs, begin)  # type: ignore[arg-type]

    def begin(self, name: str) -> FakeSource:
        if self.fails:
            raise OSError("no process left")
        self.begun.append(FakeSource(channel=FakeChannel(name)))
        return self.begun[-1]

    @property
    def screen(self) -> OpeningScreen:
        assert isinstance(self.app.screen, OpeningScreen)
        return self.app.screen

    def text(self) -> str:
        return self.screen.live.frame.text()


async def test_every_mechanism_is_a_tile_and_one_that_cannot_run_says_why() -> None:
    opened = Opened()
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "quit" in opened.text())
        text = opened.text()
        for name in opened.catalogue.names():
            assert f" {name} · The {name}" in text
        assert "does not run here: no Mach here" in text
        assert "shared memory" in text
        assert "message passing" in text
        assert not opened.pairs.paused
        assert opened.catalogue.opened == []


async def test_enter_opens_a_mechanism_and_escape_comes_back_to_its_tile() -> None:
    opened = Opened()
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await pilot.press("right", "enter")
        await until(pilot, lambda: opened.catalogue.opened == [("shm", None)])
        assert not isinstance(opened.app.screen, OpeningScreen)
        await until(pilot, lambda: opened.pairs.paused)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(opened.app.screen, OpeningScreen))
        assert opened.screen.selected == "shm"
        assert opened.catalogue.sources[0].closed == 1
        await until(pilot, lambda: not opened.pairs.paused)
        await pilot.press("left", "enter")
        await until(pilot, lambda: len(opened.catalogue.opened) == 2)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(opened.app.screen, OpeningScreen))
    assert opened.pairs.closed >= 1


async def test_escape_leaves_what_is_enlarged_before_it_leaves_the_mechanism() -> None:
    opened = Opened()
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: opened.catalogue.opened)
        await pilot.press("1")
        assert opened.app.view.zoom == "calls"
        await pilot.press("escape")
        assert opened.app.view.zoom == ""
        assert not isinstance(opened.app.screen, OpeningScreen)


async def test_a_mechanism_that_does_not_start_says_so_on_the_opening_screen() -> None:
    opened = Opened()
    opened.catalogue.fails = "no memory [/oops]"
    async with opened.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: any("no memory [/oops]" in each for each in toasts(opened.app)))
        await until(pilot, lambda: isinstance(opened.app.screen, OpeningScreen))
        await pilot.press("end", "enter")
        await until(pilot, lambda: any("no Mach here" in each for each in toasts(opened.app)))
        assert isinstance(opened.app.screen, OpeningScreen)


async def test_the_filter_leaves_what_fits_and_escape_drops_it() -> None:
    opened = Opened()
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await pilot.press("slash", "s", "h", "m")
        assert [each.name for each in opened.screen.shown] == ["shm"]
        assert "pipe · " not in opened.text()
        await pilot.press("backspace", "q", "q")
        assert opened.screen.shown == []
        assert "none fits: shqq" in opened.text()
        await pilot.press("enter")
        assert opened.catalogue.opened == []
        await pilot.press("escape")
        assert len(opened.screen.shown) == 3
        await pilot.press("slash", "m", "a", "c", "escape", "slash", "s", "h", "enter")
        await until(pilot, lambda: opened.catalogue.opened == [("shm", None)])


async def test_the_filter_finds_the_words_that_are_shown() -> None:
    opened = Opened(language="ko")
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "quit" in opened.text() or "끝내기" in opened.text())
        real = tile(catalogue.channel("mailbox"), language="ko")
        opened.screen._tiles.append(real)
        about = in_language("ko", real.about)
        assert about != real.about
        opened.screen._filter = about[:6]
        assert [each.name for each in opened.screen.shown] == ["mailbox"]
        opened.screen._filter = real.about[:12]
        assert [each.name for each in opened.screen.shown] == ["mailbox"]


async def test_brackets_change_the_size_that_is_measured() -> None:
    opened = Opened()
    async with opened.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("]", "[")
        assert opened.pairs.sizes == [128, 32]


async def test_arrows_keep_to_the_tiles_and_clicks_open_them() -> None:
    opened = Opened()
    async with opened.app.run_test(size=(80, 24)) as pilot:
        for key, chosen in (
            *(("up", "pipe"), ("left", "pipe"), ("right", "shm"), ("down", "shm"), ("left", "pipe")),
            *(("down", "mach"), ("up", "pipe"), ("end", "mach"), ("home", "pipe"), ("pagedown", "mach")),
        ):
            await pilot.press(key)
            assert opened.screen.selected == chosen, key
        hit = next(hit for hit in opened.screen.live.frame.hits if hit.action == "open:shm")
        await pilot.click("#opening", offset=(hit.x + 2, hit.y + 1))
        await until(pilot, lambda: opened.catalogue.opened == [("shm", None)])


@pytest.mark.parametrize(("language", "word"), [("en", "The two models"), ("ko", "두 모델")])
async def test_the_help_and_the_next_theme(language: str, word: str) -> None:
    opened = Opened(language=language)
    async with opened.app.run_test(size=(80, 24)) as pilot:
        before = opened.app.theme
        await pilot.press("t")
        assert opened.app.theme != before
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(opened.app.screen, OpeningHelp))
        assert word in opened.app.screen._lesson  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(opened.app.screen, OpeningScreen))


async def test_started_with_a_mechanism_m_lists_them_and_escape_stays() -> None:
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("escape")
        assert not isinstance(app.screen, OpeningScreen)
        assert app.to_lobby() is False
        await pilot.press("m")
        await until(pilot, lambda: type(app.screen).__name__ == "ChoiceScreen")


async def test_a_tile_that_stays_chosen_comes_alive_and_ends_when_another_is_chosen() -> None:
    opened = Opened(live=True)
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "● live" in opened.text())
        assert [each.channel.name for each in opened.begun] == ["pipe"]
        assert opened.text().count("● live") == 1
        await until(pilot, lambda: opened.begun[0].ticks > 1)
        await pilot.press("right")
        await until(pilot, lambda: opened.begun[0].closed == 1)
        await until(pilot, lambda: len(opened.begun) == 2)
        assert opened.begun[1].channel.name == "shm"
        await pilot.press("enter")
        await until(pilot, lambda: opened.catalogue.opened == [("shm", None)])
        assert opened.begun[1].closed == 1, "two laboratories would disturb each other"
        await pilot.press("escape")
        await until(pilot, lambda: len(opened.begun) == 3)
    assert opened.begun[2].closed == 1


async def test_a_tile_whose_laboratory_fails_keeps_its_recording() -> None:
    opened = Opened(live=True)
    async with opened.app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: opened.begun)
        opened.begun[0].fails = RuntimeError("gone")
        await until(pilot, lambda: opened.begun[0].closed == 1)
        opened.fails = True
        await pilot.press("right")
        await until(pilot, lambda: opened.screen._alive._failed == {"pipe", "shm"})
        assert "● live" not in opened.text()
        assert "recording" in opened.text()


# On a terminal.


def _children(one: Session) -> set[str]:
    names = set()
    for pid in one.living():
        with contextlib.suppress(OSError):
            names.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return names


def _until_measured(one: Session) -> None:
    waited(lambda: {"ipctui-pairs", "ipctui-launcher"} <= _children(one), 40, "launcher and measuring process")
    waited(lambda: re.search(rb"\d{3}/s", bytes(one.received)), 40, "something measured")


@pytest.mark.real
def test_the_opening_screen_measures_opens_and_leaves_nothing_behind() -> None:
    with session(terminal=True) as one:
        _until_measured(one)
        os.write(one.master, b"\r")
        # The tile that is chosen has such processes too: the pane is there when its header is.
        waited(lambda: b"pipe \xc2\xb7 one-way" in one.received, 40, "the pipe's pane")
        waited(lambda: {"parent", "child"} <= _children(one), 40, "the pipe's processes")
        workers = {*one.named("parent"), *one.named("child")}
        os.write(one.master, b"m")
        waited(lambda: not workers & {*one.living()}, 40, "they are gone, whatever the tile starts anew")
        os.write(one.master, b"q")
        assert one.process.wait(GONE_WITHIN) == 0
        one.assert_nothing_left("q")
        one.assert_terminal_usable("q")


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_however_it_ends_the_measuring_process_goes_too(number: signal.Signals) -> None:
    with session(terminal=True) as one:
        _until_measured(one)
        one.process.send_signal(number)
        one.process.wait(GONE_WITHIN)
        one.assert_nothing_left(number.name)
        one.assert_terminal_usable(number.name)


def test_rest_can_do_nothing() -> None:
    rest = Rest(SimpleNamespace(name="pipe"))  # type: ignore[arg-type]
    assert (rest.tick(), rest.now(), rest.can, rest.variant) == (False, 0, frozenset(), "")
    rest.command("hold x", "key")
    rest.restart()
    rest.close()
