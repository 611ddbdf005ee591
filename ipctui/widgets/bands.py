"""The lower bands of a pane: program and calls in their boxes, and who waits for whom, round and round."""

from __future__ import annotations

from rich.cells import cell_len

from ipctui.lab.state import LabState, cycle
from ipctui.widgets.calllog import draw_log
from ipctui.widgets.canvas import Canvas, Span
from ipctui.widgets.card import operation_text
from ipctui.widgets.program import draw_program, listing_title
from ipctui.widgets.view import View
from ipctui.widgets.words import word


def offered(part: str) -> str:
    """The action of a click on a part that can be enlarged."""
    return f"zoom:{part}"


def draw_program_box(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the selected process's program, or the listing in C."""
    role = "code.dim" if view.listing == "c" and view.zoom != "program" else "title"
    canvas.box(x, y, width, height, [(listing_title(state, view), role)])
    draw_program(canvas, state, view, x + 1, y + 1, width - 2, height - 2)
    if view.zoom != "program":
        canvas.hit(x, y, width, height, offered("program"))


def draw_log_box(canvas: Canvas, state: LabState, view: View, x: int, y: int, width: int, height: int) -> None:
    """Draw the calls, with the filter in the title."""
    title: list[Span] = [(word(view.language, "calls"), "title")]
    if view.filter:
        title.append((f" · {word(view.language, 'filter')}: {view.filter}", "warning"))
    canvas.box(x, y, width, height, title)
    draw_log(canvas, state, view, x + 1, y + 1, width - 2, height - 2)
    if view.zoom != "calls":
        canvas.hit(x, y, width, height, offered("calls"))


def draw_cycle(canvas: Canvas, state: LabState, y: int) -> None:
    """Draw who waits for whom in a deadlock; nothing where there is none."""
    ring = cycle(state)
    if not ring:
        return
    steps = []
    for role in ring:
        now = state.processes[role].state
        steps.append(f"{role} ─{operation_text(now) if now is not None else ''}→ ")
    text = f" ↻ {''.join(steps)}{ring[0]} "
    canvas.put(max(0, (canvas.width - cell_len(text)) // 2), y, text, "blocked")
