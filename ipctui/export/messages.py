"""Messages as arrows: the call that completes the sending of each, joined to the call that completes its receipt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ipctui.export.ends import Arrow, End, asked_for
from ipctui.export.memories import Memories
from ipctui.export.sockets import Sockets
from ipctui.trace.records import Access

SENDS = frozenset({"write", "writev", "send", "sendto", "sendmsg", "mq_send", "mq_timedsend", "msgsnd"})
RECEIVES = frozenset(
    {
        *("read", "readv", "recv", "recvfrom", "recvmsg", "mq_receive", "mq_timedreceive", "msgrcv"),
        *("io_uring_peek_cqe", "aio_return"),
    }
)

_MOST_WAITING = 1 << 16
_ENVELOPE = re.compile(r'[0-9]+, "([a-z]{1,16}[0-9]{0,6}:[0-9]{1,19}) ')

Place = TypeVar("Place")


@dataclass(slots=True)
class _Waiting(Generic[Place]):
    send: End[Place] | None = None
    receipt: End[Place] | None = None


class Pairing(Generic[Place]):
    """Joins sends to receipts, in whichever order their calls come: a read may return before the write that fed it.

    A message may take several writes and several reads. Where a stream has one writer and one reader their offsets
    tell when it is complete; elsewhere a message is received by the first read that names it.
    """

    def __init__(self) -> None:
        self._given_up = 0
        self._sockets: Sockets[Place] = Sockets()
        self._memories: Memories[Place] = Memories()
        self._waiting: dict[tuple[str | None, str], _Waiting[Place]] = {}
        self._writers: dict[str | None, set[int]] = {}
        self._readers: dict[str | None, set[int]] = {}

    @property
    def given_up(self) -> int:
        """Messages without an arrow because too many were under way at once, or because their receipt ended before
        their sending began: the other end is not in the recording.
        """
        return self._given_up + self._sockets.given_up

    def add(self, call: Mapping[str, Any], place: Place) -> list[Arrow[Place]]:
        """The arrows that a call completes; `call` is the JSON form of a record, `place` where it was drawn."""
        name, result = call["name"], call["result"]
        if name == "process_vm_readv" and result is not None and result > 0:
            return self._memories.read(call, place)
        sends = name in SENDS
        if result is None or result < 0 or not (sends or name in RECEIVES):
            return []
        channel = call.get("object")
        if channel is not None and channel.startswith("socket:"):
            messages = call.get("message") or _named(call["args"])
            through = self._sockets.send if sends else self._sockets.receive
            return list(through(call, channel, tuple(messages), place))
        (self._writers if sends else self._readers).setdefault(channel, set()).add(call["pid"])
        messages = call.get("message") or _named(call["args"])
        if not messages or (sends and _is_partial(call)):
            return []
        offset = call.get("offset")
        end = End(place, call["begin"], call["end"], channel, None if offset is None else offset + result)
        return self._joined(call.get("cell"), messages, end, sends)

    def add_access(self, access: Access, place: Place) -> list[Arrow[Place]]:
        """The arrows that a load or store completes: a slot of shared memory holds a message."""
        end = End(place, access.begin, access.end, access.object, None)
        if access.object is None:
            return self._memories.stored(access, end) if access.name == "store" else []
        return self._joined(access.cell, access.message, end, access.name == "store")

    def settle(self) -> list[Arrow[Place]]:
        """The arrows of messages that waited for more of a stream which turned out to have several writers."""
        arrows = []
        for name, waiting in list(self._waiting.items()):
            send, receipt = waiting.send, waiting.receipt
            if send is not None and receipt is not None and not self._alone(send, receipt):
                del self._waiting[name]
                arrows.append(Arrow(name[1], send, receipt))
        return arrows

    def sent(self) -> list[tuple[str, End[Place]]]:
        """The messages that were sent and not received, oldest first."""
        sent = [(name[1], waiting.send) for name, waiting in self._waiting.items() if waiting.send is not None]
        return [*sent, *self._sockets.sent(), *self._memories.sent()]

    def _joined(self, cell: str | None, messages: Iterable[str], end: End[Place], sends: bool) -> list[Arrow[Place]]:
        arrows = [self._join((cell, message), end, sends) for message in messages]
        return [arrow for arrow in arrows if arrow is not None]

    def _join(self, name: tuple[str | None, str], end: End[Place], sends: bool) -> Arrow[Place] | None:
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = _Waiting()
            if len(self._waiting) > _MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
                self._given_up += 1
        if sends:
            waiting.send = end
        elif waiting.receipt is None or waiting.send is None or self._alone(waiting.send, end):
            waiting.receipt = end
        send, receipt = waiting.send, waiting.receipt
        if send is None or receipt is None:
            return None
        unfinished = receipt.reach is not None and send.reach is not None and receipt.reach < send.reach
        if unfinished and self._alone(send, receipt):
            return None
        if receipt.last < send.begin:
            # A worker that was started anew counts its messages from 1 again.
            waiting.receipt = None
            self._given_up += 1
            return None
        del self._waiting[name]
        return Arrow(name[1], send, receipt)

    def _alone(self, send: End[Place], receipt: End[Place]) -> bool:
        """Whether the stream has one writer and one reader, as far as is known: then their offsets are the same."""
        return len(self._writers.get(send.channel, ())) <= 1 and len(self._readers.get(receipt.channel, ())) <= 1


def _named(args: str) -> tuple[str, ...]:
    """The message that the printed bytes begin with: the laboratory names none to a read that it saw too early."""
    found = _ENVELOPE.match(args)
    return (found[1],) if found else ()


def _is_partial(call: Mapping[str, Any]) -> bool:
    """Whether fewer bytes went out than the call was given."""
    asked = asked_for(call)
    return asked is not None and call["result"] < asked
