"""Pairs of processes that do nothing but pass messages, untraced, to measure what a way of passing them costs here.

A process of its own serves one application over its standard input and output, a JSON object a line:
    → {"way": "pipe", "size": 64, "seconds": 0.05}
    ← {"way": "pipe", "size": 64, "messages": 61234, "seconds": 0.0501, "cpu": 0.0932, "calls": 122470}
    ← {"way": "mailbox", "size": 65536, "refused": "why it cannot be measured"}
For each request it forks a consumer, is the producer itself, each on a CPU of its own where there are two, and waits
for the consumer's end. What the two share has no name, or loses it at once, so that nothing can be left behind. At the
end of its input it ends.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ipctui.kernel import libc
from ipctui.worker.names import new_name

SLOTS = 8
"""Slots of the circular buffer, of which one is always empty."""
WAYS = ("spin", "semaphores", "pipe", "mailbox")
"""Shared memory twice, then message passing twice."""
MAILBOX_LARGEST = 8192
"""Bytes of a message queue's message without privilege (msgsize_max, mq_overview(7))."""
_IN, _OUT, _END, _CALLS = 0, 8, 16, 24
"""Word indices in the shared memory, a cache line each: the two indices, the end, the consumer's system calls."""
_HEAD = 256
_LOOK = 256
"""Messages, or looks in vain, between two looks at the clock."""


class RefusedError(Exception):
    """A way that cannot be measured; the message says why."""


class Way(Protocol):
    """One way of passing messages; `calls` is the number of system calls made on it by this process."""

    calls: int

    def produce(self, message: bytes, deadline: float) -> int:
        """Send the message again and again until the deadline, then say that this was all: how many times."""

    def consume(self, size: int) -> None:
        """Take messages until the end."""


class Ring:
    """A circular buffer in memory shared by fork: one producer, one consumer, waiting in a loop."""

    def __init__(self, memory: mmap.mmap, size: int) -> None:
        self.calls = 0
        self.view = memoryview(memory)
        self.words = self.view[:_HEAD].cast("Q")
        self.size = size

    def _slot(self, index: int) -> slice:
        at = _HEAD + index * self.size
        return slice(at, at + self.size)

    def produce(self, message: bytes, deadline: float) -> int:
        """Spin while the buffer is full; where both share a CPU, that may last for many messages' time."""
        words, view, sent, place = self.words, self.view, 0, 0
        slots = [self._slot(index) for index in range(SLOTS)]
        while True:
            after = (place + 1) % SLOTS
            looks = 0
            while words[_OUT] == after:
                looks += 1
                if looks % _LOOK == 0 and time.monotonic() >= deadline:
                    words[_END] = 1
                    return sent
            view[slots[place]] = message
            words[_IN] = place = after
            sent += 1
            if sent % _LOOK == 0 and time.monotonic() >= deadline:
                words[_END] = 1
                return sent

    def consume(self, size: int) -> None:
        """Spin while the buffer is empty."""
        words, view, place = self.words, self.view, 0
        slots = [self._slot(index) for index in range(SLOTS)]
        while True:
            while words[_IN] == place:
                if words[_END] and words[_IN] == place:
                    return
            bytes(view[slots[place]])
            words[_OUT] = place = (place + 1) % SLOTS


class Semaphores(Ring):
    """The same buffer; two semaphores let the kernel put to sleep who must wait."""

    def __init__(self, memory: mmap.mmap, size: int) -> None:
        super().__init__(memory, size)
        self.empty, self.empty_word = _semaphore(SLOTS)
        self.full, self.full_word = _semaphore(0)

    def _wait(self, semaphore: Any, busy: type[Exception]) -> None:
        try:
            semaphore.acquire(0)
        except busy:
            self.calls += 1
            semaphore.acquire()

    def _post(self, semaphore: Any, word: memoryview) -> None:
        if word[1]:  # glibc's sem_t on 64-bit machines: value and waiters
            self.calls += 1
        semaphore.release()

    def produce(self, message: bytes, deadline: float) -> int:
        """Wait for `empty`, fill a slot, post `full`."""
        import posix_ipc

        view, sent, place, busy = self.view, 0, 0, posix_ipc.BusyError
        slots = [self._slot(index) for index in range(SLOTS)]
        while True:
            self._wait(self.empty, busy)
            view[slots[place]] = message
            place = (place + 1) % SLOTS
            self._post(self.full, self.full_word)
            sent += 1
            if sent % 64 == 0 and time.monotonic() >= deadline:
                self.words[_END] = sent
                self._post(self.full, self.full_word)
                return sent

    def consume(self, size: int) -> None:
        """Wait for `full`, empty a slot, post `empty`."""
        import posix_ipc

        view, place, busy, taken = self.view, 0, posix_ipc.BusyError, 0
        slots = [self._slot(index) for index in range(SLOTS)]
        while True:
            self._wait(self.full, busy)
            if self.words[_END] and taken == self.words[_END]:
                return
            bytes(view[slots[place]])
            place = (place + 1) % SLOTS
            taken += 1
            self._post(self.empty, self.empty_word)


def _semaphore(value: int) -> tuple[Any, memoryview]:
    """A semaphore whose name is gone already, and its memory to look at."""
    import posix_ipc

    name = f"/{new_name()}"
    semaphore = posix_ipc.Semaphore(name, posix_ipc.O_CREX, 0o600, value)
    try:
        fd = os.open(f"/dev/shm/sem.{name[1:]}", os.O_RDONLY)
        with contextlib.closing(_Fd(fd)):
            word = memoryview(mmap.mmap(fd, 32, mmap.MAP_SHARED, mmap.PROT_READ)).cast("I")
    finally:
        semaphore.unlink()
    return semaphore, word


class _Fd:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)


class Pipe:
    """An ordinary pipe; each message is written, and read again, in one call where it fits."""

    def __init__(self) -> None:
        self.calls = 0
        self.r, self.w = os.pipe()

    def produce(self, message: bytes, deadline: float) -> int:
        """Write until the deadline, then close."""
        os.close(self.r)
        w, sent, size, calls = self.w, 0, len(message), 0
        while True:
            done = os.write(w, message)
            calls += 1
            while done < size:
                done += os.write(w, message[done:])
                calls += 1
            sent += 1
            if sent % 16 == 0 and time.monotonic() >= deadline:
                os.close(w)
                self.calls = calls
                return sent

    def consume(self, size: int) -> None:
        """Read until end of file, a message at a time."""
        os.close(self.w)
        r, calls = self.r, 0
        while True:
            wanted = size
            while wanted:
                data = os.read(r, wanted)
                calls += 1
                if not data:
                    self.calls = calls
                    return
                wanted -= len(data)


class Mailbox:
    """A message queue of ten messages, its name gone already."""

    def __init__(self, size: int) -> None:
        import posix_ipc

        if size > MAILBOX_LARGEST:
            raise RefusedError(f"a message has at most {MAILBOX_LARGEST:,} B")
        self.calls = 0
        name = f"/{new_name()}"
        try:
            self.queue = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, 0o600, 10, size)
        except (OSError, ValueError) as error:
            raise RefusedError(f"mq_open: {error}") from None
        posix_ipc.unlink_message_queue(name)

    def produce(self, message: bytes, deadline: float) -> int:
        """Send until the deadline, then an empty message."""
        send, sent = self.queue.send, 0
        while True:
            send(message)
            sent += 1
            if sent % 16 == 0 and time.monotonic() >= deadline:
                send(b"")
                self.calls = sent + 1
                self.queue.close()
                return sent

    def consume(self, size: int) -> None:
        """Receive until the empty message."""
        receive, taken = self.queue.receive, 0
        while True:
            message, _ = receive()
            taken += 1
            if not message:
                self.calls = taken
                return


def _made(way: str, memory: mmap.mmap, size: int) -> Way:
    makers: dict[str, Callable[[], Way]] = {
        "spin": lambda: Ring(memory, size),
        "semaphores": lambda: Semaphores(memory, size),
        "pipe": Pipe,
        "mailbox": lambda: Mailbox(size),
    }
    return makers[way]()


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst measured: messages passed, in how many seconds, CPU seconds of both, their system calls."""

    way: str
    size: int
    messages: int
    seconds: float
    cpu: float
    calls: int


def burst(way: str, size: int, seconds: float) -> Burst:
    """Pass messages one way between this process and a child for so long.

    Raises:
        RefusedError: this way cannot carry them, or the consumer failed.
        OSError: no memory, descriptor or process left.
    """
    memory = mmap.mmap(-1, _HEAD + SLOTS * size)
    pair = _made(way, memory, size)
    words = memoryview(memory)[:_HEAD].cast("Q")
    parent, cpus = os.getpid(), sorted(os.sched_getaffinity(0))
    child = os.fork()
    if child == 0:
        _consumer(pair, size, words, parent, cpus)
    # Each on a CPU of its own, where there are two: left to chance, it is chance that would be measured.
    os.sched_setaffinity(0, cpus[:1])
    before = _cpu(resource.RUSAGE_SELF)
    began = time.monotonic()
    try:
        sent = pair.produce(b"m" * size, began + seconds)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.sched_setaffinity(0, cpus)
    _, status, usage = os.wait4(child, 0)
    took = time.monotonic() - began
    if status:
        raise RefusedError("the consumer failed")
    cpu = _cpu(resource.RUSAGE_SELF) - before + usage.ru_utime + usage.ru_stime
    return Burst(way, size, sent, took, cpu, pair.calls + words[_CALLS])


def _consumer(pair: Way, size: int, words: memoryview, parent: int, cpus: list[int]) -> None:
    """The child: consumes, tells its calls in the shared memory, and ends here whatever happens."""
    status = 1
    try:
        libc.set_parent_death_signal(signal.SIGKILL)
        os.sched_setaffinity(0, cpus[1:2] or cpus)
        if os.getppid() == parent:
            pair.consume(size)
            words[_CALLS] = pair.calls
            status = 0
    finally:
        os._exit(status)


def _cpu(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def answer(line: str) -> dict[str, Any]:
    """The answer to one request's line."""
    request = json.loads(line)
    way, size = request["way"], request["size"]
    try:
        done = burst(way, size, request["seconds"])
    except (RefusedError, OSError) as error:
        return {"way": way, "size": size, "refused": str(error)}
    return {
        "way": way,
        "size": size,
        "messages": done.messages,
        "seconds": round(done.seconds, 6),
        "cpu": round(done.cpu, 6),
        "calls": done.calls,
    }


def main() -> None:
    """Serve requests until the end of the input; whoever started this is gone then."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    libc.set_parent_death_signal(signal.SIGKILL)
    libc.set_process_name("ipctui-pairs")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(line)) + "\n")
        sys.stdout.flush()
