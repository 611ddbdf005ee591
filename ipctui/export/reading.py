"""A recording read record by record: nothing is kept, so that a million of them fit in little memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any, cast

from ipctui.trace.lines import Line, LineFile
from ipctui.trace.record_json import RecordError, from_json, to_json
from ipctui.trace.recording import MOST_PROBLEMS, RecordingError, RecordingFile
from ipctui.trace.records import Before, Call, Record, State

LATEST = 1 << 49
"""Nanoseconds, six days: the largest time that microseconds in a double tell to the nanosecond, with room to spare."""

_TIMES = ("t", "begin", "end", "since", "until")
_BEFORE_ZERO = re.compile(rb'"(?:t|begin|end|since)": ?-([0-9]{1,18})\b')
_FIRST_LINES = 50_000
_DECODE = json.JSONDecoder().raw_decode


def _types(fields: Mapping[str, tuple[type, ...]]) -> frozenset[tuple[str, type]]:
    return frozenset((name, kind) for name, kinds in fields.items() for kind in kinds)


_TEXT, _NUMBER = (str, NoneType), (int, NoneType)
_CALL_TYPES = _types(
    {
        **dict.fromkeys(("kind", "process", "name", "args", "source"), (str,)),
        **dict.fromkeys(("pid", "begin", "end"), (int,)),
        **dict.fromkeys(("syscall", "object", "errno", "cell"), _TEXT),
        **dict.fromkeys(("result", "fd", "offset", "line", "tid"), _NUMBER),
        "message": (list,),
    }
)
"""The fields of a call and the types of their values: what passes needs no slower look."""
_CALL_NEEDS = frozenset({"process", "pid", "name", "syscall", "args", "result", "begin", "end"})
_STATE_TYPES = _types(
    {
        **dict.fromkeys(("kind", "process", "state"), (str,)),
        **dict.fromkeys(("pid", "t"), (int,)),
        **dict.fromkeys(("object", "wchan", "reason", "waker", "pending", "kernel", "syscall", "cell"), _TEXT),
        **dict.fromkeys(("since", "until", "tid"), _NUMBER),
        "before": (dict, NoneType),
        "wakers": (list,),
    }
)
_STATE_NEEDS = frozenset({"t", "process", "pid", "state"})
_BEFORE_TYPES = _types({**dict.fromkeys(("name", "args"), (str,)), **dict.fromkeys(("fd", "line"), _NUMBER)})
_STRINGS = {str}

Item = dict[str, Any] | Record
"""A call as its JSON object, for there may be a million of them; anything else as its record."""


class Source:
    """A recording on disk, to be read as often as an export needs.

    Args:
        path: Plain or gzip JSON lines.

    Attributes:
        header: Its first line.

    Raises:
        RecordingError: the file cannot be read, is no recording, or its first line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[str] = []
        self._skipped = 0
        if path.exists() and not path.is_file():
            raise RecordingError(f"{path}: it is no file; an export reads a recording more than once")
        file = RecordingFile(path)
        file.close()
        self.header = file.header
        self._newer = file.told()

    def items(self) -> Iterator[Item]:
        """The records after the header; what cannot be read is skipped and told."""
        self._problems = list(self._newer)
        self._skipped = 0
        for line in self._lines():
            try:
                item = _item(line.raw)
            except RecordError as error:
                self._skipped += 1
                if self._skipped <= MOST_PROBLEMS:
                    self._problems.append(f"{self._path}:{line.number}: skipped: {error}")
                continue
            yield item

    def records(self) -> Iterator[Record]:
        """The same, every one of them as a record."""
        return (_call(item) if isinstance(item, dict) else item for item in self.items())

    def told(self) -> tuple[str, ...]:
        """What the latest reading skipped, one line each, and last how many lines more."""
        more = self._skipped - MOST_PROBLEMS
        return (*self._problems, f"{self._path}: {more:,} more lines were skipped") if more > 0 else (*self._problems,)

    def earliest(self) -> int:
        """The earliest time in the file where that is before the clock's zero, else 0.

        Looked for without decoding, and in the first lines only: what was done before zero (pipe, fork) is told in
        the first second.
        """
        earliest = 0
        for line in islice(self._lines(), _FIRST_LINES):
            if b'":-' in line.raw or b'": -' in line.raw:
                times = (-int(digits) for digits in _BEFORE_ZERO.findall(line.raw))
                earliest = min(earliest, *(time for time in times if time > -LATEST), 0)
        return earliest

    def _lines(self) -> Iterator[Line]:
        """The lines after the header; damage of the file itself is added to the problems."""
        try:
            file = LineFile(self._path)
            try:
                lines = file.lines(self._problems)
                next(lines, None)
                yield from lines
            finally:
                file.close()
        except OSError as error:
            raise RecordingError(f"{self._path}: {error.strerror or error}") from None


def _item(raw: bytes) -> Item:
    try:
        text = raw.decode("utf-8", "replace")
        body, end = _DECODE(text)
        if end != len(text) and text[end:].strip():
            raise RecordError("no JSON")
        return item_of(body)
    except RecordError:
        raise
    except (ValueError, RecursionError):
        raise RecordError("no JSON") from None


def item_of(body: Any) -> Item:
    """The record of a JSON value, checked as `from_json` checks it, and two to four times faster where there are many.

    Raises:
        RecordError: as `from_json` does, and for a time that no session has.
    """
    kind = body.get("kind") if type(body) is dict else None
    if kind == "call" and _is_plain(body, _CALL_TYPES, _CALL_NEEDS, "message"):
        if not (-LATEST < body["begin"] < LATEST and -LATEST < body["end"] < LATEST):
            raise RecordError("call: a time that no session has")
        return cast("dict[str, Any]", body)
    plain = kind == "state" and _is_plain(body, _STATE_TYPES, _STATE_NEEDS, "wakers")
    record: Record = (_state(body) if plain else None) or from_json(body)
    for name in _TIMES:
        time = getattr(record, name, None)
        if time is not None and not -LATEST < time < LATEST:
            raise RecordError(f"{record.kind}: {name}: a time that no session has")
    return to_json(record) if isinstance(record, Call) else record


def _is_plain(body: Mapping[str, Any], types: frozenset[tuple[str, type]], needs: frozenset[str], texts: str) -> bool:
    """Whether an object has what it needs and only fields that are known, each of its type; `texts` is a list of it."""
    return (
        types.issuperset(zip(body, map(type, body.values()), strict=True))
        and body.keys() >= needs
        and set(map(type, body.get(texts, ()))) <= _STRINGS
    )


def _state(body: Mapping[str, Any]) -> State | None:
    """A state whose own fields are checked already; None when what it stands before is not as it should be."""
    fields = {name: value for name, value in body.items() if name != "kind"}
    before = fields.get("before")
    if before is not None:
        if "name" not in before or not _BEFORE_TYPES.issuperset(zip(before, map(type, before.values()), strict=True)):
            return None
        fields["before"] = Before(**before)
    if "wakers" in fields:
        fields["wakers"] = tuple(fields["wakers"])
    return State(**fields)


def _call(body: Mapping[str, Any]) -> Call:
    get = body.get
    return Call(
        body["process"],
        body["pid"],
        body["name"],
        body["syscall"],
        body["args"],
        body["result"],
        body["begin"],
        body["end"],
        get("fd"),
        get("object"),
        get("errno"),
        tuple(get("message", ())),
        get("offset"),
        get("line"),
        get("tid"),
        get("source", "traced"),
        get("cell"),
    )
