"""What the pane of sockets says and draws: lessons, listings, captions and boxes, from states made by hand."""

import itertools
import json
import re
import shutil
import subprocess
import unicodedata
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from ipctui.cli.session import choose
from ipctui.cli.show import show_list
from ipctui.kernel.syscalls import SystemCall
from ipctui.lab.channel import Sleep
from ipctui.lab.fold import fold
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.state import LabState
from ipctui.mechanisms.socket import channel as module
from ipctui.mechanisms.socket import program
from ipctui.mechanisms.socket.caption import caption
from ipctui.mechanisms.socket.channel import CHANNEL
from ipctui.mechanisms.socket.drawing import connection_lines, datagram_lines, group_lines, stream_lines, title
from ipctui.mechanisms.socket.memory import Memory
from ipctui.mechanisms.socket.reasons import explain
from ipctui.trace.records import Before, Call, Channel, Count, Counters, Header, Process, State
from ipctui.widgets.canvas import wrapped
from ipctui.widgets.language import in_language, is_translated

FOLDER = Path(program.__file__).parent
VARIANTS = [variant.name for variant in CHANNEL.variants]
HANGUL = re.compile("[가-힣]")


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def facts(**more: Any) -> dict[str, Any]:
    """A socket of TCP, as the observer tells it."""
    plain: dict[str, Any] = {"process": "client", "pid": 7, "fd": 3, "object": "socket:[1]", "protocol": "tcp"}
    plain |= {"kind": "stream", "method": "pidfd_getfd", "local": "127.0.0.1:40000", "peer": "127.0.0.1:5000"}
    plain |= {"state": "ESTABLISHED", "waiting": 0, "unsent": 0, "window": 1984, "drops": 0, "taken": 0}
    plain |= {"room": 4096, "send_room": 4608, "queued": None, "backlog": None, "segment": 1024}
    return plain | {"partner": "socket:[2]", "holder": "server", "nonblocking": False} | more


FAR = {"process": "server", "fd": 4, "object": "socket:[2]", "local": "127.0.0.1:5000", "peer": "127.0.0.1:40000"}
FAR |= {"partner": "socket:[1]", "holder": "client"}
DOOR = {"process": "server", "fd": 3, "object": "socket:[3]", "kind": "listen", "local": "127.0.0.1:5000", "peer": ""}
DOOR |= {"unprivileged": 1024, "state": "LISTEN", "queued": 0, "backlog": 1, "window": None}


# Listings and lessons.


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_listing_compiles_without_a_warning(variant: str) -> None:
    path = FOLDER / "listing" / f"{variant}.c"
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = CHANNEL.listing(next(one for one in CHANNEL.variants if one.name == variant)).splitlines()
    assert lines[0].startswith(f"/* {variant}: ")
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 76


def test_no_listing_is_left_over() -> None:
    assert sorted(path.stem for path in (FOLDER / "listing").iterdir()) == sorted(VARIANTS)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant(language: str) -> None:
    lines = (FOLDER / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == VARIANTS
    assert max(map(columns, lines)) <= 76


# Parameters.


def values(variant: str, *settings: str) -> dict[str, Any]:
    chosen = next(one for one in CHANNEL.variants if one.name == variant)
    settled = settle(CHANNEL.parameters(), chosen.values, settings)
    CHANNEL.check(chosen, settled)
    return settled


def test_where_loopback_or_multicast_is_missing_it_is_said_and_paths_still_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chosen(variant: str) -> str:
        return choose(Namespace(mechanism="socket", variant=variant, settings=[])).variant.name

    monkeypatch.setattr(module, "no_loopback", lambda: "no socket on 127.0.0.1 here: Cannot assign requested address")
    for variant in ("tcp", "udp", "multicast", "echo"):
        with pytest.raises(UsageError, match=r"no socket on 127\.0\.0\.1 here.*unix-stream and unix-seqpacket need no"):
            chosen(variant)
    assert chosen("unix-stream")
    monkeypatch.undo()
    monkeypatch.setattr(module, "_no_multicast", lambda group: f"no membership of {group}")
    with pytest.raises(UsageError, match="multicast does not run here: no membership of"):
        chosen("multicast")
    assert chosen("udp")


def test_what_the_machine_lacks_is_said_of_each_variant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert CHANNEL.unavailable() is None
    monkeypatch.setattr(module, "no_loopback", lambda: "no socket on 127.0.0.1 here")
    assert CHANNEL.unavailable() is None, "at a path there is still something to see"
    lacking = {variant.name: CHANNEL.lacks(variant) for variant in CHANNEL.variants}
    assert {name for name, why in lacking.items() if why is None} == {"unix-stream", "unix-seqpacket"}
    show_list(Namespace(json=False))
    said = capsys.readouterr().out
    assert said.count("does not run here: no socket on 127.0.0.1 here") >= 4
    show_list(Namespace(json=True))
    (mine,) = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "socket"]
    assert {each["name"] for each in mine["variants"] if "why" in each} == {"tcp", "udp", "multicast", "echo"}


@pytest.mark.parametrize("setting", ["port=65536", "port=-1", "backlog=-1", "clients=0", "loop=maybe", "group=::1"])
def test_a_value_out_of_range_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=setting.partition("=")[0]):
        values("tcp", setting)


# Reasons.


def slept(name: str, given: dict[str, Any] | None = None, **more: Any) -> Any:
    near = facts(unsent=3776, window=0) | more
    sockets = {"socket:[1]": near, "socket:[2]": facts(waiting=2176) | FAR, "socket:[3]": facts() | DOOR}
    call = SystemCall(0, name, (), 3)
    sleep = Sleep("client", name, 3, "socket:[1]", call)
    return explain(sleep, sockets, ("client", "server"), {"path": "", **(given or {})})


def test_a_sender_is_told_what_it_waits_for() -> None:
    reason = slept("send")
    assert reason.reason == "window closed: 2,176 B unread at server; send queue full, 3,776 B"
    assert reason.wakers == ("server",)
    assert "less than a segment" in slept("send", window=448).reason
    assert slept("send", holder="pid 99", partner="").waker == "a recv by pid 99"
    assert "not accepted yet" in slept("send", holder="", partner="").reason
    assert "SO_SNDBUF full" in slept("send", {"path": "/tmp/x"}).reason


@pytest.mark.parametrize("name", ["send", "recv", "recvfrom", "accept", "connect", "poll"])
def test_every_reason_has_its_korean(name: str) -> None:
    for more in ({}, {"window": 448}, {"window": None}, {"holder": "", "partner": ""}, {"window": 1500}):
        for path in ("", "/tmp/x"):
            reason = slept(name, {"path": path}, **more).reason
            assert is_translated("ko", reason), reason
            assert HANGUL.search(in_language("ko", reason))


# What is remembered.


def call(name: str, result: int, process: str = "client", errno: str | None = None, fd: int = 3, end: int = 5) -> Call:
    return Call(process, 7, name, name, "", result, end - 1, end, fd=fd, errno=errno)


def test_memory_keeps_sizes_ends_and_exact_counts() -> None:
    memory = Memory({})
    for size in range(1, 20):
        memory.add(call("send", size))
    memory.add(call("recv", 0))
    memory.add(call("send", -1, errno="ECONNRESET", end=9))
    memory.add(call("shutdown", 0))
    rows = (
        Count("accept", "accept4", 3, None, 5, errors={"EAGAIN": 3}),
        Count("send", "sendto", 4, None, 9, errors={"ECONNRESET": 2}),
    )
    memory.add(Counters(9, "server", 8, rows))
    memory.add(Counters(10, "server", 8, rows))
    memory.add(Channel(11, "socket:[9]", facts={"drops": 41, "protocol": "udp"}))
    memory.add(Channel(11, "socket:[8]", facts={"drops": 3, "protocol": "tcp"}))  # sent again: nothing is lost
    found = memory.facts()
    assert found["sends"]["client"] == list(range(12, 20))
    assert found["news"]["client"]["what"] == "ECONNRESET"
    assert found["shut"] == {"client": 3}
    assert (found["connections"], found["resets"], found["drops"]) == (2, 2, {"socket:[9]": 41})
    again = Memory(found)
    assert not again.changed
    again.add(Process(12, "client", 7, "exited"))
    assert again.changed
    assert "client" not in again.facts()["sends"]
    assert Memory(found).facts()["sends"], "what was told before is not touched"


# Drawing.


def state_of(variant: str, *sockets: dict[str, Any], **more: Any) -> LabState:
    """A state made by hand."""
    state = fold(
        LabState(),
        [
            Header("socket", variant, {"size": 64, "sndbuf": 2048, "rcvbuf": 2048}),
            *(
                Process(1, role, 10 + place, "started")
                for place, role in enumerate(more.pop("roles", ("client", "server")))
            ),
            *(
                Channel(2, one["object"], used=0, capacity=1, type="socket", facts=one, count=more.get("count", 0))
                for one in sockets
            ),
        ],
        CHANNEL.reduce,
    )
    return replace(state, facts={**state.facts, **more.get("facts", {})})


def texts(lines: Any) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_closed_window_stands_between_two_queues(language: str) -> None:
    state = state_of("tcp", facts(unsent=3776, window=0), facts(waiting=2176, taken=3008) | FAR, facts() | DOOR)
    shown = texts(stream_lines(state, language, 26, 8))
    assert any("3,776 B" in line for line in shown)
    assert any("0 B ×" in line for line in shown)
    assert any("2,176 B" in line for line in shown)
    assert all(cell_len(line) <= 26 for line in shown)
    assert HANGUL.search("".join(shown)) if language == "ko" else not HANGUL.search("".join(shown))
    wide = texts(connection_lines(state, language, 78, 3))
    assert "3,776 B ▸     0 ×  2,176 B server 4" in wide[0].replace("  B", " B")


def test_twelve_clients_have_their_place_or_are_counted() -> None:
    sockets = [
        one
        for place in range(12)
        for one in (
            facts(process=f"client{place}", object=f"socket:[{place}]", partner=f"socket:[{place + 50}]"),
            facts(waiting=place) | FAR | {"object": f"socket:[{place + 50}]", "partner": f"socket:[{place}]"},
        )
    ]
    state = state_of("echo", *sockets, facts() | DOOR)
    for width, height in itertools.product((58, 78, 118, 198), (2, 3, 6, 12)):
        shown = texts(connection_lines(state, "en", width, height))
        assert len(shown) <= height
        named = sum(line.count("client") for line in shown)
        assert named == 12 or f"+{12 - named} ▸ 2" in shown[-1]
        assert all(cell_len(line) <= width for line in shown)


def test_datagrams_have_edges_and_losses_are_in_sight() -> None:
    queue = facts(
        process="receiver", kind="datagrams", protocol="udp", peer="", taken=7488, room=8192, drops=41, waiting=64
    )
    state = state_of("udp", queue, roles=("sender", "receiver"), count=9)
    shown = texts(datagram_lines(state, "en", 26, 8))
    assert shown[0] == "receive queue 9 FULL"
    assert shown[1].count("▮") == 9
    assert "lost 41" in shown
    group = replace(state, header=replace(state.header, variant="multicast"))  # type: ignore[type-var]
    queue["kind"] = "group"
    assert "FULL lost 41" in texts(group_lines(group, "en", 78, 3))[0]


def test_the_title_says_what_the_address_means() -> None:
    state = state_of("tcp", facts() | DOOR)
    assert "loopback: this machine only" in texts([title(state, "en", 76)])[0]
    low = state_of("tcp", facts() | DOOR | {"local": "127.0.0.1:7"})
    assert "well-known port < " in texts([title(low, "en", 90)])[0]
    assert len(texts([title(state, "en", 24)])[0]) <= 24


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_usual_caption_is_whole_in_three_lines_of_both_languages(variant: str) -> None:
    state = state_of(variant, facts(), facts() | FAR, facts() | DOOR)
    english, korean = caption(state, "en"), caption(state, "ko")
    assert not HANGUL.search(english)
    assert HANGUL.search(korean)
    assert cell_len(english) <= 3 * 74
    assert cell_len(korean) <= 3 * 74


# Captions, rule by rule.

ASLEEP = "the kernel put client to sleep in send"
UNIX = {"protocol": "unix-stream", "unsent": 4608, "window": None, "local": "", "peer": "/tmp/x.sock"}
QUEUE = {"process": "receiver", "kind": "datagrams", "protocol": "udp", "peer": "", "taken": 7488, "room": 8192}


def sleeping(state: LabState, call: str, reason: str = "window closed: 2,176 B unread at server") -> LabState:
    """The same, the client asleep in a call."""
    before = Before(call, "", 3)
    return fold(state, [State(3, "client", 10, "blocked", before, reason=reason, wakers=("server",))], CHANNEL.reduce)


def remembering(state: LabState, **more: Any) -> LabState:
    return replace(state, facts={**state.facts, **more}, t=10)


def told_cases() -> list[tuple[str, LabState]]:
    """What each rule has to say, and a state in which it does."""
    stuck = facts(unsent=3776, window=0)
    tcp = state_of("tcp", stuck, facts(waiting=2176) | FAR, facts() | DOOR)
    full = facts() | DOOR | {"queued": 2}
    news = {"what": "ECONNRESET", "t": 5, "call": "send"}
    refused = {"what": "ECONNREFUSED", "t": 5, "call": "connect"}
    half = (facts(state="FIN_WAIT2"), facts() | FAR | {"state": "CLOSE_WAIT"}, facts() | DOOR)
    drops = state_of("udp", facts(drops=41) | QUEUE, roles=("sender", "receiver"), count=9)
    gone = state_of("udp", roles=("sender", "receiver"))
    on = replace(gone, header=replace(gone.header, parameters={"connected": "on"}))  # type: ignore[type-var]
    alone = facts(partner="", holder="")
    return [
        (ASLEEP, sleeping(tcp, "send")),
        ("Nobody has accepted client", sleeping(state_of("tcp", facts(unsent=9, partner="", holder="")), "send")),
        ("pid 99 has not read", sleeping(state_of("tcp", facts(unsent=9, partner="", holder="pid 99")), "send")),
        ("used up client's SO_SNDBUF", sleeping(state_of("unix-stream", facts() | UNIX, facts() | FAR), "send")),
        ("The backlog is full: 2 connections", sleeping(state_of("tcp", full), "connect")),
        ("client's send got ECONNRESET", remembering(tcp, news={"client": news})),
        ("Half closed: client sends no more (FIN_WAIT2)", remembering(state_of("tcp", *half), shut={"client": 3})),
        ("is full (9 datagrams, 7,488 of 8,192 bytes)", drops),
        ("no socket listens at that address", remembering(state_of("tcp"), news={"client": refused})),
        ("every sendto succeeds", remembering(gone, sends={"sender": [64]})),
        ("counted as refused", remembering(on, sends={"sender": [64]})),
        ("has not accepted yet", state_of("tcp", alone, facts() | DOOR | {"queued": 1})),
        ("from outside, pid 99", state_of("echo", facts() | FAR | {"holder": "pid 99"}, facts() | DOOR)),
        ("came as 960 bytes", remembering(tcp, largest={"server": {"size": 960, "t": 5}})),
    ]


@pytest.mark.parametrize(("said", "state"), told_cases(), ids=[said for said, _ in told_cases()])
def test_every_rule_has_its_sentence_in_both_languages(said: str, state: LabState) -> None:
    english, korean = caption(state, "en"), caption(state, "ko")
    assert said in english
    assert HANGUL.search(korean)
    assert not HANGUL.search(english)
    numbers = set(re.findall(r"[0-9][0-9,]*[0-9]", said))
    assert all(number in korean for number in numbers), korean
    for text in (english, korean):
        assert len(wrapped(text, 78, 4)) <= 3, text
