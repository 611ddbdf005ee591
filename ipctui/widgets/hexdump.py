"""The hex dump: bytes with their offsets, in hexadecimal and as ASCII, what was just written between brackets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span

_MOST_ROWS = 512
"""Rows that are ever made: 8 KiB at sixteen a row."""

_TEXT = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in range(256))
_DIGITS = tuple(f"{byte:02x}" for byte in range(256))


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the bytes: where it begins, how long it is, what it is called, and how long ago it was written.

    Attributes:
        age: 0.0 just now: lit and bracketed; below 1.0 fading; None or more: as any other byte.
    """

    start: int
    size: int
    label: str = ""
    age: float | None = None

    @property
    def role(self) -> str:
        """The role of its bytes."""
        if self.age is None or self.age >= 1:
            return "text"
        return "fresh" if self.age < 0.5 else "message"


def hex_lines(data: bytes, width: int, ranges: Sequence[Range] = (), origin: int = 0, per_row: int = 0) -> list[Line]:
    """The dump in rows of 8, 16 or 32 bytes, as many as the width holds; rows alike are joined as hexdump(1) does.

    Args:
        ranges: What is lit or named; a range's name stands beside the row in which it begins.
        origin: The offset of the first byte, added to the numbers; ranges count from it as well.
    """
    room = max((len(found.label) for found in ranges), default=0)
    per_row = per_row or bytes_per_row(width, room)
    # Two blanks between the columns, one where names would not fit otherwise.
    tight = bool(room) and width < 9 + 4 * per_row + room
    ranges = [Range(found.start - origin, found.size, found.label, found.age) for found in ranges]
    lines: list[Line] = []
    start = 0
    while start < len(data):
        if len(lines) >= _MOST_ROWS:
            lines.append([(f"… {grouped(len(data) - start)} B", "dim")])
            break
        part = data[start : start + per_row]
        inside = [found for found in ranges if found.start < start + per_row and found.start + found.size > start]
        lines.append([*_row(part, start, origin, per_row, inside, tight)])
        start += per_row
        alike = 0 if inside else _alike(data, start, part, ranges)
        if alike > 1:
            lines.append([("*", "dim")])
            start += alike * per_row
    return lines


def _alike(data: bytes, start: int, part: bytes, ranges: Sequence[Range]) -> int:
    """How many rows from `start` on repeat the one before them and hold nothing lit or named; the last is shown."""
    end = min((found.start for found in ranges if found.start + found.size > start), default=len(data))
    count, size = 0, len(part)
    while start + size < len(data) and start + size <= end and data.startswith(part, start):
        start += size
        count += 1
    return count


def bytes_per_row(width: int, label: int = 0) -> int:
    """How many bytes a row of the dump has, with names of up to `label` cells beside it."""
    return next((size for size in (32, 16) if width >= 6 + 4 * size + (label + 1 if label else 4)), 8)


def _row(part: bytes, start: int, origin: int, per_row: int, inside: Sequence[Range], tight: bool) -> Iterator[Span]:
    offset = f"{start + origin:04x}"
    gap = "" if tight else " "
    if not any(found.role != "text" for found in inside):
        digits = " ".join(_DIGITS[byte] for byte in part)
        yield (offset + "  ", "dim")
        yield (f"{digits:<{per_row * 3}}{gap}", "text")
        yield (part.decode("latin-1").translate(_TEXT), "message")
    else:
        roles = _roles(start, len(part), inside)
        yield (offset + " ", "dim")
        yield ("[", "fresh") if roles[0] == "fresh" else (" ", "dim")
        yield from _runs(_lit(part, roles, per_row, gap))
    names = [found.label for found in inside if found.label and (found.start >= start or start == 0)]
    if names:
        yield (" " * (per_row - len(part)) + " " + gap + " ".join(names), "title")


def _roles(start: int, size: int, inside: Sequence[Range]) -> list[str]:
    roles = ["text"] * size
    # The youngest is drawn over those that it covers.
    for found in sorted(inside, key=lambda item: 2.0 if item.age is None else item.age, reverse=True):
        if found.role == "text":
            continue
        for place in range(max(found.start - start, 0), min(found.start + found.size - start, size)):
            roles[place] = found.role
    return roles


def _lit(part: bytes, roles: Sequence[str], per_row: int, gap: str) -> Iterator[Span]:
    """Digits and text in their roles; the fresh bytes stand between brackets, so that they are seen without colour."""
    lit = [role == "fresh" for role in roles]
    for place, byte in enumerate(part):
        begins = lit[place] and (place == 0 or not lit[place - 1])
        ends = place > 0 and lit[place - 1] and not lit[place]
        if place:
            yield ("[" if begins else "]" if ends else " ", "fresh" if begins or ends else "text")
        yield (_DIGITS[byte], roles[place])
    ends = lit[-1]
    yield (("]" if ends else " ") + " " * (3 * (per_row - len(part))) + gap, "fresh" if ends else "text")
    for place, byte in enumerate(part):
        yield (_TEXT[byte], "message" if roles[place] == "text" else roles[place])


def _runs(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans of one role in a row joined: a byte each would be four times the work for whoever draws them."""
    for role, run in groupby(spans, key=itemgetter(1)):
        yield ("".join(text for text, _ in run), role)
