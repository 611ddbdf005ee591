"""Create, send, receive, delete, nicer and policy: each a traced call of the process that makes it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest

from ipctui.kernel import mqueue
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.order import DELETED
from ipctui.mechanisms.mailbox.pane import PANE, draw
from ipctui.widgets.view import View
from tests.lab.conftest import Bench
from tests.mechanisms.mailboxes import Open, box, done, known, opened, used
from tests.mechanisms.stepping import held, stepped

pytestmark = pytest.mark.real

NUMBERS = {"x86_64": ("242", "243")}.get(os.uname().machine, ("182", "183"))
"""mq_timedsend and mq_timedreceive in /proc/PID/syscall."""


@pytest.fixture
def mailbox() -> Iterator[Open]:
    yield from opened()


def drawn(lab: Bench) -> str:
    return draw(lab.lab.state, View(selected="p2", now=lab.lab.now()), 120, 36).text()


def asleep_in(lab: Bench, number: str) -> set[int]:
    """The workers that sleep in a system call on a mailbox, by the kernel's own word."""
    pids = {process.pid for process in lab.lab.state.processes.values() if process.exited is None and process.pid}
    return {pid for pid in pids if Path(f"/proc/{pid}/syscall").read_text().split()[0] == number}


def pids(lab: Bench) -> dict[str, int]:
    return {role: process.pid for role, process in lab.lab.state.processes.items()}


# Create, receive, delete


def test_delete_is_a_call_of_the_process_that_is_told_to(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    name = box(lab).object
    outcome = done(lab, "delete receiver")
    assert outcome == f"done: mq_unlink: {name} is no name any more; who has the mailbox open keeps it"
    lab.until(lambda: bool(lab.calls("receiver", "mq_unlink")), what="the call in the log")
    (call,) = lab.calls("receiver", "mq_unlink")
    assert (call.result, call.object, call.args, call.syscall) == (0, name, f'"{name}"', "mq_unlink")
    assert call.line is not None, "the line of the program that made it"
    assert mqueue.find(name) is None
    lab.until(lambda: "(mq_unlink) by receiver" in caption(lab.lab.state, "en"))


def test_after_delete_another_of_the_name_is_made_and_the_two_do_not_meet(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    name = box(lab).object
    done(lab, "delete sender")
    assert done(lab, "create sender").startswith(f"done: mq_open with O_CREAT | O_EXCL made {name}")
    lab.until(lambda: name + DELETED in lab.lab.state.channels, what="both mailboxes")
    state = lab.until_state("receiver", "blocked", "mq_receive")
    lab.until(lambda: "nobody" in (lab.state("receiver").waker or ""), what="who waits at the old one waits for ever")
    assert state.reason == "mailbox empty"
    lab.until(lambda: lab.lab.state.channels[name].now.used == 10, what="the new one fills")
    outside = posix_ipc.MessageQueue(name, write=False)
    assert outside.current_messages == 10
    outside.close()
    lab.until(lambda: "do not meet" in caption(lab.lab.state, "en"))
    lab.until(lambda: len(lab.lab.state.facts["mailboxes"][name]["items"]) == 10, what="ten sends told")
    before = lab.count("receiver", "mq_receive")
    assert done(lab, "create receiver") == f"done: {name} is there already (EEXIST), made by another: opened"
    lab.until(lambda: lab.count("receiver", "mq_receive") > before + 10, what="they meet")
    assert [call.errno for call in lab.calls("receiver", "mq_open") if call.errno] == ["EEXIST"]
    proofs = lab.finish().proofs
    assert proofs["strangers_sent"] == proofs["strangers_took"] == 0


def test_what_is_there_cannot_be_created_again(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    outcome = done(lab, "create sender")
    assert outcome.startswith("refused: EEXIST: ")
    assert "delete it first" in outcome
    lab.until(lambda: any(call.errno == "EEXIST" for call in lab.calls("sender", "mq_open")))
    before = lab.count("receiver", "mq_receive")
    lab.until(lambda: lab.count("receiver", "mq_receive") > before + 2, what="all goes on")


def test_receive_takes_one_message_and_no_more_of_a_held_receiver(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=100, capacity=4)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    held(lab, "receiver", "mq_receive")
    lab.until_state("sender", "blocked", "mq_send")
    lab.do("hold sender")
    lab.until(lambda: box(lab).facts["quiet"])
    first = known(lab)["items"][0][1]
    assert re.fullmatch(r"done: 64 bytes of priority 0", done(lab, "receive receiver"))
    lab.until(lambda: any(call.message == (first,) for call in lab.calls("receiver", "mq_receive")))
    lab.until(lambda: used(lab) == 4, what="the sender, asleep in mq_send, put its own in its place")
    lab.until_state("receiver", "held", "mq_receive")


def test_receive_from_an_empty_mailbox_sleeps_until_a_message_comes(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    held(lab, "sender", "mq_send")
    lab.until_state("receiver", "blocked", "mq_receive")
    lab.do("hold receiver")
    assert lab.do("receive receiver").startswith("pending")
    lab.until(lambda: lab.errors("receiver", "mq_receive").get("EINTR"), what="its own wait ended for this one")
    lab.until_state("receiver", "blocked", "mq_receive")
    before = lab.count("receiver", "mq_receive")
    stepped(lab, "sender")
    lab.until_state("receiver", "held", "mq_receive")
    assert lab.count("receiver", "mq_receive") == before + 1
    assert done(lab, "receive sender") == "refused: receive sender: it has no mailbox open to receive from"


def test_every_operation_has_a_key() -> None:
    offers = {offer.key: offer.name for offer in PANE.offers}
    assert {key: offers[key] for key in "l6789"} == {
        "l": "policy",
        "6": "create",
        "7": "receive",
        "8": "delete",
        "9": "nicer",
    }


def test_the_key_for_nicer_never_means_a_sender_whom_it_would_do_nothing_for(mailbox: Open) -> None:
    lab = mailbox("one-to-many")
    lab.until(lambda: lab.lab.state.channels and set(box(lab).readers) == {"p2", "p3"}, what="both receivers")
    (nicer,) = (offer for offer in PANE.offers if offer.name == "nicer")
    assert nicer.command is not None
    asked = {role: nicer.command(lab.lab.state, View(selected=role)) for role in ("p1", "p2", "p3", "")}
    assert (asked["p2"], asked["p3"]) == ("nice p2", "nice p3")
    assert asked["p1"] == asked[""] in ("nice p2", "nice p3")
    assert done(lab, asked["p1"]).startswith("done: nice 15")


# Who gets it


def test_the_policies_follow_each_other_and_nobody_is_started_again(mailbox: Open) -> None:
    lab = mailbox("one-to-many", rate=20)
    lab.until(lambda: lab.count("p2", "mq_receive") >= 2 and lab.count("p3", "mq_receive") >= 2)
    before = pids(lab)
    assert done(lab, "policy one-at-a-time") == "done"
    both = ("p2", "p3")
    lab.until(lambda: any(lab.is_in(role, "blocked", "sem_wait") for role in both), what="one waits for its turn")
    assert box(lab).facts["policy"] == "one-at-a-time"
    assert "one receiver at a time" in drawn(lab)
    assert done(lab, "policy two-processes") == "done"
    lab.until(lambda: any("two processes" in (lab.state(role).reason or "") for role in both), what="one has no place")
    outside = next(role for role in both if "two processes" in (lab.state(role).reason or ""))
    inside = "p3" if outside == "p2" else "p2"
    assert box(lab).object not in {os.readlink(f) for f in Path(f"/proc/{lab.process(outside).pid}/fd").iterdir()}
    assert pids(lab) == before, "no process was started again"
    lab.do(f"remove {inside}")
    lab.until(lambda: lab.is_in(outside, "blocked", "mq_receive"), what="who leaves makes room")
    assert lab.do("add p") == "done"
    lab.until(lambda: "p4" in lab.lab.state.processes and lab.is_in("p4", "blocked", "sem_wait"), what="p4 goes by it")
    assert done(lab, "policy system") == "done"
    lab.until(lambda: lab.count("p4", "mq_receive") >= 2 and lab.count(outside, "mq_receive") >= 2)
    assert "the system's choice" in drawn(lab)
    proofs = lab.finish().proofs
    assert proofs["sent_messages"] == proofs["received_messages"]


def test_a_policy_outlives_a_restart_and_is_refused_where_there_is_none(mailbox: Open) -> None:
    lab = mailbox("one-to-many", rate=20)
    assert done(lab, "policy mine").startswith("refused: policy: ")
    done(lab, "policy one-at-a-time")
    lab.do("restart all")
    both = ("p2", "p3")
    lab.until(lambda: any(lab.is_in(role, "blocked", "sem_wait") for role in both))
    other = mailbox("one-to-one")
    assert done(other, "policy system").startswith("refused: policy: only in one-to-many")


def test_who_has_the_turn_gives_it_back_when_it_leaves_and_not_when_it_is_killed(mailbox: Open) -> None:
    lab = mailbox("one-to-many", policy="one-at-a-time", rate=20)
    both = ("p2", "p3")
    lab.until(lambda: any(lab.is_in(role, "blocked", "sem_wait") for role in both))
    lab.do("add p")
    lab.until(lambda: "p4" in lab.lab.state.processes and lab.is_in("p4", "blocked", "sem_wait"))
    held(lab, "p1", "mq_send")
    three = (*both, "p4")  # the mailbox empty, whoever has the turn then keeps it
    lab.until(lambda: used(lab) == 0 and any(lab.is_in(role, "blocked", "mq_receive") for role in three))
    first = next(role for role in (*both, "p4") if lab.is_in(role, "blocked", "mq_receive"))
    lab.do(f"remove {first}")
    assert lab.until_ended(first) == "status 0"
    rest = [role for role in (*both, "p4") if role != first]
    lab.until(lambda: any(lab.is_in(role, "blocked", "mq_receive") for role in rest), what="the turn goes on")
    second = next(role for role in rest if lab.is_in(role, "blocked", "mq_receive"))
    lab.do(f"kill {second}")
    (last,) = [role for role in rest if role != second]
    lab.until_ended(second)
    lab.do("release p1")
    lab.until(lambda: used(lab) == 10, what="it fills")
    assert lab.is_in(last, "blocked", "sem_wait")


def test_the_less_nice_is_served_before_whoever_waits_longer(mailbox: Open) -> None:
    lab = mailbox("one-to-many", rate=20)
    lab.until(lambda: lab.count("p1", "mq_send") >= 1)
    held(lab, "p1", "mq_send")
    lab.until(lambda: lab.is_in("p2", "blocked", "mq_receive") and lab.is_in("p3", "blocked", "mq_receive"))
    assert done(lab, "nice p3 10").startswith("done: nice 15")
    lab.until(lambda: [call.args for call in lab.calls("p3", "nice")] == ["10"], what="the call in the log")
    assert os.getpriority(os.PRIO_PROCESS, lab.process("p3").pid) == 15
    passed = lab.count("p3", "mq_receive")
    for turn in range(6):
        got = lab.count("p2", "mq_receive")
        lab.until(lambda: lab.is_in("p2", "blocked", "mq_receive") and lab.is_in("p3", "blocked", "mq_receive"))
        p2, p3 = (lab.state(role).since or 0 for role in ("p2", "p3"))
        assert turn == 0 or p3 < p2, "the nicer one waits longer"
        stepped(lab, "p1")
        lab.until(lambda got=got: lab.count("p2", "mq_receive") == got + 1, what="p2 gets it")
    assert lab.count("p3", "mq_receive") == passed, "six of six went past it"
    lab.until(lambda: "messages went past p3" in caption(lab.lab.state, "en"), what="what was measured")
    assert re.search(r"p2 nice 5 .*p3 nice 15 ", drawn(lab)), "in the order in which they will be served"
    # With equals the longest wait decides: p2, made as nice, now stands behind p3.
    done(lab, "nice p2 10")
    lab.until(lambda: [call.args for call in lab.calls("p2", "nice")] == ["10"], what="p2 as nice")
    since = lab.calls("p2", "nice")[0].end
    lab.until(lambda: lab.is_in("p2", "blocked", "mq_receive") and (lab.state("p2").since or 0) > since)
    before = lab.count("p3", "mq_receive")
    stepped(lab, "p1")
    lab.until(lambda: lab.count("p3", "mq_receive") == before + 1, what="p3 gets it")


def test_a_process_at_the_end_of_niceness_is_refused(mailbox: Open) -> None:
    lab = mailbox("one-to-many")
    lab.until_state("p2", "blocked", "mq_receive")
    done(lab, "nice p2 14")
    lab.until(lambda: os.getpriority(os.PRIO_PROCESS, lab.process("p2").pid) == 19)
    assert done(lab, "nice p2") == "refused: nice p2: it is at nice 19 already, and nothing is nicer; r restarts it"


# Who waits, by a second reader


def test_waiting_receivers_are_those_that_the_kernel_says_sleep(mailbox: Open) -> None:
    lab = mailbox("one-to-many", rate=20)
    lab.until(lambda: lab.count("p1", "mq_send") >= 1)
    held(lab, "p1", "mq_send")
    lab.until(lambda: lab.is_in("p2", "blocked", "mq_receive") and lab.is_in("p3", "blocked", "mq_receive"))
    waiting = asleep_in(lab, NUMBERS[1])
    assert waiting == {lab.process("p2").pid, lab.process("p3").pid}
    (line,) = [line for line in drawn(lab).splitlines() if "2 wait to receive" in line]
    assert {int(number) for number in re.findall(r" (\d{2,}) \d+\.\d s", line)} == waiting


def test_waiting_senders_are_those_that_the_kernel_says_sleep(mailbox: Open) -> None:
    lab = mailbox("many-to-one", rate=20)
    lab.do("hold receiver")
    roles = [f"sender{number}" for number in (1, 2, 3)]
    lab.until(lambda: all(lab.is_in(role, "blocked", "mq_send") for role in roles))
    waiting = asleep_in(lab, NUMBERS[0])
    assert waiting == {lab.process(role).pid for role in roles}
    (line,) = [line for line in drawn(lab).splitlines() if "3 wait to send" in line]
    assert {int(number) for number in re.findall(r" (\d{2,}) \d+\.\d s", line)} == waiting
