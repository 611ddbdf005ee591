"""One frame of a pane as a picture, made without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from rich.style import Style
from textual.app import App, ComposeResult
from textual.filter import ANSIToTruecolor

from ipctui.export.picture import correct_svg
from ipctui.lab.state import LabState
from ipctui.tui.actions import ACTIONS
from ipctui.tui.footer import damaged_frame, screen_frame
from ipctui.tui.live import LiveView
from ipctui.tui.roles import no_color as uncoloured
from ipctui.tui.themes import LoadedTheme
from ipctui.widgets.canvas import Frame
from ipctui.widgets.view import Pane, View


class PictureApp(App[None]):
    """Shows one frame, and nothing that moves."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "ipctui"

    def __init__(self, frame: Frame, theme: LoadedTheme, styles: Mapping[str, Style], title: str) -> None:
        super().__init__(ansi_color=False)
        # The environment's colour filters are for terminals; a picture is the same on every machine.
        self._filters = [each for each in self._filters if isinstance(each, ANSIToTruecolor)]
        self.no_color = False
        self.title = title
        self._frame = frame
        self._live = LiveView(styles)
        self.register_theme(theme.textual)
        self.theme = theme.name

    def compose(self) -> ComposeResult:
        """The frame."""
        yield self._live

    def on_mount(self) -> None:
        """Show it."""
        self._live.show(self._frame)


def picture(
    state: LabState,
    pane: Pane,
    view: View,
    size: tuple[int, int],
    theme: LoadedTheme,
    *,
    no_color: bool = False,
    can: frozenset[str] = frozenset({"command"}),
    title: str = "ipctui",
) -> str:
    """A state as the app shows it, `size` columns by rows, as an SVG: the same bytes for the same arguments.

    Runs an event loop of its own, so not from within one.
    """
    if view.selected not in state.processes and state.processes:
        view = replace(view, selected=next(iter(state.processes)))
    try:
        frame = screen_frame(state, pane, view, *size, ACTIONS, can)
    except Exception:
        if not view.replay:
            raise
        frame = damaged_frame(state, pane, view, *size, ACTIONS, can)
    styles = uncoloured(theme.styles) if no_color else theme.styles

    async def shown() -> str:
        app = PictureApp(frame, theme, styles, title)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            return correct_svg(app.export_screenshot())

    return asyncio.run(shown())
