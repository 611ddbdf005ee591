"""The programs of the cells: a sender and a receiver on a carrier that holds nothing, a few messages, or any number.

Each finds its own cell in `given.cells`. A send that comes back empty-handed is refused: the message is counted, and
gone. What the kernel or the queue has taken is accepted, and arrives.
"""

from __future__ import annotations

from fcntl import F_SETFL
from os import O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from types import SimpleNamespace
from typing import Any

from ipctui.worker.calls import Calls
from ipctui.worker.growing import KEEP_SIZE, PUNCH_HOLE
from ipctui.worker.places import WORD, Slot, Word
from ipctui.worker.semaphore_sets import (
    GETNCNT,
    IPC_CREAT,
    IPC_NOWAIT,
    SEM_UNDO,
    SETALL,
    SemaphoreSet,
)
from ipctui.worker.semaphores import Semaphore
from ipctui.worker.shared_memory import Segment

F_SETPIPE_SZ = 1031
OFFERED, BUSY = 0, 1
"""The two semaphores of a rendezvous: a message stands offered; its receiver is putting it away."""
IN, OUT, FIRST = 0, 64, 4096
"""Where the growing queue has its counts of messages put in and taken out, and its first record."""


def cell_of(calls: Calls, given: SimpleNamespace) -> dict[str, Any]:
    """What this process is given for its own cell."""
    mine: dict[str, Any] = given.cells[calls.seat.cell]
    return mine


def is_nonblocking(calls: Calls, mine: dict[str, Any]) -> bool:
    """Whether this end of the cell begins non-blocking."""
    wanted: bool = mine["nonblocking"][calls.seat.role]
    return wanted


def set_mode(calls: Calls, fd: int, mine: dict[str, Any]) -> None:
    """Begin as the cell says; O_NONBLOCK of the descriptor can be read in /proc/PID/fdinfo."""
    if is_nonblocking(calls, mine):
        calls.fcntl(fd, F_SETFL, O_NONBLOCK)
        calls.nonblocking = True


def fitted(message: bytes, given: SimpleNamespace) -> bytes:
    """A message that is larger than the carrier takes is cut: the user may have typed it."""
    return message if len(message) <= given.largest else message[: given.largest - 1] + b"\n"


# Zero capacity: the rendezvous.


def sender_zero(calls: Calls, given: SimpleNamespace) -> None:
    """zero: nothing can lie between the two, so each message is handed from one to the other."""
    semaphores, slot = meet(calls, given)
    for message in calls.offers():
        if not hand_over(calls, semaphores, slot, fitted(message, given)):
            calls.refused()


def receiver_zero(calls: Calls, given: SimpleNamespace) -> None:
    """zero: takes what is being offered, or waits until something is."""
    semaphores, slot = meet(calls, given)
    while True:
        message = take(calls, semaphores, slot)
        calls.received(message, datagram=True)


def meet(calls: Calls, given: SimpleNamespace) -> tuple[SemaphoreSet, Slot]:
    """zero: both sides: the two semaphores, both 0 at first, and room for the message that is handed over."""
    mine = cell_of(calls, given)
    semaphores = calls.semget(mine["key"], 2, IPC_CREAT | 0o600)
    fd = calls.shm_open(mine["segment"], O_CREAT | O_RDWR, 0o600)
    calls.ftruncate(fd, WORD + given.largest)
    set_mode(calls, fd, mine)
    return semaphores, calls.mmap(fd, WORD + given.largest).slot(0, given.largest)


def hand_over(calls: Calls, semaphores: SemaphoreSet, slot: Slot, message: bytes) -> bool:
    """zero: send: sleep until the receiver has the message; non-blocking, only to one who is asleep waiting for it."""
    wait = not calls.nonblocking
    undo = SEM_UNDO if wait else 0  # the kernel withdraws the offer of a process that ends
    asleep = calls.semctl(semaphores, OFFERED, GETNCNT)  # receivers that wait now, by the kernel's count
    if not asleep and not wait:
        return False  # nobody waits: refused
    if not asleep and not calls.semop(semaphores, (BUSY, 0)):
        return False  # EINTR
    calls.store(slot, message)
    calls.semop(semaphores, (OFFERED, +1, undo))  # a receiver asleep has taken it when this returns
    if wait and calls.semop(semaphores, (OFFERED, 0), (BUSY, 0)):
        return True  # it has been taken, and put away
    if not wait and calls.semop(semaphores, (OFFERED, 0, IPC_NOWAIT)):
        return True
    return not calls.semop(semaphores, (OFFERED, -1, undo | IPC_NOWAIT))  # withdrawn, unless it was taken just now


def take(calls: Calls, semaphores: SemaphoreSet, slot: Slot) -> bytes | None:
    """zero: receive: sleep until a message is offered; non-blocking, only what is offered now."""
    flags = SEM_UNDO | (IPC_NOWAIT if calls.nonblocking else 0)  # if we end now, the offer stands again
    if not calls.semop(semaphores, (OFFERED, -1, flags), (BUSY, +1, SEM_UNDO)):
        return None  # EAGAIN, EINTR
    message = calls.load(slot)
    calls.semctl(semaphores, 0, SETALL, 0, 0)  # put away for good: the sender wakes
    return message


# Bounded: a mailbox.


def sender_mailbox(calls: Calls, given: SimpleNamespace) -> None:
    """bounded: the mailbox takes a message while it has room; who sends then is done with it."""
    q = open_mailbox(calls, given, O_WRONLY)
    for message in calls.offers():
        if not calls.mq_send(q, fitted(message, given)):
            calls.refused()  # EAGAIN: full


def receiver_mailbox(calls: Calls, given: SimpleNamespace) -> None:
    """bounded: takes the oldest message that lies in the mailbox."""
    q = open_mailbox(calls, given, O_RDONLY)
    while True:
        message, _ = calls.mq_receive(q)
        calls.received(message, datagram=True)


def open_mailbox(calls: Calls, given: SimpleNamespace, flags: int) -> int:
    """bounded: both sides."""
    mine = cell_of(calls, given)
    flags |= O_CREAT | (O_NONBLOCK if is_nonblocking(calls, mine) else 0)
    return calls.mq_open(mine["mailbox"], flags, 0o600, given.capacity, given.largest)


# Bounded: a pipe that is smaller than a message.


def sender_pipe(calls: Calls, given: SimpleNamespace) -> None:
    """pipe: a message may go in by parts; the kernel finishes a blocking write, and no other."""
    mine = cell_of(calls, given)
    r, w = calls.pipe()
    calls.fcntl(w, F_SETPIPE_SZ, given.pipe)
    if calls.fork() == 0:
        return receiver_pipe(calls, given, r, w)
    calls.close(r)
    set_mode(calls, w, mine)
    for message in calls.offers():
        rest = message
        while rest:
            written = calls.write(w, rest)
            if written is None and rest is message:
                calls.refused()  # EAGAIN: not one byte went in
                break
            rest = rest[written or 0 :]  # a short count: the rest is ours to send, not the kernel's


def receiver_pipe(calls: Calls, given: SimpleNamespace, r: int, w: int) -> None:
    """pipe: reads what is there, whole messages or parts of them."""
    calls.close(w)
    set_mode(calls, r, cell_of(calls, given))
    while (data := calls.read(r, given.pipe)) != b"":
        calls.received(data)


# Unbounded: a queue that grows.


def sender_growing(calls: Calls, given: SimpleNamespace) -> None:
    """unbounded: a send never waits: the queue gets more memory, as long as the system has any."""
    fd, segment, items = open_queue(calls, given)
    put_in, taken_out = segment.word(IN), segment.word(OUT)
    at, memory = calls.load(put_in), -1
    for message in calls.offers():
        page = at // given.in_page % given.pages
        if at - calls.load(taken_out) >= given.most or (
            page != memory and not calls.fallocate(fd, 0, FIRST + page * FIRST, FIRST)
        ):
            calls.refused()  # the true limit
            continue
        memory = page
        calls.store(record(segment, at, given), fitted(message, given))
        at += 1
        calls.store(put_in, at)
        calls.sem_post(items)


def receiver_growing(calls: Calls, given: SimpleNamespace) -> None:
    """unbounded: takes the oldest message, and gives back the memory behind it."""
    fd, segment, items = open_queue(calls, given)
    put_in, taken_out = segment.word(IN), segment.word(OUT)
    while True:
        if not calls.sem_wait(items):
            continue  # EAGAIN: the queue is empty; EINTR
        take_out(calls, given, fd, segment, put_in, taken_out)


def take_out(calls: Calls, given: SimpleNamespace, fd: int, segment: Segment, put_in: Word, taken_out: Word) -> None:
    """unbounded: receive the oldest message; the semaphore may have said one too many, never one too few."""
    at = calls.load(taken_out)
    if at == calls.load(put_in):
        return
    message = calls.load(record(segment, at, given))
    if at and at % given.in_page == 0:
        behind = (at // given.in_page - 1) % given.pages
        calls.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, FIRST + behind * FIRST, FIRST)
    calls.store(taken_out, at + 1)
    calls.received(message, datagram=True)


def open_queue(calls: Calls, given: SimpleNamespace) -> tuple[int, Segment, Semaphore]:
    """unbounded: both sides: room for addresses, memory for the counts alone, and a semaphore that counts messages."""
    mine = cell_of(calls, given)
    fd = calls.shm_open(mine["segment"], O_CREAT | O_RDWR, 0o600)
    calls.fallocate(fd, 0, 0, FIRST)
    segment = calls.mmap(fd, FIRST + given.pages * FIRST)
    items = calls.sem_open(mine["items"], O_CREAT, 0o600, 0)
    calls.sem_post(items)  # whoever had this place before may have died between two steps
    set_mode(calls, fd, mine)
    return fd, segment, items


def record(segment: Segment, at: int, given: SimpleNamespace) -> Slot:
    """unbounded: the place of a message: a page has several, the pages are used again and again."""
    page, place = at // given.in_page % given.pages, at % given.in_page
    return segment.slot(FIRST + page * FIRST + place * given.stride, given.stride - WORD)
