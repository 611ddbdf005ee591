"""How sockets are drawn: two queues and the window between them, datagrams one by one, a line a connection."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.mechanisms.socket.ends import (
    Connection,
    Facts,
    connections,
    door,
    how_many,
    is_full,
    is_unaccepted,
    least,
    lost,
    parameter,
    receivers,
    short,
    sleeps,
    sockets,
    variant,
)
from ipctui.mechanisms.socket.words import word
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.gauge import bar

_WIDE = 72
"""Cells that a connection in full takes at most."""
_LEAST_CELL = 38
"""Cells that a connection or a member takes at least, where several stand in a line."""


def title(state: LabState, language: str, room: int) -> Line:
    """Where the server is, or the group, and as much of what that means as there is room for."""
    found = door(state) or next((one.facts for one in receivers(state)), None)
    if found is None:
        return [(word(language, "nobody"), "ended")]
    where = short(found["local"]) if parameter_is_unix(state) else found["local"]
    spans: list[Span] = [(where, "title")]
    more: list[Span] = []
    if variant(state) == "multicast":
        sender = next(iter(sockets(state, "datagrams")), None)
        if sender is not None:
            spans = [(f"{sender['local']} ─▸ {where}", "title")]
        more = [(_members(state, language), "number"), ("TTL 0", "dim")]
    elif variant(state) != "udp":
        backlog = backlog_spans(state, language)
        more = [(" ".join(text.strip() for text, _ in backlog), backlog[-1][1])]
    if not parameter_is_unix(state):
        more.append((_meaning(found, language), "dim"))
    for text, role in more:
        if sum(cell_len(part) for part, _ in spans) + cell_len(text) + 3 <= room:
            spans += [(" · ", "dim"), (text, role)]
    return spans


def _members(state: LabState, language: str) -> str:
    """How many of our sockets are in the group, each asked; and how many others, by the kernel's own table."""
    group = state.channels.get("group")
    every = int(group.now.facts.get("members", 0)) if group is not None and not group.now.closed else 0
    asked = [one.get("member") for one in sockets(state, "group")]
    ours = asked.count(True) if None not in asked else every
    others = f" +{every - ours} {word(language, 'others')}" if every > ours else ""
    return f"{word(language, 'members')} {ours}{others}"


def _meaning(found: Facts, language: str) -> str:
    """What an address of loopback and its port mean."""
    port, first = int(found["local"].rpartition(":")[2] or 0), int(found.get("unprivileged") or 0)
    kind = f"{word(language, 'well-known port')} < {grouped(first)}" if port < first else ""
    return " · ".join(filter(None, (word(language, "loopback: this machine only"), kind)))


def parameter_is_unix(state: LabState) -> bool:
    """Whether the addresses are paths."""
    return variant(state).startswith("unix")


def place_line(state: LabState, language: str, width: int) -> Line:
    """Where the server is: what its address and its port mean."""
    found = door(state) or next((one.facts for one in receivers(state)), None)
    if found is None:
        return [(f" {word(language, 'nobody')}", "ended")]
    if parameter_is_unix(state):
        text = found["local"]
        return [(f" {text if cell_len(text) < width else short(text)}", "dim")]
    return [(f" {_meaning(found, language)}", "dim")]


def refused_lines(state: LabState) -> list[Line]:
    """The sockets that could not be looked at, and why."""
    return [
        [(f"? {one['process']} {one['fd']}: {one['refused']}", "unknown")] for one in sockets(state, kind="refused")
    ]


# Two cards, and the connection between them.


def stream_lines(state: LabState, language: str, width: int, height: int) -> list[Line]:
    """The connection from its sender's queue to its receiver's, the most important first."""
    known = connections(state)
    if not known and (refused := refused_lines(state)):
        return refused[:height]
    if not known:
        nothing: list[Line] = [[(f"– {word(language, 'no connection')}", "dim")], backlog_spans(state, language)]
        return nothing[:height]
    one = known[0]
    lines = [*_way(state, one, language, width), *_back(one, language, width)]
    more = [backlog_spans(state, language), *sizes_lines(state, one, language, width)]
    if height < 6 and not parameter_is_unix(state):
        lines = [line for index, line in enumerate(lines) if index not in (1, 4)]
    return [*lines, *more, place_line(state, language, width)][:height]


def _way(state: LabState, one: Connection, language: str, width: int) -> list[Line]:
    """Send queue, window, receive queue; of unix(7) there is one queue, at the receiver."""
    first, second = one.first, one.second
    full = sleeps(state, first["process"], "send")
    if parameter_is_unix(state):
        waiting = second["waiting"] if second is not None else None
        taken, room = first["unsent"], first["send_room"]
        return [
            _figure(word(language, "receive queue"), waiting, full, language, width),
            bar(taken, room, width),
            [(f"{word(language, 'memory')} ", "dim"), (f"{grouped(taken)} / {grouped(room)} B", "number")],
        ]
    lines = [
        _figure(word(language, "send queue"), first["unsent"], full, language, width),
        bar(first["unsent"], max(first["send_room"], 1), width),
        window_spans(first, language),
    ]
    if second is not None:
        closed = first["window"] == 0
        lines += [
            _figure(word(language, "receive queue"), second["waiting"], closed, language, width),
            bar(second["taken"], max(second["room"], 1), width),
            [
                (f"{word(language, 'memory')} ", "dim"),
                (f"{grouped(second['taken'])} / {grouped(second['room'])} B", "number"),
            ],
        ]
    elif is_unaccepted(state, one):
        lines.append([(word(language, "not accepted yet"), "warning")])
    else:
        lines.append([(str(first.get("holder") or word(language, "nobody")), "foreign"), (f" {first['peer']}", "text")])
    return lines


def _figure(label: str, number: int | None, full: bool, language: str, width: int) -> Line:
    spans: list[Span] = [(f"{label} ", "text"), ("? B" if number is None else f"{grouped(number)} B", "number")]
    if full and sum(cell_len(text) for text, _ in spans) + 1 + cell_len(word(language, "FULL")) <= width:
        spans.append((f" {word(language, 'FULL')}", "blocked"))
    return spans


def window_spans(one: Facts, language: str) -> Line:
    """How much the peer still takes, by its latest word; after a half-close, that nothing more is sent."""
    label = f"{word(language, 'window')} "
    window = one["window"]
    if one["state"].startswith("FIN_WAIT"):
        return [(f"FIN × {word(language, 'half closed')}", "warning")]
    if window is None:
        return [(f"{label}?", "unknown")]
    if window == 0:
        return [(f"{label}0 B × {word(language, 'CLOSED')}", "blocked")]
    if one["unsent"] and one["segment"] and window < one["segment"]:
        return [(f"{label}{grouped(window)} B < {grouped(one['segment'])}", "warning")]
    return [(label, "text"), (f"{grouped(window)} B ▸", "number")]


def _back(one: Connection, language: str, width: int) -> list[Line]:
    """The other direction, while anything is on its way there, or one half is closed."""
    ended = one.first["state"].startswith("FIN_WAIT")
    if one.second is None or not (one.second["unsent"] or one.first["waiting"] or ended):
        return []
    return [
        [
            (f"◂ {word(language, 'back')} ", "text"),
            (f"{grouped(one.first['waiting'])} ◂ {grouped(one.second['unsent'])} B", "number"),
        ]
    ]


def backlog_spans(state: LabState, language: str) -> list[Span]:
    """The queue before accept(2)."""
    listen = door(state)
    if listen is None:
        return [(f"{word(language, 'listens')}: {word(language, 'nobody')}", "error")]
    most, queued = (listen["backlog"] or 0) + 1, listen["queued"]
    full = queued is not None and queued >= most
    spans: list[Span] = [(f"{word(language, 'accept queue')} ", "text")]
    spans.append((f"{'?' if queued is None else queued}/{most}", "blocked" if full else "number"))
    return [*spans, (f" {word(language, 'FULL')}", "blocked")] if full else spans


def sizes_lines(state: LabState, one: Connection, language: str, width: int) -> list[Line]:
    """Sizes of the latest sends and receives: three sends may come as one, for a stream has no edges."""
    sends = state.facts.get("sends", {}).get(one.first["process"], [])
    far = one.second["process"] if one.second is not None else ""
    receives = state.facts.get("receives", {}).get(far, [])
    return [_sizes("sent", sends, language, width), _sizes("came", receives, language, width)]


def _sizes(label: str, sizes: Sequence[int], language: str, width: int) -> Line:
    text = f"{word(language, label)} "
    shown = [grouped(size) for size in sizes]
    while shown and cell_len(text) + sum(len(each) + 1 for each in shown) > width:
        shown.pop(0)
    return [(text, "dim"), (" ".join(shown) or "–", "number")]


# Datagrams.


def datagram_lines(state: LabState, language: str, width: int, height: int) -> list[Line]:
    """The receiver's queue with each datagram in it, and what was thrown away."""
    found = receivers(state)
    if not found:
        return [[(f"– {word(language, 'nobody')}", "ended")], place_line(state, language, width)]
    channel = found[0]
    facts = channel.facts
    full = is_full(channel)
    drops = lost(state)
    lines: list[Line] = [
        [
            (f"{word(language, 'receive queue')} ", "text"),
            (how_many(channel), "number"),
            (f" {word(language, 'FULL')}" if full else "", "blocked"),
        ],
        _boxes_of(least(channel), full, width),
        [
            (f"{word(language, 'memory')} ", "dim"),
            (f"{grouped(facts['taken'])} / {grouped(facts['room'])} B", "number"),
        ],
        [(f"{word(language, 'lost')} ", "error" if drops else "dim"), (grouped(drops), "error" if drops else "number")],
    ]
    lines += [_sizes("sent", state.facts.get("sends", {}).get(_sender(state), []), language, width)]
    lines += [_sizes("came", state.facts.get("receives", {}).get(facts["process"], []), language, width)]
    how = "connected" if parameter(state, "connected", "off") == "on" else "unconnected"
    lines += [[(f"{word(language, how)}", "dim")], place_line(state, language, width)]
    return lines[:height]


def _sender(state: LabState) -> str:
    return next((role for role in state.processes if role.startswith("sender")), "")


def _boxes_of(count: int, full: bool, width: int) -> Line:
    """Each datagram a box with edges."""
    shown = min(count, max(1, (width - 4) // 2))
    text = "▮ " * shown
    return [(text.rstrip() or "–", "fill" if count else "dim"), (f" +{count - shown}" if count > shown else "", "dim")]


def group_lines(state: LabState, language: str, width: int, height: int) -> list[Line]:
    """A line a member: its own queue, its own losses; in two columns where lines are few."""
    found = receivers(state)
    if not found:
        return [[(f" – {word(language, 'nobody')}", "ended")]]
    wide = len(found) <= height
    if not wide:  # the first have their place for certain
        found = sorted(found, key=lambda channel: not is_full(channel))
    return _columns([_member(state, channel, language, wide) for channel in found], width, height)


def _member(state: LabState, channel: Channel, language: str, wide: bool) -> Line:
    facts, count = channel.facts, least(channel)
    drops = lost(state, facts["process"])
    left = facts.get("member") is False
    memory = f"{grouped(facts['taken'])} / {grouped(facts['room'])} B " if wide else ""
    return [
        (f" {padded(facts['process'], 10)} ", "title"),
        ("–" if not count else "▮" * min(count, 9), "fill" if count else "dim"),
        (f" {how_many(channel)} ", "number"),
        (memory, "text"),
        (f"{word(language, 'FULL')} " if is_full(channel) and (wide or not drops) else "", "blocked"),
        (f"{word(language, 'lost')} {grouped(drops)}" if drops else "", "error"),
        (f"{' ' * bool(drops)}{word(language, 'no member')}" if left else "", "warning"),
    ]


def _columns(cells: list[Line], width: int, height: int) -> list[Line]:
    """Cells one under another, in as many columns as are needed and fit; how many are left out is said."""
    columns = max(1, min(-(-len(cells) // max(1, height)), width // _LEAST_CELL))
    shown, space = columns * max(1, height), width // columns
    if shown < len(cells):
        cells = [*cells[: shown - 1], [(f" +{len(cells) - shown + 1} ▸ 2", "warning")]]
    lines: list[list[Span]] = [[] for _ in range(-(-len(cells) // columns))]
    for place, cell in enumerate(cells):
        line = lines[place // columns]
        line += cell
        if columns > 1:
            line.append((" " * max(1, space - sum(cell_len(text) for text, _ in cell)), "text"))
    return [*lines]


# Several connections, a line each.


def connection_lines(state: LabState, language: str, width: int, height: int) -> list[Line]:
    """A line a connection: queue, window, queue, both ways; in two columns where lines are few."""
    known = connections(state)
    if not known:
        return refused_lines(state) or [[(f" – {word(language, 'no connection')}", "dim")]]
    wide = len(known) <= height and width >= _WIDE
    if not wide:
        known = sorted(known, key=lambda one: not sleeps(state, one.first["process"], "send", "connect"))
    return _columns([_connection(state, one, language, wide) for one in known], width, height)


def _connection(state: LabState, one: Connection, language: str, wide: bool) -> Line:
    """`client1 :38266 ESTABLISHED 0 B ▸ 1,984 ▸ 0 B server 4  ◂ 0 ◂ 0`; `client1 :38266 0 ▸ 0 B` where it is narrow."""
    first, second = one.first, one.second
    port = "" if parameter_is_unix(state) else " :" + first["local"].rpartition(":")[2]
    full = "blocked" if sleeps(state, first["process"], "send") else "number"
    window = first["window"]
    line: list[Span] = [(f" {padded(first['process'] + port, 15)} ", "title")]
    if first["state"] == "SYN_SENT":
        return [*line, ("SYN_SENT ", "text"), (word(language, "not answered"), "blocked")]
    if wide or first["state"] != "ESTABLISHED":
        line.append((f"{padded(first['state'], 11)} " if wide else f"{first['state']} ", "text"))
    line.append((f"{grouped(first['unsent']):>6} B " if wide else f"{grouped(first['unsent'])} ", full))
    if wide and window is not None:
        line.append((f"▸ {grouped(window):>5} ", "dim"))
    line.append(("× " if window == 0 else "▸ ", "blocked" if window == 0 else "dim"))
    if second is None:
        if is_unaccepted(state, one):
            return [*line, (word(language, "not accepted yet" if wide else "in backlog"), "warning")]
        holder = str(first.get("holder") or word(language, "nobody"))
        return [*line, (holder, "foreign"), (f" {first['peer'] or ''}" if wide else "", "text")]
    line.append((f"{grouped(second['waiting']):>6} B " if wide else f"{grouped(second['waiting'])} B", "number"))
    if wide:
        line.append((f"{second['process']} {second['fd']}", "title"))
    if second["unsent"] + first["waiting"]:
        line.append((f"  ◂ {grouped(first['waiting'])} ◂ {grouped(second['unsent'])} B", "warning"))
    return line
