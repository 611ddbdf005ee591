"""The pane of the four cells: all of them at once, or the selected one with all its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.sync.caption import caption
from ipctui.mechanisms.sync.counts import died, shorts, sums
from ipctui.mechanisms.sync.words import (
    carrier_of,
    channel_lines,
    channel_of,
    count_lines,
    definition,
    detail_lines,
    filled,
    is_nonblocking,
    said,
    title,
)
from ipctui.trace.records import Channel
from ipctui.widgets.canvas import Canvas, Frame, Line, wrapped
from ipctui.widgets.cells import Cell, draw_cells, in_cells, states_of
from ipctui.widgets.header import draw_header
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.stage import Box, Stage, lessons, parts
from ipctui.widgets.view import Offer, Pane, View

_CAPTION_LINES = 2
_RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """All cells; the selected cell alone when it is enlarged, and in a lecture; another part on the common stage."""
    if view.zoom == "cell" or (view.lecture and not view.zoom):
        shown = states_of(state).get(chosen(state, view), state) if state.processes else state
        return _STAGE.draw(shown, replace(view, zoom=""), width, height)
    if view.zoom:
        return _STAGE.draw(state, view, width, height)
    canvas = Canvas(width, height, view.ascii)
    draw_header(canvas, state, view)
    lines = wrapped(caption(state, view.language), width - 2, _CAPTION_LINES + 1)
    rows = max(_CAPTION_LINES, len(lines))
    draw_cells(canvas, cells(state, view), view, 1, height - 1 - rows, 2, _HINTS)
    for row, line in enumerate(lines):
        canvas.put(1, height - rows + row, line, "caption")
    return canvas.frame()


def chosen(state: LabState, view: View) -> str:
    """The cell that the selected process is in."""
    process = state.processes.get(view.selected) or next(iter(state.processes.values()))
    return process.cell or ""


def cells(state: LabState, view: View) -> list[Cell]:
    """The cells as they are now, in the words of this pane."""
    found = []
    for name, own in states_of(state).items():
        own = with_receiver(own)
        sender, receiver, *_ = own.processes.values()
        carrier = carrier_of(state, name)
        meets = carrier == "zero" and not is_nonblocking(sender) and not is_nonblocking(receiver)
        found.append(
            cell_of(
                own,
                view,
                name,
                title(sender, receiver, view.language),
                said(view.language, "RENDEZVOUS") if meets else "",
                definition(carrier, sender, receiver, view.language),
            )
        )
    return found


def with_receiver(own: LabState) -> LabState:
    """A cell's state, its receiver not started where its sender has yet to fork it."""
    (sender, *others) = own.processes.values()
    if others:
        return own
    unborn = ProcessState("receiver", 0, cell=sender.cell)
    return replace(own, processes={**own.processes, unborn.name: unborn})


def cell_of(own: LabState, view: View, name: str, headline: str, loud: str, about: str) -> Cell:
    """A cell, of whose own state this is, with its processes and messages; the words are the pane's."""
    sender, receiver, *_ = own.processes.values()
    sent, received = (sums(own.facts, process.name) for process in (sender, receiver))
    lost = died(own.facts, sender.name, sender.pid if sender.exited is None else None)
    return Cell(
        name,
        headline,
        loud,
        about,
        sender,
        receiver,
        own.links,
        carrier_of(own, name) == "zero",
        partial(channel_lines, filled(channel_of(own, name), own.links), view.language),
        partial(count_lines, sent, received, shorts(own.facts, name), view.language, died=lost),
        own,
    )


def boxes(state: LabState, view: View) -> Sequence[Box]:
    """The cells' channels, a box each."""
    return [
        Box(
            [(f"{name} ", "title"), (channel.object, "dim")],
            partial(_lines, state, view, name, channel),
            partial(_contents, state, view, name, channel),
            wish=6,
        )
        for name in in_cells(state)
        if (channel := channel_of(state, name)) is not None
    ]


def _lines(state: LabState, view: View, name: str, channel: Channel, width: int, height: int) -> Sequence[Line]:
    sender, receiver = in_cells(state)[name][:2]
    sent, received = (sums(state.facts, process.name) for process in (sender, receiver))
    lost = died(state.facts, sender.name, sender.pid if sender.exited is None else None)
    counts = count_lines(sent, received, shorts(state.facts, name), view.language, width, lost)
    known = filled(channel, states_of(state)[name].links)
    return [*channel_lines(known, view.language, width, max(1, height - len(counts))), *counts][:height]


def _contents(state: LabState, view: View, name: str, channel: Channel, width: int, height: int) -> Sequence[Line]:
    head: Line = [(f"{name} ", "title"), (channel.object, "dim")]
    detail = detail_lines(channel, view.language)
    dump = hex_lines(bytes.fromhex(channel.head), width)
    room = max(4, height - 1 - len(detail) - len(dump))
    return [head, *detail, *_lines(state, view, name, channel, width, room), *dump]


_STAGE = Stage(boxes, caption)


def hold_offer(number: str, role: str) -> Offer:
    """A key that holds a role in every cell, and releases it when all are held."""

    def command(state: LabState, view: View) -> str:
        held = [
            process.settings.held
            for process in state.processes.values()
            if process.role == role and process.exited is None and process.settings is not None
        ]
        return f"{'release' if held and all(held) else 'hold'} {role}" if held else ""

    return Offer(number, f"hold {role}s", f"hold every {role}, or release them all", "", command)


def speed_offer(number: str, step: str, role: str = "") -> Offer:
    """A key that makes a role faster or slower in every cell: the one named, or the selected process's."""

    def command(state: LabState, view: View) -> str:
        chosen = [process for process in state.processes.values() if role in (process.role, "")]
        process = state.processes.get(view.selected) if not role else next(iter(chosen), None)
        if process is None or process.settings is None:
            return ""
        rate = next_rate(process.settings.rate, step == "faster")
        return "" if rate is None else f"rate {process.role} {rate}"

    whose = f"every {role}" if role else "every process of the selected one's role"
    return Offer(number, f"{role}s {step}" if role else f"all {step}", f"{whose} {step}, in all cells", "", command)


def next_rate(rate: float, up: bool) -> int | None:
    """The next rate up or down, flat out (0) beyond the last; None where there is none."""
    if up:
        return None if not rate else next((step for step in _RATES if step > rate), 0)
    below = [step for step in _RATES if not rate or step < rate]
    return below[-1] if below else None


CELL = Offer("1", "cell", "the selected process's cell with all its parts", zoom="cell")

_HINTS = (
    (("6", "hold senders"), ("7", "receivers")),
    (("8", "faster"), ("9", "slower"), ("1", "this cell")),
)
_KEYS = (
    hold_offer("6", "sender"),
    hold_offer("7", "receiver"),
    speed_offer("8", "faster"),
    speed_offer("9", "slower"),
)

PANE = Pane(
    draw,
    (CELL, *parts("what is in every cell's channel")[1:], *_KEYS),
    lessons(Path(__file__).parent),
)
