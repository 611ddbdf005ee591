"""Listings, lessons and captions of shared memory: whole, narrow, in two languages."""

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ipctui.lab.state import ChannelState, LabState, ProcessState
from ipctui.mechanisms.shm import channel
from ipctui.mechanisms.shm.caption import caption
from ipctui.mechanisms.shm.pane import PANE
from ipctui.mechanisms.shm.words import reason, worded
from ipctui.trace.records import Access, Before, Call, Channel, Event, Header, Settings, State
from ipctui.widgets.program import current_line
from ipctui.widgets.view import View

FOLDER = Path(channel.__file__).parent
VARIANTS = [variant.name for variant in channel.CHANNEL.variants]
SEGMENT = Channel(0, "/dev/shm/ring", type="shm", facts={"size": 640, "needed": 640, "links": 1, "in": 1, "out": 1})


def of(segment: Channel, *processes: ProcessState) -> LabState:
    return LabState(
        processes={process.role: process for process in processes}, channels={segment.object: ChannelState(segment)}
    )


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_its_listing_which_fits_the_pane(variant: str) -> None:
    lines = (FOLDER / "listing" / f"{variant}.c").read_text().splitlines()
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() and line.isascii() for line in lines)
    assert lines[0].startswith(f"/* {variant}: ")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_listing_compiles_without_a_warning(variant: str) -> None:
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command.append(str(FOLDER / "listing" / f"{variant}.c"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_narrow_text(language: str) -> None:
    lines = (FOLDER / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")][: len(VARIANTS)] == VARIANTS
    assert max(map(columns, lines)) <= 76


def test_a_cut_file_is_the_first_thing_said() -> None:
    cut = replace(SEGMENT, facts={**SEGMENT.facts, "size": 0, "links": 0})
    for language in ("en", "ko"):
        assert "SIGBUS" in caption(of(cut), language)


def test_a_full_ring_says_why_by_the_indices_and_whom_you_hold() -> None:
    asleep = State(
        0, "producer", 1, "blocked", Before("sem_wait"), reason="empty is 0: no slot is free", wakers=("consumer",)
    )
    full = replace(SEGMENT, used=7, capacity=7, slots=8, facts={**SEGMENT.facts, "in": 0, "out": 1})
    consumer = ProcessState("consumer", 2, settings=Settings(0, "consumer", True, 0.0, 24))
    state = of(full, ProcessState("producer", 1, state=asleep), consumer)
    for language in ("en", "ko"):
        said = caption(state, language)
        assert "(0+1) % 8 == out" in said
        assert "consumer" in said


RING = {"size": 640, "needed": 640, "links": 1, "in": 1, "out": 1}
STRANGER = {"process": "pid 99", "pid": 0, "start": 0x7F00, "end": 0x8F00, "permissions": "r--s"}


def lock(**facts: object) -> Channel:
    return Channel(0, "/dev/shm/sem.ring.lock", type="semaphore", name="lock", used=0, capacity=1, facts=facts)


def asleep(role: str, call: str, why: str, *wakers: str) -> ProcessState:
    return ProcessState(role, 1, state=State(0, role, 1, "blocked", Before(call), reason=why, wakers=wakers))


def held(role: str) -> ProcessState:
    return ProcessState(role, 2, settings=Settings(0, role, True, 0.0, 24))


def ended(role: str, status: str) -> ProcessState:
    return ProcessState(role, 3, exited=5, status=status)


def on(
    facts: Mapping[str, object], *processes: ProcessState, more: tuple[Channel, ...] = (), **known: object
) -> LabState:
    state = of(replace(SEGMENT, facts={"size": 640, "needed": 640, "links": 1, **facts}), *processes)
    channels = {**state.channels, **{each.object: ChannelState(each) for each in more}}
    return replace(state, channels=channels, facts=known)


OWNED = {"work": 3, "mutex_owner": 3}
DEAD = lock(holder="owner", dead=True)
HEIR = {"recovered": 1, "recovery": {"t": 10, "process": "mutex-waiter"}, "deaths": {"owner": 5}}
SITUATIONS = {
    "before everything": LabState(),
    "over": LabState(processes={"producer": ended("producer", "status 0")}),
    "cut": on({**RING, "size": 0}),
    "cut and dead": on({**RING, "size": 0}, ended("producer", "signal SIGBUS")),
    "full memory": on(RING, ended("producer", "signal SIGBUS")),
    "dead with both": on(OWNED, ended("owner", "signal SIGKILL"), more=(DEAD,)),
    "recovered": on(OWNED, ended("owner", "signal SIGKILL"), more=(DEAD,), **HEIR),
    "another owner waits": on(OWNED, ProcessState("owner", 9), more=(DEAD,), **HEIR),
    "killed": on({**RING, "mapped": [STRANGER]}, ended("producer", "signal SIGKILL")),
    "failed": replace(
        on(RING, ended("producer", "status 1")),
        events=(Event(0, "failed", "producer", {"call": "shm_open", "errno": "EACCES"}),),
    ),
    "stopped": on(RING, ProcessState("producer", 1, state=State(0, "producer", 1, "stopped"))),
    "between": replace(
        on(
            {"counter": 50, "base": 0},
            ProcessState("adder1", 1, state=State(0, "adder1", 1, "held", Before("store"))),
        ),
        facts={"loaded": {"adder1": 7}},
    ),
    "asleep, its waker held": on(
        RING, asleep("producer", "sem_wait", "mutex is 0: consumer has it", "consumer"), held("consumer")
    ),
    "spinning, empty": replace(
        of(
            replace(SEGMENT, used=0, capacity=7, slots=8),
            ProcessState("consumer", 1, state=State(0, "consumer", 1, "running")),
        )
    ),
    "spinning, full": of(
        replace(SEGMENT, used=7, capacity=7, slots=8, facts={**RING, "in": 0}),
        ProcessState("producer", 1, state=State(0, "producer", 1, "running")),
    ),
    "unlinked": on({**RING, "links": 0, "mapped": [STRANGER]}),
    "replaced": on({**RING, "links": 0, "replaced": True}),
    "joined by a stranger": on({**RING, "mapped": [STRANGER]}),
    "joined by a writing stranger": on({**RING, "mapped": [{**STRANGER, "permissions": "rw-s"}]}),
    "race": on({"counter": 50, "lock": False}),
    "race, locked": on({"counter": 50, "lock": True}),
    "private, before": on({"views": {"hermit": [1, 0]}}),
    "private": on({"views": {"hermit": [1, 4]}}),
    "owner at work": on(OWNED, ProcessState("owner", 3)),
    "items cross": on(RING),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_has_a_sentence_of_its_own_in_both_languages(situation: str) -> None:
    english, korean = (caption(SITUATIONS[situation], language) for language in ("en", "ko"))
    assert english.endswith(".")
    assert english.isascii()
    assert re.search("[가-힣]", korean)
    for language in ("en", "ko"):
        others = {caption(state, language) for name, state in SITUATIONS.items() if name != situation}
        assert caption(SITUATIONS[situation], language) not in others


def test_a_second_death_is_not_told_with_the_recovery_of_the_first() -> None:
    died_again = {**HEIR, "deaths": {"owner": 10**9}}
    state = on(OWNED, ended("owner", "signal SIGKILL"), more=(DEAD,), **died_again)
    assert "EOWNERDEAD" not in caption(state, "en")
    assert "EOWNERDEAD" in caption(SITUATIONS["recovered"], "en")
    assert "earlier owner" in caption(SITUATIONS["another owner waits"], "en")


def test_a_sleepers_reason_is_korean_where_the_pane_is() -> None:
    for why in (
        "empty is 0: no slot is free",
        "full is 0: no slot is full",
        "mutex is 0: consumer2 has it",
        "lock is 0: owner took it and is dead",
        "lock is 0",
        "the mutex belongs to owner",
        "the mutex is taken",
        "asleep in sem_wait",
    ):
        state = on(RING, asleep("producer", "sem_wait", why))
        (process,) = worded(state, "ko").processes.values()
        assert process.state is not None
        assert re.search("[가-힣]", process.state.reason or "")
        assert " is 0" not in (process.state.reason or "")
        assert worded(state, "en") is state
    assert reason("ko", "of another kind") == "of another kind"


def test_without_anybody_there_is_still_a_sentence() -> None:
    assert caption(LabState(), "en") != caption(LabState(), "ko")


def test_the_keys_switch_what_is_so_now() -> None:
    offers = {offer.key: offer.command for offer in PANE.offers}
    header = Header("shm", "race", {"gap": 1000, "provoke": "off"}, "", {}, {})
    off = replace(on({"counter": 1, "lock": False}), header=header)
    locked = replace(on({"counter": 1, "lock": True}), header=replace(header, parameters={"provoke": "on"}))
    asked = {name: command(off, View()) for name, command in offers.items() if command is not None}
    assert asked["l"] == "lock on"
    assert asked["6"] == "unlink"
    assert asked["7"] == "set gap 4000"
    assert asked["8"] == "set provoke on"
    assert offers["l"] is not None
    assert offers["l"](locked, View()) == "lock off"
    assert offers["8"] is not None
    assert offers["8"](locked, View()) == "set provoke off"
    assert offers["8"](replace(off, header=replace(header, variant="dead-owner")), View()) == "post"
    assert offers["l"](on(RING), View()) == ""


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_what_has_no_line_is_a_key_away_and_the_frame_says_so(size: tuple[int, int], language: str) -> None:
    mapped = [
        {"process": role, "pid": 7, "start": 0x7F0000000000 + at, "end": 0x7F0000001000 + at, "permissions": "rw-s"}
        for at, role in enumerate(("producer1", "producer2", "consumer1", "consumer2"))
    ]
    roles = [ProcessState(role, 7) for role in ("producer1", "producer2", "consumer1", "consumer2")]
    facts = {**RING, "mapped": mapped, "layout": [["in", 0, 8], ["out", 64, 8]], "fresh": []}
    state = of(replace(SEGMENT, used=0, capacity=7, slots=8, head="00" * 640, facts=facts), *roles)
    frame = PANE.draw(state, View(language=language), *size)
    text = "\n".join("".join(part for part, _ in row) for row in frame.rows)
    assert ("2 shows all" if language == "en" else "2 전부 보기") in text
    assert ("mapped by 4" if language == "en" else "매핑 4개") in text
    enlarged = PANE.draw(state, View(language=language, zoom="contents"), *size)
    text = "\n".join("".join(part for part, _ in row) for row in enlarged.rows)
    assert all(f"{row['start']:x}-{row['end']:x}" in text for row in mapped)
    assert ("system calls" if language == "en" else "시스템 콜") in text


def test_the_listing_follows_loads_and_stores_of_who_runs() -> None:
    spinning = ProcessState("consumer", 7, state=State(0, "consumer", 7, "running"))
    mapped = Call("consumer", 7, "mmap", "mmap", "", 0, 1, 2, line=10)
    load = Access("consumer", 7, "load", "/dev/shm/ring", 0, 3, 3, 4, line=20)
    others = Access("producer", 8, "store", "/dev/shm/ring", 0, 3, 5, 6, line=30)
    state = replace(of(SEGMENT, spinning), calls=(mapped, load, others))
    assert current_line(state, spinning) == 20
