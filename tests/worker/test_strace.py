"""Each family of operations under strace: the system calls that the counters tell are those that the kernel saw."""

import os
import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import posix_ipc
import pytest

from ..kernel.conftest import PATIENCE, eventually
from .conftest import Start, Worker
from .test_families import LAYOUT, name

__all__ = ["name"]  # a fixture, found by its name

pytestmark = [pytest.mark.real, pytest.mark.strace]

PROGRAMS = {
    "files": """
    calls.mkfifo(PATH, 0o600)
    r = calls.open(PATH, os.O_RDONLY | os.O_NONBLOCK)
    w = calls.open(PATH, os.O_WRONLY)
    calls.write(w, b"p:1 x\\n"); calls.read(r, 10); calls.read(r, 10)
    calls.close(w); calls.read(r, 10); calls.close(r)
    calls.unlink(PATH)
    """,
    "shared memory": """
    segment = mapped(calls, NAME)
    buffer = segment.lay_out(LAYOUT)
    for number in range(50):
        calls.store(buffer.in_, number); calls.load(buffer.in_)
        calls.store(buffer.slots[0], b"p:1 x\\n"); calls.load(buffer.slots[0])
    calls.pthread_mutex_init(buffer.lock)
    for _ in range(20):
        calls.pthread_mutex_lock(buffer.lock); calls.pthread_mutex_unlock(buffer.lock)
    calls.munmap(segment); calls.shm_unlink(NAME)
    """,
    "semaphores": """
    s = calls.sem_open(NAME, os.O_CREAT, 0o600, 1)
    for _ in range(50):
        calls.sem_wait(s); calls.sem_trywait(s); calls.sem_getvalue(s); calls.sem_post(s)
    calls.sem_unlink(NAME)
    """,
    "semaphore sets": """
    s = calls.semget(0, 2, 0o1600)
    for _ in range(5):
        calls.semop(s, (0, 1, 0x1000), (1, 2)); calls.semop(s, (1, 0, 0o4000)); calls.semop(s, (0, -1), (1, -2))
        calls.semctl(s, 0, 14); calls.semctl(s, 0, 17, 0, 0); calls.semctl(s, 1, 12)
    calls.semctl(s, 0, 0)
    """,
    "growing": """
    fd = calls.shm_open(NAME, os.O_CREAT | os.O_RDWR, 0o600)
    calls.fallocate(fd, 0, 0, 8192); calls.fallocate(fd, 3, 4096, 4096)
    calls.close(fd); calls.shm_unlink(NAME)
    """,
    "queues": """
    q = calls.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, 2, 32)
    for _ in range(3):
        calls.mq_send(q, b"p:1 x\\n", 3); calls.mq_receive(q)
    calls.mq_setattr(q, os.O_NONBLOCK); calls.mq_receive(q); calls.mq_getattr(q)
    for message, priority in ((b"x" * 33, 0),):
        try:
            calls.mq_send(q, message, priority)
        except OSError:
            pass
    calls.mq_notify(q, signal.SIGURG); calls.mq_notify(q, None)
    calls.mq_close(q); calls.mq_unlink(NAME)
    """,
    "sockets": """
    door = calls.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    calls.bind(door, PATH); calls.listen(door, 1)
    p = calls.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    calls.connect(p, PATH); q = calls.accept(door); calls.getsockname(q)
    calls.getsockopt(q, socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    calls.setsockopt(q, socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for _ in range(3):
        calls.send(p, b"p:1 x\\n"); calls.poll([q], 0); calls.recv(q, 64)
    calls.sendmsg(p, b"p:1 x\\n", (door,)); calls.recvmsg(q, 64, 1)
    calls.recv(q, 64, socket.MSG_DONTWAIT); calls.shutdown(p, socket.SHUT_WR); calls.recv(q, 64)
    calls.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    calls.close(p)
    """,
    "datagrams": """
    r, s = calls.socket(socket.AF_INET, socket.SOCK_DGRAM), calls.socket(socket.AF_INET, socket.SOCK_DGRAM)
    calls.bind(r, ("127.0.0.1", 0)); place = calls.getsockname(r)
    for _ in range(3):
        calls.sendto(s, b"one", place); calls.recvfrom(r, 64)
    calls.recvfrom(r, 64, socket.MSG_DONTWAIT); calls.connect(s, place); calls.getpeername(s)
    calls.call("deposit", 1); calls.tell("executed", 1, bytes(100))
    f = calls.open(PATH, os.O_CREAT | os.O_WRONLY, 0o600)
    calls.write(f, b"x"); calls.fsync(f); calls.rename(PATH, PATH + "-new"); calls.close(f)
    """,
    "waiting": """
    e, fd = calls.epoll_create1(), calls.eventfd(1)
    calls.epoll_ctl(e, 1, fd, 1); calls.epoll_wait(e, 2, 0); calls.read(fd, 8); calls.poll([fd], 1)
    calls.sched_yield(); calls.clock_nanosleep(0.001); calls.nice(0); calls.memfd_create("x")
    """,
}

SEES = {
    *("openat", "mknodat", "unlink", "ftruncate", "mmap", "munmap", "futex", "mq_open", "mq_timedsend"),
    *("mq_timedreceive", "mq_getsetattr", "mq_notify", "mq_unlink", "socket", "socketpair", "bind", "listen"),
    *("accept4", "accept", "connect", "sendto", "recvfrom", "sendmsg", "recvmsg", "shutdown", "getsockname"),
    *("getsockopt", "setsockopt", "poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait"),
    *("eventfd2", "memfd_create", "setpriority", "sched_yield", "clock_nanosleep", "read", "write", "close"),
    *("semget", "semtimedop", "semctl", "fallocate"),
    *("unlinkat", "getpeername", "fsync", "rename", "renameat"),
}
"""The calls that are compared: all that operations are told to make, but for those of processes and signals."""

OURS = re.compile(
    r"openat\(AT_FDCWD[^,]*, \"/dev/shm/sem\.[^\"]*\", (?:O_RDONLY|O_RDWR\|O_CREAT\|O_EXCL)"
    r"|mmap\(NULL, \d+, PROT_READ, MAP_SHARED"
    r"|mmap\(NULL, \d+, .*MAP_ANONYMOUS"
    r"|close\(.*/dev/shm/sem\."
    r"|(?:write|mmap|unlink)\(.*/dev/shm/sem\.\w{6}[\">]"
)
"""A look at a semaphore, Python's own memory, and the file that sem_open(3) fills and gives its name."""


@cache
def why_not() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else "strace is refused here"


def run(start: Start, folder: Path, name: str, body: str) -> tuple[Path, str]:
    """Start a program between two marks in strace's log; the log, and the program's source."""
    log = folder / "strace.log"
    source = (
        LAYOUT
        + f"""
import posix_ipc
NAME, PATH = {name!r}, {str(folder / "named")!r}
def program(calls, given):
    os.access("/begin", 0)
    {body.strip()}
    os.access("/end", 0)
    tell()
"""
    )
    return log, source


def seen(log: Path) -> Counter[str]:
    """What strace wrote between the marks of the program's thread."""
    lines = log.read_text(errors="replace").splitlines()
    (first,) = (place for place, line in enumerate(lines) if '"/begin"' in line)
    (last,) = (place for place, line in enumerate(lines) if '"/end"' in line)
    tid = lines[first].split()[0]
    calls: Counter[str] = Counter()
    mapped: set[str] = set()
    for line in lines[first + 1 : last]:
        thread, _, call = line.partition(" ")
        call = call.strip()
        found = re.match(r"(\w+)\((\w*)", call)
        if thread != tid or not found or found[1] not in SEES or OURS.match(call):
            continue
        if found[1] == "munmap" and found[2] not in mapped:
            continue  # Python's own memory
        calls[found[1]] += 1
        if found[1] == "mmap":
            mapped.add(call.rpartition(" = ")[2])
    return calls


def told(worker: Worker) -> Counter[str]:
    """What the counters tell."""
    calls: Counter[str] = Counter()
    for row in worker.reader.rows():
        syscall = worker.reader.operations[row.operation].syscall
        if syscall is not None:
            calls[syscall] += row.calls
    return calls


@pytest.mark.parametrize("family", PROGRAMS)
def test_the_counters_are_what_strace_sees(
    family: str, start: Start, worker: Worker, name: str, tmp_path: Path
) -> None:
    if why_not() is not None:
        pytest.skip(why_not() or "")
    log, source = run(start, tmp_path, name, PROGRAMS[family])
    subordinate = start(source, under=("strace", "-f", "-y", "-o", str(log)))
    subordinate.told()
    subordinate.process.wait(PATIENCE)
    assert seen(log) == told(worker)
    assert told(worker), "something was made"


def test_a_semaphore_that_sleeps_and_one_that_wakes_call_futex_once_each(
    start: Start, worker: Worker, name: str, tmp_path: Path
) -> None:
    if why_not() is not None:
        pytest.skip(why_not() or "")
    waiter = os.fork()
    if not waiter:
        semaphore = posix_ipc.Semaphore(f"{name}b", posix_ipc.O_CREAT, 0o600, 0)
        semaphore.acquire()
        os._exit(0)
    body = f"""
    s = calls.sem_open(NAME, os.O_CREAT, 0o600, 0)
    b = calls.sem_open({name!r} + "b", os.O_CREAT, 0o600, 0)
    while b.state[1] == 0:
        pass
    calls.sem_post(b)
    calls.sem_wait(s)
    """
    try:
        log, source = run(start, tmp_path, name, body)
        subordinate = start(source, under=("strace", "-f", "-y", "-o", str(log)))
        eventually(lambda: worker.name_of(worker.reader.current().key) == "sem_wait" and _waits(name))
        os.waitpid(waiter, 0)
        other = posix_ipc.Semaphore(name)
        other.release()
        other.close()
        subordinate.told()
        subordinate.process.wait(PATIENCE)
    finally:
        posix_ipc.unlink_semaphore(f"{name}b")
    assert seen(log)["futex"] == told(worker)["futex"] == 2


def _waits(name: str) -> bool:
    return int.from_bytes(Path(f"/dev/shm/sem.{name[1:]}").read_bytes()[4:8], "little") == 1
