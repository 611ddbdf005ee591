"""Leftovers: names of dead laboratories that nobody took away, because launcher and application were both killed."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ipctui.worker.names import Kind, owner_lives, remove

_SLOT = re.compile(r"/ipctui-[0-9]+-[0-9]+-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A name whose maker is dead: the kind of object, the name by which it is removed."""

    kind: Kind
    name: str

    def remove(self) -> None:
        """Take it away.

        Raises:
            OSError: it may not be removed.
        """
        if self.kind == "path" and Path(self.name).is_dir() and not Path(self.name).is_symlink():
            os.rmdir(self.name)
        else:
            remove(self.kind, self.name)
        if self.kind == "shm" and _SLOT.fullmatch(self.name):
            # Semaphores of System V have a number alone: theirs is in the name of the segment that they belong to.
            remove("semaphores", self.name)


def find_leftovers() -> tuple[Leftover, ...]:
    """Everything in /dev/shm, the message queues and the temporary folders that a dead laboratory made."""
    return tuple(_found())


def _found() -> Iterator[Leftover]:
    for name in _names("/dev/shm"):
        if name.startswith("sem."):
            yield Leftover("semaphore", "/" + name.removeprefix("sem."))
        else:
            yield Leftover("shm", "/" + name)
    for name in _names("/dev/mqueue"):
        yield Leftover("mqueue", "/" + name)
    folders = dict.fromkeys([tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", "")])
    for folder in folders:
        for name in _names(folder) if folder else ():
            path = Path(folder) / name
            if path.is_dir() and not path.is_symlink():
                for inner in sorted(path.iterdir()):
                    yield Leftover("path", str(inner))
            yield Leftover("path", str(path))


def _names(folder: str) -> list[str]:
    """Names of ours in a folder whose maker is dead."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [name for name in names if name.removeprefix("sem.").startswith("ipctui-") and owner_lives(name) is False]
