"""The process card: who a process is, what it is doing and why, its descriptors, counts and settings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len

from ipctui.lab.state import ProcessState
from ipctui.trace.records import Held, State
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Canvas, Line, Span, padded, width_of, wrapped
from ipctui.widgets.scroll import draw_scrolled
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word

_CLAUSES = re.compile(r" \(| at |; | while ")
"""Where a reason may end early and still be true."""

_WHOLE = 1000
"""More lines than any card has: nothing is left out."""


def draw_card(
    canvas: Canvas,
    process: ProcessState,
    view: View,
    x: int,
    y: int,
    width: int,
    height: int,
    notes: Sequence[Line] = (),
) -> None:
    """Draw a card with its frame; the selected process has the heavy one. An enlarged card scrolls."""
    selected = view.selected == process.role
    canvas.box(x, y, width, height, _title(process, selected), selected)
    canvas.hit(x, y, width, height, f"select:{process.role}")
    inside = width - 2, height - 2
    if view.zoom == "processes":
        lines = card_lines(process, view, inside[0], _WHOLE, notes)
        if len(lines) > inside[1]:
            draw_scrolled(canvas, lines, view, x + 1, y + 1, *inside)
            return
    canvas.lines(x + 1, y + 1, card_lines(process, view, *inside, notes), *inside)


def _title(process: ProcessState, selected: bool) -> list[Span]:
    role = "selected" if selected else "title"
    title: list[Span] = [(process.role, role)]
    if process.pid:
        title.append((f" {process.pid}", "title"))
    if process.ppid:
        title.append((f" ◂{process.ppid}", "dim"))
    return title


def card_lines(process: ProcessState, view: View, width: int, height: int, notes: Sequence[Line] = ()) -> list[Line]:
    """What a card says, the most important first, in at most `height` lines; `notes` are the mechanism's own."""
    language = view.language
    state = process.state
    head = [[state_line(process, view, width)]]
    kernel = [line] if (line := _kernel_line(state, language, width)) else []
    if process.exited is not None:
        rows: list[Line] = [[(word(language, "all ends closed"), "dim")]] if process.descriptors else []
    else:
        rows = [*descriptor_lines(process.descriptors, language, width, max(1, height - 5))]
    rows += notes
    counts = [line for line in (count_line(process, language, width), error_line(process)) if line]
    settings = [line] if (line := settings_line(process, language, width)) else []
    fixed = len(head) + len(rows) + len(counts)
    reason = _reason_lines(state, view, width, max(1, min(3, height - fixed - len(kernel))))
    for optional in (settings, kernel):
        if fixed + len(reason) + len(kernel) + len(settings) > height:
            optional.clear()
    return [*head, *reason, *kernel, *rows, *counts, *settings][:height]


def state_line(process: ProcessState, view: View, width: int) -> Span:
    """The state in one line: glyph, word, operation, and for how long; the operation gives way to the time."""
    state, language = process.state, view.language
    if process.exited is not None:
        role = "error" if (process.status or "").startswith("signal") else "ended"
        return (f"✝ {word(language, 'EXITED')} {process.status or ''}".rstrip(), role)
    if state is None and not process.pid:
        when = f" · {max(0.0, (process.due - view.now) / 1e9):.1f} s" if process.due is not None else ""
        return (f"– {word(language, 'NOT STARTED')}{when}", "dim")
    if state is None:
        return (f"? {word(language, 'UNKNOWN')}", "unknown")
    text = f"{STATE_GLYPHS.get(state.state, '?')} {word(language, state.state.upper())}"
    operation = operation_text(state)
    name = state.before.name if state.before is not None else ""
    before = f"{word(language, 'before')} " if state.state == "held" else ""
    if not operation or state.state not in ("held", "blocked", "paced", "stopped"):
        before = operation = name = ""
    elif not before:
        operation = operation.removesuffix("()")
    since = age(state, view) if state.state == "blocked" and state.since is not None else ""
    tails = (
        f"{before}{operation} {since}",
        f"{before}{name} {since}",
        f"{name} {since}",
        f"{name} {since.replace(' ', '')}",
        since.replace(" ", ""),
        "",
    )
    fitting = (form for tail in tails if cell_len(form := f"{text} {tail}".rstrip()) <= width)
    return (next(fitting, f"{text} {tails[0]}".rstrip()), STATE_ROLES.get(state.state, "unknown"))


def operation_text(state: State) -> str:
    """The operation that a process stands before or sleeps in: `write(4)`."""
    before = state.before
    if before is None:
        return ""
    return f"{before.name}({'' if before.fd is None else before.fd})"


def age(state: State, view: View) -> str:
    """How long a state has lasted at the view's moment: tenths of a second at first, five cells at most."""
    since = state.since if state.since is not None else state.t
    tenths = max(view.now - since, 0) // 100_000_000
    if tenths < 100:
        return f"{tenths // 10}.{tenths % 10} s"
    seconds = tenths // 10
    return f"{seconds} s" if seconds < 1000 else f"{seconds // 60} m" if seconds < 60_000 else f"{seconds // 3600} h"


def _reason_lines(state: State | None, view: View, width: int, most: int) -> list[list[Span]]:
    if state is None or state.state == "exited":
        return []
    language = view.language
    lines: list[list[Span]] = []
    if state.state == "held":
        lines.append([(f" {word(language, 'by you')}, {age(state, view)}", "held")])
    if state.reason and state.state in ("blocked", "unknown"):
        role = "blocked" if state.state == "blocked" else "unknown"
        lines += [[(" " + line, role)] for line in wrapped(_shortened(state.reason, width - 1, most), width - 1, most)]
    if state.progress is not None:
        done, size = state.progress
        lines.append([(f" {grouped(done)}/{grouped(size)} B {word(language, 'written')}", "warning")])
    if state.pending:
        lines.append([(f" {word(language, 'pending')}: {state.pending}", "held")])
    return lines


def _shortened(reason: str, width: int, most: int) -> str:
    """A reason without the clauses that `most` lines have no room for: half a sentence says less than a short one."""
    ends = [len(reason), *sorted((found.start() for found in _CLAUSES.finditer(reason)), reverse=True)]
    fitting = (reason[:end] for end in ends if len(wrapped(reason[:end], width, most + 1)) <= most)
    return next(fitting, reason)


def _kernel_line(state: State | None, language: str, width: int) -> list[Span]:
    if state is None or state.kernel is None or state.kernel == "X":
        return []
    where = (state.wchan if state.state in ("blocked", "unknown", "held") else None) or ""
    label = f" {word(language, 'kernel')} "
    if cell_len(label) + 2 + len(where) > width:
        label = " "
    said = _LETTERS.get(state.kernel, "")
    if said and cell_len(label) + len(said) + 4 + len(where) <= width:
        where = f"{said} {where}"
    return [(label, "dim"), (state.kernel, "number"), (f" {where}".rstrip(), "dim")]


_LETTERS = {"R": "running", "S": "asleep", "D": "in disk sleep", "T": "stopped", "t": "traced", "Z": "zombie"}
"""What the kernel's letters mean, proc_pid_stat(5)."""


def descriptor_lines(rows: tuple[Held, ...], language: str, width: int, most: int) -> list[list[Span]]:
    """The descriptor table; where it is longer than `most` lines, closed ends are joined in one."""
    if not rows:
        return []
    lines = [_descriptor(row, language, width) for row in rows]
    if len(lines) <= most:
        return lines
    still_open = [row for row in rows if not row.end.endswith("closed")]
    closed = [str(row.fd) for row in rows if row.end.endswith("closed")]
    lines = [_descriptor(row, language, width) for row in still_open]
    if closed:
        lines.append([(f"{', '.join(closed)} {word(language, 'closed')}", "dim")])
    return lines[:most]


def _descriptor(row: Held, language: str, width: int) -> list[Span]:
    end, _, closed = row.end.partition(" ")
    shown = word(language, end)
    if closed:
        return [(f"{row.fd} {shown:<5} {word(language, 'closed')}", "dim")]
    arrow = {"read": "◂", "write": "▸"}.get(end, "↔")
    whom = _peers(row, width - 12)
    flags = (" NONBLOCK" if row.nonblocking else "") + (" DIRECT" if row.packets else "")
    spans: list[Span] = [(f"{row.fd} ", "number"), (f"{shown:<5} ", "text"), (f"{arrow} {whom}", "text")]
    if flags:
        spans.append((flags, "warning"))
    return spans


def _peers(row: Held, width: int) -> str:
    """Who holds the other end, with the descriptor there; as many as fit, the others counted."""
    for count in range(len(row.peers), 0, -1):
        whom = ", ".join(f"{role} {fd}" for role, fd in row.peers[:count])
        if count < len(row.peers):
            whom += f" +{len(row.peers) - count}"
        if len(whom) <= width or count == 1:
            return whom
    return "–"


def count_line(process: ProcessState, language: str, width: int) -> list[Span]:
    """Messages sent and received, and the rate now; arrows for the words where there is no room for these."""
    counters = process.counters
    if counters is None:
        return []
    earlier = process.earlier
    sent = counters.sent + sum(count.sent for count in earlier)
    received = counters.received + sum(count.received for count in earlier)
    spans: list[Span] = []
    if sent or not received:
        spans += [(grouped(sent), "number"), (f" {word(language, 'sent')} ", "text")]
    if received:
        spans += [(grouped(received), "number"), (f" {word(language, 'received')} ", "text")]
    rate: Span = (f"{process.rate:,.0f}/s", "dim")
    if width_of([*spans, rate]) <= width:
        return [*spans, rate]
    if width_of(spans) - 1 <= width:
        return spans
    return [("▸", "text"), (f"{grouped(sent)} ", "number"), ("◂", "text"), (f"{grouped(received)} ", "number"), rate]


def error_line(process: ProcessState) -> list[Span]:
    """Errors by name, and messages that came in pieces; empty when there are none."""
    spans: list[Span] = []
    for name, times in _errors(process).items():
        spans.append((f"{name} {grouped(times)} ", "empty" if name == "EAGAIN" else "error"))
    if process.counters is not None and process.counters.received > process.counters.whole:
        spans.append((f"torn {grouped(process.counters.received - process.counters.whole)}", "error"))
    if spans:
        spans[-1] = (spans[-1][0].rstrip(), spans[-1][1])
    return spans


def _errors(process: ProcessState) -> dict[str, int]:
    errors: dict[str, int] = {}
    if process.counters is not None:
        for count in process.counters.calls:
            for name, times in count.errors.items():
                errors[name] = errors.get(name, 0) + times
    return errors


def settings_line(process: ProcessState, language: str, width: int) -> list[Span]:
    """Blocking or not, pace and message size, as the user has set them; shorter where there is less room."""
    settings = process.settings
    if settings is None or process.exited is not None:
        return []
    open_rows = [row for row in process.descriptors if not row.end.endswith("closed")]
    mode = "non-blocking" if any(row.nonblocking for row in open_rows) else "blocking"
    mode = word(language, mode)
    pace = f"{settings.rate:g} {word(language, 'msg/s')}" if settings.rate else word(language, "flat out")
    short = f"{settings.rate:g}/s" if settings.rate else pace
    size = f"{grouped(settings.size)} B"
    forms = (f"{mode} · {pace} · {size}", f"{mode} · {short} · {size}", f"{mode} {short} {size}", f"{mode} · {short}")
    return [(next((form for form in forms if cell_len(form) <= width), forms[-1]), "dim")]


_LEAST_ROSTER = 24
"""Cells that a process takes at least in a roster of several columns."""


def draw_roster(
    canvas: Canvas, processes: Sequence[ProcessState], view: View, x: int, y: int, width: int, height: int
) -> None:
    """Draw all processes, a line each: where there are more than have a card. In columns where lines are few."""
    names = [process.role for process in processes]
    columns = roster_columns(len(names), width, height)
    room, cell = height * columns, width // columns
    longest = max((cell_len(name) for name in names), default=0)
    label = min(max(longest, 8 if columns == 1 else 0), 14)
    first = 0
    if view.selected in names and len(names) > room:
        first = min(max(names.index(view.selected) - room + 1, 0), len(names) - room)
    for place, process in enumerate(processes[first : first + room]):
        left, line = x + place // height * cell, y + place % height
        space = cell if columns == 1 else cell - 1
        selected = process.role == view.selected
        name = f"{'▸' if selected else ' '}{padded(process.role, label)} "
        state = state_line(process, view, space - label - 2)
        canvas.spans(left, line, [(name, "selected" if selected else "text"), state], space)
        canvas.hit(left, line, space, 1, f"select:{process.role}")


def roster_columns(processes: int, width: int, height: int) -> int:
    """The columns of a roster: as few as will do, as many as the width allows."""
    return max(1, min(width // _LEAST_ROSTER, -(-processes // max(1, height))))
