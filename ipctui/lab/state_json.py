"""The JSON form of a folded state, and the way back: what a checkpoint record carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

from ipctui.lab.state import LabState
from ipctui.trace.record_json import Reader, RecordError, from_json, needed, plain, reader_of, to_json
from ipctui.trace.records import Access, Call

_TUPLE, _PAIRS, _SET = "()", "{}", "<>"
"""What JSON has no word for, in a mechanism's facts: an object with one of these as its only key."""


def state_to_json(state: LabState) -> dict[str, Any]:
    """A state as JSON values.

    Raises:
        TypeError: the mechanism's facts hold something other than plain values, tuples, lists, sets and mappings.
    """
    body: dict[str, Any] = {}
    for item in fields(state):
        value = getattr(state, item.name)
        match item.name:
            case "calls":
                body["calls"] = [to_json(call) for call in value]
            case "lost":
                body["lost"] = [[process, why, count] for (process, why), count in value.items()]
            case "facts":
                body["facts"] = _fact(dict(value))
            case _:
                body[item.name] = _mapped(value)
    return body


def state_from_json(body: Any) -> LabState:
    """A state from its JSON form; fields that this version does not know are skipped.

    Raises:
        RecordError: it is no state: a field is of another type.
    """
    if not isinstance(body, dict):
        raise RecordError("checkpoint: a state is an object")
    values: dict[str, Any] = {}
    for name, read in _readers().items():
        if name in body:
            values[name] = read(body[name], f"checkpoint: {name}")
    return LabState(**values)


@cache
def _readers() -> dict[str, Reader]:
    hints = get_type_hints(LabState)
    own = {"calls": _read_calls, "lost": _read_lost, "facts": _read_facts}
    return {item.name: own.get(item.name) or reader_of(hints[item.name]) for item in fields(LabState)}


def _mapped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return plain(value)


def _read_calls(value: Any, where: str) -> tuple[Call | Access, ...]:
    calls: list[Call | Access] = []
    for body in _list(value, where):
        record = from_json(body)
        if not isinstance(record, Call | Access):
            raise RecordError(f"{where}: a {record.kind} is no call")
        calls.append(record)
    return tuple(calls)


def _read_lost(value: Any, where: str) -> dict[tuple[str, str], int]:
    lost: dict[tuple[str, str], int] = {}
    for row in _list(value, where):
        match row:
            case [str(process), str(why), int(count)]:
                lost[process, why] = count
            case _:
                raise RecordError(f"{where}: rows of process, reason and count are needed")
    return lost


def _read_facts(value: Any, where: str) -> Mapping[str, Any]:
    facts = _value(value, where)
    if not isinstance(facts, dict):
        raise needed(where, "an object", value)
    return facts


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise needed(where, "a list", value)
    return value


def _fact(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list):
        return [_fact(item) for item in value]
    if isinstance(value, tuple):
        return {_TUPLE: [_fact(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {_SET: [_fact(item) for item in value]}
    if isinstance(value, Mapping):
        if all(isinstance(name, str) for name in value) and not (len(value) == 1 and next(iter(value)) in _TAGS):
            return {name: _fact(item) for name, item in value.items()}
        return {_PAIRS: [[_fact(name), _fact(item)] for name, item in value.items()]}
    raise TypeError(f"a mechanism's facts hold a {type(value).__name__}, which no recording can carry")


def _value(body: Any, where: str) -> Any:
    if isinstance(body, list):
        return [_value(item, where) for item in body]
    if not isinstance(body, dict):
        return body
    if len(body) == 1 and (tag := next(iter(body))) in _TAGS:
        items = _list(body[tag], where)
        try:
            return _TAGS[tag]([_value(item, where) for item in items])
        except (TypeError, ValueError):
            raise RecordError(f"{where}: what {tag} stands for does not hold these values") from None
    return {name: _value(item, where) for name, item in body.items()}


_TAGS: Mapping[str, Any] = {_TUPLE: tuple, _PAIRS: dict, _SET: frozenset}
