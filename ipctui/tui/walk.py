"""Walking through time: a live view paused and taken back, a recording played, stepped and searched."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ipctui.lab.recorder import RecorderError
from ipctui.lab.state import LabState
from ipctui.lab.timeline import Cursor
from ipctui.trace.text import clock_face
from ipctui.tui.screens import TextScreen
from ipctui.tui.source import past, recordable, replay
from ipctui.widgets.view import Moment

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp

_SECOND = 1_000_000_000
_TENTH = 100_000_000
_TIME = re.compile(r"([-+]?)(?:(\d{1,6}):)?(\d{1,9}(?:\.\d{1,9})?)")

_NOUNS = {
    "call": "call",
    "message": "message",
    "record": "record",
    "blocked": "process that becomes blocked",
    "mark": "mark",
}


def moment_of(text: str, t: int, end: int) -> int:
    """A time that was typed, in nanoseconds: `12.4`, `1:05`, `-3` before the end, `+2` from here on.

    Raises:
        ValueError: it is no time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()[:40]!r} is no time: write 12.4, 1:05, +2 from here, or -3 before the end")
    sign, minutes, seconds = found.groups()
    length = int((int(minutes or 0) * 60 + float(seconds)) * _SECOND)
    return {"": length, "+": t + length, "-": end - length}[sign]


class Walk:
    """Where in time an app looks.

    A live view that is paused stands still: how far back it is was measured when a key was pressed last.
    """

    def __init__(self, app: IpctuiApp) -> None:
        self._app = app
        self._cursor: Cursor | None = None
        self._frozen: LabState | None = None
        self._moment: Moment | None = None
        self.deeds: dict[str, Callable[[], None]] = {
            "pause": self.pause,
            "earlier": lambda: self.by(-_SECOND),
            "later": lambda: self.by(_SECOND),
            "earlier-far": lambda: self.by(-10 * _SECOND),
            "later-far": lambda: self.by(10 * _SECOND),
            "start": self.start,
            "end": self.end,
            "go-to": self.go_to,
            "mark": self.mark,
            "record": self.record,
        }
        for what in _NOUNS:
            self.deeds[f"{what}-back"] = partial(self.step, what, -1)
            self.deeds[f"{what}-on"] = partial(self.step, what, 1)

    # What is looked at.

    @property
    def cursor(self) -> Cursor | None:
        """The place looked at; None for now."""
        player = replay(self._app.source)
        return player.cursor() if player is not None else self._cursor

    @property
    def state(self) -> LabState | None:
        """The state looked at; None for the latest."""
        cursor = self.cursor
        return cursor.state if cursor is not None else self._frozen

    @property
    def paused(self) -> bool:
        """Whether the picture stands still."""
        player = replay(self._app.source)
        if player is not None:
            return not player.playing
        return self._cursor is not None or self._frozen is not None

    @property
    def moment(self) -> Moment | None:
        """The moment looked at; None for now."""
        return self._replayed() if replay(self._app.source) is not None else self._moment

    def _replayed(self) -> Moment:
        player = replay(self._app.source)
        assert player is not None
        timeline, t, share = player.timeline, player.cursor().t, player.share
        if share < 1:
            share = max(round(share, 2), 0.01)
        if player.playing:
            # As often as the clock in the header shows another time, and no oftener.
            t = -(-t // _TENTH) * _TENTH
        known, end, count = self._moment, timeline.end, len(timeline.marks)
        if known is not None and (known.end, known.share, len(known.marks)) == (end, share, count):
            marks, blocked = known.marks, known.blocked
        else:
            marks, blocked = tuple(mark.t for mark in timeline.marks), timeline.blocked()
        self._moment = Moment(t, timeline.begin, end, marks, blocked, player.playing, player.speed, share)
        return self._moment

    def forget(self) -> None:
        """Look at now again."""
        self._cursor = self._frozen = self._moment = None

    def _look(self) -> None:
        """Draw the moment where the cursor stands now."""
        app = self._app
        source = past(app.source)
        if source is not None and self._cursor is not None:
            timeline = source.timeline
            # One copy of its own: the timeline goes on while the picture stands still.
            end = max(app.source.now(), timeline.end)
            full = bool(getattr(timeline, "full", False))
            marks = tuple(mark.t for mark in timeline.marks)
            self._moment = Moment(self._cursor.t, timeline.begin, end, marks, timeline.blocked(), full=full)
        app.jumped()

    def _stand(self) -> Cursor | None:
        """The cursor, for a key that moves it; a live view is paused for that, a playing one too."""
        source = past(self._app.source)
        if source is None:
            return None
        player = replay(source)
        if player is not None:
            if player.playing:
                player.play(False)
            return player.cursor()
        if self._cursor is None:
            self._cursor = source.cursor()
        return self._cursor

    # What the person does.

    def pause(self) -> None:
        """Pause or go on."""
        app = self._app
        player = replay(app.source)
        if player is not None:
            player.play(not player.playing)
            app.jumped()
        elif self.paused:
            self.forget()
            app.jumped()
        elif past(app.source) is None:
            self._frozen = app.source.state
            app.jumped()
        else:
            self._stand()
            self._look()

    def by(self, nanoseconds: int) -> None:
        """Go back or forward by a time."""
        cursor = self._stand()
        if cursor is None:
            return
        before = cursor.t
        cursor.seek(before + nanoseconds)
        if cursor.t == before:
            self._nothing_more(nanoseconds)
        self._look()

    def _nothing_more(self, by: int) -> None:
        self._app.say("this is the latest moment" if by > 0 else "this is as far back as it goes", "information")

    def to(self, t: int) -> None:
        """Go to a moment."""
        cursor = self._stand()
        if cursor is not None:
            cursor.seek(t)
            self._look()

    def at(self, position: int) -> None:
        """Go to a position of the stream."""
        cursor = self._stand()
        if cursor is not None:
            cursor.go(position)
            self._look()

    def step(self, what: str, by: int) -> None:
        """Go to the next stop of a sort, or the previous one."""
        cursor = self._stand()
        if cursor is None:
            return
        if not cursor.step(what, by):
            noun = _NOUNS[what]
            where = f"no {noun} after this moment" if by > 0 else f"no {noun} before this moment"
            self._app.say(where, "information")
        elif what == "mark":
            self._name_mark(cursor)
        self._look()

    def _name_mark(self, cursor: Cursor) -> None:
        mark = next((mark for mark in cursor.timeline.marks if mark.position == cursor.position), None)
        text = (mark.ko if self._app.korean and mark.ko else mark.text) if mark is not None else ""
        if text:
            self._app.say(text, "information")

    def start(self) -> None:
        """Go as far back as it goes."""
        cursor = self._stand()
        if cursor is not None:
            cursor.home()
            self._look()

    def end(self) -> None:
        """Go back to now, or to a recording's end."""
        app = self._app
        player = replay(app.source)
        if player is None:
            self.forget()
            app.jumped()
            return
        player.play(False)
        player.cursor().end()
        app.jumped()

    def go_to(self) -> None:
        """Ask for a time and go there."""
        app = self._app
        title = "어느 순간으로 갈까요?" if app.korean else "Go to which time?"
        hint = "12.4 · 1:05 · +2 · -3   Enter · Escape"

        def typed(text: str | None) -> None:
            cursor = self._stand() if text else None
            if cursor is None or text is None:
                return
            try:
                self.to(moment_of(text, cursor.t, cursor.timeline.end))
            except ValueError as error:
                app.say(str(error), "warning")
                self._look()

        app.push_screen(TextScreen(title, hint), typed)

    # Marks and recordings.

    def mark(self) -> None:
        """Mark this moment of the laboratory."""
        app = self._app
        source = recordable(app.source)
        if source is not None:
            source.mark()
            app.say(f"{'표시' if app.korean else 'marked'} {clock_face(source.now())}", "information")

    def record(self) -> None:
        """Begin to record, or end it."""
        app = self._app
        source = recordable(app.source)
        if source is None:
            return
        if source.recording:
            ended = source.stop_recording()
            app.say(f"{'기록함' if app.korean else 'recorded'}: {ended}", "information")
            return
        parts = (app.source.channel.name, app.source.variant, datetime.now().strftime("%Y%m%d-%H%M%S"))
        name = "-".join(["ipctui", *(re.sub(r"[^\w.-]+", "_", part) for part in parts)]) + ".jsonl.gz"
        try:
            path = Path.cwd() / name
            source.record(path)
        except (RecorderError, OSError) as error:
            app.say(str(error), "error")
        else:
            app.say(f"기록 중: {path} (R 끝내기)" if app.korean else f"recording to {path} (R ends it)", "information")
