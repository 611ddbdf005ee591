"""The live side of mailboxes: the queues as the kernel shows them, why somebody sleeps before one, and commands."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ipctui.kernel import mqueue
from ipctui.kernel.mqueue import Queue
from ipctui.lab.channel import Errands, Plan, Reason, Seen, Sleep
from ipctui.mechanisms.mailbox.commands import Situation, carry_out
from ipctui.mechanisms.mailbox.order import DELETED, PATIENCE
from ipctui.trace.records import Channel

_AT_REST = PATIENCE + 50_000_000


class Looker:
    """Looks at the queues of a session; receives nothing, and holds none open between two looks."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._policy: str | None = plan.given.get("policy")
        self._own = [name for kind, name in plan.names if kind == "mqueue"]
        self._main = [str(plan.given["mailbox"]), str(plan.given["outbox"])]
        self._senders = {seat.name for tree in plan.trees for seat in tree if seat.sends}
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
            # Since the table was read, another queue may have got the number of one that had lost its name.
            if queue.refused is None and (queue.unlinked or not place.endswith(DELETED)):
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
                "joined": self._joined and place.removesuffix(DELETED) not in self._own,
                "policy": self._policy,
                "nice": _niceness(holders),
                "quiet": t - self._moved[place] >= _AT_REST,
            },
        )

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why a send, a receive or a wait for a semaphore sleeps."""
        held = _held(processes)
        place = _place_of(sleep, held)
        if sleep.name == "sem_wait":
            return self._explain_semaphore(sleep, processes)
        if sleep.name == "clock_nanosleep":
            return Reason("its own work (a signal ends it early)", "the end of the time, or the signal")
        queue = self._queues.get(place)
        if sleep.name not in ("mq_send", "mq_receive") or queue is None:
            return Reason(f"asleep in {sleep.name}; its object could not be looked at")
        wanted = "read" if sleep.name == "mq_send" else "write"
        peers = tuple(
            seen.name
            for seen, _, access, _ in held.get(place, ())
            if access in (wanted, "read-write") and seen.name != sleep.role
        )
        record = self._seen.get(place)
        holders = () if record is None else record.readers if wanted == "read" else record.writers
        strangers = tuple(name for name in holders if name.startswith("pid "))
        whom = " or ".join((*peers, *strangers)[:3]) or "nobody: no worker has it open for that"
        if sleep.name == "mq_send":
            fill = f"{queue.messages} of {queue.capacity} messages" if queue.messages is not None else "no room"
            return Reason(f"mailbox full ({fill})", f"a receive by {whom}", peers)
        return Reason("mailbox empty", f"a send by {whom}", peers)

    def _explain_semaphore(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        if sleep.object == self._turn:
            others = tuple(seen.name for seen in processes if seen.name != sleep.role and _receives(seen))
            whom = " or ".join(others) or "nobody: who had the turn is gone"
            return Reason("the turn is taken (only one may be in receive)", f"a sem_post by {whom}", others)
        if sleep.object == self._places:
            users = [seen.name for seen in processes if _uses(seen)]
            there = tuple(name for name in users if name not in self._senders)
            whom = " or ".join(there) or "nobody: who had the place was killed"
            taken = " and ".join(users) or "processes that are gone"
            return Reason(f"two processes at most; the places are taken, by {taken}", f"a sem_post by {whom}", there)
        return Reason("the semaphore's value is 0", "a sem_post")

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | Errands | None:
        """`create W`, `receive W`, `delete [W] [NAME]`, `nice W [BY]`, `policy P`: carried out by workers."""
        done = carry_out(words, Situation(self._plan, processes, self._queues, self._own))
        if isinstance(done, Errands) and "policy" in done.values:
            self._policy = str(done.values["policy"])
        return done

    def limits(self) -> Mapping[str, int]:
        """The system's limits for message queues, and what each of the session's own counts against them."""
        most, given = mqueue.limits(), self._plan.given
        found = {"queues_max": most.queues, "msg_max": most.messages, "msgsize_max": most.message_size}
        if most.bytes is not None:
            found["RLIMIT_MSGQUEUE"] = most.bytes
        return {**found, "footprint": mqueue.footprint(int(given["capacity"]), int(given["largest"]))}


def _held(processes: Sequence[Seen]) -> dict[str, list[tuple[Seen, int, str, str]]]:
    """By mailbox, who holds it: the process, the descriptor, its access, and its link text.

    A deleted mailbox goes by its old name, unless another has taken that.
    """
    rows = [(seen, row) for seen in processes for row in seen.descriptors if row.kind == "mqueue"]
    living = {row.target for _, row in rows if not row.unlinked}
    held: dict[str, list[tuple[Seen, int, str, str]]] = {}
    for seen, row in rows:
        plain = row.target.removesuffix(DELETED)
        place = row.target if row.target != plain and plain in living else plain
        held.setdefault(place, []).append((seen, row.number, row.access, row.target))
    return held


def _place_of(sleep: Sleep, held: Mapping[str, Sequence[tuple[Seen, int, str, str]]]) -> str:
    """The mailbox that a process sleeps before: by its descriptor, for another may have its old name."""
    plain = (sleep.object or "").removesuffix(DELETED)
    for place, holders in held.items():
        if any(seen.name == sleep.role and fd == sleep.fd for seen, fd, _, _ in holders):
            return place
    return plain


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
