"""Three capacities under one producer's speed: which of them lets its producer wait, when, and what the curves say."""

from collections.abc import Iterator

import pytest

from ipctui.mechanisms.buffering.channel import CARRIERS
from ipctui.mechanisms.buffering.pane import PANE, tracks
from ipctui.trace.records import State
from ipctui.widgets.view import View
from tests.lab.conftest import Bench
from tests.mechanisms.cells import Open, arrived, channel, counted, done, drained, opened, until_asleep

pytestmark = pytest.mark.real
PRODUCERS = tuple(f"{cell}/producer" for cell in CARRIERS)
CONSUMERS = tuple(f"{cell}/consumer" for cell in CARRIERS)


@pytest.fixture
def cells() -> Iterator[Open]:
    yield from opened("buffering")


def sent(lab: Bench, cell: str) -> int:
    counted(lab)
    return done(lab, f"{cell}/producer").accepted


def offer(key: str, lab: Bench) -> str:
    found = next(each for each in PANE.offers if each.key == key)
    assert found.command is not None
    return found.command(lab.lab.state, View(selected="zero/consumer"))


def test_one_key_makes_the_producers_faster_and_the_three_part(cells: Open) -> None:
    lab = cells("side-by-side")
    lab.until(lambda: all(done(lab, f"{cell}/producer").accepted >= 2 for cell in CARRIERS), 10)
    assert offer("8", lab) == "rate producer 5"
    lab.do(offer("8", lab))
    lab.until_state("bounded/producer", "blocked", "mq_send", 20)
    state = until_asleep(lab, "bounded/producer", "mq_send")
    assert state.reason is not None
    assert "full (5 of 5 messages)" in state.reason
    lab.until(lambda: (channel(lab, "unbounded").used or 0) > 5)
    assert channel(lab, "zero").used == 0
    # Zero capacity goes at its consumer's pace, the unbounded queue at its producer's.
    lab.until(lambda: sent(lab, "zero") < sent(lab, "bounded") < sent(lab, "unbounded"), 10)


@pytest.mark.parametrize("n", [1, 4])
def test_the_bounded_queue_holds_n_and_not_one_more(cells: Open, n: int) -> None:
    lab = cells("side-by-side", rate=100, consume=200, capacity=n)
    lab.until(lambda: all(done(lab, f"{cell}/consumer").received >= 3 for cell in CARRIERS), 10)
    lab.do(offer("7", lab))
    # A consumer that was asleep takes one message more, and then stands at its gate.
    lab.until(lambda: all(lab.is_in(name, "held") for name in CONSUMERS), 10, "all consumers held")
    until_asleep(lab, "bounded/producer", "mq_send")
    until_asleep(lab, "zero/producer", "semop")

    def stays(cell: str) -> int:
        return sent(lab, cell) - done(lab, f"{cell}/consumer").received

    lab.until(lambda: channel(lab, "bounded").used == n == stays("bounded"))
    before = sent(lab, "unbounded")
    lab.until(lambda: sent(lab, "unbounded") > before + 50, 10)
    assert channel(lab, "bounded").used == n == stays("bounded")
    # What stands offered is its sender's still, what its consumer holds in its hands has not been sent.
    assert (stays("zero"), channel(lab, "zero").used) == (0, 0)
    slept = [each for each in lab.records if isinstance(each, State) and each.state == "blocked"]
    assert not [each for each in slept if (each.cell, each.process) == ("unbounded", "producer")]
    assert offer("7", lab) == "release consumer"
    assert offer("6", lab) == "hold producer"


def test_what_lies_in_the_queues_arrives_once_and_in_order(cells: Open) -> None:
    lab = cells("side-by-side", rate=300, consume=100)
    lab.until(lambda: all(done(lab, f"{cell}/producer").offered > 30 for cell in CARRIERS), 15)
    lab.do("rate consumer 400")
    drained(lab, PRODUCERS, CONSUMERS)
    lab.finish()
    for cell in CARRIERS:
        assert done(lab, f"{cell}/consumer").received == done(lab, f"{cell}/producer").accepted
        assert arrived(lab, cell) == list(range(1, done(lab, f"{cell}/producer").accepted + 1))


def test_the_curves_are_of_all_three_and_the_unbounded_one_shows_its_memory(cells: Open) -> None:
    lab = cells("side-by-side", rate=200, consume=1)
    lab.until(lambda: (channel(lab, "unbounded").used or 0) > 100, 15)
    found = {track.name: [used for _, used in track.fill] for track in tracks(lab.lab.state, View())}
    assert set(found) == set(CARRIERS)
    assert set(found["zero"]) == {0}
    assert max(found["bounded"]) == 5
    assert max(found["unbounded"]) > 100
    facts = channel(lab, "unbounded").facts
    assert facts["resident"] >= 100 // 16 * 4096
    assert facts["limit_bytes"] == 64 << 20
