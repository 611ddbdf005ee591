"""How the two sockets are looked at, and the word in which the agreement on XDR stands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.kernel.inet_sockets import look, peek, shown
from ipctui.kernel.ports import give_back
from ipctui.lab.channel import Plan, Reason, Seen, Sleep
from ipctui.lab.parameters import UsageError, printable
from ipctui.trace.records import Channel as ChannelRecord

_SIZE = 64


class Looker:
    """Looks at the sockets of both; holds the segment in which both look whether XDR was agreed on."""

    def __init__(self, plan: Plan) -> None:
        given = plan.given
        self._facts: dict[str, Any] = {name: given[name] for name in ("kind", "value", "sender", "receiver", "port")}
        self._told: dict[str, ChannelRecord] = {}
        self._segment = os.open(f"/dev/shm{given['agreed']}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._segment, _SIZE)
        self._agree(given["encoding"] == "xdr")

    def _agree(self, wanted: bool) -> None:
        self._agreed = wanted
        os.pwrite(self._segment, int(wanted).to_bytes(8, sys.byteorder), 0)

    def close(self) -> None:
        """Give back the segment, whose name is the session's, and the port."""
        if self._segment >= 0:
            os.close(self._segment)
            self._segment = -1
            give_back(self._facts["port"])

    def sample(
        self, t: int, processes: Sequence[Seen], outsiders: Mapping[str, Mapping[str, str]]
    ) -> list[ChannelRecord]:
        """The sockets of which anything changed, and the agreement."""
        now = {"agreement": ChannelRecord(t, "agreement", type="agreement", facts={**self._facts, "xdr": self._agreed})}
        for seen in processes:
            for row in seen.descriptors:
                if row.kind == "socket":
                    record = _socket(t, seen, row.number, row.target)
                    if record is not None:
                        now[record.object] = record
        records = [record for place, record in now.items() if not _same(record, self._told.get(place))]
        records += [ChannelRecord(t, place, closed=True) for place in self._told if place not in now]
        self._told = now
        return records

    def explain(self, sleep: Sleep, processes: Sequence[Seen]) -> Reason:
        """The receiver waits for a datagram."""
        others = tuple(seen.role for seen in processes if seen.role != sleep.role)
        if sleep.name == "recvfrom":
            return Reason("no datagram in its socket", "a sendto by sender", others)
        return Reason(f"asleep in {sleep.name}", None, others)

    def command(self, words: Sequence[str], processes: Sequence[Seen]) -> str | None:
        """`xdr on`, `xdr off`: what both sides agree on from now on."""
        if not words or words[0] != "xdr":
            return None
        if len(words) != 2 or words[1] not in ("on", "off"):
            raise UsageError(f"xdr {printable(' '.join(words[1:]))}: write xdr on or xdr off")
        self._agree(words[1] == "on")
        return "both sides use XDR" if self._agreed else "the bytes go as they lie in memory"


def _socket(t: int, seen: Seen, fd: int, label: str) -> ChannelRecord | None:
    try:
        found = look(seen.pidfd, fd)
        head = peek(seen.pidfd, fd) if found is not None and found.waiting else b""
    except OSError:
        return None
    if found is None:
        return None
    facts = {"process": seen.role, "fd": fd, "local": shown(found.local), "drops": found.drops}
    return ChannelRecord(
        t,
        label,
        used=found.taken,
        capacity=found.room,
        readers=(seen.role,),
        head=head.hex(),
        method="pidfd_getfd",
        name=f"udp {shown(found.local)}",
        type="socket",
        facts=facts,
    )


def _same(record: ChannelRecord, before: ChannelRecord | None) -> bool:
    return before is not None and all(
        getattr(record, name) == getattr(before, name) for name in ChannelRecord.__dataclass_fields__ if name != "t"
    )
