"""What deserves a toast: commands refused or remarked on, workers' last words, a laboratory that ended.

What is pending stands on the process's card; a toast would lie over the caption that explains it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from ipctui.lab.fold import key
from ipctui.lab.state import LabState
from ipctui.trace.records import Command, Event
from ipctui.trace.text import visible
from ipctui.tui.source import Source
from ipctui.widgets.canvas import cut

_LONGEST = 200
_PAUSE = 1.0


class Notice(NamedTuple):
    """A toast: its text, fit to be shown, and how grave it is."""

    text: str
    severity: Literal["information", "warning", "error"]


class Announcer:
    """Finds what is new in a session and worth a toast.

    Args:
        seconds: A monotonic clock; workers' errors are shown once a second at most.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._commands: tuple[Command, ...] = ()
        self._events: tuple[Event, ...] = ()
        self._dead = False
        self._said = float("-inf")
        self._unsaid: list[str] = []

    def news(self, source: Source) -> list[Notice]:
        """The toasts for what was not there the last time."""
        state = source.state
        notices = [*self._of_commands(state), *self._of_events(state)]
        if not source.alive and not self._dead:
            notices.append(_notice(source.problem or "the laboratory has ended", "error"))
        self._dead = not source.alive
        return notices

    def skip(self, source: Source) -> None:
        """Take what is there as known: after a jump in time it is no news."""
        self.news(source)
        self._unsaid.clear()

    def _of_commands(self, state: LabState) -> list[Notice]:
        if state.commands is self._commands:
            return []
        known, self._commands = set(self._commands), state.commands
        notices = []
        for command in state.commands:
            if command in known or command.outcome is None:
                continue
            verdict, colon, why = command.outcome.partition(":")
            if verdict == "refused":
                notices.append(_notice(f"{command.command}: {command.outcome}", "warning"))
            elif verdict == "done" and colon and why.strip():
                notices.append(_notice(f"{command.command}: {command.outcome}", "information"))
        return notices

    def _of_events(self, state: LabState) -> list[Notice]:
        notices = []
        if state.events is not self._events:
            known, self._events = self._events, state.events
            for event in state.events:
                # Equal, not identical: a recording that is read again makes the same events anew.
                if event in known:
                    continue
                if event.name == "failed":
                    words = " ".join(str(event.data[part]) for part in ("call", "errno") if part in event.data)
                    notices.append(_notice(f"{key(event.process or '', event.cell)} failed: {words}", "warning"))
                elif event.name == "stderr":
                    self._unsaid.append(str(event.data.get("line", "")))
        if self._unsaid and self._seconds() - self._said >= _PAUSE:
            more = f" (and {len(self._unsaid) - 1} lines before it)" if len(self._unsaid) > 1 else ""
            notices.append(_notice(f"a worker wrote: {cut(visible(self._unsaid[-1]), 120)}{more}", "warning"))
            self._unsaid.clear()
            self._said = self._seconds()
        return notices


def _notice(text: str, severity: Literal["information", "warning", "error"]) -> Notice:
    return Notice(cut(visible(text), _LONGEST), severity)
