"""What a scenario expects: read from a sentence, and true or not of a state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.lab.expectation import parse_expectation
from ipctui.lab.parameters import UsageError
from ipctui.lab.state import ChannelState, LabState, ProcessState
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Before, Channel, Count, Counters, Event, Header, State, Summary
from tests.lab.test_scenario import STEP, parsed
from tests.recorded import state_at


def process(role: str, state: str, call: str = "", **more: object) -> ProcessState:
    before = Before(call) if call else None
    made = ProcessState(role, 5, state=State(0, role, 5, state, before))
    return replace(made, **more)  # type: ignore[arg-type]


COUNTED = Counters(0, "parent", 5, (Count("write", "write", 4, "pipe:[1]", 9, 9, {"EAGAIN": 2}),), sent=7, received=1)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("parent blocked", True),
        ("parent blocked in write", True),
        ("parent blocked in read", False),
        ("parent held", False),
        ("child blocked", False),
        ("child exited", True),
        ("child exited with signal SIGPIPE", True),
        ("child exited with status 0", False),
        ("parent exited", False),
        ("parent sent = 7", True),
        ("parent sent < 7", False),
        ("parent received >= 1", True),
        ("parent error EAGAIN", True),
        ("parent error EPIPE", False),
        ("child2 running", False),
        ("channel full", True),
        ("channel empty", False),
        ("channel used >= 4096", True),
        ("channel used > 4k", False),
        ("event oops", True),
        ("event other", False),
        ("deadlock", False),
    ],
)
def test_an_expectation_is_read_from_the_state(text: str, holds: bool) -> None:
    (step,) = parsed(f'{STEP}expect = "{text}"\n').steps
    parent = process("parent", "blocked", "write", counters=COUNTED)
    child = process("child", "blocked", "read", exited=3, status="signal SIGPIPE")
    state = LabState(
        processes={"parent": parent, "child": child},
        channels={"pipe:[1]": ChannelState(Channel(0, "pipe:[1]", 4096, 4096))},
        events=(Event(0, "oops"),),
    )
    assert step.expect[0].holds(state) is holds
    assert step.expect[0].holds(LabState()) is False


def test_a_proof_within_others_is_named_by_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = {"read": "16,777,216", "cells": {"nn": {"refused": 3}}, "end": False}
    monkeypatch.setattr("ipctui.lab.expectation.summary", lambda state, channel: Summary(0, proofs=proofs))

    def holds(text: str) -> bool:
        return parsed(f'{STEP}expect = "{text}"\n').steps[0].expect[0].holds(LabState(Header("pipe", "one-way")))

    assert holds("proof read = 16777216")
    assert holds("proof cells.nn.refused >= 3")
    assert holds("proof end = 0")
    assert not holds("proof cells.nn >= 0")
    assert not holds("proof cells.bb.refused >= 0")
    assert not holds("proof nothing >= 0")


WORDS = st.sampled_from(
    [
        "parent",
        "child",
        "child2",
        "channel",
        "deadlock",
        "event",
        "proof",
        "blocked",
        "held",
        "exited",
        "sent",
        "received",
        "error",
        "in",
        "with",
        "full",
        "used",
        "signal",
        "status",
        "write",
        ">=",
        "=",
        "5",
        "4k",
        "x",
        "EAGAIN",
        "\x00",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS | st.text(max_size=6), max_size=6))
def test_any_sentence_is_an_expectation_or_one_line(words: list[str]) -> None:
    text = " ".join(words)
    try:
        expectation = parse_expectation(text, ["parent", "child"], catalogue.channel("pipe"))
    except UsageError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert message.isprintable()
    else:
        for name in ("held", "sigpipe"):
            assert expectation.holds(state_at(name, 3.0)) in (True, False)
        assert expectation.holds(LabState()) is False
