"""A ladder diagram of a recording: one column a process, time downwards, an arrow for each message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ipctui.export.commands import MARK, Orders, mark_text
from ipctui.export.ends import Arrow
from ipctui.export.messages import Pairing
from ipctui.export.reading import LATEST, Item, Source
from ipctui.export.rungs import Rungs
from ipctui.export.sorting import Row, in_order
from ipctui.export.spans import Span, Spans
from ipctui.export.strace import shown
from ipctui.export.words import word
from ipctui.lab.fold import key
from ipctui.trace.records import Access, Command, Event, Process, State
from ipctui.trace.text import duration

_TOLD = ("blocked", "held", "stopped", "unknown")
"""States that have a row of their own; a process at work or waiting for its turn only changes its line."""


def ladder_lines(source: Source, width: int, language: str = "en", ascii: bool = False) -> Iterator[str]:
    """A recording's ladder, `width` cells at most: the roles, what their lines mean, then time downwards.

    An arrow stands where its message had been received, with the time from the send's beginning to there.
    """
    events = _Events(source, language)
    rows = in_order(events.rows())
    first = next(rows, None)
    if first is None:
        return
    rungs = Rungs(events.roles, width, language, ascii)
    yield rungs.legend()
    yield rungs.heading()
    yield from rungs.lines(first)
    for row in rows:
        yield from rungs.lines(row)


class _Events:
    """What a ladder tells of a recording, as rows for `Rungs`; the roles in order of their appearance."""

    def __init__(self, source: Source, language: str) -> None:
        self._source = source
        self._language = language
        self._pairing: Pairing[int] = Pairing()
        self._columns: dict[str, int] = {}
        self._spans: dict[tuple[int, int], Spans] = {}
        self._first: dict[tuple[int, int], int] = {}
        self._orders = Orders()
        self._end = 0

    @property
    def roles(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    def rows(self) -> Iterator[Row]:
        """All of it, in the order in which it was recorded."""
        for item in self._source.items():
            yield from self._of(item)
        yield from self._arrows(self._pairing.settle())
        for message, send in self._pairing.sent():
            yield send.end, ["note", send.place, f"{shown(message)} {word(self._language, 'still under way')}"]
        for (column, pid), spans in self._spans.items():
            yield from self._states(column, spans.close(self._end))
            name = self.roles[column]
            # Before everything else that is told of it.
            yield self._first[column, pid] - 1, ["state", column, "running", shown(f"{name} {pid}")]

    def _of(self, item: Item) -> Iterator[Row]:
        if isinstance(item, dict):
            begin, end = item["begin"], max(item["begin"], item["end"])
            self._end = max(self._end, end)
            column, spans = self._process(item["process"], item.get("cell"), item["pid"], begin)
            if item["result"] is not None:
                yield from self._states(column, spans.returned(begin, end))
            yield from self._arrows(self._pairing.add(item, column))
            return
        match item:
            case Access():
                self._end = max(self._end, item.end)
                column, _ = self._process(item.process, item.cell, item.pid, item.begin)
                yield from self._arrows(self._pairing.add_access(item, column))
            case State():
                self._end = max(self._end, item.t)
                begin = item.t if item.since is None else item.since
                column, spans = self._process(item.process, item.cell, item.pid, begin)
                yield from self._states(column, spans.add(item))
            case Process() if item.event in ("started", "exited"):
                self._end = max(self._end, item.t)
                column, spans = self._process(item.process, item.cell, item.pid, item.t)
                if item.event == "exited":
                    yield from self._states(column, spans.exited(item.t))
                    how = f"{word(self._language, 'exited')} {item.status or ''}".strip()
                    yield item.t, ["state", column, "exited", shown(how)]
            case Command() if self._orders.is_new(item):
                yield item.t, ["line", shown(f"$ {item.command}")]
            case Event() if item.name == MARK:
                yield item.t, ["line", shown(f"-- {mark_text(item)}")]

    def _process(self, role: str, cell: str | None, pid: int, t: int) -> tuple[int, Spans]:
        """The column of a process and its spans; `t` is when something is told of it."""
        column = self._columns.setdefault(key(role, cell), len(self._columns))
        spans = self._spans.get((column, pid))
        if spans is None:
            spans = self._spans[column, pid] = Spans(-LATEST)
            self._first[column, pid] = t
        elif t < self._first[column, pid]:
            self._first[column, pid] = t
        return column, spans

    def _arrows(self, arrows: Iterable[Arrow[int]]) -> Iterator[Row]:
        for arrow in arrows:
            took = duration(arrow.receipt.end - arrow.send.begin)
            yield (
                arrow.receipt.end,
                ["arrow", arrow.send.place, arrow.receipt.place, f"{shown(arrow.message)} {took}"],
            )

    def _states(self, column: int, spans: Iterable[Span]) -> Iterator[Row]:
        for span in spans:
            state = span.state
            text = ""
            if state.state in _TOLD:
                text = f"{word(self._language, state.state)} {duration(span.end - span.begin)}"
                if state.before is not None:
                    text += f" {state.before.name}({'' if state.before.fd is None else state.before.fd})"
                if state.reason:
                    text += f": {state.reason}"
            yield span.begin, ["state", column, state.state, shown(text)]
            yield span.end, ["state", column, "running", ""]
