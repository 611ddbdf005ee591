"""The session told to people, line by line: calls as strace writes them, changes of state, captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ipctui.lab.fold import key
from ipctui.lab.state import LabState
from ipctui.trace.records import Access, Call, Command, Event, Lost, Process, Record, State, Summary
from ipctui.trace.text import clock_face, duration, grouped, visible
from ipctui.widgets.language import in_language, worded
from ipctui.widgets.words import STATE_GLYPHS, word

_MOST_CALLS = 40
"""Calls that are told of one batch: a program flat out makes more than anybody reads."""
_TOLD_STATES = ("blocked", "held", "stopped", "exited", "unknown")


class Narrator:
    """Turns batches of records into lines.

    Args:
        caption: The sentence for a state.
        language: Of the words beside it; names, and what a message or a command holds, are as they are.
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
                total = "\n".join(self._summary(record))
                continue
            line = self._line(record)
            if line:
                lines.append(f"{clock_face(getattr(record, 't', 0))}  {line}")
        if calls > _MOST_CALLS:
            lines.append(f"{clock_face(state.t)}  … {self._worded('{0} more calls', grouped(calls - _MOST_CALLS))}")
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
                mark = "" if record.syscall else f"  ({self._told('no system call')})"
                return f"{record.pid} {_name(record):<7} {record.name}({record.args}) = {result}{error} <{took}>{mark}"
            case Access():
                return (
                    f"{record.pid} {_name(record):<7} {record.name} {record.object}[{record.offset}] = {record.value}"
                )
            case Process():
                status = f": {record.status}" if record.status else ""
                return f"{record.pid} {_name(record):<7} {self._told(record.event)}{status}"
            case Command():
                outcome = f" → {visible(self._told(record.outcome))}" if record.outcome else ""
                return f"$ {visible(record.command)}{outcome}"
            case State() if record.state in ("held", "stopped", "unknown"):
                return self._state(record)
            case Event(name="caption"):
                return f"» {visible(str(record.data.get(self._language) or record.data.get('en') or ''))}"
            case Event(name="mark"):
                mark = record.data.get(self._language) or record.data.get("text") or self._told("mark")
                return f"▼ {visible(str(mark))}"
            case Event():
                told = ", ".join(f"{name}={value}" for name, value in record.data.items())
                return f"{_name(record)} {record.name}: {visible(told)}".strip()
            case Lost():
                lost = self._worded("{0} records {1}", grouped(record.count), self._told(record.why))
                return f"{_name(record)} {lost}"
        return ""

    def _state(self, record: State) -> str:
        place = (record.state, record.before.name if record.before is not None else None)
        if self._said.get(_name(record)) == place:
            return ""
        self._said[_name(record)] = place
        told = self._state_word(record.state)
        if record.before is not None:
            told = self._worded("{0} before {1}", told, f"{record.before.name}({record.before.args})")
        reason = f": {self._told(record.reason)}" if record.reason else ""
        return f"{record.pid} {_name(record):<7} {STATE_GLYPHS[record.state]} {told}{reason}"

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
            told = self._worded("{0} in {1}", self._state_word("blocked"), call)
            waker = self._worded("; would wake it: {0}", self._told(now.waker)) if now.waker else ""
            lines.append(
                f"{clock_face(state.t)}  {now.pid} {role:<7} {STATE_GLYPHS['blocked']} {told}"
                f" [{now.wchan or self._told('unknown')}]: {self._told(now.reason or '')}{waker}"
            )
        return lines

    def _summary(self, record: Summary) -> Iterator[str]:
        yield self._told("summary")
        for role, done in record.processes.items():
            yield "  " + self._worded(
                "{0}: sent {1}, received {2}", role, grouped(done["sent"]), grouped(done["received"])
            )
            for call in done["calls"]:
                where = f" fd {call['fd']}" if call["fd"] is not None else ""
                flight = ", " + self._worded("{0} in flight", call["in_flight"]) if "in_flight" in call else ""
                errors = "".join(f", {name} {grouped(times)}" for name, times in call.get("errors", {}).items())
                figures = self._worded("{0} calls, {1} bytes", grouped(call["calls"]), grouped(call["bytes"]))
                yield f"    {call['name']}{where}: {figures}{errors}{flight}"
        for name, value in record.proofs.items():
            if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
                for part, counts in value.items():
                    yield f"  {part}: " + ", ".join(f"{figure} {count}" for figure, count in counts.items())
                continue
            yield f"  {name}: {grouped(value) if isinstance(value, int) else value}"
        for why, count in record.lost.items():
            yield "  " + self._worded("{0} calls {1} (the counts above are exact)", grouped(count), self._told(why))

    def _told(self, text: str) -> str:
        return in_language(self._language, text)

    def _worded(self, sentence: str, *words: object) -> str:
        return worded(self._language, sentence, *words)

    def _state_word(self, state: str) -> str:
        return state if self._language == "en" else word(self._language, state.upper())


def _name(record: Call | Access | Process | State | Event | Lost) -> str:
    return key(record.process or "", record.cell)
