"""Recording, replay, rewind and export hold for every mechanism and variant, not for the pipe alone."""

import gzip
import io
import json
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len

from ipctui.cli.picture import _size as size_of
from ipctui.export.asciicast import Cast, write_asciicast
from ipctui.export.reading import Source
from ipctui.export.text import write_text
from ipctui.lab.fold import fold
from ipctui.lab.history import History
from ipctui.lab.player import RecordingTimeline, summed_up
from ipctui.lab.recorder import Recorder
from ipctui.lab.state import LabState
from ipctui.lab.state_json import state_from_json, state_to_json
from ipctui.lab.timeline import Cursor, Timeline
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import RecordingFile, line_of, read_recording
from ipctui.trace.records import Access, Call, Checkpoint, Record, Summary
from ipctui.tui.themes import find_themes
from ipctui.widgets.view import View
from tests.export.accounts import settle_accounts
from tests.kept import ALL, EVERY
from tests.lab.conftest import IPCTUI, ran
from tests.mechanisms.laboratories import Laboratories

VARIANTS = [(name, variant.name) for name in catalogue.NAMES for variant in catalogue.channel(name).variants]
WALL_CLOCK = ("started", "begun", "time", "date", "clock")


def without_summary(path: Path) -> Path:
    """A copy of a recording whose last line is cut off."""
    raw = path.read_bytes()
    told = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    cut = path.parent / f"cut-{path.name.removesuffix('.gz')}"
    cut.write_bytes(told[: told.rindex(b'{"kind":"summary"')])
    return cut


def records_of(path: Path) -> list[Record]:
    recording = read_recording(path)
    assert recording.problems == ()
    return [recording.header, *recording.records]


def differing(one: LabState, other: LabState) -> list[str]:
    """The fields in which two states differ: shorter to read than the states."""
    return [name for name in LabState.__dataclass_fields__ if getattr(one, name) != getattr(other, name)]


def walked(timeline: Timeline, records: Sequence[Record], chance: random.Random, times: int) -> None:
    """Wherever a cursor is sent, there is what folding from the start finds there."""
    reduce = timeline.reduce
    places = sorted(chance.randrange(len(records) + 1) for _ in range(times))
    states: dict[int, LabState] = {}
    state, at = LabState(), 0
    for place in places:
        state, at = fold(state, records[at:place], reduce), place
        states[place] = state
    offset = timeline.last - len(records)
    cursor = Cursor(timeline)
    chance.shuffle(places)
    for place in places:
        cursor.go(place + offset)
        if cursor.position == place + offset:
            assert differing(cursor.state, states[place]) == []
        moment = cursor.t
        cursor.seek(chance.randrange(timeline.begin, timeline.end + 1))
        cursor.seek(moment)
        cursor.go(place + offset)
        if cursor.position == place + offset:
            assert differing(cursor.state, states[place]) == []


def carried(records: Sequence[Record], place: int, reduce: object) -> LabState:
    """The state at the end, with a checkpoint that went through JSON in the place of what was before it."""
    before = fold(LabState(), records[:place], reduce)  # type: ignore[arg-type]
    body = json.loads(json.dumps(state_to_json(before)))
    assert differing(state_from_json(body), before) == []
    return fold(LabState(), [Checkpoint(before.t, body), *records[place:]], reduce)  # type: ignore[arg-type]


# What is stored.


@pytest.mark.parametrize("name", ALL)
def test_checkpoints_carry_all_that_a_mechanism_remembers(name: str) -> None:
    records = records_of(ALL[name])
    reduce = catalogue.channel(records[0].mechanism).reduce  # type: ignore[union-attr]
    whole = fold(LabState(), records, reduce)
    for share in (3, 2, 1):
        assert differing(carried(records, len(records) // share, reduce), whole) == []
    singly = LabState()
    for record in records:
        singly = fold(singly, (record,), reduce)
    assert differing(singly, whole) == []


@pytest.mark.parametrize("name", ALL)
def test_going_back_shows_what_going_forward_showed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctui.lab.player._FIRST_CHUNK", 16)
    monkeypatch.setattr("ipctui.lab.player._CHUNK", 100)
    file = RecordingFile(ALL[name])
    timeline = RecordingTimeline(file, catalogue.channel(file.header.mechanism))
    timeline.index()
    body = [record for record in records_of(ALL[name]) if not isinstance(record, Summary)]
    chance = random.Random(name)
    positions = [chance.randrange(len(body)) for _ in range(12)]
    forward = {place: fold(LabState(), body[: place + 1], timeline.reduce) for place in sorted(positions)}
    cursor = Cursor(timeline)
    for place in positions:
        cursor.go(place)  # the header is before the first position
        assert differing(cursor.state, forward[place]) == []
        cursor.seek(chance.randrange(timeline.end + 1))
        seen = cursor.state
        position = cursor.position
        cursor.home()
        cursor.go(position)
        assert differing(cursor.state, seen) == []
    file.close()


@pytest.mark.parametrize("name", ALL)
def test_a_trace_counts_what_the_recording_tells(name: str) -> None:
    settle_accounts(ALL[name])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [80, 40])
def test_text_is_one_line_a_call_and_the_ladder_keeps_its_width(name: str, width: int) -> None:
    out = io.StringIO()
    write_text(Source(ALL[name]), out, width=width)
    calls, _, ladder = out.getvalue().partition("\n\n")
    told = [record for record in records_of(ALL[name]) if isinstance(record, Call | Access)]
    lines = [line for line in calls.split("\n") if line.startswith("[pid") and "] " in line and "+++" not in line]
    assert len(lines) == len(told)
    heading, *rows = ladder.rstrip("\n").split("\n")
    assert heading.startswith("# ")
    assert rows
    assert [row for row in rows if cell_len(row) > width] == []


@pytest.mark.parametrize("mechanism", EVERY)
def test_a_cast_shows_the_pane_of_its_mechanism(mechanism: str) -> None:
    pyte = pytest.importorskip("pyte")
    path = EVERY[mechanism][-1]
    size = size_of("80x24")
    view = View()
    out = io.StringIO()
    channel, pane = catalogue.channel(mechanism), catalogue.pane(mechanism)
    theme = find_themes(Path("/nonexistent"))[0]["dark"]
    drawn = []

    def draw(state: LabState, view: View, width: int, height: int) -> object:
        frame = pane.draw(state, view, width, height)
        drawn.append([line.rstrip() for line in frame.text().split("\n")])
        return frame

    write_asciicast(Source(path), channel, draw, Cast(size, 4.0, theme, view), out)  # type: ignore[arg-type]
    screen = pyte.Screen(*size)
    stream = pyte.Stream(screen)
    shown = []
    for line in out.getvalue().splitlines()[1:-1]:
        _, code, data = json.loads(line)
        if code == "o":
            stream.feed(data)
            shown.append([row.rstrip() for row in screen.display])
    # The first event makes the screen ready; a frame that changes nothing is not written.
    changes = [frame for place, frame in enumerate(drawn) if place == 0 or frame != drawn[place - 1]]
    following = iter(shown[1:])
    assert all(frame in following for frame in changes)
    assert shown[-1] == drawn[-1]


# What runs.


@pytest.fixture(scope="module")
def laboratories() -> Iterator[Laboratories]:
    opened = Laboratories()
    yield opened
    opened.close()


@pytest.mark.real
@pytest.mark.parametrize(("mechanism", "variant"), VARIANTS, ids=lambda name: name)
def test_a_live_run_is_recorded_rewound_and_exported(
    mechanism: str, variant: str, laboratories: Laboratories, tmp_path: Path
) -> None:
    bench = laboratories.open(mechanism, variant)
    lab = bench.lab
    channel = lab.channel
    whole = Recorder(tmp_path / "whole.jsonl.gz", channel, lambda: lab.state)
    history = History(lambda: lab.state, channel.reduce)
    told: list[Record] = []
    lab.listeners += [whole.take, history.take, told.extend]
    bench.until(lambda: len(told) > 20 and lab.state.processes and lab.now() > 300_000_000, 10, "it runs")
    for role, process in list(lab.state.processes.items()):
        if process.state is not None and process.state.state == "held":
            lab.command(f"release {role}")
    lab.batch()
    midway = Recorder(tmp_path / "midway.jsonl", channel, lambda: lab.state, midway=True)
    lab.listeners.append(midway.take)
    bench.until(lambda: lab.now() > 600_000_000, 10)
    total = line_of(bench.finish())
    for recorder in (whole, midway):
        recorder.end()
        assert recorder.problem == ""
        computed, problems = summed_up(without_summary(recorder.path), catalogue.channel)
        assert problems == ()
        assert line_of(computed) == total
    assert records_of(whole.path)[-1] == records_of(midway.path)[-1]
    assert not set(json.loads(total)) & set(WALL_CLOCK)
    records = records_of(whole.path)
    assert differing(fold(LabState(), records, channel.reduce), lab.state) == []
    assert differing(carried(records, len(records) // 2, channel.reduce), lab.state) == []
    walked(history, told, random.Random(variant), 5)
    settle_accounts(whole.path, under_way=len(lab.state.processes))


@pytest.mark.real
@pytest.mark.parametrize("mechanism", [name for name in catalogue.NAMES if name != "pipe"])
def test_a_killed_app_leaves_what_it_recorded(mechanism: str, tmp_path: Path) -> None:
    file = tmp_path / "killed.jsonl"
    app = subprocess.Popen(
        [*IPCTUI, "run", mechanism, "--headless", "--record", str(file)],
        bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert app.stdout is not None
    seen = b""
    while seen.count(b'"kind":"counters"') < 6 or file.stat().st_size < 1000:
        more = app.stdout.read(4096)
        assert more, "it ended before its time"
        seen += more
    app.send_signal(signal.SIGKILL)
    app.wait(10)
    app.stdout.close()
    lines = file.read_bytes().splitlines(keepends=True)
    assert b'"kind":"summary"' not in lines[-1]
    if lines[-1].endswith(b"\n"):
        file.write_bytes(file.read_bytes()[:-9])  # as if the disk had taken no more of it
    done = ran("replay", str(file), "--headless")
    assert done.returncode == 0
    assert json.loads(done.stdout)["kind"] == "summary"
    assert done.stderr.decode() == f"ipctui: {file}:{len(lines)}: the last line is cut off; it was left out\n"
