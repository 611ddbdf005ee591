"""The same procedure three times: as a plain function, in another process, and over the network."""

from __future__ import annotations

import os
from socket import AF_UNIX, SOCK_SEQPACKET
from types import SimpleNamespace

from ipctui.mechanisms.rpc.client import Client, deposit
from ipctui.trace.clock import now
from ipctui.worker.calls import Calls
from ipctui.worker.xdr import Reader, hyper

_LARGEST = 65536


def caller(calls: Calls, given: SimpleNamespace) -> None:
    """local: calls deposit(1) in each of the three ways, and tells the nanoseconds that each took."""
    ours, theirs = calls.socketpair(AF_UNIX, SOCK_SEQPACKET)
    if calls.fork() == 0:
        calls.close(ours)
        callee(calls, theirs)
        return
    calls.close(theirs)
    me = Client(calls, given, "maybe", given.programs["maybe"], given.port, (os.getpid() & 0xFFFF) << 16)
    account = 0
    for memo in calls.messages():
        calls.sched_yield()  # its turn: what comes now is timed
        began = now()
        account = plain_deposit(account, 1)
        calls.tell("plain function", now() - began)
        began = now()
        calls.send(ours, hyper(1))
        while calls.recv(ours, _LARGEST) is None:
            pass  # set to non-blocking: nothing yet
        calls.tell("another process", now() - began)
        began = now()
        if deposit(me, memo, tries=1) is not None:
            calls.tell("over the network", now() - began)
            calls.tell("believes done", me.xid)


def plain_deposit(account: int, amount: int) -> int:
    """The procedure as a plain function: nothing is marshalled, and nobody else has to run."""
    return account + amount


def callee(calls: Calls, fd: int) -> None:
    """The procedure in another process on the same machine: no network, but a message each way."""
    account = 0
    while (data := calls.recv(fd, _LARGEST)) != b"":
        if data is not None:
            account += Reader(data).hyper()
            calls.send(fd, hyper(account))
