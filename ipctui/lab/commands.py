"""Commands: what a person or a script may ask of a running laboratory, by name, and how each is carried out."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ipctui.lab.channel import Errands
from ipctui.lab.handle import Handle, Request
from ipctui.lab.parameters import UsageError, number, printable, settle, unknown
from ipctui.trace.records import Command
from ipctui.trace.text import grouped

if TYPE_CHECKING:
    from ipctui.lab.session import Lab

LARGEST_TEXT = 64 << 20
LONGEST_TOLD = 1000
_ENDS_EMPTY_HANDED = frozenset({"read", "write", "mq_send", "mq_receive", "semop"})
"""Calls that `unblock` ends with EAGAIN or EINTR, nothing having moved."""
DONE = "done"


def check(text: str, extra: Sequence[str]) -> None:
    """Whether a command can be meant at all, before a laboratory runs.

    Raises:
        UsageError: there is no such command, or words are missing.
    """
    name, words = _words(text)
    if name in extra:
        return
    if name not in COMMANDS:
        raise UsageError(f"command {printable(text)!r}: {unknown('command', name, [*COMMANDS, *extra])}")
    usage, _, _ = COMMANDS[name]
    wanted = [word for word in usage.split()[1:] if not word.startswith("[")]
    if len(words) < len(wanted):
        raise UsageError(f"command {printable(text)!r}: words are missing; write: {usage}")


def perform(lab: Lab, text: str, by: str) -> str | None:
    """Carry out a command: its outcome, or None when the outcome comes later.

    Raises:
        UsageError: it cannot be done; the message says why.
    """
    check(text, lab.channel.commands)
    name, words = _words(text)
    if name in lab.channel.commands:
        outcome = lab.observer.command([name, *words], lab.seen)
        if isinstance(outcome, Errands):
            return _run(lab, outcome, text, by)
        return f"{DONE}: {outcome}" if outcome else DONE
    usage, most, function = COMMANDS[name]
    if len(words) > most:
        raise UsageError(f"{printable(text)!r}: too many words; write: {usage}")
    if why := lab.workers.plan.refuses.get(name):
        raise UsageError(f"{name}: {why}")
    return function(lab, words, text, by)


def answers(handles: Sequence[Handle], t: int) -> list[Command]:
    """What became of requests that were pending: answered by the worker, or void since it ended."""
    records: list[Command] = []
    for handle in handles:
        for request, outcome, detail in handle.answers_heard():
            said = f"{outcome}: {detail}" if detail else outcome
            records.append(Command(t, told(request.command), request.by, said))
        if handle.ended and handle.requests:
            why = f"refused: {handle.name} ended before"
            records += [Command(t, told(request.command), request.by, why) for request in handle.requests.values()]
            handle.requests.clear()
    return records


def told(text: str) -> str:
    """A command as records tell it: a payload of megabytes is cut, its true length said."""
    if len(text) <= LONGEST_TOLD:
        return text
    return f"{text[:LONGEST_TOLD]}… ({grouped(len(text))} characters)"


def _words(text: str) -> tuple[str, list[str]]:
    """The command's name and its words; what follows the worker's name in `inject` is one word, as it stands."""
    stripped = text.strip()
    name, _, rest = stripped.partition(" ")
    if name == "inject":
        worker, _, message = rest.strip().partition(" ")
        return name, [word for word in (worker, message) if word]
    try:
        return name, shlex.split(rest)
    except ValueError:
        return name, rest.split()


def named(handles: Sequence[Handle], name: str) -> list[Handle]:
    """The workers that a name means: `all`, CELL/ROLE or ROLE; CELL/all; ROLE alone where it is in every cell.

    Raises:
        UsageError: no worker has this name.
    """
    cell, _, role = name.rpartition("/")
    found = [
        handle
        for handle in handles
        if handle.name == name
        or name == "all"
        or (handle.cell is not None and cell in ("", handle.cell) and role in (handle.role, "all" if cell else ""))
    ]
    if not found and name != "all":
        cells = dict.fromkeys(handle.cell for handle in handles if handle.cell is not None)
        roles = dict.fromkeys(handle.role for handle in handles if handle.cell is not None)
        others = [*(handle.name for handle in handles), *roles, *(f"{each}/all" for each in cells), "all"]
        raise UsageError(unknown("worker", name, others))
    return found


def _workers(lab: Lab, name: str) -> list[Handle]:
    """The workers that a name means; of several those that live.

    Raises:
        UsageError: no worker has this name, or it has ended.
    """
    found = named(lab.handles, name)
    if name == "all" or len(found) > 1:
        return [handle for handle in found if handle.alive]
    (handle,) = found
    if handle.ended:
        raise UsageError(f"{name} has ended ({handle.status or 'how is unknown'}); r or `restart all` begins anew")
    if not handle.pid and lab.workers.due(handle) is None and not lab.arrived(handle):
        raise UsageError(f"{name} has not been forked yet")
    return found


def _each(lab: Lab, words: Sequence[str], function: Callable[[Handle], str | None]) -> str | None:
    """Ask each of the workers meant; where several are, those that refuse do not keep it from the others.

    Raises:
        UsageError: all of them refuse.
    """
    handles = _workers(lab, words[0])
    outcomes: list[str | None] = []
    refusals: list[UsageError] = []
    for handle in handles:
        try:
            outcomes.append(function(handle))
        except UsageError as error:
            refusals.append(error)
    if refusals and len(refusals) == len(handles):
        raise refusals[0]
    said = [outcome for outcome in outcomes if outcome is not None]
    if len(said) < len(outcomes):
        return None
    remarks = dict.fromkeys([*(outcome for outcome in said if outcome != DONE), *map(str, refusals)])
    return "; ".join(remarks) or DONE


def _hold(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    def hold(handle: Handle) -> str:
        handle.hold()
        state = lab.state_of(handle)
        if state is not None and state.state == "blocked" and state.before is not None:
            fd = "" if state.before.fd is None else state.before.fd
            return f"pending: takes effect when {handle.name} leaves {state.before.name}({fd})"
        return DONE

    return _each(lab, words, hold)


def _release(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    def release(handle: Handle) -> str:
        handle.release()
        if not handle.pid:
            lab.start(handle)
            return f"{DONE}: started"
        return DONE

    return _each(lab, words, release)


def _step(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    def step(handle: Handle) -> str:
        state = lab.state_of(handle)
        if not handle.held:
            handle.hold()
            if state is not None and state.state == "blocked":
                return f"pending: {handle.name} is asleep in the kernel and stops when it returns"
            return f"{DONE}: held; the next step makes one operation"
        if state is not None and state.state == "blocked":
            return f"pending: {handle.name} is still in the operation of the last step"
        handle.step()
        return DONE

    return _each(lab, words, step)


def _inject(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    data = os.fsencode(words[1])
    if len(data) > LARGEST_TEXT:
        raise UsageError(f"inject: {grouped(len(data))} bytes; the laboratory takes at most {grouped(LARGEST_TEXT)}")

    def inject(handle: Handle) -> str | None:
        if not handle.seat.sends:
            raise UsageError(f"{handle.name} sends no messages in this variant; inject into one that does")
        memory = os.memfd_create("ipctui-inject", os.MFD_CLOEXEC)
        try:
            with open(memory, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(memory, 0, os.SEEK_SET)
            return _ask(handle, "inject", text, by, (memory,))
        finally:
            os.close(memory)

    return _each(lab, words, inject)


def _ask(handle: Handle, do: str, text: str, by: str, fds: tuple[int, ...] = (), **more: object) -> str | None:
    if not handle.answers:
        raise UsageError(f"{handle.name} answers once it has forked its last child; step it there first")
    if not handle.ask(do, Request(text, by), fds, **more):
        raise UsageError(f"{handle.name} has just ended")
    return None


def _run(lab: Lab, errands: Errands, text: str, by: str) -> str | None:
    lab.values.update(errands.values)
    answered = False
    for errand in errands.each:
        handle = next(handle for handle in lab.handles if handle.name == errand.worker)
        if errand.then:
            lab.workers.takes_up(handle, errand.then)
        if handle.alive:
            words: dict[str, Any] = {"function": errand.function, "arguments": errand.arguments, "then": errand.then}
            answered |= _ask(handle, "run", text, by, **words) is None
    return None if answered else DONE


def _mode(nonblocking: bool) -> Callable[[Lab, list[str], str, str], str | None]:
    def mode(lab: Lab, words: list[str], text: str, by: str) -> str | None:
        def change(handle: Handle) -> str | None:
            # With no end open yet there is still the mode of those that it will open.
            fds = [row.number for row in lab.ends_of(handle)]
            return _ask(handle, "mode", text, by, ends=fds, nonblocking=nonblocking)

        return _each(lab, words, change)

    return mode


def _rate(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    rate = number(words[1], whole=False)
    if rate is None or not 0 <= rate <= 100_000:
        raise UsageError(f"rate {printable(words[1])}: messages a second from 0 (flat out) to 100,000")

    def change(handle: Handle) -> str:
        handle.set_rate(float(rate))
        return DONE

    return _each(lab, words, change)


def _size(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    parameter = next(parameter for parameter in lab.channel.parameters() if parameter.name == "size")
    size = parameter.parse(words[1])
    assert isinstance(size, int)
    lab.channel.check(lab.chosen, {**lab.values, "size": size})

    def change(handle: Handle) -> str:
        handle.set_size(size)
        return DONE

    return _each(lab, words, change)


def _signal(wanted: signal.Signals) -> Callable[[Lab, list[str], str, str], str | None]:
    def send(lab: Lab, words: list[str], text: str, by: str) -> str | None:
        def one(handle: Handle) -> str:
            if not handle.pid:
                raise UsageError(f"{handle.name} has not started yet; `release {handle.name}` starts it")
            if not handle.signal(wanted):
                raise UsageError(f"{handle.name} has just ended")
            return DONE

        return _each(lab, words, one)

    return send


def _close(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    def close(handle: Handle) -> str | None:
        rows = lab.ends_of(handle)
        if len(words) > 1:
            rows = [row for row in rows if words[1] in (str(row.number), row.access)]
        if len(rows) == 1:
            return _ask(handle, "close", text, by, fd=rows[0].number)
        have = ", ".join(f"{row.number} ({row.access} end)" for row in lab.ends_of(handle)) or "none"
        if not rows:
            wanted = f"no end {printable(words[1])!r}" if len(words) > 1 else "no end open"
            raise UsageError(f"{handle.name} has {wanted}; open: {have}")
        raise UsageError(f"{handle.name} has several such ends: {have}; name one by its number")

    return _each(lab, words, close)


def _restart(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    if words == ["held"]:
        lab.restart(held=True)
        return f"{DONE}: everybody stands before its first call; n steps"
    if not words or words[0] == "all":
        lab.restart()
        return DONE
    handles = named(lab.handles, words[0])
    if not all(lab.workers.alone(handle) for handle in handles):
        lab.restart()
        return f"{DONE}: all of them, since what they share comes only from a common ancestor"
    started = False
    for handle in handles:
        if handle.pid:
            lab.renew(handle)
        else:
            lab.start(handle)
            started = True
    return f"{DONE}: started" if started else DONE


def _set(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    changed = settle(lab.channel.parameters(), lab.values, [f"{words[0]}={words[1]}"])
    lab.channel.check(lab.chosen, changed)
    lab.values = changed
    lab.restart(anew=True)
    return f"{DONE}: restarted with {words[0]}={changed[words[0]]}"


def _unblock(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    def unblock(handle: Handle) -> str | None:
        state = lab.state_of(handle)
        if state is None or state.state != "blocked":
            raise UsageError(f"{handle.name} is not blocked")
        for role in state.wakers:
            for peer in lab.handles:
                if peer.name == role and peer.alive and peer.held:
                    peer.release()
                    return f"{DONE}: released {role}, which {handle.name} waits for"
        if state.before is not None and state.before.name not in _ENDS_EMPTY_HANDED:
            raise UsageError(
                f"{handle.name} sleeps in {state.before.name}, which ends only with {state.waker or 'its cause'}"
            )
        return _ask(handle, "wake", text, by)

    return _each(lab, words, unblock)


def _add(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    return lab.add(words[0], text, by)


def _remove(lab: Lab, words: list[str], text: str, by: str) -> str | None:
    def remove(handle: Handle) -> str | None:
        handle.release()
        return _ask(handle, "leave", text, by)

    return _each(lab, words, remove)


Perform = Callable[["Lab", list[str], str, str], str | None]

COMMANDS: dict[str, tuple[str, int, Perform]] = {
    "hold": ("hold W", 1, _hold),
    "release": ("release W", 1, _release),
    "step": ("step W", 1, _step),
    "inject": ("inject W TEXT", 2, _inject),
    "nonblocking": ("nonblocking W", 1, _mode(nonblocking=True)),
    "blocking": ("blocking W", 1, _mode(nonblocking=False)),
    "rate": ("rate W N", 2, _rate),
    "size": ("size W N", 2, _size),
    "stop": ("stop W", 1, _signal(signal.SIGSTOP)),
    "continue": ("continue W", 1, _signal(signal.SIGCONT)),
    "close": ("close W [END]", 2, _close),
    "kill": ("kill W", 1, _signal(signal.SIGKILL)),
    "restart": ("restart [W]", 1, _restart),
    "set": ("set PARAMETER VALUE", 2, _set),
    "unblock": ("unblock W", 1, _unblock),
    "add": ("add ROLE", 1, _add),
    "remove": ("remove W", 1, _remove),
}
"""Every command that all mechanisms know: how it is written, how many words it takes, and what carries it out."""
