"""How FIFOs are looked at: the name by lstat(2), the buffer through a descriptor that somebody holds, never by open(2).

To open a FIFO is to take part in it: whoever waits in open() for a partner would be let go. A process that waits there
has no descriptor yet, and is told of by its state.
"""

from __future__ import annotations

import errno
import fcntl
import os
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ipctui.kernel import libc
from ipctui.kernel.descriptors import Descriptor, find_holders
from ipctui.kernel.files import Listed, listed
from ipctui.kernel.own import lift
from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, number
from ipctui.lab.streams import Contents, half_written, holders, messages_in, named, why_full
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.text import grouped

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

_F_SETPIPE_SZ = 1031  # include/uapi/linux/fcntl.h
_SHOWN_HEAD = 256
_SEARCH_EVERY = 1_000_000_000
_OTHER = {"read": "write", "write": "read"}
_GERUND = {"read": "reading", "write": "writing"}
_DOER = {"read": "reader", "write": "writer"}
_FLAG = {"read": "O_RDONLY", "write": "O_WRONLY"}


def system_limit() -> tuple[int, str]:
    """The largest capacity that this user may ask for, and where that is written."""
    try:
        return int(Path("/proc/sys/fs/pipe-max-size").read_text()), "/proc/sys/fs/pipe-max-size"
    except (OSError, ValueError):
        return 1 << 20, "the kernel's default of pipe-max-size"


@dataclass(slots=True)
class _Open:
    """One FIFO that somebody has open: by whom, and the descriptor through which it is looked into."""

    readers: list[str] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)
    through: tuple[int, int, int | None] | None = None
    readable: bool = False
    packets: bool = False

    def add(self, who: str, pid: int, pidfd: int | None, row: Descriptor) -> None:
        """Count a descriptor; a read end shows more than a write end."""
        if row.access in ("read", "read-write") and who not in self.readers:
            self.readers.append(who)
        if row.access in ("write", "read-write") and who not in self.writers:
            self.writers.append(who)
        readable = row.access != "write"
        if row.access != "path" and (self.through is None or (readable and not self.readable)):
            self.through, self.readable = (pid, row.number, pidfd), readable
        self.packets = self.packets or row.packets


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
        self._strangers = find_holders(targets, skip=(*ours, os.getpid())).tables

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
            found[place] = self._record(t, place, path, there, inode == named, opened.get(inode), refused)
        return found

    def _opened(self, path: str, processes: Sequence[Seen]) -> dict[tuple[int, int] | None, _Open]:
        opened: dict[tuple[int, int] | None, _Open] = {}
        rows = [(seen.name, seen.pid, seen.pidfd, row) for seen in processes for row in seen.descriptors]
        ours = {seen.pid for seen in processes}
        rows += [
            (f"pid {pid}", pid, -1, row) for pid, table in self._strangers.items() if pid not in ours for row in table
        ]
        for who, pid, pidfd, row in rows:
            if row.kind == "fifo" and row.target.removesuffix(DELETED) == path:
                opened.setdefault(row.inode, _Open()).add(who, pid, pidfd if pidfd >= 0 else None, row)
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
        record = ChannelRecord(t, place, used=0, type="fifo", name=path, facts=facts, refused=refused)
        if held is None or held.through is None:
            self._views.pop(place, None)
            return record
        view = self._views[place] = self._observer.observe(*held.through)
        count, items, last = self._contents(place, view)
        return replace(
            record,
            used=view.used,
            capacity=view.capacity,
            slots=view.slots,
            slots_used=view.slots_used,
            packets=held.packets,
            readers=tuple(held.readers),
            writers=tuple(held.writers),
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
        view = self._views.get(path)
        if view is None or sleep.name not in _OTHER:
            return Reason(f"asleep in {sleep.name}; {os.path.basename(path)} could not be looked at")
        everyone = holders(processes, (path, path + DELETED), _OTHER[sleep.name])
        peers = [(name, fd) for name, fd in everyone if name != sleep_name(sleep)]
        own = [fd for name, fd in everyone if name == sleep_name(sleep)]
        foreign = self._foreign(path, _OTHER[sleep.name])
        wakers = tuple(dict.fromkeys(name for name, _ in peers))
        whom = " or ".join((*([named(peers)] if peers else []), *foreign))
        if sleep.name == "write":
            size = sleep.call.args[2] if sleep.call.name == "write" else None
            waker = f"a read by {whom}" if whom else f"nothing: only {sleep.role} itself could read" if own else None
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
                f"the name is gone: nobody can open {os.path.basename(path)} for {_GERUND[wanted]} any more",
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

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`capacity N`: F_SETPIPE_SZ on every FIFO that is open. `unlink`: take the names away."""
        if not words or words[0] not in ("capacity", "unlink"):
            return None
        return self._unlink() if words[0] == "unlink" else self._capacity(words[1:], processes)

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
        most, origin = system_limit()
        wanted = number(words[0], whole=True) if len(words) == 1 else None
        page = os.sysconf("SC_PAGESIZE")
        if wanted is None or not page <= wanted <= most:
            raise UsageError(f"capacity: a whole number from {page:,} to {most:,} bytes ({origin})")
        got: dict[str, int] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "fifo" and row.target.removesuffix(DELETED) in self._paths and row.target not in got:
                    got[row.target] = _set_capacity(seen, row.number, int(wanted))
        if not got:
            raise UsageError("capacity: nobody has the FIFO open, so there is no buffer to change")
        return ", ".join(f"{os.path.basename(place)} now {grouped(size)} bytes" for place, size in got.items())


def sleep_name(sleep: Sleep) -> str:
    """CELL/ROLE, or the role alone."""
    return f"{sleep.cell}/{sleep.role}" if sleep.cell else sleep.role


def _access(sleep: Sleep) -> str:
    """What the sleeping open(2) asks for, from the kernel's registers."""
    flags = sleep.call.args[2 if sleep.call.name == "openat" else 1]
    return "write" if flags & os.O_ACCMODE == os.O_WRONLY else "read"


def _set_capacity(seen: Seen, fd: int, wanted: int) -> int:
    try:
        copy = lift(libc.pidfd_getfd(seen.pidfd, fd))
    except OSError as error:
        raise UsageError(
            f"capacity: the kernel refuses a copy of descriptor {fd} of {seen.role}: {error.strerror}"
        ) from None
    try:
        return fcntl.fcntl(copy, _F_SETPIPE_SZ, wanted)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise UsageError(
                f"capacity: EBUSY, what the FIFO holds does not fit into {grouped(wanted)} bytes"
            ) from None
        raise UsageError(f"capacity: {error.strerror} for {grouped(wanted)} bytes") from None
    finally:
        os.close(copy)
