import ctypes
import errno
import os
import signal
import sys
import tempfile

import pytest

from ipctui.kernel import libc

from .conftest import Spawn, eventually

CHILD = """
import ctypes, signal
data = ctypes.create_string_buffer(b"shared words")
print(ctypes.addressof(data), flush=True)
signal.pause()
"""
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_elsewhere_every_call_says_that_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    libc._function.cache_clear()
    try:
        for attempt in (
            lambda: libc.tee(0, 1, 10),
            lambda: libc.pidfd_getfd(0, 0),
            lambda: libc.process_vm_readv(1, 0, 1),
            lambda: libc.filesystem_type("/"),
            lambda: libc.io_uring_setup(1),
            libc.set_child_subreaper,
            lambda: libc.set_parent_death_signal(9),
            lambda: libc.set_process_name("x"),
        ):
            with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)) as caught:
                attempt()
            assert caught.value.errno == errno.ENOSYS
    finally:
        libc._function.cache_clear()


@pytest.mark.real
def test_tee_copies_and_consumes_nothing() -> None:
    ends = [*os.pipe(), *os.pipe()]
    try:
        with pytest.raises(BlockingIOError):
            libc.tee(ends[0], ends[3], 100)
        os.write(ends[1], b"hello")
        assert libc.tee(ends[0], ends[3], 100) == 5
        assert os.read(ends[2], 10) == os.read(ends[0], 10) == b"hello"
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            libc.tee(ends[1], ends[3], 100)
        os.close(ends.pop(1))
        assert libc.tee(ends[0], ends[2], 100) == 0
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.real
def test_pidfd_getfd_shares_the_open_file_description(spawn: Spawn) -> None:
    with tempfile.TemporaryFile() as file:
        child = spawn("import signal; signal.pause()", pass_fds=(file.fileno(),))
        pidfd = os.pidfd_open(child.pid)
        try:
            copy = libc.pidfd_getfd(pidfd, file.fileno())
            try:
                os.lseek(file.fileno(), 42, os.SEEK_SET)
                assert os.lseek(copy, 0, os.SEEK_CUR) == 42
                assert not os.get_inheritable(copy)
            finally:
                os.close(copy)
            with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                libc.pidfd_getfd(pidfd, 190)
            child.kill()
            child.wait()
            with pytest.raises(ProcessLookupError):
                libc.pidfd_getfd(pidfd, file.fileno())
        finally:
            os.close(pidfd)


@pytest.mark.real
@pytest.mark.parametrize("refusal", [None, errno.EPERM, errno.ENOSYS])
def test_memory_of_a_child(spawn: Spawn, monkeypatch: pytest.MonkeyPatch, refusal: int | None) -> None:
    child = spawn(CHILD)
    assert child.stdout is not None
    address = int(child.stdout.readline())
    if refusal is not None:

        def refuse(*arguments: object) -> int:
            ctypes.set_errno(refusal)
            return -1

        monkeypatch.setattr(libc, "_function", lambda name, result: refuse)
    assert libc.process_vm_readv(child.pid, address, 12) == b"shared words"
    unmapped = f"{os.strerror(errno.EFAULT)}|{os.strerror(errno.EIO)}"
    with pytest.raises(OSError, match=unmapped):
        libc.process_vm_readv(child.pid, 16, 1)
    child.kill()
    child.wait()
    with pytest.raises(ProcessLookupError):
        libc.process_vm_readv(child.pid, address, 12)


@pytest.mark.real
def test_the_three_settings_of_a_process(spawn: Spawn) -> None:
    source = f"""
import sys; sys.path.insert(0, {ROOT!r})
import subprocess
from ipctui.kernel import libc
import ctypes, signal
libc.set_process_name("a rather long name")
libc.set_child_subreaper()
libc.set_parent_death_signal(signal.SIGTERM)
reaper, death = ctypes.c_int(), ctypes.c_int()
prctl = ctypes.CDLL(None).prctl
prctl(37, ctypes.byref(reaper), 0, 0, 0), prctl(2, ctypes.byref(death), 0, 0, 0)
print(reaper.value, death.value, flush=True)
signal.pause()
"""
    child = spawn(source)
    assert child.stdout is not None
    assert child.stdout.readline().split() == [b"1", str(int(signal.SIGTERM)).encode()]
    with open(f"/proc/{child.pid}/comm") as file:
        assert file.read() == "a rather long n\n"
    eventually(lambda: child.poll() is None)


@pytest.mark.real
def test_bad_arguments_carry_the_errno() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        libc.set_parent_death_signal(4000)
    with pytest.raises(FileNotFoundError):
        libc.filesystem_type("/nowhere at all")
    assert libc.filesystem_type("/proc") == 0x9FA0
