"""A file's row against ls(1), and that looking at a FIFO releases nobody who waits in open(2)."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipctui.kernel.files import listed
from ipctui.kernel.process import ProcessProbe
from ipctui.kernel.syscalls import SystemCall

from .conftest import eventually


def of_ls(path: Path) -> list[str]:
    done = subprocess.run(
        ["ls", "-lid", str(path)], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
    )
    return done.stdout.split()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    return path


@pytest.mark.skipif(shutil.which("ls") is None, reason="no ls(1) on this machine")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o4755, 0o000])
def test_a_row_is_that_of_ls(fifo: Path, mode: int) -> None:
    fifo.chmod(mode)
    row = listed(str(fifo))
    assert row is not None
    assert [str(row.inode), *row.row().split()] == of_ls(fifo)
    assert row.kind == "a FIFO"


@pytest.mark.skipif(shutil.which("ls") is None, reason="no ls(1) on this machine")
@pytest.mark.parametrize("days", [0, 100, 300, 4000, -2])
def test_an_old_file_has_its_year_where_ls_has_it(fifo: Path, days: int) -> None:
    then = time.time() - days * 86400
    os.utime(fifo, (then, then))
    row = listed(str(fifo))
    assert row is not None
    assert row.row().split() == of_ls(fifo)[1:]


def test_what_is_no_fifo_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
    kinds = {name: row.kind for name in ("file", "link", "socket") if (row := listed(str(tmp_path / name)))}
    assert kinds == {"file": "a regular file", "link": "a symbolic link", "socket": "a socket"}
    row = listed(str(tmp_path))
    assert row is not None
    assert row.kind == "a directory"


def test_a_name_that_is_none_and_one_that_may_not_be(tmp_path: Path) -> None:
    assert listed(str(tmp_path / "none")) is None
    (tmp_path / "file").touch()
    assert listed(str(tmp_path / "file" / "below")) is None
    with pytest.raises(OSError, match="too long"):
        listed(str(tmp_path / ("x" * 300)))


def test_an_unknown_owner_is_a_number(fifo: Path) -> None:
    try:
        os.chown(fifo, 54321, 54322)
    except PermissionError:
        pytest.skip("only root may give a file away")
    row = listed(str(fifo))
    assert row is not None
    assert (row.owner, row.group) == ("54321", "54322")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_looking_releases_nobody_who_waits_in_open(fifo: Path) -> None:
    waiting = subprocess.Popen([sys.executable, "-c", "import os, sys; os.open(sys.argv[1], os.O_WRONLY)", str(fifo)])
    try:
        probe = ProcessProbe(waiting.pid)

        def in_open() -> bool:
            call = probe.sample().call
            return isinstance(call, SystemCall) and call.name in ("openat", "open") and asleep()

        def asleep() -> bool:
            return (probe.sample().wchan or "").endswith("partner")

        eventually(in_open)
        switches = probe.sample().voluntary
        for _ in range(1000):
            row = listed(str(fifo))
            assert row is not None
            assert stat.filemode(os.stat(fifo).st_mode) == row.mode
        assert in_open()
        assert probe.sample().voluntary == switches, "it has not even been woken"
        probe.close()
    finally:
        waiting.kill()
        waiting.wait()
