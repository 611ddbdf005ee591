"""XDR, ONC RPC messages and the portmapper's protocol: as the RFCs print them, and total on any bytes."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.worker import onc_rpc, portmapper, xdr
from ipctui.worker.onc_rpc import (
    AUTH_BADCRED,
    AUTH_ERROR,
    AUTH_REJECTEDCRED,
    PROG_MISMATCH,
    PROG_UNAVAIL,
    RPC_MISMATCH,
    Auth,
    Call,
    Noise,
    Records,
    RecordTooLongError,
    Reply,
    admitted,
    marked,
    message_fields,
    parse,
)
from ipctui.worker.portmapper import TCP, UDP, Mapping, Table
from ipctui.worker.xdr import Reader, XdrError

WORD = st.integers(0, 2**32 - 1)
AUTH = st.builds(Auth, WORD, st.binary(max_size=400))
CALL = st.builds(Call, WORD, WORD, WORD, WORD, st.binary(max_size=64), AUTH, AUTH)
OURS = {0x20000099: (1, 3)}
SHAPE = (("amount", "hyper"), ("memo", "string"))


# XDR


def test_values_are_as_rfc_4506_prints_them() -> None:
    assert xdr.integer(-1) == b"\xff\xff\xff\xff"
    assert xdr.hyper(1) == bytes(7) + b"\1"
    assert xdr.boolean(True) == b"\0\0\0\1"
    assert xdr.double(1.0) == bytes.fromhex("3ff0000000000000")
    assert xdr.string("sillyprog") == b"\0\0\0\x09sillyprog\0\0\0"  # section 7: the file's name
    assert xdr.fixed(b"lisp") == b"lisp"


@given(st.binary(max_size=70))
def test_opaque_data_comes_back_and_takes_a_multiple_of_four(data: bytes) -> None:
    raw = xdr.opaque(data)
    assert len(raw) % 4 == 0
    reader = Reader(raw)
    assert reader.opaque() == data
    reader.end()


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False))
def test_numbers_come_back(wide: int, narrow: int, real: float) -> None:
    reader = Reader(xdr.hyper(wide) + xdr.integer(narrow) + xdr.double(real))
    assert (reader.hyper(), reader.integer(), reader.double(), reader.left) == (wide, narrow, real, 0)


@pytest.mark.parametrize("raw", [b"\0\0\0\5abc", b"\xff\xff\xff\xff", b"\0\0", b"\0\0\0\1a\0\0\1"])
def test_what_is_no_string_is_refused_and_nothing_is_taken(raw: bytes) -> None:
    reader = Reader(raw)
    with pytest.raises(XdrError):
        reader.string()
    assert reader.at == 0


def test_what_does_not_fit_is_refused() -> None:
    for encode, value in ((xdr.integer, 2**31), (xdr.unsigned, -1), (xdr.hyper, 2**63), (xdr.single, 1e300)):
        with pytest.raises(XdrError):
            encode(value)  # type: ignore[operator]
    with pytest.raises(XdrError, match="0 or 1"):
        Reader(xdr.integer(2)).boolean()


@given(st.binary(max_size=200), st.lists(st.sampled_from(sorted(xdr.TYPES)), max_size=8))
def test_any_bytes_have_fields_that_lie_within_them_one_behind_the_other(raw: bytes, kinds: list[str]) -> None:
    found = xdr.fields(Reader(raw), [(kind, kind) for kind in kinds])
    at = 0
    for field in found:
        assert field.at == at
        at += field.size
    assert at <= len(raw)


# Messages


@given(CALL)
def test_a_call_comes_back(call: Call) -> None:
    assert parse(call.packed()) == call


@given(WORD, st.binary(max_size=64), WORD, WORD)
def test_every_reply_comes_back(xid: int, result: bytes, low: int, high: int) -> None:
    for reply in (
        Reply(xid, result=result),
        Reply(xid, PROG_UNAVAIL),
        Reply(xid, PROG_MISMATCH, low=low, high=high),
        Reply(xid, RPC_MISMATCH, denied=True, low=low, high=high),
        Reply(xid, AUTH_ERROR, denied=True, why=low),
    ):
        assert parse(reply.packed()) == reply


@given(st.binary(max_size=600))
def test_any_bytes_are_a_message_or_a_named_refusal(raw: bytes) -> None:
    found = parse(raw)
    assert not isinstance(found, Noise) or found.why
    answer = admitted(raw, OURS)
    assert isinstance(answer, Call | Reply | Noise)
    assert not isinstance(answer, Reply) or parse(answer.packed()) == answer
    fields = message_fields(raw, SHAPE, SHAPE)
    assert sum(field.size for field in fields) == len(raw) or not raw


@given(CALL, st.integers(0, 2000))
def test_a_truncated_call_is_never_admitted(call: Call, cut: int) -> None:
    whole = call.packed()
    head = whole[: len(whole) - len(call.argument)]
    piece = head[: min(cut, len(head) - 1)]
    assert not isinstance(admitted(piece, OURS), Call)


def call(**changed: object) -> bytes:
    return Call(**{"xid": 7, "program": 0x20000099, "version": 1, "procedure": 1, **changed}).packed()  # type: ignore[arg-type]


def test_a_foreign_clients_errors_get_the_answers_of_rfc_5531() -> None:
    assert isinstance(admitted(call(version=3), OURS), Call)
    assert admitted(call(program=9), OURS) == Reply(7, PROG_UNAVAIL)
    assert admitted(call(version=4), OURS) == Reply(7, PROG_MISMATCH, low=1, high=3)
    assert admitted(call(version=0), OURS) == Reply(7, PROG_MISMATCH, low=1, high=3)
    other = bytearray(call())
    other[8:12] = struct.pack(">I", 3)
    assert admitted(bytes(other), OURS) == Reply(7, RPC_MISMATCH, denied=True, low=2, high=2)
    assert admitted(call(credential=Auth(6)), OURS) == Reply(7, AUTH_ERROR, denied=True, why=AUTH_REJECTEDCRED)
    assert admitted(call(credential=Auth(1, b"junk")), OURS) == Reply(7, AUTH_ERROR, denied=True, why=AUTH_BADCRED)
    long = call()[:28] + struct.pack(">I", 401)
    assert admitted(long, OURS) == Reply(7, AUTH_ERROR, denied=True, why=AUTH_BADCRED)
    assert isinstance(admitted(Reply(7).packed(), OURS), Noise), "a server does not answer replies"
    assert isinstance(admitted(b"noise", OURS), Noise)


def test_a_credential_says_who_calls_whatever_the_address() -> None:
    made = onc_rpc.system_credential(4711, "client")
    assert onc_rpc.system_identity(made) == (4711, b"client")
    assert onc_rpc.identity(Call(1, 2, 3, 4, credential=made), "127.0.0.1:5") == "client/4711"
    assert onc_rpc.identity(Call(1, 2, 3, 4), "127.0.0.1:5") == "127.0.0.1:5"


@given(st.binary(max_size=420))
def test_any_body_is_a_credential_or_none(body: bytes) -> None:
    found = onc_rpc.system_identity(Auth(1, body))
    assert found is None or len(body) >= 20


def test_the_fields_of_a_call_are_named_and_whole() -> None:
    raw = call(argument=xdr.hyper(5) + xdr.string("hi"))
    found = {field.name: field.text for field in message_fields(raw, SHAPE)}
    assert found["xid"] == "00000007"
    assert (found["type"], found["prog"], found["amount"], found["memo"]) == ("CALL", "536871065", "5", "'hi'")
    assert "rest" in {field.name for field in message_fields(raw + b"!", SHAPE)}


# Record marking


@given(st.lists(st.binary(max_size=90), max_size=6), st.integers(1, 9), st.integers(1, 40))
def test_records_come_whole_however_the_stream_is_cut_and_fragmented(
    messages: list[bytes], pieces: int, fragment: int
) -> None:
    raw = b""
    for message in messages:
        parts = [message[at : at + fragment] for at in range(0, len(message), fragment)] or [b""]
        raw += b"".join(struct.pack(">I", len(part)) + part for part in parts[:-1]) + marked(parts[-1])
    records, found = Records(), []
    for at in range(0, len(raw), pieces):
        found += records.fed(raw[at : at + pieces])
    assert found == messages
    assert records.unfinished == 0


def test_an_oversized_record_is_refused_before_its_bytes_have_come() -> None:
    with pytest.raises(RecordTooLongError):
        Records().fed(struct.pack(">I", 1 << 31 | onc_rpc.LARGEST + 1))
    many = Records()
    fragment = struct.pack(">I", 30_000) + bytes(30_000)
    assert many.fed(fragment) == many.fed(fragment) == []
    with pytest.raises(RecordTooLongError):
        many.fed(fragment)


@given(st.binary(max_size=300))
def test_any_stream_gives_records_or_a_refusal(raw: bytes) -> None:
    try:
        found = Records().fed(raw)
    except RecordTooLongError:
        return
    assert sum(map(len, found)) <= len(raw)


# The portmapper


def test_a_matchmaker_knows_one_port_for_each_program_version_and_protocol() -> None:
    table = Table()
    first = Mapping(300_000, 1, UDP, 5000)
    assert table.getport(first) == 0
    assert table.set(first)
    assert table.set(first), "the same once more is no error"
    assert not table.set(Mapping(300_000, 1, UDP, 6000)), "RFC 1833: another port is refused"
    assert table.set(Mapping(300_000, 1, TCP, 5001))
    assert table.getport(Mapping(300_000, 1, TCP)) == 5001
    assert table.getport(Mapping(300_000, 2, UDP)) == 5000, "another version's: the server will tell its range"
    assert table.unset(Mapping(300_000, 1, UDP))
    assert table.getport(Mapping(300_000, 1, TCP)) == 0, "both protocols are forgotten"
    assert not table.unset(Mapping(300_000, 1, UDP))
    assert not table.set(Mapping(1, 1, UDP, 0))
    assert not table.set(Mapping(1, 1, 99, 5))


def test_a_matchmaker_has_a_bound() -> None:
    table = Table()
    assert all(table.set(Mapping(number, 1, UDP, 5000)) for number in range(portmapper.MOST))
    assert not table.set(Mapping(portmapper.MOST, 1, UDP, 5000))


@given(st.lists(st.builds(Mapping, WORD, WORD, WORD, WORD), max_size=9))
def test_a_list_of_mappings_comes_back(mappings: list[Mapping]) -> None:
    assert list(portmapper.parsed_list(portmapper.packed_list(mappings))) == mappings
    for item in mappings:
        assert portmapper.mapping(item.packed()) == item


@given(st.binary(max_size=120))
def test_any_bytes_are_mappings_or_a_refusal(raw: bytes) -> None:
    for read in (portmapper.parsed_list, portmapper.mapping):
        with contextlib.suppress(XdrError):
            assert read(raw) is not None
