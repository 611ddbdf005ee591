"""The live side of shared memory: the segment's bytes, who has it mapped where, and the semaphores beside it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from ipctui.kernel import libc
from ipctui.kernel.shared_memory import (
    FOLDER,
    SegmentFile,
    SegmentStat,
    mappings,
    parse_mutex,
    write_word,
)
from ipctui.kernel.shared_memory import (
    Mapping as Mapped,
)
from ipctui.lab.channel import Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, unknown
from ipctui.mechanisms.shm.facts import word_stores
from ipctui.mechanisms.shm.locks import Locks
from ipctui.mechanisms.shm.strangers import Strangers
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Item
from ipctui.trace.text import readable
from ipctui.worker import names
from ipctui.worker.messages import envelope
from ipctui.worker.places import MUTEX, WORD, Layout

_HEAD = 2048
"""Bytes of the segment that a record carries."""
_MAPS_EVERY = 1_000_000_000
_WORD = struct.Struct("=q")
_MAPS_CALLS = frozenset({"mmap", "munmap", "shm_open"})


class Looker:
    """Looks at one session's segment and semaphores.

    Args:
        given: What the programs were given.
        layout: What lies where in the segment.
    """

    def __init__(self, given: SimpleNamespace, layout: Layout) -> None:
        self._given = given
        self._layout = layout
        self._path = f"{FOLDER}{given.name}"
        self._file = SegmentFile(self._path)
        self._locks = Locks(given)
        self._said: dict[str, ChannelRecord] = {}
        self._own: set[tuple[int, int]] = set()
        self._bytes = b""
        self._written: dict[int, tuple[int, int]] = {}
        self._mapped: dict[str, list[Mapped]] = {}
        self._strangers: dict[str, list[Mapped]] = {}
        self._maps_at = -_MAPS_EVERY
        self._everybody = Strangers()
        self._maps_count = -1
        self._stores: dict[str, int] = {}
        self._race: tuple[int, dict[str, int]] = (0, {})
        self._base = self._number("counter") if given.joined and self._file.open() else 0

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        self._locks.close()

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """The segment and each semaphore, if anything about it changed."""
        found = self._segment(t, processes)
        records = [] if found is None else [found]
        records += self._locks.sample(t, processes)
        changed = [record for record in records if not _same(record, self._said.get(record.object))]
        for record in changed:
            self._said[record.object] = record
        return changed

    # The segment.

    def _segment(self, t: int, processes: Sequence[Seen]) -> ChannelRecord | None:
        self._own |= {
            row.inode
            for seen in processes
            for row in seen.descriptors
            if row.target == self._path and row.inode is not None
        }
        if not self._file.open(self._descriptor(processes)):
            return None
        stat = self._file.stat()
        assert stat is not None
        data = self._file.read(max(self._layout.size, 1))
        self._note_written(t, data)
        self._find_mappings(t, processes, stat)
        facts: dict[str, Any] = {
            "size": stat.size,
            "needed": self._layout.size,
            "resident": stat.resident,
            "inode": stat.inode[1],
            "mode": stat.mode,
            "uid": stat.uid,
            "links": stat.links,
            "replaced": stat.links == 0 and self._file.named() is not None,
            "joined": bool(self._given.joined),
            "layout": self._places,
            "fresh": [[offset, size, at] for offset, (size, at) in sorted(self._written.items())],
            "mapped": self._mapped_rows(processes),
        }
        facts |= self._words(processes)
        record = ChannelRecord(
            t,
            self._path,
            head=data[:_HEAD].hex(),
            method="pread",
            type="shm",
            readers=tuple(seen.name for seen in processes if self._mapped.get(seen.name)),
            refused=self._refused(stat),
            facts=facts,
        )
        return self._with_ring(record, data) if self._layout.slots > 1 else record

    def _descriptor(self, processes: Sequence[Seen]) -> tuple[int, int] | None:
        """A worker's descriptor of the segment, for when its name was gone before anybody looked."""
        for seen in processes:
            for row in seen.descriptors:
                if row.target.removesuffix(" (deleted)") == self._path:
                    return seen.pid, row.number
        return None

    def _refused(self, stat: SegmentStat) -> str | None:
        if stat.size < self._layout.size:
            return (
                f"the file has {stat.size:,} bytes, the mappings {self._layout.size:,}: "
                "who touches a page past its end is killed by SIGBUS"
            )
        return None

    @cached_property
    def _places(self) -> list[list[Any]]:
        """[name, offset, bytes] of every word and mutex, then of the slots."""
        layout = self._layout
        rows: list[list[Any]] = [[name.rstrip("_"), layout.word_at(name), WORD] for name in layout.words]
        rows += [[name, layout.mutex_at(name), MUTEX] for name in layout.mutexes]
        rows += [[f"slot {number}", layout.slot_at(number), layout.stride] for number in range(layout.slots)]
        return rows

    def _note_written(self, t: int, data: bytes) -> None:
        """Remember which places hold other bytes than at the last look, and when that was seen."""
        before = self._bytes
        if data == before:
            return
        self._bytes = data
        if not before:
            return
        for _, offset, size in self._places:
            old, new = before[offset : offset + size], data[offset : offset + size]
            if old != new:
                last = max((at for at in range(min(len(old), len(new))) if old[at] != new[at]), default=0)
                self._written[offset] = (max(last + 1, WORD), t)

    def _number(self, name: str, data: bytes | None = None) -> int:
        """A word of the segment; 0 where the file does not reach so far."""
        if name not in self._layout.words:
            return 0
        at = self._layout.word_at(name)
        raw = data[at : at + WORD] if data is not None else self._file.read(WORD, at)
        return int(_WORD.unpack(raw)[0]) if len(raw) == WORD else 0

    def _with_ring(self, record: ChannelRecord, data: bytes) -> ChannelRecord:
        """The buffer's messages from `out` on, and its fill."""
        slots = self._layout.slots
        into, out = self._number("in_", data) % slots, self._number("out", data) % slots
        used = (into - out) % slots
        items = [self._item(data, (out + step) % slots) for step in range(used)]
        return replace(
            record,
            used=used,
            capacity=slots - 1,
            unit="slots",
            slots=slots,
            slots_used=used,
            items=tuple(items),
            count=used,
            last=items[-1] if len(items) > 1 else None,
            facts={**record.facts, "in": into, "out": out},
        )

    def _item(self, data: bytes, slot: int) -> Item:
        at = self._layout.slot_at(slot)
        raw = data[at : at + self._layout.stride]
        size = int(_WORD.unpack(raw[:WORD])[0]) if len(raw) >= WORD else 0
        body = raw[WORD : WORD + min(max(size, 0), self._layout.slot_size)]
        head = envelope(body)
        return Item(head.id if head is not None else None, readable(body, 48), len(body))

    def _words(self, processes: Sequence[Seen]) -> dict[str, Any]:
        """What the variant's own words say."""
        data = self._bytes
        if self._given.variant == "race":
            at = self._layout.slot_at(0)
            for seen in processes:
                if seen.counters is not None:
                    self._stores[str(seen.pid)] = word_stores(seen.counters.calls, self._path)
            now = (self._number("counter", data), dict(self._stores))
            still, self._race = now == self._race, now
            return {
                "counter": now[0],
                "base": self._base,
                "stores": now[1],
                "still": still,
                "lock": data[at + WORD : at + WORD + 3].rstrip(b"\0") == b"on",
            }
        if self._given.variant == "private":
            return {"views": self._views(processes)}
        if self._given.variant == "dead-owner":
            mutex = parse_mutex(data[self._layout.mutex_at("mutex") :])
            return {
                "work": self._number("work", data),
                "steps": self._given.steps,
                "mutex_owner": mutex.owner if mutex is not None else 0,
                "mutex_died": mutex.owner_died if mutex is not None else False,
            }
        return {}

    def _views(self, processes: Sequence[Seen]) -> dict[str, list[int]]:
        """Both words as each process has them at its own address (process_vm_readv(2))."""
        views = {}
        for seen in processes:
            for mapping in self._mapped.get(seen.name, ())[:1]:
                try:
                    raw = libc.process_vm_readv(seen.pid, mapping.start, self._layout.size)
                except OSError:
                    continue
                views[seen.name] = [self._number(name, raw) for name in self._layout.words]
        return views

    # Who has it mapped.

    def _find_mappings(self, t: int, processes: Sequence[Seen], stat: SegmentStat) -> None:
        """Read /proc/PID/maps anew after a call that changes one, and every second; strangers' a few at a time."""
        self._strangers = self._everybody.look(t, stat.inode, {seen.pid for seen in processes})
        count = sum(
            row.calls
            for seen in processes
            for row in (seen.counters.calls if seen.counters is not None else ())
            if row.name in _MAPS_CALLS
        )
        count += sum(seen.pid for seen in processes)
        if count == self._maps_count and t - self._maps_at < _MAPS_EVERY:
            return
        self._maps_count, self._maps_at = count, t
        self._mapped = {seen.name: mappings(seen.pid, {stat.inode}) for seen in processes}

    def _mapped_rows(self, processes: Sequence[Seen]) -> list[dict[str, Any]]:
        pids = {seen.name: seen.pid for seen in processes}
        found = {seen.name: self._mapped.get(seen.name, []) for seen in processes} | self._strangers
        return [
            {
                "process": name,
                "pid": pids.get(name, 0),
                "start": mapping.start,
                "end": mapping.end,
                "permissions": mapping.permissions,
            }
            for name, lines in found.items()
            for mapping in lines
        ]

    def ready(self, anew: bool) -> None:
        """Refuse to start a process that would take a stranger's segment for the session's, and set its size."""
        there = self._file.named()
        if not anew and not self._given.joined and there is not None and self._own and there not in self._own:
            raise UsageError(
                f"another segment has the name {self._path} now, and who starts would take it for this one; "
                "rm it, or r begins anew"
            )

    # Sleep, and commands.

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a wait for a semaphore or mutex sleeps."""
        if sleep.name == "pthread_mutex_lock":
            mutex = parse_mutex(self._bytes[self._layout.mutex_at("mutex") :]) if self._layout.mutexes else None
            owner = next((seen.name for seen in processes if mutex is not None and seen.pid == mutex.owner), None)
            if owner is None:
                return Reason("the mutex is taken")
            return Reason(f"the mutex belongs to {owner}", f"pthread_mutex_unlock by {owner}, or its death", (owner,))
        return self._locks.explain(sleep, processes)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`unlink`, `lock on|off`, `post`."""
        match list(words):
            case ["unlink", *rest]:
                if rest:
                    raise UsageError("unlink: there is one segment; write: unlink")
                return self._unlink()
            case ["lock", *rest]:
                return self._switch(rest)
            case ["post", *rest]:
                return self._locks.post(rest)
        return None

    def _unlink(self) -> str:
        if self._given.joined:
            raise UsageError(f"unlink: {self._given.name} was there before this session: it is joined, never unlinked")
        try:
            gone = names.remove("shm", self._given.name)
        except OSError as error:
            raise UsageError(f"unlink: {self._path}: {error.strerror}") from None
        if not gone:
            raise UsageError(f"unlink: {self._path} has no name any more")
        return f"{self._path} is gone; the mappings live on"

    def _switch(self, rest: Sequence[str]) -> str:
        if self._given.variant != "race":
            raise UsageError("lock: only the variant race has this switch")
        if len(rest) != 1 or rest[0] not in ("on", "off"):
            raise UsageError(f"lock: {unknown('position', ' '.join(rest), ('on', 'off'))}")
        at = self._layout.slot_at(0)
        text = rest[0].encode()
        stat = self._file.stat()
        if stat is None or stat.links == 0 or self._file.named() != stat.inode:
            raise UsageError("lock: the segment has no name any more, by which the switch could be reached; r restarts")
        try:
            # The bytes first, for the length is what makes them a message.
            write_word(self._path, at + WORD, text.ljust(WORD, b"\0"))
            write_word(self._path, at, _WORD.pack(len(text)))
        except OSError as error:
            raise UsageError(f"lock: {self._path}: {error.strerror}") from None
        return f"lock {rest[0]}"


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    if before is None:
        return False
    return replace(record, t=before.t) == before
