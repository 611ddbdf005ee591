"""Sets of System V semaphores looked at from outside, as ipcs(1) does: values, and who is asleep before them."""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

_GETVAL, _GETNCNT, _GETZCNT = 12, 14, 15
"""<sys/sem.h>."""


@dataclass(frozen=True, slots=True)
class SetView:
    """A set at one moment: by semaphore its value, the processes that wait for it to grow, and for it to be zero."""

    values: tuple[int, ...]
    growing: tuple[int, ...]
    zero: tuple[int, ...]


@cache
def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def why_none() -> str:
    """Why this system has no such semaphores, in a sentence; "" where it has them."""
    identifier = _library().semget(0, 1, 0o600)  # IPC_PRIVATE: a set that nobody else can have
    if identifier < 0:
        number = ctypes.get_errno()
        if number == errno.ENOSYS:
            return "this kernel has no System V semaphores (semget(2): ENOSYS), with which the rendezvous is made"
        return f"no set of System V semaphores can be made, which the rendezvous needs: {os.strerror(number)}"
    _library().semctl(identifier, 0, 0, 0)  # IPC_RMID
    return ""


def find(key: int) -> int | None:
    """The identifier of the set that has a key; None when there is none, or not for this user to look at."""
    identifier = int(_library().semget(key, 0, 0))
    return identifier if identifier >= 0 else None


def look(identifier: int, count: int) -> SetView | None:
    """The first `count` semaphores of a set, by semctl(2), which changes nothing; None when it is gone."""
    control = _library().semctl
    columns = tuple(
        tuple(int(control(identifier, number, command, 0)) for number in range(count))
        for command in (_GETVAL, _GETNCNT, _GETZCNT)
    )
    if any(value < 0 for column in columns for value in column):
        return None
    return SetView(*columns)
