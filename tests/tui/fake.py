"""A session that is scripted: no process, no clock; and a pane that draws what the tests look for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from textual.pilot import Pilot

from ipctui.lab.channel import Channel, Variant
from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Command, Header, Held, Settings, State
from ipctui.tui.app import IpctuiApp, Look
from ipctui.tui.source import Source
from ipctui.tui.themes import find_themes
from ipctui.widgets.canvas import Canvas, Frame
from ipctui.widgets.view import Offer, Pane, View
from tests.lab.conftest import PATIENCE

SECOND = 1_000_000_000
THEMES, _ = find_themes()


class FakeChannel:
    def __init__(self, name: str = "pipe", variants: Sequence[str] = ("one-way", "both-ways"), refused: str = ""):
        self.name = name
        self.title = f"The {name} [/oops]"
        self.about = f"about {name}"
        self.variants = tuple(Variant(each, f"about {each} [/oops]", ("parent", "child")) for each in variants)
        self.commands: tuple[str, ...] = ()
        self._refused = refused

    def unavailable(self) -> str | None:
        return self._refused or None


def process(role: str, state: str = "running", held: bool = False, **more: Any) -> ProcessState:
    pid = 4711 + len(role)
    rows = (Held(3, "pipe:[1]", "read closed"), Held(4, "pipe:[1]", "write"))
    return ProcessState(
        role,
        pid,
        1,
        state=State(0, role, pid, state),
        settings=Settings(0, role, held, more.pop("rate", 20.0), more.pop("size", 64)),
        descriptors=more.pop("descriptors", rows),
        **more,
    )


def two(**parent: Any) -> LabState:
    processes = {"parent": process("parent", **parent), "child": process("child")}
    return LabState(Header("pipe", "one-way", {"rate": 20, "size": 64}), SECOND, processes)


class FakeSource:
    can = frozenset({"command"})

    def __init__(self, state: LabState | None = None, channel: FakeChannel | None = None) -> None:
        self.state = state or two()
        self.fake_channel = channel or FakeChannel()
        self.variant = self.fake_channel.variants[0].name
        self.values: Mapping[str, Any] = {}
        self.alive = True
        self.problem = ""
        self.time = SECOND
        self.given: list[str] = []
        self.ticks = 0
        self.closed = 0
        self.restarts: list[str | None] = []
        self.outcome = "done"
        self.fails: Exception | None = None

    @property
    def channel(self) -> Channel:
        return cast("Channel", self.fake_channel)

    def now(self) -> int:
        return self.time

    def tick(self) -> bool:
        self.ticks += 1
        if self.fails is not None:
            raise self.fails
        return False

    def command(self, text: str, by: str) -> None:
        assert by == "key"
        self.given.append(text)
        self.tell(Command(len(self.given), text, by, self.outcome))

    def tell(self, command: Command) -> None:
        self.state = replace(self.state, commands=(*self.state.commands, command))

    def restart(self, variant: str | None = None, held: bool | None = None) -> None:
        self.restarts.append(variant)
        if self.fails is not None:
            raise self.fails
        self.variant = variant or self.variant

    def close(self) -> None:
        self.closed += 1


class FakeCatalogue:
    def __init__(self) -> None:
        self.opened: list[tuple[str, str | None]] = []
        self.sources: list[FakeSource] = []
        self.fails = ""

    def names(self) -> Sequence[str]:
        return ("pipe", "shm", "mach")

    def channel(self, name: str) -> Channel:
        return cast("Channel", FakeChannel(name, refused="no Mach here" if name == "mach" else ""))

    def pane(self, name: str) -> Pane:
        return fake_pane(name)

    def open(self, name: str, variant: str | None) -> Source:
        self.opened.append((name, variant))
        if self.fails:
            raise OSError(self.fails)
        self.sources.append(FakeSource(channel=FakeChannel(name)))
        return self.sources[-1]


class Drawings:
    """What a pane was asked to draw."""

    def __init__(self, name: str = "pipe") -> None:
        self.name = name
        self.states: list[LabState] = []
        self.views: list[View] = []
        self.lines = 40

    def __call__(self, state: LabState, view: View, width: int, height: int) -> Frame:
        self.states.append(state)
        self.views.append(view)
        canvas = Canvas(width, height, view.ascii)
        canvas.fill(0, 0, width, "bar")
        canvas.put(1, 0, f"{self.name} {state.t}{' PAUSED' if view.paused else ''}", "title")
        for row, (role, each) in enumerate(state.processes.items(), 2):
            word = each.state.state if each.state is not None else "?"
            canvas.put(1, row, f"{role} {word}", "selected" if role == view.selected else "text")
            canvas.hit(1, row, 20, 1, f"select:{role}")
        canvas.put(30, 2, "offer", "key")
        canvas.hit(30, 2, 5, 1, "offer:1")
        if view.zoom:
            first = min(view.scroll, self.lines)
            for row in range(5, height):
                canvas.put(0, row, f"{view.zoom} line {first + row}")
        return canvas.frame()


def fake_pane(name: str = "pipe", drawings: Drawings | None = None, switch: bool = False) -> Pane:
    offers = [
        Offer("1", "calls", "enlarge the calls [/oops]", zoom="calls"),
        Offer("2", "shrink", "a smaller pipe", command=lambda state, view: f"capacity {view.selected}"),
        Offer("3", "idle", "nothing to do", command=lambda state, view: ""),
    ]
    if switch:
        offers.append(Offer("l", "lock", "lock or not", command=lambda state, view: "lock on"))
    return Pane(drawings or Drawings(name), tuple(offers), lambda language: f"# Lesson\n\nlook at *{language}*")


def make_app(
    source: FakeSource | None = None,
    pane: Pane | None = None,
    catalogue: FakeCatalogue | None = None,
    beat: float | None = None,
    **look: Any,
) -> IpctuiApp:
    return IpctuiApp(
        catalogue or FakeCatalogue(), source or FakeSource(), pane or fake_pane(), THEMES, Look(**look), beat
    )


def toasts(app: IpctuiApp) -> list[str]:
    return [notification.message for notification in app._notifications]


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Wait for a condition, and no longer than a deadline."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        await pilot.pause()
