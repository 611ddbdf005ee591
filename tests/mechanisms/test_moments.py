"""The moment of every variant of the FIFO and of direct communication: from its defaults, by few keys, in time."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from ipctui.mechanisms import catalogue
from ipctui.mechanisms.direct.caption import caption as direct_caption
from ipctui.mechanisms.fifo.caption import caption as fifo_caption
from tests.lab.conftest import Bench
from tests.mechanisms.laboratories import Laboratories

pytestmark = pytest.mark.real

MOST_KEYS = 10
SECONDS = 10.0
CAPTIONS = {"fifo": fifo_caption, "direct": direct_caption}
Open = Callable[[str, str], Bench]

MOMENTS: list[tuple[str, str, Sequence[str], str, str]] = [
    ("fifo", "one-way", (), "nobody has this FIFO open for reading", "아무도 이 FIFO를 읽기용으로 열지 않았다"),
    ("fifo", "one-way", ("release reader",), "Bytes pass between processes", "바이트가 지나간다"),
    ("fifo", "one-way", ("release reader", "kill all"), "the file is still there", "파일은 그대로 있다"),
    ("fifo", "one-way", ("release reader", "unlink"), "You unlinked the name", "이름을 unlink했다"),
    ("fifo", "two-way", ("release client",), "Bytes pass between processes", "바이트가 지나간다"),
    ("fifo", "deadlock", ("release client",), "Deadlock: client in open(", "교착 상태"),
    ("fifo", "many-writers", ("release writer1", "release writer2"), "messages came torn", "찢어졌다"),
    ("fifo", "many-readers", ("release reader1", "release reader2"), "nobody gets a copy", "나눠 갖는다"),
    ("fifo", "nonblocking-open", (), "ENXIO", "ENXIO"),
    ("fifo", "nonblocking-open", ("hold writer", "release reader"), "a non-blocking read", "논블로킹 read"),
    ("fifo", "nonblocking-open", ("release reader", "release rdwr"), "open with O_RDWR", "O_RDWR로 열어 두었다"),
    ("fifo", "turns", ("release callee",), "One FIFO, in turns", "한 FIFO로 말하고"),
    ("fifo", "turns", ("set early yes",), "has read its own message", "도로 읽었다"),
    ("direct", "symmetric", ("hold q",), "sleeps in receive(q, m), though", "receive(q, m)에서 잔다"),
    ("direct", "asymmetric", ("hold q",), "is full", "로 찼다"),
    ("direct", "rename", ("rename q s",), "it is called s now", "이제 s이다"),
    ("direct", "forged", (), "The kernel says otherwise", "SO_PEERCRED"),
]


@pytest.fixture
def bench() -> Iterator[Open]:
    laboratories = Laboratories()
    yield laboratories.open
    laboratories.close()


@pytest.mark.parametrize(("mechanism", "variant", "commands", "english", "korean"), MOMENTS)
def test_the_moment(
    bench: Open, mechanism: str, variant: str, commands: Sequence[str], english: str, korean: str
) -> None:
    assert len(commands) <= MOST_KEYS
    lab = bench(mechanism, variant)
    caption = CAPTIONS[mechanism]
    for command in commands:
        if command.startswith(("rename", "hold q", "kill", "unlink")):
            # A person waits until there is something to see; only then is the next key pressed.
            moving = "reader" if mechanism == "fifo" else "q"
            lab.until(lambda role=moving: lab.count(role, "read") + lab.count(role, "recv") > 3)
        lab.do(command)
        if command == "hold writer":
            lab.until_state("writer", "held")  # before it has opened the FIFO: nobody reads yet
    lab.until(
        lambda: english in caption(lab.lab.state, "en") and korean in caption(lab.lab.state, "ko"), SECONDS, english
    )


def test_every_variant_has_its_moment_here() -> None:
    variants = {(name, one.name) for name in CAPTIONS for one in catalogue.channel(name).variants}
    assert {case[:2] for case in MOMENTS} == variants
