"""The programs of sockets. A server listens on 127.0.0.1 alone, or at a path: nobody from another machine gets in."""

from __future__ import annotations

import struct
from errno import EADDRINUSE, EALREADY, EBADF, ECONNREFUSED, ECONNRESET, ENOENT, ENOTCONN, EPIPE
from select import POLLOUT
from socket import (
    AF_INET,
    AF_UNIX,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IPPROTO_IP,
    MSG_NOSIGNAL,
    SHUT_WR,
    SO_LINGER,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    inet_aton,
)
from types import SimpleNamespace

from ipctui.worker.calls import Calls
from ipctui.worker.sockets import Address

LOOPBACK = "127.0.0.1"
ANSWERS = 5
"""Messages that a server sends when its client has shut down its own half."""
IP_MULTICAST_ALL = 49
"""linux/in.h: whether a socket gets what comes for groups that others have joined; Python has no name for it."""
GONE = (EPIPE, ECONNRESET, EBADF, ENOTCONN)
"""The other end is closed or reset; or our own was, by the user."""
NOBODY = (ECONNREFUSED, ECONNRESET, ENOENT)


# tcp, unix-stream, unix-seqpacket


def server(calls: Calls, given: SimpleNamespace) -> None:
    """One connection after another; who comes meanwhile waits in the backlog."""
    door = listening(calls, given)
    while True:
        connection = calls.accept(door)
        if connection is not None:  # None: EAGAIN, nobody waits
            serve(calls, given, connection)
            hang_up(calls, connection)


def serve(calls: Calls, given: SimpleNamespace, connection: int) -> None:
    """Read to the end of file; then only the client's half is closed, and ours still carries an answer."""
    try:
        while (data := calls.recv(connection, given.read)) != b"":
            calls.received(data, datagram=given.edges)
        for _ in range(ANSWERS):
            send_whole(calls, connection, calls.message())
    except OSError as error:
        if error.errno not in GONE:
            raise


def client(calls: Calls, given: SimpleNamespace) -> None:
    """Connect and send; when all is sent, or the connection is gone, come to its end and connect again."""
    while True:
        connection = connected(calls, given)
        done = talk(calls, given, connection)
        hang_up(calls, connection)
        if done:
            return


def talk(calls: Calls, given: SimpleNamespace, connection: int) -> bool:
    """Send messages, close our half, and read what the other half brings; True when all was sent."""
    done = False
    try:
        try:
            for message in calls.messages():
                send_whole(calls, connection, message)
            calls.shutdown(connection, SHUT_WR)
            done = True
        except OSError as error:
            if error.errno != EPIPE:  # our half is closed, perhaps by the user: the other may still talk
                raise
        while (data := calls.recv(connection, given.read)) != b"":
            calls.received(data, datagram=given.edges)
    except OSError as error:
        if error.errno not in GONE:
            raise
    return done


# echo


def echo(calls: Calls, given: SimpleNamespace) -> None:
    """Every client at once: whoever has sent something gets the same back."""
    door = listening(calls, given)
    clients: list[int] = []
    while True:
        for fd, _ in calls.poll([door, *clients]) or ():
            if fd != door:
                if not echoed(calls, given, fd):
                    hang_up(calls, fd)
                    clients.remove(fd)
            elif (connection := calls.accept(door)) is not None:
                clients.append(connection)


def echoed(calls: Calls, given: SimpleNamespace, connection: int) -> bool:
    """Send back what came; False when the client has gone."""
    try:
        data = calls.recv(connection, given.read)
        calls.received(data)
        if data:
            send_whole(calls, connection, data)
        return data != b""
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False


def caller(calls: Calls, given: SimpleNamespace) -> None:
    """Send a message and wait until all of it has come back."""
    while True:
        connection = connected(calls, given)
        done = call(calls, given, connection)
        hang_up(calls, connection)
        if done:
            return


def call(calls: Calls, given: SimpleNamespace, connection: int) -> bool:
    """Message for message; False when the server has gone."""
    try:
        for message in calls.messages():
            send_whole(calls, connection, message)
            left = len(message)
            while left:
                data = calls.recv(connection, left)
                if data == b"":
                    return False
                calls.received(data)
                left -= len(data or b"")
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False
    return True


# udp, multicast


def sender(calls: Calls, given: SimpleNamespace) -> None:
    """A datagram for each message; nobody says whether it arrived."""
    fd = socket_of(calls, given)
    calls.bind(fd, (LOOPBACK, 0))  # any port that is free, and no other address
    if given.connected == "on":
        calls.connect(fd, (LOOPBACK, given.port))  # nothing is sent: it only fixes the peer
    for message in calls.offers():
        try:
            if given.connected == "on":
                while calls.send(fd, message) is None:
                    pass
            else:
                while calls.sendto(fd, message, (LOOPBACK, given.port)) is None:
                    pass
        except OSError as error:
            if error.errno != ECONNREFUSED:  # an earlier datagram found nobody at the port
                raise
            calls.refused()


def receiver(calls: Calls, given: SimpleNamespace) -> None:
    """Take datagrams, each whole and by itself."""
    fd = socket_of(calls, given)
    calls.bind(fd, (LOOPBACK, given.port))
    take(calls, given, fd)


def announcer(calls: Calls, given: SimpleNamespace) -> None:
    """One datagram to a group's address, out through loopback: the kernel copies it for every member."""
    fd = socket_of(calls, given)
    calls.bind(fd, (LOOPBACK, 0))
    calls.setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, inet_aton(LOOPBACK))
    calls.setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, 0)  # not past this machine
    calls.setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, int(given.loop == "on"))
    for message in calls.messages():
        while calls.sendto(fd, message, (given.group, given.port)) is None:
            pass


def member(calls: Calls, given: SimpleNamespace) -> None:
    """Several sockets on one port, each a member of the group."""
    fd = socket_of(calls, given)
    calls.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    calls.setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)  # nothing for groups that only others have joined
    calls.bind(fd, (given.group, given.port))
    join(calls, given, fd)
    take(calls, given, fd)


def take(calls: Calls, given: SimpleNamespace, fd: int) -> None:
    """Datagram after datagram, with its sender's address."""
    while True:
        data, _address = calls.recvfrom(fd, given.read)
        calls.received(data, datagram=True)


# What all have in common.


def listening(calls: Calls, given: SimpleNamespace) -> int:
    """A socket that clients connect to."""
    door = socket_of(calls, given)
    if not given.path:
        calls.setsockopt(door, SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        calls.bind(door, address(given))
    except OSError as error:
        if error.errno != EADDRINUSE or not given.path:
            raise
        calls.unlink(given.path)  # a path outlives the process that bound it
        calls.bind(door, address(given))
    calls.listen(door, given.backlog)
    return door


def connected(calls: Calls, given: SimpleNamespace) -> int:
    """A connection to the server, tried at each turn until somebody listens there."""
    while True:
        fd = socket_of(calls, given)
        try:
            while not reached(calls, given, fd):
                calls.poll([(fd, POLLOUT)], 100)  # under way: non-blocking, or interrupted
            return fd
        except OSError as error:
            if error.errno not in NOBODY:
                raise
        hang_up(calls, fd)


def reached(calls: Calls, given: SimpleNamespace, fd: int) -> bool:
    """Whether the connection is made."""
    try:
        return calls.connect(fd, address(given)) is not None
    except OSError as error:
        if error.errno != EALREADY:
            raise
        return False


def socket_of(calls: Calls, given: SimpleNamespace) -> int:
    """A socket with small queues, so that they fill before our eyes; the kernel doubles what it is asked for."""
    family, kind = {
        "udp": (AF_INET, SOCK_DGRAM),
        "unix-stream": (AF_UNIX, SOCK_STREAM),
        "unix-seqpacket": (AF_UNIX, SOCK_SEQPACKET),
    }.get(given.protocol, (AF_INET, SOCK_STREAM))
    fd = calls.socket(family, kind | (SOCK_NONBLOCK if calls.nonblocking else 0))
    calls.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, given.sndbuf)
    calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, given.rcvbuf)  # accept inherits it from the listening socket
    return fd


def send_whole(calls: Calls, fd: int, data: bytes) -> None:
    """Send until all of it is taken: a stream may take a part."""
    while data:
        data = data[calls.send(fd, data, MSG_NOSIGNAL) or 0 :]  # None: EAGAIN, no room


def hang_up(calls: Calls, fd: int) -> None:
    """Close a descriptor, unless the user has done so."""
    try:
        calls.close(fd)
    except OSError as error:
        if error.errno != EBADF:
            raise


def address(given: SimpleNamespace) -> Address:
    """A path of unix(7); or 127.0.0.1, which is this machine and no other, and a port."""
    return str(given.path) if given.path else (LOOPBACK, int(given.port))


# What the user may order.


def half_close(calls: Calls, given: SimpleNamespace, fd: int) -> str:
    """shutdown(2): nothing more is sent from here, the peer reads end of file, and may still talk."""
    calls.shutdown(fd, SHUT_WR)
    return f"shutdown({fd}, SHUT_WR): its sending half is closed"


def reset(calls: Calls, given: SimpleNamespace, fd: int) -> str:
    """close(2) without lingering: what waits is thrown away on both sides, and the peer gets ECONNRESET."""
    calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, struct.pack("@ii", 1, 0))
    calls.close(fd)
    return f"close({fd}) with SO_LINGER 0: the connection is reset"


def join(calls: Calls, given: SimpleNamespace, fd: int) -> str:
    """Become a member of the group, through loopback."""
    calls.setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, inet_aton(given.group) + inet_aton(LOOPBACK))
    return f"joined {given.group}"


def leave(calls: Calls, given: SimpleNamespace, fd: int) -> str:
    """Leave the group: the port stays, and nothing comes any more."""
    calls.setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, inet_aton(given.group) + inet_aton(LOOPBACK))
    return f"left {given.group}"
