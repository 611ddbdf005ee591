"""The lanes: a space-time diagram, one lane a process, with the messages that cross between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from rich.cells import cell_len

from ipctui.lab.state import LabState, Link, ProcessState
from ipctui.lab.state import Span as Spell
from ipctui.widgets.canvas import Canvas, Span, cut
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word

_LABEL = (8, 17)
"""Cells for the names of the processes: at least, at most."""


BRIEFLY = "blocked briefly"
"""What a cell shows whose blocks ended soon: who waits for each message and gets it is not stuck."""

_BRIEF = ("▪", "dim")
_SOON = 250_000_000
"""Nanoseconds below which a block is brief; two cells, where these are longer."""


def lanes_height(processes: int, most: int) -> int:
    """The lines that lanes take: one a process, the axis, and one between two for the messages.

    Of more than two processes the messages are left out where there is little room: enlarged, the lanes have them.
    """
    between = 2 * processes <= most if processes == 2 else 2 * processes + 2 <= most
    return 2 * processes if between else min(most, processes + 1)


def draw_lanes(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the lanes of all processes, with the messages between them.

    Of more than fit those around the selected one, and beside the times how many have no lane.
    """
    label = label_width(state.processes)
    grid = Grid.of(view, width - label)
    processes = list(state.processes.items())
    room = height - 1
    rows = _rows(processes)
    if len(rows) > room:
        rows = list(range(len(processes)))
        selected = [name for name, _ in processes].index(view.selected) if view.selected in state.processes else 0
        start = min(max(selected - room + 1, 0), max(len(rows) - room, 0))
        rows = rows[start : start + room]
        hidden = len(processes) - len(rows)
        if hidden:
            canvas.put(x, y + len(rows), cut(f"+{hidden} {word(view.language, 'more')}", label - 1), "warning")
    marks = _marks(state.links, [name for name, _ in processes], grid)
    for line, row in enumerate(rows):
        if row >= 0:
            _draw_labelled(canvas, processes[row], view, x, y + line, label, grid)
        else:
            put_marks(canvas, marks[-row - 1], x + label, y + line)
    draw_axis(canvas, view, x + label, y + len(rows), grid.columns, grid.cell)


def _rows(processes: Sequence[tuple[str, ProcessState]]) -> list[int]:
    """What stands on each line: a process by its place, or, below 0, the gap behind one (-1 behind the first).

    Between two cells there is no gap: no message crosses it.
    """
    rows: list[int] = []
    for place, (_, process) in enumerate(processes):
        rows.append(place)
        if place + 1 < len(processes) and processes[place + 1][1].cell == process.cell:
            rows.append(-place - 1)
    return rows


@dataclass(frozen=True, slots=True)
class Grid:
    """The columns of a diagram: how many, how long each is, and the number of the first since time began."""

    columns: int
    cell: int
    first: int

    @classmethod
    def of(cls, view: View, columns: int) -> Grid:
        """The columns that end now: whole cells, so that the picture moves only when one is complete."""
        cell = max(view.window // max(columns, 1), 1)
        return cls(columns, cell, view.now // cell - columns + 1)

    def column(self, t: int) -> int:
        """The column of a time; outside the diagram below 0 or beyond its columns."""
        return t // self.cell - self.first


def label_width(roles: Iterable[str]) -> int:
    """The cells that the names of the lanes take, with the blank after them."""
    least, most = _LABEL
    return min(max(least, *(cell_len(role) + 1 for role in roles), 0), most)


def _draw_labelled(
    canvas: Canvas, named: tuple[str, ProcessState], view: View, x: int, y: int, label: int, grid: Grid
) -> None:
    name, process = named
    role = "selected" if name == view.selected else "text"
    canvas.put(x, y, cut(name, label - 1), role)
    canvas.hit(x, y, label + grid.columns, 1, f"select:{name}")
    draw_lane(canvas, process, view, x + label, y, grid.columns)


def draw_lane(canvas: Canvas, process: ProcessState, view: View, x: int, y: int, columns: int) -> None:
    """Draw one lane by itself, without its name; `draw_axis` over the same columns tells its times."""
    grid = Grid.of(view, columns)
    states = cell_states(process, grid.first, grid.columns, grid.cell)
    begin = grid.first * grid.cell
    empties = {grid.column(time) for time in process.empties if time >= begin}
    marks = [_mark(state, column in empties) for column, state in enumerate(states)] if empties else map(_plain, states)
    canvas.cells(x, y, ((column, mark) for column, mark in enumerate(marks) if mark is not None))


def _mark(state: str | None, empty: bool) -> Span | None:
    """The glyph of a cell and its role."""
    return ("∅", "empty") if empty and state in ("running", "paced") else _plain(state)


@cache
def _plain(state: str | None) -> Span | None:
    """The glyph of a cell from which nobody came back empty-handed, and its role."""
    if state is None:
        return None
    if state == BRIEFLY:
        return _BRIEF
    return STATE_GLYPHS.get(state, "?"), STATE_ROLES.get(state, "unknown")


def cell_states(process: ProcessState, first: int, columns: int, cell: int) -> list[str | None]:
    """For each cell the state that lasted longest in it; None before the process began and after it ended."""
    states = _kept(process, first, columns, cell)
    shown: list[str | None] = []
    for state in states:
        ended_before = state == "exited" and bool(shown) and shown[-1] in ("exited", None)
        shown.append(None if ended_before else state)
    return shown


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The cells of a lane as they were made last, and what of: the spans, and the number of the first cell."""

    spans: tuple[Spell, ...]
    first: int
    states: list[str | None]


_MOST_KEPT = 64
_drawn: dict[tuple[str, int, int], _Drawn] = {}
"""By process, pid and a cell's length: what has passed is drawn thirty times a second and never changes."""


def _kept(process: ProcessState, first: int, columns: int, cell: int) -> list[str | None]:
    """The longest state of each cell, those cells taken over whose spans are the same as when they were made."""
    place = (process.name, process.pid, cell)
    before = _drawn.get(place)
    known = _settled(before, process.spans, first, columns, cell) if before is not None else []
    states = known + _longest(process.spans, first + len(known), columns - len(known), cell)
    if place not in _drawn and len(_drawn) >= _MOST_KEPT:
        _drawn.clear()
    _drawn[place] = _Drawn(process.spans, first, states)
    return states


def _settled(before: _Drawn, spans: tuple[Spell, ...], first: int, columns: int, cell: int) -> list[str | None]:
    """What is left of the cells of last time: from the first one now on, as far as nothing that they show is new."""
    if first < before.first or not before.spans:
        return []
    # The last span was open, and how long a block lasts is known only when it has ended.
    last = len(before.spans) - 1
    begin = first * cell
    old = max(0, bisect_right(before.spans, begin, key=_start) - 1)
    new = max(0, bisect_right(spans, begin, key=_start) - 1)
    if old >= last or before.spans[old:last] != spans[new : new + last - old] or len(spans) <= new + last - old:
        return []
    # The span after those that are the same ends the last of them: it must still begin where it did.
    if spans[new + last - old].t != before.spans[last].t:
        return []
    whole = before.spans[last].t // cell - first
    return before.states[first - before.first :][: max(0, min(whole, columns))]


def _longest(spans: tuple[Spell, ...], first: int, columns: int, cell: int) -> list[str | None]:
    """For each cell the state that lasted longest in it; None where there was none."""
    begin, end = first * cell, (first + columns) * cell
    covered: list[dict[str, int]] = [{} for _ in range(columns)]
    brief = [0] * columns
    threshold = max(_SOON, 2 * cell)
    past = len(spans)
    for index in range(max(0, bisect_right(spans, begin, key=_start) - 1), past):
        span = spans[index]
        stop = spans[index + 1].t if index + 1 < past else end
        low = span.t if span.t > begin else begin
        high = stop if stop < end else end
        if low >= end:
            break
        if low >= high:
            continue
        name = span.state
        soon = name == "blocked" and stop - span.t < threshold
        # Time is cut at the cells' edges: the first part, whole cells, the last part, of which any may be missing.
        column, whole = (low - begin) // cell, (high - begin) // cell
        if column < whole and low > begin + column * cell:
            part = begin + (column + 1) * cell - low
            covered[column][name] = covered[column].get(name, 0) + part
            brief[column] += part * soon
            column += 1
            low += part
        for place in range(column, whole):
            covered[place] = {name: cell}
            brief[place] = cell * soon
        if column < whole:
            column, low = whole, begin + whole * cell
        if low < high:
            share = covered[column]
            share[name] = share.get(name, 0) + high - low
            brief[column] += (high - low) * soon
    states: list[str | None] = []
    for share, short in zip(covered, brief, strict=True):
        state = next(iter(share), None) if len(share) < 2 else max(share, key=share.__getitem__)
        states.append(BRIEFLY if state == "blocked" and 2 * short > share["blocked"] else state)
    return states


def _start(span: Spell) -> int:
    return span.t


def _marks(links: Sequence[Link], names: Sequence[str], grid: Grid) -> list[dict[int, str]]:
    """By gap (the first is behind the first lane) and column, what messages leave there on their way.

    A crossing in every gap between the two lanes where a message went straight over (╳: one each way); else a foot
    beside its sender's lane and a head beside its receiver's.
    """
    if len(names) < 2:
        return [{} for _ in names]
    place = (tuple(names), grid.cell)
    crossed = _crossed.get(place)
    links = tuple(links)
    over = _overlap(crossed.links, links, grid) if crossed is not None and crossed.first <= grid.first else None
    if crossed is None or over is None:
        crossed, over = _Crossed((), grid.first, [{} for _ in names]), 0
    under_way = next((at for at in range(over, len(links)) if links[at].received is None), len(links))
    places = {name: number for number, name in enumerate(names)}
    _cross(crossed.gaps, links[over:under_way], places, grid)
    if place not in _crossed and len(_crossed) >= _MOST_KEPT:
        _crossed.clear()
    kept = [{column: mark for column, mark in gap.items() if column >= grid.first} for gap in crossed.gaps]
    _crossed[place] = _Crossed(links[:under_way], grid.first, kept)
    gaps = [dict(gap) for gap in kept]
    _cross(gaps, links[under_way:], places, grid)
    first, beyond = grid.first, grid.first + grid.columns
    return [{column - first: mark for column, mark in gap.items() if first <= column < beyond} for gap in gaps]


@dataclass(frozen=True, slots=True)
class _Crossed:
    """What the messages that have arrived left in the gaps when these were drawn last.

    Attributes:
        links: The messages up to the first that was still under way.
        first: The number of the first column that was drawn; of those before it nothing is known.
        gaps: By gap and column, counted since time began, what is left there.
    """

    links: tuple[Link, ...]
    first: int
    gaps: list[dict[int, str]]


_crossed: dict[tuple[tuple[str, ...], int], _Crossed] = {}
"""By the names of the lanes and a cell's length."""


def _overlap(before: tuple[Link, ...], links: tuple[Link, ...], grid: Grid) -> int | None:
    """How many of the messages are those of before; None when others are among them, or one in sight was forgotten."""
    if not before:
        return 0
    gone = next((at for at, link in enumerate(before) if links and link is links[0]), None)
    if gone is None or before[gone:] != links[: len(before) - gone]:
        return None
    begin = grid.first * grid.cell
    if any(link.received is not None and link.received >= begin for link in before[:gone]):
        return None
    return len(before) - gone


def _cross(gaps: list[dict[int, str]], links: Sequence[Link], places: Mapping[str, int], grid: Grid) -> None:
    """Put what messages leave into the gaps, by columns counted since time began."""
    cell, begin = grid.cell, grid.first * grid.cell
    for link in links:
        if (link.sent if link.received is None else link.received) < begin:
            continue  # neither end is in sight
        here = places.get(link.sender)
        there = places.get(link.receiver) if link.receiver is not None else None
        if here is None:
            continue
        # Under way, nobody knows to whom: the foot stands on the side where there is a lane.
        down = there > here if there is not None else here + 1 < len(places)
        sent = link.sent // cell
        received = None if link.received is None or there is None else link.received // cell
        if received is not None and there is not None and received - sent <= 1:
            mark, other = ("╲", "╱") if down else ("╱", "╲")
            for marks in gaps[here:there] if down else gaps[there:here]:
                # Both ways in one cell: a question and its answer.
                marks[received] = "╳" if marks.get(received) in (other, "╳") else mark
            continue
        gaps[here if down else here - 1].setdefault(sent, "╵" if down else "╷")
        if received is not None and there is not None:
            gaps[there - 1 if down else there][received] = "╷" if down else "╵"


def link_marks(links: Sequence[Link], upper: str, lower: str, grid: Grid) -> dict[int, str]:
    """By column, what messages leave between the lanes of two processes."""
    return _marks(links, (upper, lower), grid)[0]


def put_marks(canvas: Canvas, marks: Mapping[int, str], x: int, y: int) -> None:
    """Draw the marks between two lanes."""
    canvas.cells(x, y, ((column, (mark, "link")) for column, mark in marks.items()))


def draw_axis(canvas: Canvas, view: View, x: int, y: int, columns: int, cell: int) -> None:
    """Draw the times under lanes of so many columns, each of which lasts `cell` nanoseconds."""
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
