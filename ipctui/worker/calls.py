"""What a program is given: the system calls by their man-page names, each of them traced.

A program touches the outside world through this alone. Results are those of the C interface where Python's differ
in kind: `read` and `write` answer None where C says -1 with EAGAIN or EINTR, every other error raises OSError.
"""

from __future__ import annotations

import errno
import fcntl as _fcntl
import os
import signal as _signal
from collections.abc import Callable, Iterator
from typing import Protocol

from ipctui.trace.ring import OBJECTS, W_RECEIVED, W_SENT, W_SINCE, W_SIZE, W_WHOLE
from ipctui.worker import messages
from ipctui.worker.gate import Gate
from ipctui.worker.journal import Journal
from ipctui.worker.seat import Seat
from ipctui.worker.traced import Traced

_MASK = (1 << 64) - 1


class Word(Protocol):
    """A shared word as programs know it: an object's ordinal, its place in the object, and the memory behind it."""

    object: int
    offset: int
    memory: memoryview


class Stoppable(Protocol):
    """The control thread as a fork sees it."""

    seat: Seat

    def start(self) -> None:
        """Start answering."""

    def abandon(self) -> None:
        """Close what a child inherited of it."""


def _make_pipe(flags: int) -> tuple[tuple[int, int], int, int]:
    r, w = os.pipe2(flags)
    return (r, w), 0, r | w << 32


class _InChild(BaseException):
    """Carries a freshly forked child out of the parent's traced operation, whose ring is not the child's."""


class Calls:
    """The traced operations of one worker; in a forked child the same object speaks for the child.

    Args:
        seat: The worker's own seat.
        children: Seats of the children that it will fork, in order.
        limit: Messages to send, 0 for no end.
        pieces: Whether `received` looks for torn messages.
        arrive: Called when a forked child has taken its seat, and when no seat is left to hand out.
    """

    read: Callable[[int, int], bytes | None]
    write: Callable[[int, bytes], int | None]

    def __init__(
        self,
        seat: Seat,
        children: list[Seat],
        limit: int,
        pieces: bool,
        arrive: Callable[[Calls], None],
    ) -> None:
        self._children = children
        self._limit = limit
        self._letters = {each.role: each.letter for each in (seat, *children)} if pieces else None
        self._arrive = arrive
        self.objects: dict[int, int] = {}
        self._labels: list[str] = []
        self.injections: list[bytes] = []
        self.settle: Callable[[int], None] = lambda fd: None
        self.control: Stoppable | None = None
        self._sit(seat)

    def _sit(self, seat: Seat) -> None:
        """Take a seat: this process's operations go to its ring from now on."""
        self.seat = seat
        self.journal = Journal(seat.ring)
        self.words = self.journal.words
        self.gate = Gate(self.journal, seat.gate, frozenset(seat.paced))
        for label in self._labels:
            self.journal.name_object(label)
        self._tally = messages.Tally(self._letters)
        self.traced = Traced(
            self.journal, self.gate.attend, lambda fd: self.settle(fd), lambda fd: self.objects.get(fd, 0)
        )
        self.read, self.write, self._operate = self.traced.read, self.traced.write, self.traced.operate
        self._number = 0

    @property
    def awaits_children(self) -> bool:
        """Whether seats are left for children that the program has yet to fork."""
        return bool(self._children)

    def _adopt(self, fd: int, label: str) -> None:
        if label not in self._labels:
            self._labels.append(label)
            self.objects[fd] = self.journal.name_object(label)
        else:
            self.objects[fd] = min(self._labels.index(label) + 1, OBJECTS - 1)

    # System calls, by their man-page names.

    def pipe(self) -> tuple[int, int]:
        """pipe(2): the read end and the write end of a new pipe."""
        return self._adopt_pipe(self._operate("pipe", -1, 0, 0, b"", lambda: _make_pipe(0)))

    def pipe2(self, flags: int) -> tuple[int, int]:
        """pipe2(2): as pipe(), with flags such as O_DIRECT (packet mode)."""
        return self._adopt_pipe(self._operate("pipe2", -1, flags, 0, b"", lambda: _make_pipe(flags)))

    def _adopt_pipe(self, ends: tuple[int, int]) -> tuple[int, int]:
        label = f"pipe:[{os.fstat(ends[0]).st_ino}]"
        for end in ends:
            self._adopt(end, label)
        return ends

    def close(self, fd: int) -> None:
        """close(2)."""

        def close() -> tuple[None, int, int]:
            os.close(fd)
            return None, 0, 0

        self._operate("close", fd, 0, 0, b"", close)
        self.objects.pop(fd, None)

    def fcntl(self, fd: int, command: int, argument: int) -> int:
        """fcntl(2) with a number for its argument."""

        def control() -> tuple[int, int, int]:
            result = _fcntl.fcntl(fd, command, argument)
            return result, result, argument

        return self._operate("fcntl", fd, command, argument, b"", control)

    def signal(self, number: int, action: _signal.Handlers) -> None:
        """signal(2) with SIG_DFL or SIG_IGN."""

        def install() -> tuple[None, int, int]:
            _signal.signal(number, action)
            return None, 0, int(action)

        self._operate("signal", -1, int(number), int(action), b"", install)

    def fork(self) -> int:
        """fork(2): 0 in the child, which now sits in the next seat; the child's pid in the parent.

        Raises:
            OSError: EAGAIN when no seat is left, besides what fork(2) raises.
        """
        if not self._children:
            raise OSError(errno.EAGAIN, "the laboratory prepared no seat for another child")

        def fork() -> tuple[int, int, int]:
            pid = os.fork()
            if pid == 0:
                raise _InChild
            return pid, pid, 0

        try:
            pid = self._operate("fork", -1, 0, 0, b"", fork)
        except _InChild:
            begin = self.words[W_SINCE]
            self._take_child_seat()
            self.traced.resume(begin)
            return 0
        self._children.pop(0).close()
        if not self._children:
            self._arrive(self)
        return pid

    def _take_child_seat(self) -> None:
        mine, *others = self._children
        for seat in (self.seat, *others):
            seat.close()
        self._children = []
        self._sit(mine)
        self._arrive(self)

    def expect(self, seat: Seat) -> None:
        """Prepare for one more fork, of the child that will take this seat; the control thread must be paused."""
        self._children.append(seat)

    def descriptors(self) -> list[int]:
        """The descriptors of channel objects that this process has open, lowest first."""
        return sorted(self.objects)

    def waitpid(self) -> int:
        """waitpid(2) for any child of this process: its pid; -1 when there is none left (ECHILD)."""

        def wait() -> tuple[int, int, int]:
            pid, status = os.waitpid(-1, 0)
            return pid, pid, status

        try:
            return self._operate("waitpid", -1, -1, 0, b"", wait)
        except ChildProcessError:
            return -1

    # Loads and stores of shared words: no system call, and yet held, stepped and read line by line.

    def load(self, word: Word) -> int:
        """The value of a shared word of 8 bytes."""

        def load() -> tuple[int, int, int]:
            value = word.memory[word.offset // 8]
            return value, value if value < 1 << 63 else value - (1 << 64), word.object

        return self._operate("load", -1, word.offset, word.object, b"", load)

    def store(self, word: Word, value: int) -> None:
        """Store a value into a shared word of 8 bytes."""

        def store() -> tuple[None, int, int]:
            word.memory[word.offset // 8] = value & _MASK
            return None, value, word.object

        self._operate("store", -1, word.offset, word.object, b"", store)

    # Messages.

    def messages(self) -> Iterator[bytes]:
        """The messages to send, one after another; the user's own come first when there are any."""
        sent = 0
        while not self._limit or sent < self._limit:
            yield self._next_message()
            sent += 1
            self.words[W_SENT] += 1

    def message(self) -> bytes:
        """One message, which counts as sent when it is asked for."""
        self.words[W_SENT] += 1
        return self._next_message()

    def _next_message(self) -> bytes:
        self._number += 1
        role = self.seat.role
        if self.injections:
            return messages.injected(role, self._number, self.injections.pop(0))
        return messages.filled(role, self._number, max(1, self.words[W_SIZE]), self.seat.letter.encode())

    def received(self, data: bytes | None) -> int:
        """Count the messages that these bytes end: how many; None and b"" end none."""
        if not data:
            return 0
        before = self._tally.ended
        self._tally.add(data)
        self.words[W_RECEIVED] = self._tally.ended
        self.words[W_WHOLE] = self._tally.whole
        return self._tally.ended - before
