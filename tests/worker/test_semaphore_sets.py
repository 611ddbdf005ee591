"""Sets of System V semaphores and growing files, made by real workers and looked at from outside."""

import errno
import os
import signal
from collections.abc import Iterator

import pytest

from ipctui.kernel import semaphore_sets
from ipctui.lab.leftovers import Leftover
from ipctui.lab.strace import arguments
from ipctui.trace.operations import CODES
from ipctui.trace.ring import Key, key_of
from ipctui.worker.names import new_name, remove
from ipctui.worker.semaphore_sets import key_of_name, remove_set

from ..kernel.conftest import eventually
from .conftest import Start, Worker

pytestmark = pytest.mark.real
SET = """
from ipctui.worker.semaphore_sets import *
"""


@pytest.fixture
def name() -> Iterator[str]:
    made = f"/{new_name()}"
    yield made
    for kind in ("shm", "semaphores"):
        remove(kind, made)  # type: ignore[arg-type]


def test_operations_are_done_together_or_not_at_all(start: Start, worker: Worker, name: str) -> None:
    subordinate = start(
        SET
        + f"""
def program(calls, given):
    s = calls.semget({key_of_name(name)}, 2, IPC_CREAT | 0o600)
    both = calls.semop(s, (0, +2), (1, +1))
    neither = calls.semop(s, (0, -2, IPC_NOWAIT), (1, -2, IPC_NOWAIT))
    left = calls.semctl(s, 0, GETVAL), calls.semctl(s, 1, GETVAL)
    calls.semctl(s, 0, SETALL, 0, 5)
    tell(s.id, both, neither, left, calls.semop(s, (0, 0, IPC_NOWAIT)), calls.semop(s, (1, 0, IPC_NOWAIT)))
"""
    )
    identifier, both, neither, left, zero, not_zero = subordinate.told()
    assert (both, neither, left, zero, not_zero) == (True, None, [2, 1], True, None)
    view = semaphore_sets.look(identifier, 2)
    assert view is not None
    assert view.values == (0, 5)
    assert semaphore_sets.find(key_of_name(name)) == identifier
    errors = {row.errno: row.count for row in worker.reader.errors()}
    assert errors == {errno.EAGAIN: 2}


def test_sleepers_are_counted_and_a_signal_ends_their_wait_with_nothing_done(
    start: Start, worker: Worker, name: str
) -> None:
    subordinate = start(
        SET
        + f"""
def program(calls, given):
    s = calls.semget({key_of_name(name)}, 2, IPC_CREAT | 0o600)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    tell(calls.semop(s, (0, -1, SEM_UNDO), (1, +1, SEM_UNDO)))
"""
    )
    eventually(
        lambda: (
            (found := semaphore_sets.find(key_of_name(name))) is not None
            and (
                semaphore_sets.look(found, 2).growing == (1, 0)  # type: ignore[union-attr]
            )
        )
    )
    os.kill(subordinate.process.pid, signal.SIGUSR1)
    assert subordinate.told() == [None]
    view = semaphore_sets.look(semaphore_sets.find(key_of_name(name)) or 0, 2)
    assert view is not None
    assert (view.values, view.growing) == ((0, 0), (0, 0))


def test_a_set_that_is_gone_is_looked_at_without_a_fuss() -> None:
    assert semaphore_sets.why_none() == ""
    key = key_of_name(new_name())
    assert semaphore_sets.find(key) is None
    assert semaphore_sets.look(2**30, 2) is None
    assert remove_set(key) is False


def test_a_dead_laboratorys_segment_takes_its_semaphores_away_with_it() -> None:
    import ctypes

    name = f"/ipctui-999999999-1-{os.urandom(4).hex()}"
    descriptor = os.open(f"/dev/shm{name}", os.O_CREAT | os.O_RDWR, 0o600)
    os.close(descriptor)
    assert ctypes.CDLL(None).semget(key_of_name(name), 2, 0o1600) >= 0
    Leftover("shm", name).remove()
    assert semaphore_sets.find(key_of_name(name)) is None
    assert not os.path.exists(f"/dev/shm{name}")


def test_a_file_is_given_memory_and_it_is_taken_back(start: Start, name: str) -> None:
    subordinate = start(
        f"""
from ipctui.worker.growing import *
def program(calls, given):
    fd = calls.shm_open({name!r}, os.O_CREAT | os.O_RDWR, 0o600)
    sizes = []
    for mode, offset in ((0, 0), (0, 8192), (KEEP_SIZE | PUNCH_HOLE, 0)):
        calls.fallocate(fd, mode, offset, 4096)
        found = os.fstat(fd)
        sizes.append((found.st_size, found.st_blocks * 512))
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    tell(sizes, calls.fallocate(fd, 0, 0, 16384), calls.fallocate(fd, 0, 0, 20480))
"""
    )
    sizes, fits, beyond = subordinate.told()
    assert sizes == [[4096, 4096], [12288, 8192], [12288, 4096]]
    assert (fits, beyond) == (True, None)


@pytest.mark.parametrize(
    ("name", "argument", "extra", "payload", "shown"),
    [
        ("semop", 5, 1, b"\0\0\xff\xff\0\x10", "5, [{0, -1, SEM_UNDO}], 1"),
        ("semop", 5, 2, b"\0\0\1\0\0\0\1\0\0\0\0\x08", "5, [{0, 1, 0}, {1, 0, IPC_NOWAIT}], 2"),
        ("semop", 5, 9, b"\0" * 32, "5, [{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}], 9"),
        ("semctl", 5, 1 << 32 | 14, b"", "5, 1, GETNCNT"),
        ("semctl", 5, 17, b"\1\0\2\0", "5, 0, SETALL, [1, 2]"),
        ("semctl", 5, 99, b"", "5, 0, 99"),
        ("semget", 0x1F, 2 << 32 | 0o1600, b"", "0x1f, 2, IPC_CREAT|0600"),
        ("fallocate", 4096, 3 << 56 | 4096, b"", "7, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4096, 4096"),
        ("fallocate", 0, 4096, b"", "7, 0, 0, 4096"),
    ],
)
def test_they_are_printed_as_strace_does(name: str, argument: int, extra: int, payload: bytes, shown: str) -> None:
    key = Key.of(key_of(CODES[name], 7 if name == "fallocate" else -1))
    assert arguments(name, key, argument, extra, payload.ljust(32, b"\0"), 0) == shown
