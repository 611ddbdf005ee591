"""`--record` and `replay` from the command line: files, summaries, errors in one line."""

import gzip
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from ipctui.trace.recording import read_recording
from ipctui.trace.records import Summary
from tests.lab.conftest import IPCTUI, PATIENCE, lines_of, ran, waited
from tests.recorded import MADE, path, recording

VARIANTS = ("one-way", "two-way", "deadlock", "many-writers")


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_recording_without_its_summary_computes_it(name: str, tmp_path: Path) -> None:
    *lines, last = gzip.decompress(path(name).read_bytes()).splitlines(keepends=True)
    assert json.loads(last)["kind"] == "summary"
    file = tmp_path / "cut.jsonl"
    file.write_bytes(b"".join(lines))
    done = ran("replay", str(file), "--headless")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == last


@pytest.mark.real
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_live_run_is_recorded_and_its_summary_computed_anew(variant: str, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    done = ran(
        "run", "pipe", "--variant", variant, "--headless", "--for", "1.2", "--record", str(file),
        "--do", "0.3:hold child", "--do", "0.8:release child", "--do", "0.9:kill parent",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    told = gzip.decompress(file.read_bytes())
    assert told == done.stdout, "the file and the output tell the same"
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(told[: told.rindex(b'{"kind":"summary"')])
    assert ran("replay", str(cut), "--headless").stdout == done.stdout.splitlines(keepends=True)[-1]


@pytest.mark.real
def test_flat_out_the_summary_of_the_file_is_exact(tmp_path: Path) -> None:
    file = tmp_path / "flat.jsonl.gz"
    done = ran("run", "pipe", "--headless", "--set", "rate=0", "--for", "1.5", "--record", str(file))
    assert (done.returncode, done.stderr) == (0, b"")
    last = read_recording(file).records[-1]
    assert isinstance(last, Summary)
    total = lines_of(done.stdout)[-1]
    assert last.processes == total["processes"]
    assert json.loads(ran("replay", str(file), "--headless").stdout) == json.loads(
        gzip.decompress(file.read_bytes()).splitlines()[-1]
    )


@pytest.mark.real
def test_the_text_for_people_is_recorded_too(tmp_path: Path) -> None:
    file = tmp_path / "text.jsonl"
    done = ran("run", "pipe", "--text", "--for", "0.4", "--record", str(file))
    assert (done.returncode, done.stderr) == (0, b"")
    assert isinstance(read_recording(file).records[-1], Summary)


def sent_in(file: Path) -> int:
    """How many messages the parent has sent, by what is in a compressed file that is still being written."""
    text = zlib.decompressobj(31).decompress(file.read_bytes()) if file.exists() else b""
    counters = [line for line in text.split(b"\n")[:-1] if b'"kind":"counters"' in line and b'"parent"' in line]
    return int(json.loads(counters[-1]).get("sent", 0)) if counters else 0


@pytest.mark.real
def test_a_killed_app_leaves_what_it_recorded(tmp_path: Path) -> None:
    file = tmp_path / "killed.jsonl.gz"
    app = subprocess.Popen(
        [*IPCTUI, "run", "pipe", "--headless", "--record", str(file)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        waited(lambda: sent_in(file) > 2, PATIENCE, "messages in the file")
    finally:
        app.send_signal(signal.SIGKILL)
        app.wait(PATIENCE)
    done = ran("replay", str(file), "--headless")
    assert done.returncode == 0
    assert json.loads(done.stdout)["processes"]["parent"]["sent"] > 2
    assert b"the compressed file is cut off" in done.stderr
    assert done.stderr.count(b"\n") <= 2


@pytest.mark.real
@pytest.mark.parametrize(
    ("where", "told"),
    [("there", "it exists already"), (".", "it is a directory"), ("no/where", "No such file or directory")],
)
def test_where_nothing_can_be_recorded_nothing_is_run(where: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    done = ran("run", "pipe", "--headless", "--for", "5", "--record", str(tmp_path / where))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1
    assert told in done.stderr.decode()
    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.real
def test_a_full_disk_is_one_line_and_the_run_goes_on() -> None:
    done = ran("run", "pipe", "--headless", "--for", "0.5", "--record", "/dev/full")
    assert done.returncode == 0
    assert lines_of(done.stdout)[-1]["kind"] == "summary"
    assert done.stderr == b"ipctui: full: recording ended: No space left on device; the laboratory goes on\n"


@pytest.mark.real
def test_a_limit_is_told_when_it_is_reached(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    words = ["run", "pipe", "--headless", "--set", "rate=0", "--record", str(file), "--record-limit", "1"]
    app = subprocess.Popen(
        [*IPCTUI, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert app.stderr is not None
    told = app.stderr.readline()
    app.send_signal(signal.SIGINT)
    assert b"its limit of 1 MB (--record-limit)" in told
    assert app.communicate(timeout=PATIENCE)[1] == b""
    assert app.returncode == 0
    assert file.stat().st_size < 1_200_000
    assert isinstance(read_recording(file).records[-1], Summary)
    assert ran("run", "pipe", "--headless", "--record-limit", "0").returncode == 2


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "the file is empty"),
        (b"root:x:0:0\n", ":1: this is no recording of ipctui: no JSON"),
        (b"\x1f\x8b\x08", "cut off or damaged"),
        (b'{"kind":"header","mechanism":"pigeon","variant":"x"}\n', "pigeon"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(raw: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "foreign"
    file.write_bytes(raw)
    for words in (["replay", str(file), "--headless"], ["replay", str(file)]):
        done = ran(*words)
        assert (done.returncode, done.stdout) == (1, b"")
        assert told in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1
    assert ran("replay", str(tmp_path / "missing")).stderr.count(b"\n") == 1
    assert ran("replay").returncode == 2


def test_what_is_wrong_with_a_file_is_told_by_line(tmp_path: Path) -> None:
    file = tmp_path / "damaged.jsonl"
    lines = gzip.decompress(path("held").read_bytes()).splitlines(keepends=True)
    lines[40:40] = [b"{oops\n"] * 50
    file.write_bytes(b"".join(lines)[:-9])
    done = ran("replay", str(file), "--headless")
    assert done.returncode == 0
    assert json.loads(done.stdout)["kind"] == "summary"
    told = done.stderr.decode().splitlines()
    assert told[0] == f"ipctui: {file}:41: skipped: no JSON"
    assert told[-1] == f"ipctui: {file}: 30 more lines were skipped"
    assert any("the last line is cut off" in line for line in told)
    assert len(told) == 22


class Screen:
    """`ipctui WORDS` in a pseudo-terminal of 120x36; what it writes is read until something comes."""

    def __init__(self, *words: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="36")
            os.execv(sys.executable, [sys.executable, "-m", "ipctui", *words])
        self.seen = b""

    def until(self, wanted: bytes, again: bytes = b"") -> None:
        """Wait until something is drawn, pressing keys again every second."""
        began = time.monotonic()
        presses = 0
        while wanted not in self.seen:
            passed = time.monotonic() - began
            assert passed < PATIENCE, f"{wanted!r} did not come: {self.seen[-400:]!r}"
            if again and passed > presses:
                presses += 1
                os.write(self.fd, again)
            if select.select([self.fd], [], [], 0.05)[0]:
                self.seen += os.read(self.fd, 1 << 16)

    def press(self, keys: bytes) -> None:
        self.seen = b""
        os.write(self.fd, keys)

    def end(self) -> int:
        self.press(b"q")
        while True:
            try:
                if not os.read(self.fd, 1 << 16):
                    break
            except OSError:
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.real
def test_a_recorded_screen_is_summed_up_when_one_quits(tmp_path: Path) -> None:
    file = tmp_path / "screen.jsonl.gz"
    screen = Screen("run", "pipe", "--record", str(file))
    screen.until(b"LIVE")
    screen.until(b"REC")
    screen.press(b"M")
    screen.until(b"marked")
    screen.press(b"p")
    screen.until(b"PAUSED")
    screen.press(b"\x1b[D")
    screen.until(b"PAUSED -")
    screen.press(b"\x1b[F")
    screen.until(b"LIVE")
    assert screen.end() == 0
    read = read_recording(file)
    assert read.problems == ()
    assert isinstance(read.records[-1], Summary)
    assert [record.kind for record in read.records].count("event") >= 1
    assert json.loads(ran("replay", str(file), "--headless").stdout) == json.loads(
        gzip.decompress(file.read_bytes()).splitlines()[-1]
    )


def test_a_recording_is_seen_on_a_terminal() -> None:
    assert recording("held").header.mechanism == "pipe"
    screen = Screen("replay", str(path("held")))
    screen.until(b"REPLAY")
    screen.press(b"p")
    screen.until(b"resume")
    screen.until(b"00:06.004", again=b"\x1b[F")  # to its end: that is known once all of the file has been read
    assert screen.end() == 0
