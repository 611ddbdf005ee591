"""Datagrams, what programs tell, and files made durable: by a real worker, read back from its ring."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.packets import Packets
from ipctui.lab.strace import arguments
from ipctui.lab.told import TELLS, Told, heard
from ipctui.trace.operations import CODES
from ipctui.trace.records import Event
from ipctui.trace.ring import PAYLOAD, Entry, Key
from ipctui.worker.datagrams import pack_endpoint
from ipctui.worker.onc_rpc import Call, Reply, marked
from ipctui.worker.telling import MOST_TOLD

from .conftest import Start, Worker
from .test_families import rows

pytestmark = pytest.mark.real


class Somebody:
    """What joins records asks of a worker."""

    role, pid, cell = "client", 7, None


def shown(worker: Worker) -> list[tuple[str, str]]:
    """The records since the last look: name and arguments."""
    return [
        (
            name := worker.name(entry),
            arguments(name, Key.of(entry.key), entry.argument, entry.extra, entry.payload, entry.result),
        )
        for entry in worker.entries()
    ]


def test_a_datagram_is_told_with_where_it_goes_and_whence_it_came(start: Start, worker: Worker) -> None:
    told = start(
        """
def program(calls, given):
    r = calls.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s = calls.socket(socket.AF_INET, socket.SOCK_DGRAM)
    calls.bind(r, ("127.0.0.1", 0)); calls.bind(s, ("127.0.0.1", 0))
    there, here = calls.getsockname(r), calls.getsockname(s)
    told = [there[1], here[1], calls.sendto(s, b"one", there), calls.sendto(s, b"", there)]
    data, whence = calls.recvfrom(r, 64)
    empty, again = calls.recvfrom(r, 64)
    none, nobody = calls.recvfrom(r, 64, socket.MSG_DONTWAIT)
    told += [data.decode(), whence == here, empty == b"", again == here, none is None, nobody]
    calls.sendto(s, b"x" * 100, there)
    told.append(len(calls.recvfrom(r, 10, socket.MSG_TRUNC)[0]))
    calls.connect(s, there)
    told.append(calls.getpeername(s) == there)
    calls.close(r)
    calls.send(s, b"nobody")
    try:
        calls.recvfrom(s, 64)
    except ConnectionRefusedError:
        told.append("refused")
    tell(*told)
"""
    ).told()
    there, here, *rest = told
    assert rest == [3, 0, "one", True, True, True, True, "", 10, True, "refused"]
    made = shown(worker)
    sends = [args for name, args in made if name == "sendto"]
    receipts = [args for name, args in made if name == "recvfrom"]
    assert sends[0].endswith(f'"one", 3, 0, 127.0.0.1:{there}')
    assert receipts[0].endswith(f'"one", 64, 0, 127.0.0.1:{here}')
    assert "127.0.0.1" not in receipts[2]


OPTIONS = [
    ("socket.SOL_SOCKET, socket.SO_REUSEADDR, 1", "SOL_SOCKET, SO_REUSEADDR, [1], 4"),
    ("socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0", "SOL_SOCKET, SO_KEEPALIVE, [0], 4"),
    ("socket.SOL_SOCKET, socket.SO_SNDBUF, 4096", "SOL_SOCKET, SO_SNDBUF, [4096], 4"),
    (
        'socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0)',
        "SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8",
    ),
    ("socket.IPPROTO_IP, 49, 0", "SOL_IP, IP_MULTICAST_ALL, [0], 4"),
    ("socket.IPPROTO_IP, socket.IP_TOS, 16", "SOL_IP, IP_TOS, [16], 4"),
    ("socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1", "SOL_IP, IP_MULTICAST_LOOP, [1], 4"),
    (
        'socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.0.7") + socket.inet_aton("127.0.0.1")',
        'SOL_IP, IP_ADD_MEMBERSHIP, {imr_multiaddr=inet_addr("239.255.0.7"), imr_interface=inet_addr("127.0.0.1")}, 8',
    ),
]
"""What is asked for, and how strace 6.1 prints it."""


def test_an_option_and_its_value_are_printed_as_strace_prints_them(start: Start, worker: Worker) -> None:
    asked = "".join(f"\n    calls.setsockopt(s, {given})" for given, _ in OPTIONS)
    start(
        f"""
def program(calls, given):
    import struct
    s = calls.socket(socket.AF_INET, socket.SOCK_DGRAM){asked}
    calls.getsockopt(s, socket.SOL_SOCKET, socket.SO_TYPE)
    tell()
"""
    ).told()
    made = [args.partition(", ")[2] for name, args in shown(worker) if name in ("setsockopt", "getsockopt")]
    assert made == [*(printed for _, printed in OPTIONS), "SOL_SOCKET, SO_TYPE, [2], [4]"]


def test_bytes_of_a_call_in_flight_that_nobody_knows_are_not_said_to_be_none() -> None:
    key = Key(CODES["send"], 0, 3, 0, 0)
    assert arguments("send", key, 64, 0, b"", None) == "3, …, 64, 0"
    assert arguments("send", key, 0, 0, b"", None) == '3, "", 0, 0'
    assert arguments("send", key, 64, 0, b"client:1".ljust(PAYLOAD, b"."), 64).startswith('3, "client:1')


def test_what_is_told_makes_no_system_call_and_comes_back_whole(start: Start, worker: Worker) -> None:
    start(
        """
def program(calls, given):
    calls.announce("executed")
    calls.call("deposit", 7, bytes(range(100)))
    calls.tell("executed", 8)
    calls.tell("long", 9, bytes(5000))
    tell()
"""
    ).told()
    counted = rows(worker)
    assert counted["tell", None, "executed"] == 1
    assert counted["call", None, "deposit"] == 1
    joined = Told()
    events = []
    for entry in worker.entries():
        name = worker.name(entry)
        if name in TELLS:
            label = worker.reader.object_label(Key.of(entry.key).object)
            event = joined.event(Somebody(), name, label, entry, 0, None)  # type: ignore[arg-type]
            events += [event] if event is not None else []
    assert [(event.name, heard(event)) for event in events] == [
        ("deposit", (7, bytes(range(100)))),
        ("executed", (8, b"")),
        ("long", (9, bytes(MOST_TOLD))),
    ]
    assert events[-1].data["size"] == 5000


def test_a_telling_whose_beginning_was_lost_is_left_out() -> None:
    def entry(name: str, offset: int, number: int = 1) -> tuple[str, Entry]:
        return name, Entry(1, 0, 0, CODES[name] << 56, 0, number, offset << 32 | 100, bytes(PAYLOAD))

    def events(*made: tuple[str, Entry]) -> list[Event | None]:
        told = Told()
        return [told.event(Somebody(), name, "x", one, 0, None) for name, one in made]  # type: ignore[arg-type]

    rest = [entry("tell_rest", offset) for offset in (32, 64, 96)]
    assert events(*rest) == [None, None, None]
    assert events(entry("tell", 0), *rest)[-1] is not None
    assert events(entry("tell", 0), *rest[1:]) == [None, None, None]
    assert events(entry("tell", 0, 2), *rest) == [None] * 4


def test_a_file_is_made_durable_and_takes_anothers_name(start: Start, worker: Worker, tmp_path: Path) -> None:
    old, new = str(tmp_path / "new"), str(tmp_path / "ledger")
    start(
        f"""
def program(calls, given):
    fd = calls.open({old!r}, os.O_CREAT | os.O_WRONLY, 0o600)
    calls.write(fd, b"whole")
    calls.fsync(fd)
    calls.rename({old!r}, {new!r})
    tell()
"""
    ).told()
    assert Path(new).read_bytes() == b"whole"
    assert not Path(old).exists()
    assert rows(worker)["fsync", "fsync", old] == 1


@given(st.integers(0, 0xFFFF), st.ip_addresses(v=4), st.integers(0, 0xFFFF))
def test_an_address_rides_in_one_word(flags: int, host: object, port: int) -> None:
    word = pack_endpoint(flags, (str(host), port))
    assert word < 1 << 64
    assert (word & 0xFFFF, word >> 16 & 0xFFFF) == (flags, port)
    assert socket.inet_ntoa((word >> 32).to_bytes(4, "big")) == str(host)


# Which packet is which


def test_a_message_is_followed_from_process_to_process() -> None:
    packets = Packets()
    call = Call(77, 5, 1, 1).packed()[:PAYLOAD]
    (first,) = packets.sent("client", 1, call, 10)
    assert packets.received(1, call, 11) == (), "nobody receives what he sent"
    assert packets.received(2, call, 12) == (first,)
    (second,) = packets.sent("link", 2, call, 13)
    assert second != first
    assert packets.received(3, call, 14) == (second,)
    (back,) = packets.sent("server", 3, Reply(77).packed()[:PAYLOAD], 15)
    assert packets.received(2, call, 16) == ()
    assert packets.received(2, Reply(77).packed(), 17) == (back,)


def test_a_receipt_that_is_told_before_its_send_takes_nobody_elses_name() -> None:
    """The client's send returns only when the link has received and passed on: its ring tells it after theirs."""
    packets = Packets()
    call = Call(77, 5, 1, 1).packed()[:PAYLOAD]
    assert packets.received(2, call, 20) == ()
    (onwards,) = packets.sent("link", 2, call, 21)
    (late,) = packets.sent("client", 1, call, 10)
    (again,) = packets.sent("client", 1, call, 40)
    assert packets.received(3, call, 30) == (onwards,)
    assert packets.received(2, call, 41) == (again,)
    assert len({late, onwards, again}) == 3
    assert packets.received(3, call, 42) == (), "the late one has been received already"


def test_nothing_is_received_before_it_is_sent() -> None:
    packets = Packets()
    call = Call(77, 5, 1, 1).packed()[:PAYLOAD]
    (name,) = packets.sent("client", 1, call, 10)
    assert packets.received(2, call, 9) == ()
    assert packets.received(2, call, 10) == (name,)


def test_a_record_mark_before_a_message_does_not_hide_it() -> None:
    packets = Packets()
    raw = marked(Call(77, 5, 1, 1).packed())[:PAYLOAD]
    (name,) = packets.sent("client", 1, raw, 1)
    assert name.startswith("client:0000004d-")
    assert packets.received(2, raw, 2) == (name,)


def test_a_datagram_is_known_by_its_bytes_and_a_stream_of_them_is_not() -> None:
    packets = Packets()
    assert packets.sent("sender", 1, b"\1\0\0\0", 1) == ()
    (first,) = packets.sent("sender", 1, b"\1\0\0\0", 2, datagram=True)
    (second,) = packets.sent("sender", 1, b"\1\0\0\0", 3, datagram=True)
    assert packets.received(2, b"\1\0\0\0", 4, datagram=True) == (first,)
    assert packets.received(2, b"other", 5, datagram=True) == ()
    assert packets.received(2, b"\1\0\0\0", 6, datagram=True) == (second,)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.binary(max_size=32)), max_size=30))
def test_any_bytes_pass(traffic: list[tuple[bool, int, bytes]]) -> None:
    packets = Packets()
    for t, (sends, pid, raw) in enumerate(traffic):
        names = packets.sent("p", pid, raw, t) if sends else packets.received(pid, raw, t)
        assert len(names) <= 1
