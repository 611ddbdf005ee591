"""The words of shared memory's pane in Korean; the English ones are their own names, and those of the records."""

from __future__ import annotations

import re
from dataclasses import replace

from ipctui.lab.state import LabState

_KOREAN = {
    "the segment is gone": "세그먼트가 사라졌다",
    "stored": "저장한 횟수",
    "counter": "카운터",
    "lost": "잃은 갱신",
    "lock": "락",
    "as seen by": "보는 쪽",
    "the file": "파일",
    "work": "작업",
    "system calls a message": "메시지당 시스템 콜",
    "system calls": "시스템 콜",
    "set-up": "준비",
    "mapped by {count}": "매핑 {count}개",
    "shows all": "전부 보기",
    "no name": "이름 없음",
    "the name is gone": "이름은 없어졌다",
    "another has the name": "이름은 다른 세그먼트의 것",
    "between load and store": "load와 store 사이",
    "between load and store: the gate": "load와 store 사이: 게이트",
}
_REASONS = (
    (r"empty is 0: no slot is free", "empty가 0이다: 빈 칸이 없다"),
    (r"full is 0: no slot is full", "full이 0이다: 찬 칸이 없다"),
    (r"(\S+) is 0: (\S+) has it", r"\1: 값이 0이다. \2가 쥐고 있다"),
    (r"(\S+) is 0: (\S+) took it and is dead", r"\1: 값이 0이다. 가져간 \2는 죽었다"),
    (r"(\S+) is 0", r"\1: 값이 0이다"),
    (r"the mutex belongs to (\S+)", r"뮤텍스는 \1의 것이다"),
    (r"the mutex is taken", "뮤텍스를 누가 쥐고 있다"),
    (r"asleep in (\S+)", r"\1에서 잔다"),
)


def said(language: str, text: str) -> str:
    """A word of the pane in a language."""
    return _KOREAN.get(text, text) if language == "ko" else text


def reason(language: str, text: str) -> str:
    """Why somebody sleeps, as a record tells it, in a language; what is not known here stays as it is."""
    if language == "ko":
        for pattern, korean in _REASONS:
            if found := re.fullmatch(pattern, text):
                return found.expand(korean)
    return text


def worded(state: LabState, language: str) -> LabState:
    """The state with the reasons of its sleepers in a language."""
    if language != "ko":
        return state
    processes = {
        name: replace(process, state=replace(process.state, reason=reason(language, process.state.reason)))
        if process.state is not None and process.state.state == "blocked" and process.state.reason
        else process
        for name, process in state.processes.items()
    }
    return replace(state, processes=processes)
