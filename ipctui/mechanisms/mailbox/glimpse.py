"""What pane and caption look up in a state: mailboxes, what the trace knows of them, who sleeps before which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.mailbox.order import empty, got_by_others, place_of
from ipctui.trace.records import Call, Channel, State


def placed(state: LabState) -> LabState:
    """The state in which each sleeper's object is its mailbox, also where that has lost its name to another."""
    if not any(state.facts.get("old", {}).values()):
        return state
    processes = {
        role: replace(process, state=replace(now, object=place_of(state.facts, role, now.object)))
        if (now := process.state) is not None
        else process
        for role, process in state.processes.items()
    }
    return replace(state, processes=processes)


def mailboxes(state: LabState) -> list[Channel]:
    """The mailboxes that are there."""
    return [held.now for held in state.channels.values() if held.now.type == "mqueue" and not held.now.closed]


def box_of(state: LabState, channel: Channel) -> Mapping[str, Any]:
    """What the trace knows of a mailbox (order.Box)."""
    found: Mapping[str, Any] = state.facts.get("mailboxes", {}).get(channel.object) or empty()
    return found


def living(state: LabState) -> list[tuple[ProcessState, State]]:
    """The processes that have begun and not ended."""
    return [
        (process, process.state)
        for process in state.processes.values()
        if process.exited is None and process.pid and process.state is not None
    ]


def mailbox_of(state: LabState, now: State) -> Channel | None:
    """The mailbox that a process sleeps before."""
    held = state.channels.get(now.object or "")
    return held.now if held is not None else None


def policy_of(state: LabState) -> str | None:
    """The policy in force, where there is one: as the mailbox's records say, before the first as it was set."""
    for channel in mailboxes(state):
        if channel.facts.get("policy"):
            return str(channel.facts["policy"])
    if state.header is None or state.header.variant != "one-to-many":
        return None
    return str(state.header.parameters.get("policy", "system"))


def niceness(state: LabState) -> dict[str, int]:
    """The nice value of every receiver; {} where all have the same."""
    for channel in mailboxes(state):
        nice: dict[str, int] = channel.facts.get("nice", {})
        if len(set(nice.values())) > 1:
            return nice
    return {}


def passed_by(state: LabState, process: ProcessState) -> int:
    """How many messages others have received while a process has been waiting."""
    now = process.state
    if now is None or now.state != "blocked" or now.since is None:
        return 0
    since, before = state.facts.get("waits", {}).get(process.role, (None, 0))
    if since == now.since:
        return max(0, got_by_others(state.facts, process.role) - int(before))
    return sum(
        1
        for call in state.calls
        if isinstance(call, Call)
        and call.name == "mq_receive"
        and call.process != process.role
        and call.result is not None
        and call.result >= 0
        and call.end > now.since
    )
