"""What is said in English, said in another language: one catalogue a mechanism, the English sentence as the key.

A catalogue is a TOML file in `ipctui/languages/LANGUAGE/`. A place in a key stands for any words, which come back in
the translation as `{0}`, `{1}` …:

    {}    words that are translated themselves where the catalogue has them, as few as fit
    {=}   words that come back as they are: what the user typed, a name, what a file says. As many as fit, for they may
          hold what looks like the rest of the sentence
    {'}   the same in quotes, as Python writes a string: ends where the quotes end
    {:}   a file's name with the number of a line, FILE:LINE, as it is
    {>}   the rest of a text, translated like {}. What stands before it is looked for before any sentence: where
          something is wrong, or the command that something came of
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from ipctui.widgets.particles import with_particles

FOLDER = Path(__file__).parent.parent / "languages"
_DEEPEST = 8
_PLACE = re.compile(r"\{[=':>]?\}")
_PLACES = {
    "{}": "(.*?)",
    "{>}": "(.*)",
    "{=}": "(.*)",
    "{'}": r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""",
    # Never in an option's value, nor in quotes: there are the user's own words.
    "{:}": r"""([^-'"=][^'"=]*?:\d+)""",
}
_OUTCOME = re.compile(r"\b(done|pending|refused): \{>\}$")
_KEPT = "\0"
"""Stands for words that come back as they are, their number between two of them, until all else is translated."""


@lru_cache(maxsize=4096)
def in_language(language: str, text: str, outcome: bool = True) -> str:
    """A text in a language; as it is where there is no translation.

    Args:
        outcome: The text may be what came of a command, the command before it. Else no words of the user's are taken
            for that.
    """
    if language == "en" or _KEPT in text:
        return text
    kept: list[str] = []
    catalogue = _catalogue(language)
    patterns = [*(catalogue.outcomes if outcome else ()), *catalogue.patterns]
    return _finished(language, _translated(catalogue.sentences, patterns, text, _DEEPEST, kept), kept)


def worded(language: str, sentence: str, *words: object) -> str:
    """A sentence in a language, its numbered places filled with words that are in that language already, or in none.

    With numbers (`{0} in {1}`) its key is no pattern: what is filled here can hold anything, and is never searched.
    """
    said = sentence if language == "en" else _catalogue(language).sentences.get(sentence, sentence)
    return _finished(language, _filled(said, [f"{_KEPT}{place}{_KEPT}" for place in range(len(words))]), words)


def is_translated(language: str, text: str) -> bool:
    """Whether a catalogue of this language has a text."""
    catalogue = _catalogue(language)
    return text in catalogue.sentences or any(pattern.matched(text) for pattern in catalogue.patterns)


def _translated(
    sentences: Mapping[str, str], patterns: Sequence[_Pattern], text: str, deep: int, kept: list[str]
) -> str:
    if text in sentences:
        return sentences[text]
    for pattern in patterns if deep else ():
        found = pattern.matched(text)
        if found is None:
            continue
        parts = []
        for part, as_it_is in zip(found.groups(), pattern.as_they_are, strict=True):
            if as_it_is:
                parts.append(f"{_KEPT}{len(kept)}{_KEPT}")
                kept.append(part)
            else:
                parts.append(_translated(sentences, patterns, part, deep - 1, kept))
        return _filled(pattern.said, parts)
    return text


def _finished(language: str, said: str, kept: Sequence[object]) -> str:
    """A translation with the right particles, and then with the words that come back as they are."""
    if language == "ko":
        said = with_particles(said)
    return re.sub(rf"{_KEPT}(\d+){_KEPT}", lambda place: str(kept[int(place[1])]), said)


def _filled(said: str, parts: list[str]) -> str:
    """A translation with its places filled; what fills them is never read for places again."""
    return re.sub(r"\{(\d)\}", lambda place: parts[int(place[1])], said)


class _Pattern:
    """A sentence with places; its expression is made when a text first holds the longest run of its own words."""

    def __init__(self, key: str, said: str) -> None:
        self.said = said
        self._places = _PLACE.findall(key)
        self.as_they_are = [place not in ("{}", "{>}") for place in self._places]
        self.frame = "{>}" in self._places
        self.outcome = self.frame and _OUTCOME.search(key) is not None
        self._words = _PLACE.split(key)
        self._longest = max(self._words, key=len)
        self.own = sum(map(len, self._words))
        self._expression: re.Pattern[str] | None = None

    def matched(self, text: str) -> re.Match[str] | None:
        """The text as this sentence, a group a place; None where it is another one."""
        if self._longest not in text:
            return None
        if self._expression is None:
            first, *rest = map(re.escape, self._words)
            behind = "".join(_PLACES[place] + words for place, words in zip(self._places, rest, strict=True))
            self._expression = re.compile(first + behind, re.DOTALL)
        return self._expression.fullmatch(text)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """All catalogues of a language: every sentence by its key; those with places, the most telling first."""

    sentences: Mapping[str, str]
    outcomes: Sequence[_Pattern]
    patterns: Sequence[_Pattern]


@cache
def _catalogue(language: str) -> _Catalogue:
    sentences: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.toml")):
        sentences.update(_entries(path))
    patterns = [_Pattern(key, said) for key, said in sentences.items() if _PLACE.search(key)]
    # The pattern with the most words of its own is the most telling.
    patterns.sort(key=lambda pattern: (not pattern.frame, -pattern.own))
    outcomes = [pattern for pattern in patterns if pattern.outcome]
    return _Catalogue(sentences, outcomes, [pattern for pattern in patterns if not pattern.outcome])


def _entries(path: Path) -> dict[str, str]:
    """What a catalogue says; nothing where it cannot be read: the program then speaks English, and goes on."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: said for key, said in table.items() if isinstance(said, str)}
