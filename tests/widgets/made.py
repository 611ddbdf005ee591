"""Made-up laboratories for the drawing parts: no process runs, no kernel is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ipctui.lab.state import ChannelState, LabState, Link, ProcessState, Span
from ipctui.mechanisms.pipe import pane as pipe
from ipctui.trace.records import Before, Call, Channel, Counters, Header, Held, Settings, State
from ipctui.widgets.canvas import Line
from ipctui.widgets.file import File, file_lines
from ipctui.widgets.hexdump import Range, hex_lines
from ipctui.widgets.links import LinkBetween, Peer, link_count, link_lines
from ipctui.widgets.queue import Letter, Mailbox, queue_lines
from ipctui.widgets.semaphore import Semaphore, semaphore_lines
from ipctui.widgets.slots import Ring, Slot, slot_lines
from ipctui.widgets.stage import Box, Stage, living
from ipctui.widgets.view import View
from ipctui.widgets.waiting import waiters

SECOND = 1_000_000_000
NOW = 10 * SECOND
HOSTILE = '\x1b[2J\x07\u202e 한글 🙂 [/oops]\t"'
PROGRAM = "def producer(calls, given):\n    for message in calls.messages():\n        calls.send(message)\n"


def process(
    role: str, state: str = "running", call: str = "mq_receive", object: str = "/orders", since: int = 7, fds: int = 1
) -> ProcessState:
    """A process of a role in a state, with its lane and one call that has returned."""
    pid = 4000 + sum(map(ord, role))
    blocked = state == "blocked"
    return ProcessState(
        role,
        pid,
        ppid=3999,
        program="producer",
        state=State(
            NOW,
            role,
            pid,
            state,
            before=Before(call, '"tick"', 3, line=3),
            object=object if blocked else None,
            since=since * SECOND,
            reason="nothing in it to be had" if blocked else None,
            wchan="wq_sleep" if blocked else None,
            kernel="S",
        ),
        settings=Settings(NOW, role, state == "held", 20.0, 64),
        descriptors=tuple(Held(3 + fd, object, "read-write", peers=(("other", 3),)) for fd in range(fds)),
        counters=Counters(NOW, role, pid, sent=1234, received=1200, whole=1200),
        rate=19.7,
        spans=(Span(2 * SECOND, "running"), Span(4 * SECOND, "paced"), Span(since * SECOND, state)),
    )


def laboratory(mechanism: str, processes: Sequence[ProcessState], channels: Sequence[Channel]) -> LabState:
    """A state of these processes and objects."""
    return LabState(
        header=Header(mechanism, "made-up", programs={"source": PROGRAM, "functions": {"producer": [1, 3]}, "c": ""}),
        t=NOW,
        processes={each.role: each for each in processes},
        channels={each.object: ChannelState(each) for each in channels},
        calls=tuple(
            Call(each.role, each.pid, "mq_send", "mq_timedsend", '3, "tick 1", 6', 0, at * SECOND, at * SECOND + 9000)
            for at in range(2, 9)
            for each in processes[:2]
        ),
        links=tuple(Link(f"a:{at}", processes[0].role, at * SECOND // 2) for at in range(4, 16)) if processes else (),
    )


# Shared memory: a ring of slots over the whole width, the segment's bytes, its file, its semaphores.

SHM = "/dev/shm/ipctui-4711-9f"


def ring(count: int = 8, into: int = 5, out: int = 2) -> Ring:
    """A ring whose slots hold what lies between `out` and `in`."""
    full = {(out + step) % count for step in range((into - out) % count)}
    return Ring(
        tuple(
            Slot(f"{place + 10}" if place in full else "", place in full, 0.1 if place == into - 1 else None)
            for place in range(count)
        ),
        into,
        out,
    )


def shm_state(count: int = 2) -> LabState:
    """A producer that waits for a consumer who is held."""
    names = ("producer", "consumer", "producer2", "consumer2", "producer3", "consumer3")[:count]
    states = ("blocked", "held", "running", "paced", "stopped", "running")
    made = [process(name, state, "sem_wait", SHM) for name, state in zip(names, states, strict=False)]
    return laboratory("shm", made, [Channel(NOW, SHM, used=3, capacity=7, unit="slots")])


def shm_boxes(state: LabState, view: View) -> list[Box]:
    """The segment as one box."""
    return [
        Box(
            [(channel.object, "title"), ("  4,096 B", "number")],
            partial(_shm, view),
            partial(_shm_contents, view),
            wish=10,
        )
        for channel in living(state)
    ]


def _shm(view: View, width: int, height: int) -> list[Line]:
    locks = semaphore_lines(
        (Semaphore("mutex", 0, 1, "producer"), Semaphore("empty", 4, 7), Semaphore("full", 3, 7)),
        width,
        view.language,
        max(1, height - 5),
    )
    slots = slot_lines(ring(), width, 5 if height > 5 else 3, view.language)
    return [*slots, *locks][:height]


def _shm_contents(view: View, width: int, height: int) -> list[Line]:
    data = bytes(64) + b"".join(f"tick {place}".encode().ljust(32, b"\0") for place in range(8)) + bytes(1024)
    marks = [Range(0, 4, "in"), Range(4, 4, "out"), *(Range(64 + 32 * k, 32, f"slot {k}") for k in range(8))]
    fresh = Range(64 + 32 * 4, 6, age=0.1)
    file = File(SHM, 0o100600, 1, 1000, 1000, 4096, 23)
    return [*file_lines(file, width), *slot_lines(ring(), width, 5), *hex_lines(data, width, [*marks, fresh])]


# A mailbox: its queue over the whole width, those who wait at the ends.


def mailbox_state() -> LabState:
    """One sends, two wait."""
    made = [process("P1", "paced"), process("P2", "blocked", since=7), process("P3", "blocked", since=9)]
    return laboratory("mailbox", made, [Channel(NOW, "/orders", used=4, capacity=10, unit="messages")])


def letters(count: int = 4) -> tuple[Letter, ...]:
    """Messages in leaving order: urgent ones first."""
    return tuple(Letter(f"b-{place}", 6, 9 if place == 0 else 5 if place < 3 else 0) for place in range(count))


def mailbox_boxes(state: LabState, view: View) -> list[Box]:
    """Every mailbox as one box."""
    return [_mailbox(state, view, channel) for channel in living(state)]


def _mailbox(state: LabState, view: View, channel: Channel) -> Box:
    receivers = waiters(state, channel.object, {"mq_receive"}, view)
    mailbox = Mailbox(letters(), 4, 10, 8192, receivers=receivers)

    def lines(width: int, height: int) -> list[Line]:
        return queue_lines(mailbox, width, height, view.language)

    return Box([(channel.object, "title")], lines, lines, wish=4)


# Direct communication: the graph of links over the whole width.


def direct_state(count: int = 4) -> LabState:
    """P, Q, R, … with links between some."""
    states = ("running", "blocked", "held", "paced", "running", "running")
    made = [
        process(name, state, "recv", f"{name}-Q", fds=place + 1)
        for place, (name, state) in enumerate(zip("PQRSTU"[:count], states, strict=False))
    ]
    return laboratory("direct", made, [Channel(NOW, "P-Q", used=3, capacity=10, unit="messages")])


LINKS = (
    LinkBetween("P", "Q", 3, 0, label="unix 4711"),
    LinkBetween("P", "S", 0, 12, label="unix 4712"),
    LinkBetween("S", "R", 1, 0, age=0.2),
    LinkBetween("Q", "R", broken=True),
)


def direct_boxes(state: LabState, view: View) -> list[Box]:
    """All links in one box."""
    peers = [Peer(name) for name in state.processes]
    draw = partial(link_lines, peers, LINKS, language=view.language)
    return [Box([("direct", "title"), ("  ", "text"), *link_count(peers, LINKS)], draw, draw, wish=len(LINKS) + 1)]


def caption(state: LabState, language: str) -> str:
    """A sentence of two lines."""
    if language == "ko":
        return "생산자는 빈 슬롯을 기다리며 커널에서 잠들어 있고, 소비자는 사용자가 붙잡고 있다(space)."
    return "The ring is full, so the kernel put producer to sleep in sem_wait. You hold consumer: space releases it."


STAGES: dict[str, tuple[Callable[..., LabState], Stage]] = {
    "shm": (shm_state, Stage(shm_boxes, caption, "wide")),
    "mailbox": (mailbox_state, Stage(mailbox_boxes, caption, "wide")),
    "direct": (direct_state, Stage(direct_boxes, caption, "wide")),
    "side": (shm_state, Stage(shm_boxes, caption, "side")),
    "pipe-of-none": (lambda: laboratory("pipe", [process("parent")], []), Stage(pipe.boxes, caption)),
}
"""A made-up mechanism by its name: its state and its stage."""
