"""What the terminal asks of a laboratory: the seam between the screen and whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from ipctui.lab.channel import Channel
from ipctui.lab.state import LabState
from ipctui.lab.timeline import Cursor, Timeline
from ipctui.trace.records import Record
from ipctui.widgets.view import Pane


class Source(Protocol):
    """A session that can be looked at, and perhaps commanded: a running laboratory or a recording."""

    @property
    def state(self) -> LabState:
        """The latest folded state."""

    @property
    def channel(self) -> Channel:
        """The mechanism that is run."""

    @property
    def variant(self) -> str:
        """The variant's name."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters' values."""

    @property
    def alive(self) -> bool:
        """False once nothing more will come."""

    @property
    def problem(self) -> str:
        """Why it is not alive, in one line."""

    @property
    def can(self) -> frozenset[str]:
        """What it can do: `command`, `seek` (Past), `record` (Recordable), `play` (Replay)."""

    def now(self) -> int:
        """Nanoseconds since the clock's zero."""

    def tick(self) -> bool:
        """Take in what is new; True when the state changed."""

    def command(self, text: str, by: str) -> None:
        """Carry out a command; what came of it appears in the state. Never raises."""

    def restart(self, variant: str | None = None, held: bool | None = None) -> None:
        """Begin anew, with another variant if one is named."""

    def close(self) -> None:
        """End it and give everything back; a second time does nothing."""


class Past(Source, Protocol):
    """A session whose past can be looked at."""

    @property
    def timeline(self) -> Timeline:
        """What can be walked through."""

    def cursor(self) -> Cursor:
        """A place on the timeline: of a laboratory one of one's own, of a recording the one that is shown."""


class Recordable(Past, Protocol):
    """A session that can be recorded and marked."""

    @property
    def recording(self) -> bool:
        """Whether it is being recorded."""

    @property
    def listeners(self) -> list[Callable[[Sequence[Record]], None]]:
        """Who is told of every batch, already folded."""

    def mark(self, text: str = "") -> None:
        """Mark this moment."""

    def record(self, path: Path) -> None:
        """Record from this moment on. Raises RecorderError when the file cannot be made."""

    def stop_recording(self) -> Path | None:
        """End the recording; its path, None when there was none."""

    def complaint(self) -> str:
        """Why the recording has ended by itself, said once."""


class Replay(Past, Protocol):
    """A recording."""

    @property
    def playing(self) -> bool:
        """Whether time goes on by itself."""

    @property
    def speed(self) -> float:
        """How many times as fast as it happened."""

    @property
    def share(self) -> float:
        """How much of the file is known yet, from 0 to 1."""

    def play(self, on: bool) -> None:
        """Play or pause."""

    def faster(self, by: int) -> None:
        """Take the next speed up (1) or down (-1)."""

    def complaints(self) -> Sequence[str]:
        """What was found wrong with the file since the last time."""


def past(source: Source) -> Past | None:
    """The source as one whose past can be looked at, if it is one."""
    return cast("Past", source) if "seek" in source.can else None


def recordable(source: Source) -> Recordable | None:
    """The source as one that can be recorded, if it is one."""
    return cast("Recordable", source) if "record" in source.can else None


def replay(source: Source) -> Replay | None:
    """The source as a recording, if it is one."""
    return cast("Replay", source) if "play" in source.can else None


class Catalogue(Protocol):
    """The mechanisms that there are."""

    def names(self) -> Sequence[str]:
        """Their names, in the order of the menu."""

    def channel(self, name: str) -> Channel:
        """A mechanism by its name."""

    def pane(self, name: str) -> Pane:
        """How a mechanism is drawn."""

    def open(self, name: str, variant: str | None) -> Source:
        """Start a mechanism, with its first variant unless one is named."""
