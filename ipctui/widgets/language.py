"""What is said in English, said in another language: one catalogue a mechanism, the English sentence as the key.

A catalogue is a TOML file in `ipctui/languages/LANGUAGE/`. `{}` in a key stands for any words, which come back in the
translation as `{0}`, `{1}` … and are translated themselves where the catalogue has them.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

from ipctui.widgets.particles import with_particles

FOLDER = Path(__file__).parent.parent / "languages"
_DEEPEST = 4


@lru_cache(maxsize=4096)
def in_language(language: str, text: str) -> str:
    """A text in a language; as it is where there is no translation."""
    if language == "en":
        return text
    said = _translated(language, text, _DEEPEST)
    return with_particles(said) if language == "ko" else said


def is_translated(language: str, text: str) -> bool:
    """Whether a catalogue of this language has a text."""
    plain, patterns = _catalogue(language)
    return text in plain or any(pattern.fullmatch(text) for pattern, _ in patterns)


def _translated(language: str, text: str, deep: int) -> str:
    plain, patterns = _catalogue(language)
    if text in plain:
        return plain[text]
    for pattern, said in patterns if deep else ():
        found = pattern.fullmatch(text)
        if found is not None:
            parts = [_translated(language, part, deep - 1) for part in found.groups()]
            return _filled(said, parts)
    return text


def _filled(said: str, parts: list[str]) -> str:
    """A translation with its places filled; what fills them is never read for places again."""
    return re.sub(r"\{(\d)\}", lambda place: parts[int(place[1])], said)


@cache
def _catalogue(language: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    plain: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    for path in sorted((FOLDER / language).glob("*.toml")):
        for key, said in _entries(path).items():
            if "{}" in key:
                patterns.append((key, said))
            else:
                plain[key] = said
    # The pattern with the most words of its own is the most telling.
    patterns.sort(key=lambda pattern: -len(pattern[0].replace("{}", "")))
    return plain, [(_pattern(key), said) for key, said in patterns]


def _entries(path: Path) -> dict[str, str]:
    """What a catalogue says; nothing where it cannot be read: the program then speaks English, and goes on."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: said for key, said in table.items() if isinstance(said, str)}


def _pattern(key: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(re.escape(part) for part in key.split("{}")), re.DOTALL)
