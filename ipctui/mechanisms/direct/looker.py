"""How links and doors are looked at: each socket by a copy of its descriptor, asked and closed at once."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipctui.kernel.unix_sockets import Identity, Queue, identify, look, table
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, printable
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Item
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import END, envelope

NAME = re.compile(r"[a-z]{1,12}[0-9]{0,3}")
"""What a process may be called: letters, then a number."""
NAMED_BY = {
    "first_p": ("q", "r"),
    "second_q": ("p", "r"),
    "third_r": ("p", "q"),
    "sender": ("q",),
    "forger": ("q",),
    "receiver": (),
    "doubter": (),
}
"""By program, the names that are written in it."""
_OPEN_DOORS = frozenset({"receiver", "doubter"})
_SHOWN_ITEMS = 12
_PATIENCE = 0.2


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link as it was looked at last."""

    role: str
    pid: int
    fd: int
    object: str
    peer: str
    peer_pid: int
    room: int
    accepted: bool
    queue: Queue

    def plain(self) -> dict[str, Any]:
        """Its measures as records hold them; `waiting` is what it has yet to receive."""
        return {
            "process": self.role,
            "pid": self.pid,
            "fd": self.fd,
            "object": self.object,
            "peer": self.peer,
            "peer_pid": self.peer_pid,
            "waiting": self.queue.waiting,
            "messages": self.queue.count,
            "taken": self.queue.taken,
            "room": self.room,
            "accepted": self.accepted,
            "next": readable(self.queue.messages[0].rstrip(END), 40) if self.queue.messages else "",
        }


class Looker:
    """Looks at the session's doors and links, and carries the order to take another name."""

    def __init__(self, plan: Plan) -> None:
        self._prefix = f"@{plan.given['prefix']}/"
        self._programs = {seat.role: seat.program for tree in plan.trees for seat in tree}
        self._programs |= {role: seat.program for role, seat in plan.newcomers.items()}
        self._roles: dict[int, str] = {}
        self._known: dict[tuple[int, int, str], Identity] = {}
        self._seen: dict[str, ChannelRecord] = {}
        self._ends: dict[str, list[End]] = {}
        self._doors: dict[str, tuple[Seen, int, str]] = {}

    def close(self) -> None:
        """Nothing is held between two looks."""

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every door and every link of which anything changed, and those that are gone."""
        # A link whose other end is gone stays until this end is closed: the dead are known by their names, too.
        self._roles |= {seen.pid: seen.role for seen in processes}
        roles = self._roles
        self._ends, self._doors = {}, {}
        known: dict[tuple[int, int, str], Identity] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "socket":
                    self._look(seen, row.number, row.target, roles, known)
        self._known = known
        now = {name: self._door(t, name, processes) for name in self._doors}
        now |= {name: _link(t, name, self._prefix, ends) for name, ends in self._ends.items()}
        records = [record for name, record in now.items() if not _same(record, self._seen.get(name))]
        records += [ChannelRecord(t, name, closed=True) for name in self._seen if name not in now]
        self._seen = now
        return records

    def _look(
        self,
        seen: Seen,
        fd: int,
        label: str,
        roles: Mapping[int, str],
        known: dict[tuple[int, int, str], Identity],
    ) -> None:
        place = (seen.pid, fd, label)
        try:
            identity = self._known.get(place) or identify(seen.pidfd, fd)
            if not identity.listening and identity.peer_pid is None:
                return  # bound, or not even that, and to become something
            known[place] = identity
            if identity.listening:
                self._doors[identity.name] = (seen, fd, label)
                return
            name = self._name_of(identity)
            if name is None or identity.peer_pid == os.getpid():
                return
            queue = look(seen.pidfd, fd, _SHOWN_ITEMS)
        except OSError:
            return
        pid = identity.peer_pid or 0
        end = End(
            seen.role,
            seen.pid,
            fd,
            label,
            roles.get(pid, f"pid {pid}"),
            pid,
            identity.room,
            identity.name != name,
            queue,
        )
        self._ends.setdefault(name, []).append(end)

    def _name_of(self, identity: Identity) -> str | None:
        """A link's name: the address that its maker bound; a stranger's link is named after its pid."""
        for name in (identity.name, identity.peer_name):
            if name.startswith(self._prefix) and "+" in name:
                return name
        return f"{identity.name} ← pid {identity.peer_pid}" if identity.name else None

    def _door(self, t: int, name: str, processes: Sequence[Seen]) -> ChannelRecord:
        seen, fd, label = self._doors[name]
        short = name.removeprefix(self._prefix)
        named_by = [each.role for each in processes if short in NAMED_BY.get(self.program_of(each.role), ())]
        facts = {"door": True, "process": seen.role, "pid": seen.pid, "fd": fd, "object": label, "named_by": named_by}
        return ChannelRecord(
            t, name, readers=(seen.role,), name=short, type="socket", method="pidfd_getfd", facts=facts
        )

    def program_of(self, role: str) -> str:
        """The program that a role runs, also where it came later."""
        return self._programs.get(role) or self._programs.get(role.rstrip("0123456789"), "")

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a send, recv, accept, connect or poll sleeps."""
        found = [end for ends in self._ends.values() for end in ends if end.object == sleep.object]
        others = tuple(seen.role for seen in processes if seen.role != sleep.role)
        if sleep.name == "poll":
            linked = tuple(dict.fromkeys(e.peer for ends in self._ends.values() for e in ends if e.role == sleep.role))
            wakers = tuple(role for role in linked if role in others) or others
            return Reason(
                f"no message; its {len(linked)} links are empty, and nobody knocks",
                f"a send by {_names(wakers)}",
                wakers,
            )
        if sleep.name == "accept":
            return self._explain_accept(sleep, others)
        if sleep.name == "connect":
            return Reason("too many wait at the door already", "an accept by whoever bears the name", others)
        if not found:
            return Reason(f"asleep in {sleep.name}; its link could not be looked at")
        end = found[0]
        if sleep.name == "recv":
            return Reason(f"no message from {end.peer}", f"a send by {end.peer}", (end.peer,))
        taken, room = grouped(end.queue.taken), grouped(end.room)
        reason = f"link to {end.peer} full ({taken} of {room} bytes of kernel memory)"
        return Reason(reason, f"a receive by {end.peer}", (end.peer,))

    def _explain_accept(self, sleep: Sleep, others: tuple[str, ...]) -> Reason:
        linked = {end.peer for ends in self._ends.values() for end in ends if end.role == sleep.role}
        missing = tuple(role for role in others if role not in linked) or others
        return Reason("nobody at the door", f"the first send by {_names(missing)}", missing)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`rename P Q`: an order at P's door, which P obeys because the kernel tells it who knocks."""
        if not words or words[0] != "rename":
            return None
        if len(words) != 3:
            raise UsageError("rename: write rename NAME NEW-NAME, for example rename q s")
        old, new = words[1], words[2]
        door = next(
            (name for name, (seen, _, _) in self._doors.items() if old in (name.removeprefix(self._prefix), seen.role)),
            None,
        )
        if door is None:
            names = ", ".join(name.removeprefix(self._prefix) for name in self._doors)
            raise UsageError(f"rename: nobody is called {printable(old)}; there is {names or 'nobody'}")
        role = self._doors[door][0].role
        if self.program_of(role) not in _OPEN_DOORS:
            raise UsageError(f"rename: {role}'s program never looks at its door again; the asymmetric receiver q does")
        if not NAME.fullmatch(new):
            raise UsageError(f"rename: {printable(new)} is no name; 1 to 12 small letters, then digits if you like")
        if any(row.name == self._prefix + new for row in table()):
            raise UsageError(f"rename: {new} is taken; the kernel gives a name to one process alone (EADDRINUSE)")
        _order(door, new)
        return f"{role} takes the name {new} when it next looks at its door"


def _order(door: str, new: str) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knock:
            knock.settimeout(_PATIENCE)
            knock.connect("\0" + door[1:])
            knock.send(f"rename {new}".encode())
    except OSError as error:
        raise UsageError(f"rename: its door does not open: {error.strerror or error}") from None


def _link(t: int, name: str, prefix: str, ends: list[End]) -> ChannelRecord:
    roles = tuple(dict.fromkeys(role for end in ends for role in (end.role, end.peer)))
    messages = [message for end in ends for message in end.queue.messages]
    counts = [end.queue.count for end in ends]
    return ChannelRecord(
        t,
        name,
        used=sum(end.queue.waiting for end in ends),
        readers=roles,
        writers=roles,
        items=tuple(_item(message) for message in messages),
        count=None if None in counts else sum(count or 0 for count in counts),
        head=b"".join(messages)[:256].hex(),
        method="pidfd_getfd",
        name=name.removeprefix(prefix),
        type="socket",
        facts={"link": True, "ends": [end.plain() for end in ends]},
    )


def _item(message: bytes) -> Item:
    head = envelope(message)
    return Item(head.id if head is not None else None, readable(message, 48), len(message))


def _names(roles: Sequence[str]) -> str:
    return " or ".join(roles[:3]) or "nobody"


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
