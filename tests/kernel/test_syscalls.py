import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel.syscall_table import TABLE
from ipctui.kernel.syscalls import OutsideCall, SystemCall, decode, known_machine, name_of

WORDS = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("machine", "text", "name", "fd"),
    [
        (
            "x86_64",
            "0 0x3 0x7f100cb1c000 0x20000 0x0 0xffffffff 0x0 0x7ffe91e85808 0x7f100cc982ad",
            "read",
            3,
        ),
        ("x86_64", "1 0x4 0x1c56f20 0x1000 0x0 0x0 0x0 0x7ffc0 0x7f1c\n", "write", 4),
        ("x86_64", "202 0x7f0 0x189 0x0 0x0 0x0 0xffffffff 0x7ffc0 0x7f1c", "futex", None),
        ("x86_64", "257 0xffffff9c 0x7f0 0x80000 0x0 0x0 0x0 0x7ffc0 0x7f1c", "openat", None),
        ("x86_64", "9 0x0 0x1000 0x3 0x22 0xffffffff 0x0 0x7ffc0 0x7f1c", "mmap", -1),
        ("x86_64", "61 0xffffffffffffffff 0x7f 0x0 0x0 0x0 0x0 0x7ffc0 0x7f1c", "wait4", None),
        ("aarch64", "63 0x3 0xffff8c1c000 0x20000 0x0 0x0 0x0 0xffffe8 0xffff8c", "read", 3),
        ("aarch64", "64 0x5 0xffff8c1c000 0x40 0x0 0x0 0x0 0xffffe8 0xffff8c", "write", 5),
        ("aarch64", "182 0x7 0xffff8 0x40 0x0 0x0 0x0 0xffffe8 0xffff8c", "mq_timedsend", 7),
        ("aarch64", "98 0xffff 0x189 0x0 0x0 0x0 0x0 0xffffe8 0xffff8c", "futex", None),
        ("aarch64", "0 0x1 0x2 0x3 0x4 0x5 0x6 0xffffe8 0xffff8c", "io_setup", None),
        ("x86_64", "999 0x1 0x2 0x3 0x4 0x5 0x6 0xffffe8 0xffff8c", "syscall_999", None),
        ("riscv64", "63 0x3 0x2 0x3 0x4 0x5 0x6 0xffffe8 0xffff8c", "syscall_63", None),
    ],
)
def test_a_captured_call_is_named_with_its_descriptor(machine: str, text: str, name: str, fd: int | None) -> None:
    call = decode(text, machine)
    assert isinstance(call, SystemCall)
    assert (call.name, call.fd, len(call.args)) == (name, fd, 6)
    assert call.args == tuple(int(word, 16) for word in text.split()[1:7])


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("running\n", OutsideCall.RUNNING),
        ("-1 0x7ffe91e85808 0x7f100cc982ad\n", OutsideCall.BLOCKED),
        ("", None),
        ("-2 0x1 0x2", None),
        ("0 0x3 0x7f", None),
        ("-1 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8", None),
        ("0 0x3 zz 0x0 0x0 0x0 0x0 0x0 0x0", None),
        ("0 -0x3 0x0 0x0 0x0 0x0 0x0 0x0 0x0", None),
    ],
)
def test_other_forms(text: str, meaning: OutsideCall | None) -> None:
    assert decode(text, "x86_64") is meaning


@given(
    st.text() | st.text("running -0123456789abcdefx\n", max_size=80),
    st.sampled_from(["x86_64", "aarch64", "?"]),
)
def test_no_text_makes_it_raise(text: str, machine: str) -> None:
    decode(text, machine)


@given(
    st.integers(0, 600),
    st.lists(WORDS, min_size=8, max_size=8),
    st.sampled_from(["x86_64", "aarch64"]),
)
def test_what_the_kernel_prints_comes_back(number: int, words: list[int], machine: str) -> None:
    call = decode(f"{number} " + " ".join(map(hex, words)) + "\n", machine)
    assert isinstance(call, SystemCall)
    assert call.number == number
    assert call.args == tuple(words[:6])
    assert call.name == name_of(number, machine)
    if call.fd is not None:
        assert -(2**31) <= call.fd < 2**31
        assert any(call.fd % 2**32 == word % 2**32 for word in words[:6])


def test_no_number_and_no_name_stands_twice() -> None:
    rows = [row.split() for row in TABLE.strip().split("\n")]
    for column in (0, 1, 2):
        values = [row[column] for row in rows if row[column] != "-"]
        assert len(values) == len(set(values))
    assert {len(row) for row in rows} == {4}
    assert {row[3] for row in rows} <= {"-", "0", "4"}


@pytest.mark.parametrize(
    ("machine", "column", "header"),
    [
        ("x86_64", 1, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", 2, "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_those_of_the_kernel_headers(machine: str, column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("the kernel's headers are not installed")
    numbers = dict(re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text()))
    if machine == "aarch64":
        numbers["newfstatat"] = numbers["fstatat"]
    rows = [row.split() for row in TABLE.strip().split("\n")]
    known = [fields for fields in rows if fields[0] in numbers]
    assert len(known) > 130
    assert [fields[0] for fields in known if fields[column] != numbers[fields[0]]] == []


def test_this_machine_is_asked_when_none_is_named() -> None:
    machine = os.uname().machine
    assert known_machine() == known_machine(machine)
    assert name_of(63) == name_of(63, machine)
    assert not known_machine("riscv64")
