"""A file as `ls -il` shows it: type and mode, links, owner, size, inode, name."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size

from ipctui.trace.text import grouped, visible
from ipctui.widgets.canvas import Line, Span, width_of
from ipctui.widgets.words import word


@dataclass(frozen=True, slots=True)
class File:
    """What stat(2) says of a file; the name as it was given."""

    name: str
    mode: int
    links: int
    uid: int
    gid: int
    size: int
    inode: int

    @classmethod
    def of(cls, facts: Mapping[str, Any] | None) -> File | None:
        """From a mapping with the same names; None when there is none, or it is not whole: then there is no file."""
        if not facts or not all(name in facts for name in cls.__slots__):
            return None
        return cls(**{name: facts[name] for name in cls.__slots__})


def file_lines(file: File | None, width: int, height: int = 1, name: str = "", language: str = "en") -> list[Line]:
    """One line where the width allows or no other is free, else two: what the file is, and what it is called.

    Args:
        name: What the file would be called, when there is none.
    """
    if file is None:
        gone: list[Span] = [(f"– {word(language, 'no file')} ", "warning")]
        return [[*gone, (_ending(visible(name), width - width_of(gone)), "dim")]]
    kind: list[Span] = [
        (stat.filemode(file.mode), "title"),
        (f" {file.links}", "number" if file.links else "warning"),
        (f" {file.uid} {file.gid}", "text"),
        (f" {grouped(file.size)} B", "number"),
    ]
    inode: Span = (f" inode {file.inode}", "dim")
    shown = visible(file.name)
    whole = [*kind, inode]
    if width_of(whole) + 1 + cell_len(shown) <= width or height < 2:
        left = whole if width_of(whole) + 9 <= width else kind
        return [[*left, (" " + _ending(shown, width - width_of(left) - 1), "message")]]
    return [
        whole if width_of(whole) <= width else kind,
        [(_ending(shown, width), "message")],
    ]


def _ending(name: str, width: int) -> str:
    """A name cut at its beginning: the last part of a path is what tells files apart."""
    over = cell_len(name) - width
    if over <= 0:
        return name
    for start in range(over, len(name) + 1):
        if cell_len(name[start:]) <= width - 1:
            return set_cell_size("…" + name[start:], max(width, 0)).rstrip()
    return ""
