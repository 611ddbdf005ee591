"""What the tests with real processes share: a laboratory in hand, one in a process of its own, and who is marked."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ipctui.lab.commands import told
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.lab.state import ProcessState
from ipctui.lab.summary import summary
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Call, Command, Event, Record, State, Summary

IPCTUI = (sys.executable, "-m", "ipctui")
MARK = "IPCTUI_TEST_MARK"
PATIENCE = 90.0
"""Seconds that anything may take at least before a test gives it up: a busy machine is no failure."""
_SLOW = 4.0
"""How much longer than on an idle machine what takes its time there may take."""


def waited(condition: Callable[[], object], seconds: float, what: str = "") -> None:
    """Returns when `condition` holds; fails when it does not within the deadline, PATIENCE at least."""
    deadline = time.monotonic() + max(seconds, PATIENCE)
    while not condition():
        assert time.monotonic() < deadline, f"did not come true in time: {what or condition}"
        time.sleep(0.005)


class Bench:
    """A laboratory on the test's bench: ticked until something is so, and everything that it told kept."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.records: list[Record] = []
        self.last: Summary | None = None

    def tick(self) -> None:
        self.records += self.lab.batch()

    def until(self, condition: Callable[[], object], seconds: float = 5.0, what: str = "") -> None:
        deadline = time.monotonic() + max(seconds * _SLOW, PATIENCE)
        while True:
            self.tick()
            if condition():
                return
            assert time.monotonic() < deadline, f"{what or 'the condition'} did not come true; {self.told()}"
            time.sleep(0.004)

    def told(self) -> str:
        """The state in a line for a failed assertion."""
        states = {
            role: (state.state, state.before.name if state.before else None, state.reason)
            for role, process in self.lab.state.processes.items()
            if (state := process.state) is not None
        }
        return f"{states}; commands {[(c.command, c.outcome) for c in self.lab.state.commands]}"

    def do(self, text: str, seconds: float = 5.0) -> str:
        """Give a command and wait for its last word."""
        before = len(self.records)
        self.lab.command(text)

        def outcome() -> str | None:
            said = [
                record.outcome
                for record in self.records[before:]
                if isinstance(record, Command) and record.command == told(text) and record.outcome is not None
            ]
            return said[-1] if said else None

        self.until(outcome, seconds, f"an outcome of {text!r}")
        return outcome() or ""

    def process(self, role: str) -> ProcessState:
        return self.lab.state.processes[role]

    def state(self, role: str) -> State:
        """The latest state of a role; a made-up one before anything was said."""
        process = self.lab.state.processes.get(role)
        if process is None or process.state is None:
            return State(0, role, 0, "unborn")
        return process.state

    def is_in(self, role: str, state: str, call: str | None = None) -> bool:
        now = self.state(role)
        return now.state == state and (call is None or (now.before is not None and now.before.name == call))

    def until_state(self, role: str, state: str, call: str | None = None, seconds: float = 5.0) -> State:
        def is_so() -> bool:
            return self.is_in(role, state, call)

        self.until(is_so, seconds, f"{role} {state} in {call}")
        if state == "held":
            # The words of a ring are read one after the other: what it stands before is certain at the second look.
            self.until(is_so, seconds, f"{role} {state} in {call}, still")
        return self.state(role)

    def until_ended(self, role: str, seconds: float = 5.0) -> str | None:
        self.until(lambda: self.process(role).exited is not None, seconds, f"the end of {role}")
        return self.process(role).status

    def count(self, role: str, call: str) -> int:
        """Its calls of this name so far, as of the latest tick (the `counters` records come four times a second)."""
        now = [seen.counters for seen in self.lab.seen if seen.role == role]
        counters = now[0] if now else self.process(role).counters
        return sum(row.calls for row in counters.calls if row.name == call) if counters is not None else 0

    def errors(self, role: str, call: str) -> dict[str, int]:
        counters = self.process(role).counters
        found: dict[str, int] = {}
        for row in counters.calls if counters is not None else ():
            if row.name == call:
                for name, times in row.errors.items():
                    found[name] = found.get(name, 0) + times
        return found

    def calls(self, role: str, name: str) -> list[Call]:
        return [
            record
            for record in self.records
            if isinstance(record, Call) and record.process == role and record.name == name
        ]

    def events(self, name: str) -> list[Event]:
        return [record for record in self.records if isinstance(record, Event) and record.name == name]

    def channel(self, number: int = 0) -> Any:
        return list(self.lab.state.channels.values())[number].now

    def finish(self) -> Summary:
        records = self.lab.finish()
        self.records += records
        last = records[-1]
        assert isinstance(last, Summary)
        assert last == summary(self.lab.state, self.lab.channel), "the summary is a function of the state"
        return last


Open = Callable[..., Bench]


@pytest.fixture
def bench() -> Iterator[Open]:
    """Opens laboratories of the ordinary pipe on one launcher: `bench(variant, size=64, rate=0)`."""
    launcher: LauncherClient | None = None
    labs: list[Lab] = []

    def open_lab(variant: str = "one-way", **values: object) -> Bench:
        nonlocal launcher
        if launcher is None:
            launcher = LauncherClient()
        channel = catalogue.channel("pipe")
        chosen = next(one for one in channel.variants if one.name == variant)
        settings = [f"{name}={value}" for name, value in values.items()]
        settled = settle(channel.parameters(), chosen.values, settings)
        channel.check(chosen, settled)
        lab = Lab(channel, chosen, settled, launcher)
        labs.append(lab)
        return Bench(lab)

    yield open_lab
    for lab in labs:
        lab.close()
    if launcher is not None:
        launcher.close()


# In a process of its own.


def new_mark() -> str:
    return uuid.uuid4().hex


def marked(mark: str, **more: str) -> dict[str, str]:
    """An environment that every descendant inherits, by which `living` finds it."""
    return {**os.environ, MARK: mark, **more}


def living(mark: str) -> list[int]:
    """The processes that carry the mark. A zombie carries none: it only waits to be reaped by whoever adopted it."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


def ran(*words: str, seconds: float = PATIENCE, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """`ipctui WORDS` to its end, stdin closed."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([*IPCTUI, *words], capture_output=True, timeout=seconds, check=False, **options)


def lines_of(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.splitlines()]


class Running:
    """`ipctui run … --headless` in a process of its own; its lines are read as they come."""

    def __init__(self, *words: str, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*IPCTUI, "run", "pipe", *words, "--headless"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def latest(self, kind: str, by: str) -> dict[Any, dict[str, Any]]:
        """The latest line of a kind for each process or object."""
        return {line[by]: line for line in list(self.lines) if line["kind"] == kind}

    def pids(self) -> dict[str, int]:
        started = [line for line in list(self.lines) if line["kind"] == "process" and line["event"] == "started"]
        return {line["process"]: line["pid"] for line in started}

    def until(self, condition: Callable[[], object], seconds: float = PATIENCE, what: str = "") -> None:
        waited(condition, seconds, what or "something in the lines")

    def interrupt(self) -> int:
        """End it with SIGINT; its exit status."""
        self.process.send_signal(2)
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


Launch = Callable[..., Running]


@pytest.fixture
def headless() -> Iterator[Launch]:
    """Starts `ipctui run pipe WORDS --headless`; ended when the test ends."""
    started: list[Running] = []

    def start(*words: str, **options: Any) -> Running:
        started.append(Running(*words, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()
