"""The live side of the cells: what stands offered, lies in a mailbox or a pipe, or fills a growing queue."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipctui.kernel import mqueue, semaphore_sets
from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.kernel.shared_memory import FOLDER, SegmentFile, free_bytes
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.streams import half_written, messages_in, why_full
from ipctui.mechanisms.sync.carriers import PAGE
from ipctui.trace.records import Channel, Item
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import envelope
from ipctui.worker.places import LINE, WORD

_WORD = struct.Struct("=q")
_MOST_ITEMS = 8
_OFFERED, _BUSY = 0, 1
_FREE_EVERY = 1_000_000_000
_HEAD = 512
_SLOT_HEAD = 128
"""Bytes of a stream, and of a place for one message, that a record carries."""


class Looker:
    """Looks at the channels of a session's cells; receives nothing, offers nothing."""

    def __init__(self, plan: Plan) -> None:
        self._given = plan.given
        self._cells: dict[str, dict[str, Any]] = dict(plan.given["cells"])
        self._said: dict[str, Channel] = {}
        self._files: dict[str, SegmentFile] = {}
        self._sets: dict[str, int] = {}
        self._pipes: PipeObserver | None = None
        self._views: dict[str, PipeView] = {}
        self._free: tuple[int, int | None] = (-_FREE_EVERY, None)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> Sequence[Channel]:
        """Every cell's channel, if anything about it changed."""
        changed = []
        for cell, mine in self._cells.items():
            inside = [seen for seen in processes if seen.cell == cell]
            record = self._record(t, cell, mine, inside)
            if record is not None and record != self._said.get(cell):
                self._said[cell] = record
                changed.append(replace(record, t=t))
        return changed

    def _record(self, t: int, cell: str, mine: Mapping[str, Any], inside: Sequence[Seen]) -> Channel | None:
        # Made without a time: what has not changed is not told again.
        look = {"zero": self._zero, "bounded": self._mailbox, "pipe": self._pipe, "unbounded": self._growing}
        record: Channel | None = look[mine["carrier"]](t, cell, mine, inside)
        if record is None:
            return None
        sender, receiver = mine["roles"]
        writers = tuple(seen.name for seen in inside if seen.role == sender)
        readers = tuple(seen.name for seen in inside if seen.role == receiver)
        return replace(record, t=0, cell=cell, writers=writers, readers=readers)

    # Zero capacity.

    def _zero(self, t: int, cell: str, mine: Mapping[str, Any], inside: Sequence[Seen]) -> Channel | None:
        identifier = self._sets.get(cell)
        if identifier is None:
            found = semaphore_sets.find(mine["key"])
            if found is None:
                return None
            identifier = self._sets[cell] = found
        view = semaphore_sets.look(identifier, 2)
        place = f"{FOLDER}{mine['segment']}"
        if view is None:
            del self._sets[cell]
            return Channel(t, place, type="rendezvous", capacity=0, refused="its semaphores are gone")
        offered = view.values[_OFFERED]
        raw = self._read(mine, 0, WORD + int(self._given["largest"])) if offered or view.values[_BUSY] else b""
        facts = {
            "semaphores": identifier,
            "receivers_asleep": view.growing[_OFFERED],
            "senders_asleep": sum(view.zero),
            "offered": offered,
            "busy": view.values[_BUSY],
            "unnamed": self._is_unnamed(mine),
        }
        return Channel(
            t,
            place,
            used=0,  # what stands offered is its sender's still
            capacity=0,
            unit="messages",
            items=_held(raw) if offered else (),
            count=0,
            head=_message(raw)[:_SLOT_HEAD].hex(),
            method="semctl",
            type="rendezvous",
            facts=facts,
        )

    def _slot(self, mine: Mapping[str, Any], offset: int, size: int) -> tuple[Item, ...]:
        """The message in a place of the segment; none where there is none, or it cannot be read."""
        return _held(self._read(mine, offset, size))

    def _read(self, mine: Mapping[str, Any], offset: int, size: int) -> bytes:
        file = self._file(mine)
        return file.read(size, offset) if file.open() else b""

    def _file(self, mine: Mapping[str, Any]) -> SegmentFile:
        place = f"{FOLDER}{mine['segment']}"
        return self._files.setdefault(place, SegmentFile(place))

    def _is_unnamed(self, mine: Mapping[str, Any]) -> bool:
        """Whether somebody has removed the segment's name, so that whoever opens it anew gets another."""
        file = self._file(mine)
        stat = file.stat() if file.open() else None
        return stat is not None and not stat.links

    # Bounded.

    def _mailbox(self, t: int, cell: str, mine: Mapping[str, Any], inside: Sequence[Seen]) -> Channel | None:
        queue = mqueue.find(mine["mailbox"])
        unnamed = queue is None
        if queue is None:
            # Its name is gone, or not there yet: whoever has it open still shows it.
            rows = ((seen, row) for seen in inside for row in seen.descriptors if row.kind == "mqueue")
            seen, row = next(rows, (None, None))
            if seen is None or row is None:
                return None
            queue = mqueue.observe(seen.pid, row.number, seen.pidfd)
        facts = {"message_size": queue.message_size, "bytes": queue.bytes, "unnamed": unnamed}
        return Channel(
            t,
            mine["mailbox"],
            used=queue.messages,
            capacity=queue.capacity,
            unit="messages",
            count=queue.messages,
            method=queue.method,
            refused=queue.refused,
            type="mqueue",
            facts=facts,
        )

    def _pipe(self, t: int, cell: str, mine: Mapping[str, Any], inside: Sequence[Seen]) -> Channel | None:
        ends = [(seen, row) for seen in inside for row in seen.descriptors if row.kind == "pipe"]
        # A read end shows what is in it, a write end the level alone.
        ends.sort(key=lambda end: end[1].access != "read")
        if not ends:
            return None
        seen, row = ends[0]
        if self._pipes is None:
            self._pipes = PipeObserver()
        view = self._views[cell] = self._pipes.observe(seen.pid, row.number, seen.pidfd)
        count, items, last = messages_in(view.contents)
        return Channel(
            t,
            row.target,
            used=view.used,
            capacity=view.capacity,
            slots=view.slots,
            slots_used=view.slots_used,
            items=items,
            last=last,
            count=count,
            head=view.contents[:_HEAD].hex() if view.contents is not None else "",
            method=view.method,
            refused=view.refused,
            type="pipe",
        )

    # Unbounded.

    def _growing(self, t: int, cell: str, mine: Mapping[str, Any], inside: Sequence[Seen]) -> Channel | None:
        raw = self._read(mine, 0, LINE + WORD)
        file = self._file(mine)
        stat = file.stat()
        if len(raw) < LINE + WORD or stat is None:
            return None
        put_in, taken_out = (int(_WORD.unpack_from(raw, at)[0]) for at in (0, LINE))
        used = max(0, put_in - taken_out)
        places = range(taken_out, taken_out + min(used, _MOST_ITEMS))
        facts = {
            "resident": stat.resident,
            "limit": int(self._given["most"]),
            "limit_bytes": int(self._given["pages"]) * PAGE,
            "free": self._free_bytes(t),
            "in": put_in,
            "out": taken_out,
            "unnamed": not stat.links,
        }
        oldest = _message(self._read(mine, self._place(taken_out), int(self._given["stride"]))) if used else b""
        items = tuple(item for at in places for item in self._slot(mine, self._place(at), int(self._given["stride"])))
        return Channel(
            t,
            file.path,
            used=used,
            unit="messages",
            items=items,
            last=next(iter(self._slot(mine, self._place(put_in - 1), int(self._given["stride"]))), None)
            if used
            else None,
            count=used,
            head=oldest[:_SLOT_HEAD].hex(),
            method="pread",
            type="growing",
            facts=facts,
        )

    def _place(self, at: int) -> int:
        page, place = divmod(at, int(self._given["in_page"]))
        return PAGE + page % int(self._given["pages"]) * PAGE + place * int(self._given["stride"])

    def _free_bytes(self, t: int) -> int | None:
        at, free = self._free
        if t - at >= _FREE_EVERY:
            # By the megabyte: every other process's file would make a record of its own.
            free = free_bytes()
            free = None if free is None else free >> 20 << 20
            self._free = t, free
        return free

    # Sleep.

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a send or a receive sleeps, by its cell's channel."""
        cell = sleep.cell or ""
        mine = self._cells.get(cell)
        if mine is None:
            return Reason(f"{sleep.name} waits")
        sender, receiver = (f"{cell}/{role}" for role in mine["roles"])
        living = {seen.name for seen in processes}
        if sleep.role == mine["roles"][1]:
            what = {
                "zero": "nobody offers a message",
                "bounded": "the mailbox is empty",
                "pipe": "the pipe is empty",
                "unbounded": "the queue is empty",
            }[mine["carrier"]]
            return _waits(what, "send", sender, living)
        if mine["carrier"] == "zero":
            said = self._said.get(cell)
            taken = said is not None and said.facts.get("busy")
            what = "the receiver is putting the message away" if taken else "no receiver has taken the message"
            return _waits(what, "receive", receiver, living)
        if mine["carrier"] == "pipe":
            return self._pipe_full(cell, sleep, receiver, living, processes)
        said = self._said.get(cell)
        full = f"the mailbox is full ({said.used} of {said.capacity} messages)" if said is not None else "it is full"
        return _waits(full, "receive", receiver, living)

    def _pipe_full(self, cell: str, sleep: Sleep, receiver: str, living: set[str], processes: Sequence[Seen]) -> Reason:
        view = self._views.get(cell)
        if view is None:
            return _waits("the pipe is full", "read", receiver, living)
        size = sleep.call.args[2] if len(sleep.call.args) > 2 else None
        inside = [seen for seen in processes if seen.cell == cell]
        progress = half_written(sleep.object, view, inside, size)
        return replace(_waits(why_full(view, size), "read", receiver, living), progress=progress)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """No commands of its own."""
        return None


def _waits(what: str, deed: str, peer: str, living: set[str]) -> Reason:
    if peer not in living:
        return Reason(f"{what}, and {peer} has ended", f"a {deed} by whoever takes {peer}'s place")
    return Reason(what, f"a {deed} by {peer}", (peer,))


def _message(raw: bytes) -> bytes:
    """The message that lies in a place: a length, then as many bytes (worker.places.Slot)."""
    return raw[WORD : WORD + max(0, int(_WORD.unpack_from(raw)[0]))] if len(raw) >= WORD else b""


def _held(raw: bytes) -> tuple[Item, ...]:
    body = _message(raw)
    return (_item(body),) if body else ()


def _item(body: bytes) -> Item:
    head = envelope(body)
    return Item(head.id if head is not None else None, readable(body, 48), len(body))


def level(channel: Channel) -> str:
    """How full a channel is, in a few words: `2 of 4`, `4,096 B of 4,096`, `1,204 (no limit)`."""
    unit = " B" if channel.unit == "bytes" else ""
    if channel.used is None:
        return "?"
    return f"{grouped(channel.used)}{unit}" + (f" of {grouped(channel.capacity)}" if channel.capacity else "")
