"""The two models measured: bursts of messages between untraced processes, one way after another, with their age."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ipctui.trace.clock import now

WAYS = ("spin", "semaphores", "pipe", "mailbox")
"""Shared memory twice, then message passing twice (worker.pairs)."""
SMALLEST, LARGEST = 64, 65536
"""Bytes of a message that can be chosen; every double between."""
BURST = 0.04
"""Seconds that a burst lasts."""
PAUSE = 1_500_000_000
"""Nanoseconds between the beginnings of two bursts, once each way has been measured."""
_REMEMBERED = 5
_PATIENCE = 30_000_000_000
_BOOT = "import sys; sys.path[:] = {path!r}; from ipctui.worker.pairs import main; main()"


@dataclass(frozen=True, slots=True)
class Sample:
    """One burst: messages a second, system calls and CPU seconds a message, cores used; `t` is when it was told."""

    rate: float
    calls: float
    cpu: float
    cores: float
    t: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a way at the present size.

    Attributes:
        sample: The fastest burst of the latest: what disturbs one only makes it slower; None while there is none.
        refused: Why it cannot be measured; "" when it can.
        t: When the latest burst was told, CLOCK_MONOTONIC nanoseconds.
    """

    sample: Sample | None = None
    refused: str = ""
    t: int = 0


@dataclass(frozen=True, slots=True)
class Models:
    """The two models as they were measured: size of the messages, and each way's figures."""

    size: int = SMALLEST
    ways: Mapping[str, Measured] = field(default_factory=lambda: {way: Measured() for way in WAYS})
    problem: str = ""


def sample_of(answer: Mapping[str, Any], t: int) -> Sample | None:
    """An answer of the pairs' process as a sample; None where it holds no measure."""
    try:
        messages, seconds = int(answer["messages"]), float(answer["seconds"])
        cpu, calls = float(answer["cpu"]), int(answer["calls"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if messages <= 0 or seconds <= 0 or cpu < 0 or calls < 0:
        return None
    return Sample(messages / seconds, calls / messages, cpu / messages, cpu / seconds, t)


class Pairs:
    """Measures in bursts and in turn: `tick` it, `close` it. Its process begins with the first tick.

    Attributes:
        models: What has been measured.
        paused: While set, no new burst begins.
    """

    def __init__(self, clock: Callable[[], int] = now) -> None:
        self.models = Models()
        self.paused = False
        self._clock = clock
        self._latest: dict[str, deque[Sample]] = {way: deque(maxlen=_REMEMBERED) for way in WAYS}
        self._queue: deque[str] = deque(WAYS)
        self._asked: tuple[str, int] | None = None
        self._due = 0
        self._told = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def _start(self) -> None:
        boot = _BOOT.format(path=[os.path.abspath(entry or ".") for entry in sys.path])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", boot],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                bufsize=0,
            )
        except OSError as error:
            self._fail(f"the measuring process could not be started: {error.strerror}")
            return
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """The process that measures; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def resize(self, size: int) -> None:
        """Another size of messages: all figures are of the old one, and each way is measured at once."""
        size = min(max(size, SMALLEST), LARGEST)
        if size == self.models.size:
            return
        self.models = replace(Models(), size=size, problem=self.models.problem)
        for samples in self._latest.values():
            samples.clear()
        self._queue = deque(WAYS)
        self._due = 0

    def tick(self) -> bool:
        """Take in what was measured and ask for the next burst when it is time; True when something new is known."""
        if self._closed:
            return False
        if self._process is None:
            self._start()
        changed = self._hear()
        t = self._clock()
        if self._asked is not None:
            if t - self._asked[1] > _PATIENCE:
                self._fail("the measuring process does not answer")
                return True
        elif not self.paused and not self.models.problem and t >= self._due:
            self._ask(t)
        return changed or bool(self.models.problem)

    def _ask(self, t: int) -> None:
        if not self._queue:
            self._queue.extend(WAYS)
        way = self._queue.popleft()
        fresh = any(not samples for samples in self._latest.values()) and bool(self._queue)
        self._due = t if fresh else t + PAUSE
        self._asked = (way, t)
        line = json.dumps({"way": way, "size": self.models.size, "seconds": BURST}) + "\n"
        try:
            assert self._process is not None
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode())
        except OSError:
            self._fail("the measuring process has died")

    def _hear(self) -> bool:
        if self._process is None or self._process.stdout is None:
            return False
        try:
            raw = os.read(self._process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        except OSError:
            raw = b""
        if not raw:
            self._fail("the measuring process has died")
            return True
        *lines, self._told = (self._told + raw).split(b"\n")
        for line in lines:
            self._asked = None
            self._note(line)
        return bool(lines)

    def _note(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            return
        way = answer.get("way") if isinstance(answer, dict) else None
        if way not in WAYS or answer.get("size") != self.models.size:
            return  # of the size before
        t = self._clock()
        if "refused" in answer:
            self._know(way, Measured(refused=str(answer["refused"]), t=t))
            return
        found = sample_of(answer, t)
        if found is not None:
            self._latest[way].append(found)
            self._know(way, Measured(fastest(self._latest[way]), t=t))

    def _know(self, way: str, measured: Measured) -> None:
        self.models = replace(self.models, ways={**self.models.ways, way: measured})

    def _fail(self, why: str) -> None:
        self.models = replace(self.models, problem=why)
        self._asked = None
        self.close()

    def close(self) -> None:
        """End the measuring process and the burst that it is in; safe to call again."""
        process, self._process = self._process, None
        self._closed = True
        if process is None:
            return
        process.kill()  # its consumer has asked for the same signal (PR_SET_PDEATHSIG)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def fastest(samples: Sequence[Sample]) -> Sample:
    """The burst with the highest rate of several; at least one is needed."""
    return max(samples, key=lambda sample: sample.rate)
