"""How machines lay values out in memory: byte order, the size of a long, alignment. Pure; computed, but for this one.

The layouts are those of the System V ABIs: LP64 machines have a long of 8 bytes and align to 8; of the 32-bit ones
i386 aligns doubles and 64-bit integers to 4, PowerPC to 8.
"""

from __future__ import annotations

import ctypes
import math
import struct
import sys
from dataclasses import dataclass
from typing import Literal

from ipctui.worker import xdr
from ipctui.worker.xdr import Reader, XdrError

Kind = Literal["int16", "int32", "int64", "double", "string", "struct"]
KINDS: tuple[Kind, ...] = ("int16", "int32", "int64", "double", "string", "struct")
Value = int | float | bytes | tuple[int, int, int, int, float]
LONGEST = 48
"""Bytes of a string."""
_SIZES = {"int16": 2, "int32": 4, "int64": 8, "double": 8}
_CODES = {"int16": "h", "int32": "i", "int64": "q", "double": "d"}
MEMBERS = ("char c", "short s", "int i", "long l", "double d")
"""What the struct has, in C."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: the order of its bytes, the size of its long, and what its widest values are aligned to.

    Attributes:
        name: What parameters call it.
        example: A processor that is like this.
        order: "<" for the lowest byte first, ">" for the highest, as struct has them.
    """

    name: str
    example: str
    order: str
    long: int
    widest: int

    @property
    def told(self) -> str:
        """`little-endian 64-bit`."""
        return f"{'little' if self.order == '<' else 'big'}-endian {self.long * 8}-bit"

    @property
    def told_ko(self) -> str:
        """The same in Korean."""
        return f"{'리틀' if self.order == '<' else '빅'} 엔디안 {self.long * 8}비트"


MACHINES = {
    machine.name: machine
    for machine in (
        Machine("little64", "x86-64", "<", 8, 8),
        Machine("big64", "s390x", ">", 8, 8),
        Machine("little32", "i386", "<", 4, 4),
        Machine("big32", "PowerPC", ">", 4, 8),
    )
}
THIS = f"{sys.byteorder}{ctypes.sizeof(ctypes.c_long) * 8}"
"""The machine that is like this one."""


class _Struct(ctypes.Structure):
    _fields_ = (
        ("c", ctypes.c_byte),
        ("s", ctypes.c_short),
        ("i", ctypes.c_int),
        ("l", ctypes.c_long),
        ("d", ctypes.c_double),
    )


_NATIVE = {"int16": ctypes.c_int16, "int32": ctypes.c_int32, "int64": ctypes.c_int64}


def stored(kind: Kind, value: Value) -> bytes:
    """The value as this machine's memory really holds it, read back from there."""
    if isinstance(value, bytes):
        return bytes(ctypes.create_string_buffer(value))
    if isinstance(value, tuple):
        return bytes(_Struct(*value))
    if kind == "double":
        return bytes(ctypes.c_double(value))
    return bytes(_NATIVE[kind](int(value)))


def laid_out(kind: Kind, value: Value, machine: Machine) -> bytes:
    """The value as such a machine would hold it; computed. Raises ValueError for what does not fit."""
    if isinstance(value, bytes):
        return value + b"\0"
    if isinstance(value, tuple):
        raw = bytearray(size_of("struct", machine))
        for (at, code), member in zip(_members(machine), value, strict=True):
            _into(raw, at, machine.order + code, member)
        return bytes(raw)
    try:
        return struct.pack(machine.order + _CODES[kind], value)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value} is no {kind}") from error


def _into(raw: bytearray, at: int, code: str, member: float) -> None:
    try:
        struct.pack_into(code, raw, at, member)
    except struct.error as error:
        raise ValueError(f"{member} does not fit into {struct.calcsize(code)} bytes") from error


def size_of(kind: Kind, machine: Machine) -> int:
    """Bytes of a value; a string has none of its own."""
    if kind == "struct":
        (at, code), aligned = _members(machine)[-1], max(_alignments(machine))
        return -(-(at + struct.calcsize("=" + code)) // aligned) * aligned
    return _SIZES.get(kind, 0)


def _alignments(machine: Machine) -> tuple[int, ...]:
    return 1, 2, 4, machine.long, machine.widest


def _members(machine: Machine) -> list[tuple[int, str]]:
    """Where each member of the struct begins, and how struct packs it."""
    codes = ("b", "h", "i", "q" if machine.long == 8 else "i", "d")
    places, at = [], 0
    for code, aligned in zip(codes, _alignments(machine), strict=True):
        at += -at % aligned
        places.append((at, code))
        at += struct.calcsize("=" + code)
    return places


def padding(machine: Machine) -> int:
    """Bytes of the struct that hold nothing."""
    held = sum(struct.calcsize("=" + code) for _, code in _members(machine))
    return size_of("struct", machine) - held


def read(kind: Kind, raw: bytes, machine: Machine) -> str:
    """What such a machine takes these bytes for, in words; never raises."""
    if kind == "string":
        return ascii(raw.split(b"\0", 1)[0].decode("latin-1"))
    size = size_of(kind, machine)
    if len(raw) < size:
        return f"? {size} bytes wanted, {len(raw)} came"
    if kind == "struct":
        members = [struct.unpack_from(machine.order + code, raw, at)[0] for at, code in _members(machine)]
        return "{" + ", ".join(_number(member) for member in members) + "}" + _rest(raw, size)
    return _number(struct.unpack_from(machine.order + _CODES[kind], raw)[0]) + _rest(raw, size)


def _rest(raw: bytes, size: int) -> str:
    return f" (+{len(raw) - size} bytes)" if len(raw) > size else ""


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def to_xdr(kind: Kind, value: Value) -> bytes:
    """The value in XDR: no 16-bit integer (4 bytes), a long as a hyper. Raises XdrError for what does not fit."""
    if isinstance(value, bytes):
        return xdr.string(value)
    if isinstance(value, tuple):
        c, s, i, wide, real = value
        return xdr.integer(c) + xdr.integer(s) + xdr.integer(i) + xdr.hyper(wide) + xdr.double(real)
    if kind == "double":
        return xdr.double(value)
    return xdr.hyper(int(value)) if kind == "int64" else xdr.integer(int(value))


def from_xdr(kind: Kind, raw: bytes) -> str:
    """What XDR says that these bytes are, in words; never raises."""
    reader = Reader(raw)
    try:
        if kind == "string":
            said = ascii(reader.string(LONGEST).decode("latin-1"))
        elif kind == "struct":
            parts = (reader.integer(), reader.integer(), reader.integer(), reader.hyper(), reader.double())
            said = "{" + ", ".join(_number(part) for part in parts) + "}"
        elif kind == "double":
            said = _number(reader.double())
        else:
            said = _number(reader.hyper() if kind == "int64" else reader.integer())
        reader.end()
    except XdrError as error:
        return f"? {error}"
    return said


def parsed(kind: Kind, text: str) -> Value:
    """The value that a text names. Raises ValueError, with what may be written."""
    if kind == "string":
        raw = text.encode()
        if len(raw) > LONGEST or b"\0" in raw:
            raise ValueError(f"a string of at most {LONGEST} bytes, without a NUL")
        return raw
    try:
        if kind == "double":
            return float(text)
        number = int(text.replace(",", ""), 0)
    except (ValueError, OverflowError):
        raise ValueError(
            "a number, for example 3.25" if kind == "double" else "a whole number, for example 1"
        ) from None
    bits = {"int16": 16, "int32": 32, "int64": 64}.get(kind, 32)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ValueError(f"a whole number of {bits} bits, from {-(1 << bits - 1):,} to {(1 << bits - 1) - 1:,}")
    return (1, 2, number, number, float(number)) if kind == "struct" else number
