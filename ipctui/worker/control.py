"""The control thread: does what a word in the ring cannot say, beside a program that may be asleep in the kernel.

Requests come as JSON over a SOCK_SEQPACKET socket, `{"v": 1, "id": 7, "do": "close", …}`, descriptors riding along;
each is answered `{"id": 7, "outcome": "done" | "pending" | "refused", "detail": "…"}`, a pending one again when it
is done. End of file on the socket means that the laboratory is gone, and the worker goes with it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import socket
import stat
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from ipctui.kernel.own import lift
from ipctui.kernel.process import ProcessProbe
from ipctui.trace.clock import now
from ipctui.trace.operations import CODES, OPERATIONS
from ipctui.trace.ring import W_CONTROL, W_CURRENT, W_NONBLOCKING, W_SINCE, Key, key_of
from ipctui.worker.calls import Calls
from ipctui.worker.gate import Leave
from ipctui.worker.messages import lines_of
from ipctui.worker.seat import Seat

VERSION = 1
WAKE_SIGNAL = signal.SIGURG
"""Ignored by default (signal(7)), so that one that comes too early or too late harms nobody."""
PATIENCE = 2.0
"""Seconds for which the main thread is signalled to leave its call: a busy machine may not let it run before."""
_RESEND = 0.005
_AT_ONCE = 0.05
"""Seconds within which a main thread that is not asleep does what it is asked: until then nothing is answered."""
_BY_MODE = ("read", "write")
"""Operations that Python makes again after a signal (PEP 475): they end when they find the descriptor non-blocking."""
_BY_SIGNAL = frozenset(
    (
        *("open", "sem_wait", "mq_send", "mq_receive", "accept", "connect", "send", "recv", "sendmsg", "recvmsg"),
        *("semop", "poll", "epoll_wait", "clock_nanosleep", "sendto", "recvfrom"),
    )
)
"""Operations that a signal ends with EINTR, nothing having happened (signal(7))."""
_WHY_NOT = {
    "pthread_mutex_lock": "no signal ends pthread_mutex_lock, and to unlock for a dead owner would let two in at once",
    "waitpid": "waitpid ends only when a child does",
}


_GIVES_BACK = frozenset({"sem_post", "pthread_mutex_unlock"})
"""Operations before which a program is not left: what it has taken would be missing for ever."""


class _LaterError(Exception):
    """Raised by what was asked of the main thread: the operation at the gate comes first."""


class RefusedError(Exception):
    """A request that cannot be done; the message says why."""


class Adopted(BaseException):
    """Raised in a child forked on request: it leaves its parent's program and runs the function named."""


class Become(BaseException):
    """Raised at the gate of a worker that was asked to begin another program, or its own anew, from its first line."""

    def __init__(self, program: str, said: str) -> None:
        super().__init__(program)
        self.said = said


def _is_end(fd: int) -> bool:
    """Whether a descriptor is an end of a pipe or FIFO, or a socket: opened, perhaps, since the request was written."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class Control:
    """The control thread of one worker, and what it shares with the main thread."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.seat = calls.seat
        self._socket = socket.socket(fileno=calls.seat.control)
        self._pause = lift(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._woken: tuple[int, int] | None = None
        self._interrupting = False
        calls.settle = self._settle

    def start(self) -> None:
        """Start answering; called on the main thread, which is the only one then."""
        signal.signal(WAKE_SIGNAL, self._on_wake)
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()
        self._calls.words[W_CONTROL] = 1

    def pause(self) -> None:
        """End the thread, so that the process may fork: a lock held by another thread would stay held in the child."""
        os.eventfd_write(self._pause, 1)
        self._thread.join()
        os.eventfd_read(self._pause)

    def abandon(self) -> None:
        """Close what a forked child inherited of its parent's control."""
        self._socket.detach()  # the seat closes the descriptor
        os.close(self._pause)

    # The thread.

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._pause, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._pause in ready:
                return
            try:
                raw, fds, _, _ = socket.recv_fds(self._socket, 65536, 8)
            except ConnectionResetError:
                raw, fds = b"", []
            if not raw:
                os._exit(0)
            self._handle(json.loads(raw), [lift(fd) for fd in fds])

    def _handle(self, request: dict[str, Any], fds: list[int]) -> None:
        number = request["id"]
        try:
            do = self._requests.get(request["do"])
            if do is None or request.get("v") != VERSION:
                raise RefusedError(f"this worker does not know {request['do']!r}")
            detail = do(self, request, fds)
        except (RefusedError, OSError) as error:
            self._answer(number, "refused", str(error))
        except (KeyError, IndexError, TypeError) as error:
            self._answer(number, "refused", f"the request lacks something: {error!r}")
        else:
            if detail is not None:
                self._answer(number, "done", detail)

    def _answer(self, number: int, outcome: str, detail: str) -> None:
        try:
            self._socket.send(json.dumps({"id": number, "outcome": outcome, "detail": detail}).encode())
        except OSError:
            pass

    # Requests; one that answers later, from the main thread, returns None.

    def _inject(self, request: dict[str, Any], fds: list[int]) -> str:
        with open(fds[0], "rb") as file:
            text = file.read()
        lines = lines_of(text)
        self._calls.injections.extend(lines)
        self._calls.gate.urgent += len(lines) + 1
        self._calls.gate.poke()
        return "" if len(lines) == 1 else f"{len(lines)} messages, one a line"

    def _mode(self, request: dict[str, Any], fds: list[int]) -> str:
        # Opening a FIFO, a semaphore and poll have no descriptor whose mode they would go by; and set first, so that
        # what is opened from here on has the mode, too.
        self._calls.words[W_NONBLOCKING] = int(request["nonblocking"])
        for fd in sorted({*request["ends"], *filter(_is_end, self._calls.descriptors())}):
            try:
                flags = fcntl.fcntl(fd, fcntl.F_GETFL)
                wanted = flags | os.O_NONBLOCK if request["nonblocking"] else flags & ~os.O_NONBLOCK
                fcntl.fcntl(fd, fcntl.F_SETFL, wanted)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise
                continue  # the program has closed it meanwhile
            self._count_fcntl(fd, 2)
        return "" if request["ends"] else "it has no end open; this holds for what it opens and waits for from now on"

    def _close(self, request: dict[str, Any], fds: list[int]) -> None:
        fd = request["fd"]

        def close() -> None:
            self._calls.close(fd)

        self._on_main(request["id"], close)

    def _leave(self, request: dict[str, Any], fds: list[int]) -> None:
        def leave() -> None:
            self._give_back()
            raise Leave

        self._on_main(request["id"], leave)

    def _run(self, request: dict[str, Any], fds: list[int]) -> None:
        """Have the main thread run a function of the program's module, then begin the program in `then` if one is."""
        calls, name, then = self._calls, request["function"], str(request.get("then", ""))
        module, given = calls.program
        function = getattr(module, name) if name else None

        def run() -> str:
            said = None
            if then:
                self._give_back()
            try:
                if function is not None:
                    said = function(calls, given, *request["arguments"])
                if then:
                    calls.close_queues()
            except OSError as error:
                raise RefusedError(f"{errno.errorcode.get(error.errno or 0, 'error')}: {error.strerror}") from None
            text = "" if said is None else str(said)
            if then:
                raise Become(then, text)
            return text

        self._on_main(request["id"], run)

    def _give_back(self) -> None:
        """Put off what would end the program's work here if it is about to wake somebody who waits for that.

        In a module that is marked BALANCED, whose processes post as often as they wait, it is put off until what was
        taken has been given back: the others would miss it.
        """
        calls = self._calls
        about_to = OPERATIONS[Key.of(calls.words[W_CURRENT]).operation].name in _GIVES_BACK
        if about_to or (getattr(calls.program[0], "BALANCED", False) and calls.in_hand() > 0):
            raise _LaterError

    def _on_main(self, number: int, action: Callable[[], str | None]) -> None:
        """Have the main thread do something between two operations, and answer when it has."""
        answered = threading.Event()

        def perform() -> None:
            outcome, detail = "done", ""
            try:
                detail = action() or ""
            except _LaterError:
                self._calls.gate.actions.append(perform)
                return
            except (OSError, RefusedError) as error:
                outcome, detail = "refused", str(error)
            except BaseException as leaving:
                with self._lock:
                    answered.set()
                    self._answer(number, outcome, leaving.said if isinstance(leaving, Become) else "")
                raise
            with self._lock:
                answered.set()
                self._answer(number, outcome, detail)

        self._calls.gate.actions.append(perform)
        self._calls.gate.poke()
        operation = self._asleep_in()
        if operation is not None and (operation in _BY_MODE or operation in _BY_SIGNAL):
            self._end_call(operation)
        answered.wait(_AT_ONCE)
        with self._lock:
            if not answered.is_set():
                self._answer(number, "pending", "when it has left its call")

    def _asleep_in(self) -> str | None:
        """The operation of the program's in which the main thread sleeps in the kernel, or None."""
        with ProcessProbe(os.getpid()) as probe:
            sample = probe.sample()
        key = Key.of(self._calls.words[W_CURRENT])
        operation = OPERATIONS[key.operation]
        if sample.letter != "S" or sample.call is None or operation.syscall is None:
            return None
        same = sample.call.name == operation.syscall and sample.call.fd in (key.fd, None)
        return operation.name if same else None

    def _end_call(self, operation: str) -> bool:
        """End the main thread's call in which nothing has happened; False when it did not end in time."""
        if operation in _BY_SIGNAL:
            return self._interrupt()
        fd = Key.of(self._calls.words[W_CURRENT]).fd
        return fd is not None and self._wake_from(fd)

    def _wake_from(self, fd: int) -> bool:
        """End the main thread's read or write with EAGAIN, its mode restored; False when it did not end in time.

        The descriptor is made non-blocking, and a signal that does nothing makes Python ask the kernel again: no
        byte is lost, because a call that had moved any returns their number. The flag belongs to the open file
        description: while it is set, whoever shares the description is non-blocking too.
        """
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        self._count_fcntl(fd, 1)
        head = self._head()
        self._woken = (fd, flags)
        if not flags & os.O_NONBLOCK:  # else it went to sleep before its mode was changed
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
            self._count_fcntl(fd, 1)
        self._signal_until_past(head)
        if self._woken is not None:
            self._woken = None
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
            self._count_fcntl(fd, 1)
        return self._head() != head

    def _interrupt(self) -> bool:
        """End the main thread's call with EINTR; False when it did not end in time.

        The call is made through the C library, which does not make it again, and what EINTR ends has taken nothing.
        """
        head = self._head()
        self._interrupting = True
        self._signal_until_past(head)
        self._interrupting = False
        return self._head() != head

    def _signal_until_past(self, head: int) -> None:
        """Send the wake signal, again and again since one may come too early, until a record follows `head`."""
        deadline = now() + int(PATIENCE * 1e9)
        while self._head() == head and now() < deadline:
            signal.pthread_kill(self._main, WAKE_SIGNAL)
            self._left.wait(_RESEND)
            self._left.clear()

    def _head(self) -> int:
        return self._calls.journal.head()

    def _count_fcntl(self, fd: int, times: int) -> None:
        key = key_of(CODES["fcntl"], fd, self._calls.objects.get(fd, 0))
        for _ in range(times):
            self._calls.journal.count_control(key)

    # On the main thread.

    def _on_wake(self, number: int, frame: object) -> None:
        words = self._calls.words
        if self._woken is not None:
            self._calls.traced.wakes.append((now(), words[W_CURRENT], words[W_SINCE]))

    def _settle(self, fd: int) -> None:
        woken, self._woken = self._woken, None
        if woken is None:
            if self._interrupting:
                self._left.set()
            return
        begin = now()
        fcntl.fcntl(woken[0], fcntl.F_SETFL, woken[1])
        self._calls.traced.note("fcntl", woken[0], begin, 0, fcntl.F_SETFL, woken[1])
        self._left.set()

    def _wake(self, request: dict[str, Any], fds: list[int]) -> str:
        operation = self._asleep_in()
        if operation is None:
            raise RefusedError("it is not asleep in an operation of its program's")
        if operation not in _BY_MODE and operation not in _BY_SIGNAL:
            raise RefusedError(_WHY_NOT.get(operation, f"{operation} cannot be ended without losing its result"))
        if not self._end_call(operation):
            raise RefusedError("the call did not end in time")
        return f"the call ended with {'EAGAIN' if operation in _BY_MODE else 'EINTR'}"

    def _fork(self, request: dict[str, Any], fds: list[int]) -> None:
        ring, gate, control = fds
        paced = tuple(request["paced"])
        seat = Seat(request["role"], request["letter"], paced, ring, gate, control, cell=request["cell"])
        calls, number = self._calls, request["id"]

        def fork() -> None:
            self.pause()
            calls.expect(seat)
            if calls.fork() == 0:
                raise Adopted(request["program"])

        self._on_main(number, fork)

    _requests: ClassVar[dict[str, Callable[[Control, dict[str, Any], list[int]], str | None]]] = {
        "inject": _inject,
        "mode": _mode,
        "close": _close,
        "leave": _leave,
        "run": _run,
        "wake": _wake,
        "fork": _fork,
    }
