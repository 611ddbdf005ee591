"""Mach, ALPC and Windows pipes without processes: pictures, words, lessons, listings, from records made by hand."""

import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ipctui.lab.fold import fold
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.mechanisms.alpc import pane as alpc_pane
from ipctui.mechanisms.mach import pane as mach_pane
from ipctui.mechanisms.mach.looker import parse_carried
from ipctui.mechanisms.winpipe import pane as winpipe_pane
from ipctui.trace.records import (
    Before,
    Call,
    Channel,
    Counters,
    Descriptors,
    Header,
    Held,
    Process,
    Record,
    Settings,
    State,
)
from ipctui.widgets.canvas import width_of
from ipctui.widgets.sizes import crossing, size_lines, size_text, time_text
from ipctui.widgets.standin import StandIn, rules_line, standin_lines, title_span
from ipctui.widgets.view import View

NAMES = ("winpipe", "mach", "alpc")
FOLDERS = {name: Path(catalogue.__file__).parent / name for name in NAMES}
VARIANTS = [(name, one.name) for name in NAMES for one in catalogue.channel(name).variants]
STANDINS = (alpc_pane.STANDIN, mach_pane.STANDIN, winpipe_pane.ANONYMOUS, winpipe_pane.NAMED)
LATER = 60_000_000_000
SIZES = [(80, 24), (120, 36), (200, 60)]


def folded(mechanism: str, variant: str, *records: Record, **parameters: Any) -> LabState:
    header = Header(mechanism, variant, parameters)
    return fold(LabState(), [header, *records], catalogue.channel(mechanism).reduce)


def born(role: str, pid: int, program: str = "") -> Process:
    return Process(0, role, pid, "started", program=program or role)


def blocked(role: str, pid: int, call: str, obj: str, reason: str, *wakers: str) -> State:
    before = Before(call, "4", 4)
    return State(3, role, pid, "blocked", before, obj, since=2, reason=reason, wakers=wakers, syscall=call)


# ALPC.


def measures(way: str, size: int, last: int, count: int = 1) -> Channel:
    row = {"way": way, "size": size, "count": count, "last": last, "median": last, "least": last, "process": "client"}
    return Channel(2, "measures", type="measures", facts={"rows": [row], "latest": row})


def alpc(way: str, size: int, *more: Record, variant: str = "small", **parameters: Any) -> LabState:
    everybody = (born("client", 11), born("server", 12))
    return folded("alpc", variant, *everybody, measures(way, size, 12_300), *more, **parameters)


@pytest.mark.parametrize(
    ("way", "size", "told"),
    [
        ("port", 64, "the textbook's figure"),
        ("section", 512, "in the section that both map"),
        ("direct", 8192, "one copy by the kernel"),
    ],
)
def test_the_way_is_told_with_its_copies_and_its_time(way: str, size: int, told: str) -> None:
    state = alpc(way, size)
    said = catalogue.caption("alpc")(state, "en")
    assert told in said
    assert "12.3 µs" in said
    assert "12.3 µs" in catalogue.caption("alpc")(state, "ko")
    picture = catalogue.pane("alpc").draw(state, View(now=LATER), 80, 24).text()
    lit = next(line for line in picture.splitlines() if "▶" in line)
    assert way in lit
    assert "12.3 µs" in lit
    assert "256" in picture
    assert "4,096" in picture


def test_a_refused_read_names_the_permission_that_it_needs() -> None:
    refused = Call("client", 11, "recv", "recvfrom", '4, "@refused EPERM", 256, 0', 14, 1, 2, fd=4)
    state = alpc("pieces", 65536, refused, variant="direct-read")
    said = catalogue.caption("alpc")(state, "en")
    for words in ("EPERM", "dumpable", "CAP_SYS_PTRACE", "PR_SET_PTRACER"):
        assert words in said
    assert state.facts["unread"] == 1
    assert "EPERM" in catalogue.pane("alpc").draw(state, View(now=LATER), 80, 24).text()


def test_the_handshake_lights_up_step_by_step() -> None:
    def call(role: str, name: str, args: str, end: int, result: int = 1) -> Call:
        return Call(role, 1, name, name, args, result, end - 1, end)

    steps = [
        call("client", "connect", "3", 10, 0),
        call("server", "recv", '4, "@connect client", 256, 0', 20),
        call("server", "socketpair", "", 30, 0),
        call("server", "sendmsg", '4, {msg_iov=[{iov_base="@accepted"}], msg_control=[1 descriptor]}, 0', 40),
        call("client", "recvmsg", '3, {msg_iov=[{iov_base="@accepted"}], msg_control=[1 descriptor]}, 0', 50),
    ]
    for count in range(len(steps) + 1):
        state = folded("alpc", "connect", born("client", 11), born("server", 12), *steps[:count])
        picture = catalogue.pane("alpc").draw(state, View(now=LATER), 120, 36).text()
        line = next(line for line in picture.splitlines() if "handshake" in line)
        assert line.count("●") == count
    assert state.facts["accepted"] == 1


def test_refusals_are_counted_and_the_way_out_is_named() -> None:
    no = Call("client2", 13, "recvmsg", "recvmsg", '3, {msg_iov=[{iov_base="@refused"}]}, 0', 8, 1, 2)
    asked = Call("client2", 13, "connect", "connect", "3", 0, 0, 1)
    yes = Call("client1", 11, "recvmsg", "recvmsg", '3, {iov_base="@accepted"}, msg_control=[1 descriptor]', 9, 1, 2)
    also = Call("client1", 11, "connect", "connect", "3", 0, 0, 1)
    everybody = (born("client1", 11), born("client2", 13), born("server", 12))
    state = folded("alpc", "refused", *everybody, also, yes, asked, no, accepts=1)
    said = catalogue.caption("alpc")(state, "en")
    assert said.startswith("client2 asked and was refused")
    assert "k on client1" in said
    assert state.facts["refused"] == 1


# Mach.


def port(name: str, receive: str = "receiver", send: str = "sender", count: int = 0, **more: Any) -> Channel:
    holders = {
        "receive": [{"process": receive, "fd": 3, "object": "socket:[1]"}] if receive else [],
        "send": [{"process": send, "fd": 4, "object": "socket:[2]"}] if send else [],
    }
    facts = {"port": True, "special": "", **holders, "watched": 0, "taken": 768 * count, "room": 4608}
    facts |= {"dead": not receive, "carried": 0, **more}
    return Channel(
        2, f"port {name}", used=768 * count, capacity=4608, count=count, name=name, type="socket", facts=facts
    )


def mach(variant: str, *records: Record, **parameters: Any) -> LabState:
    everybody = (born("kernel", 10), born("sender", 11), born("receiver", 12))
    return folded("mach", variant, *everybody, *records, **parameters)


def test_a_full_port_is_told_with_what_is_in_it() -> None:
    reason = "port P full (6 messages, 4,608 of 4,608 bytes of kernel memory)"
    asleep = blocked("sender", 11, "sendmsg", "socket:[2]", reason, "receiver")
    state = mach("message", port("P", count=6), asleep, Settings(1, "receiver", True, 20, 64))
    said = catalogue.caption("mach")(state, "en")
    assert "6 messages, 4,608/4,608 bytes" in said
    assert "You hold receiver" in said
    assert "4,608/4,608" in catalogue.caption("mach")(state, "ko")
    assert "▮▮▮▮▮▮" in catalogue.pane("mach").draw(state, View(now=LATER), 80, 24).text()


def test_rights_stand_beside_their_descriptors() -> None:
    picture = catalogue.pane("mach").draw(mach("message", port("P")), View(now=LATER), 80, 24).text()
    assert "P▸4" in picture
    assert "P◂3" in picture


def test_a_dead_name_a_notification_and_too_many_rights_are_sentences() -> None:
    dead = Call("sender", 11, "sendmsg", "sendmsg", "4", -1, 1, 2, errno="EPIPE")
    told = Call("sender", 11, "recvmsg", "recvmsg", '7, {msg_iov=[{iov_base="@dead-name P"}]}, 0', 12, 3, 4)
    state = mach("message", dead, told, port("P", receive=""))
    said = catalogue.caption("mach")(state, "en")
    assert "dead name" in said
    assert "dead-name P" in said
    assert "✝" in catalogue.pane("mach").draw(state, View(now=LATER), 80, 24).text()
    many = "4, {msg_iov=[], msg_control=[254 descriptors]}, 0"
    refused = Call("sender", 11, "sendmsg", "sendmsg", many, -1, 5, 6, errno="EINVAL")
    said = catalogue.caption("mach")(mach("message", refused), "en")
    assert "254 rights" in said
    assert "253" in said


def test_a_right_under_way_belongs_to_nobody() -> None:
    sent = '8, {msg_iov=[{iov_base="@right send"}], msg_control=[1 descriptor]}, 0'
    moved = Call("alice", 11, "sendmsg", "sendmsg", sent, 11, 1, 2)
    everybody = (born("kernel", 10), born("alice", 11), born("bob", 13), born("receiver", 12))
    state = folded("mach", "rights", *everybody, moved, port("P", send=""))
    assert "nobody can send" in catalogue.caption("mach")(state, "en")
    assert state.facts["moved"] == 1
    state = folded("mach", "rights", *everybody, moved, port("P", send="bob"))
    assert "Only bob (descriptor 4)" in catalogue.caption("mach")(state, "en")


@given(st.text())
def test_carried_rights_are_read_from_anything(text: str) -> None:
    assert parse_carried(text) >= 0


def test_carried_rights_are_read() -> None:
    assert parse_carried("pos:\t0\nflags:\t02\nscm_fds: 3\n") == 3
    assert parse_carried("pos:\t0\n") == 0


# Windows pipes.


def handles(*inherited: int) -> tuple[Record, ...]:
    def call(name: str, args: str, result: int = 0, fd: int | None = None) -> Call:
        return Call("parent", 11, name, name, args, result, 1, 2, fd=fd)

    made = [
        call("pipe2", "[3, 4], O_CLOEXEC"),
        call("memfd_create", '"settings", 0x1', 5),
        call("memfd_create", '"log", 0x1', 6),
    ]
    stated = [call("fcntl", f"{fd}, F_SETFD, 0", 0, fd) for fd in inherited]
    return (born("parent", 11), *made, *stated, born("child", 12))


def test_the_table_of_handles_tells_stated_and_got() -> None:
    executed = Call("child", 12, "execve", "execve", '"child 3 5"', 0, 3, 4)
    rows = (Held(3, "pipe:[1]", "read"), Held(5, "/memfd:settings", "read-write"))
    state = folded("winpipe", "anonymous", *handles(3, 5))
    assert "fork has copied all 4" in catalogue.caption("winpipe")(state, "en")
    state = fold(state, [executed, Descriptors(5, "child", rows)], catalogue.channel("winpipe").reduce)
    said = catalogue.caption("winpipe")(state, "en")
    assert "got the 2" in said
    assert "4 (write end), 6 (log)" in said
    picture = catalogue.pane("winpipe").draw(state, View(now=LATER), 80, 24).text()
    assert picture.count("child has it") == 2
    assert picture.count("× withheld") == 2
    leaked = fold(
        folded("winpipe", "leaked", *handles(3, 4, 5)),
        [executed, Descriptors(5, "child", (*rows, Held(4, "pipe:[1]", "write")))],
        catalogue.channel("winpipe").reduce,
    )
    assert "LEAKED 4" in catalogue.pane("winpipe").draw(leaked, View(now=LATER), 80, 24).text()


@pytest.mark.parametrize(
    ("mode", "reads", "told"), [("byte", (192,), "read as one"), ("message", (64,) * 3, "three messages")]
)
def test_sends_and_reads_are_told_by_mode(mode: str, reads: tuple[int, ...], told: str) -> None:
    def call(role: str, name: str, result: int, args: str = "") -> Call:
        return Call(role, 1, name, name, args, result, 1, 2)

    talk = [call("client", "connect", 0), call("client", "recv", 10, '3, "@instance\\n", 65536, 0')]
    talk += [call("client", "send", 64)] * 3
    talk += [call("instance", "clock_nanosleep", 0), *(call("instance", "recv", size) for size in reads)]
    everybody = (born("client", 11), born("instance", 12))
    state = folded("winpipe", f"named-{mode}", *everybody, *talk, mode=mode, buffer=4096)
    assert told in catalogue.caption("winpipe")(state, "en")
    picture = catalogue.pane("winpipe").draw(state, View(now=LATER), 120, 36).text()
    assert "sends 64 64 64" in picture
    assert f"reads {' '.join(map(str, reads))}" in picture


def test_peeking_is_no_reading() -> None:
    peek = Call("instance", 12, "recv", "recvfrom", "4, NULL, 0, MSG_PEEK|MSG_TRUNC", 64, 1, 2)
    state = folded("winpipe", "named-message", born("instance", 12), peek)
    assert not state.facts.get("reads", {}).get("instance")


# All of them.


def some_states() -> list[Callable[[], LabState]]:
    return [
        LabState,
        lambda: alpc("section", 512),
        lambda: alpc("copied", 4096, variant="measure"),
        lambda: mach("message", port("P", count=3)),
        lambda: mach("out-of-line"),
        lambda: folded("winpipe", "anonymous", *handles(3, 5)),
        lambda: folded("winpipe", "named-byte", born("client", 1), born("instance", 2)),
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("zoom", ["", "processes", "contents", "time", "program", "calls"])
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("make", some_states())
def test_every_pane_fits_every_size_and_ascii(
    size: tuple[int, int], zoom: str, language: str, make: Callable[[], LabState]
) -> None:
    state = make()
    names = NAMES if state.header is None else (state.header.mechanism,)
    for name in names:
        frame = catalogue.pane(name).draw(state, View(zoom=zoom, language=language), *size)
        assert (frame.width, frame.height, len(frame.rows)) == (*size, size[1])
        assert all(sum(cell_len(text) for text, _ in row) == size[0] for row in frame.rows)
        assert catalogue.pane(name).draw(state, View(zoom=zoom, ascii=True), *size).text().isascii()


@pytest.mark.parametrize("standin", STANDINS, ids=lambda one: one.system)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_face_says_what_stands_for_what_and_who_keeps_which_rule(standin: StandIn, language: str) -> None:
    title, _ = title_span(standin, language, 71)
    assert title.count(" = ") >= 2
    line = rules_line(standin, language, 78)
    assert width_of(line) <= 78, "".join(text for text, _ in line)
    assert [role for _, role in line if role != "text"] == ["title", "warning", "error"]
    whole = "\n".join("".join(text for text, _ in line) for line in standin_lines(standin, language, 76))
    for rule in (*standin.kernel, *standin.programs, *standin.missing):
        assert (rule.get(f"{language}+") or rule[language])[:30] in whole
    for part in standin.parts:
        assert part.name in whole
    longest = max(sum(cell_len(text) for text, _ in line) for line in standin_lines(standin, language, 76))
    assert longest <= 76


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_has_its_listing_and_none_is_left_over(name: str) -> None:
    listed = sorted(path.stem for path in (FOLDERS[name] / "listing").iterdir())
    assert listed == sorted(variant for owner, variant in VARIANTS if owner == name)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_listings_fit(name: str, variant: str) -> None:
    text = (FOLDERS[name] / "listing" / f"{variant}.c").read_text()
    lines = text.splitlines()
    assert 30 <= len(lines) <= 60
    assert max(map(len, lines)) <= 76
    assert text.isascii()
    assert lines[0].startswith(f"/* {variant}: ")
    assert all(line == line.rstrip() and "\t" not in line for line in lines)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_listings_compile_without_a_warning(name: str, variant: str) -> None:
    path = FOLDERS[name] / "listing" / f"{variant}.c"
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_narrow_lines(name: str, language: str) -> None:
    lines = (FOLDERS[name] / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == [
        variant for owner, variant in VARIANTS if owner == name
    ]
    assert max(sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) for line in lines) <= 76


@pytest.mark.parametrize("name", NAMES)
def test_summaries_come_of_nothing(name: str) -> None:
    proofs = catalogue.channel(name).summary({}, {"a": Counters(1, "a", 1, sent=3, received=2, whole=2)})
    assert (proofs["sent_messages"], proofs["received_messages"]) == (3, 2)


# The table of sizes.


def test_times_and_sizes_have_short_names() -> None:
    assert [size_text(size) for size in (256, 4096, 1 << 20, 5000)] == ["256", "4 K", "1 M", "5000"]
    assert [time_text(time) for time in (999, 12_340, 1_234_000, 123_400_000)] == [
        "999 ns",
        "12.3 µs",
        "1.23 ms",
        "123 ms",
    ]


def test_a_crossing_holds_for_every_larger_size() -> None:
    assert crossing({1: 10, 2: 20, 4: 40}, {1: 12, 2: 18, 4: 30}) == 2
    assert crossing({1: 10, 2: 20, 4: 40}, {1: 8, 2: 25, 4: 30}) == 4
    assert crossing({1: 10}, {1: 20}) is None
    assert crossing({}, {}) is None


@given(
    st.dictionaries(
        st.sampled_from(["copied", "section", "직접"]),
        st.dictionaries(st.sampled_from([1 << shift for shift in range(38)]), st.integers(0, 1 << 44)),
    ),
    st.integers(20, 200),
)
def test_the_table_of_sizes_fits_any_width(ways: dict[str, dict[int, int]], width: int) -> None:
    sizes = sorted({size for way in ways.values() for size in way})
    for line in size_lines(ways, sizes, width):
        assert width_of(line) <= max(width, 26)
