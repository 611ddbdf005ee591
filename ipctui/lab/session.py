"""A laboratory in operation: started, ticked, commanded, summed up and stopped; with or without a screen."""

from __future__ import annotations

import os
import platform
import select
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.kernel.descriptors import Descriptor
from ipctui.kernel.process import ProcessProbe, exit_reason
from ipctui.lab import commands
from ipctui.lab.channel import Channel, Observer, PlannedSeat, Seen, Variant
from ipctui.lab.collect import Collector, error_name
from ipctui.lab.fold import fold, key
from ipctui.lab.handle import Handle, Request, prepare
from ipctui.lab.launch import LauncherClient, LauncherError
from ipctui.lab.listing import Listing
from ipctui.lab.parameters import UsageError
from ipctui.lab.state import LabState
from ipctui.lab.summary import summary
from ipctui.lab.tables import Tables, ends_of
from ipctui.lab.watch import Glance, Watcher, glance
from ipctui.trace.clock import Clock, now
from ipctui.trace.operations import CODES
from ipctui.trace.records import (
    Access,
    Call,
    Command,
    Counters,
    Event,
    Header,
    Lost,
    Process,
    Record,
    Settings,
    State,
    Summary,
)
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.ring import W_ENDED, W_FAILED, W_FAILED_ERRNO, Key
from ipctui.trace.text import readable

MOST_RECORDS = 120
"""Records of each worker that one tick decodes; beyond it the newest win and the rest are counted as lost."""
START_SECONDS = 5.0
_COUNTERS_EVERY = 250_000_000
_STILL_EVERY = 100_000_000
_PATIENCE = 500_000_000
_STILL = frozenset({"held", "blocked", "stopped"})
_WRITE = CODES["write"]


class LabError(Exception):
    """The laboratory failed; one line why."""


class Lab:
    """One mechanism's laboratory.

    Args:
        channel: The mechanism.
        variant: One of its variants.
        values: All parameters' values (parameters.settle).
        launcher: Started before any thread.

    Raises:
        LabError: the workers could not be started.
    """

    can = frozenset({"command"})

    def __init__(self, channel: Channel, variant: Variant, values: Mapping[str, Any], launcher: LauncherClient) -> None:
        self.channel = channel
        self.chosen = variant
        self.values = dict(values)
        self.launcher = launcher
        self.observer: Observer = channel.observer()
        self.state = LabState()
        self.handles: list[Handle] = []
        self.seen: list[Seen] = []
        self.alive = True
        self.problem = ""
        self._tables = Tables()
        self._counters_at = -_COUNTERS_EVERY
        self._heads = 0
        self._ticked = 0
        self._counters: dict[str, Counters] = {}
        self._settings: dict[str, Settings] = {}
        self._queued: list[Record] = []
        self._unread: list[Record] = []
        self._errors_pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._closed = False
        try:
            self._begin(held=values.get("start") == "held")
        except (LauncherError, OSError) as error:
            self.close()
            raise LabError(str(error)) from None

    # Beginning.

    def _begin(self, held: bool) -> None:
        self._plan = plan = self.channel.plan(self.chosen, self.values)
        self._listing = Listing(plan.module)
        self.launcher.tell({"op": "preload", "module": plan.module})
        self.handles = []
        self._first_pids: set[int] = set()
        self._exits: dict[int, str] = {}
        for tree in plan.trees:
            handles = [prepare(seat, self.values["size"], held) for seat in tree]
            self.handles += handles
            self._start_tree(handles)
        self._await_workers(held)
        beginning: list[Record] = []
        if self.state.header is None:
            self.clock = Clock.start()
            beginning.append(self._header())
        self._collector = Collector(self.clock, self._listing, lone=not plan.pieces)
        self._watcher = Watcher(self.clock, self._listing, self.observer)
        beginning += [self._birth(handle) for handle in self.handles if handle.pid]
        self._unread += beginning
        self._fold(beginning)

    def _start_tree(self, handles: Sequence[Handle]) -> None:
        plan = self._plan
        fds = [fd for handle in handles for fd in handle.ends.descriptors()]
        request = {
            "op": "start",
            "program": handles[0].seat.program,
            "seats": [_seat(handle.seat) for handle in handles],
            "given": dict(plan.given),
            "limit": plan.limit,
            "pieces": plan.pieces,
        }
        self.launcher.tell(request, [*fds, self._errors_pipe[1]])
        self._first_pids.add(self.launcher.expect("started", START_SECONDS)["started"])
        for handle in handles:
            handle.ends.close()
            handle.taken_over = True

    def _await_workers(self, held: bool) -> None:
        """Wait until every process sits and answers; held from the start, the children are not forked yet."""
        deadline = time.monotonic() + START_SECONDS
        first = [handle for handle in self.handles if handle.seat is not None]
        wanted = first[: len(self._plan.trees)] if held else first
        while not all(handle.born() and (held or handle.answers) for handle in wanted):
            if time.monotonic() > deadline:
                raise LauncherError("the workers did not start in time" + self._first_error())
            for message in self.launcher.hear(0.001):
                self._note_exit(message)
            ended = self._first_pids & self._exits.keys()
            # One that has done all its work already is no failure.
            if ended and not all(handle.born() for handle in wanted):
                raise LauncherError(f"a worker ended at once: {self._exits[ended.pop()]}" + self._first_error())
        for handle in self.handles:
            self._meet(handle)

    def _first_error(self) -> str:
        text = self._stderr()
        return f": {text.strip().splitlines()[-1]}" if text.strip() else ""

    def _meet(self, handle: Handle) -> bool:
        """Take hold of a process that has taken its seat; True when it is new."""
        pid = handle.born()
        if handle.pid or not pid:
            return False
        handle.pid = pid
        self._tables.stale = True
        try:
            handle.pidfd = os.pidfd_open(pid)
            handle.probe = ProcessProbe(pid)
            sample = handle.probe.sample()
            handle.ppid, handle.start_time = sample.ppid, sample.start_time
        except OSError:
            pass  # it has ended already, and been reaped: what its ring holds is all that is left of it
        return True

    def _header(self) -> Header:
        return Header(
            self.channel.name,
            self.chosen.name,
            self.values,
            self.clock.started,
            {
                "system": platform.system(),
                "release": platform.release(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "cpus": os.cpu_count(),
            },
            {**self._listing.describe(), "c": self.channel.listing(self.chosen)},
        )

    def _birth(self, handle: Handle) -> Process:
        return Process(
            self.clock.time(),
            handle.role,
            handle.pid,
            "started",
            handle.ppid,
            handle.start_time,
            program=handle.seat.program,
            cell=handle.cell,
        )

    # Living.

    @property
    def variant(self) -> str:
        """The name of the variant that runs."""
        return self.chosen.name

    def now(self) -> int:
        """Nanoseconds since the clock's zero."""
        return self.clock.time()

    def state_of(self, handle: Handle) -> State | None:
        """What was folded last of a worker's state."""
        process = self.state.processes.get(key(handle.role, handle.cell))
        return process.state if process is not None and process.pid == handle.pid else None

    def ends_of(self, handle: Handle) -> list[Descriptor]:
        """A worker's descriptors of channel objects, read now."""
        return ends_of(handle.pid)

    def batch(self) -> list[Record]:
        """Everything that happened since the last batch, in order; also folded into `state`."""
        if self._closed:
            return []
        records = self._tick()
        self._fold(records)
        beginning, self._unread = self._unread, []
        return [*beginning, *records]

    def tick(self) -> bool:
        """Drain, sample and fold; True when the state changed. While everybody stands still, ten times a second."""
        heads = sum(handle.ring.head() for handle in self.handles)
        moment = now()
        if heads == self._heads and self._nobody_moves() and moment - self._ticked < _STILL_EVERY:
            return False
        self._heads, self._ticked = heads, moment
        return bool(self.batch())

    def _nobody_moves(self) -> bool:
        if self._queued or any(handle.requests for handle in self.handles):
            return False
        states = [self.state_of(handle) for handle in self.handles if handle.alive]
        return all(state is not None and state.state in _STILL and not state.pending for state in states)

    def _fold(self, records: list[Record]) -> None:
        self.state = fold(self.state, records, self.channel.reduce)

    def _tick(self) -> list[Record]:
        self._hear_launcher()
        t = self.clock.time()
        records: list[Record] = self._queued
        self._queued = []
        records += [self._birth(handle) for handle in self.handles if self._meet(handle)]
        glances = {id(handle): glance(handle) for handle in self.handles if handle.alive}
        calls = self._drain(t, records)
        self._tables.refresh(self.handles, t)
        counters = self._counters_due(t)
        records += counters
        self.seen = self._look_around()
        records += self.observer.sample(self.clock.time(), self.seen, self._tables.outsiders)
        records += self._tables.changed(self.seen, t)
        records += self._states(glances)
        records += self._settings_changed(t)
        records += self._worker_errors(t)
        records += self._answers(t)
        return [*calls, *records]

    def _hear_launcher(self, seconds: float = 0.0) -> None:
        try:
            heard = self.launcher.hear(seconds)
        except LauncherError as error:
            self._launcher_died(str(error))
            return
        for message in heard:
            self._note_exit(message)

    def _note_exit(self, message: Mapping[str, Any]) -> None:
        if "exited" in message:
            self._exits[message["exited"]] = exit_reason(message["status"])

    def _launcher_died(self, why: str) -> None:
        """Without its janitor the laboratory ends: every worker is killed here and now."""
        if self.alive:
            self.alive = False
            self.problem = f"{why}; the workers were ended with it"
            for handle in self.handles:
                if handle.alive:
                    handle.signal(signal.SIGKILL)

    def _drain(self, t: int, records: list[Record]) -> list[Call | Access]:
        drained = [(handle, handle.ring.read(MOST_RECORDS)) for handle in self.handles if handle.pid]
        calls: list[Call | Access] = []
        # Writes first: they tell which message lies where, which a read of the same tick needs.
        for wanted in (True, False):
            for handle, entries in drained:
                part = [entry for entry in entries if (Key.of(entry.key).operation == _WRITE) is wanted]
                calls += self._collector.records(handle, part)
        for handle, _ in drained:
            ring = handle.ring
            for count, why in ((ring.overwritten, "overwritten"), (ring.skipped, "not folded")):
                if count:
                    records.append(Lost(t, count, why, handle.role, handle.cell))
            ring.overwritten = ring.skipped = 0
        calls.sort(key=lambda call: call.end)
        return calls

    def _look_around(self) -> list[Seen]:
        return [
            Seen(
                handle.role,
                handle.pid,
                handle.pidfd,
                self._tables.of(handle.pid),
                self._collector.counters(handle, 0, None),
                handle.cell,
            )
            for handle in self.handles
            if handle.alive
        ]

    def _counters_due(self, t: int) -> list[Record]:
        if t - self._counters_at < _COUNTERS_EVERY:
            return []
        self._counters_at = t
        return self._all_counters(t)

    def _all_counters(self, t: int) -> list[Record]:
        records: list[Record] = []
        for handle in self.handles:
            if not handle.pid:
                continue
            cpu = None
            if handle.probe is not None and handle.alive:
                sample = handle.probe.sample()
                cpu = sample.user_ns + sample.system_ns
            counters = self._collector.counters(handle, t, cpu)
            before = self._counters.get(handle.role)
            if before is None or t - before.t >= 1_000_000_000 or _figures(before) != _figures(counters):
                self._counters[handle.role] = counters
                records.append(counters)
        return records

    def _states(self, glances: Mapping[int, Glance | None]) -> list[Record]:
        records: list[Record] = []
        for handle in self.handles:
            if not handle.alive:
                continue
            if _wait_for_end(handle, 0):
                if self._status_of(handle) is not None or self._gone_long(handle):
                    records += self._farewell(handle)
                continue
            state = self._watcher.look(handle, glances.get(id(handle)), self.seen)
            if state is not None:
                records.append(state)
        return records

    def _status_of(self, handle: Handle) -> str | None:
        """How a process ended: by the launcher's word, the kernel's while it is a zombie, or its parent's waitpid."""
        handle.status = handle.status or self._exits.get(handle.pid)
        if handle.status is None and handle.probe is not None:
            sample = handle.probe.sample()
            if sample.exit_code is not None:
                handle.status = exit_reason(sample.exit_code)
        if handle.status is None:
            handle.status = self._status_from_parent(handle)
        return handle.status

    def _gone_long(self, handle: Handle) -> bool:
        """Whether nobody has told for a while how it ended: who reaped it may be about to say so."""
        if not handle.gone:
            handle.gone = now()
        return now() - handle.gone > _PATIENCE

    def _farewell(self, handle: Handle) -> list[Record]:
        """Everything that is left to say of a process that has ended."""
        status = self._status_of(handle)
        t = self.clock.time()
        unfinished = self._in_flight(handle, t)
        handle.ended = True
        self._tables.stale = True
        self._tables.drop(handle.pid)
        records: list[Record] = [unfinished] if unfinished is not None else []
        records.append(self._collector.counters(handle, t, None))
        words = handle.ring.words
        if words[W_FAILED]:
            failed = Key.of(words[W_FAILED])
            operation = handle.ring.operations[failed.operation]
            name = error_name(words[W_FAILED_ERRNO])
            data = {"call": operation.name, "fd": failed.fd, "errno": name, "why": os.strerror(words[W_FAILED_ERRNO])}
            records.append(Event(t, "failed", handle.role, data, handle.cell))
        records += [
            Process(t, handle.role, handle.pid, "exited", handle.ppid, handle.start_time, status, cell=handle.cell),
            self._watcher.ended(handle, status),
        ]
        return records

    def _status_from_parent(self, handle: Handle) -> str | None:
        """What the parent's waitpid was told, where the parent was quicker than we."""
        for call in reversed(self.state.calls):
            if isinstance(call, Call) and call.name == "waitpid" and call.result == handle.pid:
                text = call.args.partition("== ")[2].partition("}")[0]
                return f"signal {text}" if text.startswith("SIG") else f"status {text}"
        return "status 0" if handle.ring.words[W_ENDED] and not handle.ring.words[W_FAILED] else None

    def _settings_changed(self, t: int) -> list[Record]:
        records: list[Record] = []
        for handle in self.handles:
            if not handle.pid:
                continue
            settings = Settings(0, handle.role, handle.held, handle.rate, handle.size, handle.cell)
            if settings != self._settings.get(handle.role):
                self._settings[handle.role] = settings
                records.append(Settings(t, handle.role, handle.held, handle.rate, handle.size, handle.cell))
        return records

    def _stderr(self) -> str:
        try:
            return readable(os.read(self._errors_pipe[0], 65536), 65536).replace("\u240a", "\n")
        except BlockingIOError:
            return ""

    def _worker_errors(self, t: int) -> list[Record]:
        return [Event(t, "stderr", None, {"line": line}) for line in self._stderr().splitlines() if line.strip()]

    # Commands.

    def command(self, text: str, by: str = "key") -> None:
        """Carry out a command; it and its outcome become records. Never raises for what the user said."""
        t = self.clock.time()
        if not self.alive:
            self._queued.append(Command(t, commands.told(text), by, f"refused: {self.problem}"))
            return
        try:
            outcome = commands.perform(self, text, by)
        except UsageError as error:
            outcome = f"refused: {error}"
        self._queued.append(Command(t, commands.told(text), by, outcome))

    def _answers(self, t: int) -> list[Record]:
        records: list[Record] = []
        for handle in self.handles:
            for request, outcome, detail in handle.answers_heard():
                said = f"{outcome}: {detail}" if detail else outcome
                records.append(Command(t, commands.told(request.command), request.by, said))
                self._tables.stale = True
            if handle.ended and handle.requests:
                why = f"refused: {handle.role} ended before"
                records += [
                    Command(t, commands.told(request.command), request.by, why) for request in handle.requests.values()
                ]
                handle.requests.clear()
        return records

    def add(self, role: str, text: str, by: str) -> None:
        """Have a living worker of a role fork another, which inherits its ends.

        Raises:
            UsageError: nobody can fork it.
        """
        plan = self._plan
        if not plan.adopts:
            raise UsageError(f"add {role}: {plan.no_more}")
        kin = [handle for handle in self.handles if handle.role.rstrip("0123456789") == role.rstrip("0123456789")]
        parents = [handle for handle in kin if handle.alive and handle.answers and handle.seat.sends]
        if not parents:
            raise UsageError(f"add {role}: no living worker of this role holds an end that another could inherit")
        number = max(int(handle.role[len(role.rstrip("0123456789")) :] or 0) for handle in kin) + 1
        base = parents[0].seat
        letter = chr(ord("a") + number % 26)
        seat = PlannedSeat(
            f"{role.rstrip('0123456789')}{number}", plan.adopts, letter, base.paced, parents[0].rate, base.sends
        )
        handle = prepare(seat, parents[0].size, held=False)
        self.handles.append(handle)
        words = _seat(seat)
        asked = parents[0].ask(
            "fork", Request(text, by), tuple(handle.ends.descriptors()), program=plan.adopts, **words
        )
        handle.ends.close()
        handle.taken_over = True
        if not asked:
            raise UsageError(f"add {role}: {parents[0].role} has just ended")

    def restart(self, variant: str | None = None, held: bool | None = None, anew: bool = False) -> None:
        """End all workers and begin again.

        Another variant, or other parameters (`anew`), make another session: with a clock and a header of its own.
        """
        if self.alive:
            last = self._tick()
            self._unread += last
            self._fold(last)
        farewells = self._end_workers()
        if anew or (variant is not None and variant != self.chosen.name):
            self._choose(variant or self.chosen.name)
            self.state = LabState()
            self._unread, self._queued = [], []
        else:
            self._unread += farewells
            self._fold(farewells)
        self._counters.clear()
        self._settings.clear()
        self._tables = Tables()
        self._counters_at = -_COUNTERS_EVERY
        self.observer.close()
        self.observer = self.channel.observer()
        try:
            self._begin(held=self.values.get("start") == "held" if held is None else held)
        except (LauncherError, OSError) as error:
            self._launcher_died(str(error))

    def _choose(self, variant: str) -> None:
        if variant == self.chosen.name:
            return
        own = set(self.chosen.values)
        self.chosen = next(choice for choice in self.channel.variants if choice.name == variant)
        for parameter in self.channel.parameters():
            if parameter.name in own:
                self.values[parameter.name] = parameter.default
        self.values.update(self.chosen.values)

    # Ending.

    def finish(self) -> list[Record]:
        """Hold everybody, drain, and sum up: the last records, the summary last of all."""
        if self._closed:
            return []
        for handle in self.handles:
            if handle.alive:
                handle.hold()
        self._let_settle()
        records: list[Record] = []
        for _ in range(4):
            batch = self._tick()
            # That everybody is held now is our doing, for the sum's sake, and no part of what happened.
            records += [record for record in batch if not isinstance(record, Settings) and not _is_our_hold(record)]
            if not any(isinstance(record, Call | Access) for record in batch):
                break
        t = self.clock.time()
        records += [call for handle in self.handles if (call := self._in_flight(handle, t)) is not None]
        self._counters.clear()
        records += self._all_counters(t)
        self._fold(records)
        total: Summary = summary(self.state, self.channel)
        beginning, self._unread = self._unread, []
        return [*beginning, *records, total]

    def _let_settle(self) -> None:
        """Wait until everybody stands at the gate or sleeps in the kernel, 200 ms at most."""
        deadline = now() + 200_000_000
        before = -1
        while now() < deadline:
            heads = sum(handle.ring.head() for handle in self.handles)
            running = any(
                look is not None
                and not look.current.phase
                and not (look.sample.letter in "SDTZX" and look.current.in_call)
                for look in (glance(handle) for handle in self.handles if handle.alive)
            )
            if heads == before and not running:
                return
            before = heads
            time.sleep(0.002)

    def _in_flight(self, handle: Handle, t: int) -> Call | None:
        """The call that a worker is in when it ends, or the session does: it never returns (strace: `= ?`)."""
        if not handle.alive:
            return None
        current = handle.ring.current()
        if not current.in_call:
            return None
        word = Key.of(current.key)
        operation = handle.ring.operations[word.operation]
        state = self.state_of(handle)
        before = state.before if state is not None else None
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
            self.clock.time(current.since),
            t,
            word.fd,
            label,
            line=line,
            tid=handle.pid,
            cell=handle.cell,
        )

    def _end_workers(self) -> list[Record]:
        """Kill everybody, wait for it, and say so."""
        records: list[Record] = []
        living = [handle for handle in self.handles if handle.alive]
        for handle in living:
            handle.signal(signal.SIGKILL)
        for handle in living:
            _wait_for_end(handle, 1.0)
        deadline = now() + _PATIENCE
        while self.alive and now() < deadline and any(self._status_of(handle) is None for handle in living):
            self._hear_launcher(0.01)
        if self.state.header is not None:
            records += [record for handle in living for record in self._farewell(handle)]
        if self.state.header is not None:
            t = self.clock.time()
            records += [ChannelRecord(t, place, closed=True) for place in self.state.channels]
        for handle in self.handles:
            handle.close()
        self.handles = []
        return records

    def close(self) -> None:
        """End all workers and give everything back; safe to call again. The launcher is its owner's to close."""
        if self._closed:
            return
        self._closed = True
        self._end_workers()
        self.observer.close()
        for fd in self._errors_pipe:
            os.close(fd)


def _wait_for_end(handle: Handle, seconds: float) -> bool:
    if handle.pidfd < 0:
        return True
    poll = select.poll()
    poll.register(handle.pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _is_our_hold(record: Record) -> bool:
    return isinstance(record, State) and record.state != "exited"


def _seat(seat: PlannedSeat) -> dict[str, Any]:
    return {"role": seat.role, "letter": seat.letter, "paced": list(seat.paced)}


def _figures(counters: Counters) -> tuple[Any, ...]:
    return counters.calls, counters.sent, counters.received
