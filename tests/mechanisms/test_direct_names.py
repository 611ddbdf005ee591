"""Names in direct communication: one that is taken away, one that is forged, sizes that do not fit."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctui.kernel.unix_sockets import table
from ipctui.lab.parameters import UsageError, settle
from ipctui.mechanisms.direct.caption import called, caption, doors, ends
from ipctui.mechanisms.direct.channel import CHANNEL
from tests.mechanisms.links import Open, complete, end, opened, prefix

pytestmark = pytest.mark.real


@pytest.fixture
def direct() -> Iterator[Open]:
    """Opens laboratories of direct communication."""
    yield from opened()


# rename


def test_renaming_fails_everybody_who_named_it_at_once_and_by_name(direct: Open) -> None:
    lab = direct("rename")
    complete(lab, "p1+q", "p2+q")
    assert lab.do("rename q s").startswith("done")
    lab.until(lambda: set(lab.lab.state.facts["refused"]) == {"p1", "p2"}, 2, "both refused")
    assert {row.name.rpartition("/")[2] for row in table() if row.listening and prefix(lab) in row.name} == {
        "p1",
        "p2",
        "s",
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knock, pytest.raises(ConnectionRefusedError):
        knock.connect(f"\0{prefix(lab)}/q")
    assert called(lab.lab.state, "q") == "s"
    # However many: each try has a socket of its own, and the counters' table has a row for each no more.
    lab.do("rate all 500")
    lab.until(lambda: lab.errors("p1", "connect").get("ECONNREFUSED", 0) > 150, 10, "the refusals counted")
    assert lab.process("p1").exited is None
    assert lab.do("rename s q").startswith("done")
    complete(lab, "p1+q", "p2+q")
    lab.until(lambda: not lab.lab.state.facts["refused"])
    assert lab.finish().proofs["refused_by_name"] > 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("q p1", "taken"),
        ("p1 x", "never looks at its door"),
        ("nobody x", "nobody is called nobody"),
        ("q a/b", "no name"),
        ("q", "write rename"),
    ],
)
def test_renames_that_cannot_be_are_refused_in_a_sentence(direct: Open, words: str, why: str) -> None:
    lab = direct("rename")
    complete(lab, "p1+q", "p2+q")
    outcome = lab.do(f"rename {words}")
    assert outcome.startswith("refused")
    assert why in outcome
    complete(lab, "p1+q", "p2+q")


def test_nobody_but_the_laboratory_can_give_the_order(direct: Open) -> None:
    lab = direct("rename")
    complete(lab, "p1+q", "p2+q")
    source = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET);s.connect('\\0'+sys.argv[1]);"
        "s.send(b'rename z');sys.stdin.read()"
    )
    with subprocess.Popen(["python3", "-c", source, f"{prefix(lab)}/q"], stdin=subprocess.PIPE) as child:
        lab.until(lambda: any(one["peer_pid"] == child.pid for one in ends(lab.lab.state)))
        received = lab.count("q", "recv")
        lab.until(lambda: lab.count("q", "recv") > received + 10)
        assert set(doors(lab.lab.state)) == {"p1", "p2", "q"}
        assert child.stdin is not None
        child.stdin.close()


# forged


def test_the_forger_is_refused_its_name_and_unmasked_by_its_credentials(direct: Open) -> None:
    lab = direct("forged")
    complete(lab, "p+q", "m+q")
    lab.until(lambda: lab.errors("m", "bind") == {"EADDRINUSE": 1}, what="the name refused to the forger")
    assert end(lab, "q", "m")["peer_pid"] == lab.process("m").pid
    lab.until(lambda: lab.lab.state.facts["claims"].get("m", {}).get("count", 0) > 10, what="ten lies of m's")
    assert set(lab.lab.state.facts["claims"]) == {"m"}
    assert lab.lab.state.facts["claims"]["m"]["as"] == "p"
    lab.until(lambda: f"pid {lab.process('m').pid}" in caption(lab.lab.state, "en"))
    lab.do("hold m")
    lab.do("hold p")
    lab.until(lambda: lab.is_in("m", "held") and lab.is_in("p", "held") and lab.is_in("q", "blocked", "poll"))
    lab.until(lambda: (q := lab.process("q").counters) and (p := lab.process("p").counters) and q.received == p.sent)
    recvs = lab.count("q", "recv")
    q = lab.process("q").counters
    assert q is not None
    assert recvs > q.received + 10


def test_a_forger_who_comes_first_keeps_neither_the_name_nor_the_link(direct: Open) -> None:
    lab = direct("forged", start="held")
    lab.do("release m")
    lab.do("release q")
    lab.until(lambda: any(call.result == 0 for call in lab.calls("m", "connect")), what="m knocks as p before p")
    assert any("p+q" in call.args for call in lab.calls("m", "bind") if call.result == 0)
    complete(lab, "m+q")
    assert end(lab, "q", "m")["peer_pid"] == lab.process("m").pid
    assert lab.process("q").counters is not None
    lab.until(lambda: lab.lab.state.facts["claims"].get("m", {}).get("count", 0) > 3)
    lab.until(lambda: lab.count("q", "recv") > 5)
    counters = lab.process("q").counters
    assert counters is not None
    assert counters.received == 0, "q counts nothing that m says in p's name"
    lab.do("release p")
    complete(lab, "p+q", "m+q")
    assert end(lab, "q", "p")["peer_pid"] == lab.process("p").pid
    lab.until(lambda: (now := lab.process("q").counters) is not None and now.received > 3, what="p is heard")


def test_links_made_later_take_the_mode_that_was_chosen(direct: Open) -> None:
    lab = direct("asymmetric", start="held")
    for role in ("p1", "q"):
        assert lab.do(f"nonblocking {role}").startswith("done")
    lab.do("release q")
    lab.do("release p1")
    complete(lab, "p1+q")
    for role in ("p1", "q"):
        fds = [one["fd"] for one in ends(lab.lab.state) if one["process"] == role]
        assert fds
        for fd in fds:
            info = Path(f"/proc/{lab.process(role).pid}/fdinfo/{fd}").read_text()
            flags = next(int(line.split()[1], 8) for line in info.splitlines() if line.startswith("flags"))
            assert flags & os.O_NONBLOCK
    assert lab.do("blocking p1").startswith("done")
    lab.do("hold q")
    lab.do("rate p1 0")
    lab.until_state("p1", "blocked", "send")


# Bad input.


@pytest.mark.parametrize(
    ("variant", "values", "why"),
    [("symmetric", {"size": 60000}, "EMSGSIZE"), ("forged", {"size": 10}, "room for a sender's name")],
)
def test_sizes_that_do_not_fit(variant: str, values: dict[str, int], why: str) -> None:
    chosen = next(one for one in CHANNEL.variants if one.name == variant)
    settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
    with pytest.raises(UsageError, match=why):
        CHANNEL.check(chosen, settled)


def test_the_largest_size_that_is_let_pass_is_sent(direct: Open) -> None:
    lab = direct("asymmetric", size=2 * 2304 - 64)
    complete(lab, "p1+q", "p2+q")
    lab.until(lambda: (now := lab.process("q").counters) is not None and now.received > 4)
    assert lab.process("p1").exited is None
