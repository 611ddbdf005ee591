"""A worker process from its birth in the launcher to its end."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from ipctui.kernel import libc
from ipctui.trace.ring import W_CURRENT, W_ENDED, W_FAILED, W_FAILED_ERRNO, W_PID
from ipctui.worker.calls import Calls
from ipctui.worker.control import Adopted, Become, Control
from ipctui.worker.gate import Leave
from ipctui.worker.seat import Seat

NICENESS = 5
"""Two workers flat out must not starve the screen."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the laboratory asks the launcher to start: one process, and the seats of those that it will fork.

    Attributes:
        program: The function that the first process runs, as `program(calls, given)`.
        given: The parameters that the program reads, by name.
        limit: Messages for each sender to send, 0 for no end.
        letters: The letter of every sender of the session, where receivers look for torn messages; else None.
        arguments: What the program is called with besides, as a new image's is.
    """

    program: str
    seats: tuple[Seat, ...]
    given: dict[str, Any]
    limit: int
    letters: dict[str, str] | None
    arguments: tuple[int, ...] = ()


def run(module: ModuleType, order: Order, launcher: int) -> NoReturn:
    """Be a worker: run the program, then leave without unwinding what was inherited from the launcher."""
    libc.set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(0)
    os.nice(NICENESS)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    live(module, Calls(order.seats[0], list(order.seats[1:]), order.limit, order.letters, arrive), order)


def live(module: ModuleType, calls: Calls, order: Order) -> NoReturn:
    """Run the program in its seat, to the process's end."""
    status = 0
    try:
        status = _perform(module, calls, order)
    finally:
        # Reached in every process that the program forked, too: each ends here and nowhere else.
        calls.words[W_ENDED] = 1
        sys.stderr.flush()
        os._exit(status)


def _perform(module: ModuleType, calls: Calls, order: Order) -> int:
    given = SimpleNamespace(**order.given)
    calls.program = module, given
    program = order.program
    arguments = list(order.arguments)
    arrived = False
    while True:
        try:
            if not arrived:
                arrive(calls)
                arrived = True
            getattr(module, program)(calls, given, *arguments)
        except Adopted as adopted:
            program, arguments = str(adopted), calls.descriptors()
            continue
        except Become as become:
            program, arguments = str(become), []
            continue
        except Leave:
            return 0
        except OSError as error:
            calls.words[W_FAILED_ERRNO] = error.errno or 0
            calls.words[W_FAILED] = calls.words[W_CURRENT]
            return 1
        except BaseException:
            import traceback  # a defect of ours: only then is it worth its memory

            traceback.print_exc()
            return 70  # EX_SOFTWARE, sysexits.h
        return 0


def arrive(calls: Calls) -> None:
    """Make the process known, and answer the laboratory once no fork lies ahead."""
    if not calls.words[W_PID]:
        libc.set_process_name(calls.seat.name)
        calls.words[W_PID] = os.getpid()
    if calls.control is not None and calls.control.seat is not calls.seat:
        calls.control.abandon()
        calls.control = None
    if calls.awaits_children:
        return
    if calls.control is None:
        calls.control = Control(calls)
    calls.control.start()
