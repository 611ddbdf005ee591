"""The rows of a ladder diagram, drawn: time, the processes' lines, and an arrow or a few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from ipctui.export.sorting import Row
from ipctui.export.strace import seconds
from ipctui.export.words import word
from ipctui.widgets.canvas import Canvas, cut
from ipctui.widgets.words import STATE_GLYPHS

_TIME = 12
_RUNNING = ("│", ":")
"""The line of a process at work, and in ASCII, where the bar stands for who is held."""


_NOBODY = ""
"""The state of a column whose process does not exist yet, or no more."""


class Rungs:
    """Draws rows, each `(time, [what, …])`.

    `state COLUMN STATE TEXT` changes how a process's line looks from there on, with words beside it if there are any;
    `arrow FROM TO TEXT` is a message; `note COLUMN TEXT` are words beside a line, `line TEXT` across all of them.

    Args:
        roles: The columns' names.
    """

    def __init__(self, roles: Sequence[str], width: int, language: str, ascii: bool) -> None:
        self._roles = roles
        self._width = width
        self._language = language
        self._ascii = ascii
        self._glyphs = {**STATE_GLYPHS, "running": _RUNNING[ascii], _NOBODY: " "}
        self._states = [_NOBODY] * len(roles)
        self._room = (width - _TIME) / max(1, len(roles))

    def legend(self) -> str:
        """What the processes' lines mean."""
        canvas = Canvas(self._width, 1, self._ascii)
        x = canvas.put(0, 0, "# ")
        for state, glyph in self._glyphs.items():
            if state not in ("exited", _NOBODY):
                x = canvas.put(x, 0, f"{glyph} {word(self._language, state)}  ")
        return canvas.frame().text()

    def heading(self) -> str:
        """The names of the processes above their lines, shortened where there is no room for them."""
        canvas = Canvas(self._width, 1, self._ascii)
        most = max(1, int(self._room) - 1)
        for column, role in enumerate(self._roles):
            name = role if cell_len(role) <= most else role[:1] + role.lstrip("abcdefghijklmnopqrstuvwxyz")
            name = cut(name, most)
            canvas.put(max(_TIME, self._x(column) - cell_len(name) // 2), 0, name)
        return canvas.frame().text()

    def lines(self, row: Row) -> Iterator[str]:
        """What a row looks like: a line of text, or none when only a process's line changes."""
        t, (what, *told) = row
        if what == "state":
            column, state, text = told
            self._states[column] = state
            if text:
                yield self._beside(t, column, text)
            if state == "exited":
                self._states[column] = _NOBODY
        elif what == "arrow":
            yield self._arrow(t, *told)
        elif what == "note":
            yield self._beside(t, *told)
        else:
            canvas = self._begun(t)
            canvas.put(_TIME, 0, told[0])
            yield canvas.frame().text()

    def _x(self, column: int) -> int:
        return _TIME + int((column + 0.5) * self._room)

    def _begun(self, t: int) -> Canvas:
        canvas = Canvas(self._width, 1, self._ascii)
        canvas.put(0, 0, f"{seconds(t):>10}")
        for column, state in enumerate(self._states):
            canvas.put(self._x(column), 0, self._glyphs.get(state, "?"))
        return canvas

    def _beside(self, t: int, column: int, text: str) -> str:
        canvas = self._begun(t)
        x = self._x(column)
        right, left = self._width - x - 2, x - 2 - _TIME
        if cell_len(text) <= right or right >= left:
            canvas.put(x + 2, 0, text, width=right)
        else:
            text = cut(text, left)
            canvas.put(x - 1 - cell_len(text), 0, text)
        return canvas.frame().text()

    def _arrow(self, t: int, sender: int, receiver: int, text: str) -> str:
        if sender == receiver:
            return self._beside(t, sender, f"↻ {text}")
        canvas = self._begun(t)
        begin, end = self._x(sender), self._x(receiver)
        first, last = min(begin, end) + 1, max(begin, end) - 1
        canvas.fill(first, 0, last - first + 1, "text", "─")
        canvas.put(last if end > begin else first, 0, "→" if end > begin else "←")
        label = f" {text} "
        room = last - first - 1
        if cell_len(label) <= room:
            canvas.put(first + (last - first + 1 - cell_len(label)) // 2, 0, label)
        elif self._width - last - 3 >= first - _TIME - 1:
            canvas.put(last + 3, 0, text, width=self._width - last - 3)
        else:
            text = cut(text, first - _TIME - 2)
            canvas.put(first - 2 - cell_len(text), 0, text)
        return canvas.frame().text()
