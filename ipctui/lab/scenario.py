"""A scenario: a lecture as a TOML file, read and checked whole before any process is started."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ipctui.lab import commands
from ipctui.lab.channel import Channel, Plan, Variant
from ipctui.lab.expectation import Expectation, parse_expectation
from ipctui.lab.parameters import UsageError, printable, settle, unknown

LANGUAGES = ("en", "ko")
WITHIN = 30.0
"""Seconds that an expectation may take, unless the step says otherwise."""
_LARGEST = 262_144
_LONGEST = 86_400.0
_LONGEST_TEXT = 400
_TOP = ("mechanism", "variant", "title", "set", "step")
_STEP = ("at", "do", "expect", "within", "mark", "select", "caption", "stop")

Made = TypeVar("Made")
Place = tuple[str | int, ...]
"""The way to a key from the top of the file: `("step", 0, "do")`."""

Text = Mapping[str, str]
"""A sentence by language."""


class ScenarioError(UsageError):
    """A scenario that cannot be played; the message is one line with the file, the line and what to write."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: at its time it gives its commands, waits for what it expects, then says, marks, selects and stops.

    Attributes:
        line: Where it stands in the file.
        at: Seconds on the lecture's clock before which it does not begin; None for at once.
        within: Seconds that its expectations may take.
        stop: It waits for a key at its end.
    """

    line: int
    at: float | None = None
    do: tuple[str, ...] = ()
    expect: tuple[Expectation, ...] = ()
    within: float = WITHIN
    mark: Text | None = None
    select: str = ""
    caption: Text | None = None
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A lecture: what is run, and its steps.

    Attributes:
        name: The file's name, for messages.
        values: All parameters' values.
    """

    name: str
    channel: Channel
    variant: Variant
    values: dict[str, Any]
    title: Text
    steps: tuple[Step, ...]


def load_scenario(path: Path, find: Callable[[str], Channel], settings: Sequence[str] = ()) -> Scenario:
    """The scenario of a file.

    Args:
        find: A mechanism by its name; it raises UsageError when there is none.
        settings: The user's own `KEY=VALUE` texts, which win over the file's.

    Raises:
        ScenarioError: it cannot be read or played.
        UsageError: one of the settings cannot be.
    """
    name = printable(str(path), 120)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ScenarioError(f"{name}: a folder; a scenario is a file")
        if not stat.S_ISREG(status.st_mode):
            raise ScenarioError(f"{name}: not a regular file")
        if status.st_size > _LARGEST:
            raise ScenarioError(f"{name}: {status.st_size:,} bytes; a scenario has at most {_LARGEST:,}")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ScenarioError(f"{name}: no file of this name") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ScenarioError(f"{name}: cannot be read: {why}") from None
    return parse_scenario(raw, name, find, settings)


def parse_scenario(raw: bytes, name: str, find: Callable[[str], Channel], settings: Sequence[str] = ()) -> Scenario:
    """The scenario of a file's bytes; `name` is what messages call the file.

    Raises:
        ScenarioError: it is not TOML, or it says what cannot be played.
        UsageError: one of the settings cannot be.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{name}:{line}: not UTF-8 (byte {error.start + 1} of the file)") from None
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ScenarioError(f"{name}: not TOML: nested too deeply") from None
    except ValueError as error:
        raise _not_toml(name, text, str(error)) from None
    return _Reading(name, text, table).scenario(find, settings)


def _not_toml(name: str, text: str, why: str) -> ScenarioError:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", why)
    line = int(found[1]) if found is not None and found[1] else text.count("\n") + 1
    what = why[: found.start()] if found is not None else why
    return ScenarioError(f"{name}:{line}: not TOML: {printable(what, 120)}")


class _Reading:
    """One file on its way to a scenario."""

    def __init__(self, name: str, text: str, table: Mapping[str, Any]) -> None:
        self._name = name
        self._table = table
        self._lines = lines_of(text)

    def scenario(self, find: Callable[[str], Channel], settings: Sequence[str]) -> Scenario:
        table = self._table
        self._known(table, _TOP, ())
        if "mechanism" not in table:
            self._wrong((), 'it names no mechanism; write mechanism = "pipe"')
        channel = self._tried(("mechanism",), find, self._string(table["mechanism"], ("mechanism",)))
        variant = self._variant(channel)
        values = self._values(channel, variant, settings)
        plan = self._tried(("variant",), channel.plan, variant, values)
        title = self._text(table.get("title", ""), ("title",)) or {}
        steps = table.get("step", [])
        if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
            self._wrong(("step",) if "step" in table else (), "it has no steps; write [[step]] for each")
        read = tuple(self._step(step, ("step", place), channel, plan) for place, step in enumerate(steps))
        self._in_order(read)
        return Scenario(self._name, channel, variant, values, title, read)

    def _variant(self, channel: Channel) -> Variant:
        if "variant" not in self._table:
            return channel.variants[0]
        name = self._string(self._table["variant"], ("variant",))
        names = [variant.name for variant in channel.variants]
        if name not in names:
            self._wrong(("variant",), unknown(f"variant of {channel.name}", name, names))
        return channel.variants[names.index(name)]

    def _values(self, channel: Channel, variant: Variant, settings: Sequence[str]) -> dict[str, Any]:
        given = self._table.get("set", {})
        if not isinstance(given, dict):
            self._wrong(("set",), "parameters stand in a table; write [set]")
        values: dict[str, Any] = settle(channel.parameters(), variant.values, ())
        self._known(given, [parameter.name for parameter in channel.parameters()], ("set",), "parameter")
        for key, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                self._wrong(("set", key), f"{key} is a number or a word, not {_kind(value)}")
            values = self._tried(("set", key), settle, channel.parameters(), values, [f"{key}={value}"])
        self._tried(("set",), channel.check, variant, values)
        if settings:
            values = settle(channel.parameters(), values, settings)
            channel.check(variant, values)
        return values

    def _step(self, step: Mapping[str, Any], place: Place, channel: Channel, plan: Plan) -> Step:
        self._known(step, _STEP, place)
        processes = _names(plan)

        def of(key: str) -> Place:
            return (*place, key)

        do = self._strings(step.get("do", ()), of("do"))
        for text in do:
            self._command(text, of("do"), channel, processes)
        expected = tuple(
            self._tried(of("expect"), parse_expectation, text, processes, channel)
            for text in self._strings(step.get("expect", ()), of("expect"))
        )
        select = self._string(step.get("select", ""), of("select"))
        if select and not _is_process(select, processes):
            self._wrong(of("select"), unknown("process", select, processes))
        return Step(
            self._line(place),
            self._seconds(step["at"], of("at"), 0.0) if "at" in step else None,
            do,
            expected,
            self._seconds(step.get("within", WITHIN), of("within"), 0.1),
            self._text(step["mark"], of("mark")) if "mark" in step else None,
            select,
            self._text(step["caption"], of("caption")) if "caption" in step else None,
            self._truth(step.get("stop", False), of("stop")),
        )

    def _command(self, text: str, place: Place, channel: Channel, processes: Sequence[str]) -> None:
        self._tried(place, commands.check, text, channel.commands)
        name, *words = text.split()
        usage = commands.COMMANDS[name][0] if name in commands.COMMANDS and name not in channel.commands else ""
        if name == "set":
            self._tried(place, settle, channel.parameters(), {}, [f"{words[0]}={words[1]}"])
        elif " W" in usage and words and words[0] != "all" and not _is_process(words[0], processes):
            self._wrong(place, f"{printable(text)!r}: {unknown('process', words[0], [*processes, 'all'])}")

    def _in_order(self, steps: Iterable[Step]) -> None:
        latest = 0.0
        for place, step in enumerate(steps):
            if step.at is None:
                continue
            if step.at < latest:
                what = f"at = {step.at:g} comes before the {latest:g} of an earlier step; times only go forward"
                self._wrong(("step", place, "at"), what)
            latest = step.at

    # Values by type.

    def _string(self, value: object, place: Place) -> str:
        if not isinstance(value, str):
            self._wrong(place, f"{place[-1]} is a text in quotes, not {_kind(value)}")
        return value

    def _strings(self, value: object, place: Place) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            self._wrong(place, f"{place[-1]} is a text, or a list of texts, not {_kind(value)}")
        return tuple(value)

    def _seconds(self, value: object, place: Place, least: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LONGEST:
            self._wrong(place, f"{place[-1]} is a number of seconds from {least:g} to {_LONGEST:,.0f}")
        return float(value)

    def _truth(self, value: object, place: Place) -> bool:
        if not isinstance(value, bool):
            self._wrong(place, f"{place[-1]} is true or false, not {_kind(value)}")
        return value

    def _text(self, value: object, place: Place) -> Text | None:
        if isinstance(value, str):
            value = {"en": value} if value else {}
        if not isinstance(value, dict):
            self._wrong(place, f"{place[-1]} is a text, or one for each language: {{ en = …, ko = … }}")
        self._known(value, LANGUAGES, place, "language")
        for language, text in value.items():
            if not isinstance(text, str):
                self._wrong((*place, language), f"{language} is a text in quotes, not {_kind(text)}")
            if len(text) > _LONGEST_TEXT:
                self._wrong((*place, language), f"{len(text)} characters; a sentence has at most {_LONGEST_TEXT}")
        return {language: " ".join(text.split()) for language, text in value.items()} or None

    # Errors.

    def _known(self, table: Mapping[str, Any], known: Sequence[str], place: Place, what: str = "key") -> None:
        for key in table:
            if key not in known:
                self._wrong((*place, key), unknown(what, key, known))

    def _tried(self, place: Place, function: Callable[..., Made], *arguments: Any) -> Made:
        """What a function makes; its complaint with the file and the line before it."""
        try:
            return function(*arguments)
        except ScenarioError:
            raise
        except UsageError as error:
            self._wrong(place, str(error).removeprefix("--set "))

    def _line(self, place: Place) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _wrong(self, place: Place, what: str) -> NoReturn:
        raise ScenarioError(f"{self._name}:{self._line(place)}: {what}")


_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_HEAD = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def lines_of(text: str) -> dict[Place, int]:
    """Where each key of a TOML text stands, by its way from the top: `("step", 0, "do")` to a line from 1 on."""
    found: dict[Place, int] = {}
    counts: dict[str, int] = {}
    section: Place = ()
    quotes = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quotes:
            quotes = "" if line.count(quotes) % 2 else quotes
            continue
        head, key = _HEAD.match(line), _KEY.match(line)
        if head is not None:
            section = _section(head, counts)
            found.setdefault(section, number)
        elif key is not None:
            parts = tuple(part.strip("\"'") for part in _PART.findall(key[1]))
            for length in range(1, len(parts) + 1):
                found.setdefault((*section, *parts[:length]), number)
        quotes = next((each for each in ('"""', "'''") if line.count(each) % 2), "")
    return found


def _section(head: re.Match[str], counts: dict[str, int]) -> Place:
    first, *rest = (part.strip("\"'") for part in _PART.findall(head[2]))
    if head[1] == "[[" and not rest:
        counts[first] = counts.get(first, -1) + 1
    return (first, counts[first], *rest) if first in counts else (first, *rest)


def _names(plan: Plan) -> list[str]:
    return [seat.name for tree in plan.trees for seat in tree]


def _is_process(name: str, processes: Sequence[str]) -> bool:
    """Whether a process has this name, or one that is added while the laboratory runs may have it."""
    return name in processes or name.rstrip("0123456789") in {each.rstrip("0123456789") for each in processes}


def _kind(value: object) -> str:
    kinds = {bool: "a truth", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or a time")
