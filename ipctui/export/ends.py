"""The two ends of a message's arrow, and what a call's printed arguments tell of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

_IN_PIECES = frozenset({"write", "send", "sendto"})
"""Operations that may take a part of what they are given, and return how much."""
_SIZE = re.compile(r'"(?:\.\.\.)?, ([0-9]{1,19})(?:, |$)')

Place = TypeVar("Place")


class End(NamedTuple, Generic[Place]):
    """One end of an arrow: where it is drawn, and the times of its call.

    Attributes:
        channel: The object that the call was made on: the two ends of a socket have names of their own.
        reach: The offset in the stream behind the call's last byte, None where there are no offsets.
    """

    place: Place
    begin: int
    end: int
    channel: str | None
    reach: int | None

    @property
    def last(self) -> int:
        """The last nanosecond within the call."""
        return max(self.begin, self.end - 1)


class Arrow(NamedTuple, Generic[Place]):
    """A message that was sent and received."""

    message: str
    send: End[Place]
    receipt: End[Place]


def asked_for(call: Mapping[str, Any]) -> int | None:
    """How many bytes a call was given, the number after them (write(2), send(2)); None where that is not told."""
    if call["name"] not in _IN_PIECES:
        return None
    found = _SIZE.search(call["args"])
    return int(found[1]) if found is not None else None
