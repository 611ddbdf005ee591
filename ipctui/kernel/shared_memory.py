"""POSIX shared memory and semaphores looked at from outside: their files in /dev/shm, and who has them mapped.

Nothing is mapped here: a file is read by pread(2), which answers short where a mapping of a truncated file would
end the reader with SIGBUS (mmap(2)).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ipctui.kernel.own import lift

FOLDER = "/dev/shm"
"""Where Linux keeps what shm_open(3) and sem_open(3) name: shm_overview(7), sem_overview(7)."""

_PLACE = f"{FOLDER}/".encode()
_MEMFD = b"/memfd:"  # memory without a name in any file system: memfd_create(2)
_MAPPING = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) ([rwxsp-]{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) ([0-9]+)(?: +(.*))?$", re.MULTILINE
)
_SEMAPHORE = struct.Struct("=II")
_MUTEX = struct.Struct("=III")
_TID_MASK, _OWNER_DIED = 0x3FFFFFFF, 0x40000000  # FUTEX_TID_MASK, FUTEX_OWNER_DIED: include/uapi/linux/futex.h


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of /proc/PID/maps (proc_pid_maps(5)): addresses, `rw-s` or `rw-p`, offset, (device, inode), path."""

    start: int
    end: int
    permissions: str
    offset: int
    inode: tuple[int, int]
    path: str

    @property
    def shared(self) -> bool:
        """MAP_SHARED; else MAP_PRIVATE, whose stores nobody else sees."""
        return self.permissions.endswith("s")


@dataclass(frozen=True, slots=True)
class SegmentStat:
    """A segment's file: bytes, bytes that have memory behind them, names left, mode, owner, and (device, inode)."""

    size: int
    resident: int
    links: int
    mode: int
    uid: int
    inode: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SemaphoreView:
    """A named semaphore: its value, and the waiters that the C library counts (one killed in its sleep stays)."""

    value: int
    waiters: int


@dataclass(frozen=True, slots=True)
class MutexView:
    """A pthread mutex in shared memory: the thread that has it (0 for none), and whether its last owner died."""

    owner: int
    owner_died: bool


def parse_maps(raw: bytes) -> Iterator[Mapping]:
    """The lines of /proc/PID/maps that can be read as such."""
    for found in _MAPPING.finditer(raw):
        start, end, permissions, offset, major, minor, inode, path = found.groups()
        yield Mapping(
            int(start, 16),
            int(end, 16),
            permissions.decode(),
            int(offset, 16),
            (os.makedev(int(major, 16), int(minor, 16)), int(inode)),
            os.fsdecode(path or b""),
        )


def mappings(pid: int, inodes: Collection[tuple[int, int]]) -> list[Mapping]:
    """Where a process has these files mapped; nothing when it is gone or the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            raw = file.read()
    except OSError:
        return []
    # Hundreds of lines, of which a few at most are of files there: only those are taken apart.
    lines = [line for line in raw.split(b"\n") if _PLACE in line or _MEMFD in line]
    return [mapping for mapping in parse_maps(b"\n".join(lines)) if mapping.inode in inodes] if lines else []


def free_bytes() -> int | None:
    """What is left of /dev/shm for this user (statvfs(3)); None where there is no such file system."""
    try:
        left = os.statvfs(FOLDER)
    except OSError:
        return None
    return left.f_bavail * left.f_frsize


class SegmentFile:
    """A segment or semaphore file held open for reading, so that it can be looked at after its name is gone.

    Attributes:
        path: The name that it was opened by.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def open(self, process: tuple[int, int] | None = None) -> bool:
        """Open it by its name, or through a descriptor (pid, number) of a process that has it; whether it is open."""
        if self._fd >= 0:
            return True
        ways = [self.path]
        if process is not None:
            ways.append(f"/proc/{process[0]}/fd/{process[1]}")
        for way in ways:
            try:
                self._fd = lift(os.open(way, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW * (way == self.path)))
            except OSError:
                continue
            return True
        return False

    def stat(self) -> SegmentStat | None:
        """What fstat(2) says; None while it is not open."""
        if self._fd < 0:
            return None
        found = os.fstat(self._fd)
        return SegmentStat(
            found.st_size,
            found.st_blocks * 512,
            found.st_nlink,
            found.st_mode,
            found.st_uid,
            (found.st_dev, found.st_ino),
        )

    def named(self) -> tuple[int, int] | None:
        """The (device, inode) that its name leads to now: another one's when a stranger made it anew, or None."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def read(self, size: int, offset: int = 0) -> bytes:
        """Bytes as they are now; fewer where the file ends, none when it cannot be read."""
        if self._fd < 0:
            return b""
        try:
            return os.pread(self._fd, size, offset)
        except OSError:
            return b""

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def parse_semaphore(raw: bytes) -> SemaphoreView | None:
    """A semaphore's file as glibc lays it out on 64-bit machines: value and waiters, 32 bits each (sem_t, nptl)."""
    if len(raw) < _SEMAPHORE.size:
        return None
    return SemaphoreView(*_SEMAPHORE.unpack_from(raw))


def parse_mutex(raw: bytes) -> MutexView | None:
    """A glibc pthread_mutex_t: lock word, count, owner's thread (struct __pthread_mutex_s)."""
    if len(raw) < _MUTEX.size:
        return None
    word, _, owner = _MUTEX.unpack_from(raw)
    holder = word & _TID_MASK
    # The lock word is a robust mutex's owner; 0 or 1 is that of a plain one, which keeps the thread beside it.
    return MutexView(holder if holder > 1 else owner * bool(holder), bool(word & _OWNER_DIED))


def write_word(path: str, offset: int, value: bytes) -> None:
    """Store a few bytes into a segment from outside, by pwrite(2).

    Raises:
        OSError: there is none of this name, or it may not be written.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if os.fstat(fd).st_size >= offset + len(value):
            os.pwrite(fd, value, offset)
    finally:
        os.close(fd)
