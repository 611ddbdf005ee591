"""Untraced pairs: what they count of themselves against strace, what they cannot do, and that nothing stays behind."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from ipctui.kernel.process import children
from ipctui.worker.pairs import MAILBOX_LARGEST, WAYS, RefusedError, answer, burst

from ..kernel.conftest import PATIENCE, open_here

pytestmark = pytest.mark.real


def objects() -> set[str]:
    return {name for name in os.listdir("/dev/shm") if f"ipctui-{os.getpid()}-" in name}


@pytest.mark.parametrize("size", [64, 8192])
@pytest.mark.parametrize("way", WAYS)
def test_a_burst_passes_messages_and_leaves_nothing(way: str, size: int) -> None:
    fds, ours, before = set(open_here()), children(os.getpid()), objects()
    done = burst(way, size, 0.02)
    assert (done.way, done.size) == (way, size)
    assert done.messages > 0
    assert done.seconds >= 0.02
    assert done.cpu >= 0
    if way == "spin":
        assert done.calls == 0, "no system call after set-up"
    elif way == "semaphores":
        assert done.calls <= 4 * done.messages + 4, "at most one for each of the four operations"
    else:
        assert done.calls >= 2 * done.messages
    assert objects() == before
    assert children(os.getpid()) == ours
    assert len(set(open_here()) - fds) <= 6, "what a queue or semaphore holds goes with the process"


def test_a_message_that_no_queue_takes_is_refused_in_a_sentence() -> None:
    with pytest.raises(RefusedError, match="8,192 B"):
        burst("mailbox", MAILBOX_LARGEST + 1, 0.01)
    told = answer(json.dumps({"way": "mailbox", "size": 65536, "seconds": 0.01}))
    assert told == {"way": "mailbox", "size": 65536, "refused": "a message has at most 8,192 B"}


@pytest.mark.parametrize("way", ["pipe", "mailbox"])
@pytest.mark.strace
def test_its_system_calls_are_those_that_strace_counts(way: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    script = f"from ipctui.worker.pairs import burst; print(burst({way!r}, 64, 0.05).calls)"
    calls = "read,write" if way == "pipe" else "mq_timedsend,mq_timedreceive"
    traced = ["strace", "-f", "-y", "-e", f"trace={calls}", sys.executable, "-c", script]
    done = subprocess.run(traced, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    if done.returncode:
        pytest.skip(f"strace is refused here: {done.stderr.strip().splitlines()[-1:]}")
    what = r"(?:read|write)\(\d+<pipe:" if way == "pipe" else r"mq_timed(?:send|receive)\("
    # The script's own output is a pipe, too, told by its number; a call that SIGCHLD disturbs is made again.
    lines = [line for line in done.stderr.splitlines() if re.search(what, line) and "(1<" not in line]
    assert int(done.stdout) == len(lines) - sum("ERESTARTSYS" in line for line in done.stderr.splitlines())


def test_the_process_ends_with_its_input_and_with_whoever_started_it() -> None:
    script = "from ipctui.worker.pairs import main; main()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"way": "pipe", "size": 64, "seconds": 0.01}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["messages"] > 0
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
