"""The loops of `make bench` that are timed call by call: bare and traced, interleaved, pinned to one CPU.

Arguments: calls a round, rounds, and "bare" to leave the traced ones out. Prints the median time of a call in
nanoseconds, a name and a figure a line.
"""

from __future__ import annotations

import fcntl
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

_F_SETPIPE_SZ = 1031


def messages(count: int) -> Iterator[bytes]:
    """Messages of 64 bytes."""
    message = b"parent:1 " + b"a" * 54 + b"\n"
    for _ in range(count):
        yield message


def write_all(calls: SimpleNamespace, w: int, count: int) -> None:
    """The programs' own writing loop."""
    for message in messages(count):
        while message:
            sent = calls.write(w, message)
            message = message[sent:]


def read_all(calls: SimpleNamespace, r: int, count: int) -> None:
    """The programs' own reading loop."""
    while count and (data := calls.read(r, 64)) != b"":
        count -= 1
        del data


def main() -> None:
    """Time the loops."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    r, w = os.pipe()
    fcntl.fcntl(w, _F_SETPIPE_SZ, 1 << 20)
    kinds = {"bare": SimpleNamespace(read=os.read, write=os.write)}
    if "bare" not in sys.argv[3:]:
        from ipctui.trace.ring import create_ring
        from ipctui.worker.journal import Journal
        from ipctui.worker.traced import Traced

        traced = Traced(Journal(create_ring()), _never, lambda fd: None, lambda fd: 1)
        kinds["traced"] = SimpleNamespace(read=traced.read, write=traced.write)
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for kind, calls in kinds.items():
            loops: tuple[tuple[str, Callable[[], None]], ...] = (
                (f"{kind}-write", lambda calls=calls: write_all(calls, w, count)),
                (f"{kind}-read", lambda calls=calls: read_all(calls, r, count)),
            )
            for name, loop in loops:
                began = time.perf_counter_ns()
                loop()
                times.setdefault(name, []).append((time.perf_counter_ns() - began) / count)
    for name, measured in times.items():
        print(name, f"{statistics.median(measured):.1f}")


def _never(key: int, head: int, argument: int, extra: int, payload: bytes) -> None:
    raise AssertionError("the gate is open")


if __name__ == "__main__":
    main()
