"""Collecting: what the rings hold becomes records, printed as strace(1) prints them and joined to messages."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from bisect import bisect_left, bisect_right

from ipctui.lab.handle import Handle
from ipctui.lab.listing import Listing
from ipctui.trace.clock import Clock
from ipctui.trace.records import Access, Call, Count, Counters
from ipctui.trace.ring import W_RECEIVED, W_SENT, W_WHOLE, Entry, Key
from ipctui.trace.text import strace_string
from ipctui.worker.messages import envelope

_FCNTL = {
    value: name
    for name, value in vars(fcntl).items()
    if name in ("F_GETFL", "F_SETFL", "F_GETFD", "F_SETFD", "F_SETPIPE_SZ", "F_GETPIPE_SZ")
}
_FLAGS = ((os.O_NONBLOCK, "O_NONBLOCK"), (getattr(os, "O_DIRECT", 0), "O_DIRECT"), (os.O_CLOEXEC, "O_CLOEXEC"))
_ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")


def flags_text(flags: int, access: bool = False) -> str:
    """Open file flags by name, as strace prints them; `access` for those that fcntl(2) returns."""
    names = [_ACCESS[flags & os.O_ACCMODE]] if access else []
    rest = flags & ~os.O_ACCMODE
    for bit, name in _FLAGS:
        if bit and rest & bit:
            names.append(name)
            rest &= ~bit
    if rest & ~0o100000:  # O_LARGEFILE, which the kernel adds by itself
        names.append(hex(rest))
    return "|".join(names) or "0"


def arguments(name: str, key: Key, argument: int, extra: int, payload: bytes, result: int | None) -> str:
    """An operation's arguments as strace prints them; `result` is None while it is in flight."""
    fd = key.fd
    if name == "write":
        return f"{fd}, {strace_string(payload[: min(argument, 32)], argument)}, {argument}"
    if name == "read":
        if result is None:
            return f"{fd}, "
        shown = strace_string(payload[: min(result, 32)], result) if result >= 0 else "…"
        return f"{fd}, {shown}, {argument}"
    if name in ("pipe", "pipe2"):
        ends = f"[{extra & 0xFFFFFFFF}, {extra >> 32}]" if result == 0 else "…"
        return ends if name == "pipe" else f"{ends}, {flags_text(argument)}"
    if name == "fcntl":
        command = _FCNTL.get(argument, str(argument))
        value = flags_text(extra, access=True) if command in ("F_SETFL",) else str(extra)
        return f"{fd}, {command}, {value}"
    if name == "signal":
        action = {0: "SIG_DFL", 1: "SIG_IGN"}.get(extra, str(extra))
        return f"{signal.Signals(argument).name}, {action}"
    if name == "waitpid":
        return f"{argument}, {_status_text(extra) if result and result > 0 else '…'}, 0"
    if name == "fork":
        return ""
    return "" if fd is None else str(fd)


def _status_text(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal.Signals(os.WTERMSIG(status)).name}}}]"
    return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {os.WEXITSTATUS(status)}}}]"


def error_name(number: int) -> str:
    """An errno by its name, `EPIPE`; the number where it has none (errno(3))."""
    return errno.errorcode.get(number, str(number))


_REMEMBERED = 1024


class _Stream:
    """Which message lies where in a byte stream with one writer: ranges of offsets, rising, the latest of them."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._messages: list[str] = []

    def wrote(self, first: int, size: int, message: str) -> None:
        if self._messages and self._messages[-1] == message and self._ends[-1] == first:
            self._ends[-1] = first + size
            return
        self._begins.append(first)
        self._ends.append(first + size)
        self._messages.append(message)
        if len(self._begins) > 2 * _REMEMBERED:
            for column in (self._begins, self._ends, self._messages):
                del column[:_REMEMBERED]

    def within(self, first: int, size: int) -> tuple[str, ...]:
        low = bisect_right(self._ends, first)
        high = bisect_left(self._begins, first + size)
        return tuple(self._messages[low:high])


class Collector:
    """Makes records of ring entries.

    Args:
        lone: Objects have one writer each, so that ranges of bytes tell messages; else only headers do.
    """

    def __init__(self, clock: Clock, listing: Listing, lone: bool) -> None:
        self._clock = clock
        self._listing = listing
        self._lone = lone
        self._streams: dict[str, _Stream] = {}
        self._rest_of: dict[tuple[int, int], str] = {}

    def records(self, handle: Handle, entries: list[Entry]) -> list[Call | Access]:
        """The records of one worker's entries."""
        return [self._record(handle, entry) for entry in entries]

    def _record(self, handle: Handle, entry: Entry) -> Call | Access:
        ring = handle.ring
        key = Key.of(entry.key)
        known = key.operation < len(ring.operations)
        name = ring.operations[key.operation].name if known else "?"
        zero = self._clock.zero
        line = self._listing.line(ring.code_name(key.code), key.lasti)
        if name in ("load", "store"):
            return Access(
                handle.role,
                handle.pid,
                name,
                ring.object_label(entry.extra),
                entry.argument,
                entry.result,
                entry.begin - zero,
                entry.end - zero,
                line,
                handle.cell,
            )
        failed = entry.result < 0 and name not in ("signal",)
        label = ring.object_label(key.object) if key.object else None
        moved = name in ("read", "write") and not failed
        return Call(
            process=handle.role,
            pid=handle.pid,
            name=name,
            syscall=ring.operations[key.operation].syscall if known else None,
            args=arguments(name, key, entry.argument, entry.extra, entry.payload, entry.result),
            result=-1 if failed else entry.result,
            begin=entry.begin - zero,
            end=entry.end - zero,
            fd=key.fd,
            object=label,
            errno=error_name(-entry.result) if failed else None,
            message=self._messages(handle, key, name, label, entry) if moved else (),
            offset=entry.extra if name in ("read", "write") else None,
            line=line,
            tid=handle.pid,
            cell=handle.cell,
        )

    def _messages(self, handle: Handle, key: Key, name: str, label: str | None, entry: Entry) -> tuple[str, ...]:
        if label is None or not entry.result:
            return ()
        begins = envelope(entry.payload)
        if name == "write":
            place = (handle.pid, key.fd or 0)
            message = begins.id if begins is not None else self._rest_of.get(place)
            if message is None:
                return ()
            if entry.result < entry.argument:
                self._rest_of[place] = message
            else:
                self._rest_of.pop(place, None)
            self._streams.setdefault(label, _Stream()).wrote(entry.extra, entry.result, message)
            return (message,)
        if self._lone and label in self._streams:
            return self._streams[label].within(entry.extra, entry.result)
        return (begins.id,) if begins is not None else ()

    def counters(self, handle: Handle, t: int, cpu: int | None) -> Counters:
        """The worker's exact counts, as its ring's header has them."""
        ring = handle.ring
        errors: dict[tuple[int, int, int | None], dict[str, int]] = {}
        for row in ring.errors():
            errors.setdefault((row.operation, row.object, row.fd), {})[error_name(row.errno)] = row.count
        counts = tuple(
            Count(
                ring.operations[row.operation].name,
                ring.operations[row.operation].syscall,
                row.fd,
                ring.object_label(row.object) if row.object else None,
                row.calls,
                row.bytes,
                errors.get((row.operation, row.object, row.fd), {}),
            )
            for row in ring.rows()
            if row.operation < len(ring.operations)
        )
        words = ring.words
        return Counters(
            t, handle.role, handle.pid, counts, words[W_SENT], words[W_RECEIVED], words[W_WHOLE], cpu, handle.cell
        )
