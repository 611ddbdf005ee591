"""The mailbox as the laboratory knows it: variants, parameters, limits, and what is started for each variant."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.kernel import mqueue
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.mailbox.commands import COMMANDS, POLICIES
from ipctui.mechanisms.mailbox.looker import Looker
from ipctui.mechanisms.mailbox.order import follow
from ipctui.trace.records import Counters, Record
from ipctui.trace.text import grouped
from ipctui.worker.names import new_name

_HEADER_ROOM = 24
_REPLY_ROOM = 80
"""Bytes that a question needs for the name of the mailbox that its answer goes to."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_VARIANTS = (
    Variant("one-to-one", "one sends, one receives, and neither names the other", ("sender", "receiver")),
    Variant(
        "one-to-many",
        "p1 sends, p2 and p3 wait: each message goes to one of them, by a policy",
        ("p1", "p2", "p3"),
        {"rate": 2.0},
    ),
    Variant("many-to-one", "several send into one mailbox", ("sender", "receiver"), {"rate": 5.0}),
    Variant(
        "two-way",
        "a mailbox for questions, and one of each client's own for answers, named in the question",
        ("client", "server"),
        {"rate": 5.0},
    ),
    Variant(
        "priority",
        "the urgent overtake all that is less urgent and still waits",
        ("ordinary", "urgent", "receiver"),
        {"rate": 4.0},
    ),
    Variant(
        "notify",
        "the receiver works on something else until a signal tells of a message",
        ("sender", "receiver"),
        {"rate": 1.0},
    ),
    Variant(
        "outlives",
        "the creator fills the mailbox and ends; a process started later finds the messages, and deletes it",
        ("creator", "heir"),
        {"rate": 5.0, "messages": 5},
    ),
    Variant(
        "pipeline",
        "producer, prosumer, consumer: the middle one takes from one mailbox and gives to the next",
        ("producer", "prosumer", "consumer"),
        {"rate": 5.0},
    ),
)


class Mailbox:
    """Mailboxes: mq_open(3), mq_send(3), mq_receive(3), mq_unlink(3) among processes that name none of each other."""

    name = "mailbox"
    title = "mailbox"
    about = "a queue of messages with a name of its own, for any number of processes"
    variants = _VARIANTS
    commands = COMMANDS

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the limits are the system's."""
        most = mqueue.limits()
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter(
                "size",
                64,
                "bytes of a message",
                _HEADER_ROOM,
                most.message_size,
                "bytes",
                f"room for the sender's name; {mqueue.LIMITS / 'msgsize_max'}",
            ),
            Parameter(
                "capacity",
                min(10, most.messages),
                "messages that the mailbox holds (mq_maxmsg)",
                1,
                most.messages,
                "messages",
                str(mqueue.LIMITS / "msg_max"),
            ),
            Parameter(
                "largest",
                min(1024, most.message_size),
                "bytes of the largest message (mq_msgsize)",
                _HEADER_ROOM,
                most.message_size,
                "bytes",
                str(mqueue.LIMITS / "msgsize_max"),
            ),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter("senders", 3, "senders (many-to-one)", 1, 12),
            Parameter("priority", 9, "priority of what is urgent (priority)", 1, 32767, "", "MQ_PRIO_MAX, mq_send(3)"),
            Parameter("policy", "system", "who may receive (one-to-many)", choices=tuple(POLICIES)),
            Parameter(
                "name",
                "",
                "a mailbox's name, to meet other programs in it; one that is there already is joined and kept",
                origin="a slash and a name, for example /orders (mq_overview(7)); nothing for a name of our own",
                text=lambda text: mqueue.why_no_name(text) if text else "",
            ),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Where the system has no message queues, or no Linux to look at them with."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        if not mqueue.LIMITS.is_dir():
            return f"this kernel has no POSIX message queues: there is no {mqueue.LIMITS}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """Messages must fit into the mailbox, and the mailbox into what its user may have."""
        largest, origin = int(values["largest"]), "largest"
        for name in _names_wanted(variant, str(values["name"]), values):
            there = mqueue.find(name)
            if there is not None and there.refused is not None:
                raise UsageError(
                    f"name={name}: a mailbox of this name is there, of another user or closed to this one (EACCES); "
                    "choose another name, or have its owner open it"
                )
            if there is not None and variant.name == "two-way" and name != str(values["name"]):
                raise UsageError(
                    f"name={values['name']}: {name}, which a client would make for its answers, is there already; "
                    "choose another name, or delete that one"
                )
            if there is not None and there.message_size is not None and there.message_size < largest:
                largest, origin = there.message_size, f"mq_msgsize of {name}, which is there already"
        needed = int(values["size"]) + (_REPLY_ROOM + len(str(values["name"])) if variant.name == "two-way" else 0)
        if needed > largest:
            what = f"size={values['size']}"
            if needed > int(values["size"]):
                what += f", with the name for the answer {needed} bytes"
            raise UsageError(f"{what}: the mailbox takes messages of at most {grouped(largest)} bytes ({origin})")
        allowed = mqueue.limits().bytes
        footprint = mqueue.footprint(int(values["capacity"]), int(values["largest"]))
        if allowed is not None and footprint > allowed:
            raise UsageError(
                f"capacity={values['capacity']} largest={values['largest']}: such a mailbox takes "
                f"{grouped(footprint)} bytes, and this user's message queues may take {grouped(allowed)} in all "
                "(RLIMIT_MSGQUEUE)"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """The independent processes of a variant, and the names that are the session's own."""
        chosen = str(values["name"])
        fresh = f"/{new_name()}"
        mailbox = chosen or fresh
        wanted = _names_wanted(variant, mailbox, values)
        joined = [name for name in wanted if chosen and mqueue.find(name) is not None]
        outbox = f"{mailbox}-out"
        names: list[tuple[Any, str]] = [("mqueue", name) for name in wanted if name not in joined]
        if variant.name == "one-to-many":
            names += [("semaphore", f"{fresh}-turn"), ("semaphore", f"{fresh}-places")]
        seats = _seats(variant.name, values)
        late = {"p3": 0.3} if _policy(variant.name, values) == "two-processes" else {}
        return Plan(
            module="ipctui.mechanisms.mailbox.program",
            trees=tuple((seat,) for seat in seats),
            given={
                "mailbox": mailbox,
                "outbox": outbox,
                "turn": f"{fresh}-turn",
                "places": f"{fresh}-places",
                "joined": mailbox in joined,
                "create": 0 if mailbox in joined else os.O_CREAT,
                "create_out": 0 if outbox in joined else os.O_CREAT,
                "policy": values["policy"] if variant.name == "one-to-many" else None,
                "capacity": values["capacity"],
                "largest": values["largest"],
                "priority": values["priority"],
            },
            limit=values["messages"],
            newcomers=_newcomers(variant.name, seats),
            no_more="the heir alone takes over what the creator left" if variant.name == "outlives" else "",
            late={"heir": 4.0} if variant.name == "outlives" else late,
            names=tuple(names),
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's mailboxes."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Follows every message from its send to its receive."""
        return follow(facts, records)

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages sent and received, by whom, and those of strangers."""
        boxes = facts.get("mailboxes", {}).values()
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
            "received_by": {role: count.received for role, count in counters.items() if count.received},
            "strangers_sent": sum(box["entered"] for box in boxes),
            "strangers_took": sum(box["taken"] for box in boxes),
        }


CHANNEL = Mailbox()


def _policy(variant: str, values: Mapping[str, Any]) -> str:
    return str(values["policy"]) if variant == "one-to-many" else "system"


def _names_wanted(variant: Variant, mailbox: str, values: Mapping[str, Any]) -> list[str]:
    """The mailboxes that a variant makes, by the name of its first; for clients to come, as many as there can be."""
    if not mailbox:
        return []
    if variant.name == "pipeline":
        return [mailbox, f"{mailbox}-out"]
    if variant.name == "two-way":
        most = mqueue.limits()
        footprint = mqueue.footprint(int(values["capacity"]), int(values["largest"]))
        clients = min(most.queues, most.queues if most.bytes is None else most.bytes // footprint)
        return [mailbox, f"{mailbox}-client", *(f"{mailbox}-client{number}" for number in range(2, clients + 1))]
    return [mailbox]


def _seat(role: str, program: str, place: int, rate: float, paced: str = "mq_send", sends: bool = True) -> PlannedSeat:
    return PlannedSeat(role, program, _LETTERS[place % 26], (paced,), rate, sends)


def _receiver(role: str, place: int, program: str = "receiver", rate: float = 0.0) -> PlannedSeat:
    return _seat(role, program, place, rate, "mq_receive", sends=False)


def _seats(variant: str, values: Mapping[str, Any]) -> tuple[PlannedSeat, ...]:
    rate = float(values["rate"])
    if variant == "one-to-many":
        receiver = POLICIES[_policy(variant, values)]
        return (_seat("p1", "sender", 0, rate), _receiver("p2", 1, receiver), _receiver("p3", 2, receiver))
    if variant == "many-to-one":
        count = int(values["senders"])
        roles = ["sender"] if count == 1 else [f"sender{number}" for number in range(1, count + 1)]
        senders = tuple(_seat(role, "sender", place, rate) for place, role in enumerate(roles))
        return (*senders, _receiver("receiver", count))
    return {
        "one-to-one": (_seat("sender", "sender", 0, rate), _receiver("receiver", 1)),
        "two-way": (_seat("client", "client", 0, rate), _seat("server", "server", 1, 0.0, "mq_receive")),
        "priority": (
            _seat("ordinary", "sender", 0, rate),
            _seat("urgent", "urgent", 1, rate / 4),
            _receiver("receiver", 2, rate=rate),
        ),
        "notify": (_seat("sender", "sender", 0, rate), _receiver("receiver", 1, "notified")),
        "outlives": (_seat("creator", "creator", 0, rate), _receiver("heir", 1, "heir", rate=2.0)),
        "pipeline": (
            _seat("producer", "sender", 0, rate),
            _seat("prosumer", "prosumer", 1, 0.0, "mq_receive"),
            _receiver("consumer", 2, "consumer"),
        ),
    }[variant]


def _newcomers(variant: str, seats: Sequence[PlannedSeat]) -> dict[str, PlannedSeat]:
    """Who can be added: another of each role; in one-to-many another that receives."""
    if variant == "outlives":
        return {}
    if variant == "one-to-many":
        return {"p": seats[-1]}
    return {seat.role.rstrip("0123456789"): seat for seat in seats}
