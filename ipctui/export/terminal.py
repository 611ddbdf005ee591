"""Frames as what a terminal is sent: rows that changed, each segment in its theme's colours."""

from __future__ import annotations

from collections.abc import Mapping

from rich.color import ColorSystem
from rich.style import Style

from ipctui.tui.roles import ON_BAR, laid_over
from ipctui.widgets.canvas import Frame, Row

BEGIN = "\x1b[?1049h\x1b[?25l\x1b[2J"
"""The alternate screen, the cursor hidden, nothing drawn (xterm's control sequences)."""

END = "\x1b[0m\x1b[?25h\x1b[?1049l"
"""Colours, the cursor and the screen as they were."""


class Painter:
    """Turns frames into the text that makes a terminal show them.

    Args:
        styles: The theme's style for each role. What a frame holds has no control characters: the panes escaped it.
    """

    def __init__(self, styles: Mapping[str, Style]) -> None:
        self._plain = styles
        self._on_bar = {role: laid_over(styles, role) if role in ON_BAR else style for role, style in styles.items()}
        self._shown: tuple[Row, ...] = ()

    def paint(self, frame: Frame) -> str:
        """What makes a terminal that shows the frame before show this one; "" when nothing changed."""
        before, self._shown = self._shown, frame.rows
        if len(before) != len(frame.rows):
            before = ((),) * len(frame.rows)
        return "".join(f"\x1b[{y + 1};1H{self._row(row)}" for y, row in enumerate(frame.rows) if row != before[y])

    def _row(self, row: Row) -> str:
        styles = self._on_bar if any(role == "bar" for _, role in row) else self._plain
        fallback = styles["text"]
        return "".join(
            styles.get(role, fallback).render(text, color_system=ColorSystem.TRUECOLOR) for text, role in row
        )
