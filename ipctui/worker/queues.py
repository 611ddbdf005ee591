"""Message queues: mq_overview(7). A queue's descriptor is a file descriptor on Linux, and is treated as one here."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass
from typing import Any

from ipctui.trace.clock import now
from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.files import tail
from ipctui.worker.posix import os_error
from ipctui.worker.seated import Seated

_OPEN, _CLOSE, _UNLINK, _SEND, _RECEIVE, _GETATTR, _SETATTR, _NOTIFY = (
    CODES[f"mq_{name}"] for name in ("open", "close", "unlink", "send", "receive", "getattr", "setattr", "notify")
)
_ATTRIBUTES = struct.Struct("@4l4l")  # struct mq_attr, mq_getattr(3), and what is reserved behind it
_EVENT = struct.Struct("@qii48x")  # struct sigevent, sigevent(3type): value, signal, how
_SIGEV_SIGNAL = 0


@dataclass(frozen=True, slots=True)
class Attributes:
    """A queue's attributes: flags (O_NONBLOCK or 0), messages and bytes that fit, messages in it."""

    mq_flags: int
    mq_maxmsg: int
    mq_msgsize: int
    mq_curmsgs: int


class Queues(Seated):
    """Traced operations on message queues; a queue is told of as `/NAME`."""

    def __init__(self) -> None:
        super().__init__()
        self._queues: dict[int, Any] = {}

    def mq_open(self, name: str, flags: int, mode: int = 0, mq_maxmsg: int = 10, mq_msgsize: int = 8192) -> int:
        """mq_open(3): a queue's descriptor; mode, messages and bytes a message count only where O_CREAT makes it.

        Raises OSError: EINVAL beyond the system's msg_max and msgsize_max, EMFILE beyond RLIMIT_MSGQUEUE, EEXIST,
        ENOENT, EACCES.
        """
        import posix_ipc

        opened: list[Any] = []
        access = flags & os.O_ACCMODE

        def open_queue() -> int:
            try:
                opened.append(
                    posix_ipc.MessageQueue(
                        name,
                        flags & ~os.O_ACCMODE,
                        mode,
                        mq_maxmsg,
                        mq_msgsize,
                        access != os.O_WRONLY,
                        access != os.O_RDONLY,
                    )
                )
            except Exception as error:
                raise os_error(error) from None
            return int(opened[0].mqd)

        extra, payload = mode << 48 | (mq_maxmsg & 0xFFFF) << 32 | mq_msgsize & 0xFFFFFFFF, tail(name)
        key = self._before(_OPEN, -1, flags, extra, payload, self._label(name))
        q = self._must(self._call(key, open_queue, flags, extra, payload))
        self._queues[q] = opened[0]
        self._adopt(q, name)
        # posix_ipc asks the new queue how long its messages may be: a call that the kernel saw is told.
        self.traced.note("mq_getattr", q, now(), 0, 0, 0)
        return q

    def mq_send(self, q: int, message: bytes, priority: int = 0) -> bool | None:
        """mq_send(3): True; None when the queue is full and does not block (EAGAIN) or a signal came (EINTR)."""
        size = len(message)
        key = self._before(_SEND, q, size, priority, message)
        try:
            self._queue(q).send(message, None, priority)
        except Exception as error:
            self._missed(key, size, priority, message, os_error(error))
            return None
        self._after(key, 0, size, priority, message, size)
        return True

    def _queue(self, q: int) -> Any:
        queue = self._queues.get(q)
        if queue is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # closed meanwhile, as the user may have asked for
        return queue

    def mq_receive(self, q: int) -> tuple[bytes, int] | tuple[None, int]:
        """mq_receive(3): the oldest message of the highest priority, and that priority.

        (None, 0) when there is none and the queue does not block (EAGAIN), or a signal came (EINTR).
        """
        queue = self._queue(q)
        size: int = queue.max_message_size
        key = self._before(_RECEIVE, q, size, 0, b"")
        try:
            message, priority = queue.receive()
        except Exception as error:
            self._missed(key, size, 0, b"", os_error(error))
            return None, 0
        got = len(message)
        self._after(key, got, size, priority, message, got)
        return message, priority

    def mq_getattr(self, q: int) -> Attributes:
        """mq_getattr(3)."""
        buffer = ctypes.create_string_buffer(_ATTRIBUTES.size)
        function = clib.function("mq_getattr", clib.INT, clib.POINTER, brief=True)
        key = self._before(_GETATTR, q, 0, 0, b"")
        self._call(key, lambda: clib.checked(function(q, ctypes.addressof(buffer))), 0, 0, b"")
        return Attributes(*_ATTRIBUTES.unpack(buffer)[:4])

    def mq_setattr(self, q: int, flags: int) -> None:
        """mq_setattr(3): O_NONBLOCK or 0, the one attribute of an open queue that can be changed."""
        new = _ATTRIBUTES.pack(flags, *[0] * 7)
        function = clib.function("mq_setattr", clib.INT, clib.TEXT, clib.POINTER, brief=True)
        key = self._before(_SETATTR, q, flags, 0, b"")
        self._call(key, lambda: clib.checked(function(q, new, None)), flags, 0, b"")

    def mq_notify(self, q: int, number: int | None) -> None:
        """mq_notify(3): be sent a signal once, when a message comes into the empty queue; None takes it back.

        Raises OSError: EBUSY when another process has asked to be.
        """
        event = None if number is None else _EVENT.pack(0, int(number), _SIGEV_SIGNAL)
        argument = -1 if number is None else int(number)
        function = clib.function("mq_notify", clib.INT, clib.TEXT, brief=True)
        key = self._before(_NOTIFY, q, argument, 0, b"")
        self._call(key, lambda: clib.checked(function(q, event)), argument, 0, b"")

    def mq_close(self, q: int) -> None:
        """mq_close(3)."""
        key = self._before(_CLOSE, q, 0, 0, b"")
        self._call(key, lambda: os.close(q), 0, 0, b"")
        self._drop(q)

    def close_queues(self) -> None:
        """mq_close(3) of every queue that this process has open, before its program begins anew."""
        for q in list(self._queues):
            self.mq_close(q)

    def mq_unlink(self, name: str) -> None:
        """mq_unlink(3): the name is gone, who has the queue open keeps it."""
        import posix_ipc

        def unlink() -> None:
            try:
                posix_ipc.unlink_message_queue(name)
            except Exception as error:
                raise os_error(error) from None

        payload = tail(name)
        key = self._before(_UNLINK, -1, 0, 0, payload, self._label(name))
        self._call(key, unlink, 0, 0, payload)

    def _drop(self, fd: int) -> None:
        self._queues.pop(fd, None)
        super()._drop(fd)
