"""The recorder: a laboratory's records into a file, by a thread, so that no disk ever stalls the laboratory."""

from __future__ import annotations

import os
import stat
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ipctui.lab.channel import Channel
from ipctui.lab.state import LabState
from ipctui.lab.state_json import state_to_json
from ipctui.lab.summary import summary
from ipctui.trace.recording import lines_of
from ipctui.trace.records import Access, Call, Checkpoint, Header, Lost, Record, Summary
from ipctui.trace.text import clock_face, grouped

LIMIT = 1_000_000_000
"""Bytes that a recording's file has at most, unless another limit is given."""
_MOST_WAITING = 20_000
"""Records that wait to be written; while there are more, calls are counted instead of written."""
_GATHER = 0.1
"""Seconds between two writes at least: what a dying app can take with it, besides its last tick."""
_FEW = 32
"""Records that are encoded at once where they come from: what is cold in the cache costs three times as much."""
_AT_ONCE = 200
"""Records that are written at once, about."""
_PATIENCE = 15.0
"""Seconds that the end of a session waits for a slow disk."""
NOT_WRITTEN = "not written"
"""Why a record is missing from a stream that its reader or disk was too slow for."""


class RecorderError(Exception):
    """A file that cannot be recorded to; the message is one line with the file's name."""


class _Batch(NamedTuple):
    """Records on their way, and the state after them; encoded already when they are few."""

    records: Sequence[Record]
    raw: bytes
    state: LabState


class Recorder:
    """One recording, from its header to its summary.

    The file is whole up to a tenth of a second ago at any moment, whatever becomes of this process.

    Args:
        path: A file that does not exist yet; compressed when its name ends in .gz.
        channel: The mechanism, for the summary.
        state: The laboratory's state: of this moment, and folded already when its records are told.
        midway: The session has begun: the recording starts from a checkpoint of the state.
        limit: Bytes that the file has at most.

    Raises:
        RecorderError: the file exists already or cannot be made.
    """

    def __init__(
        self,
        path: Path,
        channel: Channel,
        state: Callable[[], LabState],
        midway: bool = False,
        limit: int = LIMIT,
    ) -> None:
        self.path = path
        self.problem = ""
        """Why it ended before it was told to, one sentence; the laboratory goes on without it."""
        self.lost = 0
        self._channel = channel
        self._state = state
        self._latest = state()
        self._begun = midway
        self._limit = limit
        self._packer = zlib.compressobj(3, zlib.DEFLATED, 31) if path.suffix == ".gz" else None
        self._size = 0
        self._told_lost = 0
        self._ready = threading.Event()
        self._waiting: deque[_Batch] = deque()
        self._count = 0
        self._written = 0
        self._dropped: dict[tuple[str, str | None], int] = {}
        self._ending = threading.Event()
        self._ended = False
        beginning = self._beginning() if midway else []
        self._fd = _created(path)
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()
        self._put(beginning)

    @property
    def active(self) -> bool:
        """Whether it still takes records."""
        return not self._ended and not self.problem

    @property
    def waiting(self) -> int:
        """Records that wait to be written."""
        return self._count - self._written

    def _beginning(self) -> list[Record]:
        state = self._latest
        if state.header is None:
            raise RecorderError(f"{self.path}: there is nothing to record yet")
        try:
            body = state_to_json(state)
        except TypeError as error:
            raise RecorderError(f"{self.path}: {error}") from None
        return [state.header, Checkpoint(state.t, body)]

    def take(self, records: Sequence[Record]) -> None:
        """Take a batch that the laboratory has folded; never waits and never raises."""
        if not self.active or not records:
            return
        if any(isinstance(record, Header) for record in records):
            if self._begun:
                self.end()
                self.problem = f"{self.path.name}: another session began, and the recording of this one ended"
                return
            self._begun = True
        self._latest = self._state()
        if self.waiting > _MOST_WAITING:
            records = self._thinned(records)
        if self._dropped and self.waiting <= _MOST_WAITING:
            records = [*self._lost_records(), *records]
        self._put(records)
        if any(isinstance(record, Summary) for record in records[-1:]):
            self._ended = True
            self._finish()

    def end(self) -> None:
        """Write the summary of what was recorded, and close the file; a second time does nothing."""
        if self._fd >= 0:
            self._ended = True
            self._put([*self._lost_records(), summary(self._latest, self._channel)])
            self._finish()

    def _put(self, records: Sequence[Record]) -> None:
        if not records:
            return
        raw = b""
        if len(records) <= _FEW and not isinstance(records[-1], Summary):
            raw = _encoded(records)
        self._waiting.append(_Batch(records, raw, self._latest))
        self._count += len(records)
        if not self._ready.is_set():
            self._ready.set()

    def _thinned(self, records: Sequence[Record]) -> list[Record]:
        kept: list[Record] = []
        for record in records:
            # A call in flight at the end belongs to the summary.
            if isinstance(record, Access) or (isinstance(record, Call) and record.result is not None):
                place = (record.process, record.cell)
                self._dropped[place] = self._dropped.get(place, 0) + 1
                self.lost += 1
            else:
                kept.append(record)
        if kept and isinstance(kept[-1], Summary):
            kept[-1:] = [*self._lost_records(), kept[-1]]
        return kept

    def _lost_records(self) -> list[Record]:
        dropped, self._dropped = self._dropped, {}
        return [Lost(self._latest.t, count, NOT_WRITTEN, *place) for place, count in dropped.items()]

    def _finish(self) -> None:
        self._ending.set()
        self._ready.set()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive() and not self.problem:
            self.problem = f"{self.path.name}: the disk is too slow; the end of the recording is missing"

    # The thread.

    def _work(self) -> None:
        try:
            self._write_all()
            self._write(b"", last=True)
        except OSError as error:
            self.problem = f"{self.path.name}: recording ended: {error.strerror or error}; the laboratory goes on"
        except Exception as error:
            self.problem = f"{self.path.name}: recording ended: {type(error).__name__}: {error}; the laboratory goes on"
        finally:
            os.close(self._fd)
            self._fd = -1
            if self.problem:
                self._waiting.clear()

    def _write_all(self) -> None:
        """Write what comes until the end is told and nothing waits, or the limit is reached."""
        told: LabState | None = None
        while not (self._ending.is_set() and not self._waiting):
            self._ready.wait()
            self._ready.clear()
            while self._waiting:
                # The header is written whatever the limit, and alone, so that nothing else is with it.
                batches = self._gathered(1 if told is None else _AT_ONCE)
                if self._over(batches, told):
                    return
                told = batches[-1].state
                self._written += sum(len(batch.records) for batch in batches)
            self._ending.wait(_GATHER)

    def _gathered(self, most: int) -> list[_Batch]:
        """Batches that wait, until they have so many records."""
        batches = [self._waiting.popleft()]
        count = len(batches[0].records)
        while self._waiting and count < most:
            batches.append(self._waiting.popleft())
            count += len(batches[-1].records)
        return batches

    def _over(self, batches: Sequence[_Batch], before: LabState | None) -> bool:
        """Write batches; True when the file is as large as it may be: the summary up to here is its end then."""
        lost = self._told_lost
        parts = []
        for batch in batches:
            lost += sum(each.count for each in batch.records if isinstance(each, Lost) and each.why == NOT_WRITTEN)
            parts.append(batch.raw or _encoded(completed(record, lost) for record in batch.records))
        raw = b"".join(parts)
        more = len(raw) if self._packer is None else len(raw) // 4
        if before is not None and self._size + more > self._limit:
            self._write(_encoded([completed(summary(before, self._channel), self._told_lost)]))
            self.problem = (
                f"{self.path.name}: recording ended at {clock_face(before.t)}, at its limit of "
                f"{grouped(self._limit // 1_000_000)} MB (--record-limit)"
            )
            return True
        self._told_lost = lost
        self._write(raw)
        return False

    def _write(self, raw: bytes, last: bool = False) -> None:
        if self._packer is not None:
            packed = self._packer.compress(raw)
            raw = packed + self._packer.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        self._size += len(raw)
        view = memoryview(raw)
        while view:
            view = view[os.write(self._fd, view) :]


def _encoded(records: Iterable[Record]) -> bytes:
    return lines_of(records).encode("utf-8", "replace")


def completed(record: Record, lost: int) -> Record:
    """The record; a summary counts the records that its stream lacks, as whoever folds the stream will."""
    if not isinstance(record, Summary) or not lost:
        return record
    return replace(record, lost={**record.lost, NOT_WRITTEN: record.lost.get(NOT_WRITTEN, 0) + lost})


def _created(path: Path) -> int:
    """A descriptor of a new file, or of a device.

    Raises:
        RecorderError: there is something of this name already, or nothing can be made there.
    """
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        try:
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            kind = path.stat().st_mode
            if stat.S_ISCHR(kind):
                return os.open(path, flags | os.O_NOCTTY)
            if stat.S_ISDIR(kind):
                raise RecorderError(f"{path}: it is a directory; name a file in it") from None
            raise RecorderError(f"{path}: it exists already; name another file, or remove it") from None
    except (OSError, ValueError) as error:
        raise RecorderError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
