"""`ipctui run FILE.toml`: a lecture's file found, read, and what becomes of it without a screen."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ipctui.cli import complain
from ipctui.cli.session import Choice
from ipctui.lab.channel import lacking
from ipctui.lab.lecture import Lecture
from ipctui.lab.parameters import UsageError, unknown
from ipctui.lab.scenario import Scenario, load_scenario
from ipctui.mechanisms import catalogue

FOLDER = Path(__file__).parent.parent / "scenarios"
"""The lectures that come with the program."""


def shipped() -> Sequence[Path]:
    """The lectures that come with the program, in the order of the mechanisms."""
    order = {name: place for place, name in enumerate(catalogue.NAMES)}
    return sorted(FOLDER.glob("*.toml"), key=lambda path: (order.get(path.stem.partition("-")[0], 99), path.name))


def is_scenario(name: str) -> bool:
    """Whether what is to be run is a file and no mechanism."""
    return name not in catalogue.NAMES and (name.endswith(".toml") or "/" in name or _is_there(Path(name)))


def scenario_of(options: Namespace) -> tuple[Scenario, Choice]:
    """The lecture that the options name, and the laboratory that it needs.

    A name without a folder is looked for in the current one, then among those that come with the program.

    Raises:
        UsageError: it cannot be played here.
    """
    path = Path(options.mechanism)
    if options.variant is not None:
        raise UsageError("--variant: a scenario names its variant itself")
    if not _is_there(path) and path.name == options.mechanism:
        path = FOLDER / path.name
        if not _is_there(path):
            names = [each.name for each in shipped()]
            raise UsageError(f"no file of this name here, and {unknown('scenario', path.name, names)}")
    scenario = load_scenario(path, catalogue.channel, options.settings)
    why = lacking(scenario.channel, scenario.variant)
    if why is not None:
        raise UsageError(f"{scenario.name}: {scenario.channel.name} does not run here: {why}")
    return scenario, Choice(scenario.channel, scenario.variant, scenario.values)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # A name too long, or with a NUL in it, is nobody's.
        return False


def status_of(lecture: Lecture | None) -> int:
    """The exit status after a lecture without a screen, each expectation that did not come true said on stderr."""
    failed = lecture.failed if lecture is not None else []
    for line in failed:
        complain(line)
    return 1 if failed else 0
