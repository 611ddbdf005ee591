"""How the session's sockets and its ledger are looked at, and how orders reach the link and the server."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ipctui.kernel.inet_sockets import InetSocket, look, peek, shown
from ipctui.kernel.ports import claim, give_back, planned_port, port_free, why_not_port
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, number, printable
from ipctui.mechanisms.rpc.ledger import balances_of, effects_of, entries
from ipctui.mechanisms.rpc.orders import CRASHES, LAYOUT, SHARE, Orders
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.worker.places import WORD

_FATES = {"drop": "lost", "duplicate": "doubled", "delay": "late", "reorder": "overtaken"}
"""By command, the share of `Orders` that it sets."""
_TIME_OUT = "time-out"
"""What ends a wait and is no process."""
_WAYS = {"call": "calls", "reply": "replies"}


@dataclass(frozen=True, slots=True)
class _Place:
    role: str
    fd: int
    now: InetSocket


@dataclass(slots=True)
class _Ledger:
    """What was read of a ledger: how many bytes hold whole entries, how many there are in all."""

    inode: int = 0
    whole: int = 0
    size: int = 0
    entries: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)

    def add(self, raw: bytes) -> None:
        """More has been read, from behind the last whole entry."""
        found, whole = entries(raw)
        self.size = self.whole + len(raw)
        self.whole += whole
        self.entries += len(found)
        for program, count in effects_of(found).items():
            self.effects[str(program)] = self.effects.get(str(program), 0) + count
        self.balances |= {str(program): balance for program, balance in balances_of(found).items()}

    def facts(self) -> dict[str, Any]:
        """What records hold of it."""
        return {
            "entries": self.entries,
            "torn": self.size - self.whole,
            "effects": dict(self.effects),
            "balances": dict(self.balances),
        }


class Looker:
    """Looks at every socket of the session and at the ledger; holds the segment in which orders stand."""

    def __init__(self, plan: Plan) -> None:
        given = plan.given
        self._given = given
        self._roles = tuple(seat.role for tree in plan.trees for seat in tree)
        self._places: dict[str, _Place] = {}
        self._told: dict[str, ChannelRecord] = {}
        self._ledger = _Ledger()
        self._moved = 0
        self._orders = Orders(
            lost=_share(given["loss"]), doubled=_share(given["duplication"]), overtaken=_share(given["reordering"])
        )
        path = f"/dev/shm{given['orders']}"
        self._segment = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._segment, LAYOUT.size)
        self._write()

    def close(self) -> None:
        """Give back the segment, whose name is the session's, and the ports."""
        if self._segment >= 0:
            os.close(self._segment)
            self._segment = -1
            give_back(self._moved, *(self._given[name] for name in ("port", "server", "matchmaker")))

    def _write(self) -> None:
        raw = self._orders.packed()
        os.pwrite(self._segment, len(raw).to_bytes(WORD, sys.byteorder) + raw, LAYOUT.slot_at(0))

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every socket of which anything changed, the ledger, the orders, and what is gone."""
        self._places = {}
        now: dict[str, ChannelRecord] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "socket":
                    record = self._socket(t, seen, row.number, row.target)
                    if record is not None:
                        now[record.object] = record
        now["orders"] = ChannelRecord(t, "orders", type="orders", name=self._given["orders"], facts=self._wanted())
        ledger = self._ledger_now(t)
        if ledger is not None:
            now[ledger.object] = ledger
        records = [record for place, record in now.items() if not _same(record, self._told.get(place))]
        records += [ChannelRecord(t, place, closed=True) for place in self._told if place not in now]
        self._told = now
        return records

    def _socket(self, t: int, seen: Seen, fd: int, label: str) -> ChannelRecord | None:
        try:
            found = look(seen.pidfd, fd)
            head = peek(seen.pidfd, fd) if found is not None and found.waiting else b""
        except OSError:
            return None
        if found is None:
            return None
        self._places[label] = _Place(seen.role, fd, found)
        facts = {
            "process": seen.role,
            "fd": fd,
            "protocol": found.protocol,
            "local": shown(found.local),
            "peer": shown(found.peer),
            "state": found.state,
            "unsent": found.unsent,
            "taken": found.taken,
            "drops": found.drops,
        }
        name = f"{found.protocol} {shown(found.local)}"
        return ChannelRecord(
            t,
            label,
            used=found.taken,
            capacity=found.room,
            readers=(seen.role,),
            head=head.hex(),
            method="pidfd_getfd",
            name=name,
            type="socket",
            facts=facts,
        )

    def _ledger_now(self, t: int) -> ChannelRecord | None:
        """The ledger; what was read of it before is not read again, unless it is another file."""
        path = self._given["ledger"]
        if not path:
            return None
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_ino, status.st_size) == (self._ledger.inode, self._ledger.size) and path in self._told:
                    return self._told[path]
                if status.st_ino != self._ledger.inode or status.st_size < self._ledger.whole:
                    self._ledger = _Ledger(status.st_ino)
                file.seek(self._ledger.whole)
                raw = file.read()
        except OSError:
            return None
        self._ledger.add(raw)
        return ChannelRecord(
            t, path, used=self._ledger.size, method="read", name="ledger", type="file", facts=self._ledger.facts()
        )

    def _wanted(self) -> dict[str, Any]:
        """The orders in force: shares in per cent, whether the link is cut."""
        orders = self._orders
        shares = {name: getattr(orders, share) * 100 / SHARE for name, share in _FATES.items()}
        return {"shares": {name: share for name, share in shares.items() if share}, "cut": bool(orders.cut)}

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a process waits on the network; who waits with a time-out is never stuck for ever."""
        others = [seen.role for seen in processes if seen.role != sleep.role]
        if sleep.name == "clock_nanosleep":
            return Reason("nobody was there: it waits before it sends again", "the time-out", (_TIME_OUT,))
        if sleep.name == "fsync":
            return Reason("the effect is on its way to the device", "the device")
        if sleep.role == "callee" or (sleep.role == "client" and sleep.object and sleep.name != "poll"):
            return Reason("nothing from the other process yet", "its message", tuple(others[:1]))
        if sleep.role in ("client", "fixed"):
            wanted = tuple(role for role in ("link", "server", "matchmaker") if role in others)
            return Reason("no reply yet", "a reply, or the time-out", (*wanted, _TIME_OUT))
        if sleep.role == "link":
            return Reason("no packet on the road", "a call or a reply", _of(others, "client", "server"))
        if sleep.role == "matchmaker":
            return Reason("nobody asks", "a GETPORT, a SET", _of(others, "client", "server"))
        wakers = _of(others, "link") or _of(others, "client", "fixed")
        return Reason("no call on its sockets", f"a call by {' or '.join(wakers) or 'anybody'}", wakers)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """Orders to the link and the server."""
        name, *rest = words
        if name in _FATES:
            said = self._fate(name, rest)
        elif name in ("cut", "mend"):
            self._need("link", name)
            self._orders.cut = int(name == "cut")
            said = "nothing passes the link" if name == "cut" else "the link is whole again"
        elif name == "crash":
            said = self._crash(rest)
        elif name == "move":
            said = self._move(rest)
        else:
            return None
        self._write()
        return said

    def _fate(self, name: str, rest: list[str]) -> str:
        self._need("link", name)
        usage = f"write {name}, {name} call, {name} reply, {name} reply 4, or {name} 30%"
        if rest and rest[0].endswith("%"):
            share = number(rest[0][:-1], whole=False)
            if share is None or not 0 <= share <= 100:
                raise UsageError(f"{name} {printable(rest[0])}: a share from 0% to 100%")
            setattr(self._orders, _FATES[name], _share(share))
            return f"{share:g} per cent of all packets from now on"
        way = rest[0] if rest else "reply"
        count = number(rest[1], whole=True) if len(rest) > 1 else 1
        if way not in _WAYS or not isinstance(count, int) or not 1 <= count <= 1000 or len(rest) > 2:
            raise UsageError(f"{name}: {usage}")
        place = f"{name}_{_WAYS[way]}"
        setattr(self._orders, place, getattr(self._orders, place) + count)
        return f"the next {way}" if count == 1 else f"the first {way} of each of the next {count} calls"

    def _crash(self, rest: list[str]) -> str:
        self._need("server", "crash")
        where = rest[0] if rest else "unanswered"
        if where not in CRASHES or len(rest) > 1:
            raise UsageError(f"crash: write crash {'|'.join(CRASHES)}")
        self._orders.crash = 1 + CRASHES.index(where)
        self._orders.crashes += 1
        return f"the server is killed at its next call, {where}; 8, or restart server, starts another"

    def _move(self, rest: list[str]) -> str:
        self._need("server", "move")
        if "link" in self._roles or "callee" in self._roles:
            raise UsageError(
                "move: nobody here would find the server again; the variants fixed-port and matchmaker are about that"
            )
        port = number(rest[0], whole=True) if rest else 0
        if not isinstance(port, int) or not 0 <= port <= 65535:
            raise UsageError(f"move {printable(rest[0])}: a port from 1 to 65535, or none for any")
        served = [
            place.now.local[1]
            for place in self._places.values()
            if place.role == "server" and place.now.protocol == "udp" and place.now.peer is None
        ]
        if not served:
            raise UsageError("move: the server has no port; restart server starts it again")
        at, home = served[0], self._given["server"]
        if port == at:
            raise UsageError(f"move {port}: the server is there")
        if port and (why := why_not_port(port)):
            raise UsageError(f"move {port}: {why}")
        if not port:
            port = home if home != at and port_free(home) else planned_port()
        if self._moved != port:
            give_back(self._moved)
        claim(port)
        self._moved = 0 if port == home else port
        self._orders.port = port
        self._orders.moves += 1
        self._write()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", ("127.0.0.1", at))  # an empty datagram: it looks at its orders
        return f"the server moves from port {at} to {port}"

    def _need(self, role: str, name: str) -> None:
        if role not in self._roles:
            raise UsageError(f"{name}: there is no {role} in this variant")


def _of(roles: Sequence[str], *wanted: str) -> tuple[str, ...]:
    return tuple(role for role in wanted if role in roles)


def _share(percent: float) -> int:
    return round(percent * SHARE / 100)


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
