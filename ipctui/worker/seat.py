"""A seat: all that a worker needs to be traced and steered, prepared before its process exists.

A program forks its own children, so the seat of each child to come (ring, gate, control socket) is handed to the
process that will fork it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seat:
    """One process to be: its role, and the descriptors of its ring, its gate (eventfd) and its control socket.

    Attributes:
        letter: The letter that its messages repeat.
        paced: Operations that wait for the worker's turn.
        first: The number after which its messages are numbered: processes that had this role before sent up to it.
        cell: The cell it belongs to, where several small laboratories run side by side: by it, and by its role, a
            program finds its own in what it is given.
    """

    role: str
    letter: str
    paced: tuple[str, ...]
    ring: int
    gate: int
    control: int
    first: int = 0
    cell: str | None = None

    @property
    def name(self) -> str:
        """CELL/ROLE, or the role alone."""
        return f"{self.cell}/{self.role}" if self.cell else self.role

    def close(self) -> None:
        """Close the three descriptors: the seat is another process's."""
        for fd in (self.ring, self.gate, self.control):
            os.close(fd)
