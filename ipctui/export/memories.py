"""Messages that a process leaves in its own memory, and that another takes out of it (process_vm_readv(2))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from ipctui.export.ends import Arrow, End
from ipctui.trace.records import Access

_PID = re.compile(r"([0-9]{1,10}), ")
_MOST_WAITING = 1 << 10

Place = TypeVar("Place")


class Memories(Generic[Place]):
    """Joins each reading of a process's memory to what that process had stored there last, whichever is told first."""

    def __init__(self) -> None:
        self._stored: dict[int, tuple[str, End[Place]]] = {}
        self._early: dict[int, list[End[Place]]] = {}

    def stored(self, access: Access, end: End[Place]) -> list[Arrow[Place]]:
        """The arrow of a message that was read before it was told."""
        if not access.message:
            return []
        early = self._early.get(access.pid, [])
        message = access.message[-1]
        for at in early:
            if at.begin >= end.end:
                early.remove(at)
                self._stored.pop(access.pid, None)
                return [Arrow(message, end, at)]
        self._stored[access.pid] = (message, end)
        return []

    def read(self, call: Mapping[str, Any], place: Place) -> list[Arrow[Place]]:
        """The arrow of what another process had stored; its number is the call's first argument."""
        found = _PID.match(call["args"])
        if found is None:
            return []
        pid = int(found[1])
        at = End(place, call["begin"], call["end"], None, None)
        stored = self._stored.get(pid)
        if stored is not None and stored[1].end <= at.begin:
            del self._stored[pid]
            return [Arrow(stored[0], stored[1], at)]
        early = self._early.setdefault(pid, [])
        early.append(at)
        del early[:-_MOST_WAITING]
        return []

    def sent(self) -> list[tuple[str, End[Place]]]:
        """The messages that nobody has read."""
        return list(self._stored.values())
