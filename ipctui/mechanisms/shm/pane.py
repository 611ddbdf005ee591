"""The pane of shared memory: the ring or the words, the semaphores beside them, who has it mapped, and every byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.shm.caption import caption
from ipctui.mechanisms.shm.facts import kernel_calls, lost_updates, processor_share, set_up_calls, stored_updates
from ipctui.mechanisms.shm.words import said, worded
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Frame, Line, Span, padded, width_of
from ipctui.widgets.file import File, file_lines
from ipctui.widgets.hexdump import Range, bytes_per_row, hex_lines
from ipctui.widgets.semaphore import Semaphore, semaphore_lines
from ipctui.widgets.slots import Ring, Slot, slot_lines
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.view import Offer, View
from ipctui.widgets.waiting import waiters

_FADES = 2_000_000_000
"""Nanoseconds that fresh bytes take to fade."""
_COST_AND_HOLDERS, _EXCERPT = 2, 3
"""Lines for what a message costs and who has the segment mapped, and of its bytes."""
_GAPS = (0, 1000, 4000, 20_000)


def segment(state: LabState) -> Channel | None:
    """The session's segment: the latest of those that are there, else the latest of all."""
    every = [held.now for held in state.channels.values() if held.now.type == "shm"]
    return next((channel for channel in reversed(every) if not channel.closed), every[-1] if every else None)


def semaphores(state: LabState, view: View) -> list[Semaphore]:
    """The session's semaphores, with those who sleep before each."""
    return [
        Semaphore(
            channel.name or "?",
            channel.used,
            channel.capacity,
            channel.facts.get("holder", ""),
            bool(channel.facts.get("dead")),
            waiters(state, channel.object, {"sem_wait"}, view),
        )
        for channel in (held.now for held in state.channels.values())
        if channel.type == "semaphore" and not channel.closed
    ]


def boxes(state: LabState, view: View) -> list[Box]:
    """One box: the segment with all that belongs to it."""
    channel = segment(state)
    if channel is None:
        return []
    facts = channel.facts
    name = channel.object if facts.get("links", 1) else said(view.language, "no name")
    # At 80x24 addresses, cost and bytes may have no line: the frame says where they are.
    mapped = len({row["process"] for row in facts.get("mapped", ())})
    title: Line = [
        (name, "title" if facts.get("links", 1) else "warning"),
        (f" {grouped(facts.get('size', 0))} B ", "number"),
        (said(view.language, "mapped by {count}").format(count=mapped), "text"),
        (f"  2 {said(view.language, 'shows all')}", "dim"),
    ]
    locks = sum(held.now.type == "semaphore" and not held.now.closed for held in state.channels.values())
    own = 5 if "in" in facts else 4 if "views" in facts else 2
    wish = own + locks + _COST_AND_HOLDERS + _EXCERPT
    return [
        Box(title, partial(_lines, state, channel, view), partial(_contents, state, channel, view), wish=min(wish, 14))
    ]


def _lines(state: LabState, channel: Channel, view: View, width: int, height: int) -> list[Line]:
    """The essence, and as much of the hex dump as there is room for."""
    lines = _essence(state, channel, view, width, height)
    if not channel.closed:
        lines.append(_holders(channel, view, width))
    room = height - len(lines)
    if room > 0:
        lines += _excerpt(channel, view, width, room)
    return lines[:height]


def _contents(state: LabState, channel: Channel, view: View, width: int, height: int) -> list[Line]:
    """The file as ls shows it, every mapping with its addresses, the essence, and the whole dump."""
    facts = channel.facts
    file = File(
        channel.object,
        facts.get("mode", 0),
        facts.get("links", 0),
        facts.get("uid", 0),
        facts.get("gid", 0),
        facts.get("size", 0),
        facts.get("inode", 0),
    )
    lines = file_lines(file, width, 1, channel.object, view.language)
    lines += [_mapping(row) for row in facts.get("mapped", ())]
    lines += _essence(state, channel, view, width, 12)
    return [*lines, [], *_dump(channel, view, width)]


def _essence(state: LabState, channel: Channel, view: View, width: int, height: int) -> list[Line]:
    if channel.closed:
        return [[(said(view.language, "the segment is gone"), "ended")]]
    facts = channel.facts
    lines: list[Line] = []
    if channel.refused:
        lines.append([(channel.refused, "error")])
    if "in" in facts:
        every = semaphores(state, view)
        most = len(every) if height > 8 else 1
        beside = semaphore_lines(every, width, height=most, language=view.language) if every else []
        lines += slot_lines(_ring(channel, view), width, max(2, min(5, height - len(beside) - 2)), view.language)
        lines += beside
    elif "counter" in facts:
        lines += _race(state, channel, view, width)
    elif "views" in facts:
        lines += _views(channel, view)
    elif "work" in facts:
        lines += _locks(state, channel, view, width)
    return [*lines, *_cost(state, view, width)]


def _ring(channel: Channel, view: View) -> Ring:
    facts = channel.facts
    count, into, out = channel.slots or 0, facts["in"], facts["out"]
    places = {name: offset for name, offset, _ in facts.get("layout", ())}
    ages = {offset: _age(at, view) for offset, _, at in facts.get("fresh", ())}
    slots = [Slot() for _ in range(count)]
    for step, item in enumerate(channel.items):
        number = (out + step) % count
        text = item.id.rpartition(":")[2] if item.id else item.text
        slots[number] = Slot(text, True, ages.get(places.get(f"slot {number}", -1)))
    return Ring(tuple(slots), into, out)


def _race(state: LabState, channel: Channel, view: View, width: int) -> list[Line]:
    """The sum that should be there, what is there, and the difference."""
    facts, language = channel.facts, view.language
    lost, stored = lost_updates(state.facts), stored_updates(state.facts)
    share = f" {lost * 100 / stored:.1f} %" if stored else ""
    switch = "on" if facts.get("lock") else "off"
    lines: list[Line] = [
        [
            (f"{said(language, 'stored')} ", "text"),
            (f"{grouped(stored):>9}", "number"),
            (f"   {said(language, 'counter')} ", "text"),
            (f"{grouped(facts['counter']):>9}", "number"),
            (f"   {said(language, 'lost')} ", "text"),
            (f"{grouped(lost):>9}{share}", "error" if lost else "number"),
        ],
        [
            (f"{said(language, 'lock')} {switch.upper()}", "held" if switch == "on" else "warning"),
            (" (l)", "dim"),
            *_window(state, language),
        ],
    ]
    return [*lines, *semaphore_lines(semaphores(state, view), width, height=2, language=language)]


def _window(state: LabState, language: str) -> list[Span]:
    """What stands between load and store: so much computing, or the gate."""
    given = state.header.parameters if state.header is not None else {}
    if given.get("provoke") == "on":
        return [(f"      {said(language, 'between load and store: the gate')}", "warning"), (" (8)", "dim")]
    text = f"{said(language, 'between load and store')} {grouped(given.get('gap', 0))} µs"
    return [(f"      {text}", "text"), (" (7)", "dim")]


def _views(channel: Channel, view: View) -> list[Line]:
    """The same two words in the file and through each process's own mapping, a column each."""
    language, own = view.language, _words_of(channel)
    rows = {row["process"]: row for row in channel.facts.get("mapped", ())}
    views = {said(language, "the file"): own, **{name: tuple(seen) for name, seen in channel.facts["views"].items()}}
    head: list[Span] = [(padded("", 9), "dim")]
    words: list[list[Span]] = [[(padded("shared", 9), "title")], [(padded("private", 9), "title")]]
    places: list[Span] = [(padded("", 9), "dim")]
    for name, seen in views.items():
        row = rows.get(name, {})
        head.append((padded(name, 17), "title"))
        for line, value, true in zip(words, seen, own, strict=False):
            # What differs from the file is a copy's: that is the news.
            line.append(
                (padded(f"{value}{'' if value == true else ' !='}", 17), "number" if value == true else "error")
            )
        places.append((padded(f"{row['start']:x} {row['permissions'][3:]}" if row else "", 17), "dim"))
    return [head, *words, places]


def _words_of(channel: Channel) -> tuple[int, int]:
    data = bytes.fromhex(channel.head)
    first, second = data[0:8], data[64:72]
    return int.from_bytes(first, "little", signed=True), int.from_bytes(second, "little", signed=True)


def _locks(state: LabState, channel: Channel, view: View, width: int) -> list[Line]:
    """Both locks, and the work that they guard."""
    facts, language = channel.facts, view.language
    owner = next((process for process in state.processes.values() if process.pid == facts.get("mutex_owner")), None)
    mutex = Semaphore(
        "robust mutex",
        0 if facts.get("mutex_owner") else 1,
        1,
        owner.role if owner is not None else "",
        owner is not None and owner.exited is not None,
        waiters(state, channel.object, {"pthread_mutex_lock"}, view),
    )
    named = [
        Semaphore(f"semaphore {each.name}", each.value, each.most, each.holder, each.dead, each.waiting)
        for each in semaphores(state, view)
    ]
    work, steps = facts.get("work", 0), facts.get("steps", 0)
    recovered = state.facts.get("recovered", 0)
    guarded: list[Span] = [
        (f"{said(language, 'work')} ", "text"),
        ("▮" * work, "fill"),
        ("▯" * max(steps - work, 0), "fill.empty"),
        (f" {work}/{steps}", "number"),
    ]
    if recovered:
        guarded.append((f"   EOWNERDEAD ×{recovered}", "warning"))
    return [*semaphore_lines([*named, mutex], width, height=2, language=language), guarded]


def _cost(state: LabState, view: View, width: int) -> list[Line]:
    """System calls a message, counted as the kernel's, and the processor time that the waiting takes."""
    calls = setup = messages = 0
    burned = []
    for process in state.processes.values():
        if process.counters is None:
            continue
        calls += kernel_calls(process.counters.calls)
        setup += set_up_calls(process.counters.calls)
        messages += process.counters.sent
        share = None if process.exited is not None else processor_share(state.facts, process.name)
        burned.append(f"{process.name} {'  –' if share is None else f'{share:>3} %'}")
    # Where nobody sends anything the sum itself is told.
    name, figure = (
        ("system calls a message", f"{calls / messages:.2f}") if messages else ("system calls", grouped(calls))
    )
    asked: list[Span] = [
        (f"{said(view.language, name)} ", "text"),
        (figure, "number"),
        (f" ({said(view.language, 'set-up')} {setup})", "dim"),
    ]
    busy: list[Span] = [("CPU ", "dim"), (" · ".join(burned), "number")]
    one = [*asked, ("   ", "dim"), *busy]
    return [one] if width_of(one) <= width else [asked, busy]


def _holders(channel: Channel, view: View, width: int) -> Line:
    """Who has it mapped, and where; as many as fit, the others counted."""
    facts = channel.facts
    mapped = facts.get("mapped", ())
    count = len({row["process"] for row in mapped})
    spans: list[Span] = [(said(view.language, "mapped by {count}").format(count=count), "dim")]
    if facts.get("links", 1) == 0:
        gone = "another has the name" if facts.get("replaced") else "the name is gone"
        spans = [(f"{said(view.language, gone)} · ", "warning"), *spans]
    for place, row in enumerate(mapped):
        text = f"{row['process']} {row['start']:x} {row['permissions'][3:]}"
        more: list[Span] = [(", " if place else ": ", "dim"), (text, "text" if row["pid"] else "warning")]
        after = 0 if place == len(mapped) - 1 else len(f" +{len(mapped)} (2)")
        if width_of([*spans, *more]) + after > width:
            return [*spans, (f" +{len(mapped) - place} (2)", "warning")]
        spans += more
    return spans


def _mapping(row: dict[str, Any]) -> Line:
    """A line of /proc/PID/maps with its process before it."""
    kind = "MAP_SHARED" if row["permissions"].endswith("s") else "MAP_PRIVATE"
    return [
        (f"{row['process']:<14}", "title"),
        (f"{row['pid']:>8} " if row["pid"] else " ", "dim"),
        (f"{row['start']:x}-{row['end']:x}", "number"),
        (f" {row['permissions']} {kind}", "text" if kind == "MAP_SHARED" else "warning"),
    ]


def _dump(channel: Channel, view: View, width: int) -> list[Line]:
    """The segment's bytes as they are in the file, each place with its name, what was just written lit."""
    return hex_lines(bytes.fromhex(channel.head), width, _ranges(channel, view))


def _ranges(channel: Channel, view: View) -> list[Range]:
    fresh = {offset: (size, _age(at, view)) for offset, size, at in channel.facts.get("fresh", ())}
    ranges = []
    for name, offset, size in channel.facts.get("layout", ()):
        written, age = fresh.get(offset, (size, None))
        ranges.append(Range(offset, written, str(name), age))
    return ranges


def _excerpt(channel: Channel, view: View, width: int, height: int) -> list[Line]:
    """The dump where it has few lines: the rows of the words, then those of the slots that were written last."""
    data, ranges = bytes.fromhex(channel.head), _ranges(channel, view)
    per_row = bytes_per_row(width, max((len(place.label) for place in ranges), default=0))
    words = [place for place in ranges if not place.label.startswith("slot ")]
    slots = [place for place in ranges if place.label.startswith("slot ") and place.age is not None]
    chosen: dict[int, int] = {place.start: per_row for place in words}
    room = height - len(chosen)
    for place in sorted(slots, key=lambda slot: slot.age or 0.0):
        rows = min(-(-place.size // per_row), room)
        if rows > 0:
            chosen[place.start] = rows * per_row
            room -= rows
    lines: list[Line] = []
    for start, size in sorted(chosen.items()):
        lines += hex_lines(data[start : start + size], width, ranges, origin=start, per_row=per_row)
    return lines[:height]


def _age(at: int, view: View) -> float:
    return max(view.now - at, 0) / _FADES


def _other_lock(state: LabState, view: View) -> str:
    channel = segment(state)
    if channel is None or "lock" not in channel.facts:
        return ""
    return f"lock {'off' if channel.facts['lock'] else 'on'}"


def _other_gap(state: LabState, view: View) -> str:
    parameters = state.header.parameters if state.header is not None else {}
    now = parameters.get("gap", 0)
    return f"set gap {next((gap for gap in _GAPS if gap > now), _GAPS[0])}"


def _post_or_provoke(state: LabState, view: View) -> str:
    if state.header is None or state.header.variant != "race":
        return "post"
    return f"set provoke {'off' if state.header.parameters.get('provoke') == 'on' else 'on'}"


def _plain(command: str) -> Callable[[LabState, View], str]:
    return lambda state, view: command


_STAGE = Stage(boxes, caption, "wide")


def _draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """The stage, why somebody sleeps in the language of the view: records tell it in English."""
    return _STAGE.draw(worded(state, view.language), view, width, height)


PANE = replace(
    _STAGE.pane(
        Path(__file__).parent,
        "the file, every mapping and its addresses, and the segment byte by byte",
        Offer("l", "lock", "race: the lock on or off", command=_other_lock),
        Offer("6", "unlink", "shm_unlink: the name is gone, the mappings live on", command=_plain("unlink")),
        Offer("7", "gap", "race: a wider or narrower gap between load and store; restarts", command=_other_gap),
        Offer(
            "8",
            "post",
            "dead-owner: post the semaphore for its dead holder; "
            "race: the gate between load and store, where a turn is waited for (restarts)",
            command=_post_or_provoke,
        ),
        Offer("9", "flat out", "everybody as fast as it goes", command=_plain("rate all 0")),
    ),
    draw=_draw,
)
