import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ipctui.kernel.process import ProcessProbe
from ipctui.trace.ring import W_GATE, W_STEPS, Entry, Key, RingReader, create_ring
from ipctui.worker.control import VERSION

from ..kernel.conftest import PATIENCE

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

    def start(
        self, source: str, prelude: str = PRELUDE, more: tuple[int, ...] = (), under: tuple[str, ...] = ()
    ) -> "subprocess.Popen[str]":
        """Run a source in a new process; its descriptors `ring`, `r` and `w` are ours."""
        fds = (self.ring, self.r, self.w, *more)
        command = [*under, sys.executable, "-c", prelude + source, *map(str, fds)]
        child = subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(child)
        return child

    def told(self, source: str) -> Any:
        """What a source told, once it has ended in order."""
        out, err = self.start(source).communicate(timeout=PATIENCE)
        assert not err, err
        return json.loads(out)

    def entries(self) -> list[Entry]:
        return self.reader.read(8192)

    def name(self, entry: Entry) -> str:
        return self.name_of(entry.key)

    def name_of(self, key: int) -> str:
        return self.reader.operations[Key.of(key).operation].name

    def close(self) -> None:
        for child in self.processes:
            child.kill()
            child.communicate(timeout=PATIENCE)
        self.reader.close()
        for fd in (self.ring, self.r, self.w):
            os.close(fd)


class Subordinate:
    """A worker with its control thread, and the laboratory's end of its control socket."""

    def __init__(
        self, worker: Worker, program: str, paced: tuple[str, ...] = ("write",), under: tuple[str, ...] = ()
    ) -> None:
        self.reader = worker.reader
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        gate = os.eventfd(0, os.EFD_CLOEXEC)
        self.process = worker.start(
            program + "\nprocess.run(sys.modules[__name__], order, os.getppid())\n",
            f"PACED = {paced!r}"
            """
import errno, json, os, signal, socket, sys
from ipctui.worker import process
from ipctui.worker.seat import Seat
ring, r, w, gate, control = map(int, sys.argv[1:])
def tell(*values):
    os.write(1, (json.dumps(values) + "\\n").encode())
order = process.Order("program", (Seat("worker", "a", PACED, ring, gate, control),), {}, 0, None)
""",
            more=(gate, theirs.fileno()),
            under=under,
        )
        theirs.close()
        self.gate = gate
        self.number = 0

    def ask(self, do: str, **words: Any) -> tuple[str, str]:
        """The outcome of a request, and what was said with it."""
        self.number += 1
        self.socket.send(json.dumps({"v": VERSION, "id": self.number, "do": do, **words}).encode())
        answer = json.loads(self.socket.recv(65536))
        assert answer["id"] == self.number
        return answer["outcome"], answer["detail"]

    def told(self) -> Any:
        """The next values that the program tells."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline() or self.failure())

    def failure(self) -> str:
        _, err = self.process.communicate(timeout=PATIENCE)
        raise AssertionError(f"it ended with {self.process.returncode}: {err}")

    def ended(self) -> int:
        """Its exit status, once it has ended without a word on its standard error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        assert (out, err) == ("", "")
        return self.process.returncode

    def sleeps(self, name: str, syscall: str | None) -> bool:
        """Whether it is asleep in this operation, by its own word and by the kernel's."""
        current = self.reader.current()
        operation = self.reader.operations[Key.of(current.key).operation]
        if not current.in_call or (operation.name, operation.syscall) != (name, syscall):
            return False
        with ProcessProbe(self.process.pid) as probe:
            call = probe.sample().call
        return call is not None and call.name == syscall

    def order(self, gate: int, steps: int | None = None) -> None:
        """Set the gate's word, and grant a number of steps in all, as the laboratory does."""
        if steps is not None:
            self.reader.words[W_STEPS] = steps
        self.reader.words[W_GATE] = gate
        os.eventfd_write(self.gate, 1)

    def close(self) -> None:
        """Let go of it; it ends when it sees that."""
        self.socket.close()
        os.close(self.gate)


Start = Callable[..., Subordinate]


@pytest.fixture
def start(worker: Worker) -> Iterator[Start]:
    """Starts a worker on a program of the test's: `start(program, paced=("write",), under=("strace", …))`."""
    begun: list[Subordinate] = []

    def begin(program: str, **words: Any) -> Subordinate:
        begun.append(Subordinate(worker, program, **words))
        return begun[-1]

    yield begin
    for each in begun:
        each.process.kill()
        each.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    ring = create_ring()
    r, w = os.pipe()
    made = Worker(ring, r, w, RingReader(ring))
    yield made
    made.close()
