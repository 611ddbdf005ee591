"""The language of what the command line prints: known late, and no catalogue is read where it is English.

What a line says is said in English by whoever has it to say, and translated here, where it is printed. JSON is never
translated: it is a contract.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

LANGUAGES = ("en", "ko")
_LEAST_ABBREVIATION = len("--l")
_words: tuple[str, ...] = ()
_settled = ""


def begin(words: Sequence[str]) -> None:
    """A command line begins: until it is parsed, these words may tell its language."""
    global _words, _settled
    _words, _settled = tuple(words), ""


def settle(wanted: str, ascii: bool) -> str:
    """The language from now on: the one wanted, else the setting's or the locale's; English with ASCII alone."""
    global _settled
    _settled = _resolved(wanted, ascii)
    return _settled


def language() -> str:
    """The language that the person wants; before the command line is parsed, what its words say of it."""
    return _settled or settle(*_looked_for(_words))


def spoken(stream: TextIO) -> str:
    """The language to print in on a stream: English where its encoding has no letters for another."""
    wanted = language()
    return wanted if wanted == "en" or can_write(stream, "가") else "en"


def said(text: str) -> str:
    """A text in the language of standard output."""
    return _in_language(text, sys.stdout)


def complained(text: str) -> str:
    """What is wrong, in the language of standard error; the person's own words in it stay as they are."""
    return _in_language(text, sys.stderr, outcome=False)


def _in_language(text: str, stream: TextIO, outcome: bool = True) -> str:
    wanted = spoken(stream)
    if wanted == "en":
        return text
    from ipctui.widgets.language import in_language

    return in_language(wanted, text, outcome)


def filled(sentence: str, *words: object) -> str:
    """A sentence in the language of standard output, its numbered places (`{0}`) filled with words as they are."""
    wanted = spoken(sys.stdout)
    if wanted == "en":
        return sentence.format(*words)
    from ipctui.widgets.language import worded

    return worded(wanted, sentence, *words)


def tell(text: str = "") -> None:
    """Print a line; a character that standard output has none for becomes a question mark."""
    if not can_write(sys.stdout, text):
        encoding = sys.stdout.encoding or "ascii"
        text = text.encode(encoding, "replace").decode(encoding)
    print(text)


def can_write(stream: TextIO, text: str) -> bool:
    """Whether a stream's encoding has all these characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _resolved(wanted: str, ascii: bool) -> str:
    # Hangul has no letters in ASCII.
    if ascii:
        return "en"
    if wanted in LANGUAGES:
        return wanted
    from ipctui.cli.settings import language_of

    return language_of()


def _looked_for(words: Sequence[str]) -> tuple[str, bool]:
    """What a command line that may be wrong says: of `--lang` the last value that is one, and whether `--ascii`."""
    wanted = ""
    for word, after in zip(words, [*words, ""][1:], strict=True):
        name, equals, value = word.partition("=")
        if len(name) < _LEAST_ABBREVIATION:
            continue
        if word != "--" and "--ascii".startswith(word):
            return "en", True
        if "--lang".startswith(name):
            value = value if equals else after
            wanted = value if value in LANGUAGES else wanted
    return wanted, False
