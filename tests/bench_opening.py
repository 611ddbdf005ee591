"""The opening screen: time to the first frame with all tiles, memory of the whole family, CPU while it idles."""

from __future__ import annotations

import os
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipctui.kernel.process import children
from ipctui.mechanisms import catalogue

Row = Callable[[str, str, str], None]
_ALL = (200, 60)
"""Columns and lines at which every tile is in sight."""
_SECONDS = 15


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def pss(pid: int) -> int:
    """A process's proportional set size, bytes: pages that several share count once among them; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+)", text, re.M)
    return int(found[1]) * 1024 if found is not None else 0


def cpu(pid: int) -> float:
    """CPU seconds of a process and of its children that were waited for; 0.0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def bench_opening(row: Row, terminal_of: Callable[..., Any], bare: str) -> None:
    """Print the three measures; `terminal_of` is tests.bench.Terminal, `bare` the source of a bare Textual app."""
    command = [sys.executable, "-m", "ipctui"]
    # Each tile says its name, and the last of them is drawn in the first frame or in none.
    last = catalogue.NAMES[-1].encode()
    times, busy, plain = [], [], []
    for _ in range(5):
        nothing = terminal_of([sys.executable, "-c", bare])
        plain.append(nothing.until(rb"BARE-LABEL"))
        nothing.end(None)
        terminal = terminal_of(command, *_ALL)
        times.append(terminal.until(rb"(?s)" + last + rb".*quit"))
        busy.append(cpu(terminal.pid))
        terminal.end()
    ours, on_cpu, floor = (statistics.median(each) * 1e3 for each in (times, busy, plain))
    figure = f"{ours:.0f} ms ({on_cpu:.0f} on a CPU), bare app {floor:.0f}"
    row(f"`ipctui` to the first frame with all {len(catalogue.NAMES)} tiles", figure, "at most 1,000 ms")
    terminal = terminal_of(command)
    try:
        terminal.until(rb"quit")
        # The miniatures are drawn while they are first played; afterwards nothing is new.
        terminal.keep_reading(12)
        members = family(terminal.pid)
        memory = sum(map(pss, members)) / 1e6
        before = {pid: cpu(pid) for pid in members}
        terminal.keep_reading(_SECONDS)
        used = {pid: cpu(pid) - before[pid] for pid in members}
    finally:
        terminal.end()
    row("memory of the app, launcher and measuring process (PSS)", f"{memory:.0f} MB", "at most 300 MB")
    app, whole = used[terminal.pid] / _SECONDS, sum(used.values()) / _SECONDS
    row(
        "CPU of the opening screen at 10 frames a second, 120x36",
        f"app {app:.1%}, with the bursts {whole:.1%}",
        "app at most 20 %",
    )
