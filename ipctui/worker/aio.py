"""POSIX asynchronous I/O, aio(7): the C library reads in threads of its own; the program asks whether it is done."""

from __future__ import annotations

import ctypes
import errno
import os

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

_READ, _RETURN = CODES["aio_read"], CODES["aio_return"]
_SIGEV_NONE = 1


class _Block(ctypes.Structure):
    """struct aiocb as glibc has it on 64-bit machines, <aio.h>."""

    _fields_ = (
        ("fildes", ctypes.c_int),
        ("lio_opcode", ctypes.c_int),
        ("reqprio", ctypes.c_int),
        ("buf", ctypes.c_void_p),
        ("nbytes", ctypes.c_size_t),
        ("sigev_value", ctypes.c_void_p),
        ("sigev_signo", ctypes.c_int),
        ("sigev_notify", ctypes.c_int),
        ("sigev_rest", ctypes.c_char * 48),
        ("private", ctypes.c_char * 32),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_char * 32),
    )


class Aio(Seated):
    """Traced POSIX asynchronous reads, one at a time for a descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[int, tuple[_Block, ctypes.Array[ctypes.c_char]]] = {}

    def aio_read(self, fd: int, size: int) -> None:
        """aio_read(3): ask a helper thread of the C library to read; returns at once.

        The helper makes the system calls (pread64, and read since a pipe has no offset), which are not traced: they are
        counted in /proc/PID/task/TID/io. Raises OSError: EAGAIN when there is no room for another thread.
        """
        buffer = ctypes.create_string_buffer(size)
        block = _Block(fd, buf=ctypes.addressof(buffer), nbytes=size, sigev_notify=_SIGEV_NONE)
        self._blocks[fd] = block, buffer
        function = clib.function("aio_read", clib.POINTER)
        key = self._before(_READ, fd, size, 0, b"")
        self._must(self._call(key, lambda: clib.checked(function(ctypes.addressof(block))), size, 0, b""))

    def aio_return(self, fd: int) -> tuple[bool, bytes | None]:
        """aio_error(3), then aio_return(3) when the read is over: whether it is, and its bytes.

        A read in progress is not recorded: aio_error looks at a word in memory. The bytes are None where the read found
        nothing (EAGAIN, EINTR). Raises OSError: the read failed.
        """
        block, buffer = self._blocks[fd]
        address = ctypes.addressof(block)
        number = clib.function("aio_error", clib.POINTER, brief=True)(address)
        if number == errno.EINPROGRESS:
            return False, None
        result = clib.function("aio_return", clib.POINTER, result=clib.SIGNED_SIZE, brief=True)(address)
        del self._blocks[fd]
        data = bytes(memoryview(buffer)[: max(result, 0)])
        key = self._before(_RETURN, fd, len(buffer), 0, b"")
        if number:
            self._missed(key, len(buffer), 0, b"", OSError(number, os.strerror(number)))
            return True, None
        self._after(key, result, len(buffer), 0, data, result)
        return True, data
