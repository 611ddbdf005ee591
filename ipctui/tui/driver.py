"""Textual's driver for a terminal on Linux, which outlives the terminal for as long as leaving takes.

When a terminal goes (its window is closed, a connection breaks) the kernel sends SIGHUP and SIGCONT, and every write
fails with EIO. Textual's writer thread dies of that, the queue before it fills, and the app waits for room for ever.
At every SIGCONT, the kernel's as well as the one after kill -STOP, Textual begins to read and write anew, with threads
beside those that it has: whoever is not stopped in the end keeps the process alive.
"""

from __future__ import annotations

import os
import signal
import termios
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

    _begun = False
    """It reads and writes."""
    _over = False
    """It has been closed for good."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._file: Any = Output(self._file)

    def start_application_mode(self) -> None:
        """Begin to read and write."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._begun = True

    def suspend_application_mode(self) -> None:
        """End reading and writing, until they are begun again."""
        super().suspend_application_mode()
        self._begun = self._over = False

    def close(self) -> None:
        """End writing."""
        super().close()
        self._over = True

    def _sigcont_application(self, *_: Any) -> None:
        if self._over or self._app._exit or not self._auto_restart or not self._is_there():
            return
        if self._begun:
            # Stopped by a signal that cannot be caught: the shell may have set the terminal otherwise meanwhile.
            self.suspend_application_mode()
        super()._sigcont_application()

    def _is_there(self) -> bool:
        """Whether the terminal has not gone: of one that was hung up tcgetattr(3) fails with EIO."""
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return False
        return True
