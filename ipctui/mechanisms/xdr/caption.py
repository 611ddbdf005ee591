"""The caption of data representation: one sentence on what was read and why, in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.xdr.machines import MACHINES, THIS, from_xdr, parsed, to_xdr
from ipctui.widgets.sentences import ended, failed, first_of, killed, stepping, stopped


def agreement(state: LabState) -> Mapping[str, Any]:
    """What was agreed on and set: kind, value, machines, whether XDR is used; {} before anything is known."""
    held = state.channels.get("agreement")
    return held.now.facts if held is not None else {}


def value_sent(state: LabState, facts: Mapping[str, Any]) -> Any:
    """The value that was sent last, or is to be sent; 1 where nothing that was told makes sense."""
    for text in (state.facts.get("value"), facts.get("value"), "1"):
        if text is None:
            continue
        try:
            return parsed(facts["kind"], str(text))
        except ValueError:
            continue
    return 1


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    return first_of((killed, failed, stopped, stepping, _read, ended), state, language) or _waiting(language == "ko")


def _waiting(korean: bool) -> str:
    if korean:
        return "보내는 쪽이 값을 메모리에 있는 그대로 보낸다. 받는 쪽은 그것을 제 것으로 읽는다. l은 XDR을 켠다."
    return "The sender sends the value as it lies in its memory; the receiver takes the bytes for its own. l: XDR."


def _read(state: LabState, korean: bool) -> str:
    facts, said = agreement(state), str(state.facts.get("read", ""))
    if not facts or not said:
        return ""
    kind = facts["kind"]
    sender = MACHINES[THIS if facts["sender"] == "this" else facts["sender"]]
    receiver = MACHINES[facts["receiver"]]
    right = from_xdr(kind, to_xdr(kind, value_sent(state, facts)))
    if facts["xdr"]:
        size = len(state.facts.get("arrived", "")) // 2
        if korean:
            return f"둘 다 XDR을 쓴다. {size}바이트, 큰 쪽 먼저. 어떤 기계든 {said}로 읽는다. 약속은 바이트에 적혀 있지 않다. l은 끈다."
        return (
            f"Both use XDR: {size} bytes, the highest first, and every machine reads {said}. Nothing in the bytes says "
            "so: it is agreed. l switches it off."
        )
    if kind == "string" and said == right:
        if korean:
            return f"{said}로 맞게 읽었다. 바이트 하나하나에는 순서가 없고 NUL이 글의 끝이다. l의 XDR에서는 길이가 앞에 온다."
        return (
            f"Read as {said}, which is right: single bytes have no order, and a NUL ends the text. In XDR (l) its "
            "length stands before it."
        )
    if said == right:
        if korean:
            return f"{receiver.told_ko} 기계가 {sender.told_ko} 기계의 바이트를 읽어 {said}. 배치가 같으니 맞았다. 6은 다른 순서로 읽는다."
        return f"Read as {said}, which is right: both lay this value out alike ({sender.told}). 6 reads in the other order."
    what = "their order" if sender.order != receiver.order else "where each member lies"
    if korean:
        agreed = "순서" if sender.order != receiver.order else "자리"
        return f"{right}을 보냈는데 {said}로 읽었다. 바이트는 같지만 {agreed}의 약속이 없다. l은 XDR을 켠다."
    return f"{right} was sent, {said} was read: the bytes are the same, {what} is not agreed on. l: XDR."
