"""The tables of TCP and UDP sockets, /proc/net/tcp and /proc/net/udp: who talks to whom, where no copy can be had."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from ipctui.kernel.inet_sockets import TCP_STATES, Endpoint


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table (proc_pid_net(5)).

    Attributes:
        protocol: "tcp" or "udp".
        peer: None where it has none.
        unsent: Bytes sent and not acknowledged; of UDP, kernel memory on its way.
        waiting: Bytes to be received; of a listening socket, connections to be accepted; of UDP, kernel memory.
        drops: Datagrams thrown away because there was no room; 0 of TCP, whose table does not tell.
    """

    protocol: str
    local: Endpoint
    peer: Endpoint | None
    state: str
    unsent: int
    waiting: int
    inode: int
    drops: int


def table(protocol: str) -> tuple[Row, ...]:
    """Every socket of "tcp" or "udp" of this network namespace, none where it is not shown. Takes milliseconds."""
    try:
        with open(f"/proc/net/{protocol}", encoding="ascii", errors="replace") as file:
            return parse(protocol, file)
    except OSError:
        return ()


def parse(protocol: str, lines: Iterable[str]) -> tuple[Row, ...]:
    """The rows of a table's lines, its heading among them; lines that make no sense are left out."""
    rows = []
    for line in lines:
        fields = line.split()
        try:
            unsent, waiting = (int(part, 16) for part in fields[4].split(":"))
            local, peer = _endpoint(fields[1]), _endpoint(fields[2])
            number, inode = int(fields[3], 16), int(fields[9])
            drops = int(fields[12]) if protocol == "udp" else 0
        except (IndexError, ValueError):
            continue
        state = TCP_STATES[number] if 0 < number < len(TCP_STATES) else str(number)
        rows.append(Row(protocol, local, peer if peer[1] else None, state, unsent, waiting, inode, drops))
    return tuple(rows)


def ends(rows: Iterable[Row]) -> tuple[dict[int, int], frozenset[int]]:
    """By a connected socket's inode that of its other end, where both are here; and the inodes of those that listen."""
    known = [row for row in rows if row.inode]
    by_ends = {(row.local, row.peer): row.inode for row in known if row.peer is not None}
    peers = {
        inode: other
        for (local, peer), inode in by_ends.items()
        if peer is not None and (other := by_ends.get((peer, local))) is not None
    }
    return peers, frozenset(row.inode for row in known if row.state == "LISTEN")


def members(group: str) -> int:
    """How many sockets of this network namespace have joined a group of IPv4, on whatever interface: /proc/net/igmp."""
    try:
        with open("/proc/net/igmp", encoding="ascii", errors="replace") as file:
            return parse_members(file, group)
    except OSError:
        return 0


def parse_members(lines: Iterable[str], group: str) -> int:
    """The same of the table's lines; those that make no sense count for nobody."""
    wanted = f"{int.from_bytes(socket.inet_aton(group), sys.byteorder):08X}"
    count = 0
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[0].upper() == wanted and fields[1].isdecimal():
            count += int(fields[1])
    return count


def _endpoint(text: str) -> Endpoint:
    """`0100007F:1F90`: the address as this machine's number, the port in hexadecimal digits."""
    host, port = text.split(":")
    if len(host) != 8 or not 0 <= int(port, 16) < 1 << 16:
        raise ValueError(text)
    return socket.inet_ntoa(int(host, 16).to_bytes(4, sys.byteorder)), int(port, 16)
