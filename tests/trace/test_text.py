import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipctui.trace.text import clock_face, duration, grouped, readable, strace_string, visible

UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def harmless(text: str) -> bool:
    """Whether a terminal shows a text and does nothing else; U+200D joins the parts of a picture and is let by."""
    return all(unicodedata.category(char) not in UNSEEN or char == "\u200d" for char in text)


@given(st.text(st.characters()))
@example("\x1b[2J\x1b]0;title\x07\x9b31m\r\n\x7f\u202e\u2028\ufeff\ud800\U000e0001")
def test_nothing_that_a_terminal_obeys_stays_visible(text: str) -> None:
    shown = visible(text)
    assert harmless(shown)
    assert len(shown) == len(text)
    assert visible(shown) == shown


@given(st.binary(max_size=200), st.integers(0, 100))
@example(b"\x1b[31m\xc2\x9b\xe2\x80\xae", 80)
def test_any_bytes_are_readable(data: bytes, most: int) -> None:
    text = readable(data, most)
    assert harmless(text)
    assert text.endswith("…") or len(data) <= most
    assert len(text) <= most + 1


@given(st.text(st.characters(exclude_categories=sorted(UNSEEN)), max_size=20))
def test_plain_text_of_any_language_is_left_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert readable(text.encode()) == text


def test_what_people_see() -> None:
    assert visible("a\tb\n\x00\x1b\x7f\x80") == "a␉b␊␀␛␡\ufffd"
    assert visible("👩\u200d💻 가\u202e") == "👩\u200d💻 가\ufffd"
    assert readable("가나다".encode(), 4) == "가…"
    assert readable(b"\xff\xfe") == "\ufffd\ufffd"
    assert readable(b"x" * 80) == "x" * 80
    assert readable(b"x" * 81) == "x" * 80 + "…"
    assert readable(b"") == ""


@pytest.mark.parametrize(
    ("data", "size", "printed"),
    [
        # Printed by strace 6.1 for write(2) of the same bytes.
        (b"hi\n", 3, r'"hi\n"'),
        (b"\x1b[31m", 5, r'"\33[31m"'),
        (b"\x000", 2, r'"\0000"'),
        (b"\x008", 2, r'"\08"'),
        (b'a"b\\c', 5, r'"a\"b\\c"'),
        (b"\xff\xfe9", 3, r'"\377\3769"'),
        ("é7é".encode(), 5, r'"\303\2517\303\251"'),
        (b"\t\n\v\f\r\x0e\x0f", 7, r'"\t\n\v\f\r\16\17"'),
        (b"x" * 32, 32, '"' + "x" * 32 + '"'),
        (b"x" * 33, 33, '"' + "x" * 32 + '"...'),
        (b"x" * 31 + b"\x01" + b"7", 33, '"' + "x" * 31 + r'\1"...'),
        (b"", 0, '""'),
        # The ring keeps 32 bytes; the size is that of the call.
        (b"x" * 32, 4096, '"' + "x" * 32 + '"...'),
    ],
)
def test_bytes_are_printed_as_strace_prints_them(data: bytes, size: int, printed: str) -> None:
    assert strace_string(data, size) == printed


@given(st.binary(max_size=40))
def test_an_strace_string_is_plain_and_can_be_read_back(data: bytes) -> None:
    printed = strace_string(data, len(data), shown=40)
    assert printed.isascii()
    assert printed.isprintable()
    assert eval("b" + printed) == data


def test_a_cut_is_told_by_dots_after_the_quote() -> None:
    assert strace_string(b"abcdef", 6, shown=3) == '"abc"...'
    assert strace_string(b"abc", 3, shown=3) == '"abc"'


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (-5, "0 µs"),
        (0, "0 µs"),
        (999, "0 µs"),
        (9_400, "9 µs"),
        (999_999, "999 µs"),
        (1_000_000, "1 ms"),
        (41_900_000, "41 ms"),
        (999_999_999, "999 ms"),
        (1_000_000_000, "1.0 s"),
        (2_440_000_000, "2.4 s"),
        (59_900_000_000, "59.9 s"),
        (60_000_000_000, "1:00 min"),
        (187_000_000_000, "3:07 min"),
        (3_600_000_000_000, "60:00 min"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


@given(st.integers(0, 10**16), st.integers(0, 10**16))
def test_a_longer_time_never_reads_shorter(one: int, other: int) -> None:
    assert length(duration(min(one, other))) <= length(duration(max(one, other)))


def length(text: str) -> float:
    """A duration's text back in seconds."""
    value, unit = text.split()
    if unit == "min":
        minutes, seconds = value.split(":")
        assert len(seconds) == 2
        return int(minutes) * 60.0 + int(seconds)
    return float(value) * {"µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]


def test_clock_faces_and_groups() -> None:
    assert clock_face(12_400_000_000) == "00:12.4"
    assert clock_face(12_499_999_999) == "00:12.4"
    assert clock_face(61_000_000_000) == "01:01.0"
    assert clock_face(6_000_000_000_000) == "100:00.0"
    assert clock_face(-1) == "00:00.0"
    assert (grouped(999), grouped(32_784), grouped(1_048_576)) == ("999", "32,784", "1,048,576")
