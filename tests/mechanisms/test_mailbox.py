"""What a class must see on mailboxes, with real processes; checked by posix_ipc, a foreign program and /proc."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest

from ipctui.kernel import mqueue
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.pane import draw
from ipctui.widgets.view import View
from tests.mechanisms.mailboxes import Open, box, done, foreign, known, opened, used
from tests.mechanisms.stepping import held

pytestmark = pytest.mark.real


@pytest.fixture
def mailbox() -> Iterator[Open]:
    yield from opened()


# one-to-one


def test_a_held_receiver_lets_the_mailbox_fill_until_the_kernel_blocks_the_sender(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=0, capacity=4)
    lab.until(lambda: lab.count("receiver", "mq_receive") > 0)
    held(lab, "receiver")
    state = lab.until_state("sender", "blocked", "mq_send")
    assert "mailbox full (4 of 4" in (state.reason or "")
    assert state.wakers == ("receiver",)
    assert state.syscall == "mq_timedsend"
    lab.until(lambda: used(lab) == 4)
    outside = posix_ipc.MessageQueue(box(lab).object, write=False)
    assert (outside.current_messages, outside.max_messages) == (box(lab).used, box(lab).capacity)
    outside.close()
    lab.until(lambda: "hold receiver" in caption(lab.lab.state, "en"))
    before = lab.count("sender", "mq_send")
    lab.do("release receiver")
    lab.until(lambda: lab.count("sender", "mq_send") > before + 50)


def test_an_empty_mailbox_puts_the_receiver_to_sleep_and_nothing_is_lost(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=0, messages=500)
    lab.until_ended("sender")
    state = lab.until_state("receiver", "blocked", "mq_receive")
    assert state.reason == "mailbox empty"
    proofs = lab.finish().proofs
    assert proofs["sent_messages"] == proofs["received_messages"] == 500
    assert proofs["strangers_sent"] == proofs["strangers_took"] == 0


def test_nobody_is_taken_for_a_stranger_at_any_pace(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=0)
    for command in ("hold receiver", "release receiver", "hold sender", "release sender", "stop receiver"):
        lab.do(command)
        deadline = time.monotonic() + 0.5
        lab.until(lambda end=deadline: time.monotonic() > end)
    lab.do("continue receiver")
    lab.do("rate all 50")
    deadline = time.monotonic() + 1
    lab.until(lambda: time.monotonic() > deadline)
    proofs = lab.finish().proofs
    assert proofs["strangers_sent"] == proofs["strangers_took"] == 0


# one-to-many


def test_each_message_goes_to_one_and_equals_take_turns(mailbox: Open) -> None:
    lab = mailbox("one-to-many", rate=30)
    lab.until(lambda: lab.count("p2", "mq_receive") + lab.count("p3", "mq_receive") >= 20)
    held(lab, "p1")  # so that no message is on its way when it is summed up
    lab.until(lambda: lab.is_in("p2", "blocked", "mq_receive") and lab.is_in("p3", "blocked", "mq_receive"))
    proofs = lab.finish().proofs
    assert proofs["sent_messages"] == proofs["received_messages"] == sum(proofs["received_by"].values())
    assert min(proofs["received_by"].get(role, 0) for role in ("p2", "p3")) >= 5


def test_a_nicer_receiver_is_passed_over(mailbox: Open) -> None:
    lab = mailbox("one-to-many", rate=20)
    lab.until(lambda: lab.count("p2", "mq_receive") >= 2)
    assert done(lab, "nice p3 10").startswith("done")
    pid = lab.process("p3").pid
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16] == str(os.getpriority(0, pid))
    lab.until(lambda: len(set(box(lab).facts["nice"].values())) == 2)
    # Only a receiver that waits is passed over: on a busy machine p2, woken, may not wait again when the next message
    # comes. That it is so whenever both wait is shown step by step in test_mailbox_operations.
    lab.until(lambda: "however long that waits" in caption(lab.lab.state, "en"), what="the caption")
    lab.until(lambda: "went past p3" in caption(lab.lab.state, "en"), 10, "what was measured")


def test_one_receiver_at_a_time_lets_the_other_wait_for_its_turn(mailbox: Open) -> None:
    lab = mailbox("one-to-many", policy="one-at-a-time")
    both = ("p2", "p3")
    lab.until(lambda: any(lab.is_in(role, "blocked", "sem_wait") for role in both))
    waiting = next(role for role in both if lab.is_in(role, "blocked", "sem_wait"))
    assert "turn is taken" in (lab.state(waiting).reason or "")
    lab.until(lambda: any(lab.is_in(role, "blocked", "mq_receive") for role in both), what="the other in receive")
    for _ in range(30):
        lab.tick()
        assert sum(lab.is_in(role, "blocked", "mq_receive") for role in both) <= 1


def test_two_processes_at_most_keeps_the_third_from_opening(mailbox: Open) -> None:
    lab = mailbox("one-to-many", policy="two-processes", rate=20)
    both = ("p2", "p3")  # p3 starts a moment later: on a busy machine that may not be enough
    lab.until(lambda: any("two processes at most" in (lab.state(role).reason or "") for role in both))
    third = next(role for role in both if lab.is_in(role, "blocked", "sem_wait"))
    (second,) = set(both) - {third}
    lab.until(lambda: lab.count(second, "mq_receive") >= 5)
    links = [os.readlink(entry) for entry in Path(f"/proc/{lab.process(third).pid}/fd").iterdir()]
    assert box(lab).object not in links
    assert lab.finish().proofs["received_by"].keys() == {second}


# The other variants


def test_many_senders_are_all_heard_and_another_can_be_added(mailbox: Open) -> None:
    lab = mailbox("many-to-one", rate=20)
    assert lab.do("add sender") == "done"
    lab.until(lambda: "sender4" in lab.lab.state.processes, what="the fourth sender's birth")
    lab.until(lambda: lab.count("sender4", "mq_send") >= 3 and lab.count("sender1", "mq_send") >= 3)
    lab.do("hold receiver")
    lab.until(lambda: sum(lab.is_in(f"sender{number}", "blocked", "mq_send") for number in range(1, 5)) == 4)
    lab.until(lambda: used(lab) == box(lab).capacity)


def test_answers_come_to_the_mailbox_that_the_question_names(mailbox: Open) -> None:
    lab = mailbox("two-way", rate=20)
    lab.until(lambda: lab.count("client", "mq_receive") >= 5)
    assert {box(lab).object, box(lab, "-client").object} == {
        os.readlink(f"/proc/{lab.process('client').pid}/fd/{number}") for number in (3, 4)
    }
    assert lab.do("add client") == "done"
    lab.until(lambda: "client2" in lab.lab.state.processes and lab.count("client2", "mq_receive") >= 3)
    assert lab.process("server").exited is None


def test_a_question_that_names_no_mailbox_does_not_end_the_server(mailbox: Open) -> None:
    lab = mailbox("two-way", rate=10)
    lab.until(lambda: lab.count("server", "mq_receive") >= 1)
    for text in ("nonsense", "hello reply-to /ipctui-there-is-none", "x reply-to a/b/c"):
        foreign(box(lab).object, "send", text, "0")
    before = lab.count("client", "mq_receive")
    lab.until(lambda: lab.count("client", "mq_receive") > before + 3)
    assert lab.process("server").exited is None


def test_the_urgent_stand_first_and_leave_first(mailbox: Open) -> None:
    lab = mailbox("priority", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    lab.do("hold receiver")
    lab.until_state("receiver", "held", "mq_receive")
    lab.until(lambda: used(lab) == box(lab).capacity)
    lab.until(lambda: {item[0] for item in known(lab)["items"]} == {0, 9}, 10, "both priorities in it")
    lab.until(lambda: box(lab).facts["quiet"], what="every call told")
    ranks = [item[0] for item in known(lab)["items"]]
    assert ranks == sorted(ranks, reverse=True)
    first = known(lab)["items"][0]
    lab.do("step receiver")
    lab.until(lambda: any(call.message and call.message[0] == first[1] for call in lab.calls("receiver", "mq_receive")))


def test_the_notified_is_told_by_a_signal_and_registered_in_the_kernel(mailbox: Open) -> None:
    lab = mailbox("notify", rate=5)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 6)
    # Wherever the sender is held: its last message may still be on its way, and take the registration with it.
    held(lab, "sender")

    def registered() -> int | None:
        seen = mqueue.find(box(lab).object)
        return seen.notify if seen is not None else None

    lab.until(lambda: registered() == lab.process("receiver").pid and used(lab) == 0, what="registered in the kernel")
    lab.until(lambda: box(lab).facts["notify"] == "receiver")
    lab.until(lambda: "mq_notify" in caption(lab.lab.state, "en"))


def test_the_mailbox_outlives_its_creator_until_the_heir_deletes_it(mailbox: Open) -> None:
    lab = mailbox("outlives", rate=100, start="held")  # or the heir, which comes four seconds later, may be too quick
    lab.do("release creator")
    assert lab.until_ended("creator") == "status 0"
    lab.until(lambda: used(lab) == 5 and not box(lab).writers)
    name = box(lab).object
    there = mqueue.find(name)
    assert there is not None
    assert there.messages == 5
    # The heir comes after four seconds, held: until then nobody has the mailbox open.
    lab.until(lambda: re.search(r"with 5 messages|5 are left", caption(lab.lab.state, "en")))
    lab.do("release heir")
    assert lab.until_ended("heir", 10) == "status 0"
    assert mqueue.find(name) is None
    assert lab.finish().proofs["received_by"] == {"heir": 5}


def test_a_held_prosumer_fills_the_one_mailbox_and_empties_the_other(mailbox: Open) -> None:
    lab = mailbox("pipeline", rate=50)
    lab.until(lambda: lab.count("consumer", "mq_receive") > 3)
    lab.do("hold prosumer")
    lab.until_state("producer", "blocked", "mq_send")
    lab.until_state("consumer", "blocked", "mq_receive")
    lab.until(lambda: used(lab) == 10 and used(lab, "-out") == 0)
    lab.until(lambda: "middle stage" in caption(lab.lab.state, "en"))


def test_each_of_a_dozen_clients_is_answered_in_a_mailbox_of_its_own_and_none_is_left(mailbox: Open) -> None:
    lab = mailbox("two-way", rate=10, capacity=2)
    for _ in range(11):
        assert lab.do("add client") == "done"
    lab.until(lambda: "client12" in lab.lab.state.processes and lab.count("client12", "mq_receive") >= 2)
    names = [held.now.object for held in lab.lab.state.channels.values()]
    assert len([name for name in names if "-client" in name]) == 12
    drawn = draw(lab.lab.state, View(now=lab.lab.now()), 80, 22).text()
    assert "more (2)" in drawn, "those without room are counted, and 2 shows them"
    lab.lab.close()
    assert [name for name in names if mqueue.find(name) is not None] == []
