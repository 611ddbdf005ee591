"""The pane of remote procedure calls: a call's way and its bytes, what ran and what the client believes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.rpc.caption import caption
from ipctui.mechanisms.rpc.memory import BELIEFS, COSTS, counted
from ipctui.mechanisms.rpc.way import (
    belief,
    field_lines,
    hex_table,
    message_fields,
    step_lines,
    way_lines,
)
from ipctui.mechanisms.rpc.words import word
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.view import Offer, View

_BAR = 30
_STAYS = 6_000_000_000
"""Nanoseconds for which a call that met with loss is drawn."""
_SEMANTICS_WIDTH = 14
_NARROW = 24
"""Cells of a line in the narrowest card of three side by side."""


def sockets(state: LabState, role: str = "") -> list[Channel]:
    """The open sockets, of one process or of all."""
    return [
        held.now
        for held in state.channels.values()
        if held.now.type == "socket" and not held.now.closed and role in ("", held.now.facts.get("process"))
    ]


def server_at(state: LabState) -> str:
    """Where the server is: `127.0.0.1:30500`; "" while it is nowhere."""
    transport = _parameter(state, "transport", "udp")
    found = [one.facts for one in sockets(state, "server") if one.facts["protocol"] == transport]
    bound = [facts["local"] for facts in found if facts["state"] in ("CLOSE", "LISTEN")]
    return str(bound[0]) if bound else ""


def latest(state: LabState, program: str = "") -> Mapping[str, Any] | None:
    """The call that was begun last, of all or of one program."""
    calls = state.facts.get("calls", {})
    if program:
        found: Mapping[str, Any] | None = calls.get(state.facts.get("last", {}).get(program, ""))
        return found
    made = [call for call in calls.values() if call.get("process") != "fixed"] or list(calls.values())
    return max(made, key=lambda call: call["began"], default=None)


def _shown(state: LabState) -> Mapping[str, Any] | None:
    """The call whose way is drawn: one that met with loss stays for a while, else the latest."""
    met = max(state.facts.get("met", {}).values(), key=lambda call: call["t"], default=None)
    if met is not None and state.t - met["t"] < _STAYS:
        found: Mapping[str, Any] = met
        return found
    return latest(state)


def _parameter(state: LabState, name: str, default: Any) -> Any:
    return state.header.parameters.get(name, default) if state.header is not None else default


def _variant(state: LabState) -> str:
    return state.header.variant if state.header is not None else ""


def _linked(state: LabState) -> bool:
    return "link" in state.processes


def _dead(state: LabState) -> bool:
    server = state.processes.get("server")
    return server is not None and server.exited is not None


def _orders(state: LabState) -> Mapping[str, Any]:
    held = state.channels.get("orders")
    return held.now.facts if held is not None else {}


def _title(state: LabState, view: View) -> list[Span]:
    transport = str(_parameter(state, "transport", "udp")).upper()
    where = server_at(state) or "–"
    title: list[Span] = [(f"ONC RPC v2 / {transport} {where}", "title")]
    title.append((f" {word(view.language, 'loopback only')}", "dim"))
    orders = _orders(state)
    if orders.get("cut"):
        title.append((f" · {word(view.language, 'link cut')}", "error"))
    title += [(f" · {name} {share:g}%", "warning") for name, share in orders.get("shares", {}).items()]
    return title


def _totals(state: LabState, language: str, width: int) -> Line:
    """What was counted; the narrow line leaves out what the others tell."""
    facts = state.facts
    lost = counted(facts, "call dropped", "reply dropped", "call cut off", "reply cut off")
    twice = counted(facts, "call duplicated", "reply duplicated")
    figures = [("calls", f"{counted(facts, 'deposit'):,}"), ("packets", f"{counted(facts, 'packets'):,}")]
    if width >= 100:
        figures.append(("again", f"{counted(facts, 'sent again'):,}"))
    if _linked(state):
        figures.append(("lost/twice", f"{lost:,}/{twice:,}"))
    figures.append(("ran", f"{counted(facts, 'executed'):,}"))
    if "effects" in facts:
        # Of the same source as what ran: the ledger itself, on the server's card, is looked at more often.
        figures.append(("committed", f"{counted(facts, 'committed'):,}"))
    line: list[Span] = []
    for name, figure in figures:
        line += [(f" {word(language, name)} ", "dim"), (figure, "number")]
    line.append((" │", "frame"))
    for name in BELIEFS:
        number = counted(facts, f"believes {name}")
        if number or name == "done" or width >= 100:
            line += [(f" {word(language, name)} ", "dim"), (f"{number:,}", "number")]
    return line


def _table(state: LabState, language: str) -> list[Line]:
    """The four semantics, a line each: the latest call that met with loss, else the latest, and effects in all."""
    lines: list[Line] = []
    effects = state.facts.get("effects", {})
    for place, name in enumerate(("maybe", "at-least-once", "at-most-once", "exactly-once")):
        program = str(0x20000099 + place)
        # What went wrong last stays in sight, however many calls have gone well since.
        call = state.facts.get("met", {}).get(program) or latest(state, program)
        line: list[Span] = [(f" {padded(name, _SEMANTICS_WIDTH)}", "title")]
        if call is None:
            lines.append([*line, (word(language, "no call yet"), "dim")])
            continue
        ran = f"{word(language, 'ran')} {call['ran']}×"
        line += [
            (f"{word(language, 'sent')} {call['sent']} ", "text"),
            (f"{word(language, 'lost')} {call['dropped']} ", "error" if call["dropped"] else "dim"),
            ("│ ", "frame"),
            (padded(ran, 8), "number" if call["ran"] == 1 else "warning"),
            (f"{word(language, 'committed')} {call['committed']} ", "number"),
            ("│ ", "frame"),
            belief(call, language),
            (f"  {word(language, 'all')} {effects.get(program, 0)}", "dim"),
        ]
        lines.append(line)
    return lines


def _costs(state: LabState, language: str) -> list[Line]:
    """The three ways to call, each by the median of its latest times."""
    times = {name: median(state.facts.get("costs", {}).get(name) or [0]) for name in COSTS}
    least = times[COSTS[0]] or 1
    most = max(times.values()) or 1
    lines: list[Line] = []
    for name in COSTS:
        time = times[name]
        full = max(1, round(time / most * _BAR)) if time else 0
        lines.append(
            [
                (f" {padded(word(language, name), 18)}", "text"),
                (f"{time / 1000:>9,.1f} µs ", "number"),
                (f"{time / least:>7,.0f}× ", "number"),
                ("█" * full, "fill"),
                ("░" * (_BAR - full), "fill.empty"),
            ]
        )
    return lines


def _matchmaker(state: LabState, language: str) -> Line:
    heard = state.facts.get("heard", {})
    at = [one.facts["local"] for one in sockets(state, "matchmaker") if one.facts["protocol"] == "udp"]
    line: list[Span] = [
        (f" {word(language, 'matchmaker')} {_port(at[0]) if at else '–'} ", "title"),
        (f"{word(language, 'registered')} {heard.get('registered', {}).get('number', '–')} ", "text"),
        (f"GETPORT ▸ {heard.get('looked up', {}).get('number', '–')} ", "number"),
    ]
    fixed = [call for call in state.facts.get("calls", {}).values() if call.get("process") == "fixed"]
    if fixed:
        line += [("│ fixed ", "title"), belief(fixed[-1], language)]
    return line


def _boxes(state: LabState, view: View) -> Sequence[Box]:
    if not state.processes:
        return ()
    language, variant = view.language, _variant(state)

    def lines(width: int, height: int) -> Sequence[Line]:
        call = _shown(state)
        way = way_lines(call, language, _linked(state), _dead(state))
        bytes_of = field_lines(message_fields(call), width, 2) if call is not None else []
        if variant == "side-by-side":
            found = [*_table(state, language), *way, _totals(state, language, width), *bytes_of]
        elif variant == "local":
            found = [*_costs(state, language), _totals(state, language, width), *bytes_of]
        elif variant == "matchmaker":
            found = [_matchmaker(state, language), *way, _totals(state, language, width), *bytes_of]
        else:
            found = [*way, _totals(state, language, width), *bytes_of]
        if call is not None and height > len(found) + 3 and variant != "local":
            found += [[], *step_lines(call, language)[-(height - len(found) - 1) :]]
        return found

    def contents(width: int, height: int) -> Sequence[Line]:
        return _contents(state, language, width)

    return (Box(_title(state, view), lines, contents, 5 if variant != "side-by-side" else 4),)


def _contents(state: LabState, language: str, width: int) -> list[Line]:
    """The latest call in full, every socket, and the ledger."""
    lines: list[Line] = []
    call = _shown(state)
    if call is not None:
        for reply, name in ((False, "call"), (True, "reply")):
            raw = bytes.fromhex(call.get("reply" if reply else "bytes", ""))
            if raw:
                size = call.get("reply_size" if reply else "size", len(raw))
                lines.append([(f" {word(language, name)} {size} B", "title")])
                lines += [*hex_table(message_fields(call, reply), raw, width), []]
        lines += [*step_lines(call, language), []]
    for one in sockets(state):
        facts = one.facts
        thrown = facts["drops"] if facts["protocol"] == "udp" else 0  # TCP sends again what found no room
        drops = f"  {thrown} {word(language, 'lost')}" if thrown else ""
        lines.append(
            [
                (f" {facts['process']:<11}", "title"),
                (f"{facts['fd']:>3} {facts['protocol']} ", "text"),
                (f"{facts['local']} ▸ {facts['peer']} {facts['state']} ", "text"),
                (f"{grouped(one.used or 0)} / {grouped(one.capacity or 0)} B", "number"),
                (drops, "error"),
            ]
        )
        if one.head:
            lines += hex_lines(bytes.fromhex(one.head)[:48], width)
    for held in state.channels.values():
        if held.now.type == "file" and not held.now.closed:
            facts = held.now.facts
            lines += [
                [],
                [
                    (f" {word(language, 'ledger')} {held.now.object} ", "title"),
                    (
                        f"{grouped(held.now.used or 0)} B, {facts.get('entries', 0)} {word(language, 'entries')}",
                        "number",
                    ),
                ],
            ]
    return lines


def _ends(state: LabState, role: str) -> str:
    """`3 :40000 ▸ link:50000`, `4 udp, 5 tcp :30500 +2`: as the narrowest card has room, others counted."""
    every = [one.facts for one in sockets(state)]
    owners = {facts["local"]: facts["process"] for facts in every if facts["peer"] == "*"}
    bound: dict[str, list[str]] = {}
    parts = []
    for facts in every:
        if facts["process"] != role:
            continue
        if facts["peer"] == "*":
            bound.setdefault(_port(facts["local"]), []).append(f"{facts['fd']} {facts['protocol']}")
        else:
            whom = owners.get(facts["peer"], "")
            parts.append((1, f"{facts['fd']} {_port(facts['local'])} ▸ {whom}{_port(facts['peer'])}"))
    parts = [*((len(each), f"{', '.join(each)} {port}") for port, each in bound.items()), *parts]
    total, text = sum(count for count, _ in parts), ""
    told = 0
    for count, part in parts:
        longer = f"{text}, {part}" if text else part
        left = total - told - count
        if text and cell_len(longer + (f" +{left}" if left else "")) > _NARROW:
            break
        text, told = longer, told + count
    return text + (f" +{total - told}" if told < total else "")


def _notes(state: LabState, process: ProcessState, language: str) -> Sequence[Line]:
    """Where it listens or whom it calls; of the server, how much it remembers of its bound."""
    ends = _ends(state, process.role)
    notes: list[Line] = [[(ends, "text")]] if ends else []
    if process.role == "server":
        bound, heard = _parameter(state, "bound", 0), state.facts.get("heard", {})
        notes += [
            [(f"{word(language, name)} {heard[name]['number']} / {bound}", "text")]
            for name in ("history", "clients")
            if name in heard
        ]
        notes += [
            [(f"{word(language, 'ledger')} {held.now.facts.get('entries', 0)} {word(language, 'entries')}", "text")]
            for held in state.channels.values()
            if held.now.type == "file" and not held.now.closed
        ]
    return notes


def _port(endpoint: str) -> str:
    return ":" + endpoint.rpartition(":")[2]


def _drop(state: LabState, view: View) -> str:
    return "drop reply 4" if _variant(state) == "side-by-side" else "drop reply" if _linked(state) else ""


def _when_linked(command: str) -> Any:
    return lambda state, view: command if _linked(state) else ""


def _cut(state: LabState, view: View) -> str:
    if not _linked(state):
        return ""
    return "mend" if _orders(state).get("cut") else "cut"


def _move(state: LabState, view: View) -> str:
    return "move" if _variant(state) in ("fixed-port", "matchmaker") else ""


def _crash(state: LabState, view: View) -> str:
    if _dead(state):
        return "restart server"
    return "crash unanswered" if "server" in state.processes else ""


STAGE = Stage(_boxes, caption, "wide", _notes)
PANE = STAGE.pane(
    Path(__file__).parent,
    "the latest call's bytes field by field, its steps, every socket, the ledger",
    Offer("6", "drop reply", "the link drops the next reply; side by side, the first of each", command=_drop),
    Offer("7", "duplicate", "the link doubles the next call", command=_when_linked("duplicate call")),
    Offer("8", "crash", "kill the server between doing and answering; again: restart it", command=_crash),
    Offer("9", "move", "the server moves to another port, or back", command=_move),
    Offer("l", "cut", "cut the link, or mend it", command=_cut),
)
