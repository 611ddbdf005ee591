"""A job beside waiting: units of work that are counted, messages that carry their time, and notices by signal."""

from __future__ import annotations

import re
import signal as _signal
import zlib
from collections import deque

from ipctui.trace.clock import now
from ipctui.trace.operations import CODES
from ipctui.trace.ring import W_MEDIAN, W_P99, W_WORK
from ipctui.worker.seated import Seated

UNIT = 256 * 1024
"""Bytes whose checksum is one unit of work: a tenth of a millisecond or so."""
REMEMBERED, LATELY = 256, 4_000_000_000
"""Messages whose delays median and 99th percentile are taken of: so many at most, received in so many nanoseconds."""
STAMP_ROOM = 48
"""Bytes that a message needs for its sender, number and time."""
_WORK, _NOTICE, _SIGACTION, _GETTIME = (CODES[name] for name in ("work", "notice", "sigaction", "clock_gettime"))
_STAMP = re.compile(rb"(?:^|\n)[a-z]{1,16}[0-9]{0,6}:[0-9]{1,19} @([0-9]{1,19}) ")
_HEADER_END = re.compile(rb"[a-z]{1,16}[0-9]{0,6}:[0-9]{1,19} ")
_SOONEST = 20_000_000


def stamped(message: bytes, time: int) -> bytes:
    """A message with the time in it, `sender:number @nanoseconds …`: in place of filling, as long as before.

    A user's own text is kept, and the message grows; one too short for its header stays as it is.
    """
    found = _HEADER_END.match(message)
    if found is None:
        return message
    stamp = b"@%d " % time
    rest = message[found.end() :]
    body = rest[:-1]
    if len(body) > len(stamp) and body.count(body[:1]) == len(body):
        rest = rest[len(stamp) :]
    return found[0] + stamp + rest


def times_in(data: bytes) -> list[int]:
    """The times that whole stamps in these bytes tell, nanoseconds of CLOCK_MONOTONIC; foreign bytes tell none."""
    return [int(found) for found in _STAMP.findall(data)]


def percentile(ordered: list[int], share: float) -> int:
    """The smallest of some ordered numbers that at least this share of them do not exceed; at least one is needed."""
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)]


class Job(Seated):
    """What a worker does beside its reads and writes, and what it measures of itself."""

    def __init__(self) -> None:
        super().__init__()
        self._stuff = b""
        self._delays: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._told = 0
        self._notices = 0

    def work(self) -> None:
        """One unit of other work: the CRC-32 of `UNIT` bytes; no system call. The lab can pace it."""
        if not self._stuff:
            self._stuff = bytes(range(256)) * (UNIT // 256)
        done = self.words[W_WORK] + 1
        key = self._before(_WORK, -1, done, 0, b"", 0)
        zlib.crc32(self._stuff)
        self.words[W_WORK] = done
        self._after(key, done, done, 0, b"")

    def clock_gettime(self) -> int:
        """clock_gettime(2) of CLOCK_MONOTONIC, nanoseconds; no system call (vdso(7)). The lab can pace it."""
        key = self._before(_GETTIME, -1, 0, 0, b"", 0)
        time = now()
        self._after(key, time, 0, 0, b"")
        return time

    def delays(self, data: bytes) -> None:
        """Note how long ago the messages in these bytes were stamped; tell median and 99th percentile of the latest."""
        present = now()
        self._delays.extend((present, present - time) for time in times_in(data) if time <= present)
        while self._delays and present - self._delays[0][0] > LATELY:
            self._delays.popleft()
        if self._delays and present - self._told >= _SOONEST:
            self._told = present
            ordered = sorted(delay for _, delay in self._delays)
            self.words[W_MEDIAN] = percentile(ordered, 0.5)
            self.words[W_P99] = percentile(ordered, 0.99)

    # Signal-driven input, fcntl(2) F_SETOWN and O_ASYNC.

    def sigaction(self, number: int) -> None:
        """sigaction(2): from now on this signal is noted and does nothing else; `notice` asks for it."""

        def noted(signal: int, frame: object) -> None:
            self._notices += 1  # between two instructions of any operation: nothing else is safe here

        key = self._before(_SIGACTION, -1, int(number), 0, b"", 0)
        self._call(key, lambda: _signal.signal(number, noted) and None, int(number), 0, b"")

    def notice(self) -> bool:
        """Whether the signal has come since this was asked last: a look at a flag, recorded only when it is set."""
        if not self._notices:
            return False
        key = self._before(_NOTICE, -1, self._notices, 0, b"", 0)
        count, self._notices = self._notices, 0
        self._after(key, count, count, 0, b"")
        return True
