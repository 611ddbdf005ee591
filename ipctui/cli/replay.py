"""`ipctui replay`: a recording on the screen, or its summary computed anew."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ipctui.cli import complain
from ipctui.lab.channel import Channel
from ipctui.lab.parameters import UsageError
from ipctui.lab.player import Player, summed_up
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import RecordingError, line_of
from ipctui.tui.source import Source
from ipctui.widgets.view import Pane


class Shelf:
    """The mechanisms as the screen of a recording asks for them: they can be looked up, and none can be started."""

    def names(self) -> Sequence[str]:
        """Their names, in the order of the menu."""
        return catalogue.NAMES

    def channel(self, name: str) -> Channel:
        """A mechanism by its name."""
        return catalogue.channel(name)

    def pane(self, name: str) -> Pane:
        """How a mechanism is drawn."""
        return catalogue.pane(name)

    def open(self, name: str, variant: str | None) -> Source:
        """Nothing can be started beside a recording.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"this is a recording; `ipctui run {name}` opens a laboratory")


def replay(options: Namespace) -> int:
    """Show a recording until the person quits, or print its summary; the exit status."""
    path = Path(options.file)
    try:
        if options.headless:
            return _headless(path)
        return _screen(path, options)
    except RecordingError as error:
        complain(error)
        return 1


def _channel(name: str) -> Channel:
    try:
        return catalogue.channel(name)
    except UsageError as error:
        raise RecordingError(f"this recording is of a mechanism that is not here: {error}") from None


def _headless(path: Path) -> int:
    total, problems = summed_up(path, _channel)
    for problem in problems:
        complain(problem)
    sys.stdout.write(line_of(total))
    sys.stdout.flush()
    return 0


def _screen(path: Path, options: Namespace) -> int:
    from ipctui.cli.run import has_terminal
    from ipctui.cli.screen import look_of, shown

    if not has_terminal():
        return _headless(path)
    look, themes = look_of(options)
    player = Player(path, _channel)
    try:
        from ipctui.tui.app import IpctuiApp

        app = IpctuiApp(Shelf(), player, catalogue.pane(player.channel.name), themes, look)
        return shown(app)
    finally:
        player.close()
