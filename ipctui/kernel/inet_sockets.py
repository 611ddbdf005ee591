"""Sockets of ip(7) in other processes: their endpoints, state and queues, looked at and left alone.

A descriptor is copied (pidfd_getfd(2)), asked, and closed at once. Nothing is received; datagrams are peeked at.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ipctui.kernel.own import socket_copy

_SO_MEMINFO = 55  # asm-generic/socket.h
_MEMINFO = struct.Struct("=9I")  # linux/sock_diag.h: SK_MEMINFO_RMEM_ALLOC, RCVBUF, WMEM_ALLOC, SNDBUF, …, DROPS
_SIOCINQ, _SIOCOUTQ = 0x541B, 0x5411  # asm-generic/ioctls.h: FIONREAD and TIOCOUTQ
TCP_STATES = (
    *("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"),
    *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"),
)
"""By number: include/net/tcp_states.h."""
Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class InetSocket:
    """What a socket is and holds now.

    Attributes:
        protocol: "tcp" or "udp".
        local: Address and port of its own, port 0 while it has none.
        peer: Those of the other end; None where it is not connected.
        state: Of TCP, its state by name; of UDP, "ESTABLISHED" when connected and "CLOSE" otherwise, as ss(8) has it.
        waiting: SIOCINQ: bytes to be received; of UDP, those of the next datagram alone (udp(7)).
        unsent: SIOCOUTQ: bytes sent and not acknowledged (tcp(7)); of UDP, kernel memory that is on its way.
        taken: Kernel memory that waits to be received, with the bookkeeping of each packet.
        room: SO_RCVBUF, which `taken` may grow to.
        send_room: SO_SNDBUF.
        drops: Packets thrown away because there was no room.
    """

    protocol: str
    local: Endpoint
    peer: Endpoint | None
    state: str
    waiting: int
    unsent: int
    taken: int
    room: int
    send_room: int
    drops: int


def look(pidfd: int, fd: int) -> InetSocket | None:
    """The socket behind a process's descriptor; None for one of another family, such as unix(7).

    Raises:
        OSError: ESRCH, EBADF, EPERM of pidfd_getfd(2); ENOTSOCK for what is no socket.
    """
    with borrowed(pidfd, fd) as copy:
        if copy.family != socket.AF_INET or copy.type not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            return None
        stream = copy.type == socket.SOCK_STREAM
        peer = _peer(copy)
        listening = stream and bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        taken, room, _, send_room, *_, drops = _MEMINFO.unpack(
            copy.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        )
        return InetSocket(
            "tcp" if stream else "udp",
            copy.getsockname(),
            peer,
            _state(copy) if stream else "ESTABLISHED" if peer else "CLOSE",
            0 if listening else _number(copy, _SIOCINQ),
            0 if listening else _number(copy, _SIOCOUTQ),
            taken,
            room,
            send_room,
            drops,
        )


def peek(pidfd: int, fd: int, length: int = 256) -> bytes:
    """The first bytes that wait in a process's socket, left where they are; b"" for none, or with an error pending.

    Raises:
        OSError: as `look`.
    """
    with borrowed(pidfd, fd) as copy:
        poll = select.poll()
        poll.register(copy, 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            return b""  # an error that waits for the socket's owner would be given to us in its place
        try:
            return copy.recv(length, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionError):
            return b""
        except OSError as error:
            if error.errno in (errno.ENOTCONN, errno.EINVAL):
                return b""
            raise


def shown(endpoint: Endpoint | None) -> str:
    """`127.0.0.1:5000`; `*` where there is none."""
    return "*" if endpoint is None else f"{endpoint[0]}:{endpoint[1]}"


@contextmanager
def borrowed(pidfd: int, fd: int) -> Iterator[socket.socket]:
    """A copy of a process's socket, closed at the end: while it is open, the other end sees no end of file."""
    with socket_copy(pidfd, fd) as copy:
        yield copy


def _peer(copy: socket.socket) -> Endpoint | None:
    try:
        host, port = copy.getpeername()
    except OSError as error:
        if error.errno in (errno.ENOTCONN, errno.EINVAL):
            return None
        raise
    return str(host), int(port)


def _state(copy: socket.socket) -> str:
    number = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return TCP_STATES[number] if number < len(TCP_STATES) else str(number)


def _number(copy: socket.socket, request: int) -> int:
    import fcntl  # missing on systems that this module must still be importable on

    return int(struct.unpack("i", fcntl.ioctl(copy.fileno(), request, bytes(4)))[0])
