"""What a session takes in: the records in its workers' rings, and at its beginning the machine it runs on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.lab.channel import Channel, Variant
from ipctui.lab.collect import Collector
from ipctui.lab.handle import Handle
from ipctui.lab.listing import Listing
from ipctui.trace.clock import Clock
from ipctui.trace.operations import CODES
from ipctui.trace.records import Access, Call, Event, Header, Lost
from ipctui.trace.ring import Key

MOST_RECORDS = 120
"""Records of each worker that one tick decodes; beyond it the newest win and the rest are counted as lost."""
_WRITES = frozenset(CODES[name] for name in ("write", "send", "sendto"))


def drained(handles: Sequence[Handle], collector: Collector, t: int) -> tuple[list[Call | Access | Event], list[Lost]]:
    """What the workers have done since the last look, by its end; and how much of it is left out, at `t`."""
    read = [(handle, handle.ring.read(MOST_RECORDS)) for handle in handles if handle.pid]
    calls: list[Call | Access | Event] = []
    # Writes first: they tell which message lies where, which a read of the same tick needs.
    for wanted in (True, False):
        for handle, entries in read:
            part = [entry for entry in entries if (Key.of(entry.key).operation in _WRITES) is wanted]
            calls += collector.records(handle, part)
    lost: list[Lost] = []
    for handle, _ in read:
        ring = handle.ring
        for count, why in ((ring.overwritten, "overwritten"), (ring.skipped, "not folded")):
            if count:
                lost.append(Lost(t, count, why, handle.role, handle.cell))
        ring.overwritten = ring.skipped = 0
    calls.sort(key=lambda call: call.t)
    return calls, lost


def header_of(channel: Channel, variant: Variant, values: Mapping[str, Any], clock: Clock, listing: Listing) -> Header:
    """The first record of a session: what was run, where and when."""
    machine = {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }
    programs = {**listing.describe(), "c": channel.listing(variant)}
    return Header(channel.name, variant.name, dict(values), clock.started, machine, programs)
