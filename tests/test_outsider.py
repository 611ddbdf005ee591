"""What an outsider sees with tools of its own: strace, /proc, FIONREAD, lsof. The laboratory must tell the same."""

import fcntl
import os
import platform
import re
import shutil
import struct
import subprocess
import termios
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from tests.lab.conftest import IPCTUI, PATIENCE, Launch, Running, headless, lines_of, waited

__all__ = ["headless"]  # a fixture, found by its name

pytestmark = pytest.mark.real

Row = tuple[str, str, int, str]
"""Role, system call, descriptor, object."""

_ON_PIPE = re.compile(r"(\d+) +(\w+)\((\d+)<(pipe:\[\d+\])>")
_NEW_PIPE = re.compile(r"(\d+) +pipe2?\(")
_SIGNAL = re.compile(r"(\d+) +--- (SIG\w+) ")
_NEW_THREAD = re.compile(r"(\d+) +(?:<\.\.\. )?clone3?\b.* = (\d+)$")
_NAMED_THREAD = re.compile(r"(\d+) +clone3?\(.*CLONE_THREAD")


@cache
def why_no_strace() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"strace is refused here: {tried.stderr.strip().splitlines()[-1:]}"


class Traced:
    """What strace wrote of a session: system calls on pipes by (process, call, descriptor, object)."""

    def __init__(self, text: str) -> None:
        self.pipes_made: Counter[int] = Counter()
        self.calls: Counter[tuple[int, str, int, str]] = Counter()
        lines = text.splitlines()
        thread_of = self._threads(lines)
        on_pipe: dict[int, tuple[int, str, int, str]] = {}
        restarting: dict[int, tuple[int, str, int, str]] = {}
        for line in lines:
            # A call that strace wrote in two parts is counted at its first; "<... read resumed>" matches nothing.
            if found := _ON_PIPE.match(line):
                tid, name, fd, place = int(found[1]), found[2], int(found[3]), found[4]
                on_pipe[tid] = (thread_of.get(tid, tid), name, fd, place)
                self.calls[on_pipe[tid]] += 1
            elif found := _NEW_PIPE.match(line):
                self.pipes_made[int(found[1])] += 1
            elif (found := _SIGNAL.match(line)) and (call := restarting.get(int(found[1]))):
                # Only SIGURG has a handler. After any other the kernel itself makes the call again, out of sight of
                # the program, which made one. (SIGCHLD disturbs a call only because strace wants to see it.)
                self.calls[call] -= found[2] != "SIGURG"
            tid = int(line.partition(" ")[0])
            restarting.pop(tid, None)
            if " = ? ERESTARTSYS " in line and tid in on_pipe:
                restarting[tid] = on_pipe[tid]

    @staticmethod
    def _threads(lines: list[str]) -> dict[int, int]:
        """The process of each thread."""
        process_of: dict[int, int] = {}
        making: dict[int, bool] = {}
        for line in lines:
            tid = line.partition(" ")[0]
            if " clone" in line and "(" in line and "resumed" not in line:
                making[int(tid)] = _NAMED_THREAD.match(line) is not None
            if (found := _NEW_THREAD.match(line)) and making.get(int(found[1])):
                parent = int(found[1])
                process_of[int(found[2])] = process_of.get(parent, parent)
        return process_of


def told(lines: list[dict[str, Any]]) -> tuple[Counter[Row], dict[int, str], set[str]]:
    """What the summary counts on pipes; the roles by pid; the pipes."""
    roles = {line["pid"]: line["process"] for line in lines if line["kind"] == "process" and line["event"] == "started"}
    places = list(dict.fromkeys(line["object"] for line in lines if line["kind"] == "channel"))
    names = {f"pipe {number}": place for number, place in enumerate(places, 1)}
    summary = lines[-1]
    assert summary["kind"] == "summary"
    counted: Counter[Row] = Counter()
    for role, done in summary["processes"].items():
        for row in done["calls"]:
            if row["object"] is not None:
                place = names.get(row["object"], row["object"])
                counted[(role, row["syscall"], row["fd"], place)] += row["calls"] + row.get("in_flight", 0)
    return counted, roles, {place for _, _, _, place in counted}


def in_doubt(lines: list[dict[str, Any]]) -> Counter[Row]:
    """The calls in which SIGKILL struck a process that nobody had found asleep in them.

    It can strike between a worker's word that it enters a call and the kernel's entry, or before strace has taken
    notice of that: strace has not seen the call then.
    """
    killed = {line["pid"] for line in lines if line["kind"] == "process" and line.get("status") == "signal SIGKILL"}
    asleep = {
        (line["pid"], line["since"])
        for line in lines
        if line["kind"] == "state" and line["state"] == "blocked" and "since" in line
    }
    return Counter(
        (line["process"], line["syscall"], line["fd"], line.get("object") or "")
        for line in lines
        if line["kind"] == "call" and line["result"] is None
        and line["pid"] in killed and (line["pid"], line["begin"]) not in asleep
    )  # fmt: skip


def compare(folder: Path, *words: str, seconds: float = 1.5) -> tuple[Counter[Row], list[dict[str, Any]]]:
    """Run under strace, and hold what the summary counts against what strace saw; both must be one."""
    log = folder / "strace.log"
    command = ["strace", "-f", "-y", "-e", "trace=%desc,%process", "-o", str(log), *IPCTUI, "run"]
    if words and words[0].startswith("mechanism"):
        (folder / "lecture.toml").write_text(words[0])
        command += [str(folder / "lecture.toml"), "--headless"]
    else:
        command += ["pipe", "--headless", "--for", f"{seconds:g}", *words]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=3 * PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = lines_of(ended.stdout)
    counted, roles, places = told(lines)
    traced = Traced(log.read_text(encoding="utf-8", errors="replace"))
    seen: Counter[Row] = Counter()
    for (pid, name, fd, place), times in traced.calls.items():
        # fstat is how a worker learns its new pipe's inode: the laboratory's own, and no call of the program.
        if pid in roles and place in places and name not in ("newfstatat", "fstat"):
            seen[(roles[pid], name, fd, place)] += times
    differing = {row: seen[row] - counted[row] for row in seen | counted if seen[row] != counted[row]}
    for row, times in in_doubt(lines).items():
        if -times <= differing.get(row, 0) < 0:
            del differing[row]
    assert not differing
    made: Counter[str] = Counter()
    for pid, times in traced.pipes_made.items():
        made[roles.get(pid, "")] += times
    told_made = {
        role: row["calls"]
        for role, done in lines[-1]["processes"].items()
        for row in done["calls"]
        if row["syscall"] == "pipe2"
    }
    assert {role: times for role, times in made.items() if role} == told_made
    return counted, lines


# Who is to be woken has to be asleep, however long that takes to come: a lecture waits for it.
UNBLOCK = """mechanism = "pipe"
set.rate = 0.02
step = [
    { expect = ["child received >= 1", "child blocked in read"] },
    { do = "unblock child", expect = "child error EAGAIN" },
    { expect = "child blocked in read" },
    { do = "unblock child", expect = "child blocked in read" },
]
"""
UNBLOCK_HALF_WRITTEN = """mechanism = "pipe"
variant = "deadlock"
set.rate = 0
step = [
    { expect = ["parent blocked in write", "child blocked in write"] },
    { do = "unblock parent", expect = "parent error EAGAIN" },
    { do = "unblock child", expect = "child error EAGAIN" },
    { expect = ["parent blocked in write", "child blocked in write"] },
]
"""

CASES: dict[str, tuple[str, ...]] = {
    "one-way": (),
    "two-way": ("--variant", "two-way", "--set", "rate=50"),
    "forgotten-end": ("--variant", "forgotten-end", "--set", "rate=60"),
    "forgotten-end, closed": (
        "--variant", "forgotten-end", "--set", "rate=0", "--do", "0.7:close child 4",
    ),
    "deadlock": ("--variant", "deadlock", "--set", "rate=0"),
    "many-writers": ("--variant", "many-writers", "--set", "rate=20"),
    "many-writers, flat out": ("--variant", "many-writers", "--set", "size=4000"),
    "packets": ("--variant", "packets", "--set", "rate=0"),
    "flat out": ("--set", "rate=0"),
    "nonblocking": ("--do", "0.3:nonblocking all", "--do", "0.6:blocking all"),
    "close the reader": ("--do", "0.5:close child read"),
    "close the reader, EPIPE": ("--set", "sigpipe=ignore", "--do", "0.5:close child read"),
    "close the writer": ("--do", "0.5:close parent write"),
    "unblock": (UNBLOCK,),
    "unblock a half-written message": (UNBLOCK_HALF_WRITTEN,),
    "inject": ("--do", "0.3:inject parent one two", "--do", "0.6:inject parent three"),
    "hold": ("--set", "rate=0", "--set", "size=700", "--do", "0.3:hold child", "--do", "0.9:release child"),
    "hold at the end": ("--set", "rate=0", "--set", "size=5000", "--do", "0.3:hold child"),
    "restart": ("--do", "0.7:restart all",),
    "add and remove": (
        "--variant", "many-writers", "--set", "rate=30", "--do", "0.4:add child", "--do", "0.9:remove child1",
    ),
    "kill": ("--do", "0.5:kill child"),
    "kill the writer": (
        "--do", "0:hold child", "--set", "rate=0", "--do", "0.5:kill parent", "--do", "0.9:release child",
    ),
    "kill, flat out": ("--set", "rate=0", "--do", "0.5:kill child"),
}  # fmt: skip


@pytest.mark.strace
@pytest.mark.parametrize("case", CASES)
def test_the_summary_counts_what_strace_sees(case: str, tmp_path: Path) -> None:
    if (why := why_no_strace()) is not None:
        pytest.skip(why)
    counted, lines = compare(tmp_path, *CASES[case])
    refused = [line for line in lines if line["kind"] == "command" and "refused" in (line.get("outcome") or "")]
    assert not refused
    # The comparison must have compared something: more than the opening calls, at both ends of the pipe.
    assert {name for _, name, _, _ in counted} >= {"write", "close", "fcntl"}
    moved = {role: times for (role, name, _, _), times in counted.items() if name in ("read", "write")}
    assert len(moved) >= 2
    assert all(moved.values())


# The kernel's other witnesses.

NUMBERS = {"x86_64": {"read": 0, "write": 1, "wait4": 61}, "aarch64": {"read": 63, "write": 64, "wait4": 260}}
F_GETPIPE_SZ = 1032  # include/uapi/linux/fcntl.h


def asleep_in(pid: int) -> tuple[int, int] | None:
    """The system call's number and first argument, as /proc has them; None when it runs."""
    words = Path(f"/proc/{pid}/syscall").read_text().split()
    return None if words[0] in ("running", "-1") else (int(words[0]), int(words[1], 16))


def measured(pid: int, fd: int) -> tuple[int, int]:
    """Bytes in the pipe and its capacity, through a read end of our own, closed at once."""
    own = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return struct.unpack("i", fcntl.ioctl(own, termios.FIONREAD, b"\0" * 4))[0], fcntl.fcntl(own, F_GETPIPE_SZ)
    finally:
        os.close(own)


BLOCKED = {
    "a full pipe": (("--set", "rate=0", "--do", "0.2:hold child"), {"parent": "write"}),
    "half written": (
        ("--set", "rate=0", "--set", "size=9000", "--set", "capacity=8192", "--do", "0:hold child"),
        {"parent": "write"},
    ),
    "an empty pipe": (("--do", "0.2:hold parent",), {"child": "read"}),
    "packets": (("--variant", "packets", "--set", "rate=0", "--do", "0.2:hold child"), {"parent": "write"}),
    "deadlock": (("--variant", "deadlock", "--set", "rate=0"), {"parent": "write", "child": "write"}),
    "forgotten-end": (
        ("--variant", "forgotten-end", "--set", "rate=0"), {"child": "read", "parent": "waitpid"},
    ),
    "many-writers": (
        ("--variant", "many-writers", "--do", "0.2:hold parent"), {"child1": "write", "child2": "write"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BLOCKED)
def test_proc_says_blocked_where_the_lab_does(case: str, headless: Launch) -> None:
    numbers = NUMBERS.get(platform.machine())
    if numbers is None:
        pytest.skip(f"the numbers of system calls are not known here for {platform.machine()}")
    words, expected = BLOCKED[case]
    lab = headless(*words)
    held = [words[place + 1].rpartition(" ")[2] for place, word in enumerate(words) if word == "--do"]
    states = dict.fromkeys(held, ("held", None)) | {role: ("blocked", call) for role, call in expected.items()}

    def stands() -> bool:
        now = lab.latest("state", "process")
        return all(
            role in now and now[role]["state"] == state and (call is None or now[role]["before"]["name"] == call)
            for role, (state, call) in states.items()
        )

    def proc_says_so() -> bool:
        """Whether everybody stands in what was told last, and /proc has each asleep in that very call."""
        return stands() and all(
            asleep_in(lab.pids()[role])
            == (
                numbers[{"waitpid": "wait4"}.get(call, call)],
                (lab.latest("state", "process")[role]["before"]["fd"] if call != "waitpid" else ANY),
            )
            for role, call in expected.items()
        )

    lab.until(proc_says_so, what=f"{case}: {states}")
    pids = lab.pids()
    for role, call in expected.items():
        state = lab.latest("state", "process")[role]
        assert state["syscall"] == {"waitpid": "wait4"}.get(call, call)
        if call != "waitpid":
            assert os.readlink(f"/proc/{pids[role]}/fd/{state['before']['fd']}") == state["object"]
        assert state["reason"]
        assert state["wchan"] == Path(f"/proc/{pids[role]}/wchan").read_text()
    # Nobody moves now: the fill that the lab tells is the kernel's.
    tables = lab.latest("descriptors", "process")
    looked_at = set()
    for role, table in tables.items():
        for row in table["rows"]:
            if row["end"] == "read" and row["object"] not in looked_at:
                looked_at.add(row["object"])

                def agrees(role: str = role, row: dict[str, Any] = row) -> bool:
                    channel = lab.latest("channel", "object")[row["object"]]
                    return measured(pids[role], row["fd"]) == (channel["used"], channel["capacity"])

                waited(agrees, PATIENCE, f"{measured(pids[role], row['fd'])} and {lab.latest('channel', 'object')}")
    assert looked_at
    assert lab.interrupt() == 0


def ends_in_proc(pid: int) -> dict[int, tuple[str, str, bool, bool, bool]]:
    """A worker's ends, read from /proc: object, end, O_NONBLOCK, close-on-exec, O_DIRECT."""
    ends = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            place = os.readlink(f"/proc/{pid}/fd/{entry}")
            text = Path(f"/proc/{pid}/fdinfo/{entry}").read_text()
        except FileNotFoundError:
            continue  # closed in between
        if place.startswith("pipe:") and 2 < int(entry) < 200:  # 200 and above are the laboratory's own
            info = dict(line.split(":\t") for line in text.splitlines()[:2])
            flags = int(info["flags"], 8)
            end = {os.O_RDONLY: "read", os.O_WRONLY: "write"}[flags & os.O_ACCMODE]
            ends[int(entry)] = (
                place, end, bool(flags & os.O_NONBLOCK), bool(flags & os.O_CLOEXEC), bool(flags & os.O_DIRECT)
            )  # fmt: skip
    return ends


def ends_in_lsof(pid: int) -> dict[int, tuple[str, str]]:
    told = subprocess.run(
        ["lsof", "-n", "-P", "-w", "-p", str(pid), "-F", "fatin"], capture_output=True, text=True, check=True
    )
    ends: dict[int, tuple[str, str]] = {}
    row: dict[str, str] = {}
    for line in [*told.stdout.splitlines(), "f"]:
        if line.startswith("f"):
            if row.get("t") == "FIFO" and row["f"].isdigit() and 2 < int(row["f"]) < 200:
                ends[int(row["f"])] = (f"pipe:[{row['i']}]", {"r": "read", "w": "write"}[row["a"]])
            row = {}
        row[line[:1]] = line[1:]
    return ends


def ends_told(lab: Running, role: str) -> dict[int, tuple[str, str, bool, bool, bool]]:
    rows = lab.latest("descriptors", "process").get(role, {"rows": []})["rows"]
    return {
        row["fd"]: (
            row["object"], row["end"], row.get("nonblocking", False),
            row.get("close_on_exec", False), row.get("packets", False),
        )
        for row in rows
        if not row["end"].endswith("closed")
    }  # fmt: skip


TABLES = {
    "one-way": ({"parent": {4}, "child": {3}}, ()),
    "two-way": ({"parent": {4, 5}, "child": {3, 6}}, ("--variant", "two-way")),
    "forgotten-end": (
        {"parent": {4}, "child": {3, 4}}, ("--variant", "forgotten-end", "--set", "messages=0"),
    ),
    "many-writers": ({"parent": {3}, "child1": {4}, "child2": {4}}, ("--variant", "many-writers", "--set", "rate=20")),
    "packets": ({"parent": {4}, "child": {3}}, ("--variant", "packets")),
    "nonblocking": ({"parent": {4}, "child": {3}}, ("--do", "0.2:nonblocking parent")),
    "an added writer": (
        {"parent": {3}, "child1": {4}, "child2": {4}, "child3": {4}},
        ("--variant", "many-writers", "--set", "rate=20", "--do", "0.2:add child"),
    ),
    "an end closed": ({"parent": {4}, "child": set()}, ("--set", "rate=0.05", "--do", "0.1:close child 3")),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_the_descriptors_are_those_of_proc_and_lsof(case: str, headless: Launch) -> None:
    expected, words = TABLES[case]
    lab = headless(*words)

    def told_is_true() -> bool:
        pids = lab.pids()
        for role, fds in expected.items():
            if role not in pids or set(ends_told(lab, role)) != fds:
                return False
            if role == "child" and not fds:
                continue
            if ends_in_proc(pids[role]) != ends_told(lab, role):
                return False
        return True

    lab.until(told_is_true, what=f"{case}: {[ends_told(lab, role) for role in expected]}")
    pids = lab.pids()
    if case == "nonblocking":
        lab.until(lambda: ends_told(lab, "parent")[4][2], what="O_NONBLOCK told")
        assert ends_in_proc(pids["parent"])[4][2]
    if shutil.which("lsof") is not None:
        for role, fds in expected.items():
            if fds:
                assert ends_in_lsof(pids[role]) == {fd: row[:2] for fd, row in ends_told(lab, role).items()}

    def peers_agree() -> bool:
        """Whether who holds the other end is what the tables say together."""
        other = {"read": "write", "write": "read"}
        return all(
            {(peer, fd) for peer, fd in row["peers"]}
            == {
                (peer, fd)
                for peer in expected
                for fd, (place, end, *_) in ends_told(lab, peer).items()
                if (place, end) == (row["object"], other[row["end"]])
            }
            for table in lab.latest("descriptors", "process").values()
            for row in table["rows"]
            if row["end"] in other
        )

    lab.until(peers_agree, what=f"{case}: {lab.latest('descriptors', 'process')}")
    assert lab.interrupt() == 0
