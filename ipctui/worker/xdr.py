"""External Data Representation, RFC 4506: values as bytes that every machine reads alike.

Everything is big-endian and takes a multiple of four bytes; what is shorter is filled up with zeros. There is no type
tag: who reads must know what was written. Encoding is a function for each type; decoding goes through a `Reader`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

UNIT = 4
"""Bytes of a basic block: RFC 4506, section 3."""
_INT, _UINT, _HYPER, _UHYPER, _FLOAT, _DOUBLE = (struct.Struct(f">{letter}") for letter in "iIqQfd")
Number = int | float
Value = int | float | bool | bytes


class XdrError(ValueError):
    """Bytes that are no value of the type wanted; the message says why in a few words."""


def integer(value: int) -> bytes:
    """An int: 4 bytes, two's complement (section 4.1). XDR has no 16-bit integer. Raises XdrError out of range."""
    return _packed(_INT, value)


def unsigned(value: int) -> bytes:
    """An unsigned int: 4 bytes (section 4.2). Raises XdrError out of range."""
    return _packed(_UINT, value)


def hyper(value: int) -> bytes:
    """A hyper: 8 bytes, two's complement (section 4.5). Raises XdrError out of range."""
    return _packed(_HYPER, value)


def unsigned_hyper(value: int) -> bytes:
    """An unsigned hyper: 8 bytes (section 4.5). Raises XdrError out of range."""
    return _packed(_UHYPER, value)


def boolean(value: bool) -> bytes:
    """A bool: the int 0 or 1 (section 4.4)."""
    return _UINT.pack(bool(value))


def single(value: float) -> bytes:
    """A float: 4 bytes of IEEE 754 (section 4.6). Raises XdrError for what is too large."""
    return _packed(_FLOAT, value)


def double(value: float) -> bytes:
    """A double: 8 bytes of IEEE 754 (section 4.7)."""
    return _packed(_DOUBLE, value)


def fixed(data: bytes) -> bytes:
    """Opaque data of a fixed length: the bytes, zeros up to a multiple of four (section 4.9)."""
    return data + bytes(-len(data) % UNIT)


def opaque(data: bytes) -> bytes:
    """Opaque data of a variable length: its length, then as `fixed` (section 4.10)."""
    return unsigned(len(data)) + fixed(data)


def string(text: bytes | str) -> bytes:
    """A string: its length in bytes, then as `fixed` (section 4.11)."""
    return opaque(text.encode() if isinstance(text, str) else text)


def _packed(form: struct.Struct, value: Number) -> bytes:
    try:
        return form.pack(value)
    except (struct.error, OverflowError, TypeError) as error:
        raise XdrError(f"{value!r} does not fit into {form.size} bytes") from error


class Reader:
    """Takes values from bytes, one after another; every method raises XdrError where there is none.

    Attributes:
        data: All the bytes.
        at: Where the next value begins.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return max(0, len(self.data) - self.at)

    def integer(self) -> int:
        """An int."""
        return int(self._unpacked(_INT, "int"))

    def unsigned(self) -> int:
        """An unsigned int."""
        return int(self._unpacked(_UINT, "unsigned int"))

    def hyper(self) -> int:
        """A hyper."""
        return int(self._unpacked(_HYPER, "hyper"))

    def unsigned_hyper(self) -> int:
        """An unsigned hyper."""
        return int(self._unpacked(_UHYPER, "unsigned hyper"))

    def boolean(self) -> bool:
        """A bool: 0 or 1 and nothing else."""
        value = self.unsigned()
        if value > 1:
            self.at -= UNIT
            raise XdrError(f"a bool is 0 or 1, not {value}")
        return bool(value)

    def single(self) -> float:
        """A float."""
        return float(self._unpacked(_FLOAT, "float"))

    def double(self) -> float:
        """A double."""
        return float(self._unpacked(_DOUBLE, "double"))

    def fixed(self, size: int) -> bytes:
        """So many bytes, and the zeros behind them; what fills up and is not zero is refused."""
        whole = size + -size % UNIT
        if self.left < whole:
            raise XdrError(f"{size} bytes are wanted, {self.left} are left")
        data, rest = self.data[self.at : self.at + size], self.data[self.at + size : self.at + whole]
        if any(rest):
            raise XdrError("what fills up to four bytes is not zero")
        self.at += whole
        return data

    def opaque(self, most: int = 1 << 16) -> bytes:
        """Opaque data of at most `most` bytes."""
        began, size = self.at, self.unsigned()
        try:
            if size > most:
                raise XdrError(f"a length of {size}, where at most {most} are allowed")
            return self.fixed(size)
        except XdrError:
            self.at = began
            raise

    def string(self, most: int = 1 << 16) -> bytes:
        """A string of at most `most` bytes; ASCII by the RFC, and any bytes in practice."""
        return self.opaque(most)

    def end(self) -> None:
        """Nothing is left."""
        if self.left:
            raise XdrError(f"{self.left} bytes too many")

    def _unpacked(self, form: struct.Struct, name: str) -> Number:
        if self.left < form.size:
            raise XdrError(f"{name} wants {form.size} bytes, {self.left} are left")
        (value,) = form.unpack_from(self.data, self.at)
        self.at += form.size
        number: Number = value
        return number


@dataclass(frozen=True, slots=True)
class Field:
    """A value in a message: its name, its first byte, its bytes with what fills them up, and how it reads."""

    name: str
    at: int
    size: int
    text: str


Shape = Sequence[tuple[str, str]]
"""What is written one after another: (name, type) with a type of `TYPES`."""

TYPES: dict[str, Callable[[Reader], Value]] = {
    "int": Reader.integer,
    "unsigned int": Reader.unsigned,
    "hyper": Reader.hyper,
    "unsigned hyper": Reader.unsigned_hyper,
    "bool": Reader.boolean,
    "float": Reader.single,
    "double": Reader.double,
    "string": Reader.string,
    "opaque": Reader.opaque,
}
"""What takes a value of each type, by the name that RFC 4506 gives it."""


def fields(reader: Reader, shape: Shape) -> list[Field]:
    """The values of a shape, as far as the bytes go; never raises.

    What makes no sense becomes one last field, named after what was expected, that says why; what is left over, too.
    """
    found: list[Field] = []
    for name, kind in shape:
        began = reader.at
        try:
            value = TYPES[kind](reader)
        except XdrError as error:
            found.append(Field(name, began, len(reader.data) - began, f"? {error}"))
            reader.at = len(reader.data)
            return found
        text = _shown(value)
        found.append(Field(name, began, reader.at - began, text))
    return found


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return ascii(value.decode("latin-1"))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)
