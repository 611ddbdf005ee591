"""Collecting: what the rings hold becomes records, printed as strace(1) prints them and joined to messages."""

from __future__ import annotations

import socket
from weakref import WeakKeyDictionary

from ipctui.lab.handle import Handle
from ipctui.lab.joined import Stream
from ipctui.lab.listing import Listing
from ipctui.lab.packets import Packets
from ipctui.lab.strace import arguments, error_name
from ipctui.lab.told import TELLS, Told
from ipctui.trace.clock import Clock
from ipctui.trace.operations import Operation
from ipctui.trace.records import Access, Call, Count, Counters, Event
from ipctui.trace.ring import (
    PAYLOAD,
    W_MEDIAN,
    W_OFFERED,
    W_P99,
    W_RECEIVED,
    W_REFUSED,
    W_SENT,
    W_WHOLE,
    W_WORK,
    Entry,
    ErrorRow,
    Key,
    RingReader,
    Row,
)
from ipctui.trace.text import strace_string
from ipctui.worker.messages import envelope

__all__ = ["Collector", "arguments", "error_name"]

_SENDS = ("mq_send", "send", "sendmsg", "sendto")
_RECEIVES = ("mq_receive", "recv", "recvmsg", "recvfrom", "io_uring_peek_cqe", "aio_return")
_SIZED = frozenset(("read", "write", *_SENDS, *_RECEIVES))
_UNKNOWN = Operation("?", None)


class Collector:
    """Makes records of ring entries.

    Args:
        lone: Objects have one writer each, so that ranges of bytes tell messages; else only headers do.
    """

    def __init__(self, clock: Clock, listing: Listing, lone: bool) -> None:
        self._clock = clock
        self._listing = listing
        self._lone = lone
        self._told = Told()
        self._packets = Packets()
        self._streams: dict[str, Stream] = {}
        self._rest_of: dict[tuple[int, int | None], str] = {}
        self._counted: WeakKeyDictionary[RingReader, tuple[list[Row], list[ErrorRow], tuple[Count, ...]]] = (
            WeakKeyDictionary()
        )

    def records(self, handle: Handle, entries: list[Entry]) -> list[Call | Access | Event]:
        """The records of one worker's entries."""
        made = (self._record(handle, entry) for entry in entries)
        return [record for record in made if record is not None]

    def _record(self, handle: Handle, entry: Entry) -> Call | Access | Event | None:
        ring = handle.ring
        key = Key.of(entry.key)
        operation = ring.operations[key.operation] if key.operation < len(ring.operations) else _UNKNOWN
        label = ring.object_label(key.object) if key.object else None
        if operation.name in ("load", "store"):
            return self._access(handle, entry, key, operation, label)
        name = operation.name
        failed = entry.result < 0 and name not in ("signal",)
        line = self._listing.line(ring.code_name(key.code), key.lasti)
        if name in TELLS:
            return self._told.event(handle, name, label, entry, entry.end - self._clock.zero, line)
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
            if begins is None and name in ("send", "sendto"):
                payload = entry.payload[: entry.argument]
                return self._packets.sent(handle.role, handle.pid, payload, entry.begin, name == "sendto")
            return (begins.id,) if begins is not None else ()
        begins = envelope(entry.payload[: entry.result])
        if name in _RECEIVES:
            peeked = name in ("recv", "recvmsg", "recvfrom") and entry.extra & socket.MSG_PEEK
            if begins is None and name in ("recv", "recvfrom") and not peeked:
                payload = entry.payload[: entry.result]
                return self._packets.received(handle.pid, payload, entry.end, name == "recvfrom")
            return (begins.id,) if begins is not None and not peeked else ()
        if label is None or not entry.result:
            return ()
        stream = self._streams.setdefault(label, Stream())
        place = (handle.pid, key.fd)
        if name == "write":
            message = begins.id if begins is not None else self._rest_of.get(place)
            stream.wrote(place, entry.extra, entry.result, message)
            if message is None:
                return ()
            if entry.result < entry.argument:
                self._rest_of[place] = message
            else:
                self._rest_of.pop(place, None)
            return (message,)
        if self._lone:
            return stream.read(place, entry.extra, entry.result, entry.payload[: entry.result])
        return (begins.id,) if begins is not None else ()

    def ended(self, pid: int) -> None:
        """A process is over: whoever comes next takes its place in a stream."""
        for stream in self._streams.values():
            stream.ended(pid)

    def _counts(self, ring: RingReader) -> tuple[Count, ...]:
        """A ring's counts by operation and object; those of last time while none has changed."""
        rows, failures = ring.rows(), ring.errors()
        before = self._counted.get(ring)
        if before is not None and before[0] is rows and before[1] is failures:
            return before[2]
        errors: dict[tuple[int, int, int | None], dict[str, int]] = {}
        for row in failures:
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
            for row in rows
            if row.operation < len(ring.operations)
            # What has a row only because it was announced has not been told.
            and (row.calls or ring.operations[row.operation].name not in TELLS)
        )
        if all(ring.object_label(row.object) for row in rows if row.object):
            self._counted[ring] = rows, failures, counts
        return counts

    def counters(self, handle: Handle, t: int, cpu: int | None) -> Counters:
        """The worker's exact counts, as its ring's header has them."""
        ring = handle.ring
        counts = self._counts(ring)
        words = ring.words
        received = words[W_RECEIVED]
        return Counters(
            t,
            handle.role,
            handle.pid,
            counts,
            words[W_SENT],
            received,
            min(words[W_WHOLE], received),  # stored before the other, and read after it: it may be ahead
            cpu,
            handle.cell,
            work=words[W_WORK],
            median=words[W_MEDIAN] or None,
            p99=words[W_P99] or None,
            offered=words[W_OFFERED],
            refused=words[W_REFUSED],
        )
