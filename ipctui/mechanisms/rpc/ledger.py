"""The ledger: a file to which each effect is appended in one write, together with what makes it known. Pure coding.

An entry is its length and checksum (CRC-32), then program, amount, balance, transaction, client and reply in XDR. The
client is "" where the semantics keep no history. A crash in the middle of a write leaves a torn entry at the end; it
counts as never written.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ipctui.worker import xdr
from ipctui.worker.xdr import Reader, XdrError

MOST = 4096
"""Entries after which the file is written anew, shorter."""
_LONGEST = 1 << 17


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect: how much was added to a program's account, its balance then, and for whom, and what was replied."""

    program: int
    amount: int
    balance: int
    xid: int = 0
    client: str = ""
    reply: bytes = b""
    effects: int = 1
    """How many effects this entry stands for: 1; more in one that sums up, 0 in one that keeps a client alone."""

    def packed(self) -> bytes:
        """As it lies in the file."""
        body = xdr.unsigned(self.program) + xdr.hyper(self.amount) + xdr.hyper(self.balance) + xdr.unsigned(self.xid)
        body += xdr.unsigned_hyper(self.effects) + xdr.string(self.client.encode()) + xdr.opaque(self.reply)
        return xdr.unsigned(len(body)) + xdr.unsigned(zlib.crc32(body)) + body


def entries(raw: bytes) -> tuple[list[Entry], int]:
    """The entries of a file up to the first that is torn or damaged, and the bytes that they take; never raises."""
    found: list[Entry] = []
    whole = 0
    reader = Reader(raw)
    try:
        while reader.left:
            size, checksum = reader.unsigned(), reader.unsigned()
            body = raw[reader.at : reader.at + size]
            if not size or size > _LONGEST or len(body) < size or zlib.crc32(body) != checksum:
                break
            found.append(_entry(Reader(body)))
            reader.at = whole = reader.at + size
    except (XdrError, UnicodeDecodeError):
        pass
    return found, whole


def _entry(reader: Reader) -> Entry:
    program, amount, balance, xid = reader.unsigned(), reader.hyper(), reader.hyper(), reader.unsigned()
    effects, client, reply = reader.unsigned_hyper(), reader.string().decode(), reader.opaque()
    reader.end()
    return Entry(program, amount, balance, xid, client, reply, effects)


def summed(found: list[Entry], clients: list[tuple[str, int, bytes]]) -> bytes:
    """The same balances and clients in as few entries as can be."""
    balances = balances_of(found)
    effects = effects_of(found)
    lines = [Entry(program, 0, balance, effects=effects[program]) for program, balance in balances.items()]
    last = next(iter(balances), 0)
    kept = [Entry(last, 0, balances.get(last, 0), xid, client, reply, 0) for client, xid, reply in clients]
    return b"".join(entry.packed() for entry in (*lines, *kept))


def balances_of(found: list[Entry]) -> dict[int, int]:
    """By program, the balance after the last entry."""
    return {entry.program: entry.balance for entry in found}


def effects_of(found: list[Entry]) -> dict[int, int]:
    """By program, how many effects were committed."""
    effects: dict[int, int] = {}
    for entry in found:
        effects[entry.program] = effects.get(entry.program, 0) + entry.effects
    return effects
