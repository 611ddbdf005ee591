"""What is said of any byte stream that fills by slots, a pipe or a FIFO: its messages, its holders, why it is full."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ipctui.kernel.pipes import PipeView
from ipctui.lab.channel import Seen
from ipctui.trace.records import Item
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import END, envelope

PIPE_BUF = 4096
"""The largest write that is never torn apart (PIPE_BUF, limits.h; pipe(7)): 4,096 bytes on Linux."""

_SHOWN = 24

Contents = tuple[int | None, tuple[Item, ...], Item | None]
"""How many messages (None: unknown), the oldest of them, and the youngest when it is not the only one."""


def messages_in(contents: bytes | None) -> Contents:
    """The messages that lie in a stream's bytes, the last of them perhaps half written."""
    if contents is None:
        return None, (), None
    pieces = contents.split(END)
    ends = len(pieces) - 1
    if not pieces[-1]:
        pieces.pop()
    shown = tuple(_item(piece, index < ends) for index, piece in enumerate(pieces[:_SHOWN]))
    last = _item(pieces[-1], len(pieces) <= ends) if len(pieces) > 1 else None
    return len(pieces), shown, last


def _item(piece: bytes, ended: bool) -> Item:
    head = envelope(piece)
    return Item(head.id if head is not None else None, readable(piece, 48), len(piece) + (1 if ended else 0))


def holders(processes: Sequence[Seen], places: Collection[str], access: str) -> list[tuple[str, int]]:
    """The processes and descriptors that read or write ("read", "write") an object with one of these link texts."""
    return [
        (seen.name, row.number)
        for seen in processes
        for row in seen.descriptors
        if row.target in places and row.access in (access, "read-write")
    ]


def named(peers: Sequence[tuple[str, int]]) -> str:
    """`child (3) or child2 (3)`."""
    return " or ".join(f"{role} ({fd})" for role, fd in peers[:3])


def why_full(view: PipeView, size: int | None) -> str:
    """Why there is no room: a stream fills by slots of a page, so it can be full long before its bytes are."""
    if view.used is None or view.capacity is None or view.slots is None:
        return f"no room; its fill could not be read: {view.refused}"
    slots = f"{view.slots_used if view.slots_used is not None else '?'} of {view.slots} slots"
    fill = f"{grouped(view.used)} of {grouped(view.capacity)} bytes"
    if view.slots_used != view.slots:
        return f"no room for {grouped(size or 0)} bytes ({fill}, {slots} when it was looked at)"
    if view.used == view.capacity:
        return f"full: no free slot ({fill}, {slots})"
    why = "each packet takes one" if view.packets is not None else "a message fits behind none"
    return f"full: no free slot at {fill}: {slots} are taken, {why}"


def half_written(
    object: str | None, view: PipeView, processes: Sequence[Seen], size: int | None
) -> tuple[int, int] | None:
    """How much of a write in flight is in: what was read and lies there, less what earlier writes put there."""
    if size is None or view.used is None or size <= PIPE_BUF:
        return None
    written = read = writers = 0
    for seen in processes:
        if seen.counters is None:
            return None
        for count in seen.counters.calls:
            if count.object == object and count.name == "write":
                written += count.bytes
                writers += 1
            elif count.object == object and count.name == "read":
                read += count.bytes
    done = read + view.used - written
    return (done, size) if writers <= 1 and 0 < done <= size else None
