"""Direct communication as the laboratory knows it: variants, parameters, who names whom, and what a session proves."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.direct.looker import Looker
from ipctui.trace.records import Call, Counters, Process, Record
from ipctui.trace.records import Channel as ChannelRecord
from ipctui.trace.text import grouped

_HEADER_ROOM = 24
_OVERHEAD = 64
"""Bytes of a message's buffer that its sender cannot use, and more: unix(7) says only "overhead"."""
_PACED = ("socket", "send")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LATE = 1.0
_TARGET = re.compile(r"/([a-z]+[0-9]*)\b")

_VARIANTS = (
    Variant("symmetric", "send(P, m) and receive(Q, m): both name the other", ("p", "q", "r")),
    Variant("asymmetric", "send(P, m) and receive(id, m): the receiver names nobody and is told who", ("q", "p")),
    Variant("rename", "the receiver takes another name, and everybody who named the old one fails", ("q", "p")),
    Variant("forged", "m says that it is p; the kernel says who it is", ("q", "p", "m")),
)


class Direct:
    """Direct communication: one AF_UNIX SEQPACKET link for each pair, made at the first send, named after both."""

    name = "direct"
    title = "direct communication"
    about = "send(P, m) and receive(Q, m): exactly one link for each pair of processes"
    variants = _VARIANTS
    commands = ("rename",)

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the buffer's limit is the system's."""
        most, origin = _largest_buffer()
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, 65536, "bytes", "the receivers' own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter(
                "buffer",
                2304,
                "SO_SNDBUF of a link; the kernel doubles it, for its own bookkeeping is counted too",
                2304,
                most,
                "bytes",
                origin,
            ),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter("producers", 2, "senders (asymmetric, rename)", 1, 12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Abstract addresses and SO_PEERCRED are Linux's."""
        if sys.platform != "linux":
            return f"abstract addresses and SO_PEERCRED (unix(7)) are Linux's; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A message must fit into a link's buffer, and where names are lied about, a name into the message."""
        most = 2 * values["buffer"] - _OVERHEAD
        if values["size"] > most:
            raise UsageError(
                f"size={values['size']}: a message must fit into its link's buffer whole, {grouped(most)} bytes "
                f"with buffer={values['buffer']} (EMSGSIZE)"
            )
        if variant.name == "forged" and values["size"] < _HEADER_ROOM:
            raise UsageError(
                f"size={values['size']}: forged needs {_HEADER_ROOM} bytes or more, room for a sender's name"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """Independent processes, the receivers first, so that their doors are there."""
        rate, late = float(values["rate"]), {}
        newcomers: dict[str, PlannedSeat] = {}
        no_more = ""
        if variant.name == "symmetric":
            seats = [
                _seat("r", "third_r", "c", rate, sends=False),
                _seat("q", "second_q", "b", rate),
                _seat("p", "first_p", "a", rate),
            ]
            seats.reverse()
            no_more = "symmetric processes name each other in their programs; these know of p, q and r alone"
        elif variant.name == "forged":
            seats = [
                _seat("q", "doubter", "q", rate, sends=False),
                _seat("p", "sender", "p", rate),
                _seat("m", "forger", "m", rate),
            ]
            late = {"m": _LATE}
            no_more = "this is about p, q, and m who says that it is p"
        else:
            places = range(1, values["producers"] + 1)
            seats = [_seat("q", "receiver", "q", rate, sends=False)]
            seats += [_seat(f"p{place}", "sender", _LETTERS[place % 26], rate) for place in places]
            newcomers = {"p": _seat("p", "sender", "a", rate)}
        return Plan(
            module="ipctui.mechanisms.direct.program",
            trees=tuple((seat,) for seat in seats),
            given={
                # Abstract addresses vanish with their sockets, so the name need not tell whose it was, only be short.
                "prefix": f"ipctui-{os.urandom(3).hex()}",
                "buffer": values["buffer"],
                "keeper": os.getpid(),
                "doubts": variant.name == "forged",
            },
            limit=values["messages"],
            newcomers=newcomers,
            no_more=no_more,
            late=late,
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's doors and links."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers the links that came into being, who is refused by name now, and who speaks in whose name."""
        memory = _Memory(facts)
        for record in records:
            if isinstance(record, ChannelRecord):
                memory.look(record)
            elif isinstance(record, Call) and record.name == "connect":
                memory.connect(record)
            elif isinstance(record, Call) and record.name == "send":
                memory.send(record)
            elif isinstance(record, Process) and record.event == "exited":
                memory.refused.pop(record.process, None)
        return memory.facts() if memory.changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages, links and pairs, refusals by name, messages in another's name."""
        links = facts.get("links", {})
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
            "links": sum(link["made"] for link in links.values()),
            "pairs": len(links),
            "most_links_of_a_pair": max((link["most"] for link in links.values()), default=0),
            "refused_by_name": facts.get("refusals", 0),
            "forged_messages": sum(claim["count"] for claim in facts.get("claims", {}).values()),
        }


CHANNEL = Direct()


def _seat(role: str, program: str, letter: str, rate: float, sends: bool = True) -> PlannedSeat:
    return PlannedSeat(role, program, letter, _PACED if sends else (), rate if sends else 0.0, sends)


def _largest_buffer() -> tuple[int, str]:
    """The largest SO_SNDBUF that this user gets, and where that is written (socket(7))."""
    try:
        return int(Path("/proc/sys/net/core/wmem_max").read_text()), "/proc/sys/net/core/wmem_max"
    except (OSError, ValueError):
        return 212992, "the kernel's default of wmem_max"


class _Memory:
    """The facts of a session, thawed for the length of one batch.

    Attributes:
        links: By name, each pair's link: its object, when it was made and how often, whether it is open, and how many
            of its ends one process had at most.
        refused: By process, the name that it was told nobody bears, until it is let in somewhere.
        claims: By process, the name that its messages claim in place of its own, and how many.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.links: dict[str, dict[str, Any]] = {name: dict(one) for name, one in facts.get("links", {}).items()}
        self.refused: dict[str, str] = dict(facts.get("refused", {}))
        self.claims: dict[str, dict[str, Any]] = dict(facts.get("claims", {}))
        self.refusals: int = facts.get("refusals", 0)
        self._before = facts

    @property
    def changed(self) -> bool:
        """Whether the batch told anything."""
        return any(self._before.get(name, type(value)()) != value for name, value in self.facts().items())

    def facts(self) -> dict[str, Any]:
        """The facts as they are now."""
        return {"links": self.links, "refused": self.refused, "claims": self.claims, "refusals": self.refusals}

    def look(self, record: ChannelRecord) -> None:
        """A link was looked at, or is gone."""
        if record.closed:
            for link in self.links.values():
                if link["object"] == record.object:
                    link["open"] = False
            return
        if not record.facts.get("link") or record.name is None:
            return
        link = self.links.setdefault(record.name, {"made": 0, "most": 1, "open": False})
        if not link["open"]:
            link.update(object=record.object, open=True, made=link["made"] + 1, t=record.t)
        holders = [end["process"] for end in record.facts.get("ends", ())]
        link["most"] = max(link["most"], *(holders.count(holder) for holder in holders), 1)

    def connect(self, call: Call) -> None:
        """Somebody knocked."""
        if call.errno == "ECONNREFUSED":
            self.refused[call.process] = _target(call.args)
            self.refusals += 1
        elif call.result == 0:
            self.refused.pop(call.process, None)

    def send(self, call: Call) -> None:
        """Somebody sent messages, each of which says whose it is."""
        for message in call.message:
            said = message.partition(":")[0]
            if said != call.process:
                count = self.claims.get(call.process, {}).get("count", 0)
                self.claims[call.process] = {"as": said, "count": count + 1}


def _target(args: str) -> str:
    """The name that a connect asked for: what its address ends with; "" where the record does not say."""
    found = _TARGET.findall(args)
    return found[-1] if found else ""
