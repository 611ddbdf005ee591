"""How the pipes of a session are looked at: through an end that somebody holds, closed again at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.lab.channel import Reason, Seen, Sleep
from ipctui.lab.streams import Contents, half_written, holders, messages_in, named, set_capacities, why_full
from ipctui.trace.records import Channel as ChannelRecord

_SHOWN_HEAD = 256
_OTHER = {"read": "write", "write": "read"}


class Looker:
    """Looks into the pipes of a session through the read end of whoever holds one."""

    def __init__(self) -> None:
        self._observer = PipeObserver()
        self._seen: dict[str, ChannelRecord] = {}
        self._views: dict[str, PipeView] = {}
        self._parsed: dict[str, tuple[bytes, Contents]] = {}

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
        count, items, last = self._contents(place, view)
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

    def _contents(self, place: str, view: PipeView) -> Contents:
        parsed = self._parsed.get(place)
        if view.contents is None:
            return None, (), None
        if parsed is None or parsed[0] != view.contents:
            parsed = self._parsed[place] = (view.contents, messages_in(view.contents))
        return parsed[1]

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a read, write or waitpid sleeps."""
        if sleep.name == "waitpid":
            return self._explain_wait(sleep, processes)
        view, place = self._views.get(sleep.object or ""), sleep.object
        if view is None or sleep.name not in _OTHER or place is None:
            return Reason(f"asleep in {sleep.name}; its object could not be looked at")
        everyone = holders(processes, (place,), _OTHER[sleep.name])
        peers = [(role, fd) for role, fd in everyone if role != sleep.role]
        own = [fd for role, fd in everyone if role == sleep.role]
        wakers = tuple(dict.fromkeys(role for role, _ in peers))
        foreign = self._foreign(place, _OTHER[sleep.name])
        whom = " or ".join((*([named(peers)] if peers else []), *foreign))
        if sleep.name == "write":
            size = sleep.call.args[2] if sleep.call.name == "write" else None
            alone = f"nothing: only {sleep.role} itself could read, descriptor {own[0]}" if own else None
            waker = f"a read by {whom}" if whom else alone
            return Reason(f"pipe {why_full(view, size)}", waker, wakers, half_written(place, view, processes, size))
        if own and not whom:
            return Reason(
                f"pipe empty; no end of file while {sleep.role} itself holds the write end, descriptor {own[0]}",
                f"nothing but closing descriptor {own[0]} of {sleep.role}",
            )
        by = whom or "nobody: no other end is open"
        return Reason("pipe empty", f"a write by {by}, or the close of the last write end", wakers)

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
        ends = ((seen, row) for seen in processes for row in seen.descriptors if row.kind == "pipe")
        return set_capacities(words[1:], ends, "no worker holds a pipe any more; r restarts the lab")


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    if before is None:
        return record.closed
    return all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
