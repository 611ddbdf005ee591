"""Carriers: for each kind of channel, who a cell's two processes are, what they are given, which names they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipctui.lab.channel import PlannedSeat
from ipctui.worker.names import Kind, new_name
from ipctui.worker.places import WORD
from ipctui.worker.semaphore_sets import key_of_name

PAGE = 4096
"""A page of the growing queue: memory comes and goes by it."""
HEADER_ROOM = 24
LARGEST = PAGE - WORD


@dataclass(frozen=True, slots=True)
class Carrier:
    """How two processes talk.

    Attributes:
        send, receive: What the program's two functions are called.
        paced: The operations of the sender, and of the receiver, that begin a message and wait for its turn.
        forks: The sender makes the receiver, to which the channel's ends come by inheritance.
    """

    name: str
    send: str
    receive: str
    paced: tuple[tuple[str, ...], tuple[str, ...]]
    forks: bool = False


CARRIERS: Mapping[str, Carrier] = {
    carrier.name: carrier
    for carrier in (
        Carrier("zero", "sender_zero", "receiver_zero", (("semctl",), ("semop",))),
        Carrier("bounded", "sender_mailbox", "receiver_mailbox", (("mq_send",), ("mq_receive",))),
        Carrier("pipe", "sender_pipe", "receiver_pipe", (("write",), ("read",)), forks=True),
        Carrier("unbounded", "sender_growing", "receiver_growing", (("load",), ("sem_wait", "sem_trywait"))),
    )
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell to be: its name, its carrier, its two roles, their rates, and which of them begins non-blocking."""

    name: str
    carrier: str
    roles: tuple[str, str] = ("sender", "receiver")
    rates: tuple[float, float] = (0.0, 0.0)
    nonblocking: tuple[bool, bool] = (False, False)


def trees_of(cells: tuple[Cell, ...]) -> tuple[tuple[PlannedSeat, ...], ...]:
    """The processes of the cells: each by itself, or the receiver as the sender's child."""
    trees: list[tuple[PlannedSeat, ...]] = []
    for cell in cells:
        carrier = CARRIERS[cell.carrier]
        seats = tuple(
            PlannedSeat(role, program, letter, paced, rate, sends, cell=cell.name)
            for role, program, letter, paced, rate, sends in zip(
                *(cell.roles, (carrier.send, carrier.receive), "sr", carrier.paced, cell.rates, (True, False)),
                strict=True,
            )
        )
        trees += [seats] if carrier.forks else [(seat,) for seat in seats]
    return tuple(trees)


def given_of(cells: tuple[Cell, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """What the programs are given: for each cell its names and modes; for all, the sizes of the carriers."""
    in_page = PAGE // (WORD + -(-int(values["largest"]) // WORD) * WORD)
    pages = max(2, int(values.get("limit", 1)) * (1 << 20) // PAGE)
    return {
        "cells": {cell.name: _given(cell) for cell in cells},
        "largest": values["largest"],
        "capacity": values["capacity"],
        "pipe": values.get("pipe", PAGE),
        "in_page": in_page,
        "stride": PAGE // in_page // WORD * WORD,
        "pages": pages,
        "most": (pages - 1) * in_page,
    }


def _given(cell: Cell) -> dict[str, Any]:
    name = new_name()
    return {
        "carrier": cell.carrier,
        "roles": list(cell.roles),
        "nonblocking": dict(zip(cell.roles, cell.nonblocking, strict=True)),
        "segment": f"/{name}",
        "key": key_of_name(name),
        "items": f"/{name}-items",
        "mailbox": f"/{name}",
    }


def names_of(given: Mapping[str, Any]) -> tuple[tuple[Kind, str], ...]:
    """What the cells put into the system's name spaces."""
    names: list[tuple[Kind, str]] = []
    for cell in given["cells"].values():
        match cell["carrier"]:
            case "zero":
                names += [("shm", cell["segment"]), ("semaphores", cell["segment"])]
            case "bounded":
                names.append(("mqueue", cell["mailbox"]))
            case "unbounded":
                names += [("shm", cell["segment"]), ("semaphore", cell["items"])]
    return tuple(names)
