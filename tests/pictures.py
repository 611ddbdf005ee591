"""The pictures in `screenshots/`, drawn from the recordings: `make screenshots` writes them anew."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ipctui.cli.picture import rounded
from ipctui.export.picture import write_picture
from ipctui.mechanisms import catalogue
from ipctui.tui.snapshot import picture
from ipctui.tui.themes import find_themes
from ipctui.widgets.view import View
from tests import recorded
from tests.made import MADE, OTHERS

FOLDER = Path(__file__).parent.parent / "screenshots"


@dataclass(frozen=True)
class Picture:
    """A picture: of which recording, at its best moment, and how it is looked at; `look` says that in words."""

    file: str
    recording: str
    selected: str = ""
    size: tuple[int, int] = (120, 36)
    theme: str = "dark"
    language: str = "en"
    zoom: str = ""
    look: str = ""
    lecture: bool = False

    @property
    def mechanism(self) -> str:
        """What was recorded."""
        return MADE[self.recording].mechanism

    @property
    def variant(self) -> str:
        """The variant that was recorded."""
        arguments = MADE[self.recording].arguments
        return arguments[arguments.index("--variant") + 1]

    @property
    def caption(self) -> str:
        """What is to be seen, and how it is looked at."""
        return f"{MADE[self.recording].about}{f' ({self.look})' if self.look else ''}"


CROWDED = ("fifo-eight-writers", "mailbox-twelve", "direct-eight")
"""Recordings that are there for the tests of small screens."""
SELECTED = {"fifo-empty-reads": "reader", "fifo-nonblocking-open": "writer"}
"""Who is selected in a picture, where it is not the first process."""

PICTURES = (
    Picture("pipe-one-way.svg", "held", selected="child"),
    Picture("pipe-two-way.svg", "two-way"),
    Picture("pipe-forgotten-end.svg", "forgotten-end", selected="child"),
    Picture("pipe-deadlock.svg", "deadlock"),
    Picture("pipe-many-writers.svg", "torn"),
    Picture("pipe-packets.svg", "packets"),
    Picture("pipe-sigpipe.svg", "sigpipe"),
    Picture("pipe-contents.svg", "hostile", zoom="contents", look="enlarged, `2`"),
    Picture(
        "pipe-80x24-projector.svg", "held", selected="child", size=(80, 24), theme="projector", look="80x24, projector"
    ),
    Picture("pipe-korean.svg", "held", selected="child", language="ko", look="Korean"),
    Picture("pipe-lecture.svg", "twelve", size=(80, 24), theme="projector", look="lecture mode, `F5`", lecture=True),
    Picture(
        "pipe-lecture-korean.svg",
        "deadlock",
        theme="projector",
        language="ko",
        look="lecture mode, Korean",
        lecture=True,
    ),
    *(Picture(f"{name}.svg", name, selected=SELECTED.get(name, "")) for name in OTHERS if name not in CROWDED),
)
"""Every picture, in the order of the README."""


def drawn(wanted: Picture) -> str:
    """A picture as SVG."""
    themes, _ = find_themes(Path("/nonexistent"))
    made = MADE[wanted.recording]
    state = recorded.state_at(wanted.recording, made.moment)
    selected = wanted.selected or next(iter(state.processes), "")
    view = View(
        selected=selected,
        language=wanted.language,
        zoom=wanted.zoom,
        now=rounded(state.t),
        replay=wanted.lecture,
        lecture=wanted.lecture,
    )
    return picture(state, catalogue.pane(made.mechanism), view, wanted.size, themes[wanted.theme])


def main() -> int:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for wanted in PICTURES:
        write_picture(drawn(wanted), FOLDER / wanted.file)
        print(f"screenshots/{wanted.file}")
    for stale in {path.name for path in FOLDER.iterdir()} - {wanted.file for wanted in PICTURES}:
        (FOLDER / stale).unlink()
        print(f"screenshots/{stale} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
