"""The programs of ALPC: a server that publishes a connection port, and clients whose messages go three ways by size.

What Windows calls a port is one end of a SEQPACKET pair, a handle a descriptor passed with SCM_RIGHTS, a section
object a memfd that both map.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fcntl import F_ADD_SEALS, F_GET_SEALS
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED
from os import MFD_ALLOW_SEALING, MFD_CLOEXEC, SEEK_END
from socket import AF_UNIX, MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SO_PEERCRED, SOCK_CLOEXEC, SOCK_SEQPACKET, SOL_SOCKET
from types import SimpleNamespace

from ipctui.worker.calls import Calls
from ipctui.worker.places import WORD
from ipctui.worker.remote_memory import CAP_SYS_PTRACE, PR_SET_DUMPABLE, PR_SET_PTRACER
from ipctui.worker.shared_memory import Segment

PORT, SECTION, DIRECT, PIECES, BARE, COPIED = 1, 2, 3, 4, 5, 6
"""The ways of a message, as measures name them; PIECES is DIRECT refused, BARE a round trip and nothing else."""
F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW = 1, 2, 4
LARGEST = 64 << 20
"""Bytes that are read out of a client's memory at once."""
NOTE = 256
"""Bytes of the longest message that says something of a message."""
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED, errno.ENOTCONN)


@dataclass
class Client:
    """What a server knows of a client: its pid, by the kernel's word, and where its section is mapped here."""

    pid: int
    section: Segment | None = None


@dataclass
class Channel:
    """What a client holds: its communication port, the server's pid, its section, and memory of its own."""

    port: int
    server: int
    section: Segment | None = None
    own: Segment | None = None
    fds: list[int] = field(default_factory=list)


def server(calls: Calls, given: SimpleNamespace) -> None:
    """Publish the connection port; then wait at it, at those who ask, and at every client's private port."""
    if given.permission == "withheld":
        calls.give_up(CAP_SYS_PTRACE)
    door = calls.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    calls.bind(door, address(given))
    calls.listen(door, given.backlog)
    asking: list[int] = []
    clients: dict[int, Client] = {}
    while True:
        for fd, _ in calls.poll([door, *asking, *clients]) or ():
            if fd == door:
                asker = calls.accept(door)
                asking += [] if asker is None else [asker]
            elif fd in asking:
                asking.remove(fd)
                answer(calls, given, fd, clients)
            else:
                serve(calls, given, fd, clients)


def answer(calls: Calls, given: SimpleNamespace, asker: int, clients: dict[int, Client]) -> None:
    """Accept or refuse: who is accepted gets a handle of one end of a new pair of ports."""
    try:
        request = calls.recv(asker, NOTE)
        pid = struct.unpack("iii", calls.getsockopt(asker, SOL_SOCKET, SO_PEERCRED, 12))[0]
        if request and len(clients) >= given.accepts:
            calls.send(asker, b"@refused", MSG_NOSIGNAL)
        elif request:
            ours, theirs = calls.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
            clients[ours] = Client(pid)
            try:
                calls.sendmsg(asker, b"@accepted", (theirs,), MSG_NOSIGNAL)
            finally:
                calls.close(theirs)  # the client's now, or nobody's
    except OSError as error:
        if error.errno not in _GONE:  # it died in mid-handshake: its port will hang up
            raise
    calls.close(asker)


def serve(calls: Calls, given: SimpleNamespace, port: int, clients: dict[int, Client]) -> None:
    """One message of a client's, whichever way it came, and the answer."""
    client = clients[port]
    try:
        message, handles = calls.recvmsg(port, max(NOTE, given.small), 1, MSG_CMSG_CLOEXEC)
        if message is None:
            return
        if not message:
            return hang_up(calls, port, clients)
        for handle in handles:
            client.section = view(calls, given, handle) or client.section
        calls.send(port, reply(calls, client, message), MSG_NOSIGNAL)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        hang_up(calls, port, clients)


def reply(calls: Calls, client: Client, message: bytes) -> bytes:
    """Take the message from where it is: here, in the section, in the client's memory."""
    kind, *words = message.split(b" ") if message.startswith(b"@") else (b"",)
    if kind == b"@section" and client.section is None:
        return b"@refused unsealed"
    if kind == b"@section" and client.section is not None:
        calls.received(calls.load(client.section.slot(0, client.section.size - WORD)))
    elif kind == b"@direct" and len(words) == 2 and all(word.isdigit() for word in words):
        at, size = int(words[0]), min(int(words[1]), LARGEST)
        try:
            calls.received(calls.process_vm_readv(client.pid, at, size))
            calls.process_vm_writev(client.pid, at, b"@seen")
        except OSError as error:
            return b"@refused " + errno.errorcode[error.errno or errno.EIO].encode()
    else:
        calls.received(message)
    return b"@ok"


def view(calls: Calls, given: SimpleNamespace, handle: int) -> Segment | None:
    """Map a section, but only one that is sealed: memory that shrinks under its reader kills it (SIGBUS)."""
    mapped = None
    try:
        seals = calls.fcntl(handle, F_GET_SEALS, 0)
    except OSError:
        seals = 0  # EINVAL: no memory that can be sealed
    if seals & F_SEAL_SHRINK and calls.lseek(handle, 0, SEEK_END) == given.section + WORD:
        mapped = calls.mmap(handle, given.section + WORD, MAP_SHARED)
    calls.close(handle)
    return mapped


def hang_up(calls: Calls, port: int, clients: dict[int, Client]) -> None:
    """A client is gone: its port, and its section's mapping, go too."""
    gone = clients.pop(port)
    if gone.section is not None:
        calls.munmap(gone.section)
    calls.close(port)


def client(calls: Calls, given: SimpleNamespace) -> None:
    """Ask for a channel and send; ask again when it is refused, or the server is gone."""
    messages = calls.offers()
    while True:
        channel = connect(calls, given)
        if channel is None:
            continue
        try:
            if not talk(calls, given, channel, messages):
                return
        except OSError as error:
            if error.errno not in _GONE:
                raise
            calls.refused()  # or not answered
        leave(calls, channel)


def talk(calls: Calls, given: SimpleNamespace, channel: Channel, messages: Iterator[bytes]) -> bool:
    """Send messages, `given.talk` of them (0: all there are); False when there are no more."""
    for sent, message in enumerate(messages, 1):
        calls.sched_yield()  # the next message is due
        deliver(calls, given, channel, message)
        if sent == given.talk:
            return True
    return False


def connect(calls: Calls, given: SimpleNamespace) -> Channel | None:
    """Open the connection port, ask, and take the handle of a communication port: None when refused."""
    asker = calls.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    said: bytes | None = None
    handles: tuple[int, ...] = ()
    server = 0
    try:
        calls.connect(asker, address(given))
        server = struct.unpack("iii", calls.getsockopt(asker, SOL_SOCKET, SO_PEERCRED, 12))[0]
        calls.send(asker, b"@connect " + calls.seat.role.encode(), MSG_NOSIGNAL)
        while said is None:
            said, handles = calls.recvmsg(asker, NOTE, 1, MSG_CMSG_CLOEXEC)
    except OSError as error:
        if error.errno not in _GONE:
            raise
    calls.close(asker)
    return Channel(handles[0], server) if handles else None


def deliver(calls: Calls, given: SimpleNamespace, channel: Channel, message: bytes) -> None:
    """Three ways by size, and one more where the third is refused."""
    size = len(message)
    began = calls.clock()
    if size <= given.small:
        way, said = PORT, call(calls, channel, message)
    elif size <= given.section:
        way, said = SECTION, by_section(calls, given, channel, message)
    else:
        way, said = DIRECT, by_direct(calls, given, channel, message)
    if said.startswith(b"@refused"):
        way, most = PIECES, given.small if said.endswith(b"unsealed") else given.section
        for at in range(0, size, most):
            piece = message[at : at + most]
            if most == given.small:
                call(calls, channel, piece)
            else:
                by_section(calls, given, channel, piece)
    calls.measured(way, size, calls.clock() - began)


def call(calls: Calls, channel: Channel, message: bytes, handles: tuple[int, ...] = ()) -> bytes:
    """A message through the port, and its answer. Raises OSError EPIPE when the server is gone."""
    if handles:
        calls.sendmsg(channel.port, message, handles, MSG_NOSIGNAL)
    else:
        calls.send(channel.port, message, MSG_NOSIGNAL)
    said = None
    while said is None:
        said = calls.recv(channel.port, NOTE)
    if not said:
        raise OSError(errno.EPIPE, "the server has hung up")
    return said


def by_section(calls: Calls, given: SimpleNamespace, channel: Channel, message: bytes) -> bytes:
    """Store the message in the section, and tell the server; the first time hand the section over."""
    handles: tuple[int, ...] = ()
    size = given.section + WORD
    if channel.section is None:
        fd = calls.memfd_create(f"section-{calls.seat.role}", MFD_ALLOW_SEALING | MFD_CLOEXEC)
        calls.ftruncate(fd, size)
        if given.seals == "on":
            calls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
        channel.section = calls.mmap(fd, size, MAP_SHARED)
        channel.fds.append(fd)
        handles = (fd,)
    calls.store(channel.section.slot(0, given.section), message)
    return call(calls, channel, b"@section %d" % len(message), handles)


def by_direct(calls: Calls, given: SimpleNamespace, channel: Channel, message: bytes) -> bytes:
    """Say where the message lies in this process's own memory; the server reads it there, and writes its answer."""
    size = len(message)
    if channel.own is None or channel.own.size < size + WORD:
        if channel.own is not None:
            calls.munmap(channel.own)
        channel.own = calls.mmap(-1, size + WORD, MAP_PRIVATE | MAP_ANONYMOUS)
        if given.yama and given.permission == "granted":
            calls.prctl(PR_SET_PTRACER, channel.server)
    calls.store(channel.own.slot(0, size), message)
    if given.permission == "withheld":
        calls.prctl(PR_SET_DUMPABLE, 0)
    try:
        return call(calls, channel, b"@direct %d %d" % (channel.own.address + WORD, size))
    finally:
        if given.permission == "withheld":
            calls.prctl(PR_SET_DUMPABLE, 1)


def leave(calls: Calls, channel: Channel) -> None:
    """Give everything back: mappings, the section, the port."""
    for mapped in (channel.section, channel.own):
        if mapped is not None:
            calls.munmap(mapped)
    for fd in (*channel.fds, channel.port):
        calls.close(fd)


def address(given: SimpleNamespace) -> str:
    """The connection port's name: an abstract address of unix(7), gone with the server."""
    return f"\0{given.prefix}/connection-port"
