"""The memory of another process, and large messages out of mapped memory: process_vm_readv(2), prctl(2), send(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cached_property

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated
from ipctui.worker.shared_memory import Segment

_READ, _WRITE, _PRCTL, _SEND, _RECV, _LSEEK, _CAPSET = (
    CODES[name] for name in ("process_vm_readv", "process_vm_writev", "prctl", "send", "recv", "lseek", "capset")
)
PR_SET_PTRACER = 0x59616D61
"""Who may look into this process where Yama forbids it to all but ancestors (PR_SET_PTRACER(2const))."""
CAP_SYS_PTRACE = 19
"""The capability to look into any process: capabilities(7)."""
_VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: linux/capability.h
PR_SET_DUMPABLE = 4
"""Whether others of the same user may look into this process: 0 withholds it (PR_SET_DUMPABLE(2const))."""
_MSG_PEEK, _MSG_TRUNC = 0x02, 0x20


class _Vector(ctypes.Structure):
    """struct iovec, readv(2)."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class RemoteMemory(Seated):
    """Traced operations on other processes' memory, and on messages too large to be copied once more by Python."""

    def process_vm_readv(self, pid: int, address: int, size: int) -> bytes:
        """process_vm_readv(2): `size` bytes at an address of another process, copied once, by the kernel.

        Raises:
            OSError: EPERM (no permission to look into that process: ptrace(2)), EFAULT, ESRCH.
        """
        room = ctypes.create_string_buffer(size)
        function = self._remote("process_vm_readv")
        extra = size << 24 | pid
        key = self._before(_READ, -1, address, extra, b"")
        try:
            got = clib.checked(_move(function, pid, ctypes.addressof(room), address, size))
        except OSError as error:
            self._missed(key, address, extra, b"", error)
            raise
        data = memoryview(room)[:got].tobytes()
        self._after(key, got, address, extra, data, got)
        return data

    def process_vm_readv_into(self, pid: int, address: int, segment: Segment, size: int) -> int:
        """process_vm_readv(2) into mapped memory, from its first byte on: bytes read."""
        function = self._remote("process_vm_readv")
        extra = size << 24 | pid
        key = self._before(_READ, -1, address, extra, b"")
        try:
            got = clib.checked(_move(function, pid, segment.address, address, size))
        except OSError as error:
            self._missed(key, address, extra, b"", error)
            raise
        self._after(key, got, address, extra, segment.view[: min(got, 32)].tobytes(), got)
        return got

    def process_vm_writev(self, pid: int, address: int, data: bytes) -> int:
        """process_vm_writev(2): bytes written to an address of another process. Raises OSError as reading does."""
        size = len(data)
        kept = ctypes.create_string_buffer(data, size)
        function = self._remote("process_vm_writev")
        extra = size << 24 | pid
        key = self._before(_WRITE, -1, address, extra, data)
        try:
            put = clib.checked(_move(function, pid, ctypes.addressof(kept), address, size))
        except OSError as error:
            self._missed(key, address, extra, data, error)
            raise
        self._after(key, put, address, extra, data, put)
        return put

    def _remote(self, name: str) -> clib.Function:
        vectors = (clib.POINTER, clib.SIZE, clib.POINTER, clib.SIZE, clib.SIZE)
        return clib.function(name, clib.INT, *vectors, result=clib.SIGNED_SIZE)

    def prctl(self, option: int, argument: int) -> int:
        """prctl(2) with one number, such as PR_SET_DUMPABLE."""
        function = clib.function("prctl", clib.INT, *(clib.SIZE,) * 4, brief=True)
        key = self._before(_PRCTL, -1, option, argument, b"", 0)
        made = self._call(key, lambda: clib.checked(function(option, argument, 0, 0, 0)), option, argument, b"")
        return self._must(made)

    def give_up(self, capability: int) -> None:
        """capset(2): this process, without one of its capabilities; a process that has none loses none."""
        header = struct.pack("@Ii", _VERSION_3, 0)
        sets = ctypes.create_string_buffer(24)
        pointers = (clib.TEXT, clib.POINTER)
        clib.checked(clib.function("capget", *pointers, brief=True)(header, ctypes.addressof(sets)))
        low, *others = struct.unpack("@6I", sets.raw)  # effective, permitted, inheritable, of the first 32 and the rest
        kept = struct.pack("@6I", low & ~(1 << capability), others[0] & ~(1 << capability), *others[1:])
        room = ctypes.create_string_buffer(kept, 24)
        function = clib.function("capset", *pointers, brief=True)
        key = self._before(_CAPSET, -1, capability, 0, b"", 0)
        self._call(key, lambda: clib.checked(function(header, ctypes.addressof(room))), capability, 0, b"")

    def lseek(self, fd: int, offset: int, whence: int) -> int:
        """lseek(2): the new offset; with SEEK_END the size of a file, or of memory with a descriptor."""
        key = self._before(_LSEEK, fd, offset, whence, b"")
        return self._must(self._call(key, lambda: os.lseek(fd, offset, whence), offset, whence, b""))

    def send_from(self, fd: int, segment: Segment, offset: int, size: int, flags: int = 0) -> int | None:
        """send(2) out of mapped memory: bytes sent, None for EAGAIN and EINTR."""
        first = segment.view[offset : offset + min(size, 32)].tobytes()
        key = self._before(_SEND, fd, size, flags, first)
        try:
            sent = clib.checked(self._c_send_from(fd, segment.address + offset, size, flags))
        except OSError as error:
            self._missed(key, size, flags, first, error)
            return None
        self._after(key, sent, size, flags, first, sent)
        return sent

    def recv_into(self, fd: int, segment: Segment, offset: int, size: int, flags: int = 0) -> int | None:
        """recv(2) into mapped memory: bytes received, 0 at end of file, None for EAGAIN and EINTR."""
        key = self._before(_RECV, fd, size, flags, b"")
        try:
            got = clib.checked(self._c_recv_into(fd, segment.address + offset, size, flags))
        except OSError as error:
            self._missed(key, size, flags, b"", error)
            return None
        first = segment.view[offset : offset + min(got, 32)].tobytes()
        self._after(key, got, size, flags, first, got)
        return got

    def peek_length(self, fd: int) -> int | None:
        """recv(2) with MSG_PEEK and MSG_TRUNC: the whole length of the next message, which stays where it is.

        0 at end of file, None for EAGAIN and EINTR.
        """
        flags = _MSG_PEEK | _MSG_TRUNC
        key = self._before(_RECV, fd, 0, flags, b"")
        try:
            length = clib.checked(self._c_recv_into(fd, None, 0, flags))
        except OSError as error:
            self._missed(key, 0, flags, b"", error)
            return None
        self._after(key, length, 0, flags, b"")
        return length

    @cached_property
    def _c_send_from(self) -> clib.Function:
        return clib.function("send", clib.INT, clib.POINTER, clib.SIZE, clib.INT, result=clib.SIGNED_SIZE)

    @cached_property
    def _c_recv_into(self) -> clib.Function:
        return clib.function("recv", clib.INT, clib.POINTER, clib.SIZE, clib.INT, result=clib.SIGNED_SIZE)


def _move(function: clib.Function, pid: int, local: int, remote: int, size: int) -> int:
    """One vector here and one there. Raises OSError EFAULT for an address that no process can have."""
    if not 0 <= remote < 1 << 63:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    here, there = _Vector(local, size), _Vector(remote, size)
    return function(pid, ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)
