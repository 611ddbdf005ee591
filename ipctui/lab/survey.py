"""The survey of a stream of records: what a walk through time stops at, and what a time bar shows."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass

from ipctui.lab.fold import key
from ipctui.trace.records import Access, Call, Checkpoint, Event, Header, Process, Record, State, Summary

LONG = 200_000_000
"""Nanoseconds that a process must be blocked to be shown on a time bar: a reader between two messages is no news."""

FAR = 3_600_000_000_000
"""Nanoseconds from one record to the next that only a damaged number explains: counters come every second."""

WHAT = ("call", "message", "blocked", "mark")
"""What a walk can stop at, besides every record."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that the user marked, with the words it was given; `ko` is the same in Korean, where a lecture's file
    has both.
    """

    position: int
    t: int
    text: str
    ko: str = ""


class Ticker:
    """The time of a stream: the latest of its records' times, single ones that lie far off left out."""

    __slots__ = ("suspect", "t")

    def __init__(self, t: int = 0, suspect: int | None = None) -> None:
        self.t = t
        self.suspect = t if suspect is None else suspect

    def take(self, t: int) -> int:
        """The time after a record of time `t`."""
        if t > self.t:
            if t - self.t > FAR and abs(t - self.suspect) > FAR:
                self.suspect = t
            else:
                self.t = self.suspect = t
        return self.t

    def copy(self) -> Ticker:
        """Another of the same time."""
        return Ticker(self.t, self.suspect)


def time_of(record: Record) -> int:
    """A record's time; those without one have begun with the clock."""
    return 0 if isinstance(record, Header | Summary) else record.t


class Survey:
    """What has passed so far.

    Attributes:
        position: The number of records seen; a position lies between two records.
        stops: For each of `WHAT`, the positions just after it, in order.
        spans: When somebody was blocked for long, as (begin, end), in the order of their ends.
    """

    def __init__(self) -> None:
        self.position = 0
        self.ticker = Ticker()
        self.stops: dict[str, array[int]] = {what: array("Q") for what in WHAT}
        self.marks: list[Mark] = []
        self.spans: list[tuple[int, int]] = []
        self._blocked: dict[str, int] = {}

    def add(self, record: Record) -> None:
        """Take in the next record."""
        if not self.position and isinstance(record, Checkpoint):
            self.ticker = Ticker(record.t)
        self.position += 1
        t = self.ticker.take(time_of(record))
        if isinstance(record, Call):
            self.stops["call"].append(self.position)
            if record.message:
                self.stops["message"].append(self.position)
        elif isinstance(record, State):
            self._state(record, t)
        elif isinstance(record, Access):
            self.stops["call"].append(self.position)
        elif isinstance(record, Process):
            if record.event == "exited":
                self._wakes(key(record.process, record.cell), t)
        elif isinstance(record, Event) and record.name == "mark":
            self.stops["mark"].append(self.position)
            words = (str(record.data.get(name, "")) for name in ("text", "ko"))
            self.marks.append(Mark(self.position, t, *words))

    def _state(self, record: State, t: int) -> None:
        name = key(record.process, record.cell)
        if record.state != "blocked":
            self._wakes(name, t)
            return
        since = min(t if record.since is None else record.since, t)
        known = self._blocked.get(name)
        if known is None or known != since:
            self._wakes(name, since)
            self._blocked[name] = since
            self.stops["blocked"].append(self.position)

    def _wakes(self, name: str, t: int) -> None:
        since = self._blocked.pop(name, None)
        if since is not None and t - since >= LONG:
            self.spans.append((since, t))

    def blocked(self) -> tuple[tuple[int, int], ...]:
        """When somebody was blocked for long, those who still are included."""
        t = self.ticker.t
        return (*self.spans, *((since, t) for since in list(self._blocked.values()) if t - since >= LONG))

    def forget(self, position: int, t: int) -> None:
        """Drop what lies before a position and its time."""
        for stops in self.stops.values():
            del stops[: bisect_left(stops, position)]
        self.marks = [mark for mark in self.marks if mark.position >= position]
        self.spans = [span for span in self.spans if span[1] >= t]
