"""A recording as a terminal session, asciicast v3: https://docs.asciinema.org/manual/asciicast/v3/."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO, Any

from rich.color import Color
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI

from ipctui.export.commands import MARK, Orders, mark_text
from ipctui.export.reading import Source
from ipctui.export.terminal import BEGIN, END, Painter
from ipctui.lab.channel import Channel
from ipctui.lab.fold import fold
from ipctui.lab.state import LabState
from ipctui.lab.timeline import folded
from ipctui.trace.records import Command, Event, Header, Record, Summary
from ipctui.trace.text import visible
from ipctui.tui.footer import undrawable
from ipctui.tui.themes import LoadedTheme
from ipctui.widgets.canvas import Frame
from ipctui.widgets.view import View

LAST_SHOWN = 2_000_000_000
"""Nanoseconds that the last frame stays before the terminal is given back."""

_TENTH = 100_000_000
_MOST_QUIET = 10_000_000_000

Draw = Callable[[LabState, View, int, int], Frame]


@dataclass(frozen=True, slots=True)
class Cast:
    """How a recording is filmed.

    Attributes:
        size: Columns and rows.
        fps: Frames a second at most: one is drawn only where something changed.
        view: The language, the part enlarged, and so on.
    """

    size: tuple[int, int]
    fps: float
    theme: LoadedTheme
    view: View


def write_asciicast(source: Source, channel: Channel, draw: Draw, cast: Cast, out: IO[str]) -> None:
    """Write a recording as it looks in its pane; marks and the user's commands become markers."""
    out.write(_line(_header(source.header, cast)))
    clock = _Clock(out)
    painter = Painter(cast.theme.styles)
    clock.event(0, "o", BEGIN)
    for state, marks in _moments(source, channel, cast.fps):
        for t, text in marks:
            clock.event(t, "m", text)
        clock.event(state.t, "o", painter.paint(_drawn(state, draw, cast)))
    clock.event(clock.t + LAST_SHOWN, "o", END)


def _drawn(state: LabState, draw: Draw, cast: Cast) -> Frame:
    view = replace(cast.view, now=state.t // _TENTH * _TENTH, replay=True)
    if view.selected not in state.processes and state.processes:
        view = replace(view, selected=next(iter(state.processes)))
    try:
        return draw(state, view, *cast.size)
    except Exception:
        # A damaged recording can say what no laboratory ever would, of what the mechanism remembers above all.
        try:
            return draw(replace(state, facts={}), view, *cast.size)
        except Exception:
            return undrawable(view, *cast.size)


def _moments(source: Source, channel: Channel, fps: float) -> Iterator[tuple[LabState, list[tuple[int, str]]]]:
    """The state at each frame's moment, and the marks since the moment before; the last one is the recording's end."""
    step = max(1, int(1e9 / fps))
    state = fold(LabState(), (source.header,), channel.reduce)
    batch: list[Record] = []
    marks: list[tuple[int, str]] = []
    orders = Orders()
    at, last = 0, 0
    for record in source.records():
        if isinstance(record, Header | Summary):
            continue
        while record.t > at:
            state = replace(folded(state, batch, channel.reduce)[0], t=at)
            yield state, sorted(marks)
            batch, marks = [], []
            # While nothing at all is told for long, nothing moves but the clock.
            at += step if at < last + _MOST_QUIET else (record.t - at + step - 1) // step * step
        batch.append(record)
        last = max(last, record.t)
        if isinstance(record, Event) and record.name == MARK:
            marks.append((record.t, visible(mark_text(record))))
        elif isinstance(record, Command) and orders.is_new(record):
            marks.append((record.t, visible(record.command)))
    yield replace(folded(state, batch, channel.reduce)[0], t=last), sorted(marks)


class _Clock:
    """Writes events with their distance in time from the one before; none is ever earlier than that."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self.t = 0

    def event(self, t: int, code: str, data: str) -> None:
        """Write one; output that is empty is left out."""
        if code == "o" and not data:
            return
        # Counted in whole microseconds from the beginning, so that no rounding adds up.
        t = max(t // 1000 * 1000, self.t)
        self._out.write(_line([(t - self.t) / 1e9, code, data]))
        self.t = t


def _header(header: Header, cast: Cast) -> dict[str, Any]:
    columns, rows = cast.size
    told: dict[str, Any] = {
        "version": 3,
        "term": {"cols": columns, "rows": rows, "type": "xterm-256color", "theme": _theme(cast.theme)},
        "title": visible(f"ipctui {header.mechanism} {header.variant}"),
    }
    try:
        told["timestamp"] = max(0, int(datetime.fromisoformat(header.started).timestamp()))
    except (ValueError, OverflowError, OSError):
        pass  # it may be left out
    return told


def _theme(theme: LoadedTheme) -> dict[str, str]:
    """The terminal's own colours, for a theme that asks the terminal (`ansi`), and what lies around the pane."""
    style = theme.styles["text"]
    own = MONOKAI if theme.dark else DEFAULT_TERMINAL_THEME
    return {
        "fg": (style.color or Color.default()).get_truecolor(own, foreground=True).hex,
        "bg": (style.bgcolor or Color.default()).get_truecolor(own, foreground=False).hex,
        "palette": ":".join("#{:02x}{:02x}{:02x}".format(*own.ansi_colors[index]) for index in range(16)),
    }


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n"
