"""The reading of /proc/PID/syscall: which system call a process is in, and with which arguments."""

import os
from dataclasses import dataclass
from enum import Enum
from functools import cache

from ipctui.kernel.syscall_table import TABLE

_COLUMN = {"x86_64": 1, "amd64": 1, "aarch64": 2, "arm64": 2}


@dataclass(frozen=True, slots=True)
class SystemCall:
    """A system call that a process is asleep in."""

    number: int
    """The machine's number of the call."""
    name: str
    """The kernel's own name, or `syscall_N` when the table has none."""
    args: tuple[int, ...]
    """Six unsigned machine words; how many of them mean something depends on the call."""
    fd: int | None
    """The descriptor argument as a signed 32-bit number; None when the call has none."""


class OutsideCall(Enum):
    """What /proc/PID/syscall says of a process that is in no system call."""

    RUNNING = "running"
    """On a processor or ready for one, so that its registers cannot be read; it may be inside a call."""
    BLOCKED = "-1"
    """Not running, yet in no system call: in a page fault, say, or stopped between calls."""


@dataclass(frozen=True, slots=True)
class _Table:
    names: dict[int, str]
    positions: dict[int, int]


@cache
def _table(machine: str) -> _Table:
    column = _COLUMN.get(machine)
    names: dict[int, str] = {}
    positions: dict[int, int] = {}
    for row in TABLE.split("\n"):
        fields = row.split()
        if column is None or not fields or fields[column] == "-":
            continue
        number = int(fields[column])
        names[number] = fields[0]
        if fields[3] != "-":
            positions[number] = int(fields[3])
    return _Table(names, positions)


@cache
def _this_machine() -> str:
    return os.uname().machine


def known_machine(machine: str | None = None) -> bool:
    """Whether the numbers of `machine` (this one by default) can be turned into names."""
    return (machine or _this_machine()) in _COLUMN


def name_of(number: int, machine: str | None = None) -> str:
    """The kernel's name of a system call number, `syscall_N` when the table of that machine has none."""
    return _table(machine or _this_machine()).names.get(number) or f"syscall_{number}"


def decode(text: str, machine: str | None = None) -> SystemCall | OutsideCall | None:
    """What one reading of /proc/PID/syscall says; None when the text has none of its three forms.

    The forms (proc_pid_syscall(5); fs/proc/base.c): `running`; `NR a0 a1 a2 a3 a4 a5 sp pc`; `-1 sp pc`. The
    number is decimal, the words are hexadecimal. Never raises.
    """
    words = text.split()
    if words == ["running"]:
        return OutsideCall.RUNNING
    if len(words) not in (3, 9):
        return None
    try:
        number = int(words[0])
        values = tuple(int(word, 16) for word in words[1:])
    except ValueError:
        return None
    if min(values) < 0:
        return None
    if len(words) == 3:
        return OutsideCall.BLOCKED if number == -1 else None
    if number < 0:
        return None
    machine = machine or _this_machine()
    position = _table(machine).positions.get(number)
    fd = None if position is None else _signed(values[position])
    return SystemCall(number, name_of(number, machine), values[:6], fd)


def _signed(word: int) -> int:
    """The `int` that the kernel takes from a register: its lower 32 bits, two's complement."""
    low = word & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low
