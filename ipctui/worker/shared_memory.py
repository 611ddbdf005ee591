"""Shared memory: shm_overview(7), mmap(2), and the places in a mapped segment."""

from __future__ import annotations

import ctypes
import os
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE
from typing import Any

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.files import tail
from ipctui.worker.places import Layout, Mutex, Slot, Word
from ipctui.worker.posix import os_error
from ipctui.worker.seated import Seated

_SHM_OPEN, _SHM_UNLINK, _FTRUNCATE, _MMAP, _MUNMAP, _MEMFD = (
    CODES[name] for name in ("shm_open", "shm_unlink", "ftruncate", "mmap", "munmap", "memfd_create")
)
FOLDER = "/dev/shm"
"""Where Linux keeps what shm_open(3) and sem_open(3) name: shm_overview(7)."""


class Buffer:
    """The places of a layout in a mapped segment: each word and mutex by its name, `slots` by number."""

    slots: tuple[Slot, ...]

    def __getattr__(self, name: str) -> Any:
        """Said for type checkers alone: each Word and Mutex is an attribute of its own."""
        raise AttributeError(name)


class Segment:
    """A mapping of this process.

    Attributes:
        address: Where it begins, in this process.
        size: Bytes.
        object: The ordinal of the label of what is mapped.
        view: Its bytes. Whoever touches them past the end of a shortened file is killed by SIGBUS, after munmap by
            SIGSEGV, as in C.
    """

    def __init__(self, address: int, size: int, obj: int) -> None:
        self.address, self.size, self.object = address, size, obj
        self.view = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")

    def word(self, offset: int, name: str = "") -> Word:
        """The shared word at an offset, a multiple of 8."""
        return Word(self.view, offset, self.object, name)

    def slot(self, offset: int, size: int, name: str = "") -> Slot:
        """The slot at an offset, a multiple of 8: a length word and room for `size` bytes."""
        return Slot(self.view, offset, size, self.object, name)

    def mutex(self, offset: int, name: str = "") -> Mutex:
        """Room for a mutex at an offset, a multiple of 64."""
        return Mutex(self.view, self.address, offset, self.object, name)

    def lay_out(self, layout: Layout) -> Buffer:
        """Its places by their names, as `layout` has them. Raises ValueError when it is too small for them."""
        if layout.size > self.size:
            raise ValueError(f"a layout of {layout.size} bytes in a segment of {self.size}")
        buffer = Buffer()
        for name in layout.words:
            setattr(buffer, name, self.word(layout.word_at(name), name))
        for name in layout.mutexes:
            setattr(buffer, name, self.mutex(layout.mutex_at(name), name))
        buffer.slots = tuple(
            self.slot(layout.slot_at(number), layout.slot_size, f"slots[{number}]") for number in range(layout.slots)
        )
        return buffer


class SharedMemory(Seated):
    """Traced operations on shared memory; a segment made by shm_open is told of as `/dev/shm/NAME`."""

    def shm_open(self, name: str, flags: int, mode: int = 0) -> int:
        """shm_open(3): the descriptor of a segment, empty when it is new."""
        import posix_ipc

        def open_segment() -> int:
            try:
                # It opens for reading and writing unless told otherwise, and sets no size unless told to.
                opened = posix_ipc.SharedMemory(
                    name, flags & ~os.O_ACCMODE, mode, read_only=flags & os.O_ACCMODE == os.O_RDONLY
                )
            except Exception as error:
                raise os_error(error) from None
            return int(opened.fd)

        label, payload = f"{FOLDER}/{name.lstrip('/')}", tail(name)
        key = self._before(_SHM_OPEN, -1, flags, mode, payload, self._label(label))
        fd = self._must(self._call(key, open_segment, flags, mode, payload))
        self._adopt(fd, label)
        return fd

    def shm_unlink(self, name: str) -> None:
        """shm_unlink(3): the name is gone, mappings live on."""
        import posix_ipc

        def unlink() -> int:
            try:
                posix_ipc.unlink_shared_memory(name)
            except Exception as error:
                raise os_error(error) from None
            return 0

        payload = tail(name)
        key = self._before(_SHM_UNLINK, -1, 0, 0, payload, self._label(f"{FOLDER}/{name.lstrip('/')}"))
        self._call(key, unlink, 0, 0, payload)

    def memfd_create(self, name: str, flags: int = 0) -> int:
        """memfd_create(2): memory with a descriptor and without a name in any file system."""
        payload = tail(name)
        key = self._before(_MEMFD, -1, flags, 0, payload, 0)
        fd = self._must(self._call(key, lambda: os.memfd_create(name, flags), flags, 0, payload))
        self._adopt(fd, f"/memfd:{name}")
        return fd

    def ftruncate(self, fd: int, size: int) -> None:
        """ftruncate(2): the segment's size."""
        key = self._before(_FTRUNCATE, fd, size, 0, b"")
        self._call(key, lambda: os.ftruncate(fd, size), size, 0, b"")

    def mmap(self, fd: int, size: int, flags: int = MAP_SHARED, protection: int = PROT_READ | PROT_WRITE) -> Segment:
        """mmap(2) of a file's first `size` bytes, at an address that the kernel chooses.

        MAP_SHARED or MAP_PRIVATE. The descriptor may be closed afterwards, as mmap(2) says.
        """
        function = clib.function(
            "mmap",
            *(clib.POINTER, clib.SIZE, clib.INT, clib.INT, clib.INT, clib.LONG),
            result=clib.SIGNED_SIZE,
            brief=True,
        )
        extra = flags | protection << 32
        key = self._before(_MMAP, fd, size, extra, b"")
        address = self._must(
            self._call(key, lambda: clib.checked(function(None, size, protection, flags, fd, 0)), size, extra, b"")
        )
        return Segment(address, size, self.objects.get(fd, 0))

    def munmap(self, segment: Segment) -> None:
        """munmap(2): who loads or stores there afterwards is killed by SIGSEGV."""
        function = clib.function("munmap", clib.POINTER, clib.SIZE, brief=True)
        size, address = segment.size, segment.address
        key = self._before(_MUNMAP, -1, size, address, b"", segment.object)
        self._call(key, lambda: clib.checked(function(address, size)), size, address, b"")
