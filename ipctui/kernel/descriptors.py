"""The descriptor tables of processes, and who holds which end of an object."""

import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ipctui.kernel import libc

Kind = Literal[
    "pipe",
    "fifo",
    "socket",
    "memfd",
    "shm",
    "mqueue",
    "eventfd",
    "pidfd",
    "epoll",
    "tty",
    "device",
    "directory",
    "file",
    "other",
]
Access = Literal["read", "write", "read-write", "path"]

_DELETED = " (deleted)"
_ANONYMOUS: dict[str, Kind] = {"[eventfd]": "eventfd", "[pidfd]": "pidfd", "[eventpoll]": "epoll"}
_PREFIXES: tuple[tuple[str, Kind], ...] = (
    ("pipe:[", "pipe"),
    ("socket:[", "socket"),
    ("pidfd:[", "pidfd"),
    ("/memfd:", "memfd"),
    ("/dev/shm/", "shm"),
)
# Consoles, /dev/tty, pseudo-terminals: Documentation/admin-guide/devices.txt.
_TTY_MAJORS = frozenset((4, 5, *range(136, 144)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One row of a process's descriptor table."""

    number: int
    target: str
    """The text of the link /proc/PID/fd/N: `pipe:[24494]`, a path, a path with ` (deleted)`."""
    kind: Kind
    access: Access
    nonblocking: bool
    """O_NONBLOCK, which belongs to the open file description and so to everybody who shares it."""
    close_on_exec: bool
    packets: bool
    """O_DIRECT on a pipe: each write is a packet of its own (pipe(2))."""
    append: bool
    inode: tuple[int, int] | None
    """(st_dev, st_ino) of the object; None when stat(2) was refused."""
    unlinked: bool
    """Whether the object has no name left in a file system (always so for a memfd)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process and the descriptor by which it holds an object."""

    pid: int
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Holders:
    """Who can read an object and who can write it; read-write descriptors are in both."""

    readers: tuple[Holder, ...]
    writers: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What a search through all processes found."""

    tables: dict[int, tuple[Descriptor, ...]]
    """By pid, the descriptors that refer to one of the objects; input for `holders`."""
    unreadable: int
    """Processes whose descriptors the kernel did not show: they may hold one, too."""


def descriptors(pid: int, below: int = 200) -> tuple[Descriptor, ...]:
    """The descriptors of `pid` with a number less than `below`, in ascending order (proc_pid_fd(5)).

    Nothing is opened but fdinfo. A descriptor that closes meanwhile is left out. Raises PermissionError when
    the kernel refuses the table, ProcessLookupError when the process is gone or there is no /proc.
    """
    numbers = sorted(number for number in _numbers(pid) if number < below)
    rows = (_descriptor(pid, number) for number in numbers)
    return tuple(row for row in rows if row is not None)


def holders(target_or_inode: str | tuple[int, int], tables: Mapping[int, Sequence[Descriptor]]) -> Holders:
    """Who holds the object, named by its link text or by (st_dev, st_ino), in the given tables by pid."""
    found = tuple(
        Holder(pid, row)
        for pid, rows in sorted(tables.items())
        for row in rows
        if target_or_inode in (row.target, row.inode)
    )
    return Holders(
        readers=tuple(holder for holder in found if holder.descriptor.access in ("read", "read-write")),
        writers=tuple(holder for holder in found if holder.descriptor.access in ("write", "read-write")),
    )


def find_holders(targets: str | Collection[str], skip: Collection[int] = ()) -> Search:
    """Every process but those in `skip` that holds one of the objects with these link texts.

    A process that the kernel does not show to this user is counted, not guessed at. Never raises.
    """
    everybody, unreadable = all_links(skip)
    return Search(matching(everybody, frozenset((targets,)) if isinstance(targets, str) else targets), unreadable)


def all_links(skip: Collection[int] = ()) -> tuple[dict[int, dict[int, str]], int]:
    """By pid, the links of every process but those in `skip`; and how many the kernel did not show. Never raises."""
    everybody: dict[int, dict[int, str]] = {}
    unreadable = 0
    for pid in _processes():
        if pid in skip:
            continue
        try:
            everybody[pid] = _links(pid)
        except ProcessLookupError:
            continue
        except PermissionError:
            unreadable += 1
    return everybody, unreadable


def matching(everybody: Mapping[int, Mapping[int, str]], targets: Collection[str]) -> dict[int, tuple[Descriptor, ...]]:
    """By pid, the descriptors whose links have one of these texts, each read once more: it may be another by now."""
    tables = {}
    for pid, links in everybody.items():
        rows = [_descriptor(pid, number) for number, target in links.items() if target in targets]
        present = tuple(row for row in rows if row is not None and row.target in targets)
        if present:
            tables[pid] = present
    return tables


def parse_flags(text: str) -> int | None:
    """The octal `flags:` of /proc/PID/fdinfo/N (proc_pid_fdinfo(5)); None when the text has none."""
    for line in text.split("\n"):
        key, found, value = line.partition(":")
        if found and key == "flags":
            try:
                return int(value, 8)
            except ValueError:
                return None
    return None


def access_of(flags: int) -> Access:
    """What open(2) flags allow; `path` is O_PATH, which allows neither reading nor writing."""
    if flags & getattr(os, "O_PATH", 0):
        return "path"
    mode = flags & os.O_ACCMODE
    return "read" if mode == os.O_RDONLY else "write" if mode == os.O_WRONLY else "read-write"


def kind_of(target: str, mode: int | None, device: int = 0) -> Kind:
    """The kind of object that a link text and st_mode, st_rdev of stat(2) show.

    A POSIX message queue looks like a regular file here: its file system tells it apart.
    """
    for prefix, kind in _PREFIXES:
        if target.startswith(prefix):
            return kind
    if target.startswith("anon_inode:"):
        return _ANONYMOUS.get(target.removeprefix("anon_inode:"), "other")
    if mode is None:
        return "other"
    return _kind_of_mode(mode, device)


def _kind_of_mode(mode: int, device: int) -> Kind:
    if stat.S_ISCHR(mode):
        return "tty" if os.major(device) in _TTY_MAJORS else "device"
    if stat.S_ISFIFO(mode):
        return "fifo"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "device" if stat.S_ISBLK(mode) else "other"


def _descriptor(pid: int, number: int) -> Descriptor | None:
    path = f"/proc/{pid}/fd/{number}"
    try:
        target = os.readlink(path)
        flags = parse_flags(_fdinfo(pid, number))
    except (FileNotFoundError, ProcessLookupError):
        return None
    if flags is None:
        return None
    status = _stat(path)
    kind = kind_of(target, status and status.st_mode, status.st_rdev if status else 0)
    if kind == "file" and target.rfind("/") == 0 and _is_mqueue(path):
        kind = "mqueue"
    return Descriptor(
        number=number,
        target=target,
        kind=kind,
        access=access_of(flags),
        nonblocking=bool(flags & os.O_NONBLOCK),
        close_on_exec=bool(flags & os.O_CLOEXEC),
        packets=kind in ("pipe", "fifo") and bool(flags & os.O_DIRECT),
        append=bool(flags & os.O_APPEND),
        inode=(status.st_dev, status.st_ino) if status else None,
        unlinked=status.st_nlink == 0 if status else target.endswith(_DELETED),
    )


def _fdinfo(pid: int, number: int) -> str:
    file = os.open(f"/proc/{pid}/fdinfo/{number}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096).decode("utf-8", "replace")
    finally:
        os.close(file)


def _stat(path: str) -> os.stat_result | None:
    # stat(2) goes through the link to the object without opening it: no FIFO is released, no device touched.
    try:
        return os.stat(path)
    except OSError:
        return None


def _is_mqueue(path: str) -> bool:
    try:
        return libc.filesystem_type(path) == libc.MQUEUE_MAGIC
    except OSError:
        return False


def _numbers(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
    except FileNotFoundError as error:
        raise ProcessLookupError(error.errno, f"there is no process {pid}") from None


def _links(pid: int) -> dict[int, str]:
    """The texts of the links /proc/PID/fd/N, by N in ascending order; of a descriptor that closes meanwhile none."""
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ProcessLookupError(error.errno, f"there is no process {pid}") from None
    found = {}
    try:
        # Relative to the folder the kernel need not find the process anew for every link.
        for name in sorted(os.listdir(folder), key=int):
            try:
                found[int(name)] = os.readlink(name, dir_fd=folder)
            except FileNotFoundError:
                continue
    except FileNotFoundError as error:
        raise ProcessLookupError(error.errno, f"there is no process {pid}") from None
    finally:
        os.close(folder)
    return found


def _processes() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
    except OSError:
        return []
