"""The caption of the pane of Windows pipes: what was inherited, how reads meet sends, in English and Korean."""

from __future__ import annotations

from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.winpipe.memory import lost
from ipctui.trace.text import grouped
from ipctui.widgets.sentences import (
    blocked,
    blocked_by_held,
    deadlocked,
    failed,
    first_of,
    killed,
    polling,
    stepping,
    stopped,
)


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        failed, _leaked, deadlocked, stopped, stepping, _refused, killed, blocked_by_held, polling, _ended,
        _inheritance, _instances, _lost,
    )  # fmt: skip
    return first_of(rules, state, language) or _reads(state, language == "ko")


def variant(state: LabState) -> str:
    """The variant that runs."""
    return state.header.variant if state.header is not None else ""


def parameter(state: LabState, name: str, default: Any) -> Any:
    """What a parameter of the session is set to."""
    return (state.header.parameters if state.header is not None else {}).get(name, default)


def is_anonymous(state: LabState) -> bool:
    """Whether it is about inheritance, and not about a name."""
    return variant(state) in ("anonymous", "leaked")


def place(state: LabState) -> dict[str, Any]:
    """The named pipe as it was looked at last: its instances, those taken, and who waits."""
    held = state.channels.get("name")
    return dict(held.now.facts) if held is not None and not held.now.closed else {}


def _leaked(state: LabState, korean: bool) -> str:
    for process, now in blocked(state, "read"):
        if process.role != "child" or not state.facts.get("written") or "itself holds" not in (now.reason or ""):
            continue
        fd = (now.reason or "").rpartition(" ")[2]
        if korean:
            return (
                f"부모가 쓰기 종단을 닫아도 파일 끝이 오지 않는다: 상속시킨 핸들 {fd}번을 child 자신이 쥐고 있다. "
                "child에서 x로 닫으면 끝난다."
            )
        return (
            f"The parent closed the write end, but end of file never comes: handle {fd} was stated inheritable, too, and "
            "child holds it. x on child closes it."
        )
    return ""


def _refused(state: LabState, korean: bool) -> str:
    for role in state.facts.get("refused", {}):
        process = state.processes.get(role)
        if process is not None and process.exited is None:
            if korean:
                return f"{role}의 connect가 거절되었다(ECONNREFUSED): 이 이름의 인스턴스가 하나도 없다. 차례마다 다시 시도한다."
            return f"{role}'s connect is refused (ECONNREFUSED): no instance of the name is left. It tries again at its turn."
    return ""


def _ended(state: LabState, korean: bool) -> str:
    if not state.processes or any(process.exited is None for process in state.processes.values()):
        return ""
    if is_anonymous(state) and state.facts.get("end_of_file"):
        if korean:
            return "부모가 마지막 쓰기 종단을 닫자 child의 read가 파일 끝(0)을 받고 모두 끝났다. v는 쓰기 종단까지 상속시킨다. r로 다시."
        return (
            "The parent closed the last write end, child's read returned 0, end of file, and both ended. "
            "v shows what a leaked write end does; r restarts."
        )
    return "모두 끝났다. r로 다시 시작한다." if korean else "Everybody has ended. r restarts."


def _inheritance(state: LabState, korean: bool) -> str:
    if not is_anonymous(state):
        return ""
    handles, had = state.facts.get("handles", {}), state.facts.get("had", {})
    if not handles:
        return "부모가 핸들을 만든다." if korean else "The parent makes its handles."
    if not state.facts.get("executed"):
        if korean:
            return f"fork는 핸들 {len(handles)}개를 모두 복사한다. execve가 상속하라고 밝힌 것만 남긴다(close-on-exec)."
        return f"fork has copied all {len(handles)} handles. execve will leave only those stated inheritable (close-on-exec off)."
    got = [fd for fd in handles if fd in had]
    without = [f"{fd} ({one['what']})" for fd, one in handles.items() if not one["inherit"]]
    if korean:
        return f"child는 핸들 {len(handles)}개 중 상속하라고 밝힌 {len(got)}개만 받았다. 커널이 execve에서 닫은 것: {', '.join(without)}."
    return (
        f"Of {len(handles)} handles child has got the {len(got)} that were stated inheritable. At execve the kernel closed "
        f"{', '.join(without)}."
    )


def _instances(state: LabState, korean: bool) -> str:
    now = place(state)
    waiting = now.get("waiting", [])
    free = len(now.get("instances", [])) - len(now.get("taken", []))
    if not waiting or free > 0:
        return ""
    who, count = ", ".join(waiting), len(now["instances"])
    if korean:
        return f"인스턴스 {count}개가 모두 사용 중이라 {who}는 빈 인스턴스를 기다린다. 한 클라이언트가 끊으면 그 인스턴스가 받는다."
    return (
        f"All {count} instance{'s are' if count > 1 else ' is'} taken, so {who} waits for a free one. "
        "When a client hangs up, its instance accepts the next."
    )


def _lost(state: LabState, korean: bool) -> str:
    if parameter(state, "peek", "on") == "on" or parameter(state, "mode", "byte") != "message":
        return ""
    size, room, gone = parameter(state, "size", 64), parameter(state, "buffer", 4096), lost(state.facts)
    if not gone:
        return ""
    if korean:
        return (
            f"{grouped(room)}바이트짜리 버퍼로 {grouped(size)}바이트 메시지를 읽는다. 리눅스의 SEQPACKET은 나머지를 버린다: 지금까지 "
            f"{grouped(gone)}바이트. 윈도우라면 ERROR_MORE_DATA로 남는다(7)."
        )
    return (
        f"Messages of {grouped(size)} bytes read into {grouped(room)}: SEQPACKET throws the rest away, {grouped(gone)} "
        "bytes so far. Windows keeps it, and so does peeking first: 7."
    )


def _reads(state: LabState, korean: bool) -> str:
    talks, reads = state.facts.get("talks", {}), state.facts.get("reads", {})
    for talk in talks.values():
        sizes, got = talk["sends"], reads.get(talk["instance"], [])
        if len(sizes) < 2 or not got:
            continue
        sent, came = " + ".join(map(str, sizes[-3:])), " + ".join(map(str, got[-3:]))
        if parameter(state, "mode", "byte") == "message":
            parts = -(-max(got) // max(1, int(parameter(state, "buffer", 4096))))
            if korean:
                more = f" 버퍼가 작아 한 메시지를 {parts}번에 나누어 읽는다(먼저 peek)." if parts > 1 else ""
                return f"메시지 모드: 셋으로 보낸 것이 셋으로 온다({came}).{more}"
            more = f"; each is had in {parts} reads, its length peeked at first" if parts > 1 else ""
            return f"Message mode: three sends come as three messages ({came}), edges kept{more}."
        if len(got) == 1:
            if korean:
                return f"바이트 모드: {sent}로 세 번 보낸 것을 한 번에 {came}바이트로 읽었다. 경계는 없다. 6으로 메시지 모드."
            return f"Byte mode: three sends ({sent}) were read as one ({came} bytes): a stream has no edges. 6: message mode."
    if korean:
        return "클라이언트가 이름을 열고, 세 번씩 보내고, 같은 객체로 답을 받는다(전이중)."
    return "A client opens the name, sends three at a time, and gets the answer through the same object: full duplex."
