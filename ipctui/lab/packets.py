"""Packets as they go from process to process: remote procedure calls by their number, datagrams by their bytes."""

from __future__ import annotations

from collections import deque
from typing import Any

Key = tuple[int, int] | bytes
"""What a message is known by: its transaction and kind, or its bytes."""

_MOST, _SAME = 512, 8
_CALL, _REPLY, _RPC_VERSION = 0, 1, 2


class Packets:
    """Gives each passage of a message from one process to the next a name of its own.

    A message of RFC 5531 begins with its transaction's number, then call (0) or reply (1); on a stream a record mark
    of four bytes stands before it. Any other datagram is known by its first bytes alone. A receipt belongs to the
    oldest passage of this message that somebody else began before it was over: on loopback nothing overtakes. One that
    is told before its send, which returned later than it, stays without a name, and no other is given that send's.

    Times are nanoseconds of one clock.
    """

    def __init__(self) -> None:
        self._under_way: dict[Key, deque[tuple[int, int, str]]] = {}
        self._nameless: dict[Key, deque[tuple[int, int]]] = {}
        self._count = 0

    def sent(self, role: str, pid: int, payload: bytes, begin: int, datagram: bool = False) -> tuple[str, ...]:
        """The name of a passage that began then; () for what is neither such a message nor a datagram."""
        place = _place(payload) or (payload if datagram else None)
        if place is None:
            return ()
        self._count += 1
        name = f"{role}:{'datagram' if isinstance(place, bytes) else f'{place[0]:08x}'}-{self._count}"
        for receipt in self._nameless.get(place, ()):
            if receipt[0] != pid and receipt[1] >= begin:
                self._nameless[place].remove(receipt)
                return (name,)
        _remember(self._under_way, place, (pid, begin, name))
        return (name,)

    def received(self, pid: int, payload: bytes, end: int, datagram: bool = False) -> tuple[str, ...]:
        """The name of the passage that ended then; () where none is known."""
        place = _place(payload) or (payload if datagram else None)
        if place is None:
            return ()
        for passage in self._under_way.get(place, ()):
            if passage[0] != pid and passage[1] <= end:
                self._under_way[place].remove(passage)
                return (passage[2],)
        _remember(self._nameless, place, (pid, end))
        return ()


def _remember(known: dict[Key, deque[Any]], place: Key, what: tuple[Any, ...]) -> None:
    """Keep what is known of a message: of each the latest, and of the latest messages alone."""
    known.setdefault(place, deque(maxlen=_SAME)).append(what)
    if len(known) > _MOST:
        del known[next(iter(known))]


def _place(payload: bytes) -> tuple[int, int] | None:
    """The transaction's number and the kind of a message that begins here."""
    for start in (0, 4):
        number, kind, version = (int.from_bytes(payload[start + at : start + at + 4], "big") for at in (0, 4, 8))
        marked = start == 0 or payload[:1] >= b"\x80"
        if len(payload) >= start + 12 and marked and (kind == _REPLY or (kind, version) == (_CALL, _RPC_VERSION)):
            return number, kind
    return None
