"""What a class must see of direct communication, with real processes, checked by ss(8), lsof(8) and /proc."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from ipctui.kernel.unix_sockets import table
from ipctui.mechanisms.direct.caption import caption, doors, ends
from ipctui.mechanisms.direct.pane import PANE
from ipctui.widgets.view import View
from tests.lab.conftest import Bench
from tests.mechanisms.links import Open, complete, end, links, opened, prefix
from tests.mechanisms.stepping import held

pytestmark = pytest.mark.real


@pytest.fixture
def direct() -> Iterator[Open]:
    """Opens laboratories of direct communication."""
    yield from opened()


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
        lab.until(lambda role=role, fd=fd: any(r.fd == fd and r.peers for r in lab.process(role).descriptors))
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
        for scroll in range(0, 30 * senders, 8)  # six messages may wait in each, and their bytes
    )
    assert all(f"/{name}\n" in re.sub(r" +\n", "\n", everything) for name in names)


# symmetric


def test_who_named_another_is_deaf_to_what_waits(direct: Open) -> None:
    lab = direct("symmetric")
    complete(lab, "p+q", "p+r", "q+r")
    lab.do("hold q")
    lab.until(lambda: lab.is_in("q", "held"))
    lab.until(lambda: lab.is_in("r", "blocked", "recv") and lab.state("r").wakers == ("q",))
    state = lab.until_state("p", "blocked", "send")
    # p sleeps with the seventh for q. Six for r wait as well, or five, where q was held with all that it got sent on.
    lab.until(lambda: end(lab, "q", "p")["messages"] == 6, what="q's link full")
    there = end(lab, "r", "p")["messages"]
    assert there in (5, 6)
    assert end(lab, "r", "p")["waiting"] == there * 64
    lab.until(lambda: f"{there} of p's messages" in caption(lab.lab.state, "en"))
    assert "receive(q, m)" in caption(lab.lab.state, "ko")
    assert "full" in (state.reason or "")
    assert state.syscall == "sendto"
    lab.do("release q")
    before = lab.process("r").counters
    lab.until(lambda: (now := lab.process("r").counters) and before and now.received > before.received + 6)


def test_nobody_can_be_added_where_all_name_each_other(direct: Open) -> None:
    assert "name each other" in direct("symmetric").do("add p")


def test_a_link_whose_other_end_has_died_is_no_strangers(direct: Open) -> None:
    lab = direct("symmetric")
    complete(lab, "p+q", "p+r", "q+r")
    lab.until(lambda: lab.is_in("q", "blocked", "recv"))
    held(lab, "p", "send")  # or q, sending, would find out and hang up
    lab.until(lambda: lab.is_in("q", "blocked", "recv") and lab.state("q").wakers == ("p",))
    dead = lab.process("r").pid
    assert lab.do("kill r") == "done"
    lab.until_ended("r")
    ends_left = lambda: {one["process"] for one in ends(lab.lab.state) if one["peer"] == "r"}  # noqa: E731
    lab.until(lambda: len(list(ends(lab.lab.state))) == 4 and ends_left() == {"p", "q"}, what="r's ends gone")
    assert end(lab, "q", "r")["peer_pid"] == dead
    for size in ((80, 24), (120, 36)):
        picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), *size).text()
        assert f"pid {dead}" not in picture
        assert "3 of 3 links" in picture


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
    lab.do("nonblocking p1")  # first: whoever sleeps in send already is not woken by its new mode
    lab.do("hold q")
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
    lab.until(lambda: "p2" not in doors(lab.lab.state))


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
