"""A ring is taken up again by the new image of the process that wrote it before execve(2)."""

import errno
import os
from collections.abc import Iterator

import pytest

from ipctui.trace.operations import CODES
from ipctui.trace.ring import SLOTS, RingReader, create_ring, key_of
from ipctui.worker.execution import SEAT
from ipctui.worker.journal import Journal
from ipctui.worker.traced import Traced

from .conftest import Start


@pytest.fixture
def ring() -> Iterator[int]:
    fd = create_ring()
    yield fd
    os.close(fd)


def image(ring: int) -> tuple[Journal, Traced]:
    """What an image of a worker has of its ring."""
    journal = Journal(ring)
    return journal, Traced(journal, lambda *_: None, lambda fd: None, lambda fd: 1)


def test_a_fresh_ring_begins_at_nothing(ring: int) -> None:
    journal, _ = image(ring)
    assert journal.head() == 0
    assert journal.labels() == []
    journal.close()


@pytest.mark.parametrize("before", [1, 5, SLOTS - 1, SLOTS, SLOTS + 3])
def test_records_counters_errors_and_labels_go_on(ring: int, before: int) -> None:
    r, w = os.pipe()
    os.set_blocking(r, False)
    reader = RingReader(ring)
    first, traced = image(ring)
    first.name_object("pipe:[1]")
    for _ in range(before):
        traced.read(r, 4)  # EAGAIN
    first.count_control(key_of(CODES["fcntl"], 3))
    first.close()
    second, traced = image(ring)
    assert second.labels() == ["pipe:[1]"]
    assert second.head() == before
    os.write(w, b"hello")
    assert traced.read(r, 5) == b"hello"
    traced.note("execve", -1, 0, 0, 2, 0)
    entries = reader.read(4)
    names = [reader.operations[entry.key >> 56].name for entry in entries]
    assert names[-2:] == ["read", "execve"]
    assert entries[-1].sequence == before + 2
    assert reader.head() == before + 2
    (row,) = [row for row in reader.rows() if reader.operations[row.operation].name == "read"]
    assert (row.calls, row.bytes) == (before + 1, 5)
    (error,) = reader.errors()
    assert (error.errno, error.count) == (errno.EAGAIN, before)
    second.close()
    reader.close()
    os.close(r)
    os.close(w)


@pytest.mark.real
def test_an_execve_that_fails_leaves_the_worker_as_it_was(start: Start) -> None:
    subordinate = start(
        f"""
def program(calls, given):
    real, sys.executable = sys.executable, "/nowhere/python"
    try:
        calls.execve("other", [3], given)
    except OSError as error:
        said = errno.errorcode[error.errno]
    sys.executable = real
    flags = [fcntl.fcntl(fd, fcntl.F_GETFD) for fd in (calls.seat.ring, calls.seat.gate, calls.seat.control)]
    tell(said, flags, {SEAT!r} in os.environ)
    while calls.read(r, 1) is None:
        pass
import fcntl
""",
        paced=(),
    )
    assert subordinate.told() == ["ENOENT", [1, 1, 1], False]
    assert subordinate.ask("wake")[0] in ("done", "refused"), "its control thread answers again"
