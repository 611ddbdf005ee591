"""The player: a recording in a laboratory's place, played, paused and walked through."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ipctui.lab.channel import Channel
from ipctui.lab.fitting import Fitting, fitted, of_one_session
from ipctui.lab.state import LabState
from ipctui.lab.summary import summary
from ipctui.lab.survey import Ticker
from ipctui.lab.timeline import Chunk, Cursor, Timeline, folded, packed
from ipctui.trace.recording import RecordingError, RecordingFile
from ipctui.trace.records import Checkpoint, Header, Record, Summary

SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""How much faster than it happened a recording can be played."""

_FIRST_CHUNK = 256
_CHUNK = 2048
_PATIENCE = 1.0
_SWITCH = 0.0005
"""Seconds after which the index gives way to the screen: less than Python's own, for it would stutter."""


class _Place(NamedTuple):
    """Where a chunk's records stand in the text of the file."""

    place: int
    size: int


class RecordingTimeline(Timeline):
    """A recording's file, indexed from its beginning on; what is indexed can be walked through already.

    Args:
        file: Opened, its header read.
        channel: The mechanism.

    Attributes:
        done: Whether all of it is indexed.
    """

    def __init__(self, file: RecordingFile, channel: Channel) -> None:
        super().__init__(channel.reduce)
        self.file = file
        self.done = False
        self.ready = threading.Event()
        """Set once something can be shown."""
        self._fitting = Fitting(file, channel)
        self._start, _ = folded(LabState(), (file.header,), channel.reduce)
        self._stop = False

    def index(self) -> None:
        """Go through the file to its end, or until `close`; never raises."""
        try:
            self._index()
        except RecordingError as error:
            self.file.problems.append(str(error))
        except Exception:
            self.file.problems.append(f"{self.file.path}: damaged after {self.last:,} records; no more can be shown")
        finally:
            self.done = True
            self.ready.set()

    def _index(self) -> None:
        # Surveyed apart and published a chunk at a time: nothing is found that cannot be gone to.
        state = self._start
        records: list[Record] = []
        numbers: list[int] = []
        before = self.survey.ticker.copy()
        place, end = 0, 0
        for line, record in of_one_session(self.file):
            if self._stop:
                return
            if isinstance(record, Summary):
                continue
            if not records:
                place = line.place
                before = Ticker(record.t) if not self.last and isinstance(record, Checkpoint) else before
            records.append(record)
            numbers.append(line.number)
            self.survey.add(record)
            end = line.place + len(line.raw)
            if len(records) >= (_CHUNK if self.chunks else _FIRST_CHUNK):
                state = self._add(records, numbers, before, state, _Place(place, end - place))
                records, numbers, before = [], [], self.survey.ticker.copy()
        if records:
            self._add(records, numbers, before, state, _Place(place, end - place))

    def _add(
        self, records: list[Record], numbers: list[int], before: Ticker, state: LabState, body: _Place
    ) -> LabState:
        first = self.survey.position - len(records)
        checkpoint = packed(state)
        after = self._fitting.fold(state, records, numbers)
        self.chunks.append(Chunk(first, len(records), before, self.survey.ticker.t, checkpoint, body))
        self.ready.set()
        return after

    def records_of(self, chunk: Chunk) -> list[Record]:
        """A chunk's records, read from the file again."""
        records = self.file.again(*chunk.body)
        kept: list[Record] = [record for record in records if not isinstance(record, Header | Summary)]
        return kept[: chunk.count]

    @property
    def share(self) -> float:
        """How much of the file is indexed, from 0 to 1."""
        return 1.0 if self.done else min(self.file.share_read, 0.99)

    def close(self) -> None:
        """Stop indexing."""
        self._stop = True


class Player:
    """A recording as the screen has it: a source that cannot be commanded, but walked through.

    Args:
        path: The recording.
        channel: Finds a mechanism by its name; it raises UsageError when there is none.
        seconds: A monotonic clock.
        background: Index in a thread; otherwise before the constructor returns.

    Raises:
        RecordingError: the file cannot be read or is no recording.
    """

    can = frozenset({"seek", "play"})
    alive = True
    problem = ""

    def __init__(
        self,
        path: Path,
        channel: Callable[[str], Channel],
        seconds: Callable[[], float] = time.monotonic,
        background: bool = True,
    ) -> None:
        file = RecordingFile(path)
        try:
            self.channel = channel(file.header.mechanism)
        except BaseException:
            file.close()
            raise
        self.path = path
        self.header = file.header
        self.timeline = RecordingTimeline(file, self.channel)
        self.playing = True
        self.speed = 1.0
        self._seconds = seconds
        self._said = 0
        self._switch = sys.getswitchinterval()
        self._thread: threading.Thread | None = None
        if background:
            sys.setswitchinterval(_SWITCH)
            self._thread = threading.Thread(target=self.timeline.index, name="index", daemon=True)
            self._thread.start()
            self.timeline.ready.wait(_PATIENCE)
        else:
            self.timeline.index()
        self._cursor = Cursor(self.timeline)
        self._ticked = seconds()

    @property
    def state(self) -> LabState:
        """The state at the moment shown."""
        return self._cursor.state

    @property
    def share(self) -> float:
        """How much of the file is indexed, from 0 to 1."""
        return self.timeline.share

    @property
    def variant(self) -> str:
        """The variant's name."""
        return self.header.variant

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters' values."""
        return self.header.parameters

    def now(self) -> int:
        """The moment shown, nanoseconds since the clock's zero."""
        return self._cursor.t

    def cursor(self) -> Cursor:
        """The place that is shown: moving it moves the picture."""
        return self._cursor

    def tick(self) -> bool:
        """Play on; True when the state changed."""
        moment = self._seconds()
        passed, self._ticked = moment - self._ticked, moment
        if self.timeline.done and sys.getswitchinterval() != self._switch:
            sys.setswitchinterval(self._switch)
        if not self.playing:
            return False
        before = self._cursor.state
        wanted = self._cursor.t + int(passed * self.speed * 1e9)
        if wanted >= self.timeline.end:
            self._cursor.end()
            # What is not indexed yet is waited for.
            self.playing = not self.timeline.done
        else:
            self._cursor.seek(wanted)
        return self._cursor.state is not before

    def play(self, on: bool) -> None:
        """Play or pause; at the end, play from the beginning."""
        self._ticked = self._seconds()
        if on and self.timeline.done and self._cursor.position >= self.timeline.last:
            self._cursor.home()
        self.playing = on

    def faster(self, by: int) -> None:
        """Take the next speed up (1) or down (-1)."""
        place = SPEEDS.index(self.speed) + by
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]

    def complaints(self) -> tuple[str, ...]:
        """What was found wrong with the file since the last time."""
        told = self.timeline.file.told() if self.timeline.done else tuple(self.timeline.file.problems)
        new, self._said = told[self._said :], max(self._said, len(told))
        return new

    def command(self, text: str, by: str) -> None:
        """Nothing: a recording cannot be commanded."""

    def restart(self, variant: str | None = None, held: bool | None = None) -> None:
        """Play from the beginning."""
        self._cursor.home()
        self.play(True)

    def close(self) -> None:
        """Stop indexing and give the file back; a second time does nothing."""
        self.timeline.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        sys.setswitchinterval(self._switch)
        self.timeline.file.close()


def summed_up(path: Path, channel: Callable[[str], Channel]) -> tuple[Summary, tuple[str, ...]]:
    """The summary that a recording's records make, and what was wrong with the file, one line each.

    Raises:
        RecordingError: the file cannot be read or is no recording.
    """
    file = RecordingFile(path)
    try:
        mechanism = channel(file.header.mechanism)
        # What a single record says may be taken by the mechanism and be too strange for its summary.
        state = fitted(file, mechanism, proof=lambda state: summary(state, mechanism))
        return summary(state, mechanism), file.told()
    finally:
        file.close()
