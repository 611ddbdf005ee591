"""The call log: operations as they return, written the way strace writes them, and those still in flight."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len

from ipctui.lab.fold import key
from ipctui.lab.state import LabState
from ipctui.trace.records import Access, Call
from ipctui.trace.text import duration
from ipctui.widgets.canvas import Canvas, Span, cut
from ipctui.widgets.card import age
from ipctui.widgets.view import View

_NARROW = 50
"""Below this many cells a process is named by its role's first letter, and blanks are left out."""
_MARK, _SHORT_MARK = "  (no system call)", " (no syscall)"
_LEAST_NAME = 8
"""Characters that are left of a long name, unless what follows its last point is shorter."""
_PLACE = re.compile(r"/dev/shm/[^\s\[]+(?=\[)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')
_VECTOR = re.compile(r"\{msg_iov=\[\{iov_base=(.*?), ?iov_len=(\d+)\}\]")
_FURTHER = re.compile(r"^(, ?\d+), ?[^)]+\)")
_LEAST_BYTES = 6
"""Characters of a message that are worth more than the flags and the address behind it."""


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
        return Line(who, key(call.process, call.cell), f"{shown} = {call.value}", took, "code")
    result = "?" if call.result is None else str(call.result)
    if call.errno:
        result += f" {call.errno}"
    role = "text" if call.errno is None else "empty" if call.errno in ("EAGAIN", "EINTR") else "error"
    mark = "" if call.syscall is not None else _MARK
    return Line(who, key(call.process, call.cell), f"{call.name}({call.args}) = {result}{mark}", took, role)


def _in_flight(state: LabState, view: View) -> list[Line]:
    lines = []
    for process in state.processes.values():
        now = process.state
        if now is not None and now.state == "blocked" and now.before is not None and process.exited is None:
            text = f"{now.before.name}({now.before.args}"
            if not view.filter or view.filter.casefold() in f"{process.pid} {text}".casefold():
                lines.append(Line(f"{process.pid}", process.name, text, f"{age(now, view)} …", "blocked"))
    return lines


def draw_log(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the log's latest lines."""
    short = short_names(process.name for process in state.processes.values()) if width < _NARROW else {}
    for row, line in enumerate(log_lines(state, view, height)):
        canvas.spans(x, y + row, _spans(line, width, short), width)


def short_names(roles: Iterable[str]) -> dict[str, str]:
    """Each role as few letters as tell it apart, and its number: p for parent, c1 for child1; pr, co when they meet.

    Of a cell, too: z/p for zero/producer.
    """
    parts = {role: (name := role.rstrip("0123456789"), role[len(name) :]) for role in roles}
    for letters in range(1, 8):
        names = {
            role: "/".join(part[:letters] for part in name.split("/")) + number
            for role, (name, number) in parts.items()
        }
        if len(set(names.values())) == len(parts):
            return names
    return {role: role for role in parts}


def _spans(line: Line, width: int, short: Mapping[str, str]) -> list[Span]:
    times = f" ×{line.times:,}" if line.times > 1 else ""
    who, text = line.who, line.text
    if width < _NARROW:
        who = short.get(line.role_name, line.role_name)
        text = _VECTOR.sub(r"{\1, \2", text).replace(", ", ",").replace(" = ", "=").replace(_MARK, _SHORT_MARK)
    room = width - len(who) - 1 - cell_len(line.took) - 1 - cell_len(times)
    text = fitted(text, room)
    return [
        (f"{who} ", "dim"),
        (text, line.role),
        (times, "warning"),
        (" " * (room - cell_len(text) + 1), "text"),
        (line.took, "dim"),
    ]


@lru_cache(1024)
def fitted(text: str, width: int) -> str:
    """A call cut to fit: first its quoted bytes, or the beginning of a long name; operation and result stay."""
    over = cell_len(text) - width
    if over <= 0:
        return text
    place = _PLACE.search(text)
    if place is not None:
        # The offset tells places of one segment apart, and the end of its name segments of one session.
        keep = max(_LEAST_NAME, len(place[0]) - over - 1)
        return cut(f"{text[: place.start()]}…{place[0][-keep:]}{text[place.end() :]}", width)
    found = _QUOTED.search(text)
    if found is None:
        return cut(text, width)
    quoted = found[1]
    if quoted.startswith(("/", "@")) and not found[2] and " " not in quoted:
        # Of a name the end tells: `/ring.full` and `/ring.empty` are two semaphores.
        keep = max(len(quoted) - over - 1, len(quoted) - max(quoted.rfind("."), len(quoted) - _LEAST_NAME))
        return cut(f'{text[: found.start()]}"…{quoted[-keep:]}"{text[found.end() :]}', width)
    rest = text[found.end() :]
    if len(quoted) - over - (0 if found[2] else 3) < _LEAST_BYTES:
        rest = _FURTHER.sub(r"\1,…)", rest)
        over = cell_len(text[: found.end()]) + cell_len(rest) - width
        if over <= 0:
            return text[: found.end()] + rest
    keep = max(0, len(quoted) - over - (0 if found[2] else 3))
    short = quoted[:keep].rstrip("\\")
    return cut(text[: found.start()] + f'"{short}"...' + rest, width)
