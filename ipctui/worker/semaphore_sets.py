"""System V semaphores: sets whose values several operations change at once or not at all, sysvipc(7) and semop(2).

Two things of theirs no other semaphore has: an operation that waits until a value is zero, and SEM_UNDO, by which the
kernel takes back what a process has done to a value when the process ends, however it ends.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

_GET, _OPERATE, _CONTROL = CODES["semget"], CODES["semop"], CODES["semctl"]
SEM_UNDO = 0x1000
"""Take the operation back when the process ends: <sys/sem.h>."""
IPC_CREAT, IPC_NOWAIT, IPC_RMID = 0o1000, 0o4000, 0
GETVAL, GETNCNT, GETZCNT, SETALL = 12, 14, 15, 17
"""A semaphore's value; the processes that wait for it to grow, and to be zero; set all values: semctl(2)."""
_BUFFER = struct.Struct("@Hhh")  # struct sembuf, semop(2)

Operation = tuple[int, int] | tuple[int, int, int]
"""Semaphore, what is added to it (0: wait until it is zero), and flags (IPC_NOWAIT, SEM_UNDO)."""


@dataclass(frozen=True, slots=True)
class SemaphoreSet:
    """A set of semaphores: its identifier, as ipcs(1) lists it, and the ordinal of its label `sem:[IDENTIFIER]`."""

    id: int
    object: int


class SemaphoreSets(Seated):
    """Traced operations on sets of System V semaphores."""

    def semget(self, key: int, count: int, flags: int) -> SemaphoreSet:
        """semget(2): the set of this key; with IPC_CREAT made where there is none, all values 0 (Linux)."""
        function = clib.function("semget", clib.INT, clib.INT, clib.INT, brief=True)
        extra = count << 32 | flags
        what = self._before(_GET, -1, key, extra, b"", 0)
        found = self._must(self._call(what, lambda: clib.checked(function(key, count, flags)), key, extra, b""))
        return SemaphoreSet(found, self._label(f"sem:[{found}]"))

    def semop(self, semaphores: SemaphoreSet, *operations: Operation) -> bool | None:
        """semop(2): True once all the operations are done, at one moment; until then none of them is.

        None where one would have to wait and has IPC_NOWAIT (EAGAIN), or a signal ended the wait (EINTR).
        Raises OSError: EIDRM when the set has been removed.
        """
        raw = b"".join(_BUFFER.pack(*(*operation, 0)[:3]) for operation in operations)
        function = clib.function("semop", clib.INT, clib.TEXT, clib.SIZE)
        count = len(operations)
        key = self._before(_OPERATE, -1, semaphores.id, count, raw, semaphores.object)
        done = self._call(key, lambda: clib.checked(function(semaphores.id, raw, count)), semaphores.id, count, raw)
        return None if done is None else True

    def semctl(self, semaphores: SemaphoreSet, number: int, command: int, *values: int) -> int:
        """semctl(2): GETVAL, GETNCNT or GETZCNT of one semaphore; SETALL sets every value, and forgets all SEM_UNDO."""
        array = (ctypes.c_ushort * max(1, len(values)))(*values)
        function = clib.function("semctl", clib.INT, clib.INT, clib.INT, clib.POINTER, brief=True)
        extra, payload = number << 32 | command, bytes(array) if values else b""
        key = self._before(_CONTROL, -1, semaphores.id, extra, payload, semaphores.object)
        there = ctypes.addressof(array)
        return self._must(
            self._call(
                key,
                lambda: clib.checked(function(semaphores.id, number, command, there)),
                semaphores.id,
                extra,
                payload,
            )
        )


def key_of_name(name: str) -> int:
    """The key of the set that belongs to a name of ours, from its random ending; never IPC_PRIVATE, which is 0."""
    return int(name[-8:], 16) & 0x7FFFFFFF or 1


def remove_set(key: int) -> bool:
    """Remove the set of a key, whoever sleeps there (EIDRM); False when there is none.

    Raises:
        OSError: it is another user's.
    """
    try:
        found = clib.checked(clib.function("semget", clib.INT, clib.INT, clib.INT, brief=True)(key, 0, 0))
    except FileNotFoundError:
        return False
    remove = clib.function("semctl", clib.INT, clib.INT, clib.INT, clib.POINTER, brief=True)
    clib.checked(remove(found, 0, IPC_RMID, None))
    return True
