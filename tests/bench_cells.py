"""The benchmarks of cells: the application's CPU with four of them, and a rendezvous traced and not.

As a program: the median time of a rendezvous in nanoseconds, of two processes pinned to one CPU, `bare` and `traced`
by turns; arguments: messages a round, rounds.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from ipctui.mechanisms.sync.program import hand_over, take
from ipctui.trace.ring import create_ring
from ipctui.worker import clib
from ipctui.worker.calls import Calls
from ipctui.worker.places import WORD
from ipctui.worker.seat import Seat
from ipctui.worker.semaphore_sets import IPC_CREAT, IPC_RMID, SemaphoreSet

Row = Callable[[str, str, str], None]
_SIZE = 64
_BUFFER = struct.Struct("@Hhh")


def bench_cells(row: Row, terminal_of: Callable[[list[str]], Any], cpu_seconds: Callable[[int], float]) -> None:
    """CPU with `sync` and `buffering` at 20 messages a second in each cell, 120x36; a rendezvous traced and bare."""
    for name, words in (
        ("sync, zero", ("sync", "--set", "rate=20", "--set", "receive=20")),
        ("sync, bounded", ("sync", "--variant", "bounded", "--set", "rate=20", "--set", "receive=20")),
        ("buffering", ("buffering", "--set", "rate=20", "--set", "consume=20")),
    ):
        terminal = terminal_of([sys.executable, "-m", "ipctui", "run", *words])
        try:
            terminal.until(rb"LIVE")
            terminal.keep_reading(3.0)
            before, began = cpu_seconds(terminal.pid), time.monotonic()
            terminal.keep_reading(8.0)
            share = (cpu_seconds(terminal.pid) - before) / (time.monotonic() - began)
        finally:
            terminal.end()
        row(
            f"CPU of the app at 120x36, {name}, 20 a second in each cell",
            f"{share * 100:.1f} % of a core",
            "at most 20 %",
        )
    script = [sys.executable, "-m", "tests.bench_cells", "3000", "9"]
    told = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    figures = {line.split()[0]: float(line.split()[1]) for line in told.splitlines()}
    ratio = figures["traced"] / figures["bare"]
    shown = f"{figures['traced'] / 1000:.1f} / {figures['bare'] / 1000:.1f} µs = {ratio:.2f}"
    row("a rendezvous traced / the same code untraced, one CPU", shown, "told")


class Bare:
    """The operations of a rendezvous as `Calls` makes them, and nothing told of them."""

    nonblocking = False

    def __init__(self) -> None:
        self._semop = clib.function("semop", clib.INT, clib.TEXT, clib.SIZE)
        self._semctl = clib.function("semctl", clib.INT, clib.INT, clib.INT, clib.POINTER, brief=True)

    def semop(self, semaphores: SemaphoreSet, *operations: tuple[int, ...]) -> bool | None:
        """semop(2)."""
        raw = b"".join(_BUFFER.pack(*(*operation, 0)[:3]) for operation in operations)
        clib.checked(self._semop(semaphores.id, raw, len(operations)))
        return True

    def semctl(self, semaphores: SemaphoreSet, number: int, command: int, *values: int) -> int:
        """semctl(2)."""
        array = (ctypes.c_ushort * max(1, len(values)))(*values)
        return clib.checked(self._semctl(semaphores.id, number, command, ctypes.addressof(array)))

    def load(self, slot: Any) -> bytes:
        """The message in a slot."""
        return bytes(slot.body[: slot.cell[0]])

    def store(self, slot: Any, message: bytes) -> None:
        """A message into a slot."""
        slot.body[: len(message)] = message
        slot.cell[0] = len(message)


def _traced(role: str) -> Calls:
    seat = Seat(role, "a", (), create_ring(), os.eventfd(0), os.eventfd(0))
    return Calls(seat, [], 0, None, lambda calls: None)


def main() -> None:
    """Time rendezvous between this process and a child."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    memory = os.memfd_create("bench")
    os.ftruncate(memory, WORD + _SIZE)
    maker = _traced("maker")
    slot = maker.mmap(memory, WORD + _SIZE).slot(0, _SIZE)
    semaphores = maker.semget(0, 2, IPC_CREAT | 0o600)
    times: dict[str, list[float]] = {}
    try:
        for _ in range(rounds):
            for kind, make in (("bare", lambda role: Bare()), ("traced", _traced)):
                times.setdefault(kind, []).append(_round(make, semaphores, slot, count))
    finally:
        clib.function("semctl", clib.INT, clib.INT, clib.INT, clib.POINTER)(semaphores.id, 0, IPC_RMID, None)
    for kind, measured in times.items():
        print(kind, f"{statistics.median(measured):.1f}")


def _round(make: Callable[[str], Any], semaphores: SemaphoreSet, slot: Any, count: int) -> float:
    child = os.fork()
    if child == 0:
        receiver = make("receiver")
        for _ in range(count):
            take(receiver, semaphores, slot)
        os._exit(0)
    sender, message = make("sender"), b"sender:1 " + b"a" * (_SIZE - 10) + b"\n"
    hand_over(sender, semaphores, slot, message)
    began = time.perf_counter_ns()
    for _ in range(count - 1):
        hand_over(sender, semaphores, slot, message)
    spent = time.perf_counter_ns() - began
    os.waitpid(child, 0)
    return spent / (count - 1)


if __name__ == "__main__":
    main()
