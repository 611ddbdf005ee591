"""The sentence under the pane: which way of waiting costs what, and who waits for what now."""

from __future__ import annotations

from ipctui.lab.state import LabState
from ipctui.mechanisms.io.measures import Measures, collectors, measures, way_of
from ipctui.trace.text import duration
from ipctui.widgets.card import operation_text
from ipctui.widgets.sentences import blocked_by_held, ended, first_of, killed, stepping, stopped


def caption(state: LabState, language: str) -> str:
    """One or two sentences for a state, in English ("en") or Korean ("ko")."""
    return first_of((ended, killed, stopped, stepping, blocked_by_held, _held, _compared, _alone), state, language)


def _name(state: LabState, name: str) -> str:
    """What a collector is called: its way where there are several, else its role."""
    return way_of(state, name) if len(collectors(state)) > 1 else "collector"


def _held(state: LabState, korean: bool) -> str:
    """Collectors that the user holds: what the world does meanwhile."""
    held = [name for name, process in collectors(state) if process.state is not None and process.state.state == "held"]
    if not held:
        return ""
    cells = {state.processes[name].cell for name in held}
    channels = [each.now for each in state.channels.values() if each.now.cell in cells and not each.now.closed]
    waiting = sum(channel.count or 0 for channel in channels)
    # Its reads are completed whether or not it looks.
    done = any(way_of(state, name) == "async-nonblocking" for name in held)
    whom = _name(state, held[0]) if len(held) == 1 else f"{len(held)} collectors"
    key = "space" if len(held) == 1 else "8"
    if korean:
        whom = _name(state, held[0]) if len(held) == 1 else f"수집자 {len(held)}개"
        text = f"{whom}를 붙잡고 있다({key}). 파이프에 메시지 {waiting}개가 기다리며 나이를 먹는다."
        return text + (" async-nonblocking의 읽기는 붙잡혀 있어도 커널이 끝내 둔다." if done else "")
    verb = "is" if len(held) == 1 else "are"
    text = f"{whom} {verb} held by you ({key}): {waiting} messages wait in the pipes and grow old."
    return text + (" A read that async-nonblocking asked for is completed all the same." if done else "")


def _compared(state: LabState, korean: bool) -> str:
    """All ways side by side: who burns, who sleeps, who got other work done."""
    every = {way_of(state, name): measures(state, name) for name, _ in collectors(state)}
    polling, ready, done = (every.get(way) for way in ("sync-nonblocking", "async-blocking", "async-nonblocking"))
    if polling is None or ready is None or done is None:
        return ""
    if polling.share is None or polling.calls_each is None or ready.calls_each is None or done.rate is None:
        return _starting(korean)
    asked, share = f"{polling.calls_each:,.0f}", f"{polling.share:.0%}"
    each, work = f"{ready.calls_each:.1f}", f"{done.rate:,.0f}"
    if korean:
        return (
            f"sync-nonblocking: 메시지마다 콜 {asked}번, 코어 {share}. async-blocking: {each}번, 사이에는 잔다. "
            f"async-nonblocking: 기다리지 않고 다른 작업을 초당 {work}개."
        )
    return (
        f"sync-nonblocking: {asked} calls a message, {share} of a core. async-blocking: {each}, and it sleeps. "
        f"async-nonblocking never waits: {work} units of work a second."
    )


def _starting(korean: bool) -> str:
    return "첫 메시지를 기다린다: 아직 잰 것이 없다." if korean else "The first messages are on their way."


def _alone(state: LabState, korean: bool) -> str:
    """One way alone: what it waits for now, and what that costs."""
    for name, process in collectors(state):
        figures = measures(state, name)
        if figures.calls_each is None or figures.share is None:
            return _starting(korean)
        now = process.state
        asleep = operation_text(now) if now is not None and now.state == "blocked" else ""
        return (_KOREAN if korean else _ENGLISH)[way_of(state, name)](figures, asleep)
    return ""


def _each(figures: Measures) -> str:
    return f"{figures.calls_each:,.1f}" if (figures.calls_each or 0) < 100 else f"{figures.calls_each:,.0f}"


def _late(figures: Measures) -> str:
    return duration(figures.p99) if figures.p99 is not None else "?"


_ENGLISH = {
    "sync-blocking": lambda figures, asleep: (
        f"{'Asleep in ' + asleep + ' for' if asleep else 'It waits for'} one producer alone: what another sends lies in "
        f"its pipe, up to {_late(figures)} (p99). {_each(figures)} calls a message."
    ),
    "sync-nonblocking": lambda figures, asleep: (
        f"It asks again and again: {_each(figures)} calls a message, nearly all answered EAGAIN, {figures.share:.0%} of a "
        "core. It gets no more done than one that sleeps."
    ),
    "async-blocking": lambda figures, asleep: (
        f"{'Asleep in ' + asleep + ' until' if asleep else 'It sleeps until'} any producer is ready: "
        f"{_each(figures)} calls a message (notice and read), p99 {_late(figures)}, {figures.share:.1%} of a core."
    ),
    "async-nonblocking": lambda figures, asleep: (
        f"Reads complete without collector: it does {figures.rate or 0:,.0f} units of other work a second, and looks "
        f"between two. {_each(figures)} calls a message, p99 {_late(figures)}."
    ),
    "signal-driven": lambda figures, asleep: (
        f"SIGIO announces, and completes nothing: collector reads until EAGAIN, {_each(figures)} calls a message. "
        f"Meanwhile {figures.rate or 0:,.0f} units of other work a second."
    ),
}
_KOREAN = {
    "sync-blocking": lambda figures, asleep: (
        f"{asleep + '에서 자며 ' if asleep else ''}한 생산자만 기다린다. 다른 생산자의 메시지는 파이프에서 "
        f"{_late(figures)}까지(p99) 기다린다. 메시지당 콜 {_each(figures)}번."
    ),
    "sync-nonblocking": lambda figures, asleep: (
        f"끝없이 다시 묻는다: 메시지당 콜 {_each(figures)}번, 거의 다 EAGAIN, 코어의 {figures.share:.0%}. "
        "자는 쪽보다 더 하는 일은 없다."
    ),
    "async-blocking": lambda figures, asleep: (
        f"{asleep + '에서 잔다. ' if asleep else ''}누구든 먼저 준비된 생산자가 깨운다: 메시지당 콜 "
        f"{_each(figures)}번(알림과 read), p99 {_late(figures)}, 코어의 {figures.share:.1%}."
    ),
    "async-nonblocking": lambda figures, asleep: (
        f"읽기는 collector 없이 끝난다. 다른 작업을 초당 {figures.rate or 0:,.0f}개 하며 그 사이에 확인한다: 메시지당 콜 "
        f"{_each(figures)}번, p99 {_late(figures)}."
    ),
    "signal-driven": lambda figures, asleep: (
        f"SIGIO는 알릴 뿐 아무것도 끝내지 않는다. EAGAIN까지 직접 읽으니 메시지당 콜 {_each(figures)}번. 그동안 다른 작업을 "
        f"초당 {figures.rate or 0:,.0f}개 한다."
    ),
}
