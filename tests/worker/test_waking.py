"""Waking a worker from every call that it can sleep in, and what becomes of what it would have brought."""

import errno
import os
import socket
from pathlib import Path

import posix_ipc
import pytest

from ipctui.trace.ring import W_NONBLOCKING

from ..kernel.conftest import eventually
from .conftest import Start, Subordinate, Worker
from .test_families import name, rows

__all__ = ["name"]  # a fixture, found by its name

pytestmark = pytest.mark.real

SETUP = {
    "open": "",
    "sem_wait": "s = calls.sem_open(NAME, os.O_CREAT, 0o600, 0)",
    "mq_receive": "q = calls.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, 1, 32)",
    "mq_send": "q = calls.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, 1, 32); calls.mq_send(q, b'full')",
    "recv": "p, q = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    "recvmsg": "p, q = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    "send": """p, q = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    while calls.send(p, b"x" * 512, socket.MSG_DONTWAIT) is not None:
        pass""",
    "accept": """q = calls.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    calls.bind(q, PATH)
    calls.listen(q, 1)""",
    "poll": "p, q = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    "epoll_wait": """p, q = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    e = calls.epoll_create1()
    calls.epoll_ctl(e, 1, q, 1)""",
    "clock_nanosleep": "",
}
CALL = {
    "open": "calls.open(PATH, os.O_RDONLY)",
    "sem_wait": "calls.sem_wait(s)",
    "mq_receive": "calls.mq_receive(q)[0]",
    "mq_send": "calls.mq_send(q, b'more')",
    "recv": "calls.recv(q, 64)",
    "recvmsg": "calls.recvmsg(q, 64)[0]",
    "send": "calls.send(p, b'more')",
    "accept": "calls.accept(q)",
    "poll": "calls.poll([q])",
    "epoll_wait": "calls.epoll_wait(e, 1)",
    "clock_nanosleep": "calls.clock_nanosleep(3600)",
}
SYSCALL = {
    "open": "openat",
    "sem_wait": "futex",
    "mq_receive": "mq_timedreceive",
    "mq_send": "mq_timedsend",
    "recv": "recvfrom",
    "send": "sendto",
    "accept": "accept4",
}


def sleeper(start: Start, operation: str, name: str, path: str) -> Subordinate:
    """A worker that makes a call again and again until it brings something."""
    return start(
        f"""
NAME, PATH = {name!r}, {path!r}
def program(calls, given):
    {SETUP[operation]}
    tried = 0
    while {CALL[operation]} is None:
        tried += 1
    tell(tried)
"""
    )


@pytest.mark.parametrize("operation", CALL)
def test_a_sleeper_is_woken_by_a_signal_and_nothing_has_happened(
    operation: str, start: Start, worker: Worker, name: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "named")
    if operation == "open":
        os.mkfifo(path)
    subordinate = sleeper(start, operation, name, path)
    syscall = SYSCALL.get(operation, operation)
    for _ in range(5):
        eventually(lambda: subordinate.sleeps(operation, syscall))
        assert subordinate.ask("wake") == ("done", "the call ended with EINTR")
    eventually(lambda: subordinate.sleeps(operation, syscall))
    counted = {
        worker.reader.operations[row.operation].name: row.count
        for row in worker.reader.errors()
        if row.errno == errno.EINTR
    }
    # The signal is sent again until the call has ended, and on a busy machine the last may meet the call after it.
    assert counted.keys() == {operation}
    assert counted[operation] >= 5
    # What it waits for comes: the call that was woken five times brings it whole.
    if operation == "open":
        os.close(os.open(path, os.O_WRONLY))
    elif operation == "sem_wait":
        other = posix_ipc.Semaphore(name)
        assert other.value == 0
        other.release()
        assert subordinate.told() == [counted[operation]]
        assert other.value == 0
        other.close()
        return
    elif operation in ("mq_send", "mq_receive"):
        queue = posix_ipc.MessageQueue(name)
        if operation == "mq_send":
            assert (queue.current_messages, queue.receive()[0]) == (1, b"full")
            assert queue.receive()[0] == b"more"
        else:
            queue.send(b"come")
        queue.close()
    elif operation == "accept":
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.close()
    else:
        return
    assert subordinate.told() == [counted[operation]]


def test_a_sleeper_leaves_at_its_gate_once_it_is_woken(start: Start, worker: Worker, name: str) -> None:
    subordinate = sleeper(start, "sem_wait", name, "")
    eventually(lambda: subordinate.sleeps("sem_wait", "futex"))
    subordinate.order(4)  # ATTEND_BIT, as every request of the laboratory's sets it
    outcome, _ = subordinate.ask("leave")
    assert outcome in ("done", "pending"), "pending where the answer overtakes the main thread on its way to the gate"
    assert subordinate.ended() == 0


def test_what_no_signal_ends_is_refused_with_the_reason(start: Start, worker: Worker, name: str) -> None:
    subordinate = start(
        f"""
from ipctui.kernel import libc
from ipctui.worker.places import Layout
def program(calls, given):
    layout = Layout(mutexes=("lock",))
    fd = calls.shm_open({name!r}, os.O_CREAT | os.O_RDWR, 0o600)
    calls.ftruncate(fd, layout.size)
    lock = calls.mmap(fd, layout.size).lay_out(layout).lock
    calls.pthread_mutex_init(lock)
    r, w = os.pipe()
    if not os.fork():
        libc.set_parent_death_signal(signal.SIGKILL)
        calls._c_trylock(lock.address)
        os.write(w, b"mine")
        signal.pause()
    os.read(r, 4)
    calls.pthread_mutex_lock(lock)
"""
    )
    eventually(lambda: subordinate.sleeps("pthread_mutex_lock", "futex"))
    outcome, why = subordinate.ask("wake")
    assert outcome == "refused"
    assert "no signal ends pthread_mutex_lock" in why
    assert subordinate.sleeps("pthread_mutex_lock", "futex")


def test_the_mode_reaches_what_has_no_descriptor(start: Start, worker: Worker, name: str, tmp_path: Path) -> None:
    path = str(tmp_path / "orders")
    os.mkfifo(path)
    subordinate = start(
        f"""
def program(calls, given):
    s = calls.sem_open({name!r}, os.O_CREAT, 0o600, 0)
    q = calls.mq_open({name!r}, os.O_CREAT | os.O_RDWR, 0o600, 1, 32)
    tell(q)
    while calls.sem_wait(s) is None and not calls.nonblocking:
        pass
    told = [calls.sem_wait(s), calls.mq_receive(q)[0], calls.poll([q]), calls.open({path!r}, os.O_WRONLY)]
    fd = calls.open({path!r}, os.O_RDONLY)
    told += [os.get_blocking(fd)]
    tell(*told)
    calls.read(r, 1)
"""
    )
    (q,) = subordinate.told()
    eventually(lambda: subordinate.sleeps("sem_wait", "futex"))
    assert subordinate.ask("mode", ends=[q], nonblocking=True) == ("done", "")
    assert worker.reader.words[W_NONBLOCKING] == 1
    assert subordinate.sleeps("sem_wait", "futex"), "it takes effect at the next call"
    assert subordinate.ask("wake")[0] == "done"
    assert subordinate.told() == [None, None, None, None, False]
    os.write(worker.w, b".")
    assert subordinate.ended() == 0
    errors = {(worker.reader.operations[row.operation].name, row.errno) for row in worker.reader.errors()}
    assert errors == {
        ("sem_wait", errno.EINTR),
        ("sem_trywait", errno.EAGAIN),
        ("mq_receive", errno.EAGAIN),
        ("open", errno.ENXIO),
    }
    assert rows(worker)["sem_trywait", None, f"/dev/shm/sem.{name[1:]}"] == 1
