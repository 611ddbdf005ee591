"""The traced operation: announced, stopped at the gate if need be, entered, done, and recorded in one slot.

`write`, `read`, `load` and `store` are written out by hand and keep what they need in closure cells, because a class
runs hundreds of thousands of them a second; all other operations go through `before` and `after`, or through
`operate`, which is both in one. What each line costs was measured (make bench): the time goes to the clock, the one
`pack_into` and the five stores, in that order. A load or store reads the clock once, on the side that keeps cause
before effect: a store before it is made, a load after, so that no process is seen to read what nobody stored yet.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any, Protocol, TypeVar

from ipctui.trace.clock import now
from ipctui.trace.operations import CODES
from ipctui.trace.ring import (
    FIRST_SHARED,
    HEADER_SIZE,
    NO_FD,
    RECORD,
    RECORD_SIZE,
    RING_SIZE,
    W_CURRENT,
    W_GATE,
    W_SINCE,
    key_of,
)
from ipctui.worker.journal import Journal
from ipctui.worker.places import Load, Slot, Store

T = TypeVar("T")

_CODE_SHIFT = 24
_CODE_MASK = 0xFFFFFFFF
_OPERATION_OFF = (1 << 56) - 1
_WORD_MASK = (1 << 64) - 1
NOTHING_YET = (errno.EAGAIN, errno.EINTR)
"""Errors that a program gets as None: nothing has happened, ask again."""


class Attend(Protocol):
    """What a closed gate calls: it returns when the operation may go on."""

    def __call__(self, key: int, head: int, argument: int, extra: int, payload: bytes) -> None:
        """Stand before the operation `key`, after `head` records, with these arguments."""


class Traced:
    """The traced operations of one process on one ring.

    Args:
        journal: The ring's writer.
        attend: Called before an operation while the gate's word is not 0.
        settle: Called with the descriptor after EAGAIN or EINTR; ends a wake from a system call.
        object_of: The ordinal of the object behind a descriptor, 0 for none.

    Attributes:
        read: `read(fd, count)`: the bytes, b"" at end of file, None on EAGAIN or EINTR; other errors raise OSError.
        write: `write(fd, data)`: bytes written, None on EAGAIN or EINTR; other errors raise OSError.
        load: `load(place)`: the value of a shared word, or the message in a slot.
        store: `store(place, value)`: OSError EMSGSIZE, before anything is stored, for what is larger than its slot.
        operate: `operate(name, fd, argument, extra, payload, function)`: any other operation; `function` makes it
            and returns its value with the result and extra words to record; errors raise OSError.
        before: `before(code, fd, argument, extra, payload, obj)`: announces an operation, waits at the gate and
            enters it: its key. `obj` is the object's ordinal, -1 for that behind the descriptor.
        asleep: `asleep(key, code)`: the operation entered asks the kernel after all: its key as row `code`.
        after: `after(key, result, argument, extra, payload, size)`: the operation returned, having moved `size` bytes.
        missed: `missed(key, argument, extra, payload, error, quiet)`: it failed: returns for EAGAIN, EINTR and the
            numbers in `quiet`, raises `error` for any other.
        forget: `forget()`: another object may stand behind a descriptor.
        note: `note(name, fd, begin, result, argument, extra)`: records an operation that was made beside the
            program's own, on the main thread.
        resume: `resume(begin)`: records, in a forked child, that fork returned 0.
        wakes: What the wake signal's handler appends: (when, key, begin) of the operation that it found. Where the
            kernel ended that call with EINTR, Python made it again (PEP 475) and got EAGAIN: one more record.
    """

    def __init__(
        self, journal: Journal, attend: Attend, settle: Callable[[int], None], object_of: Callable[[int], int]
    ) -> None:
        words, view, rows = journal.words, journal.view, journal.rows
        pack = RECORD.pack_into
        frame_of = sys._getframe
        os_read, os_write = os.read, os.write
        read_code, write_code = CODES["read"], CODES["write"]
        load_slot_code, store_slot_code = CODES["load slot"] << 56, CODES["store slot"] << 56
        (at, heads), last_key, began = journal.position(), 0, 0
        wakes: list[tuple[int, int, int]] = []
        code_bits = 0
        w_base, w_count_at, w_count, w_total_at, w_total = 0, 0, 0, 0, 0
        r_base, r_count_at, r_count, r_total_at, r_total = 0, 0, 0, 0, 0
        l_base, l_count_at, l_count = 0, 0, 0
        s_base, s_count_at, s_count = 0, 0, 0
        w_fd = r_fd = -1
        known: FrameType | None = None
        known_code: CodeType | None = None

        def enter(frame: FrameType) -> None:
            nonlocal known, known_code, code_bits
            known = frame
            if frame.f_code is not known_code:
                known_code = frame.f_code
                code_bits = journal.name_code(known_code.co_name) << _CODE_SHIFT

        def publish(begin: int, key: int, result: int, argument: int, extra: int, payload: bytes, end: int) -> None:
            nonlocal at, heads
            heads += 1
            pack(view, at, heads, begin, end, key, result, argument, extra, payload, heads)
            at += RECORD_SIZE
            if at == RING_SIZE:
                at = HEADER_SIZE

        def forget() -> None:
            nonlocal w_fd, r_fd
            w_fd = r_fd = -1

        def release_row(count_at: int) -> None:
            # The table's last rows are shared by all that found no other: nobody else may keep their count in a cell.
            nonlocal w_fd, r_fd, l_base, s_base
            if count_at in (w_count_at, r_count_at):
                w_fd = r_fd = -1
            if count_at in (l_count_at, s_count_at):
                l_base = s_base = 0

        def count(key: int, size: int = 0) -> None:
            row = rows.get(key >> 32) or journal.row(key)
            if row >= FIRST_SHARED:
                release_row(row + 1)
            if size:
                words[row + 2] += size
            words[row + 1] += 1

        def note_wake(begin: int, argument: int, extra: int, payload: bytes) -> None:
            for when, key, since in wakes:
                if since == begin:
                    publish(begin, key, -errno.EINTR, argument, extra, payload, when)
                    journal.count_error(key, errno.EINTR)
                    count(key)
                    break
            wakes.clear()

        def announce(key: int, argument: int, extra: int, payload: bytes) -> None:
            nonlocal last_key
            wakes.clear()
            attend(key, heads, argument, extra, payload)
            words[W_CURRENT] = last_key = key

        def failed(
            fd: int, key: int, begin: int, argument: int, extra: int, payload: bytes, error: OSError,
            quiet: Collection[int] = ()
        ) -> None:  # fmt: skip
            forget()  # the row of a read or write that failed is counted here
            number = error.errno or errno.EIO
            if number == errno.EINTR:
                wakes.clear()  # the C library was asked, which does not ask again: this is the only record
            note_wake(begin, argument, extra, payload)
            publish(begin, key, -number, argument, extra, payload, now())
            journal.count_error(key, number)
            count(key)
            if number in NOTHING_YET:
                settle(fd)
            elif number not in quiet:
                raise error

        def choose_write(fd: int) -> None:
            nonlocal w_fd, w_base, w_count_at, w_count, w_total_at, w_total
            w_base = key_of(write_code, fd, object_of(fd))
            row = journal.row(w_base)
            release_row(row + 1)
            w_fd, w_count_at, w_total_at = fd, row + 1, row + 2
            w_count, w_total = words[w_count_at], words[w_total_at]

        def write(fd: int, data: bytes) -> int | None:
            nonlocal at, heads, last_key, w_count, w_total
            frame = frame_of(1)
            if fd != w_fd:
                choose_write(fd)
            if frame is not known:
                enter(frame)
            key = w_base | code_bits | frame.f_lasti
            if key != last_key:
                words[W_CURRENT] = last_key = key
            if words[W_GATE]:
                announce(key, len(data), w_total, data)
                choose_write(fd)
                key = w_base | key & _CODE_MASK
            words[W_SINCE] = begin = now()
            try:
                result = os_write(fd, data)
            except OSError as error:
                failed(fd, key, begin, len(data), w_total, data, error)
                return None
            heads += 1
            pack(view, at, heads, begin, now(), key, result, len(data), w_total, data, heads)
            words[w_total_at] = w_total = w_total + result
            words[w_count_at] = w_count = w_count + 1
            at += RECORD_SIZE
            if at == RING_SIZE:
                at = HEADER_SIZE
            return result

        def choose_read(fd: int) -> None:
            nonlocal r_fd, r_base, r_count_at, r_count, r_total_at, r_total
            r_base = key_of(read_code, fd, object_of(fd))
            row = journal.row(r_base)
            release_row(row + 1)
            r_fd, r_count_at, r_total_at = fd, row + 1, row + 2
            r_count, r_total = words[r_count_at], words[r_total_at]

        def read(fd: int, size: int) -> bytes | None:
            nonlocal at, heads, last_key, r_count, r_total
            frame = frame_of(1)
            if fd != r_fd:
                choose_read(fd)
            if frame is not known:
                enter(frame)
            key = r_base | code_bits | frame.f_lasti
            if key != last_key:
                words[W_CURRENT] = last_key = key
            if words[W_GATE]:
                announce(key, size, r_total, b"")
                choose_read(fd)
                key = r_base | key & _CODE_MASK
            words[W_SINCE] = begin = now()
            try:
                data = os_read(fd, size)
            except OSError as error:
                failed(fd, key, begin, size, r_total, b"", error)
                return None
            heads += 1
            got = len(data)
            pack(view, at, heads, begin, now(), key, got, size, r_total, data, heads)
            words[r_total_at] = r_total = r_total + got
            words[r_count_at] = r_count = r_count + 1
            at += RECORD_SIZE
            if at == RING_SIZE:
                at = HEADER_SIZE
            return data

        def choose_load(base: int) -> None:
            nonlocal l_base, l_count_at, l_count
            count_at = journal.row(base) + 1
            release_row(count_at)
            l_base, l_count_at, l_count = base, count_at, words[count_at]

        def load(place: Any) -> Any:
            nonlocal at, heads, last_key, l_count
            frame = frame_of(1)
            if frame is not known:
                enter(frame)
            base = place.load_base
            key = base | code_bits | frame.f_lasti
            if key != last_key:
                words[W_CURRENT] = last_key = key
            if words[W_GATE]:
                announce(key, place.offset, 0, b"")
            if base >= load_slot_code:
                return load_slot(place, key)
            if base != l_base:
                choose_load(base)
            value = place.cell[0]
            time = now()
            heads += 1
            pack(view, at, heads, time, time, key, value, place.offset, 0, b"", heads)
            words[l_count_at] = l_count = l_count + 1
            at += RECORD_SIZE
            if at == RING_SIZE:
                at = HEADER_SIZE
            return value

        def load_slot(slot: Slot, key: int) -> bytes:
            # Anybody may have stored any length: no more is taken than the slot has.
            size = min(max(slot.cell[0], 0), slot.size)
            data = bytes(slot.body[:size])
            time = now()
            publish(time, key, size, slot.offset, 0, data, time)
            count(key, size)
            return data

        def choose_store(base: int) -> None:
            nonlocal s_base, s_count_at, s_count
            count_at = journal.row(base) + 1
            release_row(count_at)
            s_base, s_count_at, s_count = base, count_at, words[count_at]

        def store(place: Any, value: Any) -> None:
            nonlocal at, heads, last_key, s_count
            frame = frame_of(1)
            if frame is not known:
                enter(frame)
            base = place.store_base
            key = base | code_bits | frame.f_lasti
            if key != last_key:
                words[W_CURRENT] = last_key = key
            if base >= store_slot_code:
                return store_slot(place, key, value)
            if words[W_GATE]:
                announce(key, place.offset, value & _WORD_MASK, b"")
            if base != s_base:
                choose_store(base)
            time = now()
            place.cell[0] = value
            heads += 1
            pack(view, at, heads, time, time, key, value, place.offset, 0, b"", heads)
            words[s_count_at] = s_count = s_count + 1
            at += RECORD_SIZE
            if at == RING_SIZE:
                at = HEADER_SIZE
            return None

        def store_slot(slot: Slot, key: int, message: bytes) -> None:
            size = len(message)
            if words[W_GATE]:
                announce(key, slot.offset, size, message)
            if size > slot.size:
                raise OSError(errno.EMSGSIZE, f"a message of {size} bytes in a slot of {slot.size}")
            time = now()
            slot.body[:size] = message
            slot.cell[0] = size
            publish(time, key, size, slot.offset, 0, message, time)
            count(key, size)

        def before(code: int, fd: int, argument: int, extra: int, payload: bytes, obj: int = -1) -> int:
            nonlocal last_key, began
            frame = frame_of(2)  # the program, past the method of Calls that it called
            if frame is not known:
                enter(frame)
            what = code << 56 | (object_of(fd) if obj < 0 else obj) << 48 | (fd & NO_FD) << 32
            key = what | code_bits | frame.f_lasti
            if key != last_key:
                words[W_CURRENT] = last_key = key
            if words[W_GATE]:
                announce(key, argument, extra, payload)
            words[W_SINCE] = began = now()
            return key

        def asleep(key: int, code: int) -> int:
            nonlocal last_key
            words[W_CURRENT] = last_key = key & _OPERATION_OFF | code << 56
            return last_key

        def after(key: int, result: int, argument: int, extra: int, payload: bytes, size: int = 0) -> None:
            publish(began, key, result, argument, extra, payload, now())
            count(key, size)

        def missed(
            key: int, argument: int, extra: int, payload: bytes, error: OSError, quiet: Collection[int] = ()
        ) -> None:
            failed(key >> 32 & NO_FD, key, began, argument, extra, payload, error, quiet)

        def operate(
            name: str,
            fd: int,
            argument: int,
            extra: int,
            payload: bytes,
            function: Callable[[], tuple[T, int, int]],
        ) -> T:
            nonlocal last_key
            frame = frame_of(2)  # the program, past the method of Calls that it called
            if frame is not known:
                enter(frame)
            key = key_of(CODES[name], fd, object_of(fd)) | code_bits | frame.f_lasti
            words[W_CURRENT] = last_key = key
            if words[W_GATE]:
                announce(key, argument, extra, payload)
            words[W_SINCE] = begin = now()
            try:
                value, result, extra = function()
            except OSError as error:
                failed(fd, key, begin, argument, extra, payload, error)
                raise  # failed() comes back from EAGAIN and EINTR, which mean something to read and write alone
            publish(begin, key, result, argument, extra, payload, now())
            count(key)
            forget()
            return value

        def note(name: str, fd: int, begin: int, result: int, argument: int, extra: int) -> None:
            nonlocal last_key
            key = key_of(CODES[name], fd, object_of(fd)) | code_bits | (known.f_lasti if known else 0)
            publish(begin, key, result, argument, extra, b"", now())
            count(key)

        def resume(begin: int) -> None:
            nonlocal last_key
            enter(frame_of(2))
            words[W_CURRENT] = last_key = key_of(CODES["fork"], -1) | code_bits | frame_of(2).f_lasti
            words[W_SINCE] = begin
            note("fork", -1, begin, 0, 0, 0)

        self.read, self.write, self.operate, self.wakes = read, write, operate, wakes
        self.note, self.resume = note, resume
        self.load: Load = load
        self.store: Store = store
        self.before, self.asleep, self.after, self.missed, self.forget = before, asleep, after, missed, forget
