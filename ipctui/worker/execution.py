"""execve(2): a worker goes on as a new image of itself, with what close-on-exec has left of its descriptors.

The new image is an interpreter that runs another function of the same module. It takes its old seat again, whose
three descriptors lie above those of programs and are the only ones that are handed on beside the program's own.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, NoReturn

from ipctui.kernel.own import FIRST_OWN_DESCRIPTOR
from ipctui.trace.operations import CODES
from ipctui.worker.seated import Seated

SEAT = "IPCTUI_SEAT"
"""The environment variable in which the new image finds its order, as JSON."""
_EXECVE = CODES["execve"]
_BOOT = (
    "import json, os, sys; sys.path[:] = json.loads(os.environ['{seat}'])['path']; "
    "import ipctui.worker.rejoin as again; again.main()"
)


class Execution(Seated):
    """The traced execve(2)."""

    _limit: int

    def execve(self, program: str, arguments: Sequence[int], given: SimpleNamespace) -> NoReturn:
        """execve(2): run `program(calls, given, *arguments)` of the caller's module in a new image of this process.

        Raises:
            OSError: what execve(2) raises; the process goes on as it was.
        """
        module = sys._getframe(1).f_globals["__name__"]
        said = f"{program} {' '.join(map(str, arguments))}".encode()[:32]
        key = self._before(_EXECVE, -1, len(arguments), 0, said, 0)
        if self.control is not None:
            self.control.pause()
        seat = self.seat
        kept = (seat.ring, seat.gate, seat.control)
        order = {**self._standing(), "module": module, "program": program, "arguments": list(arguments)}
        environment = {**os.environ, SEAT: json.dumps({**order, "given": vars(given), "path": sys.path})}
        words = [seat.role, "-I", "-S", "-c", _BOOT.format(seat=SEAT), *map(str, arguments)]
        try:
            for fd in kept:
                fcntl.fcntl(fd, fcntl.F_SETFD, 0)
            os.execve(sys.executable, words, environment)
        except OSError as error:
            for fd in kept:
                fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            if self.control is not None:
                self.control.start()
            self._missed(key, len(arguments), 0, said, error)
            raise
        raise OSError(errno.ENOSYS, "execve came back")

    def _standing(self) -> dict[str, Any]:
        """What the new image has to know of its seat."""
        return {"seat": asdict(self.seat), "limit": self._limit}

    def inherited(self) -> None:
        """Adopt what is open, each by the name that /proc/self/fd gives it: in a new image nothing else tells."""
        for entry in sorted(map(int, os.listdir("/proc/self/fd"))):
            if 2 < entry < FIRST_OWN_DESCRIPTOR:
                try:
                    self._adopt(entry, os.readlink(f"/proc/self/fd/{entry}").removesuffix(" (deleted)"))
                except OSError:
                    continue  # the listing's own
