"""How ports, sections and measures are looked at: each by a copy of its descriptor, asked and closed at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ipctui.kernel import libc, measures
from ipctui.kernel.own import lift
from ipctui.kernel.shared_memory import mappings
from ipctui.kernel.strangers import STRANGERS
from ipctui.kernel.unix_sockets import Identity, Queue, identify, look, peer_inode
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, printable
from ipctui.mechanisms.alpc.handshake import WAYS
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Item
from ipctui.trace.text import readable
from ipctui.worker.messages import envelope

_F_ADD_SEALS, _F_GET_SEALS = 1033, 1034  # include/uapi/linux/fcntl.h
_SEAL_SHRINK = 2
_SECTION = "/memfd:section"
_SHOWN_ITEMS = 8
_SELDOM = 1_000_000_000


class Looker:
    """Looks at the connection port, each private pair, each section, and what the clients measure."""

    def __init__(self, plan: Plan) -> None:
        self._door = f"@{plan.given['prefix']}/connection-port"
        self._known: dict[tuple[int, int, str], Identity] = {}
        self._peers: dict[int, int | None] = {}
        self._boards: dict[int, int] = {}
        self._counts: dict[tuple[int, int, int], int] = {}
        self._latest: dict[str, Any] | None = None
        self._seen: dict[str, ChannelRecord] = {}
        self._server = "server"
        self._strangers: dict[int, str] = {}
        self._asked_at = -_SELDOM

    def close(self) -> None:
        """Nothing is held between two looks."""

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every object of which anything changed, and those that are gone."""
        now = self._sockets(t, processes)
        now |= self._sections(t, processes)
        # What has been measured stays, though whoever measured it has ended.
        measured = self._measures(t, processes) or self._seen.get("measures")
        if measured is not None:
            now[measured.object] = measured
        records = [record for name, record in now.items() if not _same(record, self._seen.get(name))]
        records += [ChannelRecord(t, name, closed=True) for name in self._seen if name not in now]
        self._seen = now
        return records

    def _sockets(self, t: int, processes: Sequence[Seen]) -> dict[str, ChannelRecord]:
        ends: dict[int, tuple[Seen, int]] = {}
        known: dict[tuple[int, int, str], Identity] = {}
        door: ChannelRecord | None = None
        asking: list[str] = []
        for seen in processes:
            for row in seen.descriptors:
                if row.kind != "socket":
                    continue
                place = (seen.pid, row.number, row.target)
                try:
                    identity = self._known.get(place) or identify(seen.pidfd, row.number)
                except OSError:
                    continue
                if identity.listening or identity.peer_pid is not None:
                    known[place] = identity
                if identity.listening:
                    facts = {
                        "door": True,
                        "process": seen.role,
                        "pid": seen.pid,
                        "fd": row.number,
                        "object": row.target,
                    }
                    door = ChannelRecord(
                        t, "connection port", readers=(seen.role,), name=self._door, type="socket", facts=facts
                    )
                elif identity.peer_name == self._door:
                    asking.append(seen.role)
                elif identity.peer_pid is not None and identity.name != self._door:
                    ends[_inode(row.target)] = (seen, row.number)
        self._known = known
        if door is not None:
            door.facts["asking"] = asking
        found = {} if door is None else {door.object: door}
        return found | self._pairs(t, ends)

    def _pairs(self, t: int, ends: Mapping[int, tuple[Seen, int]]) -> dict[str, ChannelRecord]:
        """Each private pair once, named after its client."""
        self._peers = {inode: self._peers.get(inode) or peer_inode(inode) for inode in ends}
        self._strangers = {peer: who for peer, who in self._strangers.items() if peer in self._peers.values()}
        found: dict[str, ChannelRecord] = {}
        for inode, (seen, fd) in ends.items():
            peer = self._peers[inode]
            other = ends.get(peer) if peer is not None else None
            if seen.role.startswith("client") and other is not None:
                continue  # told of from the server's end
            client = other[0].role if other is not None else seen.role
            if other is None and seen.role == self._server:
                client = self._stranger(t, peer)
            record = _pair(t, (seen, fd, inode), None if other is None else (*other, peer or 0), client)
            found[record.object] = record
        return found

    def _stranger(self, t: int, peer: int | None) -> str:
        """Who holds a port that no worker holds: looked for once a second, for that is to look at all processes."""
        if peer is not None and peer not in self._strangers and t - self._asked_at >= _SELDOM:
            self._asked_at = t
            holders = STRANGERS.holders({f"socket:[{peer}]"})
            if holders:
                self._strangers[peer] = f"pid {min(holders)}"
        return self._strangers.get(peer or 0, "pid ?")

    def _sections(self, t: int, processes: Sequence[Seen]) -> dict[str, ChannelRecord]:
        sections = [
            (seen, row, row.inode)
            for seen in processes
            for row in seen.descriptors
            if row.kind == "memfd" and row.target.startswith(_SECTION) and row.inode is not None
        ]
        inodes = {inode for _, _, inode in sections}
        # A process has hundreds of mappings: they are read once for all sections.
        every = {each.role: mappings(each.pid, inodes) for each in processes} if sections else {}
        found: dict[str, ChannelRecord] = {}
        for seen, row, inode in sections:
            try:
                size, seals = _section(seen, row.number)
            except OSError:
                continue
            places = {role: [f"{one.start:#x}" for one in maps if one.inode == inode] for role, maps in every.items()}
            mapped = {role: where for role, where in places.items() if where}
            facts = {"section": True, "process": seen.role, "fd": row.number, "seals": seals, "mapped": mapped}
            name = row.target.removesuffix(" (deleted)")
            found[name] = ChannelRecord(t, name, capacity=size, readers=tuple(mapped), type="shm", facts=facts)
        return found

    def _measures(self, t: int, processes: Sequence[Seen]) -> ChannelRecord | None:
        rows: list[dict[str, Any]] = []
        for seen in processes:
            if not seen.role.startswith("client"):
                continue
            try:
                if seen.pid not in self._boards:
                    fd = measures.find(seen.pid)
                    if fd is None:
                        continue
                    self._boards[seen.pid] = fd
                for one in measures.read(seen.pid, self._boards[seen.pid]):
                    row = {**asdict(one), "way": WAYS.get(one.way, "?"), "process": seen.role}
                    rows.append(row)
                    place = (seen.pid, one.way, one.size)
                    if self._counts.get(place) != one.count:
                        self._counts[place] = one.count
                        self._latest = row
            except OSError:
                self._boards.pop(seen.pid, None)
        if not rows:
            return None
        return ChannelRecord(t, "measures", type="measures", facts={"rows": rows, "latest": self._latest})

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why somebody sleeps at a port."""
        others = tuple(seen.role for seen in processes if seen.role != sleep.role)
        clients = tuple(role for role in others if role.startswith("client"))
        if sleep.role == self._server:
            if sleep.name == "poll":
                count = sum(1 for record in self._seen.values() if record.facts.get("pair"))
                return Reason(
                    f"nothing at the connection port or at {count} private port{'' if count == 1 else 's'}",
                    f"a message by {_names(clients)}",
                    clients,
                )
            if sleep.name == "accept":
                return Reason("nobody at the connection port", "a connect by a client", clients)
            return Reason(f"{sleep.name} waits for the client", f"the client at {sleep.object}", clients)
        if sleep.name in ("recv", "recvmsg"):
            what = "accepts or refuses" if sleep.name == "recvmsg" else "answers"
            return Reason(f"waits until the server {what}", "a send by server", (self._server,))
        if sleep.name == "connect":
            return Reason("too many ask at the connection port already", "an accept by server", (self._server,))
        return Reason("the port's queue is full", "a receive by server", (self._server,))

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`shrink`: try to cut a section to nothing while its reader has it mapped."""
        if not words or words[0] != "shrink":
            return None
        if len(words) > 2:
            raise UsageError(f"shrink: write shrink, or shrink CLIENT; not {printable(' '.join(words))}")
        for seen in processes:
            for row in seen.descriptors:
                if row.target.startswith(_SECTION) and (len(words) == 1 or words[1] == seen.role):
                    return _shrink(seen, row.number)
        raise UsageError("shrink: there is no section; a message larger than the port takes makes one ( ] )")


def _shrink(seen: Seen, fd: int) -> str:
    try:
        copy = lift(libc.pidfd_getfd(seen.pidfd, fd))
    except OSError as error:
        raise UsageError(f"shrink: the kernel refuses a copy of descriptor {fd}: {error.strerror}") from None
    try:
        if not fcntl.fcntl(copy, _F_GET_SEALS) & _SEAL_SHRINK:
            raise UsageError("shrink: not done, for it is not sealed: whoever has it mapped would die by SIGBUS")
        os.ftruncate(copy, 0)
    except PermissionError:
        raise UsageError("shrink: ftruncate fails with EPERM: the section is sealed (F_SEAL_SHRINK)") from None
    finally:
        os.close(copy)
    return "done: the section was cut"


def _section(seen: Seen, fd: int) -> tuple[int, int]:
    """A section's size and its seals. Raises OSError when it may not be looked at."""
    file = os.open(f"/proc/{seen.pid}/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.fstat(file).st_size, fcntl.fcntl(file, _F_GET_SEALS)
    finally:
        os.close(file)


def _pair(t: int, mine: tuple[Seen, int, int], other: tuple[Seen, int, int] | None, client: str) -> ChannelRecord:
    ends = []
    items: tuple[Item, ...] = ()
    head = b""
    waiting = count = 0
    for seen, fd, inode in (mine, *(() if other is None else (other,))):
        try:
            queue = look(seen.pidfd, fd, _SHOWN_ITEMS)
        except OSError:
            queue = Queue(0, 0, (), None)
        ends.append(
            {
                "process": seen.role,
                "fd": fd,
                "object": f"socket:[{inode}]",
                "waiting": queue.waiting,
                "messages": queue.count,
            }
        )
        items += tuple(map(_item, queue.messages, queue.sizes))
        head += b"".join(queue.messages)
        waiting += queue.waiting
        count += queue.count or 0
    roles = tuple(end["process"] for end in ends)
    return ChannelRecord(
        t,
        f"socket:[{mine[2]}]",
        used=waiting,
        readers=roles,
        writers=roles,
        items=items,
        count=count,
        head=head[:256].hex(),
        method="pidfd_getfd",
        name=client,
        type="socket",
        facts={"pair": True, "client": client, "ends": ends},
    )


def _item(message: bytes, size: int) -> Item:
    head = envelope(message)
    return Item(head.id if head is not None else None, readable(message, 48), size)


def _inode(target: str) -> int:
    return int(target.removeprefix("socket:[").removesuffix("]"))


def _names(roles: Sequence[str]) -> str:
    return " or ".join(roles[:3]) or "a client"


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
