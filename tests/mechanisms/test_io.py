"""The five ways of waiting on real processes: what the pane says of each, by a second reader."""

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipctui.kernel.process import parse_stat, start_time
from ipctui.kernel.threads import threads
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.io.channel import CHANNEL, WAYS, io_uring_refused
from ipctui.mechanisms.io.measures import CELLS, job_calls, measures, recent_calls
from ipctui.trace.records import Counters
from tests.lab.conftest import IPCTUI, Bench
from tests.test_outsider import why_no_strace

pytestmark = pytest.mark.real
Open = Callable[..., Bench]
EMPTY = "this pipe is empty"
_URING = pytest.mark.skipif(bool(io_uring_refused()), reason="io_uring is refused on this machine")


@pytest.fixture
def bench() -> Iterator[Open]:
    """Opens laboratories of `io`; when they are closed, none of their processes is left."""
    launcher = LauncherClient()
    labs: list[Bench] = []

    def open_lab(variant: str, **values: object) -> Bench:
        chosen = next(one for one in CHANNEL.variants if one.name == variant)
        settings = [f"{name}={value}" for name, value in values.items()]
        settled = settle(CHANNEL.parameters(), chosen.values, settings)
        CHANNEL.check(chosen, settled)
        labs.append(Bench(Lab(CHANNEL, chosen, settled, launcher)))
        return labs[-1]

    yield open_lab
    started = {process.pid: start_time(process.pid) for each in labs for process in each.lab.state.processes.values()}
    for each in labs:
        each.lab.close()
    launcher.close()
    assert not [pid for pid, began in started.items() if began is not None and start_time(pid) == began]


def counters(lab: Bench, name: str = "collector") -> Counters:
    """A process's exact counts as of the last tick."""
    found = [seen.counters for seen in lab.lab.seen if seen.name == name]
    assert found
    assert found[0] is not None
    return found[0]


def received(lab: Bench, name: str = "collector") -> int:
    return sum(seen.counters.received for seen in lab.lab.seen if seen.name == name and seen.counters is not None)


def letter(pid: int) -> str:
    """The state letter of a process's main thread, read anew."""
    stat = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    assert stat is not None
    return stat.letter


def ticks(pid: int) -> int:
    """User and system time of a process in clock ticks, read anew from /proc/PID/stat."""
    stat = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    assert stat is not None
    return stat.user_ticks + stat.system_ticks


def flags(pid: int, fd: int) -> int:
    """The flags of an open file, proc_pid_fdinfo(5)."""
    lines = Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("flags"))


def targets(pid: int) -> set[str]:
    """What a process's descriptors below the laboratory's own lead to."""
    fds = (fd for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) < 200)
    return {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in fds}


def until_at(lab: Bench, name: str, call: str) -> None:
    """Step a process that is being held until it stands before a call."""

    def there() -> bool:
        if lab.is_in(name, "held") and not lab.is_in(name, "held", call):
            lab.do(f"step {name}")
        return lab.is_in(name, "held", call)

    lab.until(there, what=f"{name} held before {call}")


def test_blocking_read_sleeps_and_lets_the_other_producer_wait(bench: Open) -> None:
    lab = bench("sync-blocking")
    lab.until(lambda: lab.is_in("collector", "blocked", "read") and lab.state("collector").reason == EMPTY)
    waker = lab.state("collector").waker
    assert waker is not None
    assert waker.startswith("a write by producer")
    lab.until(lambda: letter(lab.process("collector").pid) == "S", what="asleep by /proc/PID/stat")
    lab.do("hold producer2")
    # All of what producer1 sends lies in its pipe, since the read of producer2 does not come back.
    lab.until(
        lambda: (
            lab.is_in("collector", "blocked", "read")
            and max((held.now.count or 0) for held in lab.lab.state.channels.values()) >= 5
        ),
        what="five messages wait in one pipe while the collector sleeps on the other",
    )
    lab.do("release producer2")
    lab.until(
        lambda: (counters(lab).p99 or 0) >= 400_000_000 and job_calls(counters(lab)) < received(lab),
        # A producer that the machine kept from its turn takes one of five late, and never two.
        what="the first of five waited for two turns, and what has piled up comes in one read",
    )
    # Delays are of the last seconds: with one producer alone the figure soon says so.
    lab.do("kill producer2")
    before = received(lab)
    lab.until(lambda: (counters(lab).p99 or 0) < 400_000_000, what="what was late has left the figure")
    assert received(lab) - before < 100


def test_polling_burns_a_core_and_gets_no_more_done(bench: Open) -> None:
    lab = bench("sync-nonblocking")
    lab.until(lambda: received(lab) >= 3)
    pid = lab.process("collector").pid
    assert flags(pid, 3) & os.O_NONBLOCK
    before = ticks(pid)
    lab.until(lambda: ticks(pid) - before >= 30, seconds=20, what="CPU time by /proc/PID/stat")
    now = counters(lab)
    empty = sum(count.errors.get("EAGAIN", 0) for count in now.calls if count.name == "read")
    assert empty > 20 * now.received
    assert job_calls(now) == empty + sum(
        count.calls - count.errors.get("EAGAIN", 0) for count in now.calls if count.name == "read"
    )
    assert now.work <= now.received, "one unit after each read that brought something"
    # Of thousands of calls in vain, one for each descriptor is kept, and what brought something stays in sight.
    kept = recent_calls(lab.lab.state, ["collector"])
    assert len([call for call in kept if getattr(call, "errno", None) == "EAGAIN"]) <= 2
    lab.do("blocking collector")
    lab.until_state("collector", "blocked", "read")
    assert not flags(pid, 3) & os.O_NONBLOCK


def test_epoll_sleeps_on_the_notice_and_two_calls_bring_a_message(bench: Open) -> None:
    lab = bench("async-blocking")
    lab.until(
        lambda: (
            lab.is_in("collector", "blocked", "epoll_wait")
            and set(lab.state("collector").wakers) == {"producer1", "producer2"}
        ),
        what="asleep on both producers",
    )
    assert lab.state("collector").reason == "no descriptor of its set is ready"
    pid = lab.process("collector").pid
    assert "anon_inode:[eventpoll]" in targets(pid)
    # Its number was a write end's, which is closed: a number that is open again is not told as closed.
    assert os.readlink(f"/proc/{pid}/fd/5") == "anon_inode:[eventpoll]"
    lab.until(lambda: [row.fd for row in lab.process("collector").descriptors] == [3, 4], what="both read ends alone")
    lab.until(lambda: letter(pid) == "S")
    lab.until(lambda: received(lab) >= 6)
    now = counters(lab)
    rows = {(count.name, count.fd): count.calls for count in now.calls}
    waits, reads = rows["epoll_wait", 5], sum(calls for (name, _), calls in rows.items() if name == "read")
    assert reads <= now.received + 1
    assert waits <= reads + 1
    assert not any(count.errors for count in now.calls if count.name == "read"), "it reads only what is ready"


@_URING
def test_io_uring_completes_reads_that_nobody_calls(bench: Open) -> None:
    lab = bench("async-nonblocking", completion="io_uring")
    lab.until(lambda: received(lab) >= 6)
    pid = lab.process("collector").pid
    assert "anon_inode:[io_uring]" in targets(pid)
    now = counters(lab)
    rows = Counter({count.name: count.calls for count in now.calls if count.name != "io_uring_peek_cqe"})
    assert rows["read"] == 0
    assert rows["io_uring_enter"] <= now.received + 1
    assert now.work > now.received, "it works while they come"
    assert not [each for each in threads(pid) if each.call == "read"]
    # Held while it works, with both reads asked for; held, it asks for nothing.
    lab.do("hold collector")
    until_at(lab, "collector", "work")
    before = received(lab)
    # And yet the reads in hand are completed: what each brought lies in no pipe, and has not been collected.
    sent = {name: counters(lab, name).sent for name in ("producer1", "producer2")}
    lab.until(lambda: all(counters(lab, name).sent >= sent[name] + 3 for name in sent))
    lab.do("hold producer1")
    lab.do("hold producer2")
    for name in sent:
        until_at(lab, name, "clock_gettime")
    lab.tick()
    waiting = sum(held.now.count or 0 for held in lab.lab.state.channels.values() if held.now.type == "pipe")
    assert received(lab) == before
    assert sum(counters(lab, name).sent for name in sent) - before - waiting >= 2
    lab.do("release all")
    lab.until(lambda: received(lab) > before + 4)


def test_posix_aio_has_helper_threads_sleep_in_its_place(bench: Open) -> None:
    lab = bench("async-nonblocking", completion="aio")
    lab.until(lambda: received(lab) >= 6)
    pid = lab.process("collector").pid
    place = f"threads:[{pid}]"

    def told() -> list[dict[str, Any]]:
        held = lab.lab.state.channels.get(place)
        return list(held.now.facts["threads"]) if held is not None else []

    lab.until(lambda: {each["call"] for each in told()} == {"read"} and len(told()) == 2)

    def as_in_proc() -> bool:
        # An idle helper ends after a second, and another takes its place.
        mine = [each for each in threads(pid) if each.tid in {one["tid"] for one in told()}]
        return len(mine) == 2 and all((each.letter, each.call) == ("S", "read") and each.reads for each in mine)

    lab.until(as_in_proc, what="the helpers told are those in /proc/PID/task, asleep in read, and have read before")
    assert not any(count.name == "read" for count in counters(lab).calls)


def test_sigio_announces_and_every_message_is_still_read(bench: Open) -> None:
    lab = bench("signal-driven")
    lab.until(lambda: received(lab) >= 6)
    pid = lab.process("collector").pid
    assert flags(pid, 3) & os.O_ASYNC
    assert flags(pid, 3) & os.O_NONBLOCK
    caught = re.search(r"SigCgt:\s+([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    assert caught is not None
    assert int(caught[1], 16) >> 28 & 1, "SIGIO, number 29"
    now = counters(lab)
    notices = sum(count.calls for count in now.calls if count.name == "notice")
    empty = sum(count.errors.get("EAGAIN", 0) for count in now.calls if count.name == "read")
    assert 0 < notices <= now.received + 2
    assert empty >= 2 * notices, "each notice is followed by reading both ends until EAGAIN"
    assert now.work > now.received


def test_all_ways_run_side_by_side_in_cells(bench: Open) -> None:
    lab = bench("all")
    names = [f"{cell}/collector" for cell in CELLS]
    lab.until(lambda: all(received(lab, name) >= 6 for name in names), seconds=20)
    lab.until(lambda: all(measures(lab.lab.state, name).calls_each for name in names))
    every = {way: measures(lab.lab.state, f"{cell}/collector") for cell, way in CELLS.items()}
    each = {way: figures.calls_each or 0 for way, figures in every.items()}
    assert each["sync-nonblocking"] > 20 * max(each[way] for way in WAYS if way != "sync-nonblocking")
    assert every["async-nonblocking"].work > 2 * every["async-blocking"].work
    assert {record.cell for record in lab.records if isinstance(record, Counters)} == set(CELLS)
    lab.do("hold epoll/collector")
    lab.until_state("epoll/collector", "held")
    assert not lab.is_in("block/collector", "held")
    last = lab.finish()
    for cell in CELLS:
        told = last.proofs["ways"][f"{cell}/collector"]
        assert told["calls"] == job_calls(lab.lab.state.processes[f"{cell}/collector"].counters or Counters(0, "", 0))


def test_what_is_sent_is_received_and_the_collectors_end_with_their_producers(bench: Open) -> None:
    lab = bench("all", messages=4, rate=50)
    lab.until(
        lambda: all(process.exited is not None for process in lab.lab.state.processes.values()), 30, "the end of all"
    )
    assert {process.status for process in lab.lab.state.processes.values()} == {"status 0"}
    for name, process in lab.lab.state.processes.items():
        assert process.counters is not None
        if process.role == "collector":
            assert process.counters.received == 8, name


def test_cpu_time_is_the_kernels(bench: Open) -> None:
    lab = bench("sync-nonblocking")
    pid = lab.process("collector").pid

    def agrees() -> bool:
        figures, mine = measures(lab.lab.state, "collector"), ticks(pid) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        # Told four times a second and read later: what is between the two is less than a twentieth, once it has run.
        return figures.cpu is not None and mine > 1_000_000_000 and 0 <= mine - figures.cpu <= mine // 20

    lab.until(agrees, 40, "CPU time within 5 % of /proc/PID/stat")


_ON_FD = re.compile(r"(\d+) +(read|epoll_wait|epoll_pwait|epoll_ctl|io_uring_enter)\((\d+)<")


def calls_seen(text: str, pid: int) -> Counter[tuple[str, int]]:
    """What strace saw a process do on its own descriptors, by call and descriptor.

    SIGCHLD disturbs a call only because strace wants to see it: a call that the kernel made again counts once.
    """
    seen: Counter[tuple[str, int]] = Counter()
    last: tuple[str, int] | None = None
    for line in text.splitlines():
        if not line.startswith(f"{pid} "):
            continue
        if (found := _ON_FD.match(line)) is not None and int(found[3]) < 200:
            last = found[2].replace("epoll_pwait", "epoll_wait"), int(found[3])
            seen[last] += 1
        if "ERESTARTSYS" in line and last is not None:
            seen[last] -= 1
    return seen


def until_all_ended(command: list[str]) -> list[dict[str, Any]]:
    """The lines of a session under strace, which is interrupted when its last worker has ended."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as strace:
        assert strace.stdout is not None
        lines: list[dict[str, Any]] = []
        living: set[str] = set()
        for text in strace.stdout:
            line = json.loads(text)
            lines.append(line)
            if line["kind"] != "process":
                continue
            if line["event"] == "exited":
                living.discard(line["process"])
            else:
                living.add(line["process"])
            if not living:
                children = Path(f"/proc/{strace.pid}/task/{strace.pid}/children").read_text().split()
                os.kill(int(children[0]), signal.SIGINT)
    assert strace.returncode == 0
    return lines


@pytest.mark.strace
@pytest.mark.parametrize(
    "way", ["sync-blocking", "sync-nonblocking", "async-blocking", "async-nonblocking", "signal-driven"]
)
def test_the_calls_shown_are_those_that_strace_sees(way: str, tmp_path: Path) -> None:
    if (why := why_no_strace()) is not None:
        pytest.skip(why)
    if way == "async-nonblocking" and io_uring_refused():
        pytest.skip(io_uring_refused())
    log = tmp_path / "strace.log"
    command = [
        *(
            "strace",
            "--seccomp-bpf",
            "-f",
            "-y",
            "-e",
            "trace=read,epoll_wait,epoll_pwait,epoll_ctl,io_uring_enter",
            "-o",
            str(log),
        ),
        *(*IPCTUI, "run", "io", "--headless", "--variant", way, "--for", "60"),
        *("--set", "messages=5", "--set", "rate=50"),
    ]
    lines = until_all_ended(command)
    summary = lines[-1]
    assert summary["processes"]["collector"]["ended"] == "status 0"
    pid = next(line["pid"] for line in lines if line["kind"] == "process" and line["process"] == "collector")
    seen = calls_seen(log.read_text(), pid)
    told: Counter[tuple[str, int]] = Counter()
    for row in summary["processes"]["collector"]["calls"]:
        if row["name"] in ("read", "epoll_wait", "epoll_ctl", "io_uring_enter"):
            told[row["name"], row["fd"]] += row["calls"]
    assert told == seen
    assert summary["processes"]["collector"]["received"] == 10
