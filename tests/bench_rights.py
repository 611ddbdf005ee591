"""ALPC's and Mach's ways of moving messages against each other and against bare sockets, in one run on one CPU."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms import catalogue
from ipctui.widgets.sizes import crossing, size_text, time_text

Row = Callable[[str, str, str], None]
_SECONDS = 8.0
_ROUNDS = 2000


def bench_rights(row: Row) -> None:
    """The medians that the panes draw, taken flat out, the workers pinned to one CPU and the laboratory to another."""
    bare = _bare_round_trip(256)
    ways = _medians("alpc", "measure", _SECONDS)
    small, traced = ways["port"][256], ways["bare"][256]
    row(
        "ALPC's small path / bare socketpair round trip, 256 bytes",
        f"{time_text(small)} / {time_text(bare)} = {small / bare:.2f}",
        "what poll, recvmsg and tracing add",
    )
    row(
        "the same round trip, traced, nothing but send and recv",
        f"{time_text(traced)} = {traced / bare:.2f}",
        "",
    )
    _compare(row, "section", ways)
    _compare(row, "direct", ways)
    ways = _medians("mach", "out-of-line", _SECONDS)
    for way in ("fresh", "ready", "one page"):
        _compare(row, way, ways)


def _compare(row: Row, way: str, ways: Mapping[str, Mapping[int, int]]) -> None:
    """One way against copying at its smallest and largest size, and where it begins to win."""
    copied, other = ways["copied"], ways[way]
    sizes = sorted(set(copied) & set(other))
    low, high = sizes[0], sizes[-1]
    wins = crossing(copied, other)
    row(
        f"{way} / copied, {size_text(low)} … {size_text(high)} bytes",
        f"{other[low] / copied[low]:.2f} … {other[high] / copied[high]:.2f}",
        f"wins from {size_text(wins)} on" if wins is not None else "never wins",
    )


def _medians(mechanism: str, variant: str, seconds: float) -> dict[str, dict[int, int]]:
    """By way, the median of each size, nanoseconds."""
    every = os.sched_getaffinity(0)
    one, *others = sorted(every)
    os.sched_setaffinity(0, {one})  # the launcher and its workers inherit it
    try:
        launcher = LauncherClient()
        os.sched_setaffinity(0, set(others) or {one})
        channel = catalogue.channel(mechanism)
        chosen = next(each for each in channel.variants if each.name == variant)
        lab = Lab(channel, chosen, settle(channel.parameters(), chosen.values, ["rate=0"]), launcher)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lab.batch()
            time.sleep(0.2)
        facts: dict[str, Any] = lab.state.channels["measures"].now.facts
        lab.close()
        launcher.close()
    finally:
        os.sched_setaffinity(0, every)
    ways: dict[str, dict[int, int]] = {}
    for each in facts["rows"]:
        ways.setdefault(each["way"], {})[each["size"]] = each["median"]
    return ways


def _bare_round_trip(size: int) -> float:
    """Nanoseconds of a message there and back on a socketpair between two processes on one CPU, untraced."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        mine.close()
        while data := theirs.recv(4096):
            theirs.send(data)
        os._exit(0)
    theirs.close()
    message = b"x" * size
    times = []
    for _ in range(_ROUNDS):
        began = time.monotonic_ns()
        mine.send(message)
        mine.recv(4096)
        times.append(time.monotonic_ns() - began)
    mine.close()
    os.waitpid(pid, 0)
    os.sched_setaffinity(0, every)
    return statistics.median(times)
