"""Measures as they lie in memory: written by a worker's board, read by whoever looks on."""

import os

from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel.measures import NAME, ROW, ROWS, Measure, find, key, parse, read


@given(st.binary(max_size=ROW.size * 4))
def test_any_bytes_are_rows_or_nothing(raw: bytes) -> None:
    rows = parse(raw)
    assert len(rows) <= len(raw) // ROW.size
    assert all(isinstance(row, Measure) and row.count > 0 for row in rows)


def test_rows_that_are_not_filled_in_are_none() -> None:
    filled = ROW.pack(key(2, 4096), 7, 10, 11, 12, 0, 0, 0)
    empty = bytes(ROW.size)
    begun = ROW.pack(0, 1, 5, 5, 5, 0, 0, 0)
    assert parse(filled + empty + begun + filled[:-1]) == (Measure(2, 4096, 7, 10, 11, 12),)


def test_a_key_keeps_way_and_size_and_is_never_zero() -> None:
    assert key(1, 0) != 0
    (row,) = parse(ROW.pack(key(6, 64 << 20), 1, 2, 3, 4, 0, 0, 0))
    assert (row.way, row.size) == (6, 64 << 20)


def test_measures_are_found_and_read_through_proc() -> None:
    fd = os.memfd_create(NAME)
    try:
        os.ftruncate(fd, ROW.size * ROWS)
        os.pwrite(fd, ROW.pack(key(1, 64), 3, 4, 5, 6, 0, 0, 0), ROW.size)
        assert find(os.getpid()) == fd
        assert read(os.getpid(), fd) == (Measure(1, 64, 3, 4, 5, 6),)
    finally:
        os.close(fd)
    assert find(os.getpid()) is None
    assert find(2**22 + 1) is None
