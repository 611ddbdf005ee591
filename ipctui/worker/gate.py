"""The gate: where a worker waits because the user holds it, or because its turn at its rate has not come.

Both waits are on the gate's eventfd, which the laboratory (or the worker's own control thread) pokes; neither ever
looks like a process that the kernel has put to sleep on a channel, because the ring says which it is.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable

from ipctui.trace.clock import now
from ipctui.trace.operations import codes_named
from ipctui.trace.ring import (
    HELD_BIT,
    PACED_BIT,
    PHASE_HELD,
    PHASE_PACED,
    PHASE_RUNNING,
    W_CURRENT,
    W_GATE,
    W_INTERVAL,
    W_PHASE,
    W_PHASE_SINCE,
    W_STEPS,
    W_STEPS_TAKEN,
    W_UNTIL,
)
from ipctui.worker.journal import Journal


class Leave(BaseException):
    """Raised at the gate when the worker has been asked to end; a program never catches it."""


class Gate:
    """One worker's gate.

    Args:
        journal: The worker's ring.
        eventfd: Poked when the gate's words change or `actions` gets something to do.
        paced: Names of the operations that wait for the worker's turn (operations.codes_named).
    """

    def __init__(self, journal: Journal, eventfd: int, paced: frozenset[str]) -> None:
        self._journal = journal
        self._words = journal.words
        self._eventfd = eventfd
        self._paced = frozenset(code for name in paced for code in codes_named(name))
        self._poll = select.poll()
        self._poll.register(eventfd, select.POLLIN)
        self._turn = 0
        self._acting = False
        self.actions: deque[Callable[[], None]] = deque()
        self.urgent = 0

    def poke(self) -> None:
        """Make a waiting worker look again."""
        os.eventfd_write(self._eventfd, 1)

    def attend(self, key: int, head: int, argument: int, extra: int, payload: bytes) -> None:
        """Do what was asked of the main thread, then wait while held, or for the worker's turn.

        Raises:
            Leave: the worker was asked to end.
        """
        if self._acting:
            return
        words = self._words
        self._journal.detail(head, argument, extra, payload[:32])
        while True:
            if self.actions:
                words[W_PHASE] = PHASE_RUNNING
                self._act()
                # What was done took the place of the operation that the worker stands before.
                words[W_CURRENT] = key
                self._journal.detail(self._journal.head(), argument, extra, payload[:32])
            gate = words[W_GATE]
            if gate & HELD_BIT:
                if words[W_STEPS] > words[W_STEPS_TAKEN]:
                    words[W_STEPS_TAKEN] += 1
                    break
                self._wait(PHASE_HELD, 0)
            elif gate & PACED_BIT and key >> 56 in self._paced and (wait_until := self._next_turn()):
                self._wait(PHASE_PACED, wait_until)
            else:
                break
        words[W_PHASE] = PHASE_RUNNING

    def _act(self) -> None:
        self._acting = True
        try:
            for _ in range(len(self.actions)):  # one that puts itself off stands in the line again
                self.actions.popleft()()
        finally:
            self._acting = False

    def _next_turn(self) -> int:
        """When the worker's next turn comes, or 0 when it is now (and is taken)."""
        if self.urgent:
            self.urgent -= 1
            return 0
        interval = self._words[W_INTERVAL]
        present = now()
        turn = min(self._turn, present) + interval
        if present < turn:
            return turn
        # A worker that was blocked or held for long starts anew: it does not catch up in a burst.
        self._turn = turn if present - turn < interval else present
        return 0

    def _wait(self, phase: int, until: int) -> None:
        words = self._words
        if words[W_PHASE] != phase:
            words[W_PHASE_SINCE] = now()
        words[W_UNTIL] = until
        words[W_PHASE] = phase
        if until:
            milliseconds = max(0, -(-(until - now()) // 1_000_000))
            if not self._poll.poll(milliseconds):
                return
        try:
            os.eventfd_read(self._eventfd)
        except InterruptedError:
            pass
