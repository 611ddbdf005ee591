"""The programs that measure ALPC's ways against each other: every size by copying, by the section, by direct reading.

The memory is there and warm before anything is timed, and the receiver touches every page of what it gets.
"""

from __future__ import annotations

import errno
from fcntl import F_ADD_SEALS
from itertools import count
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED
from os import MFD_ALLOW_SEALING, MFD_CLOEXEC, SEEK_END
from socket import AF_UNIX, MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_SEQPACKET
from types import SimpleNamespace

from ipctui.mechanisms.alpc import program
from ipctui.mechanisms.alpc.program import BARE, COPIED, DIRECT, NOTE, PORT, SECTION, Channel, Client
from ipctui.worker.calls import Calls
from ipctui.worker.shared_memory import Segment

CHUNK = 65536
"""Bytes of one send: a message of SEQPACKET has to fit into the socket's buffer whole."""
PAGE = 4096
ROUNDS = 50
"""Round trips of a bare pair in a row."""
FAST, SLOW = 12, 3
"""Messages in a row, after one that is not measured: who has just slept is slow once. Fewer of more than 1 MiB."""
_GONE = (errno.EPIPE, errno.ECONNRESET)


def measuring_server(calls: Calls, given: SimpleNamespace) -> None:
    """Serve one client: every message on its own way, each touched page by page, each answered."""
    door = calls.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    calls.bind(door, program.address(given))
    calls.listen(door, 8)
    room = warm(calls, given.largest)
    calls.pin()
    while True:
        asker = calls.accept(door)
        clients: dict[int, Client] = {}
        if asker is not None:
            program.answer(calls, given, asker, clients)
        for port, client in clients.items():
            try:
                serve(calls, given, port, client, room)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
            if client.section is not None:
                calls.munmap(client.section)
            calls.close(port)


def serve(calls: Calls, given: SimpleNamespace, port: int, client: Client, room: Segment) -> None:
    """One client's messages, to the end of its port."""
    while True:
        calls.poll([port])
        note, handles = calls.recvmsg(port, NOTE, 1, MSG_CMSG_CLOEXEC)
        if note == b"":
            return
        if note is None:
            continue
        kind, _, rest = note.partition(b" ")
        size, _, at = rest.partition(b" ")
        for handle in handles:
            client.section = calls.mmap(handle, calls.lseek(handle, 0, SEEK_END), MAP_SHARED)
            calls.close(handle)
        if kind == b"@bare":
            for _ in range(int(size)):
                calls.send(port, calls.recv(port, NOTE) or b"", MSG_NOSIGNAL)
            continue
        if kind == b"@copied":
            take(calls, port, room, int(size))
        elif kind == b"@direct":
            calls.process_vm_readv_into(client.pid, int(at), room, int(size))
        if kind == b"@section" and client.section is not None:
            touch(client.section, int(size))
        elif kind in (b"@copied", b"@direct"):
            touch(room, int(size))
        if not handles:
            calls.received(b"\n")
        calls.send(port, b"@ok", MSG_NOSIGNAL)


def measuring_client(calls: Calls, given: SimpleNamespace) -> None:
    """Size after size, way after way, round and round."""
    channel = None
    while channel is None:
        calls.sched_yield()  # the next message is due
        channel = program.connect(calls, given)
    calls.pin()
    own, section = warm(calls, given.largest), warm_section(calls, given.largest)
    program.call(calls, channel, b"@section 1", (section[1],))
    calls.close(section[1])
    for number in count():
        if given.messages and number >= given.messages:
            return
        calls.sched_yield()  # the next message is due
        step = number % (3 * len(given.sizes) + 2)
        size = given.sizes[step // 3] if step < 3 * len(given.sizes) else given.small
        if step == 3 * len(given.sizes):
            bare(calls, channel, size)
            continue
        way = (COPIED, SECTION, DIRECT)[step % 3] if step < 3 * len(given.sizes) else PORT
        for warm_up in (True, *[False] * (SLOW if size > 1 << 20 else FAST)):
            calls.message()  # counts as sent
            began = calls.clock()
            send(calls, channel, way, size, own, section[0])
            if not warm_up:
                calls.measured(way, size, calls.clock() - began)


def send(calls: Calls, channel: Channel, way: int, size: int, own: Segment, section: Segment) -> None:
    """A message that lies in this process's own memory, sent in one of the ways, and its answer."""
    if way == PORT or (way == COPIED and size <= NOTE):
        program.call(calls, channel, own.view[:size].tobytes())
    elif way == SECTION:
        section.view[:size] = own.view[:size]
        program.call(calls, channel, b"@section %d" % size)
    elif way == DIRECT:
        program.call(calls, channel, b"@direct %d %d" % (size, own.address))
    else:
        calls.send(channel.port, b"@copied %d" % size, MSG_NOSIGNAL)
        for at in range(0, size, CHUNK):
            while calls.send_from(channel.port, own, at, min(CHUNK, size - at), MSG_NOSIGNAL) is None:
                pass
        while calls.recv(channel.port, NOTE) is None:
            pass


def bare(calls: Calls, channel: Channel, size: int) -> None:
    """Round trips with nothing but send and recv on either side."""
    calls.send(channel.port, b"@bare %d" % ROUNDS, MSG_NOSIGNAL)
    message = b"x" * size
    for _ in range(ROUNDS):
        began = calls.clock()
        calls.send(channel.port, message, MSG_NOSIGNAL)
        calls.recv(channel.port, NOTE)
        calls.measured(BARE, size, calls.clock() - began)


def take(calls: Calls, port: int, room: Segment, size: int) -> None:
    """Receive a message that comes in several parts."""
    at = 0
    while at < size:
        at += calls.recv_into(port, room, at, min(CHUNK, size - at)) or 0


def touch(memory: Segment, size: int) -> int:
    """Read a byte of every page."""
    return sum(memory.view[:size:PAGE])


def warm(calls: Calls, size: int) -> Segment:
    """Memory of this process's own, every page of it there."""
    memory = calls.mmap(-1, size, MAP_PRIVATE | MAP_ANONYMOUS)
    fill(memory)
    return memory


def warm_section(calls: Calls, size: int) -> tuple[Segment, int]:
    """A section, every page of it there, and its descriptor."""
    fd = calls.memfd_create("section-measured", MFD_ALLOW_SEALING | MFD_CLOEXEC)
    calls.ftruncate(fd, size)
    calls.fcntl(fd, F_ADD_SEALS, program.F_SEAL_SHRINK | program.F_SEAL_GROW)
    memory = calls.mmap(fd, size, MAP_SHARED)
    fill(memory)
    return memory, fd


def fill(memory: Segment) -> None:
    """Write to every page, in pieces."""
    part = b"\1" * CHUNK
    for at in range(0, memory.size, CHUNK):
        memory.view[at : at + CHUNK] = part[: min(CHUNK, memory.size - at)]
