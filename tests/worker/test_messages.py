import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipctui.worker.messages import END, Envelope, Tally, envelope, filled, injected, letter_of, lines_of

SENDERS = st.from_regex(r"[a-z]{1,8}[0-9]{0,2}", fullmatch=True)
LETTERS = st.sampled_from([b"a", b"b", b"z"])
BY_SENDER = {"parent": "z", "child1": "a", "child2": "b", "child3": "c"}


@given(SENDERS, st.integers(1, 10**9), st.integers(1, 5000), LETTERS)
@example("parent", 1, 1, b"a")
@example("parent", 1, 9, b"a")  # as long as its header
@example("parent", 1, 10, b"a")
def test_a_message_is_as_long_as_it_was_asked_to_be(sender: str, number: int, size: int, letter: bytes) -> None:
    message = filled(sender, number, size, letter)
    assert len(message) == size
    assert message.endswith(END)
    assert message.count(END) == 1
    header = f"{sender}:{number} ".encode()
    if size > len(header):
        assert envelope(message) == Envelope(sender, number)
        assert set(message[len(header) : -1]) <= set(letter)
    else:
        assert envelope(message) is None
        assert set(message[:-1]) <= set(letter)


@given(SENDERS, st.integers(1, 10**9), st.binary(max_size=100))
def test_an_injected_message_carries_the_users_bytes(sender: str, number: int, text: bytes) -> None:
    message = injected(sender, number, text)
    found = envelope(message)
    assert found is not None
    assert (found.id, message) == (f"{sender}:{number}", found.id.encode() + b" " + text + END)


@given(st.binary(max_size=100))
def test_any_bytes_have_an_envelope_or_none(data: bytes) -> None:
    found = envelope(data)
    assert found is None or data.startswith(found.sender.encode() + b":")


@pytest.mark.parametrize(
    "data", [b"", b"\n", b":1 ", b"parent:1", b"parent: x", b"PARENT:1 x", b" parent:1 x", b"1:1 ", b"\xffparent:1 "]
)
def test_what_is_no_envelope(data: bytes) -> None:
    assert envelope(data) is None


def test_the_envelope_alone_decides() -> None:
    assert envelope(b"child2:17 bbbb\n") == Envelope("child2", 17)
    assert envelope(b"child2:17 ") == Envelope("child2", 17)


@given(st.binary(max_size=60))
def test_a_newline_divides_the_users_text_into_messages(text: bytes) -> None:
    lines = lines_of(text)
    assert END.join(lines) == text
    assert not any(END in line for line in lines)


MESSAGES = st.lists(
    st.builds(filled, SENDERS, st.integers(1, 999), st.integers(1, 60), LETTERS) | st.just(b"foreign\n") | st.just(END),
    max_size=12,
)


@given(MESSAGES, st.binary(max_size=10), st.data())
def test_however_a_stream_is_cut_the_counts_are_the_same(
    messages: list[bytes], rest: bytes, data: st.DataObject
) -> None:
    stream = b"".join(messages) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    for letters in (None, BY_SENDER):
        whole, cut = Tally(letters), Tally(letters)
        whole.add(stream)
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            cut.add(stream[begin:end])
        assert (cut.ended, cut.whole) == (whole.ended, whole.whole)
        assert whole.ended == stream.count(END)


def test_without_pieces_every_end_counts_as_whole() -> None:
    tally = Tally()
    tally.add(b"child1:1 aaachild2:1 bb\nb\n")
    assert (tally.ended, tally.whole) == (2, 2)


def counted(stream: bytes) -> tuple[int, int]:
    """How many messages ended in a stream, and how many of these in one piece."""
    tally = Tally(BY_SENDER)
    tally.add(stream)
    return tally.ended, tally.whole


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ((b"child1:1 aaaa\n", b"child2:1 bbbb\n"), 2),
        # One inside the other: the outer is torn, the inner is not.
        ((b"child1:1 aa", b"child2:1 bbbb\n", b"aa\n"), 1),
        ((b"child1:1 ", b"child2:1 bbbb\n", b"aaaa\n"), 1),
        ((b"child1:1 aa", b"child2:1 bbbb\n", b"child2:2 bbbb\n", b"aa\n"), 2),
        # Crosswise: both are torn.
        ((b"child1:1 aa", b"child2:1 bb", b"aa\n", b"bb\n"), 0),
        ((b"child1:1 aa", b"child2:1 bb", b"bb\n", b"aa\n"), 1),
        ((b"child1:1 aa", b"child2:1 bb", b"child3:1 cc", b"bb\n", b"cc\n", b"aa\n"), 0),
        ((b"foreign bytes\n", b"child1:1 aaaa\n"), 1),
        ((b"aaaa\n",), 0),
        ((b"child1:1 \n",), 1),
    ],
)
def test_torn_messages_are_told_from_whole_ones(pieces: tuple[bytes, ...], whole: int) -> None:
    stream = b"".join(pieces)
    assert counted(stream) == (stream.count(END), whole)


@given(st.data())
def test_any_interleaving_is_judged_by_what_lies_side_by_side(data: st.DataObject) -> None:
    """Writers whose messages are cut behind their headers; a message is whole where no other bytes lie inside it.

    No cut lies within a header or right before the newline: that another's bytes took the place of bytes like them
    cannot be told from the bytes.
    """
    queues = []
    for place, letter in enumerate((b"a", b"b", b"c"), 1):
        queue = []
        for number in range(1, data.draw(st.integers(0, 4)) + 1):
            message = filled(f"child{place}", number, data.draw(st.integers(14, 40)), letter)
            header = len(f"child{place}:{number} ")
            cuts = sorted(data.draw(st.sets(st.integers(header, len(message) - 2), max_size=2)))
            queue += [
                (place, number, message[begin:end])
                for begin, end in zip([0, *cuts], [*cuts, len(message)], strict=True)
            ]
        queues.append(queue)
    stream: list[tuple[int, int, bytes]] = []
    while any(queues):
        queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
        stream.append(queue.pop(0))
    whole = 0
    for place, number in {(place, number) for place, number, _ in stream}:
        where = [index for index, piece in enumerate(stream) if piece[:2] == (place, number)]
        whole += where == list(range(where[0], where[-1] + 1))
    everything = b"".join(piece for _, _, piece in stream)
    assert counted(everything) == (everything.count(END), whole)


@pytest.mark.parametrize("text", [b"good morning", b"hi", b"", b"a: b", b"child1"])
def test_the_users_own_text_is_whole_where_it_begins_its_line(text: bytes) -> None:
    assert counted(injected("child1", 1, text)) == (1, 1)
    assert counted(b"child2:1 bbbb" + injected("child1", 1, b"good morning")) == (1, 0)


def test_a_sender_that_joined_later_may_repeat_any_letter() -> None:
    assert counted(filled("child7", 1, 40, b"q")) == (1, 1)
    assert counted(b"child7:1 qqchild1:1 aaa\nqq\n") == (2, 1)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"child1:1 aachild2:1 bbaa\nbb\n", (2, 0)),
        (b"cchild2:1 bbb\nhild1:1 aaa\n", (2, 1)),
        (b"child1:1 bbb\n", (1, 0)),
    ],
)
def test_a_torn_header_makes_a_torn_message(stream: bytes, expected: tuple[int, int]) -> None:
    assert counted(stream) == expected


def test_a_sender_that_joins_later_is_known_by_the_letter_of_its_number() -> None:
    tally = Tally({"writer1": "b", "writer2": "c"})
    assert letter_of(3) == "d"
    tally.add(b"writer3:1 dddd\n")
    assert (tally.ended, tally.whole) == (1, 1)
    # Its header, and behind it nothing but another's letters: they are the end of another message.
    tally.add(b"writer3:2 bbbb\n")
    assert (tally.ended, tally.whole) == (2, 1)
    tally.add(b"writer3:3 what the user said\n")
    assert (tally.ended, tally.whole) == (3, 2)
    tally.add(b"writer1:7 dddd\n")
    assert (tally.ended, tally.whole) == (4, 2)
