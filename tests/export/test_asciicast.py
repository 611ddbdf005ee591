"""The asciicast: its header and events as the specification has them, and a terminal that ends with the last frame.

Specification: https://docs.asciinema.org/manual/asciicast/v3/; what asciinema insists on is in its src/asciicast/v3.rs.
"""

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ipctui.cli.picture import replayed
from ipctui.export.asciicast import LAST_SHOWN, Cast, write_asciicast
from ipctui.export.reading import Source
from ipctui.export.terminal import BEGIN, END, Painter
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Command, Event, Record
from ipctui.tui.themes import LoadedTheme, find_themes
from ipctui.widgets.canvas import Frame
from ipctui.widgets.view import View
from tests import recorded
from tests.export.given import call, started, state, stored

pyte = pytest.importorskip("pyte")

HEX = re.compile(r"#[0-9a-f]{6}")
CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


@cache
def themes() -> dict[str, LoadedTheme]:
    return find_themes(Path("/nonexistent"))[0]


def cast(source: Source, **more: Any) -> list[Any]:
    """The lines of a cast of the pipe's pane; `fps`, `size`, `theme` and what a view has."""
    settings = {name: more.pop(name) for name in ("fps", "size", "theme") if name in more}
    wanted = Cast(settings.get("size", (80, 24)), settings.get("fps", 10.0), themes()[settings.get("theme", "dark")],
                  View(**more))  # fmt: skip
    out = io.StringIO()
    write_asciicast(source, catalogue.channel("pipe"), catalogue.pane("pipe").draw, wanted, out)
    assert out.getvalue().endswith("\n")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def frame_at_end(name: str, size: tuple[int, int], view: View) -> Frame:
    state = replayed(recorded.recording(name), None)
    now = state.t // 100_000_000 * 100_000_000
    view = replace(view, selected=next(iter(state.processes)), now=now, replay=True)
    return catalogue.pane("pipe").draw(state, view, *size)


CASES = [
    ("held", {}),
    ("hostile", {"size": (120, 36), "theme": "projector"}),
    ("two-way", {"language": "ko"}),
    ("torn", {"theme": "ansi", "ascii": True, "fps": 3.0}),
    ("killed", {"zoom": "calls"}),
]


@pytest.mark.parametrize(("name", "how"), CASES, ids=[name for name, _ in CASES])
def test_a_terminal_ends_with_the_last_frame(name: str, how: dict[str, Any]) -> None:
    header, *events = cast(Source(recorded.path(name)), **how)
    assert header["version"] == 3
    columns, rows = how.get("size", (80, 24))
    assert (header["term"]["cols"], header["term"]["rows"]) == (columns, rows)
    theme = header["term"]["theme"]
    assert HEX.fullmatch(theme["fg"])
    assert HEX.fullmatch(theme["bg"])
    assert [bool(HEX.fullmatch(each)) for each in theme["palette"].split(":")] == [True] * 16
    assert isinstance(header["timestamp"], int)
    screen = pyte.Screen(columns, rows)
    stream = pyte.Stream(screen)
    for interval, code, data in events[:-1]:
        assert interval >= 0
        assert code in ("o", "m")
        if code == "o":
            assert not re.search(r"[\x00-\x1f\x7f-\x9f]", CONTROL.sub("", data))
            stream.feed(data)
    assert events[0][2] == BEGIN
    assert events[-1] == [LAST_SHOWN / 1e9, "o", END]
    view = View(**{name: value for name, value in how.items() if name not in ("size", "theme", "fps")})
    frame = frame_at_end(name, (columns, rows), view)
    shown = [line.rstrip() for line in screen.display]
    assert shown == [line.rstrip() for line in frame.text().split("\n")]
    assert screen.cursor.hidden


@pytest.mark.parametrize("name", ["dark", "projector"])
def test_colours_are_those_of_the_theme(name: str) -> None:
    header, *events = cast(Source(recorded.path("held")), theme=name)
    styles = themes()[name].styles
    assert header["term"]["theme"]["bg"] == styles["text"].bgcolor.triplet.hex
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    for _, code, data in events[:-1]:
        if code == "o":
            stream.feed(data)
    y = next(y for y, line in enumerate(screen.display) if "BLOCKED" in line)
    cell = screen.buffer[y][screen.display[y].index("BLOCKED")]
    assert f"#{cell.fg}" == styles["blocked"].color.triplet.hex
    assert f"#{cell.bg}" == styles["blocked"].bgcolor.triplet.hex
    assert cell.bold == bool(styles["blocked"].bold)


def test_intervals_add_up_to_the_recording_and_marks_lie_where_they_were(tmp_path: Path) -> None:
    told: tuple[Record, ...] = (
        started("parent"),
        call("parent", "pipe", -5_000_000, -4_000_000),
        Event(730_000_000, "mark", data={"text": "here \x1b[2J"}),
        Command(1_450_000_000, "hold child", "key"),
        Command(1_460_000_000, "hold child", "key", "done"),
        state("parent", 2_345_678_000, "held"),
    )
    _, *events = cast(Source(stored(tmp_path, *told)))
    times, t = [], 0.0
    for interval, code, data in events:
        t += interval
        times.append((round(t, 6), code, data))
    assert [event for event in times if event[1] == "m"] == [(0.73, "m", "here ␛[2J"), (1.45, "m", "hold child")]
    assert times[-2][0] == 2.345678
    assert times[-1][0] == 4.345678


def test_nothing_is_written_where_nothing_changes() -> None:
    few, many = (cast(Source(recorded.path("ended")), fps=fps) for fps in (2.0, 30.0))
    assert len(few) < len(many)
    painter = Painter(themes()["dark"].styles)
    one = Frame(3, 2, ((("abc", "text"),), (("def", "text"),)))
    other = Frame(3, 2, ((("abc", "text"),), (("한d", "text"),)))
    assert "abc" in painter.paint(one)
    assert painter.paint(one) == ""
    changed = painter.paint(other)
    assert changed.startswith("\x1b[2;1H")
    assert "abc" not in changed


def test_a_year_without_a_record_is_no_million_frames(tmp_path: Path) -> None:
    told = (started("parent"), state("parent", 5 * 86_400 * 10**9, "held"))
    _, *events = cast(Source(stored(tmp_path, *told)))
    assert len(events) < 300
    assert round(sum(event[0] for event in events)) == 5 * 86_400 + 2
