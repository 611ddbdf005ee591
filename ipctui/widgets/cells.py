"""Cells: small laboratories side by side, each a sender, a receiver and the channel between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from ipctui.lab.state import LabState, Link, ProcessState
from ipctui.trace.records import Access, Call
from ipctui.widgets.calllog import draw_log
from ipctui.widgets.canvas import Canvas, Line, Span, cut, wrapped
from ipctui.widgets.card import state_line
from ipctui.widgets.lanes import Grid, draw_axis, draw_lane, link_marks, put_marks
from ipctui.widgets.language import in_language
from ipctui.widgets.view import View

Hint = tuple[str, str]
"""A key and what it does to all cells, in a word or two."""
LEAST_HEIGHT = 10
"""Lines below which a cell is not whole, its frame counted."""
_LABEL = 2
_LANES, _COUNTS, _CONTENTS = 3, 2, 1
_LEAST_CALLS, _LEAST_WIDTH = 2, 50
"""Lines and columns below which a cell's calls are left out: they stand in the enlarged cell."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell to be drawn.

    Attributes:
        name: By which commands name it.
        title: What its two ends are now.
        loud: A word that stands on this cell alone, "" for none.
        about: What a send and a receipt mean here, in a sentence.
        links: Its messages.
        touch: Nothing lies between the two, so that a message is where the lanes touch.
        channel: What is in its channel, in so many columns and lines.
        counts: Its counts in two lines of so many columns.
        log: The cell as a laboratory of its own, whose latest calls are shown where there is room.
    """

    name: str
    title: str
    loud: str
    about: str
    sender: ProcessState
    receiver: ProcessState
    links: Sequence[Link]
    touch: bool
    channel: Callable[[int, int], Sequence[Line]]
    counts: Callable[[int], Sequence[Line]]
    log: LabState | None = None


def states_of(state: LabState) -> dict[str, LabState]:
    """Each cell of a laboratory as a laboratory of its own, in order of appearance."""
    # One pass for all: there are hundreds of calls and messages, and a picture of them many times a second.
    calls: dict[str | None, list[Call | Access]] = {}
    for call in state.calls:
        calls.setdefault(call.cell, []).append(call)
    links: dict[str, list[Link]] = {}
    for link in state.links:
        links.setdefault(link.sender.rpartition("/")[0], []).append(link)
    return {
        cell: replace(
            state,
            processes={process.name: process for process in processes},
            channels={place: held for place, held in state.channels.items() if held.now.cell == cell},
            calls=tuple(calls.get(cell, ())),
            links=tuple(links.get(cell, ())),
            events=tuple(event for event in state.events if event.cell in (None, cell)),
        )
        for cell, processes in in_cells(state).items()
    }


def draw_cells(
    canvas: Canvas,
    cells: Sequence[Cell],
    view: View,
    top: int,
    height: int,
    columns: int,
    hints: Sequence[Sequence[Hint]] = (),
) -> None:
    """Draw cells in rows of so many; the lower edges of the last row name keys that act on all of them, by column."""
    rows = -(-len(cells) // columns)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        left, right = column * canvas.width // columns, (column + 1) * canvas.width // columns
        upper, lower = row * height // rows, (row + 1) * height // rows
        draw_cell(canvas, cell, view, left, top + upper, right - left, lower - upper)
        if row == rows - 1 and column < len(hints):
            end = _draw_hints(canvas, hints[column], view, left + 1, top + lower - 1, right - 1)
            if end > right - 3 - cell_len(cell.name):
                # Of the cell's name only a part would be left; its title says what it is.
                selected = view.selected in (cell.sender.name, cell.receiver.name)
                edge, role = ("━", "frame.selected") if selected else ("─", "frame")
                canvas.put(end, top + lower - 1, edge * (right - 1 - end), role)


def _draw_hints(canvas: Canvas, hints: Sequence[Hint], view: View, x: int, y: int, end: int) -> int:
    """Name keys on a frame's edge, as many as fit; the column behind the last of them."""
    for number, text in hints:
        name = in_language(view.language, text)
        if x + cell_len(name) + 4 > end:
            break
        begin = x
        x = canvas.put(x, y, f" {number}", "key")
        x = canvas.put(x, y, f" {name} ", "dim")
        canvas.hit(begin, y, x - begin, 1, f"offer:{number}")
    return x


def draw_cell(canvas: Canvas, cell: Cell, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw one cell in its frame: what it is, both processes, their lanes, the channel, the counts."""
    selected = view.selected in (cell.sender.name, cell.receiver.name)
    inside = width - 2
    room = height - 2
    whole = room >= LEAST_HEIGHT - 2  # where a line is missing, what is in the channel matters more than what it is
    title: list[Span] = [(cut(cell.title, inside - 2), "title")]
    if cell.loud and cell_len(cell.title) + cell_len(cell.loud) + 5 <= inside:
        title += [(" ", "frame"), (cell.loud, "warning")]
    elif cell.loud and not whole:
        title = [(cell.loud, "warning"), (" ", "frame"), (cut(cell.title, inside - 3 - cell_len(cell.loud)), "title")]
    canvas.box(x, y, width, height, title, selected)
    if not cell.title.startswith(cell.name):
        canvas.right(x + width - 1, y + height - 1, f" {cell.name} ", "selected" if selected else "dim")
    canvas.hit(x, y, width, height, f"select:{cell.sender.name}")
    loud = cell.loud if len(title) == 1 else ""
    extra = max(0, room - (LEAST_HEIGHT - 2))
    about = _about(cell, loud, inside, 2 if extra >= 3 else 1) if whole else []
    states = _states(cell, view, inside, extra)
    line = y + 1
    canvas.lines(x + 1, line, [*about, *states], inside, len(about) + len(states))
    line += len(about) + len(states)
    line += _draw_lanes(canvas, cell, view, x + 1, line, inside, axis=extra >= 2)
    counts = cell.counts(inside)[:_COUNTS]
    bottom = y + height - 1 - len(counts)
    calls = bottom - line - _CONTENTS - 1
    if cell.log is None or calls < _LEAST_CALLS or width < _LEAST_WIDTH:
        calls = -1
    contents = cell.channel(inside, bottom - line - calls - 1)
    canvas.lines(x + 1, line, contents, inside, bottom - line - calls - 1)
    if cell.log is not None and calls > 0:
        draw_log(canvas, cell.log, view, x + 1, bottom - calls - 1, inside, calls)
    canvas.lines(x + 1, bottom, counts, inside, len(counts))


def _about(cell: Cell, loud: str, width: int, most: int) -> list[Line]:
    room = width * most - (cell_len(loud) + 3 if loud else 0)
    text = cell.about if cell_len(cell.about) <= room else cut(cell.about, room)
    lines = wrapped(f"{loud} · {text}" if loud else text, width, most)
    first: list[Line] = []
    for line in lines:
        if loud and not first:
            first.append([(line[: len(loud)], "warning"), (line[len(loud) :], "dim")])
        else:
            first.append([(line, "dim")])
    return first


def _states(cell: Cell, view: View, width: int, extra: int) -> list[Line]:
    """Both processes' states in one line, or a line each; with room, why one of them sleeps."""
    if not extra:
        half = width // 2
        left, right = (_state(process, view, half) for process in (cell.sender, cell.receiver))
        gap = " " * max(1, half - sum(cell_len(text) for text, _ in left))
        return [[*left, (gap, "text"), *right]]
    lines: list[Line] = [_state(process, view, width) for process in (cell.sender, cell.receiver)]
    if extra >= 4:
        lines.append(_reason(cell, view, width))
    return lines


def _state(process: ProcessState, view: View, width: int) -> list[Span]:
    selected = process.name == view.selected
    return [
        (_letter(process), "selected" if selected else "text"),
        (" ", "text"),
        state_line(process, view, width - 3),
    ]


def _letter(process: ProcessState) -> str:
    return process.role[:1].upper()


def _reason(cell: Cell, view: View, width: int) -> Line:
    for process in (cell.sender, cell.receiver):
        now = process.state
        if process.exited is None and now is not None and now.state == "blocked" and now.reason:
            return [(cut(f"  {_letter(process)}: {in_language(view.language, now.reason)}", width), "blocked")]
    return []


def _draw_lanes(canvas: Canvas, cell: Cell, view: View, x: int, y: int, width: int, axis: bool) -> int:
    """The two lanes, and between them the messages; the lines taken."""
    grid = Grid.of(view, width - _LABEL)
    left = x + _LABEL
    for line, process in ((y, cell.sender), (y + 2, cell.receiver)):
        canvas.put(x, line, _letter(process), "selected" if process.name == view.selected else "text")
        draw_lane(canvas, process, view, left, line, grid.columns)
        canvas.hit(x, line, width, 1, f"select:{process.name}")
    if cell.touch:
        for first, length in _runs(met(cell.links, grid)):
            for line, glyph in ((y, "●"), (y + 1, "│"), (y + 2, "●")):
                canvas.put(left + first, line, glyph * length, "message")
    else:
        put_marks(canvas, link_marks(cell.links, cell.sender.name, cell.receiver.name, grid), left, y + 1)
    if axis:
        draw_axis(canvas, view, left, y + _LANES, grid.columns, grid.cell)
    return _LANES + axis


def met(links: Sequence[Link], grid: Grid) -> list[int]:
    """The columns in which a message was handed over."""
    columns = {grid.column(link.received) for link in links if link.received is not None}
    return sorted(column for column in columns if 0 <= column < grid.columns)


def _runs(columns: Sequence[int]) -> list[tuple[int, int]]:
    """Columns in rising order as runs: the first of each, and how many follow each other."""
    runs: list[tuple[int, int]] = []
    for column in columns:
        if runs and sum(runs[-1]) == column:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((column, 1))
    return runs


def in_cells(state: LabState) -> Mapping[str, tuple[ProcessState, ...]]:
    """The processes by their cell, in order of appearance."""
    cells: dict[str, tuple[ProcessState, ...]] = {}
    for process in state.processes.values():
        if process.cell is not None:
            cells[process.cell] = (*cells.get(process.cell, ()), process)
    return cells
