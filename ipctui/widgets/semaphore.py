"""Semaphores: each one's value, who holds it and who waits for it, as glyphs and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded, width_of
from ipctui.widgets.waiting import Waiter
from ipctui.widgets.words import word

_MOST_GLYPHS = 12


@dataclass(frozen=True, slots=True)
class Semaphore:
    """A semaphore: its name, its value (None when it cannot be read), and the processes about it.

    Attributes:
        most: What a counting semaphore counts up to; None where it has no such bound. 1 is a lock.
        holder: Who took a lock and has not given it back.
        dead: The holder has ended: nobody will give it back.
    """

    name: str
    value: int | None
    most: int | None = None
    holder: str = ""
    dead: bool = False
    waiting: tuple[Waiter, ...] = ()


def semaphore_lines(
    semaphores: Sequence[Semaphore], width: int, language: str = "en", height: int | None = None
) -> list[Line]:
    """A line each, their columns aligned: `mutex 0 ▪ held by producer2 ■ 1 waits: consumer 2.3 s`.

    Where `height` has no line for each, one after another on a line, as many as fit.
    """
    if height is not None and len(semaphores) > height:
        return _flowed(semaphores, width, language)[:height]
    name = max((cell_len(each.name) for each in semaphores), default=0)
    digits = max((len(_figure(each)) for each in semaphores), default=1)
    return [_line(each, name, digits, width, language) for each in semaphores]


def _flowed(semaphores: Sequence[Semaphore], width: int, language: str) -> list[Line]:
    lines: list[list[Span]] = [[]]
    for each in semaphores:
        piece = _line(each, cell_len(each.name), 1, width // len(semaphores), language)
        if lines[-1] and width_of(lines[-1]) + 2 + width_of(piece) > width:
            lines.append([])
        lines[-1] += [*([("  ", "text")] if lines[-1] else []), *piece]
    return [*lines]


def _line(each: Semaphore, name: int, digits: int, width: int, language: str) -> list[Span]:
    spans: list[Span] = [
        (padded(each.name, name) + " ", "title"),
        (f"{_figure(each):>{digits}} ", "unknown" if each.value is None else "number"),
    ]
    if each.holder and each.dead:
        spans.append((f"✝ {word(language, 'held by the dead')} {each.holder} ", "error"))
    elif each.holder:
        spans.append((f"▪ {word(language, 'held by')} {each.holder} ", "warning"))
    elif each.most == 1 and each.value:
        spans.append((f"▫ {word(language, 'free')} ", "text"))
    elif each.value is not None and each.most is not None and each.most <= _MOST_GLYPHS:
        value = max(0, min(each.value, each.most))
        spans += [("▮" * value, "fill"), ("▯" * (each.most - value), "fill.empty"), (" ", "text")]
    if each.waiting:
        count = len(each.waiting)
        what = f"■ {count} {word(language, 'waits' if count == 1 else 'wait')}"
        whom = ", ".join(f"{waiter.role} {waiter.age}".rstrip() for waiter in each.waiting)
        long = width_of(spans) + cell_len(what) + 2 + cell_len(whom) <= width
        spans.append((f"{what}: {whom}" if long else what, "blocked"))
    return spans


def _figure(each: Semaphore) -> str:
    return "?" if each.value is None else grouped(each.value)
