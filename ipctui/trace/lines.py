"""The lines of a file, plain or gzip: once from the beginning to the end, and again from any place passed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

LONGEST_LINE = 16 << 20
"""Bytes; what is longer is no line of a recording."""
_BLOCK = 1 << 18
_GZIP = 31
"""wbits of zlib for a gzip member with header and check sum."""
_MOST_POINTS = 512


class Line(NamedTuple):
    """A line without its newline; `place` is the offset of its first byte in the uncompressed text."""

    number: int
    place: int
    raw: bytes


class _Point(NamedTuple):
    """A place in the text from which inflating can begin: where it stands in the file, and zlib's state there."""

    place: int
    at: int
    engine: Any


class LineFile:
    """A file of lines.

    A compressed file keeps zlib's state every few megabytes (about 45 KB each, at most 512 of them), so that a place
    in its middle is read without inflating what lies before.

    Raises:
        OSError: the file cannot be opened or is no file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = _opened(path)
        self.size = os.fstat(self._fd).st_size
        self.at = 0
        """Bytes of the file that have been read: of `size`, how far the first reading is."""
        self.gzip = os.pread(self._fd, 2, 0) == b"\x1f\x8b"
        self._points: list[_Point] = [_Point(0, 0, zlib.decompressobj(_GZIP))] if self.gzip else []
        self._spacing = 1 << 20

    def close(self) -> None:
        """Give the descriptor back; safe to call again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def lines(self, problems: list[str]) -> Iterator[Line]:
        """Every whole line; what is wrong with the file is added to `problems`, a sentence each.

        Raises:
            OSError: the file cannot be read any more.
        """
        number, place, rest = 0, 0, b""
        try:
            for block in self._blocks():
                *whole, rest = (rest + block).split(b"\n")
                for raw in whole:
                    number += 1
                    yield Line(number, place, raw)
                    place += len(raw) + 1
                if len(rest) > LONGEST_LINE:
                    problems.append(f"{self.path}:{number + 1}: a line of more than 16 MB; nothing is read after it")
                    return
        except (EOFError, zlib.error) as error:
            # zlib says: Error -3 while decompressing data: invalid distance too far back.
            reason = str(error).rpartition(" data: ")[2]
            problems.append(
                f"{self.path}:{number + 1}: the compressed file is cut off or damaged here ({reason}); "
                "nothing after it is read"
            )
        if rest:
            problems.append(f"{self.path}:{number + 1}: the last line is cut off; it was left out")

    def read(self, place: int, size: int) -> bytes:
        """Bytes of the uncompressed text that a first reading has passed.

        Raises:
            OSError: the file has changed or cannot be read any more.
        """
        if not self.gzip:
            return os.pread(self._fd, size, place)
        point = self._points[bisect_right(self._points, place, key=lambda each: each.place) - 1]
        parts: list[bytes] = []
        skip, wanted = place - point.place, size
        try:
            for block, _, _ in self._inflated(point.at, point.engine.copy()):
                part = block[skip : skip + wanted]
                skip = max(skip - len(block), 0)
                wanted -= len(part)
                parts.append(part)
                if not wanted:
                    break
        except (EOFError, zlib.error):
            pass  # the damage that the first reading told of
        return b"".join(parts)

    def _blocks(self) -> Iterator[bytes]:
        if not self.gzip:
            while block := os.pread(self._fd, _BLOCK, self.at):
                self.at += len(block)
                yield block
            return
        place = 0
        point = self._points[0]
        for block, at, engine in self._inflated(0, point.engine.copy()):
            yield block
            self.at = at
            place += len(block)
            if place - self._points[-1].place >= self._spacing:
                self._points.append(_Point(place, at, engine.copy()))
                if len(self._points) > _MOST_POINTS:
                    self._points = self._points[::2]
                    self._spacing *= 2

    def _inflated(self, at: int, engine: Any) -> Iterator[tuple[bytes, int, Any]]:
        """Text from a place in the file on, with where the file stands after it and zlib's state there.

        Raises:
            EOFError: the file ends within a member.
            zlib.error: it is damaged.
        """
        while data := os.pread(self._fd, _BLOCK, at):
            if engine.eof:
                engine = zlib.decompressobj(_GZIP)
            before = engine.copy()
            try:
                # Not more than that at once: a file of zeros inflates to a thousand times its size.
                text = engine.decompress(data, _BLOCK * 4)
            except zlib.error:
                # zlib keeps back what it had made of the block before the damage.
                yield from ((text, at, before) for text in _byte_by_byte(data, before))
                raise
            at += len(data) - len(engine.unused_data if engine.eof else engine.unconsumed_tail)
            yield text, at, engine
        if not engine.eof:
            yield engine.flush(), at, engine
            raise EOFError("it ends too early")


def _byte_by_byte(data: bytes, engine: Any) -> Iterator[bytes]:
    for place in range(len(data)):
        try:
            yield engine.decompress(data[place : place + 1])
        except zlib.error:
            return


def _opened(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    kind = os.fstat(fd).st_mode
    if stat.S_ISREG(kind):
        return fd
    try:
        if stat.S_ISFIFO(kind):
            return _spooled(fd)
        os.pread(fd, 1, 0)  # a directory says so itself
        raise OSError(0, "it is neither a file nor a pipe")
    finally:
        os.close(fd)


def _spooled(fd: int) -> int:
    """A pipe's bytes in an unlinked temporary file: what is read once can be gone back in."""
    with tempfile.TemporaryFile() as spool, os.fdopen(os.dup(fd), "rb") as pipe:
        shutil.copyfileobj(pipe, spool)
        spool.flush()
        return os.dup(spool.fileno())
