"""The panes of all mechanisms, drawn from recordings alone: pictures of them, and what holds for every one of them."""

from __future__ import annotations

import gzip
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ipctui.cli.picture import replayed, rounded
from ipctui.lab.state import LabState
from ipctui.lab.summary import summary
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Summary
from ipctui.tui.actions import ACTIONS
from ipctui.tui.footer import screen_frame
from ipctui.tui.roles import ROLES
from ipctui.tui.snapshot import PictureApp
from ipctui.tui.themes import find_themes
from ipctui.widgets.canvas import Frame
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS
from tests import recorded
from tests.made import MADE, OTHERS

THEMES = find_themes(Path("/nonexistent"))[0]
SMALL, LARGE = (80, 24), (120, 36)
MOMENTS = 24
"""Moments of a recording at which the properties are tried, evenly spread."""


def state_of(name: str) -> LabState:
    """A recording at its best moment."""
    return recorded.state_at(name, MADE[name].moment)


def shown(name: str, seconds: float, size: tuple[int, int], **view: Any) -> Frame:
    """A recording's moment as the whole screen."""
    state = recorded.state_at(name, seconds)
    view.setdefault("selected", next(iter(state.processes), ""))
    return screen_frame(state, catalogue.pane(MADE[name].mechanism), View(now=rounded(state.t), **view), *size, ACTIONS)


def moment(name: str, step: int) -> float:
    """One of the moments of a recording, from 1 to MOMENTS."""
    return recorded.last_moment(name) * step / MOMENTS


@pytest.fixture(params=list(MADE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Pictures


@dataclass(frozen=True)
class Case:
    """A picture: of which recording, how large, in which theme, in which glyphs, of which part."""

    recording: str
    size: tuple[int, int] = SMALL
    theme: str = "dark"
    ascii: bool = False
    language: str = "en"
    zoom: str = ""

    @property
    def id(self) -> str:
        look = ("ascii" if self.ascii else "", "" if self.language == "en" else self.language, self.zoom)
        return "-".join(part for part in (self.recording, "{}x{}".format(*self.size), self.theme, *look) if part)


FIRST = {made.mechanism: name for name, made in reversed(OTHERS.items())}
"""Of every mechanism its first recording: the one that is drawn in all looks."""

CASES = (
    *(Case(name, size) for name in OTHERS for size in (SMALL, LARGE)),
    *(Case(name, size, theme="projector") for name in FIRST.values() for size in (SMALL, LARGE)),
    *(Case(name, size, ascii=True) for name in FIRST.values() for size in (SMALL, LARGE)),
    *(Case(name, language="ko") for name in FIRST.values()),
    *(Case(name, zoom="contents") for name in FIRST.values()),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_pictures(case: Case, snap_compare: Any) -> None:
    look = {"ascii": case.ascii, "language": case.language, "zoom": case.zoom}
    frame = shown(case.recording, MADE[case.recording].moment, case.size, **look)
    theme = THEMES[case.theme]
    assert snap_compare(PictureApp(frame, theme, theme.styles, "ipctui"), terminal_size=case.size)


def test_every_mechanism_and_every_variant_has_a_recording() -> None:
    there = {(made.mechanism, recorded.recording(name).header.variant) for name, made in MADE.items()}
    wanted = {(name, variant.name) for name in catalogue.NAMES for variant in catalogue.channel(name).variants}
    assert there == wanted


# What must be there at 80x24


def test_every_process_is_named_and_its_state_told(name: str) -> None:
    state = state_of(name)
    for role, process in state.processes.items():
        # Where cells stand side by side, some of their processes are a key away.
        text = "\n".join(
            shown(name, MADE[name].moment, SMALL, selected=role, zoom=zoom).text() for zoom in ("", "processes")
        )
        assert process.role in text
        if process.exited is None and process.state is not None and process.pid:
            assert STATE_GLYPHS[process.state.state] in text


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("step", range(1, MOMENTS + 1, 5))
def test_the_caption_is_whole(name: str, language: str, step: int) -> None:
    seconds = moment(name, step)
    frame = shown(name, seconds, SMALL, language=language)
    said = " ".join(text.strip() for row in frame.rows for text, role in row if role == "caption" and text.strip())
    assert not said.endswith("…")
    caption = catalogue.caption(MADE[name].mechanism)
    assert said == " ".join(caption(recorded.state_at(name, seconds), language).split())


# What holds at every size and moment

SIZES = st.tuples(st.integers(80, 200), st.integers(24, 60))
ZOOMS = {name: ("", *(offer.zoom for offer in catalogue.pane(name).offers if offer.zoom)) for name in catalogue.NAMES}
VIEWS = st.fixed_dictionaries(
    {
        "language": st.sampled_from(["en", "ko"]),
        "listing": st.sampled_from(["python", "c"]),
        "paused": st.booleans(),
        "filter": st.sampled_from(["", "write", "한글", "no such call"]),
        "scroll": st.sampled_from([0, 1, 7, 1000]),
    }
)
STEPS = st.integers(1, MOMENTS)
many_sizes = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


@many_sizes
@given(st.sampled_from(list(MADE)), STEPS, SIZES, VIEWS, st.booleans(), st.data())
def test_every_row_is_as_wide_as_the_frame(
    name: str, step: int, size: tuple[int, int], view: dict[str, Any], ascii: bool, data: st.DataObject
) -> None:
    state = recorded.state_at(name, moment(name, step))
    selected = data.draw(st.sampled_from(["", *state.processes]))
    zoom = data.draw(st.sampled_from(ZOOMS[MADE[name].mechanism]))
    frame = shown(name, moment(name, step), size, selected=selected, ascii=ascii, zoom=zoom, **view)
    assert (frame.width, len(frame.rows)) == size
    for row in frame.rows:
        assert sum(cell_len(text) for text, _ in row) == size[0]
        assert cell_len("".join(text for text, _ in row)) == size[0]
        assert {role for _, role in row} <= set(ROLES)
    for char in set(frame.text()) - {"\n"}:
        assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), f"U+{ord(char):04X}"
    for hit in frame.hits:
        assert 0 <= hit.x < hit.x + hit.width <= size[0]
        assert 0 <= hit.y < hit.y + hit.height <= size[1]


@many_sizes
@given(st.sampled_from(list(MADE)), STEPS, SIZES, VIEWS, st.data())
def test_ascii_means_ascii(
    name: str, step: int, size: tuple[int, int], view: dict[str, Any], data: st.DataObject
) -> None:
    zoom = data.draw(st.sampled_from(ZOOMS[MADE[name].mechanism]))
    look = {**view, "language": "en", "zoom": zoom}
    plain = shown(name, moment(name, step), size, ascii=True, **look).text()
    assert plain.isascii()
    if name == "hostile" or view["filter"] == "한글":
        return
    # What has no stand-in becomes "?": that may be a message's characters, and no glyph of the drawing.
    rich = shown(name, moment(name, step), size, **look).text()
    pictures_of_controls = sum("\u2400" <= char <= "\u2426" for char in rich)
    assert plain.count("?") == rich.count("?") + pictures_of_controls


@many_sizes
@given(st.sampled_from(list(MADE)), STEPS, SIZES, st.sampled_from(["en", "ko"]))
def test_drawing_is_a_function(name: str, step: int, size: tuple[int, int], language: str) -> None:
    first = shown(name, moment(name, step), size, language=language)
    assert shown(name, moment(name, step), size, language=language) == first


# The recordings themselves


def test_a_recording_is_small_whole_and_made_as_it_says(name: str) -> None:
    raw = recorded.path(name).read_bytes()
    assert len(raw) <= recorded.LARGEST
    assert raw[4:8] == b"\0\0\0\0", "gzip keeps no time: the same lines make the same file"
    recording = recorded.recording(name)
    assert recording.problems == ()
    assert recording.header.mechanism == MADE[name].mechanism
    arguments = MADE[name].arguments
    assert recording.header.variant == arguments[arguments.index("--variant") + 1]
    assert isinstance(recording.records[-1], Summary)
    assert MADE[name].moment < recorded.last_moment(name)


def test_the_summary_is_computed_again_from_the_recording(name: str) -> None:
    told = recorded.recording(name).records[-1]
    assert isinstance(told, Summary)
    state = replayed(recorded.recording(name), None)
    again = summary(state, catalogue.channel(MADE[name].mechanism))
    assert (again.processes, again.channels, again.proofs) == (told.processes, told.channels, told.proofs)


def test_no_recording_is_left_over_and_none_holds_a_raw_escape() -> None:
    assert {path.name for path in recorded.FOLDER.iterdir()} == {recorded.path(name).name for name in MADE}
    for name in MADE:
        assert b"\x1b" not in gzip.decompress(recorded.path(name).read_bytes())
