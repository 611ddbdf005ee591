"""How ports and rights are looked at: each socket by a copy of its descriptor, asked and closed at once.

A socket that bears a name of the session is a port's receive right; one whose peer bears it is a send right. What
the worker `kernel` holds of tasks' ports is held to watch for their hanging up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ipctui.kernel import measures
from ipctui.kernel.unix_sockets import Identity, Queue, identify, look
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Item
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import envelope

WAYS = {1: "copied", 2: "fresh", 3: "ready", 4: "one page"}
"""The names of the ways that the measuring programs number."""
KERNEL = "kernel"
_SHOWN_ITEMS = 10
_WATCHED = ("self.", "notify.")


@dataclass
class Port:
    """A port as it was looked at last: who holds which of its rights, and what waits in it."""

    name: str
    receive: list[tuple[Seen, int, str]] = field(default_factory=list)
    send: list[tuple[Seen, int, str]] = field(default_factory=list)
    room: int = 0
    queue: Queue | None = None
    taken: int = 0

    @property
    def special(self) -> str:
        """`self`, `notify` or `reply` for the ports that every task is born with."""
        kind, dot, _ = self.name.partition(".")
        return kind if dot and kind in ("self", "notify", "reply") else ""


class Looker:
    """Looks at the session's ports."""

    def __init__(self, plan: Plan) -> None:
        self._prefix = f"@{plan.given['prefix']}/"
        self._known: dict[tuple[int, int, str], Identity] = {}
        self._ports: dict[str, Port] = {}
        self._seen: dict[str, ChannelRecord] = {}
        self._boards: dict[int, int] = {}

    def close(self) -> None:
        """Nothing is held between two looks."""

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every port of which anything changed, and those that are gone; and what was measured."""
        known: dict[tuple[int, int, str], Identity] = {}
        self._ports = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "socket":
                    self._look(seen, row.number, row.target, known)
        self._known = known
        now = {f"port {port.name}": self._record(t, port) for port in self._ports.values()}
        # What has been measured stays, though whoever measured it has ended.
        measured = self._measures(t, processes) or self._seen.get("measures")
        if measured is not None:
            now[measured.object] = measured
        records = [record for name, record in now.items() if not _same(record, self._seen.get(name))]
        records += [ChannelRecord(t, name, closed=True) for name in self._seen if name not in now]
        self._seen = now
        return records

    def _look(self, seen: Seen, fd: int, label: str, known: dict[tuple[int, int, str], Identity]) -> None:
        place = (seen.pid, fd, label)
        try:
            identity = self._known.get(place) or identify(seen.pidfd, fd)
            if not identity.name and not identity.peer_name:
                return  # not bound yet
            known[place] = identity
            name = (identity.name or identity.peer_name).removeprefix(self._prefix)
            port = self._ports.setdefault(name, Port(name))
            if identity.name:
                port.receive.append((seen, fd, label))
                if port.queue is None:
                    port.queue = look(seen.pidfd, fd, _SHOWN_ITEMS)
            else:
                port.send.append((seen, fd, label))
                if not port.taken:
                    port.taken = look(seen.pidfd, fd, 0).taken
                if not port.room:
                    # The limit is set after the pair is made, perhaps after it was first looked at.
                    port.room = identify(seen.pidfd, fd).room
        except OSError:
            return

    def _record(self, t: int, port: Port) -> ChannelRecord:
        queue = port.queue or Queue(0, 0, (), None)
        mine = [each for each in port.receive if each[0].role != KERNEL or port.name.startswith(_WATCHED)]
        senders = [each for each in port.send if each[0].role != KERNEL or port.name.startswith(_WATCHED)]
        watched = len(port.receive) + len(port.send) - len(mine) - len(senders)
        facts = {
            "port": True,
            "special": port.special,
            "receive": [_holder(each) for each in mine],
            "send": [_holder(each) for each in senders],
            "watched": watched,
            "taken": port.taken,
            "room": port.room,
            "dead": not port.receive and not self._in_flight(mine),
            "carried": _carried(port.receive),
        }
        return ChannelRecord(
            t,
            f"port {port.name}",
            used=port.taken,
            capacity=port.room or None,
            readers=tuple(seen.role for seen, _, _ in mine),
            writers=tuple(dict.fromkeys(seen.role for seen, _, _ in senders)),
            items=tuple(map(_item, queue.messages, queue.sizes)),
            count=queue.count,
            head=b"".join(queue.messages)[:256].hex(),
            method="pidfd_getfd",
            name=port.name,
            type="socket",
            facts=facts,
        )

    def _in_flight(self, mine: Sequence[object]) -> bool:
        """Whether some message of the session carries rights: a receive right that nobody holds may be in it."""
        return not mine and any(_carried(port.receive) for port in self._ports.values())

    def _measures(self, t: int, processes: Sequence[Seen]) -> ChannelRecord | None:
        rows: list[dict[str, Any]] = []
        for seen in processes:
            if seen.role == KERNEL:
                continue
            try:
                if seen.pid not in self._boards:
                    fd = measures.find(seen.pid)
                    if fd is None:
                        continue
                    self._boards[seen.pid] = fd
                rows += [
                    {**asdict(one), "way": WAYS.get(one.way, "?"), "process": seen.role}
                    for one in measures.read(seen.pid, self._boards[seen.pid])
                ]
            except OSError:
                self._boards.pop(seen.pid, None)
        return ChannelRecord(t, "measures", type="measures", facts={"rows": rows}) if rows else None

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a send, a receive or a poll sleeps."""
        others = tuple(seen.role for seen in processes if seen.role != sleep.role)
        if sleep.name == "poll":
            if sleep.role == KERNEL:
                # Nobody in particular: it serves whoever comes, and is never stuck because of a task.
                return Reason("no message at any task-self port, nothing hung up", "a message by a task")
            full = max(
                (port for port in self._ports.values() if any(seen.role == sleep.role for seen, _, _ in port.send)),
                key=lambda port: port.taken,
                default=None,
            )
            receive = () if full is None else full.receive
            mine = tuple(seen.role for seen, _, _ in receive if seen.role not in (sleep.role, KERNEL))
            whom = " or ".join(mine) or "whoever gets the receive right"
            return Reason("waits until its port has room", f"a receive by {whom}", mine)
        port = next(
            (
                port
                for port in self._ports.values()
                for seen, fd, label in (*port.receive, *port.send)
                if label == sleep.object and seen.role == sleep.role and fd == sleep.fd
            ),
            None,
        )
        if port is None:
            return Reason(f"asleep in {sleep.name}; its port could not be looked at")
        receivers = tuple(seen.role for seen, _, _ in port.receive if seen.role not in (sleep.role, KERNEL))
        senders = tuple(
            dict.fromkeys(
                seen.role
                for seen, _, _ in port.send
                if seen.role != sleep.role and (seen.role != KERNEL or port.special == "notify")
            )
        )
        if sleep.name in ("sendmsg", "send"):
            count = port.queue.count if port.queue is not None else None
            fill = f"{'?' if count is None else count} messages, {grouped(port.taken)} of {grouped(port.room)} bytes"
            whom = " or ".join(receivers) or "whoever gets the receive right"
            if port.taken < port.room:
                # Who comes gets in while any byte is free (net/core/sock.c, sock_alloc_send_pskb); who sleeps is woken
                # only when three quarters are (net/unix/af_unix.c, unix_writable).
                return Reason(
                    f"port {port.name}: woken once 3/4 of it is free ({fill})",
                    f"receives by {whom}",
                    receivers,
                )
            return Reason(f"port {port.name} full ({fill} of kernel memory)", f"a receive by {whom}", receivers)
        whom = " or ".join(senders) or "nobody: no send right is held by another task"
        if port.special == "reply":
            answering = senders or tuple(role for role in others if role == KERNEL)
            return Reason(f"no answer at {port.name}", "an answer by whoever has the reply right", answering or others)
        return Reason(f"no message in port {port.name}", f"a send by {whom}", senders)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """There are no commands of its own."""
        return None


def _holder(each: tuple[Seen, int, str]) -> dict[str, Any]:
    seen, fd, label = each
    return {"process": seen.role, "fd": fd, "object": label}


def _carried(receive: Sequence[tuple[Seen, int, str]]) -> int:
    """Descriptors in the messages that wait behind a receive right: `scm_fds` of its fdinfo."""
    for seen, fd, _ in receive[:1]:
        # The descriptor may be closed, and its process gone, between the two calls.
        with contextlib.suppress(OSError), open(f"/proc/{seen.pid}/fdinfo/{fd}", "rb", buffering=0) as file:
            return parse_carried(file.read(4096).decode("ascii", "replace"))
    return 0


def parse_carried(text: str) -> int:
    """The number after `scm_fds:`; 0 where there is none (kernels before 5.10 tell nothing)."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == "scm_fds":
            try:
                return max(0, int(value))
            except ValueError:
                return 0
    return 0


def _item(message: bytes, size: int) -> Item:
    head = envelope(message)
    return Item(head.id if head is not None else None, readable(message, 48), size)


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
