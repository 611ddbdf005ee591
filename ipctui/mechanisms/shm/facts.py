"""What a session on shared memory proves: updates lost, and how often the kernel was asked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from errno import EOWNERDEAD
from typing import Any

from ipctui.lab.fold import key
from ipctui.trace.records import Access, Call, Channel, Count, Counters, Process, Record

SET_UP = frozenset({"shm_open", "ftruncate", "mmap", "munmap", "close", "sem_open", "sem_close"})
"""Operations made before the first message and after the last."""
_WINDOW = 1_000_000_000
_COUNTER = 0
"""The shared counter's offset in its segment."""


def kernel_calls(counts: Iterable[Count]) -> int:
    """How often the kernel was asked after the set-up."""
    return sum(count.calls for count in counts if count.syscall is not None and count.name not in SET_UP)


def set_up_calls(counts: Iterable[Count]) -> int:
    """How often the kernel was asked for the set-up."""
    return sum(count.calls for count in counts if count.syscall is not None and count.name in SET_UP)


def word_stores(counts: Iterable[Count], segment: str) -> int:
    """Stores of words into a segment; a store into a slot moves bytes, that of a word none."""
    return sum(count.calls for count in counts if count.name == "store" and count.object == segment and not count.bytes)


def reduce(facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
    """Keeps, for each counter: its value, its value at the beginning, and the stores of each process into it.

    Besides, what each process loaded last from a counter (the calls that are kept are soon others'), when each process
    began that has died since, and who was the last to get the robust mutex of a dead owner.
    """
    races: dict[str, Any] = dict(facts.get("races", {}))
    recovered, recovery = facts.get("recovered", 0), facts.get("recovery", {})
    deaths: dict[str, int] = dict(facts.get("deaths", {}))
    starts: dict[str, int] = dict(facts.get("starts", {}))
    cpu: dict[str, Any] = dict(facts.get("cpu", {}))
    loaded: dict[str, int] = dict(facts.get("loaded", {}))
    changed = False
    for record in records:
        if isinstance(record, Channel) and "counter" in record.facts:
            _measured(races, record)
            changed = True
        elif isinstance(record, Counters):
            changed |= bool(races) and _counted(races, record)
            changed |= _burned(cpu, record)
        elif isinstance(record, Access):
            if races and record.name == "load" and record.offset == _COUNTER and record.size is None:
                loaded[key(record.process, record.cell)] = record.value
                changed = True
        elif isinstance(record, Call) and record.name == "pthread_mutex_lock" and record.result == EOWNERDEAD:
            recovered += 1
            recovery = {"t": record.end, "process": record.process}
            changed = True
        elif isinstance(record, Process) and record.event == "started":
            starts[record.process] = record.t
            loaded.pop(record.process, None)  # that was another process's
            changed = True
        elif isinstance(record, Process) and record.event == "exited":
            # Not when it died: the next locker may have recovered before anybody tells of the death.
            deaths[record.process] = starts.get(record.process, 0)
            changed = True
    if not changed:
        return facts
    return {
        **facts,
        "races": races,
        "recovered": recovered,
        "recovery": recovery,
        "starts": starts,
        "deaths": deaths,
        "cpu": cpu,
        "loaded": loaded,
    }


def _burned(cpu: dict[str, Any], record: Counters) -> bool:
    """Remember a process's processor time now and about a second ago."""
    if record.cpu is None:
        return False
    name = key(record.process, record.cell)
    before = cpu.get(name, {})
    times = [*(before["times"] if before.get("pid") == record.pid else ()), [record.t, record.cpu]]
    while len(times) > 2 and record.t - times[1][0] >= _WINDOW:
        del times[0]
    cpu[name] = {"pid": record.pid, "times": times}
    return True


def processor_share(facts: Mapping[str, Any], name: str) -> int | None:
    """Percent of a core that a process took in the last second or so; None before two counts are known."""
    times = facts.get("cpu", {}).get(name, {}).get("times", ())
    if len(times) < 2 or times[-1][0] <= times[0][0]:
        return None
    percent: int = (times[-1][1] - times[0][1]) * 100 // (times[-1][0] - times[0][0])
    return min(percent, 100)


def recovered_by(facts: Mapping[str, Any], dead: str) -> str:
    """Who got the robust mutex with EOWNERDEAD since this process, dead now, began; "" while nobody has."""
    recovery = facts.get("recovery", {})
    if not recovery or recovery["t"] < facts.get("deaths", {}).get(dead, 0):
        return ""
    return str(recovery["process"])


def _measured(races: dict[str, Any], record: Channel) -> None:
    race = races.get(record.object, {"base": record.facts.get("base", 0), "stores": {}, "lost": 0})
    stores = dict(race["stores"])
    for pid, count in record.facts.get("stores", {}).items():
        stores[pid] = max(count, stores.get(pid, 0))
    lost = max(sum(stores.values()) - (record.facts["counter"] - race["base"]), 0)
    # Stores are counted before the counter is read, so they may be too few: while they run, the loss never falls.
    lost = lost if record.facts.get("still") else max(lost, race["lost"])
    races[record.object] = {**race, "stores": stores, "counter": record.facts["counter"], "lost": lost}


def _counted(races: dict[str, Any], record: Counters) -> bool:
    changed = False
    for place, race in list(races.items()):
        count = word_stores(record.calls, place)
        if count > race["stores"].get(str(record.pid), 0):
            # The counter was read at another moment: what this says is known when it is read again.
            races[place] = {**race, "stores": {**race["stores"], str(record.pid): count}}
            changed = True
    return changed


def lost_updates(facts: Mapping[str, Any]) -> int:
    """Updates lost by what was measured last, over all counters of the session."""
    return sum(race["lost"] for race in facts.get("races", {}).values())


def stored_updates(facts: Mapping[str, Any]) -> int:
    """Updates made, over all counters of the session."""
    return sum(sum(race["stores"].values()) for race in facts.get("races", {}).values())


def summary(facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
    """Messages, lost updates by the last counts and the last value, and system calls after the set-up."""
    races = facts.get("races", {})
    lost = sum(max(sum(race["stores"].values()) - (race["counter"] - race["base"]), 0) for race in races.values())
    proofs: dict[str, Any] = {
        "sent_messages": sum(count.sent for count in counters.values()),
        "received_messages": sum(count.received for count in counters.values()),
        "system_calls_after_set_up": sum(kernel_calls(count.calls) for count in counters.values()),
    }
    if facts.get("recovered"):
        proofs["recovered_locks"] = facts["recovered"]
    if races:
        proofs |= {"updates": stored_updates(facts), "lost_updates": lost}
    return proofs
