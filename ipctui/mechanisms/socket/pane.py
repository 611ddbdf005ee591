"""The pane of sockets: a connection's two queues and its window; datagrams one by one; a group's members."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.socket.caption import caption
from ipctui.mechanisms.socket.contents import contents_lines
from ipctui.mechanisms.socket.drawing import (
    connection_lines,
    datagram_lines,
    group_lines,
    stream_lines,
    title,
)
from ipctui.mechanisms.socket.ends import parameter, short, sockets, variant
from ipctui.mechanisms.socket.words import word
from ipctui.widgets.canvas import Frame, Line
from ipctui.widgets.stage import Box, Stage, lessons, parts
from ipctui.widgets.view import Offer, Pane, View


def _beside(state: LabState) -> bool:
    """Whether the channel stands between two cards: where exactly two processes talk."""
    return len(state.processes) <= 2 and variant(state) not in ("echo", "multicast")


def _boxes(state: LabState, view: View) -> Sequence[Box]:
    if not state.processes:
        return ()
    language, which = view.language, variant(state)

    def lines(width: int, height: int) -> Sequence[Line]:
        if which == "multicast":
            return group_lines(state, language, width, height)
        if which == "udp":
            return datagram_lines(state, language, width, height)
        draw = stream_lines if width < 50 or (_beside(state) and view.lecture) else connection_lines
        return draw(state, language, width, height)

    def contents(width: int, height: int) -> Sequence[Line]:
        return contents_lines(state, language, width)

    room = 24 if _beside(state) else 76
    return (Box(title(state, language, room), lines, contents, 9 if _beside(state) else max(3, len(state.processes))),)


def _notes(state: LabState, process: ProcessState, language: str) -> Sequence[Line]:
    """Both addresses of its sockets, and their states; of many connections their number."""
    own = sockets(state, process=process.role)
    streams = [one for one in own if one["kind"] == "stream"]
    if len(streams) > 1:
        where = _short(streams[0]["local"])
        count = f"{len(streams)} {word(language, 'connections')}"
        return [[(where, "text")], [(f" {count}", "title")]]
    notes: list[Line] = []
    if not streams and any(row.name and not row.peers for row in process.descriptors):
        own = []  # the row of the descriptor tells the address
    for one in streams or own:
        local, peer = _short(one["local"]), _short(one["peer"])
        notes.append([(local or "–", "text"), (f" ▸ {_port(peer)}" if peer or one["kind"] == "stream" else "", "dim")])
        if one["kind"] in ("stream", "listen"):
            notes.append([(f" {one['state']}", "title")])
    return notes[:2]


def _short(address: str) -> str:
    return short(address) if address.startswith("/") else address


def _port(endpoint: str) -> str:
    """`:5000`, or what there is in its place."""
    return ":" + endpoint.rpartition(":")[2] if ":" in endpoint else endpoint or "–"


_SIDE = Stage(_boxes, caption, "side", _notes)
_WIDE = Stage(_boxes, caption, "wide", _notes, below=4)


def draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """Draw the pane; the channel between two cards, or under several."""
    return (_SIDE if _beside(state) else _WIDE).draw(state, view, width, height)


def _order(state: LabState, view: View) -> str:
    """What key 6 does: half-close; in a group, who came last leaves, or joins again."""
    which = variant(state)
    if which == "udp":
        return f"set connected {'off' if parameter(state, 'connected', 'off') == 'on' else 'on'}"
    if which != "multicast":
        return "half-close"
    return "join" if any(one.get("member") is False for one in sockets(state, "group")) else "leave"


def _reset(state: LabState, view: View) -> str:
    return "" if variant(state) in ("udp", "multicast") else "reset"


def _another(state: LabState, view: View) -> str:
    return {"udp": "add sender", "multicast": "add receiver"}.get(variant(state), "add client")


def _other_loop(state: LabState, view: View) -> Any:
    return "restart held"


PANE = Pane(
    draw,
    (
        *parts("every socket: both addresses, state, queues, true buffer sizes, the bytes that wait"),
        Offer(
            "6",
            "half-close",
            "close the sending half; udp: connect the socket or not; a group: leave or join",
            command=_order,
        ),
        Offer("7", "reset", "the server closes without lingering: ECONNRESET", command=_reset),
        Offer("8", "one more", "another client, sender or member of the group", command=_another),
        Offer("9", "first call", "restart held, to step from the first call on", command=_other_loop),
    ),
    lessons(Path(__file__).parent),
)
