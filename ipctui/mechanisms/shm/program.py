"""The programs on shared memory: a bounded circular buffer, a private mapping, a shared counter, and a lost lock."""

from __future__ import annotations

from errno import EOWNERDEAD
from mmap import MAP_PRIVATE, MAP_SHARED, PAGESIZE, mmap
from os import O_CREAT, O_RDWR, getpid
from time import perf_counter_ns
from types import SimpleNamespace

from ipctui.worker.calls import Calls
from ipctui.worker.places import Layout
from ipctui.worker.semaphores import Semaphore
from ipctui.worker.shared_memory import Buffer

BALANCED = True
"""Each process here posts as often as it waits: one that is removed first gives back what it has taken."""

_own: list[mmap] = []
"""Memory of this process's own: mapped before the segment, it moves the segment's address."""


def ring_layout(given: SimpleNamespace) -> Layout:
    """The circular buffer: the indices in cache lines of their own, then the slots."""
    return Layout(("in_", "out"), slots=given.slots, slot_size=given.slot_size)


def private_layout(given: SimpleNamespace) -> Layout:
    """Two words in one page: one stored through a shared mapping, one through a private one."""
    return Layout(("shared", "private"))


def race_layout(given: SimpleNamespace) -> Layout:
    """A counter, and a slot with the word that switches the lock: on or off."""
    return Layout(("counter",), slots=1, slot_size=8)


def dead_owner_layout(given: SimpleNamespace) -> Layout:
    """Whether the mutex is made, what the locks guard, and the mutex."""
    return Layout(("ready", "work"), mutexes=("mutex",))


def attach(calls: Calls, given: SimpleNamespace, layout: Layout, flags: int = MAP_SHARED) -> Buffer:
    """Every variant: make the segment, or open the one that is there; give it its size; map it."""
    _own.extend(mmap(-1, PAGESIZE) for _ in range(1 + getpid() % 32))  # else all have it at one address
    fd = calls.shm_open(given.name, O_CREAT | O_RDWR, 0o600)
    if not given.joined:
        calls.ftruncate(fd, layout.size)
    return calls.mmap(fd, layout.size, flags).lay_out(layout)


def semaphore(calls: Calls, given: SimpleNamespace, name: str, value: int) -> Semaphore:
    """A semaphore of the session: made with this value, or opened as it is."""
    return calls.sem_open(f"{given.name}.{name}", O_CREAT, 0o600, value)


# spin


def producer_spin(calls: Calls, given: SimpleNamespace) -> None:
    """spin: the textbook's producer waits in a loop that does nothing."""
    shared = attach(calls, given, ring_layout(given))
    n = given.slots
    for item in calls.messages():
        at = calls.load(shared.in_) % n
        while (at + 1) % n == calls.load(shared.out):
            pass  # full: one slot stays empty
        calls.store(shared.slots[at], fitted(item, given))
        calls.store(shared.in_, (at + 1) % n)


def consumer_spin(calls: Calls, given: SimpleNamespace) -> None:
    """spin: the consumer waits in the same way."""
    shared = attach(calls, given, ring_layout(given))
    n = given.slots
    while True:
        at = calls.load(shared.out) % n
        while calls.load(shared.in_) == at:
            pass  # empty
        item = calls.load(shared.slots[at])
        calls.store(shared.out, (at + 1) % n)
        calls.received(item)


# semaphores


def producer_semaphores(calls: Calls, given: SimpleNamespace) -> None:
    """semaphores: the kernel lets the producer sleep while there is no room."""
    shared = attach(calls, given, ring_layout(given))
    n = given.slots
    empty = semaphore(calls, given, "empty", n - 1)
    full = semaphore(calls, given, "full", 0)
    mutex = semaphore(calls, given, "mutex", 1)
    for item in calls.messages():
        at = calls.load(shared.in_) % n  # nobody else stores `in`
        while not calls.sem_wait(empty):
            pass  # EINTR, EAGAIN
        while not calls.sem_wait(mutex):
            pass  # EINTR, EAGAIN
        calls.store(shared.slots[at], fitted(item, given))
        calls.store(shared.in_, (at + 1) % n)
        calls.sem_post(mutex)
        calls.sem_post(full)


def consumer_semaphores(calls: Calls, given: SimpleNamespace) -> None:
    """semaphores: the kernel lets the consumer sleep while there is nothing."""
    shared = attach(calls, given, ring_layout(given))
    n = given.slots
    empty = semaphore(calls, given, "empty", n - 1)
    full = semaphore(calls, given, "full", 0)
    mutex = semaphore(calls, given, "mutex", 1)
    while True:
        at = calls.load(shared.out) % n  # nobody else stores `out`
        while not calls.sem_wait(full):
            pass  # EINTR, EAGAIN
        while not calls.sem_wait(mutex):
            pass  # EINTR, EAGAIN
        item = calls.load(shared.slots[at])
        calls.store(shared.out, (at + 1) % n)
        calls.sem_post(mutex)
        calls.sem_post(empty)
        calls.received(item)


# many


def producer_many(calls: Calls, given: SimpleNamespace) -> None:
    """many: with several producers `in` is loaded and stored under the mutex alone."""
    shared = attach(calls, given, ring_layout(given))
    n = given.slots
    empty = semaphore(calls, given, "empty", n - 1)
    full = semaphore(calls, given, "full", 0)
    mutex = semaphore(calls, given, "mutex", 1)
    for item in calls.messages():
        calls.sem_getvalue(empty)  # may be old before the next line: no ground to act on
        while not calls.sem_wait(empty):
            pass  # EINTR, EAGAIN
        while not calls.sem_wait(mutex):
            pass  # EINTR, EAGAIN
        at = calls.load(shared.in_) % n
        calls.store(shared.slots[at], fitted(item, given))
        calls.store(shared.in_, (at + 1) % n)
        calls.sem_post(mutex)
        calls.sem_post(full)


def consumer_many(calls: Calls, given: SimpleNamespace) -> None:
    """many: each item goes to exactly one of the consumers."""
    shared = attach(calls, given, ring_layout(given))
    n = given.slots
    empty = semaphore(calls, given, "empty", n - 1)
    full = semaphore(calls, given, "full", 0)
    mutex = semaphore(calls, given, "mutex", 1)
    while True:
        while not calls.sem_wait(full):
            pass  # EINTR, EAGAIN
        while not calls.sem_wait(mutex):
            pass  # EINTR, EAGAIN
        at = calls.load(shared.out) % n
        item = calls.load(shared.slots[at])
        calls.store(shared.out, (at + 1) % n)
        calls.sem_post(mutex)
        calls.sem_post(empty)
        calls.received(item)


def fitted(item: bytes, given: SimpleNamespace) -> bytes:
    """An item no larger than a slot: what the user injects may be longer, and ends as every item does."""
    return item if len(item) <= given.slot_size else item[: given.slot_size - 1] + b"\n"


# private


def writer(calls: Calls, given: SimpleNamespace) -> None:
    """private: stores through MAP_SHARED are stores into the segment."""
    view = attach(calls, given, private_layout(given))
    value = 0
    while True:
        value += 1
        calls.store(view.shared, value)


def hermit(calls: Calls, given: SimpleNamespace) -> None:
    """private: the first store through MAP_PRIVATE makes a copy of the page, for this process alone."""
    view = attach(calls, given, private_layout(given), MAP_PRIVATE)
    for _ in range(given.looks):
        calls.load(view.shared)  # still the segment's page: the writer's stores are seen
    value = 0
    while True:
        value += 1
        calls.store(view.private, value)
        calls.load(view.shared)  # in the copy it stands still


def reader(calls: Calls, given: SimpleNamespace) -> None:
    """private: another process sees what the writer stores, and nothing of the hermit's."""
    view = attach(calls, given, private_layout(given))
    while True:
        calls.load(view.shared)
        calls.load(view.private)


# race


def adder(calls: Calls, given: SimpleNamespace) -> None:
    """race: load, add one, store; whoever stores between our load and our store is undone."""
    shared = attach(calls, given, race_layout(given))
    mutex = semaphore(calls, given, "mutex", 1)
    if not calls.load(shared.slots[0]):
        calls.store(shared.slots[0], given.lock.encode())
    for _ in calls.messages():
        locked = calls.load(shared.slots[0]) == b"on"  # the switch: key l
        if locked:
            while not calls.sem_wait(mutex):
                pass  # EINTR, EAGAIN
        value = calls.load(shared.counter)
        compute(given.gap)
        calls.store(shared.counter, value + 1)
        if locked:
            calls.sem_post(mutex)


def compute(microseconds: int) -> None:
    """Keep the processor busy: the wider the gap between load and store, the more can happen in it."""
    end = perf_counter_ns() + 1000 * microseconds
    while perf_counter_ns() < end:
        pass


# dead-owner


def owner(calls: Calls, given: SimpleNamespace) -> None:
    """dead-owner: takes both locks, works under them, gives both back."""
    shared = attach(calls, given, dead_owner_layout(given))
    lock = semaphore(calls, given, "lock", 1)
    if not calls.load(shared.ready):
        calls.pthread_mutex_init(shared.mutex)
        calls.store(shared.ready, 1)
    while True:
        while not calls.sem_wait(lock):
            pass  # EINTR, EAGAIN
        take(calls, shared)
        for step in range(1, given.steps + 1):
            calls.store(shared.work, step)  # killed here, it leaves half the work and both locks
        calls.store(shared.work, 0)
        calls.pthread_mutex_unlock(shared.mutex)
        calls.sem_post(lock)
        calls.load(shared.work)


def sem_waiter(calls: Calls, given: SimpleNamespace) -> None:
    """dead-owner: a semaphore does not know who took it, so nothing tells that this one is dead."""
    shared = attach(calls, given, dead_owner_layout(given))
    lock = semaphore(calls, given, "lock", 1)
    while True:
        while not calls.sem_wait(lock):
            pass  # EINTR, EAGAIN
        calls.load(shared.work)
        calls.sem_post(lock)
        calls.sem_getvalue(lock)


def mutex_waiter(calls: Calls, given: SimpleNamespace) -> None:
    """dead-owner: a robust mutex has an owner; when it dies, the kernel hands it on with EOWNERDEAD."""
    shared = attach(calls, given, dead_owner_layout(given))
    while not calls.load(shared.ready):
        pass
    while True:
        take(calls, shared)
        calls.load(shared.work)
        calls.pthread_mutex_unlock(shared.mutex)
        calls.load(shared.ready)


def take(calls: Calls, shared: Buffer) -> None:
    """Lock the mutex; after a dead owner, put in order what it left behind and say so."""
    while (answer := calls.pthread_mutex_lock(shared.mutex)) is None:
        pass  # EBUSY: only where the user made us non-blocking
    if answer == EOWNERDEAD:
        calls.store(shared.work, 0)
        calls.pthread_mutex_consistent(shared.mutex)
