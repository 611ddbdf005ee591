"""The few words that drawn parts are labelled with, in English and Korean."""

from __future__ import annotations

from ipctui.trace.text import grouped

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
        "NOT STARTED": "아직 시작 전",
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
        "REPLAY": "재생",
        "messages": "메시지",
        "operations not shown, all counted": "개 연산 생략, 집계에는 포함",
        "not shown": "개 생략",
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
        "process": "프로세스",
        "line": "줄",
        "lines": "줄",
        "more": "더",
        "kept empty": "비워 둠",
        "wait to receive": "받기를 기다림",
        "waits to receive": "받기를 기다림",
        "wait to send": "보내기를 기다림",
        "waits to send": "보내기를 기다림",
        "each": "씩",
        "no file": "파일 없음",
        "links": "링크",
        "link": "링크",
        "none yet": "아직 없음",
        "no link": "링크 없음",
        "torn": "찢김",
        "just made": "방금 생김",
        "broken": "끊어짐",
        "held by": "소유자:",
        "held by the dead": "죽은 소유자:",
        "free": "풀림",
        "policy": "정책",
        "create": "만들기",
        "receive": "받기",
        "delete": "지우기",
        "nicer": "양보",
        "wait": "대기",
        "waits": "대기",
    },
}


def word(language: str, text: str) -> str:
    """The word in a language; English where it has none."""
    return _WORDS.get(language, {}).get(text, text)


def counted(language: str, count: int, text: str) -> str:
    """So many of something, the number where the language has it: `3 readers`, `읽는 쪽 3`."""
    number, what = grouped(count), word(language, text)
    return f"{what} {number}" if language == "ko" else f"{number} {what}"
