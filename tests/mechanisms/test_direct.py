"""What a class must see of direct communication, with real processes, checked by ss(8), lsof(8) and /proc."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ipctui.kernel.unix_sockets import table
from ipctui.lab.parameters import UsageError, settle
from ipctui.mechanisms.direct.caption import called, caption, doors, ends
from ipctui.mechanisms.direct.channel import CHANNEL
from ipctui.mechanisms.direct.pane import PANE
from ipctui.trace.records import Channel
from ipctui.widgets.view import View
from tests.lab.conftest import Bench, waited
from tests.mechanisms.laboratories import Laboratories

pytestmark = pytest.mark.real

Open = Callable[..., Bench]


@pytest.fixture
def direct() -> Iterator[Open]:
    """Opens laboratories of direct communication: `direct("rename", rate=50)`; no name is left at the end."""
    laboratories = Laboratories()
    yield partial(laboratories.open, "direct")
    prefixes = [lab.workers.plan.given["prefix"] for lab in laboratories.labs]
    laboratories.close()
    waited(lambda: not [row for row in table() for prefix in prefixes if prefix in row.name], 5, "every name gone")


def links(lab: Bench) -> dict[str, Channel]:
    """The open links by name."""
    return {
        channel.now.name or "": channel.now
        for channel in lab.lab.state.channels.values()
        if channel.now.facts.get("link") and not channel.now.closed
    }


def complete(lab: Bench, *names: str) -> None:
    """Wait until exactly these links are there, let in at both ends."""
    lab.until(
        lambda: set(links(lab)) == set(names) and all(len(one.facts["ends"]) == 2 for one in links(lab).values()),
        what=f"links {names}",
    )


def end(lab: Bench, process: str, peer: str) -> dict[str, Any]:
    return next(one for one in ends(lab.lab.state) if (one["process"], one["peer"]) == (process, peer))


def prefix(lab: Bench) -> str:
    return str(lab.lab.workers.plan.given["prefix"])


def said_by_ss(lab: Bench) -> dict[str, tuple[int, int, int]]:
    """By the name of a connected socket of the session: inode, peer's inode, pid, as ss(8) has them."""
    said = subprocess.run(["ss", "-xpnH"], capture_output=True, text=True, check=True).stdout
    wanted = rf"@{re.escape(prefix(lab))}/(\S+)\s+(\d+)\s+\S+\s+(\d+)\s+users:.*?pid=(\d+)"
    return {found[1]: (int(found[2]), int(found[3]), int(found[4])) for found in re.finditer(wanted, said)}


# One link a pair.


@pytest.mark.parametrize(
    ("variant", "names"),
    [
        ("symmetric", ("p+q", "p+r", "q+r")),
        ("asymmetric", ("p1+q", "p2+q")),
        ("rename", ("p1+q", "p2+q")),
        ("forged", ("p+q", "m+q")),
    ],
)
def test_every_pair_that_talks_has_exactly_one_link(direct: Open, variant: str, names: tuple[str, ...]) -> None:
    lab = direct(variant)
    complete(lab, *names)
    bound = sorted(row.name.rpartition("/")[2] for row in table() if prefix(lab) in row.name and "+" in row.name)
    assert bound == sorted(names)
    lab.until(lambda: all(seen.counters and sum(c.calls for c in seen.counters.calls) > 40 for seen in lab.lab.seen))
    proofs = lab.finish().proofs
    assert proofs["links"] == proofs["pairs"] == len(names)
    assert proofs["most_links_of_a_pair"] == 1


@pytest.mark.skipif(shutil.which("ss") is None, reason="no ss(8) on this machine")
def test_ss_sees_the_same_links_between_the_same_processes(direct: Open) -> None:
    lab = direct("symmetric")
    complete(lab, "p+q", "p+r", "q+r")
    said = said_by_ss(lab)
    for name, channel in links(lab).items():
        maker, other = sorted(channel.facts["ends"], key=lambda one: bool(one["accepted"]))
        inode, peer, pid = said[name]
        assert (f"socket:[{inode}]", f"socket:[{peer}]", pid) == (maker["object"], other["object"], maker["pid"])
        assert os.readlink(f"/proc/{other['pid']}/fd/{other['fd']}") == other["object"]
        assert (maker["peer_pid"], other["peer_pid"]) == (other["pid"], maker["pid"])


@pytest.mark.skipif(shutil.which("lsof") is None, reason="no lsof(8) on this machine")
def test_lsof_sees_the_same_descriptors(direct: Open) -> None:
    lab = direct("asymmetric")
    complete(lab, "p1+q", "p2+q")
    command = ["lsof", "-w", "-a", "-U", "-p", str(lab.process("p1").pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(rf"\s(\d+)u\s+unix\s.*\s(\d+) @{re.escape(prefix(lab))}/p1\+q\s", said)
    assert found is not None, said
    mine = end(lab, "p1", "q")
    assert (int(found[1]), f"socket:[{found[2]}]") == (mine["fd"], mine["object"])


def test_each_descriptor_says_who_holds_the_other_end(direct: Open) -> None:
    lab = direct("symmetric")
    complete(lab, "p+q", "p+r", "q+r")
    fds = {(one["process"], one["peer"]): one["fd"] for one in ends(lab.lab.state)}
    for (role, peer), fd in fds.items():
        row = next(row for row in lab.process(role).descriptors if row.fd == fd)
        lab.until(lambda role=role, fd=fd: next(r for r in lab.process(role).descriptors if r.fd == fd).peers)
        row = next(row for row in lab.process(role).descriptors if row.fd == fd)
        assert row.peers == ((peer, fds[peer, role]),), "the two ends of a link have inodes of their own"
    assert [row.end for row in lab.process("p").descriptors if row.fd == 3] == ["listen"]
    for size in ((80, 24), (120, 36)):
        picture = PANE.draw(lab.lab.state, View(now=lab.lab.now(), zoom="processes"), *size).text()
        for (role, peer), fd in fds.items():
            assert f"{fd} read-write ↔ {peer} {fds[peer, role]}" in picture, role


@pytest.mark.parametrize("senders", [2, 5, 12])
def test_every_link_is_named_on_a_small_pane_or_a_key_away(direct: Open, senders: int) -> None:
    lab = direct("asymmetric", producers=senders, rate=5)
    names = [f"p{number}+q" for number in range(1, senders + 1)]
    complete(lab, *names)
    lab.do("hold q")
    lab.until(lambda: all(end(lab, "q", f"p{number}")["messages"] for number in range(1, senders + 1)))
    picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 21).text()
    boxes = [line for line in picture.splitlines() if line.startswith("│")]
    shown = [name for name in names if any(re.search(rf"(?<!\w){re.escape(name)}", line) for line in boxes)]
    hidden = re.search(r"\+([0-9]+) more", "\n".join(boxes))
    assert len(shown) + (int(hidden[1]) if hidden else 0) == senders
    everything = "\n".join(
        PANE.draw(lab.lab.state, View(now=lab.lab.now(), zoom="contents", scroll=-scroll), 80, 21).text()
        for scroll in range(0, 10 * senders, 5)
    )
    assert all(f"/{name}\n" in re.sub(r" +\n", "\n", everything) for name in names)


# symmetric


def test_who_named_another_is_deaf_to_what_waits(direct: Open) -> None:
    lab = direct("symmetric")
    complete(lab, "p+q", "p+r", "q+r")
    lab.do("hold q")
    lab.until(lambda: lab.is_in("r", "blocked", "recv") and lab.state("r").wakers == ("q",))
    lab.until(lambda: end(lab, "r", "p")["messages"] == 6, what="six messages of p's wait at r")
    assert end(lab, "r", "p")["waiting"] == 6 * 64
    assert "6 of p's messages" in caption(lab.lab.state, "en")
    assert "receive(q, m)" in caption(lab.lab.state, "ko")
    state = lab.until_state("p", "blocked", "send")
    assert "full" in (state.reason or "")
    assert state.syscall == "sendto"
    lab.do("release q")
    before = lab.process("r").counters
    lab.until(lambda: (now := lab.process("r").counters) and before and now.received > before.received + 6)


def test_nobody_can_be_added_where_all_name_each_other(direct: Open) -> None:
    assert "name each other" in direct("symmetric").do("add p")


# asymmetric


def test_the_receiver_takes_from_anybody_and_newcomers_need_no_change(direct: Open) -> None:
    lab = direct("asymmetric")
    complete(lab, "p1+q", "p2+q")
    assert lab.do("add p") == "done"
    complete(lab, "p1+q", "p2+q", "p3+q")
    assert end(lab, "q", "p3")["peer_pid"] == lab.process("p3").pid
    assert lab.do("kill p2").startswith("done")
    complete(lab, "p1+q", "p3+q")
    assert lab.do("restart p2") == "done"
    complete(lab, "p1+q", "p2+q", "p3+q")
    assert lab.finish().proofs["most_links_of_a_pair"] == 1


def test_held_receiver_fills_every_link_by_itself(direct: Open) -> None:
    lab = direct("asymmetric", rate=0)
    complete(lab, "p1+q", "p2+q")
    lab.do("hold q")
    for role in ("p1", "p2"):
        state = lab.until_state(role, "blocked", "send")
        assert state.wakers == ("q",)
        assert end(lab, role, "q")["taken"] <= 2 * 4608
    lab.do("release q")
    lab.until_state("q", "running")


def test_a_receiver_without_senders_sleeps_in_poll(direct: Open) -> None:
    lab = direct("asymmetric")
    complete(lab, "p1+q", "p2+q")
    lab.do("hold p1")
    lab.do("hold p2")
    state = lab.until_state("q", "blocked", "poll")
    assert set(state.wakers) == {"p1", "p2"}
    lab.until(lambda: "You hold" in caption(lab.lab.state, "en"))


def test_a_receiver_that_does_not_block_asks_again_and_again(direct: Open) -> None:
    lab = direct("asymmetric", rate=2)
    complete(lab, "p1+q", "p2+q")
    outcome = lab.do("nonblocking q")
    assert outcome.startswith(("done", "pending"))
    before = lab.count("q", "poll")
    lab.until(lambda: lab.count("q", "poll") > before + 500, what="polls that come back empty-handed")
    received = lab.process("q").counters
    lab.until(lambda: (now := lab.process("q").counters) and received and now.received > received.received)


def test_a_sender_that_does_not_block_is_told_that_its_link_is_full(direct: Open) -> None:
    lab = direct("asymmetric")
    complete(lab, "p1+q", "p2+q")
    lab.do("hold q")
    lab.do("nonblocking p1")
    lab.until(lambda: lab.errors("p1", "send").get("EAGAIN", 0) > 3, what="EAGAIN")
    assert lab.state("p1").state != "blocked"


def test_what_the_user_injects_arrives(direct: Open) -> None:
    lab = direct("asymmetric", rate=2)
    complete(lab, "p1+q", "p2+q")
    assert lab.do("inject p1 good morning") == "done"
    lab.until(lambda: any("good morning" in call.args for call in lab.calls("q", "recv")))


def test_remove_takes_a_sender_and_its_link_away(direct: Open) -> None:
    lab = direct("asymmetric")
    complete(lab, "p1+q", "p2+q")
    lab.do("remove p2")
    complete(lab, "p1+q")
    assert "p2" not in doors(lab.lab.state)


def test_a_stranger_may_knock_and_is_known_by_its_pid(direct: Open) -> None:
    lab = direct("asymmetric")
    complete(lab, "p1+q", "p2+q")
    source = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET);s.connect('\\0'+sys.argv[1]);"
        "s.send(b'x');s.send(b'x:1 hello\\n');sys.stdin.read()"
    )
    with subprocess.Popen(["python3", "-c", source, f"{prefix(lab)}/q"], stdin=subprocess.PIPE) as child:
        lab.until(lambda: any(one["peer"] == f"pid {child.pid}" for one in ends(lab.lab.state)), what="the stranger")
        picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 24).text()
        assert f"pid {child.pid}" in picture
        assert child.stdin is not None
        child.stdin.close()
    complete(lab, "p1+q", "p2+q")


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
    assert (
        lab.errors("p1", "connect").get("ECONNREFUSED", 0)
        or lab.until(lambda: lab.errors("p1", "connect").get("ECONNREFUSED")) is None
    )
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
    assert lab.errors("m", "bind") == {"EADDRINUSE": 1} or lab.until(lambda: lab.errors("m", "bind")) is None
    assert end(lab, "q", "m")["peer_pid"] == lab.process("m").pid
    lab.until(lambda: lab.lab.state.facts["claims"].get("m", {}).get("count", 0) > 10, what="ten lies of m's")
    assert set(lab.lab.state.facts["claims"]) == {"m"}
    assert lab.lab.state.facts["claims"]["m"]["as"] == "p"
    assert f"pid {lab.process('m').pid}" in caption(lab.lab.state, "en")
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
