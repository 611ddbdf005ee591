"""The circular buffer: its slots in order, with `in` and `out` under them and the slot that is kept empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.words import word

_WIDEST = 16
"""Cells that a slot's contents get at most."""
_FRAMED, _BARE = 4, 2
"""Lines that a row of slots takes with a frame, and without."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: its contents made fit to be seen ("" when empty), and what happened to it.

    Attributes:
        age: As of a hex dump's range: below 1.0 it was just written.
        lost: What was in it was overwritten before anybody took it.
    """

    text: str = ""
    full: bool = False
    age: float | None = None
    lost: bool = False

    @property
    def role(self) -> str:
        """The role of its contents."""
        if self.lost:
            return "error"
        if not self.full:
            return "dim"
        return "fresh" if self.age is not None and self.age < 0.5 else "message"


@dataclass(frozen=True, slots=True)
class Ring:
    """A circular buffer: its slots, the next one to fill (`in`) and the next one to take (`out`).

    Attributes:
        spare: The slot before `out` is kept empty: filled, it would make in == out, which means empty.
    """

    slots: tuple[Slot, ...]
    into: int
    out: int
    spare: bool = True

    @property
    def used(self) -> int:
        """How many slots hold something, by `in` and `out`."""
        return (self.into - self.out) % len(self.slots) if self.slots else 0

    @property
    def kept(self) -> int | None:
        """The slot that is kept empty."""
        return (self.out - 1) % len(self.slots) if self.spare and self.slots else None


def slot_lines(ring: Ring, width: int, height: int, language: str = "en") -> list[Line]:
    """The slots as framed cells, as bare cells, as one glyph each, or as a bar: the largest form that fits."""
    count = len(ring.slots)
    if not count:
        return [[(f"– {word(language, 'empty')}", "dim")]]
    numbers = figures(ring, language)
    for least, lines in ((4, _FRAMED), (2, _FRAMED), (2, _BARE)):
        per_row = min(count, (width - 1) // (least + 1))
        rows = -(-count // max(1, per_row))
        if per_row and rows * lines <= height:
            # Rows of one length: a ring of twelve in two rows is six and six.
            per_row = -(-count // rows)
            inner = min((width - 1) // per_row - 1, _WIDEST)
            draw = _framed if lines == _FRAMED else _bare
            # Off the frame of the box where there is room, for its bars are the slots' own.
            indent: Line = [(" ", "text")] if per_row * (inner + 1) + 1 < width else []
            drawn: list[Line] = [
                [*indent, *line] for start in range(0, count, per_row) for line in draw(ring, start, per_row, inner)
            ]
            return [*drawn, numbers] if len(drawn) < height else drawn
    rows = -(-count // width)
    if rows * 2 + 1 <= height or (rows == 1 and height >= 2):
        drawn = [line for start in range(0, count, width) for line in _tiny(ring, start, width)]
        return [*drawn, numbers][:height]
    return [numbers, _bar(ring, width)][:height]


def figures(ring: Ring, language: str = "en") -> list[Span]:
    """`in 5  out 2  3 of 7 slots`, with the word when it is full or empty."""
    room = len(ring.slots) - (1 if ring.spare else 0)
    digits = len(str(len(ring.slots) - 1))
    spans: list[Span] = [
        ("in ", "dim"),
        (f"{ring.into:>{digits}}", "number"),
        ("  out ", "dim"),
        (f"{ring.out:>{digits}}", "number"),
        (f"  {grouped(ring.used):>{digits}}", "number"),
        (f" {word(language, 'of')} {grouped(room)} {word(language, 'slots')}", "text"),
    ]
    if ring.used >= room:
        spans.append((f"  {word(language, 'FULL')}", "blocked"))
    elif not ring.used:
        spans.append((f"  {word(language, 'empty')}", "dim"))
    if ring.spare:
        spans.append((f"  ×× {word(language, 'kept empty')}", "dim"))
    return spans


def _framed(ring: Ring, start: int, per_row: int, inner: int) -> Iterable[Line]:
    """Frame with the slots' numbers, contents, frame with ▲ over `in` and `out`, their names."""
    places = range(start, min(start + per_row, len(ring.slots)))
    top: list[Span] = []
    middle: list[Span] = []
    bottom: list[Span] = []
    for place in places:
        first = place == start
        marked = place in (ring.into, ring.out)
        top.append((("┌" if first else "┬") + f"{place:─<{inner}}", "frame"))
        middle += [("│", "frame"), _cell(ring, place, inner)]
        bottom.append(("└" if first else "┴", "frame"))
        left = inner // 2
        bottom += [("─" * left, "frame"), ("▲" if marked else "─", "title" if marked else "frame")]
        bottom.append(("─" * (inner - left - 1), "frame"))
    yield [*top, ("┐", "frame")]
    yield [*middle, ("│", "frame")]
    yield [*bottom, ("┘", "frame")]
    yield _names(ring, places, inner + 1)


def _bare(ring: Ring, start: int, per_row: int, inner: int) -> Iterable[Line]:
    """Contents between bars, the names of `in` and `out` under them."""
    places = range(start, min(start + per_row, len(ring.slots)))
    cells: list[Span] = []
    for place in places:
        cells += [("│", "frame"), _cell(ring, place, inner)]
    yield [*cells, ("│", "frame")]
    yield _names(ring, places, inner + 1)


def _cell(ring: Ring, place: int, inner: int) -> Span:
    slot = ring.slots[place]
    if place == ring.kept and not slot.full:
        return ("××".center(inner), "dim")
    if not slot.full and not slot.lost:
        return (" " * inner, "dim")
    text = f"!{slot.text}" if slot.lost else slot.text
    gap = (inner - cell_len(text)) // 2
    return (padded(" " * gap + text if gap > 0 else text, inner), slot.role)


def _names(ring: Ring, places: Sequence[int], cell: int) -> Line:
    """`in` and `out` under the middle of their slots; one word where they meet."""
    wanted: dict[int, list[str]] = {}
    for name, place in (("out", ring.out), ("in", ring.into)):
        wanted.setdefault(place, []).append(name)
    text = ""
    width = len(places) * cell + 1
    for place, names in sorted(wanted.items()):
        if place not in places:
            continue
        name = "=".join(sorted(names))
        middle = (place - places[0]) * cell + 1 + (cell - 1) // 2
        at = min(middle - (len(name) - 1) // 2, width - len(name))
        if text and at <= len(text):
            # Two narrow neighbours: the second name goes straight behind the first.
            text += " " + name
        else:
            text += " " * (at - len(text)) + name
    return [(text, "title")]


def _tiny(ring: Ring, start: int, width: int) -> Iterable[Line]:
    """A glyph a slot: ▮ full, ▯ empty, × kept empty, ! lost; i and o under `in` and `out`, = where they meet."""
    places = range(start, min(start + width, len(ring.slots)))
    yield [_glyph(ring, place) for place in places]
    marks = [
        "=" if place == ring.into == ring.out else "i" if place == ring.into else "o" if place == ring.out else " "
        for place in places
    ]
    yield [("".join(marks), "title")]


def _glyph(ring: Ring, place: int) -> Span:
    slot = ring.slots[place]
    if slot.lost:
        return ("!", "error")
    if slot.full:
        return ("▮", "fresh" if slot.role == "fresh" else "fill")
    return ("×", "dim") if place == ring.kept else ("▯", "fill.empty")


def _bar(ring: Ring, width: int) -> Line:
    """The whole ring as one bar: each cell stands for several slots and is full when any of them is."""
    count = len(ring.slots)
    spans: list[Span] = []
    for column in range(width):
        part = ring.slots[column * count // width : max((column + 1) * count // width, column * count // width + 1)]
        spans.append(("█", "fill") if any(slot.full for slot in part) else ("░", "fill.empty"))
    return spans
