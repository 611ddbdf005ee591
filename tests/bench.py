"""The benchmarks that `make bench` prints: ratios within one run, processes pinned, the loops interleaved.

Run `python -m tests.bench NAME…` for some of them: calls, start, keys, cpu, workers, flat, record, million, shm,
observing, rights.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench_cells import bench_cells
from tests.bench_observing import bench_observing
from tests.bench_opening import bench_opening
from tests.bench_rights import bench_rights
from tests.bench_rpc import bench_rpc
from tests.bench_shm import bench_shm
from tests.bench_time import bench_export, bench_million, bench_record

_REPEATS = 15
_CALLS = 12_000
_BARE_APP = """
import time, os, sys
from textual.app import App
from textual.widgets import Label
class Bare(App):
    def compose(self):
        yield Label("BARE-LABEL")
    def on_mount(self):
        self.call_after_refresh(self.exit)
Bare().run()
"""


def row(name: str, figure: str, bound: str) -> None:
    """Print one measure."""
    print(f"{name:<62} {figure:>26}   {bound}", flush=True)


def bench_calls() -> None:
    """A traced write and read against the bare ones, in the programs' own loops, pinned to one CPU."""
    script = Path(__file__).with_name("bench_calls.py")
    result = subprocess.run(
        [sys.executable, str(script), str(_CALLS), str(_REPEATS)], capture_output=True, text=True, check=True
    )
    figures = dict(line.split() for line in result.stdout.splitlines())
    for name in ("write", "read"):
        bare, traced = float(figures[f"bare-{name}"]), float(figures[f"traced-{name}"])
        row(
            f"traced 64-byte {name} / bare os.{name}, same loop",
            f"{traced:.0f} / {bare:.0f} ns = {traced / bare:.2f}",
            "at most 3",
        )
    if shutil.which("strace"):
        with tempfile.NamedTemporaryFile() as log:
            traced_by = ["strace", "-f", "-o", log.name, sys.executable, str(script), "400", "3", "bare"]
            slow = subprocess.run(traced_by, capture_output=True, text=True, check=False)
        if slow.returncode == 0:
            figures_slow = dict(line.split() for line in slow.stdout.splitlines())
            for name in ("write", "read"):
                ratio = float(figures_slow[f"bare-{name}"]) / float(figures[f"bare-{name}"])
                row(f"the same bare {name} under strace -f / without", f"{ratio:.0f}", "about 200")


class Terminal:
    """A program in a pseudo-terminal, its output read as it comes."""

    def __init__(self, command: list[str], columns: int = 120, lines: int = 36) -> None:
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.seen = b""

    def until(self, pattern: bytes, seconds: float = 20.0) -> float:
        """Read until the output holds a pattern; seconds since the start."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pattern!r} did not come; the last was {self.seen[-300:]!r}")
            self.drain(0.05)
        return time.monotonic() - self.began

    def drain(self, seconds: float) -> bytes:
        """What comes within some seconds, or the first part of it."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                part = os.read(self.fd, 1 << 16)
            except OSError:
                return b""
            self.seen += part
            return part
        return b""

    def keep_reading(self, seconds: float) -> None:
        """Read for a while, as a terminal would."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.drain(left)
            self.seen = self.seen[-4096:]

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.fd, keys)

    def end(self, key: bytes | None = b"q") -> None:
        """Quit and wait."""
        if key is not None:
            self.send(key)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.drain(0.02)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def _app(*words: str) -> list[str]:
    return [sys.executable, "-m", "ipctui", "run", "pipe", *words]


def bench_start() -> None:
    """From the command to the first frame with live workers, against a bare Textual app to its first."""
    ours, bare = [], []
    for _ in range(7):
        plain = Terminal([sys.executable, "-c", _BARE_APP])
        bare.append(plain.until(rb"BARE-LABEL"))
        plain.end(None)
        terminal = Terminal(_app())
        ours.append(terminal.until(rb"LIVE"))
        terminal.end()
    mine, plain_time = statistics.median(ours), statistics.median(bare)
    row(
        "first frame with live workers / bare Textual app",
        f"{mine * 1e3:.0f} / {plain_time * 1e3:.0f} ms = {mine / plain_time:.2f}",
        "at most 2",
    )


def bench_keys() -> None:
    """From a key press to the gate's word, and to the change on the screen."""
    gates, screens = [], []
    terminal = Terminal(_app("--set", "rate=20"))
    try:
        terminal.until(rb"LIVE")
        terminal.keep_reading(1.0)
        ring = _ring_of(terminal.pid, "parent")
        for _ in range(60):
            terminal.seen = b""
            held = ring() & 1
            began = time.monotonic()
            terminal.send(b" ")
            gate = screen = None
            wanted = rb"HELD" if not held else rb"PACED|RUNNING"
            while gate is None or screen is None:
                if gate is None and (ring() & 1) != held:
                    gate = time.monotonic() - began
                terminal.drain(0.0005)
                if screen is None and re.search(wanted, terminal.seen):
                    screen = time.monotonic() - began
                if time.monotonic() - began > 2:
                    raise TimeoutError("no answer to a key")
            gates.append(gate)
            screens.append(screen)
            terminal.keep_reading(0.12)
    finally:
        terminal.end()
    for name, times, bound in (
        ("key press to the gate closing", gates, 20),
        ("key press to the change on the screen", screens, 60),
    ):
        times.sort()
        figure = f"median {statistics.median(times) * 1e3:.1f}, slowest of {len(times)} {times[-1] * 1e3:.1f} ms"
        row(name, figure, f"p99 at most {bound} ms")


def _ring_of(app: int, role: str) -> Callable[[], int]:
    """A reader of the gate's word of a worker's ring, through the application's own descriptors."""
    from ipctui.trace.ring import W_GATE, RingError, RingReader

    for entry in sorted(Path(f"/proc/{app}/fd").iterdir(), key=lambda path: int(path.name)):
        if "ipctui-ring" not in os.readlink(entry):
            continue
        fd = os.open(entry, os.O_RDWR)
        try:
            reader = RingReader(fd)
        except RingError:
            continue
        pid = reader.words[16]
        if Path(f"/proc/{pid}/comm").read_text().strip() == role:
            return lambda: reader.words[W_GATE]
    raise LookupError(role)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_cpu() -> None:
    """The application's CPU at 120x36, the workers held, at 20 messages a second, and flat out."""
    for name, words, keys, bound in (
        ("held", ("--set", "start=held"), b"", 3),
        ("20 messages a second", (), b"", 12),
        ("flat out", ("--set", "rate=0"), b"", 35),
    ):
        terminal = Terminal(_app(*words))
        try:
            terminal.until(rb"LIVE")
            if keys:
                terminal.send(keys)
            terminal.keep_reading(2.0)
            before, began = _cpu_seconds(terminal.pid), time.monotonic()
            terminal.keep_reading(8.0)
            share = (_cpu_seconds(terminal.pid) - before) / (time.monotonic() - began)
        finally:
            terminal.end()
        row(f"CPU of the app at 120x36, workers {name}", f"{share * 100:.1f} % of a core", f"at most {bound} %")


def bench_workers() -> None:
    """How long a worker takes from the launcher's order to its first operation, and what it costs in memory."""
    from ipctui.cli.session import Choice, laboratory
    from ipctui.lab.parameters import settle
    from ipctui.mechanisms import catalogue

    channel = catalogue.channel("pipe")
    variant = channel.variants[0]
    choice = Choice(channel, variant, settle(channel.parameters(), {}, ["rate=0"]))
    times, sizes = [], []
    with laboratory(choice) as lab:
        for _ in range(20):
            lab._end_workers()
            ordered: list[int] = []
            tell = lab.launcher.tell

            def noted(message: dict[str, object], fds: tuple[int, ...] = (), tell=tell, ordered=ordered) -> None:
                if message["op"] == "start":
                    ordered.append(time.monotonic_ns())
                tell(message, fds)

            lab.launcher.tell = noted
            lab._begin(held=False)
            lab.launcher.tell = tell
            times.append(lab.handles[0].ring.read(1 << 20)[0].begin - ordered[0])
        sizes = [_pss(each.pid) for each in lab.handles]
    row(
        "the order to start to a worker's first system call",
        f"median {statistics.median(times) / 1e6:.1f} ms",
        "at most 5 ms to start",
    )
    row("a worker's proportional set size, one pair", f"{max(sizes) / 1024:.2f} MB", "at most 2 MB")
    row(
        "the same of a forked pair that has imported threading and nothing else",
        f"{_bare_pair() / 1024:.2f} MB",
        "the floor",
    )


_BARE_PAIR = """
import gc, os, sys, threading
gc.freeze()
ready, ended = os.pipe(), os.pipe()
pids = []
for _ in range(2):
    if not (pid := os.fork()):
        os.close(ended[1])
        os.write(ready[1], b".")
        os.read(ended[0], 1)
        os._exit(0)
    pids.append(pid)
for _ in pids:
    os.read(ready[0], 1)
print(*pids, flush=True)
sys.stdin.read()
"""


def _bare_pair() -> int:
    """The proportional set size, KiB, of an interpreter's forked child that has nothing of ours in it."""
    program = [sys.executable, "-I", "-S", "-c", _BARE_PAIR]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        sizes = [_pss(int(pid)) for pid in process.stdout.readline().split()]
        process.stdin.close()
    return max(sizes)


def _pss(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])  # type: ignore[index]


def bench_flat() -> None:
    """Sixty seconds flat out: the application's memory, and its counts against the workers' own."""
    terminal = Terminal(_app("--set", "rate=0"))
    try:
        terminal.until(rb"LIVE")
        terminal.keep_reading(10)
        early = _rss(terminal.pid)
        terminal.keep_reading(50)
        late = _rss(terminal.pid)
    finally:
        terminal.end()
    row("resident memory of the app flat out, after 10 s and 60 s", f"{early / 1024:.1f}, {late / 1024:.1f} MB", "flat")


def _rss(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+)", text, re.M)[1])  # type: ignore[index]


BENCHES: dict[str, Callable[[], None]] = {
    "record": lambda: bench_record(row),
    "million": lambda: bench_million(row),
    "export": lambda: bench_export(row),
    "shm": lambda: bench_shm(row),
    "rpc": lambda: bench_rpc(row),
    "observing": lambda: bench_observing(row),
    "opening": lambda: bench_opening(row, Terminal, _BARE_APP),
    "cells": lambda: bench_cells(row, Terminal, _cpu_seconds),
    "rights": lambda: bench_rights(row),
    "calls": bench_calls,
    "start": bench_start,
    "keys": bench_keys,
    "cpu": bench_cpu,
    "workers": bench_workers,
    "flat": bench_flat,
}


def main() -> None:
    """Run the benchmarks named, or all."""
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()


if __name__ == "__main__":
    main()
