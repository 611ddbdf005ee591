"""The parts of README.md that are made from the program: its mechanisms, its keys, its pictures.

`make screenshots` writes them anew between their markers, `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from ipctui.mechanisms import catalogue
from ipctui.tui.actions import ACTIONS, GROUPS
from tests.pictures import PICTURES

README = Path(__file__).parent.parent / "README.md"
_OWN = ("6", "7", "8", "9", "l")
"""The keys on which every mechanism has something of its own."""


def mechanisms() -> Iterator[str]:
    """A row for every mechanism: its variants, and what it is."""
    yield from ("| mechanism | variants | what it is |", "|---|---|---|")
    for name in catalogue.NAMES:
        channel = catalogue.channel(name)
        variants = ", ".join(f"`{variant.name}`" for variant in channel.variants)
        yield f"| `{name}` | {variants} | {channel.title}: {channel.about} |"


def keys() -> Iterator[str]:
    """A row for every action, in the order of the help; then what the mechanisms offer on keys of their own."""
    yield from ("| key | does |", "|---|---|")
    common = {offer.key: f"{offer.name}: {offer.about}" for offer in catalogue.pane("pipe").offers if offer.zoom}
    for group, titles in GROUPS.items():
        yield f"| | **{titles['en']}** |"
        for action in ACTIONS:
            if action.group == group:
                yield f"| `{action.shown}` | {common.get(action.shown, action.sentence('en'))} |"
    yield from ("", "What the mechanisms have of their own:", "")
    yield from (f"| | {' | '.join(f'`{key}`' for key in _OWN)} |", "|---|" + "---|" * len(_OWN))
    for name in catalogue.NAMES:
        own = {offer.key: f"{offer.name}: {offer.about}" for offer in catalogue.pane(name).offers if offer.key in _OWN}
        yield f"| `{name}` | {' | '.join(own.get(key, '–') for key in _OWN)} |"


def gallery() -> Iterator[str]:
    """Every picture under its mechanism, with its variant and what is to be seen over it."""
    for mechanism, pictures in groupby(PICTURES, lambda picture: picture.mechanism):
        yield from (f"### {mechanism}", "")
        for picture in pictures:
            said = f"{picture.variant}: {picture.caption}"
            yield from (f"**{picture.variant}** · {picture.caption}", "", f"![{said}](screenshots/{picture.file})", "")


MADE: dict[str, Callable[[], Iterator[str]]] = {"mechanisms": mechanisms, "keys": keys, "gallery": gallery}
"""What makes each part."""


def written(text: str) -> str:
    """A README with its parts made anew.

    Raises:
        ValueError: a part's markers are missing.
    """
    for name, lines in MADE.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise ValueError(f"README.md: write {begin.strip()} and {end} where the {name} belong")
        text = before + begin + "\n".join(lines()).rstrip("\n") + "\n" + end + after
    return text


def main() -> None:
    """Write README.md anew."""
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
