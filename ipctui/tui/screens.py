"""The screens that lie over a pane: a text to type, a list to choose from, the help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Markdown, OptionList, Static
from textual.widgets.option_list import Option

from ipctui.trace.text import visible
from ipctui.tui.actions import GROUPS, Action
from ipctui.widgets.canvas import wrapped
from ipctui.widgets.language import in_language
from ipctui.widgets.view import Offer

_KEY_WIDTH = 11
_ABOUT_WIDTH = 54


@dataclass(frozen=True, slots=True)
class Choice:
    """A line to choose: its words, a sentence about it, and why it cannot be chosen (empty when it can)."""

    name: str
    about: str = ""
    refused: str = ""
    indent: int = 0


class TextScreen(ModalScreen[str | None]):
    """Asks for a line of text: Enter gives it, Escape gives None.

    Args:
        title: What is asked for.
        initial: The text that stands there already.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel", show=False)]

    def __init__(self, title: str, hint: str, initial: str = "") -> None:
        super().__init__(classes="over")
        self._title = title
        self._hint = hint
        self._initial = initial

    def compose(self) -> ComposeResult:
        """A title and a line to type in."""
        with Vertical(classes="box"):
            yield Static(Content(visible(self._title)), classes="heading")
            field = Input(self._initial, id="text")
            # A blinking cursor repaints a screen that nothing happens on.
            field.cursor_blink = False
            yield field
            yield Static(Content(self._hint), classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the text."""
        event.stop()
        self.dismiss(event.value)


class ChoiceScreen(ModalScreen[int | None]):
    """Asks for one of several: Enter or a click gives its place in the list, Escape gives None.

    Args:
        title: What is asked for.
        choices: The lines; `current` is highlighted first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel", show=False)]

    def __init__(self, title: str, choices: Sequence[Choice], current: int = 0) -> None:
        super().__init__(classes="over")
        self._title = title
        self._choices = tuple(choices)
        self._current = current

    def compose(self) -> ComposeResult:
        """A title and the list."""
        with Vertical(classes="box"):
            yield Static(Content(visible(self._title)), classes="heading")
            yield OptionList(
                *(Option(_line(choice), disabled=bool(choice.refused)) for choice in self._choices), id="choices"
            )

    def on_mount(self) -> None:
        """Highlight the current choice."""
        options = self.query_one("#choices", OptionList)
        if self._choices:
            options.highlighted = min(self._current, len(self._choices) - 1)
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the choice."""
        event.stop()
        self.dismiss(event.option_index)


class HelpScreen(ModalScreen[None]):
    """The help of a pane: its own keys, every other key, and the lesson.

    Args:
        title: What the help is of.
        actions: The table, with the user's keys in it.
        offers: What the pane offers.
        lesson: Markdown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss(None)", "close", show=False)]

    def __init__(
        self, title: str, actions: Sequence[Action], offers: Sequence[Offer], lesson: str, language: str
    ) -> None:
        super().__init__(classes="over")
        self._title = title
        self._actions = tuple(actions)
        self._offers = tuple(offers)
        self._lesson = lesson
        self._language = language

    def compose(self) -> ComposeResult:
        """A title, the keys and the lesson, scrolled together."""
        closes = "Escape 닫기" if self._language == "ko" else "Escape closes"
        with Vertical(classes="box tall"):
            yield Static(Content(visible(f"{self._title} – {closes}")), classes="heading")
            with VerticalScroll(id="help"):
                yield Static(help_text(self._actions, self._offers, self._language))
                yield Markdown(self._lesson, open_links=False)

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one("#help").focus()


def help_text(actions: Sequence[Action], offers: Sequence[Offer], language: str) -> Content:
    """The keys as help: the pane's own first, then a group to a paragraph."""
    parts: list[Content | tuple[str, str]] = []
    if offers:
        parts.append((("이 화면" if language == "ko" else "This pane") + "\n", "bold"))
        parts += [_key_line(_offer_key(offer, actions), _offered(offer, language)) for offer in offers]
    for group, titles in GROUPS.items():
        parts.append(((titles[language] if not parts else f"\n{titles[language]}") + "\n", "bold"))
        parts += [
            _key_line(action.shown, action.sentence(language))
            for action in actions
            if action.group == group and not action.id.startswith("offer-")
        ]
    return Content.assemble(*parts)


def _offered(offer: Offer, language: str) -> str:
    return visible(f"{in_language(language, offer.name)}: {in_language(language, offer.about)}")


def _offer_key(offer: Offer, actions: Sequence[Action]) -> str:
    ids = {"l": "switch"}
    wanted = ids.get(offer.key, f"offer-{offer.key}")
    return next((action.shown for action in actions if action.id == wanted), offer.key)


def _key_line(key: str, about: str) -> Content:
    lines = wrapped(about, _ABOUT_WIDTH, 9)
    return Content.assemble(
        (f"  {key:<{_KEY_WIDTH}}", "bold $text-accent"), f"\n{' ' * (_KEY_WIDTH + 2)}".join(lines), "\n"
    )


def _line(choice: Choice) -> Content:
    about = choice.refused or choice.about
    name = (visible("  " * choice.indent + choice.name), "" if choice.indent else "bold")
    return Content.assemble(name, visible(f"  {about}") if about else "")


CSS = """
.over { align: center middle; background: $background 60%; }
.over .box { width: 76; max-width: 100%; height: auto; max-height: 100%; background: $surface; border: round $primary;
    padding: 0 1; }
.over .tall { height: 90%; }
.over .heading { text-style: bold; width: 1fr; height: auto; }
.over .hint { color: $text-muted; width: 1fr; height: auto; }
.over Input { border: none; height: 1; padding: 0; background: $panel; }
.over OptionList { border: none; height: auto; max-height: 18; padding: 0; background: $surface; }
.over OptionList:focus { background-tint: $foreground 0%; }
CommandPalette SearchIcon { display: none; }
.over VerticalScroll { height: 1fr; }
ToastRack { margin-bottom: 5; }
Toast { width: 52; max-width: 65%; }
.over Markdown { padding: 0; margin: 1 0 0 0; background: $surface; }
"""
"""How these screens look, for the app's style sheet."""
