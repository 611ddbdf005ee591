"""What a program is given: the system calls by their man-page names, each of them traced.

A program touches the outside world through this alone; the families of operations are in modules of their own. Results
are those of the C interface where Python's differ in kind: what may sleep answers None where C says -1 with EAGAIN or
EINTR (nothing has happened, ask again), every other error raises OSError.
"""

from __future__ import annotations

import errno
import fcntl as _fcntl
import os
import signal as _signal
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType, SimpleNamespace

from ipctui.trace.operations import CODES
from ipctui.trace.records import REFUSED
from ipctui.trace.ring import W_OFFERED, W_RECEIVED, W_REFUSED, W_SENT, W_SINCE, W_SIZE, W_WHOLE
from ipctui.worker import messages
from ipctui.worker.aio import Aio
from ipctui.worker.datagrams import Datagrams
from ipctui.worker.execution import Execution
from ipctui.worker.files import Files
from ipctui.worker.growing import Growing
from ipctui.worker.io_uring import IoUring
from ipctui.worker.job import Job
from ipctui.worker.measuring import Measuring
from ipctui.worker.queues import Queues
from ipctui.worker.remote_memory import RemoteMemory
from ipctui.worker.seat import Seat
from ipctui.worker.semaphore_sets import SemaphoreSets
from ipctui.worker.semaphores import Semaphores
from ipctui.worker.shared_memory import SharedMemory
from ipctui.worker.telling import Telling
from ipctui.worker.waiting import Waiting

_TELL = CODES["tell"]


def _make_pipe(flags: int) -> tuple[tuple[int, int], int, int]:
    r, w = os.pipe2(flags)
    return (r, w), 0, r | w << 32


class _InChild(BaseException):
    """Carries a freshly forked child out of the parent's traced operation, whose ring is not the child's."""


class Calls(
    Files,
    SharedMemory,
    Semaphores,
    Queues,
    Datagrams,
    Waiting,
    IoUring,
    Aio,
    Job,
    RemoteMemory,
    Execution,
    Measuring,
    Telling,
    SemaphoreSets,
    Growing,
):
    """The traced operations of one worker; in a forked child the same object speaks for the child.

    Args:
        seat: The worker's own seat.
        children: Seats of the children that it will fork, in order.
        limit: Messages to send, 0 for no end.
        letters: The letter of every sender of the session, where `received` looks for torn messages; else None.
        arrive: Called when a forked child has taken its seat, and when no seat is left to hand out.

    Attributes:
        injections: The user's own messages, which come first.
        program: The module whose functions the worker runs, and what these are given.
    """

    def __init__(
        self,
        seat: Seat,
        children: list[Seat],
        limit: int,
        letters: Mapping[str, str] | None,
        arrive: Callable[[Calls], None],
    ) -> None:
        super().__init__()
        self._children = children
        self._limit = limit
        self._letters = letters
        self._arrive = arrive
        self.injections: list[bytes] = []
        self.program: tuple[ModuleType | None, SimpleNamespace] = (None, SimpleNamespace())
        self._sit(seat)

    def _sit(self, seat: Seat) -> None:
        super()._sit(seat)
        self._tally = messages.Tally(self._letters)
        self._number = seat.first

    @property
    def awaits_children(self) -> bool:
        """Whether seats are left for children that the program has yet to fork."""
        return bool(self._children)

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
        self._drop(fd)

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

    def waitpid(self) -> int:
        """waitpid(2) for any child of this process: its pid; -1 when there is none left (ECHILD)."""

        def wait() -> tuple[int, int, int]:
            pid, status = os.waitpid(-1, 0)
            return pid, pid, status

        try:
            return self._operate("waitpid", -1, -1, 0, b"", wait)
        except ChildProcessError:
            return -1

    # Messages.

    def messages(self) -> Iterator[bytes]:
        """The messages to send, one after another; the user's own come first when there are any."""
        sent = 0
        while not self._limit or sent < self._limit:
            yield self._next_message()
            sent += 1
            self.words[W_SENT] += 1

    def offers(self) -> Iterator[bytes]:
        """The messages to offer, one after another: each counts as sent, or as refused where `refused` says so."""
        offered = 0
        while not self._limit or offered < self._limit:
            message = self._next_message()
            offered += 1
            self.words[W_OFFERED] += 1
            self._taken = True
            yield message
            self.words[W_SENT if self._taken else W_REFUSED] += 1

    def refused(self) -> None:
        """Say that nobody took the message offered last: it is counted as refused, told, and gone."""
        self._taken = False
        key = self._before(_TELL, -1, self._number, 0, b"", self._label(REFUSED))
        self._after(key, 0, self._number, 0, b"")

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

    def received(self, data: bytes | None, datagram: bool = False) -> int:
        """Count the messages that these bytes end: how many; None and b"" end none.

        Args:
            datagram: The channel keeps the edges of messages: these bytes are one, whole if they end as one does.
        """
        if not data:
            return 0
        before = self._tally.ended
        if datagram:
            self._tally.add_message(data)
        else:
            self._tally.add(data)
        # In this order: whoever looks in between must not take a message for a torn one.
        self.words[W_WHOLE] = self._tally.whole
        self.words[W_RECEIVED] = self._tally.ended
        return self._tally.ended - before
