"""Shared memory checked from outside: by strace, by a program in C, on a full tmpfs, and with strangers at the file."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctui.mechanisms.shm.caption import caption
from ipctui.mechanisms.shm.facts import kernel_calls
from tests.lab.conftest import Bench, Open, waited
from tests.mechanisms.segments import hold_without_mutex, laboratories, segment, word
from tests.mechanisms.stepping import held, stepped, stepped_to

pytestmark = pytest.mark.real


@pytest.fixture
def shm() -> Iterator[Open]:
    """Opens laboratories of shared memory."""
    with laboratories() as opened:
        yield opened


# System calls: the trace's counts against strace's.


class Strace:
    """strace(1) attached to living processes; `calls` after its end are those of the main threads."""

    def __init__(self, folder: Path, pids: list[int]) -> None:
        self.log, self.pids = folder / "strace.log", pids
        attached = [word for pid in pids for word in ("-p", str(pid))]
        self.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", str(self.log), *attached], stderr=subprocess.PIPE, text=True
        )
        waited(lambda: self.process.poll() is not None or all(self._traced(pid) for pid in pids), 20, "strace attached")
        if self.process.poll() is not None:
            pytest.skip(f"strace may not attach here: {self.process.stderr.read() if self.process.stderr else ''}")

    def _traced(self, pid: int) -> bool:
        tracers = {
            int(re.search(r"TracerPid:\t(\d+)", Path(f"/proc/{pid}/task/{task}/status").read_text())[1])  # type: ignore[index]
            for task in os.listdir(f"/proc/{pid}/task")
        }
        return tracers == {self.process.pid}

    def detach(self) -> list[tuple[int, str]]:
        """End it: (pid, line) of each system call of the main threads, those begun and resumed joined to one."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
        lines = [line.partition(" ") for line in self.log.read_text().splitlines()]
        return [
            (int(pid), text.strip())
            for pid, _, text in lines
            if int(pid) in self.pids and not text.strip().startswith(("<...", "---", "+++"))
        ]


def names(lines: list[tuple[int, str]]) -> Counter[str]:
    return Counter(line.partition("(")[0] for _, line in lines)


def of_kernel(lab: Bench, role: str) -> int:
    """System calls of a process after the set-up, as the trace has them now."""
    (seen,) = (seen for seen in lab.lab.seen if seen.role == role)
    assert seen.counters is not None
    return kernel_calls(seen.counters.calls)


@pytest.mark.strace
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace on this machine")
def test_strace_sees_no_system_call_for_a_message_in_spin(shm: Open, tmp_path: Path) -> None:
    lab = shm("spin", rate=0)
    roles = ("producer", "consumer")
    lab.until(lambda: all(lab.count(role, "load") > 50 for role in roles), 10)
    strace = Strace(tmp_path, [lab.process(role).pid for role in roles])
    lab.tick()
    sent = lab.count("producer", "store")
    lab.until(lambda: lab.count("producer", "store") > sent + 2000, 20, "a thousand messages")
    made = names(strace.detach())
    assert sum(made.values()) <= 5, made
    assert sum(of_kernel(lab, role) for role in roles) == 0


@pytest.mark.strace
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace on this machine")
def test_strace_sees_the_futex_calls_that_the_trace_counts_with_semaphores(shm: Open, tmp_path: Path) -> None:
    lab = shm("semaphores", rate=40)
    roles = ("producer", "consumer")
    lab.until(lambda: lab.count("consumer", "sem_post") > 5, 10)
    lab.do("hold producer")
    lab.until(lambda: lab.is_in("producer", "held") and lab.is_in("consumer", "blocked", "sem_wait"), 10)
    strace = Strace(tmp_path, [lab.process(role).pid for role in roles])
    lab.tick()
    before = {role: of_kernel(lab, role) for role in roles}
    messages = lab.count("producer", "sem_post")
    lab.do("release producer")
    lab.until(lambda: lab.count("producer", "sem_post") >= messages + 200, 30, "a hundred messages")
    lab.do("hold producer")
    lab.until(lambda: lab.is_in("producer", "held") and lab.is_in("consumer", "blocked", "sem_wait"), 10)
    told = sum(of_kernel(lab, role) - before[role] for role in roles)
    lines = strace.detach()
    # A futex that processes share is not PRIVATE; those of the interpreter's own lock are.
    futexes = [line for _, line in lines if line.startswith("futex(") and "PRIVATE" not in line]
    assert told > 100
    # The wait in which the consumer stood at the beginning is seen again by strace, that at the end is not counted yet.
    assert abs(len(futexes) - told) <= 2, (len(futexes), told)


@pytest.mark.strace
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace on this machine")
def test_strace_sees_no_futex_while_nobody_must_sleep(shm: Open, tmp_path: Path) -> None:
    # The producer is done before the consumer begins, so that nobody is there to be woken.
    lab = shm("semaphores", rate=0, slots=64, messages=50, start="held")
    lab.do("release producer")
    assert lab.until_ended("producer", 10) == "status 0"
    hold_without_mutex(lab, "consumer")
    lab.until(lambda: segment(lab).used == 50, 10, "fifty items")
    posts = lab.count("consumer", "sem_post")
    strace = Strace(tmp_path, [lab.process("consumer").pid])
    lab.do("release consumer")
    lab.until(lambda: segment(lab).used == 0 and lab.is_in("consumer", "blocked", "sem_wait"), 20, "an empty ring")
    futexes = [line for _, line in strace.detach() if line.startswith("futex(") and "PRIVATE" not in line]
    assert lab.count("consumer", "sem_post") == posts + 2 * 50
    # A hundred waits and a hundred posts without the kernel; then it finds the ring empty and sleeps.
    assert len(futexes) == 1, futexes


# A program of somebody else's.

FOREIGN = r"""
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words)
{
    struct stat found;
    int fd = shm_open(words[1], O_RDONLY, 0);
    if (count != 2 || fd < 0 || fstat(fd, &found) < 0)
        return 1;
    char *at = mmap(NULL, found.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return 2;
    close(fd);
    printf("%p %lld %lld", (void *)at, (long long)*(int64_t *)at, (long long)*(int64_t *)(at + 64));
    for (int slot = 0; slot < 8; slot++)
        printf(" %.*s", (int)*(int64_t *)(at + 128 + 64 * slot) - 1, at + 136 + 64 * slot);
    printf("\n");
    fflush(stdout);
    getchar();
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
def test_a_program_in_c_finds_in_and_out_and_the_slots_and_the_pane_tells_of_it(shm: Open, tmp_path: Path) -> None:
    source, program = tmp_path / "foreign.c", tmp_path / "foreign"
    source.write_text(FOREIGN)
    done = subprocess.run(
        ["cc", "-Wall", "-Wextra", "-o", str(program), str(source), "-lrt"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name = f"/ring-{os.getpid()}-{time.monotonic_ns()}"
    lab = shm("semaphores", rate=50, name=name)
    hold_without_mutex(lab, "consumer")
    lab.until(lambda: segment(lab).used == 7 and lab.is_in("producer", "blocked"), 10)
    assert segment(lab).object == f"/dev/shm{name}"
    with subprocess.Popen([program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as foreign:
        assert foreign.stdout is not None
        address, into, out, *slots = foreign.stdout.readline().rstrip().split(" ")
        told = segment(lab)
        assert (int(into), int(out)) == (told.facts["in"], told.facts["out"])
        texts = " ".join(slots)
        assert all(item.id and item.id in texts for item in told.items)
        lab.until(lambda: any(not row["pid"] for row in segment(lab).facts["mapped"]), 20, "the stranger's mapping")
        (row,) = (row for row in segment(lab).facts["mapped"] if not row["pid"])
        assert row["process"] == f"pid {foreign.pid}"
        assert f"0x{row['start']:x}" == address
        assert row["permissions"] == "r--s"
        lab.do("release consumer")
        for language in ("en", "ko"):
            lab.until(lambda: f"pid {foreign.pid}" in caption(lab.lab.state, language), 10)  # noqa: B023
        foreign.communicate("\n", timeout=20)
    lab.until(lambda: all(row["pid"] for row in segment(lab).facts["mapped"]), 20, "the stranger's end")


# Bad luck.


def test_cut_by_a_stranger_the_held_go_on_until_they_touch_it(shm: Open) -> None:
    lab = shm("semaphores", rate=50)
    lab.until(lambda: lab.count("consumer", "sem_post") > 3, 10)
    lab.do("hold all")
    lab.until(lambda: all(lab.state(role).state in ("held", "blocked") for role in ("producer", "consumer")), 10)
    os.truncate(segment(lab).object, 0)
    lab.until(lambda: segment(lab).facts["size"] == 0, 10)
    assert "SIGBUS" in (segment(lab).refused or "")
    for language in ("en", "ko"):
        lab.until(lambda: "SIGBUS" in caption(lab.lab.state, language), 10)  # noqa: B023
    assert all(process.exited is None for process in lab.lab.state.processes.values())
    lab.do("release all")
    lab.until(lambda: any(each.status == "signal SIGBUS" for each in lab.lab.state.processes.values()), 10)


def test_removed_by_a_stranger_the_mappings_go_on_and_a_new_one_of_the_name_is_another(shm: Open) -> None:
    lab = shm("semaphores", rate=100)
    lab.until(lambda: len(segment(lab).facts["mapped"]) == 2, 10)
    path, inode = segment(lab).object, segment(lab).facts["inode"]
    os.unlink(path)
    lab.until(lambda: segment(lab).facts["links"] == 0, 10)
    before = lab.count("consumer", "sem_post")
    lab.until(lambda: lab.count("consumer", "sem_post") > before + 5, 10, "items through the nameless segment")
    assert segment(lab).facts["inode"] == inode
    Path(path).write_bytes(b"another")
    try:
        lab.until(lambda: segment(lab).facts["replaced"], 10)
        assert segment(lab).facts["inode"] == inode
        lab.until(lambda: "another segment" in caption(lab.lab.state, "en"))
        assert caption(lab.lab.state, "ko") != caption(lab.lab.state, "en")
        # Whoever started now would open the stranger's, and cut it to its own size.
        for command in ("restart consumer", "restart producer"):
            assert lab.do(command).startswith(f"refused: another segment has the name {path} now")
        assert Path(path).read_bytes() == b"another"
        assert all(process.exited is None for process in lab.lab.state.processes.values())
    finally:
        os.unlink(path)


FULL = """
import json, os, sys, time
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.shm.caption import caption
from ipctui.mechanisms.shm.channel import CHANNEL
from tests.lab.conftest import Bench

def lab_of(launcher, **values):
    variant = next(one for one in CHANNEL.variants if one.name == "spin")
    settled = settle(CHANNEL.parameters(), variant.values, [f"{name}={value}" for name, value in values.items()])
    CHANNEL.check(variant, settled)
    return Bench(Lab(CHANNEL, variant, settled, launcher))

launcher = LauncherClient()
told = {}
try:
    lab_of(launcher, slots=64, slot_size=4096)
except UsageError as error:
    told["refused"] = str(error)
lab = lab_of(launcher, slots=32, slot_size=1024, size=1000, rate=50)
lab.until(lambda: lab.lab.state.channels, 10)
filler = os.open("/dev/shm/filler", os.O_CREAT | os.O_WRONLY)
written = 0
try:
    while True:
        written += os.write(filler, bytes(4096))
except OSError as error:
    told["errno"] = error.errno
lab.until(lambda: any(each.status == "signal SIGBUS" for each in lab.lab.state.processes.values()), 10)
told["caption"] = [caption(lab.lab.state, language) for language in ("en", "ko")]
os.unlink("/dev/shm/filler")
os.close(filler)
told["again"] = lab.do("restart all")
lab.until(lambda: lab.count("consumer", "store") > 100, 10)
lab.lab.close()
launcher.close()
told["left"] = os.listdir("/dev/shm")
print(json.dumps(told))
"""


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="mounting a tmpfs needs root")
def test_a_full_dev_shm_is_told_before_and_after_and_the_lab_goes_on() -> None:
    script = textwrap.dedent(FULL)
    mount = 'mount -t tmpfs -o size=128k tmpfs /dev/shm && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, sys.executable, script],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "mount" in done.stderr and "denied" in done.stderr:
        pytest.skip("mount(2) is refused here")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["refused"].startswith("/dev/shm is full: ")
    assert told["errno"] == 28  # ENOSPC
    assert all("SIGBUS" in sentence and "/dev/shm" in sentence for sentence in told["caption"])
    assert told["again"] == "done"
    assert told["left"] == []


# What is lit is what was written.


def test_the_bytes_lit_are_those_that_an_outsider_saw_change(shm: Open) -> None:
    lab = shm("semaphores", rate=4)
    lab.until(lambda: lab.count("consumer", "sem_post") > 0, 10)
    held(lab, "producer", seconds=10)
    stepped_to(lab, "producer", "load")
    lab.until(lambda: segment(lab).used == 0 and lab.is_in("consumer", "blocked", "sem_wait"), 10)
    before = Path(segment(lab).object).read_bytes()
    lab.until(lambda: bytes.fromhex(segment(lab).head) == before, 10, "the pane's bytes before")
    fresh = {offset: at for offset, _, at in segment(lab).facts["fresh"]}
    slot = word(lab, 0)
    stepped(lab, "producer")
    stepped_to(lab, "producer", "sem_post")
    after = Path(segment(lab).object).read_bytes()
    lab.until(lambda: bytes.fromhex(segment(lab).head) == after, 10, "the pane's bytes")
    changed = {at for at in range(len(before)) if before[at] != after[at]}
    now = [(offset, size) for offset, size, at in segment(lab).facts["fresh"] if at > fresh.get(offset, -1)]
    lit = {at for offset, size in now for at in range(offset, offset + size)}
    assert changed <= lit
    assert {offset for offset, _ in now} == {0, 128 + 64 * slot}
