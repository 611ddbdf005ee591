"""The loops of shared memory that `make bench` times flat out: the programs' own, bare and traced, interleaved.

Arguments: messages a round, rounds. Prints a name and the median time of a message in nanoseconds a line: `one` is
both loops by turns in one process pinned to one CPU, `two` a producer and a consumer on two.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from mmap import mmap
from types import SimpleNamespace
from typing import Any

from ipctui.mechanisms.shm import program
from ipctui.trace.ring import create_ring
from ipctui.worker.journal import Journal
from ipctui.worker.places import Slot
from ipctui.worker.shared_memory import Segment
from ipctui.worker.traced import Traced

GIVEN = SimpleNamespace(name="/bench", joined=True, slots=8, slot_size=56)
SIZE = program.ring_layout(GIVEN).size


class EnoughError(Exception):
    """All messages were received."""


def bare_load(place: Any) -> Any:
    """What a traced load does besides telling of it."""
    if isinstance(place, Slot):
        return bytes(place.body[: place.cell[0]])
    return place.cell[0]


def bare_store(place: Any, value: Any) -> None:
    """What a traced store does besides telling of it."""
    if isinstance(place, Slot):
        place.body[: len(value)] = value
        place.cell[0] = len(value)
    else:
        place.cell[0] = value


def calls_of(kind: str, memory: int, count: int) -> Any:
    """What a program is given, on a memory of its own making."""
    load, store = bare_load, bare_store
    if kind == "traced":
        traced = Traced(Journal(create_ring()), _never, lambda fd: None, lambda fd: 1)
        load, store = traced.load, traced.store
    left = count

    def received(item: bytes) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise EnoughError

    return SimpleNamespace(
        load=load,
        store=store,
        shm_open=lambda *words: memory,
        mmap=lambda fd, size, flags: _mapped(fd, size),
        messages=lambda: messages(count),
        received=received,
    )


def messages(count: int) -> Iterator[bytes]:
    """Messages of 24 bytes."""
    message = b"producer:1 aaaaaaaaaaaa\n"
    for _ in range(count):
        yield message


def in_one(kind: str, memory: int, count: int) -> float:
    """Nanoseconds a message of a producer's and a consumer's turn, one after the other."""
    calls = calls_of(kind, memory, count)
    shared = program.attach(calls, GIVEN, program.ring_layout(GIVEN))
    n, load, store = GIVEN.slots, calls.load, calls.store
    began = time.perf_counter_ns()
    for item in calls.messages():
        at = load(shared.in_) % n
        while (at + 1) % n == load(shared.out):
            pass
        store(shared.slots[at], program.fitted(item, GIVEN))
        store(shared.in_, (at + 1) % n)
        at = load(shared.out) % n
        while load(shared.in_) == at:
            pass
        load(shared.slots[at])
        store(shared.out, (at + 1) % n)
    return (time.perf_counter_ns() - began) / count


def in_two(kind: str, memory: int, count: int) -> float:
    """Nanoseconds a message between producer_spin and consumer_spin, each on a CPU of its own."""
    cpus = sorted(os.sched_getaffinity(0))
    began = time.perf_counter_ns()
    pids = [
        _forked(work, calls_of(kind, memory, count), cpus[place % len(cpus)])
        for place, work in enumerate((program.producer_spin, program.consumer_spin))
    ]
    for pid in pids:
        os.waitpid(pid, 0)
    return (time.perf_counter_ns() - began) / count


def _forked(work: Callable[[Any, Any], None], calls: Any, cpu: int) -> int:
    pid = os.fork()
    if not pid:
        os.sched_setaffinity(0, {cpu})
        try:
            work(calls, GIVEN)
        except EnoughError:
            pass
        finally:
            os._exit(0)
    return pid


_maps: list[mmap] = []


def _mapped(fd: int, size: int) -> Segment:
    _maps.append(mmap(fd, size))
    return Segment(ctypes.addressof(ctypes.c_char.from_buffer(_maps[-1])), size, 1)


def _never(key: int, head: int, argument: int, extra: int, payload: bytes) -> None:
    raise AssertionError("the gate is open")


def main() -> None:
    """Time the loops."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    times: dict[str, list[float]] = {}
    for how in (in_two, in_one):
        if how is in_one:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        for _ in range(rounds):
            for kind in ("bare", "traced"):
                memory = os.memfd_create("bench")
                os.ftruncate(memory, SIZE)
                times.setdefault(f"{kind}-{how.__name__[3:]}", []).append(how(kind, memory, count))
                os.close(memory)
    for name, measured in times.items():
        print(name, f"{statistics.median(measured):.1f}")


if __name__ == "__main__":
    main()
