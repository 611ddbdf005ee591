"""The caption of the mailbox's pane: one sentence that says what is so and why, in English and Korean.

Small rules over the state, the most telling first. Nothing is inferred: a sentence about blocking repeats what the
kernel said.
"""

from __future__ import annotations

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.mailbox.glimpse import (
    box_of,
    living,
    mailbox_of,
    mailboxes,
    niceness,
    passed_by,
    placed,
)
from ipctui.mechanisms.mailbox.troubles import deleted, died, failed, got_foreign, strangers
from ipctui.trace.records import State
from ipctui.widgets.sentences import Rule, blocked, first_of, is_held, polling, stepping, stopped


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    sentence = first_of(_RULES, placed(state), language)
    if sentence:
        return sentence
    variant = state.header.variant if state.header is not None else ""
    return _OPENINGS.get(variant, _OPENINGS["one-to-one"])[language == "ko"]


_OPENINGS = {
    "one-to-one": (
        "Sender and receiver know the mailbox's name, not each other. Hold one with space: it fills, or runs dry.",
        "보내는 쪽도 받는 쪽도 메일박스 이름만 안다. space로 한쪽을 붙잡으면 메일박스가 차거나 빈다.",
    ),
    "many-to-one": (
        "Several send into one mailbox; who sent is only in the message. Hold the receiver: all of them fall asleep.",
        "여럿이 한 메일박스에 보낸다. 누가 보냈는지는 메시지에만 있다. 받는 쪽을 붙잡으면 모두 잠든다.",
    ),
    "two-way": (
        "Each question names the mailbox that its answer goes to (reply-to); a adds a client that has one of its own.",
        "물음마다 답을 받을 메일박스의 이름이 적혀 있다(reply-to). a는 자기 메일박스를 가진 클라이언트를 더한다.",
    ),
    "priority": (
        "urgent sends with priority 9, ordinary with 0. Hold the receiver for two seconds and see who stands first.",
        "urgent는 우선순위 9, ordinary는 0으로 보낸다. 받는 쪽을 2초 붙잡고 누가 맨 앞에 서는지 보라.",
    ),
    "pipeline": (
        "The prosumer takes from one mailbox and gives to the next. Hold it: the one before it fills, the other runs dry.",
        "prosumer는 한 메일박스에서 꺼내 다음 메일박스에 넣는다. 붙잡으면 앞은 차고 뒤는 마른다.",
    ),
}


def _policy(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "sem_wait"):
        if "places" in (now.object or ""):
            others = " and ".join(each.role for each, _ in living(state) if each.descriptors and each is not process)
            if korean:
                names = others.replace(" and ", ", ")
                return (
                    f"정책: 링크에 두 프로세스까지. 자리는 {names}의 것이어서 {process.role}는 sem_wait에서 블록되었고, "
                    "메일박스를 열지도 못했다. l은 다음 정책."
                )
            return (
                f"Policy: two processes at most. The places are taken ({others}), so {process.role} sleeps in sem_wait "
                "and has not even opened the mailbox. l: next policy."
            )
        if "turn" in (now.object or ""):
            inside = next((each.role for each, _ in blocked(state, "mq_receive")), None)
            if korean:
                who = f"{inside}가 차례를 쥐고 receive 안에 있다" if inside else "차례를 다른 프로세스가 쥐고 있다"
                return f"정책: 한 번에 한 수신자. {who}. {process.role}는 sem_wait에서 차례를 기다린다. l은 다음 정책."
            who = f"{inside} has the turn and is in receive" if inside else "another has the turn"
            return f"Policy: one receiver at a time. {who}; {process.role} waits for it in sem_wait. l: next policy."
    return ""


def _pipeline(state: LabState, korean: bool) -> str:
    middle = state.processes.get("prosumer")
    if middle is None or middle.settings is None or not middle.settings.held or middle.exited is not None:
        return ""
    boxes = mailboxes(state)
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
    for process, now in blocked(state, "mq_send"):
        channel = mailbox_of(state, now)
        if channel is None:
            continue
        held = [role for role in now.wakers if is_held(state, role)]
        more = len(blocked(state, "mq_send")) - 1
        if korean:
            text = f"메일박스에 메시지 {channel.used}/{channel.capacity}개가 찼다. 커널이 {process.role}{f' 외 {more}개' if more else ''}를 mq_send에서 재웠다."
            if held:
                return text + f" {held[0]}의 receive가 깨울 텐데 붙잡혀 있다({held[0]}에서 space)."
            return text + (f" {now.wakers[0]}의 receive가 깨운다." if now.wakers else " 받을 프로세스가 없다.")
        who = f"{process.role} and {more} more sleep" if more else f"{process.role} sleeps"
        text = f"The mailbox is full ({channel.used} of {channel.capacity}): {who} in mq_send."
        if held:
            return text + f" A receive by {held[0]} would wake one, but you hold {held[0]} (space)."
        return text + (f" A receive by {now.wakers[0]} wakes one." if now.wakers else " Nobody is there to receive.")
    return ""


def _overtaken(state: LabState, korean: bool) -> str:
    for channel in mailboxes(state):
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
    channel = next(iter(mailboxes(state)), None)
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
    waiting = blocked(state, "mq_receive")
    nice = niceness(state)
    by_box: dict[str, list[tuple[ProcessState, State]]] = {}
    for process, now in waiting:
        by_box.setdefault(now.object or "", []).append((process, now))
    for found in by_box.values():
        if len(found) < 2:
            continue
        ranked = sorted(found, key=lambda each: (nice.get(each[0].role, 0), each[1].since or each[1].t))
        first, last = ranked[0][0].role, ranked[-1][0].role
        if nice.get(first) != nice.get(last):
            return _passed_over(state, nice, first, last, korean)
        names = (", " if korean else " and ").join(process.role for process, _ in ranked)
        if korean:
            return (
                f"{names} 모두 receive에서 기다린다. 메시지는 하나에게만 가고, 리눅스는 우선순위가 같으면 가장 오래 "
                f"기다린 {first}에게 준다. 9 nice, l 정책."
            )
        return (
            f"{names} wait in receive; a message goes to exactly one. Of equal priority who waits longest is "
            f"served: now {first}. 9: nicer, l: policy."
        )
    if nice and waiting:
        nicest = max(nice, key=lambda role: nice[role])
        other = min(nice, key=lambda role: nice[role])
        return _passed_over(state, nice, other, nicest, korean)
    return ""


def _passed_over(state: LabState, nice: dict[str, int], first: str, last: str, korean: bool) -> str:
    """Whom the scheduling priority prefers, and what was measured: messages that went past the one that waits."""
    times = passed_by(state, state.processes[last])
    if korean:
        text = (
            f"{first}(nice {nice[first]})가 {last}(nice {nice[last]})보다 먼저다: 얼마나 기다렸든 스케줄링 우선순위가 "
            "앞선다."
        )
        return text + (f" 실제로 {last}가 기다리는 동안 메시지 {times}개가 지나갔다." if times else "")
    text = (
        f"{first} (nice {nice[first]}) comes before {last} (nice {nice[last]}), however long that waits: the "
        "scheduling priority decides first."
    )
    return text + (f" Seen here: {times} messages went past {last} since it waits." if times else "")


def _notified(state: LabState, korean: bool) -> str:
    for channel in mailboxes(state):
        who = channel.facts.get("notify")
        if who:
            if korean:
                return f"{who}는 mq_notify로 알림을 신청하고 제 일을 한다. 빈 메일박스에 메시지가 오면 커널이 SIGUSR1을 한 번만 보내므로 다시 신청해야 한다."
            return (
                f"{who} has asked mq_notify for a signal and works on. It is sent once, when a message comes into the "
                "empty mailbox; then it must ask again."
            )
    return ""


def _receiver_held(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        channel = next((box for box in mailboxes(state) if process.role in box.readers), None)
        if channel is None or not channel.used or not is_held(state, process.role) or process.exited is not None:
            continue
        if korean:
            return f"{process.role}를 붙잡았다. 메시지는 메일박스에 쌓인다: {channel.used}/{channel.capacity}개. 다 차면 보내는 쪽이 잠든다."
        return (
            f"You hold {process.role}: messages gather in the mailbox, {channel.used} of {channel.capacity}. "
            "When it is full, senders sleep."
        )
    return ""


def _sender_held(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "mq_receive"):
        held = [role for role in now.wakers if is_held(state, role)]
        if held and len(held) == len(now.wakers):
            if korean:
                return f"메일박스가 비어 커널이 {process.role}를 mq_receive에서 재웠다. {held[0]}의 send가 깨울 텐데 붙잡혀 있다(space)."
            return (
                f"The mailbox is empty, so the kernel put {process.role} to sleep in mq_receive. A send by {held[0]} "
                f"would wake it, but you hold {held[0]} (space)."
            )
    return ""


def _all_ended(state: LabState, korean: bool) -> str:
    if not state.processes or any(process.exited is None for process in state.processes.values()):
        return ""
    if korean:
        return "모두 끝났다. 메일박스는 삭제될 때까지 남는다. r로 다시 시작한다."
    return "Everybody has ended. The mailbox stays until somebody deletes it (8). r restarts."


_RULES: tuple[Rule, ...] = (
    failed,
    strangers,
    got_foreign,
    stopped,
    died,
    deleted,
    _outlived,
    stepping,
    _policy,
    _pipeline,
    _overtaken,
    _full,
    _receiver_held,
    _who_gets_it,
    _sender_held,
    _notified,
    polling,
    _all_ended,
)
