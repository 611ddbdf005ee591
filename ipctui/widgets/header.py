"""A pane's first line: which mechanism and variant, live or paused and at what time, how fast, and what was lost."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.text import clock_face, grouped
from ipctui.widgets.canvas import Canvas, Span
from ipctui.widgets.view import View
from ipctui.widgets.words import word


def draw_header(canvas: Canvas, state: LabState, view: View) -> None:
    """Draw the line on the canvas's first row."""
    canvas.fill(0, 0, canvas.width, "bar")
    header = state.header
    name = f" {header.mechanism} · {header.variant}" if header is not None else " –"
    x = canvas.put(0, 0, name, "bar")
    if view.zoom:
        x = canvas.put(x, 0, f" › {word(view.language, view.zoom)}", "bar")
    text, role = _when(view)
    room = canvas.width - x - cell_len(text) - 4
    right = next((form for form in _notes(state, view) if cell_len(form) <= room), "")
    edge = canvas.width - cell_len(right)
    canvas.right(canvas.width, 0, right, "bar")
    middle = (canvas.width - cell_len(text)) // 2
    canvas.put(max(x + 2, min(middle, edge - cell_len(text) - 2)), 0, text, role)


def _notes(state: LabState, view: View) -> Iterator[str]:
    """What stands at the right edge, longest form first; a room sees the last keys there."""
    recording = "● REC " if view.recording else ""
    if view.lecture:
        yield f"{recording}{view.keys} "
        yield f"{recording}{view.keys.rpartition(' · ')[2]} "
        yield recording
        return
    speed, skipped = f"{_speed(state, view)} ", sum(state.lost.values())
    if skipped:
        # The counts go on being exact: what is missing is each of these calls by itself.
        for text in (
            f"{grouped(skipped)} {word(view.language, 'operations not shown, all counted')} · ",
            f"{grouped(skipped)} {word(view.language, 'not shown')} · ",
            f"{_short(skipped)} {word(view.language, 'not shown')} · ",
        ):
            yield f"{text}{speed}{recording}"
        yield f"{_short(skipped)} {word(view.language, 'not shown')} {recording}"
    yield f"{speed}{recording}"
    yield recording


def _short(count: int) -> str:
    """A count in five cells at most: 950, 12k, 3M."""
    for factor, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= factor:
            return f"{count // factor}{letter}"
    return str(count)


def _when(view: View) -> Span:
    """Live, paused and how long ago, or a replay; and at what time."""
    moment = view.moment
    if view.replay:
        shown = word(view.language, "REPLAY")
        if moment is None:
            return f"{shown} {clock_face(view.now)}", "title"
        if moment.playing:
            return f"▸ {shown} {clock_face(moment.t)}", "title"
        return f" ║ {shown} {fine_face(moment.t)} ", "paused"
    if moment is not None:
        return f" ║ {word(view.language, 'PAUSED')} {ago(moment.end - moment.t)} · {fine_face(moment.t)} ", "paused"
    if view.paused:
        return f" ║ {word(view.language, 'PAUSED')} {clock_face(view.now)} ", "paused"
    return f"● {word(view.language, 'LIVE')} {clock_face(view.now)}", "live"


def ago(nanoseconds: int) -> str:
    """How long before now: -3.2 s, -9:58."""
    tenths = max(nanoseconds, 0) // 100_000_000
    return f"-{tenths // 10}.{tenths % 10} s" if tenths < 600 else f"-{tenths // 600}:{tenths // 10 % 60:02d}"


def fine_face(nanoseconds: int) -> str:
    """A time since zero with its milliseconds: steps of single calls are that short."""
    return f"{clock_face(nanoseconds)}{max(nanoseconds, 0) // 1_000_000 % 100:02d}"


def _speed(state: LabState, view: View) -> str:
    rates = [process.settings.rate for process in state.processes.values() if _sends(process) and process.settings]
    if not rates:
        return ""
    # Whoever answers at once is flat out by nature: what sets the pace is the slowest of those that have one.
    paced = [rate for rate in rates if rate]
    return f"{min(paced):g} {word(view.language, 'msg/s')}" if paced else word(view.language, "flat out")


def _sends(process: ProcessState) -> bool:
    return process.counters is not None and process.counters.sent > 0
