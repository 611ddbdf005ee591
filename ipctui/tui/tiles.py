"""The tiles of the opening screen: each mechanism's miniature, drawn from a small recording that is shipped with it.

`python -m ipctui.tui.tiles NAME…` makes recordings again (all with `--all`): each is a real run on the machine at hand.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipctui.lab.channel import Channel
from ipctui.lab.fold import fold
from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.record_json import RecordError
from ipctui.trace.recording import record_of
from ipctui.trace.records import Header, Record, Summary
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Canvas, Line, Row, padded
from ipctui.widgets.card import state_line
from ipctui.widgets.gauge import bar
from ipctui.widgets.lanes import draw_lane
from ipctui.widgets.language import in_language
from ipctui.widgets.view import View
from ipctui.widgets.words import word

FOLDER = Path(__file__).parent.parent / "tiles"
STEP = 100_000_000
"""Nanoseconds between two pictures of a miniature."""
INSIDE = (36, 5)
"""Columns and lines of a miniature."""
LARGEST = 60_000
"""Bytes that a tile's recording may have."""
_BEGIN = 1_500_000_000
"""Where a miniature begins: before, its lanes would be empty."""
_WINDOW = 3_000_000_000
_LANES = 3
_LABEL = 10
_SECONDS = "6"
_BUILD = re.compile(rb'("release":"[0-9]+\.[0-9]+)[^"]*')


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tile shows of its mechanism, recorded or live.

    Attributes:
        variant: The variant; None for the first.
        settings: Parameters as KEY=VALUE.
        held: A process that is held for a while in the recording, so that another is blocked by the kernel.
    """

    variant: str | None = None
    settings: tuple[str, ...] = ()
    held: str = ""

    def words(self) -> list[str]:
        """The words behind `ipctui run NAME`."""
        words = [] if self.variant is None else ["--variant", self.variant]
        for setting in self.settings:
            words += ["--set", setting]
        if self.held:
            words += ["--do", f"2.5:hold {self.held}", "--do", f"4.5:release {self.held}"]
        return words


SHOWN: Mapping[str, Shown] = {
    "pipe": Shown(None, ("rate=40",), "child"),
    "fifo": Shown(None, ("rate=40",), "reader"),
    "shm": Shown(None, ("rate=10",), "consumer"),
    "mailbox": Shown(None, (), "receiver"),
    "direct": Shown(None, ("rate=8",)),
    "sync": Shown(None, ("rate=4",)),
    "io": Shown("async-blocking", ("rate=4",)),
}
"""Those of which something else is shown than a run of the first variant with its defaults."""


def shown_of(name: str) -> Shown:
    """What a mechanism's tile shows."""
    return SHOWN.get(name, Shown())


class Miniature:
    """A mechanism's miniature: pictures of its recording, drawn when they are first looked at and kept.

    Attributes:
        missing: Why there is no miniature; "" when there is one.
        ended: Whether the recording's end has been reached.
    """

    def __init__(self, name: str, folder: Path = FOLDER, ascii: bool = False, language: str = "en") -> None:
        self.name = name
        self.missing = ""
        self.ended = False
        self._pictures: list[tuple[Row, ...]] = []
        self._ascii = ascii
        self._language = language
        self._path = folder / f"{name}.jsonl.gz"
        self._state = LabState()
        self._records = self._read()
        self._next: Record | None = None
        if not self._path.exists():
            self.missing = "no recording"
            self.ended = True

    @property
    def length(self) -> int:
        """Pictures drawn so far: all there are, once the recording's end has been reached."""
        return len(self._pictures)

    def picture(self, step: int) -> tuple[Row, ...]:
        """The picture of a step: at the recording's end it begins again; none where there is no miniature."""
        while not self.ended and len(self._pictures) <= step:
            self._draw_next()
        return self._pictures[step % len(self._pictures)] if self._pictures else ()

    def time_of(self, step: int) -> int:
        """Nanoseconds since the recording's zero that a step shows."""
        return _BEGIN + (step % max(1, len(self._pictures)) if self.ended else step) * STEP

    def _read(self) -> Iterator[Record]:
        with gzip.open(self._path, "rb") as file:
            for line in file:
                try:
                    yield record_of(line)
                except RecordError:
                    continue  # a miniature shows what it can

    def _draw_next(self) -> None:
        t = _BEGIN + len(self._pictures) * STEP
        batch: list[Record] = []
        try:
            while self._next is None or (when := time_of(self._next)) is None or when <= t:
                if self._next is not None:
                    batch.append(self._next)
                self._next = next(self._records)
        except StopIteration:
            self._end()
        except (OSError, EOFError, ValueError):
            self._end("the recording is damaged")
        self._state = fold(self._state, batch)
        if self._state.processes:
            self._pictures.append(drawn(self._state, t, self._ascii, self._language))
        if self.ended:
            self._state, self._next = LabState(), None
            self.missing = "" if self._pictures else self.missing or "the recording is empty"

    def _end(self, why: str = "") -> None:
        self.ended = True
        self.missing = why


def time_of(record: Record) -> int | None:
    """When a record became known, nanoseconds since the clock's zero; None for one that has no time."""
    return None if isinstance(record, Header | Summary) else record.t


def drawn(state: LabState, t: int, ascii: bool = False, language: str = "en") -> tuple[Row, ...]:
    """A miniature of a state: the lanes of a few processes, the fill of what is between them, and who is stuck."""
    width, height = INSIDE
    canvas = Canvas(width, height, ascii)
    view = View(window=_WINDOW, now=t, language=language, ascii=ascii)
    shown = _shown(state)
    for row, (name, process) in enumerate(shown):
        short = name if len(name) < _LABEL else process.cell or process.role
        canvas.put(0, row, padded(short, _LABEL - 1), "text")
        draw_lane(canvas, process, view, _LABEL, row, width - _LABEL)
    canvas.spans(0, len(shown), _fill_line(state, width, language), width)
    stuck = _stuck(shown)
    if stuck is not None:
        text, role = state_line(stuck, view, width - len(stuck.role) - 1)
        canvas.spans(0, len(shown) + 1, [(f"{stuck.role} ", "text"), (text, role)], width)
    return canvas.frame().rows


def _shown(state: LabState) -> list[tuple[str, ProcessState]]:
    """The processes that have a lane: of cells the first process of each."""
    every = [(name, process) for name, process in state.processes.items() if process.pid]
    cells: dict[str | None, tuple[str, ProcessState]] = {}
    for name, process in every:
        cells.setdefault(process.cell, (name, process))
    return (list(cells.values()) if len(cells) > 1 else every)[:_LANES]


def _stuck(shown: Sequence[tuple[str, ProcessState]]) -> ProcessState | None:
    """Whose state is told in words: the blocked before the stopped, these before the held, and those before others."""
    order = {"blocked": 0, "stopped": 1, "held": 2}
    return min(
        (process for _, process in shown),
        key=lambda process: order.get(process.state.state if process.state is not None else "", 3),
        default=None,
    )


def _fill_line(state: LabState, width: int, language: str) -> Line:
    """The fullest object between the processes: its sort, how full, and a bar."""
    measured = [
        held.now
        for held in state.channels.values()
        if not held.now.closed and held.now.used is not None and held.now.capacity and held.now.type != "semaphore"
    ]
    if not measured:
        counted = sum(
            process.counters.sent + process.counters.received
            for process in state.processes.values()
            if process.counters is not None
        )
        both = f"{word(language, 'sent')} + {word(language, 'received')}"
        return [(f"{grouped(counted)} ", "number"), (both, "dim")]
    channel = max(measured, key=lambda each: (each.used or 0) / (each.capacity or 1))
    used, capacity = channel.used or 0, channel.capacity or 1
    unit = "B" if channel.unit == "bytes" else in_language(language, channel.unit)
    figure = f"{grouped(used)} {word(language, 'of')} {grouped(capacity)} {unit} "
    label = padded(channel.type or channel.object.partition(":[")[0], _LABEL - 1) + " "
    room = width - len(label) - len(figure)
    return [(label, "dim"), (figure, "number"), *(bar(used, capacity, room) if room > 3 else ())]


@dataclass(frozen=True, slots=True)
class Tile:
    """A mechanism on the opening screen: its words, why it does not run here, and its miniature."""

    name: str
    title: str
    about: str
    refused: str
    miniature: Miniature


def tile(channel: Channel, ascii: bool = False, language: str = "en", folder: Path = FOLDER) -> Tile:
    """A mechanism's tile."""
    miniature = Miniature(channel.name, folder, ascii, language)
    return Tile(channel.name, channel.title, channel.about, channel.unavailable() or "", miniature)


# Making recordings.


def remake(name: str, folder: Path = FOLDER) -> int:
    """Run a mechanism for some seconds and keep what it says: the file's size in bytes.

    Raises:
        subprocess.CalledProcessError: it does not run here.
        ValueError: the recording is larger than `LARGEST`.
    """
    words = [sys.executable, "-m", "ipctui", "run", name, "--headless", "--for", _SECONDS, *shown_of(name).words()]

    told = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
    # Neither a name, a time nor a kernel's build of its own: what is shipped says what, and not whose.
    packed = gzip.compress(_BUILD.sub(rb"\1", told, count=1), 9, mtime=0)
    if len(packed) > LARGEST:
        raise ValueError(f"{name}: {len(packed):,} bytes, at most {LARGEST:,}: let it send less in the same time")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl.gz").write_bytes(packed)
    return len(packed)


def main(words: list[str]) -> int:
    """Make the recordings of the mechanisms named, of all with `--all`; the exit status."""
    from ipctui.mechanisms import catalogue

    status = 0
    for name in catalogue.NAMES if words == ["--all"] else words:
        try:
            print(f"{name}: {remake(name):,} bytes")
        except (subprocess.CalledProcessError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
