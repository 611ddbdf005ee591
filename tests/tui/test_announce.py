from __future__ import annotations

from dataclasses import replace

from ipctui.trace.records import Command, Event
from ipctui.tui.announce import Announcer
from tests.tui.fake import FakeSource


def announced(source: FakeSource, announcer: Announcer) -> list[tuple[str, str]]:
    return [tuple(notice) for notice in announcer.news(source)]


def test_refusals_and_remarks_are_said_once_and_pending_is_left_to_the_card() -> None:
    source, announcer = FakeSource(), Announcer()
    source.tell(Command(1, "hold child", "key", "pending: in read(3)"))
    source.tell(Command(2, "kill bob", "key", "refused: nobody"))
    source.tell(Command(3, "step child", "key", "done"))
    source.tell(Command(4, "step parent", "key", None))
    source.tell(Command(5, "capacity 1", "key", "done: rounded to 4,096"))
    assert announced(source, announcer) == [
        ("kill bob: refused: nobody", "warning"),
        ("capacity 1: done: rounded to 4,096", "information"),
    ]
    assert announced(source, announcer) == []
    later = tuple(replace(each, outcome="refused: gone") if each.t == 1 else each for each in source.state.commands)
    source.state = replace(source.state, commands=later)
    assert announced(source, announcer) == [("hold child: refused: gone", "warning")]


def test_a_worker_that_writes_without_end_gets_a_toast_a_second() -> None:
    clock = 0.0
    source, announcer = FakeSource(), Announcer(lambda: clock)
    said = []
    for t in range(100):
        clock = t / 25
        source.state = replace(
            source.state, events=(*source.state.events, Event(t, "stderr", None, {"line": f"no {t}"}))
        )
        said += announced(source, announcer)
    assert [text for text, _ in said] == [
        "a worker wrote: no 0",
        "a worker wrote: no 25 (and 24 lines before it)",
        "a worker wrote: no 50 (and 24 lines before it)",
        "a worker wrote: no 75 (and 24 lines before it)",
    ]
    clock += 1
    assert announced(source, announcer) == [("a worker wrote: no 99 (and 23 lines before it)", "warning")]


def test_hostile_and_endless_text_is_made_fit() -> None:
    source, announcer = FakeSource(), Announcer()
    source.tell(Command(1, "\x1b[2J[/oops]", "key", "refused: " + "긴" * 1000))
    (text, _), *_ = announced(source, announcer)
    assert text.startswith("␛[2J[/oops]: refused: 긴")
    assert text.isprintable()
    assert len(text) <= 200


def test_a_failed_worker_and_an_ended_laboratory() -> None:
    source, announcer = FakeSource(), Announcer()
    event = Event(1, "failed", "parent", {"call": "write", "errno": "Broken pipe", "fd": 4})
    source.state = replace(source.state, events=(event, Event(2, "marshalled", "parent")))
    assert announced(source, announcer) == [("parent failed: write Broken pipe", "warning")]
    source.alive = False
    assert announced(source, announcer) == [("the laboratory has ended", "error")]
    assert announced(source, announcer) == []
