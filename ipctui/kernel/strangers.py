"""Who else on this machine holds an object: a search through all processes, one for all who ask, and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from ipctui.kernel.descriptors import Descriptor, all_links, matching

_EVERY = 0.9
"""Seconds after which the holders are searched for again: all who ask once a second, and together, share a search."""

_PATIENCE = 100
"""After so many times its own CPU time a search is repeated at the earliest: it never takes more than 1 % of a core."""

Found = TypeVar("Found")


class Seldom(Generic[Found]):
    """A search that takes long, and what it found last; made again after a while, and rarer the longer it takes.

    Args:
        every: Seconds after which it is made again where it is quick.
        search: What is made.
        clock: Seconds that only grow.
        cost: CPU seconds of this thread.
    """

    def __init__(
        self,
        every: float,
        search: Callable[..., Found],
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] = time.thread_time,
    ) -> None:
        self._every, self._search, self._clock, self._cost = every, search, clock, cost
        self._due = float("-inf")
        self._found: Found | None = None

    def __call__(self, *about: object) -> Found:
        """What it finds, or has found a while ago; the first search is always made."""
        if self._found is None or self._clock() >= self._due:
            began = self._cost()
            self._found = self._search(*about)
            self._due = self._clock() + max(self._every, _PATIENCE * (self._cost() - began))
        return self._found


class Strangers:
    """Holders of objects among all processes: 4 ms of CPU time with 130 processes, 400 ms with thousands."""

    def __init__(self) -> None:
        self._links = Seldom(_EVERY, lambda: all_links()[0])

    def holders(self, targets: Collection[str], skip: Collection[int] = ()) -> dict[int, tuple[Descriptor, ...]]:
        """By pid, the descriptors of every process but those in `skip` whose links have one of these texts."""
        return matching({pid: links for pid, links in self._links().items() if pid not in skip}, targets)


STRANGERS = Strangers()
"""The search that all parts of a laboratory share."""
