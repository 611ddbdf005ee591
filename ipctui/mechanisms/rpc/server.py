"""The server of remote procedure calls: its stub, its history, the procedures, and the ledger of their effects."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from errno import ECONNRESET, EPIPE
from socket import AF_INET, MSG_DONTWAIT, MSG_NOSIGNAL, SO_REUSEADDR, SO_SNDBUF, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from types import SimpleNamespace

from ipctui.mechanisms.rpc.client import BALANCE, CONFIRM, DEPOSIT, LOOPBACK, NULL, PIECE, VERSION, Client, ask
from ipctui.mechanisms.rpc.history import Clients, History
from ipctui.mechanisms.rpc.ledger import MOST, Entry, balances_of, entries, summed
from ipctui.mechanisms.rpc.link import slot_of
from ipctui.mechanisms.rpc.orders import CRASHES, Orders, orders
from ipctui.worker import onc_rpc, portmapper
from ipctui.worker.calls import Calls
from ipctui.worker.onc_rpc import LARGEST, Call, Noise, Records, RecordTooLongError, Reply, marked
from ipctui.worker.places import Slot
from ipctui.worker.portmapper import TCP, UDP, Mapping
from ipctui.worker.sockets import shown
from ipctui.worker.xdr import Reader, XdrError, hyper

CONNECTIONS = 64
UNREAD = 32_768
"""Bytes of answers that the kernel keeps for a client that does not read: SO_SNDBUF, which it doubles."""
TOLD = (
    *("unmarshalled", "executed", "committed", "duplicate suppressed", "confirmed", "confirmed nothing", "noise"),
    *(
        "listens",
        "registered",
        "history",
        "clients",
        "hung up",
        "too many connections",
        "never reads",
        "truncated record",
        "refused oversized record",
    ),
    *(f"refused {status}" for status in (*onc_rpc.ACCEPT_STATS[1:], "RPC_MISMATCH", "AUTH_ERROR")),
)
"""What a server tells."""


@dataclass
class Server:
    """The server's side: its sockets, its account books, and what it remembers of calls."""

    calls: Calls
    given: SimpleNamespace
    slot: Slot
    wanted: Orders
    born: int
    history: History
    clients: Clients
    udp: int = -1
    listener: int = -1
    ledger: int = -1
    lines: int = 0
    balances: dict[int, int] = field(default_factory=dict)
    streams: dict[int, tuple[str, Records]] = field(default_factory=dict)


def server(calls: Calls, given: SimpleNamespace) -> None:
    """Serve on UDP and TCP, on loopback alone, until killed."""
    calls.announce(*TOLD)
    slot = slot_of(calls, given)
    wanted = orders(calls.load(slot))
    me = Server(calls, given, slot, wanted, wanted.crashes, History(given.bound), Clients(given.bound))
    open_ledger(me)
    listen(me, given.server)
    while True:
        ready = calls.poll([me.udp, me.listener, *me.streams]) or ()
        if obey(me):
            continue  # the ports that were ready are not the ports that are
        for fd, _ in ready:
            if fd == me.udp:
                packet, address = calls.recvfrom(fd, LARGEST)
                if packet and (answer := serve(me, packet, shown(address).decode())):
                    calls.sendto(fd, answer, address)
                    crash(me, "after")
            elif fd == me.listener:
                let_in(me)
            elif fd in me.streams:
                stream(me, fd)


def serve(me: Server, packet: bytes, caller: str) -> bytes:
    """The server stub: unmarshal, look into the history, call the procedure, marshal; b"" for no answer."""
    call = onc_rpc.admitted(packet, dict.fromkeys(me.given.programs.values(), (VERSION, VERSION)))
    if isinstance(call, Noise):
        me.calls.tell("noise", len(packet), packet)
        return b""
    if isinstance(call, Call):
        me.calls.tell("unmarshalled", call.xid, packet)
        try:
            return perform(me, call, caller)
        except XdrError:
            call = Reply(call.xid, onc_rpc.GARBAGE_ARGS)
    me.calls.tell(f"refused {call.said}", call.xid)
    return call.packed()


def perform(me: Server, call: Call, caller: str) -> bytes:
    """Call the procedure, or answer from the history. Raises XdrError for an argument that is none."""
    reader = Reader(call.argument)
    if call.procedure == DEPOSIT:
        amount, _memo = reader.hyper(), reader.string()
        reader.end()
        return once(me, call, onc_rpc.identity(call, caller), amount)
    if call.procedure == CONFIRM:
        confirmed = me.clients.confirm(onc_rpc.identity(call, caller), reader.unsigned())
        me.calls.tell("confirmed" if confirmed else "confirmed nothing", call.xid)
        return b""
    reader.end()
    if call.procedure == NULL:
        return Reply(call.xid).packed()
    if call.procedure == BALANCE:
        return Reply(call.xid, result=hyper(me.balances.get(call.program, 0))).packed()
    me.calls.tell("refused PROC_UNAVAIL", call.xid)
    return Reply(call.xid, onc_rpc.PROC_UNAVAIL).packed()


def once(me: Server, call: Call, caller: str, amount: int) -> bytes:
    """What the semantics make of a call that may be a duplicate."""
    semantics = next(name for name, number in me.given.programs.items() if number == call.program)
    crash(me, "before")
    if semantics == "exactly-once":
        judged = me.clients.judge(caller, call.xid)
        if judged != "new":
            me.calls.tell("duplicate suppressed", call.xid)
            return me.clients.reply(caller) if judged == "again" else b""
    known = me.history.find((caller, call.xid)) if semantics == "at-most-once" else None
    if known is not None:
        me.calls.tell("duplicate suppressed", call.xid)
        return known if me.given.history == "answer" else b""
    balance = me.balances.get(call.program, 0) + amount
    reply = Reply(call.xid, result=hyper(balance)).packed()
    me.calls.tell("executed", call.xid)
    crash(me, "uncommitted")
    entry = Entry(call.program, amount, balance, call.xid)
    if semantics == "exactly-once":  # the effect and that it has been done: one write, or neither
        entry = Entry(call.program, amount, balance, call.xid, caller, reply)
    commit(me, entry)
    if semantics == "exactly-once":
        me.clients.keep(caller, call.xid, reply)
        me.calls.tell("clients", len(me.clients))
    elif semantics == "at-most-once":
        me.history.keep((caller, call.xid), reply)
        me.calls.tell("history", len(me.history))
    crash(me, "unanswered")
    return reply


def commit(me: Server, entry: Entry) -> None:
    """Append an effect to the ledger, and wait until the device has it; where there is none, memory must do."""
    me.balances[entry.program] = entry.balance
    if not me.given.ledger:
        return
    me.calls.write(me.ledger, entry.packed())
    me.calls.fsync(me.ledger)
    me.calls.tell("committed", entry.xid)
    me.lines += 1
    if me.lines >= MOST:
        me.calls.close(me.ledger)
        open_ledger(me)


def open_ledger(me: Server) -> None:
    """Read the ledger, leave out a torn end, and write it anew and short: the old one is there until the new one is."""
    path, new = me.given.ledger, f"{me.given.ledger}-new"
    if not path:
        return
    old = me.calls.open(path, os.O_RDWR | os.O_CREAT, 0o600) or 0
    raw = b""
    while piece := me.calls.read(old, PIECE):
        raw += piece
    me.calls.close(old)
    found, _whole = entries(raw)
    for entry in found:
        if entry.client:
            me.clients.keep(entry.client, entry.xid, entry.reply)
    me.ledger = me.calls.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600) or 0
    short = summed(found, me.clients.all())
    if short:
        me.calls.write(me.ledger, short)
    me.calls.fsync(me.ledger)
    me.calls.rename(new, path)
    me.balances, me.lines = balances_of(found), 0


def crash(me: Server, where: str) -> None:
    """Be killed here, if that was ordered."""
    if me.wanted.crash == 1 + CRASHES.index(where):
        me.calls.tell(f"killed {where}")
        os.kill(os.getpid(), signal.SIGKILL)


def obey(me: Server) -> bool:
    """Look at what was ordered: to be killed at a certain place, or to move to another port; True when it moved."""
    before, me.wanted = me.wanted, orders(me.calls.load(me.slot))
    if me.wanted.crashes == me.born:
        me.wanted.crash = 0
    if me.wanted.moves == before.moves:
        return False
    listen(me, me.wanted.port)
    return True


def listen(me: Server, port: int) -> None:
    """Take a port, 0 for any, on UDP and TCP, and let the matchmaker know."""
    for fd in (me.udp, me.listener, *me.streams):
        if fd >= 0:
            me.calls.close(fd)
    me.streams.clear()
    me.udp = me.calls.socket(AF_INET, SOCK_DGRAM)
    me.calls.bind(me.udp, (LOOPBACK, port))
    port = int(me.calls.getsockname(me.udp)[1])
    me.listener = me.calls.socket(AF_INET, SOCK_STREAM)
    me.calls.setsockopt(me.listener, SOL_SOCKET, SO_REUSEADDR, 1)
    me.calls.setsockopt(me.listener, SOL_SOCKET, SO_SNDBUF, UNREAD)  # accept inherits it
    me.calls.bind(me.listener, (LOOPBACK, port))
    me.calls.listen(me.listener, CONNECTIONS)
    me.calls.tell("listens", port)
    if me.given.matchmaker:
        register(me, port)


def register(me: Server, port: int) -> None:
    """Tell the matchmaker where each program is served; what it knew before is forgotten first."""
    asking = Client(me.calls, me.given, "", 0, 0, os.getpid())
    for number in me.given.programs.values():
        ask(asking, portmapper.UNSET, Mapping(number, VERSION, 0))
        for protocol in (UDP, TCP):
            ask(asking, portmapper.SET, Mapping(number, VERSION, protocol, port))
    me.calls.tell("registered", port)


def let_in(me: Server) -> None:
    """Take a connection; the oldest one makes room where there are too many."""
    fd = me.calls.accept(me.listener)
    if fd is None:
        return
    if len(me.streams) >= CONNECTIONS:
        leave(me, next(iter(me.streams)), "too many connections")
    try:
        caller = shown(me.calls.getpeername(fd)).decode()
    except OSError:  # it has hung up already
        me.calls.close(fd)
        return
    me.streams[fd] = (caller, Records())


def stream(me: Server, fd: int) -> None:
    """What has come on a connection: whole records are served; who sends none that can be is left."""
    caller, records = me.streams[fd]
    try:
        data = me.calls.recv(fd, PIECE, MSG_DONTWAIT)
        if data == b"":
            return leave(me, fd, "truncated record" if records.unfinished else "hung up")
        for packet in records.fed(data or b""):
            answer = marked(served) if (served := serve(me, packet, caller)) else b""
            # A client that never reads must not keep all others waiting.
            if answer and me.calls.send(fd, answer, MSG_NOSIGNAL | MSG_DONTWAIT) != len(answer):
                return leave(me, fd, "never reads")
            if answer:
                crash(me, "after")
    except RecordTooLongError:
        leave(me, fd, "refused oversized record")
    except OSError as error:
        if error.errno not in (ECONNRESET, EPIPE):
            raise
        leave(me, fd, "hung up")


def leave(me: Server, fd: int, why: str) -> None:
    """Close a connection."""
    me.calls.tell(why, fd)
    me.calls.close(fd)
    del me.streams[fd]
