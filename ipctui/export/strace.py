"""Calls written as strace(1) writes them."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ipctui.trace.records import Access
from ipctui.trace.text import visible


def call_text(call: Mapping[str, Any]) -> str:
    """A call and its result: `read(3, "tick"..., 64) = 64`, `… = -1 EAGAIN (Resource temporarily unavailable)`.

    The name is the man page's, for the arguments are those of the man page; where the kernel's own differs, a
    comment says so.
    """
    name, syscall, result = call["name"], call["syscall"], call["result"]
    if result is None:
        return shown(f"{name}({call['args']} <unfinished ...>")
    told = f"{name}({call['args']}) = {result}{error_text(call.get('errno'))}"
    if syscall != name:
        told += f" /* {'no system call' if syscall is None else syscall} */"
    return shown(told)


def access_text(access: Access) -> str:
    """A load or store, which strace does not see, as a comment; of a slot, what is in it."""
    place = f"{access.object or '?'}[{access.offset}]"
    held = f"{access.value}" if access.text is None else f"{access.text}, {access.value}"
    return shown(f"/* {access.name} {place} = {held} */")


def shown(text: str) -> str:
    """Text as `visible` shows it; what is printable already needs no look at each character."""
    return text if text.isprintable() else visible(text)


@lru_cache(256)
def error_text(name: str | None) -> str:
    """An error as strace appends it: ` EPIPE (Broken pipe)`; nothing for None."""
    if name is None:
        return ""
    number = getattr(errno, name, None) if name.isidentifier() else None
    return f" {visible(name)} ({os.strerror(number)})" if isinstance(number, int) else f" {visible(name)}"


def seconds(t: int) -> str:
    """A time in seconds, to the microsecond."""
    return f"{round(t / 1000) / 1e6:.6f}"


def end_text(status: str | None) -> str:
    """How a process ended, from a process record's `status`: `+++ killed by SIGKILL +++`."""
    kind, _, value = (status or "").partition(" ")
    if kind == "signal":
        return f"+++ killed by {visible(value)} +++"
    return f"+++ exited with {visible(value)} +++" if kind == "status" else "+++ exited +++"
