import errno
import fcntl
import os
import struct
import termios
import time
from pathlib import Path

import pytest

from ipctui.kernel import libc
from ipctui.kernel.descriptors import find_holders
from ipctui.kernel.pipes import PipeObserver

from .conftest import Spawn, open_here

pytestmark = pytest.mark.real

F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
PAGE = os.sysconf("SC_PAGE_SIZE")


def fill(writer: int, size: int) -> int:
    os.set_blocking(writer, False)
    written = 0
    try:
        while True:
            written += os.write(writer, bytes([written % 251]) * size)
    except BlockingIOError:
        return written


def packet_mode(writer: int) -> None:
    fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_DIRECT)


def level(fd: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])


@pytest.mark.skipif(PAGE != 4096, reason="the figures are those of 4 KiB pages")
@pytest.mark.parametrize(
    ("size", "full"), [(3000, 48000), (2049, 32784), (1, 65536), (64, 65536), (100, 64000), (4096, 65536)]
)
def test_known_layouts_are_full(observer: PipeObserver, pipe: list[int], size: int, full: int) -> None:
    reader, writer = pipe
    assert fill(writer, size) == full
    view = observer.observe(os.getpid(), reader)
    assert (view.used, view.capacity, view.slots, view.slots_used) == (full, 65536, 16, 16)
    assert (view.writable, view.packets, view.method, view.refused) == (False, None, "pidfd_getfd", None)
    assert fcntl.fcntl(reader, F_GETPIPE_SZ) == view.capacity
    assert level(reader) == view.used
    assert os.read(reader, 1 << 20) == view.contents


@pytest.mark.skipif(PAGE != 4096, reason="the figures are those of 4 KiB pages")
@pytest.mark.parametrize("slots", [1, 2, 4, 16, 64])
def test_packets_fill_one_slot_each(observer: PipeObserver, pipe: list[int], slots: int) -> None:
    reader, writer = pipe
    fcntl.fcntl(writer, F_SETPIPE_SZ, slots * PAGE)
    packet_mode(writer)
    for count in range(1, slots + 1):
        os.write(writer, bytes([count]))
        view = observer.observe(os.getpid(), reader)
        assert (view.used, view.slots, view.slots_used) == (count, slots, count)
        assert view.packets == (1,) * count
        assert view.writable is (count < slots)
    assert fill(writer, 1) == 0


def test_packets_of_many_lengths_come_out_as_they_are_read(observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    packet_mode(writer)
    sent = [b"a" * 5, b"b" * (PAGE + 1), b"c" * 9, b"d" * PAGE]
    for packet in sent:
        os.write(writer, packet)
    view = observer.observe(os.getpid(), reader)
    assert view.contents == b"".join(sent)
    assert view.packets == (5, PAGE, 1, 9, PAGE)
    assert view.slots_used == 5
    assert tuple(len(os.read(reader, 1 << 20)) for _ in view.packets) == view.packets


def test_a_half_read_first_slot_stays_taken(observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4 * PAGE)
    assert fill(writer, PAGE) == 4 * PAGE
    for left in (PAGE - 1000, 1):
        os.read(reader, level(reader) - 3 * PAGE - left)
        view = observer.observe(os.getpid(), reader)
        assert (view.used, view.slots_used, view.writable) == (3 * PAGE + left, 4, False)
        with pytest.raises(BlockingIOError):
            os.write(writer, b"x" * PAGE)
    os.read(reader, 1)
    view = observer.observe(os.getpid(), reader)
    assert (view.slots_used, view.writable) == (3, True)
    assert os.write(writer, b"x" * PAGE) == PAGE


def test_short_writes_share_a_slot(observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    for text in (b"one ", b"two ", b"three"):
        os.write(writer, text)
    view = observer.observe(os.getpid(), reader)
    assert (view.contents, view.slots_used, view.packets) == (b"one two three", 1, None)
    os.write(writer, b" four")
    view = observer.observe(os.getpid(), reader)
    assert (view.contents, view.slots_used) == (b"one two three four", 1)


def test_sizes_change_between_looks(observer: PipeObserver) -> None:
    for size in (PAGE, 1 << 20, 2 * PAGE, 65536, PAGE):
        reader, writer = os.pipe()
        try:
            if fcntl.fcntl(writer, F_SETPIPE_SZ, size) != size:
                pytest.skip("this user may not have a pipe of 1 MiB")
            assert fill(writer, PAGE) == size
            view = observer.observe(os.getpid(), reader, limit=1 << 20)
            assert (view.used, view.capacity, view.slots_used) == (size, size, size // PAGE)
            assert view.contents == os.read(reader, 1 << 20)
        finally:
            os.close(reader)
            os.close(writer)


def test_empty_ended_and_limited(observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    view = observer.observe(os.getpid(), reader)
    assert (view.used, view.contents, view.slots_used, view.writable) == (0, b"", 0, True)
    os.write(writer, b"0123456789")
    view = observer.observe(os.getpid(), reader, limit=4)
    assert (view.used, view.contents) == (10, b"0123")
    view = observer.observe(os.getpid(), reader, contents=False)
    assert (view.used, view.contents, view.slots_used, view.refused) == (10, None, None, None)
    assert os.read(reader, 20) == b"0123456789"
    os.close(pipe.pop())
    assert observer.observe(os.getpid(), reader).contents == b""
    assert os.read(reader, 1) == b""


def test_a_write_end_tells_the_level_alone(observer: PipeObserver, pipe: list[int]) -> None:
    _, writer = pipe
    written = fill(writer, 3000)
    view = observer.observe(os.getpid(), writer)
    assert (view.used, view.contents, view.slots_used) == (written, None, None)
    assert view.writable is False
    assert view.refused is not None
    assert "write end" in view.refused


@pytest.fixture
def no_getfd(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pidfd: int, fd: int) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(libc, "pidfd_getfd", refuse)


@pytest.mark.usefixtures("no_getfd")
def test_without_pidfd_getfd_a_read_end_is_opened_anew(spawn: Spawn, observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    target = os.readlink(f"/proc/self/fd/{reader}")
    os.write(writer, b"hello")
    view = observer.observe(os.getpid(), reader)
    assert (view.contents, view.method, view.slots_used) == (b"hello", "/proc/PID/fd", 1)
    assert os.get_blocking(reader)
    assert len(find_holders(target).tables[os.getpid()]) == 2
    view = observer.observe(os.getpid(), writer)
    assert (view.used, view.capacity, view.method) == (None, None, "none")
    assert view.refused is not None
    assert os.read(reader, 10) == b"hello"


@pytest.mark.usefixtures("no_getfd")
def test_nothing_but_a_pipe_is_opened(observer: PipeObserver, tmp_path: Path) -> None:
    terminal, other = os.openpty()
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDONLY)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    named = os.open(fifo, os.O_PATH)
    try:
        for fd in (terminal, other, file, named, 190):
            view = observer.observe(os.getpid(), fd)
            assert (view.used, view.method) == (None, "none")
            assert view.refused is not None
    finally:
        for fd in (terminal, other, file, named):
            os.close(fd)


def test_what_is_no_pipe_is_refused_in_a_sentence(observer: PipeObserver) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        for fd in (null, 190):
            view = observer.observe(os.getpid(), fd)
            assert view.refused == f"descriptor {fd} of process {os.getpid()} is not an open pipe"
            assert (view.used, view.capacity, view.slots, view.contents, view.writable) == (None,) * 5
    finally:
        os.close(null)


def test_a_fifo_held_for_both_is_read_and_stays_as_it_was(observer: PipeObserver, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    try:
        os.write(both, b"hello")
        view = observer.observe(os.getpid(), both)
        assert (view.contents, view.slots_used, view.writable) == (b"hello", 1, True)
        assert os.get_blocking(both)
        assert os.read(both, 10) == b"hello"
    finally:
        os.close(both)


def test_without_room_for_the_copy_the_level_is_left(
    observer: PipeObserver, pipe: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def limited(fd: int, command: int, argument: int = 0) -> int:
        if command == F_SETPIPE_SZ:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real(fd, command, argument)

    reader, writer = pipe
    real(writer, F_SETPIPE_SZ, 131072)
    os.write(writer, b"hello")
    monkeypatch.setattr(fcntl, "fcntl", limited)
    view = observer.observe(os.getpid(), reader)
    assert (view.used, view.capacity, view.slots_used, view.contents, view.writable) == (
        5,
        131072,
        None,
        None,
        None,
    )
    assert view.refused is not None
    assert "131072" in view.refused


def test_the_scratch_pipe_keeps_low_numbers_free_and_is_closed() -> None:
    before = set(open_here())
    observer = PipeObserver()
    added = {int(name) for name in set(open_here()) - before}
    assert len(added) == 2
    assert min(added) >= 200
    assert not any(os.get_inheritable(fd) for fd in added)
    observer.close()
    observer.close()
    assert set(open_here()) == before
    with pytest.raises(ValueError, match="closed"):
        observer.observe(os.getpid(), 0)


def test_a_look_is_cheap(observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    fill(writer, 4096)
    best = 1.0
    for _ in range(200):
        begin = time.perf_counter()
        observer.observe(os.getpid(), reader)
        best = min(best, time.perf_counter() - begin)
    assert best < 0.002
