"""Sockets: socket(7), unix(7), ip(7). Descriptors are plain numbers; addresses a path, or a host and a port."""

from __future__ import annotations

import ctypes
import errno
import os
import socket as _socket
import struct
from functools import cached_property

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.seated import Seated

_SOCKET, _SOCKETPAIR, _BIND, _LISTEN, _ACCEPT, _CONNECT, _SHUTDOWN, _SEND, _RECV, _SENDMSG, _RECVMSG = (
    CODES[name]
    for name in (
        *("socket", "socketpair", "bind", "listen", "accept", "connect", "shutdown"),
        *("send", "recv", "sendmsg", "recvmsg"),
    )
)
_GETSOCKNAME, _GETSOCKOPT, _SETSOCKOPT = (CODES[name] for name in ("getsockname", "getsockopt", "setsockopt"))
_UNIX = struct.Struct("@H108s")
_INET = struct.Struct("!HH4s8x")

Address = str | tuple[str, int]
"""A path, or a name after a NUL (abstract), of unix(7); ("127.0.0.1", 5000) of ip(7)."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr, recvmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


_CONTROL = struct.Struct("@nii")  # struct cmsghdr, cmsg(3)
_MOST_DESCRIPTORS = 253


def pack_address(address: Address) -> bytes:
    """An address as struct sockaddr. Raises OSError: ENAMETOOLONG, and EINVAL for what is no IPv4 address."""
    if isinstance(address, str):
        path = os.fsencode(address)
        if len(path) > 107:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        # An abstract name is as long as its address says; a path ends with a NUL.
        end = len(path) if path.startswith(b"\0") else len(path) + 1
        return _UNIX.pack(_socket.AF_UNIX, path)[: 2 + end]
    host, port = address
    raw = bytearray(_INET.pack(0, port, _socket.inet_aton(host)))
    raw[:2] = struct.pack("@H", _socket.AF_INET)
    return bytes(raw)


def unpack_address(raw: bytes) -> Address:
    """An address from struct sockaddr; "" for a Unix socket without one."""
    (family,) = struct.unpack_from("@H", raw)
    if family == _socket.AF_INET:
        _, port, host = _INET.unpack(raw[: _INET.size])
        return _socket.inet_ntoa(host), port
    path = raw[2:]
    return os.fsdecode(path if path.startswith(b"\0") else path.split(b"\0", 1)[0])


def shown(address: Address) -> bytes:
    """An address as records hold it: `127.0.0.1:5000`, or the end of a path."""
    text = address.replace("\0", "@") if isinstance(address, str) else f"{address[0]}:{address[1]}"
    return os.fsencode(text)[-32:]


class Sockets(Seated):
    """Traced operations on sockets; a socket is told of as `socket:[INODE]`.

    What may sleep gives None for EAGAIN (a non-blocking socket, or the time of SO_RCVTIMEO and SO_SNDTIMEO is over)
    and for EINTR. Other errors raise OSError; a peer that has gone raises EPIPE or ECONNRESET.
    """

    def __init__(self) -> None:
        super().__init__()
        self._room, self._room_at = memoryview(b""), 0

    def socket(self, family: int, kind: int, protocol: int = 0) -> int:
        """socket(2): a descriptor; one of AF_UNIX is non-blocking while the user has set this worker so."""
        if self.nonblocking and family == _socket.AF_UNIX:
            kind |= _socket.SOCK_NONBLOCK
        function = clib.function("socket", clib.INT, clib.INT, clib.INT, brief=True)
        extra = int(kind) | protocol << 32
        key = self._before(_SOCKET, -1, int(family), extra, b"", 0)
        made = self._call(key, lambda: clib.checked(function(family, kind, protocol)), int(family), extra, b"")
        fd = self._must(made)
        self._adopt_inode(fd, "socket")
        return fd

    def socketpair(self, family: int, kind: int, protocol: int = 0) -> tuple[int, int]:
        """socketpair(2): two connected sockets."""
        function = clib.function("socketpair", clib.INT, clib.INT, clib.INT, clib.POINTER, brief=True)
        ends = (ctypes.c_int * 2)()
        key = self._before(_SOCKETPAIR, -1, int(family), int(kind), b"", 0)
        try:
            clib.checked(function(family, kind, protocol, ctypes.addressof(ends)))
        except OSError as error:
            self._missed(key, int(family), int(kind), b"", error)
        # The pair rides in the payload: the words are taken by what was asked for.
        self._after(key, 0, int(family), int(kind), struct.pack("@ii", *ends))
        for fd in ends:
            self._adopt_inode(fd, "socket")
        return ends[0], ends[1]

    def bind(self, fd: int, address: Address) -> None:
        """bind(2). Raises OSError: EADDRINUSE, EACCES."""
        raw, told = pack_address(address), shown(address)
        function = clib.function("bind", clib.INT, clib.TEXT, clib.UNSIGNED, brief=True)
        key = self._before(_BIND, fd, len(raw), 0, told)
        self._call(key, lambda: clib.checked(function(fd, raw, len(raw))), len(raw), 0, told)

    def listen(self, fd: int, backlog: int) -> None:
        """listen(2)."""
        function = clib.function("listen", clib.INT, clib.INT, brief=True)
        key = self._before(_LISTEN, fd, backlog, 0, b"")
        self._call(key, lambda: clib.checked(function(fd, backlog)), backlog, 0, b"")

    def accept(self, fd: int) -> int | None:
        """accept(2): the descriptor of a connection, None for EAGAIN and EINTR.

        While the user has set this worker to non-blocking, so is the connection.
        """
        flags = _socket.SOCK_NONBLOCK if self.nonblocking else 0
        function = clib.function("accept4", clib.INT, clib.POINTER, clib.POINTER, clib.INT)
        key = self._before(_ACCEPT, fd, 0, 0, b"")
        made = self._call(key, lambda: clib.checked(function(fd, None, None, flags)), 0, 0, b"")
        if made is not None:
            self._adopt_inode(made, "socket")
            self._take_mode(made, int(flags))
        return made

    def connect(self, fd: int, address: Address) -> bool | None:
        """connect(2): True; None for EAGAIN, EINTR and EINPROGRESS. Raises OSError: ECONNREFUSED, ENOENT."""
        raw, told = pack_address(address), shown(address)
        function = clib.function("connect", clib.INT, clib.TEXT, clib.UNSIGNED)
        key = self._before(_CONNECT, fd, len(raw), 0, told)
        quiet = (errno.EINPROGRESS,)
        made = self._call(key, lambda: clib.checked(function(fd, raw, len(raw))), len(raw), 0, told, quiet)
        return None if made is None else True

    def send(self, fd: int, data: bytes, flags: int = 0) -> int | None:
        """send(2): bytes sent, None for EAGAIN and EINTR. An empty message of SOCK_SEQPACKET reads as end of file."""
        size = len(data)
        key = self._before(_SEND, fd, size, flags, data)
        try:
            sent = clib.checked(self._c_send(fd, data, size, flags))
        except OSError as error:
            self._missed(key, size, flags, data, error)
            return None
        self._after(key, sent, size, flags, data, sent)
        return sent

    def recv(self, fd: int, size: int, flags: int = 0) -> bytes | None:
        """recv(2): the bytes, b"" at end of file, None for EAGAIN and EINTR.

        Of a message of SOCK_SEQPACKET or SOCK_DGRAM that is longer than `size` the rest is lost.
        """
        if size > len(self._room):
            self._make_room(size)
        key = self._before(_RECV, fd, size, flags, b"")
        try:
            got = clib.checked(self._c_recv(fd, self._room_at, size, flags))
        except OSError as error:
            self._missed(key, size, flags, b"", error)
            return None
        data = self._room[:got].tobytes()
        self._after(key, got, size, flags, data, got)
        return data

    def _make_room(self, size: int) -> None:
        buffer = ctypes.create_string_buffer(size)
        self._room, self._room_at = memoryview(buffer), ctypes.addressof(buffer)

    @cached_property
    def _c_send(self) -> clib.Function:
        return clib.function("send", clib.INT, clib.TEXT, clib.SIZE, clib.INT, result=clib.SIGNED_SIZE)

    @cached_property
    def _c_recv(self) -> clib.Function:
        return clib.function("recv", clib.INT, clib.POINTER, clib.SIZE, clib.INT, result=clib.SIGNED_SIZE)

    def sendmsg(self, fd: int, data: bytes, descriptors: tuple[int, ...] = (), flags: int = 0) -> int | None:
        """sendmsg(2) of one piece of data and, by SCM_RIGHTS (unix(7)), of descriptors: bytes sent."""
        size, count = len(data), len(descriptors)
        control = b""
        if count:
            rights = struct.pack(f"@{count}i", *descriptors)
            control = _CONTROL.pack(_CONTROL.size + len(rights), _socket.SOL_SOCKET, _socket.SCM_RIGHTS) + rights
            control += bytes(-len(control) % 8)
        kept = ctypes.create_string_buffer(control, len(control)) if control else None
        body = ctypes.create_string_buffer(data, size)
        header = _header(body, size, kept, len(control))
        function = clib.function("sendmsg", clib.INT, clib.POINTER, clib.INT, result=clib.SIGNED_SIZE)
        extra = count << 32 | flags
        key = self._before(_SENDMSG, fd, size, extra, data)
        try:
            sent = clib.checked(function(fd, ctypes.addressof(header), flags))
        except OSError as error:
            self._missed(key, size, extra, data, error)
            return None
        self._after(key, sent, size, extra, data, sent)
        return sent

    def recvmsg(
        self, fd: int, size: int, descriptors: int = 0, flags: int = 0
    ) -> tuple[bytes, tuple[int, ...]] | tuple[None, tuple[int, ...]]:
        """recvmsg(2): the bytes, and the descriptors that came with them, at most `descriptors` (unix(7)).

        (None, ()) for EAGAIN and EINTR. What more descriptors came are lost, as MSG_CTRUNC says there.
        """
        room = _socket.CMSG_SPACE(4 * min(descriptors, _MOST_DESCRIPTORS)) if descriptors else 0
        kept = ctypes.create_string_buffer(room) if room else None
        buffer = ctypes.create_string_buffer(size)
        header = _header(buffer, size, kept, room)
        function = clib.function("recvmsg", clib.INT, clib.POINTER, clib.INT, result=clib.SIGNED_SIZE)
        key = self._before(_RECVMSG, fd, size, flags, b"")
        try:
            got = clib.checked(function(fd, ctypes.addressof(header), flags))
        except OSError as error:
            self._missed(key, size, flags, b"", error)
            return None, ()
        data = memoryview(buffer)[:got].tobytes()
        came = _rights(kept.raw[: header.control_length]) if kept is not None else ()
        self._after(key, got, size, len(came) << 32 | flags, data, got)
        for each in came:
            self._adopt(each, os.readlink(f"/proc/self/fd/{each}").removesuffix(" (deleted)"))
        return data, came

    def shutdown(self, fd: int, how: int) -> None:
        """shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR."""
        function = clib.function("shutdown", clib.INT, clib.INT, brief=True)
        key = self._before(_SHUTDOWN, fd, how, 0, b"")
        self._call(key, lambda: clib.checked(function(fd, how)), how, 0, b"")

    def getsockname(self, fd: int) -> Address:
        """getsockname(2): the socket's own address, "" for a Unix socket without one."""
        buffer, size = ctypes.create_string_buffer(128), ctypes.c_uint(128)
        function = clib.function("getsockname", clib.INT, clib.POINTER, clib.POINTER, brief=True)
        key = self._before(_GETSOCKNAME, fd, 0, 0, b"")
        try:
            clib.checked(function(fd, ctypes.addressof(buffer), ctypes.addressof(size)))
        except OSError as error:
            self._missed(key, 0, 0, b"", error)
        address = unpack_address(buffer.raw[: size.value])
        self._after(key, 0, 0, 0, shown(address))
        return address

    def getsockopt(self, fd: int, level: int, option: int, size: int = 4) -> bytes:
        """getsockopt(2): the option's bytes; SO_PEERCRED (unix(7)) has 12: pid, uid, gid."""
        buffer, length = ctypes.create_string_buffer(size), ctypes.c_uint(size)
        function = clib.function("getsockopt", clib.INT, clib.INT, clib.INT, clib.POINTER, clib.POINTER, brief=True)
        key = self._before(_GETSOCKOPT, fd, level, option, b"")
        try:
            clib.checked(function(fd, level, option, ctypes.addressof(buffer), ctypes.addressof(length)))
        except OSError as error:
            self._missed(key, level, option, b"", error)
        value = buffer.raw[: length.value]
        self._after(key, 0, level, option, value)
        return value

    def setsockopt(self, fd: int, level: int, option: int, value: int | bytes) -> None:
        """setsockopt(2); a number is an int of C."""
        raw = value if isinstance(value, bytes) else struct.pack("@i", value)
        function = clib.function("setsockopt", clib.INT, clib.INT, clib.INT, clib.TEXT, clib.UNSIGNED, brief=True)
        key = self._before(_SETSOCKOPT, fd, level, option, raw)
        self._call(key, lambda: clib.checked(function(fd, level, option, raw, len(raw))), level, option, raw)


_Bytes = ctypes.Array[ctypes.c_char]


def _header(data: _Bytes, size: int, control: _Bytes | None, room: int) -> _Header:
    vectors = ctypes.pointer(_Vector(ctypes.addressof(data), size))
    return _Header(None, 0, vectors, 1, None if control is None else ctypes.addressof(control), room, 0)


def _rights(control: bytes) -> tuple[int, ...]:
    """The descriptors in the control messages of SCM_RIGHTS: cmsg(3)."""
    found: list[int] = []
    while len(control) >= _CONTROL.size:
        length, level, kind = _CONTROL.unpack_from(control)
        if length < _CONTROL.size:
            break
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            found += struct.unpack(f"@{(length - _CONTROL.size) // 4}i", control[_CONTROL.size : length])
        control = control[length + -length % 8 :]
    return tuple(found)
