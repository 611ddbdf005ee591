"""A recording as text: the calls as strace(1) writes them, and the messages as a ladder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO

from rich.cells import cell_len

from ipctui.export.commands import MARK, Orders, mark_text
from ipctui.export.ladder import ladder_lines
from ipctui.export.reading import Source
from ipctui.export.sorting import Row, in_order
from ipctui.export.strace import access_text, call_text, end_text, seconds, shown
from ipctui.export.words import word
from ipctui.lab.fold import key
from ipctui.lab.told import TELLS
from ipctui.trace.recording import RecordingError
from ipctui.trace.records import Access, Command, Counters, Event, Lost, Process
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Canvas

TIMES = {"zero": "since all workers had started", "relative": "since the line before", "clock": "of the day (UTC)"}
"""What the seconds before a call count from: the recording's zero, as strace -r does, as strace -tt does."""

PARTS = ("calls", "ladder")


def write_text(
    source: Source,
    out: IO[str],
    *,
    parts: tuple[str, ...] = PARTS,
    times: str = "zero",
    width: int = 80,
    language: str = "en",
    ascii: bool = False,
) -> None:
    """Write the parts wanted, one after the other.

    The calls are whole lines in the order of their beginning, as strace-log-merge(1) joins the files of
    `strace -ff -ttt -T`: a call that sleeps is not torn into two lines.

    Raises:
        RecordingError: `times` is clock, and the recording does not tell when it was made.
    """
    header = source.header
    out.write(f"# ipctui {shown(header.mechanism)} {shown(header.variant)} {shown(header.started)}".rstrip() + "\n")
    if "calls" in parts:
        out.write(f"# {word(language, f'the calls; seconds {TIMES[times]}')}\n")
        for line in _calls(source, times, language):
            out.write((line if not ascii or line.isascii() else _ascii(line)) + "\n")
    if len(parts) > 1:
        out.write("\n")
    if "ladder" in parts:
        out.write(f"# {word(language, 'the messages; seconds since all workers had started')}\n")
        for line in ladder_lines(source, width, language, ascii):
            out.write(line + "\n")


def _calls(source: Source, times: str, language: str) -> Iterator[str]:
    stamp = _Stamp(times, source.header.started)
    told = _Told(source)
    for t, (pid, text) in in_order(told.rows()):
        who = f"[pid {pid:>5}] " if pid is not None else ""
        yield f"{who}{stamp.of(t)} {text}"
    if told.missing:
        yield f"# {word(language, '{count} calls are not in the recording').format(count=grouped(told.missing))}"


class _Told:
    """The lines of a recording with their times, in the order in which they were recorded."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._counted: dict[tuple[str, int], int] = {}
        self._returned = 0

    @property
    def missing(self) -> int:
        """Operations that the processes counted and the recording lacks; known once all rows were made."""
        return max(0, sum(self._counted.values()) - self._returned)

    def rows(self) -> Iterator[Row]:
        orders = Orders()
        for item in self._source.items():
            if isinstance(item, dict):
                took = max(0, item["end"] - item["begin"])
                text = call_text(item)
                if item["result"] is not None:
                    self._returned += 1
                    text += f" <{seconds(took)}>"
                yield item["begin"], (item["pid"], text)
                continue
            match item:
                case Access():
                    self._returned += 1
                    took = max(0, item.end - item.begin)
                    yield item.begin, (item.pid, f"{access_text(item)} <{seconds(took)}>")
                case Process() if item.event == "exited":
                    yield item.t, (item.pid, end_text(item.status))
                case Counters():
                    row = (key(item.process, item.cell), item.pid)
                    self._counted[row] = sum(count.calls for count in item.calls if count.name not in TELLS)
                case Command() if orders.is_new(item):
                    yield item.t, (None, shown(f"# $ {item.command}"))
                case Event() if item.name == MARK:
                    yield item.t, (None, shown(f"# -- {mark_text(item)}"))
                case Lost():
                    yield item.t, (None, shown(f"# {item.process or ''} {grouped(item.count)} {item.why}"))


class _Stamp:
    """Prints times in one of the ways of `TIMES`."""

    def __init__(self, times: str, started: str) -> None:
        self._times = times
        self._last: int | None = None
        if times == "clock":
            try:
                self._zero = datetime.fromisoformat(started)
            except ValueError:
                raise RecordingError("the recording does not tell when it was made; leave out --times clock") from None

    def of(self, t: int) -> str:
        if self._times == "clock":
            try:
                return f"{self._zero + timedelta(microseconds=t // 1000):%H:%M:%S.%f}"
            except OverflowError:
                return "??:??:??.??????"
        if self._times == "relative":
            last, self._last = self._last, t
            return f"{seconds(0 if last is None else t - last):>9}"
        return f"{seconds(t):>9}"


def _ascii(line: str) -> str:
    canvas = Canvas(cell_len(line), 1, ascii=True)
    canvas.put(0, 0, line)
    return canvas.frame().text()
