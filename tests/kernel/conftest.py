import gc
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from ipctui.kernel.pipes import PipeObserver

Spawn = Callable[..., "subprocess.Popen[bytes]"]


PATIENCE = 90.0
"""Seconds that a busy machine gets for anything."""


def eventually(condition: Callable[[], object]) -> None:
    """Returns when `condition` holds; fails the test when it does not in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.002)


def until_readable(end: socket.socket) -> None:
    """What was sent through loopback is there a moment later: a busy kernel delivers it from a thread of its own."""
    eventually(lambda: select.select([end], [], [], 0)[0])


def until_an_error_waits(end: socket.socket) -> None:
    """The answer to a datagram for nobody has come: an ICMP message, and an error for the sender (udp(7))."""
    poll = select.poll()
    poll.register(end, 0)
    eventually(lambda: any(event & select.POLLERR for _, event in poll.poll(0)))


def open_here() -> list[str]:
    """This process's descriptors, without those that only wait for the garbage collector to close them."""
    gc.collect()
    return sorted(os.listdir("/proc/self/fd"))


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python children from source text; whatever they do, they are killed and reaped at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        source: str, *arguments: object, pass_fds: tuple[int, ...] = (), stdin: int | None = None
    ) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", "-c", source, *map(str, arguments)]
        child = subprocess.Popen(command, pass_fds=pass_fds, stdin=stdin, stdout=subprocess.PIPE)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait(PATIENCE)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def observer() -> Iterator[PipeObserver]:
    observer = PipeObserver()
    yield observer
    observer.close()


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """[read end, write end]; a test takes out what it closes itself."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform != "linux":
        skip = pytest.mark.skip(reason="reads a Linux kernel")
        for item in items:
            if "kernel" in item.path.parts and item.get_closest_marker("real"):
                item.add_marker(skip)
