"""The pane of the five ways: each way's state, lane and costs side by side, or one way with all its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.io.caption import caption
from ipctui.mechanisms.io.measures import Measures, collectors, measures, recent_calls, way_of
from ipctui.mechanisms.io.words import about, said
from ipctui.trace.records import Channel
from ipctui.trace.text import duration, grouped
from ipctui.widgets.bands import draw_log_box, draw_program_box
from ipctui.widgets.canvas import Canvas, Frame, Line, Span, padded, wrapped
from ipctui.widgets.card import state_line
from ipctui.widgets.gauge import bar, contents_lines
from ipctui.widgets.header import draw_header
from ipctui.widgets.lanes import draw_axis, draw_lane
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.view import Offer, Pane, View
from ipctui.widgets.waiting import waiters

_COLUMNS = (("calls/msg", 9), ("CPU", 7), ("work/s", 7), ("median", 7), ("p99", 7))
_NAME = 19
_FIGURES = sum(width for _, width in _COLUMNS)
_BURNS = 0.5
"""Share of a core from which CPU time is shown as a warning."""
_LABEL = 2


def draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """All ways as a table with a lane each; one way alone, an enlarged part and a lecture on the common stage."""
    several = len(collectors(state)) > 1
    if not several or view.zoom or view.lecture:
        shown = _with_recent(state, list(state.processes))
        return _STAGE.draw(shown, view, width, height)
    canvas = Canvas(width, height, view.ascii)
    draw_header(canvas, state, view)
    lines = wrapped(caption(state, view.language), width - 2, 3)
    rows = max(2, len(lines))
    table = _table(canvas, state, view, 1, height - 1 - rows)
    _below(canvas, state, view, 1 + table, height - 1 - rows - table)
    for row, line in enumerate(lines):
        canvas.put(1, height - rows + row, line, "caption")
    return canvas.frame()


def _table(canvas: Canvas, state: LabState, view: View, top: int, room: int) -> int:
    """The ways, with their lanes under them; the lines taken."""
    every = collectors(state)
    columns = canvas.width - 2 - _LABEL
    each = 3 if room >= 3 * len(every) + 9 else 2
    canvas.spans(1, top, _head(view, canvas.width - 2), canvas.width - 2)
    y = top + 1
    for name, process in every:
        selected = name.partition("/")[0] == view.selected.partition("/")[0]
        canvas.spans(1, y, row_line(state, name, process, view, canvas.width - 2, selected), canvas.width - 2)
        draw_lane(canvas, process, view, 1 + _LABEL, y + 1, columns)
        if each == 3:
            canvas.spans(1 + _LABEL, y + 2, totals_line(state, name, process, view, canvas.width - 4), canvas.width - 4)
        canvas.hit(0, y, canvas.width, each, f"select:{name}")
        y += each
    draw_axis(canvas, view, 1 + _LABEL, y, columns, max(view.window // columns, 1))
    return y + 1 - top


def _head(view: View, width: int) -> list[Span]:
    state = width - _NAME - _FIGURES
    return [
        (padded(said(view.language, "way"), _NAME), "dim"),
        (padded(said(view.language, "state"), state), "dim"),
        *((_right(said(view.language, name), room), "dim") for name, room in _COLUMNS),
    ]


def row_line(
    state: LabState, name: str, process: ProcessState, view: View, width: int, selected: bool = False
) -> list[Span]:
    """A way in one line: its name, what it is doing, and its figures, each in its column."""
    figures = measures(state, name)
    room = width - _NAME - _FIGURES
    text, role = state_line(process, view, room - 1)
    burns = figures.share is not None and figures.share >= _BURNS
    return [
        (padded(("▸" if selected else " ") + way_of(state, name), _NAME), "selected" if selected else "title"),
        (padded(text, room), role),
        (_right(_calls(figures), _COLUMNS[0][1]), "number"),
        (_right(_share(figures), _COLUMNS[1][1]), "warning" if burns else "number"),
        (_right("–" if figures.rate is None else f"{figures.rate:,.0f}", _COLUMNS[2][1]), "number"),
        (_right(_time(figures.median), _COLUMNS[3][1]), "number"),
        (_right(_time(figures.p99), _COLUMNS[4][1]), "number"),
    ]


def totals_line(state: LabState, name: str, process: ProcessState, view: View, width: int) -> list[Span]:
    """What a way does, in words where there is room for them, and its sums since the beginning."""
    figures = measures(state, name)
    counters = process.counters
    received = counters.received if counters is not None else 0
    cpu = "–" if figures.cpu is None else f"{figures.cpu / 1e9:.2f} s"
    work = f"{said(view.language, 'other work')} {grouped(figures.work)}"
    sums = f"{grouped(received)} {_messages(view)} · CPU {cpu} · {work}"
    cell = f"{process.cell}: " if process.cell else ""
    words = f"{cell}{about(view.language, way_of(state, name))} · "
    return [(words if cell_len(words + sums) <= width else cell, "dim"), (sums, "dim")]


def _messages(view: View) -> str:
    return "메시지" if view.language == "ko" else "messages"


def _calls(figures: Measures) -> str:
    if figures.calls_each is None:
        return "–"
    return f"{figures.calls_each:,.1f}" if figures.calls_each < 1000 else f"{figures.calls_each:,.0f}"


def _share(figures: Measures) -> str:
    return "–" if figures.share is None else f"{100 * figures.share:.1f} %"


def _time(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "–"
    return f"{nanoseconds / 1e6:.1f} ms" if 1_000_000 <= nanoseconds < 10_000_000 else duration(nanoseconds)


def _right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text


def _below(canvas: Canvas, state: LabState, view: View, top: int, height: int) -> None:
    """The selected process's program, and its latest calls."""
    process = state.processes.get(view.selected)
    if height < 3 or process is None:
        return
    shown = replace(_with_recent(state, [view.selected]), processes={view.selected: process})
    left = canvas.width // 2
    draw_program_box(canvas, shown, view, 0, top, left, height)
    draw_log_box(canvas, shown, view, left, top, canvas.width - left, height)


def _with_recent(state: LabState, names: Sequence[str]) -> LabState:
    """A state whose calls are those kept for each process: a poller's would have pushed out all others."""
    return replace(state, calls=recent_calls(state, names))


# One way alone.


def boxes(state: LabState, view: View) -> list[Box]:
    """One box: the figures, and every pipe with what lies in it."""
    pipes = [held.now for held in state.channels.values() if held.now.type == "pipe" and not held.now.closed]
    every = collectors(state)
    lines = partial(_lines, state, view, pipes)
    title: Line = [(way_of(state, every[0][0]) if len(every) == 1 else "io", "title")]
    wish = len(every) + 1 + (len(pipes) if len(every) == 1 else 0)
    return [Box(title, lines, partial(_contents, state, view, pipes), wish=max(4, wish))]


def _lines(state: LabState, view: View, pipes: Sequence[Channel], width: int, height: int) -> list[Line]:
    every = collectors(state)
    if not every:
        return []
    lines: list[Line] = [_head(view, width), *(row_line(state, *each, view, width) for each in every)]
    if len(every) == 1 and height > len(lines) + len(pipes):
        lines.append(totals_line(state, *every[0], view, width))
    return [*lines, *(_pipe_line(channel, view, width) for channel in pipes)][:height]


def _pipe_line(channel: Channel, view: View, width: int) -> Line:
    """A pipe in one line: from whom, how full, and what comes out next."""
    whom = ", ".join(name.rpartition("/")[2] for name in channel.writers) or "–"
    text = f'"{channel.items[0].text}"' if channel.items else "–"
    used, capacity = channel.used or 0, channel.capacity or 0
    return [
        (padded(channel.object, 16), "text"),
        (padded(f"◂ {whom}", 13), "text"),
        (f"{grouped(used):>6}/{grouped(capacity)} B ", "number"),
        *bar(used, capacity, max(4, min(16, width - 74))),
        (" ", "text"),
        (text, "message" if channel.items else "dim"),
    ]


def _contents(state: LabState, view: View, pipes: Sequence[Channel], width: int, height: int) -> list[Line]:
    """Every way's figures and sums, then every pipe message by message."""
    lines: list[Line] = [_head(view, width)]
    for name, process in collectors(state):
        lines += [row_line(state, name, process, view, width), totals_line(state, name, process, view, width)]
    for channel in pipes:
        waited_for = bool(waiters(state, channel.object, {"write"}, view))
        whose = f"{channel.cell} · " if channel.cell else ""
        lines += [[], [(f"{whose}{', '.join(channel.writers)} → {', '.join(channel.readers)}", "dim")]]
        lines += contents_lines(channel, view, waited_for, width, 4)
    return lines


def notes(state: LabState, process: ProcessState, language: str) -> list[Line]:
    """The helper threads that read in a collector's place (POSIX AIO)."""
    lines: list[Line] = []
    for held in state.channels.values():
        if held.now.type != "threads" or held.now.object != f"threads:[{process.pid}]" or held.now.closed:
            continue
        for each in held.now.facts.get("threads", ()):
            call = f"{each.get('call')}({'' if each.get('fd') is None else each['fd']})" if each.get("call") else "?"
            lines.append([(f"thread {each.get('tid')} ", "text"), (f"{each.get('letter')} {call}", "blocked")])
    return lines


def _completion(state: LabState, view: View) -> str:
    ways = {way_of(state, name) for name, _ in collectors(state)}
    if "async-nonblocking" not in ways:
        return ""
    programs = {process.program for _, process in collectors(state)}
    return f"set completion {'io_uring' if 'async_nonblocking_aio' in programs else 'aio'}"


def _work(state: LabState, view: View) -> str:
    for name, process in collectors(state):
        if way_of(state, name) == "async-nonblocking" or len(collectors(state)) == 1:
            fast = process.settings is not None and process.settings.rate == 0
            return f"rate {name} {200 if fast else 0}"
    return ""


def _hold(state: LabState, view: View) -> str:
    held = any(process.settings is not None and process.settings.held for _, process in collectors(state))
    return f"{'release' if held else 'hold'} collector"


_STAGE = Stage(boxes, caption, layout="wide", notes=notes)
_OFFERS = (
    Offer("6", "completion", "io_uring, or POSIX AIO with its helper threads; restarts", command=_completion),
    Offer("7", "work flat out", "other work without end in async-nonblocking, or 200 units a second", command=_work),
    Offer("8", "hold all", "hold or release the collectors of all cells", command=_hold),
)
_COMMON = _STAGE.pane(Path(__file__).parent, "the figures, and every pipe message by message", *_OFFERS)
PANE = Pane(draw, _COMMON.offers, _COMMON.lesson)
