"""Telling: what a program does that no system call tells, and that a reader of its records should know."""

from __future__ import annotations

from ipctui.trace.operations import CODES
from ipctui.trace.ring import PAYLOAD, key_of
from ipctui.worker.seated import Seated

MOST_TOLD = 512
"""Bytes of what is told that records carry; of more its true length is told."""
_CALL, _TELL, _REST = (CODES[name] for name in ("call", "tell", "tell_rest"))


class Telling(Seated):
    """Operations without a system call. What is told has a name, which its records bear as their object's."""

    def announce(self, *names: str) -> None:
        """Make room for what will be told, before the objects that a server meets have taken it all."""
        for name in names:
            self.journal.row(key_of(_TELL, -1, self._label(name)))

    def call(self, procedure: str, number: int = 0, data: bytes = b"") -> None:
        """A remote procedure is called: its name, a number of the caller's, its argument in some form of its own."""
        self._tell(self._before(_CALL, -1, number, len(data), data, self._label(procedure)), number, data)

    def tell(self, what: str, number: int = 0, data: bytes = b"") -> None:
        """Something has happened: its name, a number that is its own (a transaction's, nanoseconds), and bytes."""
        self._tell(self._before(_TELL, -1, number, len(data), data, self._label(what)), number, data)

    def _tell(self, key: int, number: int, data: bytes) -> None:
        size = len(data)
        self._after(key, 0, number, size, data[:PAYLOAD])
        rest = key & ~(0xFF << 56) | _REST << 56
        for offset in range(PAYLOAD, min(size, MOST_TOLD), PAYLOAD):
            self._after(rest, 0, number, offset << 32 | size, data[offset : offset + PAYLOAD])
