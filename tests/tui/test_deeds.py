from __future__ import annotations

import pytest
from textual.command import Command as Found
from textual.command import CommandPalette
from textual.widgets import Input, OptionList

from ipctui.trace.records import Held
from ipctui.tui.lab_screen import LabScreen
from ipctui.tui.screens import ChoiceScreen, HelpScreen, TextScreen
from tests.tui.fake import (
    THEMES,
    Drawings,
    FakeCatalogue,
    FakeSource,
    fake_pane,
    make_app,
    toasts,
    two,
    until,
)


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("space", "hold parent"),
        ("n", "step parent"),
        ("b", "nonblocking parent"),
        ("plus", "rate parent 50"),
        ("equals_sign", "rate parent 50"),
        ("minus", "rate parent 10"),
        ("0", "rate parent 0"),
        ("right_square_bracket", "size parent 128"),
        ("left_square_bracket", "size parent 32"),
        ("z", "stop parent"),
        ("x", "close parent 4"),
        ("k", "kill parent"),
        ("u", "unblock parent"),
        ("a", "add parent"),
        ("d", "remove parent"),
        ("2", "capacity parent"),
        ("l", "lock on"),
    ],
)
async def test_a_key_commands_the_laboratory(key: str, command: str) -> None:
    source = FakeSource()
    async with make_app(source, fake_pane(switch=True)).run_test() as pilot:
        pilot.app.beat()  # type: ignore[attr-defined]
        await pilot.press(key)
        assert source.given == [command]
        assert source.ticks == 2, "what came of it is seen at once"


async def test_tab_selects_forward_and_back_and_round() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        app.beat()
        seen = [app.view.selected]
        for key in ("tab", "tab", "shift+tab"):
            await pilot.press(key)
            seen.append(app.view.selected)
        assert seen == ["parent", "child", "parent", "child"]
        await pilot.press("space")
        assert source.given == ["hold child"]


async def test_inject_asks_sends_and_sends_again() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        app.beat()
        await pilot.press("i")
        assert isinstance(app.screen, TextScreen)
        app.screen.query_one(Input).value = "[/oops] {role} q"
        await pilot.press("enter")
        await until(pilot, lambda: source.given)
        await pilot.press("I")
        assert source.given == ["inject parent [/oops] {role} q"] * 2


async def test_escape_and_an_empty_text_inject_nothing() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        app.beat()
        for key in ("escape", "enter"):
            await pilot.press("i")
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, LabScreen))
        await pilot.press("I")
        assert isinstance(app.screen, TextScreen), "nothing was sent yet: it asks"
        assert source.given == []


async def test_of_several_open_ends_one_is_chosen() -> None:
    rows = (Held(3, "pipe:[1]", "read"), Held(4, "pipe:[/oops]", "write"), Held(5, "x", "read closed"))
    source = FakeSource(two(descriptors=rows))
    app = make_app(source)
    async with app.run_test() as pilot:
        app.beat()
        await pilot.press("x")
        assert isinstance(app.screen, ChoiceScreen)
        assert app.screen.query_one(OptionList).option_count == 2
        await pilot.press("down", "enter")
        await until(pilot, lambda: source.given)
        assert source.given == ["close parent 4"]


async def test_an_action_that_can_do_nothing_says_so() -> None:
    source = FakeSource(two(rate=0.0, descriptors=()))
    app = make_app(source)
    async with app.run_test(notifications=True) as pilot:
        app.beat()
        for key in ("plus", "x", "l", "3", "9"):
            await pilot.press(key)
        assert toasts(app) == [
            "flat out already: nothing is faster",
            "parent has no end open",
            "this pane has no switch",
            "idle: nothing to do now",
            "this pane offers nothing on 9",
        ]
        assert source.given == []


async def test_r_restarts_and_v_takes_the_next_variant_round_and_round() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        await pilot.press("r", "v", "v")
        assert source.restarts == [None, "both-ways", "one-way"]


async def test_a_restart_that_fails_is_a_toast() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test(notifications=True) as pilot:
        source.alive = False
        source.fails = OSError("no processes left [/oops]")
        await pilot.press("r")
        assert toasts(app)[0] == "restart: no processes left [/oops]"


async def test_the_variant_list_restarts_with_the_chosen() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        await pilot.press("V")
        await pilot.press("down", "enter")
        await until(pilot, lambda: source.restarts)
        assert source.restarts == ["both-ways"]


async def test_the_menu_opens_another_mechanism_and_closes_this_one() -> None:
    source, catalogue = FakeSource(), FakeCatalogue()
    app = make_app(source, catalogue=catalogue)
    async with app.run_test() as pilot:
        app.beat()
        await pilot.press("m")
        await pilot.press("down", "down", "down", "enter")
        await until(pilot, lambda: catalogue.opened)
        await until(pilot, lambda: isinstance(app.screen, LabScreen))
        assert catalogue.opened == [("shm", "one-way")]
        assert source.closed == 1
        assert app.source is catalogue.sources[0]
        app.redraw()
        assert "shm" in app._main.live.frame.text().splitlines()[0]
    assert catalogue.sources[0].closed


async def test_a_mechanism_that_cannot_be_opened_leaves_the_present_one() -> None:
    source, catalogue = FakeSource(), FakeCatalogue()
    catalogue.fails = "no room [/oops]"
    app = make_app(source, catalogue=catalogue)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press("m", "down", "enter")
        await until(pilot, lambda: catalogue.opened)
        await until(pilot, lambda: toasts(app))
        assert app.source is source
        assert source.closed == 0
        assert toasts(app) == ["pipe: no room [/oops]"]


async def test_paused_the_view_stands_still_and_the_laboratory_runs_on() -> None:
    source, drawings = FakeSource(), Drawings()
    app = make_app(source, fake_pane(drawings=drawings))
    async with app.run_test() as pilot:
        app.beat()
        before = source.state
        await pilot.press("p")
        source.state = two(state="blocked")
        source.time += 10**10
        ticks, then = source.ticks, app.view.now
        for _ in range(5):
            app.beat()
        app.redraw()
        assert source.ticks == ticks + 5
        assert drawings.states[-1] is before
        assert drawings.views[-1].paused
        assert drawings.views[-1].now == then
        assert "p resume" in app._main.live.frame.text().splitlines()[-1]
        await pilot.press("p")
        app.redraw()
        assert drawings.states[-1] is source.state
        assert drawings.views[-1].now == source.time
        assert not drawings.views[-1].paused


async def test_an_offer_enlarges_a_part_that_scrolls_to_its_end_and_back() -> None:
    drawings = Drawings()
    app = make_app(pane=fake_pane(drawings=drawings))
    async with app.run_test() as pilot:
        app.beat()
        await pilot.press("up")
        assert (app.view.zoom, app.view.scroll) == ("", 0)
        await pilot.press("1", "up", "up", "down", "down", "down")
        assert (app.view.zoom, app.view.scroll) == ("calls", 0)
        for _ in range(10):
            await pilot.press("pageup")
        assert app.view.scroll == drawings.lines
        await pilot.press("down")
        assert app.view.scroll == drawings.lines - 1
        await pilot.press("pagedown")
        assert app.view.scroll == drawings.lines - 1 - 18
        await pilot.press("escape")
        assert (app.view.zoom, app.view.scroll) == ("", 0)


async def test_clicks_and_the_wheel() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        app.redraw()
        await pilot.pause()
        await pilot.click(offset=(3, 3))
        assert app.view.selected == "child"
        await pilot.click(offset=(31, 2))
        assert app.view.zoom == "calls"
        live = app._main.live
        live.post_message(live.Wheel(1))
        await until(pilot, lambda: app.view.scroll == 1)
        (hold,) = [hit for hit in live.frame.hits if hit.action == "step"]
        await pilot.click(offset=(hold.x, 23))
        assert app.source.given == ["step child"]  # type: ignore[attr-defined]


async def test_the_filter_follows_the_typing_and_escape_drops_it() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        app.redraw()
        await pilot.press("slash", "w", "q")
        await until(pilot, lambda: app.view.filter == "wq")
        assert app._main.live.size.height == 24, "the pane keeps its room"
        await pilot.press("enter")
        await until(pilot, lambda: not app._main.filtering)
        assert app.view.filter == "wq"
        await pilot.press("slash", "x")
        await until(pilot, lambda: app.view.filter == "x")
        await pilot.press("escape")
        await until(pilot, lambda: not app._main.filtering)
        assert app.view.filter == ""
        await pilot.press("slash", "w", "enter")
        await until(pilot, lambda: not app._main.filtering)
        await pilot.press("escape")
        assert app.view.filter == ""


async def test_listing_theme_and_help() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        app.redraw()
        await pilot.press("c")
        assert app.view.listing == "c"
        await pilot.press("c")
        assert app.view.listing == "python"
        seen = []
        for _ in THEMES:
            await pilot.press("t")
            seen.append(app.theme)
            line = app._main.live.render_line(5)
            assert next(iter(line)).style == THEMES[app.theme].styles["text"]
        assert sorted(seen) == sorted(THEMES)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("down", "pagedown", "escape")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))


def chosen(options: OptionList) -> str:
    """What the palette has found and Enter would take; "" while there is nothing."""
    if options.highlighted is None or not options.option_count:
        return ""
    found = options.get_option_at_index(options.highlighted)
    return str(found.hit.text) if isinstance(found, Found) else ""


async def test_the_palette_finds_actions_and_takes_a_command_as_it_is_typed() -> None:
    source = FakeSource()
    app = make_app(source)
    async with app.run_test() as pilot:
        app.beat()
        for query, found, command in (
            ("unblock", "nblock", "unblock parent"),
            ("do: hold [/oops]", "hold [/oops]", "hold [/oops]"),
        ):
            await pilot.press("ctrl+p")
            assert isinstance(app.screen, CommandPalette)
            app.screen.query_one(Input).value = query
            options = app.screen.query_one(OptionList)
            await until(pilot, lambda options=options, found=found: found in chosen(options))
            await pilot.press("enter")
            if isinstance(app.screen, CommandPalette):
                await pilot.press("enter")
            await until(pilot, lambda command=command: command in source.given)
        assert source.given == ["unblock parent", "hold [/oops]"]


async def test_the_users_keys_are_the_ones_that_work() -> None:
    source = FakeSource()
    app = make_app(source, keymap={"hold": "n", "step": "space", "palette": "f2"}, problems=["keymap.toml: bad [/x]"])
    async with app.run_test(notifications=True) as pilot:
        app.beat()
        await pilot.press("n", "space", "ctrl+p", "f2")
        assert source.given == ["hold parent", "step parent"]
        assert isinstance(app.screen, CommandPalette)
        assert toasts(app) == ["keymap.toml: bad [/x]"]
        app.redraw()
        assert "n hold  space step" in app._main.live.frame.text()


async def test_a_recording_is_not_commanded() -> None:
    source = FakeSource()
    source.can = frozenset()
    app = make_app(source)
    async with app.run_test(notifications=True) as pilot:
        app.beat()
        app.redraw()
        await pilot.press("space")
        assert source.given == []
        assert "recording" in toasts(app)[0]
        assert "hold" not in app._main.live.frame.text()


async def test_keys_while_nothing_runs_yet_are_harmless() -> None:
    source = FakeSource()
    source.state = type(source.state)()
    app = make_app(source)
    async with app.run_test() as pilot:
        for action in app.actions:
            if action.id not in ("quit", "save", "menu", "palette", "help", "filter", "variants"):
                await pilot.press(action.keys[0])
        assert isinstance(app.screen, LabScreen)
        assert source.given == ["capacity "]
