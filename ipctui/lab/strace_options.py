"""Socket options as strace(1) prints them: `SOL_SOCKET, SO_REUSEADDR, [1], 4`. Names and values of Linux."""

from __future__ import annotations

import socket
import struct

_INT, _LINGER, _CREDENTIALS = struct.Struct("@i"), struct.Struct("@ii"), struct.Struct("@3i")
_MEMBERSHIP = 8
"""Bytes of struct ip_mreq, ip(7)."""
_LEVELS = {
    socket.SOL_SOCKET: ("SOL_SOCKET", "SO_"),
    socket.IPPROTO_IP: ("SOL_IP", "IP_"),
    socket.IPPROTO_TCP: ("SOL_TCP", "TCP_"),
}
"""The levels that are told by name, and how their options' names begin."""
_OTHERS = ("SO_VM_SOCKETS_", "SO_J1939_", "IP_DEFAULT_", "IP_MAX_", "IP_PMTUDISC_")
"""Names of other levels' options, and of values: their numbers are those of options as well."""
_OPTIONS = {
    (level, number): name
    for level, (_, prefix) in _LEVELS.items()
    for name, number in sorted(vars(socket).items(), reverse=True)
    if name.startswith(prefix) and not name.startswith(_OTHERS) and isinstance(number, int)
} | {(socket.IPPROTO_IP, 49): "IP_MULTICAST_ALL"}  # linux/in.h; Python has no name for it


def option(level: int, number: int, payload: bytes, asked: bool = False) -> str:
    """Level, option and value of setsockopt(2); of getsockopt(2) where `asked`. No value where none was recorded."""
    text = f"{_LEVELS.get(level, (str(level),))[0]}, {_OPTIONS.get((level, number), number)}"
    value, size = _value(level, number, payload)
    return text if not value else f"{text}, {value}, {f'[{size}]' if asked else size}"


def _value(level: int, number: int, payload: bytes) -> tuple[str, int]:
    """How a value reads, and how many bytes it has."""
    name = _OPTIONS.get((level, number), "")
    if name == "SO_LINGER" and len(payload) >= _LINGER.size:
        on, seconds = _LINGER.unpack_from(payload)
        return f"{{l_onoff={on}, l_linger={seconds}}}", _LINGER.size
    if name in ("IP_ADD_MEMBERSHIP", "IP_DROP_MEMBERSHIP") and len(payload) >= _MEMBERSHIP:
        group, interface = (socket.inet_ntoa(payload[at : at + 4]) for at in (0, 4))
        return f'{{imr_multiaddr=inet_addr("{group}"), imr_interface=inet_addr("{interface}")}}', _MEMBERSHIP
    if name == "SO_PEERCRED" and len(payload) >= _CREDENTIALS.size:
        pid, uid, gid = _CREDENTIALS.unpack_from(payload)
        return f"{{pid={pid}, uid={uid}, gid={gid}}}", _CREDENTIALS.size
    return (f"[{_INT.unpack_from(payload)[0]}]", _INT.size) if len(payload) >= _INT.size else ("", 0)
