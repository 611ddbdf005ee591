"""The recording: records as JSON lines, the header first, in plain text or gzip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ipctui.trace.lines import Line, LineFile
from ipctui.trace.record_json import RecordError, from_json, to_json
from ipctui.trace.records import FORMAT, VERSION, Header, Record

MOST_PROBLEMS = 20
"""Problems of one file that are told; the rest are counted."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class RecordingError(Exception):
    """A file that is no recording, or cannot be read; the message is one line with the file and line number."""


def line_of(record: Record) -> str:
    """A record as one line of a recording, newline included."""
    return _encode(to_json(record)) + "\n"


def lines_of(records: Iterable[Record]) -> str:
    """Several records as lines."""
    return "".join(map(line_of, records))


def record_of(raw: bytes) -> Record:
    """A record from its line.

    Raises:
        RecordError: the line is damaged; the message says how.
    """
    try:
        return from_json(json.loads(raw.decode("utf-8", "replace")))
    except RecordError:
        raise
    except (ValueError, RecursionError):
        raise RecordError("no JSON") from None


class RecordingFile:
    """A recording on a disk: its header at once, its records as they are read, any part of them again.

    Attributes:
        problems: What could not be read, one line each, the first twenty; `skipped` counts the lines left out.

    Raises:
        RecordingError: the file cannot be read, is no recording, or its first line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.skipped = 0
        try:
            self._file = LineFile(path)
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror or error}") from None
        try:
            self._lines = self._file.lines(self.problems)
            self.header = self._first()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the file back; safe to call again."""
        self._file.close()

    @property
    def share_read(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return self._file.at / self._file.size if self._file.size else 1.0

    def _first(self) -> Header:
        try:
            line = next(self._lines, None)
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror or error}") from None
        if line is None:
            if self.problems:
                raise RecordingError(f"{self.problems[0]}; this is no recording of ipctui, or only its beginning")
            raise RecordingError(f"{self.path}: the file is empty; a recording begins with a header line")
        try:
            record = record_of(line.raw)
        except RecordError as error:
            raise RecordingError(f"{self.path}:1: this is no recording of ipctui: {error}") from None
        if not isinstance(record, Header) or record.format != FORMAT:
            raise RecordingError(f"{self.path}:1: this is no recording of ipctui: its first line is no header")
        if record.version > VERSION:
            self.problems.append(
                f"{self.path}: written in version {record.version} of the format; version {VERSION} is known here, "
                "what is newer is left out"
            )
        return record

    def records(self) -> Iterator[tuple[Line, Record]]:
        """Every record after the header, with its line; can be gone through once.

        Raises:
            RecordingError: the disk fails.
        """
        try:
            for line in self._lines:
                try:
                    yield line, record_of(line.raw)
                except RecordError as error:
                    self.skip(line.number, str(error))
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror or error}") from None

    def skip(self, number: int, why: str) -> None:
        """Tell of a line that is left out."""
        self.skipped += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"{self.path}:{number}: skipped: {why}")

    def told(self) -> tuple[str, ...]:
        """The problems, and last how many lines more were left out."""
        shown = sum(": skipped: " in problem for problem in self.problems)
        more = self.skipped - shown
        return (*self.problems, f"{self.path}: {more:,} more lines were skipped") if more else tuple(self.problems)

    def again(self, place: int, size: int) -> list[Record]:
        """The records of a part that was read already; damaged lines are left out."""
        try:
            raw = self._file.read(place, size)
        except OSError:
            return []
        found: list[Record] = []
        for line in raw.split(b"\n"):
            try:
                found.append(record_of(line))
            except RecordError:
                continue
        return found


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording read back.

    Attributes:
        problems: What could not be read, one line each; the rest is whole.
    """

    header: Header
    records: tuple[Record, ...]
    problems: tuple[str, ...]


def read_recording(path: Path) -> Recording:
    """Read a whole recording; damaged lines are skipped and told.

    Raises:
        RecordingError: the file cannot be read, is no recording, or its first line is damaged.
    """
    file = RecordingFile(path)
    try:
        records = tuple(record for _, record in file.records())
        return Recording(file.header, records, file.told())
    finally:
        file.close()
