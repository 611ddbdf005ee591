"""Ways to wait for messages, as the laboratory knows them: variants, parameters, plans, and what is measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ipctui.kernel import libc
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.io import measures
from ipctui.mechanisms.io.looker import Looker
from ipctui.trace.records import Counters, Record
from ipctui.worker.job import STAMP_ROOM

PAGE = 4096
WAYS = tuple(measures.CELLS.values())
"""The five ways, in the order in which they are shown."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROLES = ("collector", "producer")
_VARIANTS = (
    Variant("all", "the same job done in all five ways at once, side by side", _ROLES),
    Variant("sync-blocking", "read() sleeps until the data are there", _ROLES),
    Variant("sync-nonblocking", "O_NONBLOCK: read() answers EAGAIN, and the loop asks again at once", _ROLES),
    Variant("async-blocking", "epoll_wait() sleeps until any of several is ready; read() fetches", _ROLES),
    Variant("async-nonblocking", "io_uring or POSIX AIO: completion comes by itself, while other work is done", _ROLES),
    Variant("signal-driven", "SIGIO announces that something can be read, and completes nothing", _ROLES),
)
_PROGRAMS = {way: way.replace("-", "_") for way in WAYS}
_WORKS = frozenset({"async-nonblocking", "signal-driven"})
"""Ways whose loop is other work: it is this that is paced."""
_SLOWER = 0.7
"""Each producer's pace against that of the one before it: who waits for one of them keeps the others waiting."""


@cache
def io_uring_refused() -> str:
    """Why io_uring cannot be used here; "" when it can."""
    try:
        os.close(libc.io_uring_setup(1))
    except OSError as error:
        return f"io_uring_setup: {error.strerror}"
    return ""


class InputOutput:
    """One job, five ways: read(2), O_NONBLOCK, epoll(7), io_uring(7) or aio(7), and SIGIO (signal(7))."""

    name = "io"
    title = "synchronous and asynchronous, blocking and non-blocking"
    about = "one job done in five ways: what each costs, and what else gets done"
    variants = _VARIANTS
    commands: tuple[str, ...] = ()

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters."""
        own = "the laboratory's own limit"
        return (
            Parameter("rate", 5.0, "messages a second of the first producer, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message, its time among them", STAMP_ROOM, 4096, "bytes", own),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter("producers", 2, "producers for each collector", 1, 6),
            Parameter("work", 200.0, "units of other work a second that there are, 0 for no end", 0, 100_000, "units"),
            Parameter("capacity", PAGE, "bytes that a pipe holds when every slot is full", PAGE, 1 << 20, "bytes"),
            Parameter("read_size", 4096, "bytes that a read asks for", 64, 65536, "bytes"),
            Parameter("messages", 0, "messages that each producer sends, 0 for no end", 0, 10**12),
            Parameter(
                "completion",
                "auto",
                "what completes reads in async-nonblocking: io_uring, or POSIX AIO; auto takes the first that works",
                choices=("auto", "io_uring", "aio"),
            ),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """It needs Linux: epoll, SIGIO on pipes, and the laboratory's grip on its workers."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """io_uring must be allowed where it is asked for."""
        wanted = variant.name in ("all", "async-nonblocking") and values["completion"] == "io_uring"
        if wanted and (why := io_uring_refused()):
            raise UsageError(f"completion=io_uring: {why}; completion=aio does the same with threads")

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """A collector with its producers for each way; each in a cell of its own where there are several."""
        cells: list[tuple[str | None, str]] = (
            [*measures.CELLS.items()] if variant.name == "all" else [(None, variant.name)]
        )
        return Plan(
            module="ipctui.mechanisms.io.program",
            trees=tuple(_tree(way, cell, values) for cell, way in cells),
            given={name: values[name] for name in ("capacity", "read_size", "producers")},
            limit=values["messages"],
            no_more="a producer's pipe can only be inherited, and the collector forks all of them at its start",
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker into the session's pipes and helper threads."""
        return Looker()

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers each collector's figures over the last seconds, and its latest calls."""
        return measures.reduce(facts, records)

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """What each way cost."""
        return measures.summary(counters)


CHANNEL = InputOutput()


def completes_by(values: Mapping[str, Any]) -> str:
    """What completes reads with these values: "io_uring" or "aio"."""
    wanted = str(values["completion"])
    if wanted == "auto":
        return "aio" if io_uring_refused() else "io_uring"
    return wanted


def _tree(way: str, cell: str | None, values: Mapping[str, Any]) -> tuple[PlannedSeat, ...]:
    program = _PROGRAMS[way]
    if way == "async-nonblocking" and completes_by(values) == "aio":
        program += "_aio"
    pace = float(values["work"]) if way in _WORKS else 0.0
    collector = PlannedSeat("collector", program, "z", ("work",), pace, sends=False, cell=cell)
    count = values["producers"]
    producers = (
        PlannedSeat(
            f"producer{place + 1}" if count > 1 else "producer",
            program,
            _LETTERS[place],
            ("clock_gettime",),
            round(float(values["rate"]) * _SLOWER**place, 3),
            sends=True,
            cell=cell,
        )
        for place in range(count)
    )
    return (collector, *producers)
