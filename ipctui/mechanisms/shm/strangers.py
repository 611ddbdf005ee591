"""Processes that are none of the session's and have its segment mapped: looked for a few at a time, all the while.

To read every process's /proc/PID/maps at once takes tenths of a second where there are hundreds of processes, and the
picture would stand still meanwhile.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection

from ipctui.kernel.shared_memory import Mapping, mappings

_SOONEST, _LATEST = 1_000_000_000, 4_000_000_000
_PATIENCE = 100
"""After so many times its own CPU time another round begins, within these bounds: about 1 % of a core."""
_SIZES_AT_ONCE = 64
_MAPS_AT_ONCE = 4


class Strangers:
    """Looks round all processes, once a second where they are few; `look`, called with every tick, does a part of it.

    Whoever maps a file has a larger address space than before (the first number of /proc/PID/statm, proc_pid_statm(5)),
    and that is read in a hundredth of the time: the mappings of a process are read when it is new, when its address
    space has another size, and while it has the segment mapped.
    """

    def __init__(self) -> None:
        self._queue: deque[int] = deque()
        self._due = 0
        self._cost = 0
        self._sizes: dict[int, bytes] = {}
        self._found: dict[int, list[Mapping]] = {}

    @property
    def under_way(self) -> bool:
        """Whether a round has begun that is not done."""
        return bool(self._queue)

    def look(self, t: int, inode: tuple[int, int], skip: Collection[int]) -> dict[str, list[Mapping]]:
        """Look at the next few, and tell where each that has the file mapped ("pid N") has it."""
        before = time.thread_time_ns()
        if not self._queue and t >= self._due:
            self._begin(skip)
        elif not self._queue:
            return self._told(skip)
        maps = 0
        for _ in range(min(_SIZES_AT_ONCE, len(self._queue))):
            pid = self._queue[0]
            size = _size(pid)
            if size != self._sizes.get(pid) or pid in self._found:
                if maps == _MAPS_AT_ONCE:
                    break
                maps += 1
                self._read(pid, size, inode)
            self._queue.popleft()
        self._cost += time.thread_time_ns() - before
        self._due = t + min(max(_SOONEST, _PATIENCE * self._cost), _LATEST)
        return self._told(skip)

    def _told(self, skip: Collection[int]) -> dict[str, list[Mapping]]:
        # One that is the session's own may have begun in the middle of a round.
        return {f"pid {pid}": lines for pid, lines in self._found.items() if pid not in skip}

    def _begin(self, skip: Collection[int]) -> None:
        """Another round; what is known of those who have ended is forgotten."""
        self._cost = 0
        own = {*skip, os.getpid()}
        present = [pid for entry in os.listdir("/proc") if entry.isdigit() and (pid := int(entry)) not in own]
        living = set(present)
        self._sizes = {pid: size for pid, size in self._sizes.items() if pid in living}
        self._found = {pid: lines for pid, lines in self._found.items() if pid in living}
        # Those who have it mapped come first: that they have let it go is told soon.
        self._queue = deque(sorted(present, key=lambda pid: pid not in self._found))

    def _read(self, pid: int, size: bytes, inode: tuple[int, int]) -> None:
        self._sizes[pid] = size
        lines = mappings(pid, {inode})
        if lines:
            self._found[pid] = lines
        else:
            self._found.pop(pid, None)


def _size(pid: int) -> bytes:
    """The pages of a process's address space; nothing when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            return file.read(32).partition(b" ")[0]
    except OSError:
        return b""
