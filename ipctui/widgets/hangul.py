"""Large Hangul: syllables put together from their letters, eleven dots wide and twelve high, two dots to a row.

A syllable's parts follow from its code point (Unicode, chapter 3.12): initial, vowel and final. Only the letters that
the words of states need are drawn.
"""

from __future__ import annotations

from functools import cache

WIDTH, HEIGHT = 11, 12
ROWS = HEIGHT // 2
"""Terminal rows of a syllable."""

_FIRST = 0xAC00
_VOWELS, _FINALS = 21, 28
_INITIAL_LETTERS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWEL_LETTERS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINAL_LETTERS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"

_NARROW = {
    "ㄱ": ("#####", "....#", "....#", "...#.", "..#.."),
    "ㄷ": ("#####", "#....", "#....", "#....", "#####"),
    "ㄹ": ("#####", "....#", "#####", "#....", "#####"),
    "ㅂ": ("#...#", "#...#", "#####", "#...#", "#####"),
    "ㅅ": ("..#..", "..#..", "..#..", ".#.#.", "#...#"),
    "ㅇ": (".###.", "#...#", "#...#", "#...#", ".###."),
    "ㅈ": ("#####", "..#..", "..#..", ".#.#.", "#...#"),
    "ㅊ": ("..#..", "#####", "..#..", ".#.#.", "#...#"),
    "ㅎ": ("..#..", "#####", ".###.", "#...#", ".###."),
}
"""Letters beside an upright vowel, five by five; without a final one they are drawn taller."""
_WIDE = {
    "ㄱ": ("#########", "........#", "........#", "........#"),
    "ㄹ": ("#########", "........#", "#########", "#........", "#########"),
    "ㅁ": ("#########", "#.......#", "#.......#", "#.......#", "#########"),
    "ㅂ": ("#.......#", "#########", "#.......#", "#########"),
    "ㅇ": ("..#####..", ".#.....#.", ".#.....#.", "..#####.."),
    "ㅈ": ("#########", "....#....", "..##.##..", "##.....##"),
    "ㅌ": ("#########", "#........", "#########", "#........", "#########"),
}
"""Letters above a lying vowel, and finals: nine wide."""
_UPRIGHT = {
    "ㅏ": ((8,), 9),
    "ㅐ": ((7, 10), 8),
    "ㅓ": ((9,), 7),
    "ㅣ": ((9,), None),
    "ㅖ": ((7, 10), 6),
    "ㅚ": ((10,), None),
}
"""Upright vowels: the columns of their long strokes, and where the short one begins."""


def can_draw(word: str) -> bool:
    """Whether every syllable of a word can be drawn."""
    return bool(word.strip()) and all(char == " " or _dots(char) is not None for char in word)


def width_of(word: str, times: int = 1) -> int:
    """The cells that a word takes, each dot of it `times` cells wide."""
    return times * (sum(4 if char == " " else WIDTH + 1 for char in word) - 1)


def hangul_lines(word: str, times: int = 1) -> list[str]:
    """A word that can be drawn, in `ROWS` lines of half blocks; `times` as large."""
    rows = [
        "".join(
            "." * 4 if char == " " else f"{dots[row]}." for char in word for dots in (_dots(char) or [""] * HEIGHT,)
        )[:-1]
        for row in range(HEIGHT)
    ]
    rows = ["".join(dot * times for dot in row) for row in rows for _ in range(times)]
    return [
        "".join(" ▀▄█"[(upper == "#") + 2 * (lower == "#")] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]


@cache
def _dots(char: str) -> tuple[str, ...] | None:
    """A syllable's dots, a text for each row; None for what cannot be drawn."""
    place = ord(char) - _FIRST
    if not 0 <= place < len(_INITIAL_LETTERS) * _VOWELS * _FINALS:
        return None
    initial = _INITIAL_LETTERS[place // (_VOWELS * _FINALS)]
    vowel = _VOWEL_LETTERS[place // _FINALS % _VOWELS]
    final = _FINAL_LETTERS[place % _FINALS].strip()
    grid = [["."] * WIDTH for _ in range(HEIGHT)]
    if final and final not in _WIDE:
        return None
    drawn = _beside(grid, initial, vowel, bool(final)) if vowel in _UPRIGHT else _above(grid, initial, vowel, final)
    if final:
        letter = _WIDE[final]
        _put(grid, letter, 1, HEIGHT - len(letter))
    return tuple("".join(row) for row in grid) if drawn else None


def _beside(grid: list[list[str]], initial: str, vowel: str, final: bool) -> bool:
    if initial not in _NARROW:
        return False
    height = 6 if final else HEIGHT
    letter: tuple[str, ...] = _NARROW[initial]
    if not final:
        # Taller by the rows between the strokes that lie, for the room that a final letter leaves.
        letter = tuple(row for row in letter for _ in range(1 if row == "#####" else 2))
    if vowel == "ㅚ":
        letter = (*letter[:1], letter[1], letter[-1])
    _put(grid, letter, 0, 0 if final else (HEIGHT - len(letter)) // 2)
    columns, tick = _UPRIGHT[vowel]
    for column in columns:
        for row in range(height):
            grid[row][column] = "#"
    if tick is not None:
        rows = (height // 2 - 1,) if vowel != "ㅖ" else (height // 2 - 2, height // 2 + 1)
        for row in rows:
            for column in range(tick, max(columns) if tick < max(columns) else tick + 2):
                grid[row][min(column, WIDTH - 1)] = "#"
    if vowel == "ㅚ":
        grid[4][3] = "#"
        _put(grid, ("########",), 0, 5)
    return True


def _above(grid: list[list[str]], initial: str, vowel: str, final: str) -> bool:
    if initial not in _WIDE:
        return False
    letter = _WIDE[initial]
    _put(grid, letter, 1, 0)
    under = len(letter)
    bar = "#" * WIDTH
    match vowel:
        case "ㅡ":
            _put(grid, (bar,), 0, under + (1 if final != "ㄹ" or under < 5 else 0))
        case "ㅗ":
            _put(grid, (".....#", bar), 0, under)
        case "ㅜ":
            _put(grid, (bar, ".....#"), 0, under + 1)
        case "ㅛ":
            _put(grid, ("...#...#", "...#...#", "...#...#", bar), 0, under + 1)
        case _:
            return False
    return True


def _put(grid: list[list[str]], rows: tuple[str, ...], x: int, y: int) -> None:
    for down, row in enumerate(rows):
        for across, dot in enumerate(row):
            if dot == "#":
                grid[y + down][x + across] = "#"
