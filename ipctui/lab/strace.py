"""Operations printed as strace(1) prints system calls, by their man-page names; what made no system call, likewise."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ipctui.lab import strace_options, strace_sets
from ipctui.trace.ring import PAYLOAD, Key
from ipctui.trace.text import strace_string

_FCNTL = {
    value: name
    for name, value in vars(fcntl).items()
    if name.startswith(("F_GETF", "F_SETF", "F_SETP", "F_GETP", "F_ADD_SEALS", "F_GET_SEALS", "F_SETOWN"))
}
_SEALS = tuple((getattr(fcntl, name, 0), name) for name in ("F_SEAL_SEAL", "F_SEAL_SHRINK", "F_SEAL_GROW"))
_FLAGS = tuple(
    (getattr(os, name, 0), name)
    for name in ("O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND", "O_NONBLOCK", "O_ASYNC", "O_DIRECT", "O_CLOEXEC")
)
_ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")
_PROTECTIONS = tuple((getattr(mmap, name, 0), name) for name in ("PROT_READ", "PROT_WRITE", "PROT_EXEC"))
_MAPPINGS = tuple((getattr(mmap, name, 0), name) for name in ("MAP_SHARED", "MAP_PRIVATE", "MAP_ANONYMOUS"))
_MESSAGE_FLAGS = tuple(
    (getattr(socket, name, 0), name)
    for name in ("MSG_PEEK", "MSG_TRUNC", "MSG_DONTWAIT", "MSG_WAITALL", "MSG_NOSIGNAL", "MSG_CMSG_CLOEXEC")
)
_LOW = 0xFFFFFFFF
_FOLDER = "/dev/shm"


def flags_text(flags: int, access: bool = False) -> str:
    """Open file flags by name, as strace prints them; `access` for those of open(2) and those that fcntl(2) returns."""
    names = [_ACCESS[flags & os.O_ACCMODE]] if access else []
    rest = flags & ~os.O_ACCMODE & ~0o100000  # O_LARGEFILE, which the kernel adds by itself
    return _bits(rest, _FLAGS, names)


def error_name(number: int) -> str:
    """An errno by its name, `EPIPE`; the number where it has none (errno(3))."""
    return errno.errorcode.get(number, str(number))


@dataclass(frozen=True, slots=True)
class _Made:
    """An operation's words as they lie in the ring, `result` None while it is in flight."""

    fd: int | None
    argument: int
    extra: int
    payload: bytes
    result: int | None
    label: str | None

    def name(self, prefix: str = "") -> str:
        """The name that the operation was given: its object's, or the end of it that the record holds."""
        if self.label is not None:
            return strace_string(("/" * bool(prefix) + self.label.removeprefix(prefix)).encode(), 0, 255)
        raw = self.payload.rstrip(b"\0")
        return ("..." if len(raw) == PAYLOAD else "") + strace_string(raw, 0)

    def given(self) -> str:
        """The bytes that it was given; of a call in flight they may be unknown."""
        if self.argument and not self.payload:
            return "…"
        return strace_string(self.payload[: min(self.argument, PAYLOAD)], self.argument)

    def taken(self) -> str:
        """The bytes that it brought."""
        if self.result is None or self.result < 0:
            return "…"
        return strace_string(self.payload[: min(self.result, PAYLOAD)], self.result)

    def number(self, signed: bool = True) -> int:
        """The lower half of the second word as an int of C."""
        low = self.extra & _LOW
        return low - (1 << 32) if signed and low >= 1 << 31 else low


def _write(made: _Made) -> str:
    return f"{made.fd}, {made.given()}, {made.argument}"


def _read(made: _Made) -> str:
    if made.result is None:
        return f"{made.fd}, "
    return f"{made.fd}, {made.taken()}, {made.argument}"


def _pipe(made: _Made) -> str:
    return f"[{made.extra & _LOW}, {made.extra >> 32}]" if made.result == 0 else "…"


def _fcntl(made: _Made) -> str:
    command = _FCNTL.get(made.argument, str(made.argument))
    value = flags_text(made.extra, access=True) if command in ("F_SETFL",) else str(made.extra)
    if command == "F_ADD_SEALS":
        value = _bits(made.extra, _SEALS)
    elif command == "F_SETFD":
        value = "FD_CLOEXEC" if made.extra & fcntl.FD_CLOEXEC else "0"
    return f"{made.fd}, {command}, {value}"


def _remote(made: _Made) -> str:
    pid, size = made.extra & 0xFFFFFF, made.extra >> 24
    return f"{pid}, [{{iov_len={size}}}], 1, [{{iov_base={made.argument:#x}, iov_len={size}}}], 1, 0"


def _signal(made: _Made) -> str:
    action = {0: "SIG_DFL", 1: "SIG_IGN"}.get(made.extra, str(made.extra))
    return f"{signal.Signals(made.argument).name}, {action}"


def _waitpid(made: _Made) -> str:
    return f"{made.argument}, {_status_text(made.extra) if made.result and made.result > 0 else '…'}, 0"


def _status_text(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal.Signals(os.WTERMSIG(status)).name}}}]"
    return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {os.WEXITSTATUS(status)}}}]"


def _open(prefix: str, access: bool = True) -> Callable[[_Made], str]:
    def show(made: _Made) -> str:
        shown = f"{made.name(prefix)}, {flags_text(made.argument, access)}"
        return f"{shown}, {_mode(made.extra)}" if made.argument & os.O_CREAT else shown

    return show


def _sem_open(made: _Made) -> str:
    shown = f"{made.name(f'{_FOLDER}/sem.')}, {flags_text(made.argument)}"
    return f"{shown}, {_mode(made.extra >> 32)}, {made.number()}" if made.argument & os.O_CREAT else shown


def _mq_open(made: _Made) -> str:
    shown = f"{made.name()}, {flags_text(made.argument, access=True)}"
    if not made.argument & os.O_CREAT:
        return shown
    limits = f"{{mq_maxmsg={made.extra >> 32 & 0xFFFF}, mq_msgsize={made.extra & _LOW}}}"
    return f"{shown}, {_mode(made.extra >> 48)}, {limits}"


def _mmap(made: _Made) -> str:
    fd = -1 if made.fd is None else made.fd
    protection, flags = _bits(made.extra >> 32, _PROTECTIONS), _bits(made.extra & _LOW, _MAPPINGS)
    return f"NULL, {made.argument}, {protection}, {flags}, {fd}, 0"


def _message_flags(flags: int) -> str:
    return _bits(flags & _LOW, _MESSAGE_FLAGS)


def _recv(made: _Made) -> str:
    if made.result is None:
        return _read(made)
    if not made.argument:  # only the length was asked for
        return f"{made.fd}, NULL, 0, {_message_flags(made.extra)}"
    return f"{_read(made)}, {_message_flags(made.extra)}"


def _sendmsg(made: _Made) -> str:
    return f"{made.fd}, {_header(made, made.given(), made.argument)}, {_message_flags(made.extra)}"


def _recvmsg(made: _Made) -> str:
    return f"{made.fd}, {_header(made, made.taken(), made.argument)}, {_message_flags(made.extra)}"


def _header(made: _Made, text: str, size: int) -> str:
    count = made.extra >> 32
    rights = f", msg_control=[{count} descriptor{'s' if count > 1 else ''}]" if count else ""
    return f"{{msg_iov=[{{iov_base={text}, iov_len={size}}}]{rights}}}"


def _socket(made: _Made) -> str:
    kind, protocol = made.extra & _LOW, made.extra >> 32
    return f"{_constant(socket.AddressFamily, made.argument)}, {_kind(kind)}, {protocol}"


def _socketpair(made: _Made) -> str:
    ends = "[{}, {}]".format(*struct.unpack_from("@ii", made.payload)) if made.result == 0 else "…"
    return f"{_constant(socket.AddressFamily, made.argument)}, {_kind(made.extra)}, 0, {ends}"


def _kind(kind: int) -> str:
    flags = ((socket.SOCK_NONBLOCK, "SOCK_NONBLOCK"), (socket.SOCK_CLOEXEC, "SOCK_CLOEXEC"))
    rest = kind & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    return "|".join([_constant(socket.SocketKind, rest), *(name for bit, name in flags if kind & bit)])


def _named(made: _Made) -> str:
    return f"{made.fd}, {_text(made.payload)}, {made.argument}"


def _poll(made: _Made) -> str:
    shown = min(made.argument, PAYLOAD // 4)
    fds = ", ".join(f"{{fd={fd}}}" for fd in struct.unpack_from(f"@{shown}i", made.payload.ljust(PAYLOAD, b"\0")))
    more = ", ..." if made.argument > shown else ""
    return f"[{fds}{more}], {made.argument}, {made.number()}"


def _epoll_ctl(made: _Made) -> str:
    operation = {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}.get(made.argument, str(made.argument))
    return f"{made.fd}, {operation}, {made.extra >> 32}, {{events={made.extra & _LOW:#x}}}"


def _mq_notify(made: _Made) -> str:
    if made.argument < 0:
        return f"{made.fd}, NULL"
    number = _constant(signal.Signals, made.argument)
    return f"{made.fd}, {{sigev_notify=SIGEV_SIGNAL, sigev_signo={number}}}"


def _setsockopt(made: _Made) -> str:
    return f"{made.fd}, {strace_options.option(made.argument, made.extra, made.payload)}"


def _getsockopt(made: _Made) -> str:
    value = made.payload if made.result == 0 else b""
    return f"{made.fd}, {strace_options.option(made.argument, made.extra, value, asked=True)}"


def _sendto(made: _Made) -> str:
    return f"{_write(made)}, {made.extra & 0xFFFF}, {_endpoint(made)}"


def _recvfrom(made: _Made) -> str:
    return _read(made) + ("" if made.result is None else f", {made.extra & 0xFFFF}, {_endpoint(made)}")


def _endpoint(made: _Made) -> str:
    """Where a datagram goes, or whence it came: `127.0.0.1:5000` (worker.datagrams.pack_endpoint)."""
    host, port = made.extra >> 32, made.extra >> 16 & 0xFFFF
    return f"{socket.inet_ntoa(host.to_bytes(4, 'big'))}:{port}" if host or port else "NULL"


def _told(made: _Made) -> str:
    return f"{made.label or '?'}, {made.argument}" + (f", {made.extra & _LOW} bytes" if made.extra else "")


def _lock(made: _Made) -> str:
    return _text(made.payload).strip('"') or f"+{made.argument}"


def _semaphore(made: _Made) -> str:
    return made.name(f"{_FOLDER}/sem.")


_PRINT: dict[str, Callable[[_Made], str]] = {
    "read": _read,
    "write": _write,
    "pipe": _pipe,
    "pipe2": lambda made: f"{_pipe(made)}, {flags_text(made.argument)}",
    "fcntl": _fcntl,
    "signal": _signal,
    "waitpid": _waitpid,
    "fork": lambda made: "",
    "open": _open(""),
    "mkfifo": lambda made: f"{made.name()}, {_mode(made.argument)}",
    "unlink": lambda made: made.name(),
    "shm_open": _open(f"{_FOLDER}/"),
    "shm_unlink": lambda made: made.name(f"{_FOLDER}/"),
    "memfd_create": lambda made: f"{_text(made.payload)}, {made.argument:#x}",
    "ftruncate": lambda made: f"{made.fd}, {made.argument}",
    "mmap": _mmap,
    "munmap": lambda made: f"{made.extra:#x}, {made.argument}",
    "sem_open": _sem_open,
    "sem_close": _semaphore,
    "sem_unlink": _semaphore,
    "sem_trywait": _semaphore,
    "sem_wait": _semaphore,
    "sem_post": _semaphore,
    "sem_getvalue": lambda made: f"{_semaphore(made)}, [{made.argument}]",
    "pthread_mutex_init": _lock,
    "pthread_mutex_lock": _lock,
    "pthread_mutex_trylock": _lock,
    "pthread_mutex_unlock": _lock,
    "pthread_mutex_consistent": _lock,
    "mq_open": _mq_open,
    "mq_unlink": lambda made: made.name(),
    "mq_send": lambda made: f"{_write(made)}, {made.extra}",
    "mq_receive": lambda made: _read(made) + ("" if made.result is None else f", [{made.extra}]"),
    "mq_setattr": lambda made: f"{made.fd}, {{mq_flags={flags_text(made.argument)}}}",
    "mq_notify": _mq_notify,
    "socket": _socket,
    "socketpair": _socketpair,
    "bind": _named,
    "connect": _named,
    "listen": lambda made: f"{made.fd}, {made.argument}",
    "accept": lambda made: f"{made.fd}, NULL, NULL",
    "shutdown": lambda made: f"{made.fd}, {('SHUT_RD', 'SHUT_WR', 'SHUT_RDWR')[made.argument % 3]}",
    "getsockname": lambda made: f"{made.fd}, {_text(made.payload)}",
    "getsockopt": _getsockopt,
    "setsockopt": _setsockopt,
    "send": lambda made: f"{_write(made)}, {_message_flags(made.extra)}",
    "recv": _recv,
    "sendmsg": _sendmsg,
    "recvmsg": _recvmsg,
    "sendto": _sendto,
    "recvfrom": _recvfrom,
    "getpeername": lambda made: f"{made.fd}, {_text(made.payload)}",
    "fsync": lambda made: str(made.fd),
    "rename": lambda made: f"{strace_string((made.label or '?').encode(), 0, 255)}, {_text(made.payload)}",
    "call": _told,
    "tell": _told,
    "poll": _poll,
    "epoll_create1": lambda made: str(made.argument),
    "epoll_ctl": _epoll_ctl,
    "epoll_wait": lambda made: f"{made.fd}, {made.argument}, {made.number()}",
    "eventfd": lambda made: f"{made.argument}, {made.extra}",
    "io_uring_setup": lambda made: f"{made.argument}, …",
    "io_uring_enter": lambda made: f"{made.fd}, {made.argument}, 0, 0, NULL, 0",
    "io_uring_prep_read": lambda made: f"{made.fd}, {made.argument}",
    "io_uring_peek_cqe": _read,
    "aio_read": lambda made: f"{{aio_fildes={made.fd}, aio_nbytes={made.argument}}}",
    "aio_return": _read,
    "sigaction": lambda made: f"{_constant(signal.Signals, made.argument)}, …",
    "notice": lambda made: "SIGIO",
    "work": lambda made: "",
    "clock_gettime": lambda made: "CLOCK_MONOTONIC",
    "nice": lambda made: str(made.argument),
    "sched_yield": lambda made: "",
    "process_vm_readv": _remote,
    "process_vm_writev": _remote,
    "prctl": lambda made: f"{'PR_SET_DUMPABLE' if made.argument == 4 else made.argument}, {made.extra}",
    "sched_setaffinity": lambda made: f"0, 8, [{made.argument}]",
    "lseek": lambda made: f"{made.fd}, {made.argument}, {('SEEK_SET', 'SEEK_CUR', 'SEEK_END')[made.extra % 3]}",
    "capset": lambda made: f"{{pid=0}}, -{1 << made.argument & (1 << 64) - 1:#x}",
    "execve": lambda made: _text(made.payload),
    "semget": lambda made: strace_sets.semget(made.argument, made.extra),
    "semop": lambda made: strace_sets.semop(made.argument, made.extra, made.payload),
    "semctl": lambda made: strace_sets.semctl(made.argument, made.extra, made.payload),
    "fallocate": lambda made: f"{made.fd}, {strace_sets.fallocate(made.argument, made.extra)}",
    "clock_nanosleep": lambda made: f"CLOCK_MONOTONIC, 0, {made.argument / 1e9:g} s",
}


def arguments(
    name: str, key: Key, argument: int, extra: int, payload: bytes, result: int | None, label: str | None = None
) -> str:
    """An operation's arguments as strace prints them.

    Args:
        result: None while it is in flight.
        label: Its object's, which tells a long name whole.
    """
    show = _PRINT.get(name)
    if show is None:
        return "" if key.fd is None else str(key.fd)
    try:
        return show(_Made(key.fd, argument, extra, payload, result, label))
    except (ValueError, OverflowError, struct.error):  # words that a foreign worker wrote
        return "" if key.fd is None else str(key.fd)


def _text(payload: bytes) -> str:
    return strace_string(payload.rstrip(b"\0"), 0)


def _mode(mode: int) -> str:
    return f"0{mode & 0o7777:o}"


def _constant(kind: Callable[[int], int], number: int) -> str:
    try:
        return str(getattr(kind(number), "name", number))
    except ValueError:
        return str(number)


def _bits(value: int, table: Iterable[tuple[int, str]], names: list[str] | None = None) -> str:
    names = names or []
    for bit, name in table:
        if bit and value & bit == bit:
            names.append(name)
            value &= ~bit
    if value:
        names.append(hex(value))
    return "|".join(names) or "0"
