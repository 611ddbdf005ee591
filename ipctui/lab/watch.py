"""Watching: what the kernel says of each worker, put beside what the worker says of itself.

Blocked is the kernel's word. It is said when two samples of /proc/PID/{stat,syscall,wchan} agree (the same call, no
voluntary context switch between them) and the call is the operation that the worker announced. What the kernel does
not let us read is `unknown`, with the reason.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ipctui.kernel import libc
from ipctui.kernel.process import ProcessSample, exit_reason
from ipctui.kernel.syscalls import SystemCall
from ipctui.lab.channel import Limited, Observer, Reason, Seen, Sleep
from ipctui.lab.collect import arguments
from ipctui.lab.handle import Handle
from ipctui.lab.listing import Listing
from ipctui.trace.clock import Clock, now
from ipctui.trace.records import Before, State
from ipctui.trace.ring import PHASE_HELD, PHASE_PACED, Current, Key

_SAME_CALL = {
    "wait4": ("wait4", "waitid"),
    "clone": ("clone", "clone3", "fork"),
    "openat": ("openat", "open"),
    "poll": ("poll", "ppoll"),
    "epoll_wait": ("epoll_wait", "epoll_pwait"),
    "accept4": ("accept4", "accept"),
    "futex": ("futex", "futex_time64"),
    "semtimedop": ("semtimedop", "semop"),
}


_WORD = struct.calcsize("P")
_MSG_IOV = struct.calcsize("PIP") - _WORD
"""Where struct msghdr has its msg_iov: after the name and its length (sys/socket.h)."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One look at a worker: the kernel's sample and the worker's own word, taken together."""

    sample: ProcessSample
    current: Current


def glance(handle: Handle) -> Glance | None:
    """Look once; None before its birth and after its end."""
    if handle.probe is None:
        return None
    sample = handle.probe.sample()
    return Glance(sample, handle.ring.current())


def _may_sleep(look: Glance) -> bool:
    """Whether one look found the worker asleep in a call, while it says that it is in an operation."""
    return look.sample.letter in ("S", "D") and look.sample.call is not None and look.current.in_call


class Watcher:
    """Makes `state` records, one a process whenever something about it changed."""

    def __init__(self, clock: Clock, listing: Listing, observer: Observer) -> None:
        self._clock = clock
        self._listing = listing
        self._observer = observer
        self._said: dict[str, State] = {}
        self._seen: dict[str, Glance] = {}
        self._looks: dict[str, tuple[Glance, Glance]] = {}

    def limits(self) -> Mapping[str, int]:
        """The system's limits that the mechanism knows a failed call by, where it has any."""
        return self._observer.limits() if isinstance(self._observer, Limited) else {}

    def forget(self, name: str) -> None:
        """Another process has taken this place."""
        self._said.pop(name, None)
        self._seen.pop(name, None)
        self._looks.pop(name, None)

    def look_round(self, handles: Sequence[Handle]) -> None:
        """Look at everybody, so that all of whom a sleep is told have slept at one and the same moment.

        Who sleeps as at the last tick has slept since then. Where somebody may have fallen asleep meanwhile, all that
        sleep are looked at once more, when everybody has been looked at: two looks at one and then two at the next
        would make a deadlock of two that wait for each other by turns.
        """
        before, now = self._seen, self._glances(handles)
        fresh = {
            name
            for name, look in now.items()
            if _may_sleep(look) and (name not in before or not self._asleep(before[name], look))
        }
        asleep = [each for each in handles if each.name in now and _may_sleep(now[each.name])] if fresh else []
        again = self._glances(asleep)
        self._looks = {
            name: (look if name in fresh else before.get(name, look), again.get(name, look))
            for name, look in now.items()
        }
        self._seen = {name: second for name, (_, second) in self._looks.items()}

    @staticmethod
    def _glances(handles: Sequence[Handle]) -> dict[str, Glance]:
        return {handle.name: look for handle in handles if (look := glance(handle)) is not None}

    def look(self, handle: Handle, processes: list[Seen]) -> State | None:
        """A state record if the process's state has changed, by the last look round."""
        looks = self._looks.get(handle.name)
        if looks is None:
            return None
        t = self._clock.time()
        state = self._state(handle, *looks, processes, t)
        said = self._said.get(handle.name)
        if said is not None and replace(state, t=said.t) == said:
            return None
        self._said[handle.name] = state
        return state

    def ended(self, handle: Handle, status: str | None) -> State:
        """The record of a process's end."""
        state = State(
            self._clock.time(), handle.role, handle.pid, "exited", reason=status, kernel="X", cell=handle.cell
        )
        self._said[handle.name] = state
        return state

    def _state(self, handle: Handle, first: Glance, second: Glance, processes: list[Seen], t: int) -> State:
        sample, current = second.sample, second.current
        state = State(
            t,
            handle.role,
            handle.pid,
            "running",
            kernel=sample.letter or None,
            wchan=sample.wchan,
            pending=self._pending(handle, current),
            tid=handle.pid,
            cell=handle.cell,
        )
        if not sample.alive:
            status = exit_reason(sample.exit_code) if sample.exit_code is not None else handle.status
            return replace(state, state="exited", reason=status, pending=None)
        before, label = self._before(handle, current, sample.call)
        if sample.letter in ("T", "t"):
            return replace(state, state="stopped", before=before, object=label, pending=None)
        if current.phase == PHASE_HELD:
            return replace(
                state, state="held", before=before, object=label, since=self._clock.time(current.since), pending=None
            )
        if current.phase == PHASE_PACED:
            until = self._clock.time(current.until)
            return replace(state, state="paced", before=before, object=label, until=until, wchan=None)
        if sample.refused is not None:
            return replace(state, state="unknown", reason=sample.refused, before=before, object=label)
        if self._asleep(first, second):
            return self._blocked(handle, state, current, sample, processes, before, label)
        return replace(state, wchan=None)

    def _pending(self, handle: Handle, current: Current) -> str | None:
        if handle.held and current.phase != PHASE_HELD:
            return "hold"
        if handle.requests:
            return next(iter(handle.requests.values())).command
        return None

    @staticmethod
    def _asleep(first: Glance, second: Glance) -> bool:
        """Whether both looks found the worker asleep in one and the same call, its own announced operation."""
        one, two = first.sample, second.sample
        return (
            _may_sleep(second)
            and one.call == two.call
            and one.voluntary == two.voluntary
            and first.current.since == second.current.since
        )

    def _blocked(
        self,
        handle: Handle,
        state: State,
        current: Current,
        sample: ProcessSample,
        processes: list[Seen],
        before: Before | None,
        label: str | None,
    ) -> State:
        call = sample.call
        assert call is not None
        key = Key.of(current.key)
        operation = handle.ring.operations[key.operation]
        kernel_names = _SAME_CALL.get(operation.syscall or "", (operation.syscall,))
        if before is None or call.name not in kernel_names or (key.fd is not None and call.fd != key.fd):
            # Asleep in something that is not the program's operation, such as the interpreter's own lock.
            return replace(state, wchan=None)
        sleep = Sleep(handle.role, operation.name, key.fd, label, call, handle.cell)
        why: Reason = self._observer.explain(sleep, processes)
        return replace(
            state,
            state="blocked",
            before=before,
            object=label,
            since=self._clock.time(current.since),
            reason=why.reason,
            waker=why.waker,
            wakers=why.wakers,
            progress=why.progress,
            syscall=call.name,
        )

    def _before(self, handle: Handle, current: Current, call: SystemCall | None) -> tuple[Before | None, str | None]:
        """The operation that a worker stands before or is in, and the object's name."""
        key = Key.of(current.key)
        ring = handle.ring
        if not 0 < key.operation < len(ring.operations):
            return None, None
        operation = ring.operations[key.operation]
        label = ring.object_label(key.object) if key.object else None
        if current.detail is not None:
            argument, extra, payload = current.detail
            args = arguments(operation.name, key, argument, extra, payload, None, label)
        else:
            args = _kernel_arguments(handle.pid, operation.name, key, call, label)
        line = self._listing.line(ring.code_name(key.code), key.lasti)
        return Before(operation.name, args, key.fd, line), label


def _kernel_arguments(pid: int, name: str, key: Key, call: SystemCall | None, label: str | None) -> str:
    """The arguments of a call in flight from the kernel's registers, and its bytes from the process's memory.

    A name of an object, which a register only points to, is the one that the worker has announced (`label`).
    """
    if name == "sem_wait" and label is not None:
        return arguments(name, key, 0, 0, b"", None, label)
    if name == "open" and label is not None and call is not None and call.name == "openat":
        return arguments(name, key, call.args[2], call.args[3], b"", None, label)
    if call is None or call.name != name or call.fd != key.fd:
        return "" if key.fd is None else str(key.fd)
    if name == "clock_nanosleep":
        return "CLOCK_MONOTONIC, 0"  # how long stands in the process's memory, and may be gone from there
    if name == "write":
        try:
            payload = libc.process_vm_readv(pid, call.args[1], min(32, call.args[2]))
        except OSError:
            return f"{key.fd}, …, {call.args[2]}"
        return arguments(name, key, call.args[2], 0, payload, None)
    if name == "poll":
        return f"[{call.args[1]} descriptor{'s' * (call.args[1] != 1)}]"
    if name in ("sendmsg", "recvmsg"):
        size, payload = _message(pid, call.args[1], name == "sendmsg")
        return arguments(name, key, size, call.args[2], payload, None)
    return arguments(name, key, call.args[2], 0, b"", None)


def _message(pid: int, header: int, given: bool) -> tuple[int, bytes]:
    """The bytes that a message of sendmsg(2) or recvmsg(2) has room for, and the first of those that it was given.

    Its struct msghdr lies in the process's memory, and there is one struct iovec; 0 where that cannot be read.
    """
    try:
        (vector,) = struct.unpack_from("@P", libc.process_vm_readv(pid, header, _MSG_IOV + _WORD), _MSG_IOV)
        base, size = struct.unpack("@PN", libc.process_vm_readv(pid, vector, 2 * _WORD))
        return size, libc.process_vm_readv(pid, base, min(32, size)) if given and size else b""
    except (OSError, struct.error):
        return 0, b""


def let_settle(handles: Sequence[Handle]) -> None:
    """Wait until every worker stands at its gate, sleeps in the kernel or is stopped, a second at most."""
    deadline = now() + 1_000_000_000
    before = -1
    while now() < deadline:
        heads = sum(handle.ring.head() for handle in handles)
        running = any(
            look is not None
            and not look.current.phase
            and look.sample.letter not in ("T", "t", "Z", "X", "")
            and not (look.sample.letter in ("S", "D") and look.current.in_call)
            for look in (glance(handle) for handle in handles if handle.alive)
        )
        if heads == before and not running:
            return
        before = heads
        time.sleep(0.002)
