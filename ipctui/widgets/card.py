"""The process card: who a process is, what it is doing and why, its descriptors, counts and settings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len

from ipctui.lab.state import ProcessState
from ipctui.trace.records import Held, State
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Canvas, Line, Span, cut, padded, width_of, wrapped
from ipctui.widgets.language import in_language
from ipctui.widgets.scroll import draw_scrolled
from ipctui.widgets.view import View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word

_CLAUSES = re.compile(r" \(| at |; | while ")
"""Where a reason may end early and still be true."""

_DANGLING = (" or", " and", ",", ":")
"""What no sentence ends with."""

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
    selected = view.selected == process.name
    canvas.box(x, y, width, height, _title(process, selected, width - 4), selected)
    canvas.hit(x, y, width, height, f"select:{process.name}")
    inside = width - 2, height - 2
    if view.zoom == "processes":
        lines = card_lines(process, view, inside[0], _WHOLE, notes)
        if len(lines) > inside[1]:
            draw_scrolled(canvas, lines, view, x + 1, y + 1, *inside)
            return
    canvas.lines(x + 1, y + 1, card_lines(process, view, *inside, notes), *inside)


def _title(process: ProcessState, selected: bool, width: int) -> list[Span]:
    """Its name, its number and its parent's; where there is no room for a number, the whole of it is left out."""
    title: list[Span] = [(process.name, "selected" if selected else "title")]
    pid: Span = (f" {process.pid}", "title")
    ppid: Span = (f" ◂{process.ppid}", "dim")
    for number, span in ((process.pid, pid), (process.ppid, ppid)):
        if number and width_of([*title, span]) <= width:
            title.append(span)
    return title


def card_lines(process: ProcessState, view: View, width: int, height: int, notes: Sequence[Line] = ()) -> list[Line]:
    """What a card says, the most important first, in at most `height` lines; `notes` are the mechanism's own.

    Who is stuck, on what and because of whom goes before all else: for a reason that needs the lines, settings, the
    kernel's word, descriptors and counts give way, in this order.
    """
    language, state = view.language, process.state
    kernel: list[Line] = [line] if (line := _kernel_line(state, language, width)) else []
    if process.exited is not None:
        rows: list[Line] = [[(word(language, "all ends closed"), "dim")]] if process.descriptors else []
    else:
        rows = [*descriptor_lines(process.descriptors, language, width, max(1, height - 5))]
    own = list(notes)
    counts: list[Line] = [line] if (line := count_line(process, language, width)) else []
    errors: list[Line] = [line] if (line := error_line(process, language)) else []
    settings: list[Line] = [line] if (line := settings_line(process, language, width)) else []
    room = height - 1 - len(kernel) - len(rows) - len(own) - len(counts) - len(errors)
    reason = _reason_lines(state, view, width, min(3, max(room, _least_lines(state, language, width))))
    # Where a mechanism has lines of its own, these tell more than the descriptors.
    kept = [] if own else rows[:1]
    rest = rows[len(kept) :]
    yielding = (settings, kernel, rest, counts, kept, errors, own)
    excess = 1 + len(reason) + sum(map(len, yielding)) - height
    for lines in yielding:
        while excess > 0 and lines:
            lines.pop()
            excess -= 1
    return [[state_line(process, view, width)], *reason, *kernel, *kept, *rest, *own, *counts, *errors, *settings][
        :height
    ]


def state_line(process: ProcessState, view: View, width: int) -> Span:
    """The state in one line: glyph, word, operation, and for how long; the operation gives way to the time."""
    state, language = process.state, view.language
    if process.exited is not None:
        role = "error" if (process.status or "").startswith("signal") else "ended"
        return (f"✝ {word(language, 'EXITED')} {process.status or ''}".rstrip(), role)
    if state is None and not process.pid:
        waits = f"– {word(language, 'NOT STARTED')}"
        when = f" · {max(0.0, (process.due - view.now) / 1e9):.1f} s" if process.due is not None else ""
        return (waits + when if cell_len(waits + when) <= width else waits, "dim")
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
    if before.name in ("call", "tell"):  # what is called or told says more than that something is
        return f"{before.name}({before.args.partition(',')[0]})"
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
        role, reason = "blocked" if state.state == "blocked" else "unknown", in_language(language, state.reason)
        lines += [[(" " + line, role)] for line in wrapped(_shortened(reason, width - 1, most), width - 1, most)]
    if state.progress is not None:
        done, size = state.progress
        lines.append([(f" {grouped(done)}/{grouped(size)} B {word(language, 'written')}", "warning")])
    if state.pending:
        lines.append([(f" {word(language, 'pending')}: {state.pending}", "held")])
    return lines


def _least_lines(state: State | None, language: str, width: int) -> int:
    """The lines that the shortest true form of a reason takes; at least one."""
    if state is None or not state.reason or state.state not in ("blocked", "unknown"):
        return 1
    forms = _forms(in_language(language, state.reason))
    return max(1, min(len(wrapped(form, width - 1, _WHOLE)) for form in forms))


def _shortened(reason: str, width: int, most: int) -> str:
    """A reason without the clauses that `most` lines have no room for: half a sentence says less than a short one."""
    return next((form for form in _forms(reason) if len(wrapped(form, width, most + 1)) <= most), reason)


def _forms(reason: str) -> list[str]:
    """A reason, and after it the shorter forms that say something and are still true, the longest first."""
    shorter = [reason[: found.start()] for found in _CLAUSES.finditer(reason)]
    return [reason, *(form for form in reversed(shorter) if " " in form and not form.endswith(_DANGLING))]


def _kernel_line(state: State | None, language: str, width: int) -> list[Span]:
    if state is None or state.kernel is None or state.kernel == "X":
        return []
    where = (state.wchan if state.state in ("blocked", "unknown", "held") else None) or ""
    label = f" {word(language, 'kernel')} "
    if cell_len(label) + 2 + len(where) > width:
        label = " "
    said = in_language(language, _LETTERS.get(state.kernel, ""))
    if said and cell_len(label) + cell_len(said) + 4 + len(where) <= width:
        where = f"{said} {where}"
    return [(label, "dim"), (state.kernel, "number"), (f" {where}".rstrip(), "dim")]


_LETTERS = {"R": "running", "S": "asleep", "D": "in disk sleep", "T": "stopped", "t": "traced", "Z": "zombie"}
"""What the kernel's letters mean, proc_pid_stat(5)."""


def descriptor_lines(rows: tuple[Held, ...], language: str, width: int, most: int) -> list[list[Span]]:
    """The descriptor table; where it is longer than `most` lines, closed ends are joined in one, others counted."""
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
    hidden = len(still_open) - most
    if hidden > 0:
        others = f" +{hidden} fd"
        return [
            *lines[: most - 1],
            [*_descriptor(still_open[most - 1], language, width - len(others)), (others, "dim")],
        ]
    return lines[:most]


def _descriptor(row: Held, language: str, width: int) -> list[Span]:
    end, _, closed = row.end.partition(" ")
    shown = word(language, end)
    if closed:
        return [(f"{row.fd} {shown:<5} {word(language, 'closed')}", "dim")]
    if row.name and not row.peers:
        return _addressed(row, shown, width)
    arrow = {"read": "◂", "write": "▸"}.get(end, "↔")
    long = (" NONBLOCK" if row.nonblocking else "") + (" DIRECT" if row.packets else "")
    short = (" NB" if row.nonblocking else "") + (" DIR" if row.packets else "")
    first = f"{row.peers[0][0]} {row.peers[0][1]}{' +1' * (len(row.peers) > 1)}" if row.peers else "–"
    # Who has the other end is named before all else; the settings below tell the mode in words.
    labels = (f"{shown:<5}", "rw") if end == "read-write" else (f"{shown:<5}",)
    forms = [(label, flags) for flags in (long, short, "") for label in labels]
    fitting = (form for form in forms if cell_len(f"{row.fd} {form[0]} {arrow} {first}{form[1]}") <= width)
    label, flags = next(fitting, forms[-1])
    spans: list[Span] = [(f"{row.fd} ", "number"), (f"{label} ", "text")]
    spans.append((f"{arrow} {_peers(row, width - width_of(spans) - 2 - len(flags))}", "text"))
    if flags:
        spans.append((flags, "warning"))
    return spans


def _addressed(row: Held, shown: str, width: int) -> list[Span]:
    """A socket without another end: `3 listen 127.0.0.1:5000`, `3 rw 127.0.0.1:5000 NB`; the address is whole."""
    labels = (shown, "rw", "") if row.end == "read-write" else (shown, "")
    forms = [(label, flags) for flags in ((" NONBLOCK", " NB", "") if row.nonblocking else ("",)) for label in labels]
    room = width - cell_len(f"{row.fd} {row.name}")
    label, flags = next((form for form in forms if cell_len(form[0]) + bool(form[0]) + len(form[1]) <= room), ("", ""))
    spans: list[Span] = [(f"{row.fd} ", "number"), (f"{label} " if label else "", "text"), (row.name, "text")]
    return [*spans, (flags, "warning")] if flags else spans


def _peers(row: Held, width: int) -> str:
    """Who holds the other end, with the descriptor there; as many as fit, the others counted; none fits: how many."""
    peers = [f"{role} {fd}" for role, fd in row.peers]
    for count in range(len(peers), 0, -1):
        whom = ", ".join(peers[:count]) + (f" +{len(peers) - count}" if count < len(peers) else "")
        if cell_len(whom) <= width:
            return whom
    if len(peers) < 2:
        return cut(peers[0], max(1, width)) if peers else "–"
    first = f"{row.peers[0][0]} +{len(peers) - 1}"
    return first if cell_len(first) <= width else f"×{len(peers)}"


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


def error_line(process: ProcessState, language: str) -> list[Span]:
    """Errors by name, and messages that came in pieces; empty when there are none."""
    spans: list[Span] = []
    for name, times in _errors(process).items():
        spans.append((f"{name} {grouped(times)} ", "empty" if name == "EAGAIN" else "error"))
    if process.counters is not None and process.counters.received > process.counters.whole:
        spans.append(
            (f"{word(language, 'torn')} {grouped(process.counters.received - process.counters.whole)}", "error")
        )
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
    closed = bool(process.descriptors) and not open_rows
    nonblocking = settings.nonblocking is True if closed else any(row.nonblocking for row in open_rows)
    mode = "non-blocking" if nonblocking else "blocking"
    mode = word(language, mode)
    pace = f"{settings.rate:g} {word(language, 'msg/s')}" if settings.rate else word(language, "flat out")
    short = f"{settings.rate:g}/s" if settings.rate else pace
    size = f"{grouped(settings.size)} B"
    forms = (f"{mode} · {pace} · {size}", f"{mode} · {short} · {size}", f"{mode} {short} {size}", f"{mode} · {short}")
    return [(next((form for form in forms if cell_len(form) <= width), forms[-1]), "dim")]


_URGENCY = ("blocked", "held", "stopped", "unknown", "running", "paced", "exited", "")
"""States in the order in which a count of them tells them; the last is a process that has not been started."""
_LEAST_ROSTER = 24
"""Cells that a process takes at least in a roster of several columns."""


def draw_roster(
    canvas: Canvas, processes: Sequence[ProcessState], view: View, x: int, y: int, width: int, height: int
) -> None:
    """Draw all processes, a line each: where there are more than have a card. In columns where lines are few.

    Of more than there is room for, those around the selected one; the last place counts the others by their states.
    """
    names = [process.name for process in processes]
    columns = roster_columns(len(names), width, height)
    room, cell = height * columns, width // columns
    label = min(max(max((cell_len(name) for name in names), default=0), 8 if columns == 1 else 0), 16)
    first, shown = 0, len(names)
    if len(names) > room:
        shown = max(1, room - 1)
        at = names.index(view.selected) if view.selected in names else 0
        first = min(max(at - shown + 1, 0), len(names) - shown)
    for place, process in enumerate(processes[first : first + shown]):
        left, line = x + place // height * cell, y + place % height
        space = cell if columns == 1 else cell - 1
        selected = process.name == view.selected
        name = f"{'▸' if selected else ' '}{padded(process.name, label)} "
        state = state_line(process, view, space - label - 2)
        canvas.spans(left, line, [(name, "selected" if selected else "text"), state], space)
        canvas.hit(left, line, space, 1, f"select:{process.name}")
    hidden = [*processes[:first], *processes[first + shown :]]
    if hidden:
        tally = _tally(hidden)
        place = room - 1
        across = x + place // height * cell if room > 1 else x + max(0, cell - width_of(tally))
        canvas.spans(across, y + place % height, tally, cell)


def _tally(processes: Sequence[ProcessState]) -> list[Span]:
    """How many processes there are, and how many in each state: ` +8 ■5 ·3`."""
    states: dict[str, int] = {}
    for process in processes:
        now = "exited" if process.exited is not None else process.state.state if process.state is not None else ""
        states[now] = states.get(now, 0) + 1
    spans: list[Span] = [(f" +{len(processes)}", "warning")]
    for state, count in sorted(states.items(), key=lambda one: _URGENCY.index(one[0])):
        spans.append((f" {STATE_GLYPHS.get(state, '–')}{count}", STATE_ROLES.get(state, "dim")))
    return spans


def roster_columns(processes: int, width: int, height: int) -> int:
    """The columns of a roster: as few as will do, as many as the width allows."""
    return max(1, min(width // _LEAST_ROSTER, -(-processes // max(1, height))))
