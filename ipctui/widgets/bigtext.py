"""Large letters for the back row of a room: a state's word five rows tall or more, or a banner where it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.widgets.hangul import ROWS, can_draw, hangul_lines, width_of

_LETTERS = {
    "A": (".##.", "#..#", "####", "#..#", "#..#"),
    "B": ("###.", "#..#", "###.", "#..#", "###."),
    "C": (".###", "#...", "#...", "#...", ".###"),
    "D": ("###.", "#..#", "#..#", "#..#", "###."),
    "E": ("####", "#...", "###.", "#...", "####"),
    "G": (".###", "#...", "#.##", "#..#", ".###"),
    "H": ("#..#", "#..#", "####", "#..#", "#..#"),
    "I": ("####", ".##.", ".##.", ".##.", "####"),
    "K": ("#..#", "#.#.", "##..", "#.#.", "#..#"),
    "L": ("#...", "#...", "#...", "#...", "####"),
    "N": ("#..#", "##.#", "#.##", "#..#", "#..#"),
    "O": (".##.", "#..#", "#..#", "#..#", ".##."),
    "P": ("###.", "#..#", "###.", "#...", "#..."),
    "R": ("###.", "#..#", "###.", "#.#.", "#..#"),
    "S": (".###", "#...", ".##.", "...#", "###."),
    "T": ("####", ".##.", ".##.", ".##.", ".##."),
    "U": ("#..#", "#..#", "#..#", "#..#", ".##."),
    "W": ("#..#", "#..#", "####", "####", "#..#"),
    "X": ("#..#", "#..#", ".##.", "#..#", "#..#"),
    " ": ("..", "..", "..", "..", ".."),
}
"""Four columns and five rows for each letter that a state's word has."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large letters are drawn: the cells of each of four columns and five rows, and between two letters."""

    across: tuple[int, int, int, int]
    down: tuple[int, int, int, int, int]
    gap: int
    times: int = 1
    """How many cells a dot of Hangul is wide; it is half as high."""

    @property
    def rows(self) -> int:
        """Rows of a word in Latin letters."""
        return sum(self.down)


SMALL = Size((1, 1, 1, 1), (1, 1, 1, 1, 1), 1)
LARGE = Size((2, 1, 1, 2), (1, 2, 1, 2, 1), 2)
HUGE = Size((3, 2, 2, 3), (2, 3, 2, 3, 2), 2, 2)


def rows_of(word: str, size: Size) -> int:
    """The rows that a word may take in a size."""
    return ROWS * size.times if can_draw(word) else size.rows


def big_lines(word: str, width: int, size: Size = SMALL, ink: str = "█", glyph: str = "■") -> list[str]:
    """A word in large letters, at most `width` cells; a banner of its glyph where it has others or is too long.

    Args:
        size: As large as that where the width allows, else small.
        ink: What the letters are made of; `glyph` is what a banner's frame is made of.
    """
    text = word.upper()
    if all(letter in _LETTERS for letter in text):
        for form in (size, Size(SMALL.across, size.down, SMALL.gap)):
            lines = _letters(text, form, ink)
            if len(lines[0]) <= width:
                return lines
    # A Korean word without its blanks is the same word; failing that its last part is the telling one.
    for times in dict.fromkeys((size.times, 1)):
        for shown in (word, word.replace(" ", ""), word.rpartition(" ")[2]):
            if can_draw(shown) and width_of(shown, times) <= width:
                return hangul_lines(shown, times)
    return _banner(word, width, size.rows, glyph)


def _letters(text: str, size: Size, ink: str) -> list[str]:
    lines: list[str] = []
    for row, times in enumerate(size.down):
        line = (" " * size.gap).join(_stretched(_LETTERS[letter][row], size.across) for letter in text)
        lines += [line.replace("#", ink).replace(".", " ")] * times
    return lines


def _stretched(row: str, across: Sequence[int]) -> str:
    return "".join(dot * times for dot, times in zip(row, across, strict=False))


def _banner(word: str, width: int, rows: int, glyph: str) -> list[str]:
    spaced = " ".join(word)
    inside = f"   {spaced if cell_len(spaced) + 10 <= width else word}   "
    across = max(0, min(width, cell_len(inside) + 8))
    side = max(0, (across - cell_len(inside)) // 2)
    across = cell_len(inside) + 2 * side
    blank = glyph * side + " " * cell_len(inside) + glyph * side
    middle = glyph * side + inside + glyph * side
    between = (rows - 3) // 2
    return [glyph * across, *[blank] * between, middle, *[blank] * (rows - 3 - between), glyph * across]


def widest(lines: Sequence[str]) -> int:
    """The cells that lines take."""
    return max((cell_len(line) for line in lines), default=0)
