"""Where the laboratory's own descriptors sit: above everything that the measured programs are numbered by."""

import os

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
