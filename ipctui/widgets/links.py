"""The links between processes: each process a column, each link a line between two of them, in the order made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.widgets.canvas import Canvas, Line, Span, cut
from ipctui.widgets.words import word

_LEAST_COLUMN, _WIDEST_COLUMN = 9, 28
_MOST_GLYPHS = 6


@dataclass(frozen=True, slots=True)
class Peer:
    """A process with links: its name, and the glyph and the role of its state."""

    name: str
    glyph: str = "●"
    role: str = "text"


@dataclass(frozen=True, slots=True)
class LinkBetween:
    """A link between two processes, by their names.

    Attributes:
        to_second: Messages that wait on the way from first to second; `to_first` on the way back.
        age: 0.0 just made; from 1.0 on, or None, as any other.
        broken: An end is gone.
        label: What it is called in the system.
    """

    first: str
    second: str
    to_second: int = 0
    to_first: int = 0
    age: float | None = None
    broken: bool = False
    label: str = ""


def link_lines(
    peers: Sequence[Peer], links: Sequence[LinkBetween], width: int, height: int, language: str = "en"
) -> Sequence[Line]:
    """The processes' names over their columns, and a line a link.

    Where lines are few the oldest links give way, and their number stands at the right end of the names.
    """
    if not peers:
        return ()
    known = _between(peers, links)
    places = {peer.name: place for place, peer in enumerate(peers)}
    rows = max(0, min(len(known), height - 1))
    shown = known[len(known) - rows :]
    beside = max((cell_len(_remark(link, language)) for link in shown), default=0)
    room = width - beside - 2 if width - beside - 2 >= _LEAST_COLUMN * len(peers) else width
    column = max(1, min(room // len(peers), _WIDEST_COLUMN))
    canvas = Canvas(width, max(rows, 1) + 1)
    for place, peer in enumerate(peers):
        # A name begins over its column's line: the glyph of the state is where the links end.
        at = place * column + column // 2
        canvas.put(at, 0, f"{peer.glyph} {cut(peer.name, max(1, column - 3))}", peer.role)
    if not known:
        canvas.put(1, 1, f"– {word(language, 'no link')}", "dim")
    for row, link in enumerate(shown, 1):
        _link(canvas, row, places, column, link, language)
    if rows < len(known):
        canvas.right(width, 0, f" +{len(known) - rows}", "warning")
    return canvas.frame().rows[:height]


def link_count(peers: Sequence[Peer], links: Sequence[LinkBetween], language: str = "en") -> list[Span]:
    """`3 of 6 links`: how many pairs have one, for a box's title."""
    possible = len(peers) * (len(peers) - 1) // 2
    pairs = {frozenset((link.first, link.second)) for link in _between(peers, links)}
    what = word(language, "link" if possible == 1 else "links")
    return [(f"{len(pairs)} {word(language, 'of')} {possible} {what}", "number")]


def _between(peers: Sequence[Peer], links: Sequence[LinkBetween]) -> list[LinkBetween]:
    names = {peer.name for peer in peers}
    return [link for link in links if link.first != link.second and {link.first, link.second} <= names]


def _link(canvas: Canvas, row: int, places: dict[str, int], column: int, link: LinkBetween, language: str) -> None:
    """`●─▮▮▸───────◂▮─●`: what is on its way leaves from the side of its sender."""
    ends = sorted((places[link.first], places[link.second]))
    left, right = (end * column + column // 2 for end in ends)
    swapped = places[link.first] > places[link.second]
    there, back = (link.to_first, link.to_second) if swapped else (link.to_second, link.to_first)
    role = "error" if link.broken else "fresh" if link.age is not None and link.age < 1 else "link"
    canvas.put(left, row, "●" + ("╌" if link.broken else "─") * (right - left - 1) + "●", role)
    if link.broken:
        canvas.put((left + right) // 2, row, "×", role)
    if there:
        canvas.put(left + 1, row, _way(there) + "▸", "fill")
    if back:
        canvas.right(right, row, "◂" + _way(back), "fill")
    remark = _remark(link, language)
    if remark:
        columns = len(places) * column + 1
        canvas.put(columns if columns + cell_len(remark) <= canvas.width else right + 2, row, remark, role)


def _way(messages: int) -> str:
    return "▮" * messages if messages <= _MOST_GLYPHS else f"▮×{messages:,}"


def _remark(link: LinkBetween, language: str) -> str:
    """What stands beside a link: broken, just made, or its name."""
    if link.broken:
        return f"× {word(language, 'broken')}"
    if link.age is not None and link.age < 1:
        return f"★ {word(language, 'just made')}"
    return link.label
