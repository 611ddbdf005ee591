"""Listings, lessons and captions of shared memory: whole, narrow, in two languages."""

import shutil
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from ipctui.lab.state import ChannelState, LabState, ProcessState
from ipctui.mechanisms.shm import channel
from ipctui.mechanisms.shm.caption import caption
from ipctui.trace.records import Before, Channel, Settings, State

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


def test_without_anybody_there_is_still_a_sentence() -> None:
    assert caption(LabState(), "en") != caption(LabState(), "ko")
