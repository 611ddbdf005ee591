"""The semaphores of a session: values and waiters from their files, who holds a lock, what a sleeper waits for."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from ipctui.kernel.shared_memory import FOLDER, SegmentFile, SemaphoreView, parse_semaphore
from ipctui.lab.channel import Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, unknown
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.records import Counters

_SIZE = 8
LOCKS = frozenset({"mutex", "lock"})
"""Semaphores that go from 1 to 0 and back: who waited last without a post has it."""
_POSTED_BY = {"empty": "consumer", "full": "producer"}


class Locks:
    """Looks at the semaphores that the programs open."""

    def __init__(self, given: SimpleNamespace) -> None:
        self._most = {"empty": given.slots - 1, "full": given.slots - 1}
        self._given = given
        self._files = {name: SegmentFile(f"{FOLDER}/sem.{given.name[1:]}.{name}") for name in given.semaphores}
        self._views: dict[str, SemaphoreView] = {}
        self._taken: dict[str, dict[int, tuple[str, int]]] = {name: {} for name in given.semaphores}
        self._holders: dict[str, tuple[str, bool, int]] = {}

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()

    def sample(self, t: int, processes: Sequence[Seen]) -> list[ChannelRecord]:
        """Each semaphore as it is now."""
        records = []
        for name, file in self._files.items():
            if not file.open():
                continue
            view, stat = parse_semaphore(file.read(_SIZE)), file.stat()
            if view is None or stat is None:
                continue
            self._views[name] = view
            holder, dead, pid = self._holders[name] = self._holder(name, file.path, processes, view)
            records.append(
                ChannelRecord(
                    t,
                    file.path,
                    used=view.value,
                    capacity=self._most.get(name, 1),
                    unit="",
                    type="semaphore",
                    name=name,
                    method="pread",
                    facts={"waiters": view.waiters, "links": stat.links, "holder": holder, "dead": dead, "pid": pid},
                )
            )
        return records

    def _holder(self, name: str, path: str, processes: Sequence[Seen], view: SemaphoreView) -> tuple[str, bool, int]:
        """Who took a lock and has not given it back, by the counts of its waits and posts; whether dead; its pid."""
        if name not in LOCKS:
            return "", False, 0
        taken = self._taken[name]
        for seen in processes:
            if seen.counters is not None:
                taken[seen.pid] = (seen.name, balance(seen.counters, path))
        if view.value:
            # Somebody gave it back: what the dead took is made good.
            alive = {seen.pid for seen in processes}
            for pid in [pid for pid in taken if pid not in alive]:
                del taken[pid]
            return "", False, 0
        living = {seen.pid for seen in processes}
        # Counts and value are read one after the other: the dead are looked at last, for they change no more.
        for pid, (role, count) in sorted(taken.items(), key=lambda row: row[0] not in living):
            if count > 0:
                return role, pid not in living, pid
        return "", False, 0

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """Why sem_wait sleeps, and whose post would end it."""
        name = next((name for name, file in self._files.items() if file.path == sleep.object), None)
        if name is None or sleep.name != "sem_wait":
            return Reason(f"asleep in {sleep.name}")
        others = [seen.name for seen in processes if seen.name != sleep.role]
        if name in LOCKS:
            return self._explain_lock(name, others)
        wanted = tuple(role for role in others if role.startswith(_POSTED_BY[name]))
        whom = " or ".join(wanted) or f"a {_POSTED_BY[name]}, of which there is none"
        what = "no slot is free" if name == "empty" else "no slot is full"
        return Reason(f"{name} is 0: {what}", f"sem_post({name}) by {whom}", wanted)

    def _explain_lock(self, name: str, others: Sequence[str]) -> Reason:
        holder, dead, _ = self._holders.get(name, ("", False, 0))
        if dead:
            return Reason(
                f"{name} is 0: {holder} took it and is dead", f"nothing: {holder} was the one to post, and is dead"
            )
        if holder in others:
            return Reason(f"{name} is 0: {holder} has it", f"sem_post({name}) by {holder}", (holder,))
        return Reason(f"{name} is 0", f"sem_post({name}) by whoever has it")

    def post(self, rest: Sequence[str]) -> str:
        """`post [NAME]`: sem_post from outside, as an operator would repair a lock whose holder is dead.

        Raises:
            UsageError: there is no such semaphore, or its holder lives.
        """
        if not self._files:
            raise UsageError("post: this variant has no semaphore")
        name = rest[0] if rest else next((name for name in self._files if name in LOCKS), "")
        if name not in self._files:
            raise UsageError(f"post: {unknown('semaphore', name, self._files)}")
        holder, dead, _ = self._holders.get(name, ("", False, 0))
        if not dead:
            why = f"{holder} has it and lives" if holder else "nobody dead has it"
            raise UsageError(f"post {name}: {why}; a post now would let two in at once")
        self._post(name)
        self._taken[name].clear()
        return f"{name} posted for {holder}; what it left half done stays half done"

    def _post(self, name: str) -> None:
        import posix_ipc

        try:
            semaphore = posix_ipc.Semaphore(f"{self._given.name}.{name}")
        except posix_ipc.Error as error:
            raise UsageError(f"post {name}: {error}") from None
        semaphore.release()
        semaphore.close()


def balance(counters: Counters, path: str) -> int:
    """Waits that succeeded less posts, of one process on one semaphore."""
    total = 0
    for row in counters.calls:
        if row.object == path and row.name in ("sem_wait", "sem_trywait"):
            total += row.calls - sum(row.errors.values())
        elif row.object == path and row.name == "sem_post":
            total -= row.calls
    return total
