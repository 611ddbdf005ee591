"""Scrolling: the part of a longer text that an enlarged pane shows, and how much there is above and below."""

from __future__ import annotations

from collections.abc import Sequence

from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Canvas, Line
from ipctui.widgets.view import View
from ipctui.widgets.words import word


def draw_scrolled(canvas: Canvas, lines: Sequence[Line], view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw lines from the top, or from where the view is scrolled to; the last one tells what is out of sight."""
    if len(lines) <= height or height < 2:
        canvas.lines(x, y, lines, width, height)
        return
    room = height - 1
    first = first_line(view, len(lines), room)
    canvas.lines(x, y, lines[first:], width, room)
    below = len(lines) - first - room
    canvas.put(x, y + room, _rest(view, first, below), "dim", width)


def first_line(view: View, lines: int, room: int) -> int:
    """The first line shown of a text that begins at its top: scrolling down counts below zero (View.scroll)."""
    return min(max(-view.scroll, 0), max(lines - room, 0))


def _rest(view: View, above: int, below: int) -> str:
    parts = [
        f"{arrow} {grouped(lines)} {word(view.language, 'line' if lines == 1 else 'lines')}"
        for arrow, lines in (("↑", above), ("↓", below))
        if lines
    ]
    return "   ".join(parts)
