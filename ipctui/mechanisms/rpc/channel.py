"""Remote procedure calls as the laboratory knows them: variants, parameters, processes, and what a session proves."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.kernel.ports import claim, no_loopback, planned_port, unprivileged_start, why_not_port
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.rpc.looker import Looker
from ipctui.mechanisms.rpc.memory import remember, totals
from ipctui.trace.records import Counters, Record
from ipctui.worker.names import Kind, new_name

PROGRAM = 0x20000099
"""The number of our RPC program: 20000000 to 3fffffff (hexadecimal) is for users (RFC 5531, section 13.1)."""
SEMANTICS = ("maybe", "at-least-once", "at-most-once", "exactly-once")
MATCHMAKER_PORT, SERVER_PORT = 30111, 30500
_HEADER_ROOM = 24
_LARGEST_MEMO = 8192
_LATE = {"matchmaker": {"server": 0.2, "client": 0.5, "fixed": 0.6}}
"""Seconds after which who calls is started: whom it calls has its port by then."""
_MODULE = "ipctui.mechanisms.rpc.program"

_VARIANTS = (
    Variant(
        "side-by-side",
        "the four semantics by turns over one lossy link",
        ("client", "link", "server"),
        {"rate": 2.0},
    ),
    Variant(
        "local",
        "the same procedure as a plain function, in another process, over the network",
        ("client", "callee", "server"),
        {"rate": 5.0},
    ),
    Variant("fixed-port", "the client has the server's port written into it", ("client", "server")),
    Variant(
        "matchmaker", "the client asks a matchmaker where the server is", ("client", "server", "matchmaker", "fixed")
    ),
    Variant("maybe", "sent once: no reply is taken for failure", ("client", "link", "server")),
    Variant("at-least-once", "sent again until answered: it may run twice", ("client", "link", "server")),
    Variant("at-most-once", "sent again, and the server knows a duplicate", ("client", "link", "server")),
    Variant(
        "exactly-once",
        "confirmed, and done once across crashes of the server: effect and history in one durable write",
        ("client", "link", "server"),
    ),
)


class Rpc:
    """ONC RPC version 2 (RFC 5531) with XDR (RFC 4506) over UDP and TCP, and a matchmaker (RFC 1833)."""

    name = "rpc"
    title = "remote procedure call"
    about = "a procedure of another process: stubs, marshalling, a matchmaker, and what becomes of a lost reply"
    variants = _VARIANTS
    commands = ("drop", "duplicate", "delay", "reorder", "cut", "mend", "crash", "move")

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; where ports begin that anybody may take is the system's."""
        low = f"below {unprivileged_start()} only with the right to: /proc/sys/net/ipv4/ip_unprivileged_port_start"
        percent = "per cent of all packets, both ways"
        return (
            Parameter("rate", 1.0, "calls a second, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 32, "bytes of the call's memo, a string", 1, _LARGEST_MEMO, "bytes", "one datagram"),
            Parameter("seed", 1, "seed of the link's chance", 0, 2**31),
            Parameter("transport", "udp", "what carries the calls", choices=("udp", "tcp")),
            Parameter("timeout", 500, "how long a client waits for a reply", 10, 60_000, "milliseconds"),
            Parameter("tries", 4, "how often a client sends before it gives up (not maybe, exactly-once)", 1, 1000),
            Parameter("delay", 600, "how late a delayed packet is", 1, 60_000, "milliseconds"),
            Parameter("loss", 0.0, "share of packets that the link drops", 0, 100, "per cent", percent),
            Parameter("duplication", 0.0, "share of packets that the link doubles", 0, 100, "per cent", percent),
            Parameter("reordering", 0.0, "share of packets that the next one overtakes", 0, 100, "per cent", percent),
            Parameter(
                "history",
                "ignore",
                "what becomes of a duplicate (at-most-once): ignored, or answered from the history",
                choices=("ignore", "answer"),
            ),
            Parameter("bound", 64, "replies that the history holds; of exactly-once, clients", 1, 100_000),
            Parameter(
                "port", 0, f"the matchmaker's port, 0 for {MATCHMAKER_PORT} or another free one", 0, 65535, "", low
            ),
            Parameter(
                "server",
                0,
                f"the server's port, 0 for {SERVER_PORT} (behind a link: any) or another free one",
                0,
                65535,
                "",
                low,
            ),
            Parameter("messages", 0, "calls that the client makes, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Where there is no Linux, or no IPv4 loopback."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return no_loopback()

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """Ports that are named must be free and allowed."""
        wanted = {"server": values["server"]}
        if variant.name == "matchmaker":
            wanted["port"] = values["port"]
        for name, port in wanted.items():
            why = why_not_port(port) if port else ""
            if why:
                raise UsageError(f"{name}={port}: {why}")
        if len({port for port in wanted.values() if port}) < sum(bool(port) for port in wanted.values()):
            raise UsageError(f"port and server are both {values['port']}: each needs a port of its own")

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """Independent processes, servers first."""
        linked = "link" in variant.roles
        # Behind a link nobody needs to know the port: one that the next laboratory does not prefer as well.
        server = _port(values["server"], 0 if linked else SERVER_PORT)
        matchmaker = _port(values["port"], MATCHMAKER_PORT) if variant.name == "matchmaker" else 0
        port = _port(0, 0) if linked else 0 if matchmaker else server
        names = SEMANTICS if variant.name == "side-by-side" else (_semantics(variant.name),)
        fresh = new_name()
        ledger = str(Path(tempfile.gettempdir()) / f"{fresh}.ledger") if linked else ""
        paths: tuple[tuple[Kind, str], ...] = (("path", ledger), ("path", f"{ledger}-new")) if linked else ()
        return Plan(
            module=_MODULE,
            trees=_trees(variant.name, values),
            given={
                "programs": {name: PROGRAM + place for place, name in enumerate(names)},
                "program": PROGRAM,
                "apart": 0x4000 if len(names) > 1 else 0,
                "port": port,
                "server": server,
                "matchmaker": matchmaker,
                "orders": f"/{fresh}",
                "ledger": ledger,
                **{
                    name: values[name]
                    for name in (
                        *("transport", "timeout", "tries", "delay", "history", "bound", "seed"),
                        *("loss", "duplication", "reordering"),
                    )
                },
            },
            limit=values["messages"],
            no_more="each of them is one of a kind here",
            late=_LATE.get(variant.name, {"client": 0.3}),
            names=(("shm", f"/{fresh}"), *paths),
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's sockets and ledger, which also gives the orders."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        name = "semantics" if variant.name in (*SEMANTICS, "side-by-side") else variant.name
        return (Path(__file__).parent / "listing" / f"{name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Follows the latest calls step by step, and counts."""
        return remember(facts, records)

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Calls, packets, executions, effects, and what the client believes."""
        return totals(facts)


CHANNEL = Rpc()


def _semantics(variant: str) -> str:
    return {"local": "maybe"}.get(variant, variant)


def _port(named: int, preferred: int) -> int:
    """The port that the user names, else one that is free, the preferred one if it is; no other laboratory takes it."""
    if not named:
        return planned_port(preferred)
    claim(named)
    return named


def _trees(variant: str, values: Mapping[str, Any]) -> tuple[tuple[PlannedSeat, ...], ...]:
    rate = float(values["rate"])
    client = PlannedSeat("client", "client", "c", ("call",), rate, True)
    server = PlannedSeat("server", "server", "s", (), 0.0, False)
    if variant == "local":
        caller = PlannedSeat("client", "caller", "c", ("sched_yield",), rate, True)
        return ((caller, PlannedSeat("callee", "callee", "e", (), 0.0, False)), (server,))
    if variant == "fixed-port":
        return ((client,), (server,))
    if variant == "matchmaker":
        matchmaker = PlannedSeat("matchmaker", "matchmaker", "m", (), 0.0, False)
        written = PlannedSeat("fixed", "fixed", "f", ("call",), rate, True)
        return ((client,), (server,), (matchmaker,), (written,))
    link = PlannedSeat("link", "link_tcp" if values["transport"] == "tcp" else "link", "l", (), 0.0, False)
    return ((client,), (link,), (server,))
