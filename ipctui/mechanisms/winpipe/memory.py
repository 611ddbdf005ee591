"""What is remembered of a session with Windows pipes: handles as they were stated, the exec, sends and reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ipctui.trace.records import Call, Descriptors, Process, Record

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
        short: Messages that were longer than the reader's buffer and read in parts.
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

    def facts(self) -> dict[str, Any]:
        """The facts as they are now."""
        names = ("handles", "had", "executed", "end_of_file", "written", "talks", "reads", "refused")
        return {name: getattr(self, name) for name in names}

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
        elif isinstance(record, Process) and record.event == "exited":
            self.talks.pop(record.process, None)
            self.reads.pop(record.process, None)
            self.refused.pop(record.process, None)
        elif isinstance(record, Call):
            self._call(record)

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


def _peeks(call: Call) -> bool:
    return "MSG_PEEK" in call.args.rpartition(", ")[2]
