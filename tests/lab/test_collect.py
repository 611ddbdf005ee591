"""What the laboratory makes of ring entries: arguments as strace prints them, and the messages that they name."""

import errno
import os
import signal
import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.collect import Collector, arguments
from ipctui.lab.fold import fold
from ipctui.lab.state import LabState
from ipctui.trace.operations import CODES, OPERATIONS
from ipctui.trace.records import Access, Call
from ipctui.trace.ring import Entry, Key, key_of

KEY = Key(0, 0, 3, 0, 0)
ANY = Key(0, 0, None, 0, 0)


def shown(
    name: str, argument: int = 0, extra: int = 0, payload: bytes = b"", result: int | None = 0,
    label: str | None = None, key: Key = KEY,
) -> str:  # fmt: skip
    return arguments(name, key, argument, extra, payload, result, label)


def test_names_and_flags_are_printed_as_in_c() -> None:
    path = "/tmp/ipctui-1-2-0123abcd/a/rather/long/way/to/orders"
    assert shown("open", os.O_WRONLY, label=path, result=3) == f'"{path}", O_WRONLY'
    assert shown("open", os.O_CREAT | os.O_RDWR, 0o600, b"/tmp/x") == '"/tmp/x", O_RDWR|O_CREAT, 0600'
    assert shown("open", os.O_RDONLY, 0, path.encode()[-32:]) == '..."' + path[-32:] + '", O_RDONLY'
    assert shown("mkfifo", 0o600, label="/tmp/x") == '"/tmp/x", 0600'
    assert shown("unlink", label="/tmp/x") == '"/tmp/x"'
    assert shown("shm_open", os.O_CREAT | os.O_RDWR, 0o600, label="/dev/shm/x") == '"/x", O_RDWR|O_CREAT, 0600'
    assert shown("sem_open", os.O_CREAT, 0o600 << 32 | 4, label="/dev/shm/sem.x") == '"/x", O_CREAT, 0600, 4'
    assert shown("sem_open", 0, 0, label="/dev/shm/sem.x") == '"/x", 0'
    assert shown("sem_wait", payload=b"/x", label=None, key=ANY) == '"/x"'
    assert shown("sem_getvalue", 3, label="/dev/shm/sem.x") == '"/x", [3]'
    limits = 0o600 << 48 | 4 << 32 | 64
    assert shown("mq_open", os.O_CREAT | os.O_RDWR, limits, label="/x") == (
        '"/x", O_RDWR|O_CREAT, 0600, {mq_maxmsg=4, mq_msgsize=64}'
    )
    assert shown("mq_open", os.O_RDONLY | os.O_NONBLOCK, limits, label="/x") == '"/x", O_RDONLY|O_NONBLOCK'


def test_what_moves_messages_shows_their_beginning() -> None:
    message = b"p:1 aaa\n"
    assert shown("mq_send", 8, 5, message) == '3, "p:1 aaa\\n", 8, 5'
    assert shown("mq_receive", 64, 5, message, 8) == '3, "p:1 aaa\\n", 64, [5]'
    assert shown("mq_receive", 64, 0, b"", None) == "3, "
    assert shown("mq_receive", 64, 0, b"", -errno.EAGAIN) == "3, …, 64, [0]"
    assert shown("send", 8, 0, message, 8) == '3, "p:1 aaa\\n", 8, 0'
    assert shown("recv", 64, 0, message, 8) == '3, "p:1 aaa\\n", 64, 0'
    assert shown("sendmsg", 8, 1 << 32, message, 8) == (
        '3, {msg_iov=[{iov_base="p:1 aaa\\n", iov_len=8}], msg_control=[1 descriptor]}, 0'
    )


def test_the_rest_reads_as_strace_prints_it() -> None:
    assert shown("mmap", 4096, 1 | 3 << 32, result=1 << 40) == "NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0"
    assert shown("munmap", 4096, 0x7F00, key=ANY) == "0x7f00, 4096"
    assert shown("ftruncate", 4096) == "3, 4096"
    kind = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC
    assert shown("socket", socket.AF_UNIX, kind, key=ANY) == "AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0"
    pair = struct.pack("@ii", 5, 6)
    assert shown("socketpair", socket.AF_UNIX, socket.SOCK_SEQPACKET, pair) == "AF_UNIX, SOCK_SEQPACKET, 0, [5, 6]"
    assert shown("connect", 14, 0, b"@name") == '3, "@name", 14'
    assert shown("poll", 2, 0xFFFFFFFF, struct.pack("@ii", 5, 6), key=ANY) == "[{fd=5}, {fd=6}], 2, -1"
    assert shown("mq_notify", signal.SIGUSR1) == "3, {sigev_notify=SIGEV_SIGNAL, sigev_signo=SIGUSR1}"
    assert shown("mq_notify", -1) == "3, NULL"
    assert shown("pthread_mutex_lock", 64, 0, b"lock", key=ANY) == "lock"
    assert shown("clock_nanosleep", 20_000, key=ANY) == "CLOCK_MONOTONIC, 0, 2e-05 s"


WORDS = st.integers(-(1 << 63), (1 << 63) - 1)


@given(
    st.sampled_from([row.name for row in OPERATIONS]),
    st.none() | st.integers(0, 65534),
    WORDS,
    st.integers(0, (1 << 64) - 1),
    st.binary(min_size=32, max_size=32),
    st.none() | WORDS,
    st.none() | st.text(max_size=20),
)
def test_any_words_of_any_worker_are_printed_on_one_line(
    name: str, fd: int | None, argument: int, extra: int, payload: bytes, result: int | None, label: str | None
) -> None:
    text = arguments(name, Key(0, 0, fd, 0, 0), argument, extra, payload, result, label)
    assert "\n" not in text
    assert "\x1b" not in text


class Rig:
    """A collector, and workers whose entries it is given."""

    def __init__(self, lone: bool = True) -> None:
        listing: Any = SimpleNamespace(line=lambda function, position: None)
        clock: Any = SimpleNamespace(zero=0)
        self.collector = Collector(clock, listing, lone)
        self.labels = {1: "/orders", 2: "/dev/shm/x", 3: "socket:[5]", 4: "/tmp/orders"}
        self.time = 0

    def did(
        self, role: str, name: str, obj: int, result: int, argument: int, extra: int, payload: bytes
    ) -> Call | Access:
        self.time += 10
        ring = SimpleNamespace(operations=OPERATIONS, object_label=self.labels.get, code_name=lambda ordinal: None)
        handle: Any = SimpleNamespace(role=role, pid=hash(role) & 0xFFFF, cell=None, ring=ring)
        key = key_of(CODES[name], 3 if "slot" not in name else -1, obj)
        entry = Entry(1, self.time, self.time + 5, key, result, argument, extra, payload.ljust(32, b"\0")[:32])
        (record,) = self.collector.records(handle, [entry])
        return record


MESSAGE = b"producer:7 aaaa\n"
SIZE = len(MESSAGE)


@pytest.mark.parametrize(
    ("sends", "receives"),
    [
        (("mq_send", 0, SIZE, 5), ("mq_receive", SIZE, 64, 5)),
        (("send", SIZE, SIZE, 0), ("recv", SIZE, 64, 0)),
        (("sendmsg", SIZE, SIZE, 0), ("recvmsg", SIZE, 64, 0)),
        (("store slot", SIZE, 192, 0), ("load slot", SIZE, 192, 0)),
        (("write", SIZE, SIZE, 0), ("read", SIZE, 64, 0)),
    ],
)
def test_a_message_is_joined_from_its_sender_to_its_receiver(
    sends: tuple[str, int, int, int], receives: tuple[str, int, int, int]
) -> None:
    rig = Rig()
    sent = rig.did("producer", sends[0], 1, *sends[1:], MESSAGE)
    came = rig.did("consumer", receives[0], 1, *receives[1:], MESSAGE)
    assert (sent.message, came.message) == (("producer:7",), ("producer:7",))
    (link,) = fold(LabState(), [sent, came]).links
    assert (link.id, link.sender, link.sent, link.receiver, link.received) == (
        "producer:7",
        "producer",
        sent.end,
        "consumer",
        came.end,
    )


def test_what_brought_nothing_names_no_message() -> None:
    rig = Rig()
    assert rig.did("producer", "mq_send", 1, -errno.EAGAIN, SIZE, 0, MESSAGE).message == ()
    assert rig.did("consumer", "recv", 3, SIZE, 64, socket.MSG_PEEK, MESSAGE).message == ()
    assert rig.did("consumer", "recv", 3, 0, 64, 0, b"").message == ()
    assert rig.did("consumer", "mq_receive", 1, 9, 64, 0, b"foreigner").message == ()
    # The payload is what was received and no more: what lies behind it in the slot is nobody's.
    assert rig.did("consumer", "load slot", 2, 4, 192, 0, MESSAGE).message == ()


def test_an_access_tells_a_word_by_its_value_and_a_slot_by_its_bytes() -> None:
    rig = Rig()
    word = rig.did("producer", "store", 2, -5, 64, 0, b"")
    assert isinstance(word, Access)
    assert (word.name, word.object, word.offset, word.value, word.size, word.text, word.message) == (
        *("store", "/dev/shm/x", 64, -5, None, None),
        (),
    )
    slot = rig.did("producer", "store slot", 2, SIZE, 192, 0, MESSAGE)
    assert isinstance(slot, Access)
    assert (slot.name, slot.offset, slot.value, slot.size, slot.text, slot.message) == (
        *("store", 192, SIZE, SIZE, '"producer:7 aaaa\\n"'),
        ("producer:7",),
    )


def test_a_stream_with_a_second_writer_is_joined_by_headers_alone() -> None:
    rig = Rig()
    rig.did("producer", "write", 4, SIZE, SIZE, 0, MESSAGE)
    whole = rig.did("consumer", "read", 4, SIZE // 2, SIZE // 2, 0, MESSAGE[: SIZE // 2])
    rest = rig.did("consumer", "read", 4, SIZE - SIZE // 2, 64, SIZE // 2, MESSAGE[SIZE // 2 :])
    assert (whole.message, rest.message) == (("producer:7",), ("producer:7",))
    other = b"producer2:1 bbb\n"
    rig.did("producer2", "write", 4, len(other), len(other), 0, other)
    assert rig.did("consumer", "read", 4, len(other), 64, SIZE, other).message == ("producer2:1",)
    assert rig.did("consumer", "read", 4, 3, 64, SIZE + len(other), b"bbb").message == ()


def test_a_writer_started_again_does_not_push_messages_out_of_their_places() -> None:
    rig = Rig()
    rig.did("writer", "write", 4, SIZE, SIZE, 0, MESSAGE)
    rig.collector.ended(hash("writer") & 0xFFFF)
    later = b"producer:9 bbbb\n"
    rig.did("its successor", "write", 4, SIZE, SIZE, 0, later)
    both = rig.did("reader", "read", 4, SIZE + 4, 64, 0, MESSAGE + later[:4])
    rest = rig.did("reader", "read", 4, SIZE - 4, 64, SIZE + 4, later[4:])
    assert (both.message, rest.message) == (("producer:7", "producer:9"), ("producer:9",))
