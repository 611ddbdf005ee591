"""The caption of the pipe's pane: one sentence that says what is going on and why, in English and Korean.

Small rules over the state, the most telling first. Nothing is inferred: a sentence about blocking repeats what the
kernel said.
"""

from __future__ import annotations

from ipctui.lab.state import LabState, cycle
from ipctui.trace.records import Channel, State
from ipctui.trace.text import grouped
from ipctui.widgets.card import operation_text
from ipctui.widgets.sentences import blocked, failed, first_of, is_held, killed, polling, stepping, stopped, torn


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        _deadlock,
        _never_ends,
        _killed_by_write,
        killed,
        failed,
        stopped,
        stepping,
        torn,
        _strangers,
        _blocked_writer,
        _blocked_reader,
        polling,
        _all_ended,
    )
    said = first_of(rules, state, language)
    if said:
        return said
    return (
        "바이트가 파이프를 지나간다. space로 한 프로세스를 붙잡으면 다른 쪽에 무슨 일이 생기는지 보인다."
        if language == "ko"
        else "Bytes pass through the pipe. Hold a process with space and watch what the kernel does to the other."
    )


def _deadlock(state: LabState, korean: bool) -> str:
    ring = cycle(state)
    if not ring:
        return ""
    steps = []
    for role, waker in zip(ring, (*ring[1:], ring[0]), strict=True):
        process = state.processes[role]
        call = operation_text(process.state) if process.state is not None else "?"
        steps.append(f"{role} {call} → {waker}")
    way = ", ".join(steps)
    both_write = all(
        (process := state.processes[role]).state is not None
        and process.state is not None
        and process.state.before is not None
        and process.state.before.name == "write"
        for role in ring
    )
    if korean:
        why = "둘 다 읽기 전에 파이프 용량보다 많이 썼다" if both_write else "서로가 상대의 다음 호출을 기다린다"
        return f"교착 상태: {way}. {why}; 바깥에서 하나를 끝내기 전에는 아무도 깨어나지 않는다."
    why = "each wrote more than its pipe holds before reading" if both_write else "each waits for the other's next call"
    return f"Deadlock: {way}: {why}. Nobody wakes until one is ended from outside (k kills)."


def _never_ends(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "read"):
        channel = _channel(state, now)
        if channel is None or channel.writers != (process.role,):
            continue
        own = next((row.fd for row in process.descriptors if row.object == now.object and row.end == "write"), None)
        if own is None:
            continue
        if korean:
            return (
                f"{process.role}의 read는 파일 끝을 만나지 못한다: 자신이 쓰기 종단 {own}번을 아직 열어 두었기 때문이다. "
                f"{process.role}를 고르고 x로 {own}번을 닫으면 끝난다."
            )
        return (
            f"End of file never comes: {process.role} itself still holds the write end, descriptor {own}. "
            f"Select {process.role} and close {own} with x."
        )
    return ""


def _killed_by_write(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        if process.exited is None or process.status != "signal SIGPIPE":
            continue
        if korean:
            return f"{process.role}는 읽는 쪽이 없는 파이프에 썼고, 커널이 SIGPIPE로 끝냈다. r로 다시 시작한다."
        return f"{process.role} wrote to a pipe that nobody can read: the kernel killed it with SIGPIPE. r restarts."
    return ""


def _strangers(state: LabState, korean: bool) -> str:
    """A process that is no worker and holds an end: it takes bytes, or keeps end of file away."""
    for held in state.channels.values():
        channel = held.now
        if channel.closed:
            continue
        reading = next((name for name in channel.readers if name.startswith("pid ")), "")
        writing = next((name for name in channel.writers if name.startswith("pid ")), "")
        if reading:
            if korean:
                return f"실험실 밖의 프로세스 {reading}도 읽기 종단을 쥐고 있다: 바이트는 먼저 읽는 쪽에만 가고, 다른 쪽은 그것을 보지 못한다."
            return (
                f"A process from outside, {reading}, holds the read end, too: each byte goes to whoever reads first, "
                "and the other never sees it."
            )
        if writing:
            if korean:
                return (
                    f"실험실 밖의 프로세스 {writing}도 쓰기 종단을 쥐고 있다: 그것이 닫기 전에는 파일 끝이 오지 않는다."
                )
            return (
                f"A process from outside, {writing}, holds the write end, too: until it closes that, end of file does "
                "not come."
            )
    return ""


def _blocked_writer(state: LabState, korean: bool) -> str:
    found = blocked(state, "write")
    if not found:
        return ""
    process, now = found[0]
    channel = _channel(state, now)
    if channel is None:
        return ""
    held = [role for role in now.wakers if is_held(state, role)]
    slots = f"{channel.slots_used}/{channel.slots}" if channel.slots_used is not None else "?"
    call = operation_text(now)
    fill = f"{grouped(channel.used or 0)}/{grouped(channel.capacity or 0)}"
    others = len(found) - 1
    more = (f" ({others} more)" if not korean else f" (외 {others})") if others else ""
    if korean:
        text = f"파이프의 슬롯 {slots}개가 찼다({fill}바이트). 커널이 {process.role}{more}를 {call}에서 재웠다."
        if now.progress is not None:
            text += f" 메시지는 {grouped(now.progress[0])}/{grouped(now.progress[1])}바이트만 들어갔다."
        if held:
            return text + f" {held[0]}의 read가 깨울 텐데 붙잡혀 있다({held[0]}에서 space)."
        return text + (f" {now.wakers[0]}의 read가 깨운다." if now.wakers else "")
    taken = "one slot is" if channel.slots == 1 else f"{slots} slots are"
    if channel.packets:
        taken = f"{slots} slots, a packet in each, are"
    text = f"The pipe's {taken} taken, {fill} bytes: the kernel put {process.role}{more} to sleep in {call}."
    if now.progress is not None:
        text += f" {grouped(now.progress[0])} of its {grouped(now.progress[1])} bytes are in."
    if held:
        return text + f" A read by {held[0]} would wake it, but you hold {held[0]} (space)."
    return text + (f" A read by {now.wakers[0]} would wake it." if now.wakers else "")


def _blocked_reader(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "read"):
        held = [role for role in now.wakers if is_held(state, role)]
        if not held:
            continue
        call = operation_text(now)
        if korean:
            return f"파이프가 비어 커널이 {process.role}를 {call}에서 재웠다. {held[0]}의 write가 깨울 텐데 붙잡혀 있다({held[0]}에서 space)."
        return (
            f"The pipe is empty, so the kernel put {process.role} to sleep in {call}. "
            f"A write by {held[0]} would wake it, but you hold {held[0]} (space)."
        )
    return ""


def _all_ended(state: LabState, korean: bool) -> str:
    if not state.processes or any(process.exited is None for process in state.processes.values()):
        return ""
    if korean:
        return "모두 끝났고, 마지막 종단이 닫히면서 파이프도 사라졌다. r로 다시 시작한다."
    return "Everybody has ended, and with its last descriptor the pipe itself is gone. r restarts."


def _channel(state: LabState, now: State) -> Channel | None:
    held = state.channels.get(now.object or "")
    return held.now if held is not None else None
