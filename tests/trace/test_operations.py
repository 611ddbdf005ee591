import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.trace.operations import CODES, OPERATIONS, Operation, codes_named, names_table, parse_names_table
from ipctui.trace.ring import NAMES_SIZE


def test_the_table_survives_the_rings_header() -> None:
    raw = names_table()
    assert len(raw) <= NAMES_SIZE
    assert parse_names_table(raw.ljust(NAMES_SIZE, b"\0")) == OPERATIONS


def test_the_code_of_an_operation_is_its_place() -> None:
    assert OPERATIONS[0] == Operation("", None)
    assert 0 not in CODES.values()
    assert [OPERATIONS[code].name for code in CODES.values()] == [name.partition(" ")[0] for name in CODES]
    assert sorted(CODES.values()) == list(range(1, len(OPERATIONS)))
    assert len(OPERATIONS) <= 256


def test_a_name_with_two_rows_tells_them_apart_by_a_second_word() -> None:
    assert OPERATIONS[CODES["sem_wait"]] == Operation("sem_wait", None)
    assert OPERATIONS[CODES["sem_wait futex"]] == Operation("sem_wait", "futex")
    assert OPERATIONS[CODES["store"]] == Operation("store", None)
    assert OPERATIONS[CODES["store slot"]] == Operation("store", None, "slot")
    twice = {row.name for row in OPERATIONS if sum(row.name == other.name for other in OPERATIONS) > 1}
    assert twice == {
        *("load", "store", "sem_wait", "sem_post", "pthread_mutex_lock", "pthread_mutex_unlock"),
    }


def test_a_name_stands_for_all_its_rows_and_two_words_for_one() -> None:
    assert codes_named("write") == (CODES["write"],)
    assert codes_named("sem_wait") == (CODES["sem_wait"], CODES["sem_wait futex"])
    assert codes_named("store slot") == (CODES["store slot"],)
    for unknown in ("sem_weight", "store row", ""):
        with pytest.raises(KeyError):
            codes_named(unknown)


@given(st.binary(max_size=200))
def test_any_table_is_parsed_into_names_fit_to_be_shown(raw: bytes) -> None:
    for operation in parse_names_table(raw):
        assert operation.name in ("", "?") or operation.name.isidentifier()
        assert operation.syscall is None or operation.syscall.isidentifier()


def test_another_worker_may_bring_operations_of_its_own() -> None:
    assert parse_names_table(b" -\0mq_send mq_timedsend\0evil\x1b[2J write\0sem_wait -\0\0\0") == (
        Operation("", None),
        Operation("mq_send", "mq_timedsend"),
        Operation("?", "write"),
        Operation("sem_wait", None),
    )
    assert parse_names_table(b"store - slot\0store - sl;t more\0 - x") == (
        Operation("store", None, "slot"),
        Operation("store", None),
        Operation("", None, "x"),
    )


@pytest.mark.strace
def test_the_kernels_names_are_those_that_strace_prints() -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace on this machine")
    program = (
        "import os, signal, fcntl; r, w = os.pipe(); os.write(w, b'x'); os.read(r, 1); fcntl.fcntl(w, 1032);"
        "signal.signal(signal.SIGPIPE, signal.SIG_IGN); pid = os.fork();"
        "pid or os._exit(0); os.waitpid(pid, 0); os.close(w)"
    )
    done = subprocess.run(
        ["strace", "-qq", "/usr/bin/env", "python3", "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip().splitlines()[-1]}")
    seen = set(re.findall(r"^(\w+)\(", done.stderr, re.MULTILINE))
    for name in ("pipe", "write", "read", "fcntl", "signal", "fork", "waitpid", "close"):
        assert OPERATIONS[CODES[name]].syscall in seen, name
