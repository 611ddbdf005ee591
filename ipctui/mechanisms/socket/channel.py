"""Sockets as the laboratory knows them: variants, parameters, processes, and what a session proves."""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from ipctui.kernel.ports import START, no_loopback, planned_port, unprivileged_start, why_not_port
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.socket.looker import Looker
from ipctui.mechanisms.socket.memory import Memory
from ipctui.trace.records import Counters, Record
from ipctui.trace.text import grouped
from ipctui.worker.messages import letter_of
from ipctui.worker.names import Kind, new_name

_MODULE = "ipctui.mechanisms.socket.program"
_LOOPBACK = "127.0.0.1"
_LARGEST_DATAGRAM = 65_507
"""65,535 less the headers of IPv4 (20) and UDP (8)."""
_OVERHEAD = 64
"""Bytes of SO_SNDBUF that a message of unix(7) cannot use, and more."""
_GIVEN = ("read", "backlog", "sndbuf", "rcvbuf", "connected", "group", "loop")
UNIX = ("unix-stream", "unix-seqpacket")
DATAGRAMS = ("udp", "multicast")

_VARIANTS = (
    Variant(
        "tcp",
        "a stream without edges: connect, accept, both kernel queues, the window, half-close and reset",
        ("client", "server"),
        {"rate": 40.0},
    ),
    Variant(
        "udp",
        "datagrams with edges: none waits for room, what finds the queue full is lost and counted",
        ("sender", "receiver"),
        {"rcvbuf": 4096},
    ),
    Variant(
        "multicast",
        "one datagram to a group, a copy for every member; who is slow loses its own copies only",
        ("sender", "receiver"),
        {"rcvbuf": 4096, "rate": 10.0},
    ),
    Variant(
        "unix-stream",
        "the same calls at a path instead of a port: a stream within one machine",
        ("client", "server"),
    ),
    Variant(
        "unix-seqpacket",
        "a connection that keeps the edges of messages",
        ("client", "server"),
    ),
    Variant(
        "echo",
        "one server, several clients: what a client sends comes back",
        ("client", "server"),
        {"rate": 4.0, "clients": 3, "backlog": 8},
    ),
)


class Socket:
    """Sockets of ip(7) on loopback and of unix(7)."""

    name = "socket"
    title = "sockets"
    about = "endpoints of communication: a stream, datagrams, a group of receivers, within a machine or between two"
    variants = _VARIANTS
    commands = ("half-close", "reset", "leave", "join")

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the limits are the system's."""
        send, send_origin = _limit("core/wmem_max", 212_992)
        receive, receive_origin = _limit("core/rmem_max", 212_992)
        queue, queue_origin = _limit("core/somaxconn", 4096)
        low = f"below {unprivileged_start():,} only with the right to: {START}"
        doubled = "the kernel doubles it, for its own bookkeeping is counted too"
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, _LARGEST_DATAGRAM, "bytes", "one datagram of IPv4"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter("port", 0, "the server's port, 0 for any that is free", 0, 65535, "", low),
            Parameter("backlog", 1, "connections that may wait to be accepted", 0, queue, "", queue_origin),
            Parameter("rcvbuf", 2048, f"SO_RCVBUF; {doubled}", 1, receive, "bytes", receive_origin),
            Parameter("sndbuf", 2048, f"SO_SNDBUF; {doubled}", 1, send, "bytes", send_origin),
            Parameter("read", 65536, "bytes that a receive has room for", 1, 1 << 20, "bytes"),
            Parameter(
                "connected", "off", "whether the sender connects its datagram socket (udp)", choices=("off", "on")
            ),
            Parameter("clients", 1, "clients (tcp, unix-stream, unix-seqpacket, echo)", 1, 12),
            Parameter("receivers", 3, "members of the group (multicast)", 1, 12),
            Parameter(
                "group",
                "239.255.0.7",
                "the group's address (multicast)",
                origin="an IPv4 address from 224.0.0.0 to 239.255.255.255 (RFC 5771)",
                text=_why_no_group,
            ),
            Parameter("loop", "on", "IP_MULTICAST_LOOP of the sender (multicast)", choices=("on", "off")),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Where there is no Linux; what single variants lack besides, `lacks` tells."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return None

    def lacks(self, variant: Variant) -> str | None:
        """What a variant needs and this machine has not, in one sentence; None when it has all."""
        if variant.name in UNIX:
            return None
        if why := no_loopback():
            return f"{why}; unix-stream and unix-seqpacket need no address"
        group = next(str(parameter.default) for parameter in self.parameters() if parameter.name == "group")
        return _no_multicast(group) if variant.name == "multicast" else None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A named port must be free and allowed; a message must fit into what has to take it whole."""
        if variant.name not in UNIX and values["port"] and (why := why_not_port(values["port"])):
            raise UsageError(f"port={values['port']}: {why}")
        most = 2 * max(values["sndbuf"], 2304) - _OVERHEAD
        if variant.name == "unix-seqpacket" and values["size"] > most:
            raise UsageError(
                f"size={values['size']}: a message must fit into SO_SNDBUF whole, {grouped(most)} bytes with "
                f"sndbuf={values['sndbuf']} (EMSGSIZE)"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """Independent processes, those that wait for others first."""
        name, rate = variant.name, float(values["rate"])
        path = str(Path(tempfile.gettempdir()) / f"{new_name()}.sock") if name in UNIX else ""
        port = 0 if path else values["port"] or _free()
        names: tuple[tuple[Kind, str], ...] = (("path", path),) if path else ()
        given = {key: values[key] for key in _GIVEN}
        given |= {"path": path, "port": port, "protocol": _protocol(name), "edges": name in (*DATAGRAMS, UNIX[1])}
        seats, newcomers = _seats(name, values, rate)
        return Plan(
            _MODULE,
            tuple((seat,) for seat in seats),
            given,
            limit=values["messages"],
            newcomers=newcomers,
            no_more="the server's port is taken by the server"
            if name != "multicast"
            else "a group has one sender here",
            late={seat.role: 0.2 + 0.05 * place for place, seat in enumerate(seats) if seat.sends},
            names=names,
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's sockets."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers the latest sends and receives by size, what was lost, reset, half closed and refused."""
        memory = Memory(facts)
        for record in records:
            memory.add(record)
        return memory.facts() if memory.changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages, datagrams lost at full queues, connections, resets and refusals."""
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
            "lost_datagrams": sum(facts.get("drops", {}).values()),
            "connections": facts.get("connections", 0),
            "resets": facts.get("resets", 0),
            "refused": facts.get("refused", 0),
        }


CHANNEL = Socket()


def _seats(name: str, values: Mapping[str, Any], rate: float) -> tuple[list[PlannedSeat], dict[str, PlannedSeat]]:
    """The processes in the order of the cards, and who may come later."""
    if name == "udp":
        one = PlannedSeat("sender", "sender", "a", ("send", "sendto"), rate, sends=True)
        return [one, PlannedSeat("receiver", "receiver", "r", (), 0.0, sends=False)], {"sender": one}
    if name == "multicast":
        members = [
            PlannedSeat(f"receiver{place}", "member", "r", (), 0.0, sends=False)
            for place in range(1, values["receivers"] + 1)
        ]
        one = PlannedSeat("sender", "announcer", "a", ("sendto",), rate, sends=True)
        return [one, *members], {"receiver": members[0]}
    echo, several = name == "echo", values["clients"] > 1
    program = "caller" if echo else "client"
    clients = [
        PlannedSeat(
            f"client{place}" if several else "client",
            program,
            letter_of(place),
            ("connect", "send"),
            rate,
            sends=True,
        )
        for place in range(1, values["clients"] + 1)
    ]
    # What a server sends after a half-close comes slowly enough to be seen.
    server = PlannedSeat(
        "server", "echo" if echo else "server", "s", () if echo else ("send",), 2.0 * (not echo), False
    )
    return [*clients, server], {"client": clients[0]}


def _protocol(variant: str) -> str:
    return {"multicast": "udp", "echo": "tcp"}.get(variant, variant)


def _free() -> int:
    """A port of 127.0.0.1 that is free for TCP and UDP; 0 where there is no 127.0.0.1, which the server will say."""
    try:
        return planned_port()
    except OSError:
        return 0


def _no_multicast(group: str) -> str | None:
    """Why nobody can join a group on loopback, in one sentence; None where anybody can."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            membership = socket.inet_aton(group) + socket.inet_aton(_LOOPBACK)
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_LOOPBACK))
    except OSError as error:
        return f"no membership of {group} on 127.0.0.1 here: {error.strerror or error} (ip(7), IP_ADD_MEMBERSHIP)"
    return None


def _why_no_group(text: str) -> str:
    try:
        if IPv4Address(text).is_multicast:
            return ""
    except AddressValueError:
        pass
    return "an IPv4 address from 224.0.0.0 to 239.255.255.255 (RFC 5771)"


def _limit(name: str, otherwise: int) -> tuple[int, str]:
    """A limit of the system's, and where it is written (socket(7))."""
    path = Path("/proc/sys/net") / name
    try:
        return int(path.read_text()), str(path)
    except (OSError, ValueError):
        return otherwise, f"the kernel's default of {name}"
