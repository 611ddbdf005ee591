"""What processes measure of themselves: rows in a memory without a name, which is read and never mapped.

A row is eight words of 8 bytes: its key (way and size), how often, and nanoseconds: the latest, the median and the
smallest of the latest few. A word is stored whole; two words of a row may be of two moments.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

NAME = "ipctui-measures"
ROWS = 96
ROW = struct.Struct("@8Q")
_SHIFT = 48
_SIZES = (1 << _SHIFT) - 1


@dataclass(frozen=True, slots=True)
class Measure:
    """How long messages of one size took one way; times in nanoseconds."""

    way: int
    size: int
    count: int
    last: int
    median: int
    least: int


def key(way: int, size: int) -> int:
    """A row's key; never 0. `way` is a number from 1 that the program and whoever reads agree on."""
    return way << _SHIFT | min(size, _SIZES)


def parse(raw: bytes) -> tuple[Measure, ...]:
    """The rows that have been filled in; what comes after the last whole one is left out."""
    whole = len(raw) // ROW.size * ROW.size
    rows = ROW.iter_unpack(raw[:whole])
    return tuple(Measure(row[0] >> _SHIFT, row[0] & _SIZES, *row[1:5]) for row in rows if row[0] and row[1])


def find(pid: int) -> int | None:
    """The descriptor by which a process holds its measures; None when it has none, or may not be looked at."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    for number in numbers:
        try:
            if os.readlink(f"/proc/{pid}/fd/{number}").startswith(f"/memfd:{NAME} "):
                return int(number)
        except OSError:
            continue
    return None


def read(pid: int, fd: int) -> tuple[Measure, ...]:
    """A process's measures, through a description of our own. Raises OSError when it is gone or may not be read."""
    file = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return parse(os.pread(file, ROWS * ROW.size, 0))
    finally:
        os.close(file)
