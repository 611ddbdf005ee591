"""The threads of a process, checked against a thread whose number and doings are known."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel import threads as module
from ipctui.kernel.threads import Thread, reads_in, threads

from .conftest import eventually


@pytest.mark.real
def test_a_thread_asleep_in_read_is_told_with_its_descriptor() -> None:
    r, w = os.pipe()
    thread = threading.Thread(target=os.read, args=(r, 1))
    thread.start()
    try:

        def found() -> bool:
            return any((each.tid, each.call, each.fd) == (thread.native_id, "read", r) for each in threads(os.getpid()))

        eventually(found)
        first = threads(os.getpid())[0]
        assert first.tid == os.getpid(), "the main thread stands first"
    finally:
        os.write(w, b"x")
        thread.join()
        os.close(r)
        os.close(w)
    eventually(lambda: all(each.tid != thread.native_id for each in threads(os.getpid())))


def test_the_main_thread_stands_first_where_the_numbers_began_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "listdir", lambda folder: ["775", "4124", "776"])
    monkeypatch.setattr(module, "_thread", lambda folder, tid: Thread(tid, "python", "S"))
    assert [each.tid for each in threads(4124)] == [4124, 775, 776]


@pytest.mark.real
def test_a_process_that_is_gone_has_none() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert threads(pid) == ()


@given(st.text(max_size=200))
def test_any_text_tells_reads_or_none(text: str) -> None:
    found = reads_in(text)
    assert found is None or found >= 0


def test_syscr_is_found_among_the_others() -> None:
    assert reads_in("rchar: 10\nwchar: 3\nsyscr: 42\nsyscw: 1\n") == 42
    assert reads_in("rchar: 10\n") is None
