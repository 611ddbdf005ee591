"""Ports that are planned with: each by one laboratory alone, and by none that the kernel gives away by itself."""

import socket
import subprocess
import sys

import pytest

from ipctui.kernel import ports
from ipctui.mechanisms import catalogue

pytestmark = pytest.mark.real
PLAN = "import sys; from ipctui.kernel.ports import planned_port; print(planned_port({}), flush=True); sys.stdin.read()"


def test_a_port_that_is_planned_with_is_nobody_elses_until_it_is_given_back() -> None:
    port = ports.planned_port()
    try:
        low, high = ports.given_by_itself()
        assert not low <= port <= high, "no client that connects is given it"
        assert ports.port_free(port), "nothing is bound to it"
        assert not ports.claim(port)
        assert ports.planned_port(port) != port
        code = f"from ipctui.kernel.ports import claim; print(claim({port}))"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert said.stdout == "False\n"
    finally:
        ports.give_back(port)
    assert ports.planned_port(port) == port
    ports.give_back(port)


def test_processes_that_plan_at_the_same_time_get_each_another_port() -> None:
    wanted = ports.planned_port()
    ports.give_back(wanted)
    planners = [
        subprocess.Popen(
            [sys.executable, "-c", PLAN.format(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = [planner.stdout.readline() for planner in planners if planner.stdout is not None]
    for planner in planners:
        planner.communicate(timeout=60)
    assert len(set(said)) == 4
    assert f"{wanted}\n" in said
    assert ports.planned_port(wanted) == wanted, "what a process had claimed goes with it"
    ports.give_back(wanted)


def test_where_nobody_can_be_reached_through_loopback_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ports.no_loopback() is None

    def unreachable(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)  # the interface is down: bind(2) still succeeds
    for name in ("socket", "rpc", "xdr"):
        channel = catalogue.channel(name)
        why = channel.unavailable() or channel.lacks(channel.variants[0])  # type: ignore[attr-defined]
        assert why.startswith("no socket on 127.0.0.1 here: Network is unreachable (is the loopback interface up")


def test_claims_that_nobody_gave_back_are_bounded() -> None:
    made = [ports.planned_port() for _ in range(300)]
    try:
        assert len(set(made)) == 300
        assert len(ports._claims) <= 256
    finally:
        ports.give_back(*made)


def test_a_port_that_is_taken_or_of_no_use_is_not_planned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        other = ports.planned_port(port)
        assert other != port
        ports.give_back(other)
    monkeypatch.setattr(ports, "given_by_itself", lambda: (1024, 65_535))
    any_other = ports.planned_port()
    assert 0 < any_other < 65_536, "where the kernel gives all of them away, one of those"
    ports.give_back(any_other)
