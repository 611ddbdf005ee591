"""A state through JSON and back is the same state; a recording begun in its midst folds to the same as the whole."""

import json
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipctui.lab.fold import fold
from ipctui.lab.state import ChannelState, LabState, Link, ProcessState
from ipctui.lab.state_json import state_from_json, state_to_json
from ipctui.lab.summary import summary
from ipctui.mechanisms import catalogue
from ipctui.trace.record_json import RecordError
from ipctui.trace.records import Access, Call, Checkpoint, Command, Event, Header, Lost, Record, Unknown
from tests.recorded import MADE, recording
from tests.trace.given import of_class, of_hint

NAMES = st.text(max_size=6)
FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(NAMES | st.integers() | st.sampled_from(["()", "{}", "<>"]), inner, max_size=3)
        | st.frozensets(st.integers() | NAMES, max_size=3)
    ),
    max_leaves=10,
)

OWN: dict[str, st.SearchStrategy[Any]] = {
    "header": st.none() | of_class(Header),
    "processes": st.dictionaries(NAMES, of_class(ProcessState), max_size=2),
    "channels": st.dictionaries(NAMES, of_class(ChannelState), max_size=2),
    "calls": st.lists(of_class(Call) | of_class(Access), max_size=3).map(tuple),
    "links": st.lists(of_class(Link), max_size=3).map(tuple),
    "events": st.lists(of_class(Event), max_size=2).map(tuple),
    "commands": st.lists(of_class(Command), max_size=2).map(tuple),
    "lost": st.dictionaries(st.tuples(NAMES, NAMES), st.integers(0, 1 << 40), max_size=3),
    "facts": st.dictionaries(NAMES, FACTS, max_size=3),
}
STATES = st.fixed_dictionaries(
    {name: OWN[name] if name in OWN else of_hint(hint) for name, hint in get_type_hints(LabState).items()}
).map(lambda values: LabState(**values))


@given(STATES)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
def test_any_state_through_json_and_back_is_the_same(state: LabState) -> None:
    assert state_from_json(json.loads(json.dumps(state_to_json(state)))) == state


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_checkpoint_takes_the_place_of_all_that_was_before_it(name: str) -> None:
    channel = catalogue.channel(MADE[name].mechanism)
    reduce = channel.reduce
    records: list[Record] = [recording(name).header, *recording(name).records]
    whole = fold(LabState(), records, reduce)
    for place in (0, 1, len(records) // 3, len(records) // 2, len(records)):
        before = fold(LabState(), records[:place], reduce)
        checkpoint = Checkpoint(before.t, json.loads(json.dumps(state_to_json(before))))
        later = [checkpoint, *records[place:]]
        assert fold(LabState(), later, reduce) == whole
        noise: list[Record] = [Lost(5, 7, "overwritten", "nobody"), Command(3, "hold nobody", "key")]
        assert fold(LabState(), [*noise, *later], reduce) == whole, "what was before is gone"
        singly = LabState()
        for record in later:
            singly = fold(singly, [record], reduce)
        assert singly == whole
        assert summary(singly, channel) == recording(name).records[-1]


@pytest.mark.parametrize(
    "body",
    [
        {"t": "noon"},
        {"processes": []},
        {"processes": {"parent": {"role": 3}}},
        {"calls": [{"kind": "event", "t": 1, "name": "x"}]},
        {"calls": {}},
        {"lost": [["parent", "overwritten"]]},
        {"facts": {"()": 3}},
        {"facts": {"<>": [[1]]}},
        {"facts": {"{}": [[[1], 2]]}},
        {"facts": []},
    ],
)
def test_a_damaged_checkpoint_is_refused_and_counted(body: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        state_from_json(body)
    before = fold(LabState(), recording("one-way").records)
    after = fold(before, [Checkpoint(1, body), Unknown(2, "hologram")])
    assert after.unknown == before.unknown + 2
    assert after.processes == before.processes


def test_facts_that_no_recording_can_carry_are_named() -> None:
    with pytest.raises(TypeError, match="hold a object"):
        state_to_json(LabState(facts={"thing": object()}))
