"""POSIX message queues looked at without taking a message from them, and the system's limits for them."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ipctui.kernel import libc
from ipctui.kernel.own import lift

LIMITS = Path("/proc/sys/fs/mqueue")
LONGEST_NAME = 255
"""NAME_MAX: bytes of a queue's name behind its slash (mq_overview(7))."""

_NUMBERS = re.compile(r"(QSIZE|NOTIFY_PID|NOTIFY|SIGNO):\s*(\d+)")
_MESSAGE_OVERHEAD = 48 + 48
"""Bytes of struct msg_msg and of a node of the tree of priorities on a 64-bit machine (ipc/mqueue.c)."""


class _Attributes(ctypes.Structure):
    """struct mq_attr (mq_getattr(3)): flags, maxmsg, msgsize, curmsgs and four reserved words."""

    _fields_ = (
        ("flags", ctypes.c_long),
        ("maxmsg", ctypes.c_long),
        ("msgsize", ctypes.c_long),
        ("curmsgs", ctypes.c_long),
        ("reserved", ctypes.c_long * 4),
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """A message queue at one moment; what could not be read is None, and `refused` says why.

    Attributes:
        messages: mq_curmsgs, how many are in it.
        capacity: mq_maxmsg, how many fit.
        message_size: mq_msgsize, bytes of the largest message.
        bytes: QSIZE, bytes of the messages in it.
        notify: The process that mq_notify(3) registered; None when there is none.
        uid: Its owner, and `mode` its permission bits.
        unlinked: Whether its name is gone.
        inode: What tells it from another queue that took its name.
        method: How it was reached: `pidfd_getfd`, `mq_open` or `none`.
    """

    messages: int | None = None
    capacity: int | None = None
    message_size: int | None = None
    bytes: int | None = None
    notify: int | None = None
    uid: int | None = None
    mode: int | None = None
    unlinked: bool = False
    inode: int | None = None
    method: str = "none"
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The system's limits: messages of a queue, bytes of a message, bytes of all queues of a user; queues in all."""

    messages: int
    message_size: int
    bytes: int | None
    """RLIMIT_MSGQUEUE (getrlimit(2)); None when there is no limit."""
    queues: int = 256
    """queues_max: of all users together (mq_overview(7))."""


def limits() -> Limits:
    """The limits of this machine and user; where they cannot be read, those that every kernel begins with."""
    return Limits(_limit("msg_max", 10), _limit("msgsize_max", 8192), _rlimit(), _limit("queues_max", 256))


def _limit(name: str, otherwise: int) -> int:
    try:
        return int((LIMITS / name).read_text())
    except (OSError, ValueError):
        return otherwise


def _rlimit() -> int | None:
    try:
        # resource is missing on systems that this module must still be importable on.
        import resource

        soft, _ = resource.getrlimit(12)  # RLIMIT_MSGQUEUE, include/uapi/asm-generic/resource.h
    except (ImportError, OSError, ValueError):
        return 819_200
    return None if soft == resource.RLIM_INFINITY else soft


def footprint(messages: int, message_size: int) -> int:
    """Bytes that a queue counts against RLIMIT_MSGQUEUE from its creation on, however empty it is."""
    return messages * (message_size + _MESSAGE_OVERHEAD)


def why_no_name(text: str) -> str:
    """What is wrong with a queue's name (mq_overview(7)), in words; "" when nothing is."""
    if not text.startswith("/"):
        return "a mailbox's name begins with a slash, for example /orders"
    rest = text[1:]
    if "/" in rest:
        return "a mailbox's name has one slash, the first character, and no other"
    if rest in ("", ".", ".."):
        return "a mailbox's name has something behind the slash, for example /orders"
    if "\0" in rest or not rest.isprintable():
        return "a mailbox's name has no control characters"
    if len(os.fsencode(rest)) > LONGEST_NAME:
        return f"a mailbox's name has at most {LONGEST_NAME} bytes behind its slash"
    return ""


def parse_status(text: str) -> tuple[int | None, int | None]:
    """What reading a queue's descriptor says: bytes in it, and the pid registered for notification or None."""
    found = {name: int(value) for name, value in _NUMBERS.findall(text)}
    registered = found.get("NOTIFY_PID") or None
    return found.get("QSIZE"), registered


def observe(pid: int, fd: int, pidfd: int = -1) -> Queue:
    """The queue behind descriptor `fd` of a process: attributes, bytes and registration; no message is received.

    Never raises because of the process.
    """
    opened = -1
    try:
        if pidfd < 0:
            pidfd = opened = os.pidfd_open(pid)
        copy = libc.pidfd_getfd(pidfd, fd)
    except OSError as error:
        return Queue(refused=_why(error, f"descriptor {fd} of process {pid}"))
    finally:
        if opened >= 0:
            os.close(opened)
    return _look(copy, "pidfd_getfd")


def find(name: str) -> Queue | None:
    """The queue that has a name, opened and closed again; None when there is none of it."""
    try:
        fd = _open(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Queue(refused=_why(error, name))
    return _look(fd, "mq_open")


def _look(fd: int, method: str) -> Queue:
    try:
        attributes = _attributes(fd)
        status = os.fstat(fd)
        size, registered = _status(fd)
        return Queue(
            messages=attributes.curmsgs,
            capacity=attributes.maxmsg,
            message_size=attributes.msgsize,
            bytes=size,
            notify=registered,
            uid=status.st_uid,
            mode=status.st_mode & 0o777,
            unlinked=status.st_nlink == 0,
            inode=status.st_ino,
            method=method,
        )
    except OSError as error:
        return Queue(method=method, refused=_why(error, "the queue"))
    finally:
        os.close(fd)


def _status(fd: int) -> tuple[int | None, int | None]:
    """Its text of numbers; nothing of a descriptor that is open for sending alone, which read(2) refuses."""
    try:
        return parse_status(os.pread(fd, 200, 0).decode("ascii", "replace"))
    except OSError:
        return None, None


@cache
def _library() -> Any:
    for name in (None, "librt.so.1"):  # glibc before 2.34 has the functions of mq_overview(7) in librt
        library = ctypes.CDLL(name, use_errno=True)
        if hasattr(library, "mq_getattr"):
            return library
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def _attributes(fd: int) -> _Attributes:
    attributes = _Attributes()
    if _library().mq_getattr(fd, ctypes.byref(attributes)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return attributes


def _open(name: str) -> int:
    fd = int(_library().mq_open(os.fsencode(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return lift(fd)


def _why(error: OSError, what: str) -> str:
    if error.errno == errno.ESRCH:
        return f"{what} cannot be looked at: the process has ended"
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"the kernel refuses {what} to this user"
    if error.errno in (errno.EBADF, errno.ENOENT):
        return f"{what} is no open message queue"
    return f"{what} cannot be looked at: {error.strerror}"
