"""What the tests of direct communication share: laboratories in hand, their links, and each end of these."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ipctui.kernel.unix_sockets import table
from ipctui.mechanisms.direct.caption import ends
from ipctui.trace.records import Channel
from tests.lab.conftest import Bench, waited
from tests.mechanisms.laboratories import Laboratories

Open = Callable[..., Bench]


def opened() -> Iterator[Open]:
    """Opens laboratories of direct communication: `direct("rename", rate=50)`; no name is left at the end."""
    laboratories = Laboratories()
    yield partial(laboratories.open, "direct")
    prefixes = [lab.workers.plan.given["prefix"] for lab in laboratories.labs]
    laboratories.close()
    waited(lambda: not [row for row in table() for prefix in prefixes if prefix in row.name], 20, "every name gone")


def links(lab: Bench) -> dict[str, Channel]:
    """The open links by name."""
    return {
        channel.now.name or "": channel.now
        for channel in lab.lab.state.channels.values()
        if channel.now.facts.get("link") and not channel.now.closed
    }


def complete(lab: Bench, *names: str) -> None:
    """Wait until exactly these links are there, let in at both ends."""
    lab.until(
        lambda: set(links(lab)) == set(names) and all(len(one.facts["ends"]) == 2 for one in links(lab).values()),
        what=f"links {names}",
    )


def end(lab: Bench, process: str, peer: str) -> dict[str, Any]:
    return next(one for one in ends(lab.lab.state) if (one["process"], one["peer"]) == (process, peer))


def prefix(lab: Bench) -> str:
    return str(lab.lab.workers.plan.given["prefix"])
