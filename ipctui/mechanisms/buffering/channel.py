"""Buffering as the laboratory knows it: three channels, each between a producer and a consumer that both block.

The programs, and what looks at the channels, are those of `sync`: buffering is its column of blocking send and
blocking receive, with the three carriers beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.kernel import mqueue
from ipctui.lab.channel import Observer, Plan, Variant
from ipctui.lab.parameters import BEGINNING, Parameter
from ipctui.mechanisms.sync.carriers import HEADER_ROOM, LARGEST, Cell, given_of, names_of, trees_of
from ipctui.mechanisms.sync.channel import check_size, unavailable
from ipctui.mechanisms.sync.counts import count, proofs, totals
from ipctui.mechanisms.sync.looker import Looker
from ipctui.trace.records import Counters, Record

CARRIERS = ("zero", "bounded", "unbounded")
_ROLES = ("producer", "consumer")

_VARIANTS = (
    Variant("side-by-side", "no buffering, a bounded queue and an unbounded one, under one producer's speed", _ROLES),
)


class Buffering:
    """Zero, bounded and unbounded capacity under producers and consumers of the same speeds."""

    name = "buffering"
    title = "buffering"
    about = "how many messages a channel holds: none, so many, or any number"
    variants = _VARIANTS
    commands = ()

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the limits are the system's."""
        limits = mqueue.limits()
        return (
            Parameter("rate", 2.0, "messages a second of each producer, 0 for flat out", 0, 100_000, "a second"),
            Parameter("consume", 3.0, "messages a second of each consumer, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", HEADER_ROOM, LARGEST, "bytes", "room for the sender's name"),
            Parameter(
                "capacity",
                min(5, limits.messages),
                "messages that the bounded queue holds: n",
                1,
                limits.messages,
                "messages",
                str(mqueue.LIMITS / "msg_max"),
            ),
            Parameter(
                "largest",
                min(248, limits.message_size),
                "bytes of the largest message",
                HEADER_ROOM,
                min(LARGEST, limits.message_size),
                "bytes",
                f"a page of memory; {mqueue.LIMITS / 'msgsize_max'}",
            ),
            Parameter("limit", 64, "memory that the unbounded queue may take", 1, 4096, "MiB"),
            Parameter("messages", 0, "messages that each producer offers, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Where there is no Linux to look at, or a carrier is missing from its kernel."""
        return unavailable()

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A message must fit into what carries it."""
        check_size(values)

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """Three cells, a carrier each; everybody blocks."""
        rates = float(values["rate"]), float(values["consume"])
        cells = tuple(Cell(name, name, _ROLES, rates) for name in CARRIERS)
        given = given_of(cells, values)
        return Plan(
            module="ipctui.mechanisms.sync.program",
            trees=trees_of(cells),
            given=given,
            limit=values["messages"],
            no_more="a cell has one producer and one consumer",
            names=names_of(given),
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the three channels."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The three in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Adds up what each channel was offered, accepted, and gave out."""
        return count(facts, records)

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """By channel: offered = accepted + refused + in hand; received; what arrived out of order."""
        return {**totals(facts), "cells": proofs(facts)}


CHANNEL = Buffering()
