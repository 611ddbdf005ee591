"""Direct communication without processes: captions, facts, pane, lessons, listings, from records made by hand."""

import shutil
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipctui.lab.fold import fold
from ipctui.lab.state import LabState
from ipctui.mechanisms.direct import caption as captions
from ipctui.mechanisms.direct.caption import caption
from ipctui.mechanisms.direct.channel import CHANNEL
from ipctui.mechanisms.direct.pane import PANE
from ipctui.trace.records import Before, Call, Channel, Counters, Header, Process, Record, Settings, State
from ipctui.widgets.view import View

FOLDER = Path(captions.__file__).parent
LATER = 60_000_000_000
PREFIX = "@ipctui-1-2-0a0b0c0d/"
PIDS = {"q": 10, "p1": 11, "p2": 12, "p": 13, "m": 14, "r": 15}
PROGRAMS = {"q": "receiver", "p1": "sender", "p2": "sender", "p": "sender", "m": "forger"}


def born(role: str, program: str | None = None) -> Process:
    return Process(0, role, PIDS[role], "started", program=program or PROGRAMS[role])


def door(name: str, role: str, *named_by: str, closed: bool = False) -> Channel:
    facts = {"door": True, "process": role, "pid": PIDS[role], "fd": 3, "object": "socket:[1]", "named_by": named_by}
    return Channel(1, PREFIX + name, name=name, type="socket", closed=closed, facts=facts)


def end(process: str, peer: str, fd: int, accepted: bool, messages: int = 0, taken: int = 0) -> dict[str, Any]:
    return {
        "process": process,
        "pid": PIDS[process],
        "fd": fd,
        "object": f"socket:[{PIDS[process] * 100 + fd}]",
        "peer": peer,
        "peer_pid": PIDS.get(peer, 99),
        "waiting": 64 * messages,
        "messages": messages,
        "taken": taken,
        "room": 4608,
        "accepted": accepted,
        "next": "",
    }


def link(maker: str, other: str, t: int = 1, messages: int = 0, closed: bool = False) -> Channel:
    name = "+".join(sorted((maker, other)))
    ends = [end(maker, other, 4, False, taken=768 * messages), end(other, maker, 5, True, messages)]
    facts = {"link": True, "ends": ends}
    return Channel(t, PREFIX + name, used=64 * messages, name=name, type="socket", closed=closed, facts=facts)


def connect(role: str, errno: str | None, target: str = "q") -> Call:
    result = 0 if errno is None else -1
    return Call(role, PIDS[role], "connect", "connect", f'4, "{PREFIX}{target}"', result, 2, 3, errno=errno)


def folded(*records: Record, variant: str = "rename") -> LabState:
    return fold(LabState(), [Header("direct", variant), *records], CHANNEL.reduce)


def renamed() -> LabState:
    return folded(
        *(born(role) for role in ("q", "p1", "p2")),
        door("q", "q", closed=True),
        door("s", "q"),
        connect("p1", "ECONNREFUSED"),
        connect("p2", "ECONNREFUSED"),
    )


def test_whoever_names_the_old_name_is_told_of_by_name() -> None:
    state = renamed()
    assert captions.refused(state) == {"p1": "q", "p2": "q"}
    said = caption(state, "en")
    assert said.startswith("There is no q: it is called s now. p1, p2 still name q")
    assert "이제 s이다" in caption(state, "ko")
    picture = PANE.draw(state, View(), 80, 24).text()
    assert "q = s" in picture
    assert "p1 → q×" in picture


def test_who_is_let_in_again_is_forgiven() -> None:
    state = fold(renamed(), [connect("p1", None)], CHANNEL.reduce)
    assert captions.refused(state) == {"p2": "q"}
    assert "p2 still names q in its program" in caption(state, "en")
    state = fold(state, [Process(5, "p2", 12, "exited", status="status 0")], CHANNEL.reduce)
    assert captions.refused(state) == {}


def test_a_dead_name_is_not_said_to_be_renamed() -> None:
    records = [born("q"), born("p1"), connect("p1", "ECONNREFUSED")]
    gone = folded(*records, Process(4, "q", 10, "exited", status="signal SIGKILL"))
    assert "it has ended" in caption(gone, "en")
    assert "nobody has taken that name" in caption(folded(*records[1:]), "en")


def test_the_name_refused_is_the_one_that_was_called() -> None:
    state = folded(born("r", "third_r"), door("p", "r"), connect("r", "ECONNREFUSED", "q"))
    assert captions.refused(state) == {"r": "q"}


def test_links_are_counted_as_they_come_and_go() -> None:
    state = folded(born("q"), born("p1"), link("p1", "q", 5))
    assert state.facts["links"]["p1+q"] == {"object": f"{PREFIX}p1+q", "made": 1, "most": 1, "open": True, "t": 5}
    again = fold(
        state, [link("p1", "q", 7, messages=2), link("p1", "q", closed=True), link("p1", "q", 9)], CHANNEL.reduce
    )
    assert again.facts["links"]["p1+q"]["made"] == 2
    assert again.facts["links"]["p1+q"]["t"] == 9
    assert CHANNEL.summary(again.facts, {})["links"] == 2
    assert CHANNEL.summary(again.facts, {})["most_links_of_a_pair"] == 1


def test_two_links_of_one_pair_would_be_told() -> None:
    twice = link("p1", "q")
    twice.facts["ends"].append(end("p1", "q", 6, False))
    assert CHANNEL.summary(folded(born("q"), twice).facts, {})["most_links_of_a_pair"] == 2


def test_who_speaks_in_anothers_name_is_told_by_both_pids() -> None:
    def sent(role: str, message: str) -> Call:
        return Call(role, PIDS[role], "send", "sendto", "4, …", 64, 2, 3, fd=4, message=(message,))

    state = folded(
        *(born(role) for role in ("q", "p", "m")),
        *(link(role, "q") for role in ("p", "m")),
        *(sent("p", "p:1"), sent("m", "p:770001"), sent("m", "p:770002")),
        variant="forged",
    )
    assert state.facts["claims"] == {"m": {"as": "p", "count": 2}}
    for language in ("en", "ko"):
        said = caption(state, language)
        assert "SO_PEERCRED" in said
        assert "pid 14" in said
        assert "pid 13" in said
    assert "m+q cred 14=m says p" in PANE.draw(state, View(now=LATER), 80, 24).text()
    assert CHANNEL.summary(state.facts, {"q": Counters(1, "q", 10, received=1)})["forged_messages"] == 2


def deaf() -> LabState:
    asleep = State(3, "r", 15, "blocked", Before("recv", "5", 5), "socket:[1505]", since=2, reason="x", wakers=("q",))
    to_r = link("p", "r", messages=6)
    to_r.facts["ends"][1].update(fd=6, object="socket:[1506]")
    return folded(
        *(born(role, program) for role, program in (("p", "first_p"), ("q", "second_q"), ("r", "third_r"))),
        *(link("q", "r"), to_r, asleep),
        Settings(1, "q", True, 20, 64),
        variant="symmetric",
    )


def test_a_receiver_that_named_another_is_deaf() -> None:
    said = caption(deaf(), "en")
    assert said.startswith("r sleeps in receive(q, m), though 6 of p's messages wait")
    assert "receive(q, m)" in caption(deaf(), "ko")
    nothing = replace(deaf(), channels={k: v for k, v in deaf().channels.items() if v.now.name != "p+r"})
    assert "though" not in caption(nothing, "en")


def test_a_full_link_is_told_in_kernel_memory() -> None:
    full = link("p1", "q", messages=6)
    asleep = State(3, "p1", 11, "blocked", Before("send", "4", 4), "socket:[1104]", since=2, reason="x", wakers=("q",))
    state = folded(born("q"), born("p1"), full, asleep, Settings(1, "q", True, 20, 64))
    assert "6 messages take 4,608/4,608 bytes" in caption(state, "en")
    assert "You hold q" in caption(state, "en")
    assert "4,608/4,608" in caption(state, "ko")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
@pytest.mark.parametrize("zoom", ["", "processes", "contents", "time", "program", "calls"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_pane_fits_every_size_and_ascii(size: tuple[int, int], zoom: str, language: str) -> None:
    for state in (LabState(), renamed(), deaf()):
        frame = PANE.draw(state, View(zoom=zoom, language=language), *size)
        assert (frame.width, frame.height, len(frame.rows)) == (*size, size[1])
        assert PANE.draw(state, View(zoom=zoom, ascii=True), *size).text().isascii()


def test_the_links_stand_on_a_small_pane_with_what_waits_and_who_made_them() -> None:
    picture = PANE.draw(deaf(), View(now=LATER), 80, 24).text()
    assert "▮▮▮▮▮▮▸" in picture
    assert "p+r cred 13=p" in picture
    assert "2 of 3 links" in picture


def test_key_6_renames_there_and_back() -> None:
    offer = next(one for one in PANE.offers if one.key == "6")
    assert offer.command is not None
    assert offer.command(folded(born("q"), door("q", "q")), View()) == "rename q s"
    assert offer.command(renamed(), View()) == "rename s q"
    assert offer.command(LabState(), View()) == ""


LISTINGS = FOLDER / "listing"
VARIANTS = [variant.name for variant in CHANNEL.variants]


def test_every_variant_has_its_listing() -> None:
    assert sorted(path.stem for path in LISTINGS.iterdir()) == sorted(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_listings_fit_and_make_the_calls_that_matter(variant: str) -> None:
    text = (LISTINGS / f"{variant}.c").read_text()
    lines = text.splitlines()
    assert 25 <= len(lines) <= 50
    assert max(map(len, lines)) <= 76
    assert text.isascii()
    assert lines[0].startswith(f"/* {variant}: ")
    for call in ("socket(", "bind", "listen(", "SOCK_SEQPACKET"):
        assert call in text
    if variant != "rename":
        assert "SO_PEERCRED" in text


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("variant", VARIANTS)
def test_listings_compile_without_a_warning(variant: str) -> None:
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(LISTINGS / f"{variant}.c")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_narrow_lines(language: str) -> None:
    lines = (FOLDER / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == VARIANTS
    assert max(sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) for line in lines) <= 76
