"""What the tests of cells share: laboratories in hand, their cells' counts, and that nothing of them stays behind."""

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ipctui.kernel import mqueue, semaphore_sets
from ipctui.kernel.process import ProcessProbe
from ipctui.lab import intake, session
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.sync.counts import Sums, sums
from ipctui.mechanisms.sync.words import channel_of
from ipctui.trace.records import Access, Call, Channel, State
from ipctui.worker.semaphore_sets import key_of_name
from tests.lab.conftest import Bench

Open = Callable[..., Bench]
CELLS = ("bb", "bn", "nb", "nn")
SENDERS = tuple(f"{cell}/sender" for cell in CELLS)
RECEIVERS = tuple(f"{cell}/receiver" for cell in CELLS)
TAKES = ("mq_receive", "read", "load")
BEGINNINGS = {"zero": "semctl", "bounded": "mq_send", "pipe": "write", "unbounded": "load"}
"""By carrier, the operation with which a sender begins a send."""


def variant(mechanism: str, name: str) -> Any:
    channel = importlib.import_module(f"ipctui.mechanisms.{mechanism}.channel").CHANNEL
    return channel, next(one for one in channel.variants if one.name == name)


def settled(mechanism: str, name: str, /, **values: object) -> dict[str, Any]:
    channel, chosen = variant(mechanism, name)
    found = settle(channel.parameters(), chosen.values, [f"{key}={value}" for key, value in values.items()])
    channel.check(chosen, found)
    return found


def opened(mechanism: str) -> Iterator[Open]:
    """Opens laboratories of cells: `cells(variant, rate=0)`; every name must be gone at the end."""
    launcher = LauncherClient()
    labs: list[Lab] = []
    names: list[tuple[str, str]] = []
    most = intake.MOST_RECORDS

    def open_lab(name: str, /, **values: object) -> Bench:
        if values.get("rate") != 0:
            # A busy machine ticks late, and every message is wanted; flat out they are not to be had.
            intake.MOST_RECORDS = session.MOST_RECORDS = 4000
        channel, chosen = variant(mechanism, name)
        lab = Lab(channel, chosen, settled(mechanism, name, **values), launcher)
        labs.append(lab)
        names.extend(lab.workers.plan.names)
        return Bench(lab)

    yield open_lab
    intake.MOST_RECORDS = session.MOST_RECORDS = most
    for lab in labs:
        names.extend(lab.workers.plan.names)  # it may have been restarted
        lab.close()
    launcher.close()
    assert [name for kind, name in names if left(kind, name)] == []


def left(kind: str, name: str) -> bool:
    """Whether a name is still taken, asked of the kernel."""
    if kind == "mqueue":
        return mqueue.find(name) is not None
    if kind == "semaphores":
        return semaphore_sets.find(key_of_name(name)) is not None
    return os.path.exists(f"/dev/shm/{'sem.' if kind == 'semaphore' else ''}{name.lstrip('/')}")


def done(lab: Bench, name: str) -> Sums:
    """What a process, and whoever had its place before, has counted."""
    return sums(lab.lab.state.facts, name)


def channel(lab: Bench, cell: str) -> Channel:
    """A cell's channel: where it has had several, the one that is there."""
    found = channel_of(lab.lab.state, cell)
    assert found is not None, f"{cell} has no channel yet"
    return found


def arrived(lab: Bench, cell: str) -> list[int]:
    """The numbers of the messages that were received in a cell, in the order in which they came."""
    return [
        int(message.rpartition(":")[2])
        for record in lab.records
        if isinstance(record, Call | Access) and record.cell == cell and record.name in TAKES
        for message in record.message
    ]


def quick(cells: Open, carrier: str, **values: object) -> Bench:
    return cells(carrier, **{"rate": 30, "receive": 45, **values})


def until_offered(lab: Bench, count: int, which: tuple[str, ...] = SENDERS) -> None:
    before = {name: done(lab, name).offered for name in which}
    lab.until(lambda: all(done(lab, name).offered >= before[name] + count for name in which), 40, "offers")


def counted(lab: Bench) -> None:
    """Have every count told now: else it is a quarter of a second old."""
    lab.lab._figures.forget_counters()
    lab.lab._figures._at = -(10**9)
    lab.tick()


def between(lab: Bench, senders: tuple[str, ...] = SENDERS) -> None:
    """Hold the senders, each before it begins a send: one that is cut in two may be received, and yet not be sent."""
    lab.do(f"hold {senders[0].rpartition('/')[2]}")
    given = lab.lab.workers.plan.given["cells"]
    beginnings = {name: BEGINNINGS[given[name.partition("/")[0]]["carrier"]] for name in senders}

    def there() -> bool:
        for name, beginning in beginnings.items():
            if lab.is_in(name, "held") and not lab.is_in(name, "held", beginning):
                lab.do(f"step {name}")
        return all(lab.is_in(name, "held", beginning) for name, beginning in beginnings.items())

    lab.until(there, 10, "every sender stands before a send")


def drained(lab: Bench, senders: tuple[str, ...] = SENDERS, receivers: tuple[str, ...] = RECEIVERS) -> None:
    """Hold the senders, and let every receiver take what has been accepted."""
    lab.do("release all")
    between(lab, senders)

    def empty() -> bool:
        counted(lab)
        ends = zip(senders, receivers, strict=True)
        return all(done(lab, sender).accepted <= done(lab, receiver).received for sender, receiver in ends)

    lab.until(empty, 10, "everything accepted is received")


def until_orphaned(lab: Bench, sender: str, call: str) -> State:
    """Wait until a sender whose receiver has been killed sleeps for good: the reason knows of the death."""
    lab.until(
        lambda: lab.is_in(sender, "blocked", call) and "has ended" in (lab.state(sender).reason or ""),
        what=f"{sender} asleep in {call} without a receiver",
    )
    return lab.state(sender)


def until_asleep(lab: Bench, name: str, call: str) -> State:
    """Wait until a process sleeps in a call, by what is said of it and by /proc/PID/stat at the same time."""
    lab.until(
        lambda: lab.is_in(name, "blocked", call) and kernel_letter(lab.state(name).pid) == "S",
        what=f"{name} asleep in {call}",
    )
    return lab.state(name)


def kernel_letter(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def kernel_call(pid: int) -> str | None:
    with ProcessProbe(pid) as probe:
        call = probe.sample().call
    return call.name if call is not None else None
