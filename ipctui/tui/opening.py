"""The opening screen: the two models measured while one watches, and every mechanism as a tile to be opened."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen, Screen
from textual.widgets import Markdown, Static

from ipctui.lab.channel import Channel
from ipctui.lab.pairs import Pairs
from ipctui.lab.state import LabState
from ipctui.trace.clock import now
from ipctui.tui.live import LiveView
from ipctui.tui.opening_draw import Opening, columns_of, draw, rows_of
from ipctui.tui.opening_live import Begin, LiveTile
from ipctui.tui.opening_words import LESSON, said
from ipctui.tui.source import Catalogue
from ipctui.tui.tiles import STEP, Tile, tile
from ipctui.widgets.canvas import Frame
from ipctui.widgets.language import in_language
from ipctui.widgets.view import Pane, View

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp

BEAT = 0.1
"""Seconds between two pictures."""
_LONGEST_FILTER = 40


class Rest:
    """What the app holds while no laboratory runs: a source that has nothing and can do nothing.

    Args:
        channel: Any mechanism; nothing of it is run.
    """

    variant = ""
    values: Mapping[str, Any] = {}  # never changed
    alive = True
    problem = ""
    can: frozenset[str] = frozenset()

    def __init__(self, channel: Channel) -> None:
        self.state = LabState()
        self.channel = channel

    def now(self) -> int:
        """No time passes."""
        return 0

    def tick(self) -> bool:
        """Nothing changes."""
        return False

    def command(self, text: str, by: str) -> None:
        """Nobody is there to obey."""

    def restart(self, variant: str | None = None, held: bool | None = None) -> None:
        """There is nothing to restart."""

    def close(self) -> None:
        """There is nothing to give back."""


BLANK = Pane(lambda state, view, width, height: Frame(width, height, ()), (), lambda language: "")
"""The pane of `Rest`: it is never seen, for the opening screen lies over it."""


class OpeningScreen(Screen[str], inherit_bindings=False):
    """The models and the tiles; dismissed with the name of the mechanism to open.

    Args:
        tiles: Every mechanism.
        pairs: What measures the models; whoever made it closes it.
        name: The mechanism that is chosen first.
        begin: Starts the laboratory of a tile; None where all tiles are to show recordings.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"move('{key}')", key, show=False) for key in ("up", "down", "left", "right")),
        *(Binding(key, f"move('{key}')", key, show=False) for key in ("pageup", "pagedown", "home", "end")),
        Binding("enter", "choose", "open", show=False),
        Binding("escape", "drop_filter", "drop the filter", show=False),
        Binding("slash", "filter", "filter", show=False),
        Binding("right_square_bracket", "resize(2.0)", "larger", show=False),
        Binding("left_square_bracket", "resize(0.5)", "smaller", show=False),
        Binding("t", "theme", "theme", show=False),
        Binding("question_mark", "help", "help", show=False),
        Binding("q", "leave", "quit", show=False),
    ]

    def __init__(self, tiles: list[Tile], pairs: Pairs, name: str = "", begin: Begin | None = None) -> None:
        super().__init__()
        self._alive = LiveTile(begin)
        self._tiles = tiles
        self._pairs = pairs
        self._filter = ""
        self._typing = False
        self._began = time.monotonic()
        self._drawn = False
        self.selected = name or (tiles[0].name if tiles else "")

    @property
    def _app(self) -> IpctuiApp:
        return cast("IpctuiApp", self.app)

    @property
    def shown(self) -> list[Tile]:
        """The tiles that the filter leaves."""
        needle = self._filter.casefold()
        language = self._app.view.language

        def words(each: Tile) -> str:
            shown = (in_language(language, text) for text in (each.title, each.about))
            return " ".join((each.name, each.title, each.about, *shown)).casefold()

        return [each for each in self._tiles if needle in words(each)]

    def compose(self) -> ComposeResult:
        """One frame over all of the screen."""
        self.live = LiveView(self._app.theme_styles, id="opening")
        yield self.live

    def on_mount(self) -> None:
        """Begin to measure and to move."""
        self._pairs.paused = False
        self.beat()
        self.set_interval(BEAT, self.beat)

    def on_unmount(self) -> None:
        """Let nothing be measured beside a laboratory, and none run but that."""
        self._pairs.paused = True
        self._alive.end()

    def beat(self) -> None:
        """Take in what was measured, and draw."""
        # Measuring takes both CPUs: the first picture comes before it.
        if self._drawn:
            self._pairs.tick()
        shown = self.shown
        chosen = shown[self._place(shown)] if shown else None
        self._alive.attend(chosen.name if chosen is not None and not chosen.refused else "", now())
        # What lies below a help or a palette goes on; what is not on the screen stack's top row is not painted.
        if self.is_current:
            self.draw()

    def draw(self) -> None:
        """Draw at once."""
        size = self.live.size
        if size.width and size.height:
            self.live.show(draw(self.opening(), size.width, size.height))
            self._drawn = True

    def opening(self) -> Opening:
        """What is to be seen now."""
        view: View = self._app.view
        shown = self.shown
        return Opening(
            self._pairs.models,
            shown,
            len(self._tiles),
            self._place(shown),
            int((time.monotonic() - self._began) * 1e9) // STEP,
            self._filter,
            self._typing,
            now(),
            view.ascii,
            view.language,
            self._alive.picture(view.ascii, view.language),
        )

    def _place(self, shown: list[Tile]) -> int:
        return next((place for place, each in enumerate(shown) if each.name == self.selected), 0)

    # What the person does.

    def action_move(self, key: str) -> None:
        """Choose another tile."""
        shown = self.shown
        if not shown:
            return
        columns, rows = columns_of(self.size.width), rows_of(self.size.height)
        by = {"left": -1, "right": 1, "up": -columns, "down": columns, "pageup": -columns * rows}
        place = self._place(shown)
        if key in ("home", "end"):
            place = 0 if key == "home" else len(shown) - 1
        else:
            wanted = place + by.get(key, columns * rows)
            # Up and down keep to their column; beyond the last row there is nothing.
            if key in ("pageup", "pagedown"):
                wanted = min(max(wanted, 0), len(shown) - 1)
            place = wanted if 0 <= wanted < len(shown) else place
        self.selected = shown[place].name
        self.draw()

    def action_choose(self) -> None:
        """Open the chosen tile's mechanism."""
        shown = self.shown
        if shown:
            self._open(shown[self._place(shown)].name)

    def _open(self, name: str) -> None:
        self.selected = name
        refused = next((each.refused for each in self._tiles if each.name == name), "")
        if refused:
            language = self._app.view.language
            why = f"{said(language, 'does not run here')}: {in_language(language, refused)}"
            self._app.say(f"{name} {why}", "warning")
            return
        self._typing = False
        self._alive.end()
        self.dismiss(name)

    def action_filter(self) -> None:
        """Begin to type a filter."""
        self._typing = True
        self.draw()

    def action_drop_filter(self) -> None:
        """Show every tile again."""
        self._typing, self._filter = False, ""
        self.draw()

    def on_key(self, event: Key) -> None:
        """While a filter is typed, what can be printed belongs to it."""
        if not self._typing:
            return
        if event.key == "backspace":
            self._filter = self._filter[:-1]
        elif event.character is not None and event.is_printable:
            self._filter = (self._filter + event.character)[:_LONGEST_FILTER]
        else:
            return
        event.stop()
        event.prevent_default()
        self.draw()

    def action_resize(self, factor: float) -> None:
        """Let the models be measured with messages of another size."""
        self._pairs.resize(int(self._pairs.models.size * factor))
        self._pairs.tick()
        self.draw()

    def action_theme(self) -> None:
        """Take the next theme."""
        self._app.action_act("theme")
        self.live.paint(self._app.theme_styles)

    def action_help(self) -> None:
        """Show what there is to see."""
        language = self._app.view.language
        self._app.push_screen(OpeningHelp(LESSON.get(language, LESSON["en"]), language))

    def action_leave(self) -> None:
        """End the app."""
        self._app.leave()

    @on(LiveView.Clicked)
    def _on_clicked(self, message: LiveView.Clicked) -> None:
        message.stop()
        verb, _, name = message.action.partition(":")
        if verb == "open":
            self._open(name)

    @on(LiveView.Wheel)
    def _on_wheel(self, message: LiveView.Wheel) -> None:
        message.stop()
        self.action_move("up" if message.lines > 0 else "down")

    @on(LiveView.Resized)
    def _on_resized(self, message: LiveView.Resized) -> None:
        message.stop()
        self.draw()


class OpeningHelp(ModalScreen[None]):
    """The help of the opening screen.

    Args:
        lesson: Markdown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss(None)", "close", show=False)]

    def __init__(self, lesson: str, language: str) -> None:
        super().__init__(classes="over")
        self._lesson = lesson
        self._language = language

    def compose(self) -> ComposeResult:
        """A title and the text."""
        closes = "Escape 닫기" if self._language == "ko" else "Escape closes"
        with Vertical(classes="box tall"):
            yield Static(Content(f"ipctui · {said(self._language, 'help')} – {closes}"), classes="heading")
            with VerticalScroll(id="opening-help"):
                yield Markdown(self._lesson, open_links=False)

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one("#opening-help").focus()


class Lobby:
    """The way from the app to the opening screen and back.

    Args:
        app: Its source is closed when the opening screen is shown.
        catalogue: What there is to be opened.
        pairs: What measures the models; closed with the lobby.
        begin: Starts the laboratory of a tile.
    """

    def __init__(self, app: IpctuiApp, catalogue: Catalogue, pairs: Pairs, begin: Begin | None = None) -> None:
        self._app = app
        self._catalogue = catalogue
        self._pairs = pairs
        self._begin = begin
        self._tiles: list[Tile] = []
        self._chosen = ""

    def show(self) -> None:
        """Show the opening screen; whatever ran is ended first."""
        app = self._app
        look = app.view
        self._tiles = self._tiles or [
            tile(self._catalogue.channel(name), look.ascii, look.language) for name in self._catalogue.names()
        ]
        self._chosen = self._chosen if isinstance(app.source, Rest) else app.source.channel.name
        app.rest(Rest(app.source.channel), BLANK)
        app.push_screen(OpeningScreen(self._tiles, self._pairs, self._chosen, self._begin), self._opened)

    def _opened(self, name: str | None) -> None:
        if name is None:
            return
        self._chosen = name
        self._app.open_mechanism(name, None)
        if isinstance(self._app.source, Rest):
            self.show()  # it could not be started, and the reason has been said

    def close(self) -> None:
        """End what measures."""
        self._pairs.close()
