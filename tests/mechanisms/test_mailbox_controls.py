"""Every control on every variant of the mailbox, its outcome read from the worker, the kernel or the record."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctui.lab.channel import Variant
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.channel import CHANNEL
from tests.lab.conftest import Bench
from tests.mechanisms.mailboxes import Open, done, opened
from tests.mechanisms.stepping import held, stepped

pytestmark = pytest.mark.real

ENDS = {
    "one-to-one": ("sender", "receiver"),
    "one-to-many": ("p1", "p2"),
    "many-to-one": ("sender1", "receiver"),
    "two-way": ("client", "server"),
    "priority": ("urgent", "receiver"),
    "notify": ("sender", "receiver"),
    "outlives": ("creator", "heir"),
    "pipeline": ("producer", "consumer"),
}
"""Of each variant one that sends first and one that receives."""
NEW = {"one-to-many": "p", "many-to-one": "sender", "two-way": "client", "pipeline": "producer"}

every_variant = pytest.mark.parametrize("variant", CHANNEL.variants, ids=lambda variant: variant.name)


@pytest.fixture
def mailbox() -> Iterator[Open]:
    yield from opened()


def running(mailbox: Open, variant: Variant) -> tuple[Bench, str, str]:
    """A lab of the variant with everybody at work; its sender and its receiver."""
    sends, receives = ENDS[variant.name]
    lab = mailbox(variant.name, rate=20, messages=0)
    lab.until(lambda: lab.count(sends, "mq_send") >= 2, what=f"{sends} sends")
    if receives == "heir":  # started earlier, it would find no mailbox, or an empty one, and end
        assert lab.do("release heir").startswith("done")
    lab.until(lambda: receives in lab.lab.state.processes and lab.count(receives, "mq_receive") >= 1)
    return lab, sends, receives


def calls_of(lab: Bench, role: str) -> int:
    """Its operations so far."""
    return sum(row.calls for seen in lab.lab.seen if seen.role == role for row in seen.counters.calls)


def sending(lab: Bench, role: str) -> bool:
    """Whether a sender is at its work: it has sent, or waits for room."""
    return lab.count(role, "mq_send") >= 1 or lab.is_in(role, "blocked", "mq_send")


def descriptors_of(lab: Bench, role: str) -> dict[str, str]:
    """The mailboxes that a process has open, by the kernel."""
    folder = Path(f"/proc/{lab.process(role).pid}/fd")
    links = {entry.name: os.readlink(entry) for entry in folder.iterdir()}
    return {number: target for number, target in links.items() if target.startswith("/ipctui")}


@every_variant
def test_hold_step_release_and_inject(mailbox: Open, variant: Variant) -> None:
    lab, sends, receives = running(mailbox, variant)
    held(lab, sends)  # first, and waited for: a client that waits for its answer is held when that has come
    assert not lab.do(f"hold {receives}").startswith("refused")
    before = calls_of(lab, sends)
    stepped(lab, sends)
    assert calls_of(lab, sends) - before == (lab.state(sends).state == "held")
    for role in (sends, receives):
        assert lab.do(f"release {role}") in ("done", "done: started")
    assert lab.do(f"inject {sends} hello") == "done"
    lab.until(lambda: any("hello" in call.args for call in lab.calls(sends, "mq_send")), what="the injected message")
    outcome = lab.do(f"inject {receives} hello")
    if receives == "server":
        assert outcome == "done"
    else:
        assert outcome == f"refused: {receives} sends no messages in this variant; inject into one that does"


@every_variant
def test_nonblocking_blocking_rate_size_stop_and_continue(mailbox: Open, variant: Variant) -> None:
    lab, sends, receives = running(mailbox, variant)
    always = any(row.nonblocking for row in lab.process(receives).descriptors)
    assert lab.do(f"nonblocking {receives}").startswith("done")
    lab.until(lambda: all(row.nonblocking for row in lab.process(receives).descriptors), what="O_NONBLOCK")
    flags = Path(f"/proc/{lab.process(receives).pid}/fdinfo/3").read_text().split("flags:")[1].split()[0]
    assert int(flags, 8) & os.O_NONBLOCK
    if receives != "heir":  # which ends when there is no more
        lab.do(f"rate {receives} 0")
        lab.until(lambda: lab.errors(receives, "mq_receive").get("EAGAIN", 0) > 0, what="EAGAIN by name")
    if not always:
        assert lab.do(f"blocking {receives}").startswith("done")
        lab.until(lambda: not any(row.nonblocking for row in lab.process(receives).descriptors))
    assert lab.do(f"rate {sends} 50") == "done"
    lab.until(lambda: lab.process(sends).settings is not None and lab.process(sends).settings.rate == 50)
    assert lab.do(f"size {sends} 128") == "done"
    lab.until(
        lambda: (
            any(", 128, " in call.args or ", 175, " in call.args for call in lab.calls(sends, "mq_send"))
            or (variant.name == "two-way" and lab.process(sends).settings.size == 128)
        ),
        what="messages of 128 bytes",
    )
    assert lab.do(f"size {sends} 5000").startswith("refused: ")
    assert lab.do(f"stop {sends}") == "done"
    lab.until_state(sends, "stopped")
    assert Path(f"/proc/{lab.process(sends).pid}/stat").read_text().rpartition(") ")[2][0] == "T"
    before = calls_of(lab, sends)
    assert lab.do(f"continue {sends}") == "done"
    lab.until(lambda: calls_of(lab, sends) > before, what="it goes on")


@every_variant
def test_add_and_remove(mailbox: Open, variant: Variant) -> None:
    lab, sends, _ = running(mailbox, variant)
    base = NEW.get(variant.name, sends)
    before = set(lab.lab.state.processes)
    outcome = done(lab, f"add {base}")
    if variant.name == "outlives":
        assert outcome == "refused: add creator: the heir alone takes over what the creator left"
        return
    assert outcome == "done"
    lab.until(lambda: len(lab.lab.state.processes) == len(before) + 1, what="a newcomer")
    (newcomer,) = set(lab.lab.state.processes) - before
    call = "mq_receive" if variant.name == "one-to-many" else "mq_send"
    lab.until(lambda: lab.count(newcomer, call) >= 1 or lab.is_in(newcomer, "blocked", call), what="it takes part")
    assert not done(lab, f"remove {newcomer}").startswith("refused")
    assert lab.until_ended(newcomer) == "status 0"


@every_variant
def test_unblock_ends_a_wait_and_takes_no_message(mailbox: Open, variant: Variant) -> None:
    lab, sends, receives = running(mailbox, variant)
    if variant.name in ("notify", "outlives"):  # their receivers do not block
        held(lab, sends)
        assert done(lab, f"unblock {sends}") == f"refused: {sends} is not blocked"
        return
    if variant.name == "priority":
        lab.do("rate receiver 0")
    everybody = [role for role in lab.lab.state.processes if not role.startswith(("p2", "p3", receives))]
    for role in everybody:
        lab.do(f"rate {role} 0.2")
    lab.until_state(receives, "blocked", "mq_receive")
    assert done(lab, f"unblock {receives}") == "done: the call ended with EINTR"
    lab.until(lambda: lab.errors(receives, "mq_receive").get("EINTR"), what="EINTR by name")
    lab.until(lambda: any(call.errno == "EINTR" for call in lab.calls(receives, "mq_receive")))
    ended = [call for call in lab.calls(receives, "mq_receive") if call.errno == "EINTR"]
    assert {call.message for call in ended} == {()}, "it took nothing"
    if variant.name == "pipeline":
        return  # its peer, the prosumer, is itself asleep
    for role in everybody:
        lab.do(f"hold {role}")
    state = lab.until_state(receives, "blocked", "mq_receive")
    assert done(lab, f"unblock {receives}") == f"done: released {state.wakers[0]}, which {receives} waits for"


@every_variant
def test_close_kill_and_restart(mailbox: Open, variant: Variant) -> None:
    lab, sends, receives = running(mailbox, variant)
    end = next(iter(descriptors_of(lab, receives)))
    assert not done(lab, f"close {receives} {end}").startswith("refused")
    if variant.name != "notify":
        assert lab.until_ended(receives) == "status 1"
        told = f"{receives} ended"
        lab.until(lambda: told in (said := caption(lab.lab.state, "en")) and "EBADF" in said, what="the error by name")
    assert lab.do(f"kill {sends}") == "done"
    assert lab.until_ended(sends) == "signal SIGKILL"
    assert lab.do(f"restart {sends}") == "done"
    lab.until(lambda: lab.process(sends).exited is None and sending(lab, sends), what="it sends again")
    assert lab.do("restart all") == "done"
    lab.until(lambda: lab.process(sends).exited is None and lab.count(sends, "mq_send") >= 1)
    assert {role: process.status for role, process in lab.lab.state.processes.items() if process.exited} == {}
