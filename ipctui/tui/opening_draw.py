"""The opening screen as one frame: the two models with their figures, and below them the mechanisms as tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.lab.pairs import Measured, Models, Sample
from ipctui.tui.footer import SMALLEST, too_small
from ipctui.tui.opening_words import said, verdict
from ipctui.tui.tiles import INSIDE, Tile
from ipctui.widgets.canvas import Canvas, Frame, Line, Row, Span, cut, padded, wrapped
from ipctui.widgets.language import in_language
from ipctui.widgets.meter import nice
from ipctui.widgets.view import View

_TILE_WIDTH, _TILE_HEIGHT = INSIDE[0] + 4, INSIDE[1] + 2
_MODELS = 6
"""Lines of the two models' boxes: two ways each, two lines a way."""
_SIDES = (("shared memory", ("spin", "semaphores")), ("message passing", ("pipe", "mailbox")))
_NAME = 11


@dataclass(frozen=True, slots=True)
class Opening:
    """What is to be drawn.

    Attributes:
        tiles: Those that the filter leaves, in their order; `of` is how many there are in all.
        selected: The place of the chosen one among them.
        step: Which picture the miniatures show.
        filter: What their words must contain; `typing` while it is being typed.
        t: CLOCK_MONOTONIC nanoseconds, for the age of what was measured.
        live: The chosen tile's miniature where it is fed by a laboratory; else it has its recording, too.
    """

    models: Models
    tiles: Sequence[Tile]
    of: int
    selected: int = 0
    step: int = 0
    filter: str = ""
    typing: bool = False
    t: int = 0
    ascii: bool = False
    language: str = "en"
    live: Sequence[Row] = ()


def columns_of(width: int) -> int:
    """How many tiles stand in a row."""
    return max(1, width // _TILE_WIDTH)


def rows_of(height: int, sentence: int = 2) -> int:
    """How many rows of tiles are in sight where the sentence takes so many lines."""
    return max(1, (height - 2 - _MODELS - sentence) // _TILE_HEIGHT)


def draw(opening: Opening, width: int, height: int) -> Frame:
    """The screen, `width` by `height` cells; a sentence instead where that is too small."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return too_small(View(language=opening.language, ascii=opening.ascii), width, height)
    canvas = Canvas(width, height, opening.ascii)
    # At the smallest size two rows of tiles need the third line.
    lines = fitting(verdict(opening.models, opening.language), width - 2, 3 if height >= SMALLEST[1] + 2 else 2)
    _models(canvas, opening)
    for row, line in enumerate(lines):
        canvas.put(1, 1 + _MODELS + row, line, "caption")
    top = 1 + _MODELS + max(2, len(lines))
    first, last = _tiles(canvas, opening, top, height - 1 - top)
    _header(canvas, opening, first, last)
    _footer(canvas, opening, height - 1)
    return canvas.frame()


def fitting(sentences: Sequence[str], width: int, most: int) -> list[str]:
    """As many whole sentences as find room in `most` lines."""
    for count in range(len(sentences), 0, -1):
        lines = wrapped(" ".join(sentences[:count]), width, most + 1)
        if len(lines) <= most:
            return lines
    return wrapped(sentences[0], width, most) if sentences else []


def _header(canvas: Canvas, opening: Opening, first: int, last: int) -> None:
    language = opening.language
    canvas.fill(0, 0, canvas.width, "bar")
    size = f"{said(language, 'messages of')} {opening.models.size:,} B"
    x = canvas.put(0, 0, " ipctui", "title")
    canvas.put(x + 2, 0, f"{size} · {said(language, 'untraced pairs of processes, in turn')}", "bar")
    there = len(opening.tiles)
    arrows = ("↑" if first > 1 else "") + ("↓" if last < there else "")
    canvas.right(canvas.width - 1, 0, f"{first}–{last}/{there} {arrows}" if there else f"0/{opening.of}", "bar")


# The two models.


def _models(canvas: Canvas, opening: Opening) -> None:
    half = canvas.width // 2
    samples = [each.sample for each in opening.models.ways.values() if each.sample is not None]
    scale = nice(max((sample.rate for sample in samples), default=0))
    for place, (title, ways) in enumerate(_SIDES):
        x, width = (0, half) if place == 0 else (half, canvas.width - half)
        of = said(opening.language, "per message")
        canvas.box(x, 1, width, _MODELS, [(said(opening.language, title), "title"), (f" · {of}", "dim")])
        lines = [line for way in ways for line in way_lines(opening, way, width - 4, scale)]
        canvas.lines(x + 2, 2, lines, width - 4, _MODELS - 2)


def way_lines(opening: Opening, way: str, width: int, scale: float) -> list[Line]:
    """A way in two lines: messages a second with a bar, then what each message cost, and how old that is."""
    language, measured = opening.language, opening.models.ways.get(way, Measured())
    name: Span = (padded(said(language, way), _NAME), "text")
    if measured.sample is None:
        return _unknown(opening, measured, name)
    sample = measured.sample
    age = f" {_age(max(0, opening.t - measured.t)):>5}"
    figure = f"{sample.rate:>10,.0f}/s "
    room = width - _NAME - len(figure) - len(age)
    full = min(room, max(1, round(sample.rate / scale * room)))
    return [
        [name, (figure, "number"), ("█" * full, "fill"), ("░" * (room - full), "fill.empty"), (age, "dim")],
        [("  ", "text"), (costs_text(sample, language), "text")],
    ]


def _age(nanoseconds: int) -> str:
    """How long ago, in whole seconds, then minutes."""
    seconds = nanoseconds // 1_000_000_000
    return f"{seconds} s" if seconds < 600 else f"{seconds // 60} m"


def costs_text(sample: Sample, language: str) -> str:
    """`2.0 calls · CPU 1.6 µs a message`: system calls and CPU time of both processes, and the cores they kept busy."""
    calls, cpu = _brief(sample.calls), _time(sample.cpu)
    if language == "ko":
        return f"콜 {calls} · CPU {cpu} · 코어 {sample.cores:.1f}"
    return f"{calls} calls · CPU {cpu} · {sample.cores:.1f} cores"


def _time(seconds: float) -> str:
    """A time in at most six columns: `1.6 µs`, `73 µs`, `1.2 ms`."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        count = seconds * factor
        if count < 999.5:
            return f"{_brief(count)} {unit}"
    return f"{seconds:.0f} s"


def _brief(count: float) -> str:
    return f"{count:.1f}" if count < 9.95 else f"{count:.0f}"


def _unknown(opening: Opening, measured: Measured, name: Span) -> list[Line]:
    language = opening.language
    if measured.refused:
        return [
            [name, (said(language, "not measured"), "dim")],
            [("  ", "text"), (said(language, measured.refused), "dim")],
        ]
    return [[name, (f"{said(language, 'measuring')} …", "dim")], []]


# The tiles.


def _tiles(canvas: Canvas, opening: Opening, top: int, height: int) -> tuple[int, int]:
    """Draw the rows of tiles around the chosen one: the numbers of the first and the last tile in sight, from 1."""
    columns = columns_of(canvas.width)
    rows = max(1, height // _TILE_HEIGHT)
    tall = max(_TILE_HEIGHT, min(height // rows, _TILE_HEIGHT + 3))
    if not opening.tiles:
        canvas.put(2, top + 1, f"{said(opening.language, 'none fits')}: {opening.filter}", "warning")
        return 0, 0
    total = -(-len(opening.tiles) // columns)
    first = first_row(opening.selected // columns, rows, total)
    shown = opening.tiles[first * columns : (first + rows) * columns]
    for place, tile in enumerate(shown):
        row, column = divmod(place, columns)
        left, right = column * canvas.width // columns, (column + 1) * canvas.width // columns
        selected = first * columns + place == opening.selected
        _tile(canvas, opening, tile, left, top + row * tall, right - left, tall, selected)
        canvas.hit(left, top + row * tall, right - left, tall, f"open:{tile.name}")
    return first * columns + 1, first * columns + len(shown)


def first_row(selected: int, rows: int, total: int) -> int:
    """The first row in sight, so that the selected one is: it stays in the middle where there is more around it."""
    return max(0, min(selected - (rows - 1) // 2, total - rows))


def _tile(
    canvas: Canvas, opening: Opening, tile: Tile, x: int, y: int, width: int, height: int, selected: bool
) -> None:
    language, miniature = opening.language, tile.miniature
    title = cut(in_language(language, tile.title), width - cell_len(tile.name) - 8)
    canvas.box(
        x, y, width, height, [(tile.name, "selected" if selected else "title"), (f" · {title}", "dim")], selected
    )
    inside = width - 4
    live = opening.live if selected else ()
    rows = live or (miniature.picture(opening.step) if not tile.refused else ())
    for line, row in enumerate(rows[: height - 2]):
        canvas.spans(x + 2, y + 1 + line, row, inside)
    if tile.refused or not rows:
        canvas.lines(x + 2, y + 1, _lacking(tile, language, inside), inside, height - 2)
        return
    room = height - 2 - INSIDE[1]
    for line, text in enumerate(wrapped(in_language(language, tile.about), inside, room) if room else ()):
        canvas.put(x + 2, y + 1 + INSIDE[1] + line, text, "dim")
    if live:
        canvas.right(x + width - 1, y + height - 1, f" ● {said(language, 'live')} ", "live")
        return
    seconds = miniature.time_of(opening.step) / 1e9
    canvas.right(x + width - 1, y + height - 1, f" {said(language, 'recording')} {seconds:.0f} s ", "dim")


def _lacking(tile: Tile, language: str, width: int) -> list[Line]:
    """Why a tile shows nothing: it does not run here, or has no recording."""
    about: list[Line] = [[(text, "text")] for text in wrapped(in_language(language, tile.about), width, 2)]
    if tile.refused:
        why = f"{said(language, 'does not run here')}: {in_language(language, tile.refused)}"
        return [*about, *([(text, "warning")] for text in wrapped(why, width, 3))]
    why = f"{said(language, tile.miniature.missing)}; {said(language, 'Enter starts it')}"
    return [*about, [(cut(why, width), "dim")]]


def _footer(canvas: Canvas, opening: Opening, y: int) -> None:
    language = opening.language
    canvas.fill(0, y, canvas.width, "bar")
    if opening.typing or opening.filter:
        x = canvas.put(1, y, f"/ {said(language, 'filter')}: ", "key.text")
        x = canvas.put(x, y, cut(opening.filter, canvas.width // 2) + ("│" if opening.typing else ""), "title")
        keys = [("Enter", "open"), ("Escape", "drop the filter")]
        x += 3
    else:
        keys = [("↑↓←→", "choose"), ("Enter", "open"), ("[ ]", "size"), ("/", "filter"), ("t", "theme")]
        keys += [("?", "help"), ("q", "quit")]
        x = 1
    for key, name in keys:
        end = canvas.put(x, y, key, "key")
        x = canvas.put(end + 1, y, said(language, name), "key.text") + 2
