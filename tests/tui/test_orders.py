from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.state import LabState
from ipctui.trace.records import Held
from ipctui.tui.actions import by_id
from ipctui.tui.orders import RATES, NothingToDoError, faster, order, slower
from tests.tui.fake import process, two

ACTIONS = by_id()


@pytest.mark.parametrize(
    ("action", "state", "command"),
    [
        ("hold", two(), "hold parent"),
        ("hold", two(held=True), "release parent"),
        ("hold", two(state="blocked", held=True), "release parent"),
        ("step", two(), "step parent"),
        ("mode", two(), "nonblocking parent"),
        ("mode", two(descriptors=(Held(4, "pipe:[1]", "write", nonblocking=True),)), "blocking parent"),
        ("mode", two(descriptors=(Held(4, "pipe:[1]", "write closed", nonblocking=True),)), "nonblocking parent"),
        ("stop", two(), "stop parent"),
        ("stop", two(state="stopped"), "continue parent"),
        ("faster", two(rate=20.0), "rate parent 50"),
        ("faster", two(rate=30.0), "rate parent 50"),
        ("faster", two(rate=1000.0), "rate parent 0"),
        ("slower", two(rate=30.0), "rate parent 20"),
        ("slower", two(rate=0.0), "rate parent 1000"),
        ("flat-out", two(), "rate parent 0"),
        ("larger", two(size=64), "size parent 128"),
        ("smaller", two(size=65), "size parent 32"),
        ("kill", two(), "kill parent"),
        ("unblock", two(), "unblock parent"),
        ("remove", two(), "remove parent"),
        ("add", two(), "add parent"),
    ],
)
def test_a_key_gives_the_command_that_the_state_calls_for(action: str, state: LabState, command: str) -> None:
    assert order(ACTIONS[action], state, "parent") == command


def test_a_worker_is_added_to_the_role_not_to_its_number() -> None:
    state = LabState(processes={"cell/consumer12": process("cell/consumer12")})
    assert order(ACTIONS["add"], state, "cell/consumer12") == "add cell/consumer"
    assert order(ACTIONS["remove"], state, "cell/consumer12") == "remove cell/consumer12"


@pytest.mark.parametrize(
    ("action", "state"),
    [("faster", two(rate=0.0)), ("slower", two(rate=1.0)), ("smaller", two(size=1)), ("hold", LabState())],
)
def test_where_there_is_nothing_to_do_it_is_said(action: str, state: LabState) -> None:
    with pytest.raises(NothingToDoError) as refusal:
        order(ACTIONS[action], state, "parent")
    assert str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_rate_and_size_come_from_the_parameters_until_they_are_set() -> None:
    state = two()
    processes = {"parent": replace(state.processes["parent"], settings=None)}
    state = replace(state, processes=processes)
    assert order(ACTIONS["faster"], state, "parent") == "rate parent 50"
    assert order(ACTIONS["larger"], state, "parent") == "size parent 128"


@given(st.text())
def test_what_was_typed_goes_into_the_command_as_it_stands(text: str) -> None:
    assert order(ACTIONS["inject"], two(), "parent", text) == "inject parent " + text


@given(st.floats(0.01, 100_000))
def test_faster_and_slower_move_the_way_they_say(rate: float) -> None:
    up = faster(rate)
    assert up == 0 or (up > rate and up in RATES)
    try:
        down = slower(rate)
    except NothingToDoError:
        assert rate <= RATES[0]
    else:
        assert down < rate
