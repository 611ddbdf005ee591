"""Sentences that every mechanism's caption needs: who has ended and why, who is stopped, held, polling, deadlocked.

Each rule looks at a state and makes a sentence in English or Korean, or "" when it does not apply. Nothing is
inferred: a sentence about blocking repeats what the kernel said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipctui.lab.fold import key
from ipctui.lab.state import LabState, ProcessState, cycle
from ipctui.trace.records import State
from ipctui.trace.text import grouped
from ipctui.widgets.card import operation_text
from ipctui.widgets.language import in_language

Rule = Callable[[LabState, bool], str]
"""A state, and whether Korean is wanted, to a sentence."""

_POLLED = 500_000_000
"""Nanoseconds for which an empty-handed call is news."""


def first_of(rules: Sequence[Rule], state: LabState, language: str) -> str:
    """The first sentence that applies: the most telling rules stand first."""
    korean = language == "ko"
    return next((sentence for rule in rules if (sentence := rule(state, korean))), "")


def blocked(state: LabState, *calls: str) -> list[tuple[ProcessState, State]]:
    """The living processes that the kernel has put to sleep in one of these calls; in any call without names."""
    return [
        (process, now)
        for process in state.processes.values()
        if process.exited is None
        and (now := process.state) is not None
        and now.state == "blocked"
        and (not calls or (now.before is not None and now.before.name in calls))
    ]


def is_held(state: LabState, role: str) -> bool:
    """Whether the user holds a process at its gate, or has asked for it."""
    process = state.processes.get(role)
    return process is not None and process.settings is not None and process.settings.held


def deadlocked(state: LabState, korean: bool) -> str:
    """Who waits for whom, round and round."""
    ring = cycle(state)
    if not ring:
        return ""
    steps = []
    for role, waker in zip(ring, (*ring[1:], ring[0]), strict=True):
        now = state.processes[role].state
        steps.append(f"{role} {operation_text(now) if now is not None else '?'} → {waker}")
    way = ", ".join(steps)
    if korean:
        return (
            f"교착 상태: {way}. 서로가 상대의 다음 호출을 기다린다. "
            "바깥에서 하나를 끝내기 전에는 아무도 깨어나지 않는다."
        )
    return (
        f"Deadlock: {way}: each waits for the other's next call. "
        "Nobody wakes until one is ended from outside (k kills)."
    )


def killed(state: LabState, korean: bool) -> str:
    """Who was ended by a signal."""
    for process in state.processes.values():
        status = process.status or ""
        if process.exited is None or not status.startswith("signal "):
            continue
        name = status.removeprefix("signal ")
        if korean:
            return f"{process.name}는 {name} 시그널로 끝났다. 남은 쪽이 어떻게 되는지 보라. r로 다시 시작한다."
        return f"{process.name} was ended by {name}; watch what that does to its peers. r restarts."
    return ""


def failed(state: LabState, korean: bool) -> str:
    """Whose program ended because a call failed, and with what."""
    for event in reversed(state.events):
        process = state.processes.get(key(event.process or "", event.cell))
        if event.name != "failed" or process is None or process.exited is None:
            continue
        fd = event.data.get("fd")
        call = f"{event.data.get('call')}({'' if fd is None else fd})"
        name, why = event.data.get("errno"), event.data.get("why")
        error = f"{name} ({why})" if why else str(name)
        if korean:
            return f"{process.name}의 {call} 호출이 실패해 프로그램이 끝났다: {error}. r로 다시 시작한다."
        return f"{process.name} ended because its {call} failed: {error}. r restarts."
    return ""


def stopped(state: LabState, korean: bool) -> str:
    """Who is under SIGSTOP."""
    for process in state.processes.values():
        if process.exited is None and process.state is not None and process.state.state == "stopped":
            if korean:
                return (
                    f"{process.name}는 SIGSTOP으로 정지되었다. 커널이 SIGCONT까지 실행시키지 않는다(z): "
                    "누가 붙잡은 것도, 블록된 것도 아니다."
                )
            return (
                f"{process.name} is stopped by SIGSTOP: the kernel does not run it until SIGCONT comes (z). "
                "It is neither held nor blocked."
            )
    return ""


def stepping(state: LabState, korean: bool) -> str:
    """Everybody alive stands at the gate: what the next step does."""
    living = [process for process in state.processes.values() if process.exited is None]
    if not living or not all(process.state is not None and process.state.state == "held" for process in living):
        return ""
    places = ", ".join(
        f"{process.name} {operation_text(process.state)}" for process in living[:2] if process.state is not None
    )
    if korean:
        return (
            f"모두 다음 호출 직전에 붙잡혀 있다({places}). "
            "n은 선택한 프로세스의 호출 하나를 실행하고, space는 놓아준다."
        )
    return f"You hold everybody before the next call ({places}). n lets the selected one do it, space releases."


def polling(state: LabState, korean: bool) -> str:
    """Who is non-blocking and has just come back empty-handed."""
    for process in state.processes.values():
        if process.exited is None and process.empties and state.t - process.empties[-1] < _POLLED:
            if korean:
                return f"{process.name}는 논블로킹이다: 할 일이 없으면 커널이 재우지 않고 EAGAIN을 돌려준다(∅)."
            return (
                f"{process.name} is non-blocking: with nothing to be had the kernel answers EAGAIN (∅) "
                "and lets it run on."
            )
    return ""


def blocked_by_held(state: LabState, korean: bool) -> str:
    """Who sleeps in which call, why, and that whoever could wake it is held by the user."""
    for process, now in blocked(state):
        held = [role for role in now.wakers if is_held(state, role)]
        if not held:
            continue
        call, reason = operation_text(now), in_language("ko" if korean else "en", now.reason or "?")
        if korean:
            return (
                f"커널이 {process.name}를 {call}에서 재웠다: {reason}. "
                f"{held[0]}가 깨울 수 있지만 붙잡혀 있다({held[0]}에서 space)."
            )
        return (
            f"The kernel put {process.name} to sleep in {call}: {reason}. "
            f"{held[0]} could wake it, but you hold {held[0]} (space)."
        )
    return ""


def ended(state: LabState, korean: bool) -> str:
    """Nobody is left."""
    if not state.processes or any(process.exited is None for process in state.processes.values()):
        return ""
    return "모두 끝났다. r로 다시 시작한다." if korean else "Everybody has ended. r restarts."


def torn(state: LabState, korean: bool) -> str:
    """Messages came in pieces, while nobody is held: then what the holding does is the news."""
    if any(is_held(state, role) for role in state.processes):
        return ""
    for process in state.processes.values():
        counters = process.counters
        if counters is None or counters.received <= counters.whole:
            continue
        torn, every = grouped(counters.received - counters.whole), grouped(counters.received)
        if korean:
            return (
                f"받은 메시지 {every}개 중 {torn}개가 찢어졌다: PIPE_BUF(4,096바이트)보다 큰 write 사이에는 다른 "
                "프로세스의 바이트가 끼어들 수 있다. [ 로 메시지를 줄여 보라."
            )
        return (
            f"{torn} of {every} messages came torn: between the bytes of a write larger than PIPE_BUF (4,096) the "
            "kernel may put another's. [ makes messages smaller."
        )
    return ""
