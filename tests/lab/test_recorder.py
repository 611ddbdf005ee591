"""The recorder: a file that is whole at any moment, whatever the disk and the laboratory do."""

import gzip
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ipctui.lab import recorder as module
from ipctui.lab.fold import fold
from ipctui.lab.player import summed_up
from ipctui.lab.recorder import Recorder, RecorderError
from ipctui.lab.state import LabState
from ipctui.lab.summary import summary
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import lines_of, read_recording
from ipctui.trace.records import Call, Checkpoint, Header, Lost, Record, Summary
from tests.lab.conftest import PATIENCE, waited
from tests.recorded import recording

CHANNEL = catalogue.channel("pipe")


class Session:
    """A recorded session told again, with recorders among its listeners."""

    def __init__(self, name: str = "two-way") -> None:
        self.state = LabState()
        header, records = recording(name).header, recording(name).records
        self.all: list[Record] = [header, *(each for each in records if not isinstance(each, Summary))]
        self.recorders: list[Recorder] = []
        self.told = 0

    def record(self, path: Path, midway: bool = False, limit: int = module.LIMIT) -> Recorder:
        self.recorders.append(Recorder(path, CHANNEL, lambda: self.state, midway, limit))
        return self.recorders[-1]

    def tell(self, count: int = 10**9, at_once: int = 5) -> None:
        end = min(self.told + count, len(self.all))
        while self.told < end:
            self.batch(self.all[self.told : min(self.told + at_once, end)])
            self.told = min(self.told + at_once, end)

    def batch(self, records: Sequence[Record]) -> None:
        self.state = fold(self.state, records, CHANNEL.reduce)
        for each in self.recorders:
            each.take(records)

    def finish(self) -> Summary:
        total = summary(self.state, CHANNEL)
        self.batch([total])
        return total


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_everything_is_recorded_from_the_header_to_the_summary(tmp_path: Path, name: str) -> None:
    session = Session()
    recorder = session.record(tmp_path / name)
    session.tell()
    total = session.finish()
    read = read_recording(tmp_path / name)
    assert [read.header, *read.records] == [*session.all, total]
    assert read.problems == ()
    assert not recorder.active
    assert not recorder.problem
    assert summed_up(tmp_path / name, catalogue.channel) == (total, ())
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


@pytest.mark.parametrize("before", [2, 40, 150])
def test_a_recording_begun_midway_stands_by_itself(tmp_path: Path, before: int) -> None:
    session = Session()
    session.tell(before)
    path = tmp_path / "late.jsonl.gz"
    recorder = session.record(path, midway=True)
    session.tell(80)
    recorder.end()
    recorder.end()
    ended = session.state
    session.tell()
    read = read_recording(path)
    assert read.header == session.all[0]
    assert isinstance(read.records[0], Checkpoint)
    assert list(read.records[1:-1]) == session.all[before : before + 80]
    assert read.records[-1] == summary(ended, CHANNEL)
    assert fold(LabState(), [read.header, *read.records], CHANNEL.reduce) == ended
    assert summed_up(path, catalogue.channel)[0] == read.records[-1]


def test_another_session_ends_the_recording_of_this_one(tmp_path: Path) -> None:
    session = Session()
    recorder = session.record(tmp_path / "one.jsonl")
    session.tell()
    total = summary(session.state, CHANNEL)
    session.state = LabState()
    session.batch([recording("one-way").header])
    assert "another session began" in recorder.problem
    assert read_recording(tmp_path / "one.jsonl").records[-1] == total


def test_what_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("dear diary\n")
    for path, why in (
        (there, "it exists already; name another file, or remove it"),
        (tmp_path, "it is a directory"),
        (tmp_path / "no" / "where", "No such file or directory"),
        (there / "under", "Not a directory"),
        (Path("a\0b"), "null"),
    ):
        with pytest.raises(RecorderError, match=why) as raised:
            Session().record(path)
        assert "\n" not in str(raised.value)
    assert there.read_text() == "dear diary\n"
    with pytest.raises(RecorderError, match="nothing to record"):
        Session().record(tmp_path / "empty", midway=True)
    assert not (tmp_path / "empty").exists()


def test_a_full_disk_is_told_and_the_laboratory_goes_on() -> None:
    session = Session()
    recorder = session.record(Path("/dev/full"))
    session.tell(20)
    recorder._thread.join(PATIENCE)
    assert recorder.problem == "full: recording ended: No space left on device; the laboratory goes on"
    assert not recorder.active
    session.tell()
    session.finish()
    recorder.end()


@pytest.mark.parametrize("name", ["small.jsonl", "small.jsonl.gz"])
def test_at_its_limit_the_recording_ends_whole(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 20)
    session = Session("torn")
    recorder = session.record(tmp_path / name, limit=60_000)
    session.tell(at_once=4)
    session.finish()
    assert recorder.problem.startswith(f"{name}: recording ended at 00:00.")
    assert "its limit of 0 MB" in recorder.problem
    size = (tmp_path / name).stat().st_size
    assert 30_000 < size < 75_000
    read = read_recording(tmp_path / name)
    assert read.problems == ()
    assert isinstance(read.records[-1], Summary)
    assert summed_up(tmp_path / name, catalogue.channel)[0] == read.records[-1]


def test_a_slow_disk_costs_calls_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 100)
    path = tmp_path / "slow.jsonl"
    session = Session("torn")
    stuck = threading.Event()
    write = Recorder._write

    def slow(self: Recorder, raw: bytes, last: bool = False) -> None:
        stuck.wait()
        write(self, raw, last)

    monkeypatch.setattr(Recorder, "_write", slow)
    recorder = session.record(path)
    try:
        session.tell(2000)  # whoever waited for the disk would wait for ever
    finally:
        stuck.set()
    session.tell()
    total = session.finish()
    read = read_recording(path)
    lost = sum(each.count for each in read.records if isinstance(each, Lost) and each.why == "not written")
    assert lost == recorder.lost > 1000
    finished = [each for each in session.all if isinstance(each, Call) and each.result is not None]
    assert sum(isinstance(each, Call) and each.result is not None for each in read.records) == len(finished) - lost
    others = [each for each in session.all if not isinstance(each, Call | Header)]
    kept = [each for each in read.records if not isinstance(each, Call | Summary)]
    assert [each for each in kept if not (isinstance(each, Lost) and each.why == "not written")] == others
    written = read.records[-1]
    assert isinstance(written, Summary)
    assert written.processes == total.processes
    assert written.lost == {**total.lost, "not written": lost}
    assert summed_up(path, catalogue.channel)[0] == written


_TOLD = """
import sys, time
from pathlib import Path
from tests.lab.test_recorder import Session
session = Session()
session.record(Path(sys.argv[1]))
session.tell(200)
while session.recorders[0].waiting:
    time.sleep(0.001)
print("told", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["killed.jsonl", "killed.jsonl.gz"])
def test_a_recording_survives_the_app(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    app = subprocess.Popen([sys.executable, "-c", _TOLD, str(path)], stdout=subprocess.PIPE)
    assert app.stdout is not None
    assert app.stdout.readline() == b"told\n"
    app.send_signal(signal.SIGKILL)
    app.wait()
    app.stdout.close()
    read = read_recording(path)
    assert [read.header, *read.records] == Session().all[:200]


def test_the_file_is_readable_while_it_is_written(tmp_path: Path) -> None:
    session = Session()
    path = tmp_path / "now.jsonl.gz"
    recorder = session.record(path)
    session.tell(100)
    waited(lambda: not recorder.waiting, PATIENCE, "all of it written")
    with pytest.raises(EOFError), gzip.open(path, "rb") as file:
        file.read()
    assert len(read_recording(path).records) == 99
    session.finish()


def test_lines_of_this_test_are_lines(tmp_path: Path) -> None:
    session = Session()
    session.record(tmp_path / "same.jsonl")
    session.tell()
    total = session.finish()
    assert (tmp_path / "same.jsonl").read_text() == lines_of([*session.all, total])
