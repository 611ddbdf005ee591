"""The pane of the pipe, drawn from recordings alone: pictures of it, and what must be in every one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ipctui.cli.picture import rounded
from ipctui.lab.state import LabState, ProcessState, cycle
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.tui.actions import ACTIONS
from ipctui.tui.footer import screen_frame
from ipctui.tui.roles import no_color
from ipctui.tui.snapshot import PictureApp
from ipctui.tui.themes import find_themes
from ipctui.widgets.canvas import Canvas, Frame
from ipctui.widgets.card import operation_text
from ipctui.widgets.gauge import is_full
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word
from tests import pictures, recorded
from tests.made import PIPE

PANE, caption = catalogue.pane("pipe"), catalogue.caption("pipe")
ZOOMS = ("", *(offer.zoom for offer in PANE.offers if offer.zoom))
THEMES = find_themes(Path("/nonexistent"))[0]
MOMENTS = 24
"""Moments of a recording at which the properties are tried, evenly spread."""


def shown(name: str, seconds: float, size: tuple[int, int], **view: Any) -> Frame:
    """A recording's moment as the whole screen."""
    state = recorded.state_at(name, seconds)
    view.setdefault("selected", next(iter(state.processes), ""))
    return screen_frame(state, PANE, View(now=rounded(state.t), **view), *size, ACTIONS)


def at_its_moment(name: str) -> LabState:
    return recorded.state_at(name, PIPE[name].moment)


# Pictures


@dataclass(frozen=True)
class Case:
    """A picture: of which recording, how large, in which theme, and how it is looked at."""

    recording: str
    size: tuple[int, int] = (80, 24)
    theme: str = "dark"
    look: str = ""
    view: tuple[tuple[str, Any], ...] = ()
    uncoloured: bool = False

    @property
    def id(self) -> str:
        parts = [self.recording, "{}x{}".format(*self.size), self.theme, self.look]
        return "-".join(part for part in parts if part)


def _case(recording: str, wide: bool = False, theme: str = "dark", look: str = "", **view: Any) -> Case:
    return Case(recording, (120, 36) if wide else (80, 24), theme, look, tuple(view.items()))


CASES = (
    *(_case(name) for name in PIPE),
    *(_case(name, wide=True) for name in ("held", "two-way", "forgotten-end", "deadlock", "torn", "packets")),
    Case("held", (200, 60)),
    _case("held", theme="projector"),
    _case("deadlock", wide=True, theme="projector"),
    _case("twelve", theme="okabe-ito"),
    replace(_case("held", look="no-color"), uncoloured=True),
    *(_case(name, look="ascii", ascii=True) for name in ("held", "deadlock", "hostile")),
    *(_case(name, look="korean", language="ko") for name in ("held", "forgotten-end")),
    *(_case(name, wide=True, look="korean", language="ko") for name in ("deadlock", "torn")),
    _case("held", look="paused", paused=True),
    _case("two-way", wide=True, theme="projector", look="paused-korean", paused=True, language="ko"),
    _case("held", look="c", listing="c"),
    _case("steps", look="child", selected="child"),
    _case("twelve", wide=True, look="child9", selected="child9"),
    _case("steps", wide=True, look="filter", filter="close"),
    _case("half-written", look="processes", zoom="processes"),
    _case("twelve", wide=True, look="processes", zoom="processes", selected="child3"),
    _case("hostile", look="contents", zoom="contents"),
    _case("deadlock", wide=True, look="contents", zoom="contents"),
    _case("two-way", look="time", zoom="time"),
    _case("steps", wide=True, look="program", zoom="program", selected="parent"),
    _case("deadlock", wide=True, look="program-c", zoom="program", listing="c"),
    _case("hostile", look="calls", zoom="calls"),
    _case("hostile", wide=True, theme="projector", look="contents-korean", zoom="contents", language="ko"),
    _case("hostile", look="contents-ascii", zoom="contents", ascii=True),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_pictures(case: Case, snap_compare: Any) -> None:
    frame = shown(case.recording, PIPE[case.recording].moment, case.size, **dict(case.view))
    theme = THEMES[case.theme]
    styles = no_color(theme.styles) if case.uncoloured else theme.styles
    assert snap_compare(PictureApp(frame, theme, styles, "ipctui"), terminal_size=case.size)


def test_the_pictures_cover_every_recording_part_and_listing() -> None:
    looks = [dict(case.view) for case in CASES]
    assert {case.recording for case in CASES} == set(PIPE)
    assert {look.get("zoom", "") for look in looks} == set(ZOOMS)
    assert {look.get("listing", "python") for look in looks} == {"python", "c"}
    variants = {recorded.recording(name).header.variant for name in PIPE}
    assert variants == {variant.name for variant in catalogue.channel("pipe").variants}
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("picture", pictures.PICTURES, ids=lambda picture: picture.file)
def test_the_screenshots_are_those_of_this_version(picture: pictures.Picture) -> None:
    stored = (pictures.FOLDER / picture.file).read_text(encoding="utf-8")
    assert stored == pictures.drawn(picture), f"screenshots/{picture.file} is stale: run `make screenshots`"


def test_no_screenshot_is_left_over() -> None:
    assert {path.name for path in pictures.FOLDER.iterdir()} == {picture.file for picture in pictures.PICTURES}


# What must be there at 80x24


@pytest.fixture(params=list(PIPE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_state_is_told_by_glyph_word_and_operation(name: str) -> None:
    state = at_its_moment(name)
    for role, process in state.processes.items():
        text = squeezed(shown(name, PIPE[name].moment, (80, 24), selected=role))
        assert words_of(process) in text


def words_of(process: ProcessState) -> str:
    """The glyph, the word and the operation that a card begins with."""
    if process.exited is not None:
        return f"✝ EXITED {process.status}"
    assert process.state is not None
    now = process.state
    operation = operation_text(now)
    if now.state == "held":
        return f"‖ HELD before {operation}"
    operation = operation.removesuffix("()") if now.state != "running" else ""
    return f"{STATE_GLYPHS[now.state]} {now.state.upper()} {operation}".rstrip()


def test_every_reason_is_whole_as_far_as_it_goes(name: str) -> None:
    state = at_its_moment(name)
    for role, process in state.processes.items():
        now = process.state
        if now is None or now.state != "blocked" or process.exited is not None:
            continue
        assert now.reason
        rows = [*parts(shown(name, PIPE[name].moment, (80, 24), selected=role), "blocked")]
        said = squeeze(" ".join(rows))
        assert squeeze(re.split(r" \(| at |; | while ", now.reason)[0]) in said
        assert (now.wchan or "no wchan") in shown(name, PIPE[name].moment, (80, 24), selected=role).text()


def test_fill_slots_and_holders_are_there(name: str) -> None:
    state = at_its_moment(name)
    text = shown(name, PIPE[name].moment, (80, 24)).text()
    for channel in living(state):
        assert channel.object in text
        if channel.used is None or channel.capacity is None:
            continue
        assert f"{grouped(channel.used)} B of {grouped(channel.capacity)}" in text
        assert (
            f"{'?' if channel.slots_used is None else channel.slots_used}/{channel.slots}" in text
            or len(living(state)) == 2
        )
        assert f"{len(channel.writers)} writer" in text
        assert f"{len(channel.readers)} reader" in text


def test_descriptors_and_counts_are_there(name: str) -> None:
    state = at_its_moment(name)
    for role, process in state.processes.items():
        text = shown(name, PIPE[name].moment, (80, 24), selected=role).text()
        if process.exited is not None:
            assert "all ends closed" in text
        for row in process.descriptors if process.exited is None else ():
            end, _, closed = row.end.partition(" ")
            arrow = {"read": "◂", "write": "▸"}[end]
            if closed and len(process.descriptors) > 2:
                continue  # joined in one line where there is room for it
            assert f"{row.fd} {end:<5} {'closed' if closed else arrow}" in text
            if row.peers and not closed:
                peer, fd = row.peers[0]
                assert f"{row.fd} {end:<5} {arrow} {peer} {fd}" in text
        assert process.counters is not None
        for count, what in ((process.counters.sent, "sent"), (process.counters.received, "received")):
            if count:
                assert f"{grouped(count)} {what} " in text


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("step", range(1, MOMENTS + 1, 3))
def test_the_caption_is_whole(name: str, language: str, step: int) -> None:
    seconds = moment(name, step)
    frame = shown(name, seconds, (80, 24), language=language)
    said = " ".join(text.strip() for text in parts(frame, "caption"))
    assert "…" not in said
    assert said == " ".join(caption(recorded.state_at(name, seconds), language).split())


def test_a_message_half_in_is_told_in_bytes() -> None:
    text = shown("half-written", 1.8, (80, 24)).text()
    now = at_its_moment("half-written").processes["parent"].state
    assert now is not None
    assert now.progress is not None
    assert "{:,}/{:,} B written".format(*now.progress) in text


def test_a_deadlock_is_drawn_as_a_ring() -> None:
    ring = cycle(at_its_moment("deadlock"))
    assert set(ring) == {"parent", "child"}
    assert "↻ child ─write(6)→ parent ─write(4)→ child" in shown("deadlock", 2.8, (80, 24)).text()


def test_full_is_said_when_the_kernel_says_so() -> None:
    """A stream without a free slot may still take what fits behind the last message."""
    partly = next(iter(living(at_its_moment("steps"))))
    assert (partly.slots_used, partly.used) == (1, 64)
    assert not is_full(partly)
    assert is_full(partly, waited_for=True)
    packets = next(iter(living(at_its_moment("packets"))))
    assert (packets.slots_used, packets.used) == (4, 256)
    assert is_full(packets)


def test_what_the_user_does_not_know_is_never_guessed() -> None:
    """A state that cannot be read is unknown with its reason, in a glyph, a word and a role of its own."""
    state = at_its_moment("one-way")
    child = state.processes["child"]
    assert child.state is not None
    refused = replace(child.state, state="unknown", reason="another user's process")
    state = replace(state, processes={**state.processes, "child": replace(child, state=refused)})
    frame = screen_frame(state, PANE, View(selected="child", now=state.t), 80, 24, ACTIONS)
    assert "? UNKNOWN" in frame.text()
    assert "another user's process" in squeezed(frame)
    assert [*parts(frame, "unknown")]


def test_paused_is_loud_and_the_way_out_stands_first() -> None:
    frame = shown("held", 5.8, (80, 24), paused=True)
    assert any("PAUSED 00:05.8" in text for text in parts(frame, "paused"))
    assert frame.text().splitlines()[-1].startswith(" p resume")


def test_states_are_told_apart_without_colour() -> None:
    assert len(set(STATE_GLYPHS.values())) == len(STATE_GLYPHS)
    canvas = Canvas(len(STATE_GLYPHS), 1, ascii=True)
    for x, glyph in enumerate(STATE_GLYPHS.values()):
        canvas.put(x, 0, glyph)
    drawn = "".join(text for text, _ in canvas.frame().rows[0])
    assert len(set(drawn)) == len(STATE_GLYPHS)
    assert drawn.isascii()
    for language in ("en", "ko"):
        assert len({word(language, name.upper()) for name in STATE_GLYPHS}) == len(STATE_GLYPHS)
    assert len(set(STATE_ROLES.values())) == len(STATE_ROLES)


def moment(name: str, step: int) -> float:
    return recorded.last_moment(name) * step / MOMENTS


def living(state: LabState) -> list[Channel]:
    return [held.now for held in state.channels.values() if not held.now.closed]


def parts(frame: Frame, role: str) -> Iterator[str]:
    """The texts of a role, from the top."""
    for row in frame.rows:
        yield from (text for text, own in row if own == role and text.strip())


def squeeze(text: str) -> str:
    return " ".join(text.split())


def squeezed(frame: Frame) -> str:
    return squeeze(frame.text())
