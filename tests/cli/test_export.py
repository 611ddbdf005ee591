"""`ipctui export` on the command line: what is written where, and what is said when it cannot be."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from ipctui.cli import main
from tests import recorded
from tests.cli.test_usage import one_line
from tests.export.chrome import load
from tests.lab.conftest import IPCTUI

HELD = str(recorded.path("held"))
WRONG = {
    "export": "required: FILE, --to, -o",
    f"export {HELD} -o x": "required: --to",
    f"export {HELD} --to text": "required: -o",
    f"export {HELD} --to perfeto -o x": "did you mean 'perfetto'",
    f"export {HELD} --to pcap -o x": "there is perfetto, asciicast, text",
    f"export {HELD} --to text --only lader -o x": "did you mean 'ladder'",
    f"export {HELD} --to text --times realtive -o x": "did you mean 'relative'",
    f"export {HELD} --to text --width 39 -o x": "from 40 to 1000 columns",
    f"export {HELD} --to text --width wide -o x": "--width",
    f"export {HELD} --to asciicast --size 10x10 -o x": "from 80x24 to 999x999",
    f"export {HELD} --to asciicast --theme drak -o x": "did you mean 'dark'",
    f"export {HELD} --to asciicast --fps 0 -o x": "at most 60 frames a second",
    f"export {HELD} --to asciicast --fps nan -o x": "at most 60 frames a second",
    f"export {HELD} --to asciicast --zoom cals -o x": "did you mean 'calls'",
    "export nofile --to text -o x": "no file of this name",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize("words", WRONG, ids=lambda words: words.replace(HELD, "FILE"))
def test_wrong_usage_is_one_line_with_what_to_do(words: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(words.split()) == 2
    assert WRONG[words] in one_line(capfd.readouterr().err)
    assert os.listdir(tmp_path) == []


def test_each_format_to_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("perfetto", "asciicast", "text"):
        assert main(["export", HELD, "--to", name, "-o", name]) == 0
    assert capfd.readouterr() == ("", "")
    assert len(load(Path("perfetto").read_text()).flows) == 22
    assert json.loads(Path("asciicast").read_text().splitlines()[0])["term"]["cols"] == 120
    assert "─ parent:1 " in Path("text").read_text()
    assert sorted(os.listdir()) == ["asciicast", "perfetto", "text"]
    umask = os.umask(0)
    os.umask(umask)
    assert os.stat("text").st_mode & 0o777 == 0o666 & ~umask


def test_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", HELD, "--to", "text", "--only", "ladder", "--lang", "ko", "-o", "-"]) == 0
    out, told = capfd.readouterr()
    assert "블록됨" in out
    assert told == ""
    assert main(["export", HELD, "--to", "text", "--only", "ladder", "--lang", "ko", "--ascii", "-o", "-"]) == 0
    assert capfd.readouterr().out.isascii()


def test_a_file_that_was_there_is_replaced_and_the_recording_never() -> None:
    Path("old").write_text("old")
    Path("link").symlink_to("old")
    assert main(["export", HELD, "--to", "text", "-o", "link"]) == 0
    assert Path("link").is_symlink()
    assert Path("old").read_text().startswith("# ipctui pipe")
    before = recorded.path("held").read_bytes()
    Path("same").symlink_to(HELD)
    for name in (HELD, "same"):
        assert main(["export", HELD, "--to", "text", "-o", name]) == 2
    assert recorded.path("held").read_bytes() == before


def test_where_nothing_can_be_written(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for target, why in (("no/x", "No such file or directory"), (".", "Is a directory"), ("/dev/full", "No space left")):
        assert main(["export", HELD, "--to", "text", "-o", target]) == 1
        assert why in one_line(capfd.readouterr().err)
    assert main(["export", str(tmp_path), "--to", "text", "-o", "x"]) == 1
    assert "it is no file" in one_line(capfd.readouterr().err)
    assert os.listdir(tmp_path) == []
    assert main(["export", HELD, "--to", "text", "-o", "/dev/null"]) == 0


def test_an_export_that_fails_leaves_what_was_there(capfd: pytest.CaptureFixture[str]) -> None:
    Path("recording.jsonl").write_text(
        '{"kind":"header","format":"ipctui","version":1,"mechanism":"pipe","variant":"x"}\n'
    )
    Path("out").write_text("before")
    assert main(["export", "recording.jsonl", "--to", "text", "--times", "clock", "-o", "out"]) == 1
    assert "leave out --times clock" in one_line(capfd.readouterr().err)
    assert Path("out").read_text() == "before"
    assert sorted(os.listdir()) == ["out", "recording.jsonl"]


def test_a_damaged_recording_is_exported_and_the_damage_told(capfd: pytest.CaptureFixture[str]) -> None:
    whole = gzip.decompress(recorded.path("held").read_bytes())
    Path("cut.jsonl").write_bytes(whole[:20_000] + b"\x00\n" + whole[20_000:60_001])
    for name in ("perfetto", "asciicast", "text"):
        assert main(["export", "cut.jsonl", "--to", name, "-o", name]) == 0
        told = capfd.readouterr().err
        assert [line.rpartition(": ")[2] for line in told.splitlines()] == [
            "no JSON", "no JSON", "the last line is cut off; it was left out"
        ]  # fmt: skip
        assert os.stat(name).st_size > 1000
    load(Path("perfetto").read_text())


def test_calls_that_are_missing_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(recorded.path("torn")), "--to", "perfetto", "-o", "x"]) == 0
    assert "29,537 calls are not in the recording" in one_line(capfd.readouterr().err)


def test_a_mechanism_that_is_not_here(capfd: pytest.CaptureFixture[str]) -> None:
    Path("r").write_text('{"kind":"header","format":"ipctui","version":1,"mechanism":"pip","variant":"x"}\n')
    assert main(["export", "r", "--to", "asciicast", "-o", "x"]) == 2
    assert "did you mean 'pipe'" in one_line(capfd.readouterr().err)
    for name in ("perfetto", "text"):
        assert main(["export", "r", "--to", name, "-o", "x"]) == 0


def test_a_reader_that_stops_early_ends_it_quietly() -> None:
    words = [*IPCTUI, "export", str(recorded.path("torn")), "--to", "perfetto", "-o", "-"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(100)
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 0
    assert b"Traceback" not in told
    assert b"Error" not in told
