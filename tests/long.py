"""Long recordings, made up: as many records as wanted, of one producer and one consumer on a pipe.

Run `python -m tests.long OUT.jsonl[.gz] COUNT`.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ipctui.trace.recording import line_of
from ipctui.trace.records import Count, Counters, Event, Process, Record, Settings, State
from tests.recorded import recording

PERIOD = 5_000_000
"""Nanoseconds from one message to the next."""
_SLEEP_EVERY = 2000
"""Messages after which the child sleeps for longer, and somebody marks the moment."""


def lines(count: int) -> Iterator[str]:
    """A header and `count` records: a message is two calls and two states."""
    yield line_of(recording("one-way").header)
    beginning: list[Record] = [
        Process(0, "parent", 100, "started", 1, program="parent"),
        Process(0, "child", 101, "started", 100, program="child"),
        Settings(0, "parent", False, 200, 64),
        Settings(0, "child", False, 200, 64),
    ]
    yield from map(line_of, beginning)
    left = count - len(beginning)
    number, t = 0, 0
    while left > 0:
        number += 1
        t += PERIOD * (200 if number % _SLEEP_EVERY == 0 else 1)
        for line in _message(number, t)[:left]:
            yield line
            left -= 1


def _message(number: int, t: int) -> list[str]:
    begin, sent, received = t - 40_000, t - 30_000, t - 10_000
    told = [
        f'{{"kind":"call","process":"parent","pid":100,"name":"write","syscall":"write","args":"4, '
        f'\\"tick {number}\\", 64","result":64,"begin":{begin},"end":{sent},"fd":4,"object":"pipe:[1]","errno":null,'
        f'"message":["parent:{number}"],"offset":{number * 64},"line":37}}\n',
        f'{{"kind":"call","process":"child","pid":101,"name":"read","syscall":"read","args":"3, \\"tick {number}\\", '
        f'64","result":64,"begin":{sent},"end":{received},"fd":3,"object":"pipe:[1]","errno":null,'
        f'"message":["parent:{number}"],"offset":{number * 64},"line":52}}\n',
        line_of(
            State(
                t, "child", 101, "blocked", object="pipe:[1]", since=received, reason="pipe empty", wakers=("parent",)
            )
        ),
        f'{{"kind":"state","t":{t},"process":"parent","pid":100,"state":"paced","reason":null,"until":{t + PERIOD}}}\n',
    ]
    if number % 200 == 0:
        told += [line_of(_counters(t, role, call, number)) for role, call in (("parent", "write"), ("child", "read"))]
    if number % _SLEEP_EVERY == 0:
        told.append(line_of(Event(t, "mark", None, {"text": f"message {number}"})))
    return told


def _counters(t: int, role: str, call: str, number: int) -> Counters:
    own = role == "parent"
    counts = (Count(call, call, 4 if own else 3, "pipe:[1]", number, number * 64),)
    sent, received = (number, 0) if own else (0, number)
    return Counters(t, role, 100 if own else 101, counts, sent, received, received)


def write(path: Path, count: int) -> None:
    """Write a recording of so many records; compressed when the name ends in .gz."""
    opened = gzip.open(path, "wt", 1) if path.suffix == ".gz" else path.open("w")  # noqa: SIM115
    with cast("IO[str]", opened) as file:
        file.writelines(lines(count))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
