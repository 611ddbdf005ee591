"""The caption of Mach's pane: who may send, what moved, who was told what, in English and Korean."""

from __future__ import annotations

from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.mach.program import MOST_RIGHTS
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.sentences import (
    blocked,
    blocked_by_held,
    deadlocked,
    ended,
    failed,
    first_of,
    is_held,
    polling,
    stepping,
    stopped,
)
from ipctui.widgets.sizes import crossing, size_text

_NEWS = 1_500_000_000
"""Nanoseconds for which a move of a right is news."""


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        deadlocked, failed, stopped, stepping, _too_many, _dead, _no_senders, _killed, _full, blocked_by_held,
        _timed_out, _moved, polling, ended, _measured, _looked_up,
    )  # fmt: skip
    return first_of(rules, state, language) or _plain(state, language == "ko")


def parameter(state: LabState, name: str, default: Any) -> Any:
    """What a parameter of the session is set to."""
    return (state.header.parameters if state.header is not None else {}).get(name, default)


def variant(state: LabState) -> str:
    """The variant that runs."""
    return state.header.variant if state.header is not None else ""


def ports(state: LabState) -> list[Channel]:
    """The session's living ports, the tasks' own special ones last."""
    found = [held.now for held in state.channels.values() if held.now.facts.get("port") and not held.now.closed]
    first = {"P": 0, "printer": 1, "bootstrap": 2, "reply-port": 3}
    return sorted(found, key=lambda port: (bool(port.facts["special"]), first.get(str(port.name), 9)))


def medians(state: LabState) -> dict[str, dict[int, int]]:
    """By way, the median time of each size, nanoseconds."""
    held = state.channels.get("measures")
    ways: dict[str, dict[int, int]] = {}
    for row in held.now.facts["rows"] if held is not None else ():
        ways.setdefault(row["way"], {})[row["size"]] = row["median"]
    return ways


def _sends(port: Channel, role: str) -> bool:
    return any(one["process"] == role for one in port.facts["send"])


def _living(state: LabState, role: str) -> bool:
    process = state.processes.get(role)
    return process is not None and process.exited is None


def _too_many(state: LabState, korean: bool) -> str:
    for role, (rights, number) in state.facts.get("refused", {}).items():
        if not _living(state, role):
            continue
        if korean:
            return (
                f"{role}가 메시지 하나에 권한 {rights}개를 실었다. 커널은 {MOST_RIGHTS}개까지만 받는다(SCM_MAX_FD). "
                f"sendmsg는 {number}로 실패하고, 아무것도 보내지지 않는다."
            )
        return (
            f"{role} puts {rights} rights into a message; the kernel takes {MOST_RIGHTS} (SCM_MAX_FD). sendmsg fails with "
            f"{number}, and nothing of it is sent."
        )
    return ""


def _dead(state: LabState, korean: bool) -> str:
    for role, number in state.facts.get("dead", {}).items():
        if not _living(state, role):
            continue
        told = state.facts.get("told", {}).get(role, "")
        names = [str(port.name) for port in ports(state) if port.facts["dead"] and _sends(port, role)]
        if korean:
            more = f" notify 포트에는 {told}가 왔다." if told else ""
            which = f"{', '.join(names)} " if names else ""
            return (
                f"{role}의 {which}송신 권한은 죽은 이름(dead name)이다: 수신 권한을 쥔 태스크가 없어 sendmsg가 {number}로 실패한다. "
                f"보낸 것도 권한도 {role}에게 남는다.{more}"
            )
        more = f' Its notify port was told "{told}".' if told else ""
        which = f" of {', '.join(names)}" if names else ""
        return (
            f"{role}'s send right{which} is a dead name: nobody has the receive right, and sendmsg fails with {number}. Message "
            f"and rights stay with {role}.{more}"
        )
    return ""


def _no_senders(state: LabState, korean: bool) -> str:
    for role, told in state.facts.get("told", {}).items():
        if not told.startswith("no-senders") or not _living(state, role):
            continue
        if korean:
            return f"{role}의 notify 포트에 {told}가 왔다: 마지막 송신 권한이 사라져 커널이 포트를 끊었다(POLLHUP). 더 올 메시지는 없다."
        return (
            f'{role} was told "{told}" at its notify port: the last send right is gone, which the kernel says by hanging '
            "the port up (POLLHUP). No message can come any more."
        )
    return ""


def _killed(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        status = process.status or ""
        if process.exited is None or not status.startswith("signal "):
            continue
        name = status.removeprefix("signal ")
        if korean:
            return f"{process.role}는 {name}로 끝났다. 쥐고 있던 권한도, 받을 이 없는 포트 속의 권한도 함께 사라진다. r로 다시 시작한다."
        return (
            f"{process.role} was ended by {name}. Its rights went with it, and so did rights in messages that nobody can "
            "receive any more. r restarts."
        )
    return ""


def _full(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "sendmsg", "poll"):
        if process.role == "kernel" or not (now.reason or "").startswith(
            ("port P ", "port P:", "waits until its port")
        ):
            continue
        port = next((one for one in ports(state) if one.name == "P"), None)
        if port is None:
            continue
        count = "?" if port.count is None else port.count
        fill = f"{grouped(port.facts['taken'])}/{grouped(port.facts['room'])}"
        held = next((role for role in now.wakers if is_held(state, role)), "")
        call = "sendmsg" if now.before is not None and now.before.name == "sendmsg" else "poll"
        if port.facts["taken"] < port.facts["room"]:
            if korean:
                text = (
                    f"P에 자리가 났지만({fill}바이트) {process.role}는 아직 {call}에서 기다린다: 커널은 큐의 4분의 3이 비어야 "
                    "자는 쪽을 깨운다."
                )
                return text + (f" 여러분이 {held}를 붙잡고 있다." if held else "")
            text = (
                f"There is room in P again ({fill} bytes taken), but {process.role} still waits in {call}: the kernel wakes "
                "a sleeper when three quarters of the queue are free."
            )
            return text + (f" You hold {held}." if held else "")
        if korean:
            text = f"포트 P의 큐가 메시지 {count}개로 찼다(커널 메모리 {fill}바이트). {process.role}는 {call}에서 기다린다."
            return text + (f" 여러분이 {held}를 붙잡고 있다(space)." if held else " 받는 쪽의 recvmsg가 자리를 만든다.")
        text = (
            f"Port P's queue is full: {count} messages, {fill} bytes of kernel memory. {process.role} waits in {call}."
        )
        return text + (f" You hold {held} (space releases)." if held else " A receive makes room.")
    return ""


def _timed_out(state: LabState, korean: bool) -> str:
    for role, t in state.facts.get("empty", {}).items():
        if state.t - t > _NEWS or not _living(state, role):
            continue
        full, patience = parameter(state, "full", "wait"), parameter(state, "patience", 300)
        if full == "timeout":
            if korean:
                return f"큐가 찬 채 {patience} ms가 지나 {role}의 sendmsg가 EAGAIN으로 돌아왔다. 그 메시지는 보내지지 않았다."
            return f"The queue stayed full for {patience} ms, so {role}'s sendmsg came back with EAGAIN. That message was not sent."
        if korean:
            return f"큐가 차서 {role}의 sendmsg가 바로 EAGAIN으로 돌아왔다. 자리가 나면 poll이 알려 준다."
        return f"The queue is full: {role}'s sendmsg comes back at once with EAGAIN, and poll will tell when there is room."
    return ""


def _moved(state: LabState, korean: bool) -> str:
    moves = [move for move in state.facts.get("moves", ()) if move["what"] in ("send", "receive")]
    if not moves or variant(state) not in ("rights", "receive-right"):
        return ""
    port = next((one for one in ports(state) if one.name == "P"), None)
    if port is None:
        return ""
    last = max(moves, key=lambda move: move["t"])
    if variant(state) == "rights":
        holders = ", ".join(f"{one['process']} (descriptor {one['fd']})" for one in port.facts["send"])
        without = ", ".join(role for role in ("alice", "bob") if role not in holders and _living(state, role))
        if not holders:
            return (
                "송신 권한이 메시지 속에 있다: 지금은 아무도 P로 보낼 수 없다."
                if korean
                else "The send right is inside a message: at this moment nobody can send to P."
            )
        if korean:
            return f"P의 송신 권한은 {holders}에게만 있다. {without}는 부를 디스크립터조차 없어 보낼 수 없다. {last['who']}가 방금 건네거나 받았다."
        return (
            f"Only {holders} can send to P. {without or 'The other'} has no descriptor to send by: the right has to come in a "
            "message first. Hold whoever has it (space)."
        )
    holders = ", ".join(f"{one['process']} (descriptor {one['fd']})" for one in port.facts["receive"])
    count = "?" if port.count is None else port.count
    if not holders:
        return (
            "수신 권한이 메시지 속에 있다. 그 안의 메시지는 그대로 기다린다."
            if korean
            else "The receive right is inside a message, and all that waits in the port with it."
        )
    if korean:
        return f"P의 수신 권한은 {holders}에게 있다. 메시지 {count}개가 큐에 든 채로 넘어왔고 순서도 그대로다."
    return f"{holders} has P's one receive right, handed over with its queue: {count} messages wait now, in order."


def _measured(state: LabState, korean: bool) -> str:
    if variant(state) != "out-of-line":
        return ""
    ways = medians(state)
    fresh, ready = (crossing(ways.get("copied", {}), ways.get(way, {})) for way in ("fresh", "ready"))
    if korean:
        first = (
            f"새 메모리는 {size_text(fresh)}B부터 빠르다"
            if fresh
            else "새로 만든 메모리를 매핑하면 어느 크기에서도 복사보다 느리다"
        )
        second = (
            f"이미 있던 메모리는 {size_text(ready)}B부터 빠르다" if ready else "이미 있던 메모리도 아직 빠르지 않다"
        )
        return f"지금 여기서 잰 결과, 복사와 견주어: {first}(페이지를 만들고 지우는 값). {second}."
    first = (
        f"fresh memory wins from {size_text(fresh)}B on"
        if fresh
        else "fresh memory is slower at every size (its pages have to be made)"
    )
    second = (
        f"memory that is there already wins from {size_text(ready)}B on" if ready else "ready memory does not win yet"
    )
    return f"Measured here and now, against copying: {first}; {second}."


def _looked_up(state: LabState, korean: bool) -> str:
    if variant(state) != "bootstrap":
        return ""
    printer = next((one for one in ports(state) if one.name == "printer"), None)
    mine = [] if printer is None else [one["fd"] for one in printer.facts["send"] if one["process"] == "customer"]
    if not mine:
        return ""
    if korean:
        return (
            f"customer는 printer라는 이름을 물어 송신 권한의 복사본을 받았다: 디스크립터 {mine[0]}번. 원본은 bootstrap이 쥐고 있다. "
            "printer를 죽여 보라(k)."
        )
    return (
        f"customer asked for the name printer and got a copy of its send right: descriptor {mine[0]}. bootstrap keeps its own. "
        "k on printer makes both dead names."
    )


def _plain(state: LabState, korean: bool) -> str:
    name = variant(state)
    if korean:
        return {
            "message": "P는 큐를 가진 포트다. 수신 권한은 receiver 하나, 송신 권한은 sender에게 있다. receiver를 붙잡으면(space) 큐가 찬다.",
            "request-reply": "요청마다 답할 권한이 함께 간다. server는 그 권한으로 한 번 답하고 버린다(send-once).",
            "rights": "alice만 P의 송신 권한을 쥐고 있다. 곧 bob에게 건네고 자기 것은 버린다.",
            "receive-right": "first가 P의 수신 권한을 쥐고 있다. 곧 큐째로 second에게 넘긴다.",
            "full-queue": "receiver가 느려서 P의 큐가 찬다. 6으로 기다림, 시간 초과, 알림을 바꿔 보라.",
            "bootstrap": "printer가 자기 포트를 이름으로 등록하고, customer는 bootstrap에 물어 송신 권한을 받는다.",
        }.get(name, "큰 메시지를 복사할 때와 매핑할 때를 잰다.")
    return {
        "message": "P is a port with a queue: receiver has its one receive right, sender a send right. Hold receiver (space) and the queue fills.",
        "request-reply": "Every request carries a right to answer by. The server answers once by it and drops it: a send-once right.",
        "rights": "Only alice has a send right of P. Soon she gives it to bob, and keeps none.",
        "receive-right": "first has the receive right of P. Soon it hands it to second, with all that waits in the queue.",
        "full-queue": "The receiver is slow, so P's queue fills. 6 switches between waiting, timing out and being told.",
        "bootstrap": "printer registers its port by name; customer asks bootstrap for the name and gets a send right.",
    }.get(name, "Large messages are copied, then mapped, and both are measured.")
