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

FOLDER = Path(__file__).parent.parent / "screenshots"


@dataclass(frozen=True)
class Picture:
    """A picture: of which recording, at its best moment, and how it is looked at."""

    file: str
    recording: str
    selected: str = "parent"
    size: tuple[int, int] = (120, 36)
    theme: str = "dark"
    language: str = "en"
    zoom: str = ""


PICTURES = (
    Picture("pipe-one-way.svg", "held", selected="child"),
    Picture("pipe-two-way.svg", "two-way"),
    Picture("pipe-forgotten-end.svg", "forgotten-end", selected="child"),
    Picture("pipe-deadlock.svg", "deadlock"),
    Picture("pipe-many-writers.svg", "torn"),
    Picture("pipe-packets.svg", "packets"),
    Picture("pipe-sigpipe.svg", "sigpipe"),
    Picture("pipe-contents.svg", "hostile", zoom="contents"),
    Picture("pipe-80x24-projector.svg", "held", selected="child", size=(80, 24), theme="projector"),
    Picture("pipe-korean.svg", "held", selected="child", language="ko"),
)
"""Every picture, in the order of the README."""


def drawn(wanted: Picture) -> str:
    """A picture as SVG."""
    themes, _ = find_themes(Path("/nonexistent"))
    state = recorded.state_at(wanted.recording, recorded.MADE[wanted.recording].moment)
    view = View(selected=wanted.selected, language=wanted.language, zoom=wanted.zoom, now=rounded(state.t))
    return picture(state, catalogue.pane("pipe"), view, wanted.size, themes[wanted.theme])


def main() -> int:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for wanted in PICTURES:
        write_picture(drawn(wanted), FOLDER / wanted.file)
        print(f"screenshots/{wanted.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
