"""The sentences that every caption may use, each with a state that it is true of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ipctui.lab.state import LabState
from ipctui.trace.records import Event
from ipctui.widgets import sentences
from tests.widgets import made


def mutual() -> LabState:
    state = made.shm_state()
    processes = dict(state.processes)
    for role, other in (("producer", "consumer"), ("consumer", "producer")):
        now = made.process(role, "blocked", "sem_wait").state
        assert now is not None
        processes[role] = replace(processes[role], state=replace(now, wakers=(other,)))
    return replace(state, processes=processes)


def changed(role: str = "consumer", **changes: Any) -> LabState:
    state = made.shm_state()
    return replace(state, processes={**state.processes, role: replace(state.processes[role], **changes)})


def waiting_for_the_held() -> LabState:
    now = made.shm_state().processes["producer"].state
    assert now is not None
    return changed("producer", state=replace(now, wakers=("consumer",)))


def all_held() -> LabState:
    return made.laboratory("shm", [made.process("producer", "held"), made.process("consumer", "held")], [])


def failing() -> LabState:
    data = {"call": "write", "fd": 4, "errno": "EPIPE", "why": "Broken pipe"}
    return replace(changed(exited=1, status="status 1"), events=(Event(1, "failed", "consumer", data),))


def nobody() -> LabState:
    state = made.shm_state()
    return replace(state, processes={role: replace(each, exited=1) for role, each in state.processes.items()})


def stopped_one() -> LabState:
    return made.laboratory("shm", [made.process("producer", "stopped"), made.process("consumer")], [])


CASES = (
    (sentences.deadlocked, mutual, ("consumer sem_wait(3) → producer", "producer sem_wait(3) → consumer")),
    (sentences.killed, lambda: changed(exited=1, status="signal SIGKILL"), ("consumer", "SIGKILL")),
    (sentences.failed, failing, ("consumer", "write(4)", "EPIPE (Broken pipe)")),
    (sentences.stopped, stopped_one, ("producer", "SIGSTOP")),
    (sentences.stepping, all_held, ("producer mq_receive(3)", "consumer mq_receive(3)")),
    (sentences.polling, lambda: changed(empties=(made.NOW - 1000,)), ("consumer", "EAGAIN")),
    (
        sentences.blocked_by_held,
        waiting_for_the_held,
        ("producer", "sem_wait(3)", "nothing in it to be had", "consumer"),
    ),
    (sentences.ended, nobody, ("r",)),
)


@pytest.mark.parametrize("korean", [False, True])
@pytest.mark.parametrize(("rule", "make", "words"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_speaks_when_it_applies_and_is_silent_else(
    rule: sentences.Rule, make: Callable[[], LabState], words: tuple[str, ...], korean: bool
) -> None:
    said = rule(make(), korean)
    for word in words:
        assert word in said
    assert any("가" <= char <= "힣" for char in said) == korean
    assert rule(made.laboratory("shm", [made.process("producer"), made.process("consumer")], []), korean) == ""


def test_the_first_rule_that_applies_is_taken() -> None:
    rules = (sentences.ended, sentences.killed, sentences.stopped)
    state = changed(exited=1, status="signal SIGKILL")
    assert sentences.first_of(rules, state, "en") == sentences.killed(state, False)
    assert sentences.first_of(rules, made.shm_state(), "ko") == ""
