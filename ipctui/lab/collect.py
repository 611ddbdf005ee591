"""Collecting: what the rings hold becomes records, printed as strace(1) prints them and joined to messages."""

from __future__ import annotations

import socket
from bisect import bisect_left, bisect_right

from ipctui.lab.handle import Handle
from ipctui.lab.listing import Listing
from ipctui.lab.strace import arguments, error_name
from ipctui.trace.clock import Clock
from ipctui.trace.operations import Operation
from ipctui.trace.records import Access, Call, Count, Counters
from ipctui.trace.ring import PAYLOAD, W_RECEIVED, W_SENT, W_WHOLE, Entry, Key
from ipctui.trace.text import strace_string
from ipctui.worker.messages import envelope

__all__ = ["Collector", "arguments", "error_name"]

_SENDS = ("mq_send", "send", "sendmsg")
_RECEIVES = ("mq_receive", "recv", "recvmsg")
_SIZED = frozenset(("read", "write", *_SENDS, *_RECEIVES))
_UNKNOWN = Operation("?", None)
_REMEMBERED = 1024


class _Stream:
    """Which message lies where in a byte stream: ranges of offsets, rising, the latest of them.

    Attributes:
        lone: It has one writer and one reader, so that the offsets of both count the same bytes.
    """

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._messages: list[str] = []
        self._user: dict[str, tuple[int, int | None]] = {}
        self.lone = True

    def used(self, how: str, pid: int, fd: int | None) -> None:
        """Somebody reads or writes it."""
        if self._user.setdefault(how, (pid, fd)) != (pid, fd):
            self.lone = False

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
        operation = ring.operations[key.operation] if key.operation < len(ring.operations) else _UNKNOWN
        label = ring.object_label(key.object) if key.object else None
        if operation.name in ("load", "store"):
            return self._access(handle, entry, key, operation, label)
        name = operation.name
        failed = entry.result < 0 and name not in ("signal",)
        line = self._listing.line(ring.code_name(key.code), key.lasti)
        return Call(
            process=handle.role,
            pid=handle.pid,
            name=name,
            syscall=operation.syscall,
            args=arguments(name, key, entry.argument, entry.extra, entry.payload, entry.result, label),
            result=-1 if failed else entry.result,
            begin=entry.begin - self._clock.zero,
            end=entry.end - self._clock.zero,
            fd=key.fd,
            object=label,
            errno=error_name(-entry.result) if failed else None,
            message=self._messages(handle, key, name, label, entry) if name in _SIZED and not failed else (),
            offset=entry.extra if name in ("read", "write") else None,
            line=line,
            tid=handle.pid,
            cell=handle.cell,
        )

    def _access(self, handle: Handle, entry: Entry, key: Key, operation: Operation, label: str | None) -> Access:
        zero = self._clock.zero
        slot = operation.on == "slot"
        begins = envelope(entry.payload[: max(entry.result, 0)]) if slot else None
        return Access(
            handle.role,
            handle.pid,
            operation.name,
            label,
            entry.argument,
            entry.result,
            entry.begin - zero,
            entry.end - zero,
            self._listing.line(handle.ring.code_name(key.code), key.lasti),
            handle.cell,
            message=(begins.id,) if begins is not None else (),
            size=entry.result if slot else None,
            text=strace_string(entry.payload[: min(entry.result, PAYLOAD)], entry.result) if slot else None,
        )

    def _messages(self, handle: Handle, key: Key, name: str, label: str | None, entry: Entry) -> tuple[str, ...]:
        if name in _SENDS:
            begins = envelope(entry.payload[: entry.argument])
            return (begins.id,) if begins is not None else ()
        begins = envelope(entry.payload[: entry.result])
        if name in _RECEIVES:
            peeked = name != "mq_receive" and entry.extra & socket.MSG_PEEK
            return (begins.id,) if begins is not None and not peeked else ()
        if label is None or not entry.result:
            return ()
        stream = self._streams.setdefault(label, _Stream())
        stream.used(name, handle.pid, key.fd)
        if name == "write":
            place = (handle.pid, key.fd or 0)
            message = begins.id if begins is not None else self._rest_of.get(place)
            if message is None:
                return ()
            if entry.result < entry.argument:
                self._rest_of[place] = message
            else:
                self._rest_of.pop(place, None)
            stream.wrote(entry.extra, entry.result, message)
            return (message,)
        if self._lone and stream.lone:
            return stream.within(entry.extra, entry.result)
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
