"""UNIX sockets as the laboratory looks at them: names, the true peer, what waits; and nothing is disturbed."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from ipctui.kernel.unix_sockets import identify, look, parse_peer, parse_table, peer_inode, shown, table

from .conftest import eventually, open_here

HEADER = "Num       RefCount Protocol Flags    Type St Inode Path\n"


@pytest.fixture
def own() -> Iterator[int]:
    """A pidfd of this process."""
    fd = os.pidfd_open(os.getpid())
    yield fd
    os.close(fd)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected SEQPACKET pair."""
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield a, b
    a.close()
    b.close()


def test_what_waits_is_seen_message_by_message_and_stays(own: int, pair: tuple[socket.socket, socket.socket]) -> None:
    a, b = pair
    sent = [b"one", b"x" * 500, b"three"]
    for message in sent:
        b.send(message)
    for _ in range(50):
        queue = look(own, a.fileno(), length=64)
    assert queue.messages == (b"one", b"x" * 64, b"three")
    assert (queue.waiting, queue.count, queue.taken) == (sum(map(len, sent)), 3, 0)
    assert queue.sizes == (3, 500, 5)
    assert [a.recv(4096) for _ in sent] == sent


def test_more_messages_than_looked_at_have_no_count(own: int, pair: tuple[socket.socket, socket.socket]) -> None:
    a, b = pair
    for number in range(5):
        b.send(b"%d" % number)
    assert look(own, a.fileno(), most=3).count is None
    assert look(own, a.fileno(), most=5).count == 5


def test_what_the_sender_has_not_got_back_is_kernel_memory(own: int, pair: tuple[socket.socket, socket.socket]) -> None:
    a, b = pair
    b.send(b"x" * 64)
    assert look(own, b.fileno()).taken > 64
    a.recv(64)
    assert look(own, b.fileno()).taken == 0


def test_looking_does_not_take_the_error_of_the_sockets_owner(
    own: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    a, b = pair
    a.send(b"never read")
    b.send(b"sent before the end")
    b.close()
    for _ in range(10):
        look(own, a.fileno())
    with pytest.raises(ConnectionResetError):
        a.recv(64)
    assert a.recv(64) == b"sent before the end"
    assert a.recv(64) == b""


def test_looking_leaves_peeks_where_they_were(own: int, pair: tuple[socket.socket, socket.socket]) -> None:
    a, b = pair
    b.send(b"one")
    b.send(b"two")
    look(own, a.fileno())
    assert a.recv(64, socket.MSG_PEEK) == b"one"
    assert a.recv(64, socket.MSG_PEEK) == b"one"


def test_for_an_owner_that_peeks_the_oldest_alone_is_looked_at(
    own: int, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    assert look(own, a.fileno(), peeked=True).count == 0
    b.send(b"x" * 100)
    assert look(own, a.fileno(), peeked=True).count == 1
    b.send(b"two")
    options: list[int] = []
    monkeypatch.setattr(socket.socket, "setsockopt", lambda _, level, name, value: options.append(name))
    queue = look(own, a.fileno(), peeked=True)
    assert (queue.messages, queue.sizes, queue.waiting, queue.count) == ((b"x" * 64,), (100,), 103, None)
    assert not options, "SO_PEEK_OFF is left alone"


def test_a_copy_of_what_is_no_socket_any_more_is_closed(own: int) -> None:
    read, write = os.pipe()
    before = os.listdir("/proc/self/fd")
    for ask in (identify, look):
        with pytest.raises(OSError, match="Socket operation on non-socket"):
            ask(own, write)
    assert os.listdir("/proc/self/fd") == before
    os.close(write)
    assert os.read(read, 1) == b"", "no copy keeps the pipe open"
    os.close(read)


def test_passed_descriptors_are_not_taken(own: int, pair: tuple[socket.socket, socket.socket]) -> None:
    a, b = pair
    with open(os.devnull) as file:
        socket.send_fds(b, [b"with rights"], [file.fileno()])
    before = open_here()
    assert look(own, a.fileno()).messages == (b"with rights",)
    assert open_here() == before
    _, fds, _, _ = socket.recv_fds(a, 64, 4)
    assert len(fds) == 1
    os.close(fds[0])


def test_the_peer_is_who_called_connect_or_listen(own: int) -> None:
    name = f"\0ipctui-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(name)
        assert not identify(own, door.fileno()).listening
        door.listen()
        identity = identify(own, door.fileno())
        assert identity.listening
        assert identity.name == "@" + name[1:]
        assert identity.peer_pid is None
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                knock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                knock.bind(name + "+knock")
                knock.connect(name)
                os.read(read, 1)
            os._exit(0)
        try:
            link, _ = door.accept()
            with link, contextlib.closing(os.fdopen(os.pidfd_open(child), "rb", 0)) as other:
                mine = identify(own, link.fileno())
                theirs = identify(other.fileno(), _descriptor(child, name + "+knock"))
                inode = os.fstat(link.fileno()).st_ino
                far = os.stat(f"/proc/{child}/fd/{_descriptor(child, name + '+knock')}").st_ino
                assert (mine.peer_pid, mine.peer_name, mine.name) == (child, f"@{name[1:]}+knock", "@" + name[1:])
                assert (theirs.peer_pid, theirs.peer_name) == (os.getpid(), "@" + name[1:])
                assert theirs.name == mine.peer_name
                if peer_inode(inode) is not None:
                    assert (peer_inode(inode), peer_inode(far)) == (far, inode)
                if shutil.which("ss") is not None:
                    said = subprocess.run(["ss", "-xpn"], capture_output=True, text=True, check=True).stdout
                    found = re.search(rf"{re.escape(theirs.name)}\s+{far}\s+\S+\s+{inode}\b.*", said)
                    assert found is not None
                    assert f"pid={child}," in found[0]
        finally:
            os.write(write, b"x")
            os.waitpid(child, 0)
            os.close(read)
            os.close(write)


def _descriptor(pid: int, name: str) -> int:
    """The descriptor of the socket bound to an abstract name."""
    # While others bind and close, the kernel's table is read in parts, and a row can slip through between two.
    found: list[int] = []
    eventually(lambda: found.extend(row.inode for row in table() if row.name == "@" + name[1:]) or found)
    inode = found[0]
    links = {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    return next(int(fd) for fd, link in links.items() if link == f"socket:[{inode}]")


def test_the_table_of_the_kernel() -> None:
    rows = parse_table(
        HEADER
        + "000000006a6071e9: 00000003 00000000 00000000 0005 03 721672 @x/Q\n"
        + "000000002bb2316d: 00000002 00000000 00010000 0005 01 721664 @x/a b\n"
        + "00000000dc2c025a: 00000003 00000000 00000000 0001 03 7\n"
        + "nonsense\n"
    )
    assert [(row.inode, row.kind, row.listening, row.name) for row in rows] == [
        (721672, 5, False, "@x/Q"),
        (721664, 5, True, "@x/a b"),
        (7, 1, False, ""),
    ]


def test_addresses_as_ss_prints_them() -> None:
    assert [shown(each) for each in (b"\0a/b", "/run/x", "", None)] == ["@a/b", "/run/x", "", ""]


@pytest.mark.parametrize(
    "answer", [b"", b"\0" * 16, b"\x30\0\0\0\x14\0\0\0" + b"\0" * 24 + b"\x01\0\x02\0" + b"\0" * 4]
)
def test_an_answer_without_a_peer_names_none(answer: bytes) -> None:
    assert parse_peer(answer) is None


def test_what_is_no_socket_is_said_to_be_none(own: int) -> None:
    read, write = os.pipe()
    try:
        with pytest.raises(OSError, match="socket"):
            look(own, read)
    finally:
        os.close(read)
        os.close(write)
