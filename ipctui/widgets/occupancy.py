"""Occupancy over time: how full several channels were, column by column, all of them on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.widgets.canvas import Canvas, padded
from ipctui.widgets.lanes import Grid, draw_axis
from ipctui.widgets.meter import nice
from ipctui.widgets.view import View

_SCALE = 7
"""Columns for the figures of the scale."""
_LEAST = 5
"""A scale that moved with every message would tell nothing."""


@dataclass(frozen=True, slots=True)
class Track:
    """One channel's fill: its name, the glyph and role it is drawn with, and (t, used) in order of time."""

    name: str
    glyph: str
    role: str
    fill: Sequence[tuple[int, int]]


def levels(track: Track, grid: Grid) -> list[int | None]:
    """The most that was in the channel in each column; None before anything was measured.

    A measure holds until the next one: only changes are told.
    """
    shown: list[int | None] = [None] * grid.columns
    latest: int | None = None
    place = 0
    for column in range(grid.columns):
        end = (grid.first + column + 1) * grid.cell
        most = latest
        while place < len(track.fill) and track.fill[place][0] < end:
            latest = track.fill[place][1]
            within = track.fill[place][0] >= end - grid.cell
            most = max(latest, most or 0) if within and most is not None else latest
            place += 1
        shown[column] = most
    return shown


def draw_occupancy(
    canvas: Canvas, tracks: Sequence[Track], view: View, x: int, y: int, width: int, height: int
) -> None:
    """Draw the tracks as steps over each other, the scale at the left, their names above, the time below.

    Where two are equally full the one named first is seen: it is drawn last.
    """
    grid = Grid.of(view, width - _SCALE)
    rows = height - 2
    every = [levels(track, grid) for track in tracks]
    most = int(nice(max((level or 0 for shown in every for level in shown), default=0)))
    most = max(most, _LEAST)
    place = x + _SCALE
    for track, shown in zip(tracks, every, strict=True):
        now = next((level for level in reversed(shown) if level is not None), None)
        place = canvas.put(place, y, f"{track.glyph} {track.name} ", track.role)
        place = canvas.put(place, y, padded("–" if now is None else f"{now:,}", 9), "number")
    for figure, row in {most: 0, most // 2: rows // 2, 0: rows - 1}.items():
        text = f"{figure:,} "
        canvas.put(x + _SCALE - cell_len(text), y + 1 + row, text, "axis")
    for track, shown in reversed(list(zip(tracks, every, strict=True))):
        _draw(canvas, track, shown, x + _SCALE, y + 1, rows, most)
    draw_axis(canvas, view, x + _SCALE, y + 1 + rows, grid.columns, grid.cell)


def _draw(canvas: Canvas, track: Track, shown: Sequence[int | None], x: int, y: int, rows: int, most: int) -> None:
    for column, level in enumerate(shown):
        if level is not None:
            canvas.put(x + column, y + _row(level, rows, most), track.glyph, track.role)


def _row(level: int, rows: int, most: int) -> int:
    """The line of a level: the lowest for nothing alone, the highest for the most."""
    if not level:
        return rows - 1
    return max(0, rows - 2 - (level - 1) * (rows - 1) // max(most, 1))
