"""A call's way drawn: to the procedure and back, step by step, and its bytes field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from ipctui.mechanisms.rpc.words import word
from ipctui.trace.text import readable
from ipctui.widgets.canvas import Line, Span
from ipctui.worker import onc_rpc
from ipctui.worker.xdr import Field, Shape

Call = Mapping[str, Any]
ARGUMENT: Shape = (("amount", "hyper"), ("memo", "string"))
RESULT: Shape = (("balance", "hyper"),)
_BELIEF_ROLES = {"done": "running", "failed": "error", "unknown": "warning"}
_THERE = ("call passed on", "unmarshalled", "executed", "duplicate suppressed")
_BACK = ("reply passed on", "reply dropped", "reply cut off", "returned")
_ALL_FIELDS = 3
"""Lines from which there is room for who says that it calls, too."""
_AUTHENTICATION = ("cred", "cred body", "verf", "verf body")
_FATES = ("dropped", "cut off", "duplicated", "delayed", "reordered")


def belief(call: Call, language: str) -> Span:
    """`believes done`: what the client has made of it; while it waits, that."""
    said = call.get("believes") or ""
    if not said:
        return (word(language, "waits"), "paced")
    return (f"{word(language, 'believes')} {word(language, said).upper()}", _BELIEF_ROLES.get(said, "text"))


def way_lines(call: Call | None, language: str, linked: bool, dead: bool = False) -> list[Line]:
    """Two lines: from the client's stub to the procedure, and back. What has not been reached is dim."""
    if call is None:
        return [[(f" {word(language, 'no call yet')}", "dim")], []]
    names = [step[2] for step in call["steps"]]
    latest = names[max((place for place, name in enumerate(names) if name.startswith("sent")), default=0) :]
    return [_there(call, latest, language, linked), _back(call, names, latest, language, linked, dead)]


def _there(call: Call, latest: Sequence[str], language: str, linked: bool) -> Line:
    arrived = any(name in latest for name in ("unmarshalled", "duplicate suppressed"))
    size = call.get("size")
    sent = f" ×{call['sent']}" if call["sent"] > 1 else ""
    line: list[Span] = [
        (f" {word(language, 'client')}", "title"),
        (" ─▸ ", "link" if size else "dim"),
        (f"{word(language, 'stub')} {word(language, 'marshal')} {size or '…'} B", "text" if size else "dim"),
        (f" ─▸{sent} ", "link" if call["sent"] else "dim"),
    ]
    if linked:
        fates = [name.removeprefix("call ") for name in latest if name.startswith("call ")]
        line += [_link(fates, language), (" ─▸ ", "link" if arrived else "dim")]
    ran = call["ran"]
    return [
        *line,
        (f"{word(language, 'stub')} {word(language, 'unmarshal')}", "text" if arrived else "dim"),
        (" ─▸ ", "link" if ran else "dim"),
        (f"deposit {word(language, 'ran')} {ran}×", "number" if ran == 1 else "warning" if ran else "dim"),
    ]


def _back(call: Call, names: Sequence[str], latest: Sequence[str], language: str, linked: bool, dead: bool) -> Line:
    fates = [name.removeprefix("reply ") for name in latest if name.startswith("reply ")]
    returned = "returned" in names
    replied = bool(fates) or returned
    line: list[Span] = [
        (f" {word(language, 'client')} ", "title"),
        belief(call, language),
        (" ◂─ ", "link" if returned else "dim"),
        (f"{word(language, 'stub')} {call.get('reply_size', '…')} B", "text" if returned else "dim"),
        (" ◂─ ", "link" if returned else "dim"),
    ]
    if linked:
        line += [_link(fates, language), (" ◂─ ", "link" if fates else "dim")]
    line += [(f"{word(language, 'server')}{' ✝' if dead else ''}", "error" if dead else "text" if replied else "dim")]
    if call["committed"]:
        line.append((f" {word(language, 'committed')} {call['committed']}", "number"))
    if call["suppressed"]:
        line.append((f" {word(language, 'suppressed')} {call['suppressed']}", "warning"))
    return line


def _link(fates: Sequence[str], language: str) -> Span:
    bad = [fate for fate in fates if fate in _FATES]
    if any(fate in ("dropped", "cut off") for fate in bad):
        return (f"{word(language, 'link')} × {word(language, 'dropped')}", "error")
    name = word(language, "link")
    return (
        (f"{name} {', '.join(word(language, fate) for fate in bad)}", "warning")
        if bad
        else (name, "text" if fates else "dim")
    )


def message_fields(call: Call, reply: bool = False) -> list[Field]:
    """The fields of a call's message, or of its reply, as far as records hold the bytes."""
    raw = bytes.fromhex(call.get("reply" if reply else "bytes", ""))
    return onc_rpc.message_fields(raw, ARGUMENT, RESULT) if raw else []


def field_lines(fields: Sequence[Field], width: int, most: int) -> list[Line]:
    """Fields one behind the other: name and value, in at most so many lines."""
    lines: list[list[Span]] = [[(" ", "dim")]]
    room = width - 1
    for field in fields:
        if most < _ALL_FIELDS and field.name in _AUTHENTICATION:
            continue
        name = "" if field.name == "type" else f"{field.name} "
        text = _value(field)
        size = cell_len(name) + cell_len(text) + 3
        if size > room and len(lines[-1]) > 1:
            if len(lines) == most:
                break
            lines.append([(" ", "dim")])
            room = width - 1
        lines[-1] += [(name, "dim"), (text, "message"), (" │ ", "frame")]
        room -= size
    return [line[:-1] if len(line) > 1 else line for line in lines]


def hex_table(fields: Sequence[Field], raw: bytes, width: int) -> list[Line]:
    """A line a field: its place, its bytes, its name and value."""
    lines: list[Line] = []
    for field in fields:
        part = raw[field.at : field.at + field.size]
        most = max(4, (width - 34) // 3)
        shown = part[:most].hex(" ") + (" …" if len(part) > most else "")
        room = 3 * min(most, 16) + 1
        lines.append(
            [
                (f" {field.at:>4}  ", "dim"),
                (f"{shown:<{room}} ", "message"),
                (f"{field.name} ", "title"),
                (_value(field), "text"),
            ]
        )
    return lines


def _value(field: Field) -> str:
    return readable(field.text.encode(), 40)


def step_lines(call: Call, language: str) -> list[Line]:
    """Every step of a call with its time, by whoever made it."""
    began = call["began"]
    return [
        [
            (f" {(t - began) / 1e6:>9.2f} ms  ", "dim"),
            (f"{process:<11}", "title"),
            (word(language, name), _step_role(name)),
        ]
        for t, process, name in call["steps"]
    ]


def _step_role(name: str) -> str:
    if any(fate in name for fate in ("dropped", "cut off", "failed", "refused")):
        return "error"
    return "warning" if any(part in name for part in ("again", "suppressed", "unknown", *_FATES)) else "text"
