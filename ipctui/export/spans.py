"""How long a process was in each state, from states that are told late and calls that end them."""

from __future__ import annotations

from typing import NamedTuple

from ipctui.trace.records import State


class Span(NamedTuple):
    """From `begin` to before `end` a process was in a state; `state` is what was told of it last."""

    begin: int
    end: int
    state: State


class Spans:
    """The spans of one process, one after another; each is given out when it has ended.

    A sleep is noticed some time after it began, so that a state may begin earlier than the one told before. It ends
    with the call that slept, whose record begins when the sleep did.

    Args:
        first: No span begins earlier.
    """

    def __init__(self, first: int) -> None:
        self._told = first
        self._begin = first
        self._state: State | None = None
        self._call = (-1, -1)
        self._ended = False

    def add(self, state: State) -> list[Span]:
        """The spans that end with a state."""
        if self._ended:
            return []  # said late: nothing comes after the end
        if state.state == "exited":
            return self.close(state.t)
        begin = max(self._told, state.t if state.since is None or state.state == "running" else state.since)
        ended: list[Span] = []
        before = self._state
        if before is not None and begin > self._begin:
            if (before.state, before.since) == (state.state, state.since):
                self._state = state
                return []
            ended = self.close(begin)
        self._begin, self._state = begin, state
        if state.state == "blocked" and state.since == self._call[0]:
            ended += self.close(self._call[1])
        return ended

    def returned(self, begin: int, end: int) -> list[Span]:
        """The spans that end with a call."""
        self._call = (begin, end)
        state = self._state
        if state is not None and state.state == "blocked" and state.since == begin:
            return self.close(end)
        return []

    def close(self, end: int) -> list[Span]:
        """The span that ends now, if one is open; one without length was none."""
        state, self._state = self._state, None
        if state is None or end <= self._begin:
            return []
        self._told = end
        return [Span(self._begin, end, state)]

    def exited(self, t: int) -> list[Span]:
        """The span that ends with the process; states that are told after that are left out."""
        self._ended = True
        return self.close(t)
