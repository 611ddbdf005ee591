"""What all traced operations of a worker stand on: its seat, its ring, and the names of the objects that it uses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from typing import Protocol

from ipctui.trace.clock import now
from ipctui.trace.ring import OBJECTS, W_NONBLOCKING
from ipctui.worker.gate import Gate
from ipctui.worker.journal import Journal
from ipctui.worker.places import Load, Store
from ipctui.worker.seat import Seat
from ipctui.worker.traced import Traced


class Stoppable(Protocol):
    """The control thread as a fork sees it."""

    seat: Seat

    def start(self) -> None:
        """Start answering."""

    def pause(self) -> None:
        """End the thread for the length of a fork or an exec."""

    def abandon(self) -> None:
        """Close what a child inherited of it."""


class Seated:
    """A process in its seat, and the objects that it has met.

    Attributes:
        objects: The ordinal of the object's label by descriptor.
        load: `load(place)`: the number in a shared word, the message in a slot.
        store: `store(place, value)`: a number into a shared word, a message into a slot.
    """

    read: Callable[[int, int], bytes | None]
    write: Callable[[int, bytes], int | None]
    load: Load
    store: Store

    def __init__(self) -> None:
        self.objects: dict[int, int] = {}
        self._labels: list[str] = []
        self.settle: Callable[[int], None] = lambda fd: None
        self.control: Stoppable | None = None

    def _sit(self, seat: Seat) -> None:
        """Take a seat: this process's operations go to its ring from now on."""
        self.seat = seat
        self.journal = Journal(seat.ring)
        self.words = self.journal.words
        self.gate = Gate(self.journal, seat.gate, frozenset(seat.paced))
        self._labels = self._labels or self.journal.labels()
        for label in self._labels:
            self.journal.name_object(label)
        traced = self.traced = Traced(
            self.journal, self.gate.attend, lambda fd: self.settle(fd), lambda fd: self.objects.get(fd, 0)
        )
        self.read, self.write, self._operate = traced.read, traced.write, traced.operate
        self.load, self.store = traced.load, traced.store
        self._before, self._asleep, self._after, self._missed = (
            traced.before,
            traced.asleep,
            traced.after,
            traced.missed,
        )

    @property
    def nonblocking(self) -> bool:
        """Whether the user wants operations that have no descriptor's mode to go by not to block (`mode`)."""
        return bool(self.words[W_NONBLOCKING])

    @nonblocking.setter
    def nonblocking(self, wanted: bool) -> None:
        self.words[W_NONBLOCKING] = int(wanted)

    def descriptors(self) -> list[int]:
        """The descriptors of channel objects that this process has open, lowest first."""
        return sorted(self.objects)

    def _label(self, label: str) -> int:
        """The ordinal of an object by its label; a new one for a new label."""
        if label in self._labels:
            return min(self._labels.index(label) + 1, OBJECTS - 1)
        self._labels.append(label)
        return self.journal.name_object(label)

    def _adopt(self, fd: int, label: str) -> None:
        """Let what is done on a descriptor be told of the object with this label."""
        self.objects[fd] = self._label(label)
        self.traced.forget()

    def _adopt_inode(self, fd: int, kind: str) -> None:
        """Adopt a descriptor by the name that /proc/PID/fd gives it: `socket:[24494]`."""
        self._adopt(fd, f"{kind}:[{os.fstat(fd).st_ino}]")

    def _take_mode(self, fd: int, flags: int) -> None:
        """Make a new descriptor non-blocking where the user asked for it while the call that made it slept.

        Args:
            flags: What the call asked for; F_SETFL of fcntl(2) takes the status flags of it.
        """
        if self.nonblocking and not flags & os.O_NONBLOCK:
            import fcntl  # missing on systems that this module must still be importable on

            begin, wanted = now(), flags | os.O_NONBLOCK
            fcntl.fcntl(fd, fcntl.F_SETFL, wanted)
            self.traced.note("fcntl", fd, begin, 0, fcntl.F_SETFL, wanted)

    def _drop(self, fd: int) -> None:
        self.objects.pop(fd, None)
        self.traced.forget()

    def _call(
        self,
        key: int,
        function: Callable[[], int | None],
        argument: int,
        extra: int,
        payload: bytes,
        quiet: Collection[int] = (),
    ) -> int | None:
        """Make a call that has been announced and whose record does not depend on what it brings: its result.

        None for EAGAIN, EINTR and the error numbers in `quiet`; other errors raise OSError.
        """
        try:
            result = function() or 0
        except OSError as error:
            self._missed(key, argument, extra, payload, error, quiet)
            return None
        self._after(key, result, argument, extra, payload)
        return result

    def _must(self, result: int | None) -> int:
        """The result of a call that cannot sleep, and so has no EAGAIN or EINTR to tell its program of."""
        if result is None:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return result
