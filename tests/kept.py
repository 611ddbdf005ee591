"""A recording of every mechanism: those in `recordings/`, and the menu's own where there is none yet."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ipctui.mechanisms import catalogue
from tests import recorded
from tests.recorded import MADE


def of_every_mechanism() -> dict[str, list[Path]]:
    """The recordings of each mechanism, one at least, in the order of the menu."""
    kept: dict[str, list[Path]] = {name: [] for name in catalogue.NAMES}
    for name, made in MADE.items():
        if recorded.path(name).exists():
            kept[made.mechanism].append(recorded.path(name))
    for name, paths in kept.items():
        tile = Path(str(files("ipctui"))) / "tiles" / f"{name}.jsonl.gz"
        if tile.exists():
            paths.append(tile)
    return {name: paths for name, paths in kept.items() if paths}


EVERY = of_every_mechanism()
ALL = {f"{name}-{path.name.partition('.')[0]}": path for name, paths in EVERY.items() for path in paths}
"""Every recording that there is, by its mechanism's name and its own."""
