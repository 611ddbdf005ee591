"""The operations that a program may ask for, and what the kernel calls them.

A program uses the name of the man page; the kernel's own entry may have another (`pipe` is `pipe2`, `fork` is
`clone`), and a load or store of a shared word has none at all. The code of an operation is its place in this
table; the table travels in each ring's header, so that a reader never depends on its own copy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """What a program calls an operation (`name`, the man page's) and what the kernel does (`syscall`, or None)."""

    name: str
    syscall: str | None


OPERATIONS: tuple[Operation, ...] = (
    Operation("", None),
    Operation("read", "read"),
    Operation("write", "write"),
    Operation("close", "close"),
    Operation("pipe", "pipe2"),
    Operation("pipe2", "pipe2"),
    Operation("fork", "clone"),
    Operation("waitpid", "wait4"),
    Operation("fcntl", "fcntl"),
    Operation("signal", "rt_sigaction"),
    Operation("load", None),
    Operation("store", None),
)
"""Code 0 is nothing: a ring whose current operation is 0 is between two operations."""

CODES: dict[str, int] = {operation.name: code for code, operation in enumerate(OPERATIONS) if operation.name}
"""Operation name to code."""


def names_table() -> bytes:
    """The table as the ring's header holds it: `name syscall` pairs, NUL between rows, `-` for no system call."""
    rows = (f"{operation.name} {operation.syscall or '-'}" for operation in OPERATIONS)
    return "\0".join(rows).encode()


def parse_names_table(raw: bytes) -> tuple[Operation, ...]:
    """The operations of a ring's header; rows that make no sense become operations named `?`."""
    operations = []
    for row in raw.rstrip(b"\0").decode("utf-8", "replace").split("\0"):
        name, _, syscall = row.partition(" ")
        operations.append(Operation(name if name.isidentifier() or not name else "?", _kernel_name(syscall)))
    return tuple(operations)


def _kernel_name(text: str) -> str | None:
    return text if text.isidentifier() else None
