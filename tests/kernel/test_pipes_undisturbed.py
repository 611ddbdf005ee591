import os

import pytest

from ipctui.kernel import libc
from ipctui.kernel.descriptors import find_holders
from ipctui.kernel.pipes import PipeObserver
from ipctui.kernel.process import ProcessProbe

from .conftest import PATIENCE, Spawn, eventually, open_here

pytestmark = pytest.mark.real

PAUSE = "import signal; print(flush=True); signal.pause()"
WRITER = """
import os, sys
try:
    while True: os.write(int(sys.argv[1]), bytes(int(sys.argv[2])))
except BrokenPipeError:
    sys.exit(32)
"""
READER = "import os, sys; sys.exit(7 if os.read(int(sys.argv[1]), 10) == b'' else 1)"


def test_a_blocked_writer_stays_blocked_and_gets_its_epipe(
    spawn: Spawn, observer: PipeObserver, pipe: list[int]
) -> None:
    reader, writer = pipe
    target = os.readlink(f"/proc/self/fd/{reader}")
    holder = spawn(PAUSE, pass_fds=(reader,))
    assert holder.stdout is not None
    holder.stdout.readline()
    child = spawn(WRITER, writer, 4096, pass_fds=(writer,))
    with ProcessProbe(child.pid) as probe:
        eventually(lambda: (call := probe.sample().call) is not None and call.name == "write")
        while pipe:
            os.close(pipe.pop())
        before = probe.sample()
        views = [observer.observe(holder.pid, reader) for _ in range(100)]
        assert probe.sample().call == before.call
        assert probe.sample().voluntary == before.voluntary
    assert all(view.used == view.capacity and view.slots_used == view.slots for view in views)
    assert {view.writable for view in views} == {False}
    assert set(find_holders(target).tables) == {holder.pid, child.pid}
    holder.kill()
    assert child.wait(PATIENCE) == 32


def test_a_blocked_reader_stays_blocked_and_gets_its_end_of_file(
    spawn: Spawn, observer: PipeObserver, pipe: list[int]
) -> None:
    reader, writer = pipe
    holder = spawn(PAUSE, pass_fds=(writer,))
    assert holder.stdout is not None
    holder.stdout.readline()
    child = spawn(READER, reader, pass_fds=(reader,))
    with ProcessProbe(child.pid) as probe:
        eventually(lambda: (call := probe.sample().call) is not None and call.name == "read")
        while pipe:
            os.close(pipe.pop())
        before = probe.sample()
        for pid, fd in ((child.pid, reader), (holder.pid, writer)) * 50:
            view = observer.observe(pid, fd)
            assert (view.used, view.writable) == (0, True)
        assert probe.sample().voluntary == before.voluntary
        assert probe.sample().call == before.call
    holder.kill()
    assert child.wait(PATIENCE) == 7


def test_an_end_of_ours_would_have_kept_epipe_away(spawn: Spawn, pipe: list[int]) -> None:
    """Without this the two tests above could pass for another reason."""
    reader, writer = pipe
    holder = spawn(PAUSE, pass_fds=(reader,))
    assert holder.stdout is not None
    holder.stdout.readline()
    pidfd = os.pidfd_open(holder.pid)
    kept = libc.pidfd_getfd(pidfd, reader)
    os.close(pidfd)
    os.close(pipe.pop(0))
    holder.kill()
    holder.wait()
    try:
        assert os.write(writer, b"x") == 1
    finally:
        os.close(kept)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")


def test_a_pidfd_is_used_and_not_closed(spawn: Spawn, observer: PipeObserver, pipe: list[int]) -> None:
    reader, writer = pipe
    holder = spawn(PAUSE, pass_fds=(reader,))
    assert holder.stdout is not None
    holder.stdout.readline()
    os.write(writer, b"hello")
    pidfd = os.pidfd_open(holder.pid)
    try:
        before = open_here()
        assert observer.observe(holder.pid, reader, pidfd=pidfd).contents == b"hello"
        assert open_here() == before
        holder.kill()
        holder.wait()
        view = observer.observe(holder.pid, reader, pidfd=pidfd)
        assert (view.method, view.refused) == ("none", f"process {holder.pid} has ended")
    finally:
        os.close(pidfd)
