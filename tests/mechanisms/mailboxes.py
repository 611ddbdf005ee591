"""What the mailbox's tests share: laboratories in hand, their boxes, and programs from outside."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ipctui.kernel import mqueue
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.mailbox.channel import CHANNEL
from ipctui.trace.records import Channel, Command
from tests.lab.conftest import PATIENCE, Bench
from tests.mechanisms.stepping import held

Open = Callable[..., Bench]
_FOREIGN = """
import posix_ipc, sys
queue = posix_ipc.MessageQueue(sys.argv[1])
if sys.argv[2] == "send":
    queue.send(sys.argv[3].encode(), priority=int(sys.argv[4]))
else:
    print(queue.receive(5)[0].decode())
queue.close()
"""


def variant(name: str) -> Any:
    return next(one for one in CHANNEL.variants if one.name == name)


def settled(name: str, /, **values: object) -> dict[str, Any]:
    settings = [f"{key}={value}" for key, value in values.items()]
    found = settle(CHANNEL.parameters(), variant(name).values, settings)
    CHANNEL.check(variant(name), found)
    return found


def opened() -> Iterator[Open]:
    """Opens laboratories of the mailbox: `mailbox(variant, rate=0)`; every name must be gone at the end."""
    launcher = LauncherClient()
    labs: list[Lab] = []
    names: list[str] = []

    def open_lab(name: str, /, **values: object) -> Bench:
        lab = Lab(CHANNEL, variant(name), settled(name, **values), launcher)
        labs.append(lab)
        names.extend(own for kind, own in lab.workers.plan.names if kind == "mqueue")
        return Bench(lab)

    yield open_lab
    for lab in labs:
        lab.close()
    launcher.close()
    assert [name for name in names if mqueue.find(name) is not None] == []


def box(lab: Bench, end: str = "") -> Channel:
    return next(
        held.now
        for held in lab.lab.state.channels.values()
        if held.now.object.endswith(end) and (end or not held.now.object.endswith(("-out", "-client")))
    )


def used(lab: Bench, end: str = "") -> int:
    return box(lab, end).used or 0


def known(lab: Bench) -> Any:
    return lab.lab.state.facts["mailboxes"][box(lab).object]


def at_rest(lab: Bench, sender: str = "sender", receiver: str = "receiver") -> None:
    """Both held before their next call, and every call told."""
    lab.until(lambda: lab.count(receiver, "mq_receive") >= 1)
    held(lab, receiver, "mq_receive")  # one that waits would be handed a message at once
    held(lab, sender, "mq_send")
    lab.until(lambda: box(lab).facts["quiet"], what="a mailbox at rest")


def foreign(*words: str) -> str:
    """What a program says that knows nothing of the laboratory but a mailbox's name."""
    done = subprocess.run([sys.executable, "-c", _FOREIGN, *words], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def done(lab: Bench, command: str) -> str:
    """Give a command and wait until what it asked of a worker is done or refused, however late that comes."""
    before = len(lab.records)
    lab.do(command)

    def last() -> str | None:
        said = [
            record.outcome
            for record in lab.records[before:]
            if isinstance(record, Command) and record.command == command and record.outcome is not None
        ]
        return None if not said or said[-1].startswith("pending") else said[-1]

    lab.until(last, what=f"the last word on {command!r}")
    return last() or ""
