"""The pane of buffering: the three channels side by side, and how full they were, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ipctui.lab.state import LabState
from ipctui.mechanisms.buffering.caption import caption
from ipctui.mechanisms.sync.pane import CELL, boxes, cell_of, chosen, hold_offer, speed_offer
from ipctui.mechanisms.sync.words import channel_of, said, size_text
from ipctui.widgets.canvas import Canvas, Frame, wrapped
from ipctui.widgets.cells import LEAST_HEIGHT, Cell, draw_cells, states_of
from ipctui.widgets.header import draw_header
from ipctui.widgets.occupancy import Track, draw_occupancy
from ipctui.widgets.stage import Stage, lessons, parts
from ipctui.widgets.view import Pane, View

_CAPTION_LINES = 2
_LEAST_CHART = 7
_GLYPHS = {"zero": ("○", "running"), "bounded": ("■", "blocked"), "unbounded": ("▲", "warning")}
_HEADLINES = {"zero": "zero: no buffering", "bounded": "bounded, n = {}", "unbounded": "unbounded"}
_ABOUTS = {"zero": "each waits", "bounded": "waits when n are in", "unbounded": "no wait, up to {}"}


def draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """The cells above, their occupancy below; the selected cell alone when it is enlarged, and in a lecture."""
    if view.zoom == "cell" or (view.lecture and not view.zoom):
        shown = states_of(state).get(chosen(state, view), state) if state.processes else state
        return _STAGE.draw(shown, replace(view, zoom=""), width, height)
    if view.zoom:
        return _STAGE.draw(state, view, width, height)
    canvas = Canvas(width, height, view.ascii)
    draw_header(canvas, state, view)
    lines = wrapped(caption(state, view.language), width - 2, _CAPTION_LINES + 1)
    rows = max(_CAPTION_LINES, len(lines))
    body = height - 1 - rows
    upper = max(LEAST_HEIGHT + 1, min(body // 2, body - _LEAST_CHART))
    draw_cells(canvas, cells(state, view), view, 1, upper, len(_GLYPHS), _HINTS)
    draw_occupancy(canvas, tracks(state, view), view, 0, 1 + upper, width - 1, body - upper)
    for row, line in enumerate(lines):
        canvas.put(1, height - rows + row, line, "caption")
    return canvas.frame()


def cells(state: LabState, view: View) -> list[Cell]:
    """The three channels, in the words of this pane."""
    found = []
    for name, own in states_of(state).items():
        if len(own.processes) < 2 or name not in _HEADLINES:
            continue
        channel = channel_of(state, name)
        capacity = channel.capacity if channel is not None else None
        limit = size_text(channel.facts.get("limit_bytes")) if channel is not None else "?"
        language = view.language
        loud = said(language, "RENDEZVOUS") if name == "zero" else ""
        headline = said(language, _HEADLINES[name].format("?" if capacity is None else capacity))
        found.append(cell_of(own, view, name, headline, loud, said(language, _ABOUTS[name].format(limit))))
    return found


def tracks(state: LabState, view: View) -> Sequence[Track]:
    """How full each channel was: of zero capacity what stood offered, of the others what lay in them."""
    fills = {held.now.cell: held.fill for held in state.channels.values() if not held.now.closed}
    return [Track(name, glyph, role, fills.get(name, ())) for name, (glyph, role) in _GLYPHS.items()]


_STAGE = Stage(boxes, caption)

_HINTS = (
    (("8", "faster"), ("9", "slower")),
    (("6", "hold producers"),),
    (("7", "hold consumers"),),
)

PANE = Pane(
    draw,
    (
        CELL,
        *parts("what is in every channel")[1:],
        hold_offer("6", "producer"),
        hold_offer("7", "consumer"),
        speed_offer("8", "faster", "producer"),
        speed_offer("9", "slower", "producer"),
    ),
    lessons(Path(__file__).parent),
)
