from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ipctui.lab.parameters import Parameter, UsageError, number, printable, settle, unknown

RATE = Parameter("rate", 20.0, "messages a second", 0, 100_000, "a second")
SIZE = Parameter("size", 64, "bytes of a message", 1, 65536, "bytes", "/proc/sys/fs/pipe-max-size")
SIGPIPE = Parameter("sigpipe", "default", "…", choices=("default", "ignore"))
ALL = (RATE, SIZE, SIGPIPE)


@pytest.mark.parametrize(
    ("text", "whole", "value"),
    [
        ("64", True, 64),
        (" 64 ", True, 64),
        ("64k", True, 65536),
        ("64K", True, 65536),
        ("1m", True, 1 << 20),
        ("1_000", True, 1000),
        ("4,096", True, 4096),
        ("-3", True, -3),
        ("0.5", False, 0.5),
        ("1e3", False, 1000.0),
        ("0.5k", False, 512.0),
        ("20", False, 20.0),
        *((text, True, None) for text in ("", "k", "0x10", "1e3", "0.5", "64kb", "6 4", "many", "nan", "--1")),
        *((text, False, None) for text in ("", "m", "fast", "nan", "1:2")),
        ("1" * 21, True, None),
        ("1" * 10_000, False, None),
    ],
)
def test_numbers_as_people_write_them(text: str, whole: bool, value: float | None) -> None:
    found = number(text, whole)
    assert found == value
    assert value is None or isinstance(found, int if whole else float)


@given(st.text(max_size=30), st.booleans())
@example("1e308m", False)
@example("inf", False)
@example("٣", True)
def test_any_text_is_a_number_or_none(text: str, whole: bool) -> None:
    value = number(text, whole)
    assert value is None or value == value


@given(st.integers(1, 65536))
def test_every_number_of_the_range_is_taken(value: int) -> None:
    assert SIZE.parse(str(value)) == SIZE.parse(f"{value:,}") == SIZE.parse(f"{value:_}") == value


@given(st.integers())
def test_no_number_outside_the_range_is_taken(value: int) -> None:
    assume(not 1 <= value <= 65536)
    with pytest.raises(UsageError):
        SIZE.parse(str(value))


@given(st.text(max_size=30))
@example("inf")
@example("-inf")
@example("1e308m")
def test_what_is_taken_fits_the_range(text: str) -> None:
    for parameter in (RATE, SIZE):
        try:
            value = parameter.parse(text)
        except UsageError:
            continue
        assert isinstance(value, int | float)
        assert parameter.low <= value <= parameter.high


def test_the_error_tells_the_range_and_where_it_comes_from() -> None:
    with pytest.raises(UsageError) as raised:
        SIZE.parse("70000")
    assert str(raised.value) == ("size=70000: a whole number from 1 to 65,536 bytes (/proc/sys/fs/pipe-max-size)")
    with pytest.raises(UsageError, match=r"^rate=fast: a number from 0 to 100,000 a second$"):
        RATE.parse("fast")
    assert SIGPIPE.allowed() == "one of default, ignore"


def test_a_choice_is_one_of_the_choices() -> None:
    assert SIGPIPE.parse("ignore") == "ignore"
    with pytest.raises(UsageError, match="did you mean 'ignore'"):
        SIGPIPE.parse("ignored")
    with pytest.raises(UsageError, match="there is default, ignore"):
        SIGPIPE.parse("xyz")


@pytest.mark.parametrize(
    ("name", "near"),
    [("one-wy", "one-way"), ("oneway", "one-way"), ("deadlok", "deadlock"), ("packet", "packets"), ("zebra", None)],
)
def test_the_nearest_right_name_is_offered(name: str, near: str | None) -> None:
    variants = ("one-way", "two-way", "deadlock", "packets")
    said = unknown("variant", name, iter(variants))
    assert said.startswith(f"there is no variant {name!r}; ")
    if near is None:
        assert said.endswith("there is one-way, two-way, deadlock, packets")
    else:
        assert said.endswith(f"did you mean {near!r}?")


@given(st.text(st.characters(), max_size=100), st.integers(1, 60))
@example("\x1b]0;title\x07\r\n\x9b2J\u202e\ud800", 40)
def test_the_users_words_are_harmless_when_printed_back(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    assert shown == text or not text.isprintable() or len(text) > most
    assert unknown("variant", text, ["one-way"]).isprintable()


def refusal(*settings: str, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(UsageError) as raised:
        settle(ALL, overrides or {}, settings)
    return str(raised.value)


def test_settings_go_over_a_variants_values_and_these_over_defaults() -> None:
    assert settle(ALL, {}, []) == {"rate": 20.0, "size": 64, "sigpipe": "default"}
    assert settle(ALL, {"size": 6000}, []) == {"rate": 20.0, "size": 6000, "sigpipe": "default"}
    settled = settle(ALL, {"size": 6000, "rate": 0.0}, ["size=1k", "sigpipe=ignore", "size=2k"])
    assert settled == {"rate": 0.0, "size": 2048, "sigpipe": "ignore"}


def test_a_setting_that_is_none_is_refused_in_one_line() -> None:
    assert refusal("size") == "--set size: write KEY=VALUE, for example rate=10"
    assert refusal("siz=10") == "--set siz=10: there is no parameter 'siz'; did you mean 'size'?"
    assert refusal("=10").startswith("--set =10: there is no parameter ''")
    assert refusal("size=").startswith("size=: a whole number from 1")
    assert refusal("sigpipe=a=b").startswith("sigpipe=a=b: there is no value 'a=b'")


@given(
    st.text(st.characters(), max_size=50).filter(lambda text: text.partition("=")[0] not in ("rate", "size", "sigpipe"))
)
def test_a_hostile_setting_is_printed_back_harmlessly(setting: str) -> None:
    assert refusal(setting).isprintable()
