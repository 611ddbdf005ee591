"""Names that the laboratory gives to objects that must have one, and how they are taken away again.

`ipctui-PID-START-RANDOM`: the owner's pid and its start time (proc_pid_stat(5), field 22) tell a dead laboratory's
leftovers from a living one's, for a pid alone is used again.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Literal

from ipctui.kernel.process import start_time

Kind = Literal["path", "shm", "semaphore", "mqueue", "semaphores"]
_NAME = re.compile(r"ipctui-([0-9]+)-([0-9]+)-([0-9a-f]{8})")


def new_name() -> str:
    """A name that belongs to this process."""
    return f"ipctui-{os.getpid()}-{start_time(os.getpid()) or 0}-{os.urandom(4).hex()}"


def owner_lives(name: str) -> bool | None:
    """Whether the process that made this name still runs; None when the name is not one of ours."""
    found = _NAME.search(name)
    if found is None:
        return None
    return start_time(int(found[1])) == int(found[2])


def remove(kind: Kind, name: str) -> bool:
    """Take a name away; False when it was gone already, or a stranger has given it to a file of theirs.

    At a path of the user's choice only what the laboratory makes is removed: a FIFO, never a regular file.

    Raises:
        OSError: it may not be removed.
    """
    try:
        if kind == "path":
            mode = os.lstat(name).st_mode
            if owner_lives(name) is None and (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                return False
            os.unlink(name)
        elif kind == "semaphores":
            from ipctui.worker.semaphore_sets import key_of_name, remove_set

            return remove_set(key_of_name(name))
        else:
            _unlink_posix(kind, name)
    except FileNotFoundError:
        return False
    return True


def _unlink_posix(kind: Kind, name: str) -> None:
    import posix_ipc

    try:
        if kind == "shm":
            posix_ipc.unlink_shared_memory(name)
        elif kind == "semaphore":
            posix_ipc.unlink_semaphore(name)
        else:
            posix_ipc.unlink_message_queue(name)
    except posix_ipc.ExistentialError as error:
        raise FileNotFoundError(name) from error
    except posix_ipc.PermissionsError as error:
        raise PermissionError(name) from error
