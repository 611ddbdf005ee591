"""The words of shared memory's pane in Korean; the English ones are their own names."""

from __future__ import annotations

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
    "set-up": "준비",
    "mapped by": "매핑한 프로세스",
    "the name is gone": "이름은 없어졌다",
    "another has the name": "이름은 다른 세그먼트의 것",
}


def said(language: str, text: str) -> str:
    """A word of the pane in a language."""
    return _KOREAN.get(text, text) if language == "ko" else text
