"""A process that is no worker at the ordinary pipe: it takes what was meant for another, and is told by its pid."""

import subprocess
import sys

import pytest

from ipctui.mechanisms.pipe.caption import caption
from tests.lab.conftest import Bench, Open, bench

pytestmark = pytest.mark.real
__all__ = ["bench"]  # a fixture, found by its name

HOLD = "import os, sys; os.open(sys.argv[1], int(sys.argv[2])); print('in', flush=True); sys.stdin.read()"
READ = "import os, sys; fd = os.open(sys.argv[1], 0); print('in', flush=True)\nwhile os.read(fd, 65536): pass"


def stranger(code: str, *words: str) -> "subprocess.Popen[str]":
    """A process that has opened an end by /proc/PID/fd."""
    command = [sys.executable, "-c", code, *words]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "in\n"
    return started


def says(lab: Bench, *words: str, language: str = "en") -> None:
    lab.until(
        lambda: all(word in caption(lab.lab.state, language) for word in words),
        15,
        f"{words} in the caption, which says: {caption(lab.lab.state, language)}",
    )


def test_who_reads_from_outside_is_told_for_the_bytes_that_it_takes(bench: Open) -> None:
    lab = bench("one-way", rate=200)
    lab.until(lambda: lab.count("child", "read") > 3)
    with stranger(READ, f"/proc/{lab.process('child').pid}/fd/3") as other:
        try:
            says(lab, f"pid {other.pid}", "whoever reads first")
            says(lab, f"pid {other.pid}", "먼저 읽는 쪽", language="ko")

            def taken() -> bool:
                sent, got = lab.count("parent", "write"), lab.count("child", "read")
                return sent > 20 and got < sent - 10

            lab.until(taken, 15, "messages that the child never sees")
        finally:
            other.kill()
    lab.until(lambda: "pid " not in caption(lab.lab.state, "en"), 15, "it is gone")


def test_who_holds_the_write_end_from_outside_keeps_end_of_file_away(bench: Open) -> None:
    lab = bench("one-way", rate=0.001)
    lab.until(lambda: lab.count("child", "read") > 0)
    with stranger(HOLD, f"/proc/{lab.process('parent').pid}/fd/4", "1") as other:
        says(lab, f"pid {other.pid}", "holds the write end", "end of file")
        lab.do("kill parent")
        lab.until_ended("parent")
        lab.until(lambda: f"a write by pid {other.pid}," in (lab.state("child").waker or ""), 15, "who could wake it")
        assert lab.process("child").exited is None
        assert other.stdin is not None
        other.stdin.close()
    assert lab.until_ended("child") == "status 0"
