"""The road between client and server: a process that passes packets on, and does to them what was ordered."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from errno import ECONNREFUSED, ECONNRESET, EPIPE
from socket import AF_INET, MSG_NOSIGNAL, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from types import SimpleNamespace
from typing import Literal

from ipctui.mechanisms.rpc.client import LOOPBACK, PIECE
from ipctui.mechanisms.rpc.orders import LAYOUT, orders
from ipctui.mechanisms.rpc.road import Fate, Road
from ipctui.trace.clock import now
from ipctui.worker.calls import Calls
from ipctui.worker.onc_rpc import LARGEST, Records, RecordTooLongError, marked, number_of
from ipctui.worker.places import Slot
from ipctui.worker.sockets import Address

_CLIENTS = 64
_GONE = (ECONNREFUSED, ECONNRESET, EPIPE)
TOLD = tuple(
    f"{what} {fate}"
    for what in ("call", "reply")
    for fate in ("passed on", "dropped", "duplicated", "delayed", "reordered", "cut off")
)
"""What a link tells."""
Route = tuple[int, Address]


def link(calls: Calls, given: SimpleNamespace) -> None:
    """Pass datagrams on: each client has a socket towards the server, by which the server tells them apart."""
    slot, road = ordered(calls, given)
    front = calls.socket(AF_INET, SOCK_DGRAM)
    calls.bind(front, (LOOPBACK, given.port))
    backs: dict[Address, int] = {}
    while True:
        ready = calls.poll([front, *backs.values()], road.wait(now())) or ()
        road.orders = orders(calls.load(slot))
        for fd, _ in ready:
            packet, sender = calls.recvfrom(fd, LARGEST)
            if not packet:
                continue
            if fd == front:
                route = (back_of(calls, backs, sender), (LOOPBACK, given.server))
                pass_on(calls, road, packet, "calls", route)
            else:
                client = next(client for client, back in backs.items() if back == fd)
                pass_on(calls, road, packet, "replies", (front, client))
        for onward in road.due(now()):
            fd, address = onward.route
            calls.tell("reply passed on" if fd == front else "call passed on", number_of(onward.packet))
            calls.sendto(fd, onward.packet, address)


def ordered(calls: Calls, given: SimpleNamespace) -> tuple[Slot, Road[Route]]:
    """Where orders are read, and the road that obeys them from now on."""
    calls.announce(*TOLD)
    slot = slot_of(calls, given)
    road: Road[Route] = Road(given.seed, given.delay * 1_000_000)
    road.start(orders(calls.load(slot)))
    return slot, road


def slot_of(calls: Calls, given: SimpleNamespace) -> Slot:
    """Where the orders stand: a mapping outlives the descriptor that it was made from."""
    fd = calls.shm_open(given.orders, os.O_RDWR)
    segment = calls.mmap(fd, LAYOUT.size)
    calls.close(fd)
    return segment.lay_out(LAYOUT).slots[0]


def back_of(calls: Calls, backs: dict[Address, int], client: Address) -> int:
    """The socket towards the server that stands for a client; the oldest makes room where there are too many."""
    if client not in backs:
        if len(backs) >= _CLIENTS:
            calls.close(backs.pop(next(iter(backs))))
        backs[client] = calls.socket(AF_INET, SOCK_DGRAM)
        calls.bind(backs[client], (LOOPBACK, 0))
    return backs[client]


def pass_on(
    calls: Calls, road: Road[Route], packet: bytes, way: Literal["calls", "replies"], route: Route
) -> tuple[Fate, ...]:
    """A packet is on the road; what happens to it there is told."""
    fates: tuple[Fate, ...] = road.take(packet, way, route, now())
    for fate in fates:
        calls.tell(f"{'call' if way == 'calls' else 'reply'} {fate}", number_of(packet), packet)
    return fates


@dataclass
class Ends:
    """The connections of a link: by descriptor the other one of the pair, and the record that has begun there."""

    other: dict[int, int] = field(default_factory=dict)
    records: dict[int, Records] = field(default_factory=dict)
    fronts: set[int] = field(default_factory=set)


def link_tcp(calls: Calls, given: SimpleNamespace) -> None:
    """Pass records on. TCP sends a lost segment again: to lose a message, a connection must break."""
    slot, road = ordered(calls, given)
    listener = calls.socket(AF_INET, SOCK_STREAM)
    calls.setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)
    calls.bind(listener, (LOOPBACK, given.port))
    calls.listen(listener, _CLIENTS)
    ends = Ends()
    while True:
        ready = calls.poll([listener, *ends.other], road.wait(now())) or ()
        road.orders = orders(calls.load(slot))
        for fd, _ in ready:
            if fd == listener:
                join(calls, given, ends, calls.accept(listener))
            elif fd in ends.other and not carry(calls, road, ends, fd):
                part(calls, ends, fd)
        for onward in road.due(now()):
            fd, _ = onward.route
            if fd in ends.other:
                calls.tell("reply passed on" if fd in ends.fronts else "call passed on", number_of(onward.packet))
                try:
                    calls.send(fd, marked(onward.packet), MSG_NOSIGNAL)
                except OSError as error:
                    if error.errno not in _GONE:
                        raise
                    part(calls, ends, fd)


def join(calls: Calls, given: SimpleNamespace, ends: Ends, front: int | None) -> None:
    """A client has connected: so does the link, to the server."""
    if front is None:
        return
    back = calls.socket(AF_INET, SOCK_STREAM)
    try:
        calls.connect(back, (LOOPBACK, given.server))
    except OSError:
        calls.close(front)
        calls.close(back)
        return
    ends.other[front], ends.other[back] = back, front
    ends.records[front], ends.records[back] = Records(), Records()
    ends.fronts.add(front)


def part(calls: Calls, ends: Ends, fd: int) -> None:
    """A connection ends, and with it the other one of its pair."""
    for end in (fd, ends.other[fd]):
        calls.close(end)
        ends.fronts.discard(end)
        del ends.other[end], ends.records[end]


def carry(calls: Calls, road: Road[Route], ends: Ends, fd: int) -> bool:
    """Take what has come on a connection; False when it is to break, or has."""
    try:
        data = calls.recv(fd, PIECE)
        packets = ends.records[fd].fed(data or b"")
    except RecordTooLongError:
        return False
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return False
    way: Literal["calls", "replies"] = "calls" if fd in ends.fronts else "replies"
    fates = [fate for packet in packets for fate in pass_on(calls, road, packet, way, (ends.other[fd], ""))]
    return data != b"" and "dropped" not in fates and "cut off" not in fates
