"""The caption of ALPC's pane: which way the messages take and why, who is refused what, in English and Korean."""

from __future__ import annotations

from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.alpc.handshake import COPIES
from ipctui.trace.text import grouped
from ipctui.widgets.sentences import (
    blocked_by_held,
    deadlocked,
    ended,
    failed,
    first_of,
    polling,
    stepping,
    stopped,
)
from ipctui.widgets.sizes import crossing, size_text, time_text


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        deadlocked, failed, _killed, stopped, stepping, _shrunk, _no_server, _unread, _refused, blocked_by_held,
        polling, ended, _measured, _connecting,
    )  # fmt: skip
    return first_of(rules, state, language) or _way(state, language == "ko")


def parameter(state: LabState, name: str, default: Any) -> Any:
    """What a parameter of the session is set to."""
    return (state.header.parameters if state.header is not None else {}).get(name, default)


def variant(state: LabState) -> str:
    """The variant that runs."""
    return state.header.variant if state.header is not None else ""


def rows(state: LabState) -> list[dict[str, Any]]:
    """What the clients have measured: way, size, count, last, median, least."""
    held = state.channels.get("measures")
    return list(held.now.facts["rows"]) if held is not None else []


def medians(state: LabState) -> dict[str, dict[int, int]]:
    """By way, the median time of each size, nanoseconds."""
    ways: dict[str, dict[int, int]] = {}
    for row in rows(state):
        ways.setdefault(row["way"], {})[row["size"]] = row["median"]
    return ways


def latest(state: LabState) -> dict[str, Any] | None:
    """The message measured last."""
    held = state.channels.get("measures")
    return held.now.facts.get("latest") if held is not None else None


def _killed(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        status = process.status or ""
        if process.exited is None or not status.startswith("signal "):
            continue
        name, who = status.removeprefix("signal "), process.role
        if who == "server":
            if korean:
                return f"server가 {name}로 끝났다. 연결 포트도 사적인 포트도 함께 사라졌고, 클라이언트는 ECONNREFUSED를 받는다. r로 다시 시작한다."
            return (
                f"The server was ended by {name}, and its ports with it: clients that ask again get ECONNREFUSED. "
                "r restarts."
            )
        if korean:
            return (
                f"{who}는 {name}로 끝났다. 커널이 포트를 끊어 server의 poll을 깨우고, server는 섹션 매핑과 포트를 닫는다. "
                "새는 디스크립터는 없다."
            )
        return (
            f"{who} was ended by {name}: the kernel hangs up its port, the server's poll says so, and the server "
            "unmaps its section and closes the port. Nothing is left open."
        )
    return ""


def _shrunk(state: LabState, korean: bool) -> str:
    for command in reversed(state.commands[-1:]):
        if not command.command.startswith("shrink") or state.t - command.t > 6_000_000_000:
            continue
        if "EPERM" in (command.outcome or ""):
            if korean:
                return "섹션을 0바이트로 줄이려 했지만 커널이 EPERM으로 거절했다: F_SEAL_SHRINK로 봉인되어 있어, 읽는 쪽이 SIGBUS로 죽을 일이 없다."
            return (
                "The section was to be cut to nothing under its reader: ftruncate fails with EPERM, for F_SEAL_SHRINK "
                "seals it. Unsealed, the reader's next load would be its death by SIGBUS."
            )
    return ""


def _no_server(state: LabState, korean: bool) -> str:
    for role, made in state.facts.get("made", {}).items():
        process = state.processes.get(role)
        if made["outcome"] != "no server" or process is None or process.exited is not None:
            continue
        if korean:
            return (
                f"{role}의 connect가 거절되었다(ECONNREFUSED): 연결 포트를 공표한 서버가 없다. 차례마다 다시 시도한다."
            )
        return f"{role} opens the connection port and is refused (ECONNREFUSED): nobody has published it. It tries again at its turn."
    return ""


def _unread(state: LabState, korean: bool) -> str:
    now, why = latest(state), state.facts.get("why", "")
    if now is None or now["way"] != "pieces" or not why:
        return ""
    if why == "unsealed":
        small = parameter(state, "small", 256)
        if korean:
            return (
                f"server가 봉인되지 않은 섹션을 거절한다: 줄어들면 읽다가 SIGBUS로 죽기 때문이다. "
                f"메시지는 {grouped(small)}바이트 조각으로 포트를 지난다."
            )
        return (
            "The server refuses a section that is not sealed: it could shrink, and reading it would be death by "
            f"SIGBUS. The message goes through the port in pieces of {grouped(small)} bytes."
        )
    section = parameter(state, "section", 4096)
    if korean:
        return (
            f"process_vm_readv가 {why}로 거절되었다. 같은 사용자이고 들여다볼 수 있는(dumpable) 프로세스이거나 CAP_SYS_PTRACE가 "
            f"있어야 한다(ptrace(2)). 메시지는 섹션으로 {grouped(section)}바이트씩 나뉘어 간다."
        )
    return (
        f"process_vm_readv is refused ({why}): it needs the same user and a dumpable client (under Yama an ancestor or "
        f"PR_SET_PTRACER), or CAP_SYS_PTRACE. The message goes in pieces of {grouped(section)} bytes through the section."
    )


def _refused(state: LabState, korean: bool) -> str:
    made = state.facts.get("made", {})
    out = [role for role, one in made.items() if one["outcome"] == "refused" and role in state.processes]
    if not out:
        return ""
    were = "were" if len(out) > 1 else "was"
    inside = ", ".join(role for role, one in made.items() if one["outcome"] == "accepted") or "nobody"
    most = parameter(state, "accepts", 1)
    if korean:
        return (
            f"{', '.join(out)}가 요청했지만 거절되었다: server는 클라이언트를 {most}개까지 받고 지금은 {inside}가 있다. "
            f"핸들을 받지 못했으니 아무것도 보낼 수 없다. {inside}를 죽이면(k) 자리가 난다."
        )
    return (
        f"{', '.join(out)} asked and {were} refused: the server takes {most}, and has {inside}. Without a handle there is "
        f"nothing to send through. k on {inside} makes room."
    )


def _measured(state: LabState, korean: bool) -> str:
    if variant(state) != "measure":
        return ""
    ways = medians(state)
    said = []
    for name, way in (
        (("섹션", "section"), ("직접 읽기", "direct"))
        if korean
        else (("the section", "section"), ("direct reading", "direct"))
    ):
        common = set(ways.get("copied", {})) & set(ways.get(way, {}))
        size = crossing(ways.get("copied", {}), ways.get(way, {}))
        if korean:
            word = (
                f"{size_text(size)}B부터 빠름"
                if size
                else f"{size_text(max(common))}B에서 느림"
                if common
                else "아직 재지 않음"
            )
        else:
            word = (
                f"wins from {size_text(size)}B on"
                if size
                else f"loses at {size_text(max(common))}B"
                if common
                else "is still to come"
            )
        said.append(f"{name} {word}")
    if korean:
        return f"지금 여기서 복사와 견주어 잰 결과: {', '.join(said)}. 메모리는 데워 두었고 모든 페이지를 만진다."
    return f"Here and now, against copying: {', '.join(said)}. Warm memory, every page touched."


def _connecting(state: LabState, korean: bool) -> str:
    if variant(state) != "connect":
        return ""
    made = state.facts.get("made", {})
    role, one = next(iter(made.items()), ("", None))
    if one is None:
        return ""
    steps = one["steps"]
    if "port" in steps:
        if korean:
            return f"{role}는 사적인 포트의 핸들을 받았다. 이제 연결 포트는 쓰지 않는다. 메시지 세 개 뒤에 끊고 다시 요청한다."
        return (
            f"{role} holds the handle of a private port; the connection port is out of it now. After three messages it "
            "hangs up and asks again."
        )
    if "handle" in steps:
        if korean:
            return f"server가 socketpair로 한 쌍을 만들어 한쪽 종단을 SCM_RIGHTS로 보냈다. {role}가 recvmsg로 받으면 그 포트를 갖는다."
        return f"The server has made a pair and sent one end of it with SCM_RIGHTS. {role} has it once its recvmsg returns."
    if korean:
        return f"{role}가 연결 포트를 열고 채널을 요청한다. server는 받아들이거나 거절한다."
    return f"{role} opens the connection port and asks for a channel; the server accepts or refuses."


def _way(state: LabState, korean: bool) -> str:
    now = latest(state)
    small, section = parameter(state, "small", 256), parameter(state, "section", 4096)
    if now is None:
        return (
            "클라이언트가 서버의 연결 포트를 열고 채널을 요청한다."
            if korean
            else "A client opens the server's connection port and asks for a channel."
        )
    size, way, time = grouped(now["size"]), now["way"], time_text(now["last"])
    copies = COPIES.get(way, 2)
    if korean:
        text = {
            "port": f"{size}바이트, {grouped(small)}(교재의 값) 이하: 포트의 큐를 지나며 커널이 {copies}번 복사한다",
            "section": f"{size}바이트, {grouped(small)} 초과: 양쪽이 매핑한 섹션에 놓인다. 복사는 프로그램이 한다",
            "direct": f"{size}바이트, 섹션의 {grouped(section)} 초과: 클라이언트 메모리를 직접 읽는다. 커널이 한 번 복사",
        }.get(way, "")
        return f"{text}: {time}. ]와 [로 크기를 바꾼다."
    text = {
        "port": f"{size} bytes, up to {grouped(small)} (the textbook's figure): through the port, copied {copies} times by the kernel",
        "section": f"{size} bytes, more than {grouped(small)}: in the section that both map, copied by the programs, not by the kernel",
        "direct": f"{size} bytes, more than the section's {grouped(section)}: read in the client's own memory, one copy by the kernel",
    }.get(way, "")
    return f"{text}: {time}. ] and [ change the size."
