"""Datagrams and their senders: sendto(2), recvfrom(2), getpeername(2) on sockets of ip(7)."""

from __future__ import annotations

import ctypes
import socket as _socket
from functools import cached_property

from ipctui.trace.operations import CODES
from ipctui.worker import clib
from ipctui.worker.sockets import Address, Sockets, pack_address, shown, unpack_address

_SENDTO, _RECVFROM, _GETPEERNAME = (CODES[name] for name in ("sendto", "recvfrom", "getpeername"))
_LONGEST_ADDRESS = 128


def pack_endpoint(flags: int, address: Address | None) -> int:
    """The second word of a record: flags in its low 16 bits, above them the port, then the IPv4 address."""
    if not isinstance(address, tuple):
        return flags & 0xFFFF
    host, port = address
    return int.from_bytes(_socket.inet_aton(host), "big") << 32 | port << 16 | flags & 0xFFFF


class Datagrams(Sockets):
    """Traced operations that say where a datagram goes, or where it came from.

    A record holds an IPv4 address and its port; an address of unix(7) is not told.
    """

    def __init__(self) -> None:
        super().__init__()
        self._from = ctypes.create_string_buffer(_LONGEST_ADDRESS)
        self._from_size = ctypes.c_uint(_LONGEST_ADDRESS)

    def sendto(self, fd: int, data: bytes, address: Address, flags: int = 0) -> int | None:
        """sendto(2): bytes sent; None for EAGAIN and EINTR. Raises OSError: EMSGSIZE, ECONNREFUSED, EACCES."""
        raw, size, extra = pack_address(address), len(data), pack_endpoint(flags, address)
        key = self._before(_SENDTO, fd, size, extra, data)
        try:
            sent = clib.checked(self._c_sendto(fd, data, size, flags, raw, len(raw)))
        except OSError as error:
            self._missed(key, size, extra, data, error)
            return None
        self._after(key, sent, size, extra, data, sent)
        return sent

    def recvfrom(self, fd: int, size: int, flags: int = 0) -> tuple[bytes, Address] | tuple[None, Address]:
        """recvfrom(2): the datagram and its sender; (None, "") for EAGAIN and EINTR.

        Of a datagram that is longer than `size` the rest is lost. An empty one is b"", which is no end of file.
        Raises OSError: ECONNREFUSED, where an earlier datagram found nobody (udp(7)).
        """
        if size > len(self._room):
            self._make_room(size)
        key = self._before(_RECVFROM, fd, size, flags & 0xFFFF, b"")
        self._from_size.value = _LONGEST_ADDRESS
        place, length = ctypes.addressof(self._from), ctypes.addressof(self._from_size)
        try:
            got = clib.checked(self._c_recvfrom(fd, self._room_at, size, flags, place, length))
        except OSError as error:
            self._missed(key, size, flags & 0xFFFF, b"", error)
            return None, ""
        got = min(got, size)  # MSG_TRUNC tells the true length
        data = self._room[:got].tobytes()
        address = unpack_address(self._from.raw[: self._from_size.value]) if self._from_size.value > 1 else ""
        self._after(key, got, size, pack_endpoint(flags, address), data, got)
        return data, address

    def getpeername(self, fd: int) -> Address:
        """getpeername(2): the address at the other end. Raises OSError: ENOTCONN."""
        buffer, size = ctypes.create_string_buffer(_LONGEST_ADDRESS), ctypes.c_uint(_LONGEST_ADDRESS)
        function = clib.function("getpeername", clib.INT, clib.POINTER, clib.POINTER, brief=True)
        key = self._before(_GETPEERNAME, fd, 0, 0, b"")
        try:
            clib.checked(function(fd, ctypes.addressof(buffer), ctypes.addressof(size)))
        except OSError as error:
            self._missed(key, 0, 0, b"", error)
        address = unpack_address(buffer.raw[: size.value])
        self._after(key, 0, 0, 0, shown(address))
        return address

    @cached_property
    def _c_sendto(self) -> clib.Function:
        words = (clib.INT, clib.TEXT, clib.SIZE, clib.INT, clib.TEXT, clib.UNSIGNED)
        return clib.function("sendto", *words, result=clib.SIGNED_SIZE)

    @cached_property
    def _c_recvfrom(self) -> clib.Function:
        words = (clib.INT, clib.POINTER, clib.SIZE, clib.INT, clib.POINTER, clib.POINTER)
        return clib.function("recvfrom", *words, result=clib.SIGNED_SIZE)
