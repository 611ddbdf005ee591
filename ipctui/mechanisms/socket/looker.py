"""How sockets are looked at: each by a copy of its descriptor, asked and closed at once; else by /proc/net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.kernel import datagrams, inet_sockets, inet_tables, tcp, unix_sockets
from ipctui.kernel.descriptors import find_holders
from ipctui.kernel.ports import give_back, unprivileged_start
from ipctui.lab.channel import Errand, Errands, Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, printable
from ipctui.lab.streams import messages_in
from ipctui.mechanisms.socket.ends import MOST_PEEKED
from ipctui.mechanisms.socket.reasons import explain
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Item
from ipctui.trace.text import readable
from ipctui.worker.messages import END, envelope

_PEEKED = 4096
_SHOWN_ITEMS = 12
_SHOWN_BYTES = 256
_SELDOM = 500_000_000
"""Nanoseconds between two readings of a table that takes milliseconds."""


class Looker:
    """Looks at every socket of the session, finds out who is at the other end, and passes on the user's orders."""

    def __init__(self, plan: Plan) -> None:
        self._given = plan.given
        self._unprivileged = unprivileged_start()
        self._told: dict[str, ChannelRecord] = {}
        self._sockets: dict[str, dict[str, Any]] = {}
        self._peers: dict[int, int] = {}
        self._strangers: dict[tuple[str, str], str] = {}
        self._asked_at = -_SELDOM
        self._rows: dict[int, inet_tables.Row] = {}
        self._rows_at = -_SELDOM
        self._members: tuple[int, int, int] = (-_SELDOM, 0, 0)
        self._queued: tuple[int, int] = (-_SELDOM, 0)

    def close(self) -> None:
        """Nothing is held between two looks but the port's name."""
        give_back(self._given["port"])

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every socket of which anything changed, and those that are gone."""
        found: dict[str, dict[str, Any]] = {}
        contents: dict[str, tuple[bytes, tuple[Item, ...], int | None]] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "socket" and row.target not in found:
                    try:
                        facts = self._look(t, seen, row.number, row.target)
                    except (OSError, ValueError):
                        continue
                    facts["nonblocking"] = row.nonblocking
                    found[row.target] = facts
                    contents[row.target] = self._contents(seen, row.number, facts)
        self._pair(t, found)
        self._sockets = found
        now = {label: _record(t, label, facts, *contents[label]) for label, facts in found.items()}
        if self._given["protocol"] == "udp" and "group" in {facts["kind"] for facts in found.values()}:
            self._tell_group(t, now)
        records = [record for name, record in now.items() if not _same(record, self._told.get(name))]
        records += [ChannelRecord(t, name, closed=True) for name in self._told if name not in now]
        self._told = now
        return records

    # One socket.

    def _look(self, t: int, seen: Seen, fd: int, label: str) -> dict[str, Any]:
        """What a socket is and holds. Raises OSError."""
        facts: dict[str, Any] = {"process": seen.role, "pid": seen.pid, "fd": fd, "object": label}
        facts |= {"protocol": self._given["protocol"], "kind": "new", "method": "pidfd_getfd"}
        facts |= {"unprivileged": self._unprivileged}
        facts |= {"local": "", "peer": "", "state": "", "waiting": 0, "unsent": 0, "window": None, "drops": 0}
        facts |= {"taken": 0, "room": 0, "send_room": 0, "queued": None, "backlog": None, "segment": None}
        try:
            return facts | (self._unix(t, seen, fd) if self._given["path"] else self._inet(seen, fd))
        except PermissionError as error:
            if not self._given["path"]:
                return facts | self._by_table(t, label)
            # The table of unix(7) tells names and no queues.
            return facts | {"kind": "refused", "method": None, "refused": f"no copy of it: {error.strerror}"}

    def _inet(self, seen: Seen, fd: int) -> dict[str, Any]:
        now = inet_sockets.look(seen.pidfd, fd)
        if now is None:
            raise ValueError("a socket of another family")
        local, peer = inet_sockets.shown(now.local), inet_sockets.shown(now.peer)
        facts: dict[str, Any] = {
            "local": local if now.local[1] else "",
            "peer": peer if now.peer else "",
            "state": now.state,
        }
        facts |= {"waiting": now.waiting, "unsent": now.unsent, "taken": now.taken, "room": now.room}
        facts |= {"send_room": now.send_room, "drops": now.drops}
        if now.protocol == "udp":
            kind = self._sort_of(local)
            if kind == "group":
                facts["member"] = datagrams.is_member(seen.pidfd, fd, self._given["group"])
            return facts | {"kind": kind, "unsent": 0}
        more = tcp.look(seen.pidfd, fd)
        facts |= {"state": more.state, "window": more.window, "segment": more.segment, "probes": more.probes}
        facts |= {"queued": more.queued, "backlog": more.backlog, "retransmits": more.retransmits}
        kind = "listen" if more.state == "LISTEN" else "stream" if now.peer or more.state != "CLOSE" else "new"
        return facts | {"kind": kind}

    def _sort_of(self, local: str) -> str:
        """Which datagram socket it is: who receives for the group is bound to the group's own address."""
        return "group" if local.startswith(f"{self._given['group']}:") else "datagrams"

    def _by_table(self, t: int, label: str) -> dict[str, Any]:
        """What /proc/net tells, where no copy of the descriptor is to be had. Raises OSError, ValueError."""
        if t - self._rows_at >= _SELDOM:
            self._rows_at = t
            self._rows = {row.inode: row for row in inet_tables.table(self._given["protocol"])}
        row = self._rows.get(_inode(label))
        if row is None:
            raise ValueError("in no table")
        listens, local = row.state == "LISTEN", inet_sockets.shown(row.local)
        kind = "listen" if listens else "stream" if row.protocol == "tcp" else self._sort_of(local)
        facts: dict[str, Any] = {
            "kind": kind,
            "local": local,
            "state": row.state,
            "drops": row.drops,
        }
        facts |= {"peer": inet_sockets.shown(row.peer) if row.peer else "", "method": f"/proc/net/{row.protocol}"}
        if listens:  # the table tells how many wait, and not how many may
            return facts | {"queued": row.waiting, "backlog": self._given["backlog"]}
        return facts | {"waiting": row.waiting, "taken": row.waiting, "unsent": row.unsent}

    def _unix(self, t: int, seen: Seen, fd: int) -> dict[str, Any]:
        now = unix_sockets.identify(seen.pidfd, fd)
        if now.listening:
            queued, most = self._unaccepted(t), self._given["backlog"]
            return {"kind": "listen", "local": now.name, "state": "LISTEN", "queued": queued, "backlog": most}
        if now.peer_pid is None:
            return {"kind": "new"}
        queue = unix_sockets.look(seen.pidfd, fd, 0)
        facts: dict[str, Any] = {"kind": "stream", "local": now.name, "peer": now.peer_name, "state": "ESTABLISHED"}
        facts |= {"waiting": queue.waiting, "unsent": queue.taken, "send_room": now.room}
        return facts | {"peer_pid": now.peer_pid}

    def _unaccepted(self, t: int) -> int:
        """Connections to the path that nobody has accepted: they have no inode yet, by /proc/net/unix."""
        if t - self._queued[0] >= _SELDOM // 2:
            path = self._given["path"]
            waiting = sum(1 for row in unix_sockets.table() if row.name == path and not row.inode)
            self._queued = (t, waiting)
        return self._queued[1]

    def _contents(self, seen: Seen, fd: int, facts: Mapping[str, Any]) -> tuple[bytes, tuple[Item, ...], int | None]:
        """The first bytes that wait, the messages in them, and how many messages wait in all; None when unknown."""
        if not facts["waiting"] or facts["kind"] in ("listen", "new", "refused"):
            return b"", (), 0
        if facts["method"] != "pidfd_getfd":
            return b"", (), None
        try:
            if facts["protocol"] == "udp":
                found = datagrams.peek(seen.pidfd, fd, MOST_PEEKED)
                count = len(found) if len(found) < MOST_PEEKED else None
                return b"".join(data for data, _ in found), _items(found), count
            if facts["protocol"] == "unix-seqpacket":
                queue = unix_sockets.look(seen.pidfd, fd, _SHOWN_ITEMS)
                sized = tuple((message, len(message)) for message in queue.messages)
                return b"".join(queue.messages), _items(sized), queue.count
            data = inet_sockets.peek(seen.pidfd, fd, _PEEKED)
        except OSError:
            return b"", (), None
        count, items, _ = messages_in(data)
        return data, items[:_SHOWN_ITEMS], count if len(data) >= facts["waiting"] else None

    # Who is at the other end.

    def _pair(self, t: int, found: dict[str, dict[str, Any]]) -> None:
        """Each socket's `partner`: the label of the other end, and `holder`: a role, "pid N" or "" for nobody."""
        ends = {(facts["local"], facts["peer"]): label for label, facts in found.items() if facts["local"]}
        streams = [(label, facts) for label, facts in found.items() if facts["kind"] == "stream"]
        inodes = {_inode(label): label for label in found}
        self._peers = {inode: self._peers[inode] for inode in inodes if inode in self._peers}
        unknown = []
        for label, facts in streams:
            if self._given["path"]:
                inode = self._peers.get(_inode(label)) or unix_sockets.peer_inode(_inode(label)) or 0
                self._peers[_inode(label)] = inode
                partner = inodes.get(inode, "")
            else:
                partner = ends.get((facts["peer"], facts["local"]), "")
            facts["partner"] = partner
            facts["holder"] = found[partner]["process"] if partner else ""
            if not partner:
                unknown.append(facts)
        if self._given["path"]:
            for _, facts in streams:
                if facts["partner"]:
                    # There is one queue each way: it is the receiver's, and its memory counts against the sender.
                    far = found[facts["partner"]]
                    facts |= {"taken": far["unsent"], "room": far["send_room"]}
        ours = {facts["pid"] for facts in found.values()}
        for facts in unknown:
            # Of a connection that waits to be accepted SO_PEERCRED tells who listens: nobody holds its other end yet.
            if (pid := facts.get("peer_pid")) and pid not in ours:
                facts["holder"] = f"pid {pid}"
        if unknown and not self._given["path"]:
            self._ask_strangers(t, unknown)
        bound = {facts["local"]: facts["process"] for facts in found.values() if facts["kind"] == "datagrams"}
        for facts in found.values():
            if facts["protocol"] == "udp":
                facts["holder"] = bound.get(facts["peer"], "") if facts["peer"] else ""

    def _ask_strangers(self, t: int, unknown: Sequence[dict[str, Any]]) -> None:
        """Ends that no worker holds: which process does, by the tables; asked seldom, for that takes long."""
        places = {(facts["local"], facts["peer"]) for facts in unknown}
        if places - self._strangers.keys() and t - self._asked_at >= _SELDOM:
            self._asked_at = t
            rows = {
                (inet_sockets.shown(row.peer), inet_sockets.shown(row.local)): row for row in inet_tables.table("tcp")
            }
            wanted = {place: f"socket:[{rows[place].inode}]" for place in places if place in rows and rows[place].inode}
            tables = find_holders(set(wanted.values())).tables if wanted else {}
            self._strangers = {}
            for place in places:
                pids = [pid for pid, held in tables.items() for row in held if row.target == wanted.get(place)]
                self._strangers[place] = f"pid {pids[0]}" if pids else ""
        for facts in unknown:
            facts["holder"] = self._strangers.get((facts["local"], facts["peer"]), "")

    def _tell_group(self, t: int, now: dict[str, ChannelRecord]) -> None:
        """How many sockets of the whole machine are in the group; asked again when one of ours joins or leaves."""
        ours = sum(1 for facts in self._sockets.values() if facts.get("member"))
        if t - self._members[0] >= _SELDOM or ours != self._members[1]:
            self._members = (t, ours, inet_tables.members(self._given["group"]))
        facts = {"kind": "membership", "group": self._given["group"], "members": self._members[2]}
        now["group"] = ChannelRecord(t, "group", name=self._given["group"], type="group", facts=facts)

    # Reasons and orders.

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a process sleeps in an operation on a socket."""
        return explain(sleep, self._sockets, tuple(seen.role for seen in processes), self._given)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | Errands | None:
        """`half-close`, `reset`, `leave` and `join`, each with a worker and, where it has several, a descriptor."""
        if not words or words[0] not in ("half-close", "reset", "leave", "join"):
            return None
        name, *more = words
        if len(more) > 2:
            raise UsageError(f"{name}: write {name} WORKER DESCRIPTOR, or less: {name} alone takes the first that fits")
        fitting = [facts for facts in self._sockets.values() if _fits(name, facts)]
        if not fitting:
            raise UsageError(f"{name}: {self._why_none(name)}")
        chosen = [facts for facts in fitting if not more or facts["process"] == more[0]]
        if len(more) > 1:
            chosen = [facts for facts in chosen if str(facts["fd"]) == more[1]]
        have = ", ".join(f"{facts['process']} {facts['fd']}" for facts in fitting)
        if not chosen:
            raise UsageError(f"{name}: {printable(' '.join(more))} has no such socket; there is {have}")
        # A server resets, a client closes its half, unless somebody was named.
        listening = {facts["process"] for facts in self._sockets.values() if facts["kind"] == "listen"}
        chosen.sort(key=lambda facts: (facts["process"] in listening) != (name == "reset"))
        one = chosen[-1] if name in ("leave", "join") else chosen[0]
        return Errands((Errand(one["process"], name.replace("-", "_"), (one["fd"],)),))

    def _why_none(self, name: str) -> str:
        if name in ("leave", "join"):
            if not any(facts["kind"] == "group" for facts in self._sockets.values()):
                return "only members of a multicast group leave and join it"
            return "nobody is a member now" if name == "leave" else "every receiver is a member already"
        if self._given["protocol"] == "udp":
            return "datagrams have no connection that could be closed by halves or reset"
        return "there is no connection now"


def _fits(name: str, facts: Mapping[str, Any]) -> bool:
    if name in ("leave", "join"):
        return bool(facts["kind"] == "group" and facts.get("member") is not (name == "join"))
    return bool(facts["kind"] == "stream" and facts["state"] in ("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "FIN_WAIT2"))


def _record(
    t: int, label: str, facts: dict[str, Any], data: bytes, items: tuple[Item, ...], count: int | None
) -> ChannelRecord:
    listens = facts["kind"] == "listen"
    used = facts["queued"] if listens else facts["taken"] or facts["waiting"]
    return ChannelRecord(
        t,
        label,
        used=None if facts["kind"] == "refused" else used,
        capacity=(facts["backlog"] or 0) + 1 if listens else facts["room"] or facts["send_room"],
        unit="connections" if listens else "bytes",
        readers=(facts["process"],),
        writers=tuple(filter(None, (facts.get("holder"),))),
        items=items[:_SHOWN_ITEMS],
        count=count,
        head=data[:_SHOWN_BYTES].hex(),
        method=facts["method"],
        refused=facts.get("refused"),
        name=f"{facts['protocol']} {facts['local'] or '–'}",
        type="socket",
        facts=facts,
    )


def _items(found: Sequence[tuple[bytes, int]]) -> tuple[Item, ...]:
    return tuple(_item(data, size) for data, size in found)


def _item(data: bytes, size: int) -> Item:
    head = envelope(data)
    return Item(head.id if head is not None else None, readable(data.rstrip(END), 48), size)


def _inode(label: str) -> int:
    return int(label.removeprefix("socket:[").removesuffix("]"))


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
