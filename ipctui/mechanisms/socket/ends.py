"""What the pane and its caption read of a state: the sockets, and which of them belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Channel

Facts = Mapping[str, Any]
_LONGEST_NAME = 16
MOST_PEEKED = 64
"""Datagrams of a queue that are counted at most: each is peeked at."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Two ends that are connected; `second` is None while nobody has accepted, or no worker holds it."""

    first: Facts
    second: Facts | None


def variant(state: LabState) -> str:
    """The variant that runs."""
    return state.header.variant if state.header is not None else ""


def parameter(state: LabState, name: str, default: Any) -> Any:
    """What a parameter of the session is set to."""
    return (state.header.parameters if state.header is not None else {}).get(name, default)


def channels(state: LabState) -> list[Channel]:
    """Every socket that is open."""
    found = (held.now for held in state.channels.values())
    return [channel for channel in found if channel.type == "socket" and not channel.closed]


def sockets(state: LabState, kind: str = "", process: str = "") -> list[Facts]:
    """What each open socket is, of one kind and of one process where these are named."""
    every = (channel.facts for channel in channels(state))
    return [one for one in every if kind in ("", one["kind"]) and process in ("", one["process"])]


def door(state: LabState) -> Facts | None:
    """The socket that listens."""
    return next(iter(sockets(state, "listen")), None)


def connections(state: LabState) -> list[Connection]:
    """The connections, each from the end that connected; those that only the server holds come last."""
    streams = {one["object"]: one for one in sockets(state, "stream")}
    listening = {one["process"] for one in sockets(state, "listen")}
    found, taken = [], set()
    for label, one in streams.items():
        if one["process"] in listening:
            continue
        far = streams.get(one.get("partner") or "")
        taken |= {label, far["object"]} if far is not None else {label}
        found.append(Connection(one, far))
    return [*found, *(Connection(one, None) for label, one in streams.items() if label not in taken)]


def is_unaccepted(state: LabState, one: Connection) -> bool:
    """Whether a connection waits in the backlog: the kernel has made it, and nobody holds its other end."""
    listen = door(state)
    return (
        one.second is None
        and listen is not None
        and one.first["process"] != listen["process"]
        and one.first["state"] == "ESTABLISHED"
        and not one.first.get("holder")
    )


def receivers(state: LabState) -> list[Channel]:
    """The datagram sockets that somebody receives from."""
    kinds = ("group",) if variant(state) == "multicast" else ("datagrams",)
    return [
        channel
        for channel in channels(state)
        if channel.facts["kind"] in kinds and channel.facts["process"].startswith("receiver")
    ]


def least(channel: Channel) -> int:
    """How many datagrams wait in a socket for certain; all of them, unless there are more than are counted."""
    if channel.count is not None:
        return channel.count
    return MOST_PEEKED if channel.method == "pidfd_getfd" else 0


def how_many(channel: Channel) -> str:
    """How many datagrams wait, in a word: `9`, `64+`, `?`."""
    return str(channel.count) if channel.count is not None else f"{MOST_PEEKED}+" if least(channel) else "?"


def is_full(channel: Channel) -> bool:
    """Whether another datagram like those that wait would find no room."""
    facts, count = channel.facts, least(channel)
    return count > 0 and facts["room"] > 0 and facts["taken"] + facts["taken"] // count > facts["room"]


def lost(state: LabState, process: str = "") -> int:
    """Datagrams that were thrown away for want of room, of all sockets or of one process's, since the beginning."""
    drops: dict[str, int] = state.facts.get("drops", {})
    if not process:
        return sum(drops.values())
    return sum(drops.get(one["object"], 0) for one in sockets(state, process=process))


def sleeps(state: LabState, process: str, *calls: str) -> bool:
    """Whether the kernel has put a process to sleep in one of these calls."""
    found = state.processes.get(process)
    return is_asleep(found, *calls)


def is_asleep(process: ProcessState | None, *calls: str) -> bool:
    """The same of a process that may not be there."""
    return (
        process is not None
        and process.exited is None
        and process.state is not None
        and process.state.state == "blocked"
        and process.state.before is not None
        and process.state.before.name in calls
    )


def short(path: str) -> str:
    """The end of a path, and where its name is long, the end of that."""
    name = path.rpartition("/")[2]
    return name if len(name) <= _LONGEST_NAME else f"…{name[-_LONGEST_NAME + 1 :]}"
