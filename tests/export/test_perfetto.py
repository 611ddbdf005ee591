"""The Perfetto export: what trace_processor would count, and where each slice, state and arrow lies."""

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.export.perfetto import _microseconds, write_perfetto
from ipctui.export.reading import LATEST, Source
from ipctui.trace.records import Access, Channel, Command, Count, Counters, Event, Lost, Process, Record
from tests import recorded
from tests.export import chrome
from tests.export.given import (
    HEADER,
    PIPE,
    RECORDS,
    ZERO,
    arrows,
    call,
    read,
    started,
    state,
    stored,
    traced,
    write,
)


def exported(name: str) -> tuple[chrome.Loaded, dict[str, object]]:
    source = Source(recorded.path(name))
    out = io.StringIO()
    told = write_perfetto(source, out)
    summary = next(record for record in source.records() if record.kind == "summary")
    return chrome.load(out.getvalue()), {"told": dict(told), "summary": summary}


@pytest.mark.parametrize("name", recorded.MADE)
def test_what_is_missing_of_the_summarys_calls_is_told(name: str) -> None:
    """What there is of a recording is counted by the tests of all recordings (tests.export.accounts)."""
    _, about = exported(name)
    told, summary = about["told"], about["summary"]
    rows = [row for process in summary.processes.values() for row in process["calls"]]
    counted = sum(row["calls"] + row.get("in_flight", 0) for row in rows)
    assert told["calls"] + told["accesses"] + told["calls_not_in_the_recording"] == counted
    assert told["arrows_left_out"] == 0


@pytest.mark.parametrize("name", ["deadlock", "held", "two-way", "killed"])
def test_every_call_lies_where_it_was(name: str) -> None:
    loaded, about = exported(name)
    zero = chrome.nanoseconds(float(about["told"]["zero_us"]))
    calls = [record for record in recorded.recording(name).records if record.kind == "call"]
    assert sorted((each.begin - zero, each.end - zero, each.name, each.pid) for each in loaded.of("call")) == sorted(
        (each.begin, each.end, each.name, each.pid) for each in calls
    )
    assert min(each.begin for each in loaded.slices) == 0


def test_a_track_for_each_process_in_the_order_of_appearance() -> None:
    out = io.StringIO()
    write_perfetto(Source(recorded.path("many-writers")), out)
    events = json.loads(out.getvalue())["traceEvents"]
    order = {each["args"]["sort_index"]: each["pid"] for each in events if each["name"] == "process_sort_index"}
    names = {each["pid"]: each["args"]["name"] for each in events if each["name"] == "process_name"}
    assert [names[order[place]] for place in sorted(order)] == ["parent", "child1", "child2", "channels"]
    real = [each.pid for each in recorded.recording("many-writers").records if each.kind == "process"]
    assert [order[place] for place in sorted(order)][:3] == real


def test_a_slice_tells_the_call() -> None:
    (made,) = traced(call("child", "read", 5, 9, -1, args="3, …, 64", errno="EAGAIN", fd=3, line=33, offset=128)).of(
        "call"
    )
    assert made.args == {
        "call": "read(3, …, 64) = -1 EAGAIN (Resource temporarily unavailable)",
        "result": -1,
        "syscall": "read",
        "errno": "EAGAIN",
        "object": PIPE,
        "fd": 3,
        "line": 33,
        "offset": 128,
    }
    assert (made.begin, made.end) == (5 + ZERO, 9 + ZERO)


def test_a_call_in_flight_lasts_to_the_end() -> None:
    (made,) = traced(call("child", "read", 5, 90, None, args="3, ")).of("call")
    assert (made.end, made.args["result"], made.args["call"]) == (90 + ZERO, None, "read(3,  <unfinished ...>")


# Messages.


def test_an_arrow_whichever_call_is_told_first() -> None:
    sent, got = write(10, 20, "parent:1", 0), read(5, 19, ("parent:1",), 0)
    assert arrows(sent, got) == arrows(got, sent) == [("parent:1", 10, 19)]


def test_an_arrow_from_the_write_that_completes_to_the_read_that_completes() -> None:
    told = (
        write(10, 20, "parent:1", 0, size=40, asked=100),
        read(11, 21, ("parent:1",), 0, size=30),
        write(30, 40, "parent:1", 40, size=60, asked=60),
        read(31, 41, ("parent:1",), 30, size=60),
        read(42, 50, ("parent:1", "parent:2"), 90, size=64),
        write(43, 49, "parent:2", 100, size=54, asked=54),
    )
    expected = [("parent:1", 30, 50), ("parent:2", 43, 50)]
    assert sorted(arrows(*told)) == expected
    later = sorted(told, key=lambda record: record.name, reverse=True)
    assert sorted(arrows(*later)) == expected


def test_a_message_half_received_has_no_arrow() -> None:
    told = (write(10, 20, "parent:1", 0, size=100, asked=100), read(11, 21, ("parent:1",), 0, size=99))
    assert arrows(*told) == []
    assert arrows(*told, read(22, 23, ("parent:1",), 99, size=1)) == [("parent:1", 10, 23)]


def test_a_read_that_names_no_message_but_shows_it() -> None:
    seen_early = replace(read(11, 21, (), 0), args='3, "parent:1 aaa"..., 65536')
    assert arrows(seen_early, write(10, 20, "parent:1", 0)) == [("parent:1", 10, 21)]


def test_no_arrow_back_in_time_and_none_from_nowhere() -> None:
    assert arrows(write(10, 20, "parent:1", 0), read(5, 10, ("parent:1",), 0)) == []
    assert arrows(read(5, 9, ("parent:9",), 0)) == []
    assert traced(write(10, 20, "parent:1", 0)).about["messages_without_receipt"] == 1


def test_after_a_restart_the_same_name_is_another_message() -> None:
    old, new = write(10, 20, "parent:1", 0), replace(write(110, 120, "parent:1", 0), pid=5000, tid=5000)
    got = replace(read(105, 119, ("parent:1",), 0), pid=5001, tid=5001)
    assert arrows(old, new, got) == [("parent:1", 110, 119)]


def test_the_two_ends_of_a_socket_have_names_of_their_own() -> None:
    sent = replace(write(10, 20, "parent:1", 0), name="sendto", object="socket:[1]", offset=None)
    got = replace(read(11, 21, ("parent:1",), 0), name="recvfrom", object="socket:[2]", offset=None)
    assert arrows(sent, got) == [("parent:1", 10, 21)]


def test_a_size_is_not_the_flags_behind_it_and_a_queue_returns_none() -> None:
    sent = replace(write(10, 20, "parent:1", 0), name="send", args='4, "parent:1"..., 64, 16384', offset=None)
    got = replace(read(11, 21, ("parent:1",), 0), name="recv", offset=None)
    assert arrows(sent, got) == [("parent:1", 10, 21)]
    put = call("parent", "mq_send", 10, 20, 0, args='4, "parent:1"..., 64, 0', message=("parent:1",))
    took = call("child", "mq_receive", 11, 21, 64, args='4, "parent:1"..., 64, [0]', message=("parent:1",))
    assert arrows(put, took) == [("parent:1", 10, 21)]


def test_a_message_in_a_slot_of_shared_memory() -> None:
    slot = {"offset": 16, "value": 9, "message": ("parent:1",), "size": 9, "text": '"parent:1 "'}
    stored_, loaded_ = (
        Access(process, pid, name, "buffer", begin=begin, end=begin + 5, **slot)
        for process, pid, name, begin in (("parent", 4711, "store", 10), ("child", 4712, "load", 30))
    )
    assert arrows(stored_, loaded_) == [("parent:1", 10, 35)]
    assert traced(stored_).of("access")[0].args["text"] == '"parent:1 "'


# States.


def spans(*told: Record) -> list[tuple[str, int, int]]:
    return [(each.args["state"], each.begin - ZERO, each.end - ZERO) for each in traced(*told).of("state")]


def test_blocked_time_is_told_from_when_it_began_to_the_return_of_the_call() -> None:
    told = (
        state("child", 0, "running"),
        state("child", 50, "blocked", since=20, reason="pipe empty", wchan="pipe_read", waker="a write"),
        call("child", "read", 20, 80, 64),
        state("child", 95, "running"),
        call("child", "close", 96, 100),
    )
    assert spans(*told) == [("running", 0, 20), ("blocked", 20, 80), ("running", 95, 100)]
    blocked = next(each for each in traced(*told).of("state") if each.args["state"] == "blocked")
    assert blocked.name == "blocked: read(3)"
    assert {name: blocked.args[name] for name in ("reason", "wchan", "waker")} == {
        "reason": "pipe empty",
        "wchan": "pipe_read",
        "waker": "a write",
    }


def test_a_sleep_that_is_told_after_the_call_has_returned() -> None:
    assert spans(call("child", "read", 20, 80, 64), state("child", 79, "blocked", since=20)) == [("blocked", 20, 80)]


def test_states_end_with_the_process_and_with_the_recording() -> None:
    ended = Process(60, "child", 4712, "exited", status="signal SIGKILL")
    told = (started("child"), state("child", 10, "held", since=5), ended, state("child", 70, "running"))
    assert spans(*told) == [("held", 5, 60)]
    (instant,) = traced(*told).instants
    assert (instant["name"], instant["s"], instant["t"]) == ("signal SIGKILL", "p", 60 + ZERO)
    assert spans(state("parent", 10, "paced"), call("child", "read", 1, 40)) == [("paced", 10, 40)]


def test_what_is_told_again_is_one_span_and_a_second_sleep_another() -> None:
    told = [state("child", t, "blocked", since=since, pending=pending) for t, since, pending in (
        (30, 20, None), (40, 20, "hold"), (60, 50, None))]  # fmt: skip
    assert spans(*told, state("child", 70, "running")) == [("blocked", 20, 50), ("blocked", 50, 70)]
    assert traced(*told, state("child", 70, "running")).of("state")[0].args["pending"] == "hold"


def test_states_in_korean() -> None:
    loaded = traced(state("child", 10, "blocked", since=5), state("child", 20, "running"), language="ko")
    assert loaded.of("state")[0].name == "블록됨: read(3)"
    assert loaded.of("state")[0].args["state"] == "blocked", "what is searched for stays as it is"


# The rest.


def test_counters_follow_the_fill_and_end_with_the_object() -> None:
    loaded = traced(
        Channel(10, PIPE, used=64, slots=1, slots_used=1), Channel(20, PIPE, used=128), Channel(30, PIPE, closed=True)
    )
    assert loaded.counters == {
        f"{PIPE} bytes": [(1010, 64), (1020, 128), (1030, 0)],
        f"{PIPE}, slots taken slots": [(1010, 1), (1030, 0)],
    }
    assert [each["name"] for each in loaded.instants] == [f"{PIPE} gone"]
    assert traced(Channel(1, "sem", used=3, unit="")).counters == {"sem value": [(1001, 3)]}


def test_commands_marks_and_events_are_instants() -> None:
    told = (
        started("child"),
        Command(10, "hold child", "key"),
        Command(11, "hold child", "key", "pending: soon"),
        Command(12, "hold child", "key", "done"),
        Command(13, "step child", "key", "done"),
        Command(14, "step child", "key", "done"),
        Event(20, "mark", data={"text": "look \x1b here"}),
        Event(21, "mark"),
        Event(22, "failed", "child", {"call": "read", "nested": [1]}),
    )
    made = [(each["cat"], each["name"], each["s"]) for each in traced(*told).instants]
    assert made == [
        ("command", "hold child", "t"),
        ("outcome", "hold child: pending: soon", "t"),
        ("outcome", "hold child: done", "t"),
        ("command", "step child", "t"),
        ("command", "step child", "t"),
        ("mark", "look ␛ here", "g"),
        ("mark", "mark", "g"),
        ("event", "failed", "p"),
    ]


def test_loads_and_stores_are_slices_of_their_own_category() -> None:
    loaded = traced(Access("child", 4712, "store", "buffer", 8, 3, 10, 11, line=7))
    assert [(each.name, each.args) for each in loaded.of("access")] == [
        ("store", {"object": "buffer", "offset": 8, "value": 3, "line": 7})
    ]


def test_calls_that_are_not_in_the_recording_are_told() -> None:
    counts = (Count("write", "write", 4, PIPE, calls=10), Count("close", "close", 4, PIPE, calls=1))
    about = traced(
        call("parent", "write", 1, 2), call("parent", "read", 3, 4, None), Counters(9, "parent", 4711, counts),
        Lost(9, 10, "overwritten", "parent"),
    ).about  # fmt: skip
    assert (about["calls_not_in_the_recording"], about["lost"]) == (10, {"overwritten": 10})


def test_calls_that_overlap_get_lanes_until_there_are_too_many() -> None:
    told = [call("child", "read", 10 + place, 90) for place in range(40)]
    loaded = traced(*told)
    assert len(loaded.of("call")) == 32
    assert len({each.tid for each in loaded.of("call")}) == 32
    assert loaded.about["slices_left_out"] == 8


def test_one_number_for_two_processes_becomes_two() -> None:
    loaded = traced(call("child", "read", 1, 2), replace(call("parent", "write", 1, 2), pid=4712, tid=4712))
    assert sorted(loaded.processes.values()) == ["child", "parent (pid 4712)"]


def test_no_record_at_all() -> None:
    assert traced().slices == []


@given(st.integers(0, LATEST))
def test_times_survive_the_way_through_a_double(nanoseconds: int) -> None:
    text = _microseconds(nanoseconds)
    assert chrome.nanoseconds(json.loads(text)) == nanoseconds
    assert abs(float(text) * 1000 - nanoseconds) <= 1


def test_a_plain_decimal_would_not_survive() -> None:
    """The reason for `_microseconds`."""
    lost = [
        number for number in range(1000, 9000) if int(float(f"{number // 1000}.{number % 1000:03d}") * 1000) != number
    ]
    assert lost


@given(RECORDS)
@settings(max_examples=300, deadline=None)
def test_whatever_is_recorded_the_trace_is_valid(told: list[Record]) -> None:
    loaded = traced(*told, shift=30)
    calls = sum(record.kind == "call" for record in told)
    assert len(loaded.of("call")) == calls == loaded.about["calls"]
    assert len(loaded.flows) == loaded.about["messages"]


def test_a_time_before_the_beginning_is_left_out_and_told() -> None:
    """Times below zero are looked for in the file's beginning only."""
    loaded = traced(call("child", "read", -50, -40), call("child", "read", 1, 2), shift=30)
    assert [each.begin for each in loaded.slices] == [31]
    assert loaded.about["slices_left_out"] == 1


def test_the_whole_file(tmp_path: object) -> None:
    from pathlib import Path

    path = stored(Path(str(tmp_path)), call("parent", "write", -500, 3), state("child", 9, "held", since=-700))
    out = io.StringIO()
    write_perfetto(Source(path), out)
    loaded = chrome.load(out.getvalue())
    assert loaded.about["zero_us"] == "0.7"
    assert loaded.about["mechanism"] == HEADER.mechanism
