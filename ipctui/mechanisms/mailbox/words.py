"""The words of the mailbox's pane in English and Korean, and the reasons of its sleepers in Korean."""

from __future__ import annotations

import re
from dataclasses import replace

from ipctui.lab.state import LabState

_KOREAN = {
    "made by": "만든 이",
    "joined": "이미 있던 것",
    "name deleted": "이름 삭제됨",
    "notifies": "알림 대상",
    "policy": "정책",
    "system": "시스템이 고름",
    "one-at-a-time": "한 번에 한 수신자",
    "two-processes": "두 프로세스까지",
    "nobody has it open": "연 프로세스 없음",
    "foreign": "외부",
    "sender": "송신",
    "senders": "송신",
    "receiver": "수신",
    "receivers": "수신",
}
_ENGLISH = {
    "one-at-a-time": "one receiver at a time",
    "two-processes": "two processes at most",
    "system": "the system's choice",
}
_REASONS = (
    (r"mailbox full \((\d+) of (\d+) messages\)", r"메일박스 가득 참 (메시지 \1/\2개)"),
    (r"mailbox full.*", "메일박스 가득 참"),
    (r"mailbox empty", "메일박스가 비어 있음"),
    (r"its own work \(a signal ends it early\)", "제 일을 하는 중 (시그널이 오면 끝난다)"),
    (r"the turn is taken \(only one may be in receive\)", "차례는 다른 쪽에 있음 (한 번에 한 수신자)"),
    (r"two processes at most; the places are taken, by (.+)", r"두 프로세스까지; 자리를 차지한 쪽: \1"),
    (r"the semaphore's value is 0", "세마포어의 값이 0이다"),
    (r"asleep in (\w+); its object could not be looked at", r"\1에서 잠듦; 대상을 볼 수 없다"),
)


def said(language: str, text: str) -> str:
    """A word of the pane in a language."""
    return _KOREAN.get(text, text) if language == "ko" else _ENGLISH.get(text, text)


def reason_in(language: str, reason: str) -> str:
    """Why a process sleeps, in a language; what is not the mailbox's own stays as it is."""
    if language != "ko":
        return reason
    for pattern, text in _REASONS:
        found = re.fullmatch(pattern, reason)
        if found:
            return found.expand(text).replace(" and ", ", ").replace("processes that are gone", "사라진 프로세스")
    return reason


def worded(state: LabState, language: str) -> LabState:
    """The state with its sleepers' reasons in a language."""
    if language != "ko":
        return state
    processes = {
        role: replace(process, state=replace(now, reason=reason_in(language, now.reason)))
        if (now := process.state) is not None and now.reason and now.state == "blocked"
        else process
        for role, process in state.processes.items()
    }
    return replace(state, processes=processes)
