"""The laboratory on the terminal: the launcher is started first, while Textual is still being imported."""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ipctui.cli.run import limit_of
from ipctui.cli.session import Choice, Script, variant_of
from ipctui.cli.settings import load_settings
from ipctui.lab.channel import Channel
from ipctui.lab.launch import LauncherClient, LauncherError
from ipctui.lab.lecture import Lecture
from ipctui.lab.live import Live
from ipctui.lab.parameters import UsageError, settle, unknown
from ipctui.lab.recorder import RecorderError
from ipctui.lab.scenario import Scenario
from ipctui.lab.session import Lab, LabError
from ipctui.mechanisms import catalogue
from ipctui.widgets.view import Pane

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp, Look
    from ipctui.tui.themes import LoadedTheme


class Menu:
    """The mechanisms as the screen asks for them, all on one launcher."""

    def __init__(self, launcher: LauncherClient) -> None:
        self._launcher = launcher

    def names(self) -> Sequence[str]:
        """Their names, in the order of the menu."""
        return catalogue.NAMES

    def channel(self, name: str) -> Channel:
        """A mechanism by its name."""
        return catalogue.channel(name)

    def pane(self, name: str) -> Pane:
        """How a mechanism is drawn."""
        return catalogue.pane(name)

    def open(self, name: str, variant: str | None) -> Live:
        """Start a mechanism.

        Raises:
            LabError: its workers could not be started.
        """
        channel = catalogue.channel(name)
        chosen = variant_of(channel, variant)
        return Live(Lab(channel, chosen, settle(channel.parameters(), chosen.values, ()), self._launcher))


def begin_tile(launcher: LauncherClient) -> Callable[[str], Lab]:
    """What starts the laboratory of a tile: without a memory of its past, which nobody goes through there."""
    from ipctui.tui.tiles import shown_of

    def begin(name: str) -> Lab:
        channel, shown = catalogue.channel(name), shown_of(name)
        chosen = variant_of(channel, shown.variant)
        return Lab(channel, chosen, settle(channel.parameters(), chosen.values, shown.settings), launcher)

    return begin


def screen(options: Namespace, choice: Choice, script: Script, scenario: Scenario | None = None) -> int:
    """Show a laboratory until the person quits (or `--for` is up); the exit status.

    Raises:
        LabError: the workers could not be started.
    """
    try:
        launcher = LauncherClient()
        launcher.tell({"op": "preload", "module": choice.channel.plan(choice.variant, choice.values).module})
        if os.isatty(1):
            launcher.keep_terminal(1)
    except LauncherError as error:
        raise LabError(str(error)) from None
    try:
        return _show(options, choice, script, launcher, scenario)
    finally:
        launcher.close()


def _show(
    options: Namespace, choice: Choice, script: Script, launcher: LauncherClient, scenario: Scenario | None
) -> int:
    look, themes = look_of(options)
    from ipctui.tui.app import IpctuiApp

    lab = Lab(choice.channel, choice.variant, choice.values, launcher)
    try:
        live = Live(lab, Path(options.record) if options.record else None, limit_of(options))
    except RecorderError:
        lab.close()
        raise
    app = IpctuiApp(Menu(launcher), live, catalogue.pane(choice.channel.name), themes, look)
    if scenario is not None:
        app.teaching.teach(lambda: Lecture(scenario, lab))
    if script or options.seconds is not None:
        app.call_later(lambda: _schedule(app, script, options.seconds))
    return shown(app)


def look_of(options: Namespace) -> tuple[Look, dict[str, LoadedTheme]]:
    """How the person wants the screen, and the themes there are.

    Raises:
        UsageError: there is no such theme.
    """
    if not os.isatty(2):
        sys.__stderr__ = sys.__stdout__  # type: ignore[misc]  # Textual draws there, and stderr is somebody's file
    from ipctui.tui.app import Look
    from ipctui.tui.keymap import load_keymap
    from ipctui.tui.themes import DEFAULT_THEME, find_themes

    themes, theme_problems = find_themes()
    settings, wrong = load_settings()
    theme = options.theme or settings.theme or DEFAULT_THEME
    if not options.theme and theme not in themes:
        wrong.append(f"settings.toml: theme: {unknown('theme', theme, themes)}")
        theme = DEFAULT_THEME
    check_theme(theme, themes)
    keymap, key_problems = load_keymap()
    problems = [f"{problem.path.name}: {problem.problem}" for problem in theme_problems] + wrong + key_problems
    return Look(theme, options.lang, options.ascii, "NO_COLOR" in os.environ, keymap, problems), themes


def shown(app: IpctuiApp) -> int:
    """Run an app on the terminal to its end; its exit status."""
    from ipctui.tui.app import start

    gc.freeze()
    gc.enable()
    return start(app)


def _schedule(app: object, script: Script, seconds: float | None) -> None:
    """Give the script's commands at their times, beside the person's."""
    from ipctui.tui.app import IpctuiApp

    assert isinstance(app, IpctuiApp)
    began = app.source.now() / 1e9
    for when, command in script:
        app.set_timer(max(when - began, 0.001), lambda command=command: app.source.command(command, "script"))
    if seconds is not None:
        app.set_timer(max(seconds - began, 0.001), lambda: app.exit())


def check_theme(name: str, themes: dict[str, LoadedTheme]) -> None:
    """Raise UsageError when there is no theme of this name."""
    if name not in themes:
        raise UsageError(unknown("theme", name, themes))
