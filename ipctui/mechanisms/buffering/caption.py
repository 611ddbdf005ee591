"""The caption of buffering: one sentence that says what is so and why, in English and Korean."""

from __future__ import annotations

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.sync.alone import alone, at_limit, pairs, removed, unnamed
from ipctui.mechanisms.sync.counts import sums
from ipctui.mechanisms.sync.words import channel_of, size_text
from ipctui.trace.text import grouped
from ipctui.widgets import sentences
from ipctui.widgets.cells import in_cells

_STUCK = 0.9
"""How full the bounded queue is when its producer is said to be at its mercy."""


def caption(state: LabState, language: str) -> str:
    """The sentence for a state; two lines of 80 columns at most, so that the cells above it stand still."""
    if len(pairs(state)) == 1:
        return alone(state, language)
    return sentences.first_of(
        (
            removed,
            sentences.failed,
            unnamed,
            _limit,
            sentences.killed,
            sentences.stopped,
            sentences.ended,
            sentences.stepping,
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
    if "unbounded" not in in_cells(state) or not at_limit(state, "unbounded"):
        return ""
    refused = grouped(sums(state.facts, "unbounded/producer").refused)
    channel = channel_of(state, "unbounded")
    limit = "?" if channel is None else size_text(channel.facts.get("limit_bytes"))
    if korean:
        return (
            f"무한 큐도 한계({limit}, 또는 /dev/shm에 남은 만큼)에 닿았다: 메모리가 없어 {refused}개를 거절했다. "
            "무한한 버퍼는 없다."
        )
    return (
        f"The unbounded queue has met its limit ({limit}, or what /dev/shm had left): {refused} messages refused for "
        "want of memory."
    )


def _consumers_held(state: LabState, korean: bool) -> str:
    if not _all_held(_role(state, 1)):
        return ""
    used, most, count, memory = _figures(state)
    if korean:
        return (
            f"소비자를 모두 붙잡았다. 용량 0은 한 개도 보내지 못하고, 유한 큐는 {used}/{most}개에서 멈추고, 무한 큐는 "
            f"{count}개({memory})째 받는다."
        )
    return (
        f"You hold all consumers. Zero: no message is sent. Bounded: {used} of {most} are in, then the producer "
        f"sleeps. Unbounded: {count} lie in {memory}, more come."
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
            f"생산이 더 빠르다. 용량 0은 메시지마다 소비자를 기다리고, 유한은 {most}개가 차면 커널에서 자고, 무한은 "
            f"{count}개({memory})를 쌓으며 기다리지 않는다."
        )
    return (
        f"Producers are faster. Zero: each message waits for its consumer. Bounded: {most} are in, so the producer "
        f"sleeps. Unbounded: {count} lie in {memory}, nobody waits."
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
        "Consumers are faster: nothing piles up and the three look alike, but that at zero the lanes touch. "
        "8 speeds the producers up: watch them part."
    )
