"""Captions, reasons, listings and lessons of the mailbox: whole, narrow, in two languages."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.state import ChannelState, LabState, ProcessState
from ipctui.mechanisms.mailbox import program
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.channel import CHANNEL
from ipctui.mechanisms.mailbox.commands import POLICIES
from ipctui.mechanisms.mailbox.glimpse import passed_by
from ipctui.mechanisms.mailbox.order import DELETED, empty
from ipctui.mechanisms.mailbox.pane import draw
from ipctui.mechanisms.mailbox.words import reason_in
from ipctui.trace.records import Before, Call, Channel, Event, Header, Held, Settings, State
from ipctui.widgets.canvas import wrapped
from ipctui.widgets.queue import Mailbox, queue_lines
from ipctui.widgets.view import View
from ipctui.widgets.waiting import Waiter
from tests.mechanisms.test_listings import columns

FOLDER = Path(program.__file__).parent
VARIANTS = [variant.name for variant in CHANNEL.variants]
LANGUAGES = ("en", "ko")
BOX = Channel(
    0,
    "/orders",
    type="mqueue",
    used=0,
    capacity=10,
    unit="messages",
    facts={"message_size": 1024, "uid": 0, "mode": 0o600, "bytes": 0},
)
LIMITS = {"RLIMIT_MSGQUEUE": 819200, "queues_max": 256, "msg_max": 10, "msgsize_max": 8192, "footprint": 11200}


def header(variant: str, **values: object) -> Header:
    return Header("mailbox", variant, values, "2026-01-01T00:00:00Z", {}, {})


def process(
    role: str, state: str = "running", call: str = "", object: str = "/orders", held: bool = False, **more: Any
) -> ProcessState:
    now = State(0, role, 1, state, Before(call) if call else None, object=object, since=0, **more)
    return ProcessState(role, 1, state=now, settings=Settings(0, role, held, 0.0, 64))


def of(variant: str, box: Channel | None, *processes: ProcessState, **more: Any) -> LabState:
    channels = {} if box is None else {box.object: ChannelState(box)}
    return LabState(
        header=header(variant), processes={each.role: each for each in processes}, channels=channels, **more
    )


def boxed(**known: object) -> Mapping[str, Any]:
    return {"mailboxes": {"/orders": {**empty(), **known}}}


def ended(role: str, status: str) -> ProcessState:
    return replace(process(role), exited=5, status=status)


def failure(errno: str) -> LabState:
    event = Event(
        5, "failed", "sender", {"call": "mq_open", "fd": None, "errno": errno, "why": errno, "limits": LIMITS}
    )
    return of("one-to-one", BOX, ended("sender", "status 1"), process("receiver"), events=(event,))


FULL = replace(BOX, used=10, facts={**BOX.facts, "bytes": 640})
NICE = replace(BOX, facts={**BOX.facts, "nice": {"p2": 5, "p3": 15}})
SENDER_FULL = process("sender", "blocked", "mq_send", reason="mailbox full (10 of 10 messages)", wakers=("receiver",))
WAITING = [process(role, "blocked", "mq_receive", reason="mailbox empty", wakers=("p1",)) for role in ("p2", "p3")]
BEFORE = replace(BOX, object="/orders", used=10)
BEHIND = replace(BOX, object="/orders-out")

STATES: dict[str, tuple[LabState, tuple[str, ...]]] = {
    "nothing yet": (LabState(), ()),
    **{f"{name} at its beginning": (of(name, BOX), ()) for name in VARIANTS},
    "full, receiver held": (
        of("one-to-one", FULL, SENDER_FULL, process("receiver", "held", held=True)),
        ("10", "space"),
    ),
    "full, receiver slow": (of("one-to-one", FULL, SENDER_FULL, process("receiver", "paced")), ("receiver",)),
    "full, nobody there": (
        of("one-to-one", FULL, replace(SENDER_FULL, state=replace(SENDER_FULL.state, wakers=()))),
        (),
    ),
    "a receiver held": (
        of(
            "one-to-one",
            replace(BOX, used=3, readers=("receiver",)),
            process("receiver", "held", held=True),
            process("sender"),
        ),
        ("receiver", "3"),
    ),
    "a sender held": (
        of(
            "one-to-one",
            BOX,
            process("sender", "held", held=True),
            process("receiver", "blocked", "mq_receive", reason="mailbox empty", wakers=("sender",)),
        ),
        ("sender", "receiver"),
    ),
    "two wait": (of("one-to-many", BOX, process("p1"), *WAITING), ("p2", "p3")),
    "one is nicer": (of("one-to-many", NICE, process("p1"), *WAITING), ("nice 5", "nice 15")),
    "the nicer one waits alone": (
        of("one-to-many", NICE, process("p1"), process("p2"), WAITING[1]),
        ("nice 5", "nice 15"),
    ),
    "in turn": (
        of("one-to-many", BOX, WAITING[0], process("p3", "blocked", "sem_wait", "/dev/shm/sem.x-turn")),
        ("p2", "p3", "sem_wait"),
    ),
    "no place": (
        of(
            "one-to-many",
            BOX,
            replace(process("p1"), descriptors=(Held(3, "/orders", "write"),)),
            replace(WAITING[0], descriptors=(Held(3, "/orders", "read"),)),
            process("p3", "blocked", "sem_wait", "/dev/shm/sem.x-places"),
        ),
        ("p1", "p2", "p3", "sem_wait"),
    ),
    "a prosumer held": (
        of("pipeline", BEFORE, process("prosumer", "held", held=True), process("producer")),
        ("prosumer",),
    ),
    "foreign ones in it": (
        of("one-to-one", replace(BOX, used=3), process("receiver"), facts=boxed(strangers=2)),
        ("2", "3", "/orders"),
    ),
    "urgent ones first": (
        of(
            "priority",
            replace(BOX, used=2),
            process("receiver"),
            facts=boxed(items=[[9, "urgent:1", "urgent:1", 64], [0, "ordinary:1", "ordinary:1", 64]]),
        ),
        ("urgent:1", "9"),
    ),
    "killed": (
        of("one-to-one", replace(BOX, used=2), ended("sender", "signal SIGKILL"), process("receiver")),
        ("SIGKILL",),
    ),
    "stopped": (of("one-to-one", BOX, process("sender", "stopped"), process("receiver")), ("SIGSTOP",)),
    "deleted": (
        of(
            "one-to-one",
            replace(BOX, facts={**BOX.facts, "unlinked": True}),
            process("receiver"),
            facts=boxed(deleted="receiver"),
        ),
        ("/orders", "mq_unlink", "receiver"),
    ),
    "deleted, and its name another's": (
        of(
            "one-to-one",
            replace(BOX, object=f"/orders{DELETED}", facts={**BOX.facts, "unlinked": True}),
            process("receiver"),
        ),
        ("/orders", "6"),
    ),
    "registered for a signal": (
        of("notify", replace(BOX, facts={**BOX.facts, "notify": "receiver"}), process("receiver")),
        ("mq_notify",),
    ),
    "outlived": (
        of("outlives", replace(BOX, used=5), ended("creator", "status 0"), ProcessState("heir", 0)),
        ("creator", "5"),
    ),
    "inherited": (of("outlives", replace(BOX, used=3), ended("creator", "status 0"), process("heir")), ("heir", "3")),
    "taken over": (of("outlives", None, ended("creator", "status 0"), ended("heir", "status 0")), ("heir",)),
    "all ended": (of("one-to-one", BOX, ended("sender", "status 0"), ended("receiver", "status 0")), ("r",)),
    **{
        f"failed with {errno}": (failure(errno), (errno, "mq_open", figure))
        for errno, figure in {
            "EMFILE": "819,200",
            "ENOSPC": "256",
            "EINVAL": "8,192",
            "EACCES": "",
            "EEXIST": "O_EXCL",
            "ENOENT": "O_CREAT",
            "EMSGSIZE": "mq_msgsize",
            "EBUSY": "",
            "EBADF": "",
            "EIO": "",
        }.items()
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", STATES)
def test_every_sentence_is_whole_in_three_lines_and_names_what_it_is_about(name: str, language: str) -> None:
    state, words = STATES[name]
    said = caption(state, language)
    assert [word for word in words if word not in said] == []
    lines = wrapped(said, 78, 99)
    assert len(lines) <= 3, said
    assert said.rstrip()[-1] in ".?"
    assert bool(re.search("[가-힣]", said)) is (language == "ko")
    assert "{" not in said
    assert "None" not in said


def test_no_two_situations_are_told_in_the_same_words() -> None:
    said = [caption(state, "en") for name, (state, _) in STATES.items() if not name.endswith(("beginning", "alone"))]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("size", [(80, 22), (120, 34)])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", STATES)
def test_every_state_can_be_drawn_in_both_languages(name: str, language: str, size: tuple[int, int]) -> None:
    frame = draw(STATES[name][0], View(language=language, now=9), *size)
    assert len(frame.rows) == size[1]
    if language == "ko":
        assert "mailbox full" not in frame.text()
        assert "mailbox empty" not in frame.text()


def test_what_went_past_a_waiting_receiver_is_counted_from_its_wait_on() -> None:
    waits = process("p3", "blocked", "mq_receive")
    assert waits.state is not None
    waits = replace(waits, state=replace(waits.state, since=100))

    def received(role: str, end: int, result: int = 64) -> Call:
        return Call(role, 1, "mq_receive", "mq_timedreceive", "", result, 0, end, object="/orders")

    calls = (received("p2", 50), received("p2", 150), received("p2", 160, -1), received("p2", 170), received("p3", 90))
    assert passed_by(replace(of("one-to-many", NICE, waits), calls=calls), waits) == 2
    assert passed_by(of("one-to-many", NICE, waits), process("p3")) == 0


# Reasons


@pytest.mark.parametrize(
    ("reason", "korean"),
    [
        ("mailbox full (10 of 10 messages)", "메일박스 가득 참 (메시지 10/10개)"),
        ("mailbox full (no room)", "메일박스 가득 참"),
        ("mailbox empty", "메일박스가 비어 있음"),
        ("two processes at most; the places are taken, by p1 and p2", "두 프로세스까지; 자리를 차지한 쪽: p1, p2"),
        ("the turn is taken (only one may be in receive)", "차례는 다른 쪽에 있음 (한 번에 한 수신자)"),
        ("asleep in poll; its object could not be looked at", "poll에서 잠듦; 대상을 볼 수 없다"),
        ("its own work (a signal ends it early)", "제 일을 하는 중 (시그널이 오면 끝난다)"),
        ("the semaphore's value is 0", "세마포어의 값이 0이다"),
    ],
)
def test_why_somebody_sleeps_is_told_in_korean_too(reason: str, korean: str) -> None:
    assert reason_in("ko", reason) == korean
    assert reason_in("en", reason) == reason


def test_every_reason_that_the_looker_gives_has_its_korean() -> None:
    source = (FOLDER / "looker.py").read_text()
    given_reasons = re.findall(r'Reason\(f?"([^"]+)"', source)
    assert len(given_reasons) >= 7
    for reason in given_reasons:
        filled = re.sub(r"\{[^}]*\}", "x", reason.replace("{fill}", "1 of 2 messages"))
        assert reason_in("ko", filled) != filled, reason


@given(st.text(max_size=60))
def test_any_text_may_be_asked_for(text: str) -> None:
    assert isinstance(reason_in("ko", text), str)
    assert reason_in("en", text) == text


# Listings and lessons


def test_every_variant_has_its_listing_and_no_listing_is_left_over() -> None:
    assert sorted(path.stem for path in (FOLDER / "listing").iterdir()) == sorted(VARIANTS)


@pytest.mark.parametrize("variant", CHANNEL.variants, ids=VARIANTS)
def test_a_listing_fits_and_makes_the_calls(variant: Any) -> None:
    source = CHANNEL.listing(variant)
    lines = source.splitlines()
    assert 25 <= len(lines) <= 60
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() and "\t" not in line and line.isascii() for line in lines)
    assert lines[0].startswith(f"/* {variant.name}: ")
    wanted = {"mq_open(", "mq_receive("} | (set() if variant.name == "notify" else {"mq_send("})
    wanted |= {"notify": {"mq_notify("}, "outlives": {"mq_unlink("}, "one-to-many": {"sem_wait(", "sem_post("}}.get(
        variant.name, set()
    )
    assert [part for part in wanted if part not in source] == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_listing_compiles_and_links_without_a_warning(name: str, tmp_path: Path) -> None:
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", str(FOLDER / "listing" / f"{name}.c")]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out"), "-lrt", "-pthread"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lesson_speaks_of_every_variant_in_plain_narrow_text(language: str) -> None:
    lines = (FOLDER / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == VARIANTS
    assert len(lines) < 120
    assert max(map(columns, lines)) <= 76
    assert not [line for line in lines if line.startswith(("|", "!["))]


def test_every_program_of_a_plan_and_of_a_policy_is_there() -> None:
    values = {parameter.name: parameter.default for parameter in CHANNEL.parameters()}
    named = {
        seat.program
        for variant in CHANNEL.variants
        for tree in CHANNEL.plan(variant, {**values, **variant.values}).trees
        for seat in tree
    }
    assert all(callable(getattr(program, name)) for name in named | set(POLICIES.values()))


@pytest.mark.parametrize("width", [118, 78, 60, 46, 40])
def test_who_waits_is_told_in_whole_words_at_any_width(width: int) -> None:
    waiting = tuple(Waiter(f"sender{number}", 14430 + number, "mq_send", "2.9 s") for number in range(1, 6))
    lines = queue_lines(Mailbox((), 0, 10, senders=waiting), width, 5)
    (said,) = ["".join(text for text, _ in line) for line in lines if "5 wait to send" in line[0][0]]
    assert len(said) <= width
    told = said.partition(": ")[2]
    assert told.startswith("sender1")
    shown = len(re.findall(r"sender\d", told))
    assert shown == 5 or told.endswith(f" +{5 - shown}")
