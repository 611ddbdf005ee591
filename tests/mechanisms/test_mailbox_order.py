"""The queue as the trace tells it: leaving order, strangers, and calls that went by unread. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.mailbox.glimpse import passed_by
from ipctui.mechanisms.mailbox.order import DELETED, empty, follow, known, parse, place_of
from ipctui.trace.records import Before, Call, Channel, Lost, Process, Record, State

BOX = "/box"
MS = 1_000_000


def sent(name: str, at: int, priority: int = 0, began: int | None = None) -> Call:
    args = f'3, "{name} aaa\\n", 64, {priority}, NULL'
    begin = at - 1 if began is None else began
    return Call("sender", 1, "mq_send", "mq_timedsend", args, 0, begin, at, 3, BOX, message=(name,))


def received(name: str | None, at: int, began: int | None = None, text: str = "hi") -> Call:
    args = f'3, "{name + " aaa" if name else text}", 1024, [0], NULL'
    begin = at - 1 if began is None else began
    message = (name,) if name else ()
    return Call("receiver", 2, "mq_receive", "mq_timedreceive", args, 5, begin, at, 3, BOX, message=message)


def counted(used: int, at: int, quiet: bool = False) -> Channel:
    return Channel(at, BOX, used=used, capacity=10, unit="messages", type="mqueue", facts={"quiet": quiet})


def box(*records: Record, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = follow(facts or {}, records)["mailboxes"][BOX]
    return found


def names(found: Mapping[str, Any]) -> list[str]:
    return [item[1] for item in found["items"]]


def test_priority_goes_before_age_and_age_decides_among_equals() -> None:
    found = box(sent("a:1", 1), sent("b:1", 2, 9), sent("a:2", 3), sent("b:2", 4, 9), sent("c:1", 5, 5))
    assert names(found) == ["b:1", "b:2", "c:1", "a:1", "a:2"]


def test_what_is_received_is_no_longer_in_it() -> None:
    assert names(box(sent("a:1", 1), sent("a:2", 2), received("a:1", 3))) == ["a:2"]


def test_a_receive_may_be_told_before_its_send() -> None:
    found = box(received("a:1", 2, began=0), sent("a:1", 3))
    assert (names(found), known(found), found["entered"]) == ([], 0, 0)


def test_a_count_above_the_trace_is_a_strangers_message() -> None:
    found = box(sent("a:1", 1), counted(2, 10 * MS), counted(2, 400 * MS, quiet=True))
    assert (found["strangers"], found["entered"], names(found)) == (1, 1, ["a:1"])


def test_a_count_that_the_calls_under_way_explain_is_no_strangers() -> None:
    records = [sent("a:1", 1), counted(2, 10 * MS), sent("a:2", 30 * MS, began=9 * MS), counted(2, 400 * MS)]
    found = box(*records)
    assert (found["strangers"], names(found)) == (0, ["a:1", "a:2"])


def test_a_send_made_after_the_count_is_not_held_against_it() -> None:
    found = box(counted(0, 10 * MS), sent("a:1", 100 * MS), counted(1, 400 * MS), counted(1, 800 * MS))
    assert (found["strangers"], found["taken"], names(found)) == (0, 0, ["a:1"])


def test_a_count_below_the_trace_means_that_a_stranger_took_the_first() -> None:
    found = box(sent("a:1", 1), sent("a:2", 2), counted(1, 10 * MS), counted(1, 400 * MS, quiet=True))
    assert (found["taken"], names(found)) == (1, ["a:2"])


def test_a_sender_stopped_inside_its_call_may_have_put_its_message_in() -> None:
    asleep = State(5, "sender", 1, "stopped", before=Before("mq_send", fd=3), object=BOX)
    found = box(asleep, counted(1, 10 * MS), counted(1, 400 * MS, quiet=True))
    assert found["strangers"] == 0
    going = State(500 * MS, "sender", 1, "running")
    told = follow({}, [asleep, counted(1, 10 * MS), counted(1, 400 * MS), going, counted(1, 900 * MS)])
    assert told["mailboxes"][BOX]["strangers"] == 1, "no longer stopped, and still nobody has sent it"


def test_a_message_without_a_workers_name_is_told_with_its_text() -> None:
    found = box(received(None, 1, text="from outside"))
    assert (found["foreign"], found["entered"], known(found)) == (["receiver", "from outside", 1], 1, 0)


def test_after_calls_went_by_unread_an_empty_queue_is_firm_ground() -> None:
    found = box(sent("a:1", 1), Lost(2, 50, "not folded"), received("a:9", 3), counted(0, 10 * MS))
    assert (found["gap"], known(found)) == (False, 0)
    found = box(Lost(2, 1, "not folded"), facts={"mailboxes": {BOX: {**empty(), "items": [[0, "a:1", "", 1]]}}})
    assert (found["gap"], known(found)) == (True, 0)
    found = box(counted(3, 10 * MS, quiet=True), facts={"mailboxes": {BOX: found}})
    assert (found["gap"], found["unseen"], found["strangers"]) == (False, 3, 0)


def test_the_same_records_in_other_batches_make_the_same_facts() -> None:
    records: list[Record] = [
        sent("a:1", 1),
        counted(2, 10 * MS),
        received(None, 20 * MS),
        sent("b:1", 30 * MS, 4),
        counted(2, 400 * MS),
        received("a:1", 500 * MS),
        counted(1, 900 * MS, quiet=True),
    ]
    one_by_one: Mapping[str, Any] = {}
    for record in records:
        one_by_one = follow(one_by_one, [record])
    assert one_by_one == follow({}, records)


def test_facts_are_not_changed_in_place() -> None:
    before = follow({}, [sent("a:1", 1)])
    follow(before, [received("a:1", 2)])
    assert names(before["mailboxes"][BOX]) == ["a:1"]


def test_arguments_are_read_as_strace_writes_them() -> None:
    assert parse('3, "p1:1 a\\"b"..., 64, 9, NULL') == ('p1:1 a\\"b', 64, 9)
    assert parse('3, "x", 1024, [7], NULL') == ("x", 1024, 7)
    assert parse("3") == ("", 0, 0)


# Deleted, and made again


def opened(role: str, at: int, flags: str = "O_CREAT") -> Call:
    return Call(role, 1, "mq_open", "mq_open", f'"{BOX}", {flags}', 3, at, at, object=BOX)


def unlinked(role: str, at: int) -> Call:
    return Call(role, 1, "mq_unlink", "mq_unlink", f'"{BOX}"', 0, at, at, object=BOX)


def by(role: str, call: Call) -> Call:
    return replace(call, process=role)


def test_after_delete_another_of_the_name_is_another_mailbox_and_who_has_the_old_one_keeps_it() -> None:
    facts = follow(
        {},
        [
            opened("sender", 1),
            opened("receiver", 2),
            by("sender", sent("a:1", 3)),
            unlinked("receiver", 4),
            opened("sender", 5),
            by("sender", sent("a:2", 6)),
        ],
    )
    assert names(facts["mailboxes"][BOX]) == ["a:2"]
    assert names(facts["mailboxes"][BOX + DELETED]) == ["a:1"]
    assert facts["mailboxes"][BOX + DELETED]["deleted"] == "receiver"
    assert (place_of(facts, "sender", BOX), place_of(facts, "receiver", BOX)) == (BOX, BOX + DELETED)
    after = follow(facts, [by("receiver", received("a:1", 7))])
    assert names(after["mailboxes"][BOX + DELETED]) == []
    assert names(after["mailboxes"][BOX]) == ["a:2"]
    close = Call("receiver", 1, "mq_close", "close", "3", 0, 8, 8, object=BOX)
    moved = follow(after, [close, opened("receiver", 9)])
    assert place_of(moved, "receiver", BOX) == BOX


def test_a_name_that_nobody_holds_leaves_nothing_of_the_old_mailbox() -> None:
    ended = Process(5, "sender", 1, "exited")
    facts = follow({}, [opened("sender", 1), by("sender", sent("a:1", 2)), unlinked("sender", 3), ended])
    again = follow(facts, [opened("receiver", 9)])
    assert BOX + DELETED not in again["mailboxes"]
    assert names(again["mailboxes"][BOX]) == []


def test_a_strangers_delete_is_known_by_the_kernels_word() -> None:
    gone = replace(counted(0, 5), facts={"unlinked": True})
    facts = follow({}, [opened("sender", 1), gone])
    assert facts["mailboxes"][BOX]["deleted"] == "?"


def test_messages_that_went_past_a_sleeper_are_counted_however_many() -> None:
    asleep = State(9 * MS, "p3", 3, "blocked", Before("mq_receive", fd=3), BOX, since=5 * MS)
    before = [by("p2", received(f"p1:{number}", number * MS)) for number in (1, 2)]
    unseen = [by("p2", received("p1:3", 6 * MS)), by("p2", received("p1:4", 7 * MS))]
    later = [by("p2", received(f"p1:{number}", number * MS)) for number in range(10, 1010)]
    facts = follow({}, [*before, *unseen, asleep, *later[:500], replace(asleep, t=600 * MS), *later[500:]])
    state = LabState(facts=facts)
    assert passed_by(state, ProcessState("p3", 3, state=asleep)) == 2 + 1000, "those before it slept do not count"
    anew = replace(asleep, since=2000 * MS)
    state = LabState(facts=follow(facts, [by("p3", received("p1:2000", 1999 * MS)), anew]))
    assert passed_by(state, ProcessState("p3", 3, state=anew)) == 0
