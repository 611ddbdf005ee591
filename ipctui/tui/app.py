"""The app: ticks the laboratory, draws what changed, and ends with the laboratory closed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.driver import Driver
from textual.screen import Screen
from textual.widgets import Input

from ipctui.export.picture import correct_svg
from ipctui.lab.state import LabState
from ipctui.trace.text import visible
from ipctui.tui.actions import ACTIONS, Action, by_id
from ipctui.tui.announce import Announcer
from ipctui.tui.deeds import Deeds
from ipctui.tui.footer import damaged_frame, screen_frame
from ipctui.tui.keymap import applied
from ipctui.tui.lab_screen import LabScreen, lab_screen
from ipctui.tui.lecture import Lecture
from ipctui.tui.live import LiveView
from ipctui.tui.palette import LabProvider
from ipctui.tui.predict import Predict
from ipctui.tui.roles import no_color as uncoloured
from ipctui.tui.screens import CSS as SCREENS_CSS
from ipctui.tui.source import Catalogue, Source, recordable, replay
from ipctui.tui.teaching import Teaching
from ipctui.tui.themes import DEFAULT_THEME, LoadedTheme
from ipctui.tui.walk import Walk
from ipctui.widgets.canvas import Frame
from ipctui.widgets.language import in_language
from ipctui.widgets.view import Offer, Pane, View

if TYPE_CHECKING:
    from ipctui.tui.opening import Lobby

BEAT = 1 / 25
"""Seconds between two ticks of the laboratory."""

FRAME = 1 / 15
"""Seconds between two drawings, at least."""

STILL = 1 / 5
"""Seconds longer between two drawings while nothing moves but the clock."""

REACTION = 0.004
"""Seconds in which a worker has reached its gate after an order: what came of it is drawn then, not a beat later."""

RECORDED = "this is a recording: nothing in it can be commanded"

_TENTH = 100_000_000
_MOST_COMPLAINTS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """How the person wants it: theme, language, glyphs, keys, and what was wrong with the files that say so."""

    theme: str = DEFAULT_THEME
    language: str = "en"
    ascii: bool = False
    no_color: bool = False
    keymap: Mapping[str, str] | None = None
    problems: Sequence[str] = ()


class IpctuiApp(App[None]):
    """A laboratory on the terminal.

    Args:
        catalogue: The mechanisms of the menu.
        source: The session shown first; the app closes it.
        pane: How it is drawn.
        themes: The themes there are, by name.
        beat: Seconds between two ticks; None for no timer (a picture, a test that beats by itself).
    """

    TITLE = "ipctui"
    ENABLE_COMMAND_PALETTE = False  # The palette is an action of the table, its key one that the user may change.
    ALLOW_SELECT = False
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {LabProvider}
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "act('quit')", show=False, priority=True, system=True)]
    CSS = SCREENS_CSS

    def __init__(
        self,
        catalogue: Catalogue,
        source: Source,
        pane: Pane,
        themes: Mapping[str, LoadedTheme],
        look: Look | None = None,
        beat: float | None = BEAT,
    ) -> None:
        look = look or Look()
        colourless = look.no_color or "NO_COLOR" in os.environ
        # Textual's monochrome filter makes black of the terminal's default colours: it must be given real ones.
        super().__init__(ansi_color=False if colourless else None)
        self.catalogue = catalogue
        self.source = source
        self.pane = pane
        self.themes = dict(themes)
        self.actions: tuple[Action, ...] = applied(look.keymap or {}, ACTIONS)
        self.actions_by_id = by_id(self.actions)
        self.view = View(language=look.language, ascii=look.ascii)
        self.failure = ""
        self._look = look
        self._colourless = colourless
        self._beat = beat
        self.walk = Walk(self)
        self.lecture = Lecture(self)
        self.predict = Predict(self)
        self.teaching = Teaching(self)
        self.lobby: Lobby | None = None
        self._deeds = Deeds(self)
        self._announcer = Announcer()
        self._shown: tuple[Any, ...] = ()
        self._due = 0.0
        for theme in self.themes.values():
            self.register_theme(theme.textual)
        first = look.theme if look.theme in self.themes else next(iter(self.themes))
        self._main = lab_screen(self.actions, self._styles(first))
        self.theme = first

    # Beginning and ending.

    def get_default_screen(self) -> Screen[Any]:
        """The pane's screen."""
        return self._main

    def get_driver_class(self) -> type[Driver]:
        """The driver: on a Linux terminal one that takes it well when the terminal goes."""
        wanted = super().get_driver_class()
        if sys.platform != "linux" or wanted.__name__ != "LinuxDriver":
            return wanted
        from ipctui.tui.driver import TerminalDriver

        return TerminalDriver

    def on_mount(self) -> None:
        """Begin to beat; say what was wrong with the user's files."""
        for problem in self._look.problems:
            self.say(problem, "warning")
        if self.teaching.taught is not None:
            self.lecture.begin()
        if self.lobby is not None:
            self.lobby.show()
        if self._beat is not None:
            self.set_interval(self._beat, self.beat)
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        self.exit(return_code=0 if number == signal.SIGINT else 128 + number)

    def on_unmount(self) -> None:
        """Close the laboratory, whatever the reason for the end."""
        self.source.close()
        if self.lobby is not None:
            self.lobby.close()

    def leave(self) -> None:
        """End the app."""
        self.exit()

    def _handle_exception(self, error: Exception) -> None:
        super()._handle_exception(error)
        self.failure = self.failure or " ".join(visible(f"{type(error).__name__}: {error}").split())[:300]
        if not os.environ.get("IPCTUI_TRACEBACK"):
            self._exit_renderables.clear()

    # Ticking and drawing.

    def beat(self) -> None:
        """Tick the laboratory and draw what changed."""
        self.tick()
        self.draw()

    def tick(self) -> None:
        """Take in what is new, and announce what deserves it."""
        if self.source.alive:
            self.source.tick()
        self.teaching.beat()
        self.predict.beat()
        for notice in self._announcer.news(self.source):
            self.say(*notice)
        self._complain()
        roles = self.shown.processes
        if self.view.selected not in roles and roles:
            self.view = replace(self.view, selected=next(iter(roles)))

    def _complain(self) -> None:
        lab, player = recordable(self.source), replay(self.source)
        if lab is not None and (problem := lab.complaint()):
            self.say(problem, "warning")
        if player is not None and (problems := player.complaints()):
            for problem in problems[:_MOST_COMPLAINTS]:
                self.say(problem, "warning")
            if (more := len(problems) - _MOST_COMPLAINTS) > 0:
                self.say(f"{more} more problems with this file; `ipctui replay FILE --headless` tells them", "warning")

    @property
    def shown(self) -> LabState:
        """The state that is looked at: the latest, or that of another moment."""
        return self.walk.state or self.source.state

    def _when(self) -> dict[str, Any]:
        """What the view is told of the time that is looked at."""
        lab = recordable(self.source)
        told: dict[str, Any] = {
            "paused": self.walk.paused,
            "moment": self.walk.moment,
            "replay": replay(self.source) is not None,
            "recording": lab is not None and lab.recording,
        }
        if (moment := told["moment"]) is not None:
            told["now"] = moment.t
        elif not self.walk.paused and self.source.alive:
            # Upwards, so that nothing in the state lies after "now".
            told["now"] = -(-self.source.now() // _TENTH) * _TENTH
        return told

    def draw(self) -> None:
        """Draw, unless nothing changed that is seen, or the last drawing is too fresh."""
        state = self.shown
        self.view = replace(self.view, **self._when())
        live = self._main.live
        wanted = (state, self.view, live.size, self.pane, self.predict.now, self.teaching.stop)
        if self._same(wanted):
            return
        seconds = time.monotonic()
        if seconds < self._due + (STILL if self._only_time_passed(wanted) else 0.0):
            return
        self._due = max(self._due + FRAME, seconds)
        self._shown = wanted
        live.show(self.drawn(self.view))

    def _same(self, wanted: tuple[Any, ...]) -> bool:
        # The state by identity: comparing two of them costs more than drawing.
        return bool(self._shown) and wanted[0] is self._shown[0] and wanted[1:] == self._shown[1:]

    def _only_time_passed(self, wanted: tuple[Any, ...]) -> bool:
        if not self._shown or wanted[0] is not self._shown[0] or wanted[2:] != self._shown[2:]:
            return False
        mine, theirs = (replace(each[1], now=0, moment=None) for each in (wanted, self._shown))
        return bool(mine == theirs)

    def drawn(self, view: View) -> Frame:
        """The frame of a view at the present size."""
        size = self._main.live.size
        try:
            return screen_frame(
                self.shown,
                self.pane,
                view,
                size.width,
                size.height,
                self.actions,
                self.source.can,
                *self.teaching.bands(size.width),
            )
        except Exception:
            if replay(self.source) is None:
                raise
            # A damaged recording can say what no laboratory ever would.
            return damaged_frame(self.shown, self.pane, view, size.width, size.height, self.actions, self.source.can)

    def redraw(self) -> None:
        """Draw at once, whatever was drawn before."""
        self._shown = ()
        self._due = 0.0
        self.draw()

    @on(LiveView.Resized)
    def _on_resized(self) -> None:
        self.redraw()

    # What the person does.

    def action_act(self, action: str) -> None:
        """Do an action by its id, for a key."""
        if action in self.actions_by_id:
            self.lecture.pressed(self.actions_by_id[action])
        self._deeds.act(action)

    @on(LiveView.Clicked)
    def _on_clicked(self, message: LiveView.Clicked) -> None:
        self._deeds.act(message.action)

    @on(LiveView.Wheel)
    def _on_wheel(self, message: LiveView.Wheel) -> None:
        self._deeds.scroll(message.lines)

    @property
    def korean(self) -> bool:
        """Whether the person reads Korean."""
        return self.view.language == "ko"

    def look(self, **changes: Any) -> None:
        """Change the view."""
        self.view = replace(self.view, **changes)
        self.draw()

    def select(self, name: str) -> None:
        """Select a process by its name."""
        self.view = replace(self.view, selected=name)

    def offer(self, key: str) -> Offer | None:
        """What the pane offers on a key."""
        return next((offer for offer in self.pane.offers if offer.key == key), None)

    def say(self, text: str, severity: Literal["information", "warning", "error"]) -> None:
        """Show a toast; the text is data, never markup."""
        self.notify(visible(in_language(self.view.language, text)), severity=severity, markup=False)

    def give(self, command: str) -> None:
        """Give the laboratory a command and see at once what came of it."""
        if "command" not in self.source.can:
            self.say(RECORDED, "warning")
            return
        self.source.command(command, "key")
        self.beat()
        if self._beat is not None:
            self.set_timer(REACTION, self.react)

    def react(self) -> None:
        """Draw what came of an order at once."""
        self._due = 0.0
        self.beat()

    def jumped(self) -> None:
        """Draw another moment: what is found there is no news."""
        if replay(self.source) is not None:
            self._announcer.skip(self.source)
        self.redraw()

    def restart(self, variant: str | None) -> None:
        """Begin the laboratory anew."""
        if "command" not in self.source.can:
            self.say(RECORDED, "warning")
            return
        try:
            self.source.restart(variant)
        except Exception as error:
            # What could not be started again must not take the terminal down with it.
            self.say(f"restart: {error}", "error")
        if variant is not None:
            self.teaching.forget()
        self.teaching.again()
        self._fresh_view()

    def open_mechanism(self, name: str, variant: str | None) -> None:
        """Open another mechanism; the present one goes on when that fails."""
        try:
            source, pane = self.catalogue.open(name, variant), self.catalogue.pane(name)
        except Exception as error:
            self.say(f"{name}: {error}", "error")
            return
        self.predict.close()
        self.teaching.forget()
        self.source.close()
        self.source, self.pane = source, pane
        self._announcer = Announcer()
        self._fresh_view()

    def rest(self, source: Source, pane: Pane) -> None:
        """End the laboratory, and hold a source that is none instead."""
        self.predict.close()
        self.teaching.forget()
        self.source.close()
        self.source, self.pane = source, pane
        self._announcer = Announcer()
        self._fresh_view()

    def to_lobby(self) -> bool:
        """Go to the opening screen; False where the app was started without one."""
        if self.lobby is None:
            return False
        self.lobby.show()
        return True

    def _fresh_view(self) -> None:
        self.predict.close()
        self.walk.forget()
        self.view = replace(self.view, zoom="", scroll=0)
        self.tick()
        self.redraw()

    # The filter.

    def open_filter(self) -> None:
        """Ask for the text that calls must contain."""
        self._main.open_filter(self.view.filter)

    def close_filter(self, drop: bool) -> None:
        """Put the filter's line away, and with `drop` the filter as well."""
        self._main.close_filter()
        if drop:
            self.look(filter="")

    @on(Input.Changed, "#filter")
    def _on_filter_changed(self, event: Input.Changed) -> None:
        if self._main.filtering:
            self.look(filter=event.value)

    @on(LabScreen.FilterDone)
    def _on_filter_done(self, message: LabScreen.FilterDone) -> None:
        self.close_filter(message.drop)

    # Colours.

    def _styles(self, theme: str) -> Mapping[str, Any]:
        styles = self.themes[theme].styles
        return uncoloured(styles) if self._colourless else styles

    @property
    def theme_styles(self) -> Mapping[str, Any]:
        """The present theme's styles by role."""
        return self._styles(self.theme)

    def take_theme(self, name: str) -> None:
        """Take a theme by its name."""
        self.theme = name

    def watch_theme(self, name: str) -> None:
        """Let the pane's colours follow the theme."""
        if name in self.themes:
            self._main.live.paint(self._styles(name))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as an SVG whose glyphs stand in their cells."""
        return correct_svg(super().export_screenshot(title=title, simplify=simplify))


def start(app: IpctuiApp) -> int:
    """Run an app to its end: its exit status, after one line on standard error if it failed."""
    try:
        app.run()
    finally:
        app.source.close()
    if app.failure:
        why = f"the screen failed: {app.failure} (IPCTUI_TRACEBACK=1 shows where; please report it)"
        print(f"ipctui: {in_language(app.view.language, why)}", file=sys.stderr)
        return 1
    return app.return_code or 0
