"""Searches through all processes: who holds an object is found, and what takes long is done seldom."""

from __future__ import annotations

import os

import pytest

from ipctui.kernel.descriptors import find_holders
from ipctui.kernel.strangers import Seldom, Strangers
from tests.kernel.conftest import Spawn

PAUSE = "import signal; print(flush=True); signal.pause()"


class Search:
    """A search that takes `cost` seconds of CPU time and counts how often it was made."""

    def __init__(self, cost: float) -> None:
        self.now = self.spent = 0.0
        self.cost, self.made = cost, 0

    def __call__(self) -> int:
        self.made += 1
        self.spent += self.cost
        self.now += self.cost
        return self.made

    def seldom(self, every: float) -> Seldom[int]:
        return Seldom(every, self, lambda: self.now, lambda: self.spent)


@pytest.mark.parametrize("cost", [0.0, 0.004, 0.4])
def test_a_search_takes_one_percent_of_a_core_at_most(cost: float) -> None:
    search = Search(cost)
    seldom = search.seldom(1.0)
    for _ in range(100_000):
        seldom()
        search.now += 0.01
    assert search.spent <= 0.0101 * search.now + cost
    assert search.made >= search.now / max(1.1, 101 * cost + 0.1)


def test_what_was_found_is_used_until_the_search_is_due() -> None:
    search = Search(0.001)
    seldom = search.seldom(1.0)
    assert [seldom(), seldom()] == [1, 1]
    search.now += 0.9
    assert seldom() == 1
    search.now += 0.2
    assert seldom() == 2


@pytest.mark.real
def test_the_strangers_are_those_that_a_search_finds(spawn: Spawn) -> None:
    reader, writer = os.pipe()
    try:
        child, other = (spawn(PAUSE, pass_fds=(end,)) for end in (writer, reader))
        for each in (child, other):
            assert each.stdout is not None
            each.stdout.readline()
        target = os.readlink(f"/proc/self/fd/{reader}")
        strangers = Strangers()
        assert strangers.holders({target}, skip=(os.getpid(),)) == find_holders(target, skip=(os.getpid(),)).tables
        assert set(strangers.holders({target})) == {os.getpid(), child.pid, other.pid}
        assert set(strangers.holders({target}, skip=(os.getpid(), child.pid))) == {other.pid}
        other.kill()
        other.wait()
        # The search itself is of a while ago, but whoever it found is looked at again.
        assert set(strangers.holders({target})) == {os.getpid(), child.pid}
    finally:
        os.close(reader)
        os.close(writer)
