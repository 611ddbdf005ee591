"""What a sleeper asked for is told whole, also of a call that began before anybody looked."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Open
from tests.mechanisms.laboratories import Laboratories
from tests.mechanisms.segments import hold_without_mutex

pytestmark = pytest.mark.real


@pytest.fixture
def bench() -> Iterator[Open]:
    """Opens laboratories of any mechanism."""
    laboratories = Laboratories()
    yield laboratories.open
    laboratories.close()


def test_both_of_a_deadlock_in_open_tell_what_they_open(bench: Open, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    lab = bench("fifo", "deadlock", name=path)
    for role, name in (("server", path), ("client", Path(f"{path}.back"))):
        state = lab.until_state(role, "blocked", "open")
        assert state.before is not None
        assert state.before.args == f'"{name}", O_RDONLY'
        assert state.object == str(name)
        assert os.path.exists(name)


def test_who_waits_for_a_semaphore_tells_which(bench: Open) -> None:
    lab = bench("shm", "semaphores")
    hold_without_mutex(lab, "consumer")
    lab.until(lambda: lab.is_in("producer", "blocked", "sem_wait") and "empty" in (lab.state("producer").reason or ""))
    state = lab.state("producer")
    assert state.before is not None
    assert state.before.args.endswith('.empty"')
    assert Path("/dev/shm", "sem." + state.before.args.strip('"/')).exists()
