import os
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.trace.operations import CODES
from ipctui.trace.ring import (
    HELD_BIT,
    PACED_BIT,
    PHASE_HELD,
    PHASE_PACED,
    PHASE_RUNNING,
    W_GATE,
    W_INTERVAL,
    W_PHASE,
    W_PHASE_SINCE,
    W_STEPS,
    W_STEPS_TAKEN,
    W_UNTIL,
    RingReader,
    create_ring,
    key_of,
)
from ipctui.worker import gate as module
from ipctui.worker.gate import Gate, Leave
from ipctui.worker.journal import Journal

from ..kernel.conftest import PATIENCE, eventually

WRITE, READ, CLOSE = (key_of(CODES[name], 4) for name in ("write", "read", "close"))


class Bench:
    """A gate on a ring and an eventfd, and a thread that goes through it again and again."""

    def __init__(self) -> None:
        self.fd = create_ring()
        self.eventfd = os.eventfd(0, os.EFD_CLOEXEC)
        self.journal = Journal(self.fd)
        self.reader = RingReader(self.fd)
        self.words = self.reader.words
        self.gate = Gate(self.journal, self.eventfd, frozenset({"write"}))
        self.passed = 0
        self.left = False
        self.thread: threading.Thread | None = None

    def attend(self, key: int = WRITE) -> None:
        self.gate.attend(key, self.passed, 64, 640, b"payload")

    def run(self, key: int = WRITE) -> None:
        """Go through the gate until told to leave."""

        def work() -> None:
            try:
                while True:
                    self.attend(key)
                    self.passed += 1
            except Leave:
                self.left = True

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def order(self, gate: int, **words: int) -> None:
        """Set words of the ring as the laboratory does, and poke."""
        for name, value in words.items():
            self.words[globals()[name]] = value
        self.words[W_GATE] = gate
        self.gate.poke()

    def end(self) -> None:
        if self.thread is not None:

            def leave() -> None:
                raise Leave

            self.gate.actions.append(leave)
            self.gate.poke()
            self.thread.join(PATIENCE)
            assert not self.thread.is_alive()
        self.journal.close()
        self.reader.close()
        os.close(self.eventfd)
        os.close(self.fd)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.end()


def test_an_open_gate_lets_through(bench: Bench) -> None:
    bench.attend()
    assert bench.words[W_PHASE] == PHASE_RUNNING


def test_a_held_worker_stands_until_released(bench: Bench) -> None:
    bench.words[W_GATE] = HELD_BIT
    bench.run()
    eventually(lambda: bench.words[W_PHASE] == PHASE_HELD)
    assert bench.passed == 0
    assert bench.reader.detail(0) == (64, 640, b"payload".ljust(32, b"\0"))
    since = bench.words[W_PHASE_SINCE]
    for _ in range(5):  # a poke without a reason changes nothing
        bench.gate.poke()
        eventually(lambda: bench.words[W_PHASE] == PHASE_HELD)
    assert (bench.passed, bench.words[W_PHASE_SINCE]) == (0, since)
    bench.order(0)
    eventually(lambda: bench.passed > 100)


@pytest.mark.parametrize("pace", [0, PACED_BIT])
def test_steps_let_exactly_as_many_operations_through(bench: Bench, pace: int) -> None:
    bench.words[W_INTERVAL] = 3_600_000_000_000
    bench.words[W_GATE] = HELD_BIT | pace
    bench.run()
    total = 0
    for granted in (1, 1, 3, 17):
        total += granted
        bench.order(HELD_BIT | pace, W_STEPS=total)
        eventually(lambda total=total: bench.passed == total and bench.words[W_PHASE] == PHASE_HELD)
        assert bench.words[W_STEPS_TAKEN] == bench.words[W_STEPS] == total
    # Poked again it looks again, takes the steps it was granted for granted no second time, and stands.
    looked = threading.Event()
    bench.gate.actions.append(looked.set)
    bench.gate.poke()
    assert looked.wait(PATIENCE)
    eventually(lambda: bench.words[W_PHASE] == PHASE_HELD)
    assert bench.passed == total


def test_an_action_is_done_at_a_closed_gate_and_lets_nothing_through(bench: Bench) -> None:
    bench.words[W_GATE] = HELD_BIT
    bench.run()
    eventually(lambda: bench.words[W_PHASE] == PHASE_HELD)
    done: list[int] = []

    def close() -> None:
        bench.attend(CLOSE)  # an operation of the action's own does not stop at the gate
        done.append(bench.passed)

    bench.gate.actions.extend([close, close])
    bench.gate.poke()
    eventually(lambda: len(done) == 2)
    assert (done, bench.passed) == ([0, 0], 0)


def test_who_is_asked_to_leave_leaves(bench: Bench) -> None:
    def leave() -> None:
        raise Leave

    bench.gate.actions.append(leave)
    with pytest.raises(Leave):
        bench.attend()
    bench.words[W_GATE] = HELD_BIT
    bench.run()
    eventually(lambda: bench.words[W_PHASE] == PHASE_HELD)
    bench.gate.actions.append(leave)
    bench.gate.poke()
    eventually(lambda: bench.left)
    assert bench.passed == 0


def test_only_the_operations_named_are_paced(bench: Bench) -> None:
    bench.words[W_INTERVAL] = 3_600_000_000_000
    bench.words[W_GATE] = PACED_BIT
    for _ in range(10):
        bench.attend(READ)
    bench.run(WRITE)
    eventually(lambda: bench.words[W_PHASE] == PHASE_PACED)
    assert bench.passed <= 1  # where its turns begin to count is the machine's start
    assert 0 < bench.words[W_UNTIL] - bench.words[W_PHASE_SINCE] <= 3_600_000_000_000
    bench.order(0)
    eventually(lambda: bench.passed > 10)


def test_a_paced_worker_can_be_held(bench: Bench) -> None:
    bench.words[W_INTERVAL] = 3_600_000_000_000
    bench.words[W_GATE] = PACED_BIT
    bench.run()
    eventually(lambda: bench.words[W_PHASE] == PHASE_PACED)
    bench.order(PACED_BIT | HELD_BIT)
    eventually(lambda: bench.words[W_PHASE] == PHASE_HELD)
    assert bench.passed <= 1


def test_a_faster_rate_takes_effect_at_once(bench: Bench) -> None:
    bench.words[W_INTERVAL] = 3_600_000_000_000
    bench.words[W_GATE] = PACED_BIT
    bench.run()
    eventually(lambda: bench.words[W_PHASE] == PHASE_PACED)
    bench.order(PACED_BIT, W_INTERVAL=2_000_000)
    eventually(lambda: bench.passed > 20)


class FakeTime:
    """A clock that only a poll with a time limit moves on, and a poll that oversleeps."""

    def __init__(self, oversleep: Callable[[], int]) -> None:
        self.time = 1_000_000_000_000
        self.oversleep = oversleep

    def now(self) -> int:
        return self.time

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        self.time += milliseconds * 1_000_000 + self.oversleep()
        return []


INTERVAL = 50_000_000  # 20 a second


def turns(work: list[int], oversleep: Callable[[], int], inject_before: int | None = None) -> list[int]:
    """When a worker that works so long between its turns got them, in nanoseconds from the first.

    Two of them are urgent from the turn `inject_before` on.
    """
    bench, time = Bench(), FakeTime(oversleep)
    granted = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "now", time.now)
        bench.gate._poll = time  # type: ignore[assignment]
        bench.words[W_INTERVAL] = INTERVAL
        bench.words[W_GATE] = PACED_BIT
        for number, busy in enumerate(work):
            if number == inject_before:
                bench.gate.urgent += 2
            bench.attend()
            granted.append(time.time)
            time.time += busy
    bench.end()
    return [moment - granted[0] for moment in granted]


@given(st.data())
def test_the_average_rate_is_kept_however_late_the_kernel_wakes(data: st.DataObject) -> None:
    late = st.integers(0, 4_000_000)
    granted = turns([1_000_000] * 40, lambda: data.draw(late))
    for number, moment in enumerate(granted):
        assert number * INTERVAL <= moment <= number * INTERVAL + 6_000_000


@given(st.lists(st.integers(0, 20 * INTERVAL), min_size=2, max_size=60))
def test_after_a_long_wait_there_is_no_burst(work: list[int]) -> None:
    granted = turns(work, lambda: 0)
    for (before, after), busy in zip(pairwise(granted), work, strict=False):
        assert after - before >= busy
    # A turn that came late by less than an interval may be made up for, and no more than that.
    for first in range(len(granted)):
        for last in range(first + 1, len(granted)):
            assert last - first <= (granted[last] - granted[first]) / INTERVAL + 1


def test_one_long_wait_is_followed_by_even_turns() -> None:
    granted = turns([0, 0, 30 * INTERVAL, 0, 0, 0, 0], lambda: 0)
    assert [after - before for before, after in pairwise(granted)] == [
        INTERVAL,
        INTERVAL,
        30 * INTERVAL,
        INTERVAL,
        INTERVAL,
        INTERVAL,
    ]


@given(st.integers(0, 15))
def test_what_is_urgent_does_not_wait_and_leaves_the_pace_as_it_was(number: int) -> None:
    granted = turns([0] * 20, lambda: 0, inject_before=number)
    gaps = [after - before for before, after in pairwise([granted[0], *granted])]
    assert gaps[number : number + 2] == [0, 0]
    assert gaps.count(INTERVAL) >= 17
