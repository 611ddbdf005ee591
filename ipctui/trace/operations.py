"""The operations that a program may ask for, and what the kernel calls them.

A program uses the name of the man page; the kernel's own entry may have another (`pipe` is `pipe2`, `fork` is
`clone`), and a load or store of a shared word has none at all. The code of an operation is its place in this
table; the table travels in each ring's header, so that a reader never depends on its own copy.

An operation that asks the kernel only when it must sleep, or must wake a sleeper, has two rows of one name: one
without a system call and one with futex(2). The worker knows before it makes the operation which of them it is (but
for the time between its look and the C library's, some tens of nanoseconds), so that counters tell how many reached
the kernel. Likewise `load` and `store` have a row for words and one for slots, which hold messages.

`call` and `tell` make no system call either: a program says by them that it calls a remote procedure, or that something
has happened which no single system call tells. `tell_rest` carries what of that finds no room in one record.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

_LATER = {"unlink": "unlinkat", "rename": "renameat", "poll": "ppoll", "epoll_wait": "epoll_pwait"}
"""What the C library asks for on machines whose table of system calls began without the older ones."""

_HAS_LATER_ONLY = hasattr(os, "uname") and os.uname().machine in ("aarch64", "arm64", "riscv64", "loongarch64")


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table.

    Attributes:
        name: What a program calls it, the man page's name.
        syscall: What the kernel does, by its own name; None when no system call is made.
        on: What it is done on, where one name has several rows that make no system call: "slot".
    """

    name: str
    syscall: str | None
    on: str = ""


_SYSTEM_CALLS = """
read write close pipe:pipe2 pipe2 fork:clone waitpid:wait4 fcntl signal:rt_sigaction
load: store: load:/slot store:/slot
open:openat mkfifo:mknodat unlink
shm_open:openat shm_unlink:unlink ftruncate mmap munmap memfd_create
sem_open:openat sem_close:munmap sem_unlink:unlink sem_getvalue: sem_trywait:
sem_wait: sem_wait:futex sem_post: sem_post:futex
pthread_mutex_init: pthread_mutex_consistent: pthread_mutex_trylock:
pthread_mutex_lock: pthread_mutex_lock:futex pthread_mutex_unlock: pthread_mutex_unlock:futex
mq_open mq_close:close mq_unlink mq_send:mq_timedsend mq_receive:mq_timedreceive
mq_getattr:mq_getsetattr mq_setattr:mq_getsetattr mq_notify
socket socketpair bind listen accept:accept4 connect shutdown getsockname getsockopt setsockopt
send:sendto recv:recvfrom sendmsg recvmsg
poll epoll_create1 epoll_ctl epoll_wait eventfd:eventfd2
nice:setpriority sched_yield clock_nanosleep
sendto recvfrom getpeername fsync rename call: tell: tell_rest:
process_vm_readv process_vm_writev prctl execve lseek capset sched_setaffinity
io_uring_setup io_uring_enter io_uring_prep_read: io_uring_peek_cqe:
aio_read:futex aio_return: sigaction:rt_sigaction notice: work: clock_gettime:
semget semop:semtimedop semctl fallocate
"""
"""Rows in the order of their codes: NAME where the kernel has the same one, NAME:SYSCALL, NAME: for none."""


def _row(text: str) -> Operation:
    name, other, rest = text.partition(":")
    if rest.startswith("/"):
        return Operation(name, None, rest[1:])
    syscall = (rest or None) if other else name
    if _HAS_LATER_ONLY and syscall in _LATER:
        syscall = _LATER[syscall]
    return Operation(name, syscall)


OPERATIONS: tuple[Operation, ...] = (Operation("", None), *map(_row, _SYSTEM_CALLS.split()))
"""Code 0 is nothing: a ring whose current operation is 0 is between two operations."""


def _codes() -> dict[str, int]:
    codes: dict[str, int] = {}
    for code, row in enumerate(OPERATIONS[1:], 1):
        codes[row.name if row.name not in codes else f"{row.name} {row.on or row.syscall}"] = code
    return codes


CODES: dict[str, int] = _codes()
"""Code by name; a name's second row has a second word: `sem_wait futex`, `store slot`."""


def codes_named(name: str) -> tuple[int, ...]:
    """The codes that a name stands for: all rows of `sem_wait`, the one row of `store slot`. Raises KeyError."""
    first = CODES[name]
    if " " in name:
        return (first,)
    return tuple(code for code, row in enumerate(OPERATIONS) if row.name == name)


def names_table() -> bytes:
    """The table as the ring's header holds it: `name syscall [on]`, NUL between rows, `-` for no system call."""
    rows = (f"{row.name} {row.syscall or '-'} {row.on}".rstrip() for row in OPERATIONS)
    return "\0".join(rows).encode()


def parse_names_table(raw: bytes) -> tuple[Operation, ...]:
    """The operations of a ring's header; rows that make no sense become operations named `?`."""
    operations = []
    for row in raw.rstrip(b"\0").decode("utf-8", "replace").split("\0"):
        name, syscall, on, *_ = (*row.split(" "), "", "", "")
        operations.append(
            Operation(
                name if name.isidentifier() or not name else "?",
                syscall if syscall.isidentifier() else None,
                on if on.isidentifier() else "",
            )
        )
    return tuple(operations)
