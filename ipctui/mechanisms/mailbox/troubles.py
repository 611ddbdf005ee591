"""The caption's sentences about what went wrong: calls that failed, with the system's limits, strangers, deaths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.mailbox.glimpse import box_of, mailboxes
from ipctui.trace.text import grouped

_NEWS = 3_000_000_000
_WHY = {
    "EMFILE": (
        "this user's queues may count {RLIMIT_MSGQUEUE} bytes in all (RLIMIT_MSGQUEUE), and one of these counts "
        "{footprint}; end another lab, or set a smaller capacity or largest",
        "이 사용자의 큐는 모두 합쳐 {RLIMIT_MSGQUEUE}바이트까지인데(RLIMIT_MSGQUEUE) 하나가 {footprint}바이트다; "
        "다른 실습을 끝내거나 capacity, largest를 줄인다",
    ),
    "ENOSPC": (
        "the system has all the {queues_max} queues that queues_max lets it have; delete some (`ipctui clean` takes a "
        "dead lab's away), or raise /proc/sys/fs/mqueue/queues_max",
        "시스템의 큐가 queues_max의 {queues_max}개에 이르렀다; 몇 개를 지우거나(`ipctui clean`은 죽은 실습의 것을 "
        "지운다) /proc/sys/fs/mqueue/queues_max를 올린다",
    ),
    "EINVAL": (
        "a queue has at most {msg_max} messages (msg_max) of {msgsize_max} bytes (msgsize_max, /proc/sys/fs/mqueue); "
        "set capacity and largest within that",
        "큐 하나는 메시지 {msg_max}개(msg_max), 하나에 {msgsize_max}바이트(msgsize_max)까지다(/proc/sys/fs/mqueue); "
        "capacity와 largest를 그 안으로 정한다",
    ),
    "EACCES": (
        "the mailbox is another user's, or closed to this one; choose another name",
        "다른 사용자의 메일박스이거나 이 사용자에게 닫혀 있다; 다른 이름을 고른다",
    ),
    "EEXIST": (
        "a mailbox of this name is there already, and O_EXCL will not open it; delete it first (8)",
        "그런 이름의 메일박스가 이미 있고 O_EXCL은 그것을 열지 않는다; 먼저 삭제한다(8)",
    ),
    "ENOENT": (
        "there is no mailbox of this name; who has deleted it? Whoever opens it with O_CREAT makes it",
        "그런 이름의 메일박스가 없다; 누가 삭제했는가? O_CREAT로 여는 프로세스가 새로 만든다",
    ),
    "EMSGSIZE": (
        "the message is larger than this mailbox takes (mq_msgsize); press [ for smaller ones",
        "메시지가 이 메일박스의 한도(mq_msgsize)보다 크다; [로 작게 한다",
    ),
    "EBUSY": (
        "another process is registered for the notification, and there is one at most",
        "다른 프로세스가 이미 알림을 신청했다; 신청은 하나뿐이다",
    ),
    "EBADF": (
        "the descriptor is closed, so the mailbox goes on without it",
        "디스크립터가 닫혔다; 메일박스는 이 프로세스 없이 계속된다",
    ),
}


def failed(state: LabState, korean: bool) -> str:
    """Whose program ended because a call failed: with what, the limit behind it, and what to do."""
    for event in reversed(state.events):
        process = state.processes.get(event.process or "")
        if event.name != "failed" or process is None or process.exited is None:
            continue
        name = str(event.data.get("errno"))
        why = _worded(name, korean, event.data.get("limits") or {}) or str(event.data.get("why"))
        if korean:
            return f"{process.role}의 {event.data.get('call')} 실패, {name}: {why}. r로 다시 시작한다."
        return f"{process.role} ended, its {event.data.get('call')} failed with {name}: {why}. r restarts."
    return ""


def _worded(name: str, korean: bool, limits: Mapping[str, Any]) -> str:
    text = _WHY.get(name, ("", ""))[korean]
    for limit in ("RLIMIT_MSGQUEUE", "queues_max", "msg_max", "msgsize_max", "footprint"):
        value = limits.get(limit)
        text = text.replace(f"{{{limit}}}", grouped(value) if isinstance(value, int) else "?")
    return text


def strangers(state: LabState, korean: bool) -> str:
    """Messages that the kernel counts and no worker has sent."""
    for channel in mailboxes(state):
        count = box_of(state, channel)["strangers"]
        if count and korean:
            return (
                f"커널은 {channel.object}에 메시지 {channel.used}개를 세는데 그중 {count}개는 어느 일꾼도 보내지 "
                "않았다: 이름을 아는 프로그램은 누구나 넣을 수 있다."
            )
        if count:
            return (
                f"The kernel counts {channel.used} messages in {channel.object}; no worker here has sent {count} of "
                "them: any program that knows the name may take part."
            )
    return ""


def got_foreign(state: LabState, korean: bool) -> str:
    """A stranger's message received a short while ago: long enough to be read."""
    for channel in mailboxes(state):
        foreign = box_of(state, channel)["foreign"]
        if foreign is None or state.t - foreign[2] > _NEWS:
            continue
        who, text = foreign[:2]
        if korean:
            return f'{who}가 외부 프로그램의 메시지 "{text}"를 받았다: 보낸 이를 묻지 않는 것이 간접 통신이다.'
        return f'{who} received "{text}" from a program outside: indirect communication does not ask who sends.'
    return ""


def died(state: LabState, korean: bool) -> str:
    """Who was killed, and that the mailbox is none the worse for it."""
    for process in state.processes.values():
        if process.exited is None or not (process.status or "").startswith("signal"):
            continue
        how = (process.status or "").removeprefix("signal ")
        left = max((channel.used or 0 for channel in mailboxes(state)), default=0)
        if korean:
            return (
                f"{process.role}는 {how}로 끝났다. 메일박스는 프로세스의 것이 아니어서 메시지 {left}개와 함께 "
                "그대로다. r로 다시 시작한다."
            )
        return (
            f"{process.role} was ended by {how}. No end of file comes: the mailbox is nobody's, and stays with its "
            f"{left} messages. r restarts."
        )
    return ""


def deleted(state: LabState, korean: bool) -> str:
    """A mailbox without a name; where its name has another, both."""
    for channel in mailboxes(state):
        if not channel.facts.get("unlinked"):
            continue
        name = channel.object.removesuffix(" (deleted)")
        who = box_of(state, channel)["deleted"] or "?"
        if name != channel.object:
            if korean:
                return (
                    f"{name}라는 이름은 이제 새 메일박스의 것이다. 삭제된 것을 아직 연 프로세스는 그것을 계속 쓰므로 "
                    "서로 만나지 못한다. 6은 고른 프로세스를 새것으로 옮긴다."
                )
            return (
                f"The name {name} is a new mailbox's now. Who still has the deleted one open goes on with that: the "
                "two do not meet. 6 moves the selected to the new one."
            )
        by = f" ({who})" if who != "?" else ""
        if korean:
            return (
                f"이름 {name}는 삭제되었다(mq_unlink){by}. 이미 연 프로세스들은 계속 쓰고, 마지막 하나가 닫으면 "
                "메일박스가 사라진다. 6은 그 이름으로 새로 만든다."
            )
        return (
            f"The name {name} is deleted (mq_unlink){f' by {who}' if by else ''}. Who has the mailbox open goes on; "
            "with the last close it is gone. 6 creates another of this name."
        )
    return ""
