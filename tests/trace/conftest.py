import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ipctui.trace.ring import HEADER_SIZE, RECORD, RECORD_SIZE, SLOTS, RingReader, create_ring, key_of
from ipctui.worker.journal import Journal

WRITE = key_of(2, 4, 1)


@dataclass
class Pair:
    """A ring with its writer and its reader in one process; `publish` writes what `entry` expects."""

    fd: int
    journal: Journal
    reader: RingReader
    written: int = 0

    def publish(self, times: int = 1, key: int = WRITE) -> None:
        """Publish records as the worker does: the slot first, then the counter."""
        row = self.journal.row(key)
        for _ in range(times):
            at = HEADER_SIZE + self.written % SLOTS * RECORD_SIZE
            self.written += 1
            number = self.written
            payload = b"%d" % number
            RECORD.pack_into(
                self.journal.view,
                at,
                number,
                number + 1,
                number + 2,
                key,
                -number,
                number * 3,
                number * 64,
                payload,
                number,
            )
            self.journal.words[row + 2] += 64
            self.journal.words[row + 1] += 1


@pytest.fixture
def pair() -> Iterator[Pair]:
    fd = create_ring()
    made = Pair(fd, Journal(fd), RingReader(fd))
    yield made
    made.journal.close()
    made.reader.close()
    os.close(fd)
