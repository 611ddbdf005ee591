"""Lecture mode, drawn from recordings alone: pictures of every mechanism's moment and of a question with its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ipctui.cli.picture import rounded
from ipctui.lab.outcomes import asked, told
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.tui.actions import ACTIONS
from ipctui.tui.footer import screen_frame
from ipctui.tui.predict import Prediction, prediction_lines
from ipctui.tui.snapshot import PictureApp
from ipctui.tui.themes import find_themes
from ipctui.widgets.canvas import Frame
from ipctui.widgets.lecture import focus, is_stuck
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, word
from tests import recorded
from tests.made import MADE, OTHERS

THEMES = find_themes(Path("/nonexistent"))[0]
SMALL, LARGE = (80, 24), (120, 36)
FIRST = {"pipe": "held", **{made.mechanism: name for name, made in reversed(OTHERS.items())}}
"""Of every mechanism the recording that is drawn."""
CROWDED = ("twelve", "mailbox-twelve", "direct-eight", "fifo-eight-writers")
NARROWED = ("sync", "buffering")
"""Of their cells side by side a room sees the selected process's own."""


@dataclass(frozen=True)
class Case:
    """A picture: of which recording, how large, in which theme, glyphs and language, and at which point of a question.

    Attributes:
        question: "" for none, "asked", "guessed", or "answered".
        seconds: The moment, where it is not the recording's best.
    """

    recording: str
    size: tuple[int, int] = SMALL
    theme: str = "projector"
    ascii: bool = False
    language: str = "en"
    selected: str = ""
    question: str = ""
    seconds: float = 0.0

    @property
    def id(self) -> str:
        look = ("ascii" if self.ascii else "", "" if self.language == "en" else self.language)
        where = (self.selected, self.question)
        return "-".join(
            part for part in (self.recording, "{}x{}".format(*self.size), self.theme, *look, *where) if part
        )


ASKED = {"recording": "held", "seconds": 2.5, "selected": "parent"}
"""The parent stands before a write that is done; it is guessed that it would sleep."""
ASLEEP = {"recording": "held", "seconds": 5.8, "selected": "parent"}
"""The parent sleeps in a write."""

CASES = (
    *(Case(name, size) for name in FIRST.values() for size in (SMALL, LARGE)),
    *(Case(name, size, theme="dark") for name in FIRST.values() for size in (SMALL, LARGE)),
    *(Case(name, size, ascii=True) for name in FIRST.values() for size in (SMALL, LARGE)),
    *(Case(name) for name in CROWDED),
    Case("held", LARGE, language="ko"),
    Case("rpc-side-by-side", language="ko"),
    *(Case(**ASKED, size=size, question=question) for size in (SMALL, LARGE) for question in ("asked", "answered")),
    Case(**ASKED, question="guessed"),
    Case(**ASKED, question="answered", language="ko"),
    Case(**ASKED, question="answered", ascii=True),
    Case(**ASLEEP, question="asked", language="ko"),
)


def shown(case: Case) -> Frame:
    """A recording's moment as the whole screen in lecture mode."""
    state = recorded.state_at(case.recording, case.seconds or MADE[case.recording].moment)
    selected = case.selected or next(iter(state.processes))
    view = View(
        selected, ascii=case.ascii, language=case.language, now=rounded(state.t), replay=True, lecture=True, paused=True
    )
    pane = catalogue.pane(MADE[case.recording].mechanism)
    band = []
    if case.question:
        band = prediction_lines(predicted(case, state, selected), case.language, case.size[0], by_step=True)
    return screen_frame(state, pane, view, *case.size, ACTIONS, frozenset({"seek", "play"}), band)


def predicted(case: Case, state: LabState, selected: str) -> Prediction:
    """A question at the moment of a case, with the second outcome guessed and with the recording's own answer."""
    question = asked(state, selected, state.t)
    assert question is not None
    if case.question == "asked":
        return Prediction(question)
    if case.question == "guessed":
        return Prediction(question, 1)
    later = (record for record in recorded.recording(case.recording).records if getattr(record, "t", 0) > state.t)
    return Prediction(question, 1, next(truth for record in later if (truth := told(record, question)) is not None))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_pictures(case: Case, snap_compare: Any) -> None:
    theme = THEMES[case.theme]
    assert snap_compare(PictureApp(shown(case), theme, theme.styles, "ipctui"), terminal_size=case.size)


def test_every_mechanism_is_drawn_and_no_two_pictures_have_one_name() -> None:
    assert {MADE[case.recording].mechanism for case in CASES} == set(catalogue.NAMES)
    assert len({case.id for case in CASES}) == len(CASES)


# What must be there


@pytest.fixture(params=list(MADE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def frames(name: str) -> Iterator[tuple[LabState, View, str]]:
    """A recording at its best moment for a room, whoever of the first three or last two is selected, as text."""
    state = recorded.state_at(name, MADE[name].moment)
    pane = catalogue.pane(MADE[name].mechanism)
    roles = list(state.processes)
    for selected in dict.fromkeys((*roles[:3], *roles[-2:])):
        view = View(selected, now=rounded(state.t), lecture=True, replay=True)
        yield state, view, screen_frame(state, pane, view, *SMALL).text()


def test_who_is_stuck_and_who_could_wake_it_are_seen(name: str) -> None:
    for state, view, text in frames(name):
        chosen = state.processes[view.selected]
        if MADE[name].mechanism in NARROWED:
            state = replace(state, processes={role: p for role, p in state.processes.items() if p.cell == chosen.cell})
        large = focus(state, view)
        assert chosen in large
        held = [each for each in state.processes.values() if each.state is not None and each.state.state == "held"]
        for process in (*large, *held[:1]):
            assert re.search(rf"(?<!\S){re.escape(process.name)}(?!\S)", text), (
                f"{process.name}, {view.selected} selected"
            )
        for process in large:
            wakers = process.state.wakers if process.state is not None and is_stuck(process, view) else ()
            alive = [waker for waker in wakers if waker in state.processes]
            assert not alive or any(re.search(rf"(?<!\S){re.escape(waker)}(?!\S)", text) for waker in alive)


def test_the_sentence_is_whole(name: str) -> None:
    for state, _, text in frames(name):
        words = " ".join(text.split())
        if MADE[name].mechanism in NARROWED:
            assert words.endswith(".")
        else:
            assert words.endswith(" ".join(catalogue.caption(MADE[name].mechanism)(state, "en").split()))


def test_who_is_left_out_is_counted_by_state() -> None:
    _, _, text = next(frames("mailbox-twelve"))
    row = next(line for line in text.splitlines() if "+10" in line)
    assert row.endswith(f"+10 {STATE_GLYPHS['blocked']} {word('en', 'BLOCKED')}")
    assert "HELD" not in row
    assert "receiver 5661" in text, "the one that all of them wait for is large"
    _, _, text = next(frames("io-all"))
    assert "+12 ·11 ━1" in text


def test_a_reason_that_is_too_long_loses_whole_clauses() -> None:
    for name in ("twelve", "fifo-eight-writers"):
        _, _, text = next(frames(name))
        upper = "\n".join(text.splitlines()[:10])
        assert "1 of 1 slots are taken" in upper
        assert "…" not in upper
