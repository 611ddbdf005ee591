"""The session told to people, line by line: calls as strace writes them, changes of state, captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ipctui.lab.fold import key
from ipctui.lab.state import LabState
from ipctui.trace.records import Access, Call, Command, Event, Lost, Process, Record, State, Summary
from ipctui.trace.text import clock_face, duration, grouped, visible
from ipctui.widgets.words import STATE_GLYPHS

_MOST_CALLS = 40
"""Calls that are told of one batch: a program flat out makes more than anybody reads."""
_TOLD_STATES = ("blocked", "held", "stopped", "exited", "unknown")


class Narrator:
    """Turns batches of records into lines.

    Args:
        caption: The sentence for a state.
        language: Of what a lecture's file says.
    """

    def __init__(self, caption: Callable[[LabState], str], language: str = "en") -> None:
        self._caption = caption
        self._language = language
        self._said_caption = ""
        self._said: dict[str, tuple[str, str | None]] = {}
        self._asleep_after = 200_000_000

    def lines(self, records: Iterable[Record], state: LabState) -> list[str]:
        """What is to be said of a batch, with the state after it."""
        lines: list[str] = []
        calls = 0
        total = ""
        for record in records:
            if isinstance(record, Call | Access):
                calls += 1
                if calls > _MOST_CALLS:
                    continue
            if isinstance(record, Summary):
                total = _summary(record)
                continue
            line = self._line(record)
            if line:
                lines.append(f"{clock_face(getattr(record, 't', 0))}  {line}")
        if calls > _MOST_CALLS:
            lines.append(f"{clock_face(state.t)}  … {grouped(calls - _MOST_CALLS)} more calls")
        if total:
            return [*lines, "", total]
        lines += self._long_sleeps(state)
        caption = self._caption(state)
        if caption != self._said_caption and lines:
            self._said_caption = caption
            lines.append(f"{clock_face(state.t)}  » {caption}")
        return lines

    def _line(self, record: Record) -> str:
        match record:
            case Call():
                result = "?" if record.result is None else str(record.result)
                error = f" {record.errno}" if record.errno else ""
                took = duration(record.end - record.begin)
                mark = "" if record.syscall else "  (no system call)"
                return f"{record.pid} {_name(record):<7} {record.name}({record.args}) = {result}{error} <{took}>{mark}"
            case Access():
                return (
                    f"{record.pid} {_name(record):<7} {record.name} {record.object}[{record.offset}] = {record.value}"
                )
            case Process():
                return f"{record.pid} {_name(record):<7} {record.event}" + (
                    f": {record.status}" if record.status else ""
                )
            case Command():
                return f"$ {visible(record.command)}" + (f" → {visible(record.outcome)}" if record.outcome else "")
            case State() if record.state in ("held", "stopped", "unknown"):
                return self._state(record)
            case Event(name="caption"):
                return f"» {visible(str(record.data.get(self._language) or record.data.get('en') or ''))}"
            case Event(name="mark"):
                return f"▼ {visible(str(record.data.get(self._language) or record.data.get('text') or 'mark'))}"
            case Event():
                told = ", ".join(f"{name}={value}" for name, value in record.data.items())
                return f"{_name(record)} {record.name}: {visible(told)}".strip()
            case Lost():
                return f"{_name(record)} {grouped(record.count)} records {record.why}"
        return ""

    def _state(self, record: State) -> str:
        place = (record.state, record.before.name if record.before is not None else None)
        if self._said.get(_name(record)) == place:
            return ""
        self._said[_name(record)] = place
        before = f" before {record.before.name}({record.before.args})" if record.before is not None else ""
        reason = f": {record.reason}" if record.reason else ""
        return f"{record.pid} {_name(record):<7} {STATE_GLYPHS[record.state]} {record.state}{before}{reason}"

    def _long_sleeps(self, state: LabState) -> list[str]:
        """Who has been blocked for a while: a reader between two messages is no news."""
        lines = []
        for role, process in state.processes.items():
            now = process.state
            if now is None or process.exited is not None:
                continue
            if now.state != "blocked":
                if now.state in ("running", "paced"):
                    self._said.pop(role, None)
                continue
            since = now.since if now.since is not None else now.t
            place = ("blocked", f"{now.before.name if now.before else ''}{since}")
            if state.t - since < self._asleep_after or self._said.get(role) == place:
                continue
            self._said[role] = place
            call = f"{now.before.name}({now.before.fd if now.before.fd is not None else ''})" if now.before else "?"
            waker = f"; would wake it: {now.waker}" if now.waker else ""
            lines.append(
                f"{clock_face(state.t)}  {now.pid} {role:<7} {STATE_GLYPHS['blocked']} blocked in {call}"
                f" [{now.wchan or 'unknown'}]: {now.reason}{waker}"
            )
        return lines


def _name(record: Call | Access | Process | State | Event | Lost) -> str:
    return key(record.process or "", record.cell)


def _summary(record: Summary) -> str:
    lines = ["summary"]
    for role, done in record.processes.items():
        lines.append(f"  {role}: sent {grouped(done['sent'])}, received {grouped(done['received'])}")
        for call in done["calls"]:
            where = f" fd {call['fd']}" if call["fd"] is not None else ""
            flight = f", {call['in_flight']} in flight" if "in_flight" in call else ""
            errors = "".join(f", {name} {grouped(times)}" for name, times in call.get("errors", {}).items())
            figures = f"{grouped(call['calls'])} calls, {grouped(call['bytes'])} bytes"
            lines.append(f"    {call['name']}{where}: {figures}{errors}{flight}")
    for name, value in record.proofs.items():
        if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
            for part, figures in value.items():
                told = ", ".join(f"{figure} {count}" for figure, count in figures.items())
                lines.append(f"  {part}: {told}")
            continue
        lines.append(f"  {name}: {grouped(value) if isinstance(value, int) else value}")
    for why, count in record.lost.items():
        lines.append(f"  {grouped(count)} calls {why} (the counts above are exact)")
    return "\n".join(lines)
