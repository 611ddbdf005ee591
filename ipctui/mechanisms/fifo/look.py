"""How FIFOs are looked at: the name by lstat(2), the buffer through a descriptor that somebody holds, never by open(2).

To open a FIFO is to take part in it: whoever waits in open() for a partner would be let go. A process that waits there
has no descriptor yet, and is told of by its state.
"""

from __future__ import annotations

import os
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ipctui.kernel.descriptors import Descriptor
from ipctui.kernel.files import Listed, listed
from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.kernel.strangers import STRANGERS
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError
from ipctui.lab.streams import Contents, half_written, holders, messages_in, named, set_capacities, why_full
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.worker.names import owner_lives

DELETED = " (deleted)"
OPENS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "writer": (("path", "write"),),
    "reader": (("path", "read"),),
    "first_reader": (("path", "read"),),
    "one_of_readers": (("path", "read"),),
    "one_of_writers": (("path", "write"),),
    "client": (("path", "write"), ("back", "read")),
    "server": (("path", "read"), ("back", "write")),
    "client_deadlock": (("path", "write"), ("back", "read")),
    "server_deadlock": (("path", "read"), ("back", "write")),
    "impatient_writer": (("path", "write"),),
    "impatient_reader": (("path", "read"),),
    "both_ends": (("path", "read"), ("path", "write")),
    "caller": (("path", "write"), ("path", "read")),
    "callee": (("path", "read"), ("path", "write")),
}
"""By program, which FIFO it opens and for what."""

_TAKES_TURNS = frozenset(("caller", "callee"))
"""Programs that close one end and then open the other: a copy of an end that is kept for a moment after its close is
another reader or writer, and lets them go on before their partner has come."""
_SHOWN_HEAD = 256
_SEARCH_EVERY = 1_000_000_000
_OTHER = {"read": "write", "write": "read"}
_GERUND = {"read": "reading", "write": "writing"}
_DOER = {"read": "reader", "write": "writer"}
_FLAG = {"read": "O_RDONLY", "write": "O_WRONLY"}


@dataclass(slots=True)
class _Open:
    """One FIFO that somebody has open: by whom, and the descriptor through which it is looked into."""

    readers: list[str] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)
    through: tuple[int, int, int | None] | None = None
    readable: bool = False
    packets: bool = False
    still: bool = True

    def add(self, who: str, pid: int, pidfd: int | None, row: Descriptor, still: bool) -> None:
        """Count a descriptor; a read end shows more than a write end."""
        if row.access in ("read", "read-write") and who not in self.readers:
            self.readers.append(who)
        if row.access in ("write", "read-write") and who not in self.writers:
            self.writers.append(who)
        readable = row.access != "write"
        if row.access != "path" and (self.through is None or (readable and not self.readable)):
            self.through, self.readable = (pid, row.number, pidfd), readable
        self.packets = self.packets or row.packets
        self.still = self.still and still


def why_not(paths: Sequence[str]) -> str:
    """Why no process may be started that would open these names: one is a stranger's file. "" when it may."""
    for path in paths:
        try:
            there = listed(path)
        except OSError as error:
            return f"{path} cannot be looked at: {error.strerror}"
        if there is not None and not there.mode.startswith("p"):
            return f"{there.kind} is at {path} now, where the FIFO was; take it away first"
    return ""


class Looker:
    """Looks at the FIFOs of a session.

    Args:
        plan: Tells the paths, and which of its processes opens which end of them.
    """

    def __init__(self, plan: Plan) -> None:
        self._paths = tuple(dict.fromkeys((plan.given["path"], plan.given["back"])))
        self._joined = bool(plan.given["joined"])
        self._programs = {seat.name: seat.program for tree in plan.trees for seat in tree}
        self._newcomers = {base: seat.program for base, seat in plan.newcomers.items()}
        self._given = plan.given
        self._observer = PipeObserver()
        self._seen: dict[str, ChannelRecord] = {}
        self._views: dict[str, PipeView] = {}
        self._parsed: dict[str, tuple[bytes, Contents]] = {}
        self._unlinked: set[str] = set()
        self._by_turns = plan.given.get("early") != "yes" and any(
            program in _TAKES_TURNS for program in self._programs.values()
        )
        self._empty_at: dict[str, int] = {}
        self._strangers: dict[int, tuple[Descriptor, ...]] = {}
        self._searched = -_SEARCH_EVERY

    def close(self) -> None:
        """Close the scratch pipe."""
        self._observer.close()

    # What is there.

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every FIFO under its name, and every one that lost it and is still open, if anything about it changed."""
        self._search(t, processes)
        records = []
        found: dict[str, ChannelRecord] = {}
        for path in self._paths:
            found |= self._of_path(t, path, processes)
        for place in list(self._seen):
            if place not in found:
                found[place] = ChannelRecord(t, place, closed=True, type="fifo")
        for place, record in found.items():
            before = self._seen.get(place)
            if before is None or replace(record, t=before.t) != before:
                records.append(record)
            if record.closed:
                self._seen.pop(place, None)
                self._views.pop(place, None)
                self._parsed.pop(place, None)
            else:
                self._seen[place] = record
        return records

    def _search(self, t: int, processes: Sequence[Seen]) -> None:
        """Strangers who hold one of the FIFOs, once a second: also while no worker has it open."""
        if t - self._searched < _SEARCH_EVERY:
            return
        self._searched = t
        targets = [name for path in self._paths for name in (path, path + DELETED)]
        ours = [seen.pid for seen in processes]
        self._strangers = STRANGERS.holders(targets, skip=(*ours, os.getpid()))

    def _of_path(self, t: int, path: str, processes: Sequence[Seen]) -> dict[str, ChannelRecord]:
        refused = None
        try:
            there = listed(path)
        except OSError as error:
            there, refused = None, f"{path} cannot be looked at: {error.strerror}"
        if there is not None and there.mode.startswith("p"):
            self._unlinked.discard(path)
        opened = self._opened(path, processes)
        named = (there.device, there.inode) if there is not None and there.mode.startswith("p") else None
        found: dict[str, ChannelRecord] = {}
        for inode in dict.fromkeys((*((named,) if named else ()), *opened)):
            place = path if inode == named or named is None else path + DELETED
            record = self._record(t, place, path, there, inode == named, opened.get(inode), refused)
            found[place] = self._filled(record, opened.get(inode), self._balance(path, processes))
        return found

    def _opened(self, path: str, processes: Sequence[Seen]) -> dict[tuple[int, int] | None, _Open]:
        opened: dict[tuple[int, int] | None, _Open] = {}
        rows = [(seen.name, seen.pid, seen.pidfd, row, seen.still) for seen in processes for row in seen.descriptors]
        ours = {seen.pid for seen in processes}
        rows += [
            (f"pid {pid}", pid, -1, row, False)
            for pid, table in self._strangers.items()
            if pid not in ours
            for row in table
        ]
        for who, pid, pidfd, row, still in rows:
            if row.kind == "fifo" and row.target.removesuffix(DELETED) == path:
                opened.setdefault(row.inode, _Open()).add(who, pid, pidfd if pidfd >= 0 else None, row, still)
        return opened

    def _record(
        self,
        t: int,
        place: str,
        path: str,
        there: Listed | None,
        has_name: bool,
        held: _Open | None,
        refused: str | None,
    ) -> ChannelRecord:
        facts: dict[str, Any] = {"named": has_name, "joined": self._joined, "by_us": path in self._unlinked}
        if there is not None and not has_name:
            facts["instead"] = there.kind
        if there is not None and has_name:
            facts["row"] = there.row()
            facts["file"] = {
                "name": path,
                "mode": there.bits,
                "links": there.links,
                "uid": there.uid,
                "gid": there.gid,
                "size": there.size,
                "inode": there.inode,
            }
        return ChannelRecord(t, place, used=0, type="fifo", name=path, facts=facts, refused=refused)

    def _balance(self, path: str, processes: Sequence[Seen]) -> int:
        """Bytes written to a path less those read from it, by the counts of those who live."""
        counts = [count for seen in processes if seen.counters is not None for count in seen.counters.calls]
        sign = {"write": 1, "read": -1}
        return sum(sign.get(count.name, 0) * count.bytes for count in counts if count.object == path)

    def _filled(self, record: ChannelRecord, held: _Open | None, balance: int) -> ChannelRecord:
        """The record with what is in the buffer, where somebody has it open."""
        place = record.object
        if held is None or held.through is None:
            self._views.pop(place, None)
            self._empty_at[place] = balance
            return record
        ends = replace(record, readers=tuple(held.readers), writers=tuple(held.writers))
        if self._by_turns and not held.still:
            self._views.pop(place, None)
            facts = {**record.facts, "counted": True}
            used = max(0, balance - self._empty_at[place]) if place in self._empty_at else None
            return replace(ends, used=used, facts=facts, method="counted")
        view = self._views[place] = self._observer.observe(*held.through)
        if view.used is not None:
            self._empty_at[place] = balance - view.used
        count, items, last = self._contents(place, view)
        return replace(
            ends,
            used=view.used,
            capacity=view.capacity,
            slots=view.slots,
            slots_used=view.slots_used,
            packets=held.packets,
            items=items,
            last=last,
            count=count,
            head=view.contents[:_SHOWN_HEAD].hex() if view.contents else "",
            method=view.method,
            refused=view.refused,
        )

    def _contents(self, place: str, view: PipeView) -> Contents:
        parsed = self._parsed.get(place)
        if view.contents is None:
            return None, (), None
        if parsed is None or parsed[0] != view.contents:
            parsed = self._parsed[place] = (view.contents, messages_in(view.contents))
        return parsed[1]

    # Why somebody sleeps.

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why an open, read or write sleeps."""
        path = sleep.object
        if path is None:
            return Reason(f"asleep in {sleep.name}; its object could not be looked at")
        if sleep.name == "open":
            return self._explain_open(sleep, path, processes)
        if sleep.name not in _OTHER or (path not in self._seen and path + DELETED not in self._seen):
            return Reason(f"asleep in {sleep.name}; {os.path.basename(path)} could not be looked at")
        view = self._views.get(path)
        everyone = holders(processes, (path, path + DELETED), _OTHER[sleep.name])
        peers = [(name, fd) for name, fd in everyone if name != sleep_name(sleep)]
        own = [fd for name, fd in everyone if name == sleep_name(sleep)]
        foreign = self._foreign(path, _OTHER[sleep.name])
        wakers = tuple(dict.fromkeys(name for name, _ in peers))
        whom = " or ".join((*([named(peers)] if peers else []), *foreign))
        if sleep.name == "write":
            size = sleep.call.args[2] if sleep.call.name == "write" else None
            waker = f"a read by {whom}" if whom else f"nothing: only {sleep.role} itself could read" if own else None
            if view is None:
                return Reason("no room in the FIFO, and its fill is not looked at", waker, wakers)
            progress = half_written(path, view, processes, size)
            return Reason(f"FIFO {why_full(view, size)}", waker, wakers, progress)
        if own and not whom:
            return Reason(
                f"FIFO empty; no end of file while {sleep.role} itself has it open for writing (O_RDWR)",
                "a write by whoever opens it",
                self._who_opens(path, "write", sleep_name(sleep), processes)[1],
            )
        return Reason("FIFO empty", f"a write by {whom or 'nobody'}, or the close of the last write end", wakers)

    def _explain_open(self, sleep: Sleep, path: str, processes: Sequence[Seen]) -> Reason:
        mine = _access(sleep)
        wanted = _OTHER[mine]
        who, wakers = self._who_opens(path, wanted, sleep_name(sleep), processes)
        reason = f"no {_DOER[wanted]}: {who or 'somebody'} must open it for {_GERUND[wanted]}"
        if not self._has_name(path):
            return Reason(
                f"the name is gone: nobody can open it for {_GERUND[wanted]} any more",
                "nothing but a signal",
            )
        return Reason(reason, f"open({_FLAG[wanted]}) by {who or 'anybody who knows the name'}", wakers)

    def _has_name(self, path: str) -> bool:
        record = self._seen.get(path)
        return record is not None and bool(record.facts.get("named"))

    def _who_opens(self, path: str, access: str, but: str, processes: Sequence[Seen]) -> tuple[str, tuple[str, ...]]:
        """Who would open this end: in words, those that run first; and their names."""
        running = {seen.name for seen in processes}
        names = [
            name
            for name in dict.fromkeys((*self._programs, *(seen.name for seen in processes)))
            if name != but and (path, access) in self._opens(name)
        ]
        words = [name if name in running else f"{name} (not running)" for name in names]
        words.sort(key=lambda text: text.endswith(")"))
        return " or ".join(words[:3]), tuple(names)

    def _opens(self, name: str) -> list[tuple[str, str]]:
        role = name.rpartition("/")[2]
        program = self._programs.get(name) or self._newcomers.get(role.rstrip(string.digits), "")
        return [(self._given[which], access) for which, access in OPENS.get(program, ())]

    def _foreign(self, path: str, access: str) -> list[str]:
        record = self._seen.get(path)
        everyone = () if record is None else record.writers if access == "write" else record.readers
        return [name for name in everyone if name.startswith("pid ")]

    # Commands.

    def ready(self, anew: bool) -> None:
        """Refuse to start a process that would open another's file in place of the FIFO."""
        # A temporary name, and the next will be another, need not be free when all begin anew.
        why = why_not([path for path in self._paths if not anew or owner_lives(path) is None])
        if why:
            raise UsageError(why)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`capacity N`: F_SETPIPE_SZ on every FIFO that is open. `unlink`: take the names away."""
        if not words or words[0] not in ("capacity", "unlink"):
            return None
        if words[0] == "capacity":
            return self._capacity(words[1:], processes)
        if len(words) > 1:
            raise UsageError("unlink: all names of the session at once; write: unlink")
        return self._unlink()

    def _unlink(self) -> str:
        if self._joined:
            raise UsageError(f"unlink: {self._paths[0]} was there before this session and is left; rm removes it")
        gone = []
        for path in self._paths:
            try:
                there = listed(path)
                if there is None:
                    continue
                if not there.mode.startswith("p"):
                    raise UsageError(f"unlink: {there.kind} is at {path} now, no FIFO of ours; it is left")
                os.unlink(path)
            except OSError as error:
                raise UsageError(f"unlink: {path}: {error.strerror}") from None
            self._unlinked.add(path)
            gone.append(os.path.basename(path))
        if not gone:
            raise UsageError("unlink: the name is gone already; r begins anew")
        return f"{', '.join(gone)} has no name now; whoever has it open goes on"

    def _capacity(self, words: Sequence[str], processes: Sequence[Seen]) -> str:
        ends = (
            (seen, row)
            for seen in processes
            for row in seen.descriptors
            if row.kind == "fifo" and row.target.removesuffix(DELETED) in self._paths
        )
        return set_capacities(words, ends, "nobody has the FIFO open, so there is no buffer to change")


def sleep_name(sleep: Sleep) -> str:
    """CELL/ROLE, or the role alone."""
    return f"{sleep.cell}/{sleep.role}" if sleep.cell else sleep.role


def _access(sleep: Sleep) -> str:
    """What the sleeping open(2) asks for, from the kernel's registers."""
    flags = sleep.call.args[2 if sleep.call.name == "openat" else 1]
    return "write" if flags & os.O_ACCMODE == os.O_WRONLY else "read"
