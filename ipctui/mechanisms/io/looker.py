"""How this mechanism's objects are looked at: every pipe by tee(2), and the helper threads of POSIX AIO in /proc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ipctui.kernel.pipes import PipeObserver, PipeView
from ipctui.kernel.threads import threads
from ipctui.lab.channel import Reason, Seen, Sleep
from ipctui.lab.streams import holders, messages_in, named, why_full
from ipctui.trace.records import Channel as ChannelRecord

_SHOWN_HEAD = 256
_THREADS_EVERY = 200_000_000


class Looker:
    """Looks into the session's pipes, through the read end of whoever holds one, and at helper threads."""

    def __init__(self) -> None:
        self._observer = PipeObserver()
        self._seen: dict[str, ChannelRecord] = {}
        self._views: dict[str, PipeView] = {}
        self._threads_at = -_THREADS_EVERY

    def close(self) -> None:
        """Close the scratch pipe."""
        self._observer.close()

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """Every pipe, and the threads of everybody who reads by POSIX AIO, where anything changed."""
        found = self._pipes(t, processes, outsiders)
        if t - self._threads_at >= _THREADS_EVERY:
            self._threads_at = t
            found |= {record.object: record for each in processes if (record := _helpers(t, each)) is not None}
        else:
            found |= {place: held for place, held in self._seen.items() if held.type == "threads"}
        living = {f"threads:[{each.pid}]" for each in processes}
        records = []
        for place, record in found.items():
            before = self._seen.get(place)
            if before is None or replace(record, t=before.t) != before:
                self._seen[place] = record
                records.append(record)
        for place in [place for place in self._seen if place not in found and place not in living]:
            gone = self._seen.pop(place)
            self._views.pop(place, None)
            records.append(ChannelRecord(t, place, closed=True, type=gone.type, cell=gone.cell))
        return records

    def _pipes(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> dict[str, ChannelRecord]:
        through: dict[str, tuple[Seen, int, str]] = {}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "pipe" and (row.target not in through or row.access == "read"):
                    through[row.target] = (seen, row.number, row.access)
        return {
            place: self._pipe(t, place, seen, fd, processes, outsiders.get(place, {}))
            for place, (seen, fd, _) in through.items()
        }

    def _pipe(
        self, t: int, place: str, seen: Seen, fd: int, processes: Sequence[Seen], outside: Mapping[str, str]
    ) -> ChannelRecord:
        view = self._observer.observe(seen.pid, fd, seen.pidfd if seen.pidfd >= 0 else None)
        self._views[place] = view
        count, items, last = messages_in(view.contents)
        readers, writers = (
            tuple(
                dict.fromkeys(
                    [
                        *(name for name, _ in holders(processes, {place}, access)),
                        *(name for name, theirs in outside.items() if theirs == access),
                    ]
                )
            )
            for access in ("read", "write")
        )
        return ChannelRecord(
            t,
            place,
            used=view.used,
            capacity=view.capacity,
            slots=view.slots,
            slots_used=view.slots_used,
            readers=readers,
            writers=writers,
            items=items,
            last=last,
            count=count,
            head=view.contents[:_SHOWN_HEAD].hex() if view.contents else "",
            method=view.method,
            refused=view.refused,
            type="pipe",
            cell=seen.cell,
        )

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a collector or a producer sleeps."""
        if sleep.name == "epoll_wait":
            mine = [seen for seen in processes if seen.cell == sleep.cell and seen.role != sleep.role]
            wakers = tuple(seen.name for seen in mine)
            whom = " or ".join(seen.role for seen in mine) or "nobody"
            return Reason("no descriptor of its set is ready", f"a write by {whom}", wakers)
        place = sleep.object or ""
        view = self._views.get(place)
        other = {"read": "write", "write": "read"}.get(sleep.name)
        if view is None or other is None:
            return Reason(f"asleep in {sleep.name}; its object could not be looked at")
        peers = holders(processes, {place}, other)
        whom = named([(name.rpartition("/")[2], fd) for name, fd in peers]) or "nobody: no other end is open"
        wakers = tuple(dict.fromkeys(name for name, _ in peers))
        if sleep.name == "write":
            size = sleep.call.args[2] if sleep.call.name == "write" else None
            return Reason(f"pipe {why_full(view, size)}", f"a read by {whom}", wakers)
        return Reason("this pipe is empty", f"a write by {whom}, or its close", wakers)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """It has no commands of its own."""
        return None


def _helpers(t: int, seen: Seen) -> ChannelRecord | None:
    """The helper threads of a process that reads by POSIX AIO: not its main thread, nor the laboratory's own."""
    if seen.counters is None or not any(count.name == "aio_read" for count in seen.counters.calls):
        return None
    helpers = [
        {"tid": each.tid, "name": each.name, "letter": each.letter, "call": each.call, "fd": each.fd}
        for each in threads(seen.pid)
        # The control thread waits in poll(2) and reads no pipe.
        if each.tid != seen.pid and each.call not in ("poll", "ppoll")
    ]
    return ChannelRecord(
        t,
        f"threads:[{seen.pid}]",
        used=len(helpers),
        unit="threads",
        name=seen.name,
        type="threads",
        facts={"threads": helpers},
        cell=seen.cell,
    )
