"""Which messages a read brought: told from offsets, over restarts of either side, and never wrongly."""

from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.joined import Stream
from ipctui.worker.messages import filled


class Fifo:
    """A FIFO with one writer and one reader at a time, and the truth about each byte in it."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.bytes: list[tuple[int, str]] = []
        self.pids = {"write": 100, "read": 200}
        self.offsets = {"write": 0, "read": 0}
        self.number = 0

    def restart(self, how: str) -> None:
        self.stream.ended(self.pids[how])
        self.pids[how] += 1
        self.offsets[how] = 0

    def write(self, size: int) -> str:
        self.number += 1
        message = filled("writer", self.number, size, b"a")
        name = f"writer:{self.number}"
        self.bytes += [(byte, name) for byte in message]
        self.stream.wrote((self.pids["write"], 3), self.offsets["write"], size, name)
        self.offsets["write"] += size
        return name

    def foreign(self, data: bytes) -> None:
        self.bytes += [(byte, "") for byte in data]

    def read(self, size: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the stream tells of a read, and the truth."""
        came, self.bytes = self.bytes[:size], self.bytes[size:]
        data = bytes(byte for byte, _ in came)
        told = self.stream.read((self.pids["read"], 3), self.offsets["read"], len(data), data[:32])
        self.offsets["read"] += len(data)
        return told, tuple(dict.fromkeys(name for _, name in came if name))


def test_a_writer_that_is_started_again_goes_on_where_the_last_one_ended() -> None:
    fifo = Fifo()
    first = fifo.write(64)
    fifo.restart("write")
    second, third = fifo.write(64), fifo.write(64)
    assert fifo.read(100) == ((first, second), (first, second))
    assert fifo.read(100) == ((second, third), (second, third))
    assert fifo.stream.lone


def test_a_reader_that_is_started_again_is_placed_by_the_first_beginning_that_it_meets() -> None:
    fifo = Fifo()
    first, second, third = fifo.write(64), fifo.write(64), fifo.write(64)
    assert fifo.read(74)[0] == (first, second)
    fifo.restart("read")
    assert fifo.read(54)[0] == (), "the rest of a message, and nothing tells of which"
    assert fifo.read(32)[0] == (third,)
    assert fifo.read(32)[0] == (third,)
    assert second == "writer:2"


def test_bytes_that_were_lost_with_the_last_close_are_skipped() -> None:
    fifo = Fifo()
    fifo.write(64)
    fifo.bytes.clear()
    fifo.restart("write")
    fifo.restart("read")
    second, third = fifo.write(64), fifo.write(64)
    assert fifo.read(128)[0] == (second, third)


def test_where_a_stranger_writes_too_only_headers_tell() -> None:
    fifo = Fifo()
    first = fifo.write(64)
    assert fifo.read(64)[0] == (first,)
    fifo.foreign(b"foreign bytes\n")
    fifo.write(64)
    assert fifo.read(14)[0] == ()
    assert not fifo.stream.lone
    second = "writer:2"
    assert fifo.read(32)[0] == (second,)
    assert fifo.read(32)[0] == ()


def test_two_writers_at_once_are_told_by_headers() -> None:
    stream = Stream()
    stream.wrote((1, 3), 0, 64, "a:1")
    stream.wrote((2, 3), 0, 64, "b:1")
    assert not stream.lone
    assert stream.read((9, 3), 0, 128, b"a:1 aaaa") == ("a:1",)
    assert stream.read((9, 3), 128, 64, b"aaaa") == ()


STEPS = st.lists(
    st.tuples(st.just("write"), st.integers(20, 90))
    | st.tuples(st.just("read"), st.integers(1, 200))
    | st.tuples(st.sampled_from(("restart write", "restart read")), st.just(0)),
    max_size=60,
)


@given(STEPS)
def test_whoever_is_started_again_no_read_is_joined_to_a_wrong_message(steps: list[tuple[str, int]]) -> None:
    fifo = Fifo()
    placed, read = True, False
    for step, size in steps:
        if step == "write":
            fifo.write(size)
        elif step.startswith("restart"):
            fifo.restart(step.split()[1])
            # What a writer has left may be lost with the last close, before anybody has read.
            placed = placed and read and step != "restart read"
        elif fifo.bytes:
            read = True
            told, truth = fifo.read(size)
            assert set(told) <= set(truth)
            placed = placed or bool(told)
            if placed:
                assert told == truth
