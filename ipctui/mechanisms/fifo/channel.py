"""The named pipe as the laboratory knows it: variants, parameters, the name that is used, and what is summed up."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ipctui.kernel.files import listed
from ipctui.lab.channel import Observer, Plan, PlannedSeat, Variant
from ipctui.lab.parameters import BEGINNING, Parameter, UsageError, printable
from ipctui.lab.streams import largest_capacity
from ipctui.mechanisms.fifo.look import Looker, why_not
from ipctui.trace.records import Call, Counters, Record, State
from ipctui.worker.names import Kind, new_name

PAGE = mmap.PAGESIZE
_HEADER_ROOM = 24
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BACK = ".back"

_VARIANTS = (
    Variant("one-way", "two strangers and a name: open() waits until both are there", ("writer", "reader")),
    Variant("two-way", "two FIFOs: a message there, an answer back", ("client", "server")),
    Variant("deadlock", "two FIFOs, opened in the wrong order: both sleep in open()", ("client", "server")),
    Variant(
        "many-writers",
        "several strangers write into one FIFO: whole up to PIPE_BUF, torn above it",
        ("reader", "writer"),
        {"size": 6000, "rate": 0.0, "read_size": 1000, "reads": 30.0},
    ),
    Variant("many-readers", "several read from one FIFO: each message goes to one of them", ("writer", "reader")),
    Variant(
        "nonblocking-open",
        "O_NONBLOCK: ENXIO for the writer, empty reads for the reader; and O_RDWR",
        ("writer", "reader", "rdwr"),
        {"rate": 4.0},
    ),
    Variant(
        "turns",
        "one FIFO both ways, in turns (half duplex): who reads too early hears himself",
        ("caller", "callee"),
        {"rate": 2.0},
    ),
)


def _wrong_path(text: str) -> str:
    """What is wrong with a path as a text, "" when nothing is."""
    if not text or text.endswith("/"):
        return "write the path of a FIFO, for example name=/tmp/orders"
    if "\0" in text:
        return "a path has no NUL in it"
    return ""


class Fifo:
    """The FIFO: mkfifo(3), open(2), read(2), write(2), unlink(2) in processes that have no common ancestor."""

    name = "fifo"
    title = "named pipe (FIFO)"
    about = "a pipe with a name in the file system, between any processes"
    variants = _VARIANTS
    commands = ("capacity", "unlink")

    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters; the capacity's limit is the system's."""
        most, origin = largest_capacity()
        largest = 16 << 20
        return (
            Parameter("rate", 20.0, "messages a second for each sender, 0 for flat out", 0, 100_000, "a second"),
            Parameter("size", 64, "bytes of a message", 1, largest, "bytes", "the laboratory's own limit"),
            Parameter("seed", 0, "seed of whatever is drawn by chance", 0, 2**31),
            Parameter("capacity", PAGE, "bytes that it holds when every slot is full", PAGE, most, "bytes", origin),
            Parameter("read_size", 65536, "bytes that a read asks for", 1, largest, "bytes"),
            Parameter("reads", 0.0, "reads a second (many-writers), 0 for flat out", 0, 100_000, "a second"),
            Parameter("messages", 0, "messages that each sender sends, 0 for no end", 0, 10**12),
            Parameter("producers", 2, "writers (many-writers)", 1, 12),
            Parameter("consumers", 2, "readers (many-readers)", 1, 12),
            Parameter("early", "no", "whether the caller reads before its turn (turns)", choices=("no", "yes")),
            Parameter(
                "name",
                "",
                "path of the FIFO: one that exists is joined and left, any other is made and removed",
                origin="a path; a temporary one when none is given",
                text=_wrong_path,
            ),
            BEGINNING,
        )

    def unavailable(self) -> str | None:
        """FIFOs are everywhere, but the laboratory's grip on them needs Linux."""
        if sys.platform != "linux":
            return f"workers are started and watched through Linux's /proc, memfd and pidfd; this is {sys.platform}"
        return None

    def check(self, variant: Variant, values: Mapping[str, Any]) -> None:
        """A torn message is told by its sender's name, and a path must be free or a FIFO's."""
        if variant.name == "many-writers" and values["size"] < _HEADER_ROOM:
            raise UsageError(
                f"size={values['size']}: many-writers needs {_HEADER_ROOM} bytes or more, room for the sender's name"
            )
        if values["name"]:
            for path in _paths(variant, values["name"]):
                check_path(path)

    def plan(self, variant: Variant, values: Mapping[str, Any]) -> Plan:
        """The seats and programs of a variant, and the names that the session must remove."""
        path = values["name"] or os.path.join(tempfile.gettempdir(), new_name())
        paths = [os.path.realpath(each) for each in _paths(variant, path)]
        names: tuple[tuple[Kind, str], ...] = tuple(("path", each) for each in paths if not os.path.lexists(each))
        trees, late = self._trees(variant.name, float(values["rate"]), values)
        return Plan(
            module="ipctui.mechanisms.fifo.program",
            trees=tuple((seat,) for seat in trees),
            given={name: values[name] for name in ("capacity", "read_size", "early")}
            | {
                "path": paths[0],
                "back": paths[-1],
                "joined": not names,
            },
            limit=values["messages"],
            pieces=variant.name not in ("one-way", "two-way", "deadlock"),
            newcomers=self._newcomers(variant.name, float(values["rate"])),
            # The reader makes the FIFO, and so comes first; on the screen the bytes go from left to right.
            shown_last=("reader",) if variant.name == "many-writers" else (),
            no_more="two processes play this variant; many-writers and many-readers take more",
            late=late,
            names=names,
            guard=partial(why_not, tuple(paths)),
        )

    def _trees(
        self, variant: str, rate: float, values: Mapping[str, Any]
    ) -> tuple[list[PlannedSeat], dict[str, float]]:
        writer, reader = _seat("writer", "writer", "a", rate), _listener("reader", "reader", "b")
        if variant == "one-way":
            return [writer, reader], {"reader": 4.0}
        if variant in ("two-way", "deadlock"):
            ending = "_deadlock" if variant == "deadlock" else ""
            client = _seat("client", f"client{ending}", "a", rate)
            return [client, _listener("server", f"server{ending}", "b")], {"client": 1.5}
        if variant == "many-writers":
            writers = _several("writer", "one_of_writers", values["producers"], rate)
            # A reader slower than its writers keeps the FIFO full: that they take turns can be seen.
            reader = PlannedSeat("reader", "first_reader", "z", ("read",), float(values["reads"]), False)
            return [reader, *writers], _one_by_one(writers, 1.0)
        if variant == "many-readers":
            readers = [
                _listener(seat.role, "one_of_readers", seat.letter)
                for seat in _several("reader", "", values["consumers"], 0)
            ]
            return [writer, *readers], _one_by_one(readers, 1.0)
        if variant == "turns":
            return [_seat("caller", "caller", "a", rate), _listener("callee", "callee", "b")], {"callee": 1.5}
        return [
            PlannedSeat("writer", "impatient_writer", "a", ("open", "write"), rate, True),
            PlannedSeat("reader", "impatient_reader", "b", ("read",), 2 * rate, False),
            PlannedSeat("rdwr", "both_ends", "c", ("read", "write"), rate / 2, True),
        ], {"reader": 3.0, "rdwr": 8.0}

    @staticmethod
    def _newcomers(variant: str, rate: float) -> dict[str, PlannedSeat]:
        if variant == "many-writers":
            return {"writer": _seat("writer", "one_of_writers", "a", rate)}
        return {"reader": _listener("reader", "one_of_readers", "a")} if variant == "many-readers" else {}

    def observer(self, plan: Plan) -> Observer:
        """A looker at the session's FIFOs."""
        return Looker(plan)

    def listing(self, variant: Variant) -> str:
        """The variant in C."""
        return (Path(__file__).parent / "listing" / f"{variant.name}.c").read_text(encoding="utf-8")

    def reduce(self, facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
        """Remembers where each process was blocked, reads of one's own, reads that brought nothing, and torn messages.

        Of each receiver how many it has counted that came torn, and when another did.
        """
        blocked = dict(facts.get("blocked", {}))
        own, empty = dict(facts.get("own", {})), dict(facts.get("empty", {}))
        torn = dict(facts.get("torn", {}))
        before = (dict(blocked), dict(own), dict(empty), dict(torn))
        for record in records:
            if isinstance(record, State) and record.state == "blocked":
                place = f"{record.process} {record.before.name if record.before is not None else '?'}"
                blocked[place] = blocked.get(place, 0) + 1
            elif isinstance(record, Counters):
                count = record.received - record.whole
                if count != torn.get(record.process, (0,))[0]:
                    torn[record.process] = [count, record.t]
            elif isinstance(record, Call) and record.name == "read":
                if record.result == 0:
                    empty[record.process] = empty.get(record.process, 0) + 1
                elif any(message.startswith(f"{record.process}:") for message in record.message):
                    own[record.process] = own.get(record.process, 0) + 1
        if before == (blocked, own, empty, torn):
            return facts
        return {**facts, "blocked": blocked, "own": own, "empty": empty} | ({"torn": torn} if torn else {})

    def summary(self, facts: Mapping[str, Any], counters: Mapping[str, Counters]) -> dict[str, Any]:
        """Messages sent, received and torn; openings refused; reads of one's own message."""
        received = sum(count.received for count in counters.values())
        return {
            "sent_messages": sum(count.sent for count in counters.values()),
            "received_messages": received,
            "torn_messages": received - sum(count.whole for count in counters.values()),
            "refused_opens": sum(
                row.errors.get("ENXIO", 0) for count in counters.values() for row in count.calls if row.name == "open"
            ),
            "own_messages_read": sum(facts.get("own", {}).values()),
            "empty_reads": sum(facts.get("empty", {}).values()),
        }


CHANNEL = Fifo()


def _paths(variant: Variant, path: str) -> tuple[str, ...]:
    return (path, path + _BACK) if variant.name in ("two-way", "deadlock") else (path,)


def check_path(path: str) -> None:
    """Whether a FIFO can be made or joined there.

    Raises:
        UsageError: it cannot; one line why.
    """
    shown = f"name={printable(path, 80)}"
    full = os.path.realpath(path)
    folder = os.path.dirname(full)
    try:
        if not os.path.isdir(folder):
            raise UsageError(f"{shown}: there is no folder {printable(folder, 80)}; mkdir makes it")
        there = listed(full)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror}") from None
    if there is None:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"{shown}: this user may make no file in {printable(folder, 80)}")
    elif there.kind != "a FIFO":
        raise UsageError(f"{shown}: {there.kind} is there; name a FIFO, or a path where nothing is")
    elif not os.access(full, os.R_OK | os.W_OK):
        raise UsageError(f"{shown}: this user may not read and write it ({there.mode}, {there.owner})")


def _seat(role: str, program: str, letter: str, rate: float) -> PlannedSeat:
    return PlannedSeat(role, program, letter, ("write",), rate, True)


def _listener(role: str, program: str, letter: str) -> PlannedSeat:
    return PlannedSeat(role, program, letter, ("read",), 0.0, False)


def _several(base: str, program: str, count: int, rate: float) -> list[PlannedSeat]:
    return [
        _seat(f"{base}{place}" if count > 1 else base, program, _LETTERS[place % 26], rate)
        for place in range(1, count + 1)
    ]


def _one_by_one(seats: Sequence[PlannedSeat], first: float) -> dict[str, float]:
    return {seat.role: first + place * 0.5 for place, seat in enumerate(seats)}
