"""Why a process sleeps in an operation on a socket, and what would wake it, by what was looked at last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.lab.channel import Reason, Sleep
from ipctui.trace.text import grouped

Sockets = Mapping[str, Mapping[str, Any]]
"""What each socket of the session is and holds, by its label."""


def explain(sleep: Sleep, sockets: Sockets, roles: Sequence[str], given: Mapping[str, Any]) -> Reason:
    """The reason in a sentence.

    Args:
        roles: The processes of the session.
    """
    mine = sockets.get(sleep.object or "")
    others = tuple(role for role in roles if role != sleep.role)
    clients = tuple(role for role in others if role.startswith("client"))
    senders = tuple(role for role in others if role.startswith("sender"))
    match sleep.name:
        case "accept":
            return Reason("nobody connects", f"a connect by {_names(clients)}", clients)
        case "connect":
            return _connect(sockets, others)
        case "poll" if sleep.role.startswith("server"):
            count = sum(1 for one in sockets.values() if one["process"] == sleep.role and one["kind"] == "stream")
            return Reason(
                f"none of its {count} clients has sent anything, and nobody connects",
                f"a send or a connect by {_names(clients)}",
                clients,
            )
        case "poll":
            return _connect(sockets, others)
        case "recvfrom":
            return Reason("no datagram waits", f"a sendto by {_names(senders)}", senders)
        case "send" | "sendto":
            return _send(sleep, mine, sockets, given)
    if mine is None:
        return Reason(f"asleep in {sleep.name}; its socket could not be looked at")
    whom = str(mine.get("holder") or "the other end")
    return Reason(f"nothing sent by {whom}", f"a send by {whom}, or its end of file", (whom,) if whom in roles else ())


def _connect(sockets: Sockets, others: Sequence[str]) -> Reason:
    door = next((one for one in sockets.values() if one["kind"] == "listen"), None)
    if door is None:
        return Reason("the connection is under way", "the server's answer", tuple(others))
    most = (door["backlog"] or 0) + 1
    waiting = f"{door['queued']} of {most} wait" if door["queued"] is not None else f"{most} wait"
    return Reason(
        f"the backlog of {door['process']} is full: {waiting} to be accepted",
        f"an accept by {door['process']}",
        (door["process"],),
    )


def _send(sleep: Sleep, mine: Mapping[str, Any] | None, sockets: Sockets, given: Mapping[str, Any]) -> Reason:
    if mine is None or mine["protocol"] == "udp":
        return Reason(f"asleep in {sleep.name}; its socket could not be looked at")
    whom = str(mine.get("holder") or "the other end")
    wakers = (whom,) if mine.get("partner") else ()
    peer = sockets.get(mine.get("partner") or "")
    unread = f": {grouped(peer['waiting'])} B unread" if peer is not None else ""
    waiting_door = next((one for one in sockets.values() if one["kind"] == "listen"), None)
    if not mine.get("partner") and not mine.get("holder") and waiting_door is not None:
        # Connected, in the backlog: nobody holds the other end before accept(2).
        server = waiting_door["process"]
        return Reason(
            f"not accepted yet; both queues are full, {grouped(mine['unsent'])} B in ours",
            f"an accept and reads by {server}",
            (server,),
        )
    if given["path"]:
        taken, room = grouped(mine["unsent"]), grouped(mine["send_room"])
        return Reason(f"SO_SNDBUF full, {taken} of {room} B{unread}", f"a recv by {whom}", wakers)
    window = mine["window"]
    if window is None:
        return Reason(f"send queue full, {grouped(mine['unsent'])} B{unread}", f"a recv by {whom}", wakers)
    if window == 0:
        why = "window closed"
    elif window < (mine["segment"] or 0):
        why = f"window {grouped(window)} B, less than a segment"
    else:
        why = f"window {grouped(window)} B"
    reason = f"{why}{unread} at {whom}; send queue full, {grouped(mine['unsent'])} B"
    return Reason(reason, f"a recv by {whom}", wakers)


def _names(roles: Sequence[str]) -> str:
    return " or ".join(roles[:3]) or "anybody"
