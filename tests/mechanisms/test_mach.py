"""Mach with real processes: queues, rights that move, reply ports, dead names, and nothing left open."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ipctui.kernel.unix_sockets import table
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.mach.caption import caption, medians, ports
from ipctui.mechanisms.mach.channel import CHANNEL, SIZES
from ipctui.trace.records import Call, Channel
from tests.lab.conftest import Bench, waited

pytestmark = pytest.mark.real

Open = Callable[..., Bench]


@pytest.fixture
def mach() -> Iterator[Open]:
    """Opens laboratories of Mach: `mach("rights", rate=50)`; no name is left at the end."""
    launcher = LauncherClient()
    labs: list[Lab] = []

    def open_lab(variant: str, **values: object) -> Bench:
        chosen = next(one for one in CHANNEL.variants if one.name == variant)
        settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
        CHANNEL.check(chosen, settled)
        labs.append(Lab(CHANNEL, chosen, settled, launcher))
        return Bench(labs[-1])

    yield open_lab
    prefixes = [lab.workers.plan.given["prefix"] for lab in labs]
    for lab in labs:
        lab.close()
    launcher.close()
    waited(lambda: not [row for row in table() for prefix in prefixes if prefix in row.name], 10, "every name gone")


def port(lab: Bench, name: str = "P") -> Channel | None:
    return next((one for one in ports(lab.lab.state) if one.name == name), None)


def holders(lab: Bench, right: str, name: str = "P") -> list[str]:
    found = port(lab, name)
    return [one["process"] for one in found.facts[right]] if found is not None else []


def sockets(lab: Bench, role: str) -> dict[int, str]:
    """The sockets of `ls -l /proc/PID/fd`, the laboratory's own left out."""
    process = lab.process(role).pid
    found: dict[int, str] = {}
    for name in os.listdir(f"/proc/{process}/fd"):
        if 2 < int(name) < 200:
            try:
                found[int(name)] = os.readlink(f"/proc/{process}/fd/{name}")
            except FileNotFoundError:
                continue
    return found


def received(lab: Bench, role: str) -> int:
    counters = lab.process(role).counters
    return counters.received if counters is not None else 0


def settled(lab: Bench, receive: str, send: str, name: str = "P") -> None:
    """Wait until every task has closed what fork has copied: then who has which right is as the program says."""
    lab.until(
        lambda: (holders(lab, "receive", name), holders(lab, "send", name)) == ([receive], [send]),
        10,
        f"{name} with {receive} and {send}",
    )


def says(lab: Bench, *words: str, language: str = "en") -> None:
    """Wait until the caption has these words: what it is made of is told by several processes, tick by tick."""
    lab.until(
        lambda: all(word in caption(lab.lab.state, language) for word in words),
        15,
        f"{words} in the caption, which says: {caption(lab.lab.state, language)}",
    )


def stepped(lab: Bench, role: str) -> None:
    """One step of a held task, until it is held again."""
    before = lab.state(role).since
    lab.do(f"step {role}")
    lab.until(lambda: lab.is_in(role, "held") and lab.state(role).since != before, 10, f"{role} held again")


def held_with_the_right(lab: Bench, role: str) -> None:
    """Hold a task and step it to where it has P's send right and stands before its use, wherever the hold caught it."""
    lab.do(f"hold {role}")
    lab.until(lambda: lab.is_in(role, "held"), 15, f"{role} held")
    while not (holders(lab, "send") == [role] and lab.calls(role, "sendmsg")[-1:] == _own(lab, role)[-1:]):
        stepped(lab, role)


def _own(lab: Bench, role: str) -> list[Call]:
    """A task's messages to P that it has sent itself."""
    return [call for call in lab.calls(role, "sendmsg") if f'"{role}:' in call.args]


# message


def test_the_queue_is_bounded_by_the_kernel_and_the_sender_sleeps(mach: Open) -> None:
    lab = mach("message", rate=100)
    settled(lab, "receiver", "sender")
    lab.do("hold receiver")
    lab.until_state("receiver", "held", None, 10)
    state = lab.until_state("sender", "blocked", "sendmsg", 10)
    assert state.syscall == "sendmsg"
    lab.until(lambda: "port P full" in (lab.state("sender").reason or ""), 10, "the reason")
    lab.until(lambda: (one := port(lab)) is not None and one.count == 6, what="six messages of 64 bytes")
    assert [item.size for item in (port(lab) or pytest.fail("no port")).items] == [64] * 6
    says(lab, "queue is full", "You hold receiver")
    before = received(lab, "receiver")
    # One taken: whoever comes would get in, but who sleeps is not woken before three quarters are free.
    stepped(lab, "receiver")
    lab.until(lambda: (one := port(lab)) is not None and one.count == 5, 10, "one message less")
    reason = "port P: woken once 3/4 of it is free (5 messages, 3,840 of 4,608 bytes)"
    lab.until(lambda: lab.is_in("sender", "blocked", "sendmsg") and lab.state("sender").reason == reason, 10, reason)
    says(lab, "There is room in P again", "You hold receiver")
    lab.do("release receiver")
    lab.until(lambda: received(lab, "receiver") > before + 6)


def test_exactly_one_task_has_the_receive_right_and_each_right_is_a_descriptor(mach: Open) -> None:
    lab = mach("message")
    settled(lab, "receiver", "sender")
    for role in ("sender", "receiver"):
        settled(lab, "kernel", role, f"self.{role}")  # "a system call is a message to the kernel"
        settled(lab, role, "kernel", f"notify.{role}")
    found = port(lab)
    assert found is not None
    for right in ("receive", "send"):
        for one in found.facts[right]:
            assert sockets(lab, one["process"])[one["fd"]] == one["object"]


@pytest.mark.skipif(shutil.which("lsof") is None, reason="no lsof(8) on this machine")
def test_lsof_sees_who_can_receive(mach: Open) -> None:
    lab = mach("message")
    settled(lab, "receiver", "sender")
    prefix = lab.lab.workers.plan.given["prefix"]
    command = ["lsof", "-w", "-a", "-U", "-p", str(lab.process("receiver").pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    fd = next(one["fd"] for one in (port(lab) or pytest.fail("no port")).facts["receive"])
    assert re.search(rf"\s{fd}u\s+unix\s.* @{re.escape(prefix)}/P\s", said), said


def test_a_dead_receiver_leaves_a_dead_name_and_a_notification(mach: Open) -> None:
    lab = mach("message", rate=50)
    lab.until(lambda: received(lab, "receiver") > 3)
    lab.do("kill receiver")
    lab.until(lambda: lab.lab.state.facts.get("dead", {}).get("sender") == "EPIPE", 10, "EPIPE")
    lab.until(lambda: lab.lab.state.facts.get("told", {}).get("sender") == "dead-name P", 10, "the notification")
    says(lab, "dead name", "EPIPE")
    says(lab, "죽은 이름", language="ko")
    assert lab.process("sender").exited is None
    lab.until(lambda: (one := port(lab)) is None or one.facts["dead"])


def test_without_senders_the_receiver_is_told(mach: Open) -> None:
    lab = mach("message", rate=50)
    lab.until(lambda: received(lab, "receiver") > 3)
    lab.do("kill sender")
    lab.until(lambda: lab.lab.state.facts.get("told", {}).get("receiver") == "no-senders P", 10, "the notification")
    says(lab, "no-senders")
    assert lab.process("receiver").exited is None


def test_more_rights_than_the_kernel_takes_are_refused_whole(mach: Open) -> None:
    lab = mach("message", rate=100, carry=254)
    lab.until(lambda: lab.lab.state.facts.get("too_many", 0) > 5)
    says(lab, "254 rights", "253")
    assert received(lab, "receiver") == 0
    lab.until(lambda: len(sockets(lab, "receiver")) == 5, 10, "its own five rights and no other")


def test_as_many_as_it_takes_arrive_and_none_is_left_open(mach: Open) -> None:
    lab = mach("message", rate=0, carry=20)
    lab.until(lambda: received(lab, "receiver") > 1000, 30)
    lab.do("hold sender")
    lab.until_state("sender", "held", None, 10)
    lab.until(lambda: (one := port(lab)) is not None and one.count == 0 and lab.is_in("receiver", "blocked", "recvmsg"))
    lab.until(lambda: len(sockets(lab, "receiver")) == 5, 10, "its own five rights")
    assert len(sockets(lab, "sender")) == 5


# request-reply


def test_the_right_to_answer_comes_with_the_request_and_is_used_once(mach: Open) -> None:
    lab = mach("request-reply", rate=20)
    lab.until(
        lambda: any('"@allocate reply-port"' in call.args for call in lab.calls("client", "sendmsg")),
        10,
        "the port came by a message to the kernel",
    )
    lab.do("rate client 0")
    lab.until(lambda: received(lab, "client") > 1000, 30, "a thousand answers")
    lab.do("hold client")
    lab.until_state("client", "held", None, 10)
    lab.until(lambda: lab.is_in("server", "blocked", "recvmsg"))
    lab.until(lambda: len(sockets(lab, "server")) == 5, 10, "every reply right was dropped after its one use")
    assert holders(lab, "receive", "reply-port") == ["client"]
    assert lab.lab.state.facts.get("copied", 0) > 0


# rights


def test_who_gives_the_right_away_cannot_send_and_only_then_the_other_can(mach: Open) -> None:
    lab = mach("rights", rate=100)
    held_with_the_right(lab, "alice")
    mine = (port(lab) or pytest.fail("no port")).facts["send"][0]["object"]
    assert mine in sockets(lab, "alice").values()
    lab.do("release alice")
    held_with_the_right(lab, "bob")
    lab.until(lambda: lab.is_in("alice", "blocked", "recvmsg"), 10, "alice waits for the right")
    assert mine in sockets(lab, "bob").values()
    assert mine not in sockets(lab, "alice").values()
    sent = lab.count("alice", "sendmsg")
    says(lab, "hold bob")
    mine_sent = len(_own(lab, "bob"))
    while len(_own(lab, "bob")) < mine_sent + 3:
        stepped(lab, "bob")
    assert lab.count("alice", "sendmsg") == sent, "she has nothing to send by"
    lab.do("release bob")
    lab.until(lambda: lab.lab.state.facts.get("moved", 0) > 6, 15)


def test_a_right_given_to_a_dead_task_stays(mach: Open) -> None:
    lab = mach("rights", rate=50)
    held_with_the_right(lab, "alice")
    lab.do("kill bob")
    lab.until_ended("bob")
    lab.do("release alice")
    lab.until(lambda: lab.lab.state.facts.get("dead_sends", 0) > 0, 15, "the gift was refused")
    lab.until(lambda: lab.errors("alice", "sendmsg").keys() == {"EPIPE"})
    before = received(lab, "receiver")
    lab.until(lambda: received(lab, "receiver") > before + 3, 10, "alice goes on sending")
    assert holders(lab, "send") == ["alice"]


def test_a_right_in_the_queue_of_who_dies_is_gone_with_it(mach: Open) -> None:
    lab = mach("rights", rate=100, every=10)
    held_with_the_right(lab, "alice")
    lab.until_state("bob", "blocked", "recvmsg", 10)
    lab.do("stop bob")
    lab.until_state("bob", "stopped")
    lab.do("release alice")
    lab.until(lambda: not holders(lab, "send"), 10, "the right is inside a message")
    lab.until(
        lambda: (one := port(lab, "to.bob")) is not None and one.facts["carried"] == 1, 10, "it lies in bob's port"
    )
    lab.do("kill bob")
    lab.until(lambda: lab.lab.state.facts.get("told", {}).get("receiver") == "no-senders P", 15, "nobody is left")


# receive-right


def test_the_receive_right_is_handed_on_with_what_waits_in_it_in_order(mach: Open) -> None:
    lab = mach("receive-right", rate=100)
    lab.until(lambda: received(lab, "second") > 20, 20)
    lab.finish()
    assert lab.lab.state.facts.get("moved", 0) >= 3
    # One ring is read after the other: the order is that of the calls, not that in which they were told.
    calls = sorted(lab.calls("first", "recvmsg") + lab.calls("second", "recvmsg"), key=lambda call: call.end)
    order = [
        int(message.partition(":")[2]) for call in calls for message in call.message if message.startswith("sender:")
    ]
    assert len(order) > 20
    assert order == sorted(order)
    assert lab.lab.state.lost or order == list(range(order[0], order[0] + len(order))), "none lost, none twice"


def test_a_dead_name_is_told_with_its_port(mach: Open) -> None:
    lab = mach("receive-right", rate=50)
    lab.until(lambda: received(lab, "second") > 5 and holders(lab, "receive") == ["second"], 20)
    lab.do("hold second")
    lab.until_state("second", "held", None, 10)
    while holders(lab, "receive") != ["second"]:
        stepped(lab, "second")
    lab.do("kill first")
    lab.until_ended("first")
    lab.do("release second")
    says(lab, "second's send right of to.first is a dead name")
    says(lab, "second의 to.first 송신 권한은 죽은 이름", language="ko")


# full-queue


@pytest.mark.parametrize("full", ["wait", "timeout", "told"])
def test_at_a_full_queue_the_sender_waits_times_out_or_is_told(mach: Open, full: str) -> None:
    lab = mach("full-queue", rate=50, full=full, patience=50)
    if full == "wait":
        lab.until(lambda: lab.is_in("sender", "blocked", "sendmsg"), 10)
        assert not lab.errors("sender", "sendmsg")
        return
    lab.until(lambda: lab.lab.state.facts.get("timed_out", 0) > 2, 15)
    assert lab.lab.state.facts.get("timed_out", 0) <= lab.count("sender", "sendmsg")
    if full == "told":
        state = lab.until_state("sender", "blocked", "poll", 15)
        assert state.wakers == ("receiver",), "and not the kernel, which has nothing to do with it"
        lab.until(lambda: lab.count("sender", "poll") > 1, 10, "told of room")
    else:
        assert lab.count("sender", "poll") == 0


# bootstrap


def test_a_name_is_looked_up_and_a_right_comes_back(mach: Open) -> None:
    lab = mach("bootstrap", rate=50)
    lab.until(lambda: received(lab, "printer") > 3, 15)
    lab.until(lambda: set(holders(lab, "send", "printer")) == {"customer", "bootstrap"}, 10, "two send rights")
    lab.until(lambda: holders(lab, "receive", "printer") == ["printer"], 10, "one receive right")
    lab.do("kill printer")
    lab.until(lambda: lab.lab.state.facts.get("dead_sends", 0) > 0, 15)
    lab.until(
        lambda: any('"@unknown"' in call.args for call in lab.calls("customer", "recvmsg")), 15, "the name is unknown"
    )
    assert lab.process("bootstrap").exited is None


# out-of-line


def test_copying_and_mapping_are_measured_from_4_kib_to_64_mib(mach: Open) -> None:
    lab = mach("out-of-line", rate=0)
    lab.until(
        lambda: all(set(medians(lab.lab.state).get(way, {})) == set(SIZES) for way in ("copied", "fresh", "ready")), 60
    )
    ways = medians(lab.lab.state)
    assert (SIZES[0], SIZES[-1]) == (4096, 64 << 20)
    assert ways["copied"][SIZES[-1]] > ways["ready"][SIZES[-1]], "64 MiB that are there are mapped faster than copied"
    says(lab, "against copying")
    assert len(sockets(lab, "receiver")) <= 7, "its own five rights, and the two of one message"
    lab.do("kill all")
    for role in ("sender", "receiver", "kernel"):
        lab.until_ended(role)
    lab.tick()
    assert set(medians(lab.lab.state)["copied"]) == set(SIZES), "what has been measured stays"


@pytest.mark.parametrize(("values", "why"), [({"size": 5000}, "EMSGSIZE")])
def test_what_does_not_fit_is_said_in_a_line(values: dict[str, Any], why: str) -> None:
    settled_values = settle(CHANNEL.parameters(), {}, [f"{name}={value}" for name, value in values.items()])
    with pytest.raises(UsageError, match=why) as raised:
        CHANNEL.check(CHANNEL.variants[0], settled_values)
    assert "\n" not in str(raised.value)
