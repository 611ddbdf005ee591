"""Where the laboratory's own descriptors sit: above everything that the measured programs are numbered by."""

from __future__ import annotations

import os
import socket

from ipctui.kernel import libc

FIRST_OWN_DESCRIPTOR = 200
"""The lowest number of an internal descriptor, so that pipe(2) gives 3 and 4 as every book says."""


def lift(fd: int) -> int:
    """Moves `fd` to `FIRST_OWN_DESCRIPTOR` or above, close-on-exec, and returns its number there.

    `fd` itself is closed in any case. F_DUPFD_CLOEXEC(2const). Raises OSError: EMFILE, and EINVAL where
    RLIMIT_NOFILE lies below.
    """
    # fcntl is missing on systems that this package must still be importable on.
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR)
    finally:
        os.close(fd)


def socket_copy(pidfd: int, fd: int) -> socket.socket:
    """A copy of a process's socket among the laboratory's own descriptors, to be closed at once: pidfd_getfd(2).

    What the process has behind that number may be something else by now: that copy is closed here.

    Raises:
        OSError: ESRCH, EBADF, EPERM of pidfd_getfd(2); ENOTSOCK for what is no socket.
    """
    copy = lift(libc.pidfd_getfd(pidfd, fd))
    try:
        return socket.socket(fileno=copy)
    except BaseException:
        os.close(copy)
        raise
