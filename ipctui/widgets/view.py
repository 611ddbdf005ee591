"""What the person at the keyboard looks at: selection, pause, language, the part enlarged. Panes draw from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ipctui.lab.state import LabState
from ipctui.widgets.canvas import Frame


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that is looked at instead of now: of a running laboratory's past, or of a recording.

    Times are nanoseconds since the clock's zero.

    Attributes:
        t: The moment.
        begin: How far back it can be gone; `end` is how far forward: now, or a recording's end.
        marks: When the user set a mark.
        blocked: When somebody was blocked for long, as (begin, end).
        playing: Whether time goes on by itself, `speed` times as fast as it did.
        share: How much of the recording is known yet, from 0 to 1.
        full: The past is shorter than it might be, since it takes all the memory that it may.
    """

    t: int
    begin: int
    end: int
    marks: tuple[int, ...] = ()
    blocked: tuple[tuple[int, int], ...] = ()
    playing: bool = False
    speed: float = 1.0
    share: float = 1.0
    full: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The person's view of a state.

    Attributes:
        selected: The process that keys act on.
        paused: The view stands still; the workers run on.
        listing: "python" for the code that runs, "c" for the textbook's.
        zoom: The part of the pane that has all the room, or "" for all parts.
        filter: Calls whose text does not contain this are left out.
        scroll: Lines that the enlarged part is scrolled up (calls: towards older ones).
        window: Nanoseconds that the lanes span.
        now: The time drawn as "now", nanoseconds since the clock's zero; running durations are counted to it.
        replay: What is seen is a recording, and not alive.
        moment: Where in time it is looked; None for now.
        recording: What happens is being recorded.
        lecture: The pane is drawn for a room: large, and with the last keys pressed (`keys`) by name.
    """

    selected: str = ""
    paused: bool = False
    ascii: bool = False
    language: str = "en"
    listing: str = "python"
    zoom: str = ""
    filter: str = ""
    scroll: int = 0
    window: int = 8_000_000_000
    now: int = 0
    replay: bool = False
    moment: Moment | None = None
    recording: bool = False
    lecture: bool = False
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a pane offers on a number key: a part to enlarge (`zoom`), or a command for the laboratory.

    Attributes:
        command: Made from the state when the key is pressed; "" when there is nothing to do.
    """

    key: str
    name: str
    about: str
    zoom: str = ""
    command: Callable[[LabState, View], str] | None = None


@dataclass(frozen=True, slots=True)
class Pane:
    """How a mechanism is drawn, and what it offers besides the keys that every pane has."""

    draw: Callable[[LabState, View, int, int], Frame]
    offers: tuple[Offer, ...]
    lesson: Callable[[str], str]
