"""Data representation as the laboratory knows it: variants, parameters, two processes, and what a session proves."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ipctui.kernel.ports import no_loopback, planned_port, why_not_port
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError, printable
from ipctui.lab.told import heard
from ipctui.mechanisms.xdr.looker import Looker
from ipctui.mechanisms.xdr.machines import KINDS, MACHINES, THIS, Kind, parsed
from ipctui.trace.records import Counters, Event, Record
from ipctui.worker.names import new_name

_ROLES = ("sender", "receiver")
_BYTES = ("stored", "arrived")
_TOLD = (*_BYTES, "value", "read")
_SWAPPED = "big64" if sys.byteorder == "little" else "little64"
_ABOUT = {
    "int32": "a 32-bit integer: four bytes, and the question which comes first",
    "int16": "a 16-bit integer: XDR has none and sends four bytes",
    "int64": "a 64-bit integer: a hyper",
    "double": "a floating-point number of IEEE 754: its bytes have an order, too",
    "string": "text: bytes alone have no order, but a length is needed",
    "struct": "char, short, int, long, double: padding and the size of a long differ",
}
_VARIANTS = tuple(
    Variant(kind, about, _ROLES, {"value": {"double": "1.0", "string": "Hello"}.get(kind, "1")})
    for kind, about in _ABOUT.items()
)


class Xdr:
    """One value between two machines: as it lies in memory, or in External Data Representation (RFC 4506)."""

    name = "xdr"
    title = "data representation"
    about = "byte order, word size, padding: what a machine reads in another's bytes, and XDR"
    variants = _VARIANTS
    commands = ("xdr",)

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters."""
        machines = tuple(MACHINES)
        like = ", ".join(f"{name} like {machine.example}" for name, machine in MACHINES.items())
        return (
            Parameter("rate", 1.0, "values a second, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 24, "bytes of a message inside the laboratory; a value has its own", 1, 1024, "bytes"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter("value", "1", "the value", origin="a number; in `string` a text", text=lambda text: ""),
            Parameter("encoding", "raw", "how it is sent at first; l switches", choices=("raw", "xdr")),
            Parameter("sender", "this", f"the sender's machine: this one, or {like}", choices=("this", *machines)),
            Parameter("receiver", _SWAPPED, f"the machine that the receiver reads as: {like}", choices=machines),
            Parameter("port", 0, "the receiver's UDP port, 0 for any", 0, 65535),
            Parameter("messages", 0, "values that are sent, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Where there is no Linux, or no IPv4 loopback."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return no_loopback()

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """The value must be one of the variant's type, the port free."""
        try:
            parsed(cast("Kind", variant.name), str(values["value"]))
        except ValueError as error:
            raise UsageError(f"value={printable(str(values['value']))}: {variant.name} wants {error}") from None
        why = why_not_port(values["port"]) if values["port"] else ""
        if why:
            raise UsageError(f"port={values['port']}: {why}")

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """A sender and a receiver; the receiver has its port before the first value."""
        fresh = f"/{new_name()}"
        rate = float(values["rate"])
        return Plan(
            module="ipctui.mechanisms.xdr.program",
            trees=(
                (PlannedSeat("sender", "sender", "s", ("sendto",), rate, True),),
                (PlannedSeat("receiver", "receiver", "r", (), 0.0, False),),
            ),
            given={
                "kind": variant.name,
                "value": str(values["value"]),
                "sender": values["sender"],
                "receiver": values["receiver"],
                "port": values["port"] or planned_port(),
                "agreed": fresh,
                "encoding": values["encoding"],
            },
            limit=values["messages"],
            no_more="one sends and one receives; the other machines are computed",
            late={"sender": 0.3},
            names=(("shm", fresh),),
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the two sockets; it also holds what both have agreed on."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        name = variant.name if variant.name in ("string", "struct") else "number"
        return (Path(__file__).parent / "listing" / f"{name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers the value as it was stored, sent and read, and how often it was read right."""
        found = dict(facts)
        for record in records:
            said = heard(record) if isinstance(record, Event) else None
            if isinstance(record, Event) and said is not None and record.name in _TOLD:
                raw = said[1]
                found[record.name] = raw.hex() if record.name in _BYTES else raw.decode("utf-8", "replace")
                found["t"] = record.t
                if record.name == "read":
                    found["values"] = found.get("values", 0) + 1
        return found

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """What was stored, what came over the wire, and what was read."""
        return {
            "stored": facts.get("stored", ""),
            "wire": facts.get("arrived", ""),
            "read": _as_number(str(facts.get("read", ""))),
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": sum(count.received for count in counters.values()),
        }


CHANNEL = Xdr()
assert set(_ABOUT) == set(KINDS)
assert THIS in MACHINES


def _as_number(said: str) -> int | float | str:
    """What was read, as a number where it is one."""
    plain = said.replace(",", "")
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        number = float(plain)
    except ValueError:
        return said
    return number if math.isfinite(number) else said
