"""Every control on every process of every variant of sockets: what it does, by /proc and the state."""

import os

import pytest

from ipctui.lab.parameters import settle
from ipctui.mechanisms.socket.channel import CHANNEL
from tests.mechanisms.test_controls import flags_of, is_refused, letter_of, made
from tests.mechanisms.test_socket import Open, sockets_lab

__all__ = ["sockets_lab"]
pytestmark = pytest.mark.real


def _cases() -> list[tuple[str, str]]:
    """Every sort of process of every variant, by the mechanism's own plan."""
    found = []
    for variant in CHANNEL.variants:
        plan = CHANNEL.plan(variant, settle(CHANNEL.parameters(), variant.values, []))
        roles = {seat.role.rstrip("0123456789"): seat.role for tree in plan.trees for seat in tree}
        found += [(variant.name, role) for role in roles.values()]
    return found


@pytest.mark.parametrize(("variant", "role"), _cases())
def test_every_control(sockets_lab: Open, variant: str, role: str) -> None:
    lab = sockets_lab(variant)
    for tree in lab.lab.workers.plan.trees:
        lab.until(lambda name=tree[0].role: lab.process(name).pid, 15)  # type: ignore[misc]
    lab.until(lambda: lab.state(role).state in ("running", "paced", "blocked"), 15)
    seat = next(seat for tree in lab.lab.workers.plan.trees for seat in tree if seat.role == role)
    pid = lab.process(role).pid

    assert lab.do(f"hold {role}").startswith(("done", "pending"))
    lab.until(lambda: lab.is_in(role, "held") or (lab.is_in(role, "blocked") and lab.state(role).pending == "hold"))
    if lab.is_in(role, "held"):
        before = made(lab, role)
        assert lab.do(f"step {role}").startswith(("done", "pending"))
        lab.until(lambda: lab.is_in(role, "blocked") or (lab.is_in(role, "held") and made(lab, role) > before))
    else:
        assert lab.do(f"step {role}").startswith("pending: ")
    assert lab.do(f"release {role}") == "done"
    lab.until(lambda: lab.state(role).state not in ("held", "unborn"))

    outcome = lab.do(f"inject {role} good morning")
    if seat.sends:
        assert outcome.startswith("done")
        names = ("send", "sendto")
        lab.until(lambda: any("good morning" in call.args for name in names for call in lab.calls(role, name)), 15)
        takers = [seat.role for tree in lab.lab.workers.plan.trees for seat in tree if not seat.sends]
        names = ("recv", "recvfrom")
        if lab.lab.workers.plan.given["edges"]:  # in a stream it may come in the middle of a recv
            lab.until(
                lambda: any(
                    "good morning" in call.args for name in names for to in takers for call in lab.calls(to, name)
                ),
                15,
                "the user's message received",
            )
    else:
        assert is_refused(outcome)

    assert lab.do(f"nonblocking {role}").startswith("done")
    lab.until(lambda: flags_of(pid) and all(flags & os.O_NONBLOCK for flags in flags_of(pid).values()))
    lab.until(lambda: not lab.is_in(role, "blocked") or lab.errors(role, "recv") or lab.errors(role, "poll"))
    assert lab.do(f"blocking {role}").startswith("done")
    lab.until(lambda: not any(flags & os.O_NONBLOCK for flags in flags_of(pid).values()))

    assert lab.do(f"rate {role} 7") == "done"
    lab.until(lambda: lab.process(role).settings is not None and lab.process(role).settings.rate == 7)  # type: ignore[union-attr]
    assert lab.do(f"size {role} 32") == "done"
    assert is_refused(lab.do(f"size {role} 70000"))
    assert is_refused(lab.do(f"rate {role} -1"))

    assert lab.do(f"stop {role}") == "done"
    lab.until(lambda: letter_of(pid) == "T" and lab.is_in(role, "stopped"))
    assert lab.do(f"continue {role}") == "done"
    lab.until(lambda: letter_of(pid) != "T" and not lab.is_in(role, "stopped"))

    others = {name: process.pid for name, process in lab.lab.state.processes.items() if name != role}
    assert lab.do(f"kill {role}") == "done"
    assert lab.until_ended(role) == "signal SIGKILL"
    assert is_refused(lab.do(f"hold {role}"))
    assert lab.do(f"restart {role}") == "done"
    lab.until(lambda: lab.process(role).pid != pid and lab.process(role).exited is None, 15)
    assert {name: process.pid for name, process in lab.lab.state.processes.items() if name != role} == others

    new = lab.process(role).pid
    lab.until(lambda: lab.lab.ends_of(next(one for one in lab.lab.handles if one.name == role)), 15)
    fd = max(flags_of(new))
    lab.do(f"hold {role}")
    outcome = lab.do(f"close {role} {fd}")
    assert outcome.startswith(("done", "pending"))
    lab.do(f"release {role}")
    lab.until(lambda: any(call.fd == fd and call.result == 0 for call in lab.calls(role, "close")), 15)


@pytest.mark.parametrize("variant", [variant.name for variant in CHANNEL.variants])
def test_processes_join_and_leave(sockets_lab: Open, variant: str) -> None:
    lab = sockets_lab(variant)
    (role,) = lab.lab.workers.plan.newcomers
    before = set(lab.lab.state.processes)
    assert lab.do(f"add {role}") == "done"
    lab.until(lambda: len(lab.lab.state.processes) == len(before) + 1)
    (name,) = set(lab.lab.state.processes) - before
    lab.until(lambda: lab.process(name).pid and lab.state(name).state in ("running", "paced", "blocked"), 15)
    lab.until(lambda: next(handle for handle in lab.lab.handles if handle.name == name).answers)
    assert lab.do(f"remove {name}").startswith(("done", "pending"))
    assert lab.until_ended(name, 15) == "status 0"
    other = "server" if role == "client" else "sender" if role == "receiver" else "receiver"
    outcome = lab.do(f"add {other}")
    assert is_refused(outcome)
    assert lab.lab.workers.plan.no_more in outcome


@pytest.mark.parametrize(
    ("variant", "order", "why"),
    [
        ("udp", "half-close", "datagrams have no connection"),
        ("udp", "reset", "datagrams have no connection"),
        ("multicast", "reset", "datagrams have no connection"),
        ("tcp", "leave", "only members of a multicast group"),
        ("unix-stream", "join", "only members of a multicast group"),
        ("tcp", "half-close nobody", "has no such socket; there is client 3"),
        ("tcp", "reset server 99", "has no such socket"),
        ("tcp", "reset server 4 5 6", "write reset WORKER DESCRIPTOR"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_its_reason(
    sockets_lab: Open, variant: str, order: str, why: str
) -> None:
    lab = sockets_lab(variant)
    lab.until(lambda: all(process.pid for process in lab.lab.state.processes.values()), 15)
    seats = sum(map(len, lab.lab.workers.plan.trees))
    lab.until(lambda: len([one for one in lab.lab.state.channels.values() if one.now.facts]) >= seats, 15)
    if variant == "tcp":
        lab.until(lambda: len(lab.lab.state.channels) == 3, 15)
    outcome = lab.do(order)
    assert is_refused(outcome)
    assert why in outcome
