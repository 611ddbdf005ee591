"""The FIFO's pane: the file as ls(1) lists it, the buffer that only those who have it open keep alive, who waits."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.mechanisms.fifo.caption import caption, short
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, width_of
from ipctui.widgets.file import File, file_lines
from ipctui.widgets.gauge import bar, channel_lines, contents_lines, fill_line, holders_line, slots_line
from ipctui.widgets.stage import Box, Stage, living
from ipctui.widgets.view import Offer, View
from ipctui.widgets.waiting import waiters
from ipctui.widgets.words import counted, word

_SMALL, _LARGE = 4096, 65536
_KOREAN = {
    "no buffer: nobody has it open": "버퍼 없음: 연 프로세스가 없다",
    "not open: no buffer": "안 열림: 버퍼 없음",
    "in open()": "open()에서",
    "in it, by the calls": "들어 있음(호출로 셈)",
    "in it, counted from the calls: a copy of an end would be a partner": (
        "들어 있음: 호출로 세었다. 끝을 복사하면 상대가 된다"
    ),
    "unlinked by you": "사용자가 unlink",
    "deleted by a stranger": "다른 누군가가 지움",
    "now": "지금은",
    "The file (ls -l), which has no contents of its own:": "파일(ls -l). 내용은 파일에 들어 있지 않다:",
    "The buffer, in the kernel while somebody has it open:": "버퍼. 누군가 열고 있는 동안만 커널에 있다:",
}


def _say(language: str, text: str) -> str:
    return _KOREAN.get(text, text) if language == "ko" else text


def boxes(state: LabState, view: View) -> list[Box]:
    """Every FIFO: its file, its buffer, who has it open and who waits to."""
    return [
        Box(
            [(short(channel.object), "title")],
            partial(_lines, state, view, channel),
            partial(_contents, state, view, channel),
            wish=8,
        )
        for channel in living(state)
    ]


def _lines(state: LabState, view: View, channel: Channel, width: int, height: int) -> list[Line]:
    if channel.closed:
        return [[(f"✝ {word(view.language, 'gone')}", "ended")]]
    file = _file(channel, view, width, 2 if height > 5 else 1)
    ends = _waiting(state, channel, view)
    if channel.capacity is not None or not ends:
        opened = _openers(channel, view, width)
        # Strangers are named on a line of their own where the counts leave them no room.
        ends[:0] = [opened] if width_of(opened) <= width or len(opened) < 3 else [opened[:2], opened[2:]]
    if channel.capacity is None and ends and height <= len(file) + len(ends):
        return [*file, *ends][:height]
    room = max(1, height - len(file) - len(ends))
    return [*file, *_buffer(state, view, channel, width, room), *ends][:height]


def _file(channel: Channel, view: View, width: int, height: int) -> list[Line]:
    file = File.of(channel.facts.get("file"))
    if file is not None:
        # The box's title has the name already: what is told here is that it is a file, and which.
        lines: list[Line] = [[(str(channel.facts["row"]).split(" ")[0], "title"), (f" inode {file.inode}", "text")]]
        folder = os.path.dirname(channel.name or "")
        links = counted(view.language, file.links, "link" if file.links == 1 else "links")
        if height > 1:
            lines.append([(f"{links} · {file.size} B · {folder}", "dim")])
        return lines
    who = "unlinked by you" if channel.facts.get("by_us") else "deleted by a stranger"
    told = f"{word(view.language, 'no file')}: {_say(view.language, who)}"
    lines = [[(f"✝ {told if cell_len(told) + 2 <= width else _say(view.language, who)}", "warning")]]
    instead = channel.facts.get("instead")
    if instead is not None and height > 1:
        lines.append([(f"{_say(view.language, 'now')} {instead}", "warning")])
    return lines


def _buffer(state: LabState, view: View, channel: Channel, width: int, height: int) -> list[Line]:
    if channel.capacity is None:
        if channel.refused is not None:
            return [[(f"? {channel.refused}", "unknown")]]
        if channel.facts.get("counted"):
            long, short = "in it, counted from the calls: a copy of an end would be a partner", "in it, by the calls"
            fill = f"{'?' if channel.used is None else grouped(channel.used)} B "
            said = _say(view.language, long if width > len(long) + len(fill) else short)
            return [[(fill, "number"), (said, "dim")]]
        long, short = "no buffer: nobody has it open", "not open: no buffer"
        return [[(_say(view.language, long if width > len(long) else short), "dim")]]
    full = bool(waiters(state, channel.object, {"write"}, view))
    if height < 5:
        lines: list[Line] = [fill_line(channel, view.language, full), bar(channel.used or 0, channel.capacity, width)]
        return [*lines, slots_line(channel, view.language, width)][:height]
    # The last of the gauge's lines are the holders, who have a line of their own here.
    gauge: list[Line] = [*channel_lines(channel, view, full, width, 5)]
    return gauge[:height]


def _openers(channel: Channel, view: View, width: int) -> Line:
    line = holders_line(channel, view.language)
    names = [*channel.writers, *channel.readers]
    whole = f" ({', '.join(dict.fromkeys(names))})"
    return [*line[:2], (whole, "dim")] if names and len(line) < 3 and width > 60 else line


def _waiting(state: LabState, channel: Channel, view: View) -> list[Line]:
    """Those asleep in open(2): they have no descriptor yet, and so are no readers or writers."""
    return [
        [(f"■ {waiter.role} {_say(view.language, 'in open()')} {waiter.age}", "blocked")]
        for waiter in waiters(state, channel.name or channel.object, {"open"}, view)
    ]


def _contents(state: LabState, view: View, channel: Channel, width: int, height: int) -> list[Line]:
    if channel.closed:
        return [[(channel.object, "title"), (f"  {word(view.language, 'gone')}", "ended")]]
    head: list[Line] = [[(_say(view.language, "The file (ls -l), which has no contents of its own:"), "dim")]]
    row = channel.facts.get("row")
    if row is not None:
        head.append([(str(row), "message")])
    else:
        head += [
            *file_lines(None, width, 1, channel.name or channel.object, view.language),
            *_file(channel, view, width, 2),
        ]
    ends = _waiting(state, channel, view)
    rule: Line = [(_say(view.language, "The buffer, in the kernel while somebody has it open:"), "dim")]
    if channel.capacity is None:
        opened = [_openers(channel, view, width)] if channel.readers or channel.writers else []
        return [*head, *ends, [], rule, *_buffer(state, view, channel, width, 1), *opened]
    full = bool(waiters(state, channel.object, {"write"}, view))
    room = max(6, height - len(head) - len(ends) - 2)
    return [*head, *ends, [], rule, *contents_lines(channel, view, full, width, room)]


def _other_capacity(state: LabState, view: View) -> str:
    now = next((held.now.capacity for held in state.channels.values() if held.now.capacity), None)
    return f"capacity {_SMALL if now == _LARGE else _LARGE}"


def _early(state: LabState, view: View) -> str:
    parameters = state.header.parameters if state.header is not None else {}
    if state.header is None or state.header.variant != "turns":
        return ""
    return f"set early {'no' if parameters.get('early') == 'yes' else 'yes'}"


def _start_late(state: LabState, view: View) -> str:
    """The first process that has not been started yet."""
    waiting = [role for role, process in state.processes.items() if not process.pid and process.exited is None]
    return f"release {waiting[0]}" if waiting else ""


PANE = Stage(boxes, caption).pane(
    Path(__file__).parent,
    "the file as ls -l lists it, and what is in the FIFO, byte by byte",
    Offer("6", "start", "start the process that is still to come", command=_start_late),
    Offer("7", "unlink", "take the name away; those who have it open go on", command=lambda state, view: "unlink"),
    Offer("8", "too early", "turns: the caller reads before its turn, or in it; restarts", command=_early),
    Offer("9", "capacity", "capacity 4,096 or 65,536 bytes (F_SETPIPE_SZ)", command=_other_capacity),
)
