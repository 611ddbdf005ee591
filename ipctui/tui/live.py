"""The widget that paints a frame: by lines, each kept as a strip, and only those that changed are painted again."""

from __future__ import annotations

from collections.abc import Mapping

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ipctui.tui.footer import hit_at
from ipctui.tui.roles import ON_BAR, laid_over
from ipctui.widgets.canvas import Frame, Row

_EMPTY = Frame(0, 0, ())


class LiveView(Widget):
    """A frame on the screen; clicks on its parts and the wheel come out as messages.

    Args:
        styles_by_role: The theme's styles.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "LiveView { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A part of the frame was clicked: `action` is what it answers with."""

        def __init__(self, action: str) -> None:
            self.action = action
            super().__init__()

    class Wheel(Message):
        """The wheel was turned by `lines`, upwards when positive."""

        def __init__(self, lines: int) -> None:
            self.lines = lines
            super().__init__()

    class Resized(Message):
        """The widget has another size: a frame of that size is needed."""

    def __init__(self, styles_by_role: Mapping[str, Style], id: str | None = None) -> None:
        super().__init__(id=id)
        self._frame = _EMPTY
        self._strips: list[Strip | None] = []
        self.paint(styles_by_role)

    @property
    def frame(self) -> Frame:
        """The frame shown."""
        return self._frame

    def paint(self, styles_by_role: Mapping[str, Style]) -> None:
        """Take another theme's styles."""
        self._plain = dict(styles_by_role)
        self._on_bar = {
            role: laid_over(styles_by_role, role) if role in ON_BAR else style for role, style in self._plain.items()
        }
        self._strips = [None] * len(self._frame.rows)
        self.refresh()

    def show(self, frame: Frame) -> None:
        """Show a frame: rows that are as they were stay untouched."""
        before, self._frame = self._frame, frame
        if (frame.width, len(frame.rows)) != (before.width, len(before.rows)):
            self._strips = [None] * len(frame.rows)
            self.refresh()
            return
        changed = [y for y, row in enumerate(frame.rows) if row != before.rows[y]]
        for y in changed:
            self._strips[y] = None
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """A line of the frame as a strip; every segment has its whole style, for nothing is painted below it."""
        width = self.size.width
        if y >= len(self._strips):
            return Strip.blank(width, self._plain["text"])
        strip = self._strips[y]
        if strip is None:
            strip = self._strips[y] = self._strip(self._frame.rows[y])
        # Between a resize and the next frame the two widths differ.
        if strip.cell_length != width:
            return strip.adjust_cell_length(width, self._plain["text"])
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a region, as they are: a frame has no border, padding or opacity that Textual would add."""
        filters, background = self.get_line_filters(), self.background_colors[1]
        strips = []
        for y in crop.line_range:
            strip = self.render_line(y)
            for line_filter in filters:
                strip = strip.apply_filter(line_filter, background)
            strips.append(strip)
        if crop.column_span != (0, self.size.width):
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _strip(self, row: Row) -> Strip:
        styles = self._on_bar if any(role == "bar" for _, role in row) else self._plain
        fallback = styles["text"]
        return Strip([Segment(text, styles.get(role, fallback)) for text, role in row])

    def on_click(self, event: events.Click) -> None:
        """Report what was clicked."""
        hit = hit_at(self._frame, event.x, event.y)
        if hit is not None:
            self.post_message(self.Clicked(hit.action))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Report the wheel."""
        event.stop()
        self.post_message(self.Wheel(1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Report the wheel."""
        event.stop()
        self.post_message(self.Wheel(-1))

    def on_resize(self) -> None:
        """Ask for a frame of the new size."""
        self.post_message(self.Resized())
