"""The mailbox's own commands: which worker does what, with traced calls of its own, or why not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ipctui.kernel import mqueue
from ipctui.kernel.mqueue import Queue
from ipctui.lab.channel import Errand, Errands, Plan, Seen
from ipctui.lab.parameters import UsageError, number, printable, unknown
from ipctui.mechanisms.mailbox.order import DELETED
from ipctui.worker import names

COMMANDS = ("create", "receive", "delete", "nice", "policy")
POLICIES = {
    "system": "receiver",
    "one-at-a-time": "receiver_in_turn",
    "two-processes": "receiver_in_place",
}
"""The textbook's policies, and what a receiver runs by each."""

_MEEKEST = 19


@dataclass(frozen=True, slots=True)
class Situation:
    """What a command is judged by.

    Attributes:
        own: The mailboxes' names that are the session's own.
        queues: Every mailbox looked at, by its place.
    """

    plan: Plan
    processes: Sequence[Seen]
    queues: Mapping[str, Queue]
    own: Sequence[str]


def carry_out(words: Sequence[str], now: Situation) -> str | Errands | None:
    """What comes of a command; None when it is none of the mailbox's.

    Raises:
        UsageError: it cannot be done, with the reason.
    """
    functions = {"create": _create, "receive": _receive, "delete": _delete, "nice": _nice, "policy": _policy}
    return functions[words[0]](words[1:], now) if words and words[0] in functions else None


def _create(words: Sequence[str], now: Situation) -> Errands:
    """`create W`: W makes the mailbox anew, where its name is free, and begins its program again."""
    if len(words) != 1:
        raise UsageError("create: write create W, for example create sender")
    seen = _worker("create", words[0], now)
    rows = _rows(seen)
    place = next((target.removesuffix(DELETED) for _, target, _ in rows), str(now.plan.given["mailbox"]))
    lost = bool(rows) and all(unlinked for _, _, unlinked in rows)
    if place not in now.own and mqueue.find(place) is None:
        raise UsageError(f"create {seen.name}: {place} was another program's; this session makes only names of its own")
    return Errands((Errand(seen.name, "create", (place, lost), _program_of(seen, now)),))


def _receive(words: Sequence[str], now: Situation) -> Errands:
    """`receive W`: W receives one message more, held or not."""
    if len(words) != 1:
        raise UsageError("receive: write receive W, for example receive receiver")
    seen = _worker("receive", words[0], now)
    ends = [row.number for row in seen.descriptors if row.kind == "mqueue" and row.access != "write"]
    if not ends:
        raise UsageError(f"receive {seen.name}: it has no mailbox open to receive from")
    return Errands((Errand(seen.name, "receive", (ends[0],)),))


def _delete(words: Sequence[str], now: Situation) -> str | Errands:
    """`delete [W] [NAME]`: W takes the name away; without W its maker's kin, without anybody alive the laboratory."""
    roles = {seen.name for seen in now.processes}
    role = words[0] if words and words[0] in roles else None
    wanted = list(words[1:] if role else words)
    there = [place for place, queue in now.queues.items() if not queue.unlinked]
    if len(wanted) > 1 or (wanted and wanted[0] not in there):
        raise UsageError(f"delete: {unknown('worker or mailbox', ' '.join(wanted), [*sorted(roles), *there])}")
    if not there:
        raise UsageError("delete: no mailbox has a name any more; 6 creates one, r restarts the lab")
    holder = next((seen for seen in now.processes if role in (None, seen.name) and _rows(seen)), None)
    held = [target for _, target, _ in _rows(holder) if target in there] if holder else []
    name = wanted[0] if wanted else (held or there)[0]
    if name not in now.own:
        raise UsageError(f"delete: {name} was there before this session; its maker deletes it (mq_unlink)")
    doer = role or (holder.name if name in held and holder else None) or _holder_of(name, now)
    if doer is not None:
        return Errands((Errand(doer, "delete", (name,)),))
    try:
        names.remove("mqueue", name)
    except OSError as error:
        raise UsageError(f"delete: {name}: {error.strerror}") from None
    return f"nobody here has it open, so the laboratory itself called mq_unlink: {name} is gone with its messages"


def _nice(words: Sequence[str], now: Situation) -> Errands:
    """`nice W [BY]`: W makes itself nicer, nice(2)."""
    by = number(words[1], whole=True) if len(words) > 1 else 10
    if not words or len(words) > 2 or by is None:
        raise UsageError("nice: write nice W [BY], for example nice p2 10")
    seen = _worker("nice", words[0], now)
    with contextlib.suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, seen.pid) >= _MEEKEST and by > 0:
            raise UsageError(f"nice {seen.name}: it is at nice {_MEEKEST} already, and nothing is nicer; r restarts it")
    return Errands((Errand(seen.name, "nicer", (int(by),)),))


def _holder_of(name: str, now: Situation) -> str | None:
    return next((seen.name for seen in now.processes if name in [target for _, target, _ in _rows(seen)]), None)


def _policy(words: Sequence[str], now: Situation) -> Errands:
    """`policy P`: the receivers go by another policy from now on; neither processes nor mailbox are started again."""
    if len(words) != 1 or words[0] not in POLICIES:
        raise UsageError(f"policy: {unknown('policy', ' '.join(words), list(POLICIES))}")
    if now.plan.given.get("policy") is None:
        raise UsageError("policy: only in one-to-many do several wait for the same message; v goes there")
    planned = [seat.name for tree in now.plan.trees for seat in tree if not seat.sends]
    receivers = dict.fromkeys((*planned, *(seen.name for seen in now.processes if seen.name not in _senders(now.plan))))
    errands = tuple(Errand(name, then=POLICIES[words[0]]) for name in receivers)
    return Errands(errands, {"policy": words[0]})


def _senders(plan: Plan) -> set[str]:
    return {seat.name for tree in plan.trees for seat in tree if seat.sends}


def _worker(command: str, name: str, now: Situation) -> Seen:
    found = next((seen for seen in now.processes if seen.name == name), None)
    if found is None:
        names_known = [seen.name for seen in now.processes]
        raise UsageError(f"{command} {printable(name)}: {unknown('worker', name, names_known)}")
    return found


def _rows(seen: Seen) -> list[tuple[int, str, bool]]:
    """The mailboxes that a process has open: the descriptor, the link's text, and whether its name is gone."""
    return [(row.number, row.target, row.unlinked) for row in seen.descriptors if row.kind == "mqueue"]


def _program_of(seen: Seen, now: Situation) -> str:
    base = seen.role.rstrip("0123456789")
    for tree in now.plan.trees:
        for seat in tree:
            if seat.name == seen.name:
                return seat.program
    return now.plan.newcomers[base].program
