"""The text export: lines as strace writes them, and the ladder."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len

from ipctui.export.reading import Source
from ipctui.export.text import write_text
from ipctui.trace.recording import RecordingError, read_recording
from ipctui.trace.records import Access, Command, Count, Counters, Event, Header, Process, Record
from ipctui.trace.text import visible
from tests import recorded
from tests.export.given import HEADER, PIPE, RECORDS, call, read, started, state, stored, write
from tests.kept import ALL

LINE = re.compile(
    r"\[pid +\d+\] +-?\d+\.\d{6} "
    r"(?:[a-z_0-9]+\(.*(?:\) = -?\d+(?: E\w+ \(.*\))?(?: /\* [\w ]+ \*/)? <\d+\.\d{6}>|<unfinished \.\.\.>)"
    r"|/\* (?:load|store) \S+\[\d+\] = (?:\".*\"(?:\.\.\.)?, )?\d+ \*/ <\d+\.\d{6}>"
    r"|\+\+\+ .* \+\+\+)"
)


def text(source: Source, **more: Any) -> list[str]:
    out = io.StringIO()
    write_text(source, out, **more)
    return out.getvalue().splitlines()


def of(folder: Path, *told: Record, header: Header = HEADER, **more: Any) -> list[str]:
    return text(Source(stored(folder, *told, header=header)), **more)


CALLS = (
    write(10_000, 21_000, "parent:1", 0),
    read(5_000, 19_500, ("parent:1",), 0),
    call("child", "read", 22_000, 2_000_000_000, None, args="3, "),
    call("parent", "waitpid", 30_000, 40_000, -1, args="-1, …, 0", errno="ECHILD", syscall="wait4"),
    call("parent", "sem_post", 50_000, 50_500, args="s", syscall=None),
    Access("parent", 4711, "store", "buffer", 8, 3, 60_000, 61_000),
    Access("child", 4712, "load", "buffer", 64, 9, 65_000, 66_000, message=("parent:9",), size=9, text='"parent:9 "'),
    Process(70_000, "child", 4712, "exited", status="signal SIGKILL"),
    Process(80_000, "parent", 4711, "exited", status="status 3"),
)


def test_calls_as_strace_writes_them(tmp_path: Path) -> None:
    assert of(tmp_path, *CALLS, parts=("calls",)) == [
        "# ipctui pipe one-way 2026-11-21T12:00:00.000Z",
        "# the calls; seconds since all workers had started",
        '[pid  4712]  0.000005 read(3, "..."..., 65536) = 64 <0.000014>',
        '[pid  4711]  0.000010 write(4, "parent:1"..., 64) = 64 <0.000011>',
        "[pid  4712]  0.000022 read(3,  <unfinished ...>",
        "[pid  4711]  0.000030 waitpid(-1, …, 0) = -1 ECHILD (No child processes) /* wait4 */ <0.000010>",
        "[pid  4711]  0.000050 sem_post(s) = 0 /* no system call */ <0.000000>",
        "[pid  4711]  0.000060 /* store buffer[8] = 3 */ <0.000001>",
        '[pid  4712]  0.000065 /* load buffer[64] = "parent:9 ", 9 */ <0.000001>',
        "[pid  4712]  0.000070 +++ killed by SIGKILL +++",
        "[pid  4711]  0.000080 +++ exited with 3 +++",
    ]


def test_times_since_the_line_before_and_of_the_day(tmp_path: Path) -> None:
    def stamps(times: str) -> list[str]:
        return [line.split()[2] for line in of(tmp_path, *CALLS, parts=("calls",), times=times)[2:]]

    assert stamps("relative")[:4] == ["0.000000", "0.000005", "0.000012", "0.000008"]
    assert stamps("clock")[:2] == ["12:00:00.000005", "12:00:00.000010"]
    with pytest.raises(RecordingError, match="--times clock"):
        of(tmp_path, header=Header("pipe", "one-way"), times="clock")


@pytest.mark.parametrize("name", ALL)
def test_every_call_of_a_recording_is_a_line(name: str) -> None:
    lines = text(Source(ALL[name]), parts=("calls",))
    calls = [line for line in lines if line.startswith("[pid")]
    records = read_recording(ALL[name]).records
    assert [line for line in calls if not LINE.fullmatch(line)] == []
    ended = sum(record.kind == "process" and record.event == "exited" for record in records)
    assert len(calls) == sum(record.kind in ("call", "access") for record in records) + ended
    times = [float(line.split("]")[1].split()[0]) for line in calls]
    assert times == sorted(times)


def test_commands_marks_and_what_is_missing_are_comments(tmp_path: Path) -> None:
    told = (
        Command(1000, "inject parent \x1b[2J", "key"),
        Command(2000, "inject parent \x1b[2J", "key", "done"),
        Event(3000, "mark", data={"text": "look"}),
        Counters(4000, "parent", 4711, (Count("write", "write", 4, PIPE, calls=1234),)),
    )
    assert of(tmp_path, *told, parts=("calls",))[2:] == [
        " 0.000001 # $ inject parent ␛[2J",
        " 0.000003 # -- look",
        "# 1,234 calls are not in the recording",
    ]


LADDER = (
    started("parent"),
    started("child", 100),
    state("child", 9_000, "blocked", since=5_000, reason="pipe empty"),
    read(5_000, 1_019_500, ("parent:1",), 0),
    write(1_010_000, 1_021_000, "parent:1", 0),
    state("child", 1_030_000, "held"),
    Command(1_040_000, "hold child", "key"),
    write(2_000_000, 2_000_500, "parent:2", 64),
    Process(3_000_000, "child", 4712, "exited", status="signal SIGKILL"),
)


def test_a_ladder(tmp_path: Path) -> None:
    assert of(tmp_path, *LADDER, parts=("ladder",), width=72)[1:] == [
        "# the messages; seconds since all workers had started",
        "# │ running  · paced  ■ blocked  ‖ held  T stopped  ? unknown",
        "                        parent                         child",
        "  0.000000                 │ parent 4711",
        "  0.000000                 │                             │ child 4712",
        "  0.000005              blocked 1 ms read(3): pipe empty ■",
        "  0.001020                 │─────── parent:1 9 µs ──────→│",
        "  0.001030                 │           held 1 ms read(3) ‖",
        "  0.001040  $ hold child   │                             ‖",
        "  0.002000                 │ parent:2 still under way    ‖",
        "  0.003000                 │       exited signal SIGKILL ✝",
    ]


def test_a_ladder_in_ascii_and_in_korean(tmp_path: Path) -> None:
    plain = of(tmp_path, *LADDER, ascii=True)
    assert all(line.isascii() for line in plain)
    assert any(" parent:1 9 us -----" in line for line in plain)
    korean = of(tmp_path, *LADDER, language="ko")
    assert any("블록됨 1 ms read(3)" in line for line in korean)
    assert any("아직 도착하지 않음" in line for line in korean)
    assert all(cell_len(line) <= 80 for line in korean[-9:])


@pytest.mark.parametrize("width", [40, 80, 133])
@pytest.mark.parametrize("name", ["twelve", "deadlock", "hostile", "held", "two-way"])
def test_no_line_of_a_ladder_is_wider_than_asked_for(name: str, width: int) -> None:
    for language in ("en", "ko"):
        lines = text(Source(recorded.path(name)), parts=("ladder",), width=width, language=language)
        assert max(cell_len(line) for line in lines[2:]) <= width
        assert len(lines) > 5


def test_as_many_arrows_as_messages_received() -> None:
    for name in ("one-way", "two-way", "killed", "packets", "ended"):
        lines = text(Source(recorded.path(name)), parts=("ladder",))
        summary = recorded.recording(name).records[-1]
        assert sum("─→" in line or "←─" in line for line in lines) == summary.proofs["received_messages"]


def test_both_parts_or_one(tmp_path: Path) -> None:
    both = of(tmp_path, *LADDER)
    calls, ladder = (of(tmp_path, *LADDER, parts=(part,)) for part in ("calls", "ladder"))
    assert both == [*calls, "", *ladder[1:]]


def test_no_record_at_all(tmp_path: Path) -> None:
    assert len(of(tmp_path)) == 4


@given(told=RECORDS)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_is_recorded_can_be_written(told: list[Record], tmp_path: Path) -> None:
    lines = of(tmp_path, *told, width=60)
    assert all(visible(line) == line for line in lines)
    split = lines.index("")
    calls = sum(record.kind in ("call", "access") for record in told)
    ends = sum(record.kind == "process" and record.event == "exited" for record in told)
    assert sum(line.startswith("[pid") for line in lines[:split]) == calls + ends
    assert all(cell_len(line) <= 60 for line in lines[split + 2 :])
