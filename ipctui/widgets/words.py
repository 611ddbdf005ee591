"""The few words that drawn parts are labelled with, in English and Korean."""

from __future__ import annotations

STATE_GLYPHS = {
    "running": "━",
    "paced": "·",
    "blocked": "■",
    "held": "‖",
    "stopped": "T",
    "exited": "✝",
    "unknown": "?",
}
"""One glyph a state, the same on cards and lanes; told apart without colour."""

STATE_ROLES = {state: state for state in STATE_GLYPHS} | {"exited": "ended"}
"""The role that each state is drawn in."""

_WORDS: dict[str, dict[str, str]] = {
    "en": {},
    "ko": {
        "RUNNING": "실행 중",
        "PACED": "차례 대기",
        "BLOCKED": "블록됨",
        "HELD": "붙잡힘",
        "STOPPED": "정지됨",
        "EXITED": "종료",
        "UNKNOWN": "알 수 없음",
        "before": "직전:",
        "by you": "사용자가",
        "next in": "다음 차례",
        "closed": "닫힘",
        "read": "읽기",
        "write": "쓰기",
        "sent": "보냄",
        "received": "받음",
        "blocking": "블로킹",
        "non-blocking": "논블로킹",
        "flat out": "최대 속도",
        "msg/s": "건/초",
        "program": "프로그램",
        "calls": "호출",
        "not running": "실행되지 않는 교재용",
        "of": "/",
        "slots": "슬롯",
        "next": "다음",
        "last": "마지막",
        "empty": "비어 있음",
        "FULL": "가득 참",
        "writer": "쓰는 쪽",
        "writers": "쓰는 쪽",
        "reader": "읽는 쪽",
        "readers": "읽는 쪽",
        "now": "지금",
        "LIVE": "실시간",
        "PAUSED": "일시 정지",
        "RECORDING": "기록",
        "messages": "메시지",
        "lost from view": "화면에서 빠짐",
        "processes": "프로세스",
        "contents": "내용",
        "time": "시간",
        "pending": "예약됨",
        "gone": "사라짐",
        "no message": "메시지 없음",
        "foreign": "외부 바이트",
        "written": "쓰임",
        "all ends closed": "모든 종단 닫힘",
        "holds no channel": "채널 없음",
        "kernel": "커널",
        "packets": "패킷",
        "filter": "필터",
        "capacity": "용량",
        "from pipe()": "pipe()부터",
    },
}


def word(language: str, text: str) -> str:
    """The word in a language; English where it has none."""
    return _WORDS.get(language, {}).get(text, text)
