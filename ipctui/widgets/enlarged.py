"""The parts of a pane that a key enlarges: processes, contents, time, program, calls. What does not fit scrolls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipctui.lab.state import LabState, ProcessState
from ipctui.widgets.bands import draw_log_box, draw_program_box
from ipctui.widgets.calllog import draw_log
from ipctui.widgets.canvas import Canvas, Line
from ipctui.widgets.card import card_lines, draw_card, draw_roster, roster_columns
from ipctui.widgets.lanes import draw_lanes
from ipctui.widgets.scroll import draw_scrolled
from ipctui.widgets.view import View

Contents = Callable[[int, int], Sequence[Line]]
Notes = Callable[[ProcessState], Sequence[Line]]

_CARD = (26, 10)
"""Columns and lines that a card needs to be read."""
_SHEET = (80, 8)
"""Columns and lines that one object's contents need."""


def draw_enlarged(
    canvas: Canvas,
    state: LabState,
    view: View,
    top: int,
    height: int,
    contents: Sequence[Contents],
    notes: Notes,
) -> None:
    """Draw the part that `view.zoom` names over the whole width."""
    processes = list(state.processes.values())
    if view.zoom == "processes":
        _processes(canvas, processes, view, top, height, notes)
    elif view.zoom == "contents":
        _contents(canvas, contents, view, top, height)
    elif view.zoom == "time":
        count = len(processes)
        lanes = 2 * count if 2 * count + 2 <= height else min(height, count + 1)
        draw_lanes(canvas, state, view, 1, top, canvas.width - 2, lanes)
        draw_log(canvas, state, view, 1, top + lanes + 1, canvas.width - 2, height - lanes - 1)
    elif view.zoom == "program":
        draw_program_box(canvas, state, view, 0, top, canvas.width, height)
    else:
        draw_log_box(canvas, state, view, 0, top, canvas.width, height)


def _processes(canvas: Canvas, processes: list[ProcessState], view: View, top: int, height: int, notes: Notes) -> None:
    """Every card whole; where they are too many, the selected one's and a line for each of all."""
    width, count = canvas.width, len(processes)
    columns = max(1, min(count, width // _CARD[0] if count < 5 else width // (_CARD[0] + 4)))
    lines = -(-count // columns)
    if lines <= max(1, height // _CARD[1]):
        share = height // max(1, lines)
        for place, process in enumerate(processes):
            left, right = place % columns * width // columns, (place % columns + 1) * width // columns
            draw_card(canvas, process, view, left, top + place // columns * share, right - left, share, notes(process))
        return
    chosen = next((process for process in processes if process.name == view.selected), processes[0])
    detail = card_lines(chosen, view, width - 2, height, notes(chosen))
    room = max(3, height - len(detail) - 3)
    rows = min(-(-count // roster_columns(count, width - 2, room)), room)
    draw_roster(canvas, processes, view, 1, top, width - 2, rows)
    draw_card(canvas, chosen, view, 0, top + rows, width, height - rows, notes(chosen))


def _contents(canvas: Canvas, contents: Sequence[Contents], view: View, top: int, height: int) -> None:
    """What is in every object: side by side or one under another, scrolled together; many as one text."""
    count = len(contents)
    columns = max(1, min(count, canvas.width // _SHEET[0]))
    lines = -(-count // columns)
    if lines > 1 and height // lines < _SHEET[1]:
        width = canvas.width - 2
        every = [line for each in contents for line in (*each(width, _SHEET[1]), [])]
        draw_scrolled(canvas, every, view, 1, top, width, height)
        return
    share = height // lines
    for place, each in enumerate(contents):
        left, right = place % columns * canvas.width // columns, (place % columns + 1) * canvas.width // columns
        room = right - left - 2
        draw_scrolled(canvas, each(room, share), view, left + 1, top + place // columns * share, room, share)
