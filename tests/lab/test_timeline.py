"""Walking on timelines: of a file, and of what a laboratory told lately. Every place shows what was so then."""

import gzip
import random
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

import pytest

from ipctui.lab import history as history_module
from ipctui.lab import player as player_module
from ipctui.lab.fold import fold
from ipctui.lab.history import History
from ipctui.lab.player import Player, RecordingTimeline
from ipctui.lab.state import LabState
from ipctui.lab.survey import FAR, Survey, Ticker
from ipctui.lab.timeline import Cursor, Timeline
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import RecordingFile, lines_of
from ipctui.trace.records import Access, Call, Checkpoint, Event, Header, Lost, Process, Record, State, Summary
from tests.lab.conftest import PATIENCE
from tests.recorded import path, recording

SECOND = 1_000_000_000
CHANNEL = catalogue.channel("pipe")


def body(name: str) -> list[Record]:
    return [record for record in recording(name).records if not isinstance(record, Summary)]


class Told:
    """A laboratory's state and its listener, without the laboratory."""

    def __init__(self, **limits: int) -> None:
        self.state = LabState()
        self.history = History(lambda: self.state, CHANNEL.reduce, **limits)

    def tell(self, records: Sequence[Record]) -> None:
        if any(isinstance(record, Header) for record in records):
            self.state = LabState()
        self.state = fold(self.state, records, CHANNEL.reduce)
        self.history.take(records)

    def tell_all(self, records: Sequence[Record], at_once: int = 7) -> None:
        for low in range(0, len(records), at_once):
            self.tell(records[low : low + at_once])


def from_file(name: str) -> tuple[Timeline, list[Record]]:
    timeline = RecordingTimeline(RecordingFile(path(name)), CHANNEL)
    timeline.index()
    assert timeline.done
    return timeline, body(name)


def from_lab(name: str) -> tuple[Timeline, list[Record]]:
    records: list[Record] = [recording(name).header, *body(name)]
    told = Told()
    told.tell_all(records)
    return told.history, records


@pytest.fixture(params=[from_file, from_lab], ids=["file", "lab"])
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Timeline, list[Record]]:
    """A timeline of several chunks, and the records that it was made of."""
    monkeypatch.setattr(player_module, "_FIRST_CHUNK", 16)
    monkeypatch.setattr(player_module, "_CHUNK", 50)
    monkeypatch.setattr(history_module, "_CHUNK", 60)
    monkeypatch.setattr(history_module, "_SLICE", 16)
    made: tuple[Timeline, list[Record]] = request.param("two-way")
    assert len(made[0].chunks) > 4
    return made


def before(timeline: Timeline, records: Sequence[Record], count: int) -> LabState:
    first = () if isinstance(records[0], Header) else (recording("two-way").header,)
    return fold(LabState(), [*first, *records[:count]], CHANNEL.reduce)


def test_every_position_shows_what_was_so_then(both: tuple[Timeline, list[Record]]) -> None:
    timeline, records = both
    assert (timeline.first, timeline.last) == (0, len(records))
    times = [0, *accumulate((0 if isinstance(record, Header) else record.t for record in records), max, initial=0)][1:]
    for position in range(len(records) + 1):
        assert timeline.state_at(position) == before(timeline, records, position)
        assert timeline.time_at(position) == times[position]


def test_a_random_walk_never_gets_lost(both: tuple[Timeline, list[Record]]) -> None:
    timeline, records = both
    cursor = Cursor(timeline)
    chance = random.Random(3)
    for _ in range(300):
        deed = chance.randrange(4)
        match deed:
            case 0:
                cursor.seek(chance.randrange(-SECOND, 4 * SECOND))
            case 1:
                cursor.step(chance.choice(("record", "call", "message", "blocked", "mark")), chance.choice((1, -1)))
            case 2:
                cursor.go(chance.randrange(-5, len(records) + 5))
            case 3:
                chance.choice((cursor.home, cursor.end))()
        assert timeline.first <= cursor.position <= timeline.last
        assert timeline.begin <= cursor.t <= timeline.end
        assert cursor.state == before(timeline, records, cursor.position)
        if deed in (0, 3):
            assert cursor.state.processes, "the moment before the first process has nothing to be seen"


@pytest.mark.parametrize("what", ["record", "call", "message", "blocked"])
def test_steps_go_to_every_stop_and_back_again(both: tuple[Timeline, list[Record]], what: str) -> None:
    timeline, records = both
    cursor = Cursor(timeline)
    cursor.go(0)
    forth = []
    while cursor.step(what, 1):
        forth.append(cursor.position)
    back = []
    while cursor.step(what, -1):
        back.append(cursor.position)
    assert back[::-1] == (forth[:-1] if what != "record" else [0, *forth[:-1]])
    stopped_after = [records[position - 1] for position in forth]
    if what == "record":
        assert stopped_after == records
    elif what == "call":
        assert stopped_after == [record for record in records if isinstance(record, Call | Access)]
    elif what == "message":
        assert stopped_after == [record for record in records if isinstance(record, Call) and record.message]
    else:
        assert all(isinstance(record, State) and record.state == "blocked" for record in stopped_after)
        assert {(record.process, record.since) for record in stopped_after} == {  # type: ignore[union-attr]
            (record.process, record.since)
            for record in records
            if isinstance(record, State) and record.state == "blocked"
        }


def test_a_moment_is_the_last_position_not_after_it(both: tuple[Timeline, list[Record]]) -> None:
    timeline, _ = both
    for t in range(0, timeline.end + 1, timeline.end // 97):
        position = timeline.position_at(t)
        assert timeline.time_at(position) <= t
        if position < timeline.last:
            assert timeline.time_at(position + 1) > t
    assert timeline.position_at(-5) == 0
    assert timeline.position_at(1 << 62) == timeline.last


def told_at(times: Iterable[int]) -> list[Record]:
    return [Lost(t, 1, "overwritten", "parent") for t in times]


def test_a_single_time_far_off_is_not_believed() -> None:
    ticker = Ticker()
    assert [ticker.take(t) for t in (1, 5, 3, 9 * FAR, 6, 7)] == [1, 5, 5, 5, 6, 7]
    assert [ticker.take(t) for t in (9 * FAR, 9 * FAR + 1, 9 * FAR + 2)] == [7, 9 * FAR + 1, 9 * FAR + 2]


def test_a_recording_begun_late_begins_at_its_checkpoint(tmp_path: Path) -> None:
    late = 5 * FAR
    state = fold(LabState(), [recording("one-way").header, Process(1, "parent", 4, "started")])
    from ipctui.lab.state_json import state_to_json

    file = tmp_path / "late.jsonl"
    records = [recording("one-way").header, Checkpoint(late, state_to_json(state)), *told_at([late + 5, late + 9])]
    file.write_text(lines_of(records))
    player = Player(file, catalogue.channel, background=False)
    timeline = player.timeline
    assert (timeline.begin, timeline.end, timeline.last) == (late, late + 9, 3)
    assert set(player.state.processes) == {"parent"}
    player.close()


def test_marks_and_long_sleeps_are_surveyed() -> None:
    survey = Survey()
    ms = 1_000_000
    for record in (
        State(100 * ms, "child", 2, "blocked", since=90 * ms, reason="pipe empty"),
        State(140 * ms, "child", 2, "running"),
        State(200 * ms, "child", 2, "blocked", since=190 * ms, reason="pipe empty"),
        State(300 * ms, "child", 2, "blocked", since=190 * ms, reason="pipe empty, still"),
        Event(500 * ms, "mark", None, {"text": "here"}),
        State(600 * ms, "child", 2, "paced"),
        State(700 * ms, "parent", 1, "blocked", since=650 * ms, reason="pipe full"),
        Process(900 * ms, "parent", 1, "exited", status="signal SIGKILL"),
        State(1000 * ms, "child", 2, "blocked", since=1000 * ms, reason="pipe empty"),
        Event(1300 * ms, "said"),
    ):
        survey.add(record)
    assert list(survey.stops["blocked"]) == [1, 3, 7, 9]
    assert [(mark.position, mark.t, mark.text) for mark in survey.marks] == [(5, 500 * ms, "here")]
    assert survey.spans == [(190 * ms, 600 * ms), (650 * ms, 900 * ms)]
    assert survey.blocked()[-1] == (1000 * ms, 1300 * ms), "who still sleeps is told of as well"


# The history of a running laboratory.


def busy(count: int, step: int, first: int = 0) -> list[Record]:
    """Calls, one every `step` nanoseconds."""
    return [
        Call("parent", 1, "write", "write", f'4, "tick {at}", 64', 64, at * step - 20, at * step, 4, "pipe:[1]",
             message=(f"parent:{at}",), offset=at * 64, line=37)
        for at in range(first + 1, first + count + 1)
    ]  # fmt: skip


def test_a_history_reaches_back_so_long_and_no_longer() -> None:
    told = Told(longest=60 * SECOND)
    records: list[Record] = [
        recording("one-way").header,
        Process(0, "parent", 1, "started"),
        *busy(30_000, SECOND // 100),
    ]
    told.tell_all(records, 40)
    history = told.history
    reach = history.end - history.begin
    assert 60 * SECOND <= reach <= 100 * SECOND
    assert not history.full
    cursor = Cursor(history)
    assert cursor.position == history.first > 0
    assert cursor.state == fold(LabState(), records[: cursor.position], CHANNEL.reduce)
    cursor.end()
    assert cursor.state == told.state
    assert history.stop("call", history.first, -1) in (None, history.first)


def test_a_history_takes_so_much_and_no_more() -> None:
    told = Told(largest=2_000_000)
    told.tell([recording("one-way").header, Process(0, "parent", 1, "started")])
    sizes = []
    for first in range(0, 200_000, 500):
        told.tell(busy(500, 100_000, first))
        sizes.append(told.history.size)
    # What is not packed yet is at most a slice, the open chunk at most one more.
    assert max(sizes) < 3_500_000
    history = told.history
    assert history.full
    assert history.last == 200_002
    chunks = history.chunks
    assert sum(len(part) for chunk in chunks for part in chunk.body) + sum(
        len(chunk.checkpoint) for chunk in chunks if isinstance(chunk.checkpoint, bytes)
    ) == pytest.approx(history._packed)
    cursor = Cursor(history)
    assert cursor.state.calls[-1].end == cursor.t


def test_a_cursor_outlives_what_it_stood_on() -> None:
    told = Told(longest=5 * SECOND)
    told.tell([recording("one-way").header, Process(0, "parent", 1, "started")])
    told.tell_all(busy(2_000, SECOND // 100), 50)
    cursor = Cursor(told.history)
    cursor.seek(2 * SECOND)
    stood = cursor.state
    told.tell_all(busy(20_000, SECOND // 100, 2_000), 50)
    assert cursor.position < told.history.first
    assert cursor.state is stood
    assert cursor.step("call", 1)
    assert cursor.position >= told.history.first


def test_another_session_begins_another_history() -> None:
    told = Told()
    told.tell_all([recording("two-way").header, *body("two-way")])
    cursor = Cursor(told.history)
    cursor.seek(2 * SECOND)
    records: list[Record] = [recording("one-way").header, *body("one-way")]
    told.tell_all(records)
    assert told.history.last == len(records)
    cursor.seek(SECOND)
    assert cursor.state.header == recording("one-way").header
    assert cursor.state == fold(LabState(), records[: cursor.position], CHANNEL.reduce)


# The player.


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def player_of(name: str) -> tuple[Player, Clock]:
    clock = Clock()
    return Player(path(name), catalogue.channel, clock, background=False), clock


def test_a_recording_plays_at_its_speed_and_stops_at_its_end() -> None:
    player, clock = player_of("one-way")
    clock.now += 1.0
    assert player.tick()
    assert player.now() == pytest.approx(SECOND, abs=2_000_000)
    assert player.state == fold(
        LabState(), [recording("one-way").header, *body("one-way")[: player.cursor().position]], CHANNEL.reduce
    )
    player.faster(-1)
    clock.now += 1.0
    player.tick()
    assert player.now() == pytest.approx(1.5 * SECOND, abs=2_000_000)
    for _ in range(20):
        player.faster(1)
    assert player.speed == 100
    clock.now += 1.0
    player.tick()
    assert (player.now(), player.playing) == (player.timeline.end, False)
    clock.now += 1.0
    assert not player.tick()
    player.play(True)
    assert player.now() < SECOND, "at its end it plays from the beginning"
    for _ in range(20):
        player.faster(-1)
    assert player.speed == 0.1
    player.close()


def test_the_time_of_a_pause_is_not_played() -> None:
    player, clock = player_of("one-way")
    player.play(False)
    clock.now += 50
    assert not player.tick()
    player.play(True)
    clock.now += 0.5
    player.tick()
    assert player.now() == pytest.approx(SECOND / 2, abs=2_000_000)
    player.close()


def test_an_index_in_the_background_comes_to_the_same(tmp_path: Path) -> None:
    file = tmp_path / "packed.jsonl.gz"
    file.write_bytes(gzip.compress(lines_of([recording("torn").header, *recording("torn").records]).encode()))
    player = Player(file, catalogue.channel)
    assert player._thread is not None
    player._thread.join(PATIENCE)
    assert player.share == 1.0
    still, _ = player_of("torn")
    assert [chunk.last for chunk in player.timeline.chunks] == [chunk.last for chunk in still.timeline.chunks]
    assert player.timeline.state_at(2000) == still.timeline.state_at(2000)
    player.close()
    player.close()
    still.close()
