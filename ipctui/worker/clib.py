"""Functions of the C library as the C library has them: an error is an OSError, EINTR is seen and not retried.

Python makes an interrupted call again by itself (PEP 475), so that a sleeper could not be woken; and it sets
close-on-exec, asks for addresses and types, and keeps descriptors, where a textbook's program does not.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache

Function = Callable[..., int]
INT, UNSIGNED, LONG, SIZE, SIGNED_SIZE, POINTER, TEXT = (
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.c_long,
    ctypes.c_size_t,
    ctypes.c_ssize_t,
    ctypes.c_void_p,
    ctypes.c_char_p,
)
_FILES = (None, "librt.so.1", "libpthread.so.0")
"""Until glibc 2.34 message queues and threads lay in libraries of their own."""


@cache
def function(name: str, *arguments: type, result: type = INT, brief: bool = False) -> Function:
    """A function of the C library by its name and the types of its arguments.

    Args:
        brief: It never sleeps: called without giving up the interpreter's lock, which costs less.

    Raises:
        OSError: ENOSYS where the C library has none of that name.
    """
    for file in _FILES:
        try:
            found = (ctypes.PyDLL if brief else ctypes.CDLL)(file, use_errno=True)[name]
        except (AttributeError, OSError):
            continue
        found.argtypes = arguments
        found.restype = result
        return found
    raise OSError(errno.ENOSYS, f"the C library has no {name}")


def checked(result: int) -> int:
    """A result that says an error by -1, or the OSError of errno(3)."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
