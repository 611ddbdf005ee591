"""The caption of the FIFO's pane: one sentence that says what is going on and why, in English and Korean.

Small rules over the state, the most telling first. Nothing is inferred: a sentence about blocking repeats what the
kernel said.
"""

from __future__ import annotations

import os

from ipctui.lab.state import LabState, ProcessState, cycle
from ipctui.lab.streams import PIPE_BUF
from ipctui.trace.records import Channel, State
from ipctui.trace.text import grouped
from ipctui.widgets.card import operation_text
from ipctui.widgets.sentences import blocked, failed, first_of, is_held, stepping, stopped

_LONGEST = 21
"""Characters of a name that a narrow box has room for."""
_NEWS = 2_000_000_000
"""Nanoseconds for which a torn message is news."""


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        failed,
        _killed_by_write,
        _deadlock,
        stopped,
        stepping,
        _waits_in_open,
        _own_message,
        _torn,
        _keeps_itself_waiting,
        _kept_full,
        _empty,
        _nameless,
        _full,
        _stranger,
        _refused,
        _empty_reads,
        _outlived,
        _turns,
        _shared_out,
    )
    said = first_of(rules, state, language)
    if said:
        return said
    return (
        "이름만 아는 두 프로세스 사이로 바이트가 지나간다. k로 둘 다 끝내도 파일은 남고, 7은 이름만 지운다."
        if language == "ko"
        else "Bytes pass between processes that share only a name. Kill both (k): the file stays. 7 unlinks the name."
    )


def _living(state: LabState) -> list[Channel]:
    return [held.now for held in state.channels.values() if not held.now.closed]


def short(path: str | None) -> str:
    """A file's name; of a long one the beginning and the end, where names of one session differ."""
    name = os.path.basename(path or "?")
    return name if len(name) <= _LONGEST else f"{name[:7]}…{name[8 - _LONGEST :]}"


def _nameless(state: LabState, korean: bool) -> str:
    """A FIFO that lost its name while it is open: the object lives on, and the name leads elsewhere or nowhere."""
    for channel in _living(state):
        if channel.facts.get("named"):
            continue
        who = list(dict.fromkeys((*channel.writers, *channel.readers)))
        instead = channel.facts.get("instead")
        ours = channel.facts.get("by_us")
        if korean:
            text = "이름을 unlink했다." if ours else "다른 누군가가 파일을 지웠다."
            text += f" {', '.join(who[:3])}가 연 FIFO는 마지막 close까지 남는다." if who else ""
            if instead:
                return f"{text} 이제 그 이름에는 다른 것({instead})이 있고, 새 open()은 그것을 연다."
            return f"{text} 새 open()은 ENOENT로 실패하고, mkfifo()는 다른 FIFO를 만든다."
        text = "You unlinked the name:" if ours else "A stranger deleted the file:"
        text += f" the FIFO that {' and '.join(who[:3])} {_have(who)} open lives until the last close." if who else ""
        if instead:
            return f"{text} {instead[:1].upper()}{instead[1:]} has the name now: a new open() would open that."
        return f"{text} A new open() fails with ENOENT, and mkfifo() would make another FIFO."
    return ""


def _have(who: list[str]) -> str:
    return "has" if len(who) == 1 else "have"


def _deadlock(state: LabState, korean: bool) -> str:
    ring = cycle(state)
    if not ring:
        return ""
    if not all((now := state.processes[role].state) and now.before and now.before.name == "open" for role in ring):
        way = " → ".join(
            f"{role} {operation_text(now)}" for role in ring if (now := state.processes[role].state) is not None
        )
        if korean:
            return f"교착 상태: {way} → {ring[0]}. 바깥에서 하나를 끝내기 전에는 아무도 깨어나지 않는다(k)."
        return f"Deadlock: {way} → {ring[0]}. Nobody wakes until one is ended from outside (k kills)."
    steps = []
    for role, other in zip(ring, (*ring[1:], ring[0]), strict=True):
        now = state.processes[role].state
        place = short(now.object if now is not None else None)
        steps.append(f"{role} {place} ({other})" if korean else f"{role} in open({place}) for {other}")
    if korean:
        return f"교착 상태: open()에서 서로를 기다린다: {', '.join(steps)}. 둘 다 같은 순서로 열면 풀린다."
    return f"Deadlock: {', '.join(steps)}: each sleeps until the other opens it. Both must open the FIFOs in the same order."


def _killed_by_write(state: LabState, korean: bool) -> str:
    named = any(channel.facts.get("named") for channel in _living(state))
    for process in state.processes.values():
        if process.exited is None or process.status != "signal SIGPIPE":
            continue
        if korean:
            file = " 파일은 그대로 있다." if named else ""
            return f"{process.role}는 읽는 쪽이 없는 FIFO에 썼고, 커널이 SIGPIPE로 끝냈다.{file} r로 다시 시작한다."
        file = " The file is still there." if named else ""
        return f"{process.role} wrote to a FIFO that nobody reads: the kernel killed it with SIGPIPE.{file} r restarts."
    return ""


def _waits_in_open(state: LabState, korean: bool) -> str:
    """Somebody sleeps in open(2) for a partner who is not on the way."""
    for process, now in blocked(state, "open"):
        if state.header is not None and state.header.variant == "turns" and not _stuck(state, now):
            continue
        why = now.reason or ""
        coming = [role for role in now.wakers if not _runs(state, role)]
        if "name is gone" in why:
            if korean:
                return f"{process.role}는 open()에서 자고 있는데 이름이 지워졌다. 반대쪽을 열 프로세스가 찾아올 수 없어 영영 깨지 못한다."
            return f"{process.role} sleeps in open() and the name is gone: nobody can come to open the other end."
        held = [role for role in now.wakers if is_held(state, role)]
        reads = "for reading" in why
        if korean:
            end, flag = ("읽기", "O_RDONLY") if reads else ("쓰기", "O_WRONLY")
            text = f"커널이 {process.role}를 open()에서 재웠다: 아무도 이 FIFO를 {end}용으로 열지 않았다."
            if held:
                return f"{text} {held[0]}가 열 텐데 붙잡혀 있다({held[0]}에서 space)."
            if coming:
                return f"{text} 6을 누르면 {coming[0]}가 와서 open({flag})을 부르고, 둘 다 깨어난다."
            return f"{text} {' 또는 '.join(now.wakers[:2]) or '누군가'}의 open({flag})이 깨운다."
        end, flag = ("reading", "O_RDONLY") if reads else ("writing", "O_WRONLY")
        text = f"The kernel put {process.role} to sleep in open(): nobody has this FIFO open for {end}."
        if held:
            return f"{text} {held[0]} would open it, but you hold {held[0]} (space)."
        if coming:
            return f"{text} 6 starts {coming[0]}, whose open({flag}) lets both go."
        return f"{text} An open({flag}) by {' or '.join(now.wakers[:2]) or 'anybody'} wakes it."
    return ""


def _stuck(state: LabState, now: State) -> bool:
    """Whether none of those who could wake it is on its way."""
    return not any(_runs(state, role) and not is_held(state, role) for role in now.wakers)


def _own_message(state: LabState, korean: bool) -> str:
    own = state.facts.get("own", {})
    for role, times in own.items():
        process = state.processes.get(role)
        if process is None or process.exited is not None:
            continue
        if korean:
            return (
                f"{role}가 자기가 쓴 메시지를 {grouped(times)}번 도로 읽었다: FIFO는 누가 썼는지 모르고 먼저 읽는 쪽에 준다. "
                "한 FIFO로 양쪽 다 말하려면 차례를 지켜야 한다(반이중)."
            )
        return (
            f"{role} has read its own message {grouped(times)} times: a FIFO does not know who wrote, it gives to "
            "whoever reads first. Both ways through one FIFO need turns (half duplex)."
        )
    return ""


def _torn(state: LabState, korean: bool) -> str:
    """Messages came in pieces, or no more, since none is larger than PIPE_BUF: while nobody is held, for that is news."""
    found = [(role, count, t) for role, (count, t) in state.facts.get("torn", {}).items() if count]
    if not found or any(is_held(state, role) for role in state.processes):
        return ""
    role, count, t = max(found, key=lambda each: each[2])
    counters = state.processes[role].counters if role in state.processes else None
    every = grouped(counters.received if counters is not None else count)
    sizes = [process.settings.size for process in _senders(state) if process.settings is not None]
    if sizes and max(sizes) <= PIPE_BUF and state.t - t > _NEWS:
        if korean:
            return (
                f"이제 찢어지지 않는다: 모든 write가 PIPE_BUF({grouped(PIPE_BUF)}바이트) 이하라 커널이 나누지 않는다. "
                f"그 전에는 {grouped(count)}개가 찢어졌다(받은 것 {every}개)."
            )
        return (
            f"None is torn any more: every write is at most PIPE_BUF ({grouped(PIPE_BUF)} bytes), which the kernel "
            f"never takes apart. {grouped(count)} of {every} came torn before."
        )
    larger = next((process.role for process in _senders(state) if _size(process) > PIPE_BUF), "")
    if korean:
        hint = f" {larger}를 고르고 [ 를 누르면 메시지가 작아진다." if larger else ""
        return (
            f"받은 메시지 {every}개 중 {grouped(count)}개가 찢어졌다: PIPE_BUF({grouped(PIPE_BUF)}바이트)보다 큰 write "
            f"사이에는 다른 프로세스의 바이트가 끼어들 수 있다.{hint}"
        )
    hint = f" Select {larger}, and [ halves its messages." if larger else ""
    return (
        f"{grouped(count)} of {every} messages came torn: between the bytes of a write larger than PIPE_BUF "
        f"({grouped(PIPE_BUF)}) the kernel may put another's.{hint}"
    )


def _senders(state: LabState) -> list[ProcessState]:
    """The living processes that have written."""
    return [
        process
        for process in state.processes.values()
        if process.exited is None and process.counters is not None and process.counters.sent
    ]


def _size(process: ProcessState) -> int:
    return process.settings.size if process.settings is not None else 0


def _keeps_itself_waiting(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "read"):
        if "no end of file while" not in (now.reason or ""):
            continue
        if korean:
            return f"{process.role}의 read는 파일 끝을 만나지 못한다: O_RDWR로 열어 자신이 쓰는 쪽이기도 하기 때문이다."
        return f"End of file never comes to {process.role}: opened with O_RDWR, it is itself a writer."
    return ""


def _full(state: LabState, korean: bool) -> str:
    found = blocked(state, "write")
    if not found:
        return ""
    process, now = found[0]
    channel = next((one for one in _living(state) if one.name == now.object), None)
    if channel is None:
        return ""
    held = [role for role in now.wakers if is_held(state, role)]
    fill = f"{grouped(channel.used or 0)}/{grouped(channel.capacity or 0)}"
    call = operation_text(now)
    if korean:
        also = f" 외 {len(found) - 1}개" if len(found) > 1 else ""
        text = f"FIFO가 찼다({fill}바이트). 커널이 {process.role}{also}를 {call}에서 재웠다."
        if held:
            return f"{text} {held[0]}의 read가 깨울 텐데 붙잡혀 있다({held[0]}에서 space)."
        return text + (f" {now.wakers[0]}의 read가 깨운다." if now.wakers else "")
    also = f" and {len(found) - 1} more" if len(found) > 1 else ""
    text = f"The FIFO is full ({fill} bytes): the kernel put {process.role}{also} to sleep in {call}."
    if held:
        return f"{text} A read by {held[0]} would wake it, but you hold {held[0]} (space)."
    return text + (f" A read by {now.wakers[0]} would wake it." if now.wakers else "")


def _kept_full(state: LabState, korean: bool) -> str:
    """Full, because the user holds who would read: that is news whatever else is so."""
    return _full(state, korean) if any(is_held(state, role) for role in state.processes) else ""


def _empty(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "read"):
        held = [role for role in now.wakers if is_held(state, role)]
        if not held:
            continue
        call = operation_text(now)
        if korean:
            return f"FIFO가 비어 커널이 {process.role}를 {call}에서 재웠다. {held[0]}의 write가 깨울 텐데 붙잡혀 있다({held[0]}에서 space)."
        return (
            f"The FIFO is empty, so the kernel put {process.role} to sleep in {call}. A write by {held[0]} would wake "
            f"it, but you hold {held[0]} (space)."
        )
    return ""


def _stranger(state: LabState, korean: bool) -> str:
    """Somebody who is no worker and takes part."""
    for channel in _living(state):
        for who in (*channel.readers, *channel.writers):
            if not who.startswith("pid "):
                continue
            reads = who in channel.readers
            if korean:
                what = "그것이 읽은 메시지는 다른 누구도 받지 못한다" if reads else "그것이 쓴 바이트도 함께 온다"
                return f"워커가 아닌 {who}도 이 FIFO를 {'읽기' if reads else '쓰기'}용으로 열었다. {what}."
            what = "what it reads reaches nobody else" if reads else "its bytes come among the others'"
            end = "reading" if reads else "writing"
            return f"{who} is none of the workers and has this FIFO open for {end}: {what}."
    return ""


def _refused(state: LabState, korean: bool) -> str:
    """ENXIO is news while nobody reads."""
    if any(channel.readers for channel in _living(state)):
        return ""
    for process in state.processes.values():
        times = _errors(process, "open", "ENXIO")
        if not times or process.exited is not None:
            continue
        if korean:
            return f"{process.role}의 open(O_WRONLY|O_NONBLOCK)은 기다리지 않고 ENXIO로 {grouped(times)}번 실패했다: 읽으려고 연 쪽이 없다."
        return (
            f"{process.role} opens with O_WRONLY|O_NONBLOCK: without a reader the kernel does not let it wait, it fails "
            f"with ENXIO ({grouped(times)} times)."
        )
    return ""


def _empty_reads(state: LabState, korean: bool) -> str:
    if state.header is None or state.header.variant != "nonblocking-open":
        return ""
    living = _living(state)
    if any(process.pid and process.role == "rdwr" for process in state.processes.values()) and living:
        if korean:
            return "rdwr가 O_RDWR로 열어 두었다: 이제 ENXIO도 빈 read도 없다. 대신 파일 끝이 없고, 메시지를 reader와 나눠 가진다."
        return (
            "rdwr has it open with O_RDWR: no more ENXIO, no empty reads, but no end of file either, and it takes "
            "messages meant for reader."
        )
    for channel in living:
        if channel.readers and not channel.writers:
            if korean:
                return "쓰는 쪽이 없으면 논블로킹 read는 0을 돌려준다: 파일 끝과 구별되지 않는다. 쓰는 쪽이 열면 EAGAIN으로 바뀐다."
            return (
                "No writer: a non-blocking read returns 0, which looks like end of file. With a silent writer it is "
                "EAGAIN instead."
            )
        if channel.readers:
            if korean:
                return "쓰는 쪽이 있으면 빈 FIFO의 논블로킹 read는 EAGAIN(∅)이다. 쓰는 쪽이 닫으면 0이 된다."
            return (
                "A writer has it open: a read of the empty FIFO gives EAGAIN (∅). When the writer closes, it gives 0."
            )
    return ""


def _outlived(state: LabState, korean: bool) -> str:
    if not state.processes or any(process.exited is None and process.pid for process in state.processes.values()):
        return ""
    if not any(channel.facts.get("named") for channel in _living(state)):
        return (
            "모두 끝났고 이름도 없다. r로 다시 시작한다."
            if korean
            else "Everybody has ended and the name is gone, too. r restarts."
        )
    if korean:
        return "모두 끝났지만 파일은 그대로 있다: 이름은 프로세스보다 오래 산다. 버퍼에 남았던 바이트는 마지막 close와 함께 사라졌다."
    return (
        "Everybody has ended and the file is still there: the name outlives every process. Bytes that were in it went "
        "with the last close. r restarts."
    )


def _turns(state: LabState, korean: bool) -> str:
    if state.header is None or state.header.variant != "turns":
        return ""
    if korean:
        return "한 FIFO로 말하고, 닫고(이상!), 다시 열어 듣는다. 차례는 open()이 맞춰 준다. 8을 누르면 제 차례 전에 읽는다."
    return (
        'One FIFO, in turns: speak, close ("over"), open it again to listen; open() keeps the turns. 8 reads too early.'
    )


def _shared_out(state: LabState, korean: bool) -> str:
    if state.header is None or state.header.variant != "many-readers":
        return ""
    counts = ", ".join(
        f"{process.role} {grouped(process.counters.received)}"
        for process in state.processes.values()
        if process.counters is not None and process.counters.received
    )
    if not counts:
        return ""
    if korean:
        return f"메시지마다 읽는 쪽 하나만 받는다: 복사가 아니라 나눠 갖는다({counts})."
    return f"Each message goes to one reader: they share the messages out, nobody gets a copy ({counts})."


def _errors(process: ProcessState, call: str, name: str) -> int:
    if process.counters is None:
        return 0
    return sum(row.errors.get(name, 0) for row in process.counters.calls if row.name == call)


def _runs(state: LabState, role: str) -> bool:
    process = state.processes.get(role)
    return process is not None and bool(process.pid) and process.exited is None
