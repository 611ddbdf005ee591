"""Themes as files: found in three folders, validated on load, never a reason to crash.

A theme is a TOML file whose stem is the theme's name: `name`, `title` (one line for people), `dark`, and
`ansi = true` for the terminal's own sixteen colours. `[colors]` and `[variables]` are Textual's,
`[roles]` gives every role as `[bold] [dim] [italic] [underline] [reverse] COLOUR [on COLOUR]`; a colour is
`#rrggbb`, a web colour's name or a key of the file's `[colors]`; with `ansi = true` an `ansi_*` name.
"""

import difflib
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import platformdirs
from rich.cells import cell_len
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

from ipctui.tui.roles import ATTRIBUTES, ROLES, laid_over, no_color
from ipctui.widgets.language import in_language

__all__ = [
    "DEFAULT_THEME",
    "LoadedTheme",
    "ThemeError",
    "ThemeProblem",
    "describe",
    "find_themes",
    "laid_over",
    "load_theme",
    "no_color",
    "theme_from_table",
]

DEFAULT_THEME = "dark"
"""The theme of a first start, first in the order of `find_themes`."""

_LARGEST = 65_536
_KEYS = {
    "name": str,
    "title": str,
    "dark": bool,
    "ansi": bool,
    "colors": dict,
    "variables": dict,
    "roles": dict,
}
_OPTIONAL_KEYS = {"ansi", "variables"}
_TYPE_NAMES = {str: "a string", bool: "true or false", dict: "a table"}
_NEEDED_COLORS = ("background", "foreground", "primary")
_COLORS = (*_NEEDED_COLORS, "secondary", "accent", "surface", "panel", "boost", "success", "warning", "error")
_NEVER_ALIKE = ("blocked", "held", "stopped")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}|#[0-9a-fA-F]{3}|[a-z][a-z0-9_]*")
_PERCENT = re.compile(r"\d{1,2}%|100%")
_ANSI_VARIABLES = {"ansi-background", "ansi-foreground"}
_ANSI_NAMES = ["ansi_default"] + [
    f"ansi_{bright}{hue}"
    for bright in ("", "bright_")
    for hue in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
]
_TEXT_STYLE = {*ATTRIBUTES, "b", "d", "i", "u", "r", "strike", "none", "not"}


class ThemeError(Exception):
    """A theme file that cannot be used; `str()` is one line with the file, the key and what is wrong."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = _one_line(problem)
        super().__init__(f"{_one_line(path.name)}: {self.problem}")


@dataclass(frozen=True, slots=True)
class ThemeProblem:
    """A file or folder left out of the themes, and why, in one line."""

    path: Path
    problem: str


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTheme:
    """A theme whose every colour has been tried: Textual's part, and a style with a background a role."""

    name: str
    title: str
    path: Path
    dark: bool
    textual: Theme
    styles: Mapping[str, Style]
    ansi: bool


def load_theme(path: Path) -> LoadedTheme:
    """Read and validate one theme file. Raises ThemeError for whatever may be wrong with it."""
    return theme_from_table(path, _read(path))


def theme_from_table(path: Path, table: Mapping[str, object]) -> LoadedTheme:
    """Validate a theme already parsed from TOML; `path` names it in errors. Raises ThemeError."""
    try:
        return _theme(path, table)
    except ValueError as error:
        raise ThemeError(path, str(error)) from None


def find_themes(user_folder: Path | None = None) -> tuple[dict[str, LoadedTheme], tuple[ThemeProblem, ...]]:
    """Load the shipped themes and the user's, the default first; a user's replaces its namesake.

    `user_folder` defaults to `themes` in the user's configuration folder. Nothing is raised: what cannot be
    used is in the second part.
    """
    found: dict[str, LoadedTheme] = {}
    problems: list[ThemeProblem] = []
    for folder in (_shipped_folder(), user_folder or platformdirs.user_config_path("ipctui") / "themes"):
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(ThemeProblem(folder, f"cannot be listed: {error.strerror}"))
            continue
        for path in paths:
            try:
                theme = load_theme(path)
            except ThemeError as error:
                problems.append(ThemeProblem(path, error.problem))
            else:
                found[theme.name] = theme
    ordered = sorted(found, key=lambda name: (name != DEFAULT_THEME, name))
    return {name: found[name] for name in ordered}, tuple(problems)


def describe(themes: Mapping[str, LoadedTheme], problems: Sequence[ThemeProblem], language: str = "en") -> list[str]:
    """Return the lines of `ipctui themes`: name, title, path and "valid", then the files left out and why."""
    shipped = _shipped_folder()
    rows = [
        (
            theme.name,
            # A user's own title is the user's own words.
            in_language(language, theme.title) if theme.path.parent == shipped else theme.title,
            _one_line(str(theme.path)),
        )
        for theme in themes.values()
    ]
    widths = [max((cell_len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = []
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join((*cells, in_language(language, "valid"))))
    lines += [f"{_one_line(str(problem.path))}: {in_language(language, problem.problem)}" for problem in problems]
    return lines


def _shipped_folder() -> Path:
    """The themes of the wheel, or those beside the package in an editable checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def _read(path: Path) -> dict[str, object]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ThemeError(path, "not a regular file")
        if status.st_size > _LARGEST:
            raise ThemeError(path, f"{status.st_size:,} bytes; a theme has at most {_LARGEST:,}")
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ThemeError(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ThemeError(path, f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ThemeError(path, "not TOML: nested too deeply") from None
    except ValueError as error:
        raise ThemeError(path, f"not TOML: {error}") from None


def _theme(path: Path, table: Mapping[str, object]) -> LoadedTheme:
    """Build the theme. Raises ValueError with the key and what is wrong."""
    _check_names("", table, _KEYS, [key for key in _KEYS if key not in _OPTIONAL_KEYS])
    for key, value in table.items():
        if not isinstance(value, _KEYS[key]):
            raise ValueError(f"{key}: {_shown(value)} must be {_TYPE_NAMES[_KEYS[key]]}")
    name, title = str(table["name"]), str(table["title"])
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"name: {_shown(name)} must be small letters, digits and single hyphens")
    if name != path.stem:
        raise ValueError(f"name: {_shown(name)} must be the file's name without .toml")
    if not title.strip() or not title.isprintable():
        raise ValueError(f"title: {_shown(title)} must be one line of printable text")
    ansi = bool(table.get("ansi", False))
    colors = _strings("colors", table["colors"])
    _check_names("colors.", colors, _COLORS, _NEEDED_COLORS)
    resolved = {key: _color(f"colors.{key}", value, ansi, {}) for key, value in colors.items()}
    roles = _strings("roles", table["roles"])
    _check_names("roles.", roles, ROLES, ROLES)
    styles = {role: _style(f"roles.{role}", roles[role], ansi, resolved) for role in ROLES}
    _check_states(styles)
    textual = Theme(name=name, dark=bool(table["dark"]), ansi=ansi, **cast("dict[str, Any]", colors))
    textual.variables = _variables(table.get("variables", {}), textual, ansi)
    textual.to_color_system().generate()
    return LoadedTheme(name, title, path, textual.dark, textual, MappingProxyType(styles), ansi)


def _strings(table: str, value: object) -> dict[str, str]:
    entries = cast("dict[str, object]", value)
    for key, entry in entries.items():
        if not isinstance(entry, str):
            raise ValueError(f"{table}.{key}: {_shown(entry)} must be a string")
    return cast("dict[str, str]", entries)


def _check_names(table: str, given: Mapping[str, object], known: Iterable[str], needed: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{table}{_shown(name)}: unknown key{_nearest(name, known)}")
    for name in needed:
        if name not in given:
            dotted = ' (with quotes: "' + name + '" = …)' if "." in name else ""
            raise ValueError(f"{table}{name}: missing{dotted}")


def _check_states(styles: Mapping[str, Style]) -> None:
    seen: dict[object, str] = {}
    for role in _NEVER_ALIKE:
        other = seen.setdefault(styles[role].color, role)
        if other != role:
            raise ValueError(f"roles.{role}: the colour of {other}; blocked, held and stopped never share one")


def _variables(value: object, theme: Theme, ansi: bool) -> dict[str, str]:
    variables = _strings("variables", value)
    _check_names("variables.", variables, theme.to_color_system().generate().keys() | _ANSI_VARIABLES, ())
    for name, text in variables.items():
        key, words = f"variables.{name}", text.split()
        if name.endswith("-style"):
            wrong = next((word for word in words if word not in _TEXT_STYLE), None if words else "")
            if wrong is not None:
                raise ValueError(f"{key}: {_shown(wrong)} is no text style{_nearest(wrong, _TEXT_STYLE)}")
        elif len(words) == 2 and _PERCENT.fullmatch(words[1]) is None:
            raise ValueError(f"{key}: {_shown(words[1])} must be a percentage")
        elif len(words) not in (1, 2):
            raise ValueError(f"{key}: {_shown(text)} must be a colour, or a colour and a percentage")
        elif words[0] not in ("auto", "transparent"):
            _color(key, words[0], ansi, {})
    return variables


def _style(key: str, text: str, ansi: bool, palette: Mapping[str, Color]) -> Style:
    words = text.split()
    attributes = []
    while words and words[0] in ATTRIBUTES:
        attributes.append(words.pop(0))
    if len(words) not in (1, 3) or (len(words) == 3 and words[1] != "on"):
        raise ValueError(f"{key}: {_shown(text)} must be [{'|'.join(ATTRIBUTES)}] COLOUR [on COLOUR]")
    background = _color(key, words[2], ansi, palette) if len(words) == 3 else palette["background"]
    color = _color(key, words[0], ansi, palette)
    return Style.parse(" ".join(attributes) or "none") + Style.from_color(color.rich_color, background.rich_color)


def _color(key: str, text: str, ansi: bool, palette: Mapping[str, Color]) -> Color:
    if text in palette:
        return palette[text]
    try:
        if _COLOR.fullmatch(text) is None:
            raise ColorParseError(text)
        color = Color.parse(text)
        if color.a != 1:
            raise ColorParseError(text)
    except ColorParseError as error:
        names = _ANSI_NAMES if ansi else [error.suggested_color or ""]
        raise ValueError(f"{key}: {_shown(text)} is no colour{_nearest(text, [*palette, *names])}") from None
    if (color.ansi is not None) != ansi:
        names = _ANSI_NAMES if ansi else []
        wanted = "takes ansi_* colours only" if ansi else "has no ansi_* colours (ansi = true allows them)"
        raise ValueError(f"{key}: {_shown(text)}: this theme {wanted}{_nearest(f'ansi_{text}', names)}")
    return color


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:80], list(known), 1)
    return f"; nearest: {close[0]!r}" if close else ""


def _shown(value: object) -> str:
    """A value of the file as a short piece of a line."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _one_line(text: str) -> str:
    """Keep control characters and line ends of a file's content or name away from the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
