"""The benchmarks of time: what recording costs, and how soon and where a recording of a million records is shown."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ipctui.lab.player import Player
from ipctui.mechanisms import catalogue
from tests.long import write

if TYPE_CHECKING:
    from tests.bench import Terminal

Row = Callable[[str, str, str], None]
_MILLION = 1_000_000
_SEEKS = 100
_PAIRS = 40
_HALF = 2.0
"""Seconds that are measured with recording, and as many without."""
_SETTLE = 0.5
"""Seconds after the key: a recording begins with the whole state and ends with a summary."""
_WARM = 5.0


def bench_record(row: Row) -> None:
    """The application's CPU at 20 messages a second with and without recording: one app, its key R pressed between.

    Two runs of the application differ by more than what recording costs, so that nothing is compared but the halves of
    one run: short, next to each other, in the order on, off, off, on, and everything on one processor.
    """
    from tests.bench import Terminal, _app

    allowed, folder = os.sched_getaffinity(0), os.getcwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.sched_setaffinity(0, {max(allowed)})
        try:
            terminal = Terminal(_app())
        finally:
            os.chdir(folder)
            os.sched_setaffinity(0, allowed)
        try:
            terminal.until(rb"LIVE")
            terminal.keep_reading(_WARM)
            spent = [_halves(terminal, turn % 2 == 0) for turn in range(_PAIRS)]
        finally:
            terminal.end()
        made = sum(path.stat().st_size > 1000 for path in Path(place).iterdir())
    assert made == _PAIRS, f"{made} recordings of {_PAIRS} were made"
    with_it, without = (statistics.median(each) / _HALF * 100 for each in zip(*spent, strict=True))
    more = sorted(on / off - 1 for on, off in spent)
    low, _, high = statistics.quantiles(more, n=4)
    # The spread is that of single pairs; the median of so many is surer by the root of their number.
    error = 1.25 * statistics.stdev(more) / len(more) ** 0.5
    row(
        "CPU of the app recorded / not, 20 messages a second",
        f"{with_it:.2f} / {without:.2f} %: median of {_PAIRS} pairs {statistics.median(more) * 100:+.1f} "
        f"± {error * 100:.1f} %, quartiles {low * 100:+.1f} … {high * 100:+.1f} %",
        "at most +5 %",
    )


def _halves(terminal: Terminal, recorded_first: bool) -> tuple[float, float]:
    """CPU seconds of the application in a half that is recorded and one that is not, in either order."""
    spent = {}
    for on in (recorded_first, not recorded_first):
        if on:
            terminal.send(b"R")
            terminal.keep_reading(_SETTLE)
        before = _cpu_time(terminal.pid)
        terminal.keep_reading(_HALF)
        spent[on] = _cpu_time(terminal.pid) - before
        if on:
            terminal.send(b"R")
            terminal.keep_reading(_SETTLE)
    return spent[True], spent[False]


def _cpu_time(pid: int) -> float:
    """CPU seconds of a process with all its threads, those that have ended too, to the nanosecond.

    clock_getcpuclockid(3): the kernel counts them in a clock of the process, whose number is made of its pid.
    """
    return time.clock_gettime(~pid << 3 | 2)


def bench_million(row: Row) -> None:
    """A recording of a million records: the first frame, the index, seeks and memory, plain and compressed."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("million.jsonl", "million.jsonl.gz"):
            path = Path(folder) / name
            write(path, _MILLION)
            _open(row, path)
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench_time", str(path)], capture_output=True, text=True, check=True
            )
            indexed, slowest, median, memory = done.stdout.split()
            kind = "compressed" if path.suffix == ".gz" else "plain"
            row(f"a million records, {kind}: indexed after", f"{indexed} s", "in the background")
            row(
                f"a million records, {kind}: seek, slowest of {_SEEKS}",
                f"{slowest} ms, median {median} ms",
                "at most 200 ms",
            )
            row(f"a million records, {kind}: peak memory", f"{memory} MB", "at most 300 MB")
            path.unlink()


def _open(row: Row, path: Path) -> None:
    from tests.bench import Terminal, _rss

    times = []
    memory = 0
    for turn in range(3):
        terminal = Terminal([sys.executable, "-m", "ipctui", "replay", str(path)])
        try:
            times.append(terminal.until(rb"REPLAY"))
            if turn == 2:
                terminal.keep_reading(30.0)
                memory = _rss(terminal.pid)
        finally:
            terminal.end()
    kind = "compressed" if path.suffix == ".gz" else "plain"
    row(f"a million records, {kind}: first frame", f"{statistics.median(times) * 1e3:.0f} ms", "at most 2 s")
    row(f"a million records, {kind}: the app playing, after 30 s", f"{memory / 1024:.0f} MB", "at most 300 MB")


def bench_export(row: Row) -> None:
    """A recording of a million records as a Perfetto trace and as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.jsonl.gz"
        write(path, _MILLION)
        for name, most in (("perfetto", "at most 20 s"), ("text", "")):
            began = time.monotonic()
            words = [sys.executable, "-m", "ipctui", "export", str(path), "--to", name, "-o", f"{folder}/{name}"]
            subprocess.run(words, check=True)
            row(f"a million records to {name}", f"{time.monotonic() - began:.1f} s", most)


def main() -> None:
    """Index a recording and seek in it: seconds, slowest and median milliseconds, megabytes."""
    began = time.monotonic()
    player = Player(Path(sys.argv[1]), catalogue.channel)
    assert player._thread is not None
    player._thread.join()
    indexed = time.monotonic() - began
    cursor, chance, times = player.cursor(), random.Random(1), []
    for _ in range(_SEEKS):
        start = time.monotonic()
        cursor.seek(chance.randrange(player.timeline.end))
        times.append((time.monotonic() - start) * 1e3)
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(f"{indexed:.1f} {max(times):.0f} {statistics.median(times):.0f} {peak:.0f}")


if __name__ == "__main__":
    main()
