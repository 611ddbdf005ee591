"""What the user did: commands told apart from their outcomes, and the marks."""

from __future__ import annotations

from ipctui.trace.records import Command, Event

MARK = "mark"
"""The name of the events that are the user's marks."""


class Orders:
    """Tells a command from the later records of its outcome: `hold child`, then pending, then done."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def is_new(self, record: Command) -> bool:
        """Whether this record gives a command, rather than telling what came of one given before."""
        new = record.command not in self._open
        if record.outcome is None or record.outcome.startswith("pending"):
            self._open.add(record.command)
        else:
            self._open.discard(record.command)
        return new


def mark_text(mark: Event) -> str:
    """What a mark is called: its own text, if it was given one."""
    text = mark.data.get("text")
    return text if isinstance(text, str) and text else MARK
