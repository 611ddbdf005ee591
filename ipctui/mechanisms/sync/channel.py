"""Blocking and non-blocking send and receive as the laboratory knows them: variants, parameters, and the four cells."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.kernel import mqueue, semaphore_sets
from ipctui.lab.channel import Observer, Plan, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.lab.streams import largest_capacity
from ipctui.mechanisms.sync.carriers import HEADER_ROOM, LARGEST, PAGE, Cell, given_of, names_of, trees_of
from ipctui.mechanisms.sync.counts import count, proofs, totals
from ipctui.mechanisms.sync.looker import Looker
from ipctui.trace.records import Counters, Record
from ipctui.trace.text import grouped

CELLS = {"bb": (False, False), "bn": (False, True), "nb": (True, False), "nn": (True, True)}
"""The cells by name, the send's letter first (blocking, non-blocking): whether sender and receiver are non-blocking."""
_ROLES = ("sender", "receiver")

_VARIANTS = (
    Variant("zero", "nothing lies between the two: each message is handed over, or not sent", _ROLES),
    Variant("bounded", "a mailbox of a few messages: a send is over when the mailbox has it", _ROLES),
    Variant(
        "pipe",
        "a message larger than the channel: half written, or a short count",
        _ROLES,
        {"size": 6000, "rate": 2.0},
    ),
    Variant("unbounded", "a queue that grows: no send ever waits", _ROLES),
)


class Sync:
    """Blocking and non-blocking send x blocking and non-blocking receive: four pairs of processes at once."""

    name = "sync"
    title = "blocking and non-blocking"
    about = "send and receive, each blocking or not: all four combinations side by side"
    variants = _VARIANTS
    commands = ()

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the limits are the system's."""
        most, origin = largest_capacity()
        limits = mqueue.limits()
        return (
            Parameter("rate", 2.0, "messages a second that each sender offers, 0 for flat out", 0, 100_000, "a second"),
            Parameter("receive", 5.0, "receives a second of each receiver, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", HEADER_ROOM, 1 << 20, "bytes", "room for the sender's name"),
            Parameter(
                "capacity",
                min(4, limits.messages),
                "messages that the mailbox holds (bounded)",
                1,
                limits.messages,
                "messages",
                str(mqueue.LIMITS / "msg_max"),
            ),
            Parameter(
                "largest",
                min(248, limits.message_size),
                "bytes of the largest message (zero, bounded, unbounded)",
                HEADER_ROOM,
                min(LARGEST, limits.message_size),
                "bytes",
                f"a page of memory; {mqueue.LIMITS / 'msgsize_max'}",
            ),
            Parameter("pipe", PAGE, "bytes that the pipe holds (pipe)", PAGE, most, "bytes", origin),
            Parameter("limit", 64, "memory that the growing queue may take (unbounded)", 1, 4096, "MiB"),
            Parameter("messages", 0, "messages that each sender offers, 0 for no end", 0, 10**12),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Where there is no Linux to look at, or a carrier is missing from its kernel."""
        return unavailable()

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A message must fit into what carries it whole."""
        if variant.name != "pipe":
            check_size(values)

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """Four cells on the carrier that the variant names."""
        rates = float(values["rate"]), float(values["receive"])
        cells = tuple(Cell(name, variant.name, _ROLES, rates, modes) for name, modes in CELLS.items())
        given = given_of(cells, values)
        return Plan(
            module="ipctui.mechanisms.sync.program",
            trees=trees_of(cells),
            given=given,
            limit=values["messages"],
            no_more="a cell has one sender and one receiver",
            names=names_of(given),
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the cells' channels."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Adds up what each cell offered, accepted, refused and received."""
        return count(facts, records)

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """By cell: offered = accepted + refused + in hand; received; what arrived out of order."""
        return {**totals(facts), "cells": proofs(facts)}


CHANNEL = Sync()


def unavailable() -> str | None:
    """Why this machine cannot run cells, in one sentence; None when it can."""
    if sys.platform != "linux":
        return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
    if not mqueue.LIMITS.is_dir():
        return f"this kernel has no POSIX message queues: there is no {mqueue.LIMITS}"
    return semaphore_sets.why_none() or None


def check_size(values: Mapping[str, Any]) -> None:
    """Raise UsageError where a message does not fit into its place."""
    if int(values["size"]) > int(values["largest"]):
        raise UsageError(
            f"size={values['size']}: a message has at most {grouped(int(values['largest']))} bytes here (largest)"
        )
