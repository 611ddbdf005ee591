"""However it ends, nothing stays behind: no process, no name, and the terminal as it was.

IPCTUI_STORM=100 repeats the kills that often; the usual number is small.
"""

import contextlib
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctui.kernel.process import children
from tests.lab.conftest import IPCTUI, Running, lines_of, living, marked, new_mark, waited

pytestmark = pytest.mark.real

STORM = int(os.environ.get("IPCTUI_STORM", "12"))
GONE_WITHIN = 90.0
"""Seconds, of a busy machine; who hangs does so for ever."""
FEW, SOME = max(1, STORM // 4), max(2, STORM // 2)

# What a full-screen program turns on, and how each is turned off again (xterm's ctlseqs).
MODES = (b"1049", b"1000", b"1002", b"1003", b"1006", b"2004")


class Session:
    """An ipctui with a mark and a temporary folder of its own, from its start to whatever end it comes to."""

    def __init__(self, *words: str, terminal: bool = False) -> None:
        self.mark = new_mark()
        self.folder = tempfile.mkdtemp(prefix="leaving-")
        self.pids: set[int] = set()
        self.received = bytearray()
        env = marked(self.mark, TMPDIR=self.folder, XDG_RUNTIME_DIR=self.folder, TERM="xterm-256color")
        self._open: list[int] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if terminal:
            self.master, self.slave = pty.openpty()
            self._open = [self.master, self.slave]
            fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("4H", 36, 120, 0, 0))
            self.before = termios.tcgetattr(self.slave)
            ends = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
            self.process = subprocess.Popen([*IPCTUI, *words], env=env, start_new_session=True, **ends)
            self._thread = threading.Thread(target=self._drain, daemon=True)
            self._thread.start()
        else:
            self.output = tempfile.TemporaryFile()  # noqa: SIM115  (closed in close())
            self.errors = tempfile.TemporaryFile()  # noqa: SIM115
            self.process = subprocess.Popen(
                [*IPCTUI, *words], env=env, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.errors
            )

    def _drain(self) -> None:
        while not self._stop.is_set():
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.received += os.read(self.master, 65536)
                except OSError:
                    return

    def living(self) -> list[int]:
        pids = living(self.mark)
        self.pids.update(pids)
        return pids

    def named(self, name: str) -> list[int]:
        """Its processes of this name, as the kernel has it (comm, 15 bytes)."""
        found = []
        for pid in self.living():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name[:15]:
                    found.append(pid)
        return found

    def launcher(self) -> int:
        """The launcher's pid, 0 before it has its name. A worker just forked has the name, too, and is its child."""
        app = self.process.pid
        return next((pid for pid in children(app) if pid in self.named("ipctui-launcher")), 0)

    def until_running(self) -> None:
        waited(lambda: self.named("parent") and (self.named("child") or self.named("child1")), GONE_WITHIN, "workers")
        if self._thread is not None:
            waited(lambda: b"\x1b[?1049h" in self.received, GONE_WITHIN, "the alternate screen")

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def lines(self) -> bytes:
        self.output.seek(0)
        return self.output.read()

    def assert_nothing_left(self, why: str) -> None:
        waited(lambda: not self.living(), GONE_WITHIN, f"{why}: nobody left")
        assert os.listdir(self.folder) == [], why
        ours = [name for name in os.listdir("/dev/shm") if (found := re.match(r"(?:sem\.)?ipctui-(\d+)-", name))
                and int(found[1]) in {*self.pids, self.process.pid}]  # fmt: skip
        assert ours == [], why

    def assert_terminal_usable(self, why: str) -> None:
        waited(lambda: termios.tcgetattr(self.slave) == self.before, GONE_WITHIN, f"{why}: termios as before")
        assert termios.tcgetattr(self.slave)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON
        waited(lambda: not self.still_on(), GONE_WITHIN, f"{why}: {self.still_on()} off again")

    def still_on(self) -> list[bytes]:
        """The modes that the bytes received left switched on."""
        raw = bytes(self.received)
        on = [mode for mode in MODES if raw.rfind(b"\x1b[?%sh" % mode) > raw.rfind(b"\x1b[?%sl" % mode)]
        return on + ([b"cursor hidden"] if raw.rfind(b"\x1b[?25l") > raw.rfind(b"\x1b[?25h") else [])

    def close(self) -> None:
        for pid in {*living(self.mark), self.process.pid} if self.process.poll() is None else living(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(GONE_WITHIN)
        if self._thread is not None:
            self._stop.set()
            self._thread.join(GONE_WITHIN)
            for fd in self._open:
                os.close(fd)
        else:
            self.output.close()
            self.errors.close()
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)


@contextlib.contextmanager
def session(*words: str, terminal: bool = False) -> Iterator[Session]:
    one = Session(*words, terminal=terminal)
    try:
        yield one
    finally:
        one.close()


VARIANTS = ("one-way", "two-way", "forgotten-end", "deadlock", "many-writers", "packets")


def storm(times: int, seed: str) -> Iterator[tuple[str, float, str]]:
    """A variant, a moment after the start, and words for a failure."""
    draw = random.Random(seed)
    for number in range(times):
        variant, moment = draw.choice(VARIANTS), draw.uniform(0.02, 1.3)
        yield variant, moment, f"{seed} {number}: {variant} after {moment:.3f} s"


def pass_time(one: Session, seconds: float) -> None:
    """The moment is drawn, not hoped for: whatever has come about by then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one.living()
        time.sleep(min(0.02, max(0.0, end - time.monotonic())))


def test_kill_9_of_the_app_without_a_screen() -> None:
    for variant, moment, why in storm(SOME, "headless"):
        with session("run", "pipe", "--variant", variant, "--headless") as one:
            pass_time(one, moment)
            one.process.kill()
            one.process.wait()
            one.assert_nothing_left(why)


def test_kill_9_of_the_app_on_a_terminal() -> None:
    drawn = 0
    for variant, moment, why in storm(SOME, "terminal"):
        with session("run", "pipe", "--variant", variant, terminal=True) as one:
            pass_time(one, moment)
            one.process.kill()
            one.process.wait()
            one.assert_nothing_left(why)
            one.assert_terminal_usable(why)
            drawn += b"\x1b[?1049h" in one.received
    # The last one is surely on the alternate screen: what is to be reset has been set.
    with session("run", "pipe", terminal=True) as one:
        one.until_running()
        waited(lambda: set(one.still_on()) >= {b"1049", b"cursor hidden"}, GONE_WITHIN, "the screen is taken")
        waited(lambda: termios.tcgetattr(one.slave) != one.before, GONE_WITHIN, "the terminal is raw")
        one.process.kill()
        one.process.wait()
        one.assert_nothing_left("on the screen")
        one.assert_terminal_usable("on the screen")


def test_kill_9_of_the_launcher() -> None:
    for variant, moment, why in storm(FEW, "launcher"):
        with session("run", "pipe", "--variant", variant, "--headless") as one:
            waited(lambda one=one: one.launcher(), GONE_WITHIN, "the launcher")
            pass_time(one, moment / 2)
            os.kill(one.launcher(), signal.SIGKILL)
            assert one.process.wait(GONE_WITHIN) == 1, why
            one.assert_nothing_left(why)
            assert re.fullmatch(r"ipctui: [^\n]*launcher[^\n]*\n", one.said()), (why, one.said())


def test_kill_9_of_the_launcher_under_a_screen() -> None:
    with session("run", "pipe", terminal=True) as one:
        one.until_running()
        os.kill(one.launcher(), signal.SIGKILL)
        waited(lambda: not one.named("parent") and not one.named("child"), GONE_WITHIN, "the workers end with it")
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(1)
        if one.process.poll() is None:
            os.write(one.master, b"q")
        assert one.process.wait(GONE_WITHIN) in (0, 1)
        one.assert_nothing_left("launcher")
        one.assert_terminal_usable("launcher")


def test_kill_9_of_app_and_launcher_at_once() -> None:
    for variant, moment, why in storm(FEW, "both"):
        with session("run", "pipe", "--variant", variant, "--headless") as one:
            one.until_running()
            pass_time(one, moment / 2)
            os.kill(one.launcher(), signal.SIGKILL)
            one.process.kill()
            one.process.wait()
            one.assert_nothing_left(why)


def asleep(lab: Running, role: str) -> str:
    """The call that a worker is blocked in by the latest word, "" when it is not."""
    state = lab.latest("state", "process").get(role, {})
    return state["before"]["name"] if state.get("state") == "blocked" else ""


@pytest.mark.parametrize("role", ["parent", "child"])
def test_kill_9_of_a_worker_in_mid_write_and_the_lab_goes_on(role: str) -> None:
    words = {
        "parent": ("--set", "rate=0", "--set", "size=10000", "--do", "0:hold child"),
        "child": ("--variant", "deadlock", "--set", "rate=0"),
    }
    for _ in range(max(1, FEW // 2)):
        mark = new_mark()
        lab = Running(*words[role], env=marked(mark))
        try:
            lab.until(lambda lab=lab: asleep(lab, role) == "write")
            os.kill(lab.pids()[role], signal.SIGKILL)
            lab.until(
                lambda lab=lab: any(
                    line["kind"] == "process" and line["event"] == "exited" and line["process"] == role
                    and line["status"] == "signal SIGKILL"
                    for line in list(lab.lines)
                )
            )  # fmt: skip
            assert lab.process.poll() is None
            assert lab.interrupt() == 0
            assert lab.lines[-1]["kind"] == "summary"
            waited(lambda mark=mark: not living(mark), GONE_WITHIN, "nobody left")
        finally:
            lab.close()


def test_stopped_workers_die_with_the_app() -> None:
    with session("run", "pipe", "--headless", "--do", "0.1:stop all") as one:
        one.until_running()
        workers = [*one.named("parent"), *one.named("child")]
        waited(lambda: all(" T " in Path(f"/proc/{pid}/stat").read_text() for pid in workers), GONE_WITHIN, "stopped")
        one.process.kill()
        one.process.wait()
        one.assert_nothing_left("stopped")


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(number: signal.Signals, stopped: bool) -> None:
    words = ("--do", "0.1:stop all") if stopped else ()
    with session("run", "pipe", "--headless", *words) as one:
        one.until_running()
        if stopped:
            waited(lambda: b"stop all" in one.lines(), GONE_WITHIN, "the command")
        one.process.send_signal(number)
        assert one.process.wait(GONE_WITHIN) == 0
        assert lines_of(one.lines())[-1]["kind"] == "summary"
        assert one.said() == ""
        one.assert_nothing_left(str(number))


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_a_key_leaves_the_screen(key: bytes) -> None:
    with session("run", "pipe", "--set", "rate=0", terminal=True) as one:
        one.until_running()
        waited(lambda: termios.tcgetattr(one.slave) != one.before, GONE_WITHIN, "the terminal is raw")
        # The application reads its keys a moment after it has taken the screen: the bytes wait in the terminal.
        os.write(one.master, key)
        try:
            status = one.process.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{key!r} did not end it")
        assert status == 0
        one.assert_nothing_left(repr(key))
        one.assert_terminal_usable(repr(key))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_screen_in_order(number: signal.Signals) -> None:
    with session("run", "pipe", terminal=True) as one:
        one.until_running()
        one.process.send_signal(number)
        one.process.wait(GONE_WITHIN)
        one.assert_nothing_left(str(number))
        one.assert_terminal_usable(str(number))


TAKES_THE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.parametrize("hung_up", ["by the kernel", "in the background"])
def test_the_terminal_goes(hung_up: str) -> None:
    """Its window was closed: the kernel sends SIGHUP and SIGCONT to its session, and every write fails with EIO."""
    for _ in range(FEW):
        mark = new_mark()
        master, slave = pty.openpty()
        words = [*IPCTUI, "run", "pipe", "--set", "rate=0"]
        if hung_up == "by the kernel":
            words = [IPCTUI[0], "-c", TAKES_THE_TERMINAL, *words]
        process = subprocess.Popen(
            words, env=marked(mark, TERM="xterm-256color"), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        try:
            os.close(slave)
            received = b""
            while b"read(3" not in received:
                assert select.select([master], [], [], GONE_WITHIN)[0], "nothing is drawn"
                received += os.read(master, 65536)
            os.close(master)
            assert process.wait(GONE_WITHIN) == 128 + signal.SIGHUP
            waited(lambda: not living(mark), GONE_WITHIN, "nobody left")  # noqa: B023 (called at once)
        finally:
            for pid in living(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
