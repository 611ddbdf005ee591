"""The programs that parent and child run on the ordinary pipe, one pair a variant."""

from __future__ import annotations

from fcntl import F_SETPIPE_SZ
from os import O_DIRECT
from signal import SIG_IGN, SIGPIPE
from types import SimpleNamespace

from ipctui.worker.calls import Calls


def parent(calls: Calls, given: SimpleNamespace) -> None:
    """one-way: the parent writes, the child reads; each closes the end that it does not use."""
    if given.sigpipe == "ignore":
        calls.signal(SIGPIPE, SIG_IGN)
    r, w = calls.pipe()
    calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
    if calls.fork() == 0:
        return child(calls, given, r, w)
    calls.close(r)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]  # None: EAGAIN, all of it is left
    calls.close(w)
    calls.waitpid()


def child(calls: Calls, given: SimpleNamespace, r: int, w: int) -> None:
    """one-way: read until end of file."""
    calls.close(w)
    while (data := calls.read(r, given.read_size)) != b"":
        calls.received(data)  # None: EAGAIN, nothing came
    calls.close(r)


def forgetful_child(calls: Calls, given: SimpleNamespace, r: int, w: int) -> None:
    """forgotten-end: the child keeps the write end, so its own read never comes to end of file."""
    # calls.close(w) is missing here
    while (data := calls.read(r, given.read_size)) != b"":
        calls.received(data)
    calls.close(r)


def parent_of_forgetful(calls: Calls, given: SimpleNamespace) -> None:
    """forgotten-end: the parent does everything right, ends its messages, closes, and waits for its child."""
    r, w = calls.pipe()
    calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
    if calls.fork() == 0:
        return forgetful_child(calls, given, r, w)
    calls.close(r)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]
    calls.close(w)
    calls.waitpid()


def parent_two_way(calls: Calls, given: SimpleNamespace) -> None:
    """two-way: one pipe there, one pipe back; a message, then its answer."""
    r1, w1 = calls.pipe()
    r2, w2 = calls.pipe()
    calls.fcntl(w1, F_SETPIPE_SZ, given.capacity)
    calls.fcntl(w2, F_SETPIPE_SZ, given.capacity)
    if calls.fork() == 0:
        return child_two_way(calls, given, r1, w1, r2, w2)
    calls.close(r1)
    calls.close(w2)
    for message in calls.messages():
        while message:
            sent = calls.write(w1, message)
            message = message[sent:]
        answered = 0
        while not answered:
            data = calls.read(r2, given.read_size)
            if data == b"":
                return
            answered = calls.received(data)
    calls.close(w1)
    calls.close(r2)
    calls.waitpid()


def child_two_way(calls: Calls, given: SimpleNamespace, r1: int, w1: int, r2: int, w2: int) -> None:
    """two-way: answer every message."""
    calls.close(w1)
    calls.close(r2)
    while (data := calls.read(r1, given.read_size)) != b"":
        if calls.received(data):
            answer = calls.message()
            while answer:
                sent = calls.write(w2, answer)
                answer = answer[sent:]
    calls.close(r1)
    calls.close(w2)


def parent_deadlock(calls: Calls, given: SimpleNamespace) -> None:
    """deadlock: both write more than the pipe holds before either reads."""
    r1, w1 = calls.pipe()
    r2, w2 = calls.pipe()
    calls.fcntl(w1, F_SETPIPE_SZ, given.capacity)
    calls.fcntl(w2, F_SETPIPE_SZ, given.capacity)
    if calls.fork() == 0:
        return child_deadlock(calls, given, r1, w1, r2, w2)
    calls.close(r1)
    calls.close(w2)
    for message in calls.messages():
        while message:
            sent = calls.write(w1, message)
            message = message[sent:]
        answered = 0
        while not answered:
            data = calls.read(r2, given.read_size)
            if data == b"":
                return
            answered = calls.received(data)


def child_deadlock(calls: Calls, given: SimpleNamespace, r1: int, w1: int, r2: int, w2: int) -> None:
    """deadlock: the same in the other direction."""
    calls.close(w1)
    calls.close(r2)
    for message in calls.messages():
        while message:
            sent = calls.write(w2, message)
            message = message[sent:]
        answered = 0
        while not answered:
            data = calls.read(r1, given.read_size)
            if data == b"":
                return
            answered = calls.received(data)


def reading_parent(calls: Calls, given: SimpleNamespace) -> None:
    """many-writers: the parent reads what several children write into one pipe."""
    r, w = calls.pipe()
    calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
    for _ in range(given.producers):
        if calls.fork() == 0:
            return writing_child(calls, given, r, w)
    calls.close(w)
    while (data := calls.read(r, given.read_size)) != b"":
        calls.received(data)
    calls.close(r)
    while calls.waitpid() > 0:
        pass


def writing_child(calls: Calls, given: SimpleNamespace, r: int, w: int) -> None:
    """many-writers: one of the writers."""
    calls.close(r)
    write_messages(calls, given, w)


def write_messages(calls: Calls, given: SimpleNamespace, w: int) -> None:
    """many-writers: a write of at most PIPE_BUF bytes is never torn apart, a larger one may be."""
    if given.sigpipe == "ignore":
        calls.signal(SIGPIPE, SIG_IGN)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]
    calls.close(w)


def parent_packets(calls: Calls, given: SimpleNamespace) -> None:
    """packets: O_DIRECT keeps the edges of messages; each packet takes a slot, however small."""
    if given.sigpipe == "ignore":
        calls.signal(SIGPIPE, SIG_IGN)
    r, w = calls.pipe2(O_DIRECT)
    calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
    if calls.fork() == 0:
        return child(calls, given, r, w)
    calls.close(r)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]
    calls.close(w)
    calls.waitpid()
