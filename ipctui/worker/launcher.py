"""The launcher: one small single-threaded process that forks the workers, reaps them, and cleans up after everyone.

It is started before the terminal UI (a threaded process must not fork). It is the subreaper of all workers
(PR_SET_CHILD_SUBREAPER, prctl(2)), so that a child whose parent ended is its own. At end of file on its socket it
kills them, removes every name that they made and, when the application died without a word, gives the terminal
back in order.

Over SOCK_SEQPACKET, JSON, descriptors riding along:
    → {"op": "preload", "module": …}                 import a module of programs once, before any fork
    → {"op": "start", "program": …, "seats": […], …} and 3 descriptors a seat, and stderr
                                                     ← {"started": pid} or {"failed": why}
    → {"op": "own" | "disown", "kind": …, "name": …} a name to remove at the end, or no longer
    → {"op": "terminal"} + its descriptor            remember how it is set now
    → {"op": "bye"}                                  the application ends in order
    ← {"exited": pid, "status": wait status}
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import termios
from types import ModuleType
from typing import Any

from ipctui.kernel import libc
from ipctui.kernel.own import lift
from ipctui.kernel.process import children
from ipctui.worker import names
from ipctui.worker.process import Order, run
from ipctui.worker.seat import Seat

TERMINAL_RESET = (
    b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?1015l\x1b[?1016l"
    b"\x1b[?2004l\x1b[?2026l\x1b[<u\x1b[0m\r\n"
)
"""Normal screen, cursor shown; mouse, focus and paste reports off; keyboard and colours as before (xterm ctlseqs)."""


class Launcher:
    """Serves one application over its socket until either ends."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=lift(fd))
        self._module: ModuleType | None = None
        self._owned: list[tuple[names.Kind, str]] = []
        self._terminal: tuple[int, list[Any]] | None = None
        self._said_bye = False

    def serve(self) -> None:
        """Answer until end of file, then clean up."""
        wake_reader, wake_writer = (lift(fd) for fd in os.pipe())
        os.set_blocking(wake_reader, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(wake_reader, select.POLLIN)
        self._inherited = (wake_reader, wake_writer)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if wake_reader in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_reader, 4096)
                self._reap()
            if self._socket.fileno() in ready and not self._answer():
                break
        self._clean_up()

    def _answer(self) -> bool:
        try:
            raw, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, 64)
        except ConnectionResetError:
            return False
        if not raw:
            return False
        request = json.loads(raw)
        fds = [lift(fd) for fd in fds]
        match request["op"]:
            case "preload":
                self._module = importlib.import_module(request["module"])
                gc.collect()
                gc.freeze()
            case "start":
                self._start(request, fds)
            case "own":
                self._owned.append((request["kind"], request["name"]))
            case "disown":
                self._owned.remove((request["kind"], request["name"]))
            case "terminal":
                self._terminal = (fds[0], termios.tcgetattr(fds[0]))
            case "bye":
                self._said_bye = True
        return True

    def _start(self, request: dict[str, Any], fds: list[int]) -> None:
        assert self._module is not None
        *ends, errors = fds
        triples = zip(ends[0::3], ends[1::3], ends[2::3], strict=True)
        seats = tuple(
            Seat(seat["role"], seat["letter"], tuple(seat["paced"]), *triple, first=seat["first"], cell=seat["cell"])
            for seat, triple in zip(request["seats"], triples, strict=True)
        )
        order = Order(request["program"], seats, request["given"], request["limit"], request["letters"])
        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"failed": f"fork: {error.strerror}"})
            pid = -1
        if pid == 0:
            self._leave_launcher(errors)
            run(self._module, order, me)
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._tell({"started": pid})

    def _leave_launcher(self, errors: int) -> None:
        """In a new worker: keep nothing of the launcher's but standard descriptors."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in self._inherited:
            os.close(fd)
        self._socket.close()
        if self._terminal is not None:
            os.close(self._terminal[0])
        os.dup2(errors, 2)
        os.close(errors)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._tell({"exited": pid, "status": status})

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(json.dumps(message).encode())

    def _clean_up(self) -> None:
        kill_descendants()
        for kind, name in self._owned:
            with contextlib.suppress(OSError):
                names.remove(kind, name)
        if self._terminal is not None and not self._said_bye:
            fd, attributes = self._terminal
            with contextlib.suppress(OSError, termios.error):
                os.write(fd, TERMINAL_RESET)
                termios.tcsetattr(fd, termios.TCSADRAIN, attributes)


def kill_descendants() -> None:
    """Kill every descendant of this subreaper, stopped ones too, and reap them."""
    while True:
        living = children(os.getpid())
        if not living:
            return
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Orphans of those just killed become children of this process: look again until there are none.
        for _ in living:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)


def main() -> None:
    """The launcher's process: the socket's descriptor is its one argument."""
    fd = int(sys.argv[1])
    os.setsid()
    libc.set_child_subreaper()
    libc.set_process_name("ipctui-launcher")
    Launcher(fd).serve()
