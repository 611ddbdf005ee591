"""What the tests of shared memory share: laboratories that are opened and closed, and a segment seen by an outsider."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.shm.channel import CHANNEL
from ipctui.trace.records import Channel
from tests.lab.conftest import Bench, Open
from tests.mechanisms.stepping import stepped

SHM = Path("/dev/shm")


@contextmanager
def laboratories() -> Iterator[Open]:
    """Opens laboratories of shared memory: `shm(variant, slots=4)`; none of their names may be left."""
    launcher = LauncherClient()
    labs: list[Lab] = []

    def open_lab(variant: str, **values: object) -> Bench:
        chosen = next(one for one in CHANNEL.variants if one.name == variant)
        settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
        CHANNEL.check(chosen, settled)
        labs.append(Lab(CHANNEL, chosen, settled, launcher))
        return Bench(labs[-1])

    yield open_lab
    for lab in labs:
        lab.close()
    launcher.close()
    mark = f"ipctui-{os.getpid()}-"
    assert not [path.name for path in SHM.iterdir() if mark in path.name]


def segment(lab: Bench) -> Channel:
    """The session's segment as the pane has it, waited for while there is none: after a restart only the old one is."""

    def found() -> Channel | None:
        every = (held.now for held in lab.lab.state.channels.values())
        return next((channel for channel in every if channel.type == "shm" and not channel.closed), None)

    lab.until(found, what="the segment")
    channel = found()
    assert channel is not None
    return channel


def word(lab: Bench, offset: int) -> int:
    """A word of the segment, read by an outsider."""
    return int(struct.unpack("=q", Path(segment(lab).object).read_bytes()[offset : offset + 8])[0])


def hold_without_mutex(lab: Bench, role: str) -> None:
    """Hold a process of `semaphores` and step it on until it has no mutex in hand, wherever the hold caught it."""
    # Asleep in the kernel it is held when it returns; what it waits for there is no mutex, or comes by itself.
    assert lab.do(f"hold {role}").startswith(("done", "pending"))

    def stands() -> bool:
        asleep = lab.is_in(role, "blocked", "sem_wait") and "mutex" not in (lab.state(role).reason or "mutex")
        return asleep or lab.is_in(role, "held")

    lab.until(stands, what=f"{role} held, or asleep before the ring's own semaphore")
    while lab.is_in(role, "held") and not lab.is_in(role, "held", "sem_wait"):
        stepped(lab, role)
        lab.until(stands, what=f"{role} held again")
