"""A laboratory in operation: started, ticked, commanded, summed up and stopped; with or without a screen."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipctui.kernel.descriptors import Descriptor
from ipctui.lab import commands
from ipctui.lab.channel import Channel, Guarded, Observer, Seen, Variant, lacking
from ipctui.lab.collect import Collector
from ipctui.lab.figures import Figures
from ipctui.lab.fold import fold
from ipctui.lab.handle import Handle
from ipctui.lab.intake import MOST_RECORDS, drained, header_of
from ipctui.lab.launch import LauncherClient, LauncherError
from ipctui.lab.listing import Listing
from ipctui.lab.lives import Lives
from ipctui.lab.parameters import UsageError
from ipctui.lab.state import LabState
from ipctui.lab.summary import summary
from ipctui.lab.tables import Tables, ends_of
from ipctui.lab.watch import Watcher, let_settle
from ipctui.lab.workers import Workers, has_ended
from ipctui.trace.clock import Clock, now
from ipctui.trace.records import (
    Access,
    Call,
    Command,
    Event,
    Record,
    Settings,
    State,
    Summary,
)
from ipctui.trace.records import Channel as ChannelRecord

_STILL_EVERY = 100_000_000
_STILL = frozenset({"held", "blocked", "stopped"})


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
        self.workers = Workers(launcher)
        self._observer: Observer | None = None
        self.state = LabState()
        self.seen: list[Seen] = []
        self.listeners: list[Callable[[Sequence[Record]], None]] = []
        self._heads = 0
        self._ticked = 0
        self._queued: list[Record] = []
        self._unread: list[Record] = []
        self._closed = False
        try:
            self._begin(held=values.get("start") == "held")
        except (LauncherError, OSError) as error:
            self.close()
            raise LabError(str(error)) from None

    # Beginning.

    def _begin(self, held: bool) -> None:
        plan = self.channel.plan(self.chosen, self.values)
        listing = Listing(plan.module)
        self._observer = self.channel.observer(plan)
        self._tables, self._figures = Tables(), Figures()
        self.workers.begin(plan, self.values["size"], held)
        beginning: list[Record] = []
        if self.state.header is None:
            self.clock = Clock.start()
            beginning.append(header_of(self.channel, self.chosen, self.values, self.clock, listing))
        self._collector = Collector(self.clock, listing, lone=not plan.pieces)
        self._watcher = Watcher(self.clock, listing, self._observer)
        self._lives = Lives(self.clock, self.workers, listing, self._collector, self._watcher, lambda: self.state)
        beginning += self._lives.beginning()
        self._unread += beginning
        self._fold(beginning)

    # Living.

    @property
    def variant(self) -> str:
        """The name of the variant that runs."""
        return self.chosen.name

    @property
    def observer(self) -> Observer:
        """The live side of the mechanism."""
        assert self._observer is not None
        return self._observer

    @property
    def handles(self) -> list[Handle]:
        """The session's workers."""
        return self.workers.handles

    @property
    def alive(self) -> bool:
        """False once the launcher has died, and the workers with it."""
        return self.workers.alive

    @property
    def problem(self) -> str:
        """Why it is not alive."""
        return self.workers.problem

    def now(self) -> int:
        """Nanoseconds since the clock's zero."""
        return self.clock.time()

    def state_of(self, handle: Handle) -> State | None:
        """What was folded last of a worker's state."""
        process = self.state.processes.get(handle.name)
        return process.state if process is not None and process.pid == handle.pid else None

    def ends_of(self, handle: Handle) -> list[Descriptor]:
        """A worker's descriptors of channel objects, read now."""
        return ends_of(handle.pid)

    def batch(self) -> list[Record]:
        """Everything that happened since the last batch, in order; also folded into `state` and told to listeners."""
        if self._closed:
            return []
        records = self._tick()
        self._fold(records)
        beginning, self._unread = self._unread, []
        return self._told([*beginning, *records])

    def _told(self, records: list[Record]) -> list[Record]:
        for listener in self.listeners:
            listener(records)
        return records

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
        self.workers.hear()
        t = self.clock.time()
        records: list[Record] = self._queued
        self._queued = []
        records += self._births()
        calls, lost = drained(self.handles, self._collector, t)
        records += lost
        self._tables.refresh(self.handles, t)
        records += self._figures.due(self.handles, self._collector, t)
        self.seen = self._look_around()
        records += self.observer.sample(self.clock.time(), self.seen, self._tables.outsiders)
        records += self._tables.changed(self.seen, t)
        records += self._states()
        records += self._figures.settings(self.handles, t)
        records += self._worker_errors(t)
        records += self._answers(t)
        return [*calls, *records]

    def _births(self) -> list[Record]:
        try:
            self.workers.start_due(self._lives.age())
        except LauncherError as error:
            self.workers.launcher_died(str(error))
        born = self.workers.newborn()
        self._tables.stale |= bool(born)
        return [self._lives.birth(handle) for handle in born]

    def _look_around(self) -> list[Seen]:
        return [
            Seen(
                handle.role,
                handle.pid,
                handle.pidfd,
                self._tables.of(handle.pid),
                self._collector.counters(handle, 0, None),
                handle.cell,
                handle.still,
            )
            for handle in self.handles
            if handle.alive
        ]

    def _states(self) -> list[Record]:
        records: list[Record] = []
        self._watcher.look_round([handle for handle in self.handles if handle.alive])
        for handle in self.handles:
            if not handle.alive:
                continue
            over = self._lives.is_over(handle)
            if over:
                records += self._farewell(handle)
            elif over is False:
                state = self._watcher.look(handle, self.seen)
                if state is not None:
                    records.append(state)
        return records

    def _farewell(self, handle: Handle) -> list[Record]:
        self._tables.stale = True
        self._tables.drop(handle.pid)
        # What it did between this tick's drain and its end comes before its end.
        last = self._collector.records(handle, handle.ring.read(MOST_RECORDS))
        self._collector.ended(handle.pid)
        return [*last, *self._lives.farewell(handle)]

    def _worker_errors(self, t: int) -> list[Record]:
        lines = self.workers.said().splitlines()
        return [Event(t, "stderr", None, {"line": line}) for line in lines if line.strip()]

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

    def tell(self, record: Record) -> None:
        """Put a record of the user's doing, such as a mark, into the stream; it is folded with the next batch."""
        self._queued.append(record)

    def _answers(self, t: int) -> list[Command]:
        heard = commands.answers(self.handles, t)
        self._tables.stale |= bool(heard)
        return heard

    def add(self, role: str, text: str, by: str) -> str | None:
        """Add a worker of a role: what came of it, or None when a living worker was asked to fork it.

        Raises:
            UsageError: nobody can be added.
        """
        self._ready()
        try:
            return "done" if self.workers.add(role, text, by) else None
        except (LauncherError, OSError) as error:
            raise UsageError(f"add {role}: {error}") from None

    def arrived(self, handle: Handle) -> bool:
        """Whether a process has begun to live, waiting a moment for one that has just been started by itself."""
        self.workers.await_birth(handle)
        self._queued += self._births()
        return bool(handle.pid)

    def start(self, handle: Handle) -> None:
        """Start a process that was to start later.

        Raises:
            UsageError: it could not be started.
        """
        self._ready()
        try:
            self.workers.start_now(handle)
        except LauncherError as error:
            raise UsageError(f"{handle.name} could not be started: {error}") from None

    def renew(self, handle: Handle) -> None:
        """End one process, if it lives, and start another in its place; the others go on.

        Raises:
            UsageError: it could not be started.
        """
        self._ready()
        if handle.alive:
            handle.signal(signal.SIGKILL)
            has_ended(handle, 1.0)
            self.workers.hear(0.05)
            farewell = self._farewell(handle)
            self._unread += farewell
            self._fold(farewell)
        try:
            self.workers.renew(handle)
        except (LauncherError, OSError) as error:
            raise UsageError(f"{handle.role} could not be started again: {error}") from None
        self._figures.forget(handle.name)
        self._watcher.forget(handle.name)

    def _ready(self, anew: bool = False) -> None:
        observer: object = self.observer
        if isinstance(observer, Guarded):
            observer.ready(anew)

    def restart(self, variant: str | None = None, held: bool | None = None, anew: bool = False) -> None:
        """End all workers and begin again.

        Another variant, or other parameters (`anew`), make another session: with a clock and a header of its own.

        Raises:
            UsageError: it cannot begin again, and has not been ended.
        """
        other = next((one for one in self.channel.variants if one.name == variant), self.chosen)
        if other != self.chosen and (why := lacking(self.channel, other)):
            raise UsageError(f"{other.name} does not run here: {why}")
        self._ready(anew=True)
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
        self.observer.close()
        try:
            self._begin(held=self.values.get("start") == "held" if held is None else held)
        except (LauncherError, OSError) as error:
            self.workers.launcher_died(str(error))

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
        let_settle(self.handles)
        records: list[Record] = []
        for _ in range(4):
            batch = self._tick()
            # That everybody is held now is our doing, for the sum's sake, and no part of what happened.
            records += [record for record in batch if not isinstance(record, Settings) and not _is_our_hold(record)]
            if not any(isinstance(record, Call | Access) for record in batch):
                break
        t = self.clock.time()
        records += [call for handle in self.handles if (call := self._lives.in_flight(handle, t)) is not None]
        self._figures.forget_counters()
        records += self._figures.counters(self.handles, self._collector, t)
        self._fold(records)
        total: Summary = summary(self.state, self.channel)
        beginning, self._unread = self._unread, []
        return self._told([*beginning, *records, total])

    def _end_workers(self) -> list[Record]:
        """Kill everybody, wait for it, and say so."""
        records: list[Record] = []
        begun = self.state.header is not None
        living = self.workers.end(self._lives.told_by_parent if begun else lambda pid: None)
        if begun:
            records += [record for handle in living for record in self._farewell(handle)]
            t = self.clock.time()
            records += [ChannelRecord(t, place, closed=True) for place in self.state.channels]
        self.workers.forget()
        return records

    def close(self) -> None:
        """End all workers and give everything back; safe to call again. The launcher is its owner's to close."""
        if self._closed:
            return
        self._closed = True
        self._end_workers()
        if self._observer is not None:
            self._observer.close()
        self.workers.close()


def _is_our_hold(record: Record) -> bool:
    return isinstance(record, State) and record.state != "exited"
