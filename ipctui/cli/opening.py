"""`ipctui` without a command: the opening screen; without a terminal, the ordinary pipe as text."""

from __future__ import annotations

import os
from argparse import Namespace

from ipctui.cli import complain
from ipctui.cli.run import has_terminal, run
from ipctui.lab.launch import LauncherClient, LauncherError
from ipctui.lab.pairs import Pairs


def opening(options: Namespace) -> int:
    """Show the opening screen until the person quits; the exit status."""
    if not has_terminal():
        return run(options)
    try:
        launcher = LauncherClient()
        if os.isatty(1):
            launcher.keep_terminal(1)
    except LauncherError as error:
        complain(error)
        return 1
    pairs = Pairs()
    try:
        return _show(options, launcher, pairs)
    finally:
        pairs.close()
        launcher.close()


def _show(options: Namespace, launcher: LauncherClient, pairs: Pairs) -> int:
    from ipctui.cli.screen import Menu, begin_tile, look_of, shown

    look, themes = look_of(options)
    from ipctui.tui.app import IpctuiApp
    from ipctui.tui.opening import BLANK, Lobby, Rest

    menu = Menu(launcher)
    app = IpctuiApp(menu, Rest(menu.channel(menu.names()[0])), BLANK, themes, look)
    app.lobby = Lobby(app, menu, pairs, begin_tile(launcher))
    return shown(app)
