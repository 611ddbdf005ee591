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
from ipctui.trace.records import Channel
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


def settled(lab: Bench, name: str = "P") -> None:
    lab.until(lambda: holders(lab, "receive", name) and holders(lab, "send", name), 10, f"rights of {name}")


# message


def test_the_queue_is_bounded_by_the_kernel_and_the_sender_sleeps(mach: Open) -> None:
    lab = mach("message", rate=100)
    settled(lab)
    lab.do("hold receiver")
    state = lab.until_state("sender", "blocked", "sendmsg", 10)
    assert state.syscall == "sendmsg"
    assert "port P full" in (state.reason or "")
    lab.until(lambda: (one := port(lab)) is not None and one.count == 6, what="six messages of 64 bytes")
    assert "queue is full" in caption(lab.lab.state, "en")
    assert "You hold receiver" in caption(lab.lab.state, "en")
    before = received(lab, "receiver")
    lab.do("release receiver")
    lab.until(lambda: received(lab, "receiver") > before + 6)


def test_exactly_one_task_has_the_receive_right_and_each_right_is_a_descriptor(mach: Open) -> None:
    lab = mach("message")
    settled(lab)
    found = port(lab)
    assert found is not None
    assert [(one["process"]) for one in found.facts["receive"]] == ["receiver"]
    for right in ("receive", "send"):
        for one in found.facts[right]:
            assert sockets(lab, one["process"])[one["fd"]] == one["object"]
    assert holders(lab, "receive", "self.sender") == ["kernel"], "a system call is a message to the kernel"
    assert holders(lab, "send", "self.sender") == ["sender"]
    assert holders(lab, "receive", "notify.sender") == ["sender"]


@pytest.mark.skipif(shutil.which("lsof") is None, reason="no lsof(8) on this machine")
def test_lsof_sees_who_can_receive(mach: Open) -> None:
    lab = mach("message")
    settled(lab)
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
    text = caption(lab.lab.state, "en")
    assert "dead name" in text
    assert "EPIPE" in text
    assert "죽은 이름" in caption(lab.lab.state, "ko")
    assert lab.process("sender").exited is None
    lab.until(lambda: (one := port(lab)) is None or one.facts["dead"])


def test_without_senders_the_receiver_is_told(mach: Open) -> None:
    lab = mach("message", rate=50)
    lab.until(lambda: received(lab, "receiver") > 3)
    lab.do("kill sender")
    lab.until(lambda: lab.lab.state.facts.get("told", {}).get("receiver") == "no-senders P", 10, "the notification")
    assert "no-senders" in caption(lab.lab.state, "en")
    assert lab.process("receiver").exited is None


def test_more_rights_than_the_kernel_takes_are_refused_whole(mach: Open) -> None:
    lab = mach("message", rate=100, carry=254)
    lab.until(lambda: lab.lab.state.facts.get("too_many", 0) > 5)
    text = caption(lab.lab.state, "en")
    assert "254 rights" in text
    assert "253" in text
    assert received(lab, "receiver") == 0
    assert len(sockets(lab, "receiver")) < 12


def test_as_many_as_it_takes_arrive_and_none_is_left_open(mach: Open) -> None:
    lab = mach("message", rate=0, carry=20)
    lab.until(lambda: received(lab, "receiver") > 1000, 30)
    lab.do("hold sender")
    lab.until(lambda: (one := port(lab)) is not None and one.count == 0 and lab.is_in("receiver", "blocked", "recvmsg"))
    assert len(sockets(lab, "receiver")) == 5, "its own five rights"
    assert len(sockets(lab, "sender")) == 5


# request-reply


def test_the_right_to_answer_comes_with_the_request_and_is_used_once(mach: Open) -> None:
    lab = mach("request-reply", rate=0)
    lab.until(lambda: received(lab, "client") > 1000, 30, "a thousand answers")
    lab.do("hold client")
    lab.until(lambda: lab.is_in("server", "blocked", "recvmsg"))
    assert len(sockets(lab, "server")) == 5, "every reply right was dropped after its one use"
    asked = lab.calls("client", "sendmsg")
    assert any('"@allocate reply-port"' in call.args for call in asked), "the port came by a message to the kernel"
    assert holders(lab, "receive", "reply-port") == ["client"]
    assert lab.lab.state.facts.get("copied", 0) > 0


# rights


def test_who_gives_the_right_away_cannot_send_and_only_then_the_other_can(mach: Open) -> None:
    lab = mach("rights", rate=100)
    lab.until(lambda: holders(lab, "send") == ["alice"])
    mine = (port(lab) or pytest.fail("no port")).facts["send"][0]["object"]
    lab.until(lambda: holders(lab, "send") == ["bob"])
    lab.do("hold bob")
    lab.until(lambda: holders(lab, "send") == ["bob"] and lab.is_in("bob", "held"), 10)
    assert mine in sockets(lab, "bob").values()
    assert mine not in sockets(lab, "alice").values()
    before = lab.process("alice").counters
    lab.until(lambda: lab.is_in("alice", "blocked", "recvmsg"))
    text = caption(lab.lab.state, "en")
    assert "Only bob" in text or "bob could wake it" in text or "You hold bob" in text or "hold bob" in text
    after = lab.process("alice").counters
    assert before is not None
    assert after is not None
    assert after.sent == before.sent
    lab.do("release bob")
    lab.until(lambda: lab.lab.state.facts.get("moved", 0) > 6, 15)


def test_a_right_given_to_a_dead_task_stays(mach: Open) -> None:
    lab = mach("rights", rate=50)
    lab.until(lambda: holders(lab, "send") == ["alice"])
    lab.do("kill bob")
    lab.until(lambda: lab.lab.state.facts.get("dead_sends", 0) > 0, 15, "the gift was refused")
    lab.until(lambda: lab.errors("alice", "sendmsg").keys() == {"EPIPE"})
    before = received(lab, "receiver")
    lab.until(lambda: received(lab, "receiver") > before + 3, 10, "alice goes on sending")
    assert holders(lab, "send") == ["alice"]


def test_a_right_in_the_queue_of_who_dies_is_gone_with_it(mach: Open) -> None:
    lab = mach("rights", rate=10, every=10)  # a second until alice gives it away
    lab.until(lambda: holders(lab, "send") == ["alice"] and lab.is_in("bob", "blocked", "recvmsg"))
    lab.do("stop bob")
    lab.until(lambda: not holders(lab, "send"), 10, "the right is inside a message")
    assert "inside a message" in caption(lab.lab.state, "en") or "SIGSTOP" in caption(lab.lab.state, "en")
    lab.do("kill bob")
    lab.until(lambda: lab.lab.state.facts.get("told", {}).get("receiver") == "no-senders P", 15, "nobody is left")


# receive-right


def test_the_receive_right_is_handed_on_with_what_waits_in_it_in_order(mach: Open) -> None:
    lab = mach("receive-right", rate=100)
    lab.until(lambda: received(lab, "second") > 20, 20)
    order = [
        int(message.partition(":")[2])
        for call in lab.records
        if getattr(call, "name", "") == "recvmsg"
        for message in call.message
        if message.startswith("sender:")
    ]
    assert len(order) > 20
    lost = lab.lab.state.lost
    assert order == sorted(order)
    assert lost or order == list(range(order[0], order[0] + len(order))), "none lost, none twice"
    assert lab.lab.state.facts.get("moved", 0) >= 3


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
        lab.until(lambda: lab.count("sender", "poll") > 1, 10, "told of room")
    else:
        assert lab.count("sender", "poll") == 0


# bootstrap


def test_a_name_is_looked_up_and_a_right_comes_back(mach: Open) -> None:
    lab = mach("bootstrap", rate=50)
    lab.until(lambda: received(lab, "printer") > 3, 15)
    assert set(holders(lab, "send", "printer")) == {"customer", "bootstrap"}
    assert holders(lab, "receive", "printer") == ["printer"]
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
    assert "against copying" in caption(lab.lab.state, "en")
    before = len(sockets(lab, "receiver"))
    assert before < 12


@pytest.mark.parametrize(("values", "why"), [({"size": 5000}, "EMSGSIZE")])
def test_what_does_not_fit_is_said_in_a_line(values: dict[str, Any], why: str) -> None:
    settled_values = settle(CHANNEL.parameters(), {}, [f"{name}={value}" for name, value in values.items()])
    with pytest.raises(UsageError, match=why) as raised:
        CHANNEL.check(CHANNEL.variants[0], settled_values)
    assert "\n" not in str(raised.value)
