"""Recordings cut, with bytes flipped, lines lost, doubled and mixed: opened or refused in a sentence, a thousand times.

What opens is played, walked through, drawn and summed up.
"""

import contextlib
import gzip
import io
import random
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ipctui.cli import main
from ipctui.lab.fold import fold
from ipctui.lab.parameters import UsageError
from ipctui.lab.player import Player, summed_up
from ipctui.lab.state import LabState
from ipctui.lab.state_json import state_to_json
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import RecordingError, line_of, lines_of, read_recording
from ipctui.trace.records import Checkpoint, Event, Header, Record
from ipctui.tui.actions import ACTIONS
from ipctui.tui.announce import Announcer
from ipctui.tui.footer import damaged_frame, screen_frame
from ipctui.widgets.view import Moment, View
from tests.export.chrome import load
from tests.kept import EVERY
from tests.recorded import path as stored

TIMES = 1000
"""How many recordings are damaged, of all mechanisms together, each as often as the others."""
LARGEST = 400_000
"""Bytes of lines that a recording to be damaged has: what is in larger ones comes again and again."""
TEXTS = {name: gzip.decompress(stored(name).read_bytes()) for name in ("two-way", "held")}
CAN = frozenset({"seek", "play"})


def cut(raw: bytearray, chance: random.Random) -> None:
    del raw[chance.randrange(len(raw)) :]


def flip(raw: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 3, 40))):
        if raw:
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)


def overwrite(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw))
    raw[at : at + 30] = chance.randbytes(chance.randrange(60))


def digits(raw: bytearray, chance: random.Random) -> None:
    """Other numbers, words and names in places where JSON stays JSON."""
    words = (b"9", b"-1", b"1e9", b"null", b"[]", b"{}", b'"x"', b"true", b"99999999999999999999", b"0.5")
    found = list(re.finditer(rb'(?<=[:,])(-?\d+|"[^"\\]*"|null|\[\]|\{\})(?=[,}\]])', bytes(raw)))
    for place in sorted(chance.sample(found, min(len(found), 5)), key=lambda each: -each.start()):
        raw[place.start() : place.end()] = chance.choice(words)


def lines(raw: bytearray, chance: random.Random) -> None:
    """Lines in another order, some twice, some missing."""
    every = bytes(raw).splitlines(keepends=True)
    first, rest = every[:1], every[1:]
    for _ in range(5):
        if rest:
            line = rest.pop(chance.randrange(len(rest)))
            for _ in range(chance.randrange(3)):
                rest.insert(chance.randrange(len(rest) + 1), line)
    raw[:] = b"".join(first + rest if chance.random() < 0.9 else rest)


DAMAGES = (cut, flip, overwrite, digits, lines)


@cache
def texts(mechanism: str) -> tuple[bytes, ...]:
    """The recordings of a mechanism, cut to a size that can be damaged a thousand times."""
    whole = [gzip.decompress(path.read_bytes()) for path in EVERY[mechanism]]
    cut = [text[: text.rindex(b"\n", 0, LARGEST) + 1] if len(text) > LARGEST else text for text in whole]
    return (*cut, *(begun_midway(path) for path in EVERY[mechanism][-2:]))


def begun_midway(path: Path) -> bytes:
    """A recording that begins with a checkpoint and has a few records more: mostly what a mechanism remembers."""
    recording = read_recording(path)
    channel = catalogue.channel(recording.header.mechanism)
    place = len(recording.records) * 3 // 4
    state = fold(LabState(), [recording.header, *recording.records[:place]], channel.reduce)
    recent = replace(state, calls=state.calls[-20:], processes={
        role: replace(process, spans=process.spans[-20:]) for role, process in state.processes.items()
    })  # fmt: skip
    checkpoint = Checkpoint(state.t, state_to_json(recent))
    return lines_of([recording.header, checkpoint, *recording.records[place : place + 30]]).encode()


def damaged(chance: random.Random, mechanism: str) -> bytes:
    raw = bytearray(chance.choice(texts(mechanism)))
    pack = chance.random() < 0.4
    if pack and chance.random() < 0.7:
        raw = bytearray(gzip.compress(bytes(raw), 1))
        pack = False
    for damage in chance.sample(DAMAGES[:3] if raw[:2] == b"\x1f\x8b" else DAMAGES, chance.choice((1, 1, 2))):
        if raw:
            damage(raw, chance)
    return gzip.compress(bytes(raw), 1) if pack else bytes(raw)


PYTHON = re.compile(
    r"[A-Z]\w*(Error|Exception)\b|Traceback|NoneType|\b(str|int|bool|dict|tuple) (expected|is needed)|expected, not"
    r"|object (has no|is not|does not)|unsupported operand|unhashable|not supported between|index out of range"
    r"|while decompressing|codec can't"
)
"""What only a programmer of Python understands."""


def told(text: str) -> None:
    """It is one line, says where, and is no Python."""
    assert text
    assert "\n" not in text
    assert not PYTHON.search(text), text


def drawn(player: Player, chance: random.Random) -> None:
    """Draw the pane of the recording's mechanism at this moment, in some size, language and set of glyphs."""
    timeline, cursor = player.timeline, player.cursor()
    pane = catalogue.pane(player.channel.name)
    marks = tuple(mark.t for mark in timeline.marks)
    moment = Moment(cursor.t, timeline.begin, timeline.end, marks, timeline.blocked())
    roles = cursor.state.roles
    zooms = ["", "", *(offer.zoom for offer in pane.offers if offer.zoom)]
    view = View(
        chance.choice(roles) if roles else "",
        ascii=chance.random() < 0.3,
        language=chance.choice(("en", "ko")),
        zoom=chance.choice(zooms),
        now=cursor.t,
        moment=moment,
        replay=True,
        paused=True,
    )
    width, height = chance.choice(((80, 24), (120, 36)))
    try:
        frame = screen_frame(cursor.state, pane, view, width, height, ACTIONS, CAN)
    except Exception:
        # As the app does.
        frame = damaged_frame(cursor.state, pane, view, width, height, ACTIONS, CAN)
    assert len(frame.rows) == height


def used(file: Path, chance: random.Random) -> bool:
    """Open, play, walk, draw and sum up a recording; False when it was refused, in a sentence."""
    try:
        player = Player(file, catalogue.channel, background=False)
    except (RecordingError, UsageError) as error:
        told(str(error))
        with pytest.raises(type(error)):
            summed_up(file, catalogue.channel)
        return False
    for problem in player.complaints():
        told(problem)
    announcer = Announcer()
    cursor = player.cursor()
    timeline = player.timeline
    for _ in range(6):
        cursor.seek(chance.randrange(min(timeline.end, 10**12) + 1))
        cursor.step(chance.choice(("record", "call", "message", "blocked", "mark")), chance.choice((1, -1)))
        for notice in announcer.news(player):
            told(notice.text)
    for _ in range(3):
        drawn(player, chance)
        cursor.seek(chance.randrange(min(timeline.end, 10**12) + 1))
    cursor.end()
    drawn(player, chance)
    player.close()
    assert command("replay", str(file), "--headless") == 0
    return True


def command(*words: str) -> int:
    """Run a command as the command line does; what it says is plain, and its exit status is given."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(words)
    for line in said.getvalue().splitlines():
        told(line)
    assert status == 0 or said.getvalue().count("\n") >= 1
    return status


def exports(file: Path, target: Path) -> None:
    """Every format, and the pictures, take what is left of a recording."""
    for words in (["perfetto"], ["text", "--width", "40"], ["asciicast", "--fps", "1"]):
        assert command("export", str(file), "--to", *words, "-o", str(target)) == 0
        if words == ["perfetto"]:
            load(target.read_text())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mechanism", EVERY)
def test_a_thousand_damaged_recordings(tmp_path: Path, mechanism: str) -> None:
    opened, times = 0, -(-TIMES // len(EVERY))
    exported = tmp_path / "exported"
    for number in range(times):
        chance = random.Random(f"{mechanism} {number}")
        file = tmp_path / "damaged"
        file.write_bytes(damaged(chance, mechanism))
        try:
            if used(file, chance):
                opened += 1
                if number % 8 == 0:
                    exports(file, exported)
                if number % 16 == 4:
                    picture = tmp_path / "picture.svg"
                    assert command("screenshot", str(file), "-o", str(picture), "--size", "80x24") == 0
            else:
                assert command("replay", str(file), "--headless") in (1, 2)
                # The text needs no mechanism: one whose name was damaged is exported all the same.
                command("export", str(file), "--to", "text", "-o", str(exported))
        except BaseException as error:
            error.add_note(f"damage number {number}")
            raise
    assert opened > times // 3, "most of what is damaged can still be shown"


WRONG = (None, -1, 3.5, "x", [], {}, True, (), (1,), frozenset({2}), 10**30, {"x": 1}, ["y"])


def otherwise(value: object, chance: random.Random) -> object:
    """A value with something in it, or all of it, of another kind."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value))
        return {**value, name: otherwise(value[name], chance)}
    if isinstance(value, tuple | list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return type(value)((*value[:place], otherwise(value[place], chance), *value[place + 1 :]))
    return chance.choice(WRONG)


@pytest.mark.parametrize("mechanism", EVERY)
def test_what_a_mechanism_remembers_may_be_of_any_kind(mechanism: str) -> None:
    channel, pane = catalogue.channel(mechanism), catalogue.pane(mechanism)
    for path in EVERY[mechanism][-3:]:
        recording = read_recording(path)
        state = fold(LabState(), [recording.header, *recording.records], channel.reduce)
        for number in range(40):
            chance = random.Random(number)
            facts = otherwise(dict(state.facts), chance)
            if not isinstance(facts, dict):
                continue
            damaged, view = replace(state, facts=facts), View(chance.choice(state.roles), replay=True)
            try:
                frame = screen_frame(damaged, pane, view, 80, 24, ACTIONS, CAN)
            except Exception:
                frame = damaged_frame(damaged, pane, view, 80, 24, ACTIONS, CAN)
                assert "was left out" in frame.text(), "the rest of the picture is drawn"
            assert len(frame.rows) == 24


def test_a_recording_of_a_newer_version_is_shown_and_told(tmp_path: Path) -> None:
    file = tmp_path / "newer.jsonl"
    first, rest = TEXTS["two-way"].split(b"\n", 1)
    file.write_bytes(first.replace(b'"version":1', b'"version":7') + b'\n{"kind":"hologram","t":3}\n' + rest)
    player = Player(file, catalogue.channel, background=False)
    assert player.complaints() == (
        f"{file}: written in version 7 of the format; version 1 is known here, what is newer is left out",
    )
    assert player.complaints() == ()
    player.cursor().end()
    assert player.state.unknown == 1
    player.close()


def test_a_mechanism_that_is_not_here_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pigeon.jsonl"
    file.write_text(line_of(Header("pigeon", "homing")))
    with pytest.raises(UsageError, match="pigeon"):
        Player(file, catalogue.channel)


def test_two_sessions_in_one_file_are_one_and_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    file.write_bytes(TEXTS["two-way"] + TEXTS["held"])
    line = TEXTS["two-way"].count(b"\n") + 1
    total, problems = summed_up(file, catalogue.channel)
    assert problems == (f"{file}:{line}: another session begins here; it was left out",)
    assert line_of(total).encode() == TEXTS["two-way"].splitlines(keepends=True)[-1]


def poisoned(tmp_path: Path, *lines: str) -> tuple[Path, int]:
    """A recording of datagrams with lines more, and the number of the first of these."""
    file = tmp_path / "poisoned.jsonl"
    whole = [*gzip.decompress(EVERY["socket"][0].read_bytes()).decode().splitlines()[:-1]]
    file.write_text("\n".join([*whole, *lines]) + "\n")
    return file, len(whole) + 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"kind":"state","t":1,"process":"p","pid":"x","state":"held"}',
         "skipped: state: pid: a whole number is needed, not text"),
        ('{"kind":"call","t":1}', "skipped: call: process is missing"),
        ("{oops", "skipped: no JSON"),
        ('{"kind":"checkpoint","t":1,"state":{"processes":[]}}',
         "skipped: checkpoint: processes: an object is needed, not a list"),
        ('{"kind":"checkpoint","t":1,"state":{"facts":{"drops":{"x":"many"}}}}',
         "skipped: checkpoint: facts: drops: it does not fit what the lines before it say"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_line_and_field(tmp_path: Path, line: str, said: str) -> None:
    file, number = poisoned(tmp_path, line)
    total, problems = summed_up(file, catalogue.channel)
    assert problems == (f"{file}:{number}: {said}",)
    assert line_of(total)
    player = Player(file, catalogue.channel, background=False)
    player.close()
    assert set(player.complaints()) <= set(problems)


class Adding:
    """A mechanism that remembers numbers without a look at them, and adds them up in the end."""

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        told = [record.data["number"] for record in records if isinstance(record, Event) and record.name == "add"]
        return {"numbers": [*facts.get("numbers", ()), *told]} if told else facts

    def summary(self, facts: Mapping[str, Any], counters: object) -> dict[str, Any]:
        return {"sum": sum(facts.get("numbers", ()))}


def test_one_record_that_cannot_be_taken_or_summed_up_is_left_out(tmp_path: Path) -> None:
    lines = ['"number":3', '"number":"many","by":"x"', '"nombre":5', '"number":4']
    file, number = poisoned(tmp_path, *(f'{{"kind":"event","t":9,"name":"add","data":{{{line}}}}}' for line in lines))
    total, problems = summed_up(file, lambda name: Adding())  # type: ignore[arg-type,return-value]
    assert total.proofs == {"sum": 7}, "what comes after them is counted"
    assert problems == (
        f"{file}:{number + 1}: skipped: event 'add': it does not fit what the lines before it say",
        f"{file}:{number + 2}: skipped: event 'add': it does not fit what the lines before it say",
    )


def test_a_compressed_file_cut_off_is_told_with_the_line_it_ends_in(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl.gz"
    raw = stored("held").read_bytes()
    file.write_bytes(raw[: len(raw) // 2])
    _, problems = summed_up(file, catalogue.channel)
    number = int(problems[0].removeprefix(f"{file}:").partition(":")[0])
    assert problems[0] == (
        f"{file}:{number}: the compressed file is cut off or damaged here (it ends too early); nothing after it is read"
    )
    assert TEXTS["held"].splitlines(keepends=True)[: number - 1] == _whole_lines(raw[: len(raw) // 2])


def _whole_lines(raw: bytes) -> list[bytes]:
    return zlib.decompressobj(31).decompress(raw).splitlines(keepends=True)[:-1]
