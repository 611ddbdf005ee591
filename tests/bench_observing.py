"""What observing costs: the application's CPU time on the panes with the most processes, against idle ones."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ipctui.lab.parameters import settle
from ipctui.mechanisms import catalogue

Row = Callable[[str, str, str], None]
_MECHANISMS = ("fifo", "shm", "mailbox", "direct")
_MOST = 5
_SECONDS = 10.0
_BOUND = "at most +10 % of a core"


def crowded() -> list[tuple[str, str, int]]:
    """The variants with the most processes by their defaults: mechanism, variant, processes."""
    found = []
    for name in _MECHANISMS:
        channel = catalogue.channel(name)
        for variant in channel.variants:
            plan = channel.plan(variant, settle(channel.parameters(), variant.values, []))
            found.append((name, variant.name, sum(len(tree) for tree in plan.trees)))
    return sorted(found, key=lambda row: -row[2])[:_MOST]


def bench_observing(row: Row) -> None:
    """CPU time by /proc/PID/stat over ten seconds at 120x36, running beside the same pane with everybody held.

    The last row is what it costs to be told of some thousands of calls a second, for which the flat-out bound holds.
    """
    rows: list[tuple[str, str, int, tuple[str, ...], str]] = [(*each, (), _BOUND) for each in crowded()]
    rows.append(("fifo", "many-writers", 3, ("--set", "reads=0"), "at most +35 %, flat out"))
    for name, variant, processes, more, bound in rows:
        idle, busy = _shares(name, variant, more)
        row(
            f"CPU of the app on {name} {variant} {' '.join(more[1:])}, {processes} processes / all held",
            f"{busy:.1f} / {idle:.1f} % = {busy - idle:+.1f} %",
            bound,
        )


def _shares(name: str, variant: str, more: Sequence[str]) -> list[float]:
    """Percent of a core that the application takes with everybody held, and running."""
    from tests.bench import Terminal, _cpu_seconds

    words = [sys.executable, "-m", "ipctui", "run", name, "--variant", variant, *more]
    both = [Terminal([*words, "--set", "start=held"]), Terminal(words)]
    try:
        for each in both:
            each.until(rb"LIVE")
        _read(both, 3.0)
        before, began = [_cpu_seconds(each.pid) for each in both], time.monotonic()
        _read(both, _SECONDS)
        spent = time.monotonic() - began
        return [(_cpu_seconds(each.pid) - was) * 100 / spent for each, was in zip(both, before, strict=True)]
    finally:
        for each in both:
            each.end()


def _read(terminals: Sequence[Any], seconds: float) -> None:
    """Read from all of them for a while, as terminals would."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in terminals:
            each.drain(0.02)
            each.seen = each.seen[-4096:]
