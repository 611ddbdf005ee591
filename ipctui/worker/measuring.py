"""A worker's own clock and what it measures by it: rows in a memory that the laboratory reads (kernel.measures)."""

from __future__ import annotations

import os
import statistics
from collections import deque

from ipctui.kernel import libc
from ipctui.kernel.measures import NAME, ROW, ROWS, key
from ipctui.kernel.own import lift
from ipctui.trace.clock import now
from ipctui.trace.operations import CODES
from ipctui.worker.seated import Seated

_LATEST = 32
_PIN = CODES["sched_setaffinity"]


class Measuring(Seated):
    """Times that a program takes of its own work; no system call, and no record but the row."""

    def __init__(self) -> None:
        super().__init__()
        self._board: memoryview | None = None
        self._owner = 0
        self._times: dict[int, deque[int]] = {}

    def clock(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC, read from memory that the kernel keeps (vdso(7))."""
        return now()

    def pin(self) -> None:
        """sched_setaffinity(2): from now on this process runs on the last CPU that it may run on, and on no other.

        Whoever it talks to does likewise: else where the scheduler happens to put the two tells more than the way.
        """
        cpu = max(os.sched_getaffinity(0))
        key = self._before(_PIN, -1, cpu, 0, b"", 0)
        self._call(key, lambda: os.sched_setaffinity(0, {cpu}), cpu, 0, b"")

    def measured(self, way: int, size: int, nanoseconds: int) -> None:
        """A message of this size took so long this way (a number from 1); kept while there is a row for it."""
        board = self._measures()
        name = key(way, size)
        times = self._times.get(name)
        if times is None:
            if len(self._times) == ROWS:
                return
            times = self._times[name] = deque(maxlen=_LATEST)
        at = list(self._times).index(name) * ROW.size // 8
        times.append(nanoseconds)
        board[at + 2], board[at + 4] = nanoseconds, min(times)
        board[at + 3] = int(statistics.median(times))
        board[at + 1] += 1
        board[at] = name

    def _measures(self) -> memoryview:
        if self._board is None or self._owner != os.getpid():
            # Above the program's descriptors, as the laboratory's other own ones are; a forked child makes its own.
            fd = lift(os.memfd_create(NAME, os.MFD_CLOEXEC))
            os.ftruncate(fd, ROWS * ROW.size)
            self._board = memoryview(libc.map_shared(fd, ROWS * ROW.size)).cast("Q")
            self._owner, self._times = os.getpid(), {}
        return self._board
