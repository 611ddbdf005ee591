"""The mailbox: its messages in the order in which they will leave, and who waits at either end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len

from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, cut, width_of
from ipctui.widgets.waiting import Waiter
from ipctui.widgets.words import word

_MOST_GLYPHS = 32
_LONGEST = 40
"""Cells that a message's text gets."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in a mailbox: its text made fit to be seen, its size in bytes, its priority where there are any."""

    text: str
    size: int = 0
    priority: int | None = None
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A queue of messages.

    Attributes:
        letters: The first ones to leave, in that order.
        count: How many there are in all.
        most: How many fit; None where there is no bound.
        size: The largest message, in bytes.
        last: The last one to leave, where it is not among the letters.
        receivers: Who sleeps until a message comes; `senders` until one goes.
    """

    letters: tuple[Letter, ...]
    count: int
    most: int | None = None
    size: int | None = None
    last: Letter | None = None
    receivers: tuple[Waiter, ...] = ()
    senders: tuple[Waiter, ...] = ()


def queue_lines(mailbox: Mailbox, width: int, height: int, language: str = "en") -> list[Line]:
    """Fill, who waits, and between them as many messages as there is room for."""
    waiting = [line for line in (_waiting(mailbox, ends, width, language) for ends in ("receive", "send")) if line]
    head = [fill_line(mailbox, width, language)]
    room = max(1, height - len(head) - len(waiting))
    return [*head, *message_lines(mailbox, width, room, language), *waiting][:height]


def fill_line(mailbox: Mailbox, width: int, language: str = "en") -> list[Span]:
    """`4 of 10 messages ▮▮▮▮▯▯▯▯▯▯  8,192 B each`, with the word when it is full or empty."""
    most, count = mailbox.most, mailbox.count
    digits = len(grouped(most)) if most is not None else 1
    spans: list[Span] = [(f"{grouped(count):>{digits}} ", "number")]
    if most is not None:
        spans.append((f"{word(language, 'of')} {grouped(most)} ", "text"))
    spans.append((f"{word(language, 'messages')} ", "text"))
    if most is not None and most <= min(_MOST_GLYPHS, width - width_of(spans) - 8):
        spans += [("▮" * min(count, most), "fill"), ("▯" * max(0, most - count), "fill.empty"), (" ", "text")]
    if most is not None and count >= most:
        spans.append((f"{word(language, 'FULL')} ", "blocked"))
    elif not count:
        spans.append((f"{word(language, 'empty')} ", "dim"))
    if mailbox.size is not None:
        size = f" {grouped(mailbox.size)} B {word(language, 'each')}"
        if width_of(spans) + cell_len(size) <= width:
            spans.append((size, "dim"))
    return spans


def message_lines(mailbox: Mailbox, width: int, height: int, language: str = "en") -> list[Line]:
    """`next ▸ [9] "stop"  [5] "b-17" "b-18"  … 3 more ◂ last`, wrapped; a priority stands once before its messages."""
    start: Span = (f"{word(language, 'next')} ▸ ", "dim")
    end: Span = (f"◂ {word(language, 'last')}", "dim")
    if not mailbox.count:
        return [[start, (f"({word(language, 'empty')})", "dim")]]
    pieces = _pieces(mailbox.letters)
    for shown in range(len(pieces), 0, -1):
        kept = pieces[:shown]
        hidden = mailbox.count - shown
        tail: list[list[Span]] = []
        if hidden and mailbox.last is not None:
            hidden -= 1
            tail = [_piece(mailbox.last, tag=True)]
        between = [[(f"… {grouped(hidden)} {word(language, 'more')} ", "dim")]] if hidden > 0 else []
        lines = _flowed([[start], *kept, *between, *tail, [end]], width, cell_len(start[0]))
        if len(lines) <= height or shown == 1:
            return lines[:height]
    return [[start, (f"… {grouped(mailbox.count)} {word(language, 'messages')}", "dim")]]


def _pieces(letters: Sequence[Letter]) -> list[list[Span]]:
    pieces = []
    for _, group in groupby(letters, key=lambda letter: letter.priority):
        for place, letter in enumerate(group):
            pieces.append(_piece(letter, tag=place == 0))
    return pieces


def _piece(letter: Letter, tag: bool) -> list[Span]:
    spans: list[Span] = []
    if tag and letter.priority is not None:
        spans.append((f"[{letter.priority}] ", "number"))
    text = cut(letter.text, _LONGEST)
    return [*spans, (f'"{text}"', "foreign" if letter.foreign else "message"), (" ", "text")]


def _flowed(pieces: Sequence[Sequence[Span]], width: int, indent: int) -> list[Line]:
    """Pieces one after another, none of them broken; the lines after the first begin under the first message."""
    lines: list[list[Span]] = [[]]
    used = 0
    for piece in pieces:
        own = width_of(piece)
        if used and used + own - 1 > width:
            lines.append([(" " * indent, "text")])
            used = indent
        lines[-1] += piece
        used += own
    return [*lines]


def _waiting(mailbox: Mailbox, end: str, width: int, language: str) -> list[Span]:
    """`■ 2 wait to receive: P2 4712 3.1 s, P3 4713 0.4 s`; nothing when nobody waits.

    Where there is less room the processes' numbers are left out, then the times, then the last of the names.
    """
    waiters = mailbox.receivers if end == "receive" else mailbox.senders
    if not waiters:
        return []
    what = word(language, f"wait{'s' if len(waiters) == 1 else ''} to {end}")
    head = f"■ {len(waiters)} {what}: "
    forms = [
        ", ".join(" ".join(filter(None, parts)) for parts in rows)
        for rows in (
            [(each.role, str(each.pid or ""), each.age) for each in waiters],
            [(each.role, each.age) for each in waiters],
            [(each.role,) for each in waiters],
        )
    ]
    forms += [
        ", ".join(each.role for each in waiters[:shown]) + f" +{len(waiters) - shown}"
        for shown in range(len(waiters) - 1, 0, -1)
    ]
    room = width - cell_len(head)
    return [(head, "blocked"), (next((form for form in forms if cell_len(form) <= room), forms[-1]), "text")]
