"""SIGCONT, which the kernel sends when a terminal goes, a shell after a stop, and anybody at any moment."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.conftest import IPCTUI, living, marked, new_mark, waited
from tests.test_leaving import GONE_WITHIN, Session, session

pytestmark = pytest.mark.real

SCREEN_TAKEN = b"\x1b[?1049h"


def threads(pid: int) -> list[str]:
    """The names of the threads that read from the terminal and write to it."""
    names = [Path(f"/proc/{pid}/task/{task}/comm").read_text().strip() for task in os.listdir(f"/proc/{pid}/task")]
    return sorted(name for name in names if name.startswith("textual"))


def letter(pid: int) -> str:
    """The process's state in /proc/PID/stat."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def taken(one: Session) -> int:
    return bytes(one.received).count(SCREEN_TAKEN)


@pytest.mark.parametrize("stopped", [True, False], ids=["after a stop", "without one"])
def test_who_is_told_to_continue_takes_the_screen_again_and_still_leaves(stopped: bool) -> None:
    with session("run", "pipe", terminal=True) as one:
        one.until_running()
        waited(lambda: b"read(3" in one.received, GONE_WITHIN, "a picture")
        before = len(threads(one.process.pid))
        for _ in range(3):
            count = taken(one)
            if stopped:
                one.process.send_signal(signal.SIGSTOP)
                waited(lambda: letter(one.process.pid) == "T", GONE_WITHIN, "stopped")
            one.process.send_signal(signal.SIGCONT)
            waited(lambda count=count: taken(one) > count, GONE_WITHIN, "the screen is taken again")
        waited(lambda: len(threads(one.process.pid)) == before, GONE_WITHIN, "no more threads than before")
        os.write(one.master, b"q")
        assert one.process.wait(GONE_WITHIN) == 0
        one.assert_nothing_left("continued")
        one.assert_terminal_usable("continued")


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("later", [0.0, 0.02, 0.1])
def test_one_that_is_told_to_continue_on_its_way_out_goes_on_out(later: float, closed: bool) -> None:
    """The kernel tells a session whose terminal goes SIGHUP and SIGCONT, which arrive whenever they do."""
    mark = new_mark()
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*IPCTUI, "run", "pipe"], env=marked(mark, TERM="xterm-256color"), stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True,
    )  # fmt: skip
    try:
        os.close(slave)
        received = b""
        while b"read(3" not in received:
            assert select.select([master], [], [], GONE_WITHIN)[0], "nothing is drawn"
            received += os.read(master, 65536)
        process.send_signal(signal.SIGHUP)
        if closed:
            os.close(master)
            master = -1
        begun, told, end = time.monotonic(), False, time.monotonic() + GONE_WITHIN
        while process.poll() is None:
            assert time.monotonic() < end, f"it lives on; threads {threads(process.pid)}"
            if not told and time.monotonic() >= begun + later:
                told = True
                process.send_signal(signal.SIGCONT)
            if master >= 0 and select.select([master], [], [], 0.002)[0]:
                with contextlib.suppress(OSError):
                    os.read(master, 65536)
            elif master < 0:
                time.sleep(0.002)
        waited(lambda: not living(mark), GONE_WITHIN, "nobody left")
    finally:
        if master >= 0:
            os.close(master)
        process.kill()
        process.wait(GONE_WITHIN)
        for pid in living(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
