"""Sockets of ip(7) seen from outside, beside what ss(8), FIONREAD and the sockets themselves say."""

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ipctui.kernel import datagrams, ports
from ipctui.kernel.datagrams import is_member
from ipctui.kernel.inet_sockets import look, peek, shown

from .conftest import eventually, until_an_error_waits

pytestmark = pytest.mark.real

FIONREAD = 0x541B


@pytest.fixture
def pidfd() -> Iterator[int]:
    fd = os.pidfd_open(os.getpid())
    yield fd
    os.close(fd)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected pair of UDP sockets: the receiver, the sender."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as r, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        r.bind(("127.0.0.1", 0))
        s.connect(r.getsockname())
        yield r, s


def test_endpoints_are_those_that_the_sockets_say(pidfd: int, pair: tuple[socket.socket, socket.socket]) -> None:
    receiver, sender = pair
    found = look(pidfd, sender.fileno())
    assert found is not None
    assert (found.protocol, found.local, found.peer) == ("udp", sender.getsockname(), receiver.getsockname())
    bound = look(pidfd, receiver.fileno())
    assert bound is not None
    assert (bound.peer, bound.state) == (None, "CLOSE")
    assert shown(bound.local) == f"127.0.0.1:{receiver.getsockname()[1]}"
    assert shown(None) == "*"


def test_what_waits_is_counted_and_peeked_at_and_left(pidfd: int, pair: tuple[socket.socket, socket.socket]) -> None:
    receiver, sender = pair
    assert peek(pidfd, receiver.fileno()) == b""
    for message in (b"first", b"second!"):
        sender.send(message)
    eventually(lambda: datagrams.peek(pidfd, receiver.fileno())[1:])
    found = look(pidfd, receiver.fileno())
    assert found is not None
    (next_size,) = struct.unpack("i", fcntl.ioctl(receiver, FIONREAD, bytes(4)))
    assert found.waiting == next_size == 5, "udp(7): the size of the next datagram"
    assert found.taken > 12
    assert peek(pidfd, receiver.fileno()) == b"first"
    assert receiver.recv(100) == b"first"
    assert receiver.recv(100) == b"second!"


def test_datagrams_without_room_are_counted_as_dropped(pidfd: int, pair: tuple[socket.socket, socket.socket]) -> None:
    receiver, sender = pair
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(50):
        sender.send(b"x" * 64)

    def drops() -> int:
        found = look(pidfd, receiver.fileno())
        return (found and found.drops) or 0

    eventually(drops)
    receiver.setblocking(False)
    arrived = 0

    def all_counted() -> bool:
        nonlocal arrived
        with contextlib.suppress(BlockingIOError):
            while receiver.recv(100):
                arrived += 1
        return drops() + arrived == 50

    eventually(all_counted)


def test_a_connections_states_and_both_its_queues(pidfd: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = look(pidfd, server.fileno())
        assert listening is not None
        assert listening.state == "LISTEN"
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                client.send(b"hello")
                eventually(lambda: peek(pidfd, accepted.fileno(), 3) == b"hel")
                found = look(pidfd, accepted.fileno())
                assert found is not None
                assert (found.state, found.waiting) == ("ESTABLISHED", 5)
                client.shutdown(socket.SHUT_WR)
                eventually(lambda: (now := look(pidfd, accepted.fileno())) and now.state == "CLOSE_WAIT")


@pytest.mark.skipif(shutil.which("ss") is None, reason="no ss(8) on this machine")
def test_ss_says_the_same_of_a_reader_that_does_not_read(pidfd: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while client.send(b"x" * 1000):
                        pass
                port = client.getsockname()[1]
                command = ["ss", "-tnH", f"sport = :{port}"]

                def the_same() -> bool:
                    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                    found = look(pidfd, client.fileno())
                    return found is not None and int(said.split()[2]) == found.unsent > 0

                eventually(the_same)  # the last of it may be on its way to the other end yet


def test_another_family_is_none_and_what_is_no_socket_an_error(pidfd: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert look(pidfd, ours.fileno()) is None
    r, w = os.pipe()
    try:
        with pytest.raises(OSError, match="socket"):
            look(pidfd, r)
    finally:
        os.close(r)
        os.close(w)


def test_an_error_that_waits_for_its_owner_is_left_to_it(pidfd: int, pair: tuple[socket.socket, socket.socket]) -> None:
    receiver, sender = pair
    receiver.close()
    sender.send(b"to nobody")
    until_an_error_waits(sender)
    assert peek(pidfd, sender.fileno()) == b""
    with pytest.raises(ConnectionRefusedError):
        sender.recv(10)


# Ports


def test_a_taken_port_is_told_and_a_free_one_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert "EADDRINUSE" in ports.why_not_port(port)
        assert not ports.port_free(port)
    assert ports.why_not_port(0) == ""


def test_where_ports_begin_that_anybody_may_take_is_the_systems_word() -> None:
    said = int(ports.START.read_text()) if ports.START.exists() else 1024
    assert ports.unprivileged_start() == said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
def test_a_port_that_needs_a_right_is_refused_with_the_reason() -> None:
    if ports.unprivileged_start() <= 1:
        pytest.skip("this system gives every port to everybody")
    script = (
        "import os; from ipctui.kernel.ports import why_not_port; os.setgid(65534); os.setuid(65534);"
        "print(why_not_port(1))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "EACCES" in done.stdout or "EADDRINUSE" in done.stdout


def test_a_socket_tells_whether_it_has_joined_a_group(pidfd: int) -> None:
    membership = socket.inet_aton("239.255.7.1") + socket.inet_aton("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket() as stream:
        assert is_member(pidfd, one.fileno(), "239.255.7.1") is False
        one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        assert is_member(pidfd, one.fileno(), "239.255.7.1") is True
        assert is_member(pidfd, one.fileno(), "239.255.7.2") is False
        one.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, membership)
        assert is_member(pidfd, one.fileno(), "239.255.7.1") is False
        assert not is_member(pidfd, stream.fileno(), "239.255.7.1")
