"""Ports of 127.0.0.1: which are free, which an ordinary user may take, and which are planned with already."""

from __future__ import annotations

import errno
import os
import random
import socket
from pathlib import Path

START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 10_000, 65_535
"""Between these a port is looked for that no service is known by."""
_TRIES = 200
_MOST = 256
"""Claims that are held at a time: more are of plans that nobody gave back."""
_claims: dict[int, int] = {}


def unprivileged_start() -> int:
    """The first port that needs no right (CAP_NET_BIND_SERVICE) to be taken: ip(7). 1,024 where it is not told."""
    try:
        return int(START.read_text())
    except (OSError, ValueError):
        return 1024


def no_loopback() -> str | None:
    """Why there is no talking through 127.0.0.1, in one sentence; None where there is."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((_LOOPBACK, 0))
            probe.connect(probe.getsockname())  # sends nothing, and asks for a way there
    except OSError as error:
        reason = error.strerror or error
        return f"no socket on 127.0.0.1 here: {reason} (is the loopback interface up, and has it IPv4?)"
    return None


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


def claim(port: int) -> bool:
    """Plan with a port: False when a laboratory does so already, this process's or another's.

    Between a look at a port and the server's bind(2) there is time for another laboratory to look as well. A name in
    the abstract namespace of unix(7), which belongs to the network namespace as ports do, is given to one alone, and
    is gone with its process. `give_back` ends it.
    """
    if port in _claims:
        return False
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0ipctui-port-{port}")
    except OSError as error:
        holder.close()
        return error.errno != errno.EADDRINUSE  # where there are no such names, nobody claims
    while len(_claims) >= _MOST:
        give_back(next(iter(_claims)))
    _claims[port] = holder.detach()
    return True


def give_back(*ports: int) -> None:
    """These ports are not planned with any more; those that were not claimed here are left alone."""
    for port in ports:
        if port in _claims:
            os.close(_claims.pop(port))


def planned_port(preferred: int = 0) -> int:
    """A port that is free on UDP and TCP, claimed: the preferred one if it is.

    Else one that the kernel gives to nobody by itself (ip(7), ip_local_port_range), so that no client that connects
    meanwhile is given it; where there are none, any. Raises OSError where 127.0.0.1 has no sockets.
    """
    for port in [preferred, *_candidates()]:
        if port and port_free(port) and claim(port):
            return port
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((_LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port_free(port) and claim(port):
            return port


def _candidates() -> list[int]:
    """Some ports that are given to nobody who asks for any."""
    low, high = given_by_itself()
    every = [*range(max(_FIRST, unprivileged_start()), min(low, _LAST + 1)), *range(max(high + 1, _FIRST), _LAST + 1)]
    return random.sample(every, min(_TRIES, len(every)))


def given_by_itself() -> tuple[int, int]:
    """The first and last port that the kernel gives to a socket that asks for any. 32,768 to 60,999 where not told."""
    try:
        low, high = (int(word) for word in RANGE.read_text().split())
    except (OSError, ValueError):
        return 32_768, 60_999
    return low, high
