"""Lecture mode, questions and the key that holds, with real processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from ipctui.cli.replay import Shelf
from ipctui.lab.launch import LauncherClient
from ipctui.lab.live import Live
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms import catalogue
from ipctui.tui.app import IpctuiApp, Look
from tests.lab.conftest import PATIENCE
from tests.tui.fake import THEMES
from tests.tui.test_lecture import BLOCKED
from tests.tui.test_walk import text


@pytest.fixture
def launcher() -> Iterator[LauncherClient]:
    client = LauncherClient()
    yield client
    client.close()


@asynccontextmanager
async def taught_live(launcher: LauncherClient, **values: object) -> AsyncIterator[tuple[IpctuiApp, Lab, Pilot[None]]]:
    channel = catalogue.channel("pipe")
    settled = settle(channel.parameters(), {}, [f"{name}={value}" for name, value in values.items()])
    lab = Lab(channel, channel.variants[0], settled, launcher)
    app = IpctuiApp(Shelf(), Live(lab), catalogue.pane("pipe"), THEMES, Look(), 1 / 25)
    try:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            yield app, lab, pilot
    finally:
        lab.close()


async def so(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


def since(lab: Lab, role: str) -> int | None:
    """Since when a process has been in the state that is known of it."""
    known = lab.state.processes.get(role)
    return known.state.since if known is not None and known.state is not None else None


def stands(lab: Lab, role: str, state: str, call: str) -> bool:
    known = lab.state.processes.get(role)
    now = known.state if known is not None else None
    return now is not None and now.state == state and now.before is not None and now.before.name == call


@pytest.mark.real
async def test_the_kernel_answers_a_room_that_was_asked_and_steps(launcher: LauncherClient) -> None:
    async with taught_live(launcher, size=4096, capacity=4096, start="held", rate=0) as (app, lab, pilot):
        await pilot.press("f5")
        steps = 0
        await so(lambda: lab.state.processes.get("parent") and lab.state.processes["parent"].state, "the parent")
        await so(lambda: lab.state.processes["parent"].state.state == "held", "the parent at its gate")
        while not stands(lab, "parent", "held", "write"):
            before = since(lab, "parent")
            await pilot.press("n")
            steps += 1
            await so(
                lambda before=before: (
                    lab.state.processes["parent"].state.state == "held" and since(lab, "parent") != before
                ),
                "a step",
            )
            assert steps < 12
        await pilot.press("P", "1", "n")
        await so(lambda: not app.predict.waiting, "the first answer")
        assert app.predict.now is not None
        assert app.predict.now.right is True
        await so(lambda: stands(lab, "parent", "held", "write"), "the second write")
        await pilot.press("P", "1", "n")
        await so(lambda: not app.predict.waiting, "the second answer")
        assert app.predict.now.right is False
        assert app.predict.now.truth is not None
        assert app.predict.now.truth.kind == "sleeps"
        # Another reader of the same process: the kernel has it asleep in write(2).
        proc = Path(f"/proc/{lab.state.processes['parent'].pid}")
        assert proc.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "S"
        number = {"x86_64": "1", "aarch64": "64"}.get(os.uname().machine)
        assert number is None or proc.joinpath("syscall").read_text().split()[0] == number
        await so(lambda: BLOCKED in text(app) or "■ write(4)" in text(app), "the large word")


@pytest.mark.real
async def test_the_key_that_holds_starts_who_has_not_started(
    launcher: LauncherClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = catalogue.channel("fifo")
    # Left alone the reader starts after four seconds, which a busy machine needs for two keys.
    plan = channel.plan
    patience = {"reader": 3600.0}
    monkeypatch.setattr(channel, "plan", lambda *given: replace(plan(*given), late=patience), raising=False)
    lab = Lab(channel, channel.variants[0], settle(channel.parameters(), {}, ()), launcher)
    app = IpctuiApp(Shelf(), Live(lab), catalogue.pane("fifo"), THEMES, Look(), 1 / 25)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await so(lambda: stands(lab, "writer", "blocked", "open"), "the writer in open()")
            while app.view.selected != "reader":
                await pilot.press("tab")
            assert lab.state.processes["reader"].pid == 0
            await so(lambda: "space release" in text(app), "the footer")
            await pilot.press("space")
            await so(lambda: lab.state.processes["reader"].pid, "the reader")
            os.kill(lab.state.processes["reader"].pid, 0)
            await so(lambda: not stands(lab, "writer", "blocked", "open"), "the writer leaves open()")
    finally:
        lab.close()
