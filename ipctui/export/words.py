"""The few words that an export is labelled with, besides those that the panes have."""

from __future__ import annotations

from ipctui.widgets.words import word as pane_word

KOREAN: dict[str, str] = {
    "channels": "채널",
    "you": "사용자",
    "slots taken": "찬 슬롯",
    "bytes": "바이트",
    "messages": "메시지",
    "slots": "슬롯",
    "value": "값",
    "state": "상태",
    "exited": "종료",
    "running": "실행 중",
    "paced": "차례 대기",
    "blocked": "블록됨",
    "held": "붙잡힘",
    "stopped": "정지됨",
    "unknown": "알 수 없음",
    "gone": "사라짐",
    "calls": "호출",
    "the calls; seconds since all workers had started": "호출; 시각은 모든 작업자가 시작한 때부터 센 초",
    "the calls; seconds since the line before": "호출; 시각은 앞줄부터 센 초",
    "the calls; seconds of the day (UTC)": "호출; 시각은 하루 중의 시각(UTC)",
    "the messages; seconds since all workers had started": "메시지; 시각은 모든 작업자가 시작한 때부터 센 초",
    "still under way": "아직 도착하지 않음",
    "{count} calls are not in the recording": "호출 {count}개는 기록에 없다",
}


def word(language: str, text: str) -> str:
    """The word in a language: an export's own, then the panes', then English."""
    own = KOREAN.get(text) if language == "ko" else None
    return own if own is not None else pane_word(language, text)
