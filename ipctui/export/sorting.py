"""Sorting more than fits into memory: runs on the disk, merged."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from operator import itemgetter
from typing import IO, Any

Row = tuple[int, Any]
"""A time, and what is to be told of it: JSON values."""

_time = itemgetter(0)


def in_order(rows: Iterable[Row], run: int = 100_000) -> Iterator[Row]:
    """The rows by their times, those of one time as they came; at most `run` of them are held in memory.

    What lies on the disk are temporary files without a name.
    """
    with ExitStack() as stack:
        runs: list[Iterable[Row]] = []
        held: list[Row] = []
        for row in rows:
            held.append(row)
            if len(held) >= run:
                runs.append(_stored(sorted(held, key=_time), stack))
                held = []
        yield from heapq.merge(*runs, sorted(held, key=_time), key=_time)


def _stored(rows: list[Row], stack: ExitStack) -> Iterator[Row]:
    file: IO[str] = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115 (the stack does)
    for row in rows:
        file.write(json.dumps(row) + "\n")
    file.seek(0)
    return ((t, told) for t, told in map(json.loads, file))
