"""The words of this mechanism's pane in Korean; the English ones are their own names."""

from __future__ import annotations

_KOREAN = {
    "way": "방법",
    "state": "상태",
    "calls/msg": "콜/메시지",
    "CPU": "CPU",
    "work/s": "작업/s",
    "median": "중앙값",
    "p99": "p99",
    "calls a message": "메시지당 시스템 콜",
    "of a core": "코어",
    "in all": "모두",
    "other work": "다른 작업",
    "send to receipt": "보냄→받음",
    "helper thread": "도우미 스레드",
    "asleep in": "잠든 곳:",
    "completion": "완료 방식",
    "work flat out": "작업 최대",
    "hold all": "모두 붙잡기",
    "sync-blocking": "read()가 데이터가 올 때까지 잔다",
    "sync-nonblocking": "EAGAIN을 받고 곧바로 다시 묻는다",
    "async-blocking": "epoll_wait()가 준비된 것이 생길 때까지 잔다",
    "async-nonblocking": "커널이 끝내 두고, 그동안 다른 작업을 한다",
    "signal-driven": "SIGIO는 알릴 뿐, 읽기는 남아 있다",
}
_ENGLISH = {
    "sync-blocking": "read() sleeps until there are data",
    "sync-nonblocking": "EAGAIN, and asks again at once",
    "async-blocking": "epoll_wait() sleeps until one is ready",
    "async-nonblocking": "the kernel completes; other work meanwhile",
    "signal-driven": "SIGIO announces; the reading is still to do",
}


def said(language: str, text: str) -> str:
    """A word of the pane in a language."""
    return _KOREAN.get(text, text) if language == "ko" else text


def about(language: str, way: str) -> str:
    """What a way does, in a few words."""
    return (_KOREAN if language == "ko" else _ENGLISH).get(way, way)
