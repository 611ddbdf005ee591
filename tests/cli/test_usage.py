"""Wrong usage: exit status 2 and one line with what to do; never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipctui.cli import main
from tests.lab.conftest import IPCTUI

WRONG = {
    "run pip": "did you mean 'pipe'",
    "run": "MECHANISM",
    "rnu pipe": "did you mean 'run'",
    "run pipe --variant on-way": "did you mean 'one-way'",
    "run pipe --variant xyzzy": "one-way, two-way, forgotten-end, deadlock, many-writers, packets",
    "run pipe --set sise=3": "did you mean 'size'",
    "run pipe --set size": "KEY=VALUE",
    "run pipe --set size=0": "from 1 to 16,777,216 bytes",
    "run pipe --set size=big": "from 1 to",
    "run pipe --set size=1e3": "from 1 to",
    "run pipe --set capacity=100": "from 4,096 to",
    "run pipe --set capacity=99999999999": "/proc/sys/fs/pipe-max-size",
    "run pipe --set rate=-1": "from 0 to 100,000",
    "run pipe --set rate=nan": "from 0 to 100,000",
    "run pipe --set sigpipe=ingore": "did you mean 'ignore'",
    "run pipe --set start=": "running, held",
    "run pipe --variant many-writers --set size=3": "24 bytes or more",
    "run pipe --variant many-writers --set producers=99": "from 1 to 12",
    "run pipe --do 0.5:hodl": "did you mean 'hold'",
    "run pipe --do 0.5:": "there is no command ''",
    "run pipe --do hold": 'SECONDS:COMMAND',
    "run pipe --do x:hold": 'SECONDS:COMMAND',
    "run pipe --do -1:hold": 'expected one argument',
    "run pipe --do=-1:hold": 'SECONDS:COMMAND',
    "run pipe --do nan:hold": 'SECONDS:COMMAND',
    "run pipe --do 1:hold": "write: hold W",
    "run pipe --do 1:inject": "write: inject W TEXT",
    "run pipe --for 0": "more than 0",
    "run pipe --for nan": "more than 0",
    "run pipe --for inf": "more than 0",
    "run pipe --for soon": "--for",
    "run pipe --headless --text": "exclude each other",
    "run pipe --headless --theme drak": "did you mean 'dark'",
    "run pipe --lang fr": "'en', 'ko'",
    "run pipe extra": "extra",
    "--bogus": "--bogus",
    "--theme drak": "did you mean 'dark'",
    "keys --jsn": "--jsn",
    "screenshot pipe": "-o",
    "screenshot pipe -o x.gif": ".svg or .png",
    "screenshot pipe -o x.svg --size 10x10": "from 80x24 to 999x999",
    "screenshot pipe -o x.svg --size big": "from 80x24",
    "screenshot pipe -o x.svg --at -1": "0 or more",
    "screenshot pipe -o x.svg --theme drak": "did you mean 'dark'",
    "screenshot pipe -o x.svg --variant on-way": "did you mean 'one-way'",
    "screenshot nofile.jsonl -o x.svg": "no file of this name",
    "screenshot pip -o x.svg": "did you mean 'pipe'",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def one_line(told: str) -> str:
    assert told.startswith("ipctui: "), told
    assert told.endswith("\n"), told
    assert told.count("\n") == 1, told
    assert told[:-1].isprintable(), told
    return told


@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_one_line_with_what_to_do(words: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(words.split()) == 2
    out, told = capfd.readouterr()
    assert out == ""
    assert WRONG[words] in one_line(told)
    assert os.listdir(tmp_path) == [], "nothing was written"


HOSTILE = ["\x1b[2J\x1b[31mred", "two\nlines", "\x00", "\udcff\udcfe", "x" * 100_000, "\u202e", "\x9b2J"]


@pytest.mark.parametrize("place", [
    "{}", "run {}", "run pipe --variant {}", "run pipe --set {}", "run pipe --set {}=1", "run pipe --set size={}",
    "run pipe --set sigpipe={}", "run pipe --do {}", "run pipe --do 1:{}", "run pipe --for {}", "run pipe --theme {}",
    "run pipe --lang {}", "--{}", "screenshot pipe -o {}", "screenshot pipe -o x.svg --size {}", "keys {}",
])  # fmt: skip
@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_the_users_words_come_back_fit_to_be_printed(
    place: str, hostile: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(hostile) for word in place.split()]) == 2
    told = capfd.readouterr().err
    assert len(one_line(told)) < 1100


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"root:x:0:0\n", "no recording of ipctui"),
        (b'{"kind":"call"}\n', "no recording of ipctui"),
        (b"\x1f\x8bnot gzip at all", ""),
        (b'{"kind":"header","format":"ipctui","version":1,"mechanism":"pip","variant":"x"}\n', "did you mean 'pipe'"),
    ],
)
def test_what_is_no_recording_is_told_in_a_line(
    content: bytes, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.jsonl").write_bytes(content)
    assert main(["screenshot", "file.jsonl", "-o", "x.svg"]) in (1, 2)
    told = capfd.readouterr().err
    assert said in told
    assert all(line.startswith("ipctui: ") for line in told.splitlines())
    assert told
    assert not Path("x.svg").exists()


def test_where_a_picture_cannot_be_written(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text('{"kind":"header","format":"ipctui","version":1,"mechanism":"pipe","variant":"one-way"}\n')
    assert main(["screenshot", str(file), "-o", str(tmp_path / "no" / "x.svg")]) == 1
    assert "No such file or directory" in one_line(capfd.readouterr().err)
    assert main(["screenshot", str(tmp_path), "-o", "x.svg"]) == 1
    assert "Is a directory" in one_line(capfd.readouterr().err)


def test_no_traceback_reaches_a_person_but_on_request(tmp_path: Path) -> None:
    """A defect of our own: one line, status 1; with IPCTUI_TRACEBACK the whole of it."""
    code = (
        "import ipctui.cli.show as s, ipctui.cli as c, sys\n"
        "s.show_themes = lambda o: 1 / 0\n"
        "sys.exit(c.main(['themes']))"
    )
    for more, lines in (({}, 1), ({"IPCTUI_TRACEBACK": "1"}, None)):
        told = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, text=True, check=False
        )
        assert told.returncode == 1
        assert ("Traceback" in told.stderr) is (lines is None)
        if lines:
            assert "ZeroDivisionError" in one_line(told.stderr)


def test_a_mechanism_missing_on_the_command_line_of_a_shell() -> None:
    told = subprocess.run([*IPCTUI, "run", "pip"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    one_line(told.stderr)
