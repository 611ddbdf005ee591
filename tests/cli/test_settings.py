"""The user's settings and the environment's locale: which language, which theme, and what is wrong with the file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.cli.settings import Settings, language_of, load_settings
from tests.lab.conftest import IPCTUI, PATIENCE


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.utf8"}, "ko"),
        ({"LANG": "ko.UTF-8@hanja"}, "ko"),
        ({"LANG": "ko_KR.eucKR"}, "en"),
        ({"LANG": "ko_KR"}, "en"),
        ({"LANG": "kok_IN.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": ""}, "ko"),
        ({"LANG": "C", "LC_MESSAGES": "ko_KR.UTF-8"}, "ko"),
    ],
)
def test_the_locale_decides_where_nothing_is_set(environment: dict[str, str], language: str, tmp_path: Path) -> None:
    assert language_of(environment, tmp_path / "none.toml") == language


def test_a_setting_wins_over_the_locale(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('language = "ko"\ntheme = "projector"\n')
    assert load_settings(path) == (Settings("ko", "projector"), [])
    assert language_of({"LANG": "C"}, path) == "ko"
    path.write_text('language = "en"\n')
    assert language_of({"LANG": "ko_KR.UTF-8"}, path) == "en"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("languag = 'ko'", "settings.toml: there is no setting 'languag'; did you mean 'language'?"),
        ("language = 'kr'", "settings.toml: language: there is no language 'kr'; did you mean 'ko'?"),
        ("language = 3", "settings.toml: language is a text in quotes"),
        ("language", "settings.toml: cannot be used: Expected '='"),
        ("x = " + "[" * 5000, "settings.toml: cannot be used: "),
    ],
)
def test_what_is_wrong_is_said_and_left_out(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"{text}\n")
    settings, problems = load_settings(path)
    assert settings == Settings()
    (problem,) = problems
    assert problem.startswith(said)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    assert load_settings(tmp_path)[1] == [f"{tmp_path.name}: not a regular file of at most 65,536 bytes"]


@given(st.binary(max_size=200))
def test_any_file_is_settings_or_a_line(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(raw)
    _, problems = load_settings(path)
    assert all(len(problem.splitlines()) == 1 for problem in problems)


@pytest.mark.real
def test_the_program_follows_the_locale_and_lang_wins(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "ko_KR.UTF-8", "XDG_CONFIG_HOME": str(tmp_path)}
    for words, said in (((), "» 바이트가 파이프를 지나간다"), (("--lang", "en"), "» Bytes pass through the pipe")):
        app = subprocess.Popen(
            [*IPCTUI, "run", "pipe", "--text", "--for", "60", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        assert app.stdout is not None
        with app.stdout:
            found = any(said in line.decode() for line in app.stdout)
        # It ends when it finds that nobody reads on.
        assert app.wait(PATIENCE) == 0
        assert found
