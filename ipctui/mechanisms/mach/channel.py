"""Mach as the laboratory knows it: variants, parameters, who is born with which rights, what a session proves."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.mach.looker import Looker
from ipctui.mechanisms.mach.memory import Memory
from ipctui.mechanisms.mach.program import MOST_RIGHTS
from ipctui.trace.records import Counters, Record
from ipctui.trace.text import grouped
from ipctui.worker.names import new_name

SIZES = (1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26)
"""The sizes that `out-of-line` goes through, 4 KiB to 64 MiB."""
_OVERHEAD = 704
"""Bytes of a message's kernel memory that are not its own, and more."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_VARIANTS = (
    Variant("message", "a port is a bounded queue; whoever holds a send right may send", ("sender", "receiver")),
    Variant("request-reply", "every request carries the right to answer it, once", ("client", "server")),
    Variant(
        "rights",
        "a send right is given away: only then can the other task send",
        ("alice", "bob", "receiver"),
        {"rate": 5.0, "every": 8},
    ),
    Variant(
        "receive-right",
        "the receive right is handed on with the messages that wait in it",
        ("sender", "first", "second"),
        {"rate": 10.0, "every": 8},
    ),
    Variant(
        "full-queue",
        "at a full queue the sender waits, times out, or is told when there is room",
        ("sender", "receiver"),
        {"rate": 10.0},
    ),
    Variant(
        "bootstrap",
        "a task registers its port by name; another looks it up",
        ("customer", "printer", "bootstrap"),
        {"rate": 5.0},
    ),
    Variant(
        "out-of-line",
        "large messages copied against mapped, 4 KiB to 64 MiB, measured here and now",
        ("sender", "receiver"),
        {"buffer": 131072},
    ),
)

_Task = tuple[str, str, tuple[str, ...], float]
"""A task: role, program, operations that wait for its turn, messages a second."""


class Mach:
    """Mach's ports and rights, played by SEQPACKET pairs, SCM_RIGHTS and memfd."""

    name = "mach"
    title = "Mach ports"
    about = "tasks, ports with one receive right, and send rights that travel in messages"
    variants = _VARIANTS
    commands = ()

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters."""
        most, origin = _largest_buffer()
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, 65536, "bytes", "the receivers' own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter(
                "buffer",
                2304,
                "SO_SNDBUF of a port's queue; the kernel doubles it, for its own bookkeeping is counted too",
                2304,
                most,
                "bytes",
                origin,
            ),
            Parameter(
                "carry",
                0,
                "send rights that each message carries besides (message)",
                0,
                300,
                "rights",
                f"the kernel takes {MOST_RIGHTS}: SCM_MAX_FD",
            ),
            Parameter("every", 8, "messages between two moves of a right (rights, receive-right)", 1, 10_000),
            Parameter(
                "full",
                "wait",
                "what the sender does at a full queue (full-queue)",
                choices=("wait", "timeout", "told"),
            ),
            Parameter("patience", 300, "milliseconds until a send times out (full-queue)", 1, 10_000, "ms"),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """What stands for Mach's parts is Linux's."""
        if sys.platform != "linux":
            return f"abstract addresses, memfd and sealing are Linux's; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A message fits into its port's queue whole."""
        most = 2 * values["buffer"] - _OVERHEAD
        if values["size"] > most:
            raise UsageError(
                f"size={values['size']}: a message must fit into its port's queue whole, {grouped(most)} bytes "
                f"with buffer={values['buffer']} (EMSGSIZE)"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """One tree: the kernel makes the tasks, as a Mach task is born with rights that its maker gives it."""
        rate = float(values["rate"])
        tasks, ports = _tasks(variant.name, rate)
        measures = variant.name == "out-of-line"
        seats = [
            PlannedSeat(role, program, _LETTERS[place % 26], paced, own, sends=program in _SENDS)
            for place, (role, program, paced, own) in enumerate(tasks, 1)
        ]
        return Plan(
            module=f"ipctui.mechanisms.mach.{'measuring' if measures else 'program'}",
            trees=((PlannedSeat("kernel", "kernel", "k", (), 0.0, sends=False), *seats),),
            given={
                **{name: values[name] for name in ("buffer", "carry", "every", "full", "patience", "messages")},
                "prefix": new_name(),
                "tasks": [[role, program] for role, program, _, _ in tasks],
                "ports": ports,
                "sizes": SIZES,
            },
            limit=values["messages"],
            shown_last=("kernel",),
            no_more="a task gets its first rights from the kernel that makes it, and these are all that it makes",
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's ports and rights."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers rights that moved, notifications, dead names, and messages that the kernel did not take."""
        memory = Memory(facts)
        for record in records:
            memory.add(record)
        return memory.facts() if memory.changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages, rights that moved, notifications, sends to dead names."""
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
            "rights_moved": facts.get("moved", 0),
            "rights_copied": facts.get("copied", 0),
            "notifications": facts.get("notified", 0),
            "sends_to_dead_names": _failed(counters, "EPIPE", "ECONNRESET"),
            "too_many_rights": _failed(counters, "EINVAL", "ETOOMANYREFS"),
            "timed_out": _failed(counters, "EAGAIN"),
        }


CHANNEL = Mach()


def _failed(counters: Mapping[str, Counters], *errors: str) -> int:
    """How often a sendmsg failed with one of these errors: exact, however many calls there were."""
    rows = (row for count in counters.values() for row in count.calls if row.name == "sendmsg")
    return sum(row.errors.get(error, 0) for row in rows for error in errors)


_SENDS = frozenset({"sender", "client", "holder", "steady", "patient", "customer", "shipper"})


def _tasks(variant: str, rate: float) -> tuple[list[_Task], list[list[Any]]]:
    """The tasks, and the ports that they are born with: name, who receives, who sends."""
    send, slow = ("sendmsg",), max(rate / 5, 0.5) if rate else 0.0
    if variant == "request-reply":
        return (
            [("client", "client", send, rate), ("server", "server", (), 0.0)],
            [["P", "server", ["client"]]],
        )
    if variant == "rights":
        return (
            [
                ("alice", "holder", send, rate),
                ("bob", "holder", send, rate),
                ("receiver", "receiver", (), 0.0),
            ],
            [["P", "receiver", ["alice"]], *_between("alice", "bob")],
        )
    if variant == "receive-right":
        take = ("recvmsg",)
        return (
            [
                ("sender", "steady", send, rate),
                ("first", "inheritor", take, rate / 2),
                ("second", "inheritor", take, rate / 2),
            ],
            [["P", "first", ["sender"]], *_between("first", "second")],
        )
    if variant == "full-queue":
        return (
            [("sender", "patient", send, rate), ("receiver", "receiver", ("recvmsg",), slow)],
            [["P", "receiver", ["sender"]]],
        )
    if variant == "bootstrap":
        return (
            [
                ("customer", "customer", ("sendmsg", "sched_yield"), rate),
                ("printer", "printer", (), 0.0),
                ("bootstrap", "bootstrap", (), 0.0),
            ],
            [["bootstrap", "bootstrap", ["customer", "printer"]]],
        )
    if variant == "out-of-line":
        return (
            [("sender", "shipper", ("sched_yield",), rate), ("receiver", "taker", (), 0.0)],
            [["P", "receiver", ["sender"]]],
        )
    return (
        [("sender", "sender", send, rate), ("receiver", "receiver", (), 0.0)],
        [["P", "receiver", ["sender"]]],
    )


def _between(one: str, two: str) -> list[list[Any]]:
    """A port for each, to which the other has the send right: rights are handed over there."""
    return [[f"to.{one}", one, [two]], [f"to.{two}", two, [one]]]


def _largest_buffer() -> tuple[int, str]:
    """The largest SO_SNDBUF that this user gets, and where that is written (socket(7))."""
    try:
        return int(Path("/proc/sys/net/core/wmem_max").read_text()), "/proc/sys/net/core/wmem_max"
    except (OSError, ValueError):
        return 212992, "the kernel's default of wmem_max"
