import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ipctui.trace.ring import Entry, Key, RingReader, create_ring

# A busy machine is slow: that is no property of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

PRELUDE = """
import errno, fcntl, json, os, sys
from ipctui.worker.journal import Journal
from ipctui.worker.traced import Traced
ring, r, w = map(int, sys.argv[1:])
journal = Journal(ring)
settled = []
traced = Traced(journal, lambda *_: None, settled.append, lambda fd: {r: 7, w: 7}.get(fd, 0))
def tell(value):
    sys.stdout.write(json.dumps(value))
    sys.stdout.flush()
"""


@dataclass
class Worker:
    """A child process that makes traced operations on a pipe whose ends this process holds, too."""

    ring: int
    r: int
    w: int
    reader: RingReader
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def start(self, source: str, prelude: str = PRELUDE, more: tuple[int, ...] = ()) -> "subprocess.Popen[str]":
        """Run a source in a new process; its descriptors `ring`, `r` and `w` are ours."""
        fds = (self.ring, self.r, self.w, *more)
        command = [sys.executable, "-c", prelude + source, *map(str, fds)]
        child = subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(child)
        return child

    def told(self, source: str) -> Any:
        """What a source told, once it has ended in order."""
        out, err = self.start(source).communicate(timeout=20)
        assert not err, err
        return json.loads(out)

    def entries(self) -> list[Entry]:
        return self.reader.read(8192)

    def name(self, entry: Entry) -> str:
        return self.reader.operations[Key.of(entry.key).operation].name

    def close(self) -> None:
        for child in self.processes:
            child.kill()
            child.communicate(timeout=5)
        self.reader.close()
        for fd in (self.ring, self.r, self.w):
            os.close(fd)


@pytest.fixture
def worker() -> Iterator[Worker]:
    ring = create_ring()
    r, w = os.pipe()
    made = Worker(ring, r, w, RingReader(ring))
    yield made
    made.close()
