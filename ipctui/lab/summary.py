"""The summary: the last record, computed from the state alone, so that a replay computes the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ipctui.lab.channel import Channel
from ipctui.lab.fold import key
from ipctui.lab.state import LabState, ProcessState
from ipctui.lab.told import TELLS
from ipctui.trace.records import Call, Counters, Summary


def summary(state: LabState, channel: Channel | None) -> Summary:
    """What was done and what it proves. No pid, no inode, no wall clock: two machines can be compared."""
    names = _object_names(state)
    totals = {role: _total(process) for role, process in state.processes.items()}
    processes = {
        role: {
            "sent": sum(counters.sent for counters in totals[role]),
            "received": sum(counters.received for counters in totals[role]),
            **_offers(totals[role]),
            "calls": _calls(totals[role], names, process.unfinished),
            **_told(totals[role]),
            "ended": process.status,
        }
        for role, process in state.processes.items()
    }
    channels = {
        names[place]: {
            "peak": held.peak,
            "capacity": held.now.capacity,
            "unit": held.now.unit,
            "written": _bytes(totals.values(), place, _SENDS),
            "read": _bytes(totals.values(), place, _RECEIVES),
            **({"cell": held.now.cell} if held.now.cell is not None else {}),
        }
        for place, held in state.channels.items()
    }
    proofs: dict[str, Any] = {}
    if channel is not None:
        latest = {role: process.counters for role, process in state.processes.items() if process.counters is not None}
        proofs = channel.summary(state.facts, latest)
    lost: dict[str, int] = {}
    for (_, why), count in state.lost.items():
        lost[why] = lost.get(why, 0) + count
    return Summary(state.t, processes, channels, proofs, lost)


def _offers(totals: Iterable[Counters]) -> dict[str, int]:
    """What was offered and what was refused, of those who count it."""
    sums = {name: sum(getattr(counters, name) for counters in totals) for name in ("offered", "refused")}
    return sums if sums["offered"] else {}


def _told(totals: Iterable[Counters]) -> dict[str, dict[str, int]]:
    """How often each thing was told, of those who tell of something."""
    told: dict[str, int] = {}
    for counters in totals:
        for count in counters.calls:
            if count.name in TELLS and count.name != "tell_rest" and count.object is not None:
                told[count.object] = told.get(count.object, 0) + count.calls
    return {"told": told} if told else {}


def _total(process: ProcessState) -> tuple[Counters, ...]:
    return (*process.earlier, *((process.counters,) if process.counters is not None else ()))


_SENDS = frozenset({"write", "send", "sendto", "sendmsg", "mq_send", "store"})
_RECEIVES = frozenset({"read", "recv", "recvfrom", "recvmsg", "mq_receive", "load", "io_uring_peek_cqe", "aio_return"})
_OURS = re.compile(r"ipctui-[0-9]+-[0-9]+-[0-9a-f]{8}")


def _object_names(state: LabState) -> dict[str, str]:
    """Objects by their kind and order of appearance (pipe 1, fifo 2), in cells by these first (zero/shm 1).

    A name that the user gave stays. Inodes, and names that we gave, are the machine's.
    """
    counts: dict[str, int] = {}
    names = {}
    cells = {
        count.object: process.cell
        for process in state.processes.values()
        for counters in _total(process)
        for count in counters.calls
        if count.object is not None
    }
    # A session can be over before anybody has looked at its objects: those are known from the counts alone.
    for place in dict.fromkeys((*state.channels, *cells)):
        kind = place.partition(":[")[0]
        if _OURS.search(place):
            held = state.channels.get(place)
            # A session that names several things gives each of them an ending of its own: ipctui-…-there.
            kind = (held.now.type if held is not None else "") or _OURS.sub("name", place).lstrip("/@")
        elif ":[" not in place:
            names[place] = place
            continue
        kind = key(kind, cells.get(place))
        counts[kind] = counts.get(kind, 0) + 1
        names[place] = f"{kind} {counts[kind]}"
    return names


def _calls(counters: Iterable[Counters], names: dict[str, str], in_flight: Iterable[Call]) -> list[dict[str, Any]]:
    joined: dict[tuple[str, int | None, str | None], dict[str, Any]] = {}
    for record in counters:
        for count in record.calls:
            if count.name in TELLS:
                continue
            place = names.get(count.object or "", count.object)
            row = joined.setdefault(
                (count.name, count.fd, place),
                {"name": count.name, "syscall": count.syscall, "fd": count.fd, "object": place, "calls": 0, "bytes": 0},
            )
            row["calls"] += count.calls
            row["bytes"] += count.bytes
            for errno, times in count.errors.items():
                errors = row.setdefault("errors", {})
                errors[errno] = errors.get(errno, 0) + times
    for call in in_flight:
        place = names.get(call.object or "", call.object)
        row = joined.setdefault(
            (call.name, call.fd, place),
            {"name": call.name, "syscall": call.syscall, "fd": call.fd, "object": place, "calls": 0, "bytes": 0},
        )
        row["in_flight"] = row.get("in_flight", 0) + 1
    return list(joined.values())


def _bytes(totals: Iterable[tuple[Counters, ...]], place: str, names: frozenset[str]) -> int:
    return sum(
        count.bytes
        for records in totals
        for record in records
        for count in record.calls
        if count.object == place and count.name in names
    )
