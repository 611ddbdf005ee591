"""The link's road, the server's history and ledger, and what is remembered of calls: pure parts of rpc."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.mechanisms.rpc.history import Clients, History, newer
from ipctui.mechanisms.rpc.ledger import Entry, balances_of, effects_of, entries, summed
from ipctui.mechanisms.rpc.memory import remember, totals
from ipctui.mechanisms.rpc.orders import Orders, orders
from ipctui.mechanisms.rpc.road import Road
from ipctui.trace.records import Counters, Event
from tests.trace.given import ANY_RECORD

SECOND = 1_000_000_000
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
ENTRY = st.builds(
    Entry,
    st.integers(0, 2**32 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**32 - 1),
    TEXT,
    st.binary(max_size=40),
)


def packet(number: int) -> bytes:
    return number.to_bytes(4, "big") + b"...."


def road(**wanted: int) -> Road[str]:
    made: Road[str] = Road(1, SECOND)
    made.start(Orders())
    made.orders = Orders(**wanted)
    return made


# The road


def test_a_packet_goes_on_at_once_unless_something_was_ordered() -> None:
    plain = road()
    assert plain.take(packet(1), "calls", "there", 5) == ()
    assert [onward.packet for onward in plain.due(5)] == [packet(1)]
    assert plain.wait(5) == -1


def test_an_order_holds_for_the_first_packet_of_a_transaction_and_its_way_alone() -> None:
    lossy = road(drop_replies=2)
    assert lossy.take(packet(1), "calls", "", 0) == ()
    assert lossy.take(packet(1), "replies", "", 0) == ("dropped",)
    assert lossy.take(packet(1), "replies", "", 0) == (), "the retransmission's reply passes"
    assert lossy.take(packet(2), "replies", "", 0) == ("dropped",)
    assert lossy.take(packet(3), "replies", "", 0) == ()


def test_what_was_ordered_before_a_link_began_is_done() -> None:
    late: Road[str] = Road(1, SECOND)
    late.start(Orders(drop_calls=5))
    late.orders = Orders(drop_calls=5)
    assert late.take(packet(1), "calls", "", 0) == ()


def test_a_doubled_packet_goes_twice_and_a_delayed_one_late() -> None:
    twice = road(duplicate_calls=1)
    assert twice.take(packet(1), "calls", "", 0) == ("duplicated",)
    assert len(twice.due(0)) == 2
    late = road(delay_calls=1)
    assert late.take(packet(1), "calls", "", 0) == ("delayed",)
    assert late.due(SECOND - 1) == []
    assert late.wait(0) == 1000
    assert len(late.due(SECOND)) == 1


def test_the_next_packet_overtakes_or_patience_ends() -> None:
    swapped = road(reorder_calls=1)
    assert swapped.take(packet(1), "calls", "", 0) == ("reordered",)
    assert swapped.due(0) == []
    swapped.take(packet(2), "calls", "", 1)
    assert [onward.packet for onward in swapped.due(1)] == [packet(2), packet(1)]
    alone = road(reorder_calls=1)
    alone.take(packet(1), "calls", "", 0)
    assert len(alone.due(SECOND)) == 1


def test_nothing_passes_a_cut_link() -> None:
    cut = road()
    cut.take(packet(1), "calls", "", 0)
    cut.orders = Orders(cut=1)
    assert cut.take(packet(2), "calls", "", 0) == ("cut off",)
    assert cut.due(1) == []


@settings(max_examples=20)  # each one takes 2,000 packets
@given(st.integers(0, 10_000))
def test_shares_are_about_what_was_asked_for(share: int) -> None:
    lossy = road(lost=share)
    lost = sum(lossy.take(packet(number), "calls", "", 0) == ("dropped",) for number in range(2000))
    assert abs(lost / 2000 - share / 10_000) < 0.08


def test_orders_come_back_and_any_bytes_are_orders() -> None:
    assert orders(Orders(drop_calls=3, cut=1, port=5).packed()) == Orders(drop_calls=3, cut=1, port=5)
    assert orders(b"") == Orders()


# History


def test_a_history_keeps_its_bound_and_forgets_the_oldest() -> None:
    history = History(2)
    for number in range(3):
        history.keep(("c", number), bytes([number]))
    assert (history.find(("c", 0)), history.find(("c", 2)), len(history)) == (None, b"\2", 2)


def test_a_clients_number_tells_a_duplicate_even_after_it_was_confirmed() -> None:
    clients = Clients(2)
    assert clients.judge("c", 7) == "new"
    clients.keep("c", 7, b"reply")
    assert (clients.judge("c", 7), clients.reply("c")) == ("again", b"reply")
    assert clients.confirm("c", 7)
    assert not clients.confirm("c", 6)
    assert (clients.judge("c", 7), clients.judge("c", 6), clients.judge("c", 8)) == ("again", "old", "new")
    assert clients.reply("c") == b""
    for name in "de":
        clients.keep(name, 1, b"")
    assert len(clients) == 2
    assert clients.judge("c", 7) == "new", "forgotten: the bound is told"


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**31 - 1))
def test_numbers_go_round(xid: int, step: int) -> None:
    after = (xid + step) % 2**32
    assert newer(after, xid)
    assert not newer(xid, after)
    assert not newer(xid, xid)


# The ledger


@given(st.lists(ENTRY, max_size=6), st.integers(0, 60))
def test_a_torn_end_is_as_if_never_written(written: list[Entry], torn: int) -> None:
    raw = b"".join(entry.packed() for entry in written)
    assert entries(raw) == (written, len(raw))
    if written:
        last = len(written[-1].packed())
        cut = raw[: len(raw) - 1 - torn % last]
        assert entries(cut)[0] == written[:-1]


@given(st.lists(ENTRY, min_size=1, max_size=4), st.data())
def test_a_damaged_entry_ends_the_ledger_before_it(written: list[Entry], data: st.DataObject) -> None:
    raw = bytearray(b"".join(entry.packed() for entry in written))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    found, _ = entries(bytes(raw))
    assert found == written[: len(found)]
    assert len(found) < len(written)


@given(st.binary(max_size=300))
def test_any_file_is_a_ledger(raw: bytes) -> None:
    found, whole = entries(raw)
    assert whole <= len(raw)
    assert b"".join(entry.packed() for entry in found) == raw[:whole]


def test_a_ledger_written_anew_says_the_same_in_fewer_entries() -> None:
    written = [Entry(5, 1, number, number, "c", b"r", 1) for number in range(1, 90)]
    short = summed(written, [("c", 89, b"r")])
    found, _ = entries(short)
    assert len(found) == 2
    assert (balances_of(found), effects_of(found)) == (balances_of(written), effects_of(written))
    assert [(entry.client, entry.xid, entry.reply) for entry in found if entry.client] == [("c", 89, b"r")]


# Memory


def told(name: str, number: int, t: int, process: str = "client", raw: bytes = b"") -> Event:
    return Event(t, name, process, {"number": number, "bytes": raw.hex(), "size": len(raw)})


def test_a_call_is_followed_to_its_end() -> None:
    marshalled = bytes(12) + (0x20000099).to_bytes(4, "big")
    facts = remember(
        {},
        [
            told("deposit", 7, 1),
            told("marshalled", 7, 2, raw=marshalled),
            told("sent", 7, 3),
            told("executed", 7, 4, "server"),
            told("reply dropped", 7, 5, "link"),
            told("sent again", 7, 6),
            told("executed", 7, 7, "server"),
            told("believes done", 7, 8),
        ],
    )
    call = facts["calls"]["7"]
    assert (call["sent"], call["ran"], call["dropped"], call["believes"]) == (2, 2, 1, "done")
    assert facts["last"] == {str(0x20000099): "7"}
    assert facts["met"][str(0x20000099)]["ran"] == 2


def test_remembering_changes_nothing_that_was_remembered_before() -> None:
    before = remember({}, [told("deposit", 7, 1)])
    kept = repr(before)
    remember(before, [told("executed", 7, 2), told("deposit", 8, 3)])
    assert repr(before) == kept


def test_only_the_latest_calls_are_kept() -> None:
    facts = remember({}, [told("deposit", number, number) for number in range(500)])
    assert len(facts["calls"]) < 40
    assert "499" in facts["calls"]


@given(st.lists(ANY_RECORD, max_size=20))
def test_any_records_can_be_remembered_and_summed_up(records: list[object]) -> None:
    assert totals(remember({}, records))["calls_made"] >= 0  # type: ignore[arg-type]


@given(
    st.lists(
        st.builds(
            lambda name, data: Event(1, name, "client", data),
            st.sampled_from(
                ["deposit", "marshalled", "returned", "executed", "plain function", "killed after", "told"]
            ),
            st.fixed_dictionaries(
                {"number": st.integers() | st.text()}, optional={"bytes": st.text("0f"), "size": st.integers()}
            ),
        ),
        max_size=12,
    )
)
def test_damaged_tellings_are_left_out(events: list[Event]) -> None:
    facts = remember({}, events)
    for call in facts.get("calls", {}).values():
        bytes.fromhex(call.get("bytes", ""))
    totals(facts)


@pytest.mark.parametrize("counters", [Counters(0, "server", 1), Counters(0, "server", 2)])
def test_counts_without_calls_are_nothing(counters: Counters) -> None:
    assert totals(remember({}, [counters]))["executions"] == 0
