"""The pipe's pane: who, through what, to whom; then when; then which code and which calls; then one sentence."""

from __future__ import annotations

from pathlib import Path

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState, cycle
from ipctui.mechanisms.pipe.caption import caption
from ipctui.trace.records import Channel
from ipctui.trace.text import clock_face, grouped
from ipctui.widgets.calllog import draw_log
from ipctui.widgets.canvas import Canvas, Frame, Span, wrapped
from ipctui.widgets.card import card_lines, draw_card, draw_roster, operation_text
from ipctui.widgets.gauge import draw_channel, draw_contents
from ipctui.widgets.lanes import draw_lanes, lanes_height
from ipctui.widgets.program import draw_program, listing_title
from ipctui.widgets.view import Offer, Pane, View
from ipctui.widgets.words import word

_CAPTION_LINES = 2
_SMALL, _LARGE = 4096, 65536


def draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """Draw the pane; the same bands at every size, with more room at larger ones."""
    canvas = Canvas(width, height, view.ascii)
    _header(canvas, state, view)
    lines = wrapped(caption(state, view.language), width - 2, _CAPTION_LINES + 1)
    rows = max(_CAPTION_LINES, len(lines))
    body = height - 1 - rows
    if view.zoom:
        _zoomed(canvas, state, view, 1, body)
    else:
        _bands(canvas, state, view, 1, body)
    for row, line in enumerate(lines):
        canvas.put(1, height - rows + row, line, "caption")
    return canvas.frame()


def _header(canvas: Canvas, state: LabState, view: View) -> None:
    canvas.fill(0, 0, canvas.width, "bar")
    header = state.header
    name = f" {header.mechanism} · {header.variant}" if header is not None else " pipe"
    x = canvas.put(0, 0, name, "bar")
    if view.zoom:
        x = canvas.put(x, 0, f" › {word(view.language, view.zoom)}", "bar")
    lost = sum(state.lost.values())
    right = f"{_speed(state, view)} "
    if lost:
        right = f"{grouped(lost)} {word(view.language, 'lost from view')} · " + right
    edge = canvas.width - cell_len(right)
    canvas.right(canvas.width, 0, right, "bar")
    if view.paused:
        text, role = f" ⏸ {word(view.language, 'PAUSED')} {clock_face(view.now)} ", "paused"
    else:
        text, role = f"● {word(view.language, 'LIVE')} {clock_face(view.now)}", "live"
    middle = (canvas.width - cell_len(text)) // 2
    canvas.put(max(x + 2, min(middle, edge - cell_len(text) - 2)), 0, text, role)


def _speed(state: LabState, view: View) -> str:
    rates = [process.settings.rate for process in state.processes.values() if _sends(process) and process.settings]
    if not rates:
        return ""
    # Whoever answers at once is flat out by nature: what sets the pace is the slowest of those that have one.
    paced = [rate for rate in rates if rate]
    return f"{min(paced):g} {word(view.language, 'msg/s')}" if paced else word(view.language, "flat out")


def _sends(process: ProcessState) -> bool:
    return process.counters is not None and process.counters.sent > 0


def _bands(canvas: Canvas, state: LabState, view: View, top: int, height: int) -> None:
    processes = list(state.processes.values())
    channels = _channels(state)
    lanes = lanes_height(len(processes), max(4, height // 3))
    lower = height - lanes - _upper_height(processes, channels, height - lanes)
    upper = height - lanes - lower
    _upper(canvas, state, view, processes, channels, top, upper)
    draw_lanes(canvas, state, view, 1, top + upper, canvas.width - 2, lanes)
    _wait_for_cycle(canvas, state, top + upper + (1 if len(processes) == 2 else lanes - 1))
    _lower(canvas, state, view, top + upper + lanes, lower)


def _upper_height(processes: list[ProcessState], channels: list[Channel], room: int) -> int:
    """The lines that cards and channels would like, at most six tenths of the room."""
    rows = max((len(process.descriptors) for process in processes), default=2)
    wanted = max(rows + 9, 8 * min(len(channels), 2), len(processes) + 2)
    return max(9, min(wanted, room * 6 // 10, room - 6))


def _wait_for_cycle(canvas: Canvas, state: LabState, y: int) -> None:
    """Draw who waits for whom, round and round, between the lanes of a deadlock."""
    ring = cycle(state)
    if not ring:
        return
    parts = []
    for role in ring:
        now = state.processes[role].state
        parts.append(f"{role} ─{operation_text(now) if now is not None else ''}→ ")
    text = f" ↻ {''.join(parts)}{ring[0]} "
    canvas.put(max(0, (canvas.width - cell_len(text)) // 2), y, text, "blocked")


def _channels(state: LabState) -> list[Channel]:
    """The pipes in order of appearance; those that are gone only while nothing has taken their place."""
    every = [held.now for held in state.channels.values()]
    return [channel for channel in every if not channel.closed] or every[-2:]


def _upper(
    canvas: Canvas,
    state: LabState,
    view: View,
    processes: list[ProcessState],
    channels: list[Channel],
    top: int,
    height: int,
) -> None:
    width = canvas.width
    side = max(26, (width - 28) // 2) if width < 110 else (width * 36) // 100
    middle = width - 2 * side
    if len(processes) == 2:
        left, right = processes
        draw_card(canvas, left, view, 0, top, side, height)
        draw_card(canvas, right, view, width - side, top, side, height)
    elif processes:
        chosen = state.processes.get(view.selected, processes[0])
        draw_card(canvas, chosen, view, 0, top, side, height)
        canvas.box(width - side, top, side, height, [(f"{len(processes)} {word(view.language, 'processes')}", "title")])
        draw_roster(canvas, processes, view, width - side + 1, top + 1, side - 2, height - 2)
    _channel_box(canvas, state, channels, view, side, top, middle, height)


def _channel_box(
    canvas: Canvas, state: LabState, channels: list[Channel], view: View, x: int, top: int, width: int, height: int
) -> None:
    if not channels:
        canvas.box(x, top, width, height, [("pipe", "title")])
        canvas.put(x + 2, top + 1, f"– {word(view.language, 'gone')}", "dim")
        return
    share = height // len(channels)
    for index, channel in enumerate(channels[: max(1, height // 4)]):
        y = top + index * share
        rows = share if index < len(channels) - 1 else height - index * share
        canvas.box(x, y, width, rows, [(channel.object, "title")])
        draw_channel(canvas, channel, view, x + 1, y + 1, width - 2, rows - 2, _waited_for(state, channel))
        canvas.hit(x, y, width, rows, "offer:2")


def _waited_for(state: LabState, channel: Channel) -> bool:
    """Whether the kernel has put somebody to sleep who writes to this pipe."""
    return any(
        now.state == "blocked"
        and now.object == channel.object
        and now.before is not None
        and now.before.name == "write"
        for process in state.processes.values()
        if process.exited is None and (now := process.state) is not None
    )


def _lower(canvas: Canvas, state: LabState, view: View, top: int, height: int) -> None:
    width = canvas.width
    left = width // 2 if width >= 100 else width * 52 // 100
    role = "code.dim" if view.listing == "c" else "title"
    canvas.box(0, top, left, height, [(listing_title(state, view), role)])
    draw_program(canvas, state, view, 1, top + 1, left - 2, height - 2)
    canvas.hit(0, top, left, height, "offer:4")
    canvas.box(left, top, width - left, height, _log_title(view))
    draw_log(canvas, state, view, left + 1, top + 1, width - left - 2, height - 2)
    canvas.hit(left, top, width - left, height, "offer:5")


def _log_title(view: View) -> list[Span]:
    title: list[Span] = [(word(view.language, "calls"), "title")]
    if view.filter:
        title.append((f" · {word(view.language, 'filter')}: {view.filter}", "warning"))
    return title


def _zoomed(canvas: Canvas, state: LabState, view: View, top: int, height: int) -> None:
    width = canvas.width
    processes = list(state.processes.values())
    if view.zoom == "processes":
        _all_cards(canvas, processes, view, top, height)
    elif view.zoom == "contents":
        channels = _channels(state)
        share = height // max(1, len(channels))
        for index, channel in enumerate(channels):
            waited_for = _waited_for(state, channel)
            draw_contents(canvas, channel, view, 1, top + index * share, width - 2, share, waited_for)
    elif view.zoom == "time":
        draw_lanes(canvas, state, view, 1, top, width - 2, min(height, len(processes) + 2))
        rest = top + min(height, len(processes) + 2)
        draw_log(canvas, state, view, 1, rest + 1, width - 2, height - (rest - top) - 1)
    elif view.zoom == "program":
        canvas.box(0, top, width, height, [(listing_title(state, view), "title")])
        draw_program(canvas, state, view, 1, top + 1, width - 2, height - 2)
    else:
        canvas.box(0, top, width, height, _log_title(view))
        draw_log(canvas, state, view, 1, top + 1, width - 2, height - 2)


def _all_cards(canvas: Canvas, processes: list[ProcessState], view: View, top: int, height: int) -> None:
    """Every card whole, side by side; of more than two, the selected one's detail and a line for each other."""
    width = canvas.width
    if len(processes) <= 2:
        side = width // max(1, len(processes))
        for index, process in enumerate(processes):
            draw_card(canvas, process, view, index * side, top, side, height)
        return
    chosen = next((process for process in processes if process.role == view.selected), processes[0])
    detail = card_lines(chosen, view, width - 2, height)
    rows = min(len(processes), max(3, height - len(detail) - 3))
    draw_roster(canvas, processes, view, 1, top, width - 2, rows)
    draw_card(canvas, chosen, view, 0, top + rows, width, height - rows)


def lesson(language: str) -> str:
    """What to look at, as markdown."""
    folder = Path(__file__).parent
    path = folder / f"lesson.{language}.md"
    if not path.exists():
        path = folder / "lesson.en.md"
    return path.read_text(encoding="utf-8")


def _other_capacity(state: LabState, view: View) -> str:
    now = next((held.now.capacity for held in state.channels.values() if not held.now.closed), None)
    return f"capacity {_SMALL if now == _LARGE else _LARGE}"


def _other_sigpipe(state: LabState, view: View) -> str:
    parameters = state.header.parameters if state.header is not None else {}
    return f"set sigpipe {'default' if parameters.get('sigpipe') == 'ignore' else 'ignore'}"


PANE = Pane(
    draw,
    (
        Offer("1", "processes", "all process cards with all their rows", zoom="processes"),
        Offer("2", "contents", "what is in the pipe, message by message and byte by byte", zoom="contents"),
        Offer("3", "time", "the lanes, with the calls below", zoom="time"),
        Offer("4", "program", "the whole program; c shows it in C", zoom="program"),
        Offer("5", "calls", "the calls in full; / filters them", zoom="calls"),
        Offer("6", "capacity", "capacity 4,096 or 65,536 bytes (F_SETPIPE_SZ)", command=_other_capacity),
        Offer("7", "flat out", "everybody as fast as it goes", command=lambda state, view: "rate all 0"),
        Offer(
            "8", "SIGPIPE", "SIGPIPE kills the writer, or is ignored and EPIPE comes; restarts", command=_other_sigpipe
        ),
        Offer(
            "9",
            "from pipe()",
            "restart held, to step from pipe() and fork() on",
            command=lambda state, view: "restart held",
        ),
    ),
    lesson,
)
