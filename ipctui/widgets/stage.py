"""The stage: the skeleton that every pane shares.

Who, through what, to whom; then when; then which code and which calls; then one sentence. A mechanism says what stands
between the processes (`Box`) and what the sentence is (`Stage.caption`); everything else is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Channel
from ipctui.widgets.bands import draw_cycle, draw_log_box, draw_program_box, offered
from ipctui.widgets.canvas import Canvas, Frame, Line, wrapped
from ipctui.widgets.card import draw_card, draw_roster
from ipctui.widgets.enlarged import draw_enlarged
from ipctui.widgets.header import draw_header
from ipctui.widgets.lanes import draw_lanes, lanes_height
from ipctui.widgets.lecture import draw_lecture
from ipctui.widgets.particles import said
from ipctui.widgets.view import Offer, Pane, View
from ipctui.widgets.words import counted, word

_CAPTION_LINES = 2
_LEAST_CARD = 26
"""Columns below which a card's words no longer fit."""
_LEAST_BOX = 58
"""Columns below which boxes of a wide stage stand one under another."""


@dataclass(frozen=True, slots=True)
class Box:
    """What stands between the processes: one object, or several that are drawn together.

    Attributes:
        title: Its name in the system.
        lines: The essential, in so many columns and lines, the most important first.
        contents: Everything, in so many columns; the lines are those in sight, more than these are scrolled.
        wish: The lines that the essential would like.
    """

    title: Line
    lines: Callable[[int, int], Sequence[Line]]
    contents: Callable[[int, int], Sequence[Line]]
    wish: int = 6


def _no_notes(state: LabState, process: ProcessState, language: str) -> Sequence[Line]:
    return ()


@dataclass(frozen=True, slots=True)
class Stage:
    """What a mechanism adds to the skeleton.

    Attributes:
        boxes: What stands between the processes now, in a steady order.
        caption: The sentence for a state, in a language.
        layout: "side" puts the boxes between two cards; "wide" under the cards, across the whole width.
        notes: Lines of the mechanism's own on a process's card, after its descriptors; in a language.
        below: The lines that the program and the calls have at least ("wide"), their frames counted.
    """

    boxes: Callable[[LabState, View], Sequence[Box]]
    caption: Callable[[LabState, str], str]
    layout: Literal["side", "wide"] = "side"
    notes: Callable[[LabState, ProcessState, str], Sequence[Line]] = _no_notes
    below: int = 5

    def draw(self, state: LabState, view: View, width: int, height: int) -> Frame:
        """Draw the pane; the same bands at every size, with more room at larger ones."""
        if view.lecture and not view.zoom:
            shown = [(box.title, box.lines) for box in self.boxes(state, view) or (_nothing(state, view),)]
            return draw_lecture(state, view, shown, said(self.caption, state, view.language), width, height)
        canvas = Canvas(width, height, view.ascii)
        draw_header(canvas, state, view)
        lines = wrapped(said(self.caption, state, view.language), width - 2, _CAPTION_LINES + 1)
        rows = max(_CAPTION_LINES, len(lines))
        body = height - 1 - rows
        boxes = self.boxes(state, view) or (_nothing(state, view),)
        if view.zoom:
            contents = [box.contents for box in boxes]
            draw_enlarged(canvas, state, view, 1, body, contents, self._notes_of(state, view))
        else:
            self._bands(canvas, state, view, boxes, 1, body)
        for row, line in enumerate(lines):
            canvas.put(1, height - rows + row, line, "caption")
        return canvas.frame()

    def pane(self, folder: Path, contents: str, *more: Offer) -> Pane:
        """The pane of a mechanism: its folder (for the lessons), what key 2 enlarges, and its own offers from 6 on."""
        return Pane(self.draw, (*parts(contents), *more), lessons(folder))

    def _notes_of(self, state: LabState, view: View) -> Callable[[ProcessState], Sequence[Line]]:
        return lambda process: self.notes(state, process, view.language)

    def _bands(self, canvas: Canvas, state: LabState, view: View, boxes: Sequence[Box], top: int, height: int) -> None:
        processes = list(state.processes.values())
        lanes = lanes_height(len(processes), max(4, height // 3))
        room = height - lanes
        notes = self._notes_of(state, view)
        rows = max((len(process.descriptors) + len(notes(process)) for process in processes), default=2)
        if self.layout == "wide":
            upper = _wide(canvas, processes, view, boxes, notes, rows, top, room, self.below)
        else:
            upper = _side(canvas, processes, view, boxes, notes, rows, top, room)
        draw_lanes(canvas, state, view, 1, top + upper, canvas.width - 2, lanes)
        draw_cycle(canvas, state, top + upper + (1 if len(processes) == 2 else lanes - 1))
        left = canvas.width // 2 if canvas.width >= 100 else canvas.width * 52 // 100
        below, lower = top + upper + lanes, room - upper
        draw_program_box(canvas, state, view, 0, below, left, lower)
        draw_log_box(canvas, state, view, left, below, canvas.width - left, lower)


def _side(
    canvas: Canvas,
    processes: list[ProcessState],
    view: View,
    boxes: Sequence[Box],
    notes: Callable[[ProcessState], Sequence[Line]],
    rows: int,
    top: int,
    room: int,
) -> int:
    """Card, boxes, card; of more than two processes the selected one's card and a roster. The lines taken."""
    wanted = max(rows + 9, sum(box.wish + 2 for box in boxes[:2]), len(processes) + 2)
    height = max(9, min(wanted, room * 6 // 10, room - 6))
    width = canvas.width
    side = max(_LEAST_CARD, (width - 28) // 2) if width < 110 else (width * 36) // 100
    if len(processes) == 2:
        left, right = processes
        draw_card(canvas, left, view, 0, top, side, height, notes(left))
        draw_card(canvas, right, view, width - side, top, side, height, notes(right))
    elif processes:
        chosen = _chosen(processes, view)
        draw_card(canvas, chosen, view, 0, top, side, height, notes(chosen))
        _roster(canvas, processes, view, width - side, top, side, height)
    _stacked(canvas, view, boxes, side, top, width - 2 * side, height)
    return height


def _wide(
    canvas: Canvas,
    processes: list[ProcessState],
    view: View,
    boxes: Sequence[Box],
    notes: Callable[[ProcessState], Sequence[Line]],
    rows: int,
    top: int,
    room: int,
    below: int,
) -> int:
    """Cards in a row, the boxes under them across the whole width. The lines taken."""
    columns = max(1, min(len(boxes), canvas.width // _LEAST_BOX))
    shown = -(-len(boxes) // columns)
    boxes_wanted = sum(max(box.wish for box in boxes[row * columns :][:columns]) + 2 for row in range(shown))
    cards_wanted = rows + 8
    upper = min(cards_wanted + boxes_wanted, room - max(below, room // 4))
    # However low the pane, the boxes keep two lines in their frame.
    cards = min(cards_wanted, max(upper - boxes_wanted, 5, upper * 2 // 5), max(4, upper - 4))
    width, count = canvas.width, len(processes)
    if count * _LEAST_CARD <= width:
        for place, process in enumerate(processes):
            left, right = place * width // count, (place + 1) * width // count
            draw_card(canvas, process, view, left, top, right - left, cards, notes(process))
    else:
        chosen = _chosen(processes, view)
        side = max(_LEAST_CARD, width * 36 // 100)
        draw_card(canvas, chosen, view, 0, top, side, cards, notes(chosen))
        _roster(canvas, processes, view, side, top, width - side, cards)
    for column in range(columns):
        left, right = column * width // columns, (column + 1) * width // columns
        _stacked(canvas, view, boxes[column::columns], left, top + cards, right - left, upper - cards)
    return upper


def _chosen(processes: list[ProcessState], view: View) -> ProcessState:
    return next((process for process in processes if process.name == view.selected), processes[0])


def _roster(
    canvas: Canvas, processes: list[ProcessState], view: View, x: int, top: int, width: int, height: int
) -> None:
    title = counted(view.language, len(processes), "processes" if len(processes) > 1 else "process")
    canvas.box(x, top, width, height, [(title, "title")])
    draw_roster(canvas, processes, view, x + 1, top + 1, width - 2, height - 2)


def _stacked(canvas: Canvas, view: View, boxes: Sequence[Box], x: int, top: int, width: int, height: int) -> None:
    """Boxes one under another; the frame of the last one tells how many have no room."""
    fitting = boxes[: max(1, height // 4)]
    share = height // len(fitting) if len(fitting) < len(boxes) else height // len(boxes)
    for index, box in enumerate(fitting):
        y = top + index * share
        rows = share if index < len(fitting) - 1 else height - index * share
        canvas.box(x, y, width, rows, box.title)
        canvas.lines(x + 1, y + 1, box.lines(width - 2, rows - 2), width - 2, rows - 2)
        canvas.hit(x, y, width, rows, offered("contents"))
    hidden = len(boxes) - len(fitting)
    if hidden:
        canvas.right(x + width - 1, top + height - 1, f" +{hidden} ", "warning")


def _nothing(state: LabState, view: View) -> Box:
    gone: list[Line] = [[(f" – {word(view.language, 'gone' if state.channels else 'none yet')}", "dim")]]
    name = state.header.mechanism if state.header is not None else "–"
    return Box([(name, "title")], lambda width, height: gone, lambda width, height: gone)


def living(state: LabState) -> list[Channel]:
    """The objects in order of appearance; those that are gone only while nothing has taken their place."""
    every = [held.now for held in state.channels.values()]
    return [channel for channel in every if not channel.closed] or every[-2:]


def parts(contents: str) -> tuple[Offer, ...]:
    """What every pane enlarges, on the keys 1 to 5; `contents` says what there is to see on 2."""
    return (
        Offer("1", "processes", "all process cards with all their rows", zoom="processes"),
        Offer("2", "contents", contents, zoom="contents"),
        Offer("3", "time", "the lanes, with the calls below", zoom="time"),
        Offer("4", "program", "the whole program; c shows it in C", zoom="program"),
        Offer("5", "calls", "the calls in full; / filters them", zoom="calls"),
    )


def lessons(folder: Path) -> Callable[[str], str]:
    """The lessons of a mechanism's folder, `lesson.LANGUAGE.md`, by language; English where there is no other."""

    def lesson(language: str) -> str:
        path = folder / f"lesson.{language}.md"
        return (path if path.exists() else folder / "lesson.en.md").read_text(encoding="utf-8")

    return lesson
