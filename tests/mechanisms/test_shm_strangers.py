"""Processes of other people's that map the segment: found without the picture standing still."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipctui.kernel import shared_memory
from ipctui.mechanisms.shm import strangers
from ipctui.mechanisms.shm.strangers import Strangers

LATER = 4_000_000_000
_MAPS = """
import mmap, sys
file = open(sys.argv[1], "r+b")
print(flush=True)
input()
memory = mmap.mmap(file.fileno(), 0)
print(flush=True)
input()
memory.close()
print(flush=True)
input()
"""


@contextmanager
def stranger(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that maps a file at the first line it gets, and gives it back at the second."""
    words = [sys.executable, "-I", "-c", _MAPS, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def next_step(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in /dev/shm."""
    made = shared_memory.FOLDER + f"/ipctui-test-{os.getpid()}"
    Path(made).write_bytes(bytes(8192))
    yield Path(made)
    os.unlink(made)


def all_round(seeker: Strangers, t: int, inode: tuple[int, int]) -> dict[str, list[shared_memory.Mapping]]:
    """What is known after one round has been looked to its end."""
    found = seeker.look(t, inode, ())
    for _ in range(100_000):
        if not seeker.under_way:
            return found
        found = seeker.look(t, inode, ())
    raise AssertionError("the round has no end")


def test_who_maps_it_is_found_in_the_next_round_and_who_lets_it_go_is_forgotten_in_the_one_after(path: Path) -> None:
    stat = path.stat()
    inode = (stat.st_dev, stat.st_ino)
    seeker = Strangers()
    with stranger(path) as process:
        assert all_round(seeker, 0, inode) == {}, "an open file is no mapping"
        next_step(process)
        (lines,) = all_round(seeker, LATER, inode).values()
        (line,) = [text for text in Path(f"/proc/{process.pid}/maps").read_text().splitlines() if str(path) in text]
        assert line.startswith(f"{lines[0].start:x}-{lines[0].end:x} {lines[0].permissions}")
        next_step(process)
        assert all_round(seeker, 2 * LATER, inode) == {}
        next_step(process)


def test_who_ends_is_forgotten(path: Path) -> None:
    stat = path.stat()
    seeker = Strangers()
    with stranger(path) as process:
        next_step(process)
        assert set(all_round(seeker, 0, (stat.st_dev, stat.st_ino))) == {f"pid {process.pid}"}
    assert all_round(seeker, LATER, (stat.st_dev, stat.st_ino)) == {}


def test_those_of_the_session_and_the_laboratory_itself_are_no_strangers(path: Path) -> None:
    stat = path.stat()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0), stranger(path) as process:
        next_step(process)
        seeker = Strangers()
        seeker.look(0, (stat.st_dev, stat.st_ino), {process.pid})
        while seeker.under_way:
            assert seeker.look(0, (stat.st_dev, stat.st_ino), {process.pid}) == {}


def test_no_look_reads_the_mappings_of_many_and_none_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def mappings(pid: int, inodes: object) -> list[shared_memory.Mapping]:
        read.append(pid)
        return []

    monkeypatch.setattr(strangers, "mappings", mappings)
    monkeypatch.setattr(strangers, "_size", lambda pid: b"1000")
    stat = path.stat()
    seeker = Strangers()
    before = 0
    seeker.look(0, (stat.st_dev, stat.st_ino), ())
    while seeker.under_way:
        assert len(read) - before <= 4
        before = len(read)
        seeker.look(0, (stat.st_dev, stat.st_ino), ())
    assert len(read) == len(set(read)) > 1
    first = set(read)
    all_round(seeker, LATER, (stat.st_dev, stat.st_ino))
    assert len(read) == len(set(read)), "of an address space as large as before nothing is read again"
    assert set(read) >= first
