"""Expectations: short sentences about a state that a scenario waits for, such as `parent blocked in write`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipctui.lab.channel import Channel
from ipctui.lab.parameters import UsageError, number, printable, unknown
from ipctui.lab.state import LabState, ProcessState, cycle
from ipctui.lab.summary import summary
from ipctui.trace.operations import CODES

STATES = ("running", "paced", "held", "blocked", "stopped", "exited", "unknown")
COMPARED: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_PROCESS = (*STATES, "sent", "received", "error")
_FORMS = (
    'write "W blocked in write", "W exited with signal SIGPIPE", "W received >= 5", "W error EAGAIN", '
    '"channel full", "channel used >= 1", "event NAME", "proof NAME >= 1" or "deadlock"'
)

Test = Callable[[LabState], bool]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A sentence and what makes it true of a state."""

    text: str
    holds: Test


def parse_expectation(text: str, processes: Sequence[str], channel: Channel) -> Expectation:
    """The expectation that a sentence names.

    Args:
        processes: The names of the processes that there will be.

    Raises:
        UsageError: it names none, with the nearest right word.
    """
    words = text.split()
    if not words:
        raise UsageError(f"an empty expectation; {_FORMS}")
    first, rest = words[0], words[1:]
    match first:
        case "deadlock" if not rest:
            test: Test = _deadlock
        case "channel":
            test = _of_channel(text, rest)
        case "event" if len(rest) == 1:
            test = _of_event(rest[0])
        case "proof" if len(rest) == 3:
            test = _of_proof(rest[0], _comparison(text, rest[1:]), channel)
        case "deadlock" | "event" | "proof":
            raise UsageError(f"{printable(text)!r}: {_FORMS}")
        case _:
            bases = {name.rstrip("0123456789") for name in processes}
            if first not in processes and first.rstrip("0123456789") not in bases:
                subjects = [*processes, "channel", "deadlock", "event", "proof"]
                raise UsageError(f"{printable(text)!r}: {unknown('process', first, subjects)}")
            test = _of_process(text, first, rest)
    return Expectation(text, test)


def _deadlock(state: LabState) -> bool:
    return bool(cycle(state))


def _of_event(name: str) -> Test:
    return lambda state: any(event.name == name for event in state.events)


def _of_channel(text: str, words: list[str]) -> Test:
    def measured(state: LabState) -> list[tuple[int, int]]:
        channels = [held.now for held in state.channels.values() if not held.now.closed]
        return [(now.used, now.capacity or 0) for now in channels if now.used is not None]

    if words == ["full"]:
        return lambda state: any(used >= capacity > 0 for used, capacity in measured(state))
    if words == ["empty"]:
        return lambda state: any(used == 0 for used, _ in measured(state))
    if words[:1] == ["used"]:
        compare = _comparison(text, words[1:])
        return lambda state: any(compare(used) for used, _ in measured(state))
    what = words[0] if words else ""
    raise UsageError(f"{printable(text)!r}: {unknown('measure of a channel', what, ('full', 'empty', 'used'))}")


def _of_proof(name: str, compare: Callable[[float], bool], channel: Channel) -> Test:
    """A figure among the proofs; one within others by its way, `cells.nn.refused`."""

    def test(state: LabState) -> bool:
        if state.header is None:
            return False
        value: object = summary(state, channel).proofs
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        figure = number(value, whole=False) if isinstance(value, str) else value
        return isinstance(figure, int | float) and compare(figure)

    return test


def _of_process(text: str, name: str, words: list[str]) -> Test:
    what = words[0] if words else ""
    if what not in _OF_PROCESS:
        raise UsageError(f"{printable(text)!r}: {unknown('state or count', what, _OF_PROCESS)}")
    if what in ("sent", "received"):
        compare = _comparison(text, words[1:])
        return _about(name, lambda process: compare(_moved(process, what)))
    if what == "error":
        if len(words) != 2:
            raise UsageError(f"{printable(text)!r}: name one error, for example {name} error EAGAIN")
        return _about(name, lambda process: _failed(process, words[1]))
    if what == "exited":
        if words[1:] and (words[1] != "with" or len(words) != 4):
            raise UsageError(f'{printable(text)!r}: write "exited", "exited with status 0" or "exited with signal …"')
        status = " ".join(words[2:])
        return _about(name, lambda process: process.exited is not None and status in ("", process.status))
    call = ""
    if len(words) > 1:
        if words[1] != "in" or len(words) != 3:
            raise UsageError(f'{printable(text)!r}: write "{name} {what}" or "{name} {what} in CALL"')
        call = words[2]
        calls = list(dict.fromkeys(code.split()[0] for code in CODES))
        if call not in calls:
            raise UsageError(f"{printable(text)!r}: {unknown('call', call, calls)}")
    return _about(name, lambda process: _is(process, what, call))


def _about(name: str, test: Callable[[ProcessState], bool]) -> Test:
    def of(state: LabState) -> bool:
        process = state.processes.get(name)
        return process is not None and test(process)

    return of


def _is(process: ProcessState, wanted: str, call: str) -> bool:
    now = process.state
    if process.exited is not None or now is None or now.state != wanted:
        return False
    return not call or (now.before is not None and now.before.name == call)


def _moved(process: ProcessState, what: str) -> int:
    every = [*process.earlier, *([process.counters] if process.counters is not None else [])]
    return sum(each.sent if what == "sent" else each.received for each in every)


def _failed(process: ProcessState, error: str) -> bool:
    every = [*process.earlier, *([process.counters] if process.counters is not None else [])]
    return any(count.errors.get(error, 0) for each in every for count in each.calls)


def _comparison(text: str, words: list[str]) -> Callable[[float], bool]:
    if len(words) == 2 and words[0] in COMPARED:
        wanted = number(words[1], whole=False)
        if wanted is not None:
            compare = COMPARED[words[0]]
            return lambda value: compare(value, wanted)
    raise UsageError(f"{printable(text)!r}: a comparison has one of {' '.join(COMPARED)} and a number, such as >= 5")
