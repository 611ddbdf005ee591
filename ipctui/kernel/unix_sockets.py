"""UNIX-domain sockets of other processes: their names, the true peer, and what waits in them, looked at and left alone.

A descriptor is copied (pidfd_getfd(2)), asked, and closed at once: the copy would keep the peer from seeing end of
file. Messages are peeked at without room for control data, for a peek would install passed descriptors here.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ipctui.kernel.own import socket_copy

_SIOCINQ, _SIOCOUTQ = 0x541B, 0x5411  # asm-generic/ioctls.h: FIONREAD and TIOCOUTQ
_SO_PEEK_OFF = 42  # asm-generic/socket.h
_ACCEPTS = 0x10000  # __SO_ACCEPTCON, include/uapi/linux/net.h
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20  # linux/netlink.h, linux/sock_diag.h
_NLM_F_REQUEST = 1
_UDIAG_SHOW_PEER, _UNIX_DIAG_PEER = 4, 2  # linux/unix_diag.h
_NO_COOKIE = b"\xff" * 8
_SIZES = struct.Struct("=IHHII")  # struct nlmsghdr


@dataclass(frozen=True, slots=True)
class Identity:
    """What a socket is, none of which changes once it is connected or listens."""

    name: str
    """Its own address as ss(8) prints it: `@…` for an abstract one, a path, "" for none (unix(7))."""
    peer_name: str
    """The address of the other end; "" when that has none, or there is no other end."""
    listening: bool
    peer_pid: int | None
    """SO_PEERCRED: who called connect(2), or listen(2) where this end connected; None without a peer."""
    peer_uid: int | None
    room: int
    """SO_SNDBUF: bytes of kernel memory that its messages may take until they are received."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits in a socket to be received, and what its own messages take at the peer."""

    waiting: int
    """SIOCINQ: bytes of all messages that wait to be received here."""
    taken: int
    """SIOCOUTQ: bytes of kernel memory taken by messages sent from here and not yet received."""
    messages: tuple[bytes, ...]
    """The oldest waiting messages, each cut."""
    count: int | None
    """How many wait in all; None when more wait than were looked at, or none could be."""
    sizes: tuple[int, ...] = ()
    """The true bytes of each of `messages`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of /proc/net/unix (proc_pid_net(5))."""

    inode: int
    kind: int
    """SOCK_STREAM 1, SOCK_DGRAM 2, SOCK_SEQPACKET 5."""
    listening: bool
    name: str


def identify(pidfd: int, fd: int) -> Identity:
    """What the socket behind a process's descriptor is.

    Raises:
        OSError: ESRCH, EBADF, EPERM of pidfd_getfd(2); ENOTSOCK for what is no socket.
    """
    with _borrowed(pidfd, fd) as borrowed:
        listening = bool(borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        peer, connected = _peer_name(borrowed)
        pid = uid = None
        if connected:
            pid, uid, _ = struct.unpack("iii", borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return Identity(
            shown(borrowed.getsockname()),
            peer,
            listening,
            pid or None,
            uid,
            borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        )


def look(pidfd: int, fd: int, most: int = 24, length: int = 64, peeked: bool = False) -> Queue:
    """What waits behind a process's connected descriptor: at most `most` messages, cut to `length` bytes.

    Messages of a stream have no edges: there the first bytes are one. Nothing is received. SO_PEEK_OFF, by which all
    but the oldest are looked at, is the socket's: for as long as that takes, a peek of the owner's own would begin at
    a later message, or sleep before a queue that is not empty. With `peeked`, for an owner that peeks and runs, the
    oldest alone is looked at, and SO_PEEK_OFF left alone.

    Raises:
        OSError: as `identify`.
    """
    with _borrowed(pidfd, fd) as borrowed:
        waiting, taken = _number(borrowed, _SIOCINQ), _number(borrowed, _SIOCOUTQ)
        peek = _peek_oldest if peeked else _peek
        messages, sizes = peek(borrowed, most, length) if waiting else ((), ())
        return Queue(waiting, taken, messages, len(messages) if sum(sizes) >= waiting else None, sizes)


def shown(address: object) -> str:
    """An address as ss(8) prints it: `@name` for an abstract one, its bytes that are no text replaced."""
    raw = address if isinstance(address, bytes) else os.fsencode(address) if isinstance(address, str) else b""
    text = raw.decode("utf-8", "replace")
    return "@" + text[1:] if text.startswith("\0") else text


def parse_table(text: str) -> tuple[Row, ...]:
    """The rows of /proc/net/unix; lines that make no sense are left out."""
    rows = []
    for line in text.splitlines()[1:]:
        fields = line.split(None, 7)
        try:
            flags, kind, inode = int(fields[3], 16), int(fields[4], 16), int(fields[6])
        except (IndexError, ValueError):
            continue
        rows.append(Row(inode, kind, bool(flags & _ACCEPTS), fields[7] if len(fields) > 7 else ""))
    return tuple(rows)


def table() -> tuple[Row, ...]:
    """Every UNIX-domain socket of this network namespace; none where the kernel shows none."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            return parse_table(file.read())
    except OSError:
        return ()


def peer_inode(inode: int) -> int | None:
    """The inode of the socket that this one is connected to, by sock_diag(7).

    None when it has no peer, is gone, or the kernel was built without UNIX socket monitoring.
    """
    request = struct.pack("=BBHIII8s", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode, _UDIAG_SHOW_PEER, _NO_COOKIE)
    header = _SIZES.pack(_SIZES.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as asking:
            asking.settimeout(1)
            asking.sendto(header + request, (0, 0))
            return parse_peer(asking.recv(4096))
    except OSError:
        return None


def parse_peer(answer: bytes) -> int | None:
    """The peer's inode in an answer of sock_diag(7): the attribute UNIX_DIAG_PEER behind struct unix_diag_msg."""
    if len(answer) < _SIZES.size + 16 or struct.unpack_from("=H", answer, 4)[0] != _SOCK_DIAG_BY_FAMILY:
        return None
    at = _SIZES.size + 16
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == _UNIX_DIAG_PEER and length >= 8 and at + 8 <= len(answer):
            return int(struct.unpack_from("=I", answer, at + 4)[0])
        if length < 4:
            return None
        at += -(-length // 4) * 4
    return None


@contextmanager
def _borrowed(pidfd: int, fd: int) -> Iterator[socket.socket]:
    with socket_copy(pidfd, fd) as copy:
        yield copy


def _peer_name(borrowed: socket.socket) -> tuple[str, bool]:
    try:
        return shown(borrowed.getpeername()), True
    except OSError as error:
        if error.errno in (errno.ENOTCONN, errno.EINVAL):
            return "", False
        raise


def _flags() -> int:
    # Some are missing on systems that this module must still be importable on.
    return socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_TRUNC


def _peek_oldest(borrowed: socket.socket, most: int, length: int) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """The oldest waiting message and its true bytes."""
    room = bytearray(length)
    try:
        if most < 1 or _has_error(borrowed):
            return (), ()
        size = borrowed.recv_into(room, length, _flags())
    except (BlockingIOError, ConnectionResetError):
        return (), ()
    return ((bytes(room[: min(size, length)]),), (size,)) if size > 0 else ((), ())


def _peek(borrowed: socket.socket, most: int, length: int) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """The waiting messages and the true bytes of each: SO_PEEK_OFF makes a peek go on where the last one stopped.

    It says nothing to whoever receives, and is taken back at once: -1 is how every socket begins (socket(7)). An
    error that waits for the socket's owner (ECONNRESET) would be given to us in its place, so then nothing is asked.
    """
    messages: list[bytes] = []
    sizes: list[int] = []
    try:
        while len(messages) < most and not _has_error(borrowed):
            borrowed.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, sum(sizes))
            room = bytearray(length)
            size = borrowed.recv_into(room, length, _flags())
            if size <= 0:
                break
            messages.append(bytes(room[: min(size, length)]))
            sizes.append(size)
    except (BlockingIOError, ConnectionResetError):
        pass
    finally:
        borrowed.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, -1)
    return tuple(messages), tuple(sizes)


def _has_error(borrowed: socket.socket) -> bool:
    poll = select.poll()
    poll.register(borrowed, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _number(borrowed: socket.socket, request: int) -> int:
    import fcntl  # missing on systems that this module must still be importable on

    return int(struct.unpack("i", fcntl.ioctl(borrowed.fileno(), request, bytes(4)))[0])
