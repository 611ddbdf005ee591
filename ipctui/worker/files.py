"""Files with a name: open(2), mkfifo(3), unlink(2), rename(2), fsync(2)."""

from __future__ import annotations

import errno
import os

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

_OPEN, _MKFIFO, _UNLINK, _FSYNC, _RENAME = (CODES[name] for name in ("open", "mkfifo", "unlink", "fsync", "rename"))


def tail(text: str) -> bytes:
    """The end of a name, as much as a record holds: what comes before is the label's to tell."""
    return os.fsencode(text)[-32:]


class Files(Seated):
    """Traced operations on files; a descriptor carries its file's path from open on."""

    def open(self, path: str, flags: int, mode: int = 0) -> int | None:
        """open(2): a descriptor; None when a signal ended the wait for a FIFO's other end (EINTR).

        While the user has set this worker to non-blocking, O_NONBLOCK is added, and None also says ENXIO: nobody has
        the FIFO open for reading. Other errors raise OSError.
        """
        quiet: tuple[int, ...] = ()
        payload, obj = tail(path), self._label(path)
        key = self._before(_OPEN, -1, flags, mode, payload, obj)
        if self.nonblocking:
            flags |= os.O_NONBLOCK
            quiet = (errno.ENXIO,)
        call = clib.function("open", clib.TEXT, clib.INT, clib.UNSIGNED)
        fd = self._call(key, lambda: clib.checked(call(os.fsencode(path), flags, mode)), flags, mode, payload, quiet)
        if fd is not None:
            self._adopt(fd, path)
            self._take_mode(fd, flags)
        return fd

    def mkfifo(self, path: str, mode: int) -> None:
        """mkfifo(3): a FIFO in the file system."""
        payload = tail(path)
        key = self._before(_MKFIFO, -1, mode, 0, payload, self._label(path))
        self._call(key, lambda: os.mkfifo(path, mode), mode, 0, payload)

    def unlink(self, path: str) -> None:
        """unlink(2): the name is gone, whoever has the file open keeps it."""
        payload = tail(path)
        key = self._before(_UNLINK, -1, 0, 0, payload, self._label(path))
        self._call(key, lambda: os.unlink(path), 0, 0, payload)

    def fsync(self, fd: int) -> None:
        """fsync(2): what was written to the file is on its device. Raises OSError: EIO, ENOSPC."""
        key = self._before(_FSYNC, fd, 0, 0, b"")
        self._call(key, lambda: os.fsync(fd), 0, 0, b"")

    def rename(self, old: str, new: str) -> None:
        """rename(2): the file has the new name, in one step; what had it before has none."""
        payload = tail(new)
        key = self._before(_RENAME, -1, 0, 0, payload, self._label(old))
        self._call(key, lambda: os.rename(old, new), 0, 0, payload)
