"""Packets as they go from process to process: remote procedure calls by their number, datagrams by their bytes."""

from __future__ import annotations

from collections import deque

_MOST = 512
_CALL, _REPLY, _RPC_VERSION = 0, 1, 2


class Packets:
    """Gives each passage of a message from one process to the next a name of its own.

    A message of RFC 5531 begins with its transaction's number, then call (0) or reply (1); on a stream a record mark
    of four bytes stands before it. Any other datagram is known by its first bytes alone. A receipt belongs to the
    oldest passage of this message that somebody else began: on loopback nothing overtakes.
    """

    def __init__(self) -> None:
        self._under_way: dict[tuple[int, int] | bytes, deque[tuple[int, str]]] = {}
        self._count = 0

    def sent(self, role: str, pid: int, payload: bytes, datagram: bool = False) -> tuple[str, ...]:
        """The name of a passage that begins; () for what is neither such a message nor a datagram."""
        place = _place(payload) or (payload if datagram else None)
        if place is None:
            return ()
        self._count += 1
        name = f"{role}:{'datagram' if isinstance(place, bytes) else f'{place[0]:08x}'}-{self._count}"
        self._under_way.setdefault(place, deque(maxlen=8)).append((pid, name))
        if len(self._under_way) > _MOST:
            del self._under_way[next(iter(self._under_way))]
        return (name,)

    def received(self, pid: int, payload: bytes, datagram: bool = False) -> tuple[str, ...]:
        """The name of the passage that ends; () where none is known."""
        place = _place(payload) or (payload if datagram else None)
        waiting = self._under_way.get(place) if place is not None else None
        for passage in waiting or ():
            if passage[0] != pid:
                assert waiting is not None
                waiting.remove(passage)
                return (passage[1],)
        return ()


def _place(payload: bytes) -> tuple[int, int] | None:
    """The transaction's number and the kind of a message that begins here."""
    for start in (0, 4):
        number, kind, version = (int.from_bytes(payload[start + at : start + at + 4], "big") for at in (0, 4, 8))
        marked = start == 0 or payload[:1] >= b"\x80"
        if len(payload) >= start + 12 and marked and (kind == _REPLY or (kind, version) == (_CALL, _RPC_VERSION)):
            return number, kind
    return None
