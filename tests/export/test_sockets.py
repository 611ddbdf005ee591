"""Arrows through sockets, out of another process's memory, and to what completed an asynchronous read."""

from dataclasses import replace

from ipctui.trace.records import Access, Record
from tests.export.given import arrows, call, traced, write


def through(name: str, process: str, socket: int, begin: int, message: str = "", size: int = 64, asked: int = 64,
            to: str = "") -> Record:  # fmt: skip
    """A call on a socket that begins with a message, or with none."""
    text = f'3, "{message} …"..., {asked}, 0{to}'
    named = (message,) if message else ()
    return call(process, name, begin, begin + 5, size, args=text, message=named, object=f"socket:[{socket}]", fd=3)


def test_an_echo_is_two_arrows_in_whichever_order_it_is_told() -> None:
    there, got = through("send", "child", 1, 10, "child:1"), through("recv", "parent", 2, 20, "child:1")
    back, heard = through("send", "parent", 2, 30, "child:1"), through("recv", "child", 1, 40, "child:1")
    expected = [("child:1", 10, 25), ("child:1", 30, 45)]
    for told in ((there, got, back, heard), (there, heard, got, back), (got, back, there, heard)):
        assert sorted(arrows(*told), key=lambda arrow: arrow[1]) == expected


def test_a_datagram_to_many_is_an_arrow_to_each() -> None:
    for group in ("239.255.0.7:51849", "[ff02::7]:51849"):
        sent = through("sendto", "parent", 1, 10, "parent:1", to=f", {group}")
        got = [through("recvfrom", "child", socket, 20 + socket, "parent:1") for socket in (2, 3, 4)]
        expected = [("parent:1", 10, 25 + socket) for socket in (2, 3, 4)]
        assert sorted(arrows(sent, *got)) == sorted(arrows(got[0], sent, *got[1:])) == expected
    alone = through("sendto", "parent", 1, 10, "parent:1", to=", 127.0.0.1:51849")
    assert len(arrows(alone, *got)) == 1
    assert traced(alone).about["messages_without_receipt"] == 1


def test_a_read_of_a_stream_takes_all_messages_whose_bytes_it_has() -> None:
    sends = [through("send", "parent", 1, 10 * number, f"parent:{number}") for number in (1, 2, 3)]
    first, rest = through("recv", "child", 2, 40, "parent:1", 100), through("recv", "child", 2, 50, "", 92)
    expected = [("parent:1", 10, 45), ("parent:2", 20, 55), ("parent:3", 30, 55)]
    assert arrows(*sends, first, rest) == expected
    assert arrows(sends[0], first, rest, *sends[1:]) == expected
    assert arrows(*sends, first) == expected[:1]
    everything = through("recv", "child", 2, 40, "parent:1", 192)
    assert len(arrows(everything, *sends)) == len(arrows(*sends, everything)) == 3


def test_a_send_in_pieces_counts_from_its_last() -> None:
    sent = (through("send", "parent", 1, 10, "parent:1", 40, 100), through("send", "parent", 1, 20, "", 60, 60))
    got = (through("recv", "child", 2, 12, "parent:1", 40), through("recv", "child", 2, 30, "", 60))
    assert arrows(*sent, *got) in ([], [("parent:1", 20, 35)])
    assert arrows(*sent, through("recv", "child", 2, 30, "parent:1", 100)) == [("parent:1", 20, 35)]


def test_a_datagram_without_a_name_is_known_by_its_bytes() -> None:
    """The laboratory names a receipt after the send; where that returns later, it names none."""
    sent = replace(
        through("sendto", "parent", 1, 10, "parent:datagram-1"), args='3, "\\0\\0\\1", 3, 0, 127.0.0.1:9', end=40
    )
    got = replace(through("recvfrom", "child", 2, 20), args='3, "\\0\\0\\1", 1024, 0, 127.0.0.1:8')
    assert arrows(got, sent) == [("parent:datagram-1", 10, 25)]
    assert arrows(replace(got, args='3, "\\0\\0\\2", 1024, 0'), sent) == []
    assert arrows(replace(got, begin=2, end=5), sent) == []


def test_what_an_io_uring_or_aio_completed_is_a_receipt() -> None:
    for name in ("io_uring_peek_cqe", "aio_return"):
        got = call("child", name, 30, 35, 64, args='3, "parent:1 a"..., 64', message=("parent:1",), syscall=None)
        assert arrows(write(10, 20, "parent:1", 0), got) == [("parent:1", 10, 35)]


def test_a_message_read_out_of_another_process() -> None:
    held = Access("parent", 4711, "store", None, 0, 64, 10, 15, message=("parent:1",), size=64)
    got = call("child", "process_vm_readv", 30, 40, 64, args="4711, [{iov_len=64}], 1", object=None)
    assert arrows(held, got) == arrows(got, held) == [("parent:1", 10, 40)]
    assert traced(held).about["messages_without_receipt"] == 1
    assert arrows(got, held, got) == [("parent:1", 10, 40)]
