"""What programs tell: the records of a telling that took several places in the ring, joined to one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipctui.trace.records import Event
from ipctui.trace.ring import Entry
from ipctui.worker.telling import MOST_TOLD

if TYPE_CHECKING:
    from ipctui.lab.handle import Handle

TELLS = frozenset({"call", "tell", "tell_rest"})
"""The operations whose records become events (worker.telling)."""
_LOW = 0xFFFFFFFF


class Told:
    """Joins tellings. One whose beginning or whose rest was lost on the way to the screen is left out."""

    def __init__(self) -> None:
        self._parts: dict[int, tuple[str | None, int, int, bytes]] = {}

    def event(
        self, handle: Handle, name: str, label: str | None, entry: Entry, t: int, line: int | None
    ) -> Event | None:
        """The event that this record completes; None while more is to come.

        Its data: `number` is the program's own; `bytes`, as hexadecimal digits, at most `MOST_TOLD` of the `size`.
        """
        size, offset = entry.extra & _LOW, entry.extra >> 32
        if name == "tell_rest":
            begun = self._parts.pop(handle.pid, None)
            if begun is None or begun[:3] != (label, entry.argument, size) or len(begun[3]) != offset:
                return None
            data = begun[3] + entry.payload
        else:
            data = entry.payload
        if len(data) < min(size, MOST_TOLD):
            self._parts[handle.pid] = (label, entry.argument, size, data)
            return None
        told = {"number": entry.argument, "bytes": data[: min(size, MOST_TOLD)].hex(), "size": size, "line": line}
        return Event(t, label or "?", handle.role, told, handle.cell)


def heard(record: Event) -> tuple[int, bytes] | None:
    """The number and the bytes of an event that a program told; None for any other, or one that makes no sense."""
    number, digits = record.data.get("number"), record.data.get("bytes")
    if not isinstance(number, int) or not isinstance(digits, str):
        return None
    try:
        return number, bytes.fromhex(digits)
    except ValueError:
        return None
