"""Places in shared memory: words that processes load and store, and slots that hold a message each.

A layout says where they lie and is all that two processes, or a process and whoever looks on, must agree about.
Words begin a cache line each, so that two of them never share one; what lies between is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, overload

from ipctui.trace.operations import CODES
from ipctui.trace.ring import key_of

LINE = 64
"""Bytes of a cache line."""
WORD = 8
MUTEX = 64
"""Bytes set aside for a pthread_mutex_t: 40 on x86_64, 48 on aarch64."""


class Place:
    """A word of 8 bytes in shared memory, and what lies behind it.

    Attributes:
        name: What its program calls it.
        object: The ordinal of the segment's label.
        offset: Its first byte in the segment.
        cell: The memory itself, as one signed number.
    """

    __slots__ = ("cell", "load_base", "name", "object", "offset", "store_base")
    _on = ""

    def __init__(self, memory: memoryview, offset: int, obj: int, name: str = "") -> None:
        self.name, self.object, self.offset = name, obj, offset
        self.cell: memoryview = memory[offset : offset + WORD].cast("q")
        self.load_base = key_of(CODES["load" + self._on], -1, obj)
        self.store_base = key_of(CODES["store" + self._on], -1, obj)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, offset={self.offset})"


class Word(Place):
    """A shared word: `cell` is its value."""

    __slots__ = ()


class Slot(Place):
    """A shared slot: a word with the length of the message in it (`cell`), then room for its bytes.

    Attributes:
        size: Bytes that fit.
        body: The memory of the message.
    """

    __slots__ = ("body", "size")
    _on = " slot"

    def __init__(self, memory: memoryview, offset: int, size: int, obj: int, name: str = "") -> None:
        super().__init__(memory, offset, obj, name)
        self.size = size
        self.body = memory[offset + WORD : offset + WORD + size]


class Mutex:
    """Room for a pthread mutex.

    Attributes:
        address: Where it lies in this process.
        word: Its futex: the owner's tid and two flags, futex(2).
        taken: Its name as records hold it.
    """

    __slots__ = ("address", "name", "object", "offset", "taken", "word")

    def __init__(self, memory: memoryview, base: int, offset: int, obj: int, name: str = "") -> None:
        self.name, self.object, self.offset = name, obj, offset
        self.address, self.taken = base + offset, name.encode()
        self.word: memoryview = memory[offset : offset + 4].cast("I")


class Load(Protocol):
    """`load(place)`: the number in a shared word, the message in a slot."""

    @overload
    def __call__(self, place: Slot) -> bytes: ...
    @overload
    def __call__(self, place: Word) -> int: ...


class Store(Protocol):
    """`store(place, value)`: a number into a shared word, a message into a slot."""

    @overload
    def __call__(self, place: Slot, value: bytes) -> None: ...
    @overload
    def __call__(self, place: Word, value: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies where in a segment: words, then mutexes, a cache line each, then the slots one behind the other.

    Attributes:
        words: Names of the words.
        mutexes: Names of the mutexes.
        slots: How many slots.
        slot_size: Bytes that fit into a slot; its length word comes on top.
    """

    words: tuple[str, ...] = ()
    mutexes: tuple[str, ...] = ()
    slots: int = 0
    slot_size: int = 0

    @property
    def stride(self) -> int:
        """Bytes from one slot to the next."""
        return WORD + -(-self.slot_size // WORD) * WORD

    @property
    def size(self) -> int:
        """Bytes of the segment."""
        return self.slot_at(self.slots)

    def word_at(self, name: str) -> int:
        """The offset of a word. Raises ValueError for a name that is none."""
        return LINE * self.words.index(name)

    def mutex_at(self, name: str) -> int:
        """The offset of a mutex. Raises ValueError for a name that is none."""
        return LINE * len(self.words) + MUTEX * self.mutexes.index(name)

    def slot_at(self, number: int) -> int:
        """The offset of a slot: its length word, the message at `WORD` behind it."""
        return LINE * len(self.words) + MUTEX * len(self.mutexes) + self.stride * number
