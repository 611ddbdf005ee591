import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.trace import records
from ipctui.trace.record_json import RecordError, from_json, to_json
from ipctui.trace.records import (
    Access,
    Call,
    Channel,
    Counters,
    Header,
    Record,
    State,
    Unknown,
)

from .given import ANY_RECORD, JSON, KINDS, of_class


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
@given(data=st.data())
def test_every_record_survives_its_json_form(kind: type[Any], data: st.DataObject) -> None:
    record = data.draw(of_class(kind))
    line = json.dumps(to_json(record), ensure_ascii=False)
    assert from_json(json.loads(line)) == record
    assert json.loads(line)["kind"] == kind.kind


def test_the_kinds_tried_here_are_all_that_there_are() -> None:
    known = {kind for kind in vars(records).values() if isinstance(kind, type) and "kind" in vars(kind)}
    assert known == {*KINDS, Unknown}


def read_or_refused(body: Any) -> Record | None:
    """The record, or None where it was refused; any other exception fails the test."""
    try:
        return from_json(body)
    except RecordError:
        return None


@given(JSON)
def test_arbitrary_json_is_a_record_or_a_record_error(body: Any) -> None:
    record = read_or_refused(body)
    assert record is None or isinstance(record, Unknown | Header)


@given(ANY_RECORD, st.data())
def test_a_damaged_record_is_a_record_or_a_record_error(record: Record, data: st.DataObject) -> None:
    body = to_json(record)
    name = data.draw(st.sampled_from(sorted(body)))
    if data.draw(st.booleans()):
        body[name] = data.draw(JSON)
    else:
        del body[name]
    changed = read_or_refused(body)
    # What was let through has the types of its fields: it can be told again and read back the same.
    if changed is not None and not isinstance(changed, Unknown):
        assert from_json(json.loads(json.dumps(to_json(changed)))) == changed


@given(ANY_RECORD, st.dictionaries(st.text(min_size=1, max_size=8).map("_".__add__), JSON))
def test_unknown_fields_are_skipped(record: Record, more: dict[str, Any]) -> None:
    assert from_json({**more, **to_json(record)}) == record


def test_unknown_fields_are_skipped_inside_a_record_too() -> None:
    body = to_json(State(1, "parent", 7, "blocked", before=records.Before("write", fd=4)))
    body["before"]["colour"] = "red"
    assert from_json(body) == State(1, "parent", 7, "blocked", before=records.Before("write", fd=4))


@given(st.text().filter(lambda name: name not in {kind.kind for kind in KINDS}), JSON)
def test_an_unknown_kind_is_told_by_its_name(name: str, value: Any) -> None:
    record = from_json({"kind": name, "t": value})
    assert isinstance(record, Unknown)
    assert record.named == name
    assert isinstance(record.t, int)


def test_an_unknown_kind_keeps_its_time() -> None:
    assert from_json({"kind": "weather", "t": 5}) == Unknown(5, "weather")
    assert from_json({"kind": "weather", "end": 6}) == Unknown(6, "weather")
    assert from_json({"kind": "weather", "t": "noon"}) == Unknown(0, "weather")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "an object with a kind"),
        ([], "an object with a kind"),
        ({}, "an object with a kind"),
        ({"kind": 5}, "an object with a kind"),
        ({"kind": "lost", "t": 1, "count": 2}, "lost: why is missing"),
        ({"kind": "lost", "t": True, "count": 2, "why": "x"}, "lost: t: a whole number is needed, not true or false"),
        ({"kind": "lost", "t": 1.0, "count": 2, "why": "x"}, "lost: t: a whole number is needed, not a fraction"),
        (
            {"kind": "settings", "t": 1, "process": "p", "held": 1, "rate": 0, "size": 1},
            "held: true or false is needed, not a whole number",
        ),
        (
            {"kind": "settings", "t": 1, "process": "p", "held": True, "rate": "0", "size": 1},
            "rate: a number is needed, not text",
        ),
        ({"kind": "state", "t": 1, "process": "p", "pid": 1, "state": "held", "progress": [1]}, "2 values are needed"),
        ({"kind": "state", "t": 1, "process": "p", "pid": 1, "state": "held", "before": {}}, "name is missing"),
        ({"kind": "descriptors", "t": 1, "process": "p", "rows": "no"}, "rows: a list is needed, not text"),
        (
            {"kind": "descriptors", "t": 1, "process": "p", "rows": [{"fd": 3, "object": "o", "end": 5}]},
            "descriptors: rows: end: text is needed, not a whole number",
        ),
        ({"kind": "event", "t": 1, "name": "x", "data": []}, "data: an object is needed, not a list"),
    ],
)
def test_the_error_says_what_is_wrong(body: Any, told: str) -> None:
    with pytest.raises(RecordError, match=told):
        from_json(body)


def test_defaults_are_left_out_but_for_what_readers_count_on() -> None:
    body = to_json(Call("parent", 7, "write", "write", "4, …", 64, 10, 20, fd=4))
    assert body == {
        "kind": "call",
        "process": "parent",
        "pid": 7,
        "name": "write",
        "syscall": "write",
        "args": "4, …",
        "result": 64,
        "begin": 10,
        "end": 20,
        "fd": 4,
        "errno": None,
    }
    in_flight = to_json(Call("parent", 7, "sem_wait", None, "", None, 10, 20))
    assert (in_flight["result"], in_flight["syscall"], in_flight["fd"]) == (None, None, None)
    assert to_json(State(1, "p", 1, "running"))["reason"] is None
    assert to_json(records.Command(1, "hold child", "key"))["outcome"] is None
    assert {"format", "version", "clock"} <= to_json(Header("pipe", "one-way")).keys()


def test_a_record_of_a_span_became_known_at_its_end() -> None:
    assert Call("p", 1, "read", "read", "", 0, 10, 20).t == 20
    assert Access("p", 1, "load", None, 0, 5, 10, 25).t == 25


def test_records_are_frozen() -> None:
    for record in (Channel(1, "pipe:[1]"), Counters(1, "p", 2)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.t = 2  # type: ignore[misc]
