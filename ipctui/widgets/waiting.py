"""Who sleeps before an object: the processes that the kernel has blocked there, in which calls and since when."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ipctui.lab.state import LabState
from ipctui.widgets.card import age
from ipctui.widgets.view import View


@dataclass(frozen=True, slots=True)
class Waiter:
    """A process that waits: its role, its number, the call it sleeps in, and for how long ("2.3 s")."""

    role: str
    pid: int | None = None
    call: str = ""
    age: str = ""


def waiters(state: LabState, object: str, calls: Container[str], view: View) -> tuple[Waiter, ...]:
    """Those blocked on an object in one of these calls, the longest wait first."""
    found = []
    for process in state.processes.values():
        now = process.state
        if (
            process.exited is None
            and now is not None
            and now.state == "blocked"
            and now.object == object
            and now.before is not None
            and now.before.name in calls
        ):
            since = now.since if now.since is not None else now.t
            found.append((since, Waiter(process.name, process.pid, now.before.name, age(now, view))))
    return tuple(waiter for _, waiter in sorted(found, key=lambda item: item[0]))
