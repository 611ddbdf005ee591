"""The roles that panes draw in: the closed list between what is drawn and how a theme colours it."""

from collections.abc import Mapping
from types import MappingProxyType

from rich.style import Style

__all__ = ["ATTRIBUTES", "DECORATION", "ON_BAR", "ROLES", "TOLD_APART", "UNCOLOURED", "laid_over", "no_color"]

ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse")
"""What a style may have besides its colours."""

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "text": "Ordinary words of a pane.",
        "dim": "Words of less weight: units, labels, what has not changed.",
        "title": "The name of a box or of the mechanism.",
        "frame": "The frame of a box.",
        "frame.selected": "The frame of the selected process.",
        "running": "A process at work: glyph, word and lane.",
        "paced": "A process waiting for its turn at the rate that was set.",
        "blocked": "A process that the kernel put to sleep.",
        "held": "A process that the user holds at the gate.",
        "stopped": "A process under SIGSTOP.",
        "ended": "A process that has exited.",
        "empty": "A call that came back empty-handed (EAGAIN).",
        "unknown": "A state that the kernel does not let us read.",
        "error": "A call that failed, and what went wrong.",
        "warning": "What deserves a second look.",
        "message": "The bytes and the id of a message.",
        "foreign": "Bytes that no message id fits.",
        "fresh": "The bytes written last.",
        "fill": "The full part of a gauge.",
        "fill.empty": "The empty part of a gauge.",
        "code": "A line of the program.",
        "code.current": "The line about to run.",
        "code.dim": "A listing that is marked as not running.",
        "link": "A message on its way between two lanes.",
        "axis": "The time axis under the lanes.",
        "caption": "The sentence at the bottom.",
        "key": "The name of a key in the footer.",
        "key.text": "What a key in the footer does.",
        "live": "The word LIVE.",
        "paused": "The word PAUSED, loud.",
        "selected": "The name of the selected process.",
        "number": "A measured figure.",
        "bar": "The header and the footer, where nothing else is drawn.",
    }
)
"""Role to one sentence what it is for, in the order of the documentation."""

DECORATION = frozenset({"frame", "frame.selected", "fill.empty", "axis"})
"""Roles that carry no words: exempt from the contrast of text, at least 2:1 all the same."""

TOLD_APART = ("running", "paced", "blocked", "held", "stopped")
"""The states of a living process: no two share a colour in the shipped themes."""

ON_BAR = frozenset({"text", "dim", "title", "error", "warning", "number", "key", "key.text", "live", "bar"})
"""Roles that may be laid over the bar's background and stay legible there (`laid_over`)."""

UNCOLOURED: Mapping[str, str] = MappingProxyType(
    {
        "title": "bold",
        "frame.selected": "bold",
        "running": "none",
        "paced": "dim",
        "blocked": "bold",
        "held": "underline",
        "stopped": "bold underline",
        "paused": "bold reverse",
        "selected": "reverse",
        "code.current": "bold",
        "foreign": "reverse",
        "fresh": "bold underline",
        "error": "bold",
        "key": "bold",
        "code.dim": "dim",
    }
)
"""Role to attributes under NO_COLOR, whatever the theme says: with colour gone, these must still differ."""


def no_color(styles: Mapping[str, Style]) -> dict[str, Style]:
    """Return the styles for NO_COLOR: no colour, the attributes kept, those of `UNCOLOURED` as it says.

    Neither colour is set, not even to the default: Textual's monochrome filter makes black of the default.
    """
    return {
        role: Style.parse(UNCOLOURED[role])
        if role in UNCOLOURED
        else Style(**{name: getattr(style, name) for name in ATTRIBUTES})
        for role, style in styles.items()
    }


def laid_over(styles: Mapping[str, Style], role: str, under: str = "bar") -> Style:
    """Return a role's style on another's background, for words on the bar; a block of its own stays one."""
    style, background = styles[role], styles[under].bgcolor
    if style.reverse or background is None or style.bgcolor != styles["text"].bgcolor:
        return style
    return style + Style(bgcolor=background)
