"""The caption of one cell by itself, enlarged or in a lecture, and the rules that it shares with that of all cells.

What is said of several cells would not be so of one: its caption speaks of its own two processes alone.
"""

from __future__ import annotations

from ipctui.lab.fold import key
from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.sync.counts import sums
from ipctui.mechanisms.sync.words import carrier_of, channel_of, is_nonblocking
from ipctui.trace.records import REFUSED
from ipctui.trace.text import grouped
from ipctui.widgets import sentences
from ipctui.widgets.cells import in_cells
from ipctui.widgets.language import in_language

_LONG = 600_000_000
"""Nanoseconds after which a sleep is worth a sentence."""
_RECENT = 3_000_000_000
"""Nanoseconds for which a message refused at a queue's limit is news."""


def alone(state: LabState, language: str) -> str:
    """The sentence for a state that has one cell."""
    return sentences.first_of(
        (
            removed,
            sentences.failed,
            unnamed,
            refused_by_limit,
            sentences.killed,
            sentences.stopped,
            sentences.ended,
            half_written,
            sentences.stepping,
            sentences.blocked_by_held,
            asleep,
            _by_mode,
        ),
        state,
        language,
    )


def pairs(state: LabState) -> list[tuple[str, ProcessState, ProcessState]]:
    """The cells that are whole: name, who sends, who receives."""
    return [(name, each[0], each[1]) for name, each in in_cells(state).items() if len(each) > 1]


def sleeps(state: LabState, process: ProcessState) -> bool:
    """Whether the kernel has let a process sleep for long."""
    now = process.state
    return (
        process.exited is None
        and now is not None
        and now.state == "blocked"
        and state.t - (now.since if now.since is not None else now.t) > _LONG
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


def unnamed(state: LabState, korean: bool) -> str:
    """Somebody outside has removed the name of a cell's channel, rm(1): who has it open goes on with it."""
    for name, *_ in pairs(state):
        channel = channel_of(state, name)
        if channel is None or channel.facts.get("unnamed") is not True:
            continue
        if korean:
            return (
                f"{name}: 누가 밖에서 {channel.object}의 이름을 지웠다. 열어 둔 둘은 그대로 쓴다. 새로 여는 쪽은 "
                "다른 것을 얻는다. r로 다시 시작한다."
            )
        return (
            f"{name}: somebody outside has removed the name {channel.object}. Both have it open and go on; who opens "
            "it anew gets another. r restarts."
        )
    return ""


def half_written(state: LabState, korean: bool) -> str:
    """A blocking write that stands half written, and what a non-blocking one does instead."""
    for _, sender, _ in pairs(state):
        now = sender.state
        if now is None or now.progress is None or not sleeps(state, sender):
            continue
        done, size = (grouped(count) for count in now.progress)
        if korean:
            return (
                f"{sender.name}: {size}바이트 중 {done}바이트만 파이프에 들어간 채 write가 잔다. 논블로킹이면 들어간 "
                "만큼만 세고 돌아오며, 나머지는 프로그램이 보내야 한다."
            )
        return (
            f"{sender.name}: {done} of {size} bytes are in the pipe, and write sleeps over the rest. Non-blocking, it "
            "returns a short count: the rest is the program's."
        )
    return ""


def refused_by_limit(state: LabState, korean: bool) -> str:
    """An unbounded queue that refuses now, or has just done so: its true limit."""
    for name, sender, _ in pairs(state):
        if carrier_of(state, name) != "unbounded" or not at_limit(state, name):
            continue
        refused = grouped(sums(state.facts, sender.name).refused)
        if korean:
            return (
                f"{name}: 무한 큐도 한계에 닿았다. 메모리가 더 없어 메시지 {refused}개를 거절했다: 이것이 진짜 한계다."
            )
        return f"{name}: even the unbounded queue has its limit: there is no more memory, {refused} messages refused."
    return ""


def at_limit(state: LabState, cell: str) -> bool:
    """Whether a growing queue stands at its limit, or has refused a message for want of memory just now."""
    sender = in_cells(state)[cell][0]
    if not sums(state.facts, sender.name).refused:
        return False
    channel = channel_of(state, cell)
    limit = channel.facts.get("limit") if channel is not None else None
    if channel is not None and isinstance(limit, int) and (channel.used or 0) >= limit:
        return True
    return any(
        event.name == REFUSED and event.cell == cell and state.t - event.t < _RECENT for event in reversed(state.events)
    )


def asleep(state: LabState, korean: bool) -> str:
    """A sender that has slept for long; with zero capacity that is the usual case, and no news."""
    for name, sender, _ in pairs(state):
        if carrier_of(state, name) != "zero" and sleeps(state, sender) and sender.state is not None:
            reason = in_language("ko" if korean else "en", sender.state.reason or "")
            call = sender.state.before.name if sender.state.before is not None else "?"
            if korean:
                return f"커널이 {sender.name}를 {call}에서 재웠다: {reason}."
            return f"The kernel put {sender.name} to sleep in {call}: {reason}."
    return ""


def _by_mode(state: LabState, korean: bool) -> str:
    """What the two ends make of their carrier, as they are now."""
    for name, sender, receiver in pairs(state):
        send, receive = is_nonblocking(sender), is_nonblocking(receiver)
        carrier = carrier_of(state, name)
        if carrier == "zero":
            return _ZERO[send, receive][korean].format(sender.role, receiver.role)
        if carrier in _SENDS:
            said = (_SENDS[carrier][send][korean], _RECEIVES[receive][korean])
            return " ".join(said).format(sender.role, receiver.role)
    return ""


_ZERO = {
    (False, False): (
        "A rendezvous: whoever comes first sleeps in the kernel until the other comes. The {0} goes on when its {1} "
        "has the message.",
        "랑데부: 먼저 온 쪽이 상대가 올 때까지 커널에서 잔다. {1}가 메시지를 가져가야 {0}가 나아간다.",
    ),
    (False, True): (
        "The {0} sleeps until its {1} asks. The {1} never waits: it gets what is offered at that very moment, or "
        "EAGAIN (∅).",
        "{0}는 {1}가 물을 때까지 잔다. {1}는 기다리지 않는다: 바로 그 순간 내놓은 것을 받거나 EAGAIN(∅)을 받는다.",
    ),
    (True, False): (
        "The {1} sleeps until a message is offered. The {0} never waits: it hands over to a {1} that is asleep "
        "waiting, or is refused (∅).",
        "{1}는 메시지를 내놓을 때까지 잔다. {0}는 기다리지 않는다: 자며 기다리는 {1}에게 건네거나 거절된다(∅).",
    ),
    (True, True): (
        "Neither ever waits, so at no moment is anybody there: every send is refused, every receive comes back with "
        "nothing (∅).",
        "둘 다 기다리지 않아 상대가 와 있는 순간이 없다: 보내기는 모두 거절되고 받기는 모두 빈손이다(∅).",
    ),
}
_SENDS = {
    "bounded": {
        False: (
            "A send is over when the mailbox has the message; a full one lets the {0} sleep.",
            "메일박스가 메시지를 가지면 보내기가 끝난다. 가득 차면 {0}는 잔다.",
        ),
        True: (
            "A send is over when the mailbox has the message; a full one refuses it (∅).",
            "메일박스가 메시지를 가지면 보내기가 끝난다. 가득 차면 거절된다(∅).",
        ),
    },
    "pipe": {
        False: (
            "A write returns when its last byte is in the pipe; until then the {0} sleeps.",
            "write는 마지막 바이트가 파이프에 들어가야 돌아온다. 그때까지 {0}는 잔다.",
        ),
        True: (
            "A write returns at once with what went in, a short count; the {0} writes the rest.",
            "write는 들어간 만큼만 쓰고 곧바로 돌아온다. 나머지는 {0}가 다시 쓴다.",
        ),
    },
    "unbounded": dict.fromkeys(
        (False, True),
        (
            "The queue takes every message at once: no send waits.",
            "큐가 모든 메시지를 곧바로 받는다: 보내기는 기다리지 않는다.",
        ),
    ),
}
_RECEIVES = {
    False: ("Empty, it lets the {1} sleep.", "비어 있으면 {1}는 잔다."),
    True: ("Empty, it answers the {1} EAGAIN (∅).", "비어 있으면 {1}는 EAGAIN(∅)을 받는다."),
}
