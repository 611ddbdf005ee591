"""Datagrams that wait in another process's socket, each by itself, peeked at and left where they are."""

from __future__ import annotations

import select
import socket

from ipctui.kernel.inet_sockets import borrowed

_SO_PEEK_OFF = 42  # asm-generic/socket.h


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
