"""How pipes are looked at: the anonymous one by its read end, a named one by copies of both its ends."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.kernel.own import socket_copy
from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.kernel.unix_sockets import Identity, Queue, identify, look, peer_inode
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Item
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import END, envelope

_SHOWN_ITEMS = 8


class Looker:
    """Looks at the anonymous pipe, at the name, and at each connection between a client and an instance."""

    def __init__(self, plan: Plan) -> None:
        self._door = f"@{plan.given['prefix']}/pipe/demo"
        self._mode = str(plan.given["mode"])
        self._pipes = PipeObserver()
        self._views: dict[str, PipeView] = {}
        self._known: dict[tuple[int, int, str], Identity] = {}
        self._peers: dict[int, int] = {}
        self._waiting: tuple[str, ...] = ()
        self._partner: dict[str, str] = {}
        self._taken: tuple[str, ...] = ()
        self._seen: dict[str, ChannelRecord] = {}

    def close(self) -> None:
        """Close the scratch pipe."""
        self._pipes.close()

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every pipe of which anything changed, and those that are gone."""
        now = self._anonymous(t, processes, outsiders)
        now |= self._named(t, processes)
        records = [record for name, record in now.items() if not _same(record, self._seen.get(name))]
        records += [ChannelRecord(t, name, closed=True) for name in self._seen if name not in now]
        self._seen = now
        return records

    def _anonymous(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> dict[str, ChannelRecord]:
        found: dict[str, tuple[Seen, int]] = {}
        readers: dict[str, list[str]] = {}
        writers: dict[str, list[str]] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "pipe":
                    if row.target not in found or row.access == "read":
                        found[row.target] = (seen, row.number)
                    holders = readers if row.access == "read" else writers
                    if seen.role not in holders.setdefault(row.target, []):
                        holders[row.target].append(seen.role)
        records: dict[str, ChannelRecord] = {}
        for place, (seen, fd) in found.items():
            for name, access in outsiders.get(place, {}).items():
                (readers if access == "read" else writers).setdefault(place, []).append(name)
            view = self._views[place] = self._pipes.observe(seen.pid, fd, seen.pidfd if seen.pidfd >= 0 else None)
            pieces = [piece for piece in (view.contents or b"").split(END) if piece]
            records[place] = ChannelRecord(
                t,
                place,
                used=view.used,
                capacity=view.capacity,
                slots=view.slots,
                slots_used=view.slots_used,
                readers=tuple(readers.get(place, ())),
                writers=tuple(writers.get(place, ())),
                items=tuple(_item(piece + END, len(piece + END)) for piece in pieces[:_SHOWN_ITEMS]),
                count=len(pieces),
                head=(view.contents or b"")[:256].hex(),
                method=view.method,
                refused=view.refused,
                type="pipe",
            )
        return records

    def _named(self, t: int, processes: Sequence[Seen]) -> dict[str, ChannelRecord]:
        ends: dict[int, tuple[Seen, int, str]] = {}
        callers: dict[int, int] = {}
        known: dict[tuple[int, int, str], Identity] = {}
        listeners: list[str] = []
        door = ""
        for seen in processes:
            for row in seen.descriptors:
                if row.kind != "socket":
                    continue
                place = (seen.pid, row.number, row.target)
                try:
                    identity = self._known.get(place) or identify(seen.pidfd, row.number)
                except OSError:
                    continue
                if identity.listening:
                    listeners.append(seen.role)
                    door = row.target
                elif identity.peer_pid is not None:
                    ends[_inode(row.target)] = (seen, row.number, row.target)
                    callers[_inode(row.target)] = identity.peer_pid
                else:
                    continue
                known[place] = identity
        self._known = known
        found: dict[str, ChannelRecord] = {}
        waiting, taken = [], []
        ours = {seen.pid for seen in processes}
        strangers: dict[str, str] = {}
        # Until it is let in there is no socket at the other end, and nothing to remember.
        self._peers = {inode: self._peers.get(inode) or peer_inode(inode) or 0 for inode in ends}
        self._partner = {}
        for inode, mine in ends.items():
            if not mine[0].role.startswith("client"):
                continue
            other = ends.get(self._peers[inode])
            if other is None:
                waiting.append(mine[0].role)
                continue
            taken.append(other[0].role)
            self._partner |= {mine[0].role: other[0].role, other[0].role: mine[0].role}
            record = self._pair(t, mine, other)
            found[record.object] = record
        for inode, (seen, _, _) in ends.items():
            served = seen.role.startswith("instance") and seen.role not in taken
            # Not one of ours that has just ended: then the other end is gone.
            if served and callers[inode] not in ours and peer_inode(inode):
                strangers[seen.role] = self._partner[seen.role] = f"pid {callers[inode]}"
                taken.append(seen.role)
        self._waiting, self._taken = tuple(waiting), tuple(taken)
        if door:
            facts: dict[str, Any] = {"name": self._door, "instances": listeners, "taken": taken, "waiting": waiting}
            facts |= {"mode": self._mode, "strangers": strangers, "object": door}
            found["name"] = ChannelRecord(
                t, "name", readers=tuple(listeners), name=self._door, type="socket", facts=facts
            )
        return found

    def _pair(self, t: int, mine: tuple[Seen, int, str], other: tuple[Seen, int, str]) -> ChannelRecord:
        ends: list[dict[str, Any]] = []
        items: tuple[Item, ...] = ()
        head = b""
        for seen, fd, label in (mine, other):
            try:
                if self._mode == "message":
                    # An instance peeks for a message's length: only while it is held it cannot meet our own peeks.
                    queue = look(seen.pidfd, fd, _SHOWN_ITEMS, peeked=not seen.still)
                else:
                    queue = _stream(seen.pidfd, fd)
            except OSError:
                queue = Queue(0, 0, (), None)
            ends.append(
                {
                    "process": seen.role,
                    "fd": fd,
                    "object": label,
                    "waiting": queue.waiting,
                    "messages": queue.count,
                }
            )
            items += tuple(map(_item, queue.messages, queue.sizes))
            head += b"".join(queue.messages)
        roles = (mine[0].role, other[0].role)
        return ChannelRecord(
            t,
            other[2],
            used=sum(end["waiting"] for end in ends),
            readers=roles,
            writers=roles,
            items=items,
            head=head[:256].hex(),
            method="pidfd_getfd",
            name=f"{roles[0]}↔{roles[1]}",
            type="socket",
            facts={"pair": True, "ends": ends},
        )

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why somebody sleeps at a pipe, or before the name."""
        others = tuple(seen.role for seen in processes if seen.role != sleep.role)
        instances = tuple(role for role in others if role.startswith("instance"))
        clients = tuple(role for role in others if role.startswith("client"))
        partner = self._partner.get(sleep.role, "")
        match sleep.name:
            case "read":
                return self._explain_read(sleep, processes)
            case "write":
                view = self._views.get(sleep.object or "")
                fill = f" ({grouped(view.used or 0)} of {grouped(view.capacity or 0)} bytes)" if view else ""
                return Reason(f"pipe full{fill}", "a read by child", ("child",))
            case "waitpid":
                return Reason("child has not ended", "the end of child", ("child",))
            case "accept":
                return Reason("no client asks for the name", f"a connect by {_names(clients)}", clients)
            case "connect":
                return Reason(
                    "one waits for a free instance already, and the name's queue holds no more",
                    f"an accept by {_names(instances)}",
                    instances,
                )
            case "recv" if sleep.role in self._waiting and (
                free := tuple(role for role in instances if role not in self._taken)
            ):
                return Reason(f"not accepted yet by {_names(free)}", f"an accept by {_names(free)}", free)
            case "recv" if sleep.role in self._waiting:
                count = len(instances)
                taken = f"all {count} are taken" if count > 1 else "the only one is taken"
                return Reason(f"no free instance: {taken}", f"an accept by {_names(instances)}", instances)
            case "clock_nanosleep":
                return Reason("busy with what came", "its time", ())
        whom = partner or "the other end"
        wakers = (partner,) if partner in others else () if partner else others
        return Reason(f"nothing sent by {whom}", f"a send by {whom}", wakers)

    def _explain_read(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        record = self._seen.get(sleep.object or "")
        writers = record.writers if record is not None else ()
        if writers == (sleep.role,):
            mine = next(seen for seen in processes if seen.role == sleep.role)
            fd = next(row.number for row in mine.descriptors if row.target == sleep.object and row.access == "write")
            return Reason(
                f"pipe empty; no end of file while {sleep.role} itself holds the write end, handle {fd}",
                f"nothing but closing handle {fd} of {sleep.role}",
            )
        others = tuple(role for role in writers if role != sleep.role)
        wakers = tuple(role for role in others if not role.startswith("pid "))
        return Reason("pipe empty", f"a write by {_names(others)}, or the close of the last write end", wakers)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """There are no commands of its own."""
        return None


def _stream(pidfd: int, fd: int) -> Queue:
    """What waits in a stream socket, which has no messages to count. Raises OSError."""
    with socket_copy(pidfd, fd) as copy:
        waiting = int(struct.unpack("i", fcntl.ioctl(copy.fileno(), 0x541B, bytes(4)))[0])  # SIOCINQ, unix(7)
        try:
            data = copy.recv(256, socket.MSG_PEEK | socket.MSG_DONTWAIT) if waiting else b""
        except (BlockingIOError, ConnectionResetError):
            waiting, data = 0, b""
    return Queue(waiting, 0, (data,) if data else (), None, (waiting,) if data else ())


def _item(message: bytes, size: int) -> Item:
    head = envelope(message)
    return Item(head.id if head is not None else None, readable(message, 48), size)


def _inode(target: str) -> int:
    return int(target.removeprefix("socket:[").removesuffix("]"))


def _names(roles: Sequence[str]) -> str:
    return " or ".join(roles[:3]) or "nobody"


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
