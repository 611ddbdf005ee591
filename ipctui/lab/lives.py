"""The lives of a session's processes as records: planned, born, ended, and what each was in when it ended."""

from __future__ import annotations

import os
from collections.abc import Callable

from ipctui.lab.collect import Collector, error_name
from ipctui.lab.handle import Handle
from ipctui.lab.listing import Listing
from ipctui.lab.state import LabState
from ipctui.lab.watch import Watcher
from ipctui.lab.workers import PATIENCE, Workers, has_ended
from ipctui.trace.clock import Clock, now
from ipctui.trace.records import Call, Event, Process, Record, State
from ipctui.trace.ring import W_FAILED, W_FAILED_ERRNO, Key


class Lives:
    """Tells when a session's processes begin and end.

    Args:
        state: What has been folded so far.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        listing: Listing,
        collector: Collector,
        watcher: Watcher,
        state: Callable[[], LabState],
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._listing = listing
        self._collector = collector
        self._watcher = watcher
        self._state = state
        self._zero = clock.time()

    def beginning(self) -> list[Record]:
        """Those that live already, and those that are to start later."""
        records: list[Record] = []
        for handle in self._workers.handles:
            due = self._workers.due(handle)
            if handle.pid:
                records.append(self.birth(handle))
            elif due is not None:
                program, at = handle.seat.program, self._zero + due
                t = self._clock.time()
                records.append(Process(t, handle.role, 0, "planned", program=program, cell=handle.cell, due=at))
        return records

    def age(self) -> int:
        """Nanoseconds since these processes began."""
        return self._clock.time() - self._zero

    def birth(self, handle: Handle) -> Process:
        """A process has taken its seat."""
        return Process(
            self._clock.time(),
            handle.role,
            handle.pid,
            "started",
            handle.ppid,
            handle.start_time,
            program=handle.seat.program,
            cell=handle.cell,
        )

    def is_over(self, handle: Handle) -> bool | None:
        """Whether a process has ended; None while it has, and nobody has told yet how."""
        if not has_ended(handle, 0):
            return False
        if self._workers.status_of(handle, self.told_by_parent) is not None:
            return True
        # Who reaped it may be about to say so.
        if not handle.gone:
            handle.gone = now()
        return True if now() - handle.gone > PATIENCE else None

    def farewell(self, handle: Handle) -> list[Record]:
        """Everything that is left to say of a process that has ended."""
        status = self._workers.status_of(handle, self.told_by_parent)
        t = self._clock.time()
        unfinished = self.in_flight(handle, t)
        handle.ended = True
        records: list[Record] = [unfinished] if unfinished is not None else []
        records.append(self._collector.counters(handle, t, None))
        words = handle.ring.words
        if words[W_FAILED]:
            failed = Key.of(words[W_FAILED])
            operation = handle.ring.operations[failed.operation]
            name = error_name(words[W_FAILED_ERRNO])
            data = {"call": operation.name, "fd": failed.fd, "errno": name, "why": os.strerror(words[W_FAILED_ERRNO])}
            limits = self._watcher.limits()
            records.append(Event(t, "failed", handle.role, {**data, "limits": limits} if limits else data, handle.cell))
        records += [
            Process(t, handle.role, handle.pid, "exited", handle.ppid, handle.start_time, status, cell=handle.cell),
            self._watcher.ended(handle, status),
        ]
        return records

    def told_by_parent(self, pid: int) -> str | None:
        """What the parent's waitpid was told, where the parent was quicker than the launcher."""
        for call in reversed(self._state().calls):
            if isinstance(call, Call) and call.name == "waitpid" and call.result == pid:
                text = call.args.partition("== ")[2].partition("}")[0]
                return f"signal {text}" if text.startswith("SIG") else f"status {text}"
        return None

    def in_flight(self, handle: Handle, t: int) -> Call | None:
        """The call that a worker is in when it ends, or the session does: it never returns (strace: `= ?`)."""
        if not handle.alive:
            return None
        current = handle.ring.current()
        if not current.in_call:
            return None
        word = Key.of(current.key)
        operation = handle.ring.operations[word.operation]
        said = self._said(handle)
        before = said.before if said is not None else None
        told = before is not None and (before.name, before.fd) == (operation.name, word.fd)
        args = before.args if before is not None and told else str("" if word.fd is None else word.fd)
        label = handle.ring.object_label(word.object) if word.object else None
        line = self._listing.line(handle.ring.code_name(word.code), word.lasti)
        return Call(
            handle.role,
            handle.pid,
            operation.name,
            operation.syscall,
            args,
            None,
            self._clock.time(current.since),
            t,
            word.fd,
            label,
            line=line,
            tid=handle.pid,
            cell=handle.cell,
        )

    def _said(self, handle: Handle) -> State | None:
        process = self._state().processes.get(handle.name)
        return process.state if process is not None and process.pid == handle.pid else None
