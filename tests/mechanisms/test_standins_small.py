"""Mach, ALPC and Windows pipes at 80x24, from records made by hand: what has no room is put shorter, not left out."""

import re
from collections.abc import Sequence

import pytest

from ipctui.lab.fold import fold
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.mechanisms.alpc import pane as alpc_pane
from ipctui.mechanisms.mach import pane as mach_pane
from ipctui.mechanisms.winpipe import pane as winpipe_pane
from ipctui.trace.records import Call, Channel, Count, Counters, Process
from ipctui.widgets.stage import Box
from ipctui.widgets.view import View
from tests.mechanisms.test_standins import LATER, alpc, born, folded, mach, port


def picture(mechanism: str, state: LabState, width: int = 80, height: int = 24) -> str:
    return catalogue.pane(mechanism).draw(state, View(now=LATER), width, height).text()


def drawn(boxes: Sequence[Box], height: int) -> str:
    """The first box's lines as a pane of 80 columns has them, in so many of its lines."""
    return "\n".join("".join(text for text, _ in line) for line in boxes[0].lines(78, height))


# Mach.


def test_every_task_of_four_has_its_rights_at_80_columns() -> None:
    tasks = ("alice", "bob", "receiver")
    special = [
        port(f"{kind}.{role}", *(("kernel", role) if kind == "self" else (role, "kernel")), special=kind)
        for role in tasks
        for kind in ("self", "notify")
    ]
    everybody = [born(role, 10 + place) for place, role in enumerate(("kernel", *tasks))]
    ports = (port("P", "receiver", "alice"), port("to.alice", "alice", "bob"), port("to.bob", "bob", "alice"))
    state = folded("mach", "rights", *everybody, *ports, *special)
    small = drawn(mach_pane.boxes(state, View()), 5)
    for words in ("alice    P▸4 to.alice◂3 to.bob▸4 +2", "bob      to.alice▸4 to.bob◂3 +2", "receiver P◂3 +2"):
        assert words in small
    assert "kernel   self◂3,3,3 notify▸4,4,4" in small
    large = picture("mach", state, 120, 36)
    assert "self▸4" in large
    assert "+2" not in large


def test_the_fastest_of_a_column_is_marked_among_the_ways_that_are_shown() -> None:
    sizes = [4096 << 2 * place for place in range(8)]
    rows = [
        {"way": way, "size": size, "median": time, "last": time, "least": time, "count": 1, "process": "sender"}
        for size in sizes
        for way, time in (("copied", 3000), ("fresh", 4000), ("ready", 2000), ("one page", 1000))
    ]
    state = mach("out-of-line", Channel(2, "measures", type="measures", facts={"rows": rows}))
    lines = drawn(mach_pane.boxes(state, View()), 5).splitlines()
    assert "one page" not in "".join(lines), "there is no line for it"
    ready = next(line for line in lines if " ready " in line)
    assert ready.count("*") == len(sizes)
    one_page = next(line for line in picture("mach", state, 120, 36).splitlines() if " one page " in line)
    assert one_page.count("*") == len(sizes)


# ALPC.


@pytest.mark.parametrize(("clients", "left"), [(4, 0), (5, 0), (12, 8)])
def test_every_pair_is_shown_or_counted(clients: int, left: int) -> None:
    def pair(number: int) -> Channel:
        ends = [
            {"process": role, "fd": fd, "object": f"socket:[{fd}]", "waiting": 0, "messages": 0}
            for role, fd in (("server", 10 + number), (f"client{number}", 4))
        ]
        facts = {"pair": True, "client": f"client{number}", "ends": ends}
        return Channel(2, f"socket:[{10 + number}]", type="socket", facts=facts)

    everybody = [born(f"client{number}", number) for number in range(1, clients + 1)]
    pairs = [pair(number) for number in range(1, clients + 1)]
    state = folded("alpc", "many-clients", *everybody, born("server", 99), *pairs)
    small = drawn(alpc_pane.boxes(state, View()), 3)
    shown = re.findall(r"client\d+ 4↔\d\d", small)
    assert len(shown) == clients - left
    assert f"+{left}" in small or left == 0
    everyone = drawn(alpc_pane.boxes(state, View()), 6)
    assert len(re.findall(r"client\d+ 4↔\d\d", everyone)) == clients


def test_a_refusal_ends_the_line_of_the_handshake() -> None:
    asked = Call("client2", 13, "connect", "connect", "3", 0, 0, 1)
    heard = Call("server", 12, "recv", "recvfrom", '4, "@connect client2", 256, 0', 16, 1, 2)
    no = Call("client2", 13, "recvmsg", "recvmsg", '3, {msg_iov=[{iov_base="@refused"}]}, 0', 8, 2, 3)
    everybody = (born("client1", 11), born("client2", 13), born("server", 12))
    state = folded("alpc", "refused", *everybody, asked, heard, no, accepts=1)
    line = next(line for line in picture("alpc", state).splitlines() if "handshake" in line)
    assert "●heard × refused" in line


def test_all_three_ways_are_measured_in_sight_and_told_in_a_sentence() -> None:
    sizes = [256 << 2 * place for place in range(9)]
    times = {"copied": 5000, "section": 4000, "direct": 6000}
    rows = [
        {"way": way, "size": size, "median": time, "last": time, "least": time, "count": 1, "process": "client"}
        for size in sizes
        for way, time in times.items()
    ]
    measured = Channel(2, "measures", type="measures", facts={"rows": rows, "latest": rows[0]})
    state = alpc("copied", 256, measured, variant="measure")
    small = drawn(alpc_pane.boxes(state, View()), 5)
    for way in times:
        assert re.search(rf" {way} +\d", small), way
    said = catalogue.caption("alpc")(state, "en")
    assert "the section wins from 256B on, direct reading loses at 16 MB." in said
    assert len(said) <= 2 * 78
    assert "16 MB에서 느림" in catalogue.caption("alpc")(state, "ko")


# Windows pipes.


def counted(role: str, t: int, call: str, moved: int) -> Counters:
    return Counters(t, role, 1, (Count(call, call, 4, "socket:[2]", 3, moved),))


def queue(t: int, waiting: int) -> Channel:
    ends = [
        {"process": role, "fd": 4, "object": "socket:[2]", "waiting": bytes_, "messages": None}
        for role, bytes_ in (("client", 0), ("instance", waiting))
    ]
    return Channel(t, "socket:[2]", type="socket", facts={"pair": True, "ends": ends})


def test_what_is_under_way_is_not_lost() -> None:
    everybody = (born("client", 11), born("instance", 12))
    name = {"name": "@x", "instances": ["instance"], "taken": ["instance"], "waiting": [], "mode": "message"}
    place = Channel(1, "name", type="socket", facts={**name, "strangers": {}, "object": "socket:[1]"})
    steps = [
        (counted("client", 10, "send", 300), counted("instance", 10, "recv", 0), queue(11, 300)),  # three under way
        (counted("client", 20, "send", 300), counted("instance", 20, "recv", 0)),
        (counted("client", 30, "send", 600), counted("instance", 30, "recv", 120), queue(31, 300)),  # 180 cut off
        (counted("client", 40, "send", 600), counted("instance", 40, "recv", 120)),
        (Process(45, "client", 13, "started"), counted("client", 50, "send", 0), counted("instance", 50, "recv", 120)),
    ]
    parameters = {"mode": "message", "peek": "off", "buffer": 40, "size": 100}
    state = folded("winpipe", "named-message", *everybody, place, **parameters)
    singly = state
    reduce = catalogue.channel("winpipe").reduce
    for records, lost in zip(steps, (0, 0, 0, 180, 180), strict=True):
        state = fold(state, list(records), reduce)
        for record in records:
            singly = fold(singly, [record], reduce)
        assert state.facts == singly.facts
        assert f"{lost} bytes lost" in picture("winpipe", state, 120, 36)


def test_of_many_clients_those_that_wait_come_first_and_the_rest_is_counted() -> None:
    everybody = [born(f"client{number}", number) for number in range(1, 13)]
    name = {"name": "@x", "instances": ["instance1"], "taken": ["instance1"], "mode": "byte", "strangers": {}}
    place = Channel(1, "name", type="socket", facts={**name, "waiting": ["client12"], "object": "s"})
    state = folded("winpipe", "instances", *everybody, born("instance1", 20), place)
    small = drawn(winpipe_pane.boxes(state, View()), 4)
    assert small.splitlines()[1].startswith(" client12 ■ WaitNamedPipe")
    assert len(re.findall(r"client\d+", small)) == 5
    assert "+7" in small
    assert len(set(re.findall(r"client\d+", drawn(winpipe_pane.boxes(state, View()), 8)))) == 12


def test_a_strangers_pid_stands_with_the_name() -> None:
    name = {"name": "@x", "instances": ["instance"], "taken": ["instance"], "waiting": [], "mode": "message"}
    place = Channel(1, "name", type="socket", facts={**name, "strangers": {"instance": "pid 77"}, "object": "s"})
    state = folded("winpipe", "named-message", born("client", 1), born("instance", 2), place)
    assert "1/1 instances taken · pid 77 ↔ instance" in picture("winpipe", state)
