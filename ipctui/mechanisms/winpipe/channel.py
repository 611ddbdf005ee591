"""Windows pipes as the laboratory knows them: variants, parameters, what stands for what, what a session proves."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter
from ipctui.mechanisms.winpipe.looker import Looker
from ipctui.mechanisms.winpipe.memory import Memory
from ipctui.trace.records import Counters, Record
from ipctui.worker.names import new_name

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_VARIANTS = (
    Variant(
        "anonymous",
        "inheritance is stated handle by handle: the child gets two of four",
        ("parent", "child"),
        {"rate": 5.0, "messages": 40},
    ),
    Variant(
        "leaked",
        "the write end was stated inheritable, too: the child holds it, and end of file never comes",
        ("parent", "child"),
        {"messages": 20, "leak": "on"},
    ),
    Variant(
        "named-byte",
        "full duplex on one object, a stream: three sends can be read as one",
        ("client", "instance"),
        {"rate": 2.0},
    ),
    Variant(
        "named-message",
        "full duplex with the edges of messages kept: three sends are three, and a short read leaves the rest",
        ("client", "instance"),
        {"rate": 2.0, "mode": "message", "buffer": 40},
    ),
    Variant(
        "instances",
        "several instances of one name; a client waits for a free one",
        ("client", "instance"),
        {"rate": 4.0, "clients": 3, "instances": 2, "talk": 6},
    ),
)


class Winpipe:
    """Windows pipes, played by pipe(2) with close-on-exec, and by UNIX sockets of one listening address."""

    name = "winpipe"
    title = "Windows pipes"
    about = "anonymous: inheritance handle by handle; named: full duplex, byte or message mode, several instances"
    variants = _VARIANTS
    commands = ()

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters."""
        return (
            Parameter("rate", 20.0, "messages, or bursts of three, a second; 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, 32768, "bytes", "the laboratory's own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter(
                "leak", "off", "whether the write end is stated inheritable, too (anonymous)", choices=("off", "on")
            ),
            Parameter("mode", "byte", "what a named pipe keeps", choices=("byte", "message")),
            Parameter("buffer", 4096, "bytes that a read has room for (message mode)", 1, 65536, "bytes"),
            Parameter(
                "peek",
                "on",
                "whether the reader asks for a message's length first; else a short read loses the rest",
                choices=("on", "off"),
            ),
            Parameter("clients", 1, "clients (named)", 1, 12),
            Parameter("instances", 1, "instances of the name (named)", 1, 12),
            Parameter("talk", 20, "bursts of three messages until a client hangs up", 1, 10**9),
            Parameter("busy", 50, "milliseconds from the first bytes to the read (named)", 0, 5000, "ms"),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """What stands for Windows' parts is Linux's."""
        if sys.platform != "linux":
            return f"abstract addresses and memfd are Linux's; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """All values go together."""

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """A parent and its child; or clients, each by itself, and the instances, which share a listening socket."""
        rate = float(values["rate"])
        given = {name: values[name] for name in ("leak", "mode", "buffer", "peek", "instances", "talk", "busy")}
        given |= {"prefix": new_name(), "messages": values["messages"]}
        if variant.name in ("anonymous", "leaked"):
            seats = (
                PlannedSeat("parent", "parent", "a", ("write",), rate, sends=True),
                PlannedSeat("child", "child", "b", ("read",), 0.0, sends=False),
            )
            why = "the program makes one child, and a handle can only be inherited"
            return Plan(_MODULE, (seats,), given, limit=values["messages"], no_more=why)
        clients = [_client(place, values["clients"], rate) for place in range(1, values["clients"] + 1)]
        count = values["instances"]
        instances = tuple(
            PlannedSeat(
                f"instance{place}" if count > 1 else "instance",
                "instance" if place == 1 else "serve",
                _LETTERS[(place + 12) % 26],
                (),
                0.0,
                sends=True,
            )
            for place in range(1, count + 1)
        )
        return Plan(
            _MODULE,
            (*((seat,) for seat in clients), instances),
            given,
            newcomers={"client": _client(1, 1, rate)},
            no_more="an instance shares the listening socket of the first, and can only inherit it",
            late={seat.role: 0.1 + 0.1 * place for place, seat in enumerate(clients)},
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's pipes."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers handles as they were stated, the exec, and the latest sends and reads."""
        memory = Memory(facts)
        for record in records:
            memory.add(record)
        return memory.facts() if memory.changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages, those that short reads have cut among them, and handles inherited and withheld."""
        handles = facts.get("handles", {})
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
            "torn_messages": sum(count.received - count.whole for count in counters.values()),
            "handles": len(handles),
            "inherited": sum(1 for one in handles.values() if one["inherit"]),
            "withheld": sum(1 for one in handles.values() if not one["inherit"]),
            "end_of_file": facts.get("end_of_file", False),
        }


CHANNEL = Winpipe()
_MODULE = "ipctui.mechanisms.winpipe.program"


def _client(place: int, count: int, rate: float) -> PlannedSeat:
    role = f"client{place}" if count > 1 else "client"
    return PlannedSeat(role, "client", _LETTERS[place % 26], ("sched_yield",), rate, sends=True)
