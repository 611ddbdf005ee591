"""Whatever a class reads is there in English and in Korean; a text without its translation is named here."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import ipctui
from ipctui.cli.scenario import shipped
from ipctui.lab.commands import COMMANDS
from ipctui.lab.scenario import LANGUAGES, load_scenario
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.tui.actions import ACTIONS, GROUPS
from ipctui.tui.predict import OUTCOMES, QUESTIONS, SENTENCES
from ipctui.widgets.language import FOLDER, in_language, is_translated
from ipctui.widgets.words import STATE_GLYPHS, word
from tests.recorded import FOLDER as RECORDINGS
from tests.recorded import last_moment, recording, state_at

SOURCE = Path(ipctui.__file__).parent
HANGUL = re.compile("[가-힣]")
SAME = frozenset({"SIGPIPE", "post", "Python/C"})
"""Names that are the same in every language."""


def hangul(text: str) -> bool:
    return HANGUL.search(text) is not None


def needs_words(text: str) -> bool:
    return text not in SAME and re.search("[a-z]{2}", text) is not None


def missing(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if needs_words(text) and not hangul(in_language("ko", text))]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_actions(action) -> None:  # type: ignore[no-untyped-def]
    assert hangul(action.about_ko)
    assert hangul(action.name_ko) or action.name in SAME
    assert bool(action.other_name) == bool(action.other_name_ko)
    assert not hangul(action.name + action.about)


def test_groups_questions_and_outcomes() -> None:
    for table in (GROUPS, OUTCOMES, QUESTIONS, SENTENCES):
        for name, texts in table.items():
            assert set(texts) == set(LANGUAGES), name
            assert hangul(texts["ko"]), name
            assert not hangul(texts["en"]), name
            places = [sorted(re.findall(r"\{\w+\}", text)) for text in texts.values()]
            assert places[0] == places[1], name


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_what_a_mechanism_says_of_itself(name: str) -> None:
    channel, pane = catalogue.channel(name), catalogue.pane(name)
    texts = [channel.title, channel.about]
    texts += [variant.about for variant in channel.variants]
    texts += [parameter.about for parameter in channel.parameters()]
    texts += [text for offer in pane.offers for text in (offer.name, offer.about)]
    assert missing(texts) == [], f"write them into ipctui/languages/ko/{name}.toml"


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_lessons(name: str) -> None:
    lesson = catalogue.pane(name).lesson
    english, korean = lesson("en"), lesson("ko")
    assert not hangul(english)
    assert len(HANGUL.findall(korean)) > len(korean) // 6
    assert len(re.findall("^#", english, re.MULTILINE)) == len(re.findall("^#", korean, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in RECORDINGS.glob("*.jsonl.gz")))
def test_captions(name: str) -> None:
    caption: Callable[[LabState, str], str] = catalogue.caption(recording(name).header.mechanism)
    end = last_moment(name)
    for share in range(1, 11):
        state = state_at(name, end * share / 10)
        assert hangul(caption(state, "ko")), (share, caption(state, "ko"))
        assert not hangul(caption(state, "en")), (share, caption(state, "en"))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_scenarios(path: Path) -> None:
    scenario = load_scenario(path, catalogue.channel)
    for text in [scenario.title, *(each for step in scenario.steps for each in (step.caption, step.mark) if each)]:
        assert set(text) == set(LANGUAGES)
        assert hangul(text["ko"])
        assert not hangul(text["en"])


def test_states() -> None:
    for state in STATE_GLYPHS:
        assert hangul(word("ko", state.upper()))


# Catalogues.


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.toml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_catalogue_is_whole(path: Path) -> None:
    for key, said in tomllib.loads(path.read_text(encoding="utf-8")).items():
        assert isinstance(said, str), key
        assert not hangul(key), key
        assert hangul(said) or said in SAME or not re.search("[a-z]{4}", key), key
        places = {int(place) for place in re.findall(r"\{(\d)\}", said)}
        assert places <= set(range(key.count("{}"))), key


def test_a_pattern_fills_its_places_and_translates_what_fills_them() -> None:
    text = "step child: refused: child has ended (signal SIGKILL); r or `restart all` begins anew"
    assert (
        in_language("ko", text)
        == "step child: 거절: child는 끝났다 (signal SIGKILL). r이나 `restart all`로 새로 시작한다"
    )
    assert in_language("en", text) == text
    assert in_language("ko", "nobody has ever said this") == "nobody has ever said this"
    assert in_language("ko", "{0}: refused: {1}") == "{0}: 거절: {1}", "what fills a place is no pattern"
    assert not is_translated("ko", "nobody has ever said this")


# What the program says while it runs, read from its source.


def sample(node: ast.expr) -> str | None:
    """A text as it might be said: each place of an f-string filled with a word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        text = ""
        for part in node.values:
            # What is set to the end of a word is a plural, or something that may be missing.
            text += str(part.value) if isinstance(part, ast.Constant) else "" if text[-1:].isalpha() else "Q"
        return text
    return None


def calls_of(path: Path, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in names:
                yield node


def said_by(path: Path, *names: str) -> set[str]:
    texts = (sample(node.args[0]) for node in calls_of(path, *names) if node.args)
    return {text for text in texts if text is not None and needs_words(text) and not hangul(text)}


@pytest.mark.parametrize("path", sorted((SOURCE / "tui").glob("*.py")), ids=lambda path: path.stem)
def test_what_the_screen_says(path: Path) -> None:
    assert missing(said_by(path, "say", "NothingToDoError")) == []


def test_what_comes_of_a_command() -> None:
    path = SOURCE / "lab" / "commands.py"
    assert missing(said_by(path, "UsageError")) == []
    outcomes = {
        text.replace("Q:", "done:", 1) if text.startswith("Q:") else text
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Return) and node.value is not None
        if (text := sample(node.value)) is not None and text.startswith(("Q: ", "pending: "))
    }
    assert len(outcomes) > 5, "the source is not written as this test reads it"
    assert missing(outcomes) == []
    assert len(COMMANDS) > 10


OWN_WORDS = ("shm", "mailbox")
"""Mechanisms whose pane words its reasons itself, in its `words.py`."""


@pytest.mark.parametrize("name", [name for name in catalogue.NAMES if name not in OWN_WORDS])
def test_why_a_process_sleeps(name: str) -> None:
    reasons = set().union(*(said_by(path, "Reason") for path in (SOURCE / "mechanisms" / name).glob("*.py")))
    assert missing(reasons) == []


def test_why_a_process_sleeps_is_found_in_the_source() -> None:
    assert "pipe empty" in said_by(SOURCE / "mechanisms" / "pipe" / "look.py", "Reason")


def test_labels_of_drawn_parts() -> None:
    """Every word that a part of a pane is labelled with, where the source names it outright."""
    wanted = set()
    for path in [*(SOURCE / "widgets").glob("*.py"), *(SOURCE / "tui").glob("*.py")]:
        for node in calls_of(path, "word"):
            choices = node.args[1:2]
            if choices and isinstance(choices[0], ast.IfExp):
                choices = [choices[0].body, choices[0].orelse]
            wanted |= {text for each in choices if (text := sample(each)) and isinstance(each, ast.Constant)}
    assert len(wanted) > 20, "the source is not written as this test reads it"
    assert [text for text in sorted(wanted) if needs_words(text) and word("ko", text) == text] == []
