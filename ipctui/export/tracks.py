"""The tracks of a Chrome trace: processes and threads by number, lanes on which no two slices overlap.

Perfetto draws each thread of each process as a track, and its trace_processor drops a slice that partly overlaps
another of its track (`slice_drop_overlapping_complete_event` in src/trace_processor/storage/stats.h).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ipctui.export.spans import Spans

PID_LIMIT = 1 << 22
"""No process or thread has this number or a larger one (PID_MAX_LIMIT, include/linux/threads.h)."""

_MOST_LANES = 32


@dataclass(slots=True)
class Lane:
    """A track of slices one after another; the next may begin at `free`."""

    tid: int
    free: int


@dataclass(slots=True)
class Track:
    """One process: its number in the trace, its lanes and its states.

    Attributes:
        lanes: By thread; more than one only where its calls overlap, which those of a real thread never do.
    """

    pid: int
    state_tid: int
    spans: Spans
    lanes: dict[int, list[Lane]] = field(default_factory=dict)


class Numbers:
    """Gives out process and thread numbers: the real ones where they are free, else some that the kernel never uses."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._next = PID_LIMIT

    def real(self, number: int | None) -> int:
        """This number, or another when it is taken already or can be no process's."""
        if number is None or not 0 < number < PID_LIMIT or number in self._taken:
            return self.new()
        self._taken.add(number)
        return number

    def new(self) -> int:
        """A number that no process has."""
        self._next += 1
        return self._next


def lane_for(lanes: list[Lane], begin: int, end: int) -> Lane | int | None:
    """The lane that a slice fits on, which it then occupies; the number of a lane to add; None when there are too many.

    A slice without length keeps its nanosecond to itself, so that an arrow finds it.
    """
    for lane in lanes:
        if begin >= lane.free:
            lane.free = max(end, begin + 1)
            return lane
    return len(lanes) if len(lanes) < _MOST_LANES else None
