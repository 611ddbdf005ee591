"""Predict, then reveal: which outcomes are offered, and that the true one is read from records that come after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipctui.lab.outcomes import (
    BROKEN,
    EAGAIN,
    EINTR,
    END,
    ENDS,
    ERROR,
    PART,
    RETURNS,
    SLEEPS,
    Asked,
    asked,
    is_certain,
    kinds_of,
    told,
)
from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.operations import CODES
from ipctui.trace.records import Before, Call, Command, Process, Record, Settings, State

WRITE = Asked("parent", 5, "write", "write(4)", False, 100, (RETURNS, SLEEPS, EAGAIN, BROKEN))
READ = replace(WRITE, process="cell/child", operation="read", call="read(3)")


def call(name: str = "write", result: int | None = 64, errno: str | None = None, **more: object) -> Call:
    made = Call("parent", 5, name, name, f'4, "aaaa"..., {64 if name == "write" else 65536}', result, 90, 110, 4)
    return replace(made, errno=errno, **more)  # type: ignore[arg-type]


def state(word: str, name: str = "write", **more: object) -> State:
    return replace(State(120, "parent", 5, word, Before(name), reason="pipe full"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (call(), RETURNS),
        (call(result=30), PART),
        (call(result=-1, errno="EAGAIN"), EAGAIN),
        (call(result=-1, errno="EPIPE"), BROKEN),
        (call(result=-1, errno="EINTR"), EINTR),
        (call(result=-1, errno="EBADF"), ERROR),
        (state("blocked"), SLEEPS),
        (Process(120, "parent", 5, "exited", status="signal SIGPIPE"), BROKEN),
        (Process(120, "parent", 5, "exited", status="signal SIGKILL"), ENDS),
    ],
)
def test_a_record_tells_the_outcome(record: Record, kind: str) -> None:
    outcome = told(record, WRITE)
    assert outcome is not None
    assert outcome.kind == kind


@pytest.mark.parametrize(
    "record",
    [
        call(pid=6),
        call(process="child"),
        call(name="close"),
        call(result=None),
        call(end=99),
        state("blocked", t=99),
        state("blocked", pid=6),
        state("blocked", name="read"),
        state("blocked", cell="other"),
        state("running"),
        state("held"),
        State(120, "parent", 5, "blocked"),
        Process(120, "parent", 6, "exited"),
        Process(120, "parent", 5, "started"),
        Settings(120, "parent", True, 1, 1),
        Command(120, "step parent", "key", "done"),
    ],
)
def test_other_records_tell_nothing(record: Record) -> None:
    assert told(record, WRITE) is None


def test_who_sleeps_already_is_not_told_to_fall_asleep() -> None:
    asleep = replace(WRITE, asleep=True)
    assert told(state("blocked"), asleep) is None
    found = told(call(result=-1, errno="EINTR"), asleep)
    assert found is not None
    assert found.kind == EINTR


def test_end_of_file_and_processes_of_a_cell() -> None:
    end = call("read", 0, process="child", cell="cell")
    found = told(end, READ)
    assert found is not None
    assert (found.kind, found.words) == (END, "read(3) = 0")
    assert told(replace(end, cell=None), READ) is None
    more = told(replace(end, result=12), READ)
    assert more is not None
    assert more.kind == RETURNS, "a read that brings less than was asked for is whole all the same"


def test_nobody_is_asked_about_what_cannot_turn_out_otherwise() -> None:
    for name, question in (("load", False), ("store", False), ("sem_wait", True), ("write", True)):
        lab = LabState(processes={"parent": ProcessState("parent", 5, state=state("held", name))})
        assert (asked(lab, "parent", 7) is not None) is question
        assert is_certain(name) is not question


def test_what_can_come_of_it_follows_from_the_operation() -> None:
    assert kinds_of("write", False, 64) == (RETURNS, SLEEPS, EAGAIN, BROKEN)
    assert PART in kinds_of("write", False, 4097)
    assert PART not in kinds_of("write", False, 4096), "write(2) of PIPE_BUF bytes is all or nothing"
    assert END in kinds_of("read", False, 64)
    assert kinds_of("sem_trywait", False, 0) == (RETURNS, EAGAIN)
    assert SLEEPS in kinds_of("sem_wait", False, 0)
    assert SLEEPS not in kinds_of("write", True, 0)


@pytest.mark.parametrize("asleep", [True, False])
def test_every_operation_has_two_to_five_outcomes(asleep: bool) -> None:
    for code in CODES:
        kinds = kinds_of(code.split()[0], asleep, 9000)
        assert 2 <= len(kinds) <= 5
        assert len(set(kinds)) == len(kinds)


def test_a_question_needs_a_process_before_an_operation() -> None:
    held = ProcessState("parent", 5, state=state("held"))
    lab = LabState(processes={"parent": held})
    question = asked(lab, "parent", 7)
    assert question is not None
    assert (question.call, question.asleep, question.t) == ("write()", False, 7)
    assert asked(lab, "child", 7) is None
    for other in (
        replace(held, exited=3),
        replace(held, state=None),
        replace(held, state=state("running")),
        replace(held, state=State(0, "parent", 5, "held")),
    ):
        assert asked(LabState(processes={"parent": other}), "parent", 7) is None
    asleep = asked(LabState(processes={"parent": replace(held, state=state("blocked"))}), "parent", 7)
    assert asleep is not None
    assert asleep.asleep
