"""The ordinary pipe as the laboratory knows it: variants, parameters and limits, and how a pipe is looked at."""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.kernel import libc
from ipctui.kernel.own import lift
from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Reason, Seen, Sleep, Variant
from ipctui.lab.parameters import Parameter, UsageError, number
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Counters, Item, Record, State
from ipctui.trace.text import grouped, readable
from ipctui.worker.messages import END, envelope

PAGE = mmap.PAGESIZE
PIPE_BUF = 4096
"""The largest write that is never torn apart (PIPE_BUF, limits.h; pipe(7)): 4,096 bytes on Linux."""

_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032  # include/uapi/linux/fcntl.h
_HEADER_ROOM = 24
_SHOWN_ITEMS = 24
_SHOWN_HEAD = 256
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_VARIANTS = (
    Variant("one-way", "parent writes, child reads; each closes the end it does not use", ("parent", "child")),
    Variant(
        "two-way",
        "two pipes: a message there, an answer back",
        ("parent", "child"),
    ),
    Variant(
        "forgotten-end",
        "the child keeps its write end open: end of file never comes",
        ("parent", "child"),
        {"messages": 20},
    ),
    Variant(
        "deadlock",
        "two pipes, and both write more than fits before they read",
        ("parent", "child"),
        {"size": 10000, "rate": 2.0},
    ),
    Variant(
        "many-writers",
        "several children write into one pipe: whole up to PIPE_BUF, torn above it",
        ("parent", "child"),
        {"size": 6000, "rate": 0.0, "read_size": 1000},
    ),
    Variant(
        "packets",
        "O_DIRECT: each message takes a slot, and exactly as many fit as there are slots",
        ("parent", "child"),
        {"capacity": 4 * PAGE},
    ),
)


def _system_limit() -> tuple[int, str]:
    """The largest capacity that this user may ask for, and where that is written."""
    try:
        return int(Path("/proc/sys/fs/pipe-max-size").read_text()), "/proc/sys/fs/pipe-max-size"
    except (OSError, ValueError):
        return 1 << 20, "the kernel's default of pipe-max-size"


class Pipe:
    """The ordinary (anonymous) pipe: pipe(2), fork(2), read(2), write(2), close(2) in a parent and its child."""

    name = "pipe"
    title = "ordinary pipe"
    about = "a byte stream between a process and those it forked"
    variants = _VARIANTS
    commands = ("capacity",)

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the capacity's limit is the system's."""
        most, origin = _system_limit()
        largest = 16 << 20
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, largest, "bytes", "the laboratory's own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter(
                "capacity", PAGE, "bytes that the pipe holds when every slot is full", PAGE, most, "bytes", origin
            ),
            Parameter("read_size", 65536, "bytes that a read asks for", 1, largest, "bytes"),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter("producers", 2, "writing children (many-writers)", 1, 12),
            Parameter(
                "sigpipe",
                "default",
                "what a write to a pipe without reader does: kill the writer, or fail with EPIPE",
                choices=("default", "ignore"),
            ),
            Parameter(
                "start",
                "running",
                "whether the workers begin held, before their first call",
                choices=("running", "held"),
            ),
        )

    def unavailable(self) -> str | None:
        """Pipes are everywhere, but the laboratory's grip on them needs Linux."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """Torn messages can be told only where a message has room for its sender's name."""
        if variant.name == "many-writers" and values["size"] < _HEADER_ROOM:
            raise UsageError(
                f"size={values['size']}: many-writers needs {_HEADER_ROOM} bytes or more, room for the sender's name"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """The seats and programs of a variant."""
        rate = float(values["rate"])
        reader = self._seat("child", "child", "b", 0.0, sends=False)
        trees: dict[str, tuple[PlannedSeat, ...]] = {
            "one-way": (self._seat("parent", "parent", "a", rate), reader),
            "packets": (self._seat("parent", "parent_packets", "a", rate), reader),
            "forgotten-end": (
                self._seat("parent", "parent_of_forgetful", "a", rate),
                self._seat("child", "forgetful_child", "b", 0.0, sends=False),
            ),
            "two-way": (
                self._seat("parent", "parent_two_way", "a", rate),
                self._seat("child", "child_two_way", "b", 0.0, paced="read"),
            ),
            "deadlock": (
                self._seat("parent", "parent_deadlock", "a", rate),
                self._seat("child", "child_deadlock", "b", rate),
            ),
            "many-writers": (
                self._seat("parent", "reading_parent", "a", 0.0, sends=False),
                *(
                    self._seat(
                        f"child{place}" if values["producers"] > 1 else "child",
                        "writing_child",
                        _LETTERS[place % 26],
                        rate,
                    )
                    for place in range(1, values["producers"] + 1)
                ),
            ),
        }
        many = variant.name == "many-writers"
        return Plan(
            module="ipctui.mechanisms.pipe.program",
            trees=(trees[variant.name],),
            given={name: values[name] for name in ("capacity", "read_size", "producers", "sigpipe")},
            limit=values["messages"],
            pieces=many,
            adopts="write_messages" if many else "",
            no_more="" if many else "an end of a pipe can only be inherited, and the program forks one child",
        )

    @staticmethod
    def _seat(
        role: str, program: str, letter: str, rate: float, sends: bool = True, paced: str | None = None
    ) -> PlannedSeat:
        return PlannedSeat(role, program, letter, (paced or ("write" if sends else "read"),), rate, sends)

    def observer(self, plan: Plan) -> Observer:
        """A looker into the session's pipes."""
        return Looker()

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers how often each process was blocked, and the largest part of a message that stood half written."""
        blocked = dict(facts.get("blocked", {}))
        half = facts.get("half_written", 0)
        changed = False
        for record in records:
            if isinstance(record, State) and record.state == "blocked":
                changed = True
                name = record.before.name if record.before is not None else "?"
                place = f"{record.process} {name}"
                blocked[place] = blocked.get(place, 0) + 1
                if record.progress is not None:
                    half = max(half, record.progress[0])
        return {**facts, "blocked": blocked, "half_written": half} if changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages sent, received, whole and torn."""
        received = sum(count.received for count in counters.values())
        whole = sum(count.whole for count in counters.values())
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": received,
            "torn_messages": received - whole,
            "half_written_bytes": facts.get("half_written", 0),
        }


CHANNEL = Pipe()


class Looker:
    """Looks into the pipes of a session through the read end of whoever holds one."""

    def __init__(self) -> None:
        self._observer = PipeObserver()
        self._seen: dict[str, ChannelRecord] = {}
        self._views: dict[str, PipeView] = {}
        self._parsed: dict[str, tuple[bytes, int, tuple[Item, ...], Item | None]] = {}

    def close(self) -> None:
        """Close the scratch pipe."""
        self._observer.close()

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every pipe that a worker holds, if anything about it changed, and those that vanished."""
        found: dict[str, tuple[Seen, int, bool]] = {}
        readers: dict[str, list[str]] = {}
        writers: dict[str, list[str]] = {}
        packets: set[str] = set()
        for seen in processes:
            for row in seen.descriptors:
                if row.kind != "pipe":
                    continue
                reads = row.access == "read"
                if row.target not in found or (reads and not found[row.target][2]):
                    found[row.target] = (seen, row.number, reads)
                holders = readers if reads else writers
                if seen.role not in holders.setdefault(row.target, []):
                    holders[row.target].append(seen.role)
                if row.packets:
                    packets.add(row.target)
        records = []
        for place in list(dict.fromkeys([*self._seen, *found])):
            if place in found:
                seen, fd, _ = found[place]
                view = self._observer.observe(seen.pid, fd, seen.pidfd if seen.pidfd >= 0 else None)
                for name, access in outsiders.get(place, {}).items():
                    (readers if access == "read" else writers).setdefault(place, []).append(name)
                record = self._record(
                    t, place, view, tuple(readers.get(place, ())), tuple(writers.get(place, ())), place in packets
                )
            else:
                record = ChannelRecord(t, place, closed=True)
            if not _same(record, self._seen.get(place)):
                records.append(record)
                self._seen[place] = record
        for record in records:
            if record.closed:
                self._seen.pop(record.object)
                self._views.pop(record.object, None)
                self._parsed.pop(record.object, None)
        return records

    def _record(
        self,
        t: int,
        place: str,
        view: PipeView,
        readers: tuple[str, ...],
        writers: tuple[str, ...],
        packets: bool,
    ) -> ChannelRecord:
        self._views[place] = view
        count, items, last = self._items(place, view)
        return ChannelRecord(
            t,
            place,
            used=view.used,
            capacity=view.capacity,
            slots=view.slots,
            slots_used=view.slots_used,
            packets=packets,
            readers=readers,
            writers=writers,
            items=items,
            last=last,
            count=count,
            head=view.contents[:_SHOWN_HEAD].hex() if view.contents else "",
            method=view.method,
            refused=view.refused,
        )

    def _items(self, place: str, view: PipeView) -> tuple[int | None, tuple[Item, ...], Item | None]:
        if view.contents is None:
            return None, (), None
        parsed = self._parsed.get(place)
        if parsed is None or parsed[0] != view.contents:
            pieces = view.contents.split(END)
            ends = len(pieces) - 1
            if not pieces[-1]:
                pieces.pop()
            shown = tuple(_item(piece, index < ends) for index, piece in enumerate(pieces[:_SHOWN_ITEMS]))
            last = _item(pieces[-1], len(pieces) <= ends) if len(pieces) > 1 else None
            parsed = (view.contents, len(pieces), shown, last)
            self._parsed[place] = parsed
        return parsed[1], parsed[2], parsed[3]

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a read, write or waitpid sleeps."""
        if sleep.name == "waitpid":
            return self._explain_wait(sleep, processes)
        view = self._views.get(sleep.object or "")
        others = {"read": "write", "write": "read"}.get(sleep.name)
        if view is None or others is None or sleep.object is None:
            return Reason(f"asleep in {sleep.name}; its object could not be looked at")
        peers = _holders(processes, sleep.object, others, sleep.role)
        own = [fd for role, fd in _holders(processes, sleep.object, others, "") if role == sleep.role]
        foreign = self._foreign(sleep.object, others)
        wakers = tuple(dict.fromkeys(role for role, _ in peers))
        if sleep.name == "write":
            return self._explain_write(sleep, view, processes, peers, own, wakers)
        if not peers and not foreign and own:
            return Reason(
                f"pipe empty; no end of file while {sleep.role} itself holds the write end, descriptor {own[0]}",
                f"nothing but closing descriptor {own[0]} of {sleep.role}",
            )
        whom = _names(peers)
        return Reason("pipe empty", f"a write by {whom}, or the close of the last write end", wakers)

    def _explain_write(
        self,
        sleep: Sleep,
        view: PipeView,
        processes: Sequence[Seen],
        peers: list[tuple[str, int]],
        own: list[int],
        wakers: tuple[str, ...],
    ) -> Reason:
        size = sleep.call.args[2] if sleep.call.name == "write" else None
        progress = self._progress(sleep, view, processes, size)
        waker = (
            f"a read by {_names(peers)}"
            if peers
            else f"nothing: only {sleep.role} itself could read, descriptor {own[0]}"
            if own
            else None
        )
        return Reason(_full(view, size), waker, wakers, progress)

    def _progress(
        self, sleep: Sleep, view: PipeView, processes: Sequence[Seen], size: int | None
    ) -> tuple[int, int] | None:
        """How much of a write in flight is in the pipe: what went in less what earlier writes put there."""
        if size is None or view.used is None or size <= PIPE_BUF:
            return None
        written = read = 0
        writers = 0
        for seen in processes:
            if seen.counters is None:
                return None
            for count in seen.counters.calls:
                if count.object == sleep.object and count.name == "write":
                    written += count.bytes
                    writers += 1
                elif count.object == sleep.object and count.name == "read":
                    read += count.bytes
        done = read + view.used - written
        return (done, size) if writers <= 1 and 0 < done <= size else None

    @staticmethod
    def _explain_wait(sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        others = tuple(seen.role for seen in processes if seen.role != sleep.role)
        if len(others) == 1:
            return Reason(f"{others[0]} has not ended", f"the end of {others[0]}", others)
        whom = " or ".join(others) or "a child"
        return Reason("none of its children has ended", f"the end of {whom}", others)

    def _foreign(self, place: str, access: str) -> tuple[str, ...]:
        record = self._seen.get(place)
        if record is None:
            return ()
        holders = record.writers if access == "write" else record.readers
        return tuple(name for name in holders if name.startswith("pid "))

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`capacity N`: F_SETPIPE_SZ on every pipe of the session."""
        if not words or words[0] != "capacity":
            return None
        most, origin = _system_limit()
        wanted = number(words[1], whole=True) if len(words) == 2 else None
        if wanted is None or not PAGE <= wanted <= most:
            raise UsageError(f"capacity: a whole number from {PAGE:,} to {most:,} bytes ({origin})")
        got: dict[str, int] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "pipe" and row.target not in got:
                    got[row.target] = _set_capacity(seen, row.number, int(wanted))
        if not got:
            raise UsageError("capacity: no worker holds a pipe any more; r restarts the lab")
        return ", ".join(f"{place} now {grouped(size)} bytes" for place, size in got.items())


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
        if isinstance(error, BlockingIOError) or error.errno == 16:
            raise UsageError(
                f"capacity: EBUSY, what the pipe holds does not fit into {grouped(wanted)} bytes"
            ) from None
        raise UsageError(f"capacity: {error.strerror} for {grouped(wanted)} bytes") from None
    finally:
        os.close(copy)


def _holders(processes: Sequence[Seen], place: str, access: str, but: str) -> list[tuple[str, int]]:
    return [
        (seen.role, row.number)
        for seen in processes
        for row in seen.descriptors
        if row.target == place and row.access == access and seen.role != but
    ]


def _names(peers: Sequence[tuple[str, int]]) -> str:
    return " or ".join(f"{role} ({fd})" for role, fd in peers[:3]) or "nobody: no other end is open"


def _full(view: PipeView, size: int | None) -> str:
    """Why there is no room: a pipe fills by slots of a page, so it can be full long before its bytes are."""
    if view.used is None or view.capacity is None or view.slots is None:
        return f"no room in the pipe; its fill could not be read: {view.refused}"
    slots = f"{view.slots_used if view.slots_used is not None else '?'} of {view.slots} slots"
    fill = f"{grouped(view.used)} of {grouped(view.capacity)} bytes"
    if view.slots_used != view.slots:
        return f"no room for {grouped(size or 0)} bytes ({fill}, {slots} when it was looked at)"
    if view.used == view.capacity:
        return f"pipe full: no free slot ({fill}, {slots})"
    why = "each packet takes one" if view.packets is not None else "a message fits behind none"
    return f"pipe full: no free slot at {fill}: {slots} are taken, {why}"


def _item(piece: bytes, ended: bool) -> Item:
    head = envelope(piece)
    text = readable(piece, 48)
    return Item(head.id if head is not None else None, text, len(piece) + (1 if ended else 0))


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    if before is None:
        return record.closed
    return all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
