"""Textual's driver for a terminal on Linux, which outlives the terminal for as long as leaving takes.

When a terminal goes (its window is closed, a connection breaks) the kernel sends SIGHUP and SIGCONT, and every write
fails with EIO. Textual's writer thread dies of that, the queue before it fills, and the app waits for room for ever.
"""

from __future__ import annotations

import os
import signal
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver


class Output:
    """A terminal's file that takes what is written when there is no terminal any more, and says so once by SIGHUP."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.gone = False

    def write(self, text: str) -> int:
        """Write text; into nothing once the terminal has gone."""
        if not self.gone:
            try:
                return self._file.write(text)
            except OSError:
                self._lose()
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        if not self.gone:
            try:
                self._file.flush()
            except OSError:
                self._lose()

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._file.isatty()

    def _lose(self) -> None:
        # Who was in the background when the terminal went has got no signal from the kernel.
        self.gone = True
        os.kill(os.getpid(), signal.SIGHUP)


class TerminalDriver(LinuxDriver):
    """The driver of a terminal that may go."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._file: Any = Output(self._file)
