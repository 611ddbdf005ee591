"""The round trips that `make bench` times: a bare UDP exchange, our RPC untraced and traced, interleaved.

Arguments: round trips a round, rounds. Prints a name and the median time of a round trip in microseconds a line. The
programs' own client stub and server stub run in two processes, without a ledger; the bare exchange has messages of
the same sizes.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any

from ipctui.mechanisms.rpc.channel import PROGRAM
from ipctui.mechanisms.rpc.client import Client, deposit, hang_up
from ipctui.mechanisms.rpc.history import Clients, History
from ipctui.mechanisms.rpc.orders import Orders
from ipctui.mechanisms.rpc.server import Server, serve
from ipctui.trace.ring import create_ring
from ipctui.worker.calls import Calls
from ipctui.worker.seat import Seat
from ipctui.worker.sockets import Address

MEMO = b"client:7 cccccccccccccccccccccc\n"
CALL, REPLY = 84, 32
LARGEST = 65507


class Bare:
    """The operations that both programs use, without a trace."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}

    def socket(self, family: int, kind: int) -> int:
        """A descriptor."""
        made = socket.socket(family, kind)
        self._sockets[made.fileno()] = made
        return made.fileno()

    def bind(self, fd: int, address: Address) -> None:
        """Take an address."""
        self._sockets[fd].bind(address)

    def connect(self, fd: int, address: Address) -> None:
        """Name the other end."""
        self._sockets[fd].connect(address)

    def getsockname(self, fd: int) -> Any:
        """Its own address."""
        return self._sockets[fd].getsockname()

    def send(self, fd: int, data: bytes, flags: int = 0) -> int:
        """Send."""
        return self._sockets[fd].send(data, flags)

    def sendto(self, fd: int, data: bytes, address: Address) -> int:
        """Send to an address."""
        return self._sockets[fd].sendto(data, address)

    def recv(self, fd: int, size: int) -> bytes:
        """Receive."""
        return self._sockets[fd].recv(size)

    def recvfrom(self, fd: int, size: int) -> tuple[bytes, Any]:
        """Receive, and from whom."""
        return self._sockets[fd].recvfrom(size)

    def poll(self, fds: list[int], timeout: int) -> list[tuple[int, int]]:
        """Wait for readiness."""
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        return poll.poll(timeout)

    def close(self, fd: int) -> None:
        """Close."""
        self._sockets.pop(fd).close()

    def tell(self, what: str, number: int = 0, data: bytes = b"") -> None:
        """Nothing is told."""

    call = tell

    def received(self, data: bytes, datagram: bool = False) -> None:
        """Nothing is counted."""


def traced() -> Calls:
    """Traced operations on a ring of their own."""
    seat = Seat("client", "c", (), create_ring(), os.eventfd(0), os.eventfd(0))
    return Calls(seat, [], 0, None, lambda calls: None)


def given() -> SimpleNamespace:
    """What both programs read."""
    return SimpleNamespace(
        programs={"maybe": PROGRAM}, transport="udp", timeout=5000, ledger="", matchmaker=0, history="ignore"
    )


def serving(kind: str) -> tuple[int, int]:
    """A server in a process of its own: its port and its pid."""
    r, w = os.pipe()
    pid = os.fork()
    if pid:
        os.close(w)
        return int(os.read(r, 32)), pid
    calls: Any = traced() if kind == "traced" else Bare()
    fd = calls.socket(socket.AF_INET, socket.SOCK_DGRAM)
    calls.bind(fd, ("127.0.0.1", 0))
    os.write(w, str(calls.getsockname(fd)[1]).encode())
    me = Server(calls, given(), None, Orders(), 0, History(64), Clients(64))  # type: ignore[arg-type]
    while True:
        packet, address = calls.recvfrom(fd, LARGEST)
        answer = bytes(REPLY) if kind == "bare" else serve(me, packet, "127.0.0.1:1")
        calls.sendto(fd, answer, address)


def main() -> None:
    """Time the round trips."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[0]})
    servers = {kind: serving(kind) for kind in ("bare", "untraced", "traced")}
    os.sched_setaffinity(0, {cpus[-1]})
    sides: dict[str, Any] = {}
    for kind, (port, _) in servers.items():
        calls: Any = traced() if kind == "traced" else Bare()
        sides[kind] = Client(calls, given(), "maybe", PROGRAM, port, 1)
    bare = sides["bare"]
    bare.fd = bare.calls.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bare.calls.connect(bare.fd, ("127.0.0.1", bare.port))
    times: dict[str, list[float]] = {}
    try:
        for _ in range(rounds):
            for kind, side in sides.items():
                began = time.perf_counter_ns()
                for _ in range(count):
                    if kind == "bare":
                        side.calls.send(side.fd, bytes(CALL))
                        side.calls.recv(side.fd, LARGEST)
                    elif deposit(side, MEMO, tries=1) is None:
                        raise SystemExit("a call was not answered within 5 s")
                times.setdefault(kind, []).append((time.perf_counter_ns() - began) / count / 1000)
    finally:
        for _, pid in servers.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for side in sides.values():
            hang_up(side)
    for kind, measured in times.items():
        print(kind, f"{statistics.median(measured):.2f}")


if __name__ == "__main__":
    main()
