"""The history of a running laboratory: its last minutes, packed, so that a paused view can go back in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from ipctui.lab.fold import Reduce
from ipctui.lab.state import LabState
from ipctui.lab.survey import Survey
from ipctui.lab.timeline import Chunk, Timeline, packed, unpacked
from ipctui.trace.records import Header, Record

LONGEST = 600_000_000_000
"""Nanoseconds that a history reaches back at most."""
LARGEST = 100_000_000
"""Bytes that it takes at most; what it keeps of a busy laboratory is then shorter."""
_SLICE = 512
"""Records packed at once: few enough to do between two ticks."""
_CHUNK = 4096
_CHUNK_TIME = 30_000_000_000
_RAW = 1200
"""Bytes of a record that is not packed yet, about."""


class History(Timeline):
    """What a laboratory's listeners were told, from now back.

    Args:
        state: The laboratory's state, folded already when its records are told.
        reduce: What the mechanism remembers.
    """

    def __init__(
        self,
        state: Callable[[], LabState],
        reduce: Reduce | None,
        longest: int = LONGEST,
        largest: int = LARGEST,
    ) -> None:
        super().__init__(reduce)
        self._state = state
        self._longest = longest
        self._largest = largest
        self._latest = LabState()
        self._raw: list[Record] = []
        self._packed = 0
        self.full = False
        """Whether it reaches back less than `longest` because it would take too much memory."""

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        stops = sum(len(each) * each.itemsize for each in self.survey.stops.values())
        return self._packed + len(self._raw) * _RAW + stops

    def take(self, records: Sequence[Record]) -> None:
        """Take in a batch that the laboratory has folded."""
        if not records:
            return
        for place, record in enumerate(records):
            if isinstance(record, Header):
                self._begin_anew()
                records = records[place:]
                break
        if not self.chunks:
            self._open()
        for low in range(0, len(records), _SLICE):
            self._add(records[low : low + _SLICE])
        self._latest = self._state()
        last = self.chunks[-1]
        if last.count >= _CHUNK or last.end - last.before.t >= _CHUNK_TIME:
            self._close()
            self._open()
        self._forget()

    def records_of(self, chunk: Chunk) -> list[Record]:
        """A chunk's records."""
        records: list[Record] = list(chain.from_iterable(unpacked(raw) for raw in list(chunk.body)))
        if chunk is self.chunks[-1]:
            records += self._raw
        return records

    def _begin_anew(self) -> None:
        """Another session begins: its clock begins again, and nothing of the one before can be gone back to."""
        self.chunks = []
        self.survey = Survey()
        self.epoch += 1
        self._latest = LabState()
        self._raw = []
        self._packed = 0
        self.full = False

    def _open(self) -> None:
        survey = self.survey
        self.chunks.append(Chunk(survey.position, 0, survey.ticker.copy(), survey.ticker.t, self._latest, []))

    def _add(self, records: Sequence[Record]) -> None:
        chunk = self.chunks[-1]
        for record in records:
            self.survey.add(record)
        self._raw += records
        chunk.count += len(records)
        chunk.end = self.survey.ticker.t
        if len(self._raw) >= _SLICE:
            self._pack()

    def _pack(self) -> None:
        raw = packed(self._raw)
        self.chunks[-1].body.append(raw)
        self._packed += len(raw)
        self._raw = []

    def _close(self) -> None:
        self._pack()
        chunk = self.chunks[-1]
        assert isinstance(chunk.checkpoint, LabState)
        chunk.checkpoint = packed(chunk.checkpoint)
        self._packed += len(chunk.checkpoint)

    def _forget(self) -> None:
        gone = 0
        while len(self.chunks) - gone > 1:
            oldest = self.chunks[gone]
            large = self.size > self._largest
            if not large and oldest.end >= self.survey.ticker.t - self._longest:
                break
            self.full = large
            assert isinstance(oldest.checkpoint, bytes)
            self._packed -= len(oldest.checkpoint) + sum(map(len, oldest.body))
            gone += 1
        if gone:
            self.chunks = self.chunks[gone:]
            self.survey.forget(self.first, self.begin)
