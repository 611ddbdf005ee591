"""A worker's new image after execve(2): it takes its old seat again and runs the function that it was called for."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import signal

from ipctui.kernel import libc
from ipctui.trace.ring import W_SINCE
from ipctui.worker.calls import Calls
from ipctui.worker.execution import SEAT
from ipctui.worker.process import Order, arrive, live
from ipctui.worker.seat import Seat


def main() -> None:
    """The new image's process: everything that it has to know lies in its environment."""
    said = json.loads(os.environ.pop(SEAT))
    seat = Seat(**{**said["seat"], "paced": tuple(said["seat"]["paced"])})
    for fd in (seat.ring, seat.gate, seat.control):
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    libc.set_process_name(seat.role)
    calls = Calls(seat, [], said["limit"], None, arrive)
    calls.traced.note("execve", -1, calls.words[W_SINCE], 0, len(said["arguments"]), 0)
    calls.inherited()
    order = Order(said["program"], (seat,), said["given"], said["limit"], None, tuple(said["arguments"]))
    live(importlib.import_module(said["module"]), calls, order)
