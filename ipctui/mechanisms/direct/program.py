"""The programs of direct communication. Who writes send(me, "q", m) names its partner, and the link makes itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import EADDRINUSE, ECONNREFUSED, ECONNRESET, EPIPE
from socket import AF_UNIX, MSG_NOSIGNAL, SO_PEERCRED, SO_SNDBUF, SOCK_SEQPACKET, SOL_SOCKET
from types import SimpleNamespace

from ipctui.worker.calls import Calls

ORDER = b"rename "
"""How the laboratory begins what it says at a door; nobody else is obeyed."""
LARGEST = 65536
BACKLOG = 64
_NOBODY = (ECONNREFUSED, EPIPE, ECONNRESET)
"""Nobody bears the name; or whoever bore it went away while we knocked."""


@dataclass
class Self:
    """A process: its name, the door where others knock, its links by partner, its callers and their pids."""

    calls: Calls
    given: SimpleNamespace
    name: str
    door: int = -1
    links: dict[str, int] = field(default_factory=dict)
    callers: dict[int, str] = field(default_factory=dict)
    pids: dict[int, int] = field(default_factory=dict)


def first_p(calls: Calls, given: SimpleNamespace) -> None:
    """symmetric: p names q and r."""
    me = called(calls, given, calls.seat.role)
    for message in calls.messages():
        send(me, "q", message)
        send(me, "r", calls.message())


def second_q(calls: Calls, given: SimpleNamespace) -> None:
    """symmetric: q names p, from whom it receives, and r, to whom it sends."""
    me = called(calls, given, calls.seat.role)
    while True:
        calls.received(receive(me, "p"))
        send(me, "r", calls.message())


def third_r(calls: Calls, given: SimpleNamespace) -> None:
    """symmetric: r receives from p and from q by turns; what comes from another meanwhile has to wait."""
    me = called(calls, given, calls.seat.role)
    while True:
        calls.received(receive(me, "p"))
        calls.received(receive(me, "q"))


def sender(calls: Calls, given: SimpleNamespace) -> None:
    """asymmetric, rename: a sender names the receiver."""
    me = called(calls, given, calls.seat.role)
    for message in calls.messages():
        send(me, "q", message)


def receiver(calls: Calls, given: SimpleNamespace) -> None:
    """asymmetric, rename: the receiver names nobody, and is told who it was."""
    me = called(calls, given, calls.seat.role)
    for _who, message in receive_any(me):
        calls.received(message)


def forger(calls: Calls, given: SimpleNamespace) -> None:
    """forged: m says that it is p: to the kernel and to q, when it knocks; and in every message."""
    me = called(calls, given, calls.seat.role)
    try:
        link_as(me, "p", "q")  # the first to come gets the link's name, but q asks the kernel who knocks
    except OSError as error:
        if error.errno not in (EADDRINUSE, *_NOBODY):
            raise
    for message in calls.messages():
        send(me, "q", b"p:77000" + message.partition(b":")[2])


def doubter(calls: Calls, given: SimpleNamespace) -> None:
    """forged: q takes nobody's word: it asks the kernel who knocks, and who bears the name."""
    me = called(calls, given, calls.seat.role)
    for who, message in receive_any(me):
        if message.startswith(who.encode() + b":"):
            calls.received(message)  # else: not from whom it says


def called(calls: Calls, given: SimpleNamespace, name: str) -> Self:
    """Take a name: a door at an address that the kernel gives to one process alone."""
    door = calls.socket(AF_UNIX, SOCK_SEQPACKET)
    try:
        calls.bind(door, address(given, name))
    except OSError:
        calls.close(door)
        raise
    calls.listen(door, BACKLOG)
    return Self(calls, given, name, door)


def send(me: Self, whom: str, message: bytes) -> None:
    """send(P, message): over the one link with P, which the first message makes; tried until it is taken."""
    while True:
        link = me.links.get(whom)
        if link is None:
            link = link_with(me, whom)
            continue
        try:
            if me.calls.send(link, message, MSG_NOSIGNAL) is not None:  # None: EAGAIN, the link is full
                return
        except OSError as error:
            if error.errno not in (EPIPE, ECONNRESET):
                raise
            hang_up(me, link)  # nobody is at the other end any more


def receive(me: Self, whom: str) -> bytes:
    """receive(Q, message): what Q sends, and nothing else; sleeps until there is something."""
    while True:
        link = me.links.get(whom)
        if link is not None:
            message = take(me, link)
            if message:
                return message
        elif (caller := let_in(me)) is not None and (greeting := take(me, caller)):
            meet(me, caller, greeting)


def receive_any(me: Self) -> Iterator[tuple[str, bytes]]:
    """receive(id, message): from anybody; sleeps on the door and all links at once, and tells who it was."""
    while True:
        for fd, _ in me.calls.poll([me.door, *me.callers]) or ():
            if fd == me.door:
                let_in(me)
                continue
            message = take(me, fd)
            if message and me.callers[fd]:
                yield me.callers[fd], message
            elif message and not meet(me, fd, message):
                break


def link_with(me: Self, whom: str) -> int | None:
    """The link with another process, made now; None while nobody bears that name."""
    try:
        return link_as(me, me.name, whom)
    except OSError as error:
        if error.errno == EADDRINUSE and me.calls.poll([me.door], 0) and (caller := let_in(me)) is not None:
            meet(me, caller, take(me, caller) or b"")  # the other was quicker: its link is the link
        elif error.errno not in (EADDRINUSE, *_NOBODY):
            raise
    return me.links.get(whom)


def link_as(me: Self, mine: str, whom: str) -> int:
    """A link named after both: a second one cannot be, for the kernel gives no name twice (EADDRINUSE)."""
    calls = me.calls
    link = calls.socket(AF_UNIX, SOCK_SEQPACKET)
    try:
        calls.setsockopt(link, SOL_SOCKET, SO_SNDBUF, me.given.buffer)
        calls.bind(link, address(me.given, "+".join(sorted((mine, whom)))))
        while calls.connect(link, address(me.given, whom)) is None:
            pass  # EAGAIN, where the user made it non-blocking: too many wait at the door
        calls.send(link, mine.encode(), MSG_NOSIGNAL)  # who knocks; an empty message would be end of file
    except OSError:
        calls.close(link)
        raise
    me.links[whom] = link
    return link


def let_in(me: Self) -> int | None:
    """Open the door: the link, with its caller's true pid; None when nobody is there (EAGAIN)."""
    link = me.calls.accept(me.door)
    if link is not None:
        me.pids[link] = peer(me, link)
        me.callers[link] = ""
    return link


def peer(me: Self, link: int) -> int:
    """The pid at the other end, by the kernel's word: SO_PEERCRED, unix(7)."""
    return int(struct.unpack("iii", me.calls.getsockopt(link, SOL_SOCKET, SO_PEERCRED, 12))[0])


def meet(me: Self, link: int, greeting: bytes) -> bool:
    """A caller says who it is; False when it gave the order to take another name, or lied and was hung up on."""
    said = greeting.decode("ascii", "replace").strip()
    if greeting.startswith(ORDER) and me.pids[link] == me.given.keeper:
        rename(me, said.partition(" ")[2])
        return False
    if me.given.doubts and bearer(me, said) != me.pids[link]:
        hang_up(me, link)  # the kernel says that somebody else bears the name, or nobody
        return False
    name = said if said.isalnum() else f"pid {me.pids[link]}"
    me.callers[link] = name
    me.links.setdefault(name, link)
    return True


def bearer(me: Self, name: str) -> int:
    """The pid of whoever bears a name, 0 for nobody: knock there, and ask the kernel whose door it is."""
    calls = me.calls
    probe = calls.socket(AF_UNIX, SOCK_SEQPACKET)
    try:
        calls.connect(probe, address(me.given, name))
        return peer(me, probe)
    except OSError:
        return 0
    finally:
        calls.close(probe)


def rename(me: Self, name: str) -> None:
    """Take another name and give the old one back; links bear the old name, so they end."""
    other = called(me.calls, me.given, name)
    me.calls.close(me.door)  # first, or who is hung up on would knock here again
    for link in list(me.callers):
        hang_up(me, link)
    me.name, me.door = other.name, other.door


def take(me: Self, link: int) -> bytes | None:
    """What a link brings; b"" is its end, since no message is empty; None for nothing (EAGAIN)."""
    try:
        message = me.calls.recv(link, LARGEST)
    except OSError as error:
        if error.errno != ECONNRESET:
            raise
        return None  # the other end is gone; what it sent before comes yet
    if message == b"":
        hang_up(me, link)
    return message


def hang_up(me: Self, link: int) -> None:
    """Close a link and forget it."""
    me.calls.close(link)
    me.callers.pop(link, None)
    me.pids.pop(link, None)
    for name in [name for name, fd in me.links.items() if fd == link]:
        del me.links[name]


def address(given: SimpleNamespace, name: str) -> str:
    """An abstract address of unix(7), free of the file system: it is gone with the process that bears it."""
    return f"\0{given.prefix}/{name}"
