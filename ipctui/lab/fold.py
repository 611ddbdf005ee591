"""Folding: records in, state out. Pure and total, without a clock of its own; one new state a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipctui.lab.state import (
    RECENT_CALLS,
    RECENT_EVENTS,
    RECENT_FILL,
    RECENT_LINKS,
    RECENT_SPANS,
    ChannelState,
    LabState,
    Link,
    ProcessState,
    Span,
)
from ipctui.lab.state_json import state_from_json
from ipctui.trace.record_json import RecordError
from ipctui.trace.records import (
    REFUSED,
    Access,
    Call,
    Channel,
    Checkpoint,
    Command,
    Counters,
    Descriptors,
    Event,
    Header,
    Lost,
    Process,
    Record,
    Settings,
    State,
    Summary,
    Unknown,
)

Reduce = Callable[[Mapping[str, Any], Sequence[Record]], Mapping[str, Any]]
RECENT_EMPTIES = 400
_SENDS = frozenset(("write", "mq_send", "send", "sendmsg", "sendto"))
_RECEIVES = frozenset(("read", "mq_receive", "recv", "recvmsg", "recvfrom", "io_uring_peek_cqe", "aio_return"))


def key(role: str, cell: str | None) -> str:
    """The name of a process in a session: CELL/ROLE, or the role alone."""
    return f"{cell}/{role}" if cell else role


def fold(state: LabState, batch: Sequence[Record], reduce: Reduce | None = None) -> LabState:
    """The state after these records. A record that names a process never seen begins that process's entry.

    A checkpoint takes the place of all that was before it; one that cannot be read is counted as unknown.
    """
    if not batch:
        return state
    folding = _Folding(state)
    for place, record in enumerate(batch):
        if type(record) is Checkpoint:
            try:
                restored = state_from_json(record.state)
            except (RecordError, RecursionError):
                folding.unknown(record)
                continue
            return fold(replace(restored, t=folding.latest(restored.t)), batch[place + 1 :], reduce)
        folding.add(record)
    after = folding.done()
    if reduce is not None:
        after = replace(after, facts=reduce(after.facts, batch))
    return after


class _Folding:
    """A state thawed for the length of one batch."""

    def __init__(self, state: LabState) -> None:
        self._before = state
        self._header = state.header
        self._t = state.t
        self._processes = dict(state.processes)
        self._channels = dict(state.channels)
        self._calls: list[Call | Access] = []
        self._links = {link.id: link for link in state.links}
        self._events = list(state.events)
        self._commands = list(state.commands)
        self._lost = dict(state.lost)
        self._unknown = state.unknown
        self._said = state.told
        self._spans: dict[str, list[Span]] = {}
        self._empties: dict[str, list[int]] = {}

    def add(self, record: Record) -> None:
        if not isinstance(record, Header | Summary):
            self._t = max(self._t, record.t)
        handler = _HANDLERS.get(type(record))
        if handler is not None:
            handler(self, record)

    def latest(self, t: int) -> int:
        return max(self._t, t)

    def done(self) -> LabState:
        for name, spans in self._spans.items():
            self._change(name, spans=tuple(spans[-RECENT_SPANS:]))
        for name, empties in self._empties.items():
            self._change(name, empties=tuple(empties[-RECENT_EMPTIES:]))
        return LabState(
            header=self._header,
            t=self._t,
            processes=self._processes,
            channels=self._channels,
            calls=(*self._before.calls, *self._calls)[-RECENT_CALLS:],
            links=tuple(self._links.values())[-RECENT_LINKS:],
            events=tuple(self._events[-RECENT_EVENTS:]),
            commands=tuple(self._commands[-RECENT_EVENTS:]),
            lost=self._lost,
            unknown=self._unknown,
            facts=self._before.facts,
            told=self._said,
        )

    def _process(self, role: str, cell: str | None, pid: int = 0) -> tuple[str, ProcessState]:
        name = key(role, cell)
        process = self._processes.get(name)
        if process is None:
            process = ProcessState(role, pid, cell=cell)
            self._processes[name] = process
        return name, process

    def _change(self, name: str, **changes: Any) -> None:
        self._processes[name] = replace(self._processes[name], **changes)

    # One handler a kind.

    def header(self, record: Header) -> None:
        self._header = record

    def process(self, record: Process) -> None:
        name, process = self._process(record.process, record.cell, record.pid)
        if record.event == "started":
            earlier = process.earlier
            if process.counters is not None and process.pid != record.pid:
                earlier = (*earlier, process.counters)
            fresh = process.pid != record.pid or process.exited is not None
            self._processes[name] = replace(
                process,
                pid=record.pid,
                ppid=record.ppid,
                program=record.program,
                started=record.t,
                exited=None,
                status=None,
                state=None if fresh else process.state,
                descriptors=() if fresh else process.descriptors,
                counters=None if fresh else process.counters,
                earlier=earlier,
            )
        elif record.event == "planned":
            # One that has run before, and ended, is to come anew.
            self._change(
                name,
                program=record.program,
                due=record.due,
                pid=0,
                exited=None,
                status=None,
                state=None,
                descriptors=(),
            )
        elif record.pid == process.pid:
            self._change(name, exited=record.t, status=record.status, rate=0.0)
            self._span(name, Span(record.t, "exited"))

    def call(self, record: Call) -> None:
        self._calls.append(record)
        name = key(record.process, record.cell)
        if record.errno in ("EAGAIN", "EINTR"):
            self._empty_handed(record.process, record.cell, record.pid, record.end)
        if record.result is None:
            # Kept beside the recent calls, which are soon forgotten: the summary counts it.
            _, process = self._process(record.process, record.cell, record.pid)
            self._change(name, unfinished=(*process.unfinished, record))
            return
        if record.result < 0:
            return
        if record.name in _SENDS:
            self._sent(record, name)
        elif record.name in _RECEIVES:
            self._received(record, name)

    def _empty_handed(self, role: str, cell: str | None, pid: int, t: int) -> None:
        name, process = self._process(role, cell, pid)
        if name not in self._empties:
            self._empties[name] = list(process.empties)
        self._empties[name].append(t)

    def _sent(self, record: Call | Access, name: str) -> None:
        for message in record.message:
            message = key(message, record.cell)  # each cell counts its messages from 1
            known = self._links.pop(message, None)
            self._links[message] = Link(
                message,
                name,
                record.end,
                None if known is None else known.receiver,
                None if known is None else known.received,
            )
        self._forget_links()

    def _received(self, record: Call | Access, name: str) -> None:
        for message in record.message:
            message = key(message, record.cell)
            known = self._links.get(message)
            sender = known.sender if known is not None else message.partition(":")[0]
            sent = known.sent if known is not None else record.begin
            self._links[message] = Link(message, sender, sent, name, record.end)
        self._forget_links()

    def _forget_links(self) -> None:
        while len(self._links) > RECENT_LINKS:
            del self._links[next(iter(self._links))]

    def access(self, record: Access) -> None:
        self._calls.append(record)
        if record.message:
            join = self._sent if record.name == "store" else self._received
            join(record, key(record.process, record.cell))

    def state(self, record: State) -> None:
        name, process = self._process(record.process, record.cell, record.pid)
        if record.pid != process.pid and process.exited is None and process.pid:
            return
        if process.exited is not None and record.pid == process.pid and record.state != "exited":
            return  # said late: nothing comes after the end
        self._change(name, state=record)
        begin = record.since if record.since is not None and record.state != "running" else record.t
        self._span(name, Span(begin, record.state))

    def _span(self, name: str, span: Span) -> None:
        spans = self._spans.get(name)
        if spans is None:
            spans = self._spans[name] = list(self._processes[name].spans)
        while spans and spans[-1].t >= span.t and spans[-1].state != "exited":
            spans.pop()
        # One block ends where the next begins: who is blocked again has moved in between.
        if not spans or spans[-1].state != span.state or span.state == "blocked":
            spans.append(span)
        # Folding a batch or its records singly must forget the same spans.
        del spans[:-RECENT_SPANS]

    def settings(self, record: Settings) -> None:
        name, _ = self._process(record.process, record.cell)
        self._change(name, settings=record)

    def descriptors(self, record: Descriptors) -> None:
        name, _ = self._process(record.process, record.cell)
        self._change(name, descriptors=record.rows)

    def counters(self, record: Counters) -> None:
        name, process = self._process(record.process, record.cell, record.pid)
        before = process.counters
        rate = process.rate
        if before is not None and before.pid == record.pid and record.t > before.t:
            messages = record.sent + record.received - before.sent - before.received
            rate = messages * 1e9 / (record.t - before.t)
        self._change(name, counters=record, rate=rate if process.exited is None else 0.0)

    def channel(self, record: Channel) -> None:
        before = self._channels.get(record.object)
        if record.closed:
            if before is not None:
                self._channels[record.object] = replace(before, now=replace(before.now, t=record.t, closed=True))
            return
        fill = before.fill if before is not None else ()
        peak = before.peak if before is not None else 0
        if record.used is not None:
            fill = (*fill, (record.t, record.used))[-RECENT_FILL:]
            peak = max(peak, record.used)
        self._channels[record.object] = ChannelState(record, fill, peak)

    def event(self, record: Event) -> None:
        if record.name == REFUSED and record.process is not None:
            # No call may have failed: the sender found by another that nobody would take it.
            self._empty_handed(record.process, record.cell, 0, record.t)
            return
        self._events.append(record)
        if record.name == "caption":
            # Kept beside the recent events, which a busy mechanism soon forgets.
            self._said = record

    def command(self, record: Command) -> None:
        if record.outcome is not None:
            for index in range(len(self._commands) - 1, -1, -1):
                earlier = self._commands[index]
                if earlier.command == record.command and earlier.outcome in (None, "pending"):
                    self._commands[index] = replace(record, t=earlier.t)
                    return
        self._commands.append(record)
        del self._commands[:-RECENT_EVENTS]

    def lost(self, record: Lost) -> None:
        place = (key(record.process or "", record.cell), record.why)
        self._lost[place] = self._lost.get(place, 0) + record.count

    def unknown(self, record: Unknown | Checkpoint) -> None:
        self._unknown += 1


_HANDLERS: dict[type[Any], Callable[[_Folding, Any], None]] = {
    Header: _Folding.header,
    Process: _Folding.process,
    Call: _Folding.call,
    Access: _Folding.access,
    State: _Folding.state,
    Settings: _Folding.settings,
    Descriptors: _Folding.descriptors,
    Channel: _Folding.channel,
    Event: _Folding.event,
    Command: _Folding.command,
    Counters: _Folding.counters,
    Lost: _Folding.lost,
    Unknown: _Folding.unknown,
}
