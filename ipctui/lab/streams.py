"""What is said of any byte stream that fills by slots, a pipe or a FIFO: its messages, its holders, why it is full."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ipctui.kernel import libc
from ipctui.kernel.descriptors import Descriptor
from ipctui.kernel.own import lift
from ipctui.kernel.pipes import PipeView
from ipctui.lab.channel import Seen
from ipctui.lab.parameters import UsageError, number
from ipctui.trace.records import Item
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import END, envelope

PIPE_BUF = 4096
"""The largest write that is never torn apart (PIPE_BUF, limits.h; pipe(7)): 4,096 bytes on Linux."""

_SHOWN = 24
_F_SETPIPE_SZ = 1031  # include/uapi/linux/fcntl.h; Python names it on Linux only

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


def largest_capacity() -> tuple[int, str]:
    """The largest capacity in bytes that this user may ask for (pipe(7)), and where that is written."""
    try:
        return int(Path("/proc/sys/fs/pipe-max-size").read_text()), "/proc/sys/fs/pipe-max-size"
    except (OSError, ValueError):
        return 1 << 20, "the kernel's default of pipe-max-size"


def set_capacities(words: Sequence[str], ends: Iterable[tuple[Seen, Descriptor]], nobody: str) -> str:
    """F_SETPIPE_SZ (fcntl(2)) through one end of every object, to the one number in `words`: the outcome in a sentence.

    Args:
        nobody: What is said when there is no end.

    Raises:
        UsageError: no such number, no end, or the kernel refuses.
    """
    most, origin = largest_capacity()
    wanted = number(words[0], whole=True) if len(words) == 1 else None
    least = os.sysconf("SC_PAGESIZE")
    if wanted is None or not least <= wanted <= most:
        raise UsageError(f"capacity: a whole number from {least:,} to {most:,} bytes ({origin})")
    got: dict[str, int] = {}
    for seen, row in ends:
        if row.target not in got:
            got[row.target] = _set_capacity(seen, row.number, int(wanted))
    if not got:
        raise UsageError(f"capacity: {nobody}")
    return ", ".join(f"{os.path.basename(place)} now {grouped(size)} bytes" for place, size in got.items())


def _set_capacity(seen: Seen, fd: int, wanted: int) -> int:
    try:
        copy = lift(libc.pidfd_getfd(seen.pidfd, fd))
    except OSError as error:
        raise UsageError(
            f"capacity: the kernel refuses a copy of descriptor {fd} of {seen.role}: {error.strerror}"
        ) from None
    try:
        return fcntl.fcntl(copy, _F_SETPIPE_SZ, wanted)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise UsageError(f"capacity: EBUSY, what it holds does not fit into {grouped(wanted)} bytes") from None
        raise UsageError(f"capacity: {error.strerror} for {grouped(wanted)} bytes") from None
    finally:
        os.close(copy)
