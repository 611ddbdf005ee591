"""Datagrams that wait in another process's socket, each by itself, peeked at and left where they are."""

from __future__ import annotations

import errno
import select
import socket
import struct

from ipctui.kernel.inet_sockets import borrowed
from ipctui.kernel.libc import socket_option

_SO_PEEK_OFF = 42  # asm-generic/socket.h
_IP_MSFILTER = 41  # linux/in.h
_QUESTION = struct.Struct("@4s4sII")
"""linux/in.h, struct ip_msfilter: group, interface, mode, number of sources; those themselves are not wanted."""


def peek(pidfd: int, fd: int, most: int = 24, length: int = 64) -> tuple[tuple[bytes, int], ...]:
    """The oldest datagrams that wait, at most `most`: the first `length` bytes of each, and its true size.

    SO_PEEK_OFF makes a peek go on where the last one stopped; it says nothing to whoever receives, and is taken back
    at once: -1 is how every socket begins (socket(7)). With an error pending nothing is asked, for it would be given
    to us in the owner's place.

    Raises:
        OSError: ESRCH, EBADF, EPERM of pidfd_getfd(2); ENOTSOCK for what is no socket.
    """
    found: list[tuple[bytes, int]] = []
    with borrowed(pidfd, fd) as copy:
        poll = select.poll()
        poll.register(copy, select.POLLIN)
        offset, room = 0, bytearray(length)
        try:
            while len(found) < most and all(event == select.POLLIN for _, event in poll.poll(0)):
                copy.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, offset)
                flags = socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_TRUNC
                size = copy.recv_into(room, length, flags)
                if not size:
                    break  # an empty datagram does not move the offset
                found.append((bytes(room[: min(size, length)]), size))
                offset += size
        except (BlockingIOError, ConnectionError):
            pass
        finally:
            copy.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, -1)
    return tuple(found)


def is_member(pidfd: int, fd: int, group: str, interface: str = "127.0.0.1") -> bool | None:
    """Whether a process's socket has joined a group of IPv4 through an interface; None where the kernel does not tell.

    IP_MSFILTER asks which sources a socket wants of a group: EADDRNOTAVAIL says that it has not joined (ip(7)).

    Raises:
        OSError: ESRCH, EBADF, EPERM of pidfd_getfd(2); ENOTSOCK for what is no socket.
    """
    question = _QUESTION.pack(socket.inet_aton(group), socket.inet_aton(interface), 0, 0)
    with borrowed(pidfd, fd) as copy:
        try:
            socket_option(copy.fileno(), socket.IPPROTO_IP, _IP_MSFILTER, question)
        except OSError as error:
            return False if error.errno == errno.EADDRNOTAVAIL else None
    return True
