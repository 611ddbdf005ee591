import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ipctui.worker.names import Kind, new_name, owner_lives, remove

posix_ipc = pytest.importorskip("posix_ipc", reason="names of POSIX objects need posix_ipc")


def test_a_name_is_new_each_time_and_ours() -> None:
    names = {new_name() for _ in range(100)}
    assert len(names) == 100
    for name in names:
        assert re.fullmatch(rf"ipctui-{os.getpid()}-[0-9]+-[0-9a-f]{{8}}", name)
        assert owner_lives(name) is True
        assert owner_lives(f"/dev/shm/sem.{name}") is True


@pytest.mark.parametrize(
    "name", ["", "orders", "ipctui", "ipctui-", "ipctui-1-2-xyz", "ipctui--5-00000000", "pulse-shm-1"]
)
def test_a_foreign_name_has_no_owner_that_is_known(name: str) -> None:
    assert owner_lives(name) is None


def test_a_pid_used_again_does_not_make_an_owner_live() -> None:
    pid, start = new_name().split("-")[1:3]
    assert owner_lives(f"ipctui-{pid}-{int(start) + 1}-00000000") is False
    assert owner_lives(f"ipctui-{10**15}-{start}-00000000") is False


@pytest.mark.real
def test_an_owner_lives_until_it_has_died() -> None:
    source = "import sys; from ipctui.worker.names import new_name; print(new_name(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert owner_lives(name) is True
        child.kill()
    assert owner_lives(name) is False


def make_path(name: str) -> None:
    os.mkfifo(name)


def make_shm(name: str) -> None:
    posix_ipc.SharedMemory(name, posix_ipc.O_CREX, size=4096).close_fd()


def make_semaphore(name: str) -> None:
    posix_ipc.Semaphore(name, posix_ipc.O_CREX).close()


def make_mqueue(name: str) -> None:
    posix_ipc.MessageQueue(name, posix_ipc.O_CREX).close()


@pytest.mark.real
@pytest.mark.parametrize(
    ("kind", "make"),
    [("path", make_path), ("shm", make_shm), ("semaphore", make_semaphore), ("mqueue", make_mqueue)],
)
def test_a_name_is_taken_away_once(kind: Kind, make: Callable[[str], None], tmp_path: Path) -> None:
    name = str(tmp_path / "fifo") if kind == "path" else f"/{new_name()}"
    try:
        make(name)
    except (OSError, posix_ipc.Error, ValueError, AttributeError) as error:
        pytest.skip(f"this machine has no {kind}: {error}")
    assert remove(kind, name) is True
    assert remove(kind, name) is False
    make(name)  # it is free again
    assert remove(kind, name) is True


def test_a_strangers_file_where_a_fifo_was_is_left(tmp_path: Path) -> None:
    path = tmp_path / "orders"
    path.write_text("not ours")
    assert remove("path", str(path)) is False
    (tmp_path / "link").symlink_to(path)
    assert remove("path", str(tmp_path / "link")) is False
    assert path.read_text() == "not ours"
    own = tmp_path / new_name()
    own.write_text("what a dead laboratory left, `ipctui clean` removes")
    assert remove("path", str(own)) is True


def test_what_may_not_be_removed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Is a directory|Operation not permitted"):
        remove("path", str(tmp_path))
