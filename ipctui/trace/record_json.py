"""Records as JSON values: an object with the record's kind and its fields by name."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ipctui.trace.records import (
    Access,
    Call,
    Channel,
    Checkpoint,
    Command,
    Counters,
    Descriptors,
    Event,
    Header,
    Lost,
    Process,
    Record,
    Settings,
    State,
    Summary,
    Unknown,
)


class RecordError(ValueError):
    """A record that does not fit the vocabulary; the message says what is wrong with it."""


_KINDS: dict[str, type[Any]] = {
    kind.kind: kind
    for kind in (
        Header,
        Process,
        Call,
        Access,
        State,
        Settings,
        Descriptors,
        Channel,
        Event,
        Command,
        Counters,
        Lost,
        Checkpoint,
        Summary,
    )
}


def to_json(record: Record) -> dict[str, Any]:
    """A record as JSON values; fields that hold their default are left out, but for those that readers count on."""
    if isinstance(record, Unknown):
        return {"kind": record.named, "t": record.t}
    body: dict[str, Any] = {"kind": record.kind}
    values, fields = _FIELDS[type(record)]
    for (name, default), value in zip(fields, values(record), strict=True):
        if value != default:
            # Most are numbers and words: what a recording costs is mostly this loop.
            body[name] = value if type(value) in _PLAIN else plain(value)
    return body


_ALWAYS = frozenset({"format", "version", "clock", "result", "fd", "syscall", "errno", "outcome", "reason"})


_PLAIN = frozenset({int, str, float, bool, type(None)})


def plain(value: Any) -> Any:
    """A field's value as JSON values: tuples as lists, the parts of a record as objects with all their fields."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


_Fields = tuple[Callable[[Any], tuple[Any, ...]], tuple[tuple[str, Any], ...]]


def _fields_of(kind: type[Any]) -> _Fields:
    """A getter of all values, and for each its name and the value that is left out (a new object for none)."""
    fields = dataclasses.fields(kind)
    left_out = tuple(
        (
            item.name,
            object()
            if item.name in _ALWAYS
            else item.default
            if item.default_factory is dataclasses.MISSING
            else item.default_factory(),
        )
        for item in fields
    )
    return operator.attrgetter(*(item.name for item in fields)), left_out


_FIELDS: dict[type[Any], _Fields] = {kind: _fields_of(kind) for kind in _KINDS.values()}


def from_json(body: Any) -> Record:
    """A record from its JSON form; unknown fields are skipped, an unknown kind becomes `Unknown`.

    Raises:
        RecordError: not an object, no kind, a field missing or of another type.
    """
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
        raise RecordError("a record is an object with a kind")
    kind = _KINDS.get(body["kind"])
    if kind is None:
        t = body.get("t", body.get("end", 0))
        return Unknown(t if isinstance(t, int) else 0, body["kind"])
    record: Record = _build(kind, body, body["kind"])
    return record


def _build(kind: type[Any], body: Mapping[str, Any], where: str) -> Any:
    values = {}
    for name, (convert, required) in _readers(kind).items():
        if name in body:
            values[name] = convert(body[name], f"{where}: {name}")
        elif required:
            raise RecordError(f"{where}: {name} is missing")
    return kind(**values)


_LARGEST = 1 << 63
Reader = Callable[[Any, str], Any]
_READERS: dict[type[Any], dict[str, tuple[Reader, bool]]] = {}


def _readers(kind: type[Any]) -> dict[str, tuple[Reader, bool]]:
    known = _READERS.get(kind)
    if known is None:
        hints = get_type_hints(kind)
        known = {
            item.name: (
                reader_of(hints[item.name]),
                item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING,
            )
            for item in dataclasses.fields(kind)
        }
        _READERS[kind] = known
    return known


def reader_of(hint: Any) -> Reader:
    """The function that reads a value of an annotated type from its JSON form (the inverse of `plain`).

    It takes the value and where it stands, and raises RecordError when the value is of another type.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (inner,) = (reader_of(arg) for arg in args if arg is not type(None))
        return lambda value, where: None if value is None else inner(value, where)
    if origin is tuple:
        return _tuple_reader(args)
    if origin in (dict, Mapping):
        return _dict_reader(args[1])
    if dataclasses.is_dataclass(hint):
        return lambda value, where: _build(hint, _checked(dict)(value, where), where)  # type: ignore[arg-type]
    if hint is float:
        return _checked((int, float))
    return _checked(hint)


def _dict_reader(values: Any) -> Reader:
    if values is Any:
        return _checked(dict)
    inner = reader_of(values)
    return lambda value, where: {
        name: inner(item, f"{where}: {name}") for name, item in _checked(dict)(value, where).items()
    }


def _tuple_reader(args: tuple[Any, ...]) -> Reader:
    if args[-1] is Ellipsis:
        inner = reader_of(args[0])
        return lambda value, where: tuple(inner(item, where) for item in _checked(list)(value, where))
    inners = [reader_of(arg) for arg in args]

    def read(value: Any, where: str) -> tuple[Any, ...]:
        if len(_checked(list)(value, where)) != len(inners):
            raise RecordError(f"{where}: {len(inners)} values are needed")
        return tuple(inner(item, where) for inner, item in zip(inners, value, strict=True))

    return read


def _checked(wanted: Any) -> Reader:
    def check(value: Any, where: str) -> Any:
        if wanted is Any:
            return value
        # A bool is an int to Python, and to no reader of a recording.
        if isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool):
            if isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
                raise RecordError(f"{where}: a number that no measure has")
            return value
        raise needed(where, "a number" if isinstance(wanted, tuple) else _IN_WORDS[wanted], value)

    return check


_IN_WORDS: dict[type[Any], str] = {
    int: "a whole number",
    float: "a fraction",
    str: "text",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    NoneType: "null of JSON",
}
"""What the values of JSON are called by those who write it."""


def needed(where: str, what: str, value: Any) -> RecordError:
    """The error of a value that is of another type than it has to be."""
    return RecordError(f"{where}: {what} is needed, not {_IN_WORDS[type(value)]}")
