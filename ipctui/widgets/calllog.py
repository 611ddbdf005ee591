"""The call log: operations as they return, written the way strace writes them, and those still in flight."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.trace.records import Access, Call
from ipctui.trace.text import duration
from ipctui.widgets.canvas import Canvas, Span, cut
from ipctui.widgets.card import age
from ipctui.widgets.view import View

_NARROW = 50
"""Below this many cells a process is named by its role's first letter, and blanks are left out."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log: a call, how often it came in a row, and its time."""

    who: str
    role_name: str
    text: str
    took: str
    role: str
    times: int = 1


def log_lines(state: LabState, view: View, most: int) -> list[Line]:
    """The latest lines, oldest first, those in flight last; repetitions of a failing call are joined."""
    # From the end on there is only upwards; and never past the oldest call.
    scroll = max(view.scroll, 0)
    in_flight = [] if scroll else _in_flight(state, view)
    wanted = max(0, most - len(in_flight)) + scroll
    lines: list[Line] = []
    needle = view.filter.casefold()
    for call in reversed(state.calls):
        line = _line(call)
        if needle and needle not in f"{line.who} {line.text}".casefold():
            continue
        last = lines[-1] if lines else None
        if last is not None and line.role == "empty" and (last.who, last.text) == (line.who, line.text):
            lines[-1] = Line(last.who, last.role_name, last.text, last.took, last.role, last.times + 1)
            continue
        if len(lines) >= wanted:
            break
        lines.append(line)
    lines = lines[min(scroll, max(0, len(lines) - most)) :]
    return [*reversed(lines), *in_flight][-most:]


def _line(call: Call | Access) -> Line:
    who = f"{call.pid}"
    took = duration(call.end - call.begin)
    if isinstance(call, Access):
        shown = f"{call.name} {call.object or '?'}[{call.offset}]"
        return Line(who, call.process, f"{shown} = {call.value}", took, "code")
    result = "?" if call.result is None else str(call.result)
    if call.errno:
        result += f" {call.errno}"
    role = "text" if call.errno is None else "empty" if call.errno in ("EAGAIN", "EINTR") else "error"
    mark = "" if call.syscall is not None else "  (no system call)"
    return Line(who, call.process, f"{call.name}({call.args}) = {result}{mark}", took, role)


def _in_flight(state: LabState, view: View) -> list[Line]:
    lines = []
    for process in state.processes.values():
        now = process.state
        if now is not None and now.state == "blocked" and now.before is not None and process.exited is None:
            text = f"{now.before.name}({now.before.args}"
            if not view.filter or view.filter.casefold() in f"{process.pid} {text}".casefold():
                lines.append(Line(f"{process.pid}", process.role, text, f"{age(now, view)} …", "blocked"))
    return lines


def draw_log(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the log's latest lines."""
    short = short_names(process.role for process in state.processes.values()) if width < _NARROW else {}
    for row, line in enumerate(log_lines(state, view, height)):
        canvas.spans(x, y + row, _spans(line, width, short), width)


def short_names(roles: Iterable[str]) -> dict[str, str]:
    """Each role as few letters as tell it apart, and its number: p for parent, c1 for child1; pr, co when they meet."""
    parts = {role: (name := role.rstrip("0123456789"), role[len(name) :]) for role in roles}
    for letters in range(1, 8):
        names = {role: name[:letters] + number for role, (name, number) in parts.items()}
        if len(set(names.values())) == len(parts):
            return names
    return {role: role for role in parts}


def _spans(line: Line, width: int, short: Mapping[str, str]) -> list[Span]:
    times = f" ×{line.times:,}" if line.times > 1 else ""
    who, text = line.who, line.text
    if width < _NARROW:
        who = short.get(line.role_name, line.role_name)
        text = text.replace(", ", ",").replace(" = ", "=")
    room = width - len(who) - 1 - cell_len(line.took) - 1 - cell_len(times)
    text = fitted(text, room)
    return [
        (f"{who} ", "dim"),
        (text, line.role),
        (times, "warning"),
        (" " * (room - cell_len(text) + 1), "text"),
        (line.took, "dim"),
    ]


def fitted(text: str, width: int) -> str:
    """A call cut to fit: first its quoted bytes, so that name, descriptor and result stay."""
    over = cell_len(text) - width
    if over <= 0:
        return text
    found = _QUOTED.search(text)
    if found is None:
        return cut(text, width)
    quoted = found[1]
    over += 0 if found[2] else 3
    keep = max(0, len(quoted) - over)
    short = quoted[:keep].rstrip("\\")
    return cut(text[: found.start()] + f'"{short}"...' + text[found.end() :], width)
