"""The chosen tile comes alive: a laboratory of its own after a moment, ended when another tile is chosen."""

from __future__ import annotations

from collections.abc import Callable

from ipctui.tui.source import Source
from ipctui.tui.tiles import drawn
from ipctui.widgets.canvas import Row

PATIENCE = 1_000_000_000
"""Nanoseconds for which a tile is chosen before its laboratory starts: who passes by starts none."""

Begin = Callable[[str], Source]
"""Starts the laboratory of a mechanism's tile; may raise anything."""


class LiveTile:
    """The laboratory of the chosen tile, if there is one.

    Attributes:
        name: The mechanism that is chosen.
    """

    def __init__(self, begin: Begin | None) -> None:
        self.name = ""
        self._begin = begin
        self._since = 0
        self._source: Source | None = None
        self._failed: set[str] = set()

    @property
    def running(self) -> bool:
        """Whether the chosen tile is live."""
        return self._source is not None

    def attend(self, name: str, t: int) -> None:
        """This tile is chosen at this time (nanoseconds): start its laboratory when it is time, and take in news.

        A mechanism whose laboratory cannot be started keeps its recording; opening it says why.
        """
        if name != self.name:
            self.end()
            self.name, self._since = name, t
        if self._source is not None:
            self._tick(self._source)
        elif self._begin is not None and name and name not in self._failed and t - self._since >= PATIENCE:
            try:
                self._source = self._begin(name)
            except Exception:
                self._failed.add(name)

    def _tick(self, source: Source) -> None:
        try:
            if source.alive:
                source.tick()
        except Exception:
            self._failed.add(self.name)
            self.end()

    def picture(self, ascii: bool, language: str) -> tuple[Row, ...]:
        """The laboratory as a miniature, now; none where there is none."""
        if self._source is None:
            return ()
        return drawn(self._source.state, self._source.now(), ascii, language)

    def end(self) -> None:
        """End the laboratory; the tile may come alive again later."""
        source, self._source = self._source, None
        self.name = ""
        if source is not None:
            source.close()
