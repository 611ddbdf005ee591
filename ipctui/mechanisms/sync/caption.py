"""The caption of the four cells: one sentence that says what is so and why, in English and Korean.

Small rules over the state, the most telling first. A sentence about sleep repeats what the kernel said.
"""

from __future__ import annotations

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.sync.alone import alone, asleep, half_written, pairs, refused_by_limit, removed, sleeps, unnamed
from ipctui.mechanisms.sync.words import carrier_of, is_nonblocking, title
from ipctui.widgets import sentences


def caption(state: LabState, language: str) -> str:
    """The sentence for a state; two lines of 80 columns at most, so that the cells above it stand still."""
    if len(pairs(state)) == 1:
        return alone(state, language)
    return sentences.first_of(
        (
            removed,
            sentences.failed,
            unnamed,
            refused_by_limit,
            sentences.killed,
            sentences.stopped,
            sentences.ended,
            sentences.stepping,
            half_written,
            _receivers_held,
            _senders_held,
            _changed,
            asleep,
            _ordinary,
        ),
        state,
        language,
    )


def _carrier(state: LabState) -> str:
    return next((carrier_of(state, name) for name, _, _ in pairs(state)), "")


def _is_held(process: ProcessState) -> bool:
    return process.exited is None and process.settings is not None and process.settings.held


def _receivers_held(state: LabState, korean: bool) -> str:
    every = pairs(state)
    if not every or not all(_is_held(receiver) for _, _, receiver in every):
        return ""
    carrier = _carrier(state)
    if carrier == "unbounded":
        if korean:
            return (
                "받는 쪽을 모두 붙잡았다. 큐가 늘어날 뿐, 블로킹이든 논블로킹이든 보내는 쪽은 기다리지 않는다. "
                "한계는 메모리다."
            )
        return (
            "You hold all receivers. The queues only grow: blocking or not, no sender ever waits, until the memory "
            "that they may take is full."
        )
    if carrier == "bounded" and not any(sleeps(state, sender) for _, sender, _ in every):
        if korean:
            return "받는 쪽을 모두 붙잡았다. 메일박스에 자리가 있는 동안은 보내기가 끝난다: 받은 것은 메일박스다."
        return (
            "You hold all receivers. Sends still succeed while the mailboxes have room: what has received the "
            "messages is the mailbox."
        )
    why, refusal = {
        "zero": (
            ("their message is not received", "메시지가 받아지지 않았다"),
            ("sends are refused (∅): counted, and gone", "송신은 거절되고(∅), 세어진 뒤 버려진다"),
        ),
        "bounded": (
            ("the mailbox is full", "메일박스가 가득 찼다"),
            ("sends are refused (∅): counted, and gone", "송신은 거절되고(∅), 세어진 뒤 버려진다"),
        ),
        "pipe": (
            ("the pipe is full", "파이프가 가득 찼다"),
            ("writes come back with EAGAIN (∅), and try again", "write는 EAGAIN(∅)으로 돌아와 다시 시도한다"),
        ),
    }.get(carrier, (("", ""), ("", "")))
    if korean:
        return f"받는 쪽을 모두 붙잡았다. 블로킹 송신은 커널에서 잔다: {why[1]}. 논블로킹 {refusal[1]}."
    return f"You hold all receivers. Blocking senders sleep: {why[0]}. Non-blocking {refusal[0]}."


def _senders_held(state: LabState, korean: bool) -> str:
    every = pairs(state)
    if not every or not all(_is_held(sender) for _, sender, _ in every):
        return ""
    if korean:
        return (
            "보내는 쪽을 모두 붙잡았다. 블로킹 수신은 메시지가 올 때까지 커널에서 자고, 논블로킹 수신은 빈손으로(∅ EAGAIN) "
            "돌아와 다시 묻는다."
        )
    return (
        "You hold all senders. A blocking receive sleeps in the kernel until a message comes; a non-blocking one "
        "comes back with nothing (∅ EAGAIN), and asks again."
    )


def _changed(state: LabState, korean: bool) -> str:
    """A cell that is no longer what its place says: the user has changed an end's mode."""
    for name, sender, receiver in pairs(state):
        if name not in ("bb", "bn", "nb", "nn"):
            return ""
        planned = (name[0] == "n", name[1] == "n")
        alive = sender.exited is None and receiver.exited is None and sender.descriptors and receiver.descriptors
        if alive and (is_nonblocking(sender), is_nonblocking(receiver)) != planned:
            now = title(sender, receiver, "ko" if korean else "en")
            if korean:
                return f"{name} 칸을 바꿨다: {now}. 다음 호출부터 적용되며, 이미 자는 호출은 그대로 잔다. r로 되돌린다."
            return f"You changed {name}: {now}, from the next call on; a call that sleeps already sleeps on. r restores all."
    return ""


def _ordinary(state: LabState, korean: bool) -> str:
    """What the carrier makes of the four combinations."""
    text = {
        "zero": (
            "bb is a rendezvous: whoever comes first sleeps until the other comes, and the lanes touch at every "
            "message. In nn neither waits: they never meet.",
            "bb는 랑데부다: 먼저 온 쪽이 상대가 올 때까지 자고, 메시지마다 두 줄이 맞닿는다. nn은 둘 다 기다리지 않아 "
            "만나지 못한다.",
        ),
        "bounded": (
            "A send is over when the mailbox has the message: “received” means by the mailbox, and nothing is a "
            "rendezvous. 7 holds all receivers.",
            "메일박스가 메시지를 가지면 보내기가 끝난다: 여기서 ‘받음’은 메일박스가 받은 것이고 랑데부는 없다. "
            "7로 수신을 붙잡으면 메일박스가 찬다.",
        ),
        "pipe": (
            "Each message is larger than the pipe. A blocking write returns when its last byte is in, another with a "
            "short count: the program writes the rest.",
            "메시지가 파이프보다 크다. 블로킹 write는 마지막 바이트가 들어가야 돌아오고, 논블로킹 write는 일부만 쓰고 "
            "돌아와 나머지는 프로그램이 다시 써야 한다.",
        ),
        "unbounded": (
            "The queue takes every message at once: the two sends are the same. Receives differ: on an empty queue "
            "a blocking one sleeps, the other gets EAGAIN (∅).",
            "큐가 모든 메시지를 곧바로 받으므로 두 송신이 같다. 수신만 다르다: 비어 있으면 블로킹은 자고 논블로킹은 "
            "EAGAIN(∅)을 받는다.",
        ),
    }.get(_carrier(state))
    return text[korean] if text is not None else ""
