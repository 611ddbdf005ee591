"""The timeline: a stream of records cut into chunks, each with the state before it; and a cursor that walks on it.

Going back costs what going forward costs: the state at any position is the nearest checkpoint with at most one
chunk of records folded over it.
"""

from __future__ import annotations

import pickle
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from ipctui.lab.fold import Reduce, fold
from ipctui.lab.state import LabState
from ipctui.lab.survey import Mark, Survey, Ticker, time_of
from ipctui.trace.records import Record

_EMPTY = 64
"""Records before the first process, at most, that a walk to the beginning passes over."""
_KEPT = 3
"""Chunks whose records are kept unpacked."""


def packed(value: object) -> bytes:
    """A value of ours as few bytes, for this process's own memory: what was packed elsewhere is never unpacked."""
    return zlib.compress(pickle.dumps(value, 5), 1)


def unpacked(raw: bytes) -> Any:
    """The value again."""
    return pickle.loads(zlib.decompress(raw))


def folded(state: LabState, records: Sequence[Record], reduce: Reduce | None) -> tuple[LabState, int]:
    """The state after records, and how many of them did not fit: those of a damaged stream are left out."""
    try:
        return fold(state, records, reduce), 0
    except Exception:
        # Whatever was wrong with one record must not take the others with it.
        unfit = 0
        for record in records:
            try:
                state = fold(state, (record,), reduce)
            except Exception:
                unfit += 1
        return state, unfit


@dataclass(slots=True)
class Chunk:
    """A stretch of a stream.

    Attributes:
        first: The position before its first record; `count` records follow.
        before: The time before its first record; `end` is the time after its last.
        checkpoint: The state before its first record, packed; or itself while the chunk is still open.
        body: Its records, in whatever form the timeline keeps them.
    """

    first: int
    count: int
    before: Ticker
    end: int
    checkpoint: bytes | LabState
    body: Any = None

    @property
    def last(self) -> int:
        """The position after its last record."""
        return self.first + self.count

    def state(self) -> LabState:
        """The state before its first record."""
        if isinstance(self.checkpoint, LabState):
            return self.checkpoint
        return cast("LabState", unpacked(self.checkpoint))


class _Loaded(NamedTuple):
    records: list[Record]
    times: list[int]
    """The stream's time after each record."""


class Timeline:
    """A stream that can be walked through, as far as it is known.

    Args:
        reduce: What the mechanism remembers.

    Attributes:
        epoch: Another number whenever the stream began anew.
    """

    def __init__(self, reduce: Reduce | None) -> None:
        self.reduce = reduce
        self.chunks: list[Chunk] = []
        self.survey = Survey()
        self.epoch = 0
        self._start = LabState()
        self._loaded: dict[tuple[int, int, int], _Loaded] = {}

    def records_of(self, chunk: Chunk) -> list[Record]:
        """A chunk's records."""
        raise NotImplementedError

    @property
    def first(self) -> int:
        """The first position that can be gone to."""
        return self.chunks[0].first if self.chunks else 0

    @property
    def last(self) -> int:
        """The last position that can be gone to."""
        return self.chunks[-1].last if self.chunks else 0

    @property
    def begin(self) -> int:
        """The time of the first position, nanoseconds since the clock's zero."""
        return self.chunks[0].before.t if self.chunks else 0

    @property
    def end(self) -> int:
        """The time of the last position."""
        return self.chunks[-1].end if self.chunks else 0

    @property
    def marks(self) -> list[Mark]:
        """The marks as far as the stream is known."""
        return self.survey.marks

    def blocked(self) -> tuple[tuple[int, int], ...]:
        """When somebody was blocked for long, as (begin, end)."""
        return self.survey.blocked()

    def state_at(self, position: int) -> LabState:
        """The state after so many records."""
        chunk = self._chunk(position)
        if chunk is None:
            return self._start
        return self.folded(chunk.state(), self._load(chunk).records[: position - chunk.first])

    def time_at(self, position: int) -> int:
        """The stream's time at a position."""
        chunk = self._chunk(position)
        if chunk is None:
            return self.begin
        if position <= chunk.first:
            return chunk.before.t
        times = self._load(chunk).times
        return times[min(position - chunk.first, len(times)) - 1] if times else chunk.before.t

    def position_at(self, t: int) -> int:
        """The last position whose time is not after `t`."""
        chunks = self.chunks
        index = bisect_right(chunks, t, key=lambda chunk: chunk.before.t) - 1
        if index < 0:
            return self.first
        chunk = chunks[index]
        return chunk.first + bisect_right(self._load(chunk).times, t)

    def stop(self, what: str, position: int, by: int) -> int | None:
        """The next stop of a sort after a position (`by` 1), or the last before it (-1); None when there is none."""
        stops = self.survey.stops[what]
        index = bisect_right(stops, position) if by > 0 else bisect_left(stops, position) - 1
        if not 0 <= index < len(stops):
            return None
        return stops[index] if self.first <= stops[index] <= self.last else None

    def between(self, low: int, high: int) -> list[Record] | None:
        """The records from one position to another where both lie in one chunk."""
        chunk = self._chunk(high)
        if chunk is None or not chunk.first <= low <= high:
            return None
        return self._load(chunk).records[low - chunk.first : high - chunk.first]

    def after(self, position: int) -> Iterator[tuple[int, Record]]:
        """Every record from a position on, each with the position after it, as far as the stream is known."""
        for chunk in list(self.chunks):
            if chunk.last <= position:
                continue
            skipped = max(position - chunk.first, 0)
            yield from enumerate(self._load(chunk).records[skipped:], chunk.first + skipped + 1)

    def folded(self, state: LabState, records: Sequence[Record]) -> LabState:
        """The state after records; of a damaged stream those that do not fit are left out."""
        return folded(state, records, self.reduce)[0]

    def _chunk(self, position: int) -> Chunk | None:
        """The chunk whose records lead to a position."""
        chunks = self.chunks
        index = bisect_left(chunks, position, key=lambda chunk: chunk.first) - 1
        return chunks[max(index, 0)] if chunks else None

    def _load(self, chunk: Chunk) -> _Loaded:
        place = (self.epoch, chunk.first, chunk.count)
        loaded = self._loaded.get(place)
        if loaded is None:
            records = self.records_of(chunk)
            ticker = chunk.before.copy()
            loaded = _Loaded(records, [ticker.take(time_of(record)) for record in records])
            while len(self._loaded) >= _KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[place] = loaded
        return loaded


class Cursor:
    """A place on a timeline, and the state there.

    Attributes:
        t: The moment, nanoseconds since the clock's zero: not before the time of the position.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._epoch = timeline.epoch
        self.position = timeline.first
        self.t = timeline.begin
        self.state = timeline.state_at(self.position)
        self.home()

    def go(self, position: int) -> None:
        """Go to a position, or as near as the timeline reaches."""
        self._move(position)
        self.t = self.timeline.time_at(self.position)

    def seek(self, t: int) -> None:
        """Go to a moment, or as near as the timeline reaches."""
        timeline = self.timeline
        t = max(timeline.begin, min(t, timeline.end))
        self._move(timeline.position_at(t))
        self.t = t
        if not self.state.processes:
            self.home()

    def step(self, what: str, by: int) -> bool:
        """Go to the next (`by` 1) or previous (-1) record, call, message, blocked moment or mark; False at the ends."""
        timeline = self.timeline
        if what == "record":
            wanted: int | None = self.position + by
            if not timeline.first <= self.position + by <= timeline.last:
                wanted = None
        else:
            wanted = timeline.stop(what, self.position, by)
        if wanted is None:
            return False
        self.go(wanted)
        return True

    def home(self) -> None:
        """Go as far back as there is something to see."""
        timeline = self.timeline
        self.go(timeline.first)
        for position in range(timeline.first + 1, min(timeline.first + _EMPTY, timeline.last) + 1):
            if self.state.processes:
                break
            self.go(position)

    def end(self) -> None:
        """Go as far forward as it goes."""
        self.go(self.timeline.last)

    def _move(self, position: int) -> None:
        timeline = self.timeline
        position = max(timeline.first, min(position, timeline.last))
        ahead = None
        if timeline.epoch == self._epoch and position >= self.position:
            ahead = timeline.between(self.position, position)
        if ahead is not None:
            self.state = timeline.folded(self.state, ahead)
        else:
            self.state = timeline.state_at(position)
        self.position, self._epoch = position, timeline.epoch
