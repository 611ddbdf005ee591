"""The programs of Windows pipes. A handle is a descriptor; it is inheritable where close-on-exec is off.

A named pipe is a connected socket pair of one listening address: a stream in byte mode, SEQPACKET in message mode.
"""

from __future__ import annotations

import errno
from fcntl import F_SETFD
from os import MFD_CLOEXEC, O_CLOEXEC
from socket import AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_SEQPACKET, SOCK_STREAM
from types import SimpleNamespace

from ipctui.worker.calls import Calls

INHERIT = 0
"""F_SETFD without FD_CLOEXEC: the handle is inheritable."""
BURST = 3
"""Messages that a client sends before it waits for the answer."""
LARGEST = 65536
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED)


def parent(calls: Calls, given: SimpleNamespace) -> None:
    """anonymous, leaked: make handles, state which of them are inheritable, make the child, write to it."""
    r, w = calls.pipe2(O_CLOEXEC)  # handles are not inheritable unless that is stated
    settings = calls.memfd_create("settings", MFD_CLOEXEC)
    log = calls.memfd_create("log", MFD_CLOEXEC)
    calls.fcntl(r, F_SETFD, INHERIT)
    calls.fcntl(settings, F_SETFD, INHERIT)
    if given.leak == "on":
        calls.fcntl(w, F_SETFD, INHERIT)  # the mistake
    if calls.fork() == 0:  # CreateProcess is both: all handles are here now …
        calls.execve("child", [r, settings], given)  # … and only the inheritable ones after this
    calls.close(r)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]  # None: EAGAIN, all of it is left
    calls.close(w)
    calls.waitpid()
    calls.close(settings)
    calls.close(log)


def child(calls: Calls, given: SimpleNamespace, r: int, settings: int) -> None:
    """anonymous, leaked: a new image; the numbers of its handles came on its command line. Read to end of file."""
    while (data := calls.read(r, LARGEST)) != b"":
        calls.received(data)  # None: EAGAIN, nothing came
    calls.close(r)
    calls.close(settings)


def instance(calls: Calls, given: SimpleNamespace) -> None:
    """named: publish the name, then serve, with as many instances as were asked for."""
    door = calls.socket(AF_UNIX, kind(given) | SOCK_CLOEXEC)
    calls.bind(door, address(given))
    calls.listen(door, 0)
    number = 1
    while number < given.instances:
        number += 1
        if calls.fork() == 0:
            return serve(calls, given, door)
    serve(calls, given, door)


def serve(calls: Calls, given: SimpleNamespace, door: int) -> None:
    """named: one client after another; an instance that has a client has no room for a second."""
    while True:
        pipe = calls.accept(door)  # ConnectNamedPipe
        if pipe is None:
            continue
        try:
            calls.send(pipe, b"@" + calls.seat.role.encode() + b"\n", MSG_NOSIGNAL)
            while listen_to(calls, given, pipe):
                calls.send(pipe, calls.message(), MSG_NOSIGNAL)  # the other way, on the same object
        except OSError as error:
            if error.errno not in _GONE:
                raise
        calls.close(pipe)  # DisconnectNamedPipe


def listen_to(calls: Calls, given: SimpleNamespace, pipe: int) -> bool:
    """named: take a burst, however many reads that needs; False when the client has gone."""
    calls.poll([pipe])
    calls.clock_nanosleep(given.busy / 1000)  # meanwhile the rest of the burst comes
    ended = 0
    while ended < BURST:
        data = read_message(calls, given, pipe) if given.mode == "message" else calls.recv(pipe, LARGEST)
        if data == b"":
            return False
        ended += calls.received(data, datagram=given.mode == "message")
    return True


def read_message(calls: Calls, given: SimpleNamespace, pipe: int) -> bytes | None:
    """named-message: ReadFile into a buffer that is too small: the rest is to be had by the next ones.

    SEQPACKET throws the rest of a message away when its reader has no room for it. So ask for its length first.
    """
    if given.peek == "off":
        return calls.recv(pipe, given.buffer)
    length = calls.peek_length(pipe)
    if not length:
        return None if length is None else b""
    message = calls.recv(pipe, length) or b""
    whole = b""
    while message:
        piece, message = message[: given.buffer], message[given.buffer :]  # message: ERROR_MORE_DATA
        whole += piece
    return whole


def client(calls: Calls, given: SimpleNamespace) -> None:
    """named: open the name, talk for a while, close, and come again."""
    sent = 0
    while not given.messages or sent < given.messages:
        calls.sched_yield()  # the next try is due
        pipe = calls.socket(AF_UNIX, kind(given) | SOCK_CLOEXEC)
        try:
            opened = calls.connect(pipe, address(given))  # CreateFile; None: EAGAIN, the name's queue is full
            greeting = None
            while opened and greeting is None:  # WaitNamedPipe: somebody has accepted once this comes
                greeting = calls.recv(pipe, LARGEST)
            if greeting:
                sent += talk(calls, given, pipe)
        except OSError as error:
            if error.errno not in _GONE:
                raise
        calls.close(pipe)


def talk(calls: Calls, given: SimpleNamespace, pipe: int) -> int:
    """named: bursts of three messages, each answered once; how many messages that were."""
    for burst in range(given.talk):
        calls.sched_yield()  # the next burst is due
        for _ in range(BURST):
            message = calls.message()
            while message:
                done = calls.send(pipe, message, MSG_NOSIGNAL)
                message = message[done:]
        answer = None
        while answer is None:
            answer = calls.recv(pipe, LARGEST)
        if not answer:
            return burst * BURST
        calls.received(answer, datagram=given.mode == "message")
    return int(given.talk) * BURST


def kind(given: SimpleNamespace) -> int:
    """Message mode keeps the edges of messages, byte mode does not."""
    return int(SOCK_SEQPACKET if given.mode == "message" else SOCK_STREAM)


def address(given: SimpleNamespace) -> str:
    r"""What stands for `\\.\pipe\demo`: an abstract address of unix(7)."""
    return f"\0{given.prefix}/pipe/demo"
