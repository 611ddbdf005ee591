"""The ordinary pipe as the laboratory knows it: variants, parameters and limits, and what is summed up."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError
from ipctui.lab.streams import largest_capacity
from ipctui.mechanisms.pipe.look import Looker
from ipctui.trace.records import Counters, Record, State

PAGE = mmap.PAGESIZE

_HEADER_ROOM = 24
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_VARIANTS = (
    Variant("one-way", "parent writes, child reads; each closes the end it does not use", ("parent", "child")),
    Variant(
        "two-way",
        "two pipes: a message there, an answer back",
        ("parent", "child"),
    ),
    Variant(
        "forgotten-end",
        "the child keeps its write end open: end of file never comes",
        ("parent", "child"),
        {"messages": 20},
    ),
    Variant(
        "deadlock",
        "two pipes, and both write more than fits before they read",
        ("parent", "child"),
        {"size": 10000, "rate": 2.0},
    ),
    Variant(
        "many-writers",
        "several children write into one pipe: whole up to PIPE_BUF, torn above it",
        ("parent", "child"),
        {"size": 6000, "rate": 0.0, "read_size": 1000},
    ),
    Variant(
        "packets",
        "O_DIRECT: each message takes a slot, and exactly as many fit as there are slots",
        ("parent", "child"),
        {"capacity": 4 * PAGE},
    ),
)


class Pipe:
    """The ordinary (anonymous) pipe: pipe(2), fork(2), read(2), write(2), close(2) in a parent and its child."""

    name = "pipe"
    title = "ordinary pipe"
    about = "a byte stream between a process and those it forked"
    variants = _VARIANTS
    commands = ("capacity",)

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the capacity's limit is the system's."""
        most, origin = largest_capacity()
        largest = 16 << 20
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, largest, "bytes", "the laboratory's own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter(
                "capacity", PAGE, "bytes that the pipe holds when every slot is full", PAGE, most, "bytes", origin
            ),
            Parameter("read_size", 65536, "bytes that a read asks for", 1, largest, "bytes"),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter("producers", 2, "writing children (many-writers)", 1, 12),
            Parameter(
                "sigpipe",
                "default",
                "what a write to a pipe without reader does: kill the writer, or fail with EPIPE",
                choices=("default", "ignore"),
            ),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """Pipes are everywhere, but the laboratory's grip on them needs Linux."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """Torn messages can be told only where a message has room for its sender's name."""
        if variant.name == "many-writers" and values["size"] < _HEADER_ROOM:
            raise UsageError(
                f"size={values['size']}: many-writers needs {_HEADER_ROOM} bytes or more, room for the sender's name"
            )

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """The seats and programs of a variant."""
        rate = float(values["rate"])
        reader = self._seat("child", "child", "b", 0.0, sends=False)
        trees: dict[str, tuple[PlannedSeat, ...]] = {
            "one-way": (self._seat("parent", "parent", "a", rate), reader),
            "packets": (self._seat("parent", "parent_packets", "a", rate), reader),
            "forgotten-end": (
                self._seat("parent", "parent_of_forgetful", "a", rate),
                self._seat("child", "forgetful_child", "b", 0.0, sends=False),
            ),
            "two-way": (
                self._seat("parent", "parent_two_way", "a", rate),
                self._seat("child", "child_two_way", "b", 0.0, paced="read"),
            ),
            "deadlock": (
                self._seat("parent", "parent_deadlock", "a", rate),
                self._seat("child", "child_deadlock", "b", rate),
            ),
            "many-writers": (
                self._seat("parent", "reading_parent", "a", 0.0, sends=False),
                *(
                    self._seat(
                        f"child{place}" if values["producers"] > 1 else "child",
                        "writing_child",
                        _LETTERS[place % 26],
                        rate,
                    )
                    for place in range(1, values["producers"] + 1)
                ),
            ),
        }
        many = variant.name == "many-writers"
        return Plan(
            module="ipctui.mechanisms.pipe.program",
            trees=(trees[variant.name],),
            given={name: values[name] for name in ("capacity", "read_size", "producers", "sigpipe")},
            limit=values["messages"],
            pieces=many,
            adopts="write_messages" if many else "",
            no_more="" if many else "an end of a pipe can only be inherited, and the program forks one child",
        )

    @staticmethod
    def _seat(
        role: str, program: str, letter: str, rate: float, sends: bool = True, paced: str | None = None
    ) -> PlannedSeat:
        return PlannedSeat(role, program, letter, (paced or ("write" if sends else "read"),), rate, sends)

    def observer(self, plan: Plan) -> Observer:
        """A looker into the session's pipes."""
        return Looker()

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers how often each process was blocked, and the largest part of a message that stood half written."""
        blocked = dict(facts.get("blocked", {}))
        half = facts.get("half_written", 0)
        changed = False
        for record in records:
            if isinstance(record, State) and record.state == "blocked":
                changed = True
                name = record.before.name if record.before is not None else "?"
                place = f"{record.process} {name}"
                blocked[place] = blocked.get(place, 0) + 1
                if record.progress is not None:
                    half = max(half, record.progress[0])
        return {**facts, "blocked": blocked, "half_written": half} if changed else facts

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages sent, received, whole and torn."""
        received = sum(count.received for count in counters.values())
        whole = sum(count.whole for count in counters.values())
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": received,
            "torn_messages": received - whole,
            "half_written_bytes": facts.get("half_written", 0),
        }


CHANNEL = Pipe()
