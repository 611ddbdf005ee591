"""A lecture's file on the screen: played beside the laboratory, its stops, and what is told and asked of the room."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ipctui.lab.lecture import Lecture
from ipctui.tui.lecture import stop_line, told_lines
from ipctui.tui.predict import prediction_lines
from ipctui.widgets.canvas import Line

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp


class Teaching:
    """Plays a lecture's file for an app.

    Attributes:
        taught: The lecture; None where none is played.
    """

    def __init__(self, app: IpctuiApp) -> None:
        self._app = app
        self._begin: Callable[[], Lecture] | None = None
        self.taught: Lecture | None = None
        self._told = 0
        self._told_end = False

    def teach(self, begin: Callable[[], Lecture]) -> None:
        """Play a lecture, anew after every restart."""
        self._begin = begin
        self.again()

    def again(self) -> None:
        """Play it from its beginning."""
        self.taught = self._begin() if self._begin is not None else None
        self._told, self._told_end = 0, False

    def forget(self) -> None:
        """Play nothing any more: it was made for another laboratory."""
        self._begin = None
        self.again()

    @property
    def stop(self) -> tuple[int, int] | None:
        """Where it waits for a key: at which step of how many; None while it does not."""
        taught = self.taught
        return (taught.step + 1, len(taught.scenario.steps)) if taught is not None and taught.stopped else None

    def go_on(self) -> bool:
        """Go on after a stop; False when it is not at one."""
        if self.taught is None or not self.taught.go_on():
            return False
        self._app.react()
        return True

    def beat(self) -> None:
        """Play on, look where it says, and say what did not come true."""
        taught, app = self.taught, self._app
        if taught is None:
            return
        taught.beat(time.monotonic())
        if taught.selected:
            app.select(taught.selected)
            taught.selected = ""
        for line in taught.failed[self._told :]:
            app.say(line, "warning")
        self._told = len(taught.failed)
        if taught.over and not self._told_end:
            self._told_end = True
            app.say("the lecture's file has been played to its end; the laboratory goes on", "information")

    def bands(self, width: int) -> tuple[list[Line], list[Line]]:
        """What is told between the pane and the footer, and what is laid over the pane's last rows."""
        app = self._app
        view, asked = app.view, app.predict.now
        told = [] if view.lecture else told_lines(app.shown, view.language, width)
        if (stop := self.stop) is not None:
            told.append(stop_line(*stop, app.actions_by_id["go-on"].shown, view.language))
        if asked is None:
            return told, []
        question = prediction_lines(asked, view.language, width, by_step=app.walk.paused)
        # A lecture has room for a question; a pane would have to draw its parts smaller than they can be read.
        return ([*told, *question], []) if view.lecture else (told, question)
