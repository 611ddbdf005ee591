import errno
import os
import signal
import struct
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.trace.operations import CODES, OPERATIONS
from ipctui.trace.ring import (
    CODES as CODE_NAMES,
)
from ipctui.trace.ring import (
    CONTROL_ROWS,
    ERROR_ROWS,
    HEADER_SIZE,
    NO_FD,
    OBJECT_SIZE,
    OBJECTS,
    RING_SIZE,
    ROWS,
    SLOTS,
    VERSION,
    W_BYTE_ORDER,
    W_ENDED,
    W_GATE,
    W_MAGIC,
    W_RECORD_SIZE,
    W_SLOTS,
    W_VERSION,
    ErrorRow,
    Key,
    RingError,
    RingMemory,
    RingReader,
    Row,
    create_ring,
    key_of,
)
from ipctui.worker.journal import Journal

from ..kernel.conftest import PATIENCE, eventually
from .conftest import WRITE, Pair


@given(
    st.integers(0, 255),
    st.integers(-1, NO_FD - 1),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, (1 << 24) - 1),
)
def test_a_key_holds_all_its_parts(operation: int, fd: int, obj: int, code: int, lasti: int) -> None:
    word = key_of(operation, fd, obj, code, lasti)
    assert 0 <= word < 1 << 64
    assert Key.of(word) == Key(operation, obj, None if fd == -1 else fd, code, lasti)


def test_a_new_ring_is_empty_and_carries_the_operations() -> None:
    fd = create_ring()
    reader = RingReader(fd)
    try:
        assert os.fstat(fd).st_size == RING_SIZE <= 1 << 20
        assert not os.get_inheritable(fd)
        assert reader.operations == OPERATIONS
        assert reader.head() == 0
        assert reader.read(100) == []
        assert (reader.rows(), reader.errors()) == ([], [])
        assert reader.object_label(1) is None
        assert reader.code_name(1) is None
        assert not reader.current().in_call
    finally:
        reader.close()
        os.close(fd)


def refusal(raw: bytes) -> str:
    """What is said of a memory that holds these bytes."""
    fd = os.memfd_create("foreign", os.MFD_CLOEXEC)
    try:
        os.write(fd, raw)
        with pytest.raises(RingError) as raised:
            RingMemory(fd)
        return str(raised.value)
    finally:
        os.close(fd)


def ring_bytes(words: dict[int, int] | None = None) -> bytes:
    """A new ring with some words of its header replaced."""
    fd = create_ring()
    try:
        raw = bytearray(os.pread(fd, RING_SIZE, 0))
    finally:
        os.close(fd)
    for word, value in (words or {}).items():
        struct.pack_into("@Q", raw, word * 8, value)
    return bytes(raw)


def test_foreign_memory_is_refused() -> None:
    assert "too small" in refusal(b"")
    assert "too small" in refusal(ring_bytes()[:-1])
    assert "no ring" in refusal(bytes(RING_SIZE))
    assert "no ring" in refusal(ring_bytes({W_MAGIC: 1}))


def test_another_version_or_layout_is_refused() -> None:
    assert f"version {VERSION + 1}" in refusal(ring_bytes({W_VERSION: VERSION + 1}))
    refusal(ring_bytes({W_RECORD_SIZE: 88}))
    refusal(ring_bytes({W_SLOTS: SLOTS * 2}))


def test_the_other_byte_order_is_refused() -> None:
    swapped = int.from_bytes((0x0102030405060708).to_bytes(8, "big"), "little")
    assert "byte order" in refusal(ring_bytes({W_BYTE_ORDER: swapped}))
    raw = ring_bytes()
    header = struct.unpack(f"<{HEADER_SIZE // 8}Q", raw[:HEADER_SIZE])
    refusal(struct.pack(f">{HEADER_SIZE // 8}Q", *header) + raw[HEADER_SIZE:])


def test_what_was_written_is_read_once_oldest_first(pair: Pair) -> None:
    pair.publish(3)
    entries = pair.reader.read(100)
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    second = entries[1]
    assert (second.begin, second.end, second.key) == (3, 4, WRITE)
    assert (second.result, second.argument, second.extra) == (-2, 6, 128)
    assert second.payload == b"2".ljust(32, b"\0")
    assert pair.reader.read(100) == []
    pair.publish()
    assert [entry.sequence for entry in pair.reader.read(100)] == [4]
    assert (pair.reader.overwritten, pair.reader.skipped) == (0, 0)


def test_most_leaves_the_oldest_out_and_counts_them(pair: Pair) -> None:
    pair.publish(30)
    assert [entry.sequence for entry in pair.reader.read(10)] == list(range(21, 31))
    assert (pair.reader.skipped, pair.reader.overwritten, pair.reader.taken) == (20, 0, 30)


def test_reading_goes_on_across_the_rings_seam(pair: Pair) -> None:
    pair.publish(SLOTS - 5)
    pair.reader.read(SLOTS)
    pair.publish(12)
    assert [entry.sequence for entry in pair.reader.read(SLOTS)] == list(range(SLOTS - 4, SLOTS + 8))
    assert pair.reader.overwritten == 0


@pytest.mark.parametrize("written", [SLOTS - 1, SLOTS, SLOTS + 1, 3 * SLOTS, 3 * SLOTS + 17])
def test_what_was_overwritten_is_counted(pair: Pair, written: int) -> None:
    pair.publish(written)
    entries = pair.reader.read(SLOTS * 2)
    assert len(entries) + pair.reader.overwritten == written
    assert [entry.sequence for entry in entries] == list(range(written - len(entries) + 1, written + 1))
    assert all(entry.payload == (b"%d" % entry.sequence).ljust(32, b"\0") for entry in entries)
    # The slot at the writer's head may be in work at any moment and is given up.
    assert SLOTS - 1 <= len(entries) <= SLOTS or len(entries) == written


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3000)), max_size=12))
def test_every_record_is_returned_overwritten_or_skipped(rounds: list[tuple[int, int]]) -> None:
    fd = create_ring()
    pair = Pair(fd, Journal(fd), RingReader(fd))
    try:
        returned = 0
        last = 0
        for written, most in rounds:
            pair.publish(written)
            entries = pair.reader.read(most)
            assert len(entries) <= most
            for entry in entries:
                assert last < entry.sequence <= pair.written
                last = entry.sequence
            returned += len(entries)
            assert returned + pair.reader.overwritten + pair.reader.skipped == pair.written
    finally:
        pair.journal.close()
        pair.reader.close()
        os.close(fd)


def test_counter_rows_are_exact_and_joined_over_both_threads(pair: Pair) -> None:
    read, fcntl = key_of(1, 3, 1, code=2, lasti=40), key_of(8, 4, 1)
    pair.publish(5)
    pair.publish(2, read)
    pair.publish(3, read & ~0xFFFFFFFF)  # another place in the code: the same row
    pair.publish(1, fcntl)
    pair.journal.count_control(fcntl)
    pair.journal.count_control(fcntl)
    pair.journal.count_control(key_of(8, 9))
    assert sorted(pair.reader.rows(), key=repr) == sorted(
        [Row(2, 1, 4, 5, 320), Row(1, 1, 3, 5, 320), Row(8, 1, 4, 3, 64), Row(8, 0, 9, 1, 0)], key=repr
    )
    assert pair.reader.head() == pair.journal.head() == 11


def test_a_full_table_of_rows_loses_no_call(pair: Pair) -> None:
    for fd in range(ROWS + 7):
        pair.publish(1, key_of(1, fd))
    assert pair.reader.head() == ROWS + 7
    assert sum(row.calls for row in pair.reader.rows()) == ROWS + 7
    assert sum(row.bytes for row in pair.reader.rows()) == 64 * (ROWS + 7)
    for fd in range(CONTROL_ROWS + 5):
        pair.journal.count_control(key_of(8, fd))
    assert sum(row.calls for row in pair.reader.rows()) == ROWS + 7 + CONTROL_ROWS + 5


def test_in_a_full_table_each_operation_keeps_its_own_count(pair: Pair) -> None:
    keys = [key_of(operation, fd, obj) for obj in range(1, 60) for fd in (4, 5) for operation in (1, 2, 3)]
    for _ in range(2):
        for key in keys:
            pair.publish(1, key)
    rows = pair.reader.rows()
    assert pair.reader.head() == pair.journal.head() == 2 * len(keys) > 2 * ROWS
    for operation in (1, 2, 3):
        assert sum(row.calls for row in rows if row.operation == operation) == 2 * len(keys) / 3
    assert {row.operation for row in rows if row.fd is None and not row.object} == {1, 2, 3}, "where no row was left"
    assert pair.journal.successes((1, 3)) == 4 * len(keys) / 3


def test_an_error_stands_beside_the_row_that_its_operation_is_counted_in(pair: Pair) -> None:
    keys = [key_of(operation, 4, obj) for obj in range(1, 60) for operation in (1, 2, 3, 4)]
    for key in keys:
        pair.journal.count_error(key, errno.ECONNREFUSED)
        pair.publish(1, key)
    counted = {(row.operation, row.object, row.fd) for row in pair.reader.rows()}
    assert {(row.operation, row.object, row.fd) for row in pair.reader.errors()} <= counted
    for operation in (1, 2, 3, 4):
        assert sum(row.count for row in pair.reader.errors() if row.operation == operation) == 59


def test_error_rows_are_exact(pair: Pair) -> None:
    read = key_of(1, 3, 1, code=1, lasti=12)
    for number in (errno.EAGAIN, errno.EPIPE, errno.EAGAIN):
        pair.journal.count_error(read, number)
    pair.journal.count_error(key_of(7, -1), errno.ECHILD)
    assert pair.reader.errors() == [
        ErrorRow(1, 1, 3, errno.EAGAIN, 2),
        ErrorRow(1, 1, 3, errno.EPIPE, 1),
        ErrorRow(7, 0, None, errno.ECHILD, 1),
    ]


def test_a_full_table_of_errors_loses_none(pair: Pair) -> None:
    for fd in range(ERROR_ROWS + 9):
        pair.journal.count_error(key_of(2, fd), errno.EPIPE)
        pair.journal.count_error(key_of(3, fd), errno.EPIPE)
        pair.journal.count_error(key_of(3, fd), errno.EAGAIN)
    errors = pair.reader.errors()
    assert len(errors) <= ERROR_ROWS
    for operation, number in ((2, errno.EPIPE), (3, errno.EPIPE), (3, errno.EAGAIN)):
        counts = [row.count for row in errors if (row.operation, row.errno) == (operation, number)]
        assert sum(counts) == ERROR_ROWS + 9


def test_labels_are_cut_to_their_place_and_never_run_into_the_next(pair: Pair) -> None:
    assert [pair.journal.name_object(name) for name in ("pipe:[1]", "x" * 200, "끝" * 80)] == [1, 2, 3]
    assert pair.reader.object_label(1) == "pipe:[1]"
    assert pair.reader.object_label(2) == "x" * (OBJECT_SIZE - 1)
    assert (pair.reader.object_label(3) or "").startswith("끝" * 42)
    assert pair.reader.object_label(0) is None
    assert pair.reader.object_label(10_000) is None
    assert pair.journal.name_code("parent") == pair.journal.name_code("parent") == 1
    assert pair.journal.name_code("child") == 2
    assert [pair.reader.code_name(ordinal) for ordinal in (0, 1, 2, 3, 99)] == [None, "parent", "child", None, None]


def test_the_last_object_and_code_stand_for_those_without_room(pair: Pair) -> None:
    objects = [pair.journal.name_object(f"pipe:[{number}]") for number in range(OBJECTS + 8)]
    codes = [pair.journal.name_code(f"function{number}") for number in range(CODE_NAMES + 4)]
    assert (objects[-1], codes[-1]) == (OBJECTS - 1, CODE_NAMES - 1)
    assert pair.reader.object_label(OBJECTS - 1) == f"pipe:[{OBJECTS + 7}]"
    assert pair.reader.code_name(CODE_NAMES - 1) == f"function{CODE_NAMES + 3}"
    assert pair.reader.ring.words[W_MAGIC] != 0
    assert pair.reader.read(10) == []


def test_a_detail_is_valid_for_one_operation_alone(pair: Pair) -> None:
    assert pair.reader.detail(0) is None
    pair.publish(4)
    pair.journal.detail(4, 64, 256, b"next")
    assert pair.reader.detail(4) == (64, 256, b"next".ljust(32, b"\0"))
    assert pair.reader.current().detail == pair.reader.detail(4)
    assert pair.reader.detail(3) is None
    assert pair.reader.detail(5) is None
    pair.publish()
    assert pair.reader.current().detail is None
    pair.journal.detail(5, -1, 1 << 63, b"y" * 32)
    assert pair.reader.detail(5) == (-1, 1 << 63, b"y" * 32)


FLAT_OUT = """
import os, sys
from ipctui.trace.ring import W_ENDED, W_GATE
from ipctui.worker.journal import Journal
from ipctui.worker.traced import Traced
journal = Journal(int(sys.argv[1]))
traced = Traced(journal, lambda *_: None, lambda fd: None, lambda fd: 0)
sink = os.open("/dev/null", os.O_WRONLY)
number = 0
while not journal.words[W_GATE] or number < 40_000:
    number += 1
    traced.write(sink, b"%032d" % number)
journal.words[W_ENDED] = number
"""


@pytest.mark.real
@pytest.mark.parametrize(("most", "times"), [(SLOTS, 60), (500, 1200)])
def test_a_reader_never_sees_a_torn_record_of_a_writer_flat_out(most: int, times: int) -> None:
    """The figures are made by the writing process itself; payload, offset and sequence of a record belong together."""
    fd = create_ring()
    reader = RingReader(fd)
    child = subprocess.Popen([sys.executable, "-c", FLAT_OUT, str(fd)], pass_fds=[fd], stderr=subprocess.PIPE)
    last = returned = reads = 0

    def drain() -> None:
        nonlocal last, returned, reads
        before = reader.overwritten + reader.skipped + returned
        entries = reader.read(most)
        reads += 1
        returned += len(entries)
        for place, entry in enumerate(entries):
            number = entry.sequence
            assert number == (entries[place - 1].sequence + 1 if place else max(number, last + 1))
            assert entry.payload == b"%032d" % number
            assert (entry.result, entry.argument, entry.extra) == (32, 32, 32 * (number - 1))
            assert entry.begin <= entry.end
        if entries:
            last = entries[-1].sequence
            assert reader.taken == last
        assert before <= returned + reader.overwritten + reader.skipped <= reader.head()

    try:
        eventually(lambda: reader.head() > 0)
        while reads < times:
            if reads % 20 == 0:  # let the writer lap the reader, so that it writes where the reader copies
                eventually(lambda: reader.head() > reader.taken + SLOTS)
            drain()
        reader.words[W_GATE] = 1  # the writer takes it for the sign to end
        assert child.wait(PATIENCE) == 0, child.stderr and child.stderr.read()
        drain()
        written = reader.words[W_ENDED]
        assert reader.head() == written == returned + reader.overwritten + reader.skipped
        (row,) = reader.rows()
        assert (row.operation, row.calls, row.bytes) == (CODES["write"], written, 32 * written)
        assert reader.errors() == []
        assert reader.overwritten > 0
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(PATIENCE)
        assert child.stderr is not None
        child.stderr.close()
        reader.close()
        os.close(fd)


@pytest.mark.real
def test_the_operation_in_hand_is_told_from_the_one_that_has_returned() -> None:
    from ipctui.worker.traced import Traced

    fd = create_ring()
    journal, reader = Journal(fd), RingReader(fd)
    r, w = os.pipe()
    traced = Traced(journal, lambda *_: None, lambda _: None, lambda _: 5)
    thread = threading.Thread(target=lambda: [traced.read(r, 7), traced.read(r, 7)])
    thread.start()
    try:
        eventually(lambda: reader.current().in_call)
        current = reader.current()
        key = Key.of(current.key)
        assert (key.operation, key.fd, key.object) == (CODES["read"], r, 5)
        os.write(w, b"x")
        eventually(lambda: reader.current().in_call and reader.current().since > current.since)
        assert [entry.sequence for entry in reader.read(9)] == [1]
        os.close(w)
        thread.join(PATIENCE)
        assert not reader.current().in_call
        assert reader.head() == 2
    finally:
        journal.close()
        reader.close()
        os.close(fd)
        os.close(r)


def test_records_that_came_while_it_copied_wait_for_the_next_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.publish(8000)
    copy = pair.reader._copy

    def late(first: int, head: int) -> bytes:
        pair.publish(5000)
        return copy(first, head)

    with monkeypatch.context() as patch:
        patch.setattr(pair.reader, "_copy", late)
        entries = pair.reader.read(SLOTS)
    assert all(entry.sequence <= 8000 for entry in entries)
    assert len(entries) + len(pair.reader.read(SLOTS)) + pair.reader.overwritten == 13000


def test_asked_for_none_it_gives_none_and_counts_them(pair: Pair) -> None:
    pair.publish(10)
    assert pair.reader.read(0) == []
    assert pair.reader.skipped == 10


def test_a_full_table_of_rows_still_counts_every_call(pair: Pair) -> None:
    for fd in range(ROWS + 7):
        pair.publish(1, key_of(1, fd))
    assert pair.journal.head() == pair.reader.head() == ROWS + 7
