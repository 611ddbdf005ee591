"""The file that an export goes to: it appears whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class TargetError(Exception):
    """A file that cannot be written; the message is one line."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, put in its place when the block ends without an error; one that was there is replaced.

    What is no file (/dev/null, a pipe with a name) is written to as it is.

    Raises:
        TargetError: the folder or the file cannot be written.
    """
    temporary = ""
    try:
        # A link stays one: what it points to is replaced.
        place = Path(os.path.realpath(path))
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if place.exists() and not place.is_file():
            with place.open("wb") as file:
                yield file
            return
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name[:80]}.", dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes it private, this is an ordinary file
        os.replace(temporary, place)
        temporary = ""
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TargetError(f"{str(path)!r} cannot be written: {reason}") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    """Read the umask from /proc (umask(2) can only be read by changing it), 0o022 where it cannot be had."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except (OSError, ValueError):
        pass
    return 0o022
