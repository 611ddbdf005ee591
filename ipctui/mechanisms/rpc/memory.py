"""What is remembered of calls: each of the latest step by step, and exact counts. Pure; its facts are JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.lab.told import heard
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Counters, Event, Process, Record

COSTS = ("plain function", "another process", "over the network")
BELIEFS = ("done", "failed", "unknown")
_MOST_CALLS, _MOST_STEPS, _MOST_COSTS = 24, 40, 32
_TALLIES = {
    "sent": "sent",
    "sent again": "sent",
    "executed": "ran",
    "committed": "committed",
    "duplicate suppressed": "suppressed",
    "call dropped": "dropped",
    "reply dropped": "dropped",
    "call cut off": "dropped",
    "reply cut off": "dropped",
}
_WITHOUT_CALL = frozenset(
    (
        "noise",
        "listens",
        "history",
        "clients",
        "registered",
        "looked up",
        "told",
        "set",
        "unset",
        "listed",
        "nobody there",
        "too many connections",
        "never reads",
        "truncated record",
        *COSTS,
    )
)


def remember(facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
    """The facts with more records added.

    Facts:
        calls: The latest calls by their number (as text): who, when, which program, its bytes, steps, tallies, belief.
        last: By program (as text), the number of its latest call.
        met: By program, its latest call of which a packet was lost, or which came twice.
        counts: By role and pid, how often each thing was told.
        effects: By program, the effects in the ledger.
        costs: The latest nanoseconds of each way to call (local).
        heard: What was told last of things that belong to no call, by name: its number, and when.
    """
    memory = _Memory(facts)
    for record in records:
        if isinstance(record, Event):
            said = heard(record)
            if said is not None:
                memory.event(record, *said)
        elif isinstance(record, Counters):
            memory.count(record)
        elif isinstance(record, ChannelRecord) and record.type == "file":
            effects = record.facts.get("effects")
            if isinstance(effects, Mapping) and all(isinstance(count, int) for count in effects.values()):
                memory.change("effects", dict(effects))
        elif isinstance(record, Process) and record.event == "exited":
            memory.change("ended", {**memory.facts.get("ended", {}), record.process: record.status})
    return memory.facts


class _Memory:
    """Facts that are copied where they change."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts: dict[str, Any] = dict(facts)
        self._copied: set[str] = set()

    def change(self, name: str, value: Any) -> None:
        self.facts[name] = value

    def _own(self, name: str) -> dict[str, Any]:
        if name not in self._copied:
            self.facts[name] = dict(self.facts.get(name, {}))
            self._copied.add(name)
        owned: dict[str, Any] = self.facts[name]
        return owned

    def event(self, record: Event, number: int, raw: bytes) -> None:
        if record.name in COSTS:
            costs = self._own("costs")
            costs[record.name] = [*costs.get(record.name, []), number][-_MOST_COSTS:]
        if record.name in _WITHOUT_CALL or record.name.startswith(("killed", "refused ")):
            said = {"number": number, "t": record.t, "process": record.process}
            self._own("heard").update({record.name: said, f"{record.name} by {record.process}": said})
            return
        calls = self._own("calls")
        place = str(number)
        if record.name == "deposit":
            calls[place] = _begun(record)
            while len(calls) > _MOST_CALLS:
                del calls[next(iter(calls))]
        if place in calls:
            calls[place] = self._stepped(calls[place], record, raw)

    def _stepped(self, call: dict[str, Any], record: Event, raw: bytes) -> dict[str, Any]:
        step = [record.t, record.process, record.name]
        call = {**call, "steps": [*call["steps"], step][-_MOST_STEPS:], "t": record.t}
        name = record.name
        if name == "marshalled":
            program = str(int.from_bytes(raw[12:16], "big"))
            call |= {"bytes": raw.hex(), "size": record.data.get("size"), "program": program}
            self._own("last")[program] = str(record.data["number"])
        elif name == "returned":
            call |= {"reply": raw.hex(), "reply_size": record.data.get("size")}
        elif name.startswith("believes "):
            call["believes"] = name.removeprefix("believes ")
        if name in _TALLIES:
            call[_TALLIES[name]] = call.get(_TALLIES[name], 0) + 1
        if call["dropped"] or call["suppressed"] or call["ran"] > 1:
            self._own("met")[call["program"]] = call
        return call

    def count(self, record: Counters) -> None:
        counts = self._own("counts")
        mine = dict(counts.get(record.process, {}))
        told: dict[str, int] = {}
        for row in record.calls:
            if row.name in ("tell", "call") and row.object is not None:
                told[row.object] = told.get(row.object, 0) + row.calls
            elif row.name in ("send", "sendto") and row.bytes:
                told["packets"] = told.get("packets", 0) + row.calls - sum(row.errors.values())
        mine[str(record.pid)] = told
        counts[record.process] = mine


def _begun(record: Event) -> dict[str, Any]:
    return {
        "process": record.process,
        "began": record.t,
        "steps": [],
        "sent": 0,
        "ran": 0,
        "committed": 0,
        "suppressed": 0,
        "dropped": 0,
        "believes": "",
        "program": "",
    }


def counted(facts: Mapping[str, Any], *names: str, role: str = "") -> int:
    """How often something was told, by all processes or by one role, whoever filled it."""
    return sum(
        told.get(name, 0)
        for process, lives in facts.get("counts", {}).items()
        if role in ("", process)
        for told in lives.values()
        for name in names
    )


def totals(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a session proves, by name."""
    return {
        "calls_made": counted(facts, "deposit"),
        "packets_sent": counted(facts, "packets"),
        "retransmissions": counted(facts, "sent again"),
        "lost": counted(facts, "call dropped", "reply dropped", "call cut off", "reply cut off"),
        "duplicated": counted(facts, "call duplicated", "reply duplicated"),
        "executions": counted(facts, "executed"),
        "committed": sum(facts.get("effects", {}).values()),
        "duplicates_suppressed": counted(facts, "duplicate suppressed"),
        "noise": counted(facts, "noise"),
        **{f"believes_{belief}": counted(facts, f"believes {belief}") for belief in BELIEFS},
    }
