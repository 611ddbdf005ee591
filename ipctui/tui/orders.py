"""What a key asks of the laboratory: from an action and the state to the text of a command. Pure."""

from __future__ import annotations

from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Held
from ipctui.tui.actions import Action

RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Messages a second that faster and slower go through; flat out (0) comes after the last."""


class NothingToDoError(Exception):
    """A key that can do nothing now; the message says why, in one line."""


def order(action: Action, state: LabState, role: str, text: str = "") -> str:
    """The command that an action gives for a process; `text` is what the user typed or chose.

    Raises:
        NothingToDoError: there is nothing to command, with the reason.
    """
    process = state.processes.get(role)
    if process is None:
        raise NothingToDoError("no process is selected")
    if action.command is None:
        raise NothingToDoError(f"{action.name} is no command of the laboratory")
    template = action.other if action.other and other_side(action.id, process) else action.command
    value = text
    if action.id == "faster":
        value = str(faster(rate_of(state, process)))
    elif action.id == "slower":
        value = str(slower(rate_of(state, process)))
    elif action.id == "larger":
        value = str(size_of(state, process) * 2)
    elif action.id == "smaller":
        value = str(smaller(size_of(state, process)))
    elif action.id == "add":
        value = role.rstrip("0123456789") or role
    # Not str.format: what the user typed may hold braces.
    return template.replace("{role}", role, 1).replace("{value}", value, 1)


def other_side(action: str, process: ProcessState | None) -> bool:
    """Whether a key that toggles stands on its other side: held, non-blocking or stopped already."""
    if process is None:
        return False
    if action == "hold":
        if not process.pid:
            return True  # not started yet: to release it is to start it
        if process.settings is not None:
            return process.settings.held
        return process.state is not None and process.state.state == "held"
    if action == "mode":
        return any(row.nonblocking for row in open_ends(process))
    return action == "stop" and process.state is not None and process.state.state == "stopped"


def open_ends(process: ProcessState) -> tuple[Held, ...]:
    """The descriptors that a process has open."""
    return tuple(row for row in process.descriptors if not row.end.endswith("closed"))


def rate_of(state: LabState, process: ProcessState) -> float:
    """The rate that was set for a process, messages a second; 0 is flat out."""
    return process.settings.rate if process.settings is not None else float(_parameter(state, "rate", 20))


def size_of(state: LabState, process: ProcessState) -> int:
    """The size of a process's messages, bytes."""
    return process.settings.size if process.settings is not None else int(_parameter(state, "size", 64))


def faster(rate: float) -> int:
    """The next rate up.

    Raises:
        NothingToDoError: it is flat out already.
    """
    if rate == 0:
        raise NothingToDoError("flat out already: nothing is faster")
    return next((step for step in RATES if step > rate), 0)


def slower(rate: float) -> int:
    """The next rate down.

    Raises:
        NothingToDoError: it is the lowest already.
    """
    if rate == 0:
        return RATES[-1]
    below = [step for step in RATES if step < rate]
    if not below:
        raise NothingToDoError("one message a second is the slowest; hold and step go slower")
    return below[-1]


def smaller(size: int) -> int:
    """Half a size.

    Raises:
        NothingToDoError: it is one byte already.
    """
    if size <= 1:
        raise NothingToDoError("a message of one byte cannot be halved")
    return size // 2


def _parameter(state: LabState, name: str, otherwise: float) -> float:
    value = state.header.parameters.get(name, otherwise) if state.header is not None else otherwise
    return value if isinstance(value, int | float) else otherwise
