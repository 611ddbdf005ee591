"""What the tests of the screen take away: the environment's word about colours, and every chance that time has.

Textual's pilot waits a fiftieth of a second after a key, which on a busy machine may be over before what the key set
off is done, and toasts vanish after five seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.lab.conftest import PATIENCE

_HOPS = 6
"""Messages that follow from one another at most: a key, an action, a new screen, its widgets' words, their answers."""


@pytest.fixture(autouse=True)
def _no_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "IPCTUI_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key, click and pause is over when everybody has handled what came of it, however long that takes."""
    press, click, pause = Pilot.press, Pilot.click, Pilot.pause

    async def settle(pilot: Pilot[Any]) -> None:
        for _ in range(_HOPS):
            await pilot._wait_for_screen(timeout=PATIENCE)

    async def pressed(pilot: Pilot[Any], *keys: str) -> None:
        for key in keys:
            await press(pilot, key)
            await settle(pilot)

    async def clicked(pilot: Pilot[Any], *where: Any, **more: Any) -> bool:
        landed = await click(pilot, *where, **more)
        await settle(pilot)
        return landed

    async def paused(pilot: Pilot[Any], delay: float | None = None) -> None:
        await settle(pilot)
        await pause(pilot, delay)

    monkeypatch.setattr(Pilot, "press", pressed)
    monkeypatch.setattr(Pilot, "click", clicked)
    monkeypatch.setattr(Pilot, "pause", paused)
    monkeypatch.setattr(App, "NOTIFICATION_TIMEOUT", 3600)
