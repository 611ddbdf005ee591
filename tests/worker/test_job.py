"""Stamps in messages, and the percentiles of their delays."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from ipctui.worker.job import STAMP_ROOM, percentile, stamped, times_in
from ipctui.worker.messages import envelope, filled, injected

_TIMES = st.integers(0, 10**18)


@given(st.integers(1, 10**9), st.integers(STAMP_ROOM, 4096), _TIMES)
def test_a_stamped_message_is_as_long_as_before_and_tells_its_time(number: int, size: int, time: int) -> None:
    message = filled("producer1", number, size, b"a")
    with_time = stamped(message, time)
    assert len(with_time) == size
    assert with_time.endswith(b"\n")
    assert envelope(with_time) == envelope(message)
    assert times_in(with_time) == [time]


@given(st.binary(max_size=60).filter(lambda text: b"\n" not in text), _TIMES)
def test_a_users_text_is_kept_whole(text: bytes, time: int) -> None:
    with_time = stamped(injected("producer", 1, text), time)
    assert times_in(with_time)[:1] == [time]
    if text.count(text[:1]) != len(text):
        assert with_time.endswith(b" " + text + b"\n")


@given(st.binary(max_size=200))
def test_foreign_bytes_tell_no_time_that_they_do_not_hold(data: bytes) -> None:
    assert all(str(time).encode() in data.replace(b"@0", b"@") or time == 0 for time in times_in(data))
    assert times_in(b"") == []


def test_of_several_messages_every_whole_stamp_is_told_and_a_cut_one_is_not() -> None:
    messages = [stamped(filled("producer", number, 64, b"a"), number * 1000) for number in (1, 2, 3)]
    assert times_in(b"".join(messages)) == [1000, 2000, 3000]
    assert times_in(b"".join(messages)[: 64 + 14]) == [1000]
    assert stamped(b"short\n", 5) == b"short\n"


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(numbers: list[int]) -> None:
    ordered = sorted(numbers)
    for share in (0.5, 0.99):
        found = percentile(ordered, share)
        assert sum(number <= found for number in ordered) >= share * len(ordered) - 1e-9
        assert sum(number < found for number in ordered) < share * len(ordered)
    assert percentile(ordered, 0.5) == statistics.median_low(ordered)
