"""The measuring of the two models: real bursts in turn, another size, and a measuring process that dies."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel.process import start_time
from ipctui.lab.pairs import LARGEST, SMALLEST, WAYS, Models, Pairs, Sample, fastest, sample_of
from tests.lab.conftest import PATIENCE, waited

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    made = Pairs()
    yield made
    made.close()


def until(pairs: Pairs, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 2 * PATIENCE
    while not condition():
        pairs.tick()
        assert time.monotonic() < deadline, pairs.models
        time.sleep(0.005)


def known(models: Models) -> set[str]:
    return {way for way, each in models.ways.items() if each.sample is not None or each.refused}


@pytest.mark.real
def test_every_way_is_measured_and_then_again_in_turn(pairs: Pairs) -> None:
    until(pairs, lambda: known(pairs.models) == set(WAYS))
    assert all(each.sample is not None and each.sample.rate > 0 for each in pairs.models.ways.values())
    assert pairs.models.ways["spin"].sample is not None
    assert pairs.models.ways["spin"].sample.calls == 0
    first = pairs.models.ways["spin"].t
    until(pairs, lambda: pairs.models.ways["spin"].t > first)


@pytest.mark.real
def test_another_size_forgets_what_was_measured_and_a_mailbox_says_why_not(pairs: Pairs) -> None:
    until(pairs, lambda: known(pairs.models) == set(WAYS))
    pairs.resize(LARGEST)
    assert known(pairs.models) == set()
    until(pairs, lambda: known(pairs.models) == set(WAYS))
    assert pairs.models.ways["mailbox"].refused == "a message has at most 8,192 B"
    pairs.resize(LARGEST * 2)
    assert pairs.models.size == LARGEST
    pairs.resize(1)
    assert pairs.models.size == SMALLEST


@pytest.mark.real
def test_while_paused_no_burst_begins(pairs: Pairs) -> None:
    until(pairs, lambda: known(pairs.models) == set(WAYS))
    pairs.paused = True
    until(pairs, lambda: pairs._asked is None)
    pairs._due = 0
    told = pairs.models
    for _ in range(50):
        pairs.tick()
    assert pairs._asked is None
    assert pairs.models is told


@pytest.mark.real
def test_a_measuring_process_that_dies_is_said_and_everything_goes_on(pairs: Pairs) -> None:
    until(pairs, lambda: pairs.pid)
    os.kill(pairs.pid, signal.SIGKILL)
    until(pairs, lambda: pairs.models.problem)
    assert pairs.models.problem == "the measuring process has died"
    assert pairs.pid == 0
    pairs.tick()
    pairs.resize(128)
    assert pairs.models.problem


@pytest.mark.real
def test_closed_in_the_middle_of_a_burst_nobody_is_left() -> None:
    pairs = Pairs()
    until(pairs, lambda: pairs._asked is not None)
    pid = pairs.pid
    began = start_time(pid)
    pairs.close()
    pairs.close()
    waited(lambda: start_time(pid) != began, 10, "the process is gone")
    assert pairs.tick() is False


@given(JSON)
def test_an_answer_is_a_sample_or_nothing(answer: object) -> None:
    if isinstance(answer, dict):
        found = sample_of(answer, 1)
        assert found is None or found.rate > 0


@pytest.mark.real
@given(st.binary(max_size=60))
def test_what_is_no_answer_changes_nothing(raw: bytes) -> None:
    pairs = Pairs.__new__(Pairs)
    pairs.models = Models()
    pairs._clock = lambda: 5
    pairs._latest = {}
    pairs._note(raw)
    assert pairs.models == Models()


def test_of_several_bursts_the_fastest_counts() -> None:
    samples = [Sample(rate, 2.0, 1e-6, 1.0, 0) for rate in (3.0, 9.0, 5.0)]
    assert fastest(samples).rate == 9.0
    told = {"messages": 100, "seconds": 0.5, "cpu": 0.75, "calls": 200}
    assert sample_of(json.loads(json.dumps(told)), 7) == Sample(200.0, 2.0, 0.0075, 1.5, 7)
