"""How the recordings of the comparing panes, of sockets and calls, and of the other systems were made."""

from __future__ import annotations

from functools import partial

from tests.making import Made, made, script, values

_sync, _io, _buffering, _winpipe, _mach, _alpc, _socket, _xdr, _rpc = (
    partial(made, mechanism=name)
    for name in ("sync", "io", "buffering", "winpipe", "mach", "alpc", "socket", "xdr", "rpc")
)

SYSTEMS: dict[str, Made] = {
    "sync-zero": _sync("in one cell they meet at every message, in another never", 3.8, "zero", 4),
    "sync-bounded": _sync(
        "every receiver held: who blocks sleeps, who does not is refused",
        4.8,
        "bounded",
        5,
        *script("1:hold receiver", "1.2:rate sender 5"),
    ),
    "sync-pipe": _sync("a message larger than the pipe stands half written, or comes back short", 2.8, "pipe", 3),
    "sync-unbounded": _sync("no send ever waits", 2.8, "unbounded", 3, *script("1:hold receiver")),
    "io-all": _io(
        "one job in five ways",
        2.4,
        "all",
        2.5,
        *values("work=40"),
        *script("0.2:hold poll/collector", "2.35:release poll/collector"),
    ),
    "io-sync-blocking": _io("read() sleeps", 1.9, "sync-blocking", 2),
    "io-sync-nonblocking": _io("EAGAIN, and asked again at once", 0.5, "sync-nonblocking", 0.6),
    "io-async-blocking": _io("epoll_wait() sleeps until one is ready", 1.9, "async-blocking", 2),
    "io-async-nonblocking": _io("the read completes by itself", 1.4, "async-nonblocking", 1.5, *values("work=40")),
    "io-signal-driven": _io("a signal announces, and completes nothing", 1.4, "signal-driven", 1.5, *values("work=40")),
    "buffering-side-by-side": _buffering(
        "the producers are faster: lock step, blocked at n, growing",
        5.8,
        "side-by-side",
        6,
        *script("1:rate zero/producer 8", "1:rate bounded/producer 8", "1:rate unbounded/producer 8"),
    ),
    "winpipe-anonymous": _winpipe("what the child got, and what was withheld", 2.8, "anonymous", 3),
    "winpipe-leaked": _winpipe("the write end was inherited: end of file never comes", 5.8, "leaked", 6),
    "winpipe-named-byte": _winpipe("three sends are read as one", 2.8, "named-byte", 3),
    "winpipe-named-message": _winpipe("three sends are three messages", 2.8, "named-message", 3),
    "winpipe-instances": _winpipe("a client waits for a free instance", 2.8, "instances", 3),
    "mach-message": _mach(
        "the receiver held: the port's queue fills", 2.8, "message", 3, *values("rate=10"), *script("1:hold receiver")
    ),
    "mach-request-reply": _mach("a request carries the right to answer", 2.8, "request-reply", 3, *values("rate=5")),
    "mach-rights": _mach("a send right moves, and only then can the other send", 4.8, "rights", 5, *values("rate=5")),
    "mach-receive-right": _mach(
        "the receive right moves, with messages in the queue", 4.8, "receive-right", 5, *values("rate=5")
    ),
    "mach-full-queue": _mach(
        "the queue is full: the sender waits, or is told", 2.8, "full-queue", 3, *values("rate=10")
    ),
    "mach-bootstrap": _mach("a port is looked up by its name", 2.8, "bootstrap", 3, *values("rate=5")),
    "mach-out-of-line": _mach("copied against mapped, by size", 1.2, "out-of-line", 1.3),
    "alpc-connect": _alpc("the handshake: asked, heard, a pair made, its handle sent", 2.8, "connect", 3),
    "alpc-small": _alpc("256 bytes go through the port", 2.8, "small", 3, *values("rate=10")),
    "alpc-section": _alpc("larger ones through a section", 2.8, "section", 3, *values("rate=5")),
    "alpc-direct-read": _alpc("the largest are read out of the client", 2.8, "direct-read", 3, *values("rate=5")),
    "alpc-many-clients": _alpc("a private pair for each", 2.8, "many-clients", 3, *values("rate=5")),
    "alpc-refused": _alpc("the server says no", 2.8, "refused", 3),
    "alpc-measure": _alpc("every way at every size", 1.4, "measure", 1.5),
    "socket-tcp": _socket(
        "the reader held: its queue is full, the window closed, and the writer asleep",
        4.8,
        "tcp",
        5,
        *script("1:hold server"),
    ),
    "socket-udp": _socket(
        "the receiver held: datagrams are lost, and counted", 4.8, "udp", 5, *script("1:hold receiver")
    ),
    "socket-multicast": _socket("one sender, several receivers", 2.8, "multicast", 3),
    "socket-unix-stream": _socket("a stream without a network", 2.8, "unix-stream", 3),
    "socket-unix-seqpacket": _socket("edges are kept", 2.8, "unix-seqpacket", 3),
    "socket-echo": _socket("a server with several clients", 2.8, "echo", 3),
    "xdr-int32": _xdr("1 was sent, 16,777,216 was read", 2.8, "int32", 3),
    "xdr-agreed": _xdr("with XDR, 1 is read", 3.8, "int32", 4, *script("1.5:xdr on")),
    "xdr-int16": _xdr("16 bits take four bytes in XDR, for it has no smaller integer", 1.8, "int16", 2),
    "xdr-int64": _xdr("a 64-bit integer as six machines store it", 1.8, "int64", 2),
    "xdr-double": _xdr("a double: eight bytes of IEEE 754 in either order", 1.8, "double", 2),
    "xdr-string": _xdr("a string: a length, the bytes, and zeros up to four", 1.8, "string", 2),
    "xdr-struct": _xdr("a struct: padding and the size of long differ from machine to machine", 1.8, "struct", 2),
    "rpc-side-by-side": _rpc(
        "a reply is lost: four semantics", 7.8, "side-by-side", 8, *values("rate=1"), *script("2:drop reply 4")
    ),
    "rpc-local": _rpc("a function, another process, the network", 2.8, "local", 3, *values("rate=5")),
    "rpc-fixed-port": _rpc("the server has moved: nobody is at the port", 4.8, "fixed-port", 5, *script("2:move")),
    "rpc-matchmaker": _rpc("the server has moved, and is found", 4.8, "matchmaker", 5, *script("2:move")),
    "rpc-maybe": _rpc(
        "a reply is lost: it ran, and the client does not know", 4.8, "maybe", 5, *script("2:drop reply")
    ),
    "rpc-at-least-once": _rpc("a reply is lost: it runs twice", 4.8, "at-least-once", 5, *script("2:drop reply")),
    "rpc-at-most-once": _rpc(
        "a reply is lost: the duplicate is known", 4.8, "at-most-once", 5, *script("2:drop reply")
    ),
    "rpc-exactly-once": _rpc(
        "a reply is lost: once, and the client knows", 4.8, "exactly-once", 5, *script("2:drop reply")
    ),
}
"""The recordings by their names; a name begins with its mechanism's."""
