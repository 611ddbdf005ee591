"""Every control on every variant of the FIFO and of direct communication: what it does, by /proc and the state."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipctui.lab.parameters import settle
from ipctui.mechanisms import catalogue
from tests.lab.conftest import Bench
from tests.mechanisms.laboratories import Laboratories

pytestmark = pytest.mark.real

MECHANISMS = ("fifo", "direct")
Open = Callable[[str, str], Bench]


def _cases() -> list[tuple[str, str, str]]:
    """Every process of every variant, by the mechanism's own plan."""
    found = []
    for mechanism in MECHANISMS:
        channel = catalogue.channel(mechanism)
        for variant in channel.variants:
            plan = channel.plan(variant, settle(channel.parameters(), variant.values, []))
            roles = {seat.role.rstrip("0123456789"): seat.role for tree in plan.trees for seat in tree}
            found += [(mechanism, variant.name, role) for role in roles.values()]
    return found


@pytest.fixture
def bench() -> Iterator[Open]:
    laboratories = Laboratories()

    def open_lab(mechanism: str, variant: str) -> Bench:
        lab = laboratories.open(mechanism, variant)
        for tree in lab.lab.workers.plan.trees:
            role = tree[0].role
            if not lab.lab.state.processes[role].pid:
                lab.do(f"release {role}")
            lab.until(lambda role=role: lab.process(role).pid, what=f"the birth of {role}")
        return lab

    yield open_lab
    names = [name for lab in laboratories.labs for _, name in lab.workers.plan.names]
    laboratories.close()
    assert not [name for name in names if os.path.lexists(name)]


def flags_of(pid: int) -> dict[int, int]:
    """By descriptor, the flags of every FIFO and socket of a worker's program, from /proc alone."""
    found: dict[int, int] = {}
    try:
        entries = os.listdir(f"/proc/{pid}/fd")
    except FileNotFoundError:
        return found  # it has ended
    for entry in entries:
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{entry}")
            if int(entry) > 2 and int(entry) < 200 and (target.startswith("socket:") or "/ipctui-" in target):
                info = Path(f"/proc/{pid}/fdinfo/{entry}").read_text().splitlines()
                found[int(entry)] = next(int(line.split()[1], 8) for line in info if line.startswith("flags"))
    return found


def letter_of(pid: int) -> str:
    """The kernel's state letter, proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_gone(pid: int) -> bool:
    """Whether a process has ended: it is no more, or waits to be reaped."""
    try:
        return letter_of(pid) in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def made(lab: Bench, role: str) -> int:
    """The calls that a process has made so far."""
    return sum(row.calls for seen in lab.lab.seen if seen.role == role and seen.counters for row in seen.counters.calls)


def is_refused(outcome: str) -> bool:
    """Refused with a reason: one line, and more than a word."""
    return outcome.startswith("refused: ") and "\n" not in outcome and len(outcome.split()) > 4


@pytest.mark.parametrize(("mechanism", "variant", "role"), _cases())
def test_every_control(bench: Open, mechanism: str, variant: str, role: str) -> None:
    lab = bench(mechanism, variant)
    pid = lab.process(role).pid
    seat = next(seat for tree in lab.lab.workers.plan.trees for seat in tree if seat.role == role)
    lab.until(lambda: lab.state(role).state in ("running", "paced", "blocked"))

    # Held: at its gate, or, asleep in the kernel, as soon as it comes back; then one operation a step.
    assert lab.do(f"hold {role}").startswith(("done", "pending"))
    lab.until(lambda: lab.process(role).settings is not None and lab.process(role).settings.held)
    lab.until(lambda: lab.is_in(role, "held") or (lab.is_in(role, "blocked") and lab.state(role).pending == "hold"))
    if lab.is_in(role, "held"):
        before = made(lab, role)
        assert lab.do(f"step {role}") == "done"
        lab.until(lambda: lab.is_in(role, "blocked") or (lab.is_in(role, "held") and made(lab, role) > before))
    else:
        assert lab.do(f"step {role}").startswith("pending: ")
    assert lab.do(f"release {role}") == "done"
    lab.until(lambda: lab.state(role).state not in ("held", "unborn"))

    outcome = lab.do(f"inject {role} good morning")
    if seat.sends:
        assert outcome.startswith("done")
        sends = ("write", "send")
        if variant != "deadlock":
            lab.until(
                lambda: (
                    any("good morning" in call.args for name in sends for call in lab.calls(role, name))
                    or lab.is_in(role, "blocked")
                    or "ENXIO" in lab.errors(role, "open")
                ),
                what="the user's message on its way",
            )
    else:
        assert is_refused(outcome)
        assert "sends no messages" in outcome

    assert lab.do(f"nonblocking {role}").startswith("done")
    lab.until(lambda: all(flags & os.O_NONBLOCK for flags in flags_of(pid).values()), what="O_NONBLOCK in fdinfo")
    assert lab.do(f"blocking {role}").startswith("done")
    lab.until(lambda: not any(flags & os.O_NONBLOCK for flags in flags_of(pid).values()), what="no O_NONBLOCK")

    assert lab.do(f"rate {role} 7") == "done"
    lab.until(lambda: lab.process(role).settings is not None and lab.process(role).settings.rate == 7)
    assert is_refused(lab.do(f"rate {role} -1"))

    assert lab.do(f"stop {role}") == "done"
    lab.until(lambda: letter_of(pid) == "T" and lab.is_in(role, "stopped"))
    assert lab.do(f"continue {role}") == "done"
    lab.until(lambda: letter_of(pid) != "T" and not lab.is_in(role, "stopped"))

    # Ended, and begun again in its place; nobody else is.
    others = {name: process.pid for name, process in lab.lab.state.processes.items() if name != role}
    assert lab.do(f"kill {role}") == "done"
    assert lab.until_ended(role) == "signal SIGKILL"
    assert is_gone(pid)
    assert is_refused(lab.do(f"hold {role}"))
    assert lab.do(f"restart {role}") == "done"
    lab.until(lambda: lab.process(role).pid != pid and lab.process(role).exited is None)
    assert {name: process.pid for name, process in lab.lab.state.processes.items() if name != role} == others

    new = lab.process(role).pid
    lab.until(lambda: lab.process(role).exited is not None or lab.state(role).state in ("running", "paced", "blocked"))
    fds = sorted(flags_of(new)) if lab.process(role).exited is None else []
    if fds:
        closes = len(lab.calls(role, "close"))
        outcome = lab.do(f"close {role} {fds[0]}")
        assert outcome.startswith(("done", "pending", "refused"))
        if not outcome.startswith("refused"):
            lab.until(
                lambda: (
                    any(call.fd == fds[0] for call in lab.calls(role, "close")[closes:])
                    or lab.process(role).exited is not None
                ),
                what=f"close({fds[0]})",
            )
    else:
        # Nothing was open when we looked; by now something may be.
        outcome = lab.do(f"close {role} read")
        assert is_refused(outcome) or outcome.startswith(("done", "pending"))


@pytest.mark.parametrize(("mechanism", "variant"), sorted({case[:2] for case in _cases()}))
def test_processes_join_and_leave_where_the_variant_has_a_place(bench: Open, mechanism: str, variant: str) -> None:
    lab = bench(mechanism, variant)
    plan = lab.lab.workers.plan
    role = next(iter(plan.newcomers), "another")
    outcome = lab.do(f"add {role}")
    if not plan.newcomers:
        assert is_refused(outcome)
        assert plan.no_more in outcome
        return
    assert outcome == "done"
    lab.until(lambda: len(lab.lab.state.processes) == sum(map(len, plan.trees)) + 1)
    name = list(lab.lab.state.processes)[-1]
    lab.until(lambda: lab.process(name).pid and lab.state(name).state in ("running", "paced", "blocked"))
    assert lab.process(name).pid in [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    lab.until(lambda: next(handle for handle in lab.lab.handles if handle.name == name).answers)
    assert lab.do(f"remove {name}").startswith(("done", "pending"))
    assert lab.until_ended(name) == "status 0"


def until_all_is_read(lab: Bench) -> None:
    """Until the writer stands, and after that the reader waits: what was written before is read by then."""
    lab.do("hold writer")
    lab.until_state("writer", "held")
    lab.until_state("reader", "blocked", "read")


def test_numbers_go_on_after_a_restart_and_no_read_is_joined_to_another_message(bench: Open) -> None:
    lab = bench("fifo", "one-way")
    lab.do("rate writer 50")
    lab.until(lambda: lab.count("writer", "write") > 5)
    until_all_is_read(lab)
    written = [call.message[0] for call in lab.calls("writer", "write") if call.message]
    # The reader keeps the FIFO while another writer comes: nothing is lost, and nothing is called twice.
    fd = os.open(lab.lab.workers.plan.given["path"], os.O_WRONLY | os.O_NONBLOCK)
    try:
        lab.do("kill writer")
        lab.until_ended("writer")
        gone = lab.process("writer").pid
        lab.do("restart writer")
        lab.until(lambda: lab.process("writer").pid != gone)
        assert lab.do("release writer") == "done"
        lab.until(lambda: len(lab.calls("writer", "write")) > len(written) + 5)
    finally:
        os.close(fd)
    until_all_is_read(lab)
    sent = [message for call in lab.calls("writer", "write") for message in call.message]
    came = [message for call in lab.calls("reader", "read") for message in call.message]
    assert len(sent) == len(set(sent))
    assert came == sent
