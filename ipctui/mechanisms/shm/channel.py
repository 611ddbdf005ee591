"""POSIX shared memory as the laboratory knows it: variants, parameters and limits, plans, and what a session proves."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ipctui.kernel.shared_memory import FOLDER, free_bytes
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.mechanisms.shm import facts as proofs
from ipctui.mechanisms.shm.looker import Looker
from ipctui.mechanisms.shm.program import dead_owner_layout, private_layout, race_layout, ring_layout
from ipctui.trace.records import Counters, Record
from ipctui.trace.text import grouped
from ipctui.worker.names import Kind, new_name
from ipctui.worker.places import Layout

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME = re.compile(r"/?[A-Za-z0-9._-]{1,80}")
_ITEM = 24
"""Bytes that an item needs for its sender's name and number."""

_RING = ("producer", "consumer")
_VARIANTS = (
    Variant("semaphores", "a circular buffer; empty, full and mutex let the kernel put to sleep who must wait", _RING),
    Variant("spin", "the same buffer, waited for in a loop: no system call, and a core burned", _RING),
    Variant("many", "several producers and consumers: the mutex is needed now", _RING, {"rate": 10.0}),
    Variant(
        "private",
        "MAP_PRIVATE beside MAP_SHARED: what one process stores there, no other sees",
        ("writer", "hermit", "reader"),
        {"rate": 2.0},
    ),
    Variant("race", "a shared counter without a lock: lost updates, counted; l locks", ("adder",), {"rate": 50.0}),
    Variant(
        "dead-owner",
        "a process killed with two locks in hand: a semaphore stays 0, a robust mutex recovers",
        ("owner", "sem-waiter", "mutex-waiter"),
        {"rate": 4.0},
    ),
)
_SEMAPHORES = {
    "semaphores": ("empty", "full", "mutex"),
    "many": ("empty", "full", "mutex"),
    "race": ("mutex",),
    "dead-owner": ("lock",),
}
_MODELESS = "nobody here asks the kernel to wait, so there is no call to make blocking or non-blocking"
_SIZELESS = "this variant stores numbers of 8 bytes and sends no messages that have a size"
_REFUSES = {
    "spin": {"nonblocking": _MODELESS, "blocking": _MODELESS},
    "private": {"nonblocking": _MODELESS, "blocking": _MODELESS, "size": _SIZELESS},
    "race": {"size": _SIZELESS},
    "dead-owner": {"size": _SIZELESS},
}
"""Commands that would change nothing, and why."""


def name_error(name: str) -> str:
    """What is wrong with a segment's name, "" when nothing is (shm_open(3))."""
    if "/" in name.removeprefix("/"):
        return "a slash too many: a name is one slash, and none after it, as in /ring (shm_open(3))"
    if not _NAME.fullmatch(name):
        return "write /NAME: letters, digits, point, dash and underscore, 80 at most"
    return ""


def layout_of(variant: str, given: SimpleNamespace) -> Layout:
    """What lies where in a variant's segment."""
    layouts = {"private": private_layout, "race": race_layout, "dead-owner": dead_owner_layout}
    return layouts.get(variant, ring_layout)(given)


class SharedMemory:
    """POSIX shared memory: shm_open(3), ftruncate(2), mmap(2), shm_unlink(3), and semaphores beside it."""

    name = "shm"
    title = "shared memory"
    about = "memory that several processes have mapped: no system call a message"
    variants = _VARIANTS
    commands = ("unlink", "lock", "post")

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters."""
        own = "the laboratory's own limit"
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", _ITEM, "bytes of a message, at most a slot's", 1, 4096, "bytes", own),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter("slots", 8, "slots of the buffer, of which one is always empty", 2, 64, "slots", own),
            Parameter("slot_size", 56, "bytes that fit into a slot", 8, 4096, "bytes", own),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter("producers", 2, "producers (many)", 1, 8),
            Parameter("consumers", 2, "consumers (many)", 1, 8),
            Parameter("adders", 2, "processes that add to the counter (race)", 1, 8),
            Parameter("gap", 4000, "microseconds between load and store (race)", 0, 100_000, "µs", own),
            Parameter(
                "provoke",
                "off",
                "whether adders wait for their turns between load and store, so that nearly all meet (race)",
                choices=("on", "off"),
            ),
            Parameter("lock", "off", "whether adders take the mutex (race)", choices=("on", "off")),
            Parameter(
                "name",
                "",
                "the segment's name, for foreign programs to join; one that exists is joined and never unlinked",
                origin="/NAME",
                text=name_error,
            ),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """It needs Linux, its tmpfs on /dev/shm, and posix_ipc."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        if not os.access(FOLDER, os.W_OK | os.X_OK):
            return f"{FOLDER} is missing or may not be written: shm_open(3) needs it"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A message must fit its slot, the segment what is free, and a name of the user's be fit to be joined."""
        if values["size"] > values["slot_size"]:
            raise UsageError(
                f"size={values['size']}: a slot holds {values['slot_size']} bytes; "
                f"restart with --set slot_size={values['size']} or more"
            )
        need = layout_of(variant.name, SimpleNamespace(**values)).size
        left = free_bytes()
        if left is not None and left < need:
            raise UsageError(f"{FOLDER} is full: {grouped(left)} bytes free, {grouped(need)} needed (df {FOLDER})")
        if values["name"]:
            _check_joined(values["name"], need)

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """The seats and programs of a variant."""
        name = "/" + (values["name"].removeprefix("/") or new_name())
        joined = os.path.exists(f"{FOLDER}{name}")
        semaphores = _SEMAPHORES.get(variant.name, ())
        owned: list[tuple[Kind, str]] = [] if joined else [("shm", name)]
        owned += [
            ("semaphore", f"{name}.{each}")
            for each in semaphores
            if not os.path.exists(f"{FOLDER}/sem.{name[1:]}.{each}")
        ]
        seats, newcomers = _seats(variant.name, values)
        return Plan(
            module="ipctui.mechanisms.shm.program",
            trees=tuple((seat,) for seat in seats),
            given={
                "name": name,
                "joined": joined,
                "variant": variant.name,
                "semaphores": list(semaphores),
                "slots": values["slots"],
                "slot_size": values["slot_size"],
                # With the gate between load and store there is no need to compute.
                "gap": 0 if values["provoke"] == "on" else values["gap"],
                "lock": values["lock"],
                "looks": 6,
                "steps": 8,
            },
            limit=values["messages"],
            newcomers=newcomers,
            no_more="" if newcomers else "this variant has one process for each part",
            names=tuple(owned),
            refuses=_REFUSES.get(variant.name, {}),
        )

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's segment and semaphores."""
        given = SimpleNamespace(**plan.given)
        return Looker(given, layout_of(given.variant, given))

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers what was stored into each counter and what it holds: the difference was lost."""
        return proofs.reduce(facts, records)

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages, lost updates, and the kernel's part in each message."""
        return proofs.summary(facts, counters)


CHANNEL = SharedMemory()


def _seats(variant: str, values: Mapping[str, Any]) -> tuple[list[PlannedSeat], dict[str, PlannedSeat]]:
    """The processes of a variant, and those that can be added."""
    rate = float(values["rate"])
    if variant == "private":
        both = ("load", "store")
        return [
            PlannedSeat("writer", "writer", "a", both, rate, sends=False),
            PlannedSeat("hermit", "hermit", "b", both, 2 * rate, sends=False),
            PlannedSeat("reader", "reader", "c", both, 2 * rate, sends=False),
        ], {}
    if variant == "dead-owner":
        return [
            PlannedSeat("owner", "owner", "a", ("load", "store"), rate, sends=False),
            PlannedSeat("sem-waiter", "sem_waiter", "b", ("sem_getvalue",), rate, sends=False),
            PlannedSeat("mutex-waiter", "mutex_waiter", "c", ("load",), 2 * rate, sends=False),
        ], {}
    if variant == "race":
        # A turn waited for between load and store is a window as wide as the rate is slow.
        turn = "store" if values["provoke"] == "on" else "load slot"
        adder = PlannedSeat("adder", "adder", "a", (turn,), rate, sends=False)
        # Rates that are a little apart: equal ones would keep their distance and might never meet.
        return [
            PlannedSeat(
                _numbered("adder", place, values["adders"]),
                "adder",
                _LETTERS[place],
                adder.paced,
                round(rate * (1 - 0.06 * place), 2),
                sends=False,
            )
            for place in range(values["adders"])
        ], {"adder": adder}
    many = variant == "many"
    turn = {"spin": "store slot", "semaphores": "load", "many": "sem_getvalue"}[variant]
    producer = PlannedSeat("producer", f"producer_{variant}", "a", (turn,), rate, sends=True)
    consumer = PlannedSeat("consumer", f"consumer_{variant}", "b", ("load slot",), 0.0, sends=False)
    if not many:
        return [producer, consumer], {}
    seats = [
        PlannedSeat(
            _numbered(kind.role, place, values[f"{kind.role}s"]),
            kind.program,
            _LETTERS[place],
            kind.paced,
            kind.rate,
            kind.sends,
        )
        for kind in (producer, consumer)
        for place in range(values[f"{kind.role}s"])
    ]
    return seats, {"producer": producer, "consumer": consumer}


def _numbered(role: str, place: int, count: int) -> str:
    return f"{role}{place + 1}" if count > 1 else role


def _check_joined(name: str, need: int) -> None:
    """Whether what has this name already can be joined.

    Raises:
        UsageError: it is no segment, too small, or another user's.
    """
    path = f"{FOLDER}/{name.removeprefix('/')}"
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"name={name}: {path} is no segment; choose another name")
    if not os.access(path, os.R_OK | os.W_OK):
        raise UsageError(f"name={name}: {path} belongs to another user and may not be written; choose another name")
    if found.st_size < need:
        raise UsageError(
            f"name={name}: {path} is there with {grouped(found.st_size)} bytes, {grouped(need)} are needed; "
            "choose another name, or remove it with rm"
        )
