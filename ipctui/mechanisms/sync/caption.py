"""The caption of the four cells: one sentence that says what is so and why, in English and Korean.

Small rules over the state, the most telling first. A sentence about sleep repeats what the kernel said.
"""

from __future__ import annotations

from ipctui.lab.fold import key
from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.sync.counts import sums
from ipctui.mechanisms.sync.words import carrier_of, is_nonblocking
from ipctui.trace.text import grouped
from ipctui.widgets import sentences
from ipctui.widgets.cells import in_cells
from ipctui.widgets.language import in_language

_LONG = 600_000_000
"""Nanoseconds after which a sleep is worth a sentence."""


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    return sentences.first_of(
        (
            removed,
            sentences.failed,
            _refused_by_limit,
            sentences.killed,
            sentences.stopped,
            sentences.ended,
            _half_written,
            _receivers_held,
            _senders_held,
            _changed,
            _asleep,
            _ordinary,
        ),
        state,
        language,
    )


def removed(state: LabState, korean: bool) -> str:
    """Somebody outside has taken a cell's semaphores away: ipcrm(1), whose victims get EIDRM or EINVAL (semop(2))."""
    for event in reversed(state.events):
        process = state.processes.get(key(event.process or "", event.cell))
        if event.name != "failed" or process is None or process.exited is None:
            continue
        call, number = event.data.get("call"), event.data.get("errno")
        if call not in ("semop", "semctl") or number not in ("EIDRM", "EINVAL"):
            continue
        if korean:
            return (
                f"{process.name}가 {call}의 {number}로 끝났다: 누가 밖에서 세마포어를 지웠다(ipcrm). r로 다시 시작한다."
            )
        return (
            f"{process.name} ended with {number} from {call}: somebody outside has removed its semaphores (ipcrm). "
            "r restarts."
        )
    return ""


def pairs(state: LabState) -> list[tuple[str, ProcessState, ProcessState]]:
    """The cells that are whole: name, who sends, who receives."""
    return [(name, each[0], each[1]) for name, each in in_cells(state).items() if len(each) > 1]


def _carrier(state: LabState) -> str:
    return next((carrier_of(state, name) for name, _, _ in pairs(state)), "")


def _is_held(process: ProcessState) -> bool:
    return process.exited is None and process.settings is not None and process.settings.held


def _sleeps(state: LabState, process: ProcessState) -> bool:
    now = process.state
    return (
        process.exited is None
        and now is not None
        and now.state == "blocked"
        and state.t - (now.since if now.since is not None else now.t) > _LONG
    )


def _half_written(state: LabState, korean: bool) -> str:
    """A blocking write that stands half written, and the short count of a non-blocking one beside it."""
    for _, sender, _ in pairs(state):
        now = sender.state
        if now is None or now.progress is None or not _sleeps(state, sender):
            continue
        done, size = (grouped(count) for count in now.progress)
        if korean:
            return (
                f"{sender.name}: {size}바이트 가운데 {done}바이트만 파이프에 들어간 채 write가 잔다. 논블로킹 write는 "
                "들어간 만큼만 세고 돌아오며, 나머지는 커널이 아니라 프로그램이 보내야 한다."
            )
        return (
            f"{sender.name}: {done} of {size} bytes are in the pipe, and write sleeps over the rest. A non-blocking "
            "write returns a short count instead; the rest is the program's to send, the kernel does not finish it."
        )
    return ""


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
    if carrier == "bounded" and not any(_sleeps(state, sender) for _, sender, _ in every):
        if korean:
            return "받는 쪽을 모두 붙잡았다. 메일박스에 자리가 있는 동안은 보내기가 끝난다: 받은 것은 메일박스다."
        return (
            "You hold all receivers. Sends still succeed while the mailboxes have room: what has received the "
            "messages is the mailbox."
        )
    what = {
        "zero": ("no receiver takes their message", "아무도 메시지를 가져가지 않기 때문이다"),
        "bounded": ("the mailbox is full", "메일박스가 가득 찼기 때문이다"),
        "pipe": ("the pipe is full", "파이프가 가득 찼기 때문이다"),
    }.get(carrier, ("", ""))
    if korean:
        return (
            f"받는 쪽을 모두 붙잡았다. 블로킹 송신은 커널에서 잔다: {what[1]}. 논블로킹 송신은 거절되고(∅), "
            "거절된 메시지는 세어진 뒤 버려진다."
        )
    return (
        f"You hold all receivers. Blocking senders sleep in the kernel: {what[0]}. Non-blocking sends are refused "
        "(∅); each message refused is counted, and gone."
    )


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
            now = " · ".join(
                f"{process.role} {'non-blocking' if is_nonblocking(process) else 'blocking'}"
                for process in (sender, receiver)
            )
            if korean:
                return f"{name} 칸의 모드를 바꿨다: {now}. 다음 호출부터 적용되며, 이미 자는 호출은 그대로 잔다. r로 되돌린다."
            return (
                f"You changed cell {name}: {now}. It takes effect at the next call; a call that sleeps already sleeps "
                "on. r restores all."
            )
    return ""


def _refused_by_limit(state: LabState, korean: bool) -> str:
    if _carrier(state) != "unbounded":
        return ""
    for name, sender, _ in pairs(state):
        refused = sums(state.facts, sender.name).refused
        if refused:
            if korean:
                return f"{name}: 무한 큐도 한계에 닿았다. 메모리가 더 없어 {grouped(refused)}개를 거절했다: 이것이 진짜 한계다."
            return (
                f"{name}: even the unbounded queue has met its limit: there is no more memory for it, and "
                f"{grouped(refused)} messages were refused."
            )
    return ""


def _asleep(state: LabState, korean: bool) -> str:
    """Who has slept for long, where nobody was held."""
    if _carrier(state) == "zero":
        return ""
    for _, sender, _ in pairs(state):
        if _sleeps(state, sender) and sender.state is not None:
            reason = in_language("ko" if korean else "en", sender.state.reason or "")
            call = sender.state.before.name if sender.state.before is not None else "?"
            if korean:
                return f"커널이 {sender.name}를 {call}에서 재웠다: {reason}."
            return f"The kernel put {sender.name} to sleep in {call}: {reason}."
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
            "A send is over when the mailbox has the message: here “received” means by the mailbox, and nothing is a "
            "rendezvous. 7 holds all receivers: the mailboxes fill.",
            "메일박스가 메시지를 가지면 보내기가 끝난다: 여기서 ‘받음’은 메일박스가 받은 것이고 랑데부는 없다. "
            "7로 수신을 붙잡으면 메일박스가 찬다.",
        ),
        "pipe": (
            "Each message is larger than the pipe. A blocking write returns when its last byte is in; a non-blocking "
            "one with a short count, and the program has to write the rest.",
            "메시지가 파이프보다 크다. 블로킹 write는 마지막 바이트가 들어가야 돌아오고, 논블로킹 write는 일부만 쓰고 "
            "돌아와 나머지는 프로그램이 다시 써야 한다.",
        ),
        "unbounded": (
            "The queue takes every message at once, so blocking and non-blocking sends are the same. Receives differ: "
            "a blocking one sleeps while it is empty, a non-blocking one gets EAGAIN (∅).",
            "큐가 모든 메시지를 곧바로 받으므로 블로킹과 논블로킹 송신이 같다. 수신만 다르다: 비어 있으면 블로킹은 자고 "
            "논블로킹은 EAGAIN(∅)을 받는다.",
        ),
    }.get(_carrier(state))
    return text[korean] if text is not None else ""
