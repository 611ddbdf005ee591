"""One clock for a session: CLOCK_MONOTONIC, counted from the moment when all workers had started."""

from __future__ import annotations

import time
from dataclasses import dataclass

now = time.monotonic_ns
"""Nanoseconds of CLOCK_MONOTONIC (clock_gettime(2)); the same in every process of the machine."""


@dataclass(slots=True)
class Clock:
    """The session's zero, in CLOCK_MONOTONIC nanoseconds, and the wall time that it had then."""

    zero: int
    started: str

    @classmethod
    def start(cls) -> Clock:
        """A clock whose zero is this moment."""
        from datetime import UTC, datetime  # the workers share this module, and have no use for that one

        return cls(now(), datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    def time(self, monotonic: int | None = None) -> int:
        """Nanoseconds since zero, of now or of a CLOCK_MONOTONIC reading; negative before zero."""
        return (now() if monotonic is None else monotonic) - self.zero
