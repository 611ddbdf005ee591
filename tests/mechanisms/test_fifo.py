"""What a class must see on the FIFO, with real processes; every claim of the screen by a second reader."""

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.kernel.process import ProcessProbe
from ipctui.kernel.syscalls import SystemCall
from ipctui.lab.state import cycle
from ipctui.mechanisms.fifo.caption import caption
from tests.lab.conftest import IPCTUI, Bench
from tests.mechanisms.laboratories import Laboratories
from tests.mechanisms.stepping import held

pytestmark = pytest.mark.real
Open = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Open]:
    """Opens laboratories of the FIFO at `tmp_path/fifo`, where nothing may be left when they are closed."""
    laboratories = Laboratories()

    def open_lab(variant: str = "one-way", **values: object) -> Bench:
        return laboratories.open("fifo", variant, **{"name": tmp_path / "fifo"} | values)

    yield open_lab
    laboratories.close()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("own")] == []


def in_the_kernel(lab: Bench, role: str) -> str | None:
    """The system call that a process sleeps in, read anew from /proc."""
    probe = ProcessProbe(lab.process(role).pid)
    try:
        call = probe.sample().call
        return call.name if isinstance(call, SystemCall) else None
    finally:
        probe.close()


def ends(lab: Bench, path: Path) -> list[tuple[str, int]]:
    """Who has the file open and with which access mode, from /proc/PID/fd and fdinfo alone."""
    found = []
    for role, process in lab.lab.state.processes.items():
        if not process.pid or process.exited is not None:
            continue
        for fd in Path(f"/proc/{process.pid}/fd").iterdir():
            if os.readlink(fd).removesuffix(" (deleted)") == str(path):
                info = Path(f"/proc/{process.pid}/fdinfo/{fd.name}").read_text()
                flags = next(int(line.split()[1], 8) for line in info.splitlines() if line.startswith("flags"))
                found.append((role, flags & os.O_ACCMODE))
    return sorted(found)


# one-way


def test_the_writer_sleeps_in_open_until_the_reader_comes(bench: Open, tmp_path: Path) -> None:
    lab = bench("one-way")
    state = lab.until_state("writer", "blocked", "open")
    assert in_the_kernel(lab, "writer") in ("openat", "open")
    assert state.reason == "no reader: reader (not running) must open it for reading"
    assert state.wakers == ("reader",)
    lab.until(lambda: "6 starts reader" in caption(lab.lab.state, "en"))
    lab.until(lambda: lab.lab.state.channels)
    file = lab.channel().facts["file"]
    there = os.stat(tmp_path / "fifo")
    assert stat.S_ISFIFO(there.st_mode)
    assert (file["inode"], file["mode"], file["links"]) == (there.st_ino, there.st_mode, 1)
    assert ends(lab, tmp_path / "fifo") == []
    assert lab.channel().readers == lab.channel().writers == ()
    # Watching for a while has let nobody go.
    until = time.monotonic() + 0.5
    lab.until(lambda: time.monotonic() >= until)
    assert in_the_kernel(lab, "writer") in ("openat", "open")
    assert lab.do("release reader").startswith("done")
    lab.until(lambda: lab.count("reader", "read") > 3)
    assert ends(lab, tmp_path / "fifo") == [("reader", os.O_RDONLY), ("writer", os.O_WRONLY)]
    lab.until(lambda: lab.channel().readers == ("reader",) and lab.channel().writers == ("writer",))


def test_kill_both_and_the_file_is_still_there_without_its_contents(bench: Open, tmp_path: Path) -> None:
    lab = bench("one-way", rate=0)
    lab.do("release reader")
    lab.until(lambda: lab.count("reader", "read") > 0)
    lab.do("hold reader")
    lab.until_state("writer", "blocked", "write")
    lab.until(lambda: lab.channel().used == 4096)
    lab.do("kill all")
    lab.until_ended("writer")
    lab.until_ended("reader")
    lab.until(lambda: lab.channel().used == 0 and lab.channel().capacity is None)
    assert stat.S_ISFIFO(os.stat(tmp_path / "fifo").st_mode)
    fd = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(fd, 1) == b""
    os.close(fd)
    lab.until(lambda: "the name outlives every process" in caption(lab.lab.state, "en"))
    lab.until(lambda: "이름은 프로세스보다 오래 산다" in caption(lab.lab.state, "ko"))


def test_unlink_while_open_disturbs_nobody_and_keeps_newcomers_out(bench: Open, tmp_path: Path) -> None:
    lab = bench("one-way", rate=100)
    lab.do("release reader")
    lab.until(lambda: lab.count("reader", "read") > 3)
    assert lab.do("unlink another").startswith("refused: unlink: ")
    assert (tmp_path / "fifo").exists()
    assert lab.do("unlink").startswith("done")
    assert not (tmp_path / "fifo").exists()
    read = lab.count("reader", "read")
    lab.until(lambda: lab.count("reader", "read") > read + 20, what="the two go on")
    lab.until(lambda: not lab.channel().facts["named"])
    lab.until(lambda: lab.channel().readers == ("reader",) and lab.channel().writers == ("writer",))
    told = "You unlinked the name: the FIFO that writer and reader have open lives until the last"
    lab.until(lambda: (said := caption(lab.lab.state, "en")).startswith(told) and "ENOENT" in said)
    assert lab.do("unlink") == "refused: unlink: the name is gone already; r begins anew"
    lab.do("restart reader")
    lab.until(lambda: lab.process("reader").status == "status 1", what="the new reader's end")
    lab.until(lambda: lab.events("failed"))
    assert (lab.events("failed")[0].data["call"], lab.events("failed")[0].data["errno"]) == ("open", "ENOENT")
    lab.until(lambda: "its open() failed: ENOENT" in caption(lab.lab.state, "en"))
    assert lab.until_ended("writer") == "signal SIGPIPE"


def test_a_stranger_who_deletes_it_is_told_of(bench: Open, tmp_path: Path) -> None:
    lab = bench("one-way")
    lab.do("release reader")
    lab.until(lambda: lab.count("reader", "read") > 3)
    os.unlink(tmp_path / "fifo")
    lab.until(lambda: caption(lab.lab.state, "en").startswith("A stranger deleted the file"))
    (tmp_path / "fifo").write_text("not yours")
    lab.until(lambda: "A regular file has the name now" in caption(lab.lab.state, "en"))
    assert "it is left" in lab.do("unlink")
    for command in ("restart writer", "restart reader", "restart all"):
        outcome = lab.do(command)
        assert outcome.startswith("refused: a regular file is at ")
        assert "\n" not in outcome
    assert lab.process("writer").exited is None, "nobody is ended for a restart that cannot be"
    assert (tmp_path / "fifo").read_text() == "not yours"
    (tmp_path / "fifo").unlink()
    assert lab.do("restart all") == "done"
    lab.until_state("writer", "blocked", "open")


def test_a_sleeper_in_open_whose_name_is_gone(bench: Open, tmp_path: Path) -> None:
    lab = bench("one-way")
    lab.until_state("writer", "blocked", "open")
    os.unlink(tmp_path / "fifo")
    lab.until(lambda: "the name is gone" in (lab.state("writer").reason or ""))
    lab.until(lambda: "sleeps in open()" in caption(lab.lab.state, "en"))
    lab.do("release reader")
    assert lab.until_ended("reader") == "status 1"


def test_another_fifo_of_the_same_name_is_another_fifo(bench: Open, tmp_path: Path) -> None:
    lab = bench("one-way")
    lab.do("release reader")
    lab.until(lambda: lab.count("reader", "read") > 3)
    inode = lab.channel().facts["file"]["inode"]
    os.unlink(tmp_path / "fifo")
    os.mkfifo(tmp_path / "fifo")
    place = f"{tmp_path}/fifo"
    lab.until(lambda: f"{place} (deleted)" in lab.lab.state.channels)
    channels = lab.lab.state.channels
    lab.until(lambda: lab.lab.state.channels[place].now.readers == ())
    assert channels[f"{place} (deleted)"].now.readers == ("reader",)
    assert channels[place].now.facts["file"]["inode"] == os.stat(place).st_ino
    assert inode in {
        os.stat(f"/proc/{lab.process('reader').pid}/fd/{row.fd}").st_ino for row in lab.process("reader").descriptors
    }


# The other variants.


def test_two_fifos_carry_questions_and_answers(bench: Open) -> None:
    lab = bench("two-way", rate=0, messages=50)
    lab.do("release client")
    assert lab.until_ended("client") == lab.until_ended("server") == "status 0"
    summary = lab.finish()
    assert summary.proofs["sent_messages"] == summary.proofs["received_messages"] == 100


def test_the_wrong_order_of_opening_deadlocks_in_open(bench: Open) -> None:
    lab = bench("deadlock")
    lab.do("release client")
    lab.until(lambda: set(cycle(lab.lab.state)) == {"client", "server"})
    assert in_the_kernel(lab, "client") in ("openat", "open")
    assert in_the_kernel(lab, "server") in ("openat", "open")
    assert lab.state("client").object != lab.state("server").object
    lab.until(lambda: caption(lab.lab.state, "en").startswith("Deadlock: client in open("))
    lab.until(lambda: caption(lab.lab.state, "ko").startswith("교착 상태"))


@pytest.mark.parametrize(("size", "torn"), [(4096, False), (6000, True)])
def test_many_writers_tear_above_pipe_buf_alone(bench: Open, size: int, torn: bool) -> None:
    lab = bench("many-writers", size=size, reads=0)
    lab.do("release writer1")
    lab.do("release writer2")
    lab.until(lambda: lab.count("writer1", "write") > 200 and lab.count("writer2", "write") > 200, 10)
    counters = lambda: lab.process("reader").counters  # noqa: E731
    lab.until(lambda: (now := counters()) is not None and now.received > 100 and (now.whole < now.received) is torn)
    if torn:
        lab.until(lambda: "came torn" in caption(lab.lab.state, "en"))
    assert lab.do("add writer").startswith("done")
    lab.until(lambda: "writer3" in lab.lab.state.processes and lab.count("writer3", "write") > 0)
    assert (lab.finish().proofs["torn_messages"] > 0) is torn


def test_many_readers_share_the_messages_out(bench: Open) -> None:
    lab = bench("many-readers", rate=200, messages=60)
    lab.until_state("writer", "blocked", "open")
    lab.do("hold writer")
    for role in ("reader1", "reader2"):
        lab.do(f"release {role}")
        lab.until(lambda role=role: lab.process(role).pid)
    lab.do("add reader")
    lab.until(lambda: all(lab.is_in(role, "blocked", "read") for role in ("reader1", "reader2", "reader3")))
    lab.do("release writer")
    for role in ("writer", "reader1", "reader2", "reader3"):
        assert lab.until_ended(role) == "status 0"
    received = [lab.finish().processes[role]["received"] for role in ("reader1", "reader2", "reader3")]
    assert sum(received) == 60
    assert min(received) > 0


def test_nonblocking_open_fails_for_the_writer_and_reads_nothing_for_the_reader(bench: Open, tmp_path: Path) -> None:
    lab = bench("nonblocking-open", rate=20, start="held")  # so that who comes by itself, after a while, does nothing
    lab.do("release writer")
    lab.until(lambda: lab.errors("writer", "open").get("ENXIO", 0) > 2)
    lab.until(lambda: "ENXIO" in caption(lab.lab.state, "en"))
    held(lab, "writer")
    lab.do("release reader")
    lab.until(lambda: len([call for call in lab.calls("reader", "read") if call.result == 0]) > 3)
    lab.do("release writer")
    lab.until(lambda: lab.errors("reader", "read").get("EAGAIN", 0) > 0)
    lab.do("release rdwr")
    lab.until(lambda: ("rdwr", os.O_RDWR) in ends(lab, tmp_path / "fifo"))
    lab.until(lambda: "rdwr" in lab.channel().readers and "rdwr" in lab.channel().writers)
    lab.until(lambda: "O_RDWR" in caption(lab.lab.state, "en"))


def test_who_opens_both_ways_never_meets_the_end(bench: Open) -> None:
    lab = bench("nonblocking-open", rate=20)
    lab.do("release rdwr")
    lab.until(lambda: lab.process("rdwr").pid)
    lab.do("kill writer")
    lab.until_ended("writer")
    lab.until(lambda: "no end of file while rdwr itself" in (lab.state("rdwr").reason or ""))
    assert lab.is_in("rdwr", "blocked", "read")


def test_turns_are_kept_by_open(bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    observe = PipeObserver.observe

    def watched(self: PipeObserver, pid: int, *more: object, **options: object) -> PipeView:
        looked.append(pid)
        return observe(self, pid, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(PipeObserver, "observe", watched)
    lab = bench("turns", rate=20, messages=200)
    lab.do("release callee")
    lab.until(lambda: lab.channel().facts.get("counted"), what="the fill by the counts")
    lab.do("rate all 0")
    assert lab.until_ended("caller", 20) == "status 0"
    # A copy of an end, kept a moment longer than the end, is a partner: open() would not have waited for the true one.
    assert looked == []
    proofs = lab.finish().proofs
    assert proofs["own_messages_read"] == 0
    assert proofs["received_messages"] == 400


def test_turns_are_looked_into_while_everybody_is_held(bench: Open) -> None:
    lab = bench("turns", rate=0, start="held", size=64)
    lab.do("step caller")
    lab.until(lambda: lab.is_in("caller", "held", "open"))
    lab.do("release callee")
    lab.until_state("callee", "blocked", "open")
    lab.do("step caller")
    lab.until(lambda: lab.is_in("callee", "blocked", "read"))
    lab.do("hold callee")
    lab.do("step caller")
    lab.until(lambda: lab.calls("caller", "write"))
    lab.until(lambda: lab.is_in("caller", "held", "close") and lab.is_in("callee", "held"))
    lab.until(lambda: not lab.channel().facts.get("counted"))
    assert lab.channel().used == 0, "the callee's read was under way, and took it"
    assert lab.channel().capacity == 65536
    assert set(lab.channel().readers) == {"callee"}
    assert set(lab.channel().writers) == {"caller"}


def test_a_reader_out_of_turn_gets_its_own_message_back(bench: Open) -> None:
    lab = bench("turns", rate=20, early="yes")
    lab.until(lambda: lab.lab.state.facts.get("own", {}).get("caller", 0) > 5)
    messages = [message for call in lab.calls("caller", "read") for message in call.message]
    assert any(message.startswith("caller:") for message in messages)
    lab.until(lambda: "read its own message" in caption(lab.lab.state, "en"))


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace(1) on this machine")
def test_strace_sees_the_two_workers_open_it_and_nobody_else(tmp_path: Path) -> None:
    path, log = tmp_path / "fifo", tmp_path / "strace"
    traced = ["strace", "-f", "-qq", "-e", "trace=open,openat,mknodat,unlink,unlinkat", "-P", str(path), "-o", str(log)]
    words = ["run", "fifo", "--headless", "--for", "4", "--set", f"name={path}", "--do", "2:release reader"]
    done = subprocess.run(
        [*traced, *IPCTUI, *words], capture_output=True, timeout=90, check=False, stdin=subprocess.DEVNULL
    )
    if b"ptrace" in done.stderr:
        pytest.skip("this user may not trace")
    assert done.returncode == 0, done.stderr
    pids = {
        line["process"]: line["pid"]
        for line in map(json.loads, done.stdout.splitlines())
        if line["kind"] == "process" and line["event"] == "started"
    }
    told = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    made = [int(pid) for pid, call in told if call.startswith("mknod")]
    opened = sorted(int(pid) for pid, call in told if call.startswith("open"))
    assert made == [pids["writer"]]
    assert opened == sorted(pids.values()), "an observer that opens a FIFO takes part in it"
    assert sum(call.startswith("unlink") for _, call in told) == 1
    assert not path.exists()
