"""The programs of one job done in five ways: collect messages from slow producers, and do other work between."""

from __future__ import annotations

from fcntl import F_SETFL, F_SETOWN, F_SETPIPE_SZ
from os import O_ASYNC, O_NONBLOCK, getpid
from select import EPOLLIN
from signal import SIGIO
from types import SimpleNamespace

from ipctui.worker.calls import Calls
from ipctui.worker.job import stamped

EPOLL_CTL_ADD, EPOLL_CTL_DEL = 1, 2


def start_producers(calls: Calls, given: SimpleNamespace) -> list[int]:
    """Fork the producers, each with a pipe of its own: the read ends; in a producer, when it is done, none."""
    ends: list[int] = []
    for _ in range(given.producers):
        r, w = calls.pipe()
        calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
        if calls.fork() == 0:
            for end in (*ends, r):
                calls.close(end)
            return producer(calls, given, w)
        calls.close(w)
        ends.append(r)
    return ends


def producer(calls: Calls, given: SimpleNamespace, w: int) -> list[int]:
    """A slow producer: each message carries the time at which it is sent."""
    for message in calls.messages():
        message = stamped(message, calls.clock_gettime())
        while message:
            sent = calls.write(w, message)
            message = message[sent:]
    calls.close(w)
    return []


def sync_blocking(calls: Calls, given: SimpleNamespace) -> None:
    """sync-blocking: read() sleeps until this one producer has sent, whoever else has sent meanwhile."""
    ends = start_producers(calls, given)
    while ends:
        for r in list(ends):
            data = calls.read(r, given.read_size)
            if data:
                collect(calls, data)
                calls.work()
            elif data == b"":
                ends.remove(r)


def sync_nonblocking(calls: Calls, given: SimpleNamespace) -> None:
    """sync-nonblocking: the same loop on O_NONBLOCK; with nothing to be had it asks again at once."""
    ends = start_producers(calls, given)
    for r in ends:
        calls.fcntl(r, F_SETFL, O_NONBLOCK)
    while ends:
        for r in list(ends):
            data = calls.read(r, given.read_size)  # None: EAGAIN
            if data:
                collect(calls, data)
                calls.work()
            elif data == b"":
                ends.remove(r)


def async_blocking(calls: Calls, given: SimpleNamespace) -> None:
    """async-blocking: epoll_wait() sleeps until any of them is ready; the data are fetched after the notice."""
    ends = start_producers(calls, given)
    if not ends:
        return
    epfd = calls.epoll_create1()
    for r in ends:
        calls.epoll_ctl(epfd, EPOLL_CTL_ADD, r, EPOLLIN)
    while ends:
        for r, _ in calls.epoll_wait(epfd, len(ends)) or ():
            data = calls.read(r, given.read_size)
            if data:
                collect(calls, data)
                calls.work()
            elif data == b"":
                calls.epoll_ctl(epfd, EPOLL_CTL_DEL, r)
                ends.remove(r)


def async_nonblocking(calls: Calls, given: SimpleNamespace) -> None:
    """async-nonblocking, io_uring: the kernel puts each message into our buffer while we work."""
    ends = start_producers(calls, given)
    if not ends:
        return
    ring = calls.io_uring_setup(given.producers)
    for r in ends:
        calls.io_uring_prep_read(ring, r, given.read_size)
    calls.io_uring_enter(ring)
    while ends:
        calls.work()
        while (done := calls.io_uring_peek_cqe(ring)) is not None:
            r, data = done
            if data == b"":
                ends.remove(r)
                continue
            if data:
                collect(calls, data)
            calls.io_uring_prep_read(ring, r, given.read_size)
            calls.io_uring_enter(ring)


def async_nonblocking_aio(calls: Calls, given: SimpleNamespace) -> None:
    """async-nonblocking, POSIX AIO: a helper thread for each producer sleeps in our place while we work."""
    ends = start_producers(calls, given)
    for r in ends:
        calls.aio_read(r, given.read_size)
    while ends:
        calls.work()
        for r in list(ends):
            over, data = calls.aio_return(r)
            if not over:
                continue
            if data == b"":
                ends.remove(r)
                continue
            if data:
                collect(calls, data)
            calls.aio_read(r, given.read_size)


def signal_driven(calls: Calls, given: SimpleNamespace) -> None:
    """signal-driven: SIGIO says that something can be read, not what; the reading is still to be done."""
    ends = start_producers(calls, given)
    if not ends:
        return
    calls.sigaction(SIGIO)
    for r in ends:
        calls.fcntl(r, F_SETOWN, getpid())
        calls.fcntl(r, F_SETFL, O_NONBLOCK | O_ASYNC)
    while ends:
        for r in list(ends):
            while data := calls.read(r, given.read_size):
                collect(calls, data)
            if data == b"":
                ends.remove(r)
        while ends and not calls.notice():
            calls.work()


def collect(calls: Calls, data: bytes) -> None:
    """Count the messages, and how long each was on its way."""
    calls.received(data)
    calls.delays(data)
