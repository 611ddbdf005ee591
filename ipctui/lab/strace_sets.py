"""Operations on sets of System V semaphores and on growing files as strace(1) prints them, from their words."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_BUFFER = struct.Struct("@Hhh")  # struct sembuf, semop(2)
_FLAGS = ((0o4000, "IPC_NOWAIT"), (0x1000, "SEM_UNDO"))
_MODES = ((1, "FALLOC_FL_KEEP_SIZE"), (2, "FALLOC_FL_PUNCH_HOLE"))
_COMMANDS = {0: "IPC_RMID", 12: "GETVAL", 14: "GETNCNT", 15: "GETZCNT", 17: "SETALL"}
_SETALL = 17
_LOW = 0xFFFFFFFF


def semget(key: int, extra: int) -> str:
    """`0x1f, 2, IPC_CREAT|0600`."""
    flags = extra & _LOW
    create = "IPC_CREAT|" if flags & 0o1000 else ""
    return f"{key:#x}, {extra >> 32}, {create}0{flags & 0o777:o}"


def semop(identifier: int, count: int, payload: bytes) -> str:
    """`5, [{0, -1, SEM_UNDO}], 1`; of more operations than the payload holds the first."""
    whole = payload[: _BUFFER.size * min(count, len(payload) // _BUFFER.size)]
    shown = (f"{{{number}, {by}, {_named(flags, _FLAGS)}}}" for number, by, flags in _BUFFER.iter_unpack(whole))
    return f"{identifier}, [{', '.join(shown)}], {count}"


def semctl(identifier: int, extra: int, payload: bytes) -> str:
    """`5, 1, GETNCNT`; `5, 0, SETALL, [0, 0]`."""
    number, command = extra >> 32, extra & _LOW
    text = f"{identifier}, {number}, {_COMMANDS.get(command, command)}"
    if command != _SETALL:
        return text
    return f"{text}, [{', '.join(str(value) for (value,) in struct.iter_unpack('@H', payload[:4]))}]"


def fallocate(offset: int, extra: int) -> str:
    """Mode, offset and size: `FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4096, 4096`."""
    return f"{_named(extra >> 56 & 0x7F, _MODES)}, {offset}, {extra & (1 << 56) - 1}"


def _named(value: int, table: Iterable[tuple[int, str]]) -> str:
    names = [name for bit, name in table if value & bit]
    rest = value & ~sum(bit for bit, _ in table)
    return "|".join([*names, *([hex(rest)] if rest else [])]) or "0"
