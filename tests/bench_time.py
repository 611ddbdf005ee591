"""The benchmarks of time: what recording costs, and how soon and where a recording of a million records is shown."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ipctui.lab.player import Player
from ipctui.mechanisms import catalogue
from tests.long import write

Row = Callable[[str, str, str], None]
_MILLION = 1_000_000
_SEEKS = 100


def bench_record(row: Row) -> None:
    """The application's CPU at 20 messages a second, recorded and not, side by side in pairs."""
    from tests.bench import Terminal, _app, _cpu_seconds

    plain, recorded = [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(5):
            both = [Terminal(_app()), Terminal(_app("--record", f"{folder}/{turn}.jsonl.gz"))]
            try:
                for each in both:
                    each.until(rb"LIVE")
                _read(both, 2.0)
                before = [_cpu_seconds(each.pid) for each in both]
                _read(both, 12.0)
                spent = [_cpu_seconds(each.pid) - was for each, was in zip(both, before, strict=True)]
            finally:
                for each in both:
                    each.end()
            plain.append(spent[0])
            recorded.append(spent[1])
    ratio = sum(recorded) / sum(plain) - 1
    row(
        "CPU of the app recorded / not, 20 messages a second",
        f"{sum(recorded) / 0.6:.1f} / {sum(plain) / 0.6:.1f} % = {ratio * 100:+.1f} %",
        "at most +5 %",
    )


def _read(terminals: list[object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in terminals:
            each.drain(0.02)  # type: ignore[attr-defined]
            each.seen = each.seen[-4096:]  # type: ignore[attr-defined]


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
