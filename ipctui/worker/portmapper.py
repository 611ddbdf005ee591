"""The portmapper's protocol, version 2: RFC 1833, section 3. Who serves which program on which port, as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ipctui.worker.xdr import Reader, XdrError, boolean, unsigned

PROGRAM, VERSION, PORT = 100_000, 2, 111
NULL, SET, UNSET, GETPORT, DUMP, CALLIT = range(6)
TCP, UDP = 6, 17
MOST = 256
"""Mappings that a matchmaker keeps; the protocol has no bound of its own."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A program and version, the protocol (6 TCP, 17 UDP), and the port where it is served."""

    program: int
    version: int
    protocol: int
    port: int = 0

    def packed(self) -> bytes:
        """Four unsigned ints: `struct mapping`."""
        return b"".join(map(unsigned, (self.program, self.version, self.protocol, self.port)))


def mapping(data: bytes) -> Mapping:
    """The one mapping that is an argument of SET, UNSET and GETPORT. Raises XdrError."""
    reader = Reader(data)
    found = _mapping(reader)
    reader.end()
    return found


def _mapping(reader: Reader) -> Mapping:
    return Mapping(reader.unsigned(), reader.unsigned(), reader.unsigned(), reader.unsigned())


def packed_list(mappings: Iterable[Mapping]) -> bytes:
    """What DUMP returns: a list, each item behind a TRUE, FALSE at its end."""
    return b"".join(boolean(True) + item.packed() for item in mappings) + boolean(False)


def parsed_list(data: bytes) -> tuple[Mapping, ...]:
    """The list that DUMP returned. Raises XdrError."""
    reader = Reader(data)
    found: list[Mapping] = []
    while reader.boolean():
        if len(found) == 4 * MOST:
            raise XdrError(f"more than {4 * MOST} mappings")
        found.append(_mapping(reader))
    reader.end()
    return tuple(found)


class Table:
    """What a matchmaker knows: at most `MOST` mappings, one for each program, version and protocol."""

    def __init__(self, mappings: Sequence[Mapping] = ()) -> None:
        self.mappings = list(mappings)

    def set(self, new: Mapping) -> bool:
        """PMAPPROC_SET: False when another port is registered already, or there is no room, or the port is none."""
        if not 0 < new.port < 65536 or new.protocol not in (TCP, UDP) or len(self.mappings) >= MOST:
            return False
        known = self._find(new)
        if known is None:
            self.mappings.append(new)
        return known is None or known == new

    def unset(self, old: Mapping) -> bool:
        """PMAPPROC_UNSET: both protocols are forgotten, as the RFC says; False when nothing was known."""
        kept = [item for item in self.mappings if (item.program, item.version) != (old.program, old.version)]
        changed = len(kept) < len(self.mappings)
        self.mappings = kept
        return changed

    def getport(self, wanted: Mapping) -> int:
        """PMAPPROC_GETPORT: the port, of another version where the one wanted is unknown; 0 when nobody registered."""
        known = self._find(wanted)
        if known is not None:
            return known.port
        kin = (item for item in self.mappings if (item.program, item.protocol) == (wanted.program, wanted.protocol))
        return next((item.port for item in kin), 0)

    def _find(self, wanted: Mapping) -> Mapping | None:
        place = (wanted.program, wanted.version, wanted.protocol)
        return next((item for item in self.mappings if (item.program, item.version, item.protocol) == place), None)
