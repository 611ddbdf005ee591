"""The canvas: cells that text with a role is put into, and the frame of rows that comes of it.

A role says what a text is (`blocked`, `code.current`, …); a theme says how that looks. Widths are terminal cells:
a Hangul syllable or an emoji takes two, and is left out whole where only one is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, get_character_cell_size

from ipctui.trace.text import visible

Span = tuple[str, str]
"""A text and its role."""

Row = tuple[Span, ...]
"""One line of the screen, exactly as wide as its frame."""

Line = Sequence[Span]
"""What a drawing part makes: a line of texts with roles, of any width; whoever places it cuts it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A part of the frame that answers a click: with an action's id, or `select:ROLE`."""

    x: int
    y: int
    width: int
    height: int
    action: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a pane: `height` rows of `width` cells, and what can be clicked."""

    width: int
    height: int
    rows: tuple[Row, ...]
    hits: tuple[Hit, ...] = ()

    def text(self) -> str:
        """The frame without its roles."""
        return "\n".join("".join(text for text, _ in row).rstrip() for row in self.rows)


_UNICODE_BOX = "┌─┐│└┘"
_HEAVY_BOX = "┏━┓┃┗┛"
_ASCII_BOX = "+-+|++"
_ASCII_HEAVY = "#=##=#"
_ASCII = str.maketrans(
    {
        "■": "#",
        "━": "-",
        "·": ".",
        "‖": "|",
        "→": ">",
        "∅": "0",
        "●": "*",
        "╲": "\\",
        "│": "|",
        "─": "-",
        "✝": "x",
        "▸": ">",
        "◂": "<",
        "█": "#",
        "░": ".",
        "▒": "%",
        "▮": "#",
        "▯": ".",
        "…": "~",
        "×": "x",
        "←": "<",
        "▲": "^",
        "▼": "v",
        "↻": "@",
        "┃": "|",
        "↔": "=",
        "µ": "u",
        "╱": "/",
        "╳": "X",
        "✓": "v",
        "•": "*",
        "║": "=",
        "“": '"',
        "”": '"',
        "╵": "'",
        "╷": ",",
        "›": ">",
        "–": "-",
        "↑": "^",
        "↓": "v",
        "▪": ":",
        "▫": "o",
        "○": "o",
        "◇": "o",
        "★": "*",
        "╌": "-",
        "▶": ">",
        "◀": "<",
    }
    | dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛", "+")
)


class Canvas:
    """A grid of cells to draw on.

    Args:
        ascii: Draw with ASCII alone: known glyphs have stand-ins, what has none becomes "?".
    """

    def __init__(self, width: int, height: int, ascii: bool = False) -> None:
        self.width = width
        self.height = height
        self.ascii = ascii
        # Characters and roles in lists of their own: both are then filled without a step of Python's a cell.
        self._chars = [[" "] * width for _ in range(height)]
        self._roles = [["text"] * width for _ in range(height)]
        self._hits: list[Hit] = []

    def put(self, x: int, y: int, text: str, role: str = "text", width: int | None = None) -> int:
        """Put text at a cell, cut at the canvas's edge or after `width` cells (then with an ellipsis); the next x."""
        if not 0 <= y < self.height:
            return x
        if not text.isprintable():
            # Whatever a part was given: nothing that a terminal would obey gets past this line.
            text = visible(text)
        limit = self.width if width is None else min(self.width, x + width)
        if x >= 0 and (text.isascii() or (not self.ascii and _all_single(text))):
            # Most text is like this: every character one cell.
            room = limit - x
            if len(text) > room:
                text = text[: room - 1] + ("~" if self.ascii else "…") if room > 0 else ""
            end = x + len(text)
            self._chars[y][x:end] = text
            self._roles[y][x:end] = [role] * len(text)
            return end
        if cell_len(text) > limit - x:
            text = cut(text, limit - x)
        chars, roles = self._chars[y], self._roles[y]
        for char in self._plain(text):
            size = get_character_cell_size(char)
            if size == 0:
                continue
            if x + size > limit:
                break
            if x >= 0:
                chars[x], roles[x] = char, role
                if size == 2:
                    chars[x + 1], roles[x + 1] = "", role
            x += size
        return x

    def cells(self, x: int, y: int, cells: Iterable[tuple[int, Span]]) -> None:
        """Put glyphs of one cell each, with their roles, so many columns right of x."""
        if not 0 <= y < self.height:
            return
        chars, roles = self._chars[y], self._roles[y]
        for column, (glyph, role) in cells:
            if 0 <= x + column < self.width:
                chars[x + column], roles[x + column] = self._plain(glyph) if self.ascii else glyph, role

    def spans(self, x: int, y: int, spans: Sequence[Span], width: int | None = None) -> int:
        """Put several spans one after another; the next x."""
        limit = self.width if width is None else min(self.width, x + width)
        for text, role in spans:
            x = self.put(x, y, text, role, limit - x)
        return x

    def lines(self, x: int, y: int, lines: Iterable[Line], width: int, height: int) -> None:
        """Put lines one under another, as many as `height` allows."""
        for row, line in zip(range(height), lines, strict=False):
            self.spans(x, y + row, line, width)

    def right(self, x: int, y: int, text: str, role: str = "text") -> None:
        """Put text so that it ends before the cell x."""
        self.put(x - cell_len(text), y, text, role)

    def fill(self, x: int, y: int, width: int, role: str, char: str = " ") -> None:
        """Fill part of a row."""
        self.put(x, y, char * width, role)

    def box(self, x: int, y: int, width: int, height: int, title: Sequence[Span] = (), selected: bool = False) -> None:
        """Draw a frame with a title in its upper edge; a selected one is heavy and of a role of its own."""
        if width < 2 or height < 2:
            return
        glyphs = (
            (_ASCII_HEAVY if selected else _ASCII_BOX) if self.ascii else (_HEAVY_BOX if selected else _UNICODE_BOX)
        )
        upper_left, across, upper_right, down, lower_left, lower_right = tuple(glyphs)
        role = "frame.selected" if selected else "frame"
        self.put(x, y, upper_left + across * (width - 2) + upper_right, role)
        for column in (x, x + width - 1):
            if 0 <= column < self.width:
                for line in range(max(y + 1, 0), min(y + height - 1, self.height)):
                    self._chars[line][column], self._roles[line][column] = down, role
        self.put(x, y + height - 1, lower_left + across * (width - 2) + lower_right, role)
        if title:
            self.spans(x + 1, y, [(" ", role), *title, (" ", role)], width - 2)

    def hit(self, x: int, y: int, width: int, height: int, action: str) -> None:
        """Let a part of the canvas answer clicks."""
        self._hits.append(Hit(x, y, width, height, action))

    def frame(self) -> Frame:
        """What was drawn, cells of one role joined."""
        rows = tuple(map(_joined, self._chars, self._roles))
        return Frame(self.width, self.height, rows, tuple(self._hits))

    def _plain(self, text: str) -> str:
        if not self.ascii:
            return text
        return "".join(char if char.isascii() else "?" * cell_len(char) for char in text.translate(_ASCII))


@lru_cache(2048)
def _all_single(text: str) -> bool:
    return all(get_character_cell_size(char) == 1 for char in text)


@lru_cache(4096)
def cut(text: str, width: int) -> str:
    """Text cut to `width` cells, with an ellipsis where anything is missing."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    if text.isascii() and text.isprintable():
        return text[: width - 1] + "…"
    kept, used = [], 0
    for char in text:
        size = get_character_cell_size(char)
        if used + size > width - 1:
            break
        kept.append(char)
        used += size
    return "".join(kept) + "…"


def width_of(line: Line) -> int:
    """The cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def padded(text: str, width: int) -> str:
    """Text in exactly `width` cells: filled up with blanks, or cut with an ellipsis."""
    text = cut(text, width)
    return text + " " * (width - cell_len(text))


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Text in at most `most` lines of `width` cells, broken at spaces; the last line is cut if need be."""
    lines: list[str] = []
    line = ""
    words = text.split()
    for index, word in enumerate(words):
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
            continue
        if len(lines) == most - 1:
            return [*lines, cut(" ".join([line, *words[index:]]).strip(), width)]
        if line:
            lines.append(line)
        line = word
    return [*lines, cut(line, width)] if line else lines


def _joined(chars: Sequence[str], roles: Sequence[str]) -> Row:
    if not chars:
        return (("", "text"),)
    row: list[Span] = []
    start = 0
    for role, run in groupby(roles):
        end = start + len(list(run))
        row.append(("".join(chars[start:end]), role))
        start = end
    return tuple(row)
