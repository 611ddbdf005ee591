"""The workers' descriptor tables: read anew when a worker may have changed its own, and told where they changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from ipctui.kernel import inet_tables
from ipctui.kernel.descriptors import Descriptor, descriptors
from ipctui.kernel.strangers import STRANGERS
from ipctui.kernel.unix_sockets import peer_inode, table
from ipctui.lab.channel import Seen
from ipctui.lab.handle import Handle
from ipctui.trace.records import Descriptors, Held, Record
from ipctui.trace.ring import RingReader

_EVERY = 1_000_000_000
_KINDS = frozenset({"pipe", "fifo", "socket", "mqueue", "memfd", "shm"})
_PASSING = "/dev/shm/sem."
"""Files that sem_open(3) opens, maps and closes by itself: no descriptors of the program's."""
_CHANGES = frozenset(
    (
        *("pipe", "pipe2", "fork", "close", "fcntl", "open", "shm_open", "mq_open", "mq_close", "memfd_create"),
        *("socket", "socketpair", "accept", "recvmsg", "eventfd", "epoll_create1", "execve"),
    )
)
"""Operations after which a descriptor table may be another."""


def ends_of(pid: int) -> list[Descriptor]:
    """A process's descriptors of channel objects, read now; none when it is gone."""
    try:
        rows = descriptors(pid)
    except OSError:
        return []
    return [row for row in rows if row.number > 2 and row.kind in _KINDS]


class Tables:
    """What is known of the workers' descriptor tables.

    Attributes:
        stale: Set when a worker has begun, ended, or done something out of sight: all are read again.
        outsiders: By object, "pid N" and its access, of processes that are no workers and hold it.
    """

    def __init__(self) -> None:
        self.stale = True
        self.outsiders: dict[str, dict[str, str]] = {}
        self._tables: dict[int, tuple[Descriptor, ...]] = {}
        self._read_at = -_EVERY
        self._inet_at = -_EVERY
        self._read = False
        self._codes: WeakKeyDictionary[RingReader, frozenset[int]] = WeakKeyDictionary()
        self._calls = 0
        self._closed: dict[str, dict[int, Held]] = {}
        self._told: dict[str, tuple[Held, ...]] = {}
        self._peers: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._towards: dict[str, str] = {}
        self._listening: frozenset[str] = frozenset()

    def of(self, pid: int) -> tuple[Descriptor, ...]:
        """The table of a process as it was read last, without its standard descriptors."""
        return self._tables.get(pid, ())

    def drop(self, pid: int) -> None:
        """Forget the table of a process that has ended."""
        self._tables.pop(pid, None)

    def refresh(self, handles: Sequence[Handle], t: int) -> None:
        """Read the tables again if a worker has made a call that changes one, and in any case once a second."""
        # By the counts, not by the calls: flat out, most of these are never decoded.
        calls = sum(self._changes(handle.ring) for handle in handles if handle.pid)
        changed = self.stale or calls != self._calls
        self._calls = calls
        if not changed and t - self._read_at < _EVERY:
            return
        self.stale = False
        self._read = True
        for handle in handles:
            if handle.alive:
                try:
                    self._tables[handle.pid] = tuple(row for row in descriptors(handle.pid) if row.number > 2)
                except OSError:
                    self.drop(handle.pid)
        self._find_peers(t)
        if t - self._read_at >= _EVERY:
            self._read_at = t
            self._find_outsiders({handle.pid for handle in handles})

    def _changes(self, ring: RingReader) -> int:
        """How many calls a worker has made after which its table may be another."""
        codes = self._codes.get(ring)
        if codes is None:
            names = enumerate(operation.name for operation in ring.operations)
            codes = self._codes[ring] = frozenset(code for code, name in names if name in _CHANGES)
        return sum([row.calls for row in ring.rows() if row.operation in codes])

    def _find_peers(self, t: int) -> None:
        """By the kernel's word, which socket each is connected to (the two ends differ by name), and which listen."""
        sockets = {row.target for table in self._tables.values() for row in table if row.kind == "socket"}
        # Neither changes while the socket lives: only what was not known yet is asked for.
        known = {place: peer for place, peer in self._peers.items() if place in sockets}
        listening = self._listening & sockets
        for place in sockets - known.keys() - listening:
            peer = peer_inode(int(place[len("socket:[") : -1]))
            if peer:
                known[place] = f"socket:[{peer}]"
        alone = sockets - known.keys() - listening
        rows = table() if alone else ()
        heard = {f"socket:[{row.inode}]" for row in rows if row.listening}
        if alone - {f"socket:[{row.inode}]" for row in rows} and t - self._inet_at >= _EVERY:
            # The table of TCP takes milliseconds: what has come since is known when it is read next.
            self._inet_at = t
            rows_of_tcp, rows_of_udp = inet_tables.table("tcp"), inet_tables.table("udp")
            ends, doors = inet_tables.ends(rows_of_tcp)
            heard |= {f"socket:[{inode}]" for inode in doors}
            known |= {f"socket:[{inode}]": f"socket:[{peer}]" for inode, peer in ends.items()}
            self._name(rows_of_udp, [row for row in rows_of_tcp if row.state == "LISTEN"])
        self._peers = {place: peer for place, peer in known.items() if place in sockets}
        self._listening = listening | (alone & heard)

    def _name(self, datagrams: Sequence[inet_tables.Row], doors: Sequence[inet_tables.Row]) -> None:
        """Remember the addresses of sockets that have no other end, and whom a connected datagram socket sends to."""
        self._names = {
            f"socket:[{row.inode}]": f"{row.local[0]}:{row.local[1]}" for row in (*datagrams, *doors) if row.inode
        }
        bound = {row.local: row.inode for row in datagrams}
        self._towards = {
            f"socket:[{row.inode}]": f"socket:[{bound[row.peer]}]" for row in datagrams if row.peer in bound
        }

    def _find_outsiders(self, ours: set[int]) -> None:
        """Processes that are no workers and hold one of our objects: a leak, or somebody who looks on."""
        places = {row.target for table in self._tables.values() for row in table if row.kind in _KINDS}
        self.outsiders = {}
        if places:
            for pid, rows in STRANGERS.holders(places, skip={*ours, os.getpid()}).items():
                for row in rows:
                    self.outsiders.setdefault(row.target, {})[f"pid {pid}"] = row.access

    def changed(self, seen: Sequence[Seen], t: int) -> list[Record]:
        """The tables that differ from what was told last, closed ends kept in sight; of tables just read alone."""
        if not self._read:
            return []
        self._read = False
        self._note_closed(seen)
        holders: dict[str, list[tuple[str, int, str]]] = {}
        for each in seen:
            for row in each.descriptors:
                holders.setdefault(row.target, []).append((each.name, row.number, row.access))
        records: list[Record] = []
        for each in seen:
            rows = self._rows(each, holders)
            if rows != self._told.get(each.name, ()):
                self._told[each.name] = rows
                records.append(Descriptors(t, each.role, rows, each.cell))
        return records

    def _rows(self, seen: Seen, holders: dict[str, list[tuple[str, int, str]]]) -> tuple[Held, ...]:
        rows = {
            row.number: Held(
                row.number,
                row.target,
                "listen" if row.target in self._listening else row.access,
                row.nonblocking,
                row.close_on_exec,
                row.packets,
                self._other_ends(seen.name, row, holders),
                self._names.get(row.target, ""),
            )
            for row in seen.descriptors
            if row.kind in _KINDS and not row.target.startswith(_PASSING)
        }
        before = {row.fd: row for row in self._told.get(seen.name, ())} | self._closed.get(seen.name, {})
        taken = {row.number for row in seen.descriptors}
        for fd, gone in before.items():
            if fd not in rows and fd in taken:
                continue  # what is open there now is no channel's end (epoll(7), io_uring(7)), but not closed either
            rows.setdefault(fd, Held(fd, gone.object, f"{gone.end.removesuffix(' closed')} closed"))
        return tuple(rows[fd] for fd in sorted(rows))

    def _other_ends(
        self, name: str, row: Descriptor, holders: dict[str, list[tuple[str, int, str]]]
    ) -> tuple[tuple[str, int], ...]:
        """Who holds the other end: the peer's of a socket; readers of a writer's and the reverse; else all others."""
        peer = self._peers.get(row.target) or self._towards.get(row.target)
        if peer is not None:
            return tuple((other, fd) for other, fd, _ in holders.get(peer, ()))
        same = holders.get(row.target, ())
        if row.access in ("read", "write"):
            return tuple((other, fd) for other, fd, access in same if access != row.access)
        return tuple((other, fd) for other, fd, _ in same if other != name)

    def _note_closed(self, seen: Sequence[Seen]) -> None:
        """Remember ends that were closed before anybody looked: a program closes what it does not use at once.

        By the counts, which are whole; which end it was is told by whoever has the same number still open.
        """
        ends = {(row.target, row.number): row.access for rows in self._tables.values() for row in rows}
        for each in seen:
            for count in each.counters.calls if each.counters is not None else ():
                if count.name != "close" or count.fd is None or count.object is None or "[" not in count.object:
                    continue  # what is opened by a name has in each process a number of its own
                end = ends.get((count.object, count.fd))
                if end is not None:
                    closed = self._closed.setdefault(each.name, {})
                    closed.setdefault(count.fd, Held(count.fd, count.object, f"{end} closed"))
