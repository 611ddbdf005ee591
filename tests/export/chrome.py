"""A strict reader of Chrome traces, which takes them as trace_processor does and refuses what it would drop or warn of.

The rules are those of src/trace_processor: importers/json/json_trace_parser.cc and json_utils.h (CoerceToTs),
importers/common/slice_tracker.cc (nesting) and flow_tracker.cc (arrows).
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MARKS = {"X": {"name", "cat", "ts", "dur"}, "C": {"name", "ts", "args"}, "i": {"name", "ts", "s"}}
FLOWS = {"name", "cat", "id", "ts"}


class RefusedError(AssertionError):
    """A trace that trace_processor would not take whole."""


@dataclass
class Slice:
    name: str
    category: str
    begin: int
    end: int
    pid: int
    tid: int
    args: dict[str, Any]


@dataclass
class Flow:
    name: str
    out: Slice
    into: Slice | None = None


@dataclass
class Loaded:
    """A trace as it was taken."""

    slices: list[Slice] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    counters: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    instants: list[dict[str, Any]] = field(default_factory=list)
    processes: dict[int, str] = field(default_factory=dict)
    threads: dict[tuple[int, int], str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def of(self, category: str) -> list[Slice]:
        return [each for each in self.slices if each.category == category]


def ensure(right: bool, why: str, event: Any = None) -> None:
    if not right:
        raise RefusedError(f"{why}: {event}")


def nanoseconds(value: Any) -> int:
    """What trace_processor makes of `ts` and `dur`: a double times 1000, its fraction cut off."""
    ensure(isinstance(value, int | float) and not isinstance(value, bool), "no number", value)
    return value * 1000 if isinstance(value, int) else int(value * 1000.0)


def load(text: str) -> Loaded:
    """Take a trace whole, or refuse it."""

    def constant(name: str) -> None:
        raise RefusedError(f"no JSON: {name}")

    strange = [char for char in set(text) if unicodedata.category(char) in ("Cc", "Cs") and char != "\n"]
    ensure(not strange, "control characters or halves of surrogate pairs", strange)
    trace = json.loads(text, parse_constant=constant)
    loaded = Loaded(about=trace["otherData"])
    last: dict[tuple[int, int], int] = {}
    timed = []
    for event in trace["traceEvents"]:
        phase = event["ph"]
        for number in ("pid", "tid"):
            ensure(event.get("s") == "g" or 0 < event[number] < 1 << 32, f"{number} is no 32-bit number", event)
        if phase == "M":
            _name(loaded, event)
            continue
        ensure(phase in MARKS or phase in "sf", "a phase that is not used here", event)
        ensure(event.keys() >= MARKS.get(phase, FLOWS), "something is missing", event)
        t = nanoseconds(event["ts"])
        ensure(t >= 0, "a time below zero is dropped", event)
        if phase == "X":
            place = event["pid"], event["tid"]
            ensure(t >= last.get(place, 0), "not in the order of time", event)
            last[place] = t
        timed.append((t, event))
    timed.sort(key=lambda each: each[0])
    _play(loaded, timed)
    for each in loaded.slices:
        ensure(each.pid in loaded.processes, "a process without a name", each)
        ensure((each.pid, each.tid) in loaded.threads, "a thread without a name", each)
    homes = Counter(tid for _, tid in loaded.threads)
    ensure(all(count == 1 for count in homes.values()), "a thread in two processes", homes)
    return loaded


def _name(loaded: Loaded, event: dict[str, Any]) -> None:
    if event["name"] == "process_name":
        ensure(event["pid"] not in loaded.processes, "a process named twice", event)
        loaded.processes[event["pid"]] = event["args"]["name"]
    elif event["name"] == "thread_name":
        ensure((event["pid"], event["tid"]) not in loaded.threads, "a thread named twice", event)
        loaded.threads[event["pid"], event["tid"]] = event["args"]["name"]
    else:
        ensure(event["name"] in ("process_sort_index", "thread_sort_index"), "metadata of no use", event)
        ensure(isinstance(event["args"]["sort_index"], int), "no number", event)


def _play(loaded: Loaded, timed: list[tuple[int, dict[str, Any]]]) -> None:
    stacks: dict[tuple[int, int], list[Slice]] = {}
    open_flows: dict[tuple[int, str, str], Flow] = {}
    used: set[int] = set()
    for t, event in timed:
        place = event.get("pid", 0), event.get("tid", 0)
        stack = stacks.setdefault(place, [])
        match event["ph"]:
            case "X":
                _push(loaded, stack, t, event)
            case "s" | "f":
                ensure(isinstance(event["id"], int) and 0 <= event["id"] < 1 << 64, "no numeric id", event)
                found = [each for each in stack if each.begin <= t < each.end or t == each.begin == each.end]
                ensure(bool(found), "an arrow outside every slice", event)
                name = event["id"], event["cat"], event["name"]
                if event["ph"] == "s":
                    ensure(event["id"] not in used, "an id used again", event)
                    used.add(event["id"])
                    open_flows[name] = Flow(event["name"], found[-1])
                else:
                    ensure(event.get("bp") == "e", "an arrow that would end at the next slice", event)
                    ensure(name in open_flows, "an arrow that ends before it begins, or never began", event)
                    flow = open_flows.pop(name)
                    flow.into = found[-1]
                    loaded.flows.append(flow)
            case "C":
                for series, value in event["args"].items():
                    ensure(isinstance(value, int | float), "a counter that is no number", event)
                    loaded.counters.setdefault(f"{event['name']} {series}", []).append((t, value))
            case "i":
                ensure(event["s"] in ("g", "p", "t"), "an instant without a scope", event)
                loaded.instants.append({**event, "t": t})
    ensure(not open_flows, "an arrow without an end", open_flows)


def _push(loaded: Loaded, stack: list[Slice], t: int, event: dict[str, Any]) -> None:
    length = nanoseconds(event["dur"])
    ensure(length >= 0, "a slice of negative length", event)
    while stack and (stack[-1].end < t or (stack[-1].end == t and (stack[-1].end > stack[-1].begin or length > 0))):
        stack.pop()
    ensure(not stack or t + length <= stack[-1].end, "a slice that partly overlaps another", event)
    ensure(not stack, "a slice within another: calls of one thread follow one another", event)
    new = Slice(event["name"], event["cat"], t, t + length, event["pid"], event["tid"], event.get("args", {}))
    stack.append(new)
    loaded.slices.append(new)
