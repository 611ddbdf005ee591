"""A file as `ls -l` lists it: read by lstat(2) alone, so that looking at a FIFO never opens it (fifo(7))."""

import functools
import grp
import os
import pwd
import stat
import time
from dataclasses import dataclass

_HALF_YEAR = 31_556_952 // 2
"""Seconds after which ls(1) prints the year in place of the hour."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of `ls -li`."""

    path: str
    device: int
    inode: int
    mode: str
    """Type and permissions, `prw-------`."""
    links: int
    owner: str
    group: str
    size: int
    """Bytes; always 0 for a FIFO, whose contents are the kernel's and not the file system's."""
    bits: int
    """st_mode."""
    uid: int
    gid: int
    time: str
    """Last modification, local time, as ls(1) prints it in the C locale: `Nov 21 14:22`."""

    @property
    def kind(self) -> str:
        """What it is, in words: `a FIFO`, `a regular file`, `a directory` …"""
        return _KINDS.get(self.mode[0], "a special file")

    def row(self) -> str:
        """The row of `ls -l`, without the width that neighbours would give its columns."""
        return f"{self.mode} {self.links} {self.owner} {self.group} {self.size} {self.time} {self.path}"


_KINDS = {
    "p": "a FIFO",
    "-": "a regular file",
    "d": "a directory",
    "l": "a symbolic link",
    "s": "a socket",
    "c": "a character device",
    "b": "a block device",
}


def listed(path: str, now: float | None = None) -> Listed | None:
    """The row of a path, or None when there is no such file; `now` (seconds) decides between hour and year.

    Raises OSError when the kernel does not let this user look: EACCES, ENAMETOOLONG, ELOOP.
    """
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Listed(
        path,
        found.st_dev,
        found.st_ino,
        stat.filemode(found.st_mode),
        found.st_nlink,
        _owner(found.st_uid),
        _group(found.st_gid),
        found.st_size,
        found.st_mode,
        found.st_uid,
        found.st_gid,
        _modified(found.st_mtime, time.time() if now is None else now),
    )


@functools.cache
def _owner(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@functools.cache
def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _modified(seconds: float, now: float) -> str:
    when = time.localtime(seconds)
    day = f"{_MONTHS[when.tm_mon - 1]} {when.tm_mday:>2}"
    if now - _HALF_YEAR < seconds <= now:
        return f"{day} {when.tm_hour:02}:{when.tm_min:02}"
    return f"{day}  {when.tm_year}"
