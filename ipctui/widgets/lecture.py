"""A pane for a room: who is stuck in large letters, the channel, the line of the program, and one sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Access
from ipctui.trace.text import grouped
from ipctui.widgets.bigtext import HUGE, LARGE, SMALL, Size, big_lines, rows_of
from ipctui.widgets.canvas import Canvas, Frame, Line, cut, padded, width_of, wrapped
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
_TALL = 30
"""Rows from which on a line sets the sentence apart from the program."""
_CLAUSE = re.compile(r"[:;,.] | \(")


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
    ruled = height >= _TALL
    foot = ruled + len(told) + max(2, len(below))
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
        _draw_others(canvas, view, others, {name for process in shown for name in _wakers(process)}, y)
        y += 1
    rest = height - foot - y
    program = max(_LEAST_PROGRAM, rest * 2 // 5)
    _draw_boxes(canvas, boxes, y, rest - program)
    _draw_listing(canvas, state, view, height - foot - program, program)
    y = height - foot + ruled
    canvas.fill(0, y - 1, width * ruled, "frame", "─")
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
    """The processes shown large, two at most, in their steady order.

    One is the selected one. The other is who could wake it where it is stuck, else who is stuck longest, else who
    wakes it by and by, else the next one that runs.
    """
    processes = list(state.processes.values())
    if len(processes) <= 2:
        return processes
    chosen = state.processes.get(view.selected, processes[0])
    rest = [process for process in processes if process is not chosen]
    wakers = [process for process in rest if process.name in _wakers(chosen)]
    stuck = [process for process in rest if is_stuck(process, view)]
    if wakers and (is_stuck(chosen, view) or not stuck):
        # Of several that could wake it those come first that will not do it by themselves.
        other = min(wakers, key=_by_itself)
    elif stuck:
        other = min(stuck, key=lambda process: _since(process, view))
    else:
        place = processes.index(chosen)
        following = (*processes[place + 1 :], *processes[:place])
        other = next((process for process in following if process.pid and process.exited is None), following[0])
    return [process for process in processes if process is chosen or process is other]


def _wakers(process: ProcessState) -> tuple[str, ...]:
    return process.state.wakers if process.state is not None and process.exited is None else ()


def _by_itself(process: ProcessState) -> int:
    """0 for who stands still until a person does something, 1 for who sleeps in the kernel, 2 for all others."""
    now = process.state
    if process.exited is not None or now is None:
        return 2
    return {"held": 0, "stopped": 0, "unknown": 0, "blocked": 1}.get(now.state, 2)


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
    under = _under(process, view, width - 1)
    if shown == "HELD" and (last := last_operation(state, process)):
        # Who steps wants to see what the step has done.
        under.append((cut(f"  {word(view.language, 'last')} {last}", width - 1), "text"))
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
        return ("UNKNOWN", "?", "unknown") if process.pid else ("NOT STARTED", "–", "text")
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
        lines += [(f"  {line}", role) for line in _in_clauses(in_language(language, state.reason), width - 2, 2)]
    return lines


def _in_clauses(text: str, width: int, rows: int) -> list[str]:
    """Text in so many rows; what does not fit loses its last clauses, for half a sentence is none."""
    ends = [len(text), *(found.start() for found in reversed(list(_CLAUSE.finditer(text))))]
    for end in ends:
        lines = wrapped(text[:end], width, rows + 1)
        if len(lines) <= rows:
            return lines
    return wrapped(text, width, rows)


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


def _draw_others(canvas: Canvas, view: View, others: Sequence[ProcessState], wakers: Collection[str], y: int) -> None:
    """Everybody else in one row; where not all fit those come first who matter, and the rest is counted by state.

    Args:
        wakers: Who could wake those that are shown large.
    """
    if not _put_others(canvas, view, others, y):
        return
    ordered = sorted(others, key=lambda process: (_by_itself(process), process.name not in wakers))
    canvas.fill(0, y, canvas.width, "text")
    _put_others(canvas, view, ordered, y)


def _put_others(canvas: Canvas, view: View, others: Sequence[ProcessState], y: int) -> int:
    """Put them side by side as far as there is room; how many are only counted."""
    x = 1
    for place, process in enumerate(others):
        text, role = state_line(process, view, 26)
        rest = _counted(others[place:], view)
        after = _counted(others[place + 1 :], view)
        room = canvas.width - 1 - x - (width_of(after) + 3 if after else 0)
        if cell_len(f"{process.name} {text}") > room:
            canvas.spans(x, y, rest, canvas.width - 1 - x)
            return len(others) - place
        x = canvas.put(x, y, f"{process.name} ", "title")
        x = canvas.put(x, y, text, role) + 3
    return 0


def _counted(rest: Sequence[ProcessState], view: View) -> Line:
    """How many there are besides, and in which states: `+9 ■ BLOCKED`, `+11 ■7 ·4`; nothing for nobody."""
    if not rest:
        return []
    states = Counter(_state_of(process) for process in rest)
    spans = [(f"+{grouped(len(rest))}", "warning")]
    if len(states) == 1:
        (shown, glyph, role), _ = states.popitem()
        return [*spans, (f" {glyph} {word(view.language, shown)}", role)]
    return [*spans, *((f" {glyph}{grouped(count)}", role) for (_, glyph, role), count in states.items())]


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
