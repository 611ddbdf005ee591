"""TCP's own account, the tables of /proc/net, datagrams peeked at: against sockets of this process's own."""

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.kernel import datagrams, inet_tables, tcp

from .conftest import eventually, until_an_error_waits, until_readable

pytestmark = pytest.mark.real
LISTENING = "   0: 0100007F:1F90 00000000:0000 0A 00000001:00000002 00:00000000 00000000  1000        0 777 1 0 100"
CONNECTED = "   1: 0100007F:1F90 0200007F:C001 01 00000010:00000020 01:00000014 00000000  1000        0 778 2 0 20 4"
DATAGRAMS = "  23: 0100007F:0007 00000000:0000 07 00000000:00000340 00:00000000 00000000  1000        0 779 2 0 48"


@pytest.fixture
def pidfd() -> Iterator[int]:
    fd = os.pidfd_open(os.getpid())
    yield fd
    os.close(fd)


# TCP_INFO


def test_a_listening_socket_tells_its_queue(pidfd: int) -> None:
    with socket.socket() as door, socket.socket() as first, socket.socket() as second:
        door.bind(("127.0.0.1", 0))
        door.listen(3)
        first.connect(door.getsockname())
        second.connect(door.getsockname())
        eventually(lambda: tcp.look(pidfd, door.fileno()).queued == 2)
        now = tcp.look(pidfd, door.fileno())
        assert (now.state, now.queued, now.backlog, now.window) == ("LISTEN", 2, 3, None)


def test_a_closed_window_is_seen_by_the_sender_and_nothing_is_taken(pidfd: int) -> None:
    with socket.socket() as door, socket.socket() as near:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        door.bind(("127.0.0.1", 0))
        door.listen(1)
        near.connect(door.getsockname())
        far, _ = door.accept()
        with far:
            opened = tcp.look(pidfd, near.fileno())
            assert opened.state == "ESTABLISHED"
            assert opened.window is not None
            assert opened.window > 0
            near.setblocking(False)
            near.send(b"x" * 100_000)  # as much of it as fits

            def is_shut() -> bool:
                shut = tcp.look(pidfd, near.fileno())
                return shut.window is not None and shut.window < (opened.window or 0) and bool(shut.unsent)

            eventually(is_shut)
            assert far.recv(1) == b"x", "looking took nothing"


def test_what_is_no_tcp_socket_raises(pidfd: int) -> None:
    with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match=r"."):
        tcp.look(pidfd, other.fileno())


@given(st.binary(max_size=300))
def test_any_bytes_are_an_account_or_too_short(raw: bytes) -> None:
    try:
        now = tcp.parse(raw)
    except ValueError:
        assert len(raw) < 104
        return
    assert isinstance(now.state, str)
    assert (now.window is None) == (len(raw) < 232 or now.state == "LISTEN")


# /proc/net


def test_rows_as_they_are_written() -> None:
    rows = inet_tables.parse("tcp", ["  sl  local_address …", LISTENING, CONNECTED, "nonsense", ""])
    assert [row.state for row in rows] == ["LISTEN", "ESTABLISHED"]
    listening, connected = rows
    assert listening.local == ("127.0.0.1", 8080)
    assert listening.peer is None
    assert (listening.unsent, listening.waiting, listening.inode) == (1, 2, 777)
    assert connected.peer == ("127.0.0.2", 49153)
    assert (connected.unsent, connected.waiting, connected.drops) == (16, 32, 0)
    (row,) = inet_tables.parse("udp", [DATAGRAMS])
    assert (row.local, row.waiting, row.drops) == (("127.0.0.1", 7), 832, 48)


@given(st.lists(st.text(max_size=120)))
def test_any_lines_are_rows_or_left_out(lines: list[str]) -> None:
    for protocol in ("tcp", "udp"):
        for row in inet_tables.parse(protocol, lines):
            assert 0 <= row.local[1] < 65536
    assert inet_tables.parse_members(lines, "239.1.2.3") >= 0


def test_the_table_of_this_machine_has_our_connection(pidfd: int) -> None:
    with socket.socket() as door, socket.socket() as near:
        door.bind(("127.0.0.1", 0))
        door.listen(1)
        near.connect(door.getsockname())
        far, _ = door.accept()
        with far:
            near.send(b"waiting")
            until_readable(far)
            rows = inet_tables.table("tcp")
            row = next(row for row in rows if row.local == far.getsockname() and row.peer == near.getsockname())
            assert row.waiting == len(b"waiting")
            inodes = [os.fstat(one.fileno()).st_ino for one in (near, far, door)]
            peers, listening = inet_tables.ends(rows)
            assert (peers[inodes[0]], peers[inodes[1]]) == (inodes[1], inodes[0])
            assert inodes[2] in listening


def test_members_of_a_group_are_counted() -> None:
    group, before = "239.9.8.7", inet_tables.members("239.9.8.7")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        membership = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        assert inet_tables.members(group) == before + 1
    assert inet_tables.members(group) == before


def test_there_is_nobody_in_no_group() -> None:
    assert inet_tables.parse_members(["Idx\tDevice", "1\tlo", "\t\t\t030201EF     2 0:00000000\t\t0"], "10.0.0.1") == 0


# Datagrams


def test_datagrams_are_peeked_at_one_by_one_and_left(pidfd: int) -> None:
    kind = socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as to, socket.socket(socket.AF_INET, kind) as sender:
        to.bind(("127.0.0.1", 0))
        sent = [b"one", b"twotwo", b"x" * 500]
        for data in sent:
            sender.sendto(data, to.getsockname())
        eventually(lambda: len(datagrams.peek(pidfd, to.fileno())) == len(sent))
        for _ in range(2):
            assert datagrams.peek(pidfd, to.fileno(), length=64) == tuple((data[:64], len(data)) for data in sent)
        assert len(datagrams.peek(pidfd, to.fileno(), most=2)) == 2
        assert [to.recv(1000) for _ in sent] == sent


def test_an_error_that_waits_for_the_owner_is_not_taken_away(pidfd: int) -> None:
    kind = socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as gone, socket.socket(socket.AF_INET, kind) as sender:
        gone.bind(("127.0.0.1", 0))
        sender.connect(gone.getsockname())
        gone.close()
        sender.send(b"to nobody")
        until_an_error_waits(sender)
        assert datagrams.peek(pidfd, sender.fileno()) == ()
        with pytest.raises(ConnectionRefusedError):
            sender.send(b"again")
