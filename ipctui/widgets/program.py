"""The program listing: the source that a process is running, its current line marked; or the same in C."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Access, Call
from ipctui.trace.text import visible
from ipctui.widgets.canvas import Canvas
from ipctui.widgets.view import View
from ipctui.widgets.words import word


def current_line(state: LabState, process: ProcessState) -> int | None:
    """The line that a process is at: of the operation it stands before or is in, else of its last one."""
    if process.exited is None and process.state is not None and process.state.before is not None:
        return process.state.before.line
    for call in reversed(state.calls):
        if isinstance(call, Call | Access) and call.pid == process.pid and call.line is not None:
            return call.line
    return None


def function_at(programs: dict[str, Any], line: int | None, fallback: str | None) -> tuple[str, int, int]:
    """The function that holds a line, else the one named: its name, first and last line."""
    functions = programs.get("functions", {})
    for name, (first, last) in functions.items():
        if line is not None and first <= line <= last:
            return name, first, last
    if fallback in functions:
        first, last = functions[fallback]
        return str(fallback), first, last
    return "", 1, 1


def listing_title(state: LabState, view: View) -> str:
    """What the listing is: `program: parent()`, or the C file, which does not run."""
    process = state.processes.get(view.selected)
    if view.listing == "c":
        return f"C · {word(view.language, 'not running')}"
    programs = state.header.programs if state.header is not None else {}
    if process is None:
        return word(view.language, "program")
    name, _, _ = function_at(programs, current_line(state, process), process.program)
    return f"{word(view.language, 'program')}: {name}() · {process.name}"


def draw_program(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the part of the listing around the selected process's line."""
    programs = state.header.programs if state.header is not None else {}
    if view.listing == "c":
        lines = _lines(str(programs.get("c", "")))
        for row, text in enumerate(lines[max(0, _scrolled(view, len(lines), height)) :][:height]):
            canvas.put(x + 2, y + row, text, "code.dim", width - 2)
        return
    process = state.processes.get(view.selected)
    if process is None:
        return
    here = current_line(state, process)
    _, first, last = function_at(programs, here, process.program)
    source = _lines(str(programs.get("source", "")))
    if view.zoom == "program":
        first, last = 1, len(source)
    body = source[first - 1 : last]
    start = 0
    if here is not None and len(body) > height:
        start = min(max(here - first - height // 2, 0), len(body) - height)
    start = min(max(start - view.scroll, 0), max(len(body) - height, 0)) if view.zoom == "program" else start
    shown = body[start : start + height]
    # A narrow box shows more when the indentation that all its lines share is left out.
    indent = min((len(text) - len(text.lstrip()) for text in shown if text.strip()), default=0)
    for row, text in enumerate(shown):
        number = first + start + row
        is_here = number == here
        if is_here:
            canvas.fill(x, y + row, width, "code.current")
            canvas.put(x, y + row, "▸ ", "code.current")
        canvas.put(x + 2, y + row, text[indent:], "code.current" if is_here else "code", width - 2)


@lru_cache(8)
def _lines(source: str) -> list[str]:
    """A listing's lines, fit to be seen: the same ones thirty times a second for as long as the mechanism runs."""
    return [visible(line.expandtabs(4)) for line in source.splitlines()]


def _scrolled(view: View, lines: int, height: int) -> int:
    return min(max(-view.scroll, 0), max(lines - height, 0)) if view.zoom == "program" else 0
