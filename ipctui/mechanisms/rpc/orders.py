"""The orders that the user gives to the link and the server: numbers in one slot of shared memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields

from ipctui.worker.places import Layout

CRASHES = ("before", "uncommitted", "unanswered", "after")
"""Where a server can be killed: before it does anything; done, not committed; committed, not answered; answered."""
SHARE = 10_000
"""A share of all packets is counted in parts of this."""


@dataclass(slots=True)
class Orders:
    """What is wanted. Of `…_calls` and `…_replies`, how many transactions were ordered so far, in all.

    Attributes:
        lost: The share of packets that is dropped, of `SHARE`; likewise `doubled`, `late` and `overtaken`.
        cut: 1 while the link is cut.
        crash: 1 + the place in `CRASHES`; `crashes` counts these orders.
        port: Where the server is to move, 0 for any; `moves` counts these orders.
    """

    drop_calls: int = 0
    drop_replies: int = 0
    duplicate_calls: int = 0
    duplicate_replies: int = 0
    delay_calls: int = 0
    delay_replies: int = 0
    reorder_calls: int = 0
    reorder_replies: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    overtaken: int = 0
    cut: int = 0
    crash: int = 0
    crashes: int = 0
    port: int = 0
    moves: int = 0

    def packed(self) -> bytes:
        """As they lie in the slot."""
        return _FORM.pack(*(getattr(self, name) for name in _NAMES))


_NAMES = tuple(field.name for field in fields(Orders))
_FORM = struct.Struct(f"@{len(_NAMES)}q")
LAYOUT = Layout(slots=1, slot_size=_FORM.size)
"""The segment: the one slot."""


def orders(raw: bytes) -> Orders:
    """The orders in a slot; none while nobody has written any."""
    return Orders(*_FORM.unpack(raw)) if len(raw) == _FORM.size else Orders()
