"""Recordings cut, with bytes flipped, lines lost, doubled and mixed: opened or refused in a sentence, a thousand times.

What opens is played, walked through, drawn and summed up.
"""

import gzip
import random
import re
from pathlib import Path

import pytest

from ipctui.lab.parameters import UsageError
from ipctui.lab.player import Player, summed_up
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import RecordingError, line_of
from ipctui.trace.records import Header
from ipctui.tui.actions import ACTIONS
from ipctui.tui.announce import Announcer
from ipctui.tui.footer import screen_frame, undrawable
from ipctui.widgets.view import Moment, View
from tests.recorded import path as stored

TIMES = 1000
NAMES = ("two-way", "held", "twelve", "hostile", "killed")
TEXTS = {name: gzip.decompress(stored(name).read_bytes()) for name in NAMES}
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


def damaged(chance: random.Random) -> bytes:
    raw = bytearray(TEXTS[chance.choice(NAMES)])
    pack = chance.random() < 0.4
    if pack and chance.random() < 0.7:
        raw = bytearray(gzip.compress(bytes(raw), 1))
        pack = False
    for damage in chance.sample(DAMAGES[:3] if raw[:2] == b"\x1f\x8b" else DAMAGES, chance.choice((1, 1, 2))):
        if raw:
            damage(raw, chance)
    return gzip.compress(bytes(raw), 1) if pack else bytes(raw)


def told(text: str) -> None:
    """It is one line, and says where."""
    assert text
    assert "\n" not in text
    assert "Traceback" not in text


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
    pane = catalogue.pane(player.channel.name)
    cursor = player.cursor()
    timeline = player.timeline
    for _ in range(6):
        cursor.seek(chance.randrange(min(timeline.end, 10**12) + 1))
        cursor.step(chance.choice(("record", "call", "message", "blocked", "mark")), chance.choice((1, -1)))
        for notice in announcer.news(player):
            told(notice.text)
    cursor.end()
    marks = tuple(mark.t for mark in timeline.marks)
    moment = Moment(cursor.t, timeline.begin, timeline.end, marks, timeline.blocked())
    roles = cursor.state.roles
    view = View(chance.choice(roles) if roles else "", now=cursor.t, moment=moment, replay=True, paused=True)
    try:
        frame = screen_frame(cursor.state, pane, view, 80, 24, ACTIONS, CAN)
    except Exception as error:
        # As the app does: what no pane can draw is said in a sentence.
        frame = undrawable(view, 80, 24, error)
    assert len(frame.rows) == 24
    player.close()
    try:
        total, problems = summed_up(file, catalogue.channel)
    except RecordingError as error:
        told(str(error))
    else:
        line_of(total)
        for problem in problems:
            told(problem)
    return True


@pytest.mark.parametrize("part", range(4))
def test_a_thousand_damaged_recordings(tmp_path: Path, part: int) -> None:
    opened = 0
    for number in range(part * TIMES // 4, (part + 1) * TIMES // 4):
        chance = random.Random(number)
        file = tmp_path / "damaged"
        file.write_bytes(damaged(chance))
        try:
            opened += used(file, chance)
        except BaseException as error:
            error.add_note(f"damage number {number}")
            raise
    assert opened > TIMES // 8, "most of what is damaged can still be shown"


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
