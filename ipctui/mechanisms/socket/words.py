"""The words of the pane in Korean."""

from __future__ import annotations

_KOREAN = {
    "send queue": "송신 큐",
    "receive queue": "수신 큐",
    "window": "윈도",
    "CLOSED": "닫힘",
    "accept queue": "수락 대기열",
    "memory": "메모리",
    "sent": "보냄",
    "came": "받음",
    "back": "반대쪽",
    "loopback: this machine only": "루프백: 이 컴퓨터뿐",
    "well-known port": "잘 알려진 포트",
    "lost": "잃음",
    "datagrams": "개",
    "members": "구성원",
    "others": "바깥",
    "no member": "구성원 아님",
    "not accepted yet": "아직 수락 전",
    "not answered": "답 없음",
    "in backlog": "대기열에",
    "nobody": "아무도 없음",
    "connected": "연결됨",
    "unconnected": "비연결",
    "no connection": "연결 없음",
    "listens": "대기",
    "half closed": "반쪽 닫힘",
    "connections": "개 연결",
    "FULL": "가득 참",
    "retransmits": "재전송",
    "asked": "요청",
    "got": "실제",
}


def word(language: str, text: str) -> str:
    """The word in a language; English where it has none."""
    return _KOREAN.get(text, text) if language == "ko" else text
