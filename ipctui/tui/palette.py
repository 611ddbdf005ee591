"""The command palette: every action, variant, mechanism and theme by name, and any command as it is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from ipctui.trace.text import visible
from ipctui.widgets.language import in_language

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the palette."""

    text: str
    about: str
    run: Callable[[], object]


class LabProvider(Provider):
    """What can be found in the palette of a laboratory."""

    def entries(self) -> Iterator[Entry]:
        """Every line that is there before anything is typed."""
        app = cast("IpctuiApp", self.app)
        language = app.view.language
        for action in app.actions:
            if action.id in ("palette",) or (action.id.startswith("offer-") and not app.offer(action.id[6:])):
                continue
            offer = app.offer(action.id[6:]) if action.id.startswith("offer-") else None
            name = in_language(language, offer.name) if offer else action.label(language)
            about = in_language(language, offer.about) if offer else action.sentence(language)
            yield Entry(f"{name} ({action.shown})", about, partial(app.action_act, action.id))
        for variant in app.source.channel.variants if "command" in app.source.can else ():
            about = in_language(language, variant.about)
            yield Entry(f"{_VARIANT[language]}: {variant.name}", about, partial(app.restart, variant.name))
        for name, theme in app.themes.items():
            yield Entry(f"{_THEME[language]}: {name}", theme.title, partial(app.take_theme, name))

    async def discover(self) -> Hits:
        """Everything, while nothing is typed."""
        for entry in self.entries():
            yield DiscoveryHit(Content(visible(entry.text)), entry.run, entry.text, _help(entry.about))

    async def search(self, query: str) -> Hits:
        """What matches; and last, the words themselves as a command for the laboratory."""
        matcher = self.matcher(query)
        for entry in self.entries():
            score = matcher.match(entry.text)
            if score > 0:
                yield Hit(score, matcher.highlight(visible(entry.text)), entry.run, entry.text, _help(entry.about))
        app = cast("IpctuiApp", self.app)
        typed = query.strip()
        command = typed.removeprefix("do:").strip()
        if command and "command" in app.source.can:
            text = f"do: {command}"
            score = 2.0 if typed.startswith("do:") else 0.001
            yield Hit(score, Content(visible(text)), partial(app.give, command), text, _help(_ABOUT[app.view.language]))


_VARIANT = {"en": "variant", "ko": "변형"}
_THEME = {"en": "theme", "ko": "테마"}
_ABOUT = {"en": "Give this command to the laboratory.", "ko": "이 명령을 실험실에 내립니다."}


def _help(text: str) -> str:
    # The palette reads help as markup.
    return escape(visible(text))
