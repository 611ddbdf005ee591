"""Ports of 127.0.0.1: which are free, and which an ordinary user may take."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_LOOPBACK = "127.0.0.1"


def unprivileged_start() -> int:
    """The first port that needs no right (CAP_NET_BIND_SERVICE) to be taken: ip(7). 1,024 where it is not told."""
    try:
        return int(START.read_text())
    except (OSError, ValueError):
        return 1024


def port_free(port: int) -> bool:
    """Whether a server may take this port now, on UDP and on TCP."""
    return not why_not_port(port)


def why_not_port(port: int) -> str:
    """Why a server cannot take this port on 127.0.0.1; "" when it can, on UDP and on TCP. Nothing is kept."""
    for kind, name in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
        try:
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:  # as servers do: connections that have ended are no hindrance
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((_LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"another program has {name} port {port} (EADDRINUSE; `ss -lunp -ltnp` says which); take another"
            if error.errno == errno.EACCES:
                first = unprivileged_start()
                return f"ports below {first} are not for every user (EACCES; {START} says {first}); take a higher one"
            return f"{error.strerror or error}"
    return ""
