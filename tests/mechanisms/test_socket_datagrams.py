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
from ipctui.mechanisms.socket.drawing import connection_lines
from ipctui.mechanisms.socket.ends import connections, is_unaccepted, lost, receivers, sockets
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


def test_every_socket_is_bound_to_loopback(sockets_lab: Open) -> None:
    for variant in ("udp", "multicast"):
        lab = sockets_lab(variant)
        lab.until(lambda lab=lab: len(sockets(lab.lab.state)) == len(lab.lab.state.processes), 15)  # type: ignore[misc]
        lab.until(lambda lab=lab: all(one["local"] for one in sockets(lab.lab.state)))  # type: ignore[misc]
        group = lab.lab.workers.plan.given["group"]
        assert {one["local"].partition(":")[0] for one in sockets(lab.lab.state)} <= {"127.0.0.1", group}


# multicast


def test_every_member_gets_a_copy_and_who_is_slow_loses_its_own_alone(sockets_lab: Open) -> None:
    lab = sockets_lab("multicast", rate=60)
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


def test_members_join_and_leave_while_it_runs(sockets_lab: Open) -> None:
    lab = sockets_lab("multicast", rate=50, receivers=2, group="239.255.0.77")
    lab.until(lambda: received(lab, "receiver2") > 2, 15)
    before = inet_tables.members("239.255.0.77")
    assert before >= 2
    assert lab.do("add receiver") == "done"
    lab.until(lambda: received(lab, "receiver3") > 2, 15)
    assert inet_tables.members("239.255.0.77") == before + 1
    lab.do("hold sender")
    lab.until_state("sender", "held")
    assert lab.do("leave").startswith("done")
    assert inet_tables.members("239.255.0.77") == before
    lab.until(lambda: lab.is_in("receiver3", "blocked", "recvfrom"))
    came, others = received(lab, "receiver3"), received(lab, "receiver1")
    lab.do("release sender")
    lab.until(lambda: received(lab, "receiver1") > others + 5, 15)
    assert received(lab, "receiver3") <= came + 1, "nothing comes for a group that it has left"
    assert lab.do("join receiver3").startswith("done")
    lab.until(lambda: received(lab, "receiver3") > came + 3, 15)


def test_loopback_hands_back_what_the_option_would_withhold(sockets_lab: Open) -> None:
    lab = sockets_lab("multicast", rate=50, loop="off")
    lab.until(lambda: received(lab, "receiver1") > 3, 15, "copies in spite of IP_MULTICAST_LOOP 0")
    options = [call.args for call in lab.calls("sender", "setsockopt")]
    assert any("IP_MULTICAST_LOOP" in args for args in options)


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
    lab.do("release server")
    size = 64
    lab.until(
        lambda: len(lab.lab.state.facts["receives"].get("server", [])) > 2 and not lab.is_in("server", "held"), 15
    )
    sizes = {call.result for call in lab.calls("server", "recv") if call.result and call.result > 0}
    assert (max(sizes) > size) is (variant == "unix-stream")


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
