"""The ring: how a worker tells what it does without a system call, and how the laboratory steers it.

One ring a worker, in a memfd that worker and laboratory map. Everything is little words of 8 bytes, aligned, each
written by one side only and stored through a `memoryview.cast("Q")`: `struct.pack_into` zero-fills its target
first, which a concurrent reader sees, so it is kept for slots that are not yet published.

    byte 0      words 0-63: identity, the laboratory's orders, what the worker is doing now (names below)
    byte 512    the detail of the operation that the worker stands before: 64 bytes
    byte 576    counter rows of the main thread: ROWS x (key, calls, bytes, reserved)
    byte 6720   counter rows of the control thread: CONTROL_ROWS x the same
    byte 7232   error rows: ERROR_ROWS x (key with errno in its low bits, count)
    byte 9280   names of the operations, NUL between rows (operations.names_table)
    byte 12352  labels of objects: OBJECTS x 128 bytes; row 0 is no object
    byte 20544  names of code: CODES x 48 bytes; row 0 is no code
    byte 21312  reserved
    byte 21504  slots of RECORD_SIZE bytes: sequence, begin, end, key, result, argument, extra, 32 bytes of
                payload, sequence again. `extra` is the stream offset of a read or write (bytes moved before it),
                a second argument word of any other operation

The *key* of an operation is one word: operation (8 bits), object (8), descriptor (16, all ones for none),
code (8), code position f_lasti (24). A counter row has the key's upper 32 bits. Rows are given out in order; when all
but SHARED_ROWS are, what has none counts into a row of its operation, with no descriptor and no object in its key.

The head, the number of records written so far, is the sum of the main thread's call counters: one store both
counts a call and publishes its record. A sum read while the writer runs lies between the head at the start of the
reading and the head at its end, and that is all the reader relies on.

The writer never waits for its reader: the oldest slots are overwritten. The reader copies what it wants, reads the
head again, and throws away what may have been overtaken meanwhile; what it missed is counted, never guessed.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ipctui.trace.operations import Operation, names_table, parse_names_table

MAGIC: Final = int.from_bytes(b"ipctui\x00\x01", "little")
VERSION: Final = 2
BYTE_ORDER: Final = 0x0102030405060708
_OTHER_BYTE_ORDER: Final = 0x0807060504030201
RECORD: Final = struct.Struct("@QQQQqqQ32sQ")
RECORD_SIZE: Final = RECORD.size
SLOTS: Final = 8192
HEADER_SIZE: Final = 21504
RING_SIZE: Final = HEADER_SIZE + SLOTS * RECORD_SIZE
PAYLOAD: Final = 32

# Words of the header. The laboratory writes 8-15, the worker the rest.
W_MAGIC, W_VERSION, W_BYTE_ORDER, W_RECORD_SIZE, W_SLOTS, W_HEADER_SIZE = range(6)
W_GATE: Final = 8  # bits below; 0 lets the worker run through
W_STEPS: Final = 9  # steps granted since the start
W_INTERVAL: Final = 10  # nanoseconds between two turns; 0 is flat out
W_SIZE: Final = 11  # bytes of the next message
W_PID: Final = 16
W_CURRENT: Final = 17  # key of the operation in hand
W_SINCE: Final = 18  # when the operation in hand was entered (a load or store is over at once and leaves it alone)
W_PHASE: Final = 19  # PHASE_*: what the worker does outside an operation
W_PHASE_SINCE: Final = 20
W_UNTIL: Final = 21  # when a paced worker's turn comes
W_STEPS_TAKEN: Final = 22
W_SENT: Final = 23  # messages wholly handed to the kernel
W_RECEIVED: Final = 24  # messages whose end was received
W_WHOLE: Final = 25  # of these, the ones that arrived in one piece
W_DETAIL: Final = 26  # head + 1 for which the detail is valid; 0 while it is being written
W_CONTROL: Final = 27  # 1 once the control thread answers
W_FAILED: Final = 28  # key of the operation whose error ended the program
W_FAILED_ERRNO: Final = 29
W_ENDED: Final = 30  # 1 once the program returned
W_JUNK: Final = 31  # received bytes that belong to no message the laboratory knows
W_NONBLOCKING: Final = 32  # 1 while the user wants operations without a descriptor of their own not to block
W_WORK: Final = 33  # units of other work done
W_MEDIAN: Final = 34  # median of the latest messages' delays from send to receipt, nanoseconds; 0 before the first
W_P99: Final = 35  # their 99th percentile
W_OFFERED: Final = 36  # messages offered, where those that nobody took are counted
W_REFUSED: Final = 37  # of these, the ones that nobody took

HELD_BIT, PACED_BIT, ATTEND_BIT = 1, 2, 4
PHASE_RUNNING, PHASE_HELD, PHASE_PACED = 0, 1, 2

DETAIL_AT: Final = 512
DETAIL: Final = struct.Struct("@qQ32s")
ROWS_AT: Final = 576
ROWS: Final = 192
SHARED_ROWS: Final = 48  # the last of them: one an operation, for descriptors and objects that found no row
FIRST_SHARED: Final = ROWS_AT // 8 + (ROWS - SHARED_ROWS) * 4  # the word index of the first of these
CONTROL_ROWS_AT: Final = ROWS_AT + ROWS * 32
CONTROL_ROWS: Final = 16
ERRORS_AT: Final = CONTROL_ROWS_AT + CONTROL_ROWS * 32
ERROR_ROWS: Final = 128
SHARED_ERRORS: Final = 24  # the last of them, in the same way
NAMES_AT: Final = ERRORS_AT + ERROR_ROWS * 16
NAMES_SIZE: Final = 3072
OBJECTS_AT: Final = NAMES_AT + NAMES_SIZE
OBJECT_SIZE, OBJECTS = 128, 64
CODES_AT: Final = OBJECTS_AT + OBJECT_SIZE * OBJECTS
CODE_SIZE, CODES = 48, 16

NO_FD: Final = 0xFFFF
_LOW: Final = 0xFFFFFFFF


class RingError(Exception):
    """A memory that is no ring, or one of another version; the message says which."""


def key_of(operation: int, fd: int, obj: int = 0, code: int = 0, lasti: int = 0) -> int:
    """The one-word key of an operation; `fd` may be -1."""
    return operation << 56 | (obj & 0xFF) << 48 | (fd & NO_FD) << 32 | (code & 0xFF) << 24 | (lasti & 0xFFFFFF)


@dataclass(frozen=True, slots=True)
class Key:
    """A key taken apart: operation code, object ordinal, descriptor or None, code ordinal, code position."""

    operation: int
    object: int
    fd: int | None
    code: int
    lasti: int

    @staticmethod
    @lru_cache(4096)
    def of(word: int) -> Key:
        """Take a key apart."""
        # A program has few places that call: the same words come again and again, thousands of times a second.
        fd = word >> 32 & NO_FD
        return Key(word >> 56, word >> 48 & 0xFF, None if fd == NO_FD else fd, word >> 24 & 0xFF, word & 0xFFFFFF)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it lies in the ring: times in CLOCK_MONOTONIC nanoseconds, `result` is -errno on failure."""

    sequence: int
    begin: int
    end: int
    key: int
    result: int
    argument: int
    extra: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Current:
    """What a worker says it is doing: before or in the operation `key`; times in CLOCK_MONOTONIC nanoseconds.

    `in_call` is true between entering and leaving the operation, `since` is when it was entered or when the phase
    (PHASE_HELD, PHASE_PACED) began. `detail` holds argument, extra and payload where the worker stood at its gate.
    """

    key: int
    phase: int
    in_call: bool
    since: int
    until: int
    detail: tuple[int, int, bytes] | None


@dataclass(frozen=True, slots=True)
class Row:
    """A counter row: completed calls of one operation on one descriptor of one object, and the bytes they moved."""

    operation: int
    object: int
    fd: int | None
    calls: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How often one operation on one descriptor failed with one errno."""

    operation: int
    object: int
    fd: int | None
    errno: int
    count: int


def create_ring() -> int:
    """A new ring's memfd (close-on-exec), its header filled in.

    Raises:
        OSError: the kernel has no memfd_create(2) or no memory.
    """
    fd = os.memfd_create("ipctui-ring", os.MFD_CLOEXEC)
    os.ftruncate(fd, RING_SIZE)
    with mmap.mmap(fd, RING_SIZE) as memory:
        with memoryview(memory) as view, view[:512].cast("Q") as words:
            words[W_VERSION] = VERSION
            words[W_BYTE_ORDER] = BYTE_ORDER
            words[W_RECORD_SIZE] = RECORD_SIZE
            words[W_SLOTS] = SLOTS
            words[W_HEADER_SIZE] = HEADER_SIZE
            words[W_MAGIC] = MAGIC
        names = names_table()
        memory[NAMES_AT : NAMES_AT + len(names)] = names
    return fd


class RingMemory:
    """A mapped ring: `words` is its header as 8-byte words, `view` the whole of it.

    Args:
        fd: The ring's memfd.
        mapping: A mapping of it made elsewhere; the ring closes it.
    """

    def __init__(self, fd: int, mapping: mmap.mmap | None = None) -> None:
        if os.fstat(fd).st_size < RING_SIZE:
            raise RingError("this memory is too small to be a ring")
        self.memory = mmap.mmap(fd, RING_SIZE) if mapping is None else mapping
        self.view = memoryview(self.memory)
        self.words = self.view[:HEADER_SIZE].cast("Q")
        try:
            self._check()
        except RingError:
            self.close()
            raise

    def _check(self) -> None:
        words = self.words
        if words[W_BYTE_ORDER] == _OTHER_BYTE_ORDER:
            raise RingError("this ring was written in the other byte order")
        if words[W_MAGIC] != MAGIC or words[W_BYTE_ORDER] != BYTE_ORDER:
            raise RingError("this memory is no ring of ipctui's")
        if (words[W_VERSION], words[W_RECORD_SIZE], words[W_SLOTS]) != (VERSION, RECORD_SIZE, SLOTS):
            raise RingError(f"this ring has version {words[W_VERSION]}; version {VERSION} is known here")

    def label(self, at: int, size: int) -> str:
        """The text of a label in the header's tables."""
        return bytes(self.view[at : at + size]).split(b"\0", 1)[0].decode("utf-8", "replace")

    def set_label(self, at: int, size: int, text: str) -> None:
        """Write a label into the header's tables, cut to fit."""
        raw = text.encode("utf-8", "replace")[: size - 1]
        self.view[at : at + len(raw) + 1] = raw + b"\0"

    def close(self) -> None:
        """Unmap the ring."""
        self.words.release()
        self.view.release()
        self.memory.close()


class RingReader:
    """The laboratory's side of a ring: orders out, records and exact counters in."""

    def __init__(self, fd: int) -> None:
        self.ring = RingMemory(fd)
        self.words = self.ring.words
        self._slots = self.ring.view.cast("Q")
        self.operations: tuple[Operation, ...] = parse_names_table(bytes(self.ring.view[NAMES_AT:OBJECTS_AT]))
        self._names: dict[int, str] = {}
        self._used_rows: dict[int, int] = {}
        self._rows: tuple[list[int], list[Row]] = ([], [])
        self._errors: tuple[list[int], list[ErrorRow]] = ([], [])
        self.taken = 0
        self.overwritten = 0
        self.skipped = 0

    def close(self) -> None:
        """Unmap the ring; its counters can no longer be read."""
        self._slots.release()
        self.ring.close()

    def head(self) -> int:
        """How many records were written; see the module's text for what a sum read in passing means."""
        words = self.words
        total = 0
        for row in range(ROWS_AT // 8, ROWS_AT // 8 + ROWS * 4, 4):
            if not words[row]:
                break
            total += words[row + 1]
        return total

    def read(self, most: int) -> list[Entry]:
        """The newest records since the last read, oldest first, at most `most` of them.

        What was overtaken by the writer is added to `overwritten`, what `most` left out to `skipped`.
        """
        head = self.head()
        fresh = head - self.taken
        if fresh <= 0:
            return []
        first = self.taken
        if fresh > SLOTS:
            self.overwritten += fresh - SLOTS
            first = head - SLOTS
        if head - first > most:
            self.skipped += head - first - most
            first = head - most
        self.taken = head
        if first == head:
            return []
        raw = self._copy(first, head)
        # The slot at the writer's head is being overwritten right now, hence the +1.
        valid_from = self.head() + 1 - SLOTS
        if valid_from > first:
            self.overwritten += min(valid_from, head) - first
        return [
            Entry(*fields[:8])
            for fields in RECORD.iter_unpack(raw)
            if fields[0] == fields[8] and valid_from < fields[0] <= head
        ]

    def current(self) -> Current:
        """What the worker is doing now; read it twice where a decision hangs on it."""
        words = self.words
        key, phase, since = words[W_CURRENT], words[W_PHASE], words[W_SINCE]
        head = self.head()
        last_begin = 0
        if head:
            slot = (HEADER_SIZE + (head - 1) % SLOTS * RECORD_SIZE) // 8
            last_begin = self._slots[slot + 1]
        if phase != PHASE_RUNNING:
            return Current(key, phase, False, words[W_PHASE_SINCE], words[W_UNTIL], self.detail(head))
        return Current(key, phase, since > last_begin, since, 0, self.detail(head))

    def _copy(self, first: int, head: int) -> bytes:
        start, stop = first % SLOTS, head % SLOTS
        view = self.ring.view
        if start < stop:
            return bytes(view[HEADER_SIZE + start * RECORD_SIZE : HEADER_SIZE + stop * RECORD_SIZE])
        tail = bytes(view[HEADER_SIZE + start * RECORD_SIZE : RING_SIZE])
        return tail + bytes(view[HEADER_SIZE : HEADER_SIZE + stop * RECORD_SIZE])

    def rows(self) -> list[Row]:
        """The counter rows of both threads, rows of the same operation and descriptor joined.

        The very list of last time while no count has changed.
        """
        words = self._used(ROWS_AT, ROWS, 4) + self._used(CONTROL_ROWS_AT, CONTROL_ROWS, 4)
        if words != self._rows[0]:
            self._rows = words, _joined(words)
        return self._rows[1]

    def errors(self) -> list[ErrorRow]:
        """The error rows; the very list of last time while no count has changed."""
        words = self._used(ERRORS_AT, ERROR_ROWS, 2)
        if words != self._errors[0]:
            self._errors = words, [_error_row(*words[row : row + 2]) for row in range(0, len(words), 2)]
        return self._errors[1]

    def _used(self, at: int, rows: int, size: int) -> list[int]:
        """The words of a table's rows that have a key, each word read by itself."""
        used, first = self._used_rows.get(at, 0), at // 8
        while used < rows and self.words[first + used * size]:
            used += 1
        self._used_rows[at] = used
        return self.words[first : first + used * size].tolist()

    def object_label(self, ordinal: int) -> str | None:
        """The name of an object by its ordinal, or None."""
        return self._named(OBJECTS_AT, ordinal, OBJECT_SIZE, OBJECTS)

    def code_name(self, ordinal: int) -> str | None:
        """The name of a program's function by its ordinal, or None."""
        return self._named(CODES_AT, ordinal, CODE_SIZE, CODES)

    def _named(self, table: int, ordinal: int, size: int, rows: int) -> str | None:
        if not 0 < ordinal < rows:
            return None
        at = table + ordinal * size
        name = self._names.get(at)
        if name is None and (name := self.ring.label(at, size)) and ordinal < rows - 1:
            # A name once given stays; the last row is shared by all that found no room.
            self._names[at] = name
        return name or None

    def detail(self, head: int) -> tuple[int, int, bytes] | None:
        """Argument, extra and payload of the operation in hand, or None where the worker gave none.

        A worker that runs through its gate gives none: that is what keeps the gate cheap.
        """
        before = self.words[W_DETAIL]
        raw = bytes(self.ring.view[DETAIL_AT : DETAIL_AT + DETAIL.size])
        if not before or before != self.words[W_DETAIL] or before != head + 1:
            return None
        argument, extra, payload = DETAIL.unpack(raw)
        return argument, extra, payload


def _joined(words: list[int]) -> list[Row]:
    joined: dict[int, tuple[int, int]] = {}
    for row in range(0, len(words), 4):
        calls, size = joined.get(words[row], (0, 0))
        joined[words[row]] = (calls + words[row + 1], size + words[row + 2])
    return [_row(key, calls, size) for key, (calls, size) in joined.items()]


def _error_row(word: int, count: int) -> ErrorRow:
    key = Key.of(word & ~_LOW)
    return ErrorRow(key.operation, key.object, key.fd, word & _LOW, count)


def _row(word: int, calls: int, size: int) -> Row:
    key = Key.of(word)
    return Row(key.operation, key.object, key.fd, calls, size)
