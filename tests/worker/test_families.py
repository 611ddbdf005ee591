"""Files, shared memory, semaphores, mutexes, queues, sockets and waiting, made by a real worker on real objects."""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import posix_ipc
import pytest

from ipctui.trace.ring import ATTEND_BIT, HELD_BIT, PACED_BIT, W_INTERVAL, W_STEPS_TAKEN, Key, Row
from ipctui.worker.names import remove

from ..kernel.conftest import eventually
from .conftest import Start, Worker

pytestmark = pytest.mark.real


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a segment, a semaphore and a queue, taken away afterwards."""
    made = f"/ipctui-test-{os.getpid()}-{os.urandom(4).hex()}"
    yield made
    for kind in ("shm", "semaphore", "mqueue"):
        remove(kind, made)  # type: ignore[arg-type]


def rows(worker: Worker) -> dict[tuple[str, str | None, str | None], int]:
    """The calls counted, by name, system call and object."""
    counted: dict[tuple[str, str | None, str | None], int] = {}
    for row in worker.reader.rows():
        operation = worker.reader.operations[row.operation]
        place = operation.name, operation.syscall, label(worker, row)
        counted[place] = counted.get(place, 0) + row.calls
    return counted


def label(worker: Worker, row: Row | Key) -> str | None:
    return worker.reader.object_label(row.object) if row.object else None


LAYOUT = """
from ipctui.worker.places import Layout
LAYOUT = Layout(words=("in_", "out"), mutexes=("lock",), slots=3, slot_size=20)
def mapped(calls, name):
    fd = calls.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600)
    calls.ftruncate(fd, LAYOUT.size)
    return calls.mmap(fd, LAYOUT.size)
"""


def test_what_is_stored_is_in_the_segment_and_told(start: Start, worker: Worker, name: str) -> None:
    subordinate = start(
        LAYOUT
        + f"""
def program(calls, given):
    def held():
        return set(filter(lambda fd: os.path.lexists("/proc/self/fd/%d" % fd), range(100)))
    fd = os.dup(0); os.close(fd)
    before = held()
    segment = mapped(calls, {name!r})
    buffer = segment.lay_out(LAYOUT)
    calls.store(buffer.in_, 7)
    calls.store(buffer.out, -1 << 63)
    calls.store(buffer.slots[1], b"producer:1 hello\\n")
    values = calls.load(buffer.in_), calls.load(buffer.out), calls.load(buffer.slots[1]).decode()
    refused = None
    try:
        calls.store(buffer.slots[2], b"x" * 21)
    except OSError as error:
        refused = errno.errorcode[error.errno]
    buffer.slots[2].cell[0] = 1 << 40
    values += len(calls.load(buffer.slots[2])),
    tell(fd, values, refused, sorted(held() - before))
    calls.munmap(segment)
    calls.shm_unlink({name!r})
"""
    )
    lowest, values, refused, more = subordinate.told()
    assert subordinate.ended() == 0
    assert values == [7, -1 << 63, "producer:1 hello\n", 20]
    assert refused == "EMSGSIZE"
    assert more == [lowest], "the segment's descriptor is the one that is new, and the lowest"
    place = f"/dev/shm{name}"
    assert rows(worker) == {
        ("shm_open", "openat", place): 1,
        ("ftruncate", "ftruncate", place): 1,
        ("mmap", "mmap", place): 1,
        ("munmap", "munmap", place): 1,
        ("shm_unlink", "unlink", place): 1,
        ("store", None, place): 3,
        ("load", None, place): 4,
    }
    entries = [
        (operation.name, operation.on, entry.argument, entry.result, entry.payload.rstrip(b"\0"))
        for entry in worker.entries()
        if (operation := worker.reader.operations[Key.of(entry.key).operation]).name in ("load", "store")
    ]
    message = b"producer:1 hello\n"
    assert entries == [
        ("store", "", 0, 7, b""),
        ("store", "", 64, -1 << 63, b""),
        ("store", "slot", 192 + 32, len(message), message),
        ("load", "", 0, 7, b""),
        ("load", "", 64, -1 << 63, b""),
        ("load", "slot", 192 + 32, len(message), message),
        ("load", "slot", 192 + 64, 20, b""),
    ]


def test_a_private_mapping_keeps_its_stores_to_itself(start: Start, name: str) -> None:
    told = start(
        LAYOUT
        + f"""
from mmap import MAP_PRIVATE
def program(calls, given):
    shared = mapped(calls, {name!r}).lay_out(LAYOUT)
    fd = calls.shm_open({name!r}, os.O_RDWR)
    private = calls.mmap(fd, LAYOUT.size, MAP_PRIVATE).lay_out(LAYOUT)
    calls.store(shared.in_, 1)
    calls.store(private.out, 2)
    tell(calls.load(private.in_), calls.load(shared.out))
"""
    ).told()
    assert told == [1, 0]


def test_a_shortened_segment_kills_who_stores_there_and_by_a_signal(start: Start, name: str) -> None:
    worker = start(
        LAYOUT
        + f"""
def program(calls, given):
    buffer = mapped(calls, {name!r}).lay_out(LAYOUT)
    os.truncate("/dev/shm" + {name!r}, 0)
    calls.load(buffer.in_)
"""
    )
    assert worker.ended() == -signal.SIGBUS


def test_loads_and_stores_are_stepped_and_a_step_between_loses_an_update(
    start: Start, worker: Worker, name: str
) -> None:
    subordinate = start(
        LAYOUT
        + f"""
def program(calls, given):
    buffer = mapped(calls, {name!r}).lay_out(LAYOUT)
    for _ in range(3):
        calls.store(buffer.in_, calls.load(buffer.in_) + 1)
    tell(buffer.in_.cell[0])
"""
    )
    subordinate.order(HELD_BIT, steps=4)  # shm_open, ftruncate, mmap, load: it stands before its store
    eventually(lambda: worker.reader.words[W_STEPS_TAKEN] == 4 and worker.reader.current().phase)
    current = worker.reader.current()
    assert worker.name_of(current.key) == "store"
    assert current.detail is not None
    assert current.detail[:2] == (0, 1)
    with posix_ipc_memory(name) as memory:
        memory[0] = 100
        subordinate.order(0)
        assert subordinate.told() == [3], "the store threw away what was stored between"


@contextlib.contextmanager
def posix_ipc_memory(name: str) -> Iterator[memoryview]:
    """The words of a segment, mapped by another process than the worker."""
    import mmap

    opened = posix_ipc.SharedMemory(name)
    with mmap.mmap(opened.fd, 0) as memory, memoryview(memory) as view, view[:64].cast("q") as words:
        opened.close_fd()
        yield words


def test_a_spinning_worker_attends_to_its_gate(start: Start, worker: Worker, name: str) -> None:
    subordinate = start(
        LAYOUT
        + f"""
def program(calls, given):
    buffer = mapped(calls, {name!r}).lay_out(LAYOUT)
    while calls.load(buffer.in_) == 0:
        pass
""",
        paced=("store slot",),
    )
    eventually(lambda: worker.reader.head() > 100)
    subordinate.order(HELD_BIT)
    eventually(lambda: worker.reader.current().phase)
    subordinate.order(ATTEND_BIT)
    outcome, _ = subordinate.ask("leave")
    assert outcome in ("done", "pending")
    assert subordinate.ended() == 0


def test_a_pace_set_on_slots_leaves_words_alone(start: Start, worker: Worker, name: str) -> None:
    worker.reader.words[W_INTERVAL] = 3_600_000_000_000
    subordinate = start(
        LAYOUT
        + f"""
def program(calls, given):
    buffer = mapped(calls, {name!r}).lay_out(LAYOUT)
    for _ in range(5):
        calls.store(buffer.in_, 1)
    calls.store(buffer.slots[0], b"x")
    calls.store(buffer.slots[0], b"y")
""",
        paced=("store slot",),
    )
    subordinate.order(PACED_BIT)
    eventually(lambda: worker.reader.current().phase and rows(worker).get(("store", None, f"/dev/shm{name}")) == 6)
    assert worker.reader.operations[Key.of(worker.reader.current().key).operation].on == "slot"


def test_a_semaphore_asks_the_kernel_only_to_sleep_and_to_wake(start: Start, worker: Worker, name: str) -> None:
    subordinate = start(
        f"""
def program(calls, given):
    s = calls.sem_open({name!r}, os.O_CREAT, 0o600, 2)
    told = [calls.sem_getvalue(s), calls.sem_wait(s), calls.sem_wait(s), calls.sem_trywait(s)]
    calls.sem_post(s)
    told += [calls.sem_trywait(s), calls.sem_wait(s)]
    tell(*told)
    calls.sem_close(s)
    calls.sem_unlink({name!r})
"""
    )
    place = f"/dev/shm/sem.{name[1:]}"
    eventually(lambda: subordinate.sleeps("sem_wait", "futex"))
    assert label(worker, Key.of(worker.reader.current().key)) == place
    assert os.stat(place)
    other = posix_ipc.Semaphore(name)
    other.release()
    other.close()
    assert subordinate.told() == [2, True, True, None, True, True]
    assert subordinate.ended() == 0
    assert rows(worker) == {
        ("sem_open", "openat", place): 1,
        ("sem_getvalue", None, place): 1,
        ("sem_wait", None, place): 2,
        ("sem_trywait", None, place): 2,
        ("sem_post", None, place): 1,
        ("sem_wait", "futex", place): 1,
        ("sem_close", "munmap", place): 1,
        ("sem_unlink", "unlink", place): 1,
    }


def test_a_post_that_wakes_somebody_is_told_as_a_futex(start: Start, worker: Worker, name: str) -> None:
    waiter = os.fork()
    if not waiter:
        posix_ipc.Semaphore(name, posix_ipc.O_CREAT, 0o600, 0).acquire()
        os._exit(0)
    try:
        eventually(lambda: waiters(name) == 1)
        start(f"def program(calls, given):\n    calls.sem_post(calls.sem_open({name!r}))\n    tell()\n").told()
        assert os.waitstatus_to_exitcode(os.waitpid(waiter, 0)[1]) == 0
        waiter = 0
    finally:
        if waiter:
            os.kill(waiter, signal.SIGKILL)
            os.waitpid(waiter, 0)
    assert rows(worker)["sem_post", "futex", f"/dev/shm/sem.{name[1:]}"] == 1


def waiters(name: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        return int.from_bytes(Path(f"/dev/shm/sem.{name[1:]}").read_bytes()[4:8], "little")
    return 0


def test_a_robust_mutex_tells_the_next_owner_that_the_last_one_died(start: Start, worker: Worker, name: str) -> None:
    told = start(
        LAYOUT
        + f"""
def program(calls, given):
    buffer = mapped(calls, {name!r}).lay_out(LAYOUT)
    calls.pthread_mutex_init(buffer.lock)
    told = [calls.pthread_mutex_lock(buffer.lock)]
    try:
        calls.pthread_mutex_trylock(buffer.lock)
    except OSError as error:
        told.append(error.errno)
    else:
        told.append("busy")
    calls.pthread_mutex_unlock(buffer.lock)
    owner = os.fork()
    if not owner:
        calls._c_trylock(buffer.lock.address)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(owner, 0)
    told.append(calls.pthread_mutex_lock(buffer.lock))
    calls.pthread_mutex_consistent(buffer.lock)
    calls.pthread_mutex_unlock(buffer.lock)
    told.append(calls.pthread_mutex_lock(buffer.lock))
    calls.pthread_mutex_unlock(buffer.lock)
    owner = os.fork()
    if not owner:
        calls._c_trylock(buffer.lock.address)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(owner, 0)
    calls.pthread_mutex_lock(buffer.lock)
    calls.pthread_mutex_unlock(buffer.lock)
    try:
        calls.pthread_mutex_lock(buffer.lock)
    except OSError as error:
        told.append(error.errno)
    tell(*told)
"""
    ).told()
    assert told == [0, "busy", errno.EOWNERDEAD, 0, errno.ENOTRECOVERABLE]
    counted = {(call, syscall): times for (call, syscall, _), times in rows(worker).items()}
    assert counted["pthread_mutex_lock", None] == 5
    assert ("pthread_mutex_lock", "futex") not in counted


def test_a_queue_gives_the_highest_priority_first_and_none_when_it_would_sleep(
    start: Start, worker: Worker, name: str
) -> None:
    told = start(
        f"""
def program(calls, given):
    lowest = os.dup(0); os.close(lowest)
    q = calls.mq_open({name!r}, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600, 2, 32)
    sent = [calls.mq_send(q, b"producer:1 low\\n"), calls.mq_send(q, b"producer:2 high\\n", 5)]
    calls.mq_setattr(q, os.O_NONBLOCK)
    full = calls.mq_send(q, b"late")
    attributes = calls.mq_getattr(q)
    came = [calls.mq_receive(q) for _ in range(3)]
    came = [(message and message.decode(), priority) for message, priority in came]
    calls.mq_notify(q, signal.SIGURG)
    errors = []
    for wrong in (
        lambda: calls.mq_open({name!r}, os.O_CREAT | os.O_EXCL, 0o600, 2, 32),
        lambda: calls.mq_open("/ipctui-test-nobody", os.O_RDONLY),
        lambda: calls.mq_open({name!r} + "x", os.O_CREAT, 0o600, 100_000, 32),
        lambda: calls.mq_send(q, b"x" * 33),
        lambda: calls.mq_send(q, b"x", 40_000),
        lambda: calls.mq_unlink("/ipctui-test-nobody"),
    ):
        try:
            wrong()
        except OSError as error:
            errors.append(errno.errorcode[error.errno])
    calls.mq_notify(q, None)
    calls.mq_close(q)
    calls.mq_unlink({name!r})
    tell(q == lowest, sent, full, [getattr(attributes, each) for each in attributes.__slots__], came, errors)
"""
    ).told()
    assert told == [
        True,
        [True, True],
        None,
        [os.O_NONBLOCK, 2, 32, 2],
        [["producer:2 high\n", 5], ["producer:1 low\n", 0], [None, 0]],
        ["EEXIST", "ENOENT", "EINVAL", "EMSGSIZE", "EINVAL", "ENOENT"],
    ]
    counted = rows(worker)
    assert counted["mq_send", "mq_timedsend", name] == 5
    assert counted["mq_receive", "mq_timedreceive", name] == 3
    # The queue's attributes are asked for by the program once, by posix_ipc once.
    assert counted["mq_getattr", "mq_getsetattr", name] == 2
    errors = {(worker.reader.operations[row.operation].name, row.errno): row.count for row in worker.reader.errors()}
    assert errors["mq_send", errno.EAGAIN] == errors["mq_receive", errno.EAGAIN] == 1


def test_too_many_queues_are_refused_by_name(start: Start, name: str) -> None:
    told = start(
        f"""
import resource
def program(calls, given):
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (4096, 4096))
    try:
        calls.mq_open({name!r}, os.O_CREAT | os.O_RDWR, 0o600, 10, 8192)
    except OSError as error:
        tell(errno.errorcode[error.errno])
"""
    ).told()
    assert told == ["EMFILE"]


def test_a_fifo_carries_its_path_from_open_on(start: Start, worker: Worker, tmp_path: Path) -> None:
    path = str(tmp_path / "orders")
    subordinate = start(
        f"""
def program(calls, given):
    calls.mkfifo({path!r}, 0o600)
    lowest = os.dup(0); os.close(lowest)
    fd = calls.open({path!r}, os.O_WRONLY)
    calls.write(fd, b"producer:1 x\\n")
    calls.close(fd)
    calls.unlink({path!r})
    tell(fd == lowest, os.path.exists({path!r}))
"""
    )
    eventually(lambda: subordinate.sleeps("open", "openat"))
    assert label(worker, Key.of(worker.reader.current().key)) == path
    with open(path, "rb") as file:
        assert file.read() == b"producer:1 x\n"
    assert subordinate.told() == [True, False]
    assert rows(worker) == {
        ("mkfifo", "mknodat", path): 1,
        ("open", "openat", path): 1,
        ("write", "write", path): 1,
        ("close", "close", path): 1,
        ("unlink", "unlink", path): 1,
    }


def test_sockets_are_told_by_their_inodes_and_edges_are_kept(start: Start, worker: Worker, tmp_path: Path) -> None:
    path = str(tmp_path / "door")
    told = start(
        f"""
def program(calls, given):
    lowest = os.dup(0); os.close(lowest)
    door = calls.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    calls.bind(door, {path!r})
    calls.listen(door, 1)
    p = calls.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    calls.connect(p, {path!r})
    q = calls.accept(door)
    told = [door == lowest, calls.getsockname(door) == {path!r}]
    told.append(int.from_bytes(calls.getsockopt(q, socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little"))
    told.append(os.getpid())
    told += [calls.send(p, b"p:1 one\\n"), calls.send(p, b"p:2 two\\n")]
    told += [len(calls.recv(q, 64)), len(calls.recv(q, 64)), calls.recv(q, 64, socket.MSG_DONTWAIT)]
    told.append(calls.poll([q, door], 0))
    r, w = calls.pipe()
    calls.sendmsg(q, b"q:1 right\\n", (w,))
    data, (right,) = calls.recvmsg(p, 64, 4)
    calls.write(right, b"through")
    told += [data.decode(), calls.read(r, 10).decode()]
    epoll = calls.epoll_create1()
    calls.epoll_ctl(epoll, 1, q, 1)
    told.append(calls.epoll_wait(epoll, 4, 0))
    calls.send(p, b"p:3 three\\n")
    told += [calls.epoll_wait(epoll, 4), calls.poll([q, (door, 1)]) == [(q, 1)], q]
    calls.setsockopt(p, socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    calls.recv(q, 64)
    calls.signal(signal.SIGPIPE, signal.SIG_IGN)
    calls.close(q)
    try:
        calls.send(p, b"p:4 nobody\\n")
    except OSError as error:
        told.append(errno.errorcode[error.errno])
    try:
        calls.connect(calls.socket(socket.AF_UNIX, socket.SOCK_STREAM), "\\0ipctui-test-nobody")
    except OSError as error:
        told.append(errno.errorcode[error.errno])
    tell(*told)
"""
    )
    values = told.told()
    q = values[15]
    pid = values[3]
    assert values[:4] == [True, True, pid, pid]
    assert values[4:10] == [8, 8, 8, 8, None, None]
    assert values[10:12] == ["q:1 right\n", "through"]
    assert values[12:15] == [None, [[q, 1]], True]
    assert values[16:] == ["EPIPE", "ECONNREFUSED"]
    assert told.ended() == 0
    recv = next(row for row in worker.reader.rows() if worker.reader.operations[row.operation].name == "recv")
    assert recv.fd == q
    assert (label(worker, recv) or "").startswith("socket:[")
    counted = {(call, syscall) for call, syscall, _ in rows(worker)}
    assert {("send", "sendto"), ("recv", "recvfrom"), ("accept", "accept4"), ("poll", "poll")} <= counted


def test_time_and_turns(start: Start, worker: Worker) -> None:
    began = time.monotonic()
    told = start(
        """
def program(calls, given):
    calls.sched_yield()
    before = os.nice(0)
    fd = calls.eventfd(3)
    tell(calls.clock_nanosleep(0.05), calls.nice(2) - before, int.from_bytes(calls.read(fd, 8), "little"))
"""
    ).told()
    assert told == [True, 2, 3]
    assert time.monotonic() - began >= 0.05
    assert {(call, syscall) for call, syscall, _ in rows(worker)} == {
        ("sched_yield", "sched_yield"),
        ("eventfd", "eventfd2"),
        ("clock_nanosleep", "clock_nanosleep"),
        ("nice", "setpriority"),
        ("read", "read"),
    }


def test_a_datagram_is_a_message_however_it_ends(start: Start, worker: Worker) -> None:
    told: Any = start(
        """
def program(calls, given):
    counted = [calls.received(data, datagram=True) for data in (b"p:1 x\\n", b"p:2 cut", None, b"")]
    tell(counted)
"""
    ).told()
    assert told == [[1, 1, 0, 0]]
    assert (worker.reader.words[24], worker.reader.words[25]) == (2, 1)
