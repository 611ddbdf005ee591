"""ALPC as the laboratory knows it: variants, parameters, thresholds, and what a session proves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.alpc.handshake import Memory
from ipctui.mechanisms.alpc.looker import Looker
from ipctui.trace.records import Count, Counters, Record
from ipctui.worker.names import new_name

TEXTBOOK = 256
"""Bytes up to which a message is copied through the port, as textbooks have it."""
SIZES = (256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24)
"""The sizes that `measure` goes through."""
_LARGEST = 64 << 20
_MOST_ON_PORT = 65536
_STEPS = ("socket", "connect", "recvmsg", "close", "sched_yield")
_PACED = ("socket", "sched_yield")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_VARIANTS = (
    Variant(
        "connect",
        "the handshake step by step: open the connection port, ask, get a handle of a private pair",
        ("client", "server"),
        {"rate": 2.0, "talk": 3},
    ),
    Variant("small", "messages up to the threshold are copied through the port's queue", ("client", "server")),
    Variant(
        "section",
        "larger ones lie in a section object that both map; the port only tells of them",
        ("client", "server"),
        {"size": 1024},
    ),
    Variant(
        "direct-read",
        "too large for the section: the server reads the client's memory where it is",
        ("client", "server"),
        {"size": 65536},
    ),
    Variant("many-clients", "each client has a private pair of its own", ("client", "server"), {"clients": 4}),
    Variant(
        "refused",
        "the server accepts one client; the other is refused until that one goes",
        ("client", "server"),
        {"clients": 2, "accepts": 1, "rate": 5.0},
    ),
    Variant(
        "measure",
        "every size by copying, by the section, by direct reading: where they cross on this machine",
        ("client", "server"),
        {"rate": 20.0},
    ),
)


class Alpc:
    """Advanced local procedure call, played by SEQPACKET pairs, SCM_RIGHTS, memfd and process_vm_readv."""

    name = "alpc"
    title = "Windows ALPC"
    about = "a connection port, a private pair for each client, and three ways for messages by their size"
    variants = _VARIANTS
    commands = ("shrink",)

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters."""
        return (
            Parameter("rate", 20.0, "messages a second for each client, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, _LARGEST, "bytes", "the laboratory's own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter(
                "small",
                TEXTBOOK,
                "bytes up to which a message goes through the port",
                1,
                _MOST_ON_PORT,
                "bytes",
                "256 is the textbook's figure",
            ),
            Parameter("section", 4096, "bytes of the section; what is larger is read directly", 64, 16 << 20, "bytes"),
            Parameter("clients", 1, "clients", 1, 12),
            Parameter("accepts", 12, "clients that the server has at most", 1, 64),
            Parameter("talk", 0, "messages until a client hangs up and asks again, 0 for never", 0, 10**9),
            Parameter("seals", "on", "whether the client seals its section against shrinking", choices=("on", "off")),
            Parameter(
                "permission",
                "granted",
                "whether the server may look into its clients (direct-read)",
                choices=("granted", "withheld"),
            ),
            Parameter("messages", 0, "messages that each client sends, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """What stands for ALPC's parts is Linux's."""
        if sys.platform != "linux":
            return f"memfd, sealing and process_vm_readv are Linux's; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """The thresholds stand in order."""
        if values["section"] <= values["small"]:
            raise UsageError(
                f"section={values['section']}: the section must hold more than goes through the port, "
                f"small={values['small']} bytes"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """Independent processes: the clients stand first, and start when the server's connection port is there."""
        rate = float(values["rate"])
        measures = variant.name == "measure"
        paced = _STEPS if variant.name == "connect" else _PACED
        program = "measuring_client" if measures else "client"
        server = "measuring_server" if measures else "server"
        count = 1 if measures else values["clients"]
        seats: list[PlannedSeat] = []
        for place in range(1, count + 1):
            role = f"client{place}" if count > 1 else "client"
            seats.append(PlannedSeat(role, program, _LETTERS[place % 26], paced, rate, sends=True))
        late = {seat.role: 0.5 if variant.name == "connect" else 0.05 for seat in seats}
        seats.append(PlannedSeat("server", server, "s", (), 0.0, sends=False))
        given = {
            name: values[name] for name in ("small", "section", "accepts", "talk", "seals", "permission", "messages")
        }
        return Plan(
            module=f"ipctui.mechanisms.alpc.{'measuring' if measures else 'program'}",
            trees=tuple((seat,) for seat in seats),
            given={
                **given,
                "prefix": new_name(),
                "backlog": 16,
                "yama": os.path.exists("/proc/sys/kernel/yama/ptrace_scope"),
                "sizes": SIZES,
                "largest": SIZES[-1],
            },
            limit=values["messages"],
            newcomers={} if measures else {"client": PlannedSeat("client", program, "c", paced, rate, sends=True)},
            no_more="measures are taken of one client alone" if measures else "",
            late=late,
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's ports and sections."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers each client's handshake, who was refused, and what was refused on the way."""
        memory = Memory(facts)
        for record in records:
            memory.add(record)
        return memory.facts() if memory.changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages, channels made, refusals, and messages by way."""
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
            "channels": sum(row.calls for row in _rows(counters, "server", "socketpair")),
            "refused_connections": facts.get("refused", 0),
            "refused_reads": sum(sum(row.errors.values()) for row in _rows(counters, "server", "process_vm_readv")),
            "ways": {way: row["count"] for way, row in facts.get("ways", {}).items()},
        }


CHANNEL = Alpc()


def _rows(counters: Mapping[str, Counters], role: str, name: str) -> Iterator[Count]:
    """A process's counts of one operation: exact, however many calls were too many to be told one by one."""
    if role in counters:
        yield from (row for row in counters[role].calls if row.name == name)
