"""What a recording is made by: a mechanism, its variant, a script, and the moment at which it is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Made:
    """How a recording was made.

    Attributes:
        about: What it shows.
        arguments: What follows `ipctui run MECHANISM --headless`.
        moment: Seconds after the clock's zero at which it is best looked at.
        mechanism: What was run.
    """

    about: str
    arguments: tuple[str, ...]
    moment: float
    mechanism: str = "pipe"


def made(about: str, moment: float, variant: str, seconds: float, *more: str, mechanism: str = "pipe") -> Made:
    """A recording of so many seconds of a variant."""
    return Made(about, ("--variant", variant, "--for", f"{seconds:g}", *more), moment, mechanism)


def script(*commands: str) -> tuple[str, ...]:
    """The words that give commands, each as `T:COMMAND`."""
    return tuple(word for command in commands for word in ("--do", command))


def values(*settings: str) -> tuple[str, ...]:
    """The words that set parameters, each as `KEY=VALUE`."""
    return tuple(word for setting in settings for word in ("--set", setting))
