"""What is remembered of a session with Windows pipes: handles as they were stated, the exec, sends and reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ipctui.trace.records import Call, Channel, Counters, Descriptors, Process, Record

_PAIR = re.compile(r"\[([0-9]+), ([0-9]+)\]")
_KEPT = 6
_GREETED = re.compile(r'"@(instance[0-9]*)')


class Memory:
    """The facts of a session, thawed for the length of one batch.

    Attributes:
        handles: By number, the parent's handles: `what`, and whether it was stated that they are inherited.
        had: The child's descriptors now, number to object.
        executed: When the child became a new image; 0 before.
        talks: By client, sizes of its latest sends, its instance, and sizes of that one's latest reads.
        sent: By client, bytes of all its sends as of the time before the latest counts, and as of these.
        got: By instance, bytes of all its receives.
        queued: By connection, bytes that wait in it.
        counted: When the latest counts were made, and bytes that had waited in all connections just before.
        lost: Bytes that were sent, and neither received nor waiting: at least so many, as of the counts before these.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._before = facts
        self.handles: dict[str, dict[str, Any]] = {key: dict(one) for key, one in facts.get("handles", {}).items()}
        self.had: dict[str, str] = dict(facts.get("had", {}))
        self.executed: int = facts.get("executed", 0)
        self.end_of_file: bool = facts.get("end_of_file", False)
        self.written: bool = facts.get("written", False)
        self.talks: dict[str, dict[str, Any]] = {key: dict(one) for key, one in facts.get("talks", {}).items()}
        self.reads: dict[str, list[int]] = {key: list(one) for key, one in facts.get("reads", {}).items()}
        self.refused: dict[str, int] = dict(facts.get("refused", {}))
        self.sent: dict[str, list[int]] = dict(facts.get("sent", {}))
        self.got: dict[str, int] = dict(facts.get("got", {}))
        self.queued: dict[str, int] = dict(facts.get("queued", {}))
        self.counted: list[int] = list(facts.get("counted", [0, 0]))
        self.lost: int = facts.get("lost", 0)

    def facts(self) -> dict[str, Any]:
        """The facts as they are now."""
        names = ("handles", "had", "executed", "end_of_file", "written", "talks", "reads", "refused")
        return {name: getattr(self, name) for name in (*names, "sent", "got", "queued", "counted", "lost")}

    @property
    def changed(self) -> bool:
        """Whether the batch told anything."""
        return any(self._before.get(name, type(value)()) != value for name, value in self.facts().items())

    def add(self, record: Record) -> None:
        """One record more."""
        if isinstance(record, Descriptors) and record.process == "child":
            rows = [row for row in record.rows if not row.end.endswith("closed")]
            self.had = {str(row.fd): row.object for row in rows}
        elif isinstance(record, Process) and record.event == "started" and record.process == "parent":
            self.__init__({})  # type: ignore[misc]
        elif isinstance(record, Process) and record.event == "started":
            self._began(record.process)
        elif isinstance(record, Process) and record.event == "exited":
            self.talks.pop(record.process, None)
            self.reads.pop(record.process, None)
            self.refused.pop(record.process, None)
        elif isinstance(record, Call):
            self._call(record)
        elif isinstance(record, Counters):
            self._counts(record)
        elif isinstance(record, Channel) and record.closed:
            self.queued.pop(record.object, None)
        elif isinstance(record, Channel) and record.facts.get("pair"):
            waiting = (end["waiting"] for end in record.facts["ends"] if end["process"].startswith("instance"))
            self.queued[record.object] = sum(waiting)

    def _began(self, role: str) -> None:
        """Whoever begins anew counts from 0: what was counted of the process before is kept under another name."""
        kept = f"{role} before"
        if role in self.got:
            self.got[kept] = self.got.get(kept, 0) + self.got.pop(role)
        if role in self.sent:
            total = self.sent.pop(role)[1]
            self.sent[kept] = [one + total for one in self.sent.get(kept, [0, 0])]

    def _counts(self, record: Counters) -> None:
        moved = {"client": "send", "instance": "recv"}.get(record.process.rstrip("0123456789"))
        if moved is None:
            return
        if record.t != self.counted[0]:
            # Everybody's counts of one time come together: these are the first of another, so the others are whole.
            self.lost = lost(self.facts())
            self.counted = [record.t, sum(self.queued.values())]
        total = sum(count.bytes for count in record.calls if count.name == moved)
        if moved == "send":
            self.sent[record.process] = [self.sent.get(record.process, [0, 0])[1], total]
        else:
            self.got[record.process] = total

    def _call(self, call: Call) -> None:
        if call.process == "parent":
            self._parent(call)
        elif call.process == "child":
            if call.name == "execve" and call.result == 0:
                self.executed = call.end
            elif call.name == "read" and call.result == 0:
                self.end_of_file = True
        elif call.process.startswith("client"):
            self._client(call)
        elif call.process.startswith("instance") and call.result is not None:
            if call.name == "clock_nanosleep" or (call.name == "accept" and call.result >= 0):
                self.reads[call.process] = []
            elif call.name == "recv" and call.result > 0 and not _peeks(call):
                self.reads[call.process] = [*self.reads.get(call.process, [])[-_KEPT + 1 :], call.result]

    def _parent(self, call: Call) -> None:
        if call.name == "pipe2" and (found := _PAIR.search(call.args)):
            for number, what in zip(found.groups(), ("read end", "write end"), strict=True):
                self.handles[number] = {"what": what, "inherit": False}
        elif call.name == "memfd_create" and call.result is not None and call.result >= 0:
            what = call.args.partition('"')[2].partition('"')[0]
            self.handles[str(call.result)] = {"what": what, "inherit": False}
        elif call.name == "fcntl" and "F_SETFD" in call.args and str(call.fd) in self.handles:
            self.handles[str(call.fd)]["inherit"] = call.args.endswith(", 0")
        elif call.name == "close" and self.handles.get(str(call.fd), {}).get("what") == "write end":
            self.written = True

    def _client(self, call: Call) -> None:
        if call.name == "connect":
            if call.errno == "ECONNREFUSED":
                self.refused[call.process] = call.end
            else:
                self.refused.pop(call.process, None)
                self.talks[call.process] = {"sends": [], "instance": ""}
            return
        talk = self.talks.get(call.process)
        if talk is None or call.result is None or call.result < 0:
            return
        if call.name == "recv" and (found := _GREETED.search(call.args)):
            talk["instance"] = found[1]
        elif call.name == "sched_yield":
            talk["sends"] = []
        elif call.name == "send":
            talk["sends"] = [*talk["sends"][-_KEPT + 1 :], call.result]
        elif call.name == "close":
            self.talks.pop(call.process, None)


def lost(facts: Mapping[str, Any]) -> int:
    """Bytes that were sent and will not be received: at least so many.

    Whatever a client had sent when it was counted the time before has been received by now, or still waited when the
    queues were looked at in between, or is lost. What is under way is never taken for lost.
    """
    before: int = sum(earlier for earlier, _ in facts.get("sent", {}).values())
    received: int = sum(facts.get("got", {}).values())
    waiting: int = facts.get("counted", [0, 0])[1]
    known: int = facts.get("lost", 0)
    return max(known, before - received - waiting)


def _peeks(call: Call) -> bool:
    return "MSG_PEEK" in call.args.rpartition(", ")[2]
