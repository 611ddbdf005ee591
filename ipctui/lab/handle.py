"""The laboratory's grip on one worker: its ring, gate, control socket, pidfd and probe."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import dataclass, field
from typing import Any

from ipctui.kernel.process import ProcessProbe
from ipctui.lab.channel import PlannedSeat
from ipctui.trace.ring import (
    ATTEND_BIT,
    HELD_BIT,
    PACED_BIT,
    PHASE_HELD,
    W_CONTROL,
    W_GATE,
    W_INTERVAL,
    W_PHASE,
    W_PID,
    W_SIZE,
    W_STEPS,
    W_STEPS_TAKEN,
    RingReader,
    create_ring,
)
from ipctui.worker.control import VERSION


@dataclass(slots=True)
class Request:
    """A request to a control thread that has not been answered: the command it came from."""

    command: str
    by: str


@dataclass(slots=True)
class SeatEnds:
    """The worker's ends of a seat, to be sent to the process that will fill it and then closed here."""

    ring: int
    gate: int
    control: int

    def descriptors(self) -> list[int]:
        """In the order in which a seat is sent."""
        return [self.ring, self.gate, self.control]

    def close(self) -> None:
        """Close them: they have been sent."""
        for fd in (self.gate, self.control):
            os.close(fd)


@dataclass(slots=True)
class Handle:
    """One worker, from before its birth to after its end."""

    seat: PlannedSeat
    ring: RingReader
    ends: SeatEnds
    gate: int
    control: socket.socket
    pid: int = 0
    ppid: int = 0
    start_time: int = 0
    pidfd: int = -1
    probe: ProcessProbe | None = None
    status: str | None = None
    ended: bool = False
    gone: int = 0
    taken_over: bool = False
    requests: dict[int, Request] = field(default_factory=dict)
    next_request: int = 0

    @property
    def role(self) -> str:
        """Its role, by which commands and records name it."""
        return self.seat.role

    @property
    def cell(self) -> str | None:
        """The cell it belongs to, where several small laboratories run side by side."""
        return self.seat.cell

    @property
    def name(self) -> str:
        """CELL/ROLE, or the role alone."""
        return self.seat.name

    @property
    def alive(self) -> bool:
        """Born and not yet ended."""
        return bool(self.pid) and not self.ended

    @property
    def held(self) -> bool:
        """Whether the user holds it at its gate."""
        return bool(self.ring.words[W_GATE] & HELD_BIT)

    @property
    def still(self) -> bool:
        """Whether it stands at its gate and makes no call before it is released, stepped or asked for something."""
        words = self.ring.words
        granted = words[W_STEPS] != words[W_STEPS_TAKEN]
        return self.held and words[W_PHASE] == PHASE_HELD and not granted and not self.requests

    @property
    def answers(self) -> bool:
        """Whether its control thread runs."""
        return bool(self.ring.words[W_CONTROL])

    @property
    def rate(self) -> float:
        """Messages a second, 0 for flat out."""
        interval = self.ring.words[W_INTERVAL]
        return round(1e9 / interval, 3) if interval else 0.0

    @property
    def size(self) -> int:
        """Bytes of its next message."""
        return self.ring.words[W_SIZE]

    def born(self) -> int:
        """Its pid once it has taken its seat, 0 before."""
        return self.ring.words[W_PID]

    # Orders in the ring's header.

    def hold(self) -> None:
        """Close the gate; steps granted before are void."""
        words = self.ring.words
        words[W_STEPS] = words[W_STEPS_TAKEN]
        words[W_GATE] |= HELD_BIT
        self.poke()

    def release(self) -> None:
        """Open the gate."""
        self.ring.words[W_GATE] &= ~HELD_BIT
        self.poke()

    def step(self) -> None:
        """Let one operation through a closed gate."""
        words = self.ring.words
        words[W_GATE] |= HELD_BIT
        words[W_STEPS] = words[W_STEPS_TAKEN] + 1
        self.poke()

    def set_rate(self, rate: float) -> None:
        """Messages a second; 0 opens the pace altogether."""
        words = self.ring.words
        words[W_INTERVAL] = int(1e9 / rate) if rate else 0
        if rate:
            words[W_GATE] |= PACED_BIT
        else:
            words[W_GATE] &= ~PACED_BIT
        self.poke()

    def set_size(self, size: int) -> None:
        """Bytes of the next message."""
        self.ring.words[W_SIZE] = size

    def poke(self) -> None:
        """Make a worker that waits at its gate look at its orders again."""
        try:
            os.eventfd_write(self.gate, 1)
        except BlockingIOError:
            pass

    # Requests to the control thread.

    def ask(self, do: str, request: Request, fds: tuple[int, ...] = (), **words: Any) -> bool:
        """Send a request; False when the worker is gone. Its answer comes through `answers_heard`."""
        self.next_request += 1
        number = self.next_request
        self.requests[number] = request
        self.ring.words[W_GATE] |= ATTEND_BIT
        raw = json.dumps({"v": VERSION, "id": number, "do": do, **words}).encode()
        try:
            socket.send_fds(self.control, [raw], list(fds))
        except OSError:
            self._answered(number)
            return False
        return True

    def answers_heard(self) -> list[tuple[Request, str, str]]:
        """Answers that have come: the request, "done", "pending" or "refused", and what was said."""
        heard = []
        while self.requests:
            try:
                raw = self.control.recv(65536, socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionError):
                break
            if not raw:
                break
            answer = json.loads(raw)
            number, outcome = answer["id"], answer["outcome"]
            request = self.requests.get(number)
            if request is None:
                continue
            if outcome != "pending":
                self._answered(number)
            heard.append((request, outcome, answer["detail"]))
        return heard

    def _answered(self, number: int) -> None:
        self.requests.pop(number, None)
        if not self.requests:
            self.ring.words[W_GATE] &= ~ATTEND_BIT

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal through the pidfd, which never reaches another process; False when it is gone."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Kill the worker if it lives, and give everything back."""
        if self.pidfd >= 0:
            self.signal(signal.SIGKILL)
            os.close(self.pidfd)
            self.pidfd = -1
        if self.probe is not None:
            self.probe.close()
            self.probe = None
        if not self.taken_over:
            self.ends.close()
        self.ring.close()
        os.close(self.ends.ring)
        os.close(self.gate)
        self.control.close()


def prepare(seat: PlannedSeat, size: int, held: bool) -> Handle:
    """A seat for a worker to come, its orders already in its ring.

    Raises:
        OSError: no descriptor or memory left.
    """
    ring = create_ring()
    gate = os.eventfd(0, os.EFD_CLOEXEC)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends = SeatEnds(ring, os.dup(gate), theirs.detach())
    handle = Handle(seat, RingReader(ring), ends, gate, ours)
    handle.set_size(size)
    if held:
        handle.hold()
    if seat.rate:
        handle.set_rate(seat.rate)
    return handle
