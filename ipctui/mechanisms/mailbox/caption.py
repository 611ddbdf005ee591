"""The caption of the mailbox's pane: one sentence that says what is so and why, in English and Korean.

Small rules over the state, the most telling first. Nothing is inferred: a sentence about blocking repeats what the
kernel said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.mailbox.order import empty
from ipctui.trace.records import Channel, State

Rule = Callable[[LabState, bool], str]


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    korean = language == "ko"
    for rule in _RULES:
        sentence = rule(state, korean)
        if sentence:
            return sentence
    if korean:
        return "보내는 쪽도 받는 쪽도 메일박스 이름만 안다. space로 한쪽을 붙잡으면 메일박스가 차거나 빈다."
    return "Sender and receiver know the mailbox's name, not each other. Hold one with space: it fills, or runs dry."


_FAILURES = {
    "EMFILE": (
        "this user's message queues already take all the bytes that RLIMIT_MSGQUEUE allows; end another lab, or set a smaller capacity or largest",
        "이 사용자의 메시지 큐가 RLIMIT_MSGQUEUE의 바이트를 이미 다 썼다; 다른 실습을 끝내거나 capacity, largest를 줄인다",
    ),
    "ENOENT": ("there is no mailbox of this name", "그런 이름의 메일박스가 없다"),
    "EACCES": ("the mailbox belongs to another user", "다른 사용자의 메일박스다"),
    "EINVAL": (
        "the system allows no such mailbox; see msg_max and msgsize_max in /proc/sys/fs/mqueue",
        "시스템이 허락하지 않는 크기다; /proc/sys/fs/mqueue의 msg_max와 msgsize_max를 보라",
    ),
    "EMSGSIZE": (
        "the message is larger than the mailbox takes (mq_msgsize)",
        "메시지가 메일박스의 한도(mq_msgsize)보다 크다",
    ),
    "EBUSY": ("another process is registered for the notification", "다른 프로세스가 이미 알림을 신청했다"),
}


def _failed(state: LabState, korean: bool) -> str:
    for event in reversed(state.events):
        process = state.processes.get(event.process or "")
        if event.name != "failed" or process is None or process.exited is None:
            continue
        name = str(event.data.get("errno"))
        why = _FAILURES.get(name, (str(event.data.get("why")),) * 2)[korean]
        if korean:
            return f"{process.role}의 {event.data.get('call')} 호출이 {name}로 실패했다: {why}. r로 다시 시작한다."
        return f"{process.role} ended because its {event.data.get('call')} failed, {name}: {why}. r restarts."
    return ""


def _strangers(state: LabState, korean: bool) -> str:
    for channel in _mailboxes(state):
        box = box_of(state, channel)
        if box["strangers"]:
            count = box["strangers"]
            if korean:
                return (
                    f"{channel.object}의 메시지 {channel.used}개 중 {count}개는 어느 일꾼도 보내지 않았다: 이름을 아는 "
                    "프로그램은 누구나 메일박스에 넣을 수 있다."
                )
            return (
                f"{count} of the {channel.used} messages in {channel.object} no worker here has sent: any program that "
                "knows the name may take part."
            )
    return ""


def _got_foreign(state: LabState, korean: bool) -> str:
    """A stranger's message received a short while ago, by the calls that are still remembered."""
    for channel in _mailboxes(state):
        foreign = box_of(state, channel)["foreign"]
        if foreign is None:
            continue
        who, text = foreign
        last = next((call for call in reversed(state.calls) if call.name == "mq_receive" and call.process == who), None)
        if last is None or not isinstance(last.begin, int) or text not in getattr(last, "args", ""):
            continue
        if korean:
            return f'{who}가 외부 프로그램의 메시지 "{text}"를 받았다: 보낸 이를 묻지 않는 것이 간접 통신이다.'
        return f'{who} received "{text}" from a program outside: indirect communication does not ask who sends.'
    return ""


def _died(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        if process.exited is None or not (process.status or "").startswith("signal"):
            continue
        how = (process.status or "").removeprefix("signal ")
        left = max((channel.used or 0 for channel in _mailboxes(state)), default=0)
        if korean:
            return f"{process.role}는 {how}로 끝났다. 메일박스는 프로세스의 것이 아니어서 메시지 {left}개와 함께 그대로다. r로 다시 시작한다."
        return (
            f"{process.role} was ended by {how}. No end of file comes: the mailbox is nobody's, and stays with its "
            f"{left} messages. r restarts."
        )
    return ""


def _stopped(state: LabState, korean: bool) -> str:
    for process, now in _living(state):
        if now.state == "stopped":
            if korean:
                return f"{process.role}는 SIGSTOP으로 정지되었다. SIGCONT(z)까지 실행되지 않는다: 붙잡힌 것도 블록된 것도 아니다."
            return f"{process.role} is stopped by SIGSTOP until SIGCONT comes (z). It is neither held nor blocked."
    return ""


def _deleted(state: LabState, korean: bool) -> str:
    for channel in _mailboxes(state):
        if channel.facts.get("unlinked"):
            if korean:
                return (
                    f"이름 {channel.object}는 삭제되었다(mq_unlink). 이미 연 프로세스들은 계속 쓰고, 마지막 하나가 닫으면 "
                    "메일박스가 사라진다."
                )
            return (
                f"The name {channel.object} is deleted (mq_unlink). Who has the mailbox open goes on; with the last "
                "close it is gone. A new mq_open makes another."
            )
    return ""


def _policy(state: LabState, korean: bool) -> str:
    for process, now in _blocked(state, "sem_wait"):
        if "places" in (now.object or ""):
            others = " and ".join(each.role for each, _ in _living(state) if each.descriptors and each is not process)
            if korean:
                return f"정책: 링크에 두 프로세스까지. {process.role}는 자리를 얻지 못해 sem_wait에서 블록되었고, 메일박스를 열지도 못했다. 6은 다음 정책."
            return (
                f"Policy: two processes at most. The places are taken ({others}), so {process.role} sleeps in sem_wait "
                "and has not even opened the mailbox. 6: next policy."
            )
        if "turn" in (now.object or ""):
            inside = next((each.role for each, _ in _blocked(state, "mq_receive")), None)
            if korean:
                who = f"{inside}가 차례를 쥐고 receive 안에 있다" if inside else "차례를 다른 프로세스가 쥐고 있다"
                return f"정책: 한 번에 한 수신자. {who}. {process.role}는 sem_wait에서 차례를 기다린다. 6은 다음 정책."
            who = f"{inside} has the turn and is in receive" if inside else "another has the turn"
            return f"Policy: one receiver at a time. {who}; {process.role} waits for it in sem_wait. 6: next policy."
    return ""


def _pipeline(state: LabState, korean: bool) -> str:
    middle = state.processes.get("prosumer")
    if middle is None or middle.settings is None or not middle.settings.held or middle.exited is not None:
        return ""
    boxes = _mailboxes(state)
    first = next((box for box in boxes if not box.object.endswith("-out")), None)
    second = next((box for box in boxes if box.object.endswith("-out")), None)
    if first is None or second is None:
        return ""
    full = first.used is not None and first.used == first.capacity
    if korean:
        return (
            f"가운데 prosumer를 붙잡았다: 앞 메일박스는 {'가득 찼고' if full else '차오르고'}({first.used}/{first.capacity}), "
            f"뒤 메일박스는 말라 간다({second.used}). space가 놓아준다."
        )
    return (
        f"You hold the middle stage: the mailbox before it {'is full' if full else 'fills'} "
        f"({first.used} of {first.capacity}), the one behind it runs dry ({second.used}). space releases."
    )


def _full(state: LabState, korean: bool) -> str:
    for process, now in _blocked(state, "mq_send"):
        channel = _channel(state, now)
        if channel is None:
            continue
        held = [role for role in now.wakers if _held(state, role)]
        more = len(_blocked(state, "mq_send")) - 1
        if korean:
            text = f"메일박스에 메시지 {channel.used}/{channel.capacity}개가 찼다. 커널이 {process.role}{f' 외 {more}' if more else ''}를 mq_send에서 재웠다."
            if held:
                return text + f" {held[0]}의 receive가 깨울 텐데 붙잡혀 있다({held[0]}에서 space)."
            return text + (f" {now.wakers[0]}의 receive가 깨운다." if now.wakers else " 받을 프로세스가 없다.")
        text = f"The mailbox is full, {channel.used} of {channel.capacity} messages: the kernel put {process.role}"
        text += f"{f' and {more} more' if more else ''} to sleep in mq_send."
        if held:
            return text + f" A receive by {held[0]} would wake it, but you hold {held[0]} (space)."
        return text + (f" A receive by {now.wakers[0]} wakes it." if now.wakers else " Nobody is there to receive.")
    return ""


def _overtaken(state: LabState, korean: bool) -> str:
    for channel in _mailboxes(state):
        items = box_of(state, channel)["items"][: channel.used or 0]
        if len({item[0] for item in items}) < 2:
            continue
        first = items[0]
        behind = sum(1 for item in items if item[0] < first[0])
        name = first[1] or "?"
        if korean:
            return f"다음에 나갈 것은 우선순위 {first[0]}의 {name}: 먼저 온 것도 섞인 덜 급한 {behind}개를 앞지른다. 같은 우선순위 안에서는 먼저 온 것이 먼저다."
        return (
            f"Next to leave is {name} of priority {first[0]}, before {behind} less urgent ones, however long these wait. "
            "Within a priority the oldest goes first."
        )
    return ""


def _outlived(state: LabState, korean: bool) -> str:
    creator, heir = state.processes.get("creator"), state.processes.get("heir")
    if creator is None or heir is None or creator.exited is None:
        return ""
    channel = next(iter(_mailboxes(state)), None)
    if heir.exited is not None:
        if korean:
            return "heir가 남은 메시지를 다 받고 메일박스를 삭제했다(mq_unlink). 아무도 삭제하지 않으면 시스템을 다시 켤 때까지 남는다. r로 다시 시작한다."
        return "The heir has received all that was left and deleted the mailbox; else it would stay until the next boot. r restarts."
    if channel is None:
        return ""
    if heir.pid:
        if korean:
            return (
                f"heir는 이미 끝난 creator의 메시지를 받는다: {channel.used}개 남았다. 보낸 이는 없고 메일박스가 있다."
            )
        return f"heir receives what creator, long ended, has sent: {channel.used} are left. The sender is gone, the mailbox is not."
    if korean:
        return f"creator는 끝났고 아무도 열고 있지 않지만, 메일박스와 메시지 {channel.used}개는 남아 있다. 곧 heir가 시작해서 받는다."
    return (
        f"creator has ended and nobody has the mailbox open, yet it stays, with {channel.used} messages. "
        "heir starts soon and finds them."
    )


def _who_gets_it(state: LabState, korean: bool) -> str:
    waiting = _blocked(state, "mq_receive")
    by_box: dict[str, list[tuple[ProcessState, State]]] = {}
    for process, now in waiting:
        by_box.setdefault(now.object or "", []).append((process, now))
    for place, found in by_box.items():
        held = state.channels.get(place)
        nice = held.now.facts.get("nice", {}) if held is not None else {}
        if len(found) < 2:
            passed = _passed_over(state, nice, korean)
            if passed:
                return passed
            continue
        ranked = sorted(found, key=lambda each: (nice.get(each[0].role, 0), each[1].since or each[1].t))
        first, last = ranked[0][0].role, ranked[-1][0].role
        if nice.get(first) != nice.get(last):
            if korean:
                return f"{first}(nice {nice[first]})가 {last}(nice {nice[last]})보다 먼저다: 기다린 시간보다 스케줄링 우선순위가 앞선다. {last}는 늘 밀려난다."
            return (
                f"The next message goes to {first} (nice {nice[first]}), not {last} (nice {nice[last]}), however long "
                f"that waits: the scheduling priority decides first. {last} is passed over."
            )
        names = (", " if korean else " and ").join(process.role for process, _ in ranked)
        if korean:
            return f"{names} 모두 receive에서 기다린다. 메시지는 하나에게만 가고, 리눅스는 우선순위가 같으면 가장 오래 기다린 {first}에게 준다. 7은 고른 것을 nicer로."
        return (
            f"{names} all wait in receive; each message goes to exactly one. Equal in priority, who waits longest is "
            f"served: {first} next. 7 makes the selected nicer."
        )
    return ""


def _passed_over(state: LabState, nice: dict[str, int], korean: bool) -> str:
    if len(set(nice.values())) < 2:
        return ""
    nicest = max(nice, key=lambda role: nice[role])
    if korean:
        return f"{nicest}는 nice {nice[nicest]}로 스케줄링 우선순위가 낮다: 덜 nice한 수신자가 기다리는 한 메시지는 그쪽으로 간다."
    return f"{nicest} is nicer (nice {nice[nicest]}): while a less nice receiver waits as well, every message goes to that one."


def _notified(state: LabState, korean: bool) -> str:
    for channel in _mailboxes(state):
        who = channel.facts.get("notify")
        if who:
            if korean:
                return f"{who}는 mq_notify로 알림을 신청하고 제 일을 한다. 빈 메일박스에 메시지가 오면 커널이 SIGUSR1을 한 번만 보내므로 다시 신청해야 한다."
            return (
                f"{who} has asked mq_notify for a signal and works on. It is sent once, when a message comes into the "
                "empty mailbox; then it must ask again."
            )
    return ""


def _stepping(state: LabState, korean: bool) -> str:
    living = _living(state)
    if not living or not all(now.state == "held" for _, now in living):
        return ""
    if korean:
        return "모두 다음 호출 직전에 붙잡혀 있다. n은 고른 프로세스의 호출 하나를 실행하고, space는 놓아준다."
    return "You hold everybody before the next call. n lets the selected one do it, space releases."


def _receiver_held(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        channel = next((box for box in _mailboxes(state) if process.role in box.readers), None)
        if channel is None or not channel.used or not _held(state, process.role) or process.exited is not None:
            continue
        if korean:
            return f"{process.role}를 붙잡았다. 메시지는 메일박스에 쌓인다: {channel.used}/{channel.capacity}개. 다 차면 보내는 쪽이 잠든다."
        return (
            f"You hold {process.role}: messages gather in the mailbox, {channel.used} of {channel.capacity}. "
            "When it is full, senders sleep."
        )
    return ""


def _sender_held(state: LabState, korean: bool) -> str:
    for process, now in _blocked(state, "mq_receive"):
        held = [role for role in now.wakers if _held(state, role)]
        if held and len(held) == len(now.wakers):
            if korean:
                return f"메일박스가 비어 커널이 {process.role}를 mq_receive에서 재웠다. {held[0]}의 send가 깨울 텐데 붙잡혀 있다(space)."
            return (
                f"The mailbox is empty, so the kernel put {process.role} to sleep in mq_receive. A send by {held[0]} "
                f"would wake it, but you hold {held[0]} (space)."
            )
    return ""


def _polling(state: LabState, korean: bool) -> str:
    for process, _ in _living(state):
        polls = any(row.nonblocking for row in process.descriptors)
        if polls and process.empties and state.t - process.empties[-1] < 500_000_000:
            if korean:
                return f"{process.role}는 논블로킹이다: 비었거나 가득 차면 커널이 재우지 않고 EAGAIN을 돌려준다(∅)."
            return (
                f"{process.role} is non-blocking: from an empty mailbox, or a full one, the kernel answers EAGAIN (∅)."
            )
    return ""


def _all_ended(state: LabState, korean: bool) -> str:
    if not state.processes or any(process.exited is None for process in state.processes.values()):
        return ""
    if korean:
        return "모두 끝났다. 메일박스는 삭제될 때까지 남는다. r로 다시 시작한다."
    return "Everybody has ended. The mailbox stays until somebody deletes it (8). r restarts."


_RULES: tuple[Rule, ...] = (
    _failed,
    _strangers,
    _stopped,
    _died,
    _deleted,
    _outlived,
    _stepping,
    _policy,
    _pipeline,
    _overtaken,
    _full,
    _got_foreign,
    _receiver_held,
    _sender_held,
    _who_gets_it,
    _notified,
    _polling,
    _all_ended,
)


def box_of(state: LabState, channel: Channel) -> dict[str, Any]:
    """What the trace knows of a mailbox."""
    found: dict[str, Any] = state.facts.get("mailboxes", {}).get(channel.object) or empty()
    return found


def _mailboxes(state: LabState) -> list[Channel]:
    return [held.now for held in state.channels.values() if held.now.type == "mqueue" and not held.now.closed]


def _living(state: LabState) -> list[tuple[ProcessState, State]]:
    return [
        (process, process.state)
        for process in state.processes.values()
        if process.exited is None and process.pid and process.state is not None
    ]


def _blocked(state: LabState, name: str) -> list[tuple[ProcessState, State]]:
    return [
        (process, now)
        for process, now in _living(state)
        if now.state == "blocked" and now.before is not None and now.before.name == name
    ]


def _held(state: LabState, role: str) -> bool:
    process = state.processes.get(role)
    return process is not None and process.settings is not None and process.settings.held


def _channel(state: LabState, now: State) -> Channel | None:
    held = state.channels.get(now.object or "")
    return held.now if held is not None else None
