import errno
import os
import signal
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel import process
from ipctui.kernel.process import ProcessProbe, ProcessSample, parse_stat, parse_voluntary

from .conftest import Spawn, eventually, open_here

STAT = (
    "4711 (python3) S 4700 4711 4700 34817 4711 4194304 1210 0 3 0 7 2 0 0 20 0 1 0 183422 18345984 2301 "
    "18446744073709551615 4325376 7286549 140720901 0 0 0 0 16781312 2 0 0 0 17 1 0 0 0 0 0 1 2 3 4 5 6 7 9"
)
READ = "import os,sys; os.read(int(sys.argv[1]), 100)"
WRITE = "import os,sys\nwhile True: os.write(int(sys.argv[1]), bytes(4096))"


def test_a_captured_stat() -> None:
    stat = parse_stat(STAT)
    assert stat is not None
    assert (stat.name, stat.letter, stat.ppid, stat.user_ticks, stat.system_ticks) == (
        "python3",
        "S",
        4700,
        7,
        2,
    )
    assert (stat.start_time, stat.exit_code) == (183422, 9)


@given(st.text(max_size=15))
def test_any_name_is_found(name: str) -> None:
    stat = parse_stat(STAT.replace("python3", name))
    assert stat is not None
    assert (stat.name, stat.letter, stat.start_time) == (name, "S", 183422)


@given(st.text() | st.text("()0123456789 SRZ\n"), st.integers(0, len(STAT)))
def test_no_text_makes_the_parsers_raise(text: str, cut: int) -> None:
    parse_stat(text)
    parse_stat(STAT[:cut] + text)
    parse_voluntary(text)
    parse_voluntary("\nvoluntary_ctxt_switches:" + text)


@given(st.integers(0, 2**63))
def test_voluntary_switches(count: int) -> None:
    text = f"Name:\tx\nvoluntary_ctxt_switches:\t{count}\nnonvoluntary_ctxt_switches:\t7\n"
    assert parse_voluntary(text) == count
    assert parse_voluntary("Name:\tx\nnonvoluntary_ctxt_switches:\t7\n") is None


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "status 0"), (256, "status 1"), (9, "signal SIGKILL"), (0x8B, "signal SIGSEGV"), (60, "signal 60")],
)
def test_exit_reason(status: int, words: str) -> None:
    assert process.exit_reason(status) == words


def blocked_in(probe: ProcessProbe, name: str) -> ProcessSample:
    found: list[ProcessSample] = []

    def asleep() -> bool:
        found.append(probe.sample())
        call = found[-1].call
        return found[-1].letter == "S" and call is not None and call.name == name

    eventually(asleep)
    return found[-1]


@pytest.mark.real
def test_a_child_asleep_in_read_and_in_write(spawn: Spawn) -> None:
    reader, writer = os.pipe()
    try:
        for source, end, name in ((READ, reader, "read"), (WRITE, writer, "write")):
            child = spawn(source, end, pass_fds=(end,))
            with ProcessProbe(child.pid) as probe:
                sample = blocked_in(probe, name)
                again = probe.sample()
            assert sample.call is not None
            assert sample.call.fd == end
            assert (sample.alive, sample.running, sample.refused) == (True, False, None)
            assert sample.ppid == os.getpid()
            with open(f"/proc/{child.pid}/wchan") as file:
                assert sample.wchan == file.read()
            assert (again.call, again.voluntary) == (sample.call, sample.voluntary)
            with open(f"/proc/{child.pid}/status") as file:
                assert f"\nvoluntary_ctxt_switches:\t{sample.voluntary}\n" in file.read()
            child.kill()
            child.wait()
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.real
def test_waking_is_told_by_the_switches_even_when_the_call_is_the_same(spawn: Spawn) -> None:
    reader, writer = os.pipe()
    try:
        child = spawn("import os,sys\nwhile True: os.read(int(sys.argv[1]), 1)", reader, pass_fds=(reader,))
        with ProcessProbe(child.pid) as probe:
            before = blocked_in(probe, "read")
            os.write(writer, b"x")
            eventually(lambda: probe.sample(switches=True).voluntary != before.voluntary)
            assert blocked_in(probe, "read").call == before.call
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.real
def test_a_spinning_child_runs_and_its_processor_time_grows(spawn: Spawn) -> None:
    child = spawn("print(flush=True)\nwhile True: pass")
    assert child.stdout is not None
    child.stdout.readline()
    with ProcessProbe(child.pid) as probe:
        eventually(lambda: probe.sample().running)
        first = probe.sample()
        eventually(lambda: probe.sample().user_ns > first.user_ns)
        assert (first.letter, first.call, first.wchan) == ("R", None, None)
        assert first.voluntary is None
        assert probe.sample(switches=True).voluntary is not None
        child.send_signal(signal.SIGSTOP)
        eventually(lambda: probe.sample().letter == "T")
        assert probe.sample().alive


@pytest.mark.real
@pytest.mark.parametrize(
    ("last", "words"), [("sys.exit(3)", "status 3"), ("sys.exit(0)", "status 0"), (None, "signal SIGKILL")]
)
def test_a_zombie_tells_how_it_ended_and_then_is_gone(spawn: Spawn, last: str | None, words: str) -> None:
    child = spawn(f"import sys; sys.stdin.read(); {last or 'pass'}", stdin=subprocess.PIPE)
    probe = ProcessProbe(child.pid)
    assert child.stdin is not None
    began = blocked_in(probe, "read").start_time
    if last is None:
        child.kill()
    child.stdin.close()
    eventually(lambda: probe.sample().letter == "Z")
    zombie = probe.sample(switches=True)
    assert (zombie.alive, zombie.call, zombie.refused, zombie.running) == (False, None, None, False)
    assert zombie.exit_code is not None
    assert process.exit_reason(zombie.exit_code) == words
    assert process.command_line(child.pid) == f"[{zombie.name}]"
    child.wait()
    gone = probe.sample()
    assert (gone.alive, gone.letter, gone.start_time, gone.refused) == (False, "", began, None)
    assert process.start_time(child.pid) is None
    assert process.command_line(child.pid) == ""
    probe.close()
    with pytest.raises(ProcessLookupError):
        ProcessProbe(child.pid)


@pytest.mark.real
def test_ending_between_two_readings_is_no_refusal(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    child = spawn("import time; time.sleep(60)")
    with ProcessProbe(child.pid) as probe:
        living = probe._read("stat")
        child.kill()
        eventually(lambda: probe.sample().letter == "Z")
        real = probe._read
        answers = [living]
        monkeypatch.setattr(probe, "_read", lambda name: answers.pop() if name == "stat" and answers else real(name))
        sample = probe.sample()
    assert (sample.alive, sample.running, sample.call, sample.refused) == (True, False, None, None)


@pytest.mark.real
def test_a_name_with_parentheses_and_newline(spawn: Spawn) -> None:
    source = "import ctypes,time; ctypes.CDLL(None).prctl(15, b') R 1 (\\nx', 0, 0, 0); time.sleep(60)"
    with ProcessProbe(spawn(source).pid) as probe:
        eventually(lambda: probe.sample().name == ") R 1 (\nx")
        assert blocked_in(probe, "clock_nanosleep").ppid == os.getpid()


@pytest.mark.real
def test_children_and_their_command_line(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    child = spawn("import time; time.sleep(60)", "two words")
    eventually(lambda: process.command_line(child.pid).endswith("time.sleep(60) two words"))
    assert child.pid in process.children(os.getpid())
    assert process.children(child.pid) == ()
    assert child.pid in process._children_by_stat(os.getpid())
    assert process.start_time(child.pid) is not None


@pytest.mark.real
def test_the_probe_keeps_low_numbers_free_and_leaves_nothing_open(spawn: Spawn) -> None:
    child = spawn("import time; time.sleep(60)")
    before = set(open_here())
    probe = ProcessProbe(child.pid)
    added = {int(name) for name in set(open_here()) - before}
    assert len(added) == 4
    assert min(added) >= 200
    assert not any(os.get_inheritable(fd) for fd in added)
    probe.close()
    probe.close()
    assert set(open_here()) == before
    with pytest.raises(ValueError, match="closed"):
        probe.sample()


@pytest.mark.real
def test_a_refusal_is_a_sentence_and_never_running(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    child = spawn("import time; time.sleep(60)")
    real = os.open

    def refusing(path: str, flags: int) -> int:
        if path.endswith(("/syscall", "/wchan")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags)

    monkeypatch.setattr(os, "open", refusing)
    with ProcessProbe(child.pid) as probe:
        sample = probe.sample()
    assert sample.refused == f"the kernel refuses /proc/{child.pid}/syscall to this user"
    assert (sample.alive, sample.running, sample.call, sample.wchan) == (True, False, None, None)


@pytest.mark.real
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everybody")
def test_the_first_process_is_refused_to_an_ordinary_user() -> None:
    with ProcessProbe(1) as probe:
        sample = probe.sample()
    assert sample.alive
    assert sample.refused == "the kernel refuses /proc/1/syscall to this user"
    assert not sample.running


@pytest.mark.real
def test_a_sample_is_cheap(spawn: Spawn) -> None:
    child = spawn("import time; time.sleep(60)")
    with ProcessProbe(child.pid) as probe:
        blocked_in(probe, "clock_nanosleep")
        best = 1.0
        for _ in range(200):
            begin = time.perf_counter()
            probe.sample()
            best = min(best, time.perf_counter() - begin)
    assert best < 0.001
