"""The caption of remote procedure calls: one sentence on what became of a call and why, in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.rpc.strangers import strange
from ipctui.widgets.sentences import blocked_by_held, ended, failed, first_of, is_held, stepping, stopped

_FRESH = 12_000_000_000
"""Nanoseconds for which a move, or a call that went wrong, is what the sentence is about."""
_LONG = 30_000_000_000


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        _crashed,
        failed,
        stopped,
        stepping,
        _held,
        _cut,
        strange,
        _side_by_side,
        _unmatched,
        _moved,
        _costs,
        _came,
        ended,
    )
    return first_of(rules, state, language) or _opening(state, language == "ko")


def _variant(state: LabState) -> str:
    return state.header.variant if state.header is not None else ""


def _calls(state: LabState) -> list[Mapping[str, Any]]:
    """The latest calls, the newest last."""
    return sorted(state.facts.get("calls", {}).values(), key=lambda call: call["began"])


def _semantics(state: LabState, call: Mapping[str, Any]) -> str:
    """By which semantics a call was made."""
    if _variant(state) != "side-by-side":
        return _variant(state)
    place = int(call["program"] or 0) - 0x20000099
    names = ("maybe", "at-least-once", "at-most-once", "exactly-once")
    return names[place] if 0 <= place < len(names) else ""


def _crashed(state: LabState, korean: bool) -> str:
    server = state.processes.get("server")
    if server is None or server.exited is None or not (server.status or "").startswith("signal"):
        return ""
    heard = state.facts.get("heard", {})
    told = {name: at for name, at in heard.items() if name.startswith("killed ") and " by " not in name}
    where = max(told, key=lambda name: told[name]["t"], default="").removeprefix("killed ")
    ran = next((call["ran"] for call in reversed(_calls(state)) if call["ran"] or call["sent"]), 0)
    if korean:
        said = {
            "before": "시작하기 전에",
            "uncommitted": "실행했지만 확정하기 전에",
            "unanswered": "확정하고 응답하기 전에",
            "after": "응답한 뒤에",
        }.get(where, "")
        return (
            f"서버가 {said} SIGKILL로 죽었다(이 호출은 {ran}번 실행). 클라이언트는 늦는 것인지 죽은 것인지 모른다. "
            "8로 다시 시작한다."
        )
    said = {
        "before": "before it did anything",
        "uncommitted": "after it ran the procedure, before the effect was committed",
        "unanswered": "after the effect was committed, before it answered",
        "after": "after it answered",
    }.get(where, "")
    return (
        f"The server was killed {said} (this call ran {ran}×). The client cannot tell a dead server from a slow one. "
        "8 starts another server."
    ).replace("killed  (", "killed (")


def _held(state: LabState, korean: bool) -> str:
    for role in ("link", "server", "matchmaker"):
        if is_held(state, role) and role in state.processes:
            sentence = blocked_by_held(state, korean)
            if sentence:
                return sentence
            if korean:
                return f"{role}를 붙잡았다. 클라이언트에게는 느린 것이나 죽은 것과 똑같이 보인다. space로 놓아준다."
            return f"You hold the {role}. To the client that looks the same as a slow or a dead one. Space releases it."
    return ""


def _cut(state: LabState, korean: bool) -> str:
    orders = state.channels.get("orders")
    if orders is None or not orders.now.facts.get("cut"):
        return ""
    if korean:
        return (
            "링크가 끊겼다. 아무 패킷도 지나가지 못하고, 양쪽 모두 상대에게 무슨 일이 있는지 모른다. l로 다시 잇는다."
        )
    return "The link is cut: no packet passes, and neither side can know what has become of the other. l mends it."


def _side_by_side(state: LabState, korean: bool) -> str:
    """The moment: what each of the four made of a lost reply."""
    if _variant(state) != "side-by-side":
        return ""
    every = state.facts.get("met", {})
    met = [every[program] for program in sorted(every) if state.t - every[program]["t"] < _LONG]
    if not met:
        return ""
    told = []
    for call in met:
        name, ran, said = _semantics(state, call), call["ran"], call["believes"]
        told.append(f"{name} {ran}× {_BELIEFS[korean].get(said, '…')}")
    if korean:
        return f"응답이 사라졌다. 실행 횟수와 클라이언트의 생각: {', '.join(told)}."
    return f"The reply was lost. Runs, and what the client thinks: {', '.join(told)}."


_BELIEFS = (
    {"done": "done", "failed": "failed", "unknown": "unknown"},
    {"done": "됐다", "failed": "실패했다", "unknown": "모른다"},
)


def _server_port(state: LabState) -> int:
    """Where the server listens, by its socket; 0 while it has none. What it tells of itself may be lost, flat out."""
    for held in state.channels.values():
        facts = held.now.facts
        if not held.now.closed and (facts.get("process"), facts.get("peer")) == ("server", "*"):
            port = str(facts.get("local", "")).rpartition(":")[2]
            if port.isdecimal() and port != "0":
                return int(port)
    return 0


def _moved(state: LabState, korean: bool) -> str:
    heard = state.facts.get("heard", {})
    nobody = heard.get(f"nobody there by {'fixed' if _variant(state) == 'matchmaker' else 'client'}")
    if _variant(state) not in ("fixed-port", "matchmaker") or nobody is None or state.t - nobody["t"] > _FRESH:
        return ""
    port, now = nobody["number"], _server_port(state)
    if port == now or not now:
        return ""
    if _variant(state) == "matchmaker":
        if korean:
            return (
                f"서버가 포트 {now}로 옮겼다. client는 매치메이커에게 물어(GETPORT) 찾아갔고, "
                f"포트 {port}를 적어 둔 fixed는 아무도 없는 곳(ECONNREFUSED)을 부른다."
            )
        return (
            f"The server is at port {now} now. The client asked the matchmaker (GETPORT) and found it; "
            f"fixed still calls {port}, where nobody is."
        )
    if korean:
        return (
            f"서버는 이제 포트 {now}에 있다. 클라이언트에는 {port}가 적혀 있고 거기엔 아무도 없다"
            "(ECONNREFUSED). 9로 되돌린다. 매치메이커가 있으면 찾아간다."
        )
    return (
        f"The server is at port {now} now. In the client port {port} is written, and nobody is there (ECONNREFUSED). "
        "9 moves it back; with a matchmaker the client finds it."
    )


def _unmatched(state: LabState, korean: bool) -> str:
    matchmaker = state.processes.get("matchmaker")
    if matchmaker is None or matchmaker.exited is None:
        return ""
    if korean:
        return (
            "매치메이커가 없다. 이미 포트를 아는 client는 계속 부르지만, 서버가 옮기면 물을 데가 없다. "
            "다시 시작해도 등록은 잊었다: 서버도 다시 시작해야 한다."
        )
    return (
        "The matchmaker is gone. The client goes on where it knows the port; once the server moves there is nobody to "
        "ask. A new one has forgotten every registration: the server must register again."
    )


def _costs(state: LabState, korean: bool) -> str:
    costs = state.facts.get("costs", {})
    if _variant(state) != "local" or len(costs) < 3:
        return ""
    if korean:
        return (
            "같은 deposit(1)을 세 가지로 부른다. 다른 프로세스에 시키면 문맥 교환이, 네트워크 너머에 시키면 마샬링과 "
            "UDP/IP가 더 든다. 여기 네트워크는 루프백이라 선이 없다."
        )
    return (
        "The same deposit(1) three ways. Another process costs context switches; over the network come marshalling "
        "and UDP/IP on top. The network here is loopback: there is no wire."
    )


def _came(state: LabState, korean: bool) -> str:
    """What became of the latest call that did not go smoothly."""
    for call in reversed(_calls(state)[-4:]):
        names = [step[2] for step in call["steps"]]
        if not (call["dropped"] or call["ran"] > 1 or call["suppressed"] or call["believes"] in ("failed", "unknown")):
            continue
        if state.t - call["t"] > _FRESH:
            return ""
        return _story(_semantics(state, call), call, names, korean)
    return ""


def _story(semantics: str, call: Mapping[str, Any], names: Sequence[str], korean: bool) -> str:
    ran, said, again = call["ran"], call["believes"], call["sent"] - 1
    begins = _begins(names, korean)
    if korean:
        if not said:
            return f"{begins}클라이언트는 아직 기다린다({again}번 다시 보냄). 서버에서는 {ran}번 실행되었다."
        sent = f"{again}번 다시 보내 " if again else ""
        ends = {
            (
                "maybe",
                "failed",
            ): f"클라이언트는 실패로 여기지만 서버에서는 {ran}번 실행되었다. maybe는 다시 묻지 않는다.",
            ("at-least-once", "done"): f"{sent}답을 얻었고 {ran}번 실행되었다. 이력이 없는 서버는 중복을 모른다.",
            (
                "at-most-once",
                "unknown",
            ): f"서버는 이력으로 중복을 알아보고 무시했다. {ran}번 실행되었지만 클라이언트는 알 수 없다.",
            ("at-most-once", "done"): f"{ran}번 실행되었다. 서버는 이력으로 중복을 알아보았다.",
            (
                "exactly-once",
                "done",
            ): f"{ran}번 실행되어 {call['committed']}번 확정되었고 클라이언트도 안다. 효과와 이력이 한 번의 쓰기였다.",
        }
        other = f"{ran}번 실행, {call['committed']}번 확정. 클라이언트는 {_BELIEFS[1].get(said, said)}고 여긴다."
        return begins + ends.get((semantics, said), other)
    if not said:
        return f"{begins}The client still waits (sent again {again}×); at the server the procedure ran {ran}×."
    sent = f"Sent again {again}×, it" if again else "It"
    ends = {
        ("maybe", "failed"): f"The client takes it for failed, yet it ran {ran}×: maybe never asks again.",
        ("at-least-once", "done"): f"{sent} was answered and ran {ran}×: without a history the server knows no duplicate.",
        ("at-most-once", "unknown"): f"The server knew the duplicate by its history and ignored it: it ran {ran}×, and the client cannot know.",
        ("at-most-once", "done"): f"It ran {ran}×; the server knew the duplicate by its history.",
        ("exactly-once", "done"): f"It ran {ran}×, was committed {call['committed']}×, and the client knows: effect and history were one durable write.",
    }  # fmt: skip
    other = f"It ran {ran}×; the client believes: {_BELIEFS[0].get(said, said)}."
    return begins + ends.get((semantics, said), other)


def _begins(names: Sequence[str], korean: bool) -> str:
    """What happened on the road."""
    for name in names:
        for fate, (english, other) in _FATES.items():
            if name in (f"call {fate}", f"reply {fate}"):
                if korean:
                    return f"{'호출이' if name.startswith('call') else '응답이'} {other}. "
                return f"The {name.partition(' ')[0]} {english}. "
    return ""


_FATES = {
    "dropped": ("was lost", "사라졌다"),
    "cut off": ("was lost", "사라졌다"),
    "duplicated": ("was doubled", "두 번 갔다"),
    "delayed": ("came late", "늦게 왔다"),
    "reordered": ("was overtaken", "앞질러졌다"),
}


def _opening(state: LabState, korean: bool) -> str:
    variant = _variant(state)
    key = variant if variant in _OPENINGS else "maybe"
    return _OPENINGS[key][korean]


_OPENINGS = {
    "side-by-side": (
        "One client calls by four semantics in turn, over one link. 6 drops the first reply of each: see how often each "
        "runs, and what the client believes.",
        "한 클라이언트가 네 가지 의미론으로 번갈아 부른다. 6은 각각의 첫 응답을 버린다. 몇 번 실행되고 클라이언트가 무엇을 믿는지 보라.",
    ),
    "local": (
        "The same procedure as a plain function, in another process, and over the network: what does each cost?",
        "같은 프로시저를 보통 함수로, 다른 프로세스에서, 네트워크 너머에서 부른다. 값이 얼마나 다른가?",
    ),
    "fixed-port": (
        "The client calls deposit as if it were its own; the stub marshals it and sends it to a port written into the "
        "client. 9 moves the server.",
        "클라이언트는 제 함수처럼 deposit을 부르고, 스텁이 마샬해서 클라이언트에 적힌 포트로 보낸다. 9는 서버를 옮긴다.",
    ),
    "matchmaker": (
        "The client asks the matchmaker for the server's port (GETPORT), then calls. fixed has the port written into it. "
        "9 moves the server.",
        "client는 매치메이커에게 서버의 포트를 묻고(GETPORT) 부른다. fixed에는 포트가 적혀 있다. 9는 서버를 옮긴다.",
    ),
    "maybe": (
        "The call's way: stub, marshal, network, stub, procedure, and back. 6 drops the next reply, 7 doubles the next call, "
        "8 kills the server.",
        "호출이 가는 길: 스텁, 마샬, 네트워크, 스텁, 프로시저, 그리고 되돌아옴. 6은 응답을 버리고, 7은 호출을 두 배로, 8은 서버를 죽인다.",
    ),
}
