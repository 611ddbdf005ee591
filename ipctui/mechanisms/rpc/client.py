"""The client of remote procedure calls: its stub, what it sends and waits for, and what it believes in the end."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from errno import ECONNREFUSED, ECONNRESET, EPIPE
from itertools import cycle
from socket import AF_INET, MSG_NOSIGNAL, SOCK_DGRAM, SOCK_STREAM
from types import SimpleNamespace

from ipctui.trace.clock import now
from ipctui.worker import onc_rpc, portmapper
from ipctui.worker.calls import Calls
from ipctui.worker.onc_rpc import NOBODY, Auth, Call, Records, RecordTooLongError, Reply, marked
from ipctui.worker.portmapper import TCP, UDP, Mapping
from ipctui.worker.xdr import hyper, string, unsigned

LOOPBACK = "127.0.0.1"
VERSION = 1
NULL, DEPOSIT, BALANCE, CONFIRM = range(4)
PIECE = 65536
_GONE = (ECONNREFUSED, ECONNRESET, EPIPE)


@dataclass
class Client:
    """The client's side: what it calls, the number of its latest transaction, its socket and a record to come."""

    calls: Calls
    given: SimpleNamespace
    semantics: str
    program: int
    port: int
    xid: int
    credential: Auth = NOBODY
    fd: int = -1
    records: Records = field(default_factory=Records)


def client(calls: Calls, given: SimpleNamespace) -> None:
    """Calls deposit(1, memo) again and again; where several semantics stand side by side, by turns."""
    first = (os.getpid() & 0xFFFF) << 16
    sides = [Client(calls, given, name, number, given.port, first) for name, number in given.programs.items()]
    for side in sides:
        side.xid += given.apart * sides.index(side)
        if side.semantics == "exactly-once" or (side.semantics == "at-most-once" and given.transport == "tcp"):
            # A new connection has a new port: by its address alone no server would know the client again.
            side.credential = onc_rpc.system_credential(os.getpid(), calls.seat.role)
    for memo, me in zip(calls.messages(), cycle(sides), strict=False):
        CALLS[me.semantics](me, memo)


def maybe(me: Client, memo: bytes) -> None:
    """Sent once. Without a reply the call is taken for failed, whatever the server did."""
    balance = deposit(me, memo, tries=1)
    me.calls.tell("believes done" if balance is not None else "believes failed", me.xid)


def at_least_once(me: Client, memo: bytes) -> None:
    """Sent again until there is a reply; the server knows no better than to do it again."""
    balance = deposit(me, memo, tries=me.given.tries)
    me.calls.tell("believes done" if balance is not None else "believes failed", me.xid)


def at_most_once(me: Client, memo: bytes) -> None:
    """Sent again, and the server does it once; without a reply nobody can tell whether it did."""
    balance = deposit(me, memo, tries=me.given.tries)
    me.calls.tell("believes done" if balance is not None else "believes unknown", me.xid)


def exactly_once(me: Client, memo: bytes) -> None:
    """Sent again until there is a reply, which is confirmed: then the server may forget it."""
    while deposit(me, memo, tries=0) is None:
        me.calls.tell("believes unknown", me.xid)  # refused: not lost, so another number is right
    me.calls.tell("believes done", me.xid)
    confirm = Call(me.xid, me.program, VERSION, CONFIRM, unsigned(me.xid), me.credential)
    send(me, confirm.packed())


def matched(me: Client, memo: bytes) -> None:
    """Where the server is, is asked of the matchmaker: at first, and whenever nobody answers there."""
    me.port = me.port or getport(me)
    balance = deposit(me, memo, tries=1) if me.port else None
    if balance is None and me.fd < 0:  # nobody is there, so it was not done: it can be asked of whoever is elsewhere
        me.port = getport(me)
        balance = deposit(me, memo, tries=1) if me.port else None
    me.calls.tell("believes done" if balance is not None else "believes failed", me.xid)


CALLS = {
    "maybe": maybe,
    "at-least-once": at_least_once,
    "at-most-once": at_most_once,
    "exactly-once": exactly_once,
    "fixed-port": maybe,
    "matchmaker": matched,
}


def fixed(calls: Calls, given: SimpleNamespace) -> None:
    """matchmaker: another client, in which the port was written down once and for all."""
    client(calls, SimpleNamespace(**{**vars(given), "programs": {"fixed-port": given.program}, "port": given.server}))


def deposit(me: Client, memo: bytes, tries: int) -> int | None:
    """The client stub: looks like the procedure, and sends a message in its place; None for no good reply."""
    me.xid = me.xid + 1 & 0xFFFFFFFF
    me.calls.call("deposit", me.xid, memo)
    argument = hyper(1) + string(memo)
    message = Call(me.xid, me.program, VERSION, DEPOSIT, argument, me.credential).packed()
    me.calls.tell("marshalled", me.xid, message)
    reply = answered(me, message, tries)
    if reply is None or reply.denied or reply.status != onc_rpc.SUCCESS:
        return None
    me.calls.received(memo, datagram=True)
    return int.from_bytes(reply.result[:8], "big", signed=True)


def answered(me: Client, message: bytes, tries: int) -> Reply | None:
    """Send, wait, send again: at most `tries` times, 0 for no end."""
    sent = 0
    while not tries or sent < tries:
        began = now()
        me.calls.tell("sent" if not sent else "sent again", onc_rpc.number_of(message))
        reply = reply_to(me, onc_rpc.number_of(message)) if send(me, message) else None
        if reply is not None:
            return reply
        sent += 1
        left = me.given.timeout / 1e3 - (now() - began) / 1e9
        if left > 0 and sent != tries:
            me.calls.clock_nanosleep(left)  # nobody is there: no sooner than if nobody had answered
    return None


def send(me: Client, message: bytes) -> bool:
    """Hand a message to the network; False when it says that nobody is there."""
    try:
        if me.fd < 0:
            stream = me.given.transport == "tcp"
            me.fd, me.records = me.calls.socket(AF_INET, SOCK_STREAM if stream else SOCK_DGRAM), Records()
            me.calls.connect(me.fd, (LOOPBACK, me.port))
        data = marked(message) if me.given.transport == "tcp" else message
        while data:
            data = data[me.calls.send(me.fd, data, MSG_NOSIGNAL) or 0 :]
    except OSError as error:
        return gone(me, error)
    return True


def reply_to(me: Client, xid: int) -> Reply | None:
    """Wait for the reply with this number; what else comes is late, and thrown away."""
    deadline = now() + me.given.timeout * 1_000_000
    while me.fd >= 0 and (left := deadline - now()) > 0:
        if not me.calls.poll([me.fd], -(-left // 1_000_000)):
            continue
        try:
            data = me.calls.recv(me.fd, PIECE)
        except OSError as error:
            gone(me, error)
            return None
        if data is None:
            continue
        if not data and me.given.transport == "tcp":
            hang_up(me)
            return None
        for packet in arrived(me.records, data, me.given.transport):
            reply = onc_rpc.parse(packet)
            if isinstance(reply, Reply) and reply.xid == xid:
                me.calls.tell("returned", xid, packet)
                return reply
    return None


def arrived(records: Records, data: bytes, transport: str) -> list[bytes]:
    """The messages in what has arrived: a datagram is one; a stream has record marks between them."""
    try:
        return records.fed(data) if transport == "tcp" else [data]
    except RecordTooLongError:
        return []


def gone(me: Client, error: OSError) -> bool:
    """The network says that nobody is there; any other error is a defect."""
    if error.errno not in _GONE:
        raise error
    me.calls.tell("nobody there", me.port)
    hang_up(me)
    return False


def hang_up(me: Client) -> None:
    """Close the socket; the next call makes another."""
    if me.fd >= 0:
        me.calls.close(me.fd)
        me.fd = -1


def getport(me: Client) -> int:
    """Ask the matchmaker for the server's port; 0 when it knows none, or does not answer."""
    wanted = Mapping(me.program, VERSION, TCP if me.given.transport == "tcp" else UDP)
    result = ask(me, portmapper.GETPORT, wanted)
    port = int.from_bytes(result or b"", "big")
    me.calls.tell("looked up", port)
    return port


def ask(me: Client, procedure: int, mapping: Mapping) -> bytes | None:
    """Call the matchmaker, over a socket of its own and UDP; None without an answer."""
    me.xid = me.xid + 1 & 0xFFFFFFFF
    other = Client(me.calls, SimpleNamespace(**{**vars(me.given), "transport": "udp"}), "", 0, me.given.matchmaker, 0)
    call = Call(me.xid, portmapper.PROGRAM, portmapper.VERSION, procedure, mapping.packed())
    reply = answered(other, call.packed(), tries=2)
    hang_up(other)
    return reply.result if reply is not None and reply.status == onc_rpc.SUCCESS else None
