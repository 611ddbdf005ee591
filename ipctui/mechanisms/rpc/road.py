"""The road between client and server: decides what becomes of each packet. Pure: time and chance are given to it."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from ipctui.mechanisms.rpc.orders import SHARE, Orders
from ipctui.worker.onc_rpc import number_of

Route = TypeVar("Route")
Fate = Literal["dropped", "duplicated", "delayed", "reordered", "cut off"]
_PATIENCE = 300_000_000
"""Nanoseconds after which a packet that is to be overtaken goes on although none has come."""
_MOST_KNOWN = 256
_KINDS = ("drop", "duplicate", "delay", "reorder")


@dataclass(frozen=True, slots=True)
class Onward(Generic[Route]):
    """A packet that goes on, and where."""

    packet: bytes
    route: Route


class Road(Generic[Route]):
    """What is under way.

    Args:
        seed: Of the chance by which shares are taken.
        delay: Nanoseconds that a delayed packet is late.
    """

    def __init__(self, seed: int, delay: int) -> None:
        self.orders = Orders()
        self._chance = random.Random(seed)
        self._delay = delay
        self._heap: list[tuple[int, int, Onward[Route]]] = []
        self._count = 0
        self._behind: dict[str, tuple[int, Onward[Route]]] = {}
        self._done: dict[str, dict[int, None]] = {}
        self._made: dict[str, int] = {}

    def start(self, orders: Orders) -> None:
        """What was ordered before this link began is done."""
        self.orders = orders
        for kind in _KINDS:
            for way in ("calls", "replies"):
                self._made[f"{kind}_{way}"] = getattr(orders, f"{kind}_{way}")

    def take(self, packet: bytes, way: Literal["calls", "replies"], route: Route, now: int) -> tuple[Fate, ...]:
        """A packet arrives: what happens to it besides going on; what goes on comes out of `due`."""
        if self.orders.cut:
            return ("cut off",)
        number = number_of(packet)
        if self._is("drop", way, number, self.orders.lost):
            return ("dropped",)
        onward, fates = Onward(packet, route), list[Fate]()
        if self._is("duplicate", way, number, self.orders.doubled):
            fates.append("duplicated")
            self._push(now, onward)
        if self._is("delay", way, number, self.orders.late):
            fates.append("delayed")
            self._push(now + self._delay, onward)
        elif way not in self._behind and self._is("reorder", way, number, self.orders.overtaken):
            fates.append("reordered")
            self._behind[way] = (now + _PATIENCE, onward)
        else:
            self._push(now, onward)
            overtaken = self._behind.pop(way, None)
            if overtaken is not None:
                self._push(now, overtaken[1])
        return tuple(fates)

    def due(self, now: int) -> list[Onward[Route]]:
        """The packets that go on by now, in their order."""
        for way, (until, onward) in list(self._behind.items()):
            if until <= now:
                del self._behind[way]
                self._push(now, onward)
        found = []
        while self._heap and self._heap[0][0] <= now:
            found.append(heapq.heappop(self._heap)[2])
        return [] if self.orders.cut else found

    def wait(self, now: int) -> int:
        """Milliseconds until something is due; -1 for no end."""
        times = [self._heap[0][0]] if self._heap else []
        times += [until for until, _ in self._behind.values()]
        return max(0, -(-(min(times) - now) // 1_000_000)) if times else -1

    @property
    def under_way(self) -> int:
        """Packets that wait here."""
        return len(self._heap) + len(self._behind)

    def _push(self, when: int, onward: Onward[Any]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, onward))

    def _is(self, kind: str, way: str, number: int, share: int) -> bool:
        """Whether it happens: by order, to the first packet of a transaction that way, or by chance."""
        place = f"{kind}_{way}"
        done = self._done.setdefault(place, {})
        if number not in done and getattr(self.orders, place) > self._made.get(place, 0):
            self._made[place] = self._made.get(place, 0) + 1
            done[number] = None
            if len(done) > _MOST_KNOWN:
                del done[next(iter(done))]
            return True
        return share > 0 and self._chance.randrange(SHARE) < share
