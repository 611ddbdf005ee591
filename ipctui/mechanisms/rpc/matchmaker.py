"""The matchmaker: keeps which program is served on which port, and speaks the portmapper's protocol, RFC 1833."""

from __future__ import annotations

from errno import ECONNRESET, EPIPE
from socket import AF_INET, MSG_DONTWAIT, MSG_NOSIGNAL, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from types import SimpleNamespace

from ipctui.mechanisms.rpc.client import LOOPBACK, PIECE
from ipctui.worker import onc_rpc, portmapper
from ipctui.worker.calls import Calls
from ipctui.worker.onc_rpc import LARGEST, Call, Noise, Records, RecordTooLongError, Reply, marked
from ipctui.worker.portmapper import PROGRAM, TCP, UDP, VERSION, Mapping, Table, mapping, packed_list
from ipctui.worker.xdr import Reader, XdrError, boolean, unsigned

_CONNECTIONS = 32
_TOLD = ("set", "unset", "told", "listed", "noise", *(f"refused {status}" for status in onc_rpc.ACCEPT_STATS[1:]))


def matchmaker(calls: Calls, given: SimpleNamespace) -> None:
    """Answer SET, UNSET, GETPORT and DUMP on UDP and TCP, on loopback alone, until killed."""
    calls.announce(*_TOLD)
    udp = calls.socket(AF_INET, SOCK_DGRAM)
    calls.bind(udp, (LOOPBACK, given.matchmaker))
    listener = calls.socket(AF_INET, SOCK_STREAM)
    calls.setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)
    calls.bind(listener, (LOOPBACK, given.matchmaker))
    calls.listen(listener, _CONNECTIONS)
    table = Table([Mapping(PROGRAM, VERSION, protocol, given.matchmaker) for protocol in (UDP, TCP)])
    streams: dict[int, Records] = {}
    while True:
        for fd, _ in calls.poll([udp, listener, *streams]) or ():
            if fd == udp:
                packet, address = calls.recvfrom(udp, LARGEST)
                if packet and (answer := match(calls, table, packet)):
                    calls.sendto(udp, answer, address)
            elif fd != listener:
                match_stream(calls, table, streams, fd)
            elif (made := calls.accept(listener)) is not None:
                if len(streams) >= _CONNECTIONS:
                    forgo(calls, streams, next(iter(streams)))
                streams[made] = Records()


def match(calls: Calls, table: Table, packet: bytes) -> bytes:
    """One call to the matchmaker: the reply, b"" for none."""
    call = onc_rpc.admitted(packet, {PROGRAM: (VERSION, VERSION)})
    if isinstance(call, Noise):
        calls.tell("noise", len(packet), packet)
        return b""
    if isinstance(call, Call):
        call = matched_call(calls, table, call)
    if call.said != "SUCCESS":
        calls.tell(f"refused {call.said}", call.xid)
    return call.packed()


def matched_call(calls: Calls, table: Table, call: Call) -> Reply:
    """Carry out a procedure of the portmapper."""
    try:
        if call.procedure == portmapper.DUMP:
            Reader(call.argument).end()
            calls.tell("listed", len(table.mappings))
            return Reply(call.xid, result=packed_list(table.mappings))
        if call.procedure in (portmapper.SET, portmapper.UNSET, portmapper.GETPORT):
            wanted = mapping(call.argument)
        elif call.procedure == portmapper.NULL:
            Reader(call.argument).end()
            return Reply(call.xid)
        else:
            return Reply(call.xid, onc_rpc.PROC_UNAVAIL)  # CALLIT makes others call for one: a danger, not offered
    except XdrError:
        return Reply(call.xid, onc_rpc.GARBAGE_ARGS)
    if call.procedure == portmapper.GETPORT:
        port = table.getport(wanted)
        calls.tell("told", port, call.argument)
        return Reply(call.xid, result=unsigned(port))
    done = table.set(wanted) if call.procedure == portmapper.SET else table.unset(wanted)
    calls.tell("set" if call.procedure == portmapper.SET else "unset", wanted.port, call.argument)
    return Reply(call.xid, result=boolean(done))


def match_stream(calls: Calls, table: Table, streams: dict[int, Records], fd: int) -> None:
    """What has come on a connection."""
    try:
        data = calls.recv(fd, PIECE, MSG_DONTWAIT)
        if data == b"":
            return forgo(calls, streams, fd)
        for packet in streams[fd].fed(data or b""):
            answer = match(calls, table, packet)
            if answer and calls.send(fd, marked(answer), MSG_NOSIGNAL | MSG_DONTWAIT) != len(answer) + 4:
                return forgo(calls, streams, fd)
    except RecordTooLongError:
        forgo(calls, streams, fd)
    except OSError as error:
        if error.errno not in (ECONNRESET, EPIPE):
            raise
        forgo(calls, streams, fd)


def forgo(calls: Calls, streams: dict[int, Records], fd: int) -> None:
    """Close a connection."""
    calls.close(fd)
    del streams[fd]
