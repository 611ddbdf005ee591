"""Parameters of a mechanism: their ranges, where these come from, and what is said of a value that does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class UsageError(Exception):
    """What the user asked for cannot be; the message is one line with what to do instead."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a mechanism.

    Attributes:
        default: A number, or one of `choices`.
        low: Smallest number allowed; `high` the largest.
        origin: Where the range comes from, in words.
        unit: What the number counts.
        text: For a text of the user's own: says what is wrong with it, or "" when nothing is; `allowed` says what
            may be written, in `origin`.
    """

    name: str
    default: int | float | str
    about: str
    low: float = 0
    high: float = 0
    unit: str = ""
    origin: str = ""
    choices: tuple[str, ...] = ()
    text: Callable[[str], str] | None = None

    def parse(self, text: str) -> int | float | str:
        """The value that `text` names.

        Raises:
            UsageError: it names none, with the range and its origin.
        """
        if self.choices:
            if text not in self.choices:
                raise UsageError(f"{self.name}={printable(text)}: {unknown('value', text, self.choices)}")
            return text
        if self.text is not None:
            wrong = self.text(text)
            if wrong:
                raise UsageError(f"{self.name}={printable(text)}: {wrong}")
            return text
        value = number(text, whole=isinstance(self.default, int))
        if value is None or not self.low <= value <= self.high:
            raise UsageError(f"{self.name}={printable(text)}: {self.allowed()}")
        return value

    def allowed(self) -> str:
        """The range in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.text is not None:
            return self.origin
        unit = f" {self.unit}" if self.unit else ""
        origin = f" ({self.origin})" if self.origin else ""
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.low:,g} to {self.high:,.0f}{unit}{origin}"


BEGINNING = Parameter(
    "start",
    "running",
    "whether the workers begin held, before their first call",
    choices=("running", "held"),
)
"""What every mechanism has: a session may begin with everybody at the gate."""


def number(text: str, whole: bool) -> int | float | None:
    """A number as people write it (`64`, `64k`, `1_000`, `4,096`), or None."""
    plain = text.strip().replace(",", "").replace("_", "").lower()
    factor = 1
    if plain.endswith(("k", "m")):
        factor = 1024 if plain[-1] == "k" else 1024 * 1024
        plain = plain[:-1]
    if len(plain) > 20:
        return None
    try:
        value = float(plain) if not whole else int(plain)
    except ValueError:
        return None
    return value * factor if value == value else None


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """One line: there is no such thing, the nearest right name, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    shown = printable(name)
    if near:
        return f"there is no {what} {shown!r}; did you mean {near[0]!r}?"
    return f"there is no {what} {shown!r}; there is {', '.join(names)}"


def printable(text: str, most: int = 40) -> str:
    """The user's own words, fit to be printed back: no control characters, and cut."""
    clean = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def settle(parameters: Sequence[Parameter], overrides: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """All parameters' values: defaults, then a variant's own, then the user's `KEY=VALUE` texts.

    Raises:
        UsageError: an unknown key, a value out of range, or a text without "=".
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {parameter.name: parameter.default for parameter in parameters}
    values.update(overrides)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {printable(setting)}: write KEY=VALUE, for example {parameters[0].name}=10")
        if key not in by_name:
            raise UsageError(f"--set {printable(setting)}: {unknown('parameter', key, by_name)}")
        values[key] = by_name[key].parse(text)
    return values
