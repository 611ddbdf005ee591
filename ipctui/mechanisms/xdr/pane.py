"""The pane of data representation: one value byte by byte on every machine, on the wire, and what each reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.mechanisms.xdr.caption import agreement, caption, value_sent
from ipctui.mechanisms.xdr.machines import (
    MACHINES,
    MEMBERS,
    THIS,
    Kind,
    Machine,
    from_xdr,
    laid_out,
    padding,
    read,
    size_of,
    to_xdr,
)
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.view import Offer, View

_NAME = 22
_WORDS = {
    "this machine": "이 컴퓨터",
    "computed": "계산한 것",
    "reads": "읽은 값",
    "reads the wire as": "전송된 바이트를 읽은 값",
    "wire": "전송",
    "nothing sent yet": "아직 보낸 것 없음",
    "as it lies in memory": "메모리에 있는 그대로",
    "of them padding": "그중 채움",
    "bytes": "바이트",
}


def _word(language: str, text: str) -> str:
    return _WORDS.get(text, text) if language == "ko" else text


def _told(machine: Machine, language: str) -> str:
    return machine.told_ko if language == "ko" else machine.told


def _bytes(raw: bytes, most: int) -> str:
    shown = raw[:most].hex(" ")
    return shown + (" …" if len(raw) > most else "")


def _value(state: LabState, facts: Mapping[str, Any]) -> tuple[Kind, Any]:
    kind: Kind = facts["kind"]
    return kind, value_sent(state, facts)


def _wire(state: LabState, facts: Mapping[str, Any], language: str, width: int) -> Line:
    """What really went over: the bytes, from whom to whom, and what was read."""
    raw = bytes.fromhex(state.facts.get("arrived", ""))
    if not raw:
        return [(f" {_word(language, 'nothing sent yet')}", "dim")]
    sender, receiver = _machine(facts["sender"]), _machine(facts["receiver"])
    said = str(state.facts.get("read", ""))
    ends = f" {_told(sender, language)} ▸ {_told(receiver, language)} "
    reads = f"{_word(language, 'reads')} "
    room = width - cell_len(ends + reads + said) - 1
    wrong = said != from_xdr(*_right(state, facts))
    return [
        (f" {_bytes(raw, max(4, room // 3))}", "fresh"),
        (ends, "text"),
        (reads, "dim"),
        (said, "error" if wrong else "running"),
    ]


def _right(state: LabState, facts: Mapping[str, Any]) -> tuple[Kind, bytes]:
    kind, value = _value(state, facts)
    return kind, to_xdr(kind, value)


def _machine(name: str) -> Machine:
    return MACHINES[THIS if name == "this" else name]


def _rows(state: LabState, facts: Mapping[str, Any], language: str) -> list[tuple[str, bytes, str]]:
    """Each machine: its name, how it holds the value, and what it would read in the bytes on the wire."""
    kind, value = _value(state, facts)
    wire = bytes.fromhex(state.facts.get("arrived", ""))
    stored = bytes.fromhex(state.facts.get("stored", ""))
    rows = [(_word(language, "this machine"), stored, read(kind, wire, MACHINES[THIS]) if wire else "")]
    for machine in MACHINES.values():
        said = read(kind, wire, machine) if wire else ""
        rows.append((f"{_told(machine, language)} *", laid_out(kind, value, machine), said))
    return [*rows, ("XDR (RFC 4506)", to_xdr(kind, value), from_xdr(kind, wire) if wire else "")]


def _row(name: str, raw: bytes, said: str, width: int) -> Line:
    """A machine in a line: as many bytes as leave room for what it reads."""
    most = max(4, (width - _NAME - max(22, cell_len(said)) - 5) // 3)
    line: list[Span] = [
        (f" {padded(name, _NAME)}", "text" if name.endswith("*") else "title"),
        (padded(_bytes(raw, most), 3 * min(max(len(raw), 8), most) + 2), "message"),
    ]
    return [*line, ("▸ ", "dim"), (said, "error" if said.startswith("?") else "number")] if said else line


def _boxes(state: LabState, view: View) -> Sequence[Box]:
    facts = agreement(state)
    if not facts:
        return ()
    language = view.language
    kind, _ = _value(state, facts)
    how = "XDR" if facts["xdr"] else _word(language, "as it lies in memory")
    title = [(f"{kind} {state.facts.get('value', facts['value'])} ", "title"), (f"{_word(language, 'wire')}: ", "dim")]
    title += [
        (how, "running" if facts["xdr"] else "warning"),
        (f" · * {_word(language, 'computed')}, ▸ {_word(language, 'reads the wire as')}", "dim"),
    ]

    def lines(width: int, height: int) -> Sequence[Line]:
        rows = _rows(state, facts, language)
        if height < len(rows) + 1:
            # This machine, the one that is read as, and XDR: the others are a key away.
            wanted = (0, 1 + list(MACHINES).index(facts["receiver"]), len(rows) - 1)
            rows = [rows[place] for place in wanted]
        return [_wire(state, facts, language, width), *(_row(*row, width) for row in rows)]

    def contents(width: int, height: int) -> Sequence[Line]:
        found: list[Line] = [_wire(state, facts, language, width), []]
        for name, raw, said in _rows(state, facts, language):
            found.append([(f" {padded(name, _NAME)}", "title"), ("▸ ", "dim"), (said, "number")])
            found += [[(f"   {raw[at : at + 24].hex(' ')}", "message")] for at in range(0, len(raw), 24)]
        if kind == "struct":
            found += [[], [(" struct { " + "; ".join(MEMBERS) + "; }", "code")]]
            found += [_sizes(machine, language) for machine in MACHINES.values()]
        return found

    return (Box(title, lines, contents, 7),)


def _sizes(machine: Machine, language: str) -> Line:
    size, unused = size_of("struct", machine), padding(machine)
    return [
        (f" {padded(_told(machine, language), _NAME)}", "text"),
        (f"{size} {_word(language, 'bytes')}, {_word(language, 'of them padding')} {unused}, ", "number"),
        (f"long {machine.long}", "dim"),
    ]


def _switch(state: LabState, view: View) -> str:
    return "xdr off" if agreement(state).get("xdr") else "xdr on"


STAGE = Stage(_boxes, caption, "wide")
PANE = STAGE.pane(
    Path(__file__).parent,
    "the value on every machine, with all its bytes",
    Offer("6", "big-endian", "the receiver reads as a big-endian machine", command=lambda s, v: "set receiver big64"),
    Offer("7", "32-bit", "the receiver reads as a 32-bit machine", command=lambda s, v: "set receiver little32"),
    Offer("8", "same", "the receiver reads as this machine", command=lambda s, v: f"set receiver {THIS}"),
    Offer("9", "first call", "restart held, to step from the first call on", command=lambda s, v: "restart held"),
    Offer("l", "XDR", "send in XDR, or as the value lies in memory", command=_switch),
)
