"""io_uring, io_uring(7): reads that the kernel completes by itself, asked for and found in memory shared with it.

The three system calls are made by number, since the C library has no functions for them: a submission queue entry is
filled in memory, io_uring_enter(2) tells the kernel of it, and the completion queue's tail moves when the data lie in
the buffer. Names of what makes no system call are those of liburing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE

from ipctui.trace.clock import now
from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

_SETUP, _ENTER, _MMAP, _PREP, _PEEK = (
    CODES[name] for name in ("io_uring_setup", "io_uring_enter", "mmap", "io_uring_prep_read", "io_uring_peek_cqe")
)
_SYS_SETUP, _SYS_ENTER = 425, 426  # the same on every machine: include/uapi/asm-generic/unistd.h
_MAP_POPULATE = 0x8000
_SINGLE_MMAP = 1  # IORING_FEAT_SINGLE_MMAP: both queues in one mapping (Linux 5.4)
_AT_RINGS, _AT_ENTRIES = 0, 0x10000000  # IORING_OFF_SQ_RING, IORING_OFF_SQES
_OP_READ = 22  # IORING_OP_READ (Linux 5.6)
_PARAMETERS = 120  # struct io_uring_params
_OFFSETS = struct.Struct("@10I")
_ENTRY = struct.Struct("@BBHiQQIIQ24x")  # struct io_uring_sqe: opcode, flags, ioprio, fd, off, addr, len, …, user_data
_COMPLETION = struct.Struct("@QiI")  # struct io_uring_cqe: user_data, res, flags
_LOW = 0xFFFFFFFF
_CURRENT_POSITION = (1 << 64) - 1


class _Ring:
    """The memory of one io_uring, and the buffers of the reads that it has in hand."""

    def __init__(self, fd: int, parameters: bytes, map_at: Callable[[int, int], int]) -> None:
        self.fd = fd
        entries, completions = struct.unpack_from("@II", parameters)
        features: int = struct.unpack_from("@I", parameters, 20)[0]
        if not features & _SINGLE_MMAP:
            raise OSError(errno.ENOSYS, "io_uring of before Linux 5.4")
        head, tail, mask, _, _, _, array, *_ = _OFFSETS.unpack_from(parameters, 40)
        c_head, c_tail, c_mask, _, _, cqes, *_ = _OFFSETS.unpack_from(parameters, 80)
        size = max(array + 4 * entries, cqes + _COMPLETION.size * completions)
        memory = _memory(map_at(_AT_RINGS, size), size)
        self.entries = _memory(map_at(_AT_ENTRIES, _ENTRY.size * entries), _ENTRY.size * entries)

        def word(offset: int) -> memoryview:
            return memory[offset : offset + 4].cast("I")

        self.head, self.tail, self.mask = word(head), word(tail), word(mask)[0]
        self.array = memory[array : array + 4 * entries].cast("I")
        self.c_head, self.c_tail, self.c_mask = word(c_head), word(c_tail), word(c_mask)[0]
        self.completions = memory[cqes : cqes + _COMPLETION.size * completions]
        self.buffers: dict[int, ctypes.Array[ctypes.c_char]] = {}


def _memory(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


class IoUring(Seated):
    """Traced operations on an io_uring; a read is known by the descriptor that it reads."""

    def __init__(self) -> None:
        super().__init__()
        self._rings: dict[int, _Ring] = {}

    def io_uring_setup(self, entries: int) -> int:
        """io_uring_setup(2), and the two mmap(2) of its queues: the ring's descriptor.

        Raises OSError: EPERM where it is disabled or filtered, ENOSYS before Linux 5.4.
        """
        parameters = ctypes.create_string_buffer(_PARAMETERS)
        call = clib.function("syscall", clib.LONG, clib.UNSIGNED, clib.POINTER, result=clib.LONG, brief=True)
        key = self._before(_SETUP, -1, entries, 0, b"", 0)
        address = ctypes.addressof(parameters)
        fd = self._must(self._call(key, lambda: clib.checked(call(_SYS_SETUP, entries, address)), entries, 0, b""))
        self._adopt(fd, "anon_inode:[io_uring]")
        self._rings[fd] = _Ring(fd, parameters.raw, lambda offset, size: self._map_queue(fd, offset, size))
        return fd

    def _map_queue(self, fd: int, offset: int, size: int) -> int:
        mapping = clib.function(
            "mmap",
            *(clib.POINTER, clib.SIZE, clib.INT, clib.INT, clib.INT, clib.LONG),
            result=clib.LONG,
            brief=True,
        )
        flags = MAP_SHARED | _MAP_POPULATE
        extra = (PROT_READ | PROT_WRITE) << 32 | flags
        begin = now()
        address = clib.checked(mapping(None, size, PROT_READ | PROT_WRITE, flags, fd, offset))
        self.traced.note("mmap", fd, begin, address, size, extra)
        return address

    def io_uring_prep_read(self, ring: int, fd: int, size: int) -> None:
        """io_uring_prep_read(3): a submission queue entry for one read, in memory; no system call."""
        queue = self._rings[ring]
        key = self._before(_PREP, fd, size, ring, b"")
        buffer = queue.buffers[fd] = ctypes.create_string_buffer(size)
        tail = queue.tail[0]
        place = tail & queue.mask
        where = place * _ENTRY.size
        _ENTRY.pack_into(
            queue.entries, where, _OP_READ, 0, 0, fd, _CURRENT_POSITION, ctypes.addressof(buffer), size, 0, fd
        )
        queue.array[place] = place
        queue.tail[0] = tail + 1 & _LOW  # published: the kernel looks no farther than the tail
        self._after(key, 0, size, ring, b"")

    def io_uring_enter(self, ring: int) -> int | None:
        """io_uring_enter(2): submits what was prepared and waits for nothing: how many entries the kernel took."""
        queue = self._rings[ring]
        count = queue.tail[0] - queue.head[0] & _LOW
        call = clib.function(
            "syscall",
            *(clib.LONG, clib.UNSIGNED, clib.UNSIGNED, clib.UNSIGNED, clib.UNSIGNED, clib.POINTER, clib.SIZE),
            result=clib.LONG,
        )
        key = self._before(_ENTER, ring, count, 0, b"")
        return self._call(key, lambda: clib.checked(call(_SYS_ENTER, ring, count, 0, 0, None, 0)), count, 0, b"")

    def io_uring_peek_cqe(self, ring: int) -> tuple[int, bytes | None] | None:
        """io_uring_peek_cqe(3) and io_uring_cqe_seen(3): the descriptor of a completed read and its bytes.

        None when nothing has completed: a look at a word in memory, not recorded. The bytes are None where the read
        found nothing (EAGAIN, EINTR). Raises OSError: the read failed.
        """
        queue = self._rings[ring]
        head = queue.c_head[0]
        if head == queue.c_tail[0]:
            return None
        fd, result, _ = _COMPLETION.unpack_from(queue.completions, (head & queue.c_mask) * _COMPLETION.size)
        buffer = queue.buffers.pop(fd)
        data = bytes(memoryview(buffer)[: max(result, 0)])
        key = self._before(_PEEK, fd, len(buffer), 0, b"")
        queue.c_head[0] = head + 1 & _LOW
        if result < 0:
            self._missed(key, len(buffer), 0, b"", OSError(-result, os.strerror(-result)))
            return fd, None
        self._after(key, result, len(buffer), 0, data, result)
        return fd, data

    def _drop(self, fd: int) -> None:
        self._rings.pop(fd, None)
        super()._drop(fd)
