"""What each action does: the keys, the footer, clicks and the palette all end here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textual.command import CommandPalette

from ipctui.export.picture import PictureError, write_picture
from ipctui.lab.channel import lacking
from ipctui.tui.orders import NothingToDoError, open_ends, order
from ipctui.tui.screens import Choice, ChoiceScreen, HelpScreen, TextScreen
from ipctui.tui.source import replay
from ipctui.widgets.language import in_language
from ipctui.widgets.view import Offer

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp

_BOTH_WAYS = frozenset({"program", "contents", "processes"})
"""Parts that scroll down from where they begin, their top or the middle; the others begin at their end."""

_FARTHEST = 100_000

_SPEEDS = {"faster": 1, "slower": -1}
"""Keys that set a replay's speed where there is no worker to set the pace of."""


class Deeds:
    """Carries out actions for an app."""

    def __init__(self, app: IpctuiApp) -> None:
        self._app = app
        self._last_text = ""
        self._own: dict[str, Callable[[], None]] = {
            "next": lambda: self.select_next(1),
            "previous": lambda: self.select_next(-1),
            "inject": self.inject,
            "inject-again": self.inject_again,
            "close": self.close_end,
            "restart": lambda: app.restart(None),
            "switch": lambda: self.offered("l"),
            "variant": self.next_variant,
            "variants": self.choose_variant,
            "menu": self.menu,
            "back": self.back,
            "up": lambda: self.scroll(1),
            "down": lambda: self.scroll(-1),
            "page-up": lambda: self.scroll(self.page),
            "page-down": self.page_down,
            "filter": app.open_filter,
            "listing": self.listing,
            "theme": self.next_theme,
            "save": self.save,
            "help": self.help,
            "palette": self.palette,
            "lecture": app.lecture.toggle,
            "predict": app.predict.ask,
            "go-on": self.go_on,
            "quit": app.leave,
            **app.walk.deeds,
        }

    def act(self, action: str) -> None:
        """Do what an action's id or a clicked part of a frame says; what is not known does nothing."""
        verb, _, rest = action.partition(":")
        needs = self._app.actions_by_id[action].needs if action in self._app.actions_by_id else ""
        player = replay(self._app.source)
        if self._answered(action):
            return
        if needs and needs not in self._app.source.can:
            self._cannot(needs)
        elif player is not None and action in _SPEEDS:
            player.faster(_SPEEDS[action])
            self._app.redraw()
        elif verb == "select":
            self.select(rest)
        elif verb == "seek":
            self._app.walk.to(int(rest))
        elif verb == "zoom":
            self.zoom(rest)
        elif verb == "offer" or action.startswith("offer-"):
            self.offered(rest or action[6:])
        elif action in self._own:
            self._own[action]()
        elif action in self._app.actions_by_id:
            self._order(action)

    def _answered(self, action: str) -> bool:
        """Whether a key was meant for the question on the screen."""
        predict = self._app.predict
        if not predict.open:
            return False
        if action == "back":
            predict.close()
            return True
        if action.startswith("offer-") and predict.waiting:
            predict.choose(int(action[6:]) - 1)
            return True
        if action in ("step", "go-on") and predict.waiting:
            if not predict.live:
                predict.answer()
            elif not predict.asleep:
                # What sleeps already is not stepped: its next record comes when somebody wakes it.
                self._order("step", role=predict.process)
            return True
        return False

    def _cannot(self, needs: str) -> None:
        """Say what the source cannot do."""
        app = self._app
        if needs == "command":
            english = "this is a recording: nothing in it can be commanded; `ipctui run` opens a laboratory"
            korean = "기록에는 명령할 수 없습니다. 실험실은 ipctui run 으로 엽니다"
        elif needs == "record":
            english = "only a running laboratory can be marked and recorded"
            korean = "표시와 기록은 돌고 있는 실험실에서만 됩니다"
        else:
            english, korean = "the past of this view is not kept", "이 화면의 과거는 남아 있지 않습니다"
        app.say(korean if app.korean else english, "warning")

    def _order(self, action: str, text: str = "", role: str | None = None) -> None:
        app = self._app
        role = app.view.selected if role is None else role
        try:
            app.give(order(app.actions_by_id[action], app.source.state, role, text))
        except NothingToDoError as error:
            app.say(str(error), "warning")

    def _said(self, text: str) -> str:
        return in_language(self._app.view.language, text)

    # The selected process.

    def select(self, role: str) -> None:
        """Select a process by its role."""
        if role in self._app.shown.processes:
            self._app.look(selected=role)

    def select_next(self, by: int) -> None:
        """Select the next process, or the one before."""
        roles = self._app.shown.roles
        if roles:
            selected = self._app.view.selected
            place = roles.index(selected) + by if selected in roles else 0
            self._app.look(selected=roles[place % len(roles)])

    def inject(self) -> None:
        """Ask for a text and let the selected process send it."""
        app, role = self._app, self._app.view.selected
        if role not in app.source.state.processes:
            app.say("no process is selected", "warning")
            return
        title = f"{role}에 넣을 글" if app.korean else f"A message for {role} to send"
        hint = "Enter 보내기 · Escape 그만두기" if app.korean else "Enter sends · Escape cancels"

        def typed(text: str | None) -> None:
            if text:
                self._last_text = text
                self._order("inject", text, role)

        app.push_screen(TextScreen(title, hint), typed)

    def inject_again(self) -> None:
        """Send the last text once more; ask for one when there is none yet."""
        if self._last_text:
            self._order("inject-again", self._last_text)
        else:
            self.inject()

    def close_end(self) -> None:
        """Close the selected process's descriptor; which one, when it has several."""
        app, role = self._app, self._app.view.selected
        process = app.source.state.processes.get(role)
        ends = open_ends(process) if process is not None else ()
        if not ends:
            app.say(f"{role or 'nobody'} has no end open", "warning")
        elif len(ends) == 1:
            self._order("close", str(ends[0].fd))
        else:
            title = f"{role}: 어느 끝을 닫을까요?" if app.korean else f"Which end shall {role} close?"

            def chosen(place: int | None) -> None:
                if place is not None:
                    self._order("close", str(ends[place].fd), role)

            app.push_screen(ChoiceScreen(title, [Choice(f"{row.fd} {row.end}", row.object) for row in ends]), chosen)

    # The laboratory.

    def next_variant(self) -> None:
        """Restart with the next variant."""
        names = [variant.name for variant in self._app.source.channel.variants]
        current = self._app.source.variant
        if len(names) < 2:
            self._app.say(f"{self._app.source.channel.name} has no other variant", "warning")
            return
        self._app.restart(names[(names.index(current) + 1) % len(names)] if current in names else names[0])

    def choose_variant(self) -> None:
        """Choose a variant from a list."""
        app = self._app
        variants = app.source.channel.variants
        names = [variant.name for variant in variants]

        def chosen(place: int | None) -> None:
            if place is not None:
                app.restart(names[place])

        current = names.index(app.source.variant) if app.source.variant in names else 0
        choices = [Choice(variant.name, self._said(variant.about)) for variant in variants]
        app.push_screen(ChoiceScreen(self._said(app.source.channel.title), choices, current), chosen)

    def menu(self) -> None:
        """Choose a mechanism, or one of its variants: on the opening screen, where the app began with it."""
        app = self._app
        if app.to_lobby():
            return
        choices: list[Choice] = []
        targets: list[tuple[str, str | None]] = []
        for name in app.catalogue.names():
            channel = app.catalogue.channel(name)
            refused = channel.unavailable() or ""
            choices.append(Choice(name, self._said(channel.about), refused))
            targets.append((name, None))
            for variant in channel.variants:
                why_not = lacking(channel, variant) or ""
                choices.append(Choice(variant.name, self._said(variant.about), why_not, indent=1))
                targets.append((name, variant.name))
        here = (app.source.channel.name, app.source.variant)

        def chosen(place: int | None) -> None:
            if place is not None:
                app.open_mechanism(*targets[place])

        title = "메커니즘" if app.korean else "Mechanisms"
        app.push_screen(ChoiceScreen(title, choices, targets.index(here) if here in targets else 0), chosen)

    def offered(self, key: str) -> None:
        """Do what the pane offers on a key: enlarge a part, or give a command."""
        app = self._app
        offer: Offer | None = app.offer(key)
        if offer is None:
            app.say("this pane has no switch" if key == "l" else f"this pane offers nothing on {key}", "warning")
        elif offer.zoom:
            self.zoom("" if app.view.zoom == offer.zoom else offer.zoom)
        elif offer.command is not None:
            text = offer.command(app.source.state, app.view)
            if text:
                app.give(text)
            else:
                app.say(f"{self._said(offer.name)}: nothing to do now", "warning")

    # The view.

    def zoom(self, part: str) -> None:
        """Enlarge a part of the pane, or with "" none."""
        self._app.look(zoom=part, scroll=0)

    def back(self) -> None:
        """Leave what is enlarged; failing that, drop the filter, leave the lecture, or go to the opening screen."""
        if self._app.view.zoom:
            self.zoom("")
        elif self._app.view.filter:
            self._app.close_filter(drop=True)
        elif self._app.lecture.on:
            self._app.lecture.leave()
        else:
            self._app.to_lobby()

    @property
    def page(self) -> int:
        """Lines that a page turns."""
        return max(1, self._app.size.height - 6)

    def scroll(self, lines: int) -> None:
        """Scroll the enlarged part, upwards when positive, as far as it goes."""
        app, view = self._app, self._app.view
        if not view.zoom:
            return
        wanted = view.scroll + lines
        if view.zoom not in _BOTH_WAYS:
            wanted = max(0, wanted)
        wanted = max(-_FARTHEST, min(wanted, _FARTHEST))
        # A pane stops at its ends by itself; standing farther out, the way back would seem dead.
        there = app.drawn(replace(view, scroll=wanted)).rows
        nearest, step = wanted, -1 if wanted > view.scroll else 1
        while nearest != view.scroll and app.drawn(replace(view, scroll=nearest + step)).rows == there:
            nearest += step
        if nearest != view.scroll:
            app.look(scroll=nearest)

    def page_down(self) -> None:
        """Scroll the enlarged part by a page; with none, go on: a presenter's remote control sends this key."""
        if self._app.view.zoom or not self._app.teaching.go_on():
            self.scroll(-self.page)

    def go_on(self) -> None:
        """Go on after a stop of the lecture's file."""
        app = self._app
        if not app.teaching.go_on():
            app.say("멈춘 강의 파일이 없습니다" if app.korean else "no lecture's file waits at a stop", "information")

    def listing(self) -> None:
        """Show the program in the other language."""
        self._app.look(listing="python" if self._app.view.listing == "c" else "c")

    def next_theme(self) -> None:
        """Take the next theme."""
        names = list(self._app.themes)
        place = names.index(self._app.theme) + 1 if self._app.theme in names else 0
        self._app.take_theme(names[place % len(names)])

    def save(self) -> None:
        """Save the screen as a picture."""
        app = self._app
        parts = (app.source.channel.name, app.source.variant, datetime.now().strftime("%Y%m%d-%H%M%S"))
        name = "-".join(["ipctui", *(re.sub(r"[^\w.-]+", "_", part) for part in parts)]) + ".svg"
        try:
            path = Path.cwd() / name
            write_picture(app.export_screenshot(), path)
        except (PictureError, OSError) as error:
            app.say(str(error), "error")
        else:
            app.say(str(path), "information")

    # The program.

    def help(self) -> None:
        """Show the help of this pane."""
        app = self._app
        lesson = app.pane.lesson(app.view.language)
        app.push_screen(
            HelpScreen(self._said(app.source.channel.title), app.actions, app.pane.offers, lesson, app.view.language),
        )

    def palette(self) -> None:
        """Open the palette."""
        if not isinstance(self._app.screen, CommandPalette):
            self._app.push_screen(CommandPalette(id="--command-palette"))
