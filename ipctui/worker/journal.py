"""The worker's side of its ring: records and counters out, the laboratory's orders in."""

from __future__ import annotations

from collections.abc import Collection

from ipctui.kernel import libc
from ipctui.trace.ring import (
    CODE_SIZE,
    CODES,
    CODES_AT,
    CONTROL_ROWS,
    CONTROL_ROWS_AT,
    DETAIL,
    DETAIL_AT,
    ERROR_ROWS,
    ERRORS_AT,
    HEADER_SIZE,
    OBJECT_SIZE,
    OBJECTS,
    OBJECTS_AT,
    RECORD_SIZE,
    RING_SIZE,
    ROWS,
    ROWS_AT,
    SHARED_ERRORS,
    SHARED_ROWS,
    SLOTS,
    W_DETAIL,
    RingMemory,
    key_of,
)

_LOW = 0xFFFFFFFF


class Journal:
    """Writes one ring. Only the main thread calls it, but for `count_control`.

    Who finds a table nearly full counts into a row of the operation's own, without descriptor and object, such as one
    that opens a socket for each message: a total is never lost, only its finer name.

    Attributes:
        rows: The word index of each counter row by its key's upper 32 bits; `row` makes those that are not there.
    """

    def __init__(self, fd: int) -> None:
        self.ring = RingMemory(fd, libc.map_shared(fd, RING_SIZE))
        self.words = self.ring.words
        self.view = self.ring.view
        self.rows: dict[int, int] = {}
        self._used = 0
        self._errors: dict[int, int] = {}
        self._control: dict[int, int] = {}
        self._codes: dict[str, int] = {}
        self._objects = 0
        if self.words[ROWS_AT // 8]:
            self._go_on()

    def _go_on(self) -> None:
        """Take up what this process wrote before it called execve(2)."""
        words = self.words
        for at in range(ROWS_AT // 8, ROWS_AT // 8 + ROWS * 4, 4):
            if words[at]:
                self.rows[words[at] >> 32] = at
        self._used = len(self.rows)
        for at in range(CONTROL_ROWS_AT // 8, CONTROL_ROWS_AT // 8 + CONTROL_ROWS * 4, 4):
            if words[at]:
                self._control[words[at]] = at
        for at in range(ERRORS_AT // 8, ERRORS_AT // 8 + ERROR_ROWS * 2, 2):
            if words[at]:
                self._errors[words[at]] = at
        for ordinal in range(1, CODES):
            if name := self.ring.label(CODES_AT + ordinal * CODE_SIZE, CODE_SIZE):
                self._codes[name] = ordinal

    def position(self) -> tuple[int, int]:
        """Where the next record goes, and how many were published: none, unless execve(2) was called before."""
        heads = self.head()
        return HEADER_SIZE + heads % SLOTS * RECORD_SIZE, heads

    def labels(self) -> list[str]:
        """The names of the objects that the ring knows already, by their ordinals from 1."""
        every = (self.ring.label(OBJECTS_AT + ordinal * OBJECT_SIZE, OBJECT_SIZE) for ordinal in range(1, OBJECTS))
        return [label for label in every if label]

    def close(self) -> None:
        """Unmap the ring; what was written stays in it."""
        self.ring.close()

    def row(self, key: int) -> int:
        """The word index of the counter row for this operation, descriptor and object; calls at +1, bytes at +2."""
        at = self.rows.get(key >> 32)
        if at is None:
            whole, shared = key & ~_LOW, key_of(key >> 56, -1)
            if self._used >= ROWS - SHARED_ROWS and whole != shared:
                at = self.row(shared)
            else:
                at = ROWS_AT // 8 + 4 * min(self._used, ROWS - 1)
                self.words[at] = whole
                self._used = min(self._used + 1, ROWS)
            self.rows[key >> 32] = at
        return at

    def head(self) -> int:
        """How many records were published."""
        words = self.words
        return sum(words[at + 1] for at in set(self.rows.values()))

    def count_error(self, key: int, errno: int) -> None:
        """Add one to the count of this errno beside the row that the operation is counted in."""
        word = self.words[self.row(key)] | errno
        at = self._errors.get(word)
        if at is None and len(self._errors) >= ERROR_ROWS - SHARED_ERRORS:
            word = self.words[self.row(key_of(key >> 56, -1))] | errno
            at = self._errors.get(word)
        if at is None:
            at = ERRORS_AT // 8 + 2 * min(len(self._errors), ERROR_ROWS - 1)
            self._errors[word] = at
            self.words[at] = word
        self.words[at + 1] += 1

    def successes(self, operations: Collection[int]) -> int:
        """How often these operations, by their codes, were made and did not fail."""
        words = self.words
        calls = sum(words[at + 1] for at in {at for key, at in self.rows.items() if key >> 24 in operations})
        return calls - sum(words[at + 1] for word, at in self._errors.items() if word >> 56 in operations)

    def count_control(self, key: int) -> None:
        """Add one to what the control thread did on its own, in rows that only it writes."""
        key &= ~_LOW
        at = self._control.get(key)
        if at is None:
            at = CONTROL_ROWS_AT // 8 + 4 * min(len(self._control), CONTROL_ROWS - 1)
            self._control[key] = at
            self.words[at] = key
        self.words[at + 1] += 1

    def name_object(self, label: str) -> int:
        """Give an object its ordinal; the last ordinal stands for all that find no room."""
        self._objects = min(self._objects + 1, OBJECTS - 1)
        self.ring.set_label(OBJECTS_AT + self._objects * OBJECT_SIZE, OBJECT_SIZE, label)
        return self._objects

    def name_code(self, name: str) -> int:
        """The ordinal of a program's function, the same for the same name."""
        ordinal = self._codes.get(name)
        if ordinal is None:
            ordinal = min(len(self._codes) + 1, CODES - 1)
            self._codes[name] = ordinal
            self.ring.set_label(CODES_AT + ordinal * CODE_SIZE, CODE_SIZE, name)
        return ordinal

    def detail(self, head: int, argument: int, extra: int, payload: bytes) -> None:
        """Publish the arguments of the operation that the worker stands before; `head` records precede it."""
        self.words[W_DETAIL] = 0
        DETAIL.pack_into(self.view, DETAIL_AT, argument, extra, payload)
        self.words[W_DETAIL] = head + 1
