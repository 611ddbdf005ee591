"""The screen of a pane: the frame over all of it, and a line at the bottom while a filter is typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from ipctui.tui.actions import Action
from ipctui.tui.live import LiveView


class FilterInput(Input):
    """The line in which a filter is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "drop the filter", show=False)]

    def action_drop(self) -> None:
        """Drop the filter."""
        self.post_message(LabScreen.FilterDone(drop=True))


class LabScreen(Screen[None], inherit_bindings=False):
    """The live view and the filter's line, which lies over the footer."""

    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    LabScreen { layers: below above; }
    LabScreen #live { layer: below; }
    LabScreen #filter { layer: above; dock: bottom; height: 1; border: none; padding: 0 1; display: none;
        background: $panel; }
    LabScreen #filter.open { display: block; }
    """

    class FilterDone(Message):
        """The filter's line can go; with `drop` the filter as well."""

        def __init__(self, drop: bool) -> None:
            self.drop = drop
            super().__init__()

    def __init__(self, styles: Mapping[str, Style]) -> None:
        super().__init__()
        self.live = LiveView(styles, id="live")
        self._filter = FilterInput(id="filter", placeholder="/")
        self._filter.cursor_blink = False

    def compose(self) -> ComposeResult:
        """The frame and the filter's line."""
        yield self.live
        yield self._filter

    @property
    def filtering(self) -> bool:
        """Whether the filter's line is open."""
        return self._filter.has_class("open")

    def open_filter(self, text: str) -> None:
        """Open the filter's line with a text in it."""
        self._filter.value = text
        self._filter.add_class("open")
        self._filter.focus()

    def close_filter(self) -> None:
        """Put the filter's line away."""
        self._filter.remove_class("open")
        self.set_focus(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and put its line away."""
        event.stop()
        self.post_message(self.FilterDone(drop=False))


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """The keys of a pane, from the table of actions."""
    return [
        Binding(",".join(action.keys), f"app.act('{action.id}')", action.name, show=False, id=action.id)
        for action in actions
    ]


def lab_screen(actions: Iterable[Action], styles: Mapping[str, Style]) -> LabScreen:
    """A pane's screen that answers to these actions' keys."""

    class Keyed(LabScreen):
        """A pane's screen with the user's keys."""

        BINDINGS = bindings(actions)

    return Keyed(styles)
