"""Which message lies where in a byte stream, so that what a read brought can be named though a stream has no edges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from ipctui.worker.messages import envelope

_REMEMBERED = 1024

Place = tuple[int, int | None]
"""A process and its descriptor."""


@dataclass(slots=True)
class _User:
    """Who reads or writes the stream now.

    Attributes:
        base: Where in the stream its own count of bytes began.
        next: Where in the stream it goes on.
        sure: Whether `base` is certain; that of a reader who came later is when it has met a message's beginning.
        ended: Its process is over, so that the next one takes its place and does not share the stream with it.
    """

    place: Place
    base: int = 0
    next: int = 0
    sure: bool = True
    ended: bool = False


class Stream:
    """The messages of one stream by the offset at which each begins, the latest of them.

    While it has one writer and one reader, the bytes that one has written and the other has read are counted alike.
    A process that takes an ended one's place counts from 0 again: a writer's bytes follow those of the one before, and
    a reader is placed by the first message that it meets at its beginning.

    Attributes:
        lone: It has one writer and one reader; else, or where bytes of others were met, only headers tell messages.
    """

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._messages: list[str] = []
        self._where: dict[str, int] = {}
        self._users: dict[str, _User] = {}
        self._followed = False
        self.lone = True

    def ended(self, pid: int) -> None:
        """A process is over, and holds no end any more."""
        for user in self._users.values():
            user.ended = user.ended or user.place[0] == pid

    def wrote(self, place: Place, offset: int, size: int, message: str | None) -> None:
        """So many bytes of a message were written, at the writer's own offset; None for bytes of no known message."""
        first = self._at("write", place, offset, size)
        if first is None or message is None:
            return
        if self._messages and self._messages[-1] == message and self._ends[-1] == first:
            self._ends[-1] = first + size
            return
        self._where.setdefault(message, first)
        self._begins.append(first)
        self._ends.append(first + size)
        self._messages.append(message)
        if len(self._begins) > 2 * _REMEMBERED:
            for gone in self._messages[:_REMEMBERED]:
                self._where.pop(gone, None)
            del self._begins[:_REMEMBERED], self._ends[:_REMEMBERED], self._messages[:_REMEMBERED]

    def read(self, place: Place, offset: int, size: int, data: bytes) -> tuple[str, ...]:
        """The messages of which something was read at the reader's own offset; `data` is the first of what came."""
        head = envelope(data)
        told = (head.id,) if head is not None else ()
        first = self._at("read", place, offset, size)
        if first is None:
            return told
        user = self._users["read"]
        known = self._where.get(told[0]) if told else None
        if not user.sure:
            if known is None:
                return ()  # what looks like a header may be the end of one
            user.base += known - first
            user.next += known - first
            user.sure, first = True, known
        if known not in (None, first) or self._contradicts(first, data):
            self.lone = False  # bytes of somebody else lie between, or somebody else has taken some
            return told
        low, high = bisect_right(self._ends, first), bisect_left(self._begins, first + size)
        if low == len(self._begins) or self._begins[low] > first:
            return tuple(dict.fromkeys((*told, *self._messages[low:high])))  # its write has not been told of yet
        return tuple(self._messages[low:high])

    def _at(self, how: str, place: Place, offset: int, size: int) -> int | None:
        """Where in the stream a user's offset is; None when it has several readers or writers."""
        user = self._users.get(how)
        if user is None:
            # What was written by one who has ended may have gone with the last close before anybody read it.
            user = self._users[how] = _User(place, sure=how == "write" or not self._followed)
        elif user.place != place:
            same = user.place[0] == place[0]
            if not (same or user.ended):
                self.lone = False
            sure = same or how == "write"
            self._followed = self._followed or how == "write"
            user = self._users[how] = _User(place, user.next - offset, user.next, sure)
        first = user.base + offset
        user.next = first + size
        return first if self.lone else None

    def _contradicts(self, first: int, data: bytes) -> bool:
        """Whether a message begins here by the count, and something else by what was read."""
        place = bisect_left(self._begins, first)
        if place == len(self._begins) or self._begins[place] != first:
            return False
        message = self._messages[place]
        begins = f"{message} ".encode()[: len(data)]
        return self._where.get(message) == first and not data.startswith(begins)
