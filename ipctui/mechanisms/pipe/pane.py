"""The pipe's pane: each pipe between the parent and its child, filled as the kernel says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ipctui.lab.state import LabState
from ipctui.mechanisms.pipe.caption import caption
from ipctui.trace.records import Channel
from ipctui.widgets.gauge import channel_lines, contents_lines
from ipctui.widgets.stage import Box, Stage, living
from ipctui.widgets.view import Offer, View
from ipctui.widgets.waiting import waiters

_SMALL, _LARGE = 4096, 65536


def boxes(state: LabState, view: View) -> list[Box]:
    """Every pipe as a gauge; enlarged message by message and byte by byte."""
    return [_box(state, view, channel) for channel in living(state)]


def _box(state: LabState, view: View, channel: Channel) -> Box:
    waited_for = bool(waiters(state, channel.object, {"write"}, view))
    return Box(
        [(channel.object, "title")],
        partial(channel_lines, channel, view, waited_for),
        partial(contents_lines, channel, view, waited_for),
    )


def _other_capacity(state: LabState, view: View) -> str:
    now = next((held.now.capacity for held in state.channels.values() if not held.now.closed), None)
    return f"capacity {_SMALL if now == _LARGE else _LARGE}"


def _other_sigpipe(state: LabState, view: View) -> str:
    parameters = state.header.parameters if state.header is not None else {}
    return f"set sigpipe {'default' if parameters.get('sigpipe') == 'ignore' else 'ignore'}"


PANE = Stage(boxes, caption).pane(
    Path(__file__).parent,
    "what is in the pipe, message by message and byte by byte",
    Offer("6", "capacity", "capacity 4,096 or 65,536 bytes (F_SETPIPE_SZ)", command=_other_capacity),
    Offer("7", "flat out", "everybody as fast as it goes", command=lambda state, view: "rate all 0"),
    Offer("8", "SIGPIPE", "SIGPIPE kills the writer, or is ignored and EPIPE comes; restarts", command=_other_sigpipe),
    Offer(
        "9",
        "from pipe()",
        "restart held, to step from pipe() and fork() on",
        command=lambda state, view: "restart held",
    ),
)
