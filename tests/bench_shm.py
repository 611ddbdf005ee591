"""The benchmarks of shared memory: updates lost without and with the lock, and what tracing costs flat out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = Callable[[str, str, str], None]
_MESSAGES, _ROUNDS = 60_000, 7


def bench_shm(row: Row) -> None:
    """`race` without the lock for ten seconds and with it for a minute; traced loops against bare ones."""
    cpus = len(os.sched_getaffinity(0))
    for words, seconds, bound in (
        ((), 10, "at least 1 %"),
        (("rate=0", "gap=0"), 10, "at least 1 %, flat out"),
        (("provoke=on",), 10, "nearly one in two"),
        (("lock=on", "rate=0", "gap=0"), 60, "none"),
    ):
        proofs = _raced(words, seconds)
        lost, updates = proofs["lost_updates"], proofs["updates"]
        row(
            f"race {' '.join(words) or 'by its defaults'}, {seconds} s on {cpus} CPUs: lost",
            f"{lost:,} of {updates:,} = {lost * 100 / max(updates, 1):.1f} %",
            bound,
        )
    script = str(Path(__file__).with_name("bench_shm_loops.py"))
    done = subprocess.run(
        [sys.executable, script, str(_MESSAGES), str(_ROUNDS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    figures = dict(line.split() for line in done.stdout.splitlines())
    for how, name in (("one", "both loops in one process, pinned"), ("two", "producer and consumer on two CPUs")):
        bare, traced = float(figures[f"bare-{how}"]), float(figures[f"traced-{how}"])
        row(
            f"spin flat out, a traced message / a bare one, {name}",
            f"{traced:.0f} / {bare:.0f} ns = {traced / bare:.2f}",
            "the ratio",
        )


def _raced(words: tuple[str, ...], seconds: int) -> dict[str, Any]:
    """What a session of `race` proved."""
    settings = [part for word in words for part in ("--set", word)]
    command = [sys.executable, "-m", "ipctui", "run", "shm", "--variant", "race", *settings]
    done = subprocess.run(
        [*command, "--headless", "--for", str(seconds)],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    last = json.loads(done.stdout.splitlines()[-1])
    proofs: dict[str, Any] = last["proofs"]
    return proofs
