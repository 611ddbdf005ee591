"""What is remembered of a session with sockets: the latest sends and receives by size, losses, ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipctui.trace.records import Call, Channel, Counters, Process, Record

_KEPT = 8
RECENT = 5_000_000_000
"""Nanoseconds for which what happened to a connection is news."""
_SENDS = frozenset({"send", "sendto"})
_RECEIVES = frozenset({"recv", "recvfrom"})


class Memory:
    """The facts of a session, thawed for the length of one batch.

    Attributes:
        sends: By process, sizes of its latest sends, those that were cut short by a full queue included.
        receives: By process, sizes of its latest receives.
        drops: By socket, datagrams that were thrown away because it had no room.
        connections: Accepted so far, by process.
        resets: By process, how often it was told ECONNRESET; `refused` ECONNREFUSED likewise.
        news: By process, the latest error that told it of its peer: which, when, and in which call.
        shut: By process, when it shut down its sending half; until it closes that socket.
        largest: By process, its largest receive of the last seconds, and when.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._before = facts
        self.sends: dict[str, list[int]] = dict(facts.get("sends", {}))
        self.receives: dict[str, list[int]] = dict(facts.get("receives", {}))
        self.drops: dict[str, int] = dict(facts.get("drops", {}))
        self.connections: int = facts.get("connections", 0)
        self.resets: int = facts.get("resets", 0)
        self.refused: int = facts.get("refused", 0)
        self.news: dict[str, dict[str, Any]] = dict(facts.get("news", {}))
        self.shut: dict[str, int] = dict(facts.get("shut", {}))
        self.largest: dict[str, dict[str, int]] = dict(facts.get("largest", {}))
        self.counted: dict[str, dict[str, int]] = dict(facts.get("counted", {}))

    def facts(self) -> dict[str, Any]:
        """The facts as they are now."""
        names = ("sends", "receives", "drops", "connections", "resets", "refused", "news", "shut", "largest", "counted")
        return {name: getattr(self, name) for name in names}

    @property
    def changed(self) -> bool:
        """Whether the batch told anything."""
        return any(self._before.get(name, type(value)()) != value for name, value in self.facts().items())

    def add(self, record: Record) -> None:
        """One record more."""
        if isinstance(record, Call):
            self._call(record)
        elif isinstance(record, Channel) and record.facts.get("drops") and record.facts.get("protocol") == "udp":
            # A segment of TCP that finds no room is sent again by the kernel: nothing is lost.
            self.drops[record.object] = record.facts["drops"]
        elif isinstance(record, Counters):
            self._count(record)
        elif isinstance(record, Process) and record.event in ("started", "exited"):
            for table in (self.sends, self.receives, self.shut, self.news, self.largest):
                table.pop(record.process, None)

    def _call(self, call: Call) -> None:
        who = call.process
        if call.errno in ("ECONNRESET", "ECONNREFUSED", "EPIPE"):
            self.news[who] = {"what": call.errno, "t": call.end, "call": call.name}
        if call.name == "shutdown" and call.result == 0:
            self.shut[who] = call.fd or 0
        elif call.name == "close" and self.shut.get(who) == call.fd:
            self.shut.pop(who, None)
        if call.result is None or call.result < 0:
            return
        if call.name in _SENDS:
            self.sends[who] = [*self.sends.get(who, [])[-_KEPT + 1 :], call.result]
        elif call.name in _RECEIVES:
            self.receives[who] = [*self.receives.get(who, [])[-_KEPT + 1 :], call.result]
            before = self.largest.get(who)
            if before is None or call.result >= before["size"] or call.end - before["t"] > RECENT:
                self.largest[who] = {"size": call.result, "t": call.end}
        elif call.name == "connect" and self.news.get(who, {}).get("what") == "ECONNREFUSED":
            del self.news[who]

    def _count(self, record: Counters) -> None:
        """By the counts, which are whole: flat out, most calls are never told."""
        place = f"{record.process} {record.pid}"
        now = {"connections": 0, "resets": 0, "refused": 0}
        for row in record.calls:
            now["resets"] += row.errors.get("ECONNRESET", 0)
            now["refused"] += row.errors.get("ECONNREFUSED", 0)
            if row.name == "accept":
                now["connections"] += row.calls - sum(row.errors.values())
        before = self.counted.get(place, {})
        for name, count in now.items():
            setattr(self, name, getattr(self, name) + count - before.get(name, 0))
        self.counted[place] = now
