"""What the terminal asks of a laboratory: the seam between the screen and whatever stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ipctui.lab.channel import Channel
from ipctui.lab.state import LabState
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
        """What it can do, such as `command`."""

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
