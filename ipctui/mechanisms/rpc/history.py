"""What a server remembers of calls: the replies it gave, and the latest transaction of each client. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

Key = tuple[str, int]
"""Who calls, and the transaction's number."""


class History:
    """The replies given to the latest calls, the oldest forgotten first: what at-most-once goes by.

    Args:
        bound: Replies that are kept.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._replies: OrderedDict[Key, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._replies)

    def find(self, key: Key) -> bytes | None:
        """The reply that was given; None for a call that is new, or forgotten."""
        return self._replies.get(key)

    def keep(self, key: Key, reply: bytes) -> None:
        """A call has been answered."""
        self._replies[key] = reply
        self._replies.move_to_end(key)
        while len(self._replies) > self.bound:
            self._replies.popitem(last=False)


@dataclass(slots=True)
class _Latest:
    xid: int
    reply: bytes


class Clients:
    """The latest transaction of each client and its reply: what exactly-once goes by.

    A client has one call under way at a time and numbers them upwards: a number that is not newer than the latest is
    a duplicate, however late it comes. That is one entry a client, and `bound` clients at most; a client that was
    forgotten and still has duplicates under way is beyond what exactly-once can promise.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._latest: OrderedDict[str, _Latest] = OrderedDict()

    def __len__(self) -> int:
        return len(self._latest)

    def judge(self, client: str, xid: int) -> Literal["new", "again", "old"]:
        """Whether a call is new, the latest one again, or older than that."""
        latest = self._latest.get(client)
        if latest is None or newer(xid, latest.xid):
            return "new"
        return "again" if xid == latest.xid else "old"

    def reply(self, client: str) -> bytes:
        """The reply to a client's latest call; b"" once the client has confirmed it."""
        latest = self._latest.get(client)
        return latest.reply if latest is not None else b""

    def keep(self, client: str, xid: int, reply: bytes) -> None:
        """A call has been carried out."""
        self._latest[client] = _Latest(xid, reply)
        self._latest.move_to_end(client)
        while len(self._latest) > self.bound:
            self._latest.popitem(last=False)

    def confirm(self, client: str, xid: int) -> bool:
        """The client has the reply to this call, which is then forgotten; its number is not. False when unknown."""
        latest = self._latest.get(client)
        if latest is None or latest.xid != xid:
            return False
        latest.reply = b""
        return True

    def all(self) -> list[tuple[str, int, bytes]]:
        """Every client with its latest transaction and reply, the longest silent first."""
        return [(client, latest.xid, latest.reply) for client, latest in self._latest.items()]


def newer(xid: int, than: int) -> bool:
    """Whether a number comes after another one in a count of 32 bits that goes round: RFC 1982."""
    return 0 < (xid - than) & 0xFFFFFFFF < 1 << 31
