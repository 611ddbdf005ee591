"""The caption of buffering: one sentence that says what is so and why, in English and Korean."""

from __future__ import annotations

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.sync.caption import removed
from ipctui.mechanisms.sync.counts import sums
from ipctui.mechanisms.sync.words import channel_of, size_text
from ipctui.trace.text import grouped
from ipctui.widgets import sentences
from ipctui.widgets.cells import in_cells

_STUCK = 0.9
"""How full the bounded queue is when its producer is said to be at its mercy."""


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    return sentences.first_of(
        (
            removed,
            sentences.failed,
            _limit,
            sentences.killed,
            sentences.stopped,
            sentences.ended,
            _consumers_held,
            _producers_held,
            _faster,
            _ordinary,
        ),
        state,
        language,
    )


def _role(state: LabState, place: int) -> list[ProcessState]:
    return [each[place] for each in in_cells(state).values() if len(each) > place]


def _all_held(processes: list[ProcessState]) -> bool:
    return bool(processes) and all(
        process.exited is None and process.settings is not None and process.settings.held for process in processes
    )


def _figures(state: LabState) -> tuple[str, str, str, str]:
    """What lies in the bounded queue and its n; what lies in the unbounded one and its memory."""
    bounded, unbounded = channel_of(state, "bounded"), channel_of(state, "unbounded")
    return (
        "?" if bounded is None or bounded.used is None else str(bounded.used),
        "n" if bounded is None or bounded.capacity is None else str(bounded.capacity),
        "?" if unbounded is None else grouped(unbounded.used or 0),
        "?" if unbounded is None else size_text(unbounded.facts.get("resident")),
    )


def _limit(state: LabState, korean: bool) -> str:
    refused = sums(state.facts, "unbounded/producer").refused
    if not refused:
        return ""
    channel = channel_of(state, "unbounded")
    limit = "?" if channel is None else size_text(channel.facts.get("limit_bytes"))
    if korean:
        return f"무한 큐도 {limit}에서 끝난다: 메모리가 더 없어 {grouped(refused)}개를 거절했다. 무한한 버퍼는 없다."
    return (
        f"The unbounded queue has met its limit of {limit}: {grouped(refused)} messages were refused for want of "
        "memory. No buffer is without bounds."
    )


def _consumers_held(state: LabState, korean: bool) -> str:
    if not _all_held(_role(state, 1)):
        return ""
    used, most, count, memory = _figures(state)
    if korean:
        return (
            f"소비자를 모두 붙잡았다. 용량 0은 한 개도 보내지 못하고, 유한 큐는 {used}/{most}개까지 받고, 무한 큐는 "
            f"{count}개({memory})를 받고도 계속 받는다."
        )
    return (
        f"You hold all consumers. Zero capacity: not one message is sent. Bounded: {used} of {most} are in, then the "
        f"producer sleeps. Unbounded: {count} lie in {memory}, and more come."
    )


def _producers_held(state: LabState, korean: bool) -> str:
    if not _all_held(_role(state, 0)):
        return ""
    if korean:
        return "생산자를 모두 붙잡았다. 큐에 쌓인 것이 다 나가면 소비자는 셋 다 커널에서 잔다. 무한 큐의 메모리도 돌아온다."
    return (
        "You hold all producers. What lies in the queues is still consumed, and the unbounded one gives its memory "
        "back; then all three consumers sleep."
    )


def _faster(state: LabState, korean: bool) -> str:
    """The producers are faster than the consumers, by what lies in the bounded queue."""
    bounded = channel_of(state, "bounded")
    if bounded is None or not bounded.capacity or (bounded.used or 0) < _STUCK * bounded.capacity:
        return ""
    _, most, count, memory = _figures(state)
    if korean:
        return (
            f"생산이 소비보다 빠르다. 용량 0의 생산자는 메시지마다 소비자를 기다리고, 유한은 {most}개가 차서 커널에서 "
            f"자고, 무한은 {count}개({memory})를 쌓으며 결코 기다리지 않는다."
        )
    return (
        f"Producers are faster than consumers. Zero: each message waits for its consumer. Bounded: {most} are in, so "
        f"the kernel lets the producer sleep. Unbounded: {count} lie in {memory}, and nobody waits."
    )


def _ordinary(state: LabState, korean: bool) -> str:
    if not in_cells(state):
        return ""
    if korean:
        return (
            "소비자가 더 빨라 큐는 거의 비어 있고 셋이 같아 보인다. 용량 0만 메시지마다 두 줄이 맞닿는다. "
            "8로 생산자를 빠르게 하면 셋이 갈라진다."
        )
    return (
        "The consumers are faster, so nothing piles up and the three look alike, but that at zero capacity the lanes "
        "touch at every message. 8 speeds the producers up: watch them part."
    )
