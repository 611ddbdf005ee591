"""The time bar: one row from how far back it goes to how far forward, where one is, the marks, who was blocked when."""

from __future__ import annotations

from rich.cells import cell_len

from ipctui.trace.text import clock_face
from ipctui.widgets.canvas import Canvas
from ipctui.widgets.header import ago
from ipctui.widgets.view import Moment, View
from ipctui.widgets.words import word


def draw_timebar(canvas: Canvas, view: View, y: int) -> None:
    """Draw the bar of the view's moment on a row; every cell of it answers a click with `seek:NANOSECONDS`."""
    moment = view.moment
    if moment is None:
        return
    left, right = _labels(view, moment)
    x = canvas.put(1, y, left, "dim") + 1
    columns = canvas.width - x - cell_len(right) - 2
    canvas.put(x + columns + 1, y, right, "dim")
    if columns < 2:
        return
    known = max(1, min(columns, round(columns * moment.share)))
    canvas.fill(x, y, known, "axis", "─")
    canvas.fill(x + known, y, columns - known, "dim", "·")
    for begin, end in moment.blocked:
        low, high = column_of(moment, begin, known), column_of(moment, end, known)
        canvas.fill(x + low, y, high - low + 1, "blocked", "■")
    for mark in moment.marks:
        canvas.put(x + column_of(moment, mark, known), y, "▼", "warning")
    canvas.put(x + column_of(moment, moment.t, known), y, "┃", "selected")
    length = moment.end - moment.begin
    for column in range(known):
        canvas.hit(x + column, y, 1, 1, f"seek:{moment.begin + length * column // max(known - 1, 1)}")


def column_of(moment: Moment, t: int, columns: int) -> int:
    """The column of a time, of so many for the whole length; times outside stand at the ends."""
    length = max(moment.end - moment.begin, 1)
    inside = max(0, min(t - moment.begin, length))
    return inside * (columns - 1) // length


_CLOCK, _REACH, _SPEED = len("00:00.0"), len("-59.9 s"), len("0.1x")
"""Cells that a time since zero, a time before now and a speed may take: the bar between them never moves."""


def _labels(view: View, moment: Moment) -> tuple[str, str]:
    if not view.replay:
        reach = f"{ago(moment.end - moment.begin):<{_REACH}}"
        return (f"{reach} (100 MB)" if moment.full else reach), word(view.language, "now")
    end = clock_face(moment.end) if moment.share >= 1 else f"{moment.share * 100:.0f} %"
    return clock_face(moment.begin), f"{end:>{_CLOCK}} {f'{moment.speed:g}x':>{_SPEED}}"
