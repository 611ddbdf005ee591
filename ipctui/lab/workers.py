"""The worker processes of a session: started by the launcher, met when they sit down, ended and waited for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipctui.kernel.process import ProcessProbe, exit_reason
from ipctui.lab.channel import Plan, PlannedSeat
from ipctui.lab.handle import Handle, Request, prepare
from ipctui.lab.launch import LauncherClient, LauncherError
from ipctui.lab.parameters import UsageError
from ipctui.trace.clock import now
from ipctui.trace.ring import W_ENDED, W_FAILED, W_OFFERED, W_SENT
from ipctui.trace.text import readable
from ipctui.worker import names
from ipctui.worker.messages import letter_of

START_SECONDS = 20.0
_PUT_OFF = 1_000_000_000
PATIENCE = 500_000_000
"""Nanoseconds to wait for whoever reaped a process to tell how it ended."""


class Workers:
    """One session's processes.

    Args:
        launcher: Forks and reaps them.
        size: Bytes of the messages that they begin with.

    Attributes:
        handles: All of them, in the order of the plan; those added later at the end.
        alive: False once the launcher has died, and they with it; `problem` says so.
    """

    def __init__(self, launcher: LauncherClient) -> None:
        self.handles: list[Handle] = []
        self.alive = True
        self.problem = ""
        self._launcher = launcher
        self._exits: dict[int, str] = {}
        self._first_pids: set[int] = set()
        self._late: dict[str, int] = {}
        self._told_why: dict[str, str] = {}
        self._trees: dict[str, tuple[Handle, ...]] = {}
        self._errors = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    # Beginning.

    def begin(self, plan: Plan, size: int, held: bool) -> None:
        """Start every tree of the plan that is not to start later, and wait until all of these answer.

        Raises:
            LauncherError: one did not start, with what it said.
            OSError: no descriptor or memory left.
        """
        self.plan = plan
        self._launcher.tell({"op": "preload", "module": plan.module})
        self._exits, self._first_pids, self._late, self._trees = {}, set(), {}, {}
        self._told_why = {}
        for kind, name in plan.names:
            self._launcher.tell({"op": "own", "kind": kind, "name": name})
        self.handles = []
        at_once: list[tuple[Handle, ...]] = []
        for tree in plan.trees:
            handles = tuple(prepare(seat, size, held or seat.held) for seat in tree)
            self.handles += handles
            first = handles[0].name
            self._trees[first] = handles
            if first in plan.late:
                self._late[first] = int(plan.late[first] * 1e9)
            else:
                self._start(handles)
                at_once.append(handles)
        self.handles.sort(key=lambda handle: handle.name in plan.shown_last)
        self._await(at_once, held)

    def _start(self, handles: Sequence[Handle]) -> None:
        plan = self.plan
        fds = [fd for handle in handles for fd in handle.ends.descriptors()]
        request = {
            "op": "start",
            "program": handles[0].seat.program,
            "seats": [_seat(handle.seat) for handle in handles],
            "given": dict(plan.given),
            "limit": plan.limit,
            "letters": self._letters() if plan.pieces else None,
        }
        self._launcher.tell(request, [*fds, self._errors[1]])
        self._first_pids.add(self._launcher.expect("started", START_SECONDS)["started"])
        for handle in handles:
            handle.ends.close()
            handle.taken_over = True

    def _letters(self) -> dict[str, str]:
        """The letter of every sender there is or is to be; of one that joins later, its number tells it."""
        planned = {seat.role: seat.letter for tree in self.plan.trees for seat in tree}
        return planned | {handle.role: handle.seat.letter for handle in self.handles}

    def _await(self, trees: Sequence[Sequence[Handle]], held: bool) -> None:
        """Wait until every process sits and answers; held from the start, the children are not forked yet."""
        deadline = time.monotonic() + START_SECONDS
        wanted = [handle for tree in trees for handle in (tree[:1] if held or tree[0].seat.held else tree)]
        # Who is held before its first fork answers only after its last one.
        mute = {tree[0].name for tree in trees if len(tree) > 1 and (held or tree[0].seat.held)}
        while not all(handle.born() and (handle.name in mute or handle.answers) for handle in wanted):
            if time.monotonic() > deadline:
                raise LauncherError("the workers did not start in time" + self._first_error())
            self._note(self._launcher.hear(0.001))
            ended = self._first_pids & self._exits.keys() - {handle.born() for handle in wanted}
            # One that sat down has told by itself, or will, how it ended: all its work done, or by a call that failed.
            if ended and not all(handle.born() for handle in wanted):
                raise LauncherError(f"a worker ended at once: {self._exits[ended.pop()]}" + self._first_error())
        for handle in self.handles:
            meet(handle)

    def _first_error(self) -> str:
        text = self.said()
        return f": {text.strip().splitlines()[-1]}" if text.strip() else ""

    # Living.

    def await_birth(self, handle: Handle) -> None:
        """Wait a moment for a process that has just been started by itself, until it sits and answers."""
        deadline = now() + PATIENCE
        while self.alone(handle) and not (handle.born() and handle.answers) and now() < deadline:
            time.sleep(0.001)

    def newborn(self) -> list[Handle]:
        """Those that have sat down since the last look."""
        return [handle for handle in self.handles if meet(handle)]

    def due(self, handle: Handle) -> int | None:
        """When a process that has not started yet is to start (nanoseconds since the clock's zero), or None."""
        return self._late.get(handle.name)

    def start_due(self, t: int) -> None:
        """Start the trees whose time has come, unless the plan's guard speaks against it: then they are put off.

        Raises:
            LauncherError: one could not be started.
        """
        for name in [name for name, due in self._late.items() if due <= t]:
            if self.plan.guard is not None and (why := self.plan.guard()):
                self._put_off(name, t, why)
            else:
                del self._late[name]
                self._start(self._trees[name])

    def _put_off(self, name: str, t: int, why: str) -> None:
        """Try again a second later; the reason is told once, as what a worker writes to its standard error is."""
        self._late[name] = t + _PUT_OFF
        if self._told_why.get(name) != why:
            self._told_why[name] = why
            with contextlib.suppress(BlockingIOError):
                os.write(self._errors[1], f"{name} is not started: {why}\n".encode())

    def start_now(self, handle: Handle) -> None:
        """Start one that was to start later.

        Raises:
            LauncherError: it could not be started.
        """
        if self._late.pop(handle.name, None) is not None:
            self._start(self._trees[handle.name])

    def hear(self, seconds: float = 0.0) -> None:
        """Take in what the launcher has said; if it has died, kill every worker here and now."""
        try:
            self._note(self._launcher.hear(seconds))
        except LauncherError as error:
            self.launcher_died(str(error))

    def _note(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for message in messages:
            if "exited" in message:
                self._exits[message["exited"]] = exit_reason(message["status"])

    def launcher_died(self, why: str) -> None:
        """Without its janitor the laboratory ends."""
        if self.alive:
            self.alive = False
            self.problem = f"{why}; the workers were ended with it"
            for handle in self.handles:
                if handle.alive:
                    handle.signal(signal.SIGKILL)

    def said(self) -> str:
        """What workers wrote to their standard error since the last look, fit to be shown."""
        try:
            return readable(os.read(self._errors[0], 65536), 65536).replace("\u240a", "\n")
        except BlockingIOError:
            return ""

    def status_of(self, handle: Handle, told_by_parent: Callable[[int], str | None]) -> str | None:
        """How a process ended: by the launcher's word, the kernel's while it is a zombie, or its parent's waitpid."""
        handle.status = handle.status or self._exits.get(handle.pid)
        if handle.status is None and handle.probe is not None:
            sample = handle.probe.sample()
            if sample.exit_code is not None:
                handle.status = exit_reason(sample.exit_code)
        if handle.status is None:
            handle.status = told_by_parent(handle.pid)
        if handle.status is None and handle.ring.words[W_ENDED] and not handle.ring.words[W_FAILED]:
            handle.status = "status 0"
        return handle.status

    def add(self, role: str, text: str, by: str) -> bool:
        """Add a worker of a role: an independent process where the plan has a seat for it, else a fork of a living one.

        Returns True when it has been started, False when a living worker was asked to fork it and answers later.

        Raises:
            UsageError: nobody can be added.
            LauncherError: it could not be started.
        """
        plan = self.plan
        base = role.rstrip(string.digits)
        if base not in plan.newcomers and not plan.adopts:
            raise UsageError(f"add {role}: {plan.no_more or 'this variant has no place for another'}")
        kin = [handle for handle in self.handles if handle.role.rstrip(string.digits) == base]
        number = max((int(handle.role[len(base) :] or 1) for handle in kin), default=0) + 1
        letter = letter_of(number)
        if base in plan.newcomers:
            template = plan.newcomers[base]
            living = [handle for handle in kin if handle.alive and handle.seat.sends == template.sends]
            rate, size = (living[0].rate, living[0].size) if living else (template.rate, self.handles[0].size)
            seat = replace(template, role=f"{base}{number}" if kin else base, letter=letter, rate=rate)
            handle = prepare(seat, size, seat.held)
            self.handles.append(handle)
            self._trees[handle.name] = (handle,)
            self._start((handle,))
            return True
        self._fork(f"{base}{number}", letter, [handle for handle in kin if handle.alive], text, by)
        return False

    def _fork(self, role: str, letter: str, living: Sequence[Handle], text: str, by: str) -> None:
        parents = [handle for handle in living if handle.answers and handle.seat.sends]
        if not parents:
            raise UsageError(f"add {role}: no living worker of this role holds an end that another could inherit")
        parent = parents[0]
        seat = replace(parent.seat, role=role, program=self.plan.adopts, letter=letter, rate=parent.rate)
        handle = prepare(seat, parent.size, held=False)
        self.handles.append(handle)
        words = _seat(seat)
        asked = parent.ask("fork", Request(text, by), tuple(handle.ends.descriptors()), program=seat.program, **words)
        handle.ends.close()
        handle.taken_over = True
        if not asked:
            raise UsageError(f"add {role}: {parent.role} has just ended")

    def takes_up(self, handle: Handle, program: str) -> None:
        """Note that a worker runs another program from now on, and with it whoever is started in its place or added."""
        old = handle.seat.program
        handle.seat = replace(handle.seat, program=program)
        newcomers = {
            role: replace(seat, program=program) if seat.program == old else seat
            for role, seat in self.plan.newcomers.items()
        }
        self.plan = replace(self.plan, newcomers=newcomers)

    def alone(self, handle: Handle) -> bool:
        """Whether a process was started by itself, so that it can be started again without the others."""
        return len(self._trees.get(handle.name, ())) == 1

    def renew(self, old: Handle) -> Handle:
        """Start another process in the place of one that has ended, with the same rate, size and gate.

        Its messages are numbered on, so that no two of a session have the same name.

        Raises:
            LauncherError: it could not be started.
        """
        # One more: the last of them is perhaps not counted as sent.
        begun = old.seat.first + max(old.ring.words[W_SENT], old.ring.words[W_OFFERED]) + 1
        seat = replace(old.seat, rate=old.rate, first=begun)
        handle = prepare(seat, old.size, old.held)
        self.handles[self.handles.index(old)] = handle
        self._trees[handle.name] = (handle,)
        old.close()
        self._start((handle,))
        return handle

    # Ending.

    def end(self, told_by_parent: Callable[[int], str | None]) -> list[Handle]:
        """Kill everybody and wait until it is known how each ended: those that lived. Names are taken away."""
        living = [handle for handle in self.handles if handle.alive]
        self._late.clear()
        for handle in living:
            handle.signal(signal.SIGKILL)
        for handle in living:
            has_ended(handle, 1.0)
        deadline = now() + PATIENCE
        while (
            self.alive and now() < deadline and any(self.status_of(handle, told_by_parent) is None for handle in living)
        ):
            self.hear(0.01)
        self._remove_names()
        return living

    def _remove_names(self) -> None:
        for kind, name in self.plan.names if self.handles else ():
            with contextlib.suppress(OSError):
                names.remove(kind, name)
            with contextlib.suppress(LauncherError):
                self._launcher.tell({"op": "disown", "kind": kind, "name": name})

    def forget(self) -> None:
        """Give back what is held of every process."""
        for handle in self.handles:
            handle.close()
        self.handles = []

    def close(self) -> None:
        """Close the pipe of standard errors; the processes have been ended."""
        for fd in self._errors:
            os.close(fd)


def meet(handle: Handle) -> bool:
    """Take hold of a process that has taken its seat; True when it is new."""
    pid = handle.born()
    if handle.pid or not pid:
        return False
    handle.pid = pid
    try:
        handle.pidfd = os.pidfd_open(pid)
        handle.probe = ProcessProbe(pid)
        sample = handle.probe.sample()
        handle.ppid, handle.start_time = sample.ppid, sample.start_time
    except OSError:
        pass  # it has ended already, and been reaped: what its ring holds is all that is left of it
    return True


def has_ended(handle: Handle, seconds: float) -> bool:
    """Whether a process is over, waiting so long for it (pidfd_open(2): readable then)."""
    if handle.pidfd < 0:
        return True
    poll = select.poll()
    poll.register(handle.pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _seat(seat: PlannedSeat) -> dict[str, Any]:
    paced, first = list(seat.paced), seat.first
    return {"role": seat.role, "cell": seat.cell, "letter": seat.letter, "paced": paced, "first": first}
