"""Every word that an export writes has a Korean one."""

import re
from pathlib import Path

from ipctui.export.text import TIMES
from ipctui.export.words import KOREAN, word
from ipctui.widgets.words import STATE_GLYPHS

FOLDER = Path(__file__).parents[2] / "ipctui" / "export"
USED = re.compile(r"""\b(?:word\((?:self\._)?language, |_owned\()f?["']([^"']*)["']\)""")


def used() -> set[str]:
    found = {text for path in FOLDER.glob("*.py") for text in USED.findall(path.read_text(encoding="utf-8"))}
    found.remove("the calls; seconds {TIMES[times]}")
    return found | {f"the calls; seconds {text}" for text in TIMES.values()} | {*STATE_GLYPHS}


def test_every_word_has_a_translation() -> None:
    assert {text for text in used() if word("ko", text) == text} == set()


def test_no_translation_is_without_use() -> None:
    units = {"bytes", "messages", "slots", "value"}
    assert set(KOREAN) - used() - units == set()


def test_translations_keep_what_is_filled_in() -> None:
    fields = re.compile(r"{\w*}")
    assert [text for text in KOREAN if fields.findall(text) != fields.findall(KOREAN[text])] == []
    assert word("en", "channels") == "channels"
