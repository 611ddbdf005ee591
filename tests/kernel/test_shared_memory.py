"""Segments and semaphores looked at from outside, against posix_ipc, mmap and os.stat."""

import mmap
import os
import struct
from collections.abc import Iterator

import posix_ipc
import pytest

from ipctui.kernel.shared_memory import (
    SegmentFile,
    mappings,
    parse_maps,
    parse_mutex,
    parse_semaphore,
    write_word,
)

MAPS = b"""55d0a8a00000-55d0a8a01000 r--p 00000000 08:01 77 /usr/bin/cat
7f0000000000-7f0000001000 rw-s 00000000 00:1a 42 /dev/shm/ring
7f0000002000-7f0000003000 rw-p 00001000 00:1a 42 /dev/shm/ring (deleted)
7ffc0000-7ffd0000 rw-p 00000000 00:00 0
not a line
"""


@pytest.fixture
def segment() -> Iterator[str]:
    name = f"/ipctui-test-{os.getpid()}-{os.urandom(4).hex()}"
    made = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, 0o600, 4096)
    made.close_fd()
    yield name
    try:
        posix_ipc.unlink_shared_memory(name)
    except posix_ipc.ExistentialError:
        pass


def test_the_maps_parser_tells_shared_from_private_and_leaves_junk_out() -> None:
    lines = list(parse_maps(MAPS))
    assert [line.path for line in lines] == ["/usr/bin/cat", "/dev/shm/ring", "/dev/shm/ring (deleted)", ""]
    ours = [line for line in lines if line.inode == (os.makedev(0, 0x1A), 42)]
    assert [(line.shared, line.start, line.offset) for line in ours] == [
        (True, 0x7F0000000000, 0),
        (False, 0x7F0000002000, 4096),
    ]


def test_who_has_it_mapped_is_found_and_lost_with_the_mapping(segment: str) -> None:
    file = SegmentFile(f"/dev/shm{segment}")
    assert file.open()
    stat = file.stat()
    assert stat is not None
    assert mappings(os.getpid(), {stat.inode}) == []
    fd = os.open(f"/dev/shm{segment}", os.O_RDWR)
    mapped = mmap.mmap(fd, 4096, flags=mmap.MAP_PRIVATE)
    os.close(fd)
    (found,) = mappings(os.getpid(), {stat.inode})
    assert not found.shared
    assert found.end - found.start == 4096
    mapped.close()
    assert mappings(os.getpid(), {stat.inode}) == []
    file.close()


def test_a_segment_is_read_after_its_name_is_gone_and_short_after_it_is_cut(segment: str) -> None:
    path = f"/dev/shm{segment}"
    write_word(path, 8, b"ABCDEFGH")
    file = SegmentFile(path)
    assert file.open()
    assert file.read(8, 8) == b"ABCDEFGH"
    os.truncate(path, 12)
    assert file.read(4096, 8) == b"ABCD"
    write_word(path, 8, b"too long for what is left")
    assert os.stat(path).st_size == 12, "nothing outside the segment is ever written"
    os.unlink(path)
    stat = file.stat()
    assert stat is not None
    assert (stat.links, stat.size) == (0, 12)
    assert file.named() is None
    assert file.read(4, 8) == b"ABCD"
    file.close()
    assert file.read(4, 8) == b""


def test_a_symbolic_link_in_dev_shm_is_not_followed(segment: str) -> None:
    path = f"/dev/shm{segment}.link"
    os.symlink("/etc/hostname", path)
    try:
        assert not SegmentFile(path).open()
        with pytest.raises(OSError, match=r"."):
            write_word(path, 0, b"x")
    finally:
        os.unlink(path)


def test_a_semaphores_file_has_its_value() -> None:
    name = f"/ipctui-test-{os.getpid()}-{os.urandom(4).hex()}"
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREX, 0o600, 5)
    try:
        semaphore.acquire()
        file = SegmentFile(f"/dev/shm/sem.{name[1:]}")
        assert file.open()
        view = parse_semaphore(file.read(8))
        assert view is not None
        assert view.value == semaphore.value == 4
        assert view.waiters == 0
        file.close()
    finally:
        semaphore.unlink()
        semaphore.close()
    assert parse_semaphore(b"\0\0\0") is None


@pytest.mark.parametrize(
    ("word", "owner", "died"),
    [(0, 0, False), (4711, 4711, False), (4711 | 0x80000000, 4711, False), (4711 | 0x40000000, 4711, True)],
)
def test_a_mutexs_word_tells_its_owner(word: int, owner: int, died: bool) -> None:
    view = parse_mutex(struct.pack("=III", word, 0, 0))
    assert view is not None
    assert (view.owner, view.owner_died) == (owner, died)
