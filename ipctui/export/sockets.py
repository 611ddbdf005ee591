"""Messages through sockets as arrows: the two ends have names of their own, and a read may take several messages.

A stream (SOCK_STREAM) knows no messages: what the laboratory names of a read is the message that it begins with. What
else was in it follows from the bytes that went out behind that message on the same socket (tcp(7), unix(7)).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ipctui.export.ends import Arrow, End, asked_for

_MOST_WAITING = 1 << 16
_MOST_COVERS = 64
_MULTICAST = re.compile(r", (?:2(?:2[4-9]|3[0-9])(?:\.[0-9]{1,3}){3}|\[?ff[0-9a-f]{2}:[0-9a-f:%a-z]*\]?):[0-9]{1,5}$")
"""A destination in 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291): everybody who has joined it gets the message."""
_IN_PIECES = frozenset({"recv", "read"})
"""Operations that may take a part of a message; of datagrams, what finds no room is gone, and the message received."""

Place = TypeVar("Place")
Key = tuple[str | None, str]


@dataclass(slots=True)
class _Sent(Generic[Place]):
    """A message on its way: where it lies among the bytes that its socket has sent, and who has received it."""

    key: Key
    end: End[Place]
    begin: int
    reach: int
    to_many: bool
    receivers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Taken(Generic[Place]):
    """A receipt whose message has not been told yet."""

    end: End[Place]
    size: int
    pieces: bool


@dataclass(slots=True)
class _Socket(Generic[Place]):
    """What one socket has sent, and how far its peer has received it.

    Attributes:
        sent: Bytes so far.
        open: A message that has gone out in part only, and where it begins and ends.
        waiting: Messages that nobody has received, as far as was told.
        covers: Stretches of the bytes and the receipts that took them, the latest ones.
        source: Of which socket's bytes this one has received, and how many.
    """

    sent: int = 0
    open: tuple[tuple[str, ...], int, int] | None = None
    waiting: deque[_Sent[Place]] = field(default_factory=deque)
    covers: deque[tuple[int, int, End[Place]]] = field(default_factory=lambda: deque(maxlen=_MOST_COVERS))
    source: tuple[str, int] | None = None


class Sockets(Generic[Place]):
    """Joins what was sent through sockets to what was received, in whichever order the calls are told.

    Attributes:
        given_up: Messages without an arrow because too many were under way at once.
    """

    def __init__(self) -> None:
        self.given_up = 0
        self._sockets: dict[str, _Socket[Place]] = {}
        self._sends: dict[Key, list[_Sent[Place]]] = {}
        self._receipts: dict[Key, list[_Taken[Place]]] = {}
        self._nameless: deque[tuple[str, _Taken[Place]]] = deque(maxlen=_MOST_COVERS)

    def send(
        self, call: Mapping[str, Any], socket: str, messages: Sequence[str], place: Place
    ) -> Iterator[Arrow[Place]]:
        """The arrows that a send completes."""
        own = self._socket(socket)
        begin, own.sent = own.sent, own.sent + call["result"]
        asked = asked_for(call)
        if own.open is not None and not messages:
            messages, begin, end = own.open
        else:
            end = begin + (call["result"] if asked is None else max(asked, call["result"]))
        own.open = None if own.sent >= end else (tuple(messages), begin, end)
        if own.open is not None:
            return
        at = End(place, call["begin"], call["end"], socket, None)
        to_many = _MULTICAST.search(call["args"]) is not None
        for message in messages:
            sent = _Sent((call.get("cell"), message), at, begin, end, to_many)
            self._keep(sent, own)
            yield from self._match(sent, own)
            if not sent.receivers and (taken := self._found(sent, call)) is not None:
                yield self._received(sent, taken.end)

    def receive(
        self, call: Mapping[str, Any], socket: str, messages: Sequence[str], place: Place
    ) -> Iterator[Arrow[Place]]:
        """The arrows that a receipt completes."""
        own = self._socket(socket)
        at = End(place, call["begin"], call["end"], socket, None)
        taken = _Taken(at, call["result"], call["name"] in _IN_PIECES)
        if not messages and own.source is not None:
            origin, position = own.source
            yield from self._cover(origin, position, position + taken.size, at)
        if not messages and not taken.pieces:
            self._nameless.append((_payload(call), taken))
        # What else is in a piece of a stream follows from its bytes.
        for message in dict.fromkeys(messages[:1] if taken.pieces else messages):
            key = (call.get("cell"), message)
            fitting = next((sent for sent in self._sends.get(key, ()) if _fits(sent, at)), None)
            if fitting is not None:
                yield from self._arrive(fitting, taken)
                continue
            self._receipts.setdefault(key, []).append(taken)
            if len(self._receipts) > _MOST_WAITING:
                del self._receipts[next(iter(self._receipts))]
                self.given_up += 1

    def sent(self) -> list[tuple[str, End[Place]]]:
        """The messages that were sent and not received, oldest first."""
        return [(sent.key[1], sent.end) for each in self._sends.values() for sent in each if not sent.receivers]

    def _socket(self, name: str) -> _Socket[Place]:
        return self._sockets.setdefault(name, _Socket())

    def _keep(self, sent: _Sent[Place], own: _Socket[Place]) -> None:
        self._sends.setdefault(sent.key, []).append(sent)
        own.waiting.append(sent)
        if len(self._sends) > _MOST_WAITING:
            oldest = self._sends.pop(next(iter(self._sends)))
            self.given_up += sum(not each.receivers for each in oldest)

    def _match(self, sent: _Sent[Place], own: _Socket[Place]) -> Iterator[Arrow[Place]]:
        """The arrows of a message that was received before it was told."""
        receipts = self._receipts.get(sent.key, [])
        for taken in [each for each in receipts if _fits(sent, each.end)]:
            if sent.to_many or not sent.receivers:
                receipts.remove(taken)
                yield from self._arrive(sent, taken)
        if not receipts:
            self._receipts.pop(sent.key, None)
        for low, high, at in own.covers:
            if not sent.receivers and low < sent.reach <= high and at.last >= sent.end.begin:
                yield self._received(sent, at)

    def _found(self, sent: _Sent[Place], call: Mapping[str, Any]) -> _Taken[Place] | None:
        """A receipt of the same bytes that was over before the send was, so that the laboratory could not name it."""
        payload = _payload(call)
        for row in self._nameless:
            if row[0] == payload and _fits(sent, row[1].end) and row[1].end.end <= call["end"]:
                self._nameless.remove(row)
                return row[1]
        return None

    def _arrive(self, sent: _Sent[Place], taken: _Taken[Place]) -> Iterator[Arrow[Place]]:
        """The arrows of a receipt that begins with a message."""
        at, origin = taken.end, sent.end.channel
        if sent.to_many or not taken.pieces:
            yield self._received(sent, at)
        else:
            assert origin is not None
            yield from self._cover(origin, sent.begin, sent.begin + taken.size, at)

    def _cover(self, origin: str, low: int, high: int, at: End[Place]) -> Iterator[Arrow[Place]]:
        """The arrows of the messages whose last byte lies in a stretch of what a socket has sent."""
        own = self._socket(origin)
        own.covers.append((low, high, at))
        assert at.channel is not None
        self._socket(at.channel).source = (origin, high)
        while own.waiting and own.waiting[0].receivers:
            own.waiting.popleft()
        for sent in list(own.waiting):
            if sent.begin >= high:
                break
            if not sent.receivers and low < sent.reach <= high and at.last >= sent.end.begin:
                yield self._received(sent, at)

    def _received(self, sent: _Sent[Place], at: End[Place]) -> Arrow[Place]:
        assert at.channel is not None
        sent.receivers.add(at.channel)
        if not sent.to_many:
            kept = [each for each in self._sends.get(sent.key, ()) if each is not sent]
            if kept:
                self._sends[sent.key] = kept
            else:
                self._sends.pop(sent.key, None)
        return Arrow(sent.key[1], sent.end, at)


def _payload(call: Mapping[str, Any]) -> str:
    """The bytes that a call sent or received, as they are printed."""
    text: str = call["args"].partition('"')[2].rpartition('"')[0]
    return text


def _fits(sent: _Sent[Any], at: End[Any]) -> bool:
    """Whether a receipt can be one of this message: at the other end, not before it was sent, and not again."""
    return sent.end.channel != at.channel and at.last >= sent.end.begin and at.channel not in sent.receivers
