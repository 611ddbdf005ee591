"""Waiting for readiness, for events and for time: poll(2), epoll(7), eventfd(2), clock_nanosleep(2), nice(2)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

POLLIN = 1
"""There is something to read: poll(2)."""
_POLL, _CREATE, _CTL, _WAIT, _EVENTFD, _NICE, _YIELD, _SLEEP = (
    CODES[name]
    for name in (
        *("poll", "epoll_create1", "epoll_ctl", "epoll_wait"),
        *("eventfd", "nice", "sched_yield", "clock_nanosleep"),
    )
)
_POLLFD = struct.Struct("@ihh")
_EVENT = struct.Struct("=Iq" if os.uname().machine == "x86_64" else "@Iq")  # packed there alone: <sys/epoll.h>
_CLOCK_MONOTONIC = 1


class Waiting(Seated):
    """Traced operations that wait for something other than one descriptor's data."""

    def poll(self, fds: Iterable[int | tuple[int, int]], timeout: int = -1) -> list[tuple[int, int]] | None:
        """poll(2): (descriptor, events) of those that are ready; None when the time is over or a signal came.

        Args:
            fds: Descriptors to read from, or pairs of descriptor and events (POLLIN, POLLOUT, …).
            timeout: Milliseconds; -1 for no end. 0 while the user has set this worker to non-blocking.
        """
        wanted = [each if isinstance(each, tuple) else (each, POLLIN) for each in fds]
        raw = b"".join(_POLLFD.pack(fd, events, 0) for fd, events in wanted)
        buffer, count = ctypes.create_string_buffer(raw, len(raw)), len(wanted)
        payload = struct.pack(f"@{min(count, 8)}i", *(fd for fd, _ in wanted[:8]))
        extra = timeout & 0xFFFFFFFF
        key = self._before(_POLL, -1, count, extra, payload, 0)
        if self.nonblocking:
            timeout, extra = 0, 0
        function = clib.function("poll", clib.POINTER, clib.LONG, clib.INT)
        ready = self._call(
            key, lambda: clib.checked(function(ctypes.addressof(buffer), count, timeout)), count, extra, payload
        )
        if not ready:
            return None
        return [(fd, revents) for fd, _, revents in _POLLFD.iter_unpack(buffer.raw) if revents]

    def epoll_create1(self, flags: int = 0) -> int:
        """epoll_create1(2): a descriptor."""
        function = clib.function("epoll_create1", clib.INT, brief=True)
        key = self._before(_CREATE, -1, flags, 0, b"", 0)
        fd = self._must(self._call(key, lambda: clib.checked(function(flags)), flags, 0, b""))
        self._adopt(fd, "anon_inode:[eventpoll]")
        return fd

    def epoll_ctl(self, epfd: int, operation: int, fd: int, events: int = 0) -> None:
        """epoll_ctl(2): EPOLL_CTL_ADD (1), EPOLL_CTL_DEL (2), EPOLL_CTL_MOD (3)."""
        event = _EVENT.pack(events, fd)
        function = clib.function("epoll_ctl", clib.INT, clib.INT, clib.INT, clib.TEXT, brief=True)
        extra = fd << 32 | events & 0xFFFFFFFF
        key = self._before(_CTL, epfd, operation, extra, b"")
        self._call(key, lambda: clib.checked(function(epfd, operation, fd, event)), operation, extra, b"")

    def epoll_wait(self, epfd: int, maxevents: int, timeout: int = -1) -> list[tuple[int, int]] | None:
        """epoll_wait(2): (descriptor, events) of those that are ready; None when the time is over or a signal came."""
        buffer = ctypes.create_string_buffer(_EVENT.size * maxevents)
        extra = timeout & 0xFFFFFFFF
        key = self._before(_WAIT, epfd, maxevents, extra, b"")
        if self.nonblocking:
            timeout, extra = 0, 0
        function = clib.function("epoll_wait", clib.INT, clib.POINTER, clib.INT, clib.INT)
        ready = self._call(
            key,
            lambda: clib.checked(function(epfd, ctypes.addressof(buffer), maxevents, timeout)),
            *(maxevents, extra, b""),
        )
        if not ready:
            return None
        return [(fd, events) for events, fd in _EVENT.iter_unpack(buffer.raw[: _EVENT.size * ready])]

    def eventfd(self, value: int = 0, flags: int = 0) -> int:
        """eventfd(2): a descriptor with a counter behind it, read and written as 8 bytes."""
        key = self._before(_EVENTFD, -1, value, flags, b"", 0)
        fd = self._must(self._call(key, lambda: os.eventfd(value, flags), value, flags, b""))
        self._adopt(fd, "anon_inode:[eventfd]")
        return fd

    def nice(self, increment: int) -> int:
        """nice(2): the new nice value, higher is meeker. Raises OSError: EPERM for an increment below 0."""
        key = self._before(_NICE, -1, increment, 0, b"", 0)
        try:
            value = os.nice(increment)
        except OSError as error:
            self._missed(key, increment, 0, b"", error)
            raise
        # A nice value below 0 is no error: it rides in the other word, and the result is setpriority(2)'s.
        self._after(key, 0, increment, value & 0xFFFFFFFF, b"")
        return value

    def sched_yield(self) -> None:
        """sched_yield(2): whoever else is ready runs first."""
        key = self._before(_YIELD, -1, 0, 0, b"", 0)
        self._call(key, os.sched_yield, 0, 0, b"")

    def clock_nanosleep(self, seconds: float) -> bool | None:
        """clock_nanosleep(2) on CLOCK_MONOTONIC: True when the time is over, None when a signal ended it."""
        nanoseconds = max(0, round(seconds * 1e9))
        span = struct.pack("@ll", *divmod(nanoseconds, 1_000_000_000))
        function = clib.function("clock_nanosleep", clib.INT, clib.INT, clib.TEXT, clib.POINTER)
        key = self._before(_SLEEP, -1, nanoseconds, 0, b"", 0)

        def sleep() -> None:
            number = function(_CLOCK_MONOTONIC, 0, span, None)
            if number:  # returned, not left in errno
                raise OSError(number, os.strerror(number))

        return None if self._call(key, sleep, nanoseconds, 0, b"") is None else True
