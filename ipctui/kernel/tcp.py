"""TCP's own account of a socket in another process: its window, its segments, the queue before accept(2)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from ipctui.kernel.inet_sockets import TCP_STATES, borrowed

_LONGEST = 256
_FIRST = struct.Struct("=8B24I")
_NOTSENT, _SEND_WINDOW = 144, 228  # offsets in struct tcp_info, include/uapi/linux/tcp.h
_LISTEN = "LISTEN"


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """What TCP_INFO (tcp(7)) says of a socket now.

    Attributes:
        state: By name.
        segment: The largest segment that is sent, bytes.
        unacked: Segments under way, not acknowledged yet.
        unsent: Bytes in the send queue that were never sent; None where the kernel does not tell (before 4.6).
        window: Bytes that the peer allows, by its latest word; None where the kernel does not tell (before 5.4).
        probes: Questions to a closed window that were not answered yet.
        retransmits: Segments sent again, in all.
        queued: Of a listening socket: connections made and not yet accepted; None of any other.
        backlog: Of a listening socket, what listen(2) was given: one more than this may wait.
    """

    state: str
    segment: int
    unacked: int
    unsent: int | None
    window: int | None
    probes: int
    retransmits: int
    queued: int | None
    backlog: int | None


def look(pidfd: int, fd: int) -> TcpInfo:
    """TCP's account of the socket behind a process's descriptor.

    Raises:
        OSError: ESRCH, EBADF, EPERM of pidfd_getfd(2); ENOTSOCK, EOPNOTSUPP for what is no TCP socket.
    """
    with borrowed(pidfd, fd) as copy:
        return parse(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LONGEST))


def parse(raw: bytes) -> TcpInfo:
    """The account in struct tcp_info, as long as this kernel makes it.

    Raises:
        ValueError: it is shorter than Linux 2.6's.
    """
    if len(raw) < _FIRST.size:
        raise ValueError(f"struct tcp_info of {len(raw)} bytes")
    state, _, _, probes, _, _, _, _, *words = _FIRST.unpack_from(raw)
    name = TCP_STATES[state] if state < len(TCP_STATES) else str(state)
    listens = name == _LISTEN
    # Of a listening socket these two fields tell the queue and its limit (net/ipv4/tcp.c, tcp_get_info).
    unacked, sacked = words[4], words[5]
    return TcpInfo(
        name,
        words[2],
        0 if listens else unacked,
        None if listens else _word(raw, _NOTSENT),
        None if listens else _word(raw, _SEND_WINDOW),
        probes,
        words[23],
        unacked if listens else None,
        sacked if listens else None,
    )


def _word(raw: bytes, offset: int) -> int | None:
    return int(struct.unpack_from("=I", raw, offset)[0]) if len(raw) >= offset + 4 else None
