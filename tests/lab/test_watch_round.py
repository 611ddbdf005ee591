"""Looking round: whoever is told to be asleep at one tick has slept at one moment with all the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipctui.kernel.process import ProcessSample
from ipctui.kernel.syscalls import SystemCall
from ipctui.lab import watch
from ipctui.lab.watch import Glance, Watcher
from ipctui.trace.ring import Current

CALL = SystemCall(0, "read", (3, 0, 0, 0, 0, 0), 3)


class World:
    """Processes of which at least one runs at any moment, and a time that goes on with every look."""

    def __init__(self, running: list[int], processes: int) -> None:
        self.running, self.processes, self.looks = running, processes, 0

    def runner(self, at: int) -> int:
        return self.running[at % len(self.running)] % self.processes

    def glance(self, handle: Any) -> Glance:
        at, self.looks = self.looks, self.looks + 1
        ran = [moment for moment in range(at + 1) if self.runner(moment) == handle.number]
        asleep = self.runner(at) != handle.number
        since = ran[-1] + 1 if ran else 0
        sample = ProcessSample(
            handle.number, True, "S" if asleep else "R", "w", 1, 1, call=CALL if asleep else None, voluntary=len(ran)
        )
        return Glance(sample, Current(0, 0, asleep, since, 0, None))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(2, 4), st.integers(1, 12))
def test_those_who_sleep_by_turns_never_all_sleep(
    monkeypatch: pytest.MonkeyPatch, running: list[int], processes: int, ticks: int
) -> None:
    world = World(running, processes)
    monkeypatch.setattr(watch, "glance", world.glance)
    watcher = Watcher(cast(Any, None), cast(Any, None), cast(Any, None))
    handles = [cast(Any, SimpleNamespace(name=f"w{number}", number=number)) for number in range(processes)]
    for _ in range(ticks):
        watcher.look_round(handles)
        asleep = [watcher._asleep(*watcher._looks[handle.name]) for handle in handles]
        assert not all(asleep)


def test_who_has_slept_since_the_last_tick_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([0], 3)
    monkeypatch.setattr(watch, "glance", world.glance)
    watcher = Watcher(cast(Any, None), cast(Any, None), cast(Any, None))
    handles = [cast(Any, SimpleNamespace(name=f"w{number}", number=number)) for number in range(3)]
    watcher.look_round(handles)
    assert world.looks == 5, "the two that sleep twice"
    assert [watcher._asleep(*watcher._looks[handle.name]) for handle in handles] == [False, True, True]
    watcher.look_round(handles)
    assert world.looks == 8
    assert [watcher._asleep(*watcher._looks[handle.name]) for handle in handles] == [False, True, True]
