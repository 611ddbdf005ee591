import ctypes
import fcntl
import os
import select
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel import descriptors as module
from ipctui.kernel.descriptors import (
    Descriptor,
    access_of,
    descriptors,
    find_holders,
    holders,
    kind_of,
    parse_flags,
)
from ipctui.kernel.process import ProcessProbe

from .conftest import Spawn, eventually

PAUSE = "import signal; print(flush=True); signal.pause()"


def row(number: int, target: str, access: module.Access, inode: tuple[int, int] | None = None) -> Descriptor:
    return Descriptor(
        number=number,
        target=target,
        kind="pipe",
        access=access,
        nonblocking=False,
        close_on_exec=False,
        packets=False,
        append=False,
        inode=inode,
        unlinked=False,
    )


@pytest.mark.parametrize(
    ("target", "mode", "device", "kind"),
    [
        ("pipe:[24494]", stat.S_IFIFO, 0, "pipe"),
        ("/run/mailbox", stat.S_IFIFO, 0, "fifo"),
        ("socket:[91]", stat.S_IFSOCK, 0, "socket"),
        ("/memfd:ring (deleted)", stat.S_IFREG, 0, "memfd"),
        ("/dev/shm/ring", stat.S_IFREG, 0, "shm"),
        ("anon_inode:[eventfd]", 0, 0, "eventfd"),
        ("anon_inode:[pidfd]", None, 0, "pidfd"),
        ("pidfd:[4711]", None, 0, "pidfd"),
        ("anon_inode:[eventpoll]", 0, 0, "epoll"),
        ("anon_inode:[io_uring]", 0, 0, "other"),
        ("/dev/pts/0", stat.S_IFCHR, os.makedev(136, 0), "tty"),
        ("/dev/tty", stat.S_IFCHR, os.makedev(5, 0), "tty"),
        ("/dev/null", stat.S_IFCHR, os.makedev(1, 3), "device"),
        ("/dev/vda", stat.S_IFBLK, os.makedev(254, 0), "device"),
        ("/tmp", stat.S_IFDIR, 0, "directory"),
        ("/etc/hosts", stat.S_IFREG, 0, "file"),
        ("/etc/hosts", None, 0, "other"),
    ],
)
def test_kinds(target: str, mode: int | None, device: int, kind: str) -> None:
    assert kind_of(target, mode, device) == kind


def test_captured_fdinfo() -> None:
    assert parse_flags("pos:\t0\nflags:\t0104001\nmnt_id:\t15\nino:\t24494\n") == 0o104001
    assert parse_flags("pos:\t0\nflags:\t9\n") is None
    assert parse_flags("pos:\t0\n") is None


@given(st.integers(0, 2**31 - 1), st.text())
def test_flags_come_back_and_no_text_raises(flags: int, text: str) -> None:
    assert parse_flags(f"pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t15\n") == flags
    parse_flags(text)
    parse_flags("flags:" + text)
    kind_of(text, None)
    assert access_of(flags) in ("read", "write", "read-write", "path")


def test_holders_by_name_and_by_inode() -> None:
    tables = {
        9: [row(4, "pipe:[7]", "write", (1, 7)), row(5, "pipe:[8]", "read", (1, 8))],
        3: [row(3, "pipe:[7]", "read", (1, 7)), row(6, "pipe:[7]", "read-write", (1, 7))],
        5: [row(3, "pipe:[7]", "path", None)],
    }
    for name in ("pipe:[7]", (1, 7)):
        found = holders(name, tables)
        assert [(one.pid, one.descriptor.number) for one in found.readers] == [(3, 3), (3, 6)]
        assert [(one.pid, one.descriptor.number) for one in found.writers] == [(3, 6), (9, 4)]
    assert holders("pipe:[9]", tables) == module.Holders((), ())


@pytest.mark.real
def test_every_kind_in_a_child_against_fstat(spawn: Spawn, tmp_path: Path) -> None:
    opened: list[int] = []
    expected: dict[int, tuple[str, str]] = {}

    def keep(fd: int, kind: str, access: str) -> None:
        opened.append(fd)
        expected[fd] = (kind, access)

    os.mkfifo(tmp_path / "fifo")
    reader, writer = os.pipe()
    keep(reader, "pipe", "read")
    keep(writer, "pipe", "write")
    keep(os.open(tmp_path / "fifo", os.O_RDWR | os.O_NONBLOCK), "fifo", "read-write")
    keep(os.open(tmp_path / "fifo", os.O_PATH), "fifo", "path")
    keep(os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND), "file", "write")
    keep(os.open(tmp_path / "gone", os.O_RDONLY | os.O_CREAT), "file", "read")
    (tmp_path / "gone").unlink()
    keep(os.open(tmp_path, os.O_RDONLY), "directory", "read")
    keep(os.open("/dev/null", os.O_RDWR), "device", "read-write")
    keep(os.memfd_create("ring"), "memfd", "read-write")
    keep(os.eventfd(0), "eventfd", "read-write")
    keep(os.pidfd_open(os.getpid()), "pidfd", "read-write")
    pair = socket.socketpair()
    keep(pair[0].detach(), "socket", "read-write")
    keep(pair[1].detach(), "socket", "read-write")
    poll = select.epoll()
    keep(os.dup(poll.fileno()), "epoll", "read-write")
    poll.close()
    main, terminal = os.openpty()
    keep(main, "tty", "read-write")
    keep(terminal, "tty", "read-write")
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_WRONLY | os.O_NONBLOCK | os.O_DIRECT)
    try:
        child = spawn(PAUSE, pass_fds=tuple(opened))
        assert child.stdout is not None
        child.stdout.readline()
        rows = {one.number: one for one in descriptors(child.pid)}
        assert list(rows) == sorted(rows)
        assert {fd: (rows[fd].kind, rows[fd].access) for fd in opened} == expected
        for fd in opened:
            status = os.fstat(fd)
            assert rows[fd].inode == (status.st_dev, status.st_ino)
            assert rows[fd].unlinked == (status.st_nlink == 0)
            assert rows[fd].target == os.readlink(f"/proc/self/fd/{fd}")
            if expected[fd][1] != "path":
                assert rows[fd].nonblocking == (not os.get_blocking(fd))
            assert not rows[fd].close_on_exec
        assert [fd for fd in opened if rows[fd].packets] == [writer]
        assert [fd for fd in opened if rows[fd].append] == [opened[4]]
        assert [fd for fd in opened if rows[fd].unlinked] == [opened[5], opened[8]]
        mine = {one.number: one for one in descriptors(os.getpid())}
        assert mine[reader].close_on_exec
    finally:
        for fd in opened:
            os.close(fd)


@pytest.mark.real
def test_a_message_queue_is_no_file() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    name = f"/ipctui-test-{os.getpid()}".encode()
    queue = libc.mq_open(name, os.O_RDWR | os.O_CREAT, 0o600, None)
    if queue < 0:
        pytest.skip(f"mq_open: {os.strerror(ctypes.get_errno())}")
    try:
        row = next(one for one in descriptors(os.getpid(), below=queue + 1) if one.number == queue)
        assert (row.kind, row.target, row.access) == ("mqueue", name.decode(), "read-write")
    finally:
        os.close(queue)
        libc.mq_unlink(name)


@pytest.mark.real
def test_a_name_that_ends_like_a_deleted_one_is_still_a_name(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "notes (deleted)", os.O_RDWR | os.O_CREAT)
    try:
        row = next(one for one in descriptors(os.getpid()) if one.number == fd)
        assert row.target.endswith("notes (deleted)")
        assert not row.unlinked
    finally:
        os.close(fd)


@pytest.mark.real
def test_high_numbers_are_left_out() -> None:
    fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 300)
    try:
        assert fd not in [one.number for one in descriptors(os.getpid())]
        assert fd in [one.number for one in descriptors(os.getpid(), below=fd + 1)]
    finally:
        os.close(fd)


@pytest.mark.real
def test_looking_does_not_release_who_waits_to_open_a_fifo(spawn: Spawn, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    held = os.open(fifo, os.O_PATH)
    try:
        child = spawn("import os,sys; print(flush=True); os.open(sys.argv[1], os.O_WRONLY)", fifo, pass_fds=(held,))
        assert child.stdout is not None
        child.stdout.readline()

        with ProcessProbe(child.pid) as probe:

            def waits() -> bool:
                sample = probe.sample()
                return sample.letter == "S" and sample.call is not None and sample.call.name == "openat"

            eventually(waits)
            before = probe.sample()
            assert held in [one.number for one in descriptors(child.pid)]
            assert find_holders(str(fifo)).tables == {
                pid: tuple(one for one in descriptors(pid) if one.target == str(fifo))
                for pid in (os.getpid(), child.pid)
            }
            assert waits()
            assert probe.sample().voluntary == before.voluntary
    finally:
        os.close(held)


@pytest.mark.real
def test_a_process_that_is_gone(spawn: Spawn) -> None:
    child = spawn("pass")
    child.wait()
    with pytest.raises(ProcessLookupError):
        descriptors(child.pid)


@pytest.mark.real
def test_a_descriptor_that_closes_meanwhile_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module._numbers
    monkeypatch.setattr(module, "_numbers", lambda pid: [*real(pid), 150])
    rows = descriptors(os.getpid())
    assert rows
    assert 150 not in [one.number for one in rows]


@pytest.mark.real
def test_outside_holders_are_found(spawn: Spawn) -> None:
    reader, writer = os.pipe()
    try:
        child = spawn(PAUSE, pass_fds=(writer,))
        assert child.stdout is not None
        child.stdout.readline()
        target = os.readlink(f"/proc/self/fd/{reader}")
        search = find_holders(target)
        assert set(search.tables) == {child.pid, os.getpid()}
        found = holders(target, search.tables)
        assert [(one.pid, one.descriptor.number) for one in found.readers] == [(os.getpid(), reader)]
        assert {one.pid for one in found.writers} == {child.pid, os.getpid()}
        assert set(find_holders(target, skip=(os.getpid(),)).tables) == {child.pid}
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.real
def test_refused_processes_are_counted_and_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> list[int]:
        raise PermissionError(13, "refused")

    monkeypatch.setattr(module, "_processes", lambda: [1, 2, 3])
    monkeypatch.setattr(module, "_numbers", refused)
    monkeypatch.setattr(module, "_links", refused)
    assert find_holders("pipe:[7]") == module.Search({}, 3)
    with pytest.raises(PermissionError):
        descriptors(1)
