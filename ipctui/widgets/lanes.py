"""The lanes: a space-time diagram, one lane a process, with the messages that cross between two of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from ipctui.lab.state import LabState, Link, ProcessState
from ipctui.widgets.canvas import Canvas, cut
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word

_LABEL = (8, 14)
"""Cells for the names of the processes: at least, at most."""


BRIEFLY = "blocked briefly"
"""What a cell shows whose blocks ended soon: who waits for each message and gets it is not stuck."""

_BRIEF = ("▪", "dim")
_SOON = 250_000_000
"""Nanoseconds below which a block is brief; two cells, where these are longer."""


def lanes_height(processes: int, most: int) -> int:
    """The lines that lanes take: one a process, one between two for the messages, one for the axis."""
    return min(most, processes + 1 + (1 if processes == 2 else 0))


def draw_lanes(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the lanes of all processes; of more than fit, those around the selected one."""
    label = label_width(state.processes)
    columns = width - label
    cell = max(view.window // columns, 1)
    # Whole cells: the picture moves only when a cell is complete.
    last = view.now // cell
    first = last - columns + 1
    processes = list(state.processes.items())
    room = height - 1
    if len(processes) == 2 and room >= 3:
        upper, lower = processes
        _draw_lane(canvas, upper, view, x, y, label, first, columns, cell)
        _draw_links(canvas, state.links, upper[0], x + label, y + 1, first, columns, cell)
        _draw_lane(canvas, lower, view, x, y + 2, label, first, columns, cell)
        _draw_axis(canvas, view, x + label, y + 3, columns, cell)
        return
    names = [name for name, _ in processes]
    start = 0
    if len(processes) > room and view.selected in names:
        start = min(max(names.index(view.selected) - room + 1, 0), len(processes) - room)
    shown = processes[start : start + room]
    for line, process in enumerate(shown):
        _draw_lane(canvas, process, view, x, y + line, label, first, columns, cell)
    _draw_axis(canvas, view, x + label, y + len(shown), columns, cell)


def label_width(roles: Iterable[str]) -> int:
    """The cells that the names of the lanes take, with the blank after them."""
    least, most = _LABEL
    return min(max(least, *(cell_len(role) + 1 for role in roles), 0), most)


def _draw_lane(
    canvas: Canvas,
    named: tuple[str, ProcessState],
    view: View,
    x: int,
    y: int,
    label: int,
    first: int,
    columns: int,
    cell: int,
) -> None:
    name, process = named
    role = "selected" if name == view.selected else "text"
    canvas.put(x, y, cut(name, label - 1), role)
    canvas.hit(x, y, label + columns, 1, f"select:{name}")
    states = cell_states(process, first, columns, cell)
    empties = {time // cell - first for time in process.empties}
    for column, state in enumerate(states):
        if state is None:
            continue
        if column in empties and state in ("running", "paced"):
            canvas.put(x + label + column, y, "∅", "empty")
        elif state == BRIEFLY:
            canvas.put(x + label + column, y, *_BRIEF)
        else:
            canvas.put(x + label + column, y, STATE_GLYPHS.get(state, "?"), STATE_ROLES.get(state, "unknown"))


def cell_states(process: ProcessState, first: int, columns: int, cell: int) -> list[str | None]:
    """For each cell the state that lasted longest in it; None before the process began and after it ended."""
    spans = process.spans
    times = [span.t for span in spans]
    begin, end = first * cell, (first + columns) * cell
    covered: list[dict[str, int]] = [{} for _ in range(columns)]
    brief = [0] * columns
    for index in range(max(0, bisect_right(times, begin) - 1), len(spans)):
        span = spans[index]
        stop = spans[index + 1].t if index + 1 < len(spans) else end
        low, high = max(span.t, begin), min(stop, end)
        if low >= end:
            break
        soon = span.state == "blocked" and stop - span.t < max(_SOON, 2 * cell)
        column = (low - begin) // cell
        while low < high:
            edge = min(begin + (column + 1) * cell, high)
            share = covered[column]
            share[span.state] = share.get(span.state, 0) + edge - low
            if soon:
                brief[column] += edge - low
            low = edge
            column += 1
    shown: list[str | None] = []
    for share, short in zip(covered, brief, strict=True):
        state = max(share, key=lambda name: share[name]) if share else None
        if state == "blocked" and 2 * short > share["blocked"]:
            state = BRIEFLY
        ended_before = state == "exited" and bool(shown) and shown[-1] in ("exited", None)
        shown.append(None if ended_before else state)
    return shown


def _draw_links(
    canvas: Canvas, links: Sequence[Link], upper: str, x: int, y: int, first: int, columns: int, cell: int
) -> None:
    """Between two lanes: a crossing where a message went straight over (╳: one each way), else foot and head."""
    marks: dict[int, str] = {}
    for link in links:
        sent = link.sent // cell - first
        received = None if link.received is None else link.received // cell - first
        down = link.sender == upper
        if received is not None and received - sent <= 1:
            if 0 <= received < columns:
                mark, other = ("╲", "╱") if down else ("╱", "╲")
                # Both ways in one cell: a question and its answer.
                marks[received] = "╳" if marks.get(received) in (other, "╳") else mark
            continue
        if 0 <= sent < columns:
            marks.setdefault(sent, "╵" if down else "╷")
        if received is not None and 0 <= received < columns:
            marks[received] = "╷" if down else "╵"
    for column, mark in marks.items():
        canvas.put(x + column, y, mark, "link")


def _draw_axis(canvas: Canvas, view: View, x: int, y: int, columns: int, cell: int) -> None:
    right = x + columns
    canvas.right(right, y, word(view.language, "now"), "axis")
    step = _axis_step(view.window)
    back = step
    while back < view.window:
        at = x + columns - 1 - back // cell
        text = f"-{back / 1e9:g} s"
        if at - len(text) // 2 > x - 2:
            canvas.put(at - len(text) // 2, y, text, "axis")
        back += step


def _axis_step(window: int) -> int:
    for step in (1, 2, 5, 10, 30, 60):
        if window <= step * 4_000_000_000:
            return step * 1_000_000_000
    return 120_000_000_000
