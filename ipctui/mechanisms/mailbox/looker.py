"""The live side of mailboxes: the queues as the kernel shows them, why somebody sleeps before one, and commands."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipctui.kernel import mqueue
from ipctui.kernel.mqueue import Queue
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, number, printable, unknown
from ipctui.mechanisms.mailbox.order import PATIENCE
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped

_DELETED = " (deleted)"
_AT_REST = PATIENCE + 50_000_000
_MEEKEST = 19


class Looker:
    """Looks at the queues of a session; receives nothing, and holds none open between two looks."""

    def __init__(self, plan: Plan) -> None:
        self._own = [name for kind, name in plan.names if kind == "mqueue"]
        self._main = [str(plan.given["mailbox"]), str(plan.given["outbox"])]
        self._joined = bool(plan.given["joined"])
        self._turn, self._places = (f"/dev/shm/sem.{str(plan.given[name])[1:]}" for name in ("turn", "places"))
        self._seen: dict[str, Channel] = {}
        self._queues: dict[str, Queue] = {}
        self._calls: dict[str, int] = {}
        self._moved: dict[str, int] = {}

    def close(self) -> None:
        """Nothing is held."""

    def sample(self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]) -> list[Channel]:
        """Every mailbox that a worker holds or that stays behind, if anything about it changed."""
        held = _held(processes)
        records = []
        for place in dict.fromkeys((*self._seen, *held, *self._main)):
            queue = self._look(place, held.get(place, ()))
            if queue is None:
                if place in self._seen:
                    records.append(Channel(t, place, type="mqueue", closed=True))
                    del self._seen[place]
                    self._queues.pop(place, None)
                continue
            record = self._record(t, place, queue, held.get(place, ()), processes, outsiders)
            if replace(record, t=0) != self._seen.get(place):
                records.append(record)
                self._seen[place] = replace(record, t=0)
        return records

    def _look(self, place: str, holders: Sequence[tuple[Seen, int, str, str]]) -> Queue | None:
        # A descriptor that can receive shows the bytes in it as well.
        for seen, fd, _, _ in sorted(holders, key=lambda holder: holder[2] == "write"):
            queue = mqueue.observe(seen.pid, fd, seen.pidfd)
            if queue.refused is None:
                return queue
        return mqueue.find(place) if place in self._main or place in self._seen else None

    def _record(
        self,
        t: int,
        place: str,
        queue: Queue,
        holders: Sequence[tuple[Seen, int, str, str]],
        processes: Sequence[Seen],
        outsiders: Mapping[str, Mapping[str, str]],
    ) -> Channel:
        readers = [seen.name for seen, _, access, _ in holders if access != "write"]
        writers = [seen.name for seen, _, access, _ in holders if access != "read"]
        for target in dict.fromkeys((place, *(target for _, _, _, target in holders))):
            for name, access in outsiders.get(target, {}).items():
                if access != "write":
                    readers.append(name)
                if access != "read":
                    writers.append(name)
        before, self._queues[place] = self._queues.get(place), queue
        calls = _calls(place, processes)
        if before is None or before.messages != queue.messages or calls != self._calls.get(place):
            self._moved[place] = t
        self._calls[place] = calls
        return Channel(
            t,
            place,
            used=queue.messages,
            capacity=queue.capacity,
            unit="messages",
            count=queue.messages,
            readers=tuple(dict.fromkeys(readers)),
            writers=tuple(dict.fromkeys(writers)),
            method=queue.method,
            refused=queue.refused,
            type="mqueue",
            facts={
                "bytes": queue.bytes,
                "message_size": queue.message_size,
                "uid": queue.uid,
                "mode": queue.mode,
                "notify": _name_of(queue.notify, processes),
                "unlinked": queue.unlinked,
                "joined": self._joined and place not in self._own,
                "nice": _niceness(holders),
                "quiet": t - self._moved[place] >= _AT_REST,
            },
        )

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a send, a receive or a wait for a semaphore sleeps."""
        place = (sleep.object or "").removesuffix(_DELETED)
        if sleep.name == "sem_wait":
            return self._explain_semaphore(sleep, processes)
        if sleep.name == "clock_nanosleep":
            return Reason("its own work, which a signal ends early", "the end of the time, or the signal")
        queue = self._queues.get(place)
        if sleep.name not in ("mq_send", "mq_receive") or queue is None:
            return Reason(f"asleep in {sleep.name}; its object could not be looked at")
        wanted = "read" if sleep.name == "mq_send" else "write"
        peers = tuple(
            seen.name
            for seen, _, access, _ in _held(processes).get(place, ())
            if access in (wanted, "read-write") and seen.name != sleep.role
        )
        record = self._seen.get(place)
        holders = () if record is None else record.readers if wanted == "read" else record.writers
        strangers = tuple(name for name in holders if name.startswith("pid "))
        whom = " or ".join((*peers, *strangers)[:3]) or "nobody: no worker has it open for that"
        if sleep.name == "mq_send":
            fill = f"{queue.messages} of {queue.capacity} messages" if queue.messages is not None else "no room"
            return Reason(f"mailbox full: {fill}", f"a receive by {whom}", peers)
        return Reason("mailbox empty", f"a send by {whom}", peers)

    def _explain_semaphore(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        if sleep.object == self._turn:
            others = tuple(seen.name for seen in processes if seen.name != sleep.role and _receives(seen))
            whom = " or ".join(others) or "nobody: who had the turn is gone"
            return Reason("one receiver at a time, and the turn is taken", f"a sem_post by {whom}", others)
        if sleep.object == self._places:
            users = " and ".join(seen.name for seen in processes if _uses(seen)) or "processes that are gone"
            return Reason(f"two processes at most; the places are taken, by {users}", "a sem_post that nobody makes")
        return Reason("the semaphore's value is 0", "a sem_post")

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`delete [NAME]`: mq_unlink; `nice W [BY]`: a worker made nicer, setpriority(2)."""
        if words and words[0] == "delete":
            return self._delete(words[1:])
        if words and words[0] == "nice":
            return _make_nicer(words[1:], processes)
        return None

    def _delete(self, words: Sequence[str]) -> str:
        names = [place for place, queue in self._queues.items() if not queue.unlinked]
        if len(words) > 1 or (words and words[0] not in names):
            raise UsageError(f"delete: {unknown('mailbox', ' '.join(words), names)}")
        if not names:
            raise UsageError("delete: no mailbox has a name any more; r restarts the lab")
        name = words[0] if words else names[0]
        if name not in self._own:
            raise UsageError(f"delete: {name} was there before this session; its maker deletes it (mq_unlink)")
        import posix_ipc

        try:
            posix_ipc.unlink_message_queue(name)
        except posix_ipc.Error as error:
            raise UsageError(f"delete: {name}: {error}") from None
        return f"mq_unlink: {name} is no name any more; who has the mailbox open keeps it"


def _held(processes: Sequence[Seen]) -> dict[str, list[tuple[Seen, int, str, str]]]:
    """By mailbox, who holds it: the process, the descriptor, its access, and its link text.

    A deleted mailbox goes by its old name, unless another has taken that.
    """
    rows = [(seen, row) for seen in processes for row in seen.descriptors if row.kind == "mqueue"]
    living = {row.target for _, row in rows if not row.unlinked}
    held: dict[str, list[tuple[Seen, int, str, str]]] = {}
    for seen, row in rows:
        plain = row.target.removesuffix(_DELETED)
        place = row.target if row.target != plain and plain in living else plain
        held.setdefault(place, []).append((seen, row.number, row.access, row.target))
    return held


def _calls(place: str, processes: Sequence[Seen]) -> int:
    """How many sends and receives the living have made on a mailbox."""
    return sum(
        count.calls
        for seen in processes
        if seen.counters is not None
        for count in seen.counters.calls
        if count.object == place and count.name in ("mq_send", "mq_receive")
    )


def _receives(seen: Seen) -> bool:
    return any(row.kind == "mqueue" and row.access != "write" for row in seen.descriptors)


def _uses(seen: Seen) -> bool:
    return any(row.kind == "mqueue" for row in seen.descriptors)


def _name_of(pid: int | None, processes: Sequence[Seen]) -> str | None:
    if pid is None:
        return None
    return next((seen.name for seen in processes if seen.pid == pid), f"pid {pid}")


def _niceness(holders: Sequence[tuple[Seen, int, str, str]]) -> dict[str, int]:
    """The nice value of each worker that can receive: sched(7)."""
    found: dict[str, int] = {}
    for seen, _, access, _ in holders:
        if access != "write":
            with contextlib.suppress(OSError):
                found[seen.name] = os.getpriority(os.PRIO_PROCESS, seen.pid)
    return found


def _make_nicer(words: Sequence[str], processes: Sequence[Seen]) -> str:
    by: Any = number(words[1], whole=True) if len(words) > 1 else 10
    if not words or len(words) > 2 or by is None:
        raise UsageError("nice: write nice W [BY], for example nice p2 10")
    found = next((seen for seen in processes if seen.name == words[0]), None)
    if found is None:
        names = [seen.name for seen in processes]
        raise UsageError(f"nice {printable(words[0])}: {unknown('worker', words[0], names)}")
    try:
        wanted = max(-20, min(_MEEKEST, os.getpriority(os.PRIO_PROCESS, found.pid) + int(by)))
        os.setpriority(os.PRIO_PROCESS, found.pid, wanted)
    except ProcessLookupError:
        raise UsageError(f"nice {found.name}: it has just ended") from None
    except PermissionError:
        raise UsageError(
            f"nice {found.name}: the kernel lets this user make a process nicer, not less nice again; r restarts it"
        ) from None
    return f"{found.name} is at nice {grouped(wanted)} now; the queue of waiters counts it from its next wait on"
