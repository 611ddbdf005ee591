"""The lectures that come with the program, played by real processes: what each expects comes true in the state."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ipctui.cli.scenario import FOLDER, shipped
from ipctui.lab.launch import LauncherClient
from ipctui.lab.lecture import Lecture
from ipctui.lab.scenario import LANGUAGES, load_scenario
from ipctui.lab.session import Lab
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Event, Record, Summary
from tests.lab.conftest import PATIENCE, ran

SHIPPED = shipped()
IDS = [path.stem for path in SHIPPED]


@pytest.mark.parametrize("name", ["pipe", "fifo", "shm", "mailbox", "direct"])
def test_there_is_one_for_each_mechanism(name: str) -> None:
    assert (FOLDER / f"{name}.toml").exists()


@pytest.mark.parametrize("path", SHIPPED, ids=IDS)
def test_every_sentence_is_there_in_both_languages(path: Path) -> None:
    scenario = load_scenario(path, catalogue.channel)
    texts = [scenario.title, *(text for step in scenario.steps for text in (step.caption, step.mark) if text)]
    for text in texts:
        assert set(text) == set(LANGUAGES), text
    assert any(step.stop for step in scenario.steps)
    assert any(step.mark for step in scenario.steps)
    assert all(step.expect for step in scenario.steps), "a step that expects nothing proves nothing"


@pytest.mark.real
@pytest.mark.parametrize("path", SHIPPED, ids=IDS)
def test_what_it_expects_comes_true(path: Path) -> None:
    scenario = load_scenario(path, catalogue.channel)
    why = scenario.channel.unavailable()
    if why is not None:
        pytest.skip(why)
    launcher = LauncherClient()
    try:
        lab = Lab(scenario.channel, scenario.variant, scenario.values, launcher)
        try:
            lecture = Lecture(scenario, lab, stops=False)
            records: list[Record] = []
            deadline = time.monotonic() + 200
            while not lecture.over:
                assert time.monotonic() < deadline, f"step {lecture.step + 1} does not end"
                records += lab.batch()
                lecture.beat(time.monotonic())
                time.sleep(0.01)
            records += lab.batch()
        finally:
            lab.close()
    finally:
        launcher.close()
    assert lecture.failed == []
    told = [record.data for record in records if isinstance(record, Event) and record.name == "caption"]
    assert told == [step.caption for step in scenario.steps if step.caption]
    assert lab.state.told is not None
    assert lab.state.told.data == told[-1]


@pytest.mark.real
def test_headless_it_is_a_recording_that_ends_with_the_lecture() -> None:
    done = ran("run", "fifo.toml", "--headless", seconds=3 * PATIENCE)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["kind"] == "header"
    assert lines[-1]["kind"] == Summary.kind
    scenario = load_scenario(FOLDER / "fifo.toml", catalogue.channel)
    captions = [line["data"] for line in lines if line["kind"] == "event" and line["name"] == "caption"]
    assert captions == [step.caption for step in scenario.steps]
    assert any(line["kind"] == "event" and line["name"] == "mark" for line in lines)
    assert {line["by"] for line in lines if line["kind"] == "command"} == {"script"}


@pytest.mark.real
def test_as_text_it_speaks_the_language_that_is_wanted() -> None:
    done = ran("run", "fifo.toml", "--text", "--lang", "ko", seconds=3 * PATIENCE)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "» 둘 다 사라졌고" in text
    assert "▼ open에서 잠들다" in text


@pytest.mark.real
def test_what_does_not_come_true_is_one_line_and_a_status(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('mechanism = "pipe"\n[[step]]\nexpect = "parent sent > 1000000"\nwithin = 0.3\n')
    done = ran("run", str(path), "--headless")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"ipctui: {path}:2: 'parent sent > 1000000' did not come true within 0.3 s; parent is ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.toml"], "no file of this name here, and there is no scenario 'no.toml'"),
        (["pip.toml"], "did you mean 'pipe.toml'?"),
        (["./pipe.toml"], "pipe.toml: no file of this name"),
        (["pipe.toml", "--variant", "two-way"], "--variant: a scenario names its variant itself"),
        (["pipe.toml", "--set", "rat=3"], "did you mean 'rate'?"),
        (["/"], "/: a folder; a scenario is a file"),
    ],
)
def test_a_lecture_that_cannot_be_played_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    done = ran("run", *words, "--headless", "--for", "1", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert said in line
