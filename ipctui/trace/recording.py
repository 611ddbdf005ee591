"""The recording: records as JSON lines, the header first, in plain text or gzip."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ipctui.trace.records import FORMAT, VERSION, Header, Record, RecordError, from_json, to_json

_LONGEST_LINE = 16 << 20


class RecordingError(Exception):
    """A file that is no recording, or cannot be read; the message is one line with the file and line number."""


def line_of(record: Record) -> str:
    """A record as one line of a recording, newline included."""
    return json.dumps(to_json(record), ensure_ascii=False, separators=(",", ":")) + "\n"


def lines_of(records: Iterable[Record]) -> str:
    """Several records as lines."""
    return "".join(map(line_of, records))


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
    problems: list[str] = []
    records: list[Record] = []
    header: Header | None = None
    for number, text in _lines(path, problems):
        try:
            record = from_json(json.loads(text))
        except (ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, RecordError) else "no JSON"
            if header is None:
                raise RecordingError(f"{path}:{number}: this is no recording of ipctui: {why}") from None
            problems.append(f"{path}:{number}: skipped: {why}")
            continue
        if header is None:
            header = _checked_header(path, number, record)
        else:
            records.append(record)
    if header is None:
        if problems:
            raise RecordingError(f"{problems[0]}; this is no recording of ipctui, or only its beginning")
        raise RecordingError(f"{path}: the file is empty; a recording begins with a header line")
    if header.version > VERSION:
        problems.append(
            f"{path}: written in version {header.version} of the format; version {VERSION} is known here, "
            "what is newer is left out"
        )
    return Recording(header, tuple(records), tuple(problems))


def _checked_header(path: Path, number: int, record: Record) -> Header:
    if not isinstance(record, Header) or record.format != FORMAT:
        raise RecordingError(f"{path}:{number}: this is no recording of ipctui: its first line is no header")
    return record


def _lines(path: Path, problems: list[str]) -> Iterator[tuple[int, str]]:
    try:
        with _open(path) as file:
            number = 0
            while raw := file.readline(_LONGEST_LINE):
                number += 1
                if not raw.endswith(b"\n"):
                    problems.append(f"{path}:{number}: the last line is cut off; it was left out")
                    return
                yield number, raw.decode("utf-8", "replace")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problems.append(f"{path}: the compressed file is cut off or damaged: {error}")
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None


def _open(path: Path) -> IO[bytes]:
    file = path.open("rb")
    if file.read(2) == b"\x1f\x8b":
        file.close()
        return cast("IO[bytes]", gzip.open(path, "rb"))
    file.seek(0)
    return file
