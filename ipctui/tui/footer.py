"""The whole screen of a pane as one frame: the pane above, the footer's keys below, or why neither fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.tui.actions import ACTIONS, Action, by_id
from ipctui.tui.orders import other_side
from ipctui.widgets.canvas import Canvas, Frame, Hit, Line
from ipctui.widgets.language import in_language
from ipctui.widgets.timebar import draw_timebar
from ipctui.widgets.view import Pane, View

SMALLEST = (80, 24)
"""Columns and rows that every pane is made to fit."""
_DAMAGED = "what the mechanism remembered is damaged in this recording; it was left out"


def screen_frame(
    state: LabState,
    pane: Pane,
    view: View,
    width: int,
    height: int,
    actions: Sequence[Action] = ACTIONS,
    can: frozenset[str] = frozenset({"command"}),
    band: Sequence[Line] = (),
    over: Sequence[Line] = (),
) -> Frame:
    """A pane with its footer, `width` by `height` cells; a sentence instead where that is too small.

    A lecture has no footer. `band` is what is told between the two, `over` what is laid over the pane's last rows.
    """
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return too_small(view, width, height)
    foot = Frame(width, 0, ()) if view.lecture else footer(state, pane, view, width, actions, can)
    if view.moment is not None:
        bar = Canvas(width, 1, view.ascii)
        draw_timebar(bar, view, 0)
        foot = _under(bar.frame(), foot)
    foot = _under(_lines(band, view, width), foot)
    frame = pane.draw(state, view, width, height - len(foot.rows))
    if over:
        frame = _under(_above(frame, len(frame.rows) - len(over)), _lines(over, view, width))
    return _under(frame, foot)


def _lines(lines: Sequence[Line], view: View, width: int) -> Frame:
    canvas = Canvas(width, len(lines), view.ascii)
    canvas.lines(0, 0, lines, width, len(lines))
    return canvas.frame()


def _above(frame: Frame, rows: int) -> Frame:
    """The upper rows of a frame; what can be clicked ends there."""
    hits = tuple(
        Hit(hit.x, hit.y, hit.width, min(hit.height, rows - hit.y), hit.action) for hit in frame.hits if hit.y < rows
    )
    return Frame(frame.width, rows, frame.rows[:rows], hits)


def _under(upper: Frame, lower: Frame) -> Frame:
    """Two frames of one width as one."""
    down = len(upper.rows)
    hits = tuple(Hit(hit.x, hit.y + down, hit.width, hit.height, hit.action) for hit in lower.hits)
    return Frame(upper.width, down + len(lower.rows), (*upper.rows, *lower.rows), (*upper.hits, *hits))


def damaged_frame(
    state: LabState,
    pane: Pane,
    view: View,
    width: int,
    height: int,
    actions: Sequence[Action] = ACTIONS,
    can: frozenset[str] = frozenset({"command"}),
) -> Frame:
    """A moment of a damaged recording that its pane cannot draw: without what the mechanism remembers, and told so.

    Where not even that can be drawn, a sentence stands in the picture's place.
    """
    said = "이 기록에서 메커니즘이 기억하던 것이 손상되어 뺐다" if view.language == "ko" else _DAMAGED
    try:
        band: list[Line] = [[(f" {said}", "warning")]]
        return screen_frame(replace(state, facts={}), pane, view, width, height, actions, can, band)
    except Exception:
        return undrawable(view, width, height)


def undrawable(view: View, width: int, height: int) -> Frame:
    """What is shown of a moment of a damaged recording that no pane can draw."""
    sentence = "the recording is damaged: this moment cannot be drawn, others may be"
    if view.language == "ko":
        sentence = "기록이 손상되어 이 순간은 그릴 수 없다. 다른 순간은 그려질 수 있다"
    canvas = Canvas(max(width, 0), max(height, 0), view.ascii)
    canvas.put(1, height // 2, sentence, "warning")
    if view.moment is not None:
        draw_timebar(canvas, view, height - 1)
    return canvas.frame()


def too_small(view: View, width: int, height: int) -> Frame:
    """What a terminal shows that is smaller than a pane."""
    needed, own = "{}x{}".format(*SMALLEST), f"{width}x{height}"
    sentence = f"ipctui needs {needed}; this terminal is {own}"
    if view.language == "ko" and not view.ascii:
        sentence = f"ipctui는 {needed}이 필요합니다. 이 터미널은 {own}입니다"
    canvas = Canvas(max(width, 0), max(height, 0), view.ascii)
    canvas.put(max(0, (width - cell_len(sentence)) // 2), height // 2, sentence)
    return canvas.frame()


def footer(
    state: LabState, pane: Pane, view: View, width: int, actions: Sequence[Action], can: frozenset[str]
) -> Frame:
    """One row with the keys that matter now, the most important first; help is always among them."""
    return _footer(tuple(_items(state, pane, view, by_id(actions), can)), width, view.ascii)


@lru_cache(64)
def _footer(items: Sequence[_Item], width: int, ascii: bool) -> Frame:
    canvas = Canvas(width, 1, ascii)
    canvas.fill(0, 0, width, "bar")
    room = width - 1 - sum(item.width for item in items if item.id == "help")
    x = 1
    for item in items:
        if item.id != "help":
            if item.width > room:
                continue
            room -= item.width
        end = canvas.put(x, 0, item.key, "key" if item.matters else "dim")
        end = canvas.put(end + 1, 0, item.name, "key.text" if item.matters else "dim")
        canvas.hit(x, 0, end - x, 1, item.id)
        x = end + 2
    return canvas.frame()


def hit_at(frame: Frame, x: int, y: int) -> Hit | None:
    """What can be clicked at a cell; of parts that lie over each other the one drawn last."""
    for hit in reversed(frame.hits):
        if hit.x <= x < hit.x + hit.width and hit.y <= y < hit.y + hit.height:
            return hit
    return None


@dataclass(frozen=True, slots=True)
class _Item:
    id: str
    key: str
    name: str
    matters: bool = True

    @property
    def width(self) -> int:
        return cell_len(self.key) + 1 + cell_len(self.name) + 2


def _items(
    state: LabState, pane: Pane, view: View, actions: Mapping[str, Action], can: frozenset[str]
) -> Iterator[_Item]:
    """The footer's keys in the order of importance."""
    process = state.processes.get(view.selected)
    asleep = process is not None and process.state is not None and process.state.state == "blocked"
    if view.paused:
        # What is paused looks broken to who did not press the key: the way out stands first.
        yield _item(actions["pause"], view, other=True)
    if view.zoom or view.filter:
        yield _item(actions["back"], view)
    if view.replay and not view.paused:
        yield _item(actions["pause"], view)
    if view.moment is not None:
        for id in ("earlier", "later", "call-back", "call-on", "blocked-on", "end", "go-to"):
            yield _item(actions[id], view)
    if "command" in can:
        for id in ("hold", "step", "inject", "mode"):
            yield _item(actions[id], view, other_side(id, process))
        # It keeps its place while nobody sleeps: a footer that jumps with every block cannot be read.
        unblock = _item(actions["unblock"], view)
        yield _Item(unblock.id, unblock.key, unblock.name, asleep)
    if not view.paused and not view.replay:
        yield _item(actions["pause"], view)
    if "command" in can:
        yield _item(actions["variant"], view)
    for offer in pane.offers:
        action = actions.get(f"offer-{offer.key}")
        if action is not None:
            yield _Item(action.id, action.shown, in_language(view.language, offer.name))
    for id in ("menu", "help", "quit"):
        if id != "menu" or "command" in can:
            yield _item(actions[id], view)


def _item(action: Action, view: View, other: bool = False) -> _Item:
    return _Item(action.id, action.shown, action.label(view.language, other))
