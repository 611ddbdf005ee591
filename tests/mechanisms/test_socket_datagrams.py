"""UDP, multicast and UNIX-domain sockets with real processes; by /proc/net, stat(2) and ss(8)."""

import os
import socket
import stat
import subprocess
from typing import Any

import pytest

from ipctui.kernel import inet_tables, unix_sockets
from ipctui.lab.parameters import UsageError
from ipctui.mechanisms.socket.caption import caption
from ipctui.mechanisms.socket.drawing import connection_lines, group_lines, title
from ipctui.mechanisms.socket.ends import connections, is_unaccepted, lost, receivers, sockets
from ipctui.mechanisms.socket.pane import PANE
from ipctui.widgets.view import View
from tests.lab.conftest import Bench
from tests.mechanisms.test_socket import SS, Open, connected, counted, port_of, sockets_lab

__all__ = ["sockets_lab"]
pytestmark = pytest.mark.real


def received(lab: Bench, role: str) -> int:
    return counted(lab, role, "received")


def drops_by_table(lab: Bench) -> list[int]:
    """The drops column of /proc/net/udp for the session's port."""
    return sorted(row.drops for row in inet_tables.table("udp") if row.local[1] == port_of(lab))


# udp


def test_datagrams_that_find_the_queue_full_are_lost_and_counted(sockets_lab: Open) -> None:
    lab = sockets_lab("udp", rate=100)
    lab.until(lambda: received(lab, "receiver") > 3, 15)
    lab.do("hold receiver")
    lab.until(lambda: lost(lab.lab.state) > 5, 15)
    lab.do("hold sender")
    lab.until_state("sender", "held")
    lab.until(lambda: drops_by_table(lab) == [lost(lab.lab.state)])
    queue = receivers(lab.lab.state)[0]
    assert queue.count == 9
    assert [item.size for item in queue.items] == [64] * 9, "each with its edges"
    told = caption(lab.lab.state, "en")
    assert lab.is_in("sender", "held"), "it never waited for room"
    assert "9 datagrams" in told
    assert "thrown away" in told
    lab.do("release receiver")
    lab.until(lambda: receivers(lab.lab.state)[0].count == 0, 15)
    lab.until(
        lambda: received(lab, "receiver") + lost(lab.lab.state) == counted(lab, "sender", "sent"),
        15,
        "received and lost are all that were sent",
    )
    dropped = drops_by_table(lab)
    assert [lab.finish().proofs["lost_datagrams"]] == dropped


@pytest.mark.parametrize("way", ["off", "on"])
def test_only_a_connected_sender_is_told_that_nobody_is_there(sockets_lab: Open, way: str) -> None:
    lab = sockets_lab("udp", rate=50, connected=way)
    lab.until(lambda: received(lab, "receiver") > 3, 15)
    assert bool(sockets(lab.lab.state, process="sender")[0]["peer"]) is (way == "on")
    lab.do("kill receiver")
    lab.until_ended("receiver")
    offered = counted(lab, "sender", "offered")
    lab.until(lambda: counted(lab, "sender", "offered") > offered + 10, 15)
    refused = lab.errors("sender", "send").get("ECONNREFUSED", 0)
    assert lab.errors("sender", "sendto") == {}
    if way == "on":
        assert refused
        assert counted(lab, "sender", "refused") >= refused - 1
        assert "ECONNREFUSED" in caption(lab.lab.state, "en")
    else:
        assert not refused
        assert "every sendto succeeds" in caption(lab.lab.state, "en")
    lab.do("restart receiver")
    lab.until(lambda: lab.process("receiver").exited is None and received(lab, "receiver"), 15)


@pytest.mark.parametrize("way", ["off", "on"])
def test_a_card_tells_the_address_of_a_socket_without_another_end(sockets_lab: Open, way: str) -> None:
    lab = sockets_lab("udp", connected=way)
    lab.until(lambda: [row.name for row in lab.process("receiver").descriptors] == [f"127.0.0.1:{port_of(lab)}"], 15)
    lab.until(lambda: received(lab, "receiver"), 15)
    peers = ((("receiver", 3),),) if way == "on" else ((),)
    lab.until(lambda: tuple(row.peers for row in lab.process("sender").descriptors if row.name) == peers, 15)
    (ours,) = lab.process("sender").descriptors
    rows = {row.inode: row for row in inet_tables.table("udp")}
    there = rows[int(ours.object[len("socket:[") : -1])]
    assert ours.name == f"127.0.0.1:{there.local[1]}"
    picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 24).text()
    assert f"3 rw 127.0.0.1:{port_of(lab)}" in picture
    assert "↔ –" not in picture
    assert (f"3 rw {ours.name}" in picture) is (way == "off")
    assert ("3 rw ↔ receiver 3" in picture) is (way == "on")
    assert picture.count(ours.name) == 1, "told once"


def test_every_socket_is_bound_to_loopback(sockets_lab: Open) -> None:
    for variant in ("udp", "multicast"):
        lab = sockets_lab(variant)
        lab.until(lambda lab=lab: len(sockets(lab.lab.state)) == len(lab.lab.state.processes), 15)  # type: ignore[misc]
        lab.until(lambda lab=lab: all(one["local"] for one in sockets(lab.lab.state)))  # type: ignore[misc]
        group = lab.lab.workers.plan.given["group"]
        assert {one["local"].partition(":")[0] for one in sockets(lab.lab.state)} <= {"127.0.0.1", group}


def test_a_queue_of_more_than_are_counted_is_told_as_full_and_never_as_empty(sockets_lab: Open) -> None:
    lab = sockets_lab("udp", rate=1000, rcvbuf=32_768)
    lab.until(lambda: received(lab, "receiver") > 3, 15)
    lab.do("hold receiver")
    lab.until(lambda: lost(lab.lab.state) > 5, 15)
    assert receivers(lab.lab.state)[0].count is None
    assert "64+ datagrams" in caption(lab.lab.state, "en")
    picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 24).text()
    assert "receive queue 64+ FULL" in picture
    assert "▮ ▮ ▮" in picture


# multicast


def test_every_member_gets_a_copy_and_who_is_slow_loses_its_own_alone(sockets_lab: Open) -> None:
    lab = sockets_lab(
        "multicast", rate=60, rcvbuf=32_768
    )  # room for more than a second: those who are not held lose none
    lab.until(lambda: min(received(lab, f"receiver{place}") for place in (1, 2, 3)) > 5, 20)
    lab.do("hold receiver2")
    lab.until(lambda: lost(lab.lab.state, "receiver2") > 5, 20)
    lab.do("hold sender")
    lab.until_state("sender", "held")
    sent = counted(lab, "sender", "sent")
    lab.until(lambda: received(lab, "receiver1") == received(lab, "receiver3") >= sent, 15)
    assert lost(lab.lab.state, "receiver1") == lost(lab.lab.state, "receiver3") == 0
    lab.until(lambda: drops_by_table(lab) == [0, 0, lost(lab.lab.state, "receiver2")])
    assert "receiver2" in caption(lab.lab.state, "en")


def ordered(lab: Bench, key: str) -> str:
    """What a key of the pane orders now."""
    offer = next(offer for offer in PANE.offers if offer.key == key)
    assert offer.command is not None
    return offer.command(lab.lab.state, View(now=lab.lab.now()))


def group_title(lab: Bench) -> str:
    return "".join(text for text, _ in title(lab.lab.state, "en", 76))


def test_members_join_and_leave_while_it_runs(sockets_lab: Open) -> None:
    group = f"239.255.77.{1 + os.getpid() % 250}"  # nobody else's
    lab = sockets_lab("multicast", rate=50, receivers=2, group=group)
    lab.until(lambda: received(lab, "receiver2") > 2, 15)
    lab.until(lambda: inet_tables.members(group) == 2, 15)
    assert lab.do("add receiver") == "done"
    lab.until(lambda: received(lab, "receiver3") > 2, 15)
    assert inet_tables.members(group) == 3
    lab.until(lambda: "members 3 " in group_title(lab))
    lab.do("hold sender")
    lab.until_state("sender", "held")
    # What key 6 orders: who came last leaves, and joins again.
    assert ordered(lab, "6") == "leave"
    assert lab.do("leave").startswith("done")
    assert inet_tables.members(group) == 2
    lab.until(lambda: "members 2 " in group_title(lab))
    (*_, last) = group_lines(lab.lab.state, "en", 78, 4)
    assert "".join(text for text, _ in last).endswith("no member")
    lab.until(lambda: lab.is_in("receiver3", "blocked", "recvfrom"))
    came, others = lab.count("receiver3", "recvfrom"), received(lab, "receiver1")
    lab.do("release sender")
    lab.until(lambda: received(lab, "receiver1") > others + 5, 15)
    lab.until(lambda: "receiver3 is no member" in caption(lab.lab.state, "en"))
    assert lab.count("receiver3", "recvfrom") <= came + 1, "nothing comes for a group that it has left"
    assert ordered(lab, "6") == "join"
    assert lab.do("join").startswith("done")
    lab.until(lambda: lab.count("receiver3", "recvfrom") > came + 4, 15)
    lab.until(lambda: "members 3 " in group_title(lab))
    assert lab.do("join") == "refused: join: every receiver is a member already"


def test_members_of_other_programs_are_told_apart_from_ours(sockets_lab: Open) -> None:
    group = f"239.255.78.{1 + os.getpid() % 250}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        membership = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        lab = sockets_lab("multicast", rate=50, group=group)
        lab.until(lambda: "members 3 +1 others" in group_title(lab), 15)
        assert ordered(lab, "6") == "leave"


def test_loopback_hands_back_what_the_option_would_withhold(sockets_lab: Open) -> None:
    lab = sockets_lab("multicast", rate=50, loop="off")
    lab.until(lambda: received(lab, "receiver1") > 3, 15, "copies in spite of IP_MULTICAST_LOOP 0")
    options = [call.args for call in lab.calls("sender", "setsockopt")]
    assert any("IP_MULTICAST_LOOP" in args for args in options)


def test_where_no_copy_is_to_be_had_members_are_told_by_the_table(
    sockets_lab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pidfd: int, fd: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("ipctui.kernel.inet_sockets.look", refused)
    lab = sockets_lab("multicast", rate=60)
    lab.until(lambda: len(receivers(lab.lab.state)) == 3, 15)
    lab.do("hold receiver2")
    lab.until(lambda: lost(lab.lab.state, "receiver2") > 5, 20)
    slow = next(one for one in receivers(lab.lab.state) if one.facts["process"] == "receiver2")
    assert (slow.method, slow.count) == ("/proc/net/udp", None), "how many wait is not told there"
    lines = ["".join(text for text, _ in line) for line in group_lines(lab.lab.state, "en", 78, 4)]
    assert any("receiver2" in line and " ? " in line and "lost" in line for line in lines)
    assert not any("no member" in line or "FULL" in line for line in lines), "what is not known is not said"


@pytest.mark.parametrize("group", ["10.0.0.1", "nonsense", "240.0.0.1", ""])
def test_what_is_no_group_is_refused_in_a_sentence(sockets_lab: Open, group: str) -> None:
    with pytest.raises(UsageError, match=r"224\.0\.0\.0 to 239\.255\.255\.255"):
        sockets_lab("multicast", group=group)


# unix-stream, unix-seqpacket


def held_back(lab: Bench) -> Any:
    """The client asleep in send before a server that is held, what waits in sight."""
    connected(lab)
    lab.do("hold server")
    lab.until_state("client", "blocked", "send", 15)
    lab.until(lambda: connections(lab.lab.state)[0].first["unsent"] > 0)
    return connections(lab.lab.state)[0]


@pytest.mark.parametrize("variant", ["unix-stream", "unix-seqpacket"])
def test_one_queue_at_the_receiver_counts_against_the_sender(sockets_lab: Open, variant: str) -> None:
    lab = sockets_lab(variant, rate=100)
    one = held_back(lab)
    path = lab.lab.workers.plan.given["path"]
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert one.second["waiting"] > 0
    assert one.first["unsent"] >= one.first["send_room"] - 1024
    assert "has used up client's SO_SNDBUF" in caption(lab.lab.state, "en")
    assert "SO_SNDBUF full" in (lab.state("client").reason or "")
    if SS is not None:
        said = subprocess.run([SS, "-xmH"], capture_output=True, text=True, timeout=30, check=True).stdout
        inode = one.second["object"][len("socket:[") : -1]
        row = next(line for line in said.splitlines() if line.split()[5] == inode)
        assert int(row.split()[2]) == one.second["waiting"]
    # One send is one message where edges are kept; a stream gives all at once.
    size, waiting, before = 64, one.second["waiting"], len(lab.calls("server", "recv"))
    assert waiting > 2 * size
    lab.do("release server")

    def sizes() -> list[int]:
        return [call.result or 0 for call in lab.calls("server", "recv")[before:]]

    lab.until(lambda: sum(sizes()) > waiting, 15, "what waited, received")
    assert max(sizes()) > size if variant == "unix-stream" else max(sizes()) == size


def test_half_close_and_a_path_that_outlives_its_server(sockets_lab: Open) -> None:
    lab = sockets_lab("unix-seqpacket", rate=50)
    connected(lab)
    lab.do("half-close")
    lab.until(lambda: received(lab, "client") == 5, 20)
    lab.do("kill server")
    lab.until_ended("server")
    assert os.path.exists(lab.lab.workers.plan.given["path"]), "its name is still there"
    lab.until(lambda: lab.errors("client", "connect").get("ECONNREFUSED"), 15)
    lab.do("restart server")
    connected(lab)
    lab.until(lambda: lab.errors("server", "bind") == {"EADDRINUSE": 1}, 15)


def test_connections_to_a_path_wait_to_be_accepted(sockets_lab: Open) -> None:
    lab = sockets_lab("unix-stream")
    connected(lab)
    for _ in range(2):
        lab.do("add client")
    lab.until(lambda: len([one for one in connections(lab.lab.state) if is_unaccepted(lab.lab.state, one)]) == 2, 15)
    lab.until(lambda: sockets(lab.lab.state, "listen")[0]["queued"] == 2, 15)
    path = lab.lab.workers.plan.given["path"]
    assert sum(1 for row in unix_sockets.table() if row.name == path and not row.inode) == 2
    lab.do("add client")
    assert "the backlog of server is full" in (lab.until_state("client4", "blocked", "connect", 15).reason or "")


def test_a_foreign_process_at_the_path_is_shown_with_its_pid(sockets_lab: Open) -> None:
    lab = sockets_lab("unix-stream")
    connected(lab)
    lab.do("kill client")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as foreign:
        foreign.connect(lab.lab.workers.plan.given["path"])
        foreign.send(b"from outside")
        lab.until(lambda: any(one.get("holder") == f"pid {os.getpid()}" for one in sockets(lab.lab.state)), 15)


def test_a_message_that_no_queue_could_hold_is_refused_before_it_starts(sockets_lab: Open) -> None:
    with pytest.raises(UsageError, match="EMSGSIZE"):
        sockets_lab("unix-seqpacket", size=10_000)


def test_what_cannot_be_looked_at_is_unknown_with_its_reason(
    sockets_lab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pidfd: int, fd: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("ipctui.kernel.unix_sockets.identify", refused)
    lab = sockets_lab("unix-stream")
    lab.until(lambda: len(sockets(lab.lab.state, "refused")) == 3, 15)
    channel = next(held.now for held in lab.lab.state.channels.values())
    assert channel.used is None
    assert channel.refused == "no copy of it: Operation not permitted"
    (line, *_) = connection_lines(lab.lab.state, "en", 78, 3)
    assert "".join(text for text, _ in line).endswith("no copy of it: Operation not permitted")
