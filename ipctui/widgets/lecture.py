"""A pane for a room: who is stuck in large letters, the channel, the line of the program, and one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Access
from ipctui.trace.text import grouped
from ipctui.widgets.bigtext import HUGE, LARGE, SMALL, Size, big_lines, rows_of
from ipctui.widgets.canvas import Canvas, Frame, Line, cut, padded, wrapped
from ipctui.widgets.card import age, operation_text, state_line
from ipctui.widgets.header import draw_header
from ipctui.widgets.language import in_language
from ipctui.widgets.program import draw_program, listing_title
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word

Contents = Callable[[int, int], Sequence[Line]]
"""Lines of an object's essence, in so many columns and rows."""

_SIZES = ((180, 48, HUGE), (110, 29, LARGE))
"""Columns and rows (without sentences) from which on the letters are larger than small."""
_SOON = 250_000_000
"""Nanoseconds below which a block is brief: who waits for each message and gets it is not stuck."""
_UNDER = 3
"""Rows under a large word: the operation, and why."""
_LEAST_PROGRAM = 4


def draw_lecture(
    state: LabState,
    view: View,
    boxes: Sequence[tuple[Line, Contents]],
    sentence: str,
    width: int,
    height: int,
) -> Frame:
    """Draw the pane, `width` by `height` cells.

    Args:
        boxes: What stands between the processes: titles and what is in them.
        sentence: What is so and why.
    """
    canvas = Canvas(width, height, view.ascii)
    draw_header(canvas, state, view)
    told = wrapped(told_text(state, view.language), width - 2, 3)
    below = wrapped(sentence, width - 2, 3)
    foot = len(told) + max(2, len(below))
    size = next((size for wide, high, size in _SIZES if width >= wide and height - foot >= high), SMALL)
    shown = focus(state, view)
    others = [process for process in state.processes.values() if process not in shown]
    cards = 1 + rows_of(word(view.language, "BLOCKED"), size) + _UNDER
    room = height - 1 - foot
    if room - cards < _LEAST_PROGRAM + 3:
        cards = max(4, room - _LEAST_PROGRAM - 3)
    _draw_shown(canvas, state, view, shown, 1, cards, size)
    y = 1 + cards
    if others:
        _draw_others(canvas, view, others, y)
        y += 1
    rest = height - foot - y
    program = max(_LEAST_PROGRAM, rest * 2 // 5)
    _draw_boxes(canvas, boxes, y, rest - program)
    _draw_listing(canvas, state, view, height - foot - program, program)
    y = height - foot
    for line in told:
        canvas.put(1, y, line, "title")
        y += 1
    for line in below:
        canvas.put(1, y, line, "caption")
        y += 1
    return canvas.frame()


def told_text(state: LabState, language: str) -> str:
    """What a lecture's file says of this moment, in a language; "" when it says nothing."""
    if state.told is None:
        return ""
    said = state.told.data
    return str(said.get(language) or said.get("en") or "")


def focus(state: LabState, view: View) -> list[ProcessState]:
    """The processes shown large, two at most, in their steady order: the selected one, and who is stuck longest."""
    processes = list(state.processes.values())
    if len(processes) <= 2:
        return processes
    chosen = state.processes.get(view.selected, processes[0])
    rest = [process for process in processes if process is not chosen]
    waker = chosen.state.wakers[0] if chosen.state is not None and chosen.state.wakers else ""
    stuck = [process for process in rest if is_stuck(process, view)]
    if stuck:
        other = min(stuck, key=lambda process: _since(process, view))
    else:
        place = (processes.index(chosen) + 1) % len(processes)
        other = state.processes[waker] if waker in state.processes and waker != view.selected else processes[place]
    return [process for process in processes if process is chosen or process is other]


def is_stuck(process: ProcessState, view: View) -> bool:
    """Whether the kernel has had a process asleep for so long that a person sees it."""
    now = process.state
    return (
        process.exited is None
        and now is not None
        and now.state == "blocked"
        and view.now - _since(process, view) >= _SOON
    )


def _since(process: ProcessState, view: View) -> int:
    now = process.state
    if now is None:
        return view.now
    return now.since if now.since is not None else now.t


def _draw_shown(
    canvas: Canvas, state: LabState, view: View, shown: Sequence[ProcessState], top: int, rows: int, size: Size
) -> None:
    count = max(1, len(shown))
    for place, process in enumerate(shown):
        left, right = 1 + place * (canvas.width - 1) // count, (place + 1) * (canvas.width - 1) // count
        _draw_large(canvas, state, process, view, left, top, right - left, rows, size)


def _draw_large(
    canvas: Canvas,
    state: LabState,
    process: ProcessState,
    view: View,
    x: int,
    top: int,
    width: int,
    rows: int,
    size: Size,
) -> None:
    name = process.name
    selected = name == view.selected
    title = f"{'▸' if selected else ' '} {name}{f' {process.pid}' if process.pid else ''} "
    canvas.put(x, top, title, "selected" if selected else "title", width)
    canvas.hit(x, top, width, rows, f"select:{name}")
    shown, glyph, role = _state_of(process)
    # A short sleep is hatched (in Hangul, which has no hatched dots, pale): it is one, and nobody is stuck.
    brief = shown == "BLOCKED" and not is_stuck(process, view)
    ink = "▒" if brief else "█"
    large = big_lines(word(view.language, shown), width - 2, size, ink, glyph)
    under = _under(process, view, width - 2)
    if shown == "HELD" and (last := last_operation(state, process)):
        # Who steps wants to see what the step has done.
        under.append((cut(f"  {word(view.language, 'last')} {last}", width - 2), "text"))
    # Where rows are few the reason gives way, and the word stays whole.
    under = under[: max(1, min(_UNDER, rows - 1 - len(large)))]
    large = large[: max(1, rows - 1 - len(under))]
    across = max(cell_len(line) for line in large)
    for row, line in enumerate(large):
        # Of one width: some themes give a state a background.
        pale = brief and view.language == "ko"
        canvas.put(x + 1, top + 1 + row, padded(line, across), "dim" if pale else role, width - 1)
    for row, (text, own) in enumerate(under[: rows - 1 - len(large)]):
        canvas.put(x + 1, top + 1 + len(large) + row, text, own, width - 1)


def _state_of(process: ProcessState) -> tuple[str, str, str]:
    """The state's word, its glyph and its role."""
    state = process.state
    if process.exited is not None:
        return "EXITED", STATE_GLYPHS["exited"], "error" if (process.status or "").startswith("signal") else "ended"
    if state is None:
        return ("UNKNOWN", "?", "unknown") if process.pid else ("NOT STARTED", "–", "dim")
    return state.state.upper(), STATE_GLYPHS.get(state.state, "?"), STATE_ROLES.get(state.state, "unknown")


def _under(process: ProcessState, view: View, width: int) -> list[tuple[str, str]]:
    """What stands under the word: glyph, operation and how long; then the kernel's reason, or who holds it."""
    state, language = process.state, view.language
    _, glyph, role = _state_of(process)
    if process.exited is not None:
        return [(cut(f"{glyph} {process.status or ''}", width), role)]
    if state is None:
        return []
    operation = operation_text(state)
    before = f"{word(language, 'before')} " if state.state == "held" and operation else ""
    lasted = f"  {age(state, view)}" if state.state in ("blocked", "held", "stopped") else ""
    lines = [(cut(f"{glyph} {before}{operation}{lasted}", width), role)]
    if state.state == "held":
        lines.append((cut(f"  {word(language, 'by you')}", width), role))
    elif state.reason and state.state in ("blocked", "unknown"):
        lines += [(f"  {line}", role) for line in wrapped(in_language(language, state.reason), width - 2, 2)]
    return lines


def last_operation(state: LabState, process: ProcessState) -> str:
    """The operation that a process did last, with its result: `write(4) = 64`; "" where none is known."""
    for call in reversed(state.calls):
        if call.pid != process.pid or call.process != process.role:
            continue
        if isinstance(call, Access):
            return f"{call.name}[{call.offset}] = {grouped(call.value)}"
        result = "?" if call.result is None else grouped(call.result)
        return f"{call.name}({'' if call.fd is None else call.fd}) = {result}{f' {call.errno}' if call.errno else ''}"
    return ""


def _draw_others(canvas: Canvas, view: View, others: Sequence[ProcessState], y: int) -> None:
    """Everybody else in one row, as many as fit; the others counted."""
    x = 1
    for place, process in enumerate(others):
        text, role = state_line(process, view, 26)
        left = len(others) - place - 1
        room = canvas.width - 1 - x - (6 if left else 0)
        if cell_len(f"{process.name} {text}") > room:
            canvas.put(x, y, f"+{grouped(left + 1)}", "warning")
            return
        canvas.hit(x, y, cell_len(process.name), 1, f"select:{process.name}")
        x = canvas.put(x, y, f"{process.name} ", "title")
        x = canvas.put(x, y, text, role) + 3


def _draw_boxes(canvas: Canvas, boxes: Sequence[tuple[Line, Contents]], y: int, rows: int) -> None:
    """What stands between them, with gauges three rows tall; the objects side by side where they are several."""
    if not boxes or rows < 2:
        return
    columns = min(len(boxes), max(1, canvas.width // 38))
    for place, (title, contents) in enumerate(boxes[:columns]):
        left, right = place * canvas.width // columns, (place + 1) * canvas.width // columns
        more = [(f" +{len(boxes) - columns}", "warning")] if place == columns - 1 and len(boxes) > columns else []
        _rule(canvas, [*title, *more], left, y, right - left)
        lines = taller(contents(right - left - 2, rows - 1), rows - 1)
        canvas.lines(left + 1, y + 1, lines, right - left - 2, rows - 1)


def taller(lines: Sequence[Line], rows: int) -> list[Line]:
    """Lines in which every gauge is drawn up to three rows tall, where there is room for it."""
    spare = max(0, rows - len(lines))
    out: list[Line] = []
    for line in lines:
        gauge = bool(line) and all(role in ("fill", "fill.empty") for _, role in line)
        times = 1 + min(2, spare) if gauge else 1
        spare -= times - 1
        out += [line] * times
    return out


def _draw_listing(canvas: Canvas, state: LabState, view: View, y: int, rows: int) -> None:
    if rows < 2:
        return
    _rule(canvas, [(listing_title(state, view), "title")], 0, y, canvas.width)
    draw_program(canvas, state, view, 1, y + 1, canvas.width - 2, rows - 1)


def _rule(canvas: Canvas, title: Line, x: int, y: int, width: int) -> None:
    canvas.fill(x, y, width - 1, "frame", "─")
    canvas.spans(x + 2, y, [(" ", "frame"), *title, (" ", "frame")], width - 4)
