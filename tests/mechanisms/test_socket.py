"""TCP and echo with real processes: queues, window, backlog, half-close, reset; by /proc/net and ss(8)."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipctui.kernel import inet_tables
from ipctui.kernel.ports import unprivileged_start
from ipctui.lab.parameters import UsageError
from ipctui.mechanisms.socket.caption import caption
from ipctui.mechanisms.socket.ends import connections, door, is_unaccepted, sockets
from tests.lab.conftest import Bench
from tests.mechanisms.laboratories import Laboratories

pytestmark = pytest.mark.real
SS = shutil.which("ss")
Open = Callable[..., Bench]


@pytest.fixture
def sockets_lab() -> Iterator[Open]:
    """Opens laboratories of sockets: `sockets_lab("udp", rate=50)`; no path and no port is left at the end."""
    laboratories = Laboratories()
    yield lambda variant, **values: laboratories.open("socket", variant, **values)
    given = [lab.workers.plan.given for lab in laboratories.labs]
    laboratories.close()
    assert not [each["path"] for each in given if each["path"] and os.path.lexists(each["path"])]
    ports = {each["port"] for each in given if each["port"]}
    rows = (*inet_tables.table("tcp"), *inet_tables.table("udp"))
    assert not [row for row in rows if row.local[1] in ports and row.state in ("LISTEN", "CLOSE")]


def port_of(lab: Bench) -> int:
    return int(lab.lab.workers.plan.given["port"])


def counted(lab: Bench, role: str, what: str) -> int:
    """A count of a process's: `sent`, `received`, `offered`, …; 0 before its first counters."""
    process = lab.lab.state.processes.get(role)
    counters = process.counters if process is not None else None
    return int(getattr(counters, what)) if counters is not None else 0


def table_row(lab: Bench, local: str) -> inet_tables.Row:
    """The row of /proc/net/tcp of an end of the session's."""
    rows = [row for row in inet_tables.table("tcp") if f"{row.local[0]}:{row.local[1]}" == local and row.peer]
    return next(row for row in rows if row.inode or row.state != "LISTEN")


def connected(lab: Bench, count: int = 1) -> Any:
    """The first connection, once so many are there with both ends in sight."""
    lab.until(
        lambda: len([one for one in connections(lab.lab.state) if one.second is not None]) >= count,
        15,
        f"{count} connections",
    )
    return connections(lab.lab.state)[0]


def blocked_in_send(lab: Bench) -> dict[str, Any]:
    """The client's end, once the kernel has put the client to sleep in send and nothing moves any more."""
    lab.until_state("client", "blocked", "send", 15)
    lab.until(lambda: lab.process("client").state is not None and "window" in (lab.state("client").reason or ""))
    return dict(connections(lab.lab.state)[0].first)


# tcp


def test_a_reader_that_does_not_read_closes_the_window_and_the_sender_sleeps(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp", rate=200)
    connected(lab)
    lab.until(lambda: counted(lab, "server", "received") > 3)
    lab.do("hold server")
    blocked_in_send(lab)
    lab.until(lambda: connections(lab.lab.state)[0].first["window"] == 0)

    def agreed() -> bool:
        """The kernel's own table says the same, byte for byte: once nothing moves any more."""
        first, second = connections(lab.lab.state)[0].first, connections(lab.lab.state)[0].second
        assert second is not None
        return (
            table_row(lab, first["local"]).unsent == first["unsent"] > 0
            and table_row(lab, second["local"]).waiting == second["waiting"] > 0
            and f"{second['waiting']:,} B unread at server" in (lab.state("client").reason or "")
        )

    lab.until(agreed)
    assert lab.state("client").wakers == ("server",)
    lab.until(lambda: "which you hold" in caption(lab.lab.state, "en"))
    assert "window is closed" in caption(lab.lab.state, "en")
    before = len(lab.calls("server", "recv"))
    lab.do("release server")
    lab.until(lambda: not lab.is_in("client", "blocked", "send"), 15)
    lab.until(
        lambda: any((call.result or 0) > 64 for call in lab.calls("server", "recv")[before:]),
        15,
        "messages without edges",
    )


def disagreements(lab: Bench) -> list[str]:
    """Where ss and the pane tell other figures of a connection."""
    assert SS is not None
    command = [SS, "-tnmpiH", f"( sport = :{port_of(lab)} or dport = :{port_of(lab)} )"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = []
    for one in sockets(lab.lab.state, "stream"):
        line = next(
            part
            for part in re.split(r"\n(?=\S)", said)
            if f"{one['local']} " in part.split("users")[0].split(one["peer"])[0]
        )
        _, waiting, unsent, *_ = line.split()
        memory = re.search(r"skmem:\(r(\d+),rb(\d+),t\d+,tb(\d+)", line)
        assert memory is not None
        told = (one["waiting"], one["unsent"], one["taken"], one["room"], one["send_room"])
        if tuple(map(int, (waiting, unsent, *memory.groups()))) != told or f"pid={one['pid']}" not in line:
            found.append(f"{told} in {line}")
    return found


@pytest.mark.skipif(SS is None, reason="ss (iproute2) is not installed")
def test_ss_agrees_with_the_queues_and_the_buffers(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp", rate=500)
    connected(lab)
    lab.do("stop server")
    blocked_in_send(lab)
    lab.until(lambda: connections(lab.lab.state)[0].first["window"] == 0)
    lab.until(lambda: not disagreements(lab), 15, "ss saying the same")
    assert connections(lab.lab.state)[0].second["room"] == 4096, "SO_RCVBUF 2,048, doubled"  # type: ignore[index]


def test_a_descriptor_tells_who_holds_the_other_end(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp")
    connected(lab)
    lab.until(lambda: [row.peers for row in lab.process("client").descriptors][:1] == [(("server", 4),)], 15)
    rows = {role: {row.fd: row for row in lab.process(role).descriptors} for role in ("client", "server")}
    assert rows["server"][4].peers == (("client", 3),)
    assert rows["server"][3].end == "listen"


def test_nothing_is_lost_in_a_stream_and_nobody_else_is_let_in(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp", rate=0, messages=500)
    assert lab.until_ended("client", 30) == "status 0"
    lab.until(lambda: counted(lab, "server", "received") == 500, 15)
    lab.until(lambda: counted(lab, "client", "sent") == 500)
    lab.until(lambda: counted(lab, "client", "received") == 5, what="the answer over the half that stayed open")
    listening = [row.local[0] for row in inet_tables.table("tcp") if row.local[1] == port_of(lab) and not row.peer]
    assert listening == ["127.0.0.1"]
    proofs = lab.finish().proofs
    assert proofs["connections"] == 1
    assert proofs["resets"] == proofs["refused"] == 0


def test_where_no_copy_is_to_be_had_the_table_tells_the_queues(
    sockets_lab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pidfd: int, fd: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("ipctui.kernel.inet_sockets.look", refused)
    lab = sockets_lab("tcp", rate=300)
    connected(lab)
    lab.do("hold server")
    lab.until_state("client", "blocked", "send", 15)
    lab.until(lambda: connections(lab.lab.state)[0].first["unsent"] > 0)
    one = connections(lab.lab.state)[0]
    assert {each["method"] for each in sockets(lab.lab.state)} == {"/proc/net/tcp"}
    assert one.first["window"] is None, "the table does not tell the window"
    assert (door(lab.lab.state) or {})["backlog"] == 1, "nor how many may wait: that is what listen was given"
    lab.until(lambda: "send queue full" in (lab.state("client").reason or ""))
    assert "window" not in (lab.state("client").reason or "")
    assert "window" not in caption(lab.lab.state, "en")


def test_a_half_closed_connection_still_carries_the_answer(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp", rate=3)  # the server's queue must have room for all that comes while it is held
    first = connected(lab).first
    lab.do("hold server")  # before it answers: five messages, and it hangs up
    assert lab.do("half-close").startswith("done")
    lab.until(lambda: lab.lab.state.facts.get("shut", {}).get("client"))
    lab.until(lambda: connections(lab.lab.state)[0].first["state"] == "FIN_WAIT2")
    one = connections(lab.lab.state)[0]
    assert one.second is not None
    assert (one.first["local"], one.second["state"]) == (first["local"], "CLOSE_WAIT")
    assert table_row(lab, one.first["local"]).state == "FIN_WAIT2"
    assert table_row(lab, one.second["local"]).state == "CLOSE_WAIT"
    lab.until(lambda: "Half closed: client sends no more (FIN_WAIT2)" in caption(lab.lab.state, "en"))
    lab.do("release server")
    lab.until(lambda: counted(lab, "client", "received") == 5, 20)
    lab.until(lambda: connected(lab).first["local"] != first["local"], 20, "another connection")
    assert lab.errors("client", "send").get("EPIPE") == 1


@pytest.mark.parametrize("way", ["reset", "close server 4"])
def test_a_reset_throws_away_what_waits_and_the_peer_is_told(sockets_lab: Open, way: str) -> None:
    lab = sockets_lab("tcp", rate=200)
    first = connected(lab).first
    lab.do("hold server")
    blocked_in_send(lab)
    lab.do("rate client 5")  # it connects again at once: another full queue would be the next thing to tell
    assert lab.do(way).startswith("done")
    lab.until(lambda: "ECONNRESET" in caption(lab.lab.state, "en"), 15)
    lab.until(lambda: lab.errors("client", "send").get("ECONNRESET"), 15)
    lab.do("release server")
    lab.until(lambda: connected(lab).first["local"] != first["local"], 15, "another connection")
    assert lab.process("server").exited is None, "its descriptor was closed under it, and it goes on"
    assert lab.finish().proofs["resets"] == 1


def test_connections_wait_in_the_backlog_and_when_it_is_full_connect_sleeps(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp")
    connected(lab)
    for _ in range(2):
        assert lab.do("add client") == "done"
    lab.until(lambda: len([one for one in connections(lab.lab.state) if is_unaccepted(lab.lab.state, one)]) == 2, 15)
    lab.until(lambda: (door(lab.lab.state) or {}).get("queued") == 2)
    rows = [
        row for row in inet_tables.table("tcp") if row.local == ("127.0.0.1", port_of(lab)) and row.state == "LISTEN"
    ]
    assert rows[0].waiting == 2, "of a listening socket the table tells the same"
    assert lab.do("add client") == "done"
    state = lab.until_state("client4", "blocked", "connect", 15)
    assert state.reason == "the backlog of server is full: 2 of 2 wait to be accepted"
    assert "The backlog is full" in caption(lab.lab.state, "en")
    assert [row.state for row in inet_tables.table("tcp") if row.peer == ("127.0.0.1", port_of(lab))].count(
        "SYN_SENT"
    ) == 1
    # Whoever waits sends into the queues meanwhile, and sleeps when they are full.
    state = lab.until_state("client2", "blocked", "send", 20)
    assert "not accepted yet" in (state.reason or "")
    assert lab.do("remove client").startswith(("done", "pending"))
    lab.until(lambda: lab.count("server", "accept") == 2, 20)


def test_a_server_that_is_gone_is_refused_and_found_again(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp", rate=50)
    connected(lab)
    lab.do("kill server")
    lab.until(lambda: lab.errors("client", "connect").get("ECONNREFUSED"), 15)
    assert "no socket listens" in caption(lab.lab.state, "en")
    lab.do("restart server")
    connected(lab)
    assert lab.finish().proofs["refused"] >= 1


def test_a_port_in_use_is_said_and_the_lab_goes_on(sockets_lab: Open) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port={taken}: another program has TCP port {taken}"):
            sockets_lab("tcp", port=taken)
    lab = sockets_lab("tcp", rate=50)
    connected(lab)
    lab.do("kill server")
    lab.until_ended("server")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port_of(lab)))
        other.listen()
        lab.do("restart server")
        lab.until(lambda: lab.process("server").exited is not None and lab.events("failed"), 15)
        assert "server ended because its bind(3) failed: EADDRINUSE" in caption(lab.lab.state, "en")
        assert lab.process("client").exited is None
    lab.do("restart server")
    connected(lab)


def test_a_well_known_port_is_refused_or_allowed_as_the_system_has_it(sockets_lab: Open) -> None:
    port = 600 + os.getpid() % 400
    with socket.socket() as probe, contextlib.ExitStack() as stack:
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            error = stack.enter_context(pytest.raises(UsageError, match=f"ports below {unprivileged_start()}"))
            assert error is not None
        except OSError:
            pytest.skip(f"somebody has port {port}")
        probe.close()
        lab = sockets_lab("echo", port=port, clients=1)
        connected(lab)
        assert (door(lab.lab.state) or {})["local"] == f"127.0.0.1:{port}"


def test_non_blocking_ends_answer_at_once(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp", rate=300)
    connected(lab)
    lab.do("nonblocking client")
    lab.do("hold server")
    lab.until(lambda: lab.errors("client", "send").get("EAGAIN"), 15)
    assert not lab.is_in("client", "blocked", "send")
    # A connection made while it is non-blocking: EINPROGRESS or at once, and non-blocking from the first on.
    lab.do("release server")
    lab.do("reset server")
    lab.until(lambda: len(lab.calls("client", "connect")) > 1 and connected(lab).first["nonblocking"], 15)
    lab.do("blocking client")
    lab.until(lambda: not connected(lab).first["nonblocking"])


# echo


def test_every_client_gets_back_what_it_sent(sockets_lab: Open) -> None:
    lab = sockets_lab("echo", rate=50, messages=20)
    for place in (1, 2, 3):
        assert lab.until_ended(f"client{place}", 30) == "status 0"
        counters = lab.process(f"client{place}").counters
        assert counters is not None
        assert counters.sent == counters.received == counters.whole == 20
    lab.until(lambda: not [one for one in sockets(lab.lab.state, "stream") if one["state"] == "ESTABLISHED"])
    assert lab.process("server").exited is None


def test_a_client_joins_and_leaves_while_it_runs(sockets_lab: Open) -> None:
    lab = sockets_lab("echo")
    connected(lab, 3)
    lab.do("add client")
    connected(lab, 4)
    lab.until(lambda: counted(lab, "client4", "received"), 15)
    lab.do("kill client2")
    lab.until(lambda: len([one for one in connections(lab.lab.state) if one.second]) == 3, 15)
    assert lab.process("server").exited is None


def test_a_foreign_client_is_served_and_shown_with_its_pid(sockets_lab: Open) -> None:
    lab = sockets_lab("echo", clients=1, rate=2)
    connected(lab)
    code = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        "s.sendall(b'from outside'); print(s.recv(99).decode(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(port_of(lab))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as foreign:
        try:
            lab.until(lambda: any(one.get("holder") == f"pid {foreign.pid}" for one in sockets(lab.lab.state)), 20)
            assert f"pid {foreign.pid}" in caption(lab.lab.state, "en")
            assert foreign.stdout is not None
            assert foreign.stdout.readline() == "from outside\n"
        finally:
            foreign.communicate()
    lab.until(lambda: len(sockets(lab.lab.state, "stream", "server")) == 1, 15, "hung up on")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
def test_the_listing_in_c_is_a_client_of_the_server_that_runs(sockets_lab: Open, tmp_path: Path) -> None:
    lab = sockets_lab("echo", clients=1, rate=2)
    connected(lab)
    source = lab.lab.channel.listing(lab.lab.chosen).replace("htons(5000)", f"htons({port_of(lab)})")
    (tmp_path / "echo.c").write_text(source)
    subprocess.run(["cc", "-o", tmp_path / "echo", tmp_path / "echo.c"], check=True, timeout=60)
    before = counted(lab, "server", "received")
    with subprocess.Popen([tmp_path / "echo", "client"]) as foreign:
        lab.until(lambda: foreign.poll() is not None, 30, "the end of the C client")
    assert foreign.returncode == 0
    lab.until(lambda: counted(lab, "server", "received") >= before + 1000, 15, "its thousand messages")


def test_a_foreign_client_that_never_reads_is_told_of_and_the_lab_goes_on(sockets_lab: Open) -> None:
    lab = sockets_lab("echo", clients=1, rate=5)
    connected(lab)
    with socket.create_connection(("127.0.0.1", port_of(lab))) as greedy:
        greedy.setblocking(False)

        def asleep() -> bool:
            with contextlib.suppress(BlockingIOError):
                greedy.send(b"x" * 4096)
            return lab.is_in("server", "blocked", "send")

        lab.until(asleep, 30, "the server asleep in send")
        lab.until(lambda: f"pid {os.getpid()}" in (lab.state("server").waker or ""), 15)
        lab.until_state("client", "blocked", "recv", 15)
        assert f"pid {os.getpid()} has not read" in caption(lab.lab.state, "en")
    came = counted(lab, "client", "received")
    lab.until(lambda: counted(lab, "client", "received") > came, 20)


def test_a_flood_of_connections_fills_the_backlog_and_is_told(sockets_lab: Open) -> None:
    lab = sockets_lab("tcp")
    connected(lab)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port_of(lab)))
        lab.until(lambda: (door(lab.lab.state) or {}).get("queued") == 2, 15)
        sent = len(lab.calls("client", "send"))
        lab.until(lambda: len(lab.calls("client", "send")) > sent, 15)
    assert lab.process("server").exited is None
