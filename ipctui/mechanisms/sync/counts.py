"""What the cells have counted: offered, accepted, refused and received, over all processes that had a place.

A cell that gets another channel begins anew: what lay in the one before is not to be had from this one. Folded from
the records alone, so that a replay says the same; every number is of the workers' own exact counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipctui.trace.records import Access, Call, Channel, Counters, Record

_EMPTY = ("EAGAIN", "EINTR")
_TAKES = frozenset({"mq_receive", "read", "load"})


@dataclass(frozen=True, slots=True)
class Sums:
    """One side of a cell: messages offered, accepted, refused, received; calls that came back empty-handed."""

    offered: int = 0
    accepted: int = 0
    refused: int = 0
    received: int = 0
    empty: int = 0

    @property
    def in_hand(self) -> int:
        """Offered, and neither accepted nor refused: the sender stands before or in its send with it, or died there."""
        return self.offered - self.accepted - self.refused


def count(facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
    """The facts with more records added; pure.

    `counts` has, by process and by pid, [offered, accepted, refused, received, empty]; `arrived` has, by cell, the
    number of the message that arrived last, and how many came twice or after a later one; `short` has, by cell, the
    writes that took a part of what they were given; `places` has, by cell, its channel.
    """
    counts, arrived, short, places = (facts.get(name, {}) for name in ("counts", "arrived", "short", "places"))
    for record in records:
        if isinstance(record, Channel) and record.cell is not None and places.get(record.cell) != record.object:
            if record.cell in places:
                counts = {name: rows for name, rows in counts.items() if name.partition("/")[0] != record.cell}
                arrived, short = _without(arrived, record.cell), _without(short, record.cell)
            places = {**places, record.cell: record.object}
        elif isinstance(record, Counters) and record.cell is not None:
            name = f"{record.cell}/{record.process}"
            empty = sum(times for row in record.calls for error, times in row.errors.items() if error in _EMPTY)
            row = [record.offered, record.sent, record.refused, record.received, empty]
            if counts.get(name, {}).get(str(record.pid)) != row:
                counts = {**counts, name: {**counts.get(name, {}), str(record.pid): row}}
        elif isinstance(record, Call | Access) and record.cell is not None and record.name in _TAKES:
            for message in record.message:
                arrived = {**arrived, record.cell: _arrived(arrived.get(record.cell, [0, 0]), message)}
        elif isinstance(record, Call) and record.cell is not None and _is_short(record):
            short = {**short, record.cell: short.get(record.cell, 0) + 1}
    now = {"counts": counts, "arrived": arrived, "short": short, "places": places}
    return facts if all(now[name] is facts.get(name) for name in now) else {**facts, **now}


def _without(facts: Mapping[str, Any], cell: str) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name != cell}


def _is_short(call: Call) -> bool:
    """Whether a write took a part of what it was given: the number behind the bytes says how much that was."""
    if call.name != "write" or call.result is None or call.result < 0:
        return False
    asked = call.args.rpartition(", ")[2]
    return asked.isdigit() and call.result < int(asked)


def _arrived(before: list[int], message: str) -> list[int]:
    last, disorder = before
    number = int(message.rpartition(":")[2])
    # A message that comes by parts is named by each of them.
    return [number, disorder] if number >= last else [last, disorder + 1]


def sums(facts: Mapping[str, Any], name: str) -> Sums:
    """What all processes that had a place have done; `name` is CELL/ROLE."""
    rows = facts.get("counts", {}).get(name, {}).values()
    return Sums(*(sum(column) for column in zip(*rows, strict=True))) if rows else Sums()


def died(facts: Mapping[str, Any], name: str, living: int | None) -> int:
    """Messages that were in hand when their sender ended: all that had the place count, but the one that lives."""
    rows = facts.get("counts", {}).get(name, {}).items()
    return sum(offered - accepted - refused for pid, (offered, accepted, refused, *_) in rows if pid != str(living))


def shorts(facts: Mapping[str, Any], cell: str) -> int:
    """The writes of a cell that took a part of what they were given, of those that were traced."""
    return int(facts.get("short", {}).get(cell, 0))


def proofs(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a session proves of each cell."""
    cells: dict[str, dict[str, Any]] = {}
    for name in facts.get("counts", {}):
        cell, _, role = name.partition("/")
        done = sums(facts, name)
        told = cells.setdefault(cell, {})
        if done.offered:
            told |= {
                "offered": done.offered,
                "accepted": done.accepted,
                "refused": done.refused,
                "in_hand": done.in_hand,
            }
        if done.received:
            told["received"] = done.received
        told[f"empty_{role}"] = done.empty
    for cell in facts.get("short", {}):
        cells.setdefault(cell, {})["short_counts"] = shorts(facts, cell)
    for cell, (_, disorder) in facts.get("arrived", {}).items():
        cells.setdefault(cell, {})["out_of_order"] = disorder
    return cells


def totals(facts: Mapping[str, Any]) -> dict[str, int]:
    """What all cells together have sent and received."""
    every = [sums(facts, name) for name in facts.get("counts", {})]
    return {
        "sent_messages": sum(done.accepted for done in every),
        "received_messages": sum(done.received for done in every),
    }
