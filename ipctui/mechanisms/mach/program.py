"""The programs of Mach's tasks. A port is a SEQPACKET pair, a right is a descriptor, and a right moves by SCM_RIGHTS.

A port's receive right is the end that bears its name and can only receive; a send right is a copy of the other end,
which can only send. The worker `kernel` has the receive right of every task's task-self port: to ask it for a port
is to send it a message.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from select import POLLOUT
from socket import (
    AF_UNIX,
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SHUT_WR,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOCK_CLOEXEC,
    SOCK_SEQPACKET,
    SOL_SOCKET,
)
from types import SimpleNamespace

from ipctui.worker.calls import Calls

LARGEST = 65536
MOST_RIGHTS = 253
"""Descriptors that the kernel passes with one message: SCM_MAX_FD, unix(7)."""
GONE = (errno.EPIPE, errno.ECONNRESET)
Rights = dict[str, int]
"""A task's rights: descriptor by what it is for (`self`, `notify`, `reply`, `reply-send`, and ports by name)."""
Program = Callable[[Calls, SimpleNamespace, Rights], None]


@dataclass
class Task:
    """A task as the kernel knows it: its name, the send right of its notify port, and what it wants to be told."""

    name: str
    notify: int
    watched: dict[int, bytes] = field(default_factory=dict)


def kernel(calls: Calls, given: SimpleNamespace, programs: dict[str, Program] | None = None) -> None:
    """Make the ports that tasks are born with, make the tasks, then answer at their task-self ports."""
    shared = {name: allocate(calls, given, name) for name, _, _ in given.ports}
    tasks: dict[int, Task] = {}
    for role, program in given.tasks:
        special = {name: allocate(calls, given, f"{name}.{role}") for name in ("self", "notify", "reply")}
        if calls.fork() == 0:
            rights = keep(calls, given, role, shared, special, tasks)
            return (programs or PROGRAMS)[program](calls, given, rights)
        tasks[special["self"][0]] = Task(role, special["notify"][1])
        for end in (special["self"][1], special["notify"][0], *special["reply"]):
            calls.close(end)
    for pair in shared.values():
        for end in pair:
            calls.close(end)
    serve(calls, given, tasks)


def keep(
    calls: Calls,
    given: SimpleNamespace,
    role: str,
    shared: dict[str, tuple[int, int]],
    special: dict[str, tuple[int, int]],
    tasks: dict[int, Task],
) -> Rights:
    """In a new task: keep the rights that are its own, and close all others that fork(2) has copied."""
    mine: Rights = {"self": special["self"][1], "notify": special["notify"][0]}
    mine |= {"reply": special["reply"][0], "reply-send": special["reply"][1]}
    for name, receiver, senders in given.ports:
        if receiver == role:
            mine["inbox" if name.startswith("to.") else name] = shared[name][0]
        if role in senders:
            mine["other" if name.startswith("to.") else name] = shared[name][1]
    kernels = [end for fd, task in tasks.items() for end in (fd, task.notify)]
    for end in (*kernels, special["self"][0], special["notify"][1], *(end for pair in shared.values() for end in pair)):
        if end not in mine.values():
            calls.close(end)
    return mine


def allocate(calls: Calls, given: SimpleNamespace, name: str) -> tuple[int, int]:
    """A new port: its receive right and a send right. The name is for whoever looks on; no task can open it."""
    receive, send = calls.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    calls.bind(receive, f"\0{given.prefix}/{name}")
    calls.shutdown(receive, SHUT_WR)
    calls.setsockopt(send, SOL_SOCKET, SO_SNDBUF, given.buffer)
    return receive, send


def serve(calls: Calls, given: SimpleNamespace, tasks: dict[int, Task]) -> None:
    """Answer every task at its task-self port, and tell who asked for it that a port has hung up."""
    while tasks:
        watched = {fd: task for task in tasks.values() for fd in task.watched}
        for fd, _ in calls.poll([*tasks, *((fd, 0) for fd in watched)]) or ():
            if fd in watched:
                tell(calls, watched[fd], fd)
                continue
            message, came = calls.recvmsg(fd, LARGEST, MOST_RIGHTS, MSG_CMSG_CLOEXEC)
            if message == b"":
                bury(calls, tasks.pop(fd), fd)
                break  # what it watched is closed: poll anew
            if message is not None:
                answer(calls, given, tasks[fd], message, came)


def answer(calls: Calls, given: SimpleNamespace, task: Task, message: bytes, came: tuple[int, ...]) -> None:
    """A system call that came as a message: `allocate NAME` with a reply right, `watch NAME` with the right."""
    kind, _, name = message.partition(b" ")
    if kind == b"@watch" and came:
        task.watched[came[0]] = name
        return
    if kind == b"@allocate" and came:
        ends = allocate(calls, given, name.decode("ascii", "replace"))
        put(calls, came[0], b"@rights", ends)
        for end in ends:
            calls.close(end)
    for each in came:
        calls.close(each)


def tell(calls: Calls, task: Task, fd: int) -> None:
    """The kernel has hung a port up: say so at the notify port of whoever asked."""
    name = task.watched.pop(fd)
    calls.close(fd)
    put(calls, task.notify, name, flags=MSG_DONTWAIT)


def bury(calls: Calls, task: Task, fd: int) -> None:
    """A task has ended: the kernel gives back what it held for it, so that its ports die with it."""
    for each in (fd, task.notify, *task.watched):
        calls.close(each)


def put(calls: Calls, right: int, message: bytes, rights: tuple[int, ...] = (), flags: int = 0) -> bool:
    """Send a message through a send right; False when the port is dead: nobody can receive there any more."""
    while True:
        try:
            if calls.sendmsg(right, message, rights, MSG_NOSIGNAL | flags) is not None or flags:
                return True
        except OSError as error:
            if error.errno not in GONE:
                raise
            return False


def get(calls: Calls, right: int, most: int = MOST_RIGHTS) -> tuple[bytes, tuple[int, ...]]:
    """Receive a message and the rights in it; b"" when there is no sender left."""
    while True:
        message, came = calls.recvmsg(right, LARGEST, most, MSG_CMSG_CLOEXEC)
        if message is not None:
            return message, came


def ask_for_port(calls: Calls, rights: Rights, name: str) -> tuple[int, int]:
    """mach_port_allocate: a message to the task-self port; the rights come back in the answer."""
    put(calls, rights["self"], b"@allocate " + name.encode(), (rights["reply-send"],))
    _, ends = get(calls, rights["reply"])
    return ends[0], ends[1]


def watch(calls: Calls, rights: Rights, right: int, what: bytes) -> None:
    """mach_port_request_notification: tell me at my notify port when this right's port hangs up."""
    put(calls, rights["self"], b"@watch " + what, (right,))


def sender(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """message: send to the port; a dead name stays one, and every further message fails."""
    port = rights["P"]
    watch(calls, rights, port, b"@dead-name P")
    told = False
    for message in calls.offers():
        try:
            alive = put(calls, port, message, (port,) * given.carry)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ETOOMANYREFS):
                raise
            calls.refused()  # more rights than the kernel takes
            continue
        if not alive:
            calls.refused()
        if not alive and not told:
            get(calls, rights["notify"])
            told = True


def receiver(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """message, rights, full-queue: receive until the last send right is gone, then hear of it at the notify port."""
    watch(calls, rights, rights["P"], b"@no-senders P")
    while True:
        message, came = get(calls, rights["P"])
        for each in came:
            calls.close(each)
        if not message:
            break
        calls.received(message, datagram=True)
    while get(calls, rights["notify"])[0]:
        pass  # no-senders; and nothing more can come


def client(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """request-reply: every request carries a right to answer by; the reply port is the client's own."""
    reply, answer_by = ask_for_port(calls, rights, "reply-port")
    for message in calls.messages():
        if not put(calls, rights["P"], message, (answer_by,)):
            return
        text, _ = get(calls, reply)
        calls.received(text, datagram=True)


def server(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """request-reply: answer by the right that came with the request, once: then it is used up."""
    while True:
        message, came = get(calls, rights["P"])
        if not message:
            return
        calls.received(message, datagram=True)
        for once in came:
            put(calls, once, calls.message())
            calls.close(once)  # send-once: our program keeps that rule, not the kernel


def holder(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """rights: send while the send right is here, then give it away; without it there is nothing to send by."""
    port = rights.get("P")
    while True:
        while port is None:
            message, came = get(calls, rights["inbox"])
            if not message:
                return
            port = came[0] if came else None
        for _ in range(given.every):
            if not put(calls, port, calls.message()):
                return
        if put(calls, rights["other"], b"@right send", (port,)):
            calls.close(port)  # moved: what was given away is not kept
            port = None


def inheritor(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """receive-right: receive while the receive right is here, then hand it on with all that waits in it."""
    port = rights.get("P")
    while True:
        while port is None:
            message, came = get(calls, rights["inbox"])
            if not message:
                return
            port = came[0] if came else None
        for _ in range(given.every):
            message, _ = get(calls, port)
            if not message:
                return
            calls.received(message, datagram=True)
        if put(calls, rights["other"], b"@right receive", (port,)):
            calls.close(port)
            port = None


def steady(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """receive-right: send, whoever has the receive right."""
    for message in calls.messages():
        if not put(calls, rights["P"], message):
            return


def patient(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """full-queue: at a full queue the sender waits, gives up after a while, or is told when there is room."""
    port = rights["P"]
    if given.full == "timeout":
        calls.setsockopt(port, SOL_SOCKET, SO_SNDTIMEO, struct.pack("@ll", 0, given.patience * 1000))
    flags = MSG_DONTWAIT if given.full == "told" else 0
    for message in calls.offers():
        try:
            sent = calls.sendmsg(port, message, (), MSG_NOSIGNAL | flags)
            if sent is None and given.full == "told":
                calls.poll([(port, POLLOUT)])  # the kernel says when
                sent = calls.sendmsg(port, message, (), MSG_NOSIGNAL)
            if sent is None:
                calls.refused()
        except OSError as error:
            if error.errno not in GONE:
                raise
            return


def bootstrap(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """bootstrap: keep send rights by name; give a copy to whoever asks for the name."""
    names: dict[bytes, int] = {}
    while True:
        message, came = get(calls, rights["bootstrap"])
        if not message:
            return
        kind, _, name = message.partition(b" ")
        right = names.get(name)
        if right is not None and (kind == b"@register" or calls.poll([(right, 0)], 0)):
            calls.close(names.pop(name))  # it has died, or there is a newer one
        if kind == b"@register" and came:
            names[name], *came_too = came
        else:
            came_too = list(came)
        if kind == b"@lookup" and came:
            found = (names[name],) if name in names else ()
            put(calls, came[0], b"@right" if found else b"@unknown", found)
        for each in came_too:
            calls.close(each)


def printer(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """bootstrap: make a port, register it by name, and receive from whoever has looked it up."""
    receive, send = ask_for_port(calls, rights, "printer")
    put(calls, rights["bootstrap"], b"@register printer", (send,))
    calls.close(send)
    while True:
        message, came = get(calls, receive)
        for each in came:
            calls.close(each)
        if not message:
            return
        calls.received(message, datagram=True)


def customer(calls: Calls, given: SimpleNamespace, rights: Rights) -> None:
    """bootstrap: look the name up, send there; look it up again when it has died."""
    right: int | None = None
    for message in calls.offers():
        while right is None:
            calls.sched_yield()  # the next try is due
            if not put(calls, rights["bootstrap"], b"@lookup printer", (rights["reply-send"],)):
                return
            _, came = get(calls, rights["reply"])
            right = came[0] if came else None
        if not put(calls, right, message):
            calls.refused()
            calls.close(right)  # a dead name
            right = None


PROGRAMS: dict[str, Program] = {
    each.__name__: each
    for each in (sender, receiver, client, server, holder, inheritor, steady, patient, bootstrap, printer, customer)
}
