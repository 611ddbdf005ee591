"""The user's settings: `settings.toml` in the user's configuration folder; and the language of the environment.

language = "ko"
theme = "projector"
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ipctui.cli.speech import LANGUAGES
from ipctui.lab.parameters import printable, unknown

_KEYS = ("language", "theme")
_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
"""What decides about the language of messages, the first that is set: locale(7)."""
_LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wants without saying so each time; "" where nothing is set."""

    language: str = ""
    theme: str = ""


def default_path() -> Path:
    """Where the settings are looked for."""
    return platformdirs.user_config_path("ipctui") / "settings.toml"


def load_settings(path: Path | None = None) -> tuple[Settings, list[str]]:
    """The settings of a file, and what is wrong with it, a line each. A file that is not there is an empty one."""
    path = path or default_path()
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return Settings(), [f"{path.name}: not a regular file of at most {_LARGEST:,} bytes"]
        table = tomllib.loads(path.read_bytes().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Settings(), []
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "nested too deeply"
        return Settings(), [f"{path.name}: cannot be used: {printable(why, 120)}"]
    return _checked(table, path.name)


def _checked(table: Mapping[str, object], name: str) -> tuple[Settings, list[str]]:
    problems, kept = [], {}
    for key, value in table.items():
        if key not in _KEYS:
            problems.append(f"{name}: {unknown('setting', key, _KEYS)}")
        elif not isinstance(value, str):
            problems.append(f"{name}: {key} is a text in quotes")
        elif key == "language" and value not in LANGUAGES:
            problems.append(f"{name}: language: {unknown('language', value, LANGUAGES)}")
        else:
            kept[key] = value
    return Settings(**kept), problems


def language_of(environment: Mapping[str, str] = os.environ, path: Path | None = None) -> str:
    """The language where `--lang` names none: that of the settings, else of the locale, else English.

    A locale that is not of UTF-8 has no letters for Hangul that the screen could draw.
    """
    settings, _ = load_settings(path)
    if settings.language:
        return settings.language
    locale = next((environment[name] for name in _LOCALE if environment.get(name)), "")
    place, _, codeset = locale.partition(".")
    korean = place.partition("_")[0] == "ko" and codeset.partition("@")[0].lower().replace("-", "") == "utf8"
    return "ko" if korean else "en"
