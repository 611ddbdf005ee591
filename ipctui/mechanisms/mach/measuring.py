"""The programs that measure large messages: copied through a port, or carried as memory that the receiver maps.

A message with out-of-line memory is a note and the descriptor of a memfd: fresh (made, filled, mapped for this one
message) or ready (it has been there all the time); ready and mapped MAP_PRIVATE, a page is copied when it is written.
"""

from __future__ import annotations

from fcntl import F_ADD_SEALS
from itertools import count
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from os import MFD_ALLOW_SEALING, MFD_CLOEXEC
from socket import MSG_NOSIGNAL
from types import SimpleNamespace

from ipctui.mechanisms.mach import program
from ipctui.mechanisms.mach.program import Program, Rights, get, put
from ipctui.worker.calls import Calls
from ipctui.worker.shared_memory import Segment

COPIED, FRESH, READY, PAGE_ONLY = 1, 2, 3, 4
"""The ways, as measures name them; PAGE_ONLY is READY with one page touched."""
CHUNK = 32768
PAGE = 4096
FAST, SLOW = 6, 2
"""Messages in a row, after one that is not measured; fewer of more than 1 MiB."""
F_SEAL_SHRINK, F_SEAL_GROW = 2, 4


def kernel(calls: Calls, given: SimpleNamespace) -> None:
    """As in the other variants."""
    return program.kernel(calls, given, PROGRAMS)


def shipper(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """out-of-line: size after size, way after way, each answered."""
    calls.pin()
    own = calls.mmap(-1, given.sizes[-1], MAP_PRIVATE | MAP_ANONYMOUS)
    fill(own)
    ready = {size: memory(calls, own, size, "ready") for size in given.sizes}
    for number in count():
        if given.messages and number >= given.messages:
            return
        calls.sched_yield()  # the next message is due
        size = given.sizes[number // 4 % len(given.sizes)]
        way = (COPIED, FRESH, READY, PAGE_ONLY)[number % 4]
        for warm_up in (True, *[False] * (SLOW if size > 1 << 20 else FAST)):
            calls.message()  # counts as sent
            began = calls.clock()
            ship(calls, rights, way, own, size, ready[size])
            answer, _ = get(calls, rights["reply"])
            if not answer:
                return
            if not warm_up:
                calls.measured(way, size, calls.clock() - began)


def ship(calls: Calls, rights: Rights, way: int, own: Segment, size: int, ready: int) -> None:
    """One message, one way."""
    port = rights["P"]
    note = b"@%d %d" % (way, size)
    if way == COPIED:
        put(calls, port, note, (rights["reply-send"],))
        for at in range(0, size, CHUNK):
            while calls.send_from(port, own, at, min(CHUNK, size - at), MSG_NOSIGNAL) is None:
                pass
    elif way == FRESH:
        fd = memory(calls, own, size, "fresh")
        put(calls, port, note, (rights["reply-send"], fd))
        calls.close(fd)
    else:
        put(calls, port, note, (rights["reply-send"], ready))


def memory(calls: Calls, own: Segment, size: int, name: str) -> int:
    """Memory with a descriptor, filled with a message and sealed in its size."""
    fd = calls.memfd_create(f"message-{name}", MFD_ALLOW_SEALING | MFD_CLOEXEC)
    calls.ftruncate(fd, size)
    calls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
    mapped = calls.mmap(fd, size, MAP_SHARED, PROT_READ | PROT_WRITE)
    mapped.view[:] = own.view[:size]
    calls.munmap(mapped)
    return fd


def taker(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """out-of-line: receive the copy, or map what came; touch every page, or one; answer."""
    calls.pin()
    room = calls.mmap(-1, given.sizes[-1], MAP_PRIVATE | MAP_ANONYMOUS)
    fill(room)
    while True:
        note, came = get(calls, rights["P"])
        if not note:
            return
        way, size = map(int, note[1:].split())
        if way == COPIED:
            at = 0
            while at < size:
                at += calls.recv_into(rights["P"], room, at, min(CHUNK, size - at)) or 0
            touch(room, size)
        else:
            mapped = calls.mmap(came[1], size, MAP_PRIVATE, PROT_READ)
            touch(mapped, 1 if way == PAGE_ONLY else size)
            calls.munmap(mapped)
        calls.received(b"\n")
        put(calls, came[0], b"@ok")
        for each in came:
            calls.close(each)


def touch(memory: Segment, size: int) -> int:
    """Read a byte of every page."""
    return sum(memory.view[:size:PAGE])


def fill(memory: Segment) -> None:
    """Write to every page, in pieces."""
    part = b"\1" * CHUNK
    for at in range(0, memory.size, CHUNK):
        memory.view[at : at + CHUNK] = part[: min(CHUNK, memory.size - at)]


PROGRAMS: dict[str, Program] = {"shipper": shipper, "taker": taker}
