"""Whatever a class reads is there in English and in Korean; a text without its translation is named here."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import ipctui
from ipctui.cli.scenario import shipped
from ipctui.lab.commands import COMMANDS
from ipctui.lab.parameters import settle
from ipctui.lab.scenario import LANGUAGES, load_scenario
from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.tui.actions import ACTIONS, GROUPS
from ipctui.tui.predict import OUTCOMES, QUESTIONS, SENTENCES
from ipctui.tui.themes import find_themes
from ipctui.widgets.language import FOLDER, in_language, is_translated, worded
from ipctui.widgets.words import STATE_GLYPHS, word
from tests.recorded import FOLDER as RECORDINGS
from tests.recorded import last_moment, recording, state_at
from tests.sayings import said_by_returning, said_in_calls, sample

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
        numbered = {int(place) for place in re.findall(r"\{(\d)\}", key)}
        places = {int(place) for place in re.findall(r"\{(\d)\}", said)}
        assert places <= (numbered or set(range(len(re.findall(r"\{[=':>]?\}", key))))), key


def test_a_sentence_has_one_translation() -> None:
    seen: dict[str, str] = {}
    for path in sorted(FOLDER.glob("ko/*.toml")):
        for key, said in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert seen.setdefault(key, said) == said, (path.name, key)


def test_a_pattern_fills_its_places_and_translates_what_fills_them() -> None:
    text = "step child: refused: child has ended (signal SIGKILL); r or `restart all` begins anew"
    assert (
        in_language("ko", text)
        == "step child: 거절: child는 끝났다 (signal SIGKILL). r이나 `restart all`로 새로 시작한다"
    )
    assert in_language("en", text) == text
    assert in_language("ko", "nobody has ever said this") == "nobody has ever said this"
    assert in_language("ko", "{0}: refused: {1}") == "{0}: 거절: {1}", "what fills a place is no pattern"
    unknown = "rate process 1: refused: there is no worker 'process'; there is parent"
    assert in_language("ko", unknown) == "rate process 1: 거절: 'process': 그런 일꾼 없음. 있는 것: parent"
    assert not is_translated("ko", "nobody has ever said this")


# What the program says while it runs, read from its source.


def said_by(path: Path, *names: str) -> set[str]:
    return english(said_in_calls(path, dict.fromkeys(names, (0,))))


def english(texts: Iterable[str]) -> set[str]:
    return {text for text in texts if needs_words(text) and not hangul(text)}


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


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_why_a_process_sleeps_and_what_would_wake_it(name: str) -> None:
    sources = (SOURCE / "mechanisms" / name).glob("*.py")
    reasons = set().union(*(said_in_calls(path, {"Reason": (0, 1, "waker")}) for path in sources))
    assert without_korean(reasons) == []


def test_why_a_process_sleeps_is_found_in_the_source() -> None:
    assert "pipe empty" in said_by(SOURCE / "mechanisms" / "pipe" / "look.py", "Reason")


FOLDERS = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if any(path.glob("*.py")))
ERRORS = dict.fromkeys(
    ("UsageError", "ScenarioError", "RecordingError", "RecordError", "RecorderError", "LauncherError", "LabError",
     "TargetError", "PictureError"),
    (0,),
)  # fmt: skip
CLAUSES = frozenset({
    "add Q: Q", "capacity: Q", "move Q: Q", "port=Q: Q", "Q: Q must be Q", "Q: Q: this theme Q", "set Q Q", "rate Q Q",
    "Q is Q", "Q: no file of this name, and Q", "no free instance: Q", "no Q",
    "Q queues of Q messages of Q bytes; RLIMIT_MSGQUEUE Q", "at most Q bytes each; all pipes of a user: Q",
})  # fmt: skip
"""What has its words from elsewhere in the source, where they are asked for; the whole is said in tests/cli."""


def without_korean(texts: Iterable[str]) -> list[str]:
    return missing(sorted(english(texts) - CLAUSES))


@pytest.mark.parametrize("folder", FOLDERS)
def test_errors(folder: str) -> None:
    said = set().union(*(said_in_calls(path, ERRORS) for path in (SOURCE / folder).glob("*.py")))
    assert without_korean(said) == [], "write them into a catalogue of ipctui/languages/ko"


@pytest.mark.parametrize("path", sorted((SOURCE / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_what_the_command_line_prints(path: Path) -> None:
    """Errors, lines, the help of every command and option; what is told of a file in a list of problems."""
    printed: dict[str, tuple[int | str, ...]] = dict.fromkeys(
        ("complain", "said", "tell", "filled", "append", "_told", "_worded"), (0,)
    )
    printed |= {"add_argument": ("help",), "add_parser": ("help",), "Parser": ("description",)}
    told = english(said_in_calls(path, printed) | epilog(path))
    # What is filled by number is a sentence of its own, and no pattern.
    assert [text for text in sorted(told) if not hangul(worded("ko", text, 0, 1, 2)) and missing([text])] == []


def epilog(path: Path) -> set[str]:
    """The sentences in a module's `_EPILOG`: the last column of each of its lines that has one, and its headings."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    texts = [
        node.value.value
        for node in body
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["_EPILOG"]
        if isinstance(node.value, ast.Constant)
    ]
    lines = [line for text in texts for line in str(text).splitlines()]
    columns = [re.split(r"\s{2,}", line) for line in lines]
    return {parts[-1] for parts in columns if len(parts) > 2 or parts[-1].endswith(":")}


def test_the_epilogs_are_found_in_the_source() -> None:
    assert "the ordinary pipe, live" in epilog(SOURCE / "cli" / "__init__.py")
    assert "formats:" in epilog(SOURCE / "cli" / "export.py")


def test_what_the_formatter_of_the_help_says_itself() -> None:
    for text in ("usage", "options", "positional arguments", "show this help message and exit",
                 "show program's version number and exit"):  # fmt: skip
        assert missing([text]) == []


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        ("lab/scenario.py", {"_wrong": (1,)}),
        ("tui/themes.py", {"ThemeError": (1,), "ValueError": (0,), "ThemeProblem": (1,)}),
        ("tui/keymap.py", {"ValueError": (0,), "append": (0,)}),
        ("trace/*.py", {"append": (0,), "skip": (1,)}),
        ("lab/*.py", {"append": (0,), "skip": (1,)}),
        ("export/reading.py", {"append": (0,)}),
        ("kernel/machine.py", {"_yes": (1,), "_no": (1, 2), "_works": (1,)}),
    ],
)
def test_problems_with_files_and_the_machine(path: str, calls: dict[str, tuple[int | str, ...]]) -> None:
    said = set().union(*(said_in_calls(each, calls) for each in SOURCE.glob(path)))
    assert english(said), "the source is not written as this test reads it"
    assert without_korean(said) == []


WHY = ("unavailable", "lacks", "why_none", "why_no_name", "why_not_port", "name_error", "io_uring_refused",
       "_no_loopback", "_no_multicast", "_why_none", "_why_no_group", "_wrong_path", "attempt", "_answer")  # fmt: skip
"""Functions that return a reason, or what was found, in words."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_returned_reasons(folder: str) -> None:
    assert without_korean(reasons_of(folder)) == []


def reasons_of(folder: str) -> set[str]:
    return set().union(*(said_by_returning(path, *WHY) for path in (SOURCE / folder).glob("*.py")))


def test_returned_reasons_are_found_in_the_source() -> None:
    assert len(english(reasons_of("kernel"))) > 10, "the source is not written as this test reads it"


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_ranges_of_parameters(name: str) -> None:
    for parameter in catalogue.channel(name).parameters():
        said = in_language("ko", parameter.allowed())
        for text in (parameter.unit, parameter.origin):
            # A path, or the name of a limit, is the same in every language.
            if " " in text and needs_words(text) and not text.startswith("MQ_PRIO_MAX"):
                assert text not in said, f"{parameter.name}: {text}"


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_why_a_plan_refuses_a_command(name: str) -> None:
    channel = catalogue.channel(name)
    for variant in channel.variants:
        plan = channel.plan(variant, settle(channel.parameters(), variant.values, ()))
        assert missing([*plan.refuses.values(), plan.no_more]) == []


def test_titles_of_themes() -> None:
    themes, problems = find_themes(SOURCE / "nowhere")
    assert not problems
    assert missing([theme.title for theme in themes.values()]) == []


def test_labels_of_drawn_parts() -> None:
    """Every word that a part of a pane is labelled with, where the source names it outright."""
    wanted: set[str] = set()
    for path in [*(SOURCE / "widgets").glob("*.py"), *(SOURCE / "tui").glob("*.py")]:
        wanted |= {text for text in said_in_calls(path, {"word": (1,)}) if "Q" not in text or text.isupper()}
    assert len(wanted) > 20, "the source is not written as this test reads it"
    assert [text for text in sorted(wanted) if needs_words(text) and word("ko", text) == text] == []
