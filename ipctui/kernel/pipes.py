"""The fill and the contents of a pipe or FIFO, looked at without consuming or disturbing them."""

import errno
import os
import select
import stat
import struct
from dataclasses import dataclass

from ipctui.kernel import libc
from ipctui.kernel.descriptors import access_of, parse_flags
from ipctui.kernel.own import lift

_F_SETPIPE_SZ = 1031  # include/uapi/linux/fcntl.h; Python names the two on Linux only
_F_GETPIPE_SZ = 1032
_EVERYTHING = 1 << 30


@dataclass(frozen=True, slots=True)
class PipeView:
    """A pipe or FIFO at one moment. What could not be read is None, and `refused` says why."""

    used: int | None
    """Bytes in it."""
    capacity: int | None
    """F_GETPIPE_SZ in bytes: what fits when every slot is filled."""
    slots: int | None
    """capacity / page size. A write begins a new slot unless its bytes fit behind the last one's."""
    slots_used: int | None
    """Slots that hold at least a byte; the pipe is full when none is left, however few bytes it holds."""
    contents: bytes | None
    """The oldest bytes first, at most as many as asked for."""
    packets: tuple[int, ...] | None
    """What successive reads will return, bytes each, when it holds packets (O_DIRECT); else None."""
    writable: bool | None
    """POLLOUT: whether a slot is free. None when neither a write end nor the slots could be looked at."""
    method: str
    """How it was reached: `pidfd_getfd`, `/proc/PID/fd` (a read end opened anew) or `none`."""
    refused: str | None
    """What could not be read and why, one sentence; None when nothing was refused."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """What was duplicated into the scratch pipe."""

    contents: bytes
    packets: tuple[int, ...] | None
    slots_used: int


class PipeObserver:
    """A looker into other processes' pipes, with one scratch pipe of its own that tee(2) copies into.

    Raises OSError EMFILE, or EINVAL where RLIMIT_NOFILE allows no descriptor of 200 or above.
    """

    def __init__(self) -> None:
        reader, writer = os.pipe()
        try:
            self._reader = lift(reader)
        except OSError:
            os.close(writer)
            raise
        try:
            self._writer = lift(writer)
        except OSError:
            os.close(self._reader)
            raise
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._closed = False
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._room = 0

    def observe(
        self, pid: int, fd: int, pidfd: int | None = None, contents: bool = True, limit: int = 65536
    ) -> PipeView:
        """The pipe behind descriptor `fd` of process `pid`; with `contents` False its level alone.

        Any end tells the level; tee(2), and so contents and slots, needs one that can read: of a write end
        they are None and `refused` says so, while level, capacity and `writable` are known. No end is held
        when this returns, so that EPIPE and end of file come as if nobody had looked. `pidfd` saves opening
        one. `limit` is in bytes. Never raises because of the process; after `close` it raises ValueError.
        """
        if self._closed:
            raise ValueError("the observer is closed")
        try:
            copy, method = _borrow(pid, fd, pidfd)
        except OSError as error:
            return _refusal(_why(pid, fd, error), "none")
        try:
            return self._look(copy, method, contents, limit)
        except OSError as error:
            return _refusal(_why(pid, fd, error), method)
        finally:
            os.close(copy)

    def close(self) -> None:
        """Closes the scratch pipe; a second call does nothing."""
        if not self._closed:
            self._closed = True
            os.close(self._reader)
            os.close(self._writer)

    def _look(self, copy: int, method: str, contents: bool, limit: int) -> PipeView:
        capacity = _fcntl(copy, _F_GETPIPE_SZ)
        slots = capacity // self._page
        access = access_of(_fcntl_getfl(copy))
        found, refused = None, None
        if contents and access == "write":
            refused = "a write end does not show the contents: tee(2) needs an end that can read"
        elif contents and not self._fits(capacity):
            refused = f"no scratch pipe of {capacity} bytes is allowed to this user (pipe-user-pages-soft)"
        elif contents:
            found = self._duplicate(copy)
        full = None if found is None else found.slots_used >= slots
        return PipeView(
            used=_available(copy) if found is None else len(found.contents),
            capacity=capacity,
            slots=slots,
            slots_used=None if found is None else found.slots_used,
            contents=None if found is None else found.contents[:limit],
            packets=None if found is None else found.packets,
            writable=(None if full is None else not full) if access == "read" else _has_room(copy),
            method=method,
            refused=refused,
        )

    def _fits(self, capacity: int) -> bool:
        """Sizes the scratch pipe to the observed one, and never to a single slot: see `_duplicate`."""
        room = max(capacity, 2 * self._page)
        if self._room != room:
            try:
                _fcntl(self._writer, _F_SETPIPE_SZ, room)
            except PermissionError:
                pass
            self._room = _fcntl(self._writer, _F_GETPIPE_SZ)
        return self._room >= room

    def _duplicate(self, copy: int) -> _Copy:
        try:
            total = libc.tee(copy, self._writer, _EVERYTHING)
        except BlockingIOError:
            total = 0
        if total == 0:
            return _Copy(b"", None, 0)
        try:
            return self._read_scratch(total)
        finally:
            self._drain()

    def _read_scratch(self, total: int) -> _Copy:
        """Counts the slots by what is left of the scratch pipe, then reads it packet by packet.

        Each slot of the source takes one here, and nothing is appended to a slot that tee(2) made (link_pipe
        in fs/splice.c clears PIPE_BUF_FLAG_CAN_MERGE), so whole pages fill the slots left and no other.
        Asking for one byte more than what remains tells a packet's end, where a read stops, from a stream's.
        """
        try:
            free = os.write(self._writer, bytes(self._room)) // self._page
        except BlockingIOError:
            free = 0
        chunks: list[bytes] = []
        remaining, bounded = total, False
        while remaining > 0:
            chunk = os.read(self._reader, remaining + 1)
            bounded = bounded or len(chunk) < remaining or (free > 0 and len(chunk) == remaining)
            chunks.append(chunk[:remaining])
            remaining -= len(chunk)
        packets = tuple(len(chunk) for chunk in chunks) if bounded else None
        return _Copy(b"".join(chunks), packets, self._room // self._page - free)

    def _drain(self) -> None:
        try:
            while os.read(self._reader, self._room):
                pass
        except BlockingIOError:
            pass


def _borrow(pid: int, fd: int, pidfd: int | None) -> tuple[int, str]:
    """A descriptor of our own for the pipe, to be closed by the caller, and how it was got."""
    opened = None
    try:
        if pidfd is None:
            if not hasattr(os, "pidfd_open"):
                raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
            pidfd = opened = os.pidfd_open(pid)
        return libc.pidfd_getfd(pidfd, fd), "pidfd_getfd"
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS):
            raise
    finally:
        if opened is not None:
            os.close(opened)
    return _reopen(pid, fd), "/proc/PID/fd"


def _reopen(pid: int, fd: int) -> int:
    """A read end opened anew through /proc. Raises OSError; EPERM for a write end, which is never opened.

    The end that the process holds makes this harmless: whoever waits in open(2) for a reader has one already.
    O_PATH pins the object first without opening it, so that what is checked is what is opened.
    """
    pinned = os.open(f"/proc/{pid}/fd/{fd}", os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISFIFO(os.fstat(pinned).st_mode):
            raise OSError(errno.EBADF, "not a pipe")
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            flags = parse_flags(file.read())
        if flags is None or access_of(flags) not in ("read", "read-write"):
            raise OSError(errno.EPERM, "pidfd_getfd(2) is refused and this is no read end")
        return os.open(f"/proc/self/fd/{pinned}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(pinned)


def _refusal(sentence: str, method: str) -> PipeView:
    return PipeView(None, None, None, None, None, None, None, method, sentence)


def _why(pid: int, fd: int, error: OSError) -> str:
    if error.errno == errno.ESRCH:
        return f"process {pid} has ended"
    if error.errno in (errno.EBADF, errno.ENOENT):
        return f"descriptor {fd} of process {pid} is not an open pipe"
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"the kernel refuses a copy of descriptor {fd} of process {pid} to this user"
    return f"descriptor {fd} of process {pid} cannot be looked at: {error.strerror}"


def _fcntl(fd: int, command: int, argument: int = 0) -> int:
    # fcntl and termios are missing on systems that this module must still be importable on.
    import fcntl

    return fcntl.fcntl(fd, command, argument)


def _fcntl_getfl(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_GETFL)


def _available(fd: int) -> int:
    """FIONREAD: the bytes in the pipe, from either end (fs/pipe.c, pipe_ioctl)."""
    import fcntl
    import termios

    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])


def _has_room(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poll.poll(0))
