"""Sorting on the disk gives what sorting in memory gives."""

from hypothesis import given
from hypothesis import strategies as st

from ipctui.export.sorting import Row, in_order


@given(st.lists(st.tuples(st.integers(-5, 5), st.text(max_size=3))), st.integers(1, 7))
def test_the_same_order_whatever_fits_into_memory(rows: list[tuple[int, str]], run: int) -> None:
    assert list(in_order(rows, run)) == sorted(rows, key=lambda row: row[0])


def test_no_more_is_held_than_asked_for() -> None:
    made = 0

    def rows() -> object:
        nonlocal made
        for number in range(1000):
            made += 1
            yield -number, ["x", number]

    ordered = in_order(rows(), 10)  # type: ignore[arg-type]
    first: Row = next(ordered)
    assert (first[0], made) == (-999, 1000)
    assert [row[0] for row in ordered] == list(range(-998, 1))
