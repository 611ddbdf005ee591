"""The strict reader of traces refuses what it is there to refuse."""

import json
from typing import Any

import pytest

from tests.export.chrome import RefusedError, load

NAMES = [
    {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "parent"}},
    {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "calls"}},
    {"name": "process_name", "ph": "M", "pid": 2, "tid": 2, "args": {"name": "child"}},
    {"name": "thread_name", "ph": "M", "pid": 2, "tid": 2, "args": {"name": "calls"}},
]


def slice_(pid: int, ts: float, dur: float, **more: Any) -> dict[str, Any]:
    return {"name": "read", "cat": "call", "ph": "X", "ts": ts, "dur": dur, "pid": pid, "tid": pid, **more}


def flow(phase: str, pid: int, ts: float, **more: Any) -> dict[str, Any]:
    bound = {"bp": "e"} if phase == "f" else {}
    return {"name": "m", "cat": "c", "ph": phase, "id": 1, "ts": ts, "pid": pid, "tid": pid, **bound, **more}


def text(*events: dict[str, Any], names: list[dict[str, Any]] = NAMES) -> str:
    return json.dumps({"traceEvents": [*names, *events], "otherData": {}}, ensure_ascii=False)


GOOD = (slice_(1, 10, 5), slice_(2, 12, 9), flow("s", 1, 10), flow("f", 2, 20), slice_(1, 15, 5))


def test_a_good_trace_is_taken() -> None:
    loaded = load(text(*GOOD))
    assert [(each.begin, each.end) for each in loaded.slices] == [(10_000, 15_000), (12_000, 21_000), (15_000, 20_000)]
    assert [(each.out.pid, each.into.pid) for each in loaded.flows if each.into] == [(1, 2)]


@pytest.mark.parametrize(
    ("why", "bad"),
    {
        "overlaps": text(slice_(1, 10, 5), slice_(1, 14, 5)),
        "within": text(slice_(1, 10, 5), slice_(1, 11, 1)),
        "order of time": text(slice_(1, 10, 1), slice_(1, 5, 1)),
        "negative length": text(slice_(1, 10, -1)),
        "below zero": text(slice_(1, -1, 1)),
        "missing": text({"name": "x", "ph": "X", "ts": 1, "pid": 1, "tid": 1}),
        "no number": text(slice_(1, "1", 1)),  # type: ignore[arg-type]
        "outside every slice": text(slice_(1, 10, 5), flow("s", 1, 15)),
        "never began": text(slice_(1, 10, 5), flow("f", 1, 11)),
        "without an end": text(slice_(1, 10, 5), flow("s", 1, 11)),
        "used again": text(*GOOD, flow("s", 1, 16)),
        "next slice": text(slice_(1, 10, 5), flow("s", 1, 10), flow("f", 1, 11, bp="x")),
        "numeric id": text(slice_(1, 10, 5), flow("s", 1, 10, id="one")),
        "process without a name": text(slice_(1, 1, 1), names=NAMES[2:]),
        "thread without a name": text(slice_(1, 1, 1), names=NAMES[:1]),
        "two processes": text(names=[*NAMES, {**NAMES[1], "pid": 2}]),
        "named twice": text(names=[*NAMES, NAMES[0]]),
        "32-bit": text(slice_(-1, 1, 1)),
        "control characters": text(slice_(1, 1, 1)).replace("read", "\x1b"),
        "surrogate": text(slice_(1, 1, 1)).replace("read", "\udcff"),
        "no JSON": text(slice_(1, float("nan"), 1)),
    }.items(),
)
def test_a_bad_one_is_refused(why: str, bad: str) -> None:
    with pytest.raises(RefusedError, match=why):
        load(bad)
