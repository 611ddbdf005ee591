"""What the opening screen says: its few words, and the sentence on what was measured, in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ipctui.lab.pairs import Measured, Models, Sample

_KOREAN = {
    "shared memory": "공유 메모리",
    "message passing": "메시지 전달",
    "spin": "스핀",
    "semaphores": "세마포어",
    "pipe": "파이프",
    "mailbox": "메일박스",
    "per message": "메시지당",
    "live": "실시간",
    "measuring": "재는 중",
    "not measured": "잴 수 없음",
    "mechanisms": "메커니즘",
    "recording": "기록",
    "no recording": "기록 없음",
    "the recording is damaged": "기록이 손상됨",
    "the recording is empty": "기록이 비어 있음",
    "Enter starts it": "Enter로 시작",
    "does not run here": "여기서는 돌지 않음",
    "filter": "필터",
    "none fits": "맞는 것 없음",
    "choose": "고르기",
    "open": "열기",
    "size": "크기",
    "theme": "테마",
    "help": "도움말",
    "quit": "끝내기",
    "drop the filter": "필터 지우기",
    "messages of": "메시지 크기",
    "untraced pairs of processes, in turn": "추적하지 않는 프로세스 쌍을 차례로",
    "a message has at most 8,192 B": "메시지는 최대 8,192 B",
}


def said(language: str, text: str) -> str:
    """A word of the opening screen in a language."""
    return _KOREAN.get(text, text) if language == "ko" else text


def verdict(models: Models, language: str) -> list[str]:
    """What the figures at this size say, the most important sentence first.

    Which way was fastest, why that can be (with the first in two lines of 78 columns), and what spinning costs.
    """
    korean = language == "ko"
    if models.problem:
        return [f"측정 중단: {models.problem}" if korean else f"Nothing is measured: {models.problem}."]
    samples = {way: each.sample for way, each in models.ways.items() if each.sample is not None}
    if any(_waits(each) for each in models.ways.values()) or not {"spin", "semaphores", "pipe"} <= samples.keys():
        return [
            "두 모델을 이 컴퓨터에서 재고 있다." if korean else "The two models are being measured on this machine."
        ]
    size = f"{models.size:,} B"
    order = sorted(samples, key=lambda way: -samples[way].rate)
    return [
        _lead(order[0], samples[order[0]], samples, size, korean),
        _why(order, samples, models.size, korean),
        _spinning(samples["spin"], korean),
    ]


def _waits(measured: Measured) -> bool:
    return measured.sample is None and not measured.refused


def _lead(way: str, first: Sample, samples: Mapping[str, Sample], size: str, korean: bool) -> str:
    others = {"pipe": "semaphores"}.get(way, "pipe")
    ratio = first.rate / samples[others].rate
    times = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"
    if korean:
        name, other = said("ko", way), said("ko", others)
        if ratio < _EVEN:
            return f"{size}에서 {name}와(과) {other}는 거의 같다."
        return f"{size}에서는 {name} 쪽이 가장 빨랐다({other}의 {times}배)."
    if ratio < _EVEN:
        return f"At {size} {_NAMES[way]} and {_NAMES[others]} are about even."
    return f"At {size} {_NAMES[way]} was fastest, {times} times {_NAMES[others]}."


_EVEN = 1.15
"""Ratio below which two rates count as the same: bursts differ by as much."""
_NAMES = {
    "spin": "spinning on shared memory",
    "semaphores": "shared memory with semaphores",
    "pipe": "the pipe",
    "mailbox": "the mailbox",
}


def _why(order: Sequence[str], samples: Mapping[str, Sample], size: int, korean: bool) -> str:
    """Why the pipe or the semaphores were faster: what each does for one message."""
    calls = f"{samples['semaphores'].calls:.1f}"
    if order.index("pipe") < order.index("semaphores"):
        if korean:
            return f"write와 read 한 번씩이 세마포어 연산 넷(그중 시스템 콜 {calls}번)보다 싸다."
        return f"A write and a read cost less than four semaphore operations ({calls} system calls)."
    if size < PAGE:
        if korean:
            return f"세마포어는 메시지당 {calls}번만 커널을 불렀고, 파이프는 두 번 부른다."
        return f"The semaphores asked the kernel {calls} times a message, write and read twice."
    if korean:
        return "파이프는 4,096바이트마다 커널 페이지를 얻고 돌려준다. 공유 페이지는 그대로 있다."
    return "A pipe takes and frees a kernel page for every 4,096 bytes; shared pages stay."


PAGE = 4096
_BOTH = 1.5
"""Cores above which both spinning processes had one of their own."""


def _spinning(sample: Sample, korean: bool) -> str:
    cores = f"{sample.cores:.1f}"
    if sample.cores < _BOTH:
        if korean:
            return f"스핀은 코어 둘을 원하지만 {cores}개만 얻었다. 상대가 CPU에 없으면 헛돈다."
        return f"Spinning wants two cores and had {cores}: without its partner on a CPU it turns in vain."
    if korean:
        return f"스핀은 시스템 콜이 없는 대신 코어 {cores}개를 쓴다."
    return f"Spinning makes no system call and keeps {cores} cores busy."


LESSON = {
    "en": """\
# The two models

Processes cooperate in two ways. They share memory and read there what others
wrote, or they send messages and leave the carrying to the kernel. Above the
tiles both are measured on this machine while you watch: two processes, each on
a CPU of its own where there are two, pass messages of the size that `[` and
`]` set. They are not traced. Bursts of 40 ms are made in turn, one every 1.5
seconds; the figure is the fastest of a way's last five, for whatever disturbs a
burst only makes it slower, and the latest one's age stands beside it.

- **spin**: a circular buffer in shared memory. Who must wait looks again and
  again. No system call at all, and both cores are busy.
- **semaphores**: the same buffer. A semaphore asks the kernel only when
  somebody has to sleep, or somebody asleep has to be woken.
- **pipe**: a write and a read for each message.
- **mailbox**: a POSIX message queue, of at most 8,192 bytes a message.

Shared memory is said to be faster since the kernel is not asked. Look at 64
bytes: on many machines the pipe wins against the semaphores. Make the messages
larger with `]`, and the order of the bars changes. What is measured includes
the Python loop around each message; take ratios, not absolute figures.

# The tiles

Each tile is a mechanism, with a small recording of it, which says that it is
one. The tile that has been chosen for a second runs a laboratory of its own
instead, and says that it is live. Arrow keys choose, Enter opens the mechanism,
Escape comes back. `/` leaves only the tiles in whose words the text is found.
""",
    "ko": """\
# 두 모델

프로세스가 협력하는 길은 둘이다. 메모리를 함께 쓰면서 남이 써 둔 것을
읽거나, 메시지를 보내고 나르는 일은 커널에 맡긴다. 타일 위에서는 두 길을
지금 이 컴퓨터에서 잰다. 프로세스 둘이(CPU가 둘 이상이면 하나씩 차지하고)
`[`와 `]`로 정한 크기의 메시지를 주고받는다. 추적은 하지 않는다. 40ms씩
차례로 1.5초에 한 번 재며, 방법마다 마지막 다섯 번 가운데 가장 빠른 것을
(방해는 느리게 할 뿐이다) 마지막으로 잰 지 몇 초인지와 함께 보인다.

- **스핀**: 공유 메모리의 원형 버퍼. 기다리는 쪽은 계속 다시 들여다본다. 시스템
  콜이 하나도 없고 두 코어가 바쁘다.
- **세마포어**: 같은 버퍼. 누가 자야 하거나 자는 쪽을 깨워야 할 때만 커널을
  부른다.
- **파이프**: 메시지마다 write 하나와 read 하나.
- **메일박스**: POSIX 메시지 큐. 메시지는 최대 8,192바이트.

커널을 부르지 않으니 공유 메모리가 빠르다고들 한다. 64바이트를 보자. 파이프가
세마포어를 이기는 컴퓨터가 많다. `]`로 메시지를 키우면 막대의 순서가 바뀐다.
재는 값에는 메시지마다 도는 파이썬 반복문이 들어 있다. 절댓값보다 비율을 보자.

# 타일

타일 하나가 메커니즘 하나이고, 그 안의 작은 그림은 기록이라고 밝힌 기록이다.
고른 지 1초가 지난 타일에서는 기록 대신 진짜 실험실이 돌며, 실시간이라고
밝힌다. 화살표로 고르고 Enter로 열고 Escape로 돌아온다.
`/`는 글이 들어 있는 타일만 남긴다.
""",
}
"""What the help says, by language."""
