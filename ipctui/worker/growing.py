"""Files whose memory is given and taken back in parts while they are mapped: fallocate(2)."""

from __future__ import annotations

import errno

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

_FALLOCATE = CODES["fallocate"]
KEEP_SIZE, PUNCH_HOLE = 1, 2
"""FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE, <linux/falloc.h>."""
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.ENOMEM)


class Growing(Seated):
    """Traced operations that give a file memory and take it back."""

    def fallocate(self, fd: int, mode: int, offset: int, size: int) -> bool | None:
        """fallocate(2): True once the file has memory there, and is so long; PUNCH_HOLE takes memory away again.

        None where there is no more of it (ENOSPC, EFBIG): who only stored there would be killed by SIGBUS instead.
        """
        function = clib.function("fallocate", clib.INT, clib.INT, clib.LONG, clib.LONG, brief=True)
        extra = mode << 56 | size
        key = self._before(_FALLOCATE, fd, offset, extra, b"")
        done = self._call(key, lambda: clib.checked(function(fd, mode, offset, size)), offset, extra, b"", _NO_ROOM)
        return None if done is None else True
