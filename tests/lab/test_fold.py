"""Folding is pure and total, and a batch folds to what its records fold to one by one."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab import fold as module
from ipctui.lab.fold import fold
from ipctui.lab.state import LabState, Link, Span
from ipctui.trace.records import (
    Access,
    Call,
    Channel,
    Command,
    Count,
    Counters,
    Descriptors,
    Event,
    Header,
    Held,
    Lost,
    Process,
    Record,
    Settings,
    State,
    Summary,
    Unknown,
)

from ..trace.given import ANY_RECORD

# Few names and short times, so that records meet: the same role, pid, message, object and moment again and again.
TIMES = st.integers(0, 40)
ROLES = st.sampled_from(["parent", "child", "child2"])
CELLS = st.sampled_from([None, None, "zero"])
PIDS = st.integers(10, 12)
OBJECTS = st.sampled_from(["pipe:[1]", "pipe:[2]"])
IDS = st.lists(st.sampled_from(["parent:1", "parent:2", "parent:3", "child:1"]), max_size=2).map(tuple)
STATES = st.sampled_from(["running", "paced", "held", "blocked", "stopped", "exited", "unknown"])
FEW = st.integers(0, 5)

CALLS = st.builds(
    Call,
    process=ROLES,
    pid=PIDS,
    name=st.sampled_from(["read", "write", "close"]),
    syscall=st.just("read"),
    args=st.just(""),
    result=st.none() | st.integers(-1, 3),
    begin=TIMES,
    end=TIMES,
    object=OBJECTS,
    errno=st.sampled_from([None, "EAGAIN", "EINTR", "EPIPE"]),
    message=IDS,
    cell=CELLS,
)
COUNTERS = st.builds(
    Counters,
    t=TIMES,
    process=ROLES,
    pid=PIDS,
    calls=st.just((Count("read", "read", 3, "pipe:[1]", 4),)),
    sent=FEW,
    received=FEW,
    cell=CELLS,
)
COMMANDS = st.builds(
    Command,
    t=TIMES,
    command=st.sampled_from(["hold child", "step child"]),
    by=st.just("key"),
    outcome=st.sampled_from([None, "pending", "done", "refused: no"]),
)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(Header, st.just("pipe"), st.sampled_from(["one-way", "two-way"])),
    st.builds(
        Process,
        t=TIMES,
        process=ROLES,
        pid=PIDS,
        event=st.sampled_from(["started", "exited"]),
        status=st.sampled_from([None, "status 0"]),
        cell=CELLS,
    ),
    CALLS,
    st.builds(
        Access,
        process=ROLES,
        pid=PIDS,
        name=st.just("load"),
        object=OBJECTS,
        offset=FEW,
        value=FEW,
        begin=TIMES,
        end=TIMES,
    ),
    st.builds(State, t=TIMES, process=ROLES, pid=PIDS, state=STATES, since=st.none() | TIMES, cell=CELLS),
    st.builds(Settings, t=TIMES, process=ROLES, held=st.booleans(), rate=st.just(20.0), size=FEW, cell=CELLS),
    st.builds(
        Descriptors, t=TIMES, process=ROLES, rows=st.just((Held(3, "pipe:[1]", "read"),)) | st.just(()), cell=CELLS
    ),
    st.builds(Channel, t=TIMES, object=OBJECTS, used=st.none() | FEW, closed=st.booleans()),
    st.builds(Event, t=TIMES, name=st.sampled_from(["one", "two"]), process=st.none() | ROLES),
    COMMANDS,
    COUNTERS,
    st.builds(
        Lost,
        t=TIMES,
        count=FEW,
        why=st.sampled_from(["overwritten", "not folded"]),
        process=st.none() | ROLES,
        cell=CELLS,
    ),
    st.builds(Summary, t=TIMES),
    st.builds(Unknown, t=TIMES, named=st.just("hologram")),
)
BATCHES = st.lists(RECORDS, max_size=40)
LIMITS = {
    "RECENT_CALLS": 5,
    "RECENT_SPANS": 4,
    "RECENT_LINKS": 3,
    "RECENT_EVENTS": 3,
    "RECENT_FILL": 4,
    "RECENT_EMPTIES": 3,
}


def counting(facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
    """What a mechanism might remember: how many records of each kind."""
    after = dict(facts)
    for record in records:
        after[record.kind] = after.get(record.kind, 0) + 1
    return after


def folded_singly(state: LabState, batch: Sequence[Record]) -> LabState:
    for record in batch:
        state = fold(state, [record], counting)
    return state


@given(BATCHES, BATCHES)
def test_a_batch_folds_to_what_its_records_fold_to(first: list[Record], second: list[Record]) -> None:
    state = fold(LabState(), first, counting)
    assert state == folded_singly(LabState(), first)
    assert fold(state, second, counting) == folded_singly(state, second)
    assert list(fold(state, second).processes) == list(folded_singly(state, second).processes)


@given(BATCHES, BATCHES)
def test_the_same_holds_where_the_past_is_forgotten(first: list[Record], second: list[Record]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in LIMITS.items():
            patch.setattr(module, name, limit)
        state = fold(fold(LabState(), first, counting), second, counting)
        assert state == folded_singly(LabState(), [*first, *second])
        assert len(state.calls) <= 5
        assert len(state.links) <= 3
        assert len(state.events) <= 3
        assert len(state.commands) <= 3
        assert all(len(process.spans) <= 4 and len(process.empties) <= 3 for process in state.processes.values())
        assert all(len(channel.fill) <= 4 for channel in state.channels.values())


def test_what_was_forgotten_stays_forgotten_within_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in LIMITS.items():
        monkeypatch.setattr(module, name, limit)
    states = ["running", "blocked"] * 3
    spans = [State(t, "p", 10, state) for t, state in enumerate(states, 1)]
    late = State(2, "p", 10, "held")
    commands = [Command(t, f"step child{t}", "key") for t in range(6)]
    outcome = Command(9, "step child0", "key", "done")
    messages = [write(f"parent:{number}", end=number) for number in (1, 2, 3, 1, 4)]
    state = fold(LabState(), [*spans, late, *commands, outcome, *messages])
    assert state.processes["p"].spans == (Span(2, "held"),)
    assert [command.t for command in state.commands] == [4, 5, 9]
    # A message whose last bytes have just gone out is a young one.
    assert [link.id for link in state.links] == ["parent:3", "parent:1", "parent:4"]


@given(st.lists(ANY_RECORD, max_size=12))
def test_no_record_that_fits_the_vocabulary_breaks_it(batch: list[Record]) -> None:
    state = fold(LabState(), batch)
    assert state.t >= 0
    assert fold(state, list(reversed(batch))).t == state.t


@given(BATCHES, BATCHES)
def test_folding_leaves_the_state_before_alone(first: list[Record], second: list[Record]) -> None:
    state = fold(LabState(), first)
    before = copy.deepcopy(state)
    fold(state, second)
    assert state == before


@given(BATCHES)
def test_nothing_that_counts_depends_on_the_order(batch: list[Record]) -> None:
    state, other = fold(LabState(), batch), fold(LabState(), batch[::-1])
    assert (state.t, state.lost, state.unknown) == (other.t, other.lost, other.unknown)
    assert set(state.processes) == set(other.processes)
    assert state.unknown == sum(isinstance(record, Unknown) for record in batch)
    lost = sum(record.count for record in batch if isinstance(record, Lost))
    assert sum(state.lost.values()) == lost


def test_an_empty_batch_is_the_state_itself() -> None:
    state = fold(LabState(), [Lost(5, 1, "overwritten")])
    assert fold(state, [], counting) is state


def test_the_clock_is_the_latest_time_of_any_record() -> None:
    late = Call("parent", 10, "write", "write", "", 1, begin=3, end=7)
    assert fold(LabState(), [Event(9, "x"), late, Unknown(4, "?"), Summary(99)]).t == 9


def test_a_process_begins_and_ends() -> None:
    state = fold(
        LabState(),
        [
            Process(1, "parent", 10, "started", ppid=5, program="parent"),
            State(2, "parent", 10, "running"),
            Process(8, "parent", 10, "exited", status="signal SIGPIPE"),
        ],
    )
    process = state.processes["parent"]
    assert (process.pid, process.ppid, process.program) == (10, 5, "parent")
    assert (process.started, process.exited, process.status) == (1, 8, "signal SIGPIPE")
    assert process.spans == (Span(2, "running"), Span(8, "exited"))


def test_the_end_of_another_process_of_the_role_is_not_its_end() -> None:
    state = fold(
        LabState(), [Process(1, "parent", 11, "started"), Process(2, "parent", 10, "exited", status="status 0")]
    )
    assert state.processes["parent"].exited is None


def test_a_restart_keeps_what_was_counted_and_nothing_else() -> None:
    counts = Counters(5, "parent", 10, sent=7)
    state = fold(
        LabState(),
        [
            Process(1, "parent", 10, "started"),
            State(2, "parent", 10, "blocked", reason="pipe full"),
            Descriptors(2, "parent", (Held(4, "pipe:[1]", "write"),)),
            counts,
            Process(6, "parent", 10, "exited", status="status 0"),
            Process(9, "parent", 11, "started"),
        ],
    )
    process = state.processes["parent"]
    assert (process.pid, process.exited, process.status) == (11, None, None)
    assert (process.state, process.descriptors, process.counters) == (None, (), None)
    assert process.earlier == (counts,)


def test_the_same_role_in_two_cells_is_two_processes() -> None:
    state = fold(LabState(), [Process(1, "p", 10, "started", cell="zero"), Process(1, "p", 11, "started", cell="many")])
    assert {name: process.pid for name, process in state.processes.items()} == {"zero/p": 10, "many/p": 11}


def write(*messages: str, end: int, result: int = 64) -> Call:
    return Call("parent", 10, "write", "write", "", result, end - 1, end, message=messages)


def read(*messages: str, end: int, result: int = 64) -> Call:
    return Call("child", 11, "read", "read", "", result, end - 1, end, message=messages)


def test_a_message_links_its_send_to_its_receive() -> None:
    state = fold(LabState(), [write("parent:1", end=5), write("parent:2", end=6), read("parent:1", end=9)])
    assert set(state.links) == {Link("parent:1", "parent", 5, "child", 9), Link("parent:2", "parent", 6)}


def test_a_receive_that_is_told_first_is_joined_later() -> None:
    state = fold(LabState(), [read("parent:1", end=9)])
    assert state.links == (Link("parent:1", "parent", 8, "child", 9),)
    assert fold(state, [write("parent:1", end=5)]).links == (Link("parent:1", "parent", 5, "child", 9),)


def test_a_call_that_failed_or_is_under_way_links_nothing() -> None:
    in_flight = Call("parent", 10, "write", "write", "", None, 1, 2, message=("parent:1",))
    assert fold(LabState(), [in_flight, write("parent:2", end=3, result=-1)]).links == ()


def test_what_came_back_empty_handed_is_remembered_by_its_time() -> None:
    empty = [Call("child", 11, "read", "read", "", -1, end - 1, end, errno="EAGAIN") for end in (3, 5, 6)]
    broken = Call("child", 11, "write", "write", "", -1, 6, 7, errno="EPIPE")
    assert fold(LabState(), [*empty, broken]).processes["child"].empties == (3, 5, 6)


def test_spans_begin_where_the_state_began_and_do_not_repeat() -> None:
    state = fold(
        LabState(),
        [
            State(2, "p", 10, "running"),
            State(4, "p", 10, "running"),
            State(9, "p", 10, "blocked", since=7, reason="pipe full"),
            State(10, "p", 10, "blocked", since=7, reason="pipe full"),
            State(12, "p", 10, "running", since=3),
        ],
    )
    assert state.processes["p"].spans == (Span(2, "running"), Span(7, "blocked"), Span(12, "running"))


def test_the_rate_is_that_between_two_counters() -> None:
    second = 1_000_000_000
    counts = [Counters(second, "p", 10, sent=10), Counters(3 * second, "p", 10, sent=40, received=10)]
    assert fold(LabState(), counts).processes["p"].rate == 20.0
    assert fold(LabState(), counts[:1]).processes["p"].rate == 0.0
    ended = fold(LabState(), [Process(0, "p", 10, "started"), *counts, Process(4 * second, "p", 10, "exited")])
    assert ended.processes["p"].rate == 0.0


def test_a_channel_keeps_its_fill_and_its_peak() -> None:
    measures = [Channel(t, "pipe:[1]", used, 4096) for t, used in ((1, 64), (2, 4096), (3, 128))]
    state = fold(LabState(), [*measures, Channel(4, "pipe:[1]", None, 4096)])
    channel = state.channels["pipe:[1]"]
    assert channel.fill == ((1, 64), (2, 4096), (3, 128))
    assert channel.peak == 4096
    closed = fold(state, [Channel(6, "pipe:[1]", closed=True)]).channels["pipe:[1]"]
    assert (closed.now.closed, closed.now.t, closed.now.capacity, closed.fill) == (True, 6, 4096, channel.fill)
    assert fold(LabState(), [Channel(6, "pipe:[9]", closed=True)]).channels == {}


def test_an_outcome_joins_the_command_that_it_answers() -> None:
    state = fold(
        LabState(),
        [
            Command(1, "hold child", "key"),
            Command(2, "step child", "key"),
            Command(3, "hold child", "key", "pending"),
            Command(5, "hold child", "key", "done"),
            Command(6, "hold child", "key", "done"),
        ],
    )
    assert state.commands == (
        Command(1, "hold child", "key", "done"),
        Command(2, "step child", "key"),
        Command(6, "hold child", "key", "done"),
    )


def test_what_is_lost_is_summed_by_process_and_cause() -> None:
    lost = [Lost(1, 3, "overwritten", "p"), Lost(2, 4, "overwritten", "p"), Lost(3, 5, "not folded"), Unknown(4, "?")]
    state = fold(LabState(), lost)
    assert state.lost == {("p", "overwritten"): 7, ("", "not folded"): 5}
    assert state.unknown == 1
