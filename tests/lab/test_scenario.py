"""A lecture's file: what it may say, what is said of a file that cannot be played, and how its steps are given."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.lab.parameters import UsageError
from ipctui.lab.scenario import Scenario, ScenarioError, lines_of, load_scenario, parse_scenario
from ipctui.mechanisms import catalogue

HEAD = 'mechanism = "pipe"\n'


def parsed(text: str) -> Scenario:
    return parse_scenario(text.encode(), "x.toml", catalogue.channel)


def refused(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(raw, "x.toml", catalogue.channel)
    return str(caught.value)


def test_a_file_says_what_is_run_and_what_happens() -> None:
    scenario = parsed(
        HEAD
        + """
variant = "two-way"
title = "Two pipes"
[set]
rate = 7
size = "1k"
[[step]]
at = 1.5
do = ["hold child", "rate parent 3"]
expect = "parent blocked in write"
within = 20
mark = { en = "full", ko = "가득" }
select = "parent"
stop = true
[step.caption]
en = '''A sentence
   in two lines.'''
ko = "한 문장"
[[step]]
do = "release child"
"""
    )
    assert (scenario.channel.name, scenario.variant.name) == ("pipe", "two-way")
    assert (scenario.values["rate"], scenario.values["size"]) == (7, 1024)
    assert scenario.title == {"en": "Two pipes"}
    first, second = scenario.steps
    assert (first.at, first.do, first.within, first.select, first.stop) == (
        1.5,
        ("hold child", "rate parent 3"),
        20,
        "parent",
        True,
    )
    assert first.caption == {"en": "A sentence in two lines.", "ko": "한 문장"}
    assert first.mark == {"en": "full", "ko": "가득"}
    assert [each.text for each in first.expect] == ["parent blocked in write"]
    assert (first.line, second.line, second.at, second.stop) == (8, 20, None, False)


def test_the_users_own_settings_win() -> None:
    raw = (HEAD + "[set]\nrate = 7\n[[step]]\n").encode()
    assert parse_scenario(raw, "x", catalogue.channel, ["rate=9"]).values["rate"] == 9
    with pytest.raises(UsageError, match="did you mean 'rate'"):
        parse_scenario(raw, "x", catalogue.channel, ["rat=9"])


STEP = HEAD + "\n[[step]]\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, 'it names no mechanism; write mechanism = "pipe"'),
        (HEAD, 1, "it has no steps; write [[step]] for each"),
        (HEAD + "step = 3\n", 2, "it has no steps"),
        ('mechanism = "pip"\n[[step]]\n', 1, "there is no mechanism 'pip'; did you mean 'pipe'?"),
        ("mechanism = 3\n[[step]]\n", 1, "mechanism is a text in quotes, not a number"),
        (HEAD + 'varant = "x"\n[[step]]\n', 2, "there is no key 'varant'; did you mean 'variant'?"),
        (HEAD + 'variant = "oneway"\n[[step]]\n', 2, "there is no variant of pipe 'oneway'; did you mean 'one-way'?"),
        (HEAD + "[set]\nrat = 3\n[[step]]\n", 3, "there is no parameter 'rat'; did you mean 'rate'?"),
        (HEAD + "[set]\nrate = -3\n[[step]]\n", 3, "rate=-3: a number from 0"),
        (HEAD + "[set]\nrate = true\n[[step]]\n", 3, "rate is a number or a word, not a truth"),
        (HEAD + "set = 3\n[[step]]\n", 2, "parameters stand in a table; write [set]"),
        (STEP + "at = 3\n[[step]]\n\nat = 2.5\n", 7, "at = 2.5 comes before the 3 of an earlier step"),
        (STEP + "at = -1\n", 4, "at is a number of seconds from 0"),
        (STEP + "at = nan\n", 4, "at is a number of seconds"),
        (STEP + "within = 0\n", 4, "within is a number of seconds from 0.1"),
        (STEP + 'do = "hld child"\n', 4, "there is no command 'hld'; did you mean 'hold'?"),
        (STEP + 'do = "rate child"\n', 4, "words are missing; write: rate W N"),
        (
            STEP + 'do = ["hold child",\n"hold chld"]\n',
            4,
            "'hold chld': there is no process 'chld'; did you mean 'child'?",
        ),
        (STEP + 'do = "set rat 3"\n', 4, "there is no parameter 'rat'; did you mean 'rate'?"),
        (STEP + "do = [3]\n", 4, "do is a text, or a list of texts, not a list"),
        (STEP + "d = 3\n", 4, "there is no key 'd'"),
        (STEP + 'expect = "parent bloked"\n', 4, "there is no state or count 'bloked'; did you mean 'blocked'?"),
        (STEP + 'expect = "parent blocked in wrte"\n', 4, "there is no call 'wrte'; did you mean 'write'?"),
        (STEP + 'expect = "parnt blocked"\n', 4, "there is no process 'parnt'; did you mean 'parent'?"),
        (STEP + 'expect = "parent sent >> 3"\n', 4, "a comparison has one of = != < <= > >= and a number"),
        (STEP + 'expect = "channel ful"\n', 4, "there is no measure of a channel 'ful'; did you mean 'full'?"),
        (STEP + 'expect = ""\n', 4, "an empty expectation"),
        (STEP + 'expect = "proof x"\n', 4, "'proof x': write"),
        (STEP + 'select = "chld"\n', 4, "there is no process 'chld'; did you mean 'child'?"),
        (STEP + "stop = 1\n", 4, "stop is true or false, not a number"),
        (STEP + "caption = 1979-05-27\n", 4, "caption is a text, or one for each language"),
        (STEP + '[step.caption]\nde = "x"\n', 5, "there is no language 'de'"),
        (STEP + "[step.caption]\nen = 3\n", 5, "en is a text in quotes, not a number"),
        (STEP + f'caption = "{"x" * 401}"\n', 4, "401 characters; a sentence has at most 400"),
        ("mechanism = pipe\n", 1, "not TOML: Invalid value"),
        (HEAD + 'title = "x\n', 2, "not TOML"),
        (HEAD + "x = [" * 3000, 2, "not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_the_nearest_right_word(text: str, line: int, said: str) -> None:
    message = refused(text)
    assert message.startswith((f"x.toml:{line}: ", "x.toml: not TOML: nested too deeply"))
    assert said in message
    assert "\n" not in message


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    assert refused(HEAD.encode() + b"\n\xff") == "x.toml:3: not UTF-8 (byte 21 of the file)"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(ScenarioError) as caught:
            load_scenario(path, catalogue.channel)
        return str(caught.value)

    assert said(tmp_path).endswith(": a folder; a scenario is a file")
    assert said(tmp_path / "no.toml").endswith("no.toml: no file of this name")
    assert said(tmp_path / ("x" * 3000)).endswith("cannot be read: File name too long")
    assert said(Path("/dev/null")) == "/dev/null: not a regular file"
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 300_000)
    assert "a scenario has at most 262,144" in said(large)


def test_the_line_of_a_key_is_found_past_texts_of_several_lines() -> None:
    text = 'a = """\nb = 3\n[[step]]\n"""\n[set]\n"x y" = 1\n[[step]]\ndo = 1\n'
    text += "[[step]]\n[step.caption]\nen = 1\nko.x = 2\n"
    assert lines_of(text) == {
        ("a",): 1,
        ("set",): 5,
        ("set", "x y"): 6,
        ("step", 0): 7,
        ("step", 0, "do"): 8,
        ("step", 1): 9,
        ("step", 1, "caption"): 10,
        ("step", 1, "caption", "en"): 11,
        ("step", 1, "caption", "ko"): 12,
        ("step", 1, "caption", "ko", "x"): 12,
    }


FRAGMENTS = st.sampled_from(
    [
        'mechanism = "pipe"',
        'mechanism = "shm"',
        'variant = "race"',
        "[set]",
        "rate = 3",
        "[[step]]",
        "at = 1",
        "at = 0.5",
        'do = "hold child"',
        'do = ["kill all", "inject parent \\u0000"]',
        'expect = "parent blocked"',
        'expect = "channel used >= 1"',
        "stop = true",
        'caption = "x"',
        "[step.caption]",
        'en = """',
        '"""',
        "title = { en = 'x' }",
        "= 3",
        "x = [[1], {}]",
        "\\u0007",
        "step = []",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAGMENTS | st.text(max_size=20), max_size=14), st.binary(max_size=3))
def test_any_file_is_a_scenario_or_one_line(lines: list[str], tail: bytes) -> None:
    raw = "\n".join(lines).encode("utf-8", "surrogatepass") + tail
    try:
        scenario = parse_scenario(raw, "x.toml", catalogue.channel)
    except ScenarioError as error:
        message = str(error)
        assert message.startswith("x.toml:")
        assert len(message.splitlines()) == 1
        assert message.isprintable()
    else:
        assert scenario.steps
        assert tomllib.loads(raw.decode())["mechanism"] == scenario.channel.name
