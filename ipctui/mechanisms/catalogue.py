"""The mechanisms that exist. To add one is to add its folder and its name here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from ipctui.lab.channel import Channel
from ipctui.lab.parameters import UsageError, unknown
from ipctui.lab.state import LabState
from ipctui.widgets.particles import said
from ipctui.widgets.view import Pane

NAMES = (
    "pipe",
    "fifo",
    "shm",
    "mailbox",
    "direct",
    "sync",
    "io",
    "buffering",
    "winpipe",
    "mach",
    "alpc",
    "socket",
    "xdr",
    "rpc",
)


def channel(name: str) -> Channel:
    """A mechanism by its name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in NAMES:
        raise UsageError(unknown("mechanism", name, NAMES))
    return cast("Channel", importlib.import_module(f"ipctui.mechanisms.{name}.channel").CHANNEL)


def pane(name: str) -> Pane:
    """How a mechanism is drawn."""
    return cast("Pane", importlib.import_module(f"ipctui.mechanisms.{name}.pane").PANE)


def caption(name: str) -> Callable[[LabState, str], str]:
    """The function that makes a mechanism's caption from a state and a language."""
    found = cast("Callable[[LabState, str], str]", importlib.import_module(f"ipctui.mechanisms.{name}.caption").caption)
    return lambda state, language: said(found, state, language)
