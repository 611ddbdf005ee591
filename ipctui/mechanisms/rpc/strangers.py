"""What came to a server that no client of ours sends: noise, wrong calls, floods; a sentence each, in two languages."""

from __future__ import annotations

from ipctui.lab.state import LabState
from ipctui.mechanisms.rpc.memory import counted
from ipctui.mechanisms.rpc.server import CONNECTIONS
from ipctui.trace.text import grouped
from ipctui.worker.onc_rpc import LARGEST

_FRESH = 6_000_000_000
"""Nanoseconds for which it is what the sentence is about."""
_REFUSALS = {
    "PROG_UNAVAIL": ("no such program here", "그런 프로그램이 없다"),
    "PROG_MISMATCH": ("another version; the answer says which there are", "다른 버전이다. 있는 버전을 답으로 알린다"),
    "PROC_UNAVAIL": ("no such procedure", "그런 프로시저가 없다"),
    "GARBAGE_ARGS": ("its argument is no XDR of that procedure's", "인자가 그 프로시저의 XDR이 아니다"),
    "SYSTEM_ERR": ("the server could not", "서버가 할 수 없었다"),
    "RPC_MISMATCH": ("RPC of another version than 2", "RPC의 버전이 2가 아니다"),
    "AUTH_ERROR": ("a credential that nobody here takes", "받아들일 수 없는 자격 증명이다"),
}
"""What RFC 5531 answers, and what it means."""
_OTHERS = {
    "refused oversized record": (
        f"A record that claims more than {grouped(LARGEST)} bytes came to {{who}}, which hung up on that connection.",
        f"{grouped(LARGEST)}바이트보다 길다는 레코드가 {{who}}에 왔다. 그 연결을 끊었다.",
    ),
    "truncated record": (
        "A connection to {who} ended in the midst of a record: what had come of it is thrown away.",
        "{who}에 온 연결이 레코드 중간에 끝났다. 온 데까지는 버린다.",
    ),
    "too many connections": (
        f"More than {CONNECTIONS} connections to {{who}}: the oldest one makes room for the new one.",
        f"{{who}}에 온 연결이 {CONNECTIONS}개를 넘었다. 가장 오래된 것을 끊어 자리를 만든다.",
    ),
    "never reads": (
        "A client of {who} does not read its answers: it was hung up on, or all others would wait with it.",
        "{who}의 한 클라이언트가 답을 읽지 않는다. 모두가 기다리게 되므로 그 연결을 끊었다.",
    ),
}


def strange(state: LabState, korean: bool) -> str:
    """The sentence about the latest of these, "" where there was none lately."""
    heard = state.facts.get("heard", {})
    known = [name for name in heard if name == "noise" or name in _OTHERS or name.removeprefix("refused ") in _REFUSALS]
    name = max(known, key=lambda name: heard[name]["t"], default="")
    if not name or state.t - heard[name]["t"] > _FRESH:
        return ""
    who = heard[name]["process"]
    goes_on = "그대로 일한다." if korean else f"The {who} goes on."
    if name in _OTHERS:
        said = _OTHERS[name][korean].format(who=who)
    elif name == "noise":
        size, count = heard[name]["number"], max(1, counted(state.facts, "noise"))
        if korean:
            said = f"{who}에 RPC 호출이 아닌 {grouped(size)}바이트가 왔다(지금까지 {grouped(count)}번). 답하지 않는다."
        else:
            said = (
                f"{grouped(size)} bytes that are no call came to {who} ({grouped(count)}× so far), and get no answer."
            )
    else:
        status = name.removeprefix("refused ")
        why = _REFUSALS[status][korean]
        said = f"{who}가 호출을 거절했다: {status}, {why}." if korean else f"{who} refused a call: {status}, {why}."
    return f"{said} {goes_on}"
