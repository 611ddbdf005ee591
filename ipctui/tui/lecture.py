"""Lecture mode: the projector's theme, the pane drawn for a room, and the last keys pressed by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipctui.lab.state import LabState
from ipctui.tui.actions import Action
from ipctui.widgets.canvas import Line, wrapped
from ipctui.widgets.language import in_language
from ipctui.widgets.lecture import told_text

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp

THEME = "projector"
"""The theme that lecture mode takes, where there is one of this name."""

_KEPT = 3
"""Keys that are shown."""


def told_lines(state: LabState, language: str, width: int) -> list[Line]:
    """What a lecture's file says of a moment, in lines; none when it says nothing."""
    return [[(f" {line}", "title")] for line in wrapped(told_text(state, language), width - 2, 3)]


def stop_line(step: int, steps: int, key: str, language: str) -> Line:
    """That the lecture's file waits, where, and for which key."""
    does = "이어 가기" if language == "ko" else "goes on"
    return [(f" ║ {step}/{steps} ", "paused"), ("  ", "text"), (key, "key"), (f" {does}", "dim")]


@dataclass(frozen=True, slots=True)
class _Pressed:
    key: str
    name: str
    times: int = 1

    def text(self) -> str:
        times = f" ×{self.times}" if self.times > 1 else ""
        return f"[{self.key}] {self.name}{times}".rstrip()


class Lecture:
    """Turns lecture mode on and off for an app, and remembers what it looked like before."""

    def __init__(self, app: IpctuiApp) -> None:
        self._app = app
        self._former = ""
        self._pressed: list[_Pressed] = []

    @property
    def on(self) -> bool:
        """Whether the pane is drawn for a room."""
        return self._app.view.lecture

    def toggle(self) -> None:
        """Begin, or leave."""
        if self.on:
            self.leave()
        else:
            self.begin()
            self._app.say("F5 or Escape leaves; P asks the room what happens next", "information")

    def begin(self) -> None:
        """Draw for a room."""
        app = self._app
        if self.on:
            return
        self._former = app.theme
        self._pressed = []
        if THEME in app.themes:
            app.take_theme(THEME)
        app.look(lecture=True, keys="", zoom="", scroll=0)

    def leave(self) -> None:
        """Draw as before, in the former theme, unless another was taken meanwhile."""
        app = self._app
        if not self.on:
            return
        if app.theme == THEME and self._former in app.themes:
            app.take_theme(self._former)
        app.look(lecture=False, keys="", zoom="", scroll=0)

    def pressed(self, action: Action) -> None:
        """Remember a key."""
        if not self.on or action.id == "lecture":
            return
        app = self._app
        if action.id == "page-down" and app.teaching.stop is not None:
            action = app.actions_by_id["go-on"]
        name = action.label(app.view.language)
        if action.id.startswith("offer-"):
            offer = app.offer(action.id[6:])
            name = in_language(app.view.language, offer.name) if offer is not None else ""
            if app.predict.waiting:
                name = "예측" if app.korean else "guess"
        last = self._pressed[-1] if self._pressed else None
        if last is not None and last.key == action.shown:
            self._pressed[-1] = _Pressed(last.key, last.name, last.times + 1)
        else:
            self._pressed = [*self._pressed, _Pressed(action.shown, name)][-_KEPT:]
        app.look(keys=" · ".join(each.text() for each in self._pressed))
