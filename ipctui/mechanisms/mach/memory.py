"""What is remembered of a session with Mach: moves of rights, notifications, dead names, refusals by the kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ipctui.trace.records import Call, Process, Record

_COUNT = re.compile(r"msg_control=\[([0-9]+) descriptor")
_TOLD = re.compile(r'"@(dead-name|no-senders) ([A-Za-z.-]+)"')
_KEPT = 8


class Memory:
    """The facts of a session, thawed for the length of one batch.

    Attributes:
        moves: The latest moves of rights: t, who, and what (`send`, `receive`, `rights`), sent or come.
        dead: By task, the errno of its latest send if its port was dead.
        told: By task, what was said at its notify port.
        refused: By task, rights in the latest message that the kernel did not take, and its errno.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._before = facts
        self.moves: list[dict[str, Any]] = list(facts.get("moves", []))
        self.dead: dict[str, str] = dict(facts.get("dead", {}))
        self.told: dict[str, str] = dict(facts.get("told", {}))
        self.refused: dict[str, list[Any]] = dict(facts.get("refused", {}))
        self.empty: dict[str, int] = dict(facts.get("empty", {}))
        counts = ("moved", "copied", "notified", "dead_sends", "too_many", "timed_out")
        self.counts: dict[str, int] = {name: facts.get(name, 0) for name in counts}

    def facts(self) -> dict[str, Any]:
        """The facts as they are now."""
        lists = {"moves": self.moves, "dead": self.dead, "told": self.told}
        return {**lists, "refused": self.refused, "empty": self.empty, **self.counts}

    @property
    def changed(self) -> bool:
        """Whether the batch told anything."""
        return any(self._before.get(name, type(value)()) != value for name, value in self.facts().items())

    def add(self, record: Record) -> None:
        """One record more."""
        if isinstance(record, Process) and record.event == "exited":
            for memory in (self.dead, self.refused, self.empty):
                memory.pop(record.process, None)
        elif isinstance(record, Call) and record.name == "sendmsg":
            self._sent(record)
        elif isinstance(record, Call) and record.name == "recvmsg" and record.result is not None:
            self._received(record)

    def _sent(self, call: Call) -> None:
        found = _COUNT.search(call.args)
        rights = int(found[1]) if found else 0
        if call.errno in ("EPIPE", "ECONNRESET"):
            self.dead[call.process] = call.errno
            self.counts["dead_sends"] += 1
        elif call.errno in ("EINVAL", "ETOOMANYREFS"):
            self.refused[call.process] = [rights, call.errno]
            self.counts["too_many"] += 1
        elif call.errno == "EAGAIN":
            self.empty[call.process] = call.end
            self.counts["timed_out"] += 1
        elif call.result is not None and call.result >= 0:
            self.dead.pop(call.process, None)
            self.refused.pop(call.process, None)
            if rights:
                what = "receive" if "@right receive" in call.args else "send" if "@right send" in call.args else ""
                self.counts["moved" if what else "copied"] += rights
                self._move(call, what or "copy", rights, "sent")

    def _received(self, call: Call) -> None:
        found = _COUNT.search(call.args)
        if found is not None:
            self._move(call, "", int(found[1]), "came")
        told = _TOLD.search(call.args)
        if told is not None and call.result and call.result > 0:
            self.told[call.process] = f"{told[1]} {told[2]}"
            self.counts["notified"] += 1

    def _move(self, call: Call, what: str, rights: int, how: str) -> None:
        if how == "came" and what == "":
            sent = next((move for move in reversed(self.moves) if move["how"] == "sent"), None)
            what = sent["what"] if sent is not None else "copy"
        self.moves = [
            *self.moves[-_KEPT + 1 :],
            {"t": call.end, "who": call.process, "what": what, "rights": rights, "how": how, "fd": call.fd},
        ]
