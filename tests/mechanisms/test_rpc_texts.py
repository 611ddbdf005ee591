"""Lessons, captions and C listings of rpc and xdr: whole, in both languages, and fit for a narrow pane."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ipctui.lab.commands import check
from ipctui.lab.fold import fold
from ipctui.lab.listing import Listing
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.mechanisms.rpc.channel import CHANNEL as RPC
from ipctui.mechanisms.xdr.channel import CHANNEL as XDR
from ipctui.trace.records import Channel, Event, Header, Process
from ipctui.widgets.canvas import wrapped
from ipctui.widgets.language import in_language, is_translated
from ipctui.widgets.view import View
from tests.mechanisms.test_listings import columns

HANGUL = re.compile("[가-힣]")
MECHANISMS = {"rpc": RPC, "xdr": XDR}
FOLDERS = {name: Path(catalogue.__file__).parent / name for name in MECHANISMS}
LISTINGS = sorted(path for folder in FOLDERS.values() for path in (folder / "listing").glob("*.c"))
PROGRAM = 0x20000099


@pytest.mark.parametrize("name", MECHANISMS)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_narrow_lines(name: str, language: str) -> None:
    lines = (FOLDERS[name] / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert sorted(line[3:] for line in lines if line.startswith("## ")) == sorted(
        variant.name for variant in MECHANISMS[name].variants
    )
    assert max(map(columns, lines)) <= 76
    assert len(lines) < 120


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_variant_has_its_listing_and_none_is_left_over(name: str) -> None:
    used = {MECHANISMS[name].listing(variant) for variant in MECHANISMS[name].variants}
    assert used == {path.read_text() for path in LISTINGS if path.parent.parent.name == name}


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
def test_a_listing_fits_the_pane(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert 25 <= len(lines) <= 48
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() and "\t" not in line and line.isascii() for line in lines)
    assert lines[0].startswith(f"/* {path.stem}: ")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
def test_a_listing_compiles_without_a_warning(path: Path) -> None:
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def event(t: int, name: str, process: str, number: int = 7, raw: bytes = b"") -> Event:
    return Event(t, name, process, {"number": number, "bytes": raw.hex(), "size": len(raw)})


def after(variant: str, *names: str, program: int = PROGRAM) -> LabState:
    """The state after a call to which all this happened."""
    marshalled = bytes(12) + program.to_bytes(4, "big")
    records = [Header("rpc", variant, {}), *(Process(0, role, 1, "started") for role in ("client", "link", "server"))]
    records += [event(1, "deposit", "client"), event(2, "marshalled", "client", raw=marshalled)]
    records += [event(3 + place, name, "server") for place, name in enumerate(names)]
    return fold(LabState(), records, RPC.reduce)


STORIES = [
    ("maybe", ("sent", "executed", "reply dropped", "believes failed"), "maybe never asks again"),
    ("maybe", ("sent", "call dropped", "believes failed"), "ran 0×"),
    (
        "at-least-once",
        ("sent", "executed", "reply dropped", "sent again", "executed", "believes done"),
        "ran 2×",
    ),
    (
        "at-most-once",
        ("sent", "executed", "reply dropped", "sent again", "duplicate suppressed", "believes unknown"),
        "cannot know",
    ),
    (
        "at-most-once",
        ("sent", "executed", "reply dropped", "sent again", "duplicate suppressed", "believes done"),
        "knew the duplicate",
    ),
    (
        "exactly-once",
        ("sent", "executed", "committed", "reply dropped", "sent again", "duplicate suppressed", "believes done"),
        "the client knows",
    ),
    ("exactly-once", ("sent", "executed", "reply dropped"), "still waits"),
    ("side-by-side", ("sent", "executed", "reply dropped", "believes failed"), "maybe 1× failed"),
    ("maybe", (), "drops the next reply"),
    ("local", (), "what does each cost"),
    ("fixed-port", (), "written into the client"),
    ("matchmaker", (), "GETPORT"),
]


@pytest.mark.parametrize(("variant", "names", "said"), STORIES)
def test_a_caption_tells_what_became_of_a_call_in_two_lines_and_two_languages(
    variant: str, names: tuple[str, ...], said: str
) -> None:
    state = after(variant, *names)
    caption = catalogue.caption("rpc")
    assert said in caption(state, "en")
    assert HANGUL.search(caption(state, "ko"))
    for language in ("en", "ko"):
        lines = wrapped(caption(state, language), 78, 9)
        assert len(lines) <= 3
        assert variant != "side-by-side" or len(lines) <= 2, "the table needs the room"


@pytest.mark.parametrize("where", ["before", "uncommitted", "unanswered", "after"])
def test_a_caption_tells_where_the_server_was_killed(where: str) -> None:
    state = after("exactly-once", "sent", "executed", f"killed {where}")
    state = fold(state, [Process(99, "server", 1, "exited", status="signal SIGKILL")], RPC.reduce)
    caption = catalogue.caption("rpc")
    assert "killed" in caption(state, "en")
    assert "SIGKILL" in caption(state, "ko")
    assert len(wrapped(caption(state, "en"), 78, 9)) <= 3


@pytest.mark.parametrize("xdr", [True, False])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_caption_of_data_representation(xdr: bool, language: str) -> None:
    facts = {"kind": "int32", "value": "1", "sender": "little64", "receiver": "big64", "port": 1, "xdr": xdr}
    read = b"1" if xdr else b"16,777,216"
    records = [Channel(1, "agreement", type="agreement", facts=facts), event(2, "arrived", "r", raw=b"\1\0\0\0")]
    state = fold(LabState(), [*records, event(3, "read", "r", raw=read)], XDR.reduce)
    said = catalogue.caption("xdr")(state, language)
    assert read.decode() in said
    assert bool(HANGUL.search(said)) == (language == "ko")
    assert len(wrapped(said, 78, 9)) <= 3


@pytest.mark.parametrize(
    ("kind", "receiver", "raw", "read", "english", "korean"),
    [
        ("struct", "big64", bytes(24), "{1, 512}", "their order is not agreed on", "순서의 약속"),
        ("struct", "little32", bytes(24), "{1, 2, 1, 1, 0} (+4 bytes)", "where each member lies is not", "자리의 약속"),
        ("string", "big64", b"Hello\0", "'Hello'", "single bytes have no order", "순서가 없고"),
        ("int32", "little64", b"\1\0\0\0", "1", "both lay this value out alike", "배치가 같으니"),
    ],
)
def test_the_caption_says_what_differs_between_two_machines(
    kind: str, receiver: str, raw: bytes, read: str, english: str, korean: str
) -> None:
    value = "Hello" if kind == "string" else "1"
    facts = {"kind": kind, "value": value, "sender": "little64", "receiver": receiver, "port": 1, "xdr": False}
    records = [Channel(1, "agreement", type="agreement", facts=facts), event(2, "arrived", "r", raw=raw)]
    state = fold(LabState(), [*records, event(3, "read", "r", raw=read.encode())], XDR.reduce)
    for language, wanted in (("en", english), ("ko", korean)):
        said = catalogue.caption("xdr")(state, language)
        assert wanted in said
        assert len(wrapped(said, 78, 9)) <= 3


IN_USE = "another program has UDP port 30501 (EADDRINUSE; `ss -lunp -ltnp` says which); take another"
NOT_YOURS = (
    "ports below 1024 are not for every user (EACCES; /proc/sys/net/ipv4/ip_unprivileged_port_start says 1024); "
    "take a higher one"
)


def test_why_a_process_sleeps_and_what_comes_of_orders_are_translated() -> None:
    for said in (
        "no reply yet",
        "no call on its sockets",
        "no packet on the road",
        "the next reply",
        "the first reply of each of the next 4 calls",
        "the server moves from port 30500 to 30501",
        "move 30500: the server is there",
        "move: nobody here would find the server again; the variants fixed-port and matchmaker are about that",
        f"move 30501: {IN_USE}",
        f"move 7: {NOT_YOURS}",
    ):
        assert is_translated("ko", said)
        assert HANGUL.search(in_language("ko", said))


def end(process: str, fd: int, local: int, peer: int = 0, protocol: str = "udp") -> Channel:
    """A socket of rpc, as the observer tells it."""
    facts = {"process": process, "fd": fd, "protocol": protocol, "local": f"127.0.0.1:{local}", "unsent": 0}
    facts |= {"peer": f"127.0.0.1:{peer}" if peer else "*", "state": "CLOSE", "taken": 0, "drops": 0}
    return Channel(1, f"socket:[{process}{fd}]", type="socket", facts=facts)


SERVER = (end("server", 4, 54689), end("server", 5, 54689, protocol="tcp"))


@pytest.mark.parametrize(
    ("variant", "ends", "cards"),
    [
        (
            "maybe",
            (*SERVER, end("link", 3, 50981), end("link", 4, 41923), end("client", 3, 37668, 50981)),
            {"client": "3 :37668 ▸ link:50981", "link": "3 udp :50981 +1", "server": "4 udp, 5 tcp :54689"},
        ),
        (
            "fixed-port",
            (*SERVER, end("server", 6, 54689, 40000, "tcp"), end("client", 3, 37668, 54689)),
            {"client": "3 :37668 ▸ server:54689", "server": "4 udp, 5 tcp :54689 +1"},
        ),
        ("maybe", tuple(end("link", fd, 50000 + fd) for fd in range(3, 12)), {"link": "3 udp :50003 +8"}),
    ],
)
def test_a_card_tells_its_sockets_whole_and_counts_the_rest(
    variant: str, ends: tuple[Channel, ...], cards: dict[str, str]
) -> None:
    roles = ("client", "link", "server") if variant == "maybe" else ("client", "server")
    state = fold(LabState(), [Header("rpc", variant, {}), *(Process(0, role, 1, "started") for role in roles), *ends])
    picture = catalogue.pane("rpc").draw(state, View(), 80, 24).text()
    for text in cards.values():
        assert f"│{text}" in picture or f"┃{text}" in picture, picture
    assert not re.search(r":\d+…", picture)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_the_fixed_client_believes_is_in_sight_at_80_columns(language: str) -> None:
    roles = ("client", "server", "matchmaker", "fixed")
    records = [Header("rpc", "matchmaker", {}), *(Process(0, role, 1, "started") for role in roles)]
    records += [*SERVER, end("matchmaker", 3, 30111), event(1, "registered", "server", 54689)]
    records += [event(1, "looked up", "client", 54689), event(1, "deposit", "fixed"), event(2, "sent", "fixed")]
    records += [event(3, "believes failed", "fixed")]
    picture = catalogue.pane("rpc").draw(fold(LabState(), records, RPC.reduce), View(language=language), 80, 24).text()
    line = next(line for line in picture.splitlines() if "GETPORT ▸ 54689" in line)
    assert ("believes FAILED" if language == "en" else "생각: 실패") in line
    assert "…" not in line


SIZES = [(80, 24), (120, 36), (200, 60)]


def xdr_state(kind: str, value: str, raw: bytes, read: str) -> LabState:
    facts = {"kind": kind, "value": value, "sender": "this", "receiver": "big64", "port": 1, "xdr": False}
    records = [
        Header("xdr", kind, {}),
        *(Process(0, role, 1, "started") for role in ("sender", "receiver")),
        Channel(1, "agreement", type="agreement", facts=facts),
        event(1, "stored", "sender", raw=raw),
        event(2, "arrived", "receiver", raw=raw),
        event(3, "read", "receiver", raw=read.encode()),
    ]
    return fold(LabState(), records, XDR.reduce)


STATES = [
    ("rpc", LabState()),
    *(("rpc", after(variant, *names)) for variant, names, _ in STORIES),
    ("xdr", LabState()),
    ("xdr", xdr_state("int32", "1", b"\1\0\0\0", "16,777,216")),
    ("xdr", xdr_state("struct", "1", bytes(24), "{0, 0, 0, 0, 0}")),
    ("xdr", xdr_state("string", "\x1b[2J한글", b"\x1b[2J", "'x'")),
]


@pytest.mark.parametrize(("name", "state"), STATES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_pane_is_drawn_whole_at_every_size(name: str, state: LabState, size: tuple[int, int]) -> None:
    pane = catalogue.pane(name)
    for language in ("en", "ko"):
        for zoom in ("", *(offer.zoom for offer in pane.offers if offer.zoom)):
            frame = pane.draw(state, View(language=language, zoom=zoom, now=9), *size)
            assert len(frame.rows) == size[1]
            assert all(columns("".join(text for text, _ in row)) == size[0] for row in frame.rows)
            assert "\x1b" not in frame.text()
    plain = pane.draw(state, View(ascii=True, now=9), *size).text()
    assert plain.isascii()


@pytest.mark.parametrize("name", MECHANISMS)
def test_what_the_number_keys_do_is_a_command_that_exists(name: str) -> None:
    for mechanism, state in STATES:
        if mechanism != name:
            continue
        for offer in catalogue.pane(name).offers:
            if offer.command is not None and (said := offer.command(state, View())):
                check(said, MECHANISMS[name].commands)


def test_the_server_is_moved_only_where_somebody_could_find_it() -> None:
    offer = next(offer for offer in catalogue.pane("rpc").offers if offer.key == "9")
    assert offer.command is not None
    said = {variant.name: offer.command(after(variant.name), View()) for variant in RPC.variants}
    assert {name for name, order in said.items() if order} == {"fixed-port", "matchmaker"}


def test_the_programs_of_all_parts_are_listed_and_their_lines_are_right() -> None:
    listing = Listing("ipctui.mechanisms.rpc.program")
    source = listing.source.splitlines()
    functions = listing.describe()["functions"]
    for name in ("client", "deposit", "serve", "link", "link_tcp", "matchmaker", "caller", "callee"):
        first, last = functions[name]
        assert source[first - 1].startswith(f"def {name}("), name
        assert first < last
    names = [line.removeprefix("def ").partition("(")[0] for line in source if line.startswith("def ")]
    assert len(names) == len(set(names)), "functions are told apart by their names"
    assert listing.line("serve", 0) is not None
    assert listing.line("nobody", 0) is None
    assert max(map(len, source)) <= 120
