"""The pane of direct communication: the processes, exactly one link for each pair that talks, and who names whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.direct.caption import called, caption, doors, ends, refused
from ipctui.mechanisms.direct.looker import NAMED_BY
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.links import LinkBetween, Peer, link_count, link_lines
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.view import Offer, View
from ipctui.widgets.words import STATE_GLYPHS, STATE_ROLES, word

_FRESH = 3_000_000_000
"""Nanoseconds for which a link counts as new."""
_OTHER_NAME = "s"
_MOST_PARTNERS = 2
"""Partners that a card has room for at 80 columns; of more the first one is named, and the others are counted."""
_WORDS = {
    "names": "부름:",
    "links": "링크:",
    "names nobody": "아무도 안 부름",
    "called": "이름:",
    "nobody bears": "아무도 없는 이름:",
    "named by": "부르는 쪽:",
    "says": "자칭",
    "door": "문",
    "waits at the door": "문 앞에서 기다림",
    "its peer by SO_PEERCRED": "SO_PEERCRED가 말하는 상대",
    "to receive": "받을 것",
    "taken by what it sent": "보낸 것이 차지함",
    "no message": "메시지 없음",
    "more: 2": "더 있음: 2",
}


def _word(language: str, text: str) -> str:
    return _WORDS.get(text, text) if language == "ko" else text


def _links(state: LabState) -> list[Channel]:
    return [held.now for held in state.channels.values() if held.now.facts.get("link") and not held.now.closed]


def _peers(state: LabState) -> list[Peer]:
    """The processes with the names in their programs: `p → q r`, and `×` behind a name that nobody bears."""
    peers = []
    vain = refused(state)
    for process in state.processes.values():
        name = called(state, process.role)
        shown = process.role if name == process.role else f"{process.role} = {name}"
        named = NAMED_BY.get(process.program or "", ())
        if named:
            shown += " → " + " ".join(f"{one}×" if vain.get(process.role) == one else one for one in named)
        now = "exited" if process.exited is not None else process.state.state if process.state else "unknown"
        peers.append(Peer(shown, STATE_GLYPHS.get(now, "?"), STATE_ROLES.get(now, "unknown")))
    return peers


def _between(state: LabState, view: View) -> list[LinkBetween]:
    """The links between processes of the session, in the order in which they were made."""
    shown = dict(zip(state.processes, (peer.name for peer in _peers(state)), strict=True))
    made = state.facts.get("links", {})
    found = []
    for channel in sorted(_links(state), key=lambda one: made.get(one.name, {}).get("t", one.t)):
        ends = channel.facts["ends"]
        first, second = ends[0]["process"], ends[0]["peer"]
        if first not in shown or second not in shown:
            continue
        waiting = {end["process"]: end["messages"] or 0 for end in ends}
        age = (view.now - made.get(channel.name, {}).get("t", 0)) / _FRESH
        found.append(
            LinkBetween(
                shown[first],
                shown[second],
                to_second=waiting.get(second, 0),
                to_first=waiting.get(first, 0),
                age=max(0.0, age),
                label=_label(state, channel, view.language),
            )
        )
    return found


def _label(state: LabState, channel: Channel, language: str) -> str:
    """`p1+q ▸4711`: the link's name, and who made it by the kernel's word."""
    caller = _caller(channel)
    if caller is None:
        return f"{channel.name} {_word(language, 'waits at the door')}"
    claim = state.facts.get("claims", {}).get(caller["peer"])
    says = f" {_word(language, 'says')} {claim['as']}" if claim else ""
    return f"{channel.name} cred {caller['peer_pid']}={caller['peer']}{says}"


def _caller(channel: Channel) -> dict[str, Any] | None:
    """The end that was let in, whose SO_PEERCRED says who knocked; None while nobody has opened."""
    own = channel.object
    ends: list[dict[str, Any]] = channel.facts["ends"]
    accepted = [end for end in ends if end.get("accepted")]
    return accepted[0] if accepted and own else None


def _names_line(state: LabState, view: View) -> Line:
    """Who is named by whom, and names that nobody bears."""
    language = view.language
    line: list[tuple[str, str]] = []
    for name, door in doors(state).items():
        if door["named_by"]:
            who = " ".join(door["named_by"])
            line += [(f" {name}", "title"), (f" ◂ {_word(language, 'named by')} {who} ", "text")]
    vain = refused(state)
    for name in dict.fromkeys(vain.values()):
        who = " ".join(role for role, wanted in vain.items() if wanted == name)
        line += [(f" {_word(language, 'nobody bears')} {name}", "error"), (f" ◂ {who} ECONNREFUSED ", "error")]
    return line


def _strangers(state: LabState) -> list[Line]:
    """Links with processes that are no workers."""
    return [
        [(f" {end['peer']} ● ", "warning"), (f"{end['process']} {end['messages']}", "text")]
        for channel in _links(state)
        for end in channel.facts["ends"]
        if end["peer"].startswith("pid ")
    ]


def _chips(state: LabState, view: View, width: int, height: int) -> list[Line]:
    """Every link by its name and what waits in it, in columns: where they are more than lines to draw them in."""
    made, found = state.facts.get("links", {}), []
    for channel in sorted(_links(state), key=lambda one: made.get(one.name, {}).get("t", one.t)):
        fresh = view.now - made.get(channel.name, {}).get("t", 0) < _FRESH
        found.append((f"{channel.name}", f" ▮{channel.count}" if channel.count else "", "fresh" if fresh else "link"))
    if not found:
        return [[(f" – {word(view.language, 'no link')}", "dim")]]
    cell = max(cell_len(name) + max(cell_len(fill), 4) for name, fill, _ in found) + 2
    columns = max(1, width // cell)
    rows = max(1, height)
    lines: list[list[Span]] = [[] for _ in range(rows)]
    shown = columns * rows if columns * rows >= len(found) else columns * rows - 2
    for place, (name, fill, role) in enumerate(found[:shown]):
        gap = " " * (cell - 1 - cell_len(name) - cell_len(fill))
        lines[place // columns] += [(f" {name}", role), (fill, "fill"), (gap, "text")]
    if shown < len(found):
        lines[-1].append((f" +{len(found) - shown} {_word(view.language, 'more: 2')}", "warning"))
    return [line for line in lines if line]


def _boxes(state: LabState, view: View) -> Sequence[Box]:
    peers, links = _peers(state), _between(state, view)
    if not state.processes:
        return ()
    strangers = _strangers(state)

    def lines(width: int, height: int) -> Sequence[Line]:
        below = strangers[: max(0, height - 3)]
        if len(links) > height - len(below) - 1:
            vain: list[Line] = [_names_line(state, view)] if refused(state) else []
            chips = _chips(state, view, width, height - len(vain) - len(below[:1]))
            rest: list[Line] = [] if vain else [_names_line(state, view)]
            return [*vain, *below[:1], *chips, *rest][:height]
        if refused(state) or height > len(links) + len(below) + 1:
            below = [*below, _names_line(state, view)]
        return [*link_lines(peers, links, width, max(2, height - len(below)), view.language), *below]

    def contents(width: int, height: int) -> Sequence[Line]:
        return [
            *_door_lines(state, view),
            [],
            *(line for one in _links(state) for line in _link_lines(one, view, width)),
        ]

    return (Box(link_count(peers, links, view.language), lines, contents, max(4, min(len(links), 6) + 2)),)


def _door_lines(state: LabState, view: View) -> list[Line]:
    return [
        [
            (f"{channel.object} ", "title"),
            (f"{_word(view.language, 'door')} {channel.facts['process']} {channel.facts['pid']} ", "text"),
            (f"{channel.facts['fd']} {channel.facts['object']} ", "number"),
            (f"◂ {' '.join(channel.facts['named_by']) or '–'}", "dim"),
        ]
        for held in state.channels.values()
        if (channel := held.now).facts.get("door") and not channel.closed
    ]


def _link_lines(channel: Channel, view: View, width: int) -> list[Line]:
    """A link in full: its name in the system, both its ends, what waits, and the first bytes."""
    language = view.language
    lines: list[Line] = [[(channel.object, "title")]]
    for end in channel.facts["ends"]:
        lines.append(
            [
                (f"  {end['process']} {end['pid']} ", "text"),
                (f"{end['fd']} {end['object']} ", "number"),
                (f"{_word(language, 'its peer by SO_PEERCRED')} {end['peer_pid']}={end['peer']} ", "text"),
            ]
        )
        lines.append(
            [
                (f"    {_word(language, 'to receive')} ", "dim"),
                (f"{'?' if end['messages'] is None else end['messages']} ({grouped(end['waiting'])} B) ", "number"),
                (f"· {_word(language, 'taken by what it sent')} ", "dim"),
                (f"{grouped(end['taken'])} / {grouped(end['room'])} B", "number"),
            ]
        )
    lines += [
        [(f"    {item.size:>6} B ", "number"), (f'"{item.text}"', "message" if item.id else "foreign")]
        for item in channel.items
    ]
    return [*lines, *hex_lines(bytes.fromhex(channel.head)[:64], width), []]


def _notes(state: LabState, process: ProcessState, language: str) -> Sequence[Line]:
    """The names that its program holds, each with the link to it (`q 4↔5`: our descriptor, theirs); its own if new."""
    if process.program not in NAMED_BY:
        return ()
    name, named = called(state, process.role), NAMED_BY[process.program]
    far = {(one["process"], one["peer"]): one["fd"] for one in ends(state)}
    mine = {one["peer"]: one["fd"] for one in ends(state) if one["process"] == process.role}
    partners = [
        f"{peer} {mine[peer]}↔{far.get((peer, process.role), '?')}" if peer in mine else peer
        for peer in dict.fromkeys((*named, *mine))
    ]
    if len(partners) > _MOST_PARTNERS:
        partners = [*partners[: _MOST_PARTNERS - 1], f"+{len(partners) - _MOST_PARTNERS + 1} (2)"]
    notes: list[Line] = [[(f"{_word(language, 'called')} {name}", "warning")]] if name != process.role else []
    if named:
        notes.append([(f"{_word(language, 'names')} {', '.join(partners)}", "dim")])
    else:
        notes.append([(_word(language, "names nobody"), "dim")])
        if partners:
            notes.append([(f"{_word(language, 'links')} {', '.join(partners)}", "dim")])
    return notes


def _rename(state: LabState, view: View) -> str:
    taken = doors(state)
    if _OTHER_NAME in taken:
        return f"rename {_OTHER_NAME} {taken[_OTHER_NAME]['process']}"
    return f"rename q {_OTHER_NAME}" if "q" in taken else ""


STAGE = Stage(_boxes, caption, "wide", _notes)
PANE = STAGE.pane(
    Path(__file__).parent,
    "every door and link with both its ends, and what waits in them",
    Offer("6", "rename", "rename q to s, or back: who names the old name fails", command=_rename),
    Offer("7", "flat out", "everybody as fast as it goes", command=lambda state, view: "rate all 0"),
    Offer("8", "one more", "another sender (asymmetric, rename)", command=lambda state, view: "add p"),
    Offer("9", "first call", "restart held, to step from the first call on", command=lambda s, view: "restart held"),
)
