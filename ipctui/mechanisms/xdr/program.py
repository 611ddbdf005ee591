"""The programs of data representation: the same value, sent as it lies in memory, or in XDR."""

from __future__ import annotations

import os
from socket import AF_INET, SOCK_DGRAM
from types import SimpleNamespace

from ipctui.mechanisms.xdr.machines import MACHINES, from_xdr, laid_out, parsed, read, stored, to_xdr
from ipctui.worker.calls import Calls
from ipctui.worker.places import Word

LOOPBACK = "127.0.0.1"
LARGEST = 1024


def sender(calls: Calls, given: SimpleNamespace) -> None:
    """Sends one value again and again, in a datagram each."""
    fd = calls.socket(AF_INET, SOCK_DGRAM)
    calls.bind(fd, (LOOPBACK, 0))  # any port that is free, on loopback alone
    agreed = agreement(calls, given)
    for message in calls.messages():
        text = chosen(message, calls.seat.letter, given)
        value = parsed(given.kind, text)
        calls.tell("value", len(text), text.encode())
        calls.tell("stored", len(stored(given.kind, value)), stored(given.kind, value))
        if calls.load(agreed):
            wire = to_xdr(given.kind, value)
        elif given.sender == "this":
            wire = stored(given.kind, value)
        else:
            wire = laid_out(given.kind, value, MACHINES[given.sender])
        calls.sendto(fd, wire, (LOOPBACK, given.port))


def receiver(calls: Calls, given: SimpleNamespace) -> None:
    """Takes the bytes for its own; that they are another machine's does not show in them."""
    fd = calls.socket(AF_INET, SOCK_DGRAM)
    calls.bind(fd, (LOOPBACK, given.port))
    agreed = agreement(calls, given)
    while True:
        wire, _whence = calls.recvfrom(fd, LARGEST)
        if wire is None:
            continue
        calls.tell("arrived", len(wire), wire)
        calls.received(b"\n", datagram=True)
        agreed_on = bool(calls.load(agreed))
        said = from_xdr(given.kind, wire) if agreed_on else read(given.kind, wire, MACHINES[given.receiver])
        calls.tell("read", len(wire), said.encode())


def agreement(calls: Calls, given: SimpleNamespace) -> Word:
    """Whether both have agreed on XDR: nothing in the bytes says so."""
    fd = calls.shm_open(given.agreed, os.O_RDWR)
    segment = calls.mmap(fd, 64)
    calls.close(fd)
    return segment.word(0, "xdr")


def chosen(message: bytes, letter: str, given: SimpleNamespace) -> str:
    """The value as text: what the user has injected if it is one, else the one that was set."""
    text = message.partition(b" ")[2].rstrip(b"\n").decode("utf-8", "replace")
    if not text.strip(letter):
        return str(given.value)
    try:
        parsed(given.kind, text)
    except ValueError:
        return str(given.value)
    return text
