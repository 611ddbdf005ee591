"""The command line in Korean: every line that it prints, whatever is typed; and when it does not speak Korean."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ipctui.cli import COMMANDS, main
from ipctui.lab.parameters import printable
from ipctui.widgets import language
from tests.cli.test_usage import WRONG, one_line
from tests.lab.conftest import IPCTUI

HANGUL = re.compile("[가-힣]")


@pytest.fixture(autouse=True, scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A current folder and a configuration of their own, in no language."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
            patch.delenv(name, raising=False)
        yield folder


def said(*words: str, encoding: str = "utf-8") -> tuple[int, str, str]:
    """A command line's exit status, and what it says on its two outputs."""
    out, told = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
        try:
            status = main(words)
        except SystemExit as left:  # --help and --version
            status = int(left.code or 0)
    texts = []
    for stream in (out, told):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))
    return status, texts[0], texts[1]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_one_line_in_korean_with_the_same_status(words: str) -> None:
    typed = [] if "--lang" in words else ["--lang", "ko"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANG", "ko_KR.UTF-8")
        status, out, told = said(*typed, *words.split())
    assert (status, out) == (2, "")
    assert HANGUL.search(one_line(told)), told


# What the person typed.

FRAGMENTS = ["processes", "contents", "done", "exited", "writer1가", "p2는", "{}", "{0}", "{=}", ": ", "; ", "'", '"',
             "=", "refused: ", ": done: ", "there is no ", "did you mean ", "a whole number from ", " is 0", "x:3: ",
             "\\", "no file of this name", "Is a directory", "--lang", "한글", " ", "…"]  # fmt: skip
TYPED = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map("".join) | st.text(min_size=1, max_size=30)
PLACES = {
    "size": ("run", "pipe", "--set", "size=?{}"),  # so that it is no number
    "variant": ("run", "pipe", "--variant", "{}"),
    "setting": ("run", "pipe", "--set", "{}"),
    "file": ("export", "{}.nowhere", "--to", "text", "-o", "-"),
    "output": ("screenshot", "pipe", "-o", "{}.gif"),
    "mechanism": ("run", "pipe{}"),
    "command": ("run", "pipe", "--do", "1:hodl {}"),
    "theme": ("themes", "extra{}"),
}


@pytest.mark.parametrize("place", PLACES)
@given(typed=TYPED)
def test_what_was_typed_comes_back_as_it_was(place: str, typed: str) -> None:
    if typed.startswith("-") or "\0" in typed or "/" in typed or any(0xD800 <= ord(char) < 0xE000 for char in typed):
        return
    words = [word.replace("{}", typed) for word in PLACES[place]]
    english, korean = said("--lang", "en", *words), said("--lang", "ko", *words)
    assert english[0] == korean[0] != 0
    one_line(korean[2])
    shown = printable(words[-1].partition("=")[2] if place == "size" else typed, 20).rstrip("…")
    for form in (shown, repr(shown)[1:-1]):
        if form in english[2]:
            assert form in korean[2], (english[2], korean[2])


@pytest.mark.parametrize(
    "name", ["processes", "done", "refused: x", "a: no file of this name", "writer1가", "Is a directory"]
)
def test_names_of_files_are_no_sentences(name: str, elsewhere: Path) -> None:
    file = elsewhere / f"{name}.jsonl"
    file.write_text('{"kind":"call"}\n')
    status, _, told = said("--lang", "ko", "replay", "--headless", file.name)
    assert status == 1
    assert told == f"ipctui: {file.name}:1: ipctui의 기록이 아니다: call: process 없음\n"
    (elsewhere / name).mkdir(exist_ok=True)
    status, _, told = said("--lang", "ko", "replay", "--headless", name)
    assert told == f"ipctui: {name}: 디렉터리임 (EISDIR)\n"


# Files.


def test_a_damaged_recording_is_told_line_by_line(elsewhere: Path) -> None:
    header = '{"kind":"header","format":"ipctui","version":1,"mechanism":"pipe","variant":"one-way"}\n'
    file = elsewhere / "damaged.jsonl"
    file.write_text(header + '{"kind":"call","process":7}\nno\n{"kind":"lost","t":1')
    for words in (("replay", "--headless", "damaged.jsonl"), ("export", "damaged.jsonl", "--to", "text", "-o", "-"),
                  ("screenshot", "damaged.jsonl", "-o", "x.svg")):  # fmt: skip
        status, _, told = said("--lang", "ko", *words)
        assert status == 0
        lines = told.splitlines()
        assert lines == [
            "ipctui: damaged.jsonl:2: 건너뜀: call: process: 필요한 것은 글, 적힌 것은 정수",
            "ipctui: damaged.jsonl:3: 건너뜀: JSON이 아님",
            "ipctui: damaged.jsonl:4: 마지막 줄이 잘려 있어 뺐다",
        ]


@pytest.mark.parametrize(
    "text",
    [
        "", "mechanism = 7", 'mechanism = "pip"', 'mechanism = "pipe"', "no toml", "a = " + "[" * 5000,
        'mechanism = "pipe"\nvariant = "on-way"\n[[step]]', 'mechanism = "pipe"\n[set]\nsize = 0\n[[step]]',
        'mechanism = "pipe"\n[[step]]\ndo = "hodl child"', 'mechanism = "pipe"\n[[step]]\ndo = "hold chidl"',
        'mechanism = "pipe"\n[[step]]\nexpect = "child blockd"', 'mechanism = "pipe"\n[[step]]\nexpect = ""',
        'mechanism = "pipe"\n[[step]]\nexpect = "child received 5"', 'mechanism = "pipe"\n[[step]]\nat = "x"',
        'mechanism = "pipe"\n[[step]]\nat = 2\n[[step]]\nat = 1', 'mechanism = "pipe"\n[[step]]\ncaption = 7',
        'mechanism = "pipe"\n[[step]]\nstop = 1', 'mechanism = "pipe"\n[[step]]\ndo = 7',
        'mechanism = "pipe"\nset = 1\n[[step]]',
        'mechanism = "pipe"\n[[step]]\nexpect = "child error"', 'mechanism = "pipe"\n[[step]]\nselect = "nobody"',
    ],
)  # fmt: skip
def test_a_lecture_that_cannot_be_played(text: str, elsewhere: Path) -> None:
    (elsewhere / "lecture.toml").write_text(text)
    status, _, told = said("--lang", "ko", "run", "lecture.toml")
    assert status == 2
    assert HANGUL.search(one_line(told)), told
    assert told.startswith("ipctui: lecture.toml:")


@pytest.mark.parametrize("words", [
    "run fifo --set name=/nowhere/x", "run mailbox --set name=x", "run mailbox --set name=/a/b", "run shm --set name=%",
    "run shm --set name=/a/b", "run shm --set size=99", "run socket --set group=1.2.3.4", "run xdr --set value=x",
    "run rpc --variant matchmaker --set port=5005 --set server=5005", "run direct --variant forged --set size=1",
    "run mailbox --set size=9999", "run pipe --record-limit 0", "run pipe --headless --record /nowhere/x",
    "run no.toml", "run xdr --variant string --set value=\0", "export no.jsonl --to text -o -",
    "export no.jsonl --to txt -o -", "export no.jsonl --to text -o - --width 7", "replay --headless no.jsonl",
    "screenshot pipe -o x.svg --zoom prt", "screenshot pipe -o x.svg --select nobody --at 0.1",
    "screenshot pipe -o /nowhere/x.svg --at 0.1",
])  # fmt: skip
def test_other_refusals(words: str) -> None:
    status, out, told = said("--lang", "ko", *words.split())
    assert (status, out) == (said(*words.split())[0], "")
    assert status in (1, 2)
    assert HANGUL.search(one_line(told)), told
    assert not re.search("[a-z]+ [a-z]+ [a-z]+", told), f"English is left: {told}"


def test_a_theme_that_is_not_valid(elsewhere: Path) -> None:
    folder = elsewhere / "ipctui" / "themes"
    folder.mkdir(parents=True, exist_ok=True)
    shipped = Path(main.__code__.co_filename).resolve().parents[2] / "themes" / "dark.toml"
    whole = shipped.read_text().replace('name = "dark"', 'name = "mine"')
    for old, new in (
        ("dark = true", 'dark = "yes"'),
        ('title = "Calm', 'titel = "Calm'),
        ('name = "mine"', 'name = "MINE"'),
        ('title = "Calm', 'title = "\\u0007'),
        ("[roles]", "roles = 7\n[rules]"),
        ("[roles]", '[roles]\nblocked = "no colour at all"\n[rest]'),
        ("[roles]", "[roles"),
    ):
        assert old in whole
        (folder / "mine.toml").write_text(whole.replace(old, new, 1))
        status, out, _ = said("--lang", "ko", "themes")
        (line,) = (line for line in out.splitlines() if line.startswith(str(folder)))
        assert status == 0
        assert HANGUL.search(line), line
    (folder / "mine.toml").write_text(whole.replace('title = "Calm colours on near black"', 'title = "valid"'))
    _, out, _ = said("--lang", "ko", "themes")
    assert re.search(rf"^mine +valid +{folder}/mine.toml +쓸 수 있음$", out, re.MULTILINE), "a title is its author's"
    (folder / "mine.toml").unlink()


# What is printed where nothing is wrong.


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, told = said("--lang", "ko", *command.split(), "--help")
    assert (status, told) == (0, "")
    first, *rest = out.splitlines()
    assert first.startswith("사용법: ipctui")
    assert "옵션:" in rest
    assert all(cell_len(line) <= 80 for line in out.partition("형식:")[0].partition("예:")[0].splitlines())
    assert not re.search(r"\b(usage|options|positional|arguments|show|message|exit)\b", out)
    english = said("--lang", "en", *command.split(), "--help")[1]
    assert [line.split()[0] for line in english.splitlines() if line.startswith("  -")] == [
        line.split()[0] for line in rest if line.startswith("  -")
    ], "options are called as they are"


@pytest.mark.parametrize("words", ["list", "keys", "themes", "doctor", "clean"])
def test_what_is_told_for_people(words: str) -> None:
    status, out, told = said(words, "--lang", "ko")
    assert (status, told) == (0, "")
    assert HANGUL.search(out)
    english = said(words)[1]
    assert not HANGUL.search(english)
    assert len(out.splitlines()) == len(english.splitlines())
    # Three English words one after another are a sentence, but for a path or what the machine is called.
    left = [line for line in out.splitlines() if re.search(r"(?<![/\w])[a-z]{3,} [a-z]{2,} [a-z]{2,}", line)]
    assert left == []


@pytest.mark.parametrize("words", [["list", "--json"], ["keys", "--json"]])
def test_json_is_a_contract_in_every_language(words: list[str]) -> None:
    english, korean = said(*words), said("--lang", "ko", *words)
    assert english == korean
    assert json.loads(said(*words, encoding="ascii")[1]) == json.loads(english[1])


def test_a_session_told_as_text() -> None:
    command = "0.2:inject parent processes: done; refused: writer1가"
    done = subprocess.run(
        [*IPCTUI, "--lang", "ko", "run", "pipe", "--text", "--for", "1", "--do", command, "--do", "0.4:hold child"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert f"$ {command.partition(':')[2]}" in text
    assert "parent  시작했다" in text
    assert "\n요약\n" in text
    assert re.search(r"write\(4, \"parent:\d+ ", text)
    assert not re.search(r"\b(started|summary|sent|received|calls|bytes|blocked|held|before)\b", text)


# Which language.


def run(words: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        [*IPCTUI, *words],
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("environment", [
    {"LC_ALL": "ko_KR.UTF-8"}, {"LANG": "ko_KR.UTF-8"}, {"LC_MESSAGES": "ko_KR.utf8", "LANG": "C"},
], ids=str)  # fmt: skip
def test_the_locale_is_honoured_before_the_words_are_understood(environment: dict[str, str]) -> None:
    environment = {"PYTHONUTF8": "1", **environment}
    for words in (["rnu"], ["run", "pip"], ["--bogus"], ["keys", "--jsn"]):
        done = run(words, **environment)
        assert (done.returncode, done.stdout) == (2, b"")
        assert HANGUL.search(one_line(done.stderr.decode()))
        for more in (["--lang", "en"], ["--ascii"]):
            assert not HANGUL.search(run([*more, *words], **environment).stderr.decode()), more
    assert run(["--help"], **environment).stdout.decode().startswith("사용법")


def test_the_setting_is_honoured(elsewhere: Path) -> None:
    settings = elsewhere / "ipctui" / "settings.toml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text('language = "ko"\n')
    try:
        assert HANGUL.search(said("rnu")[2])
        assert HANGUL.search(said("list")[1])
        assert not HANGUL.search(said("--lang", "en", "list")[1])
        assert not HANGUL.search(said("--lang=en", "rnu")[2])
        assert not HANGUL.search(said("--ascii", "rnu")[2])
    finally:
        settings.unlink()


@pytest.mark.parametrize("words", [["--lang", "fr", "list"], ["list", "--lang"], ["--lang"], ["--lang="]])
def test_a_language_that_is_none(words: list[str]) -> None:
    status, _, told = said(*words)
    assert status == 2
    assert not HANGUL.search(one_line(told))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANG", "ko_KR.UTF-8")
        assert HANGUL.search(one_line(said(*words)[2]))


@pytest.mark.parametrize("words", [
    ["rnu"], ["--help"], ["export", "--help"], ["screenshot", "--help"], ["list"], ["keys"], ["themes"], ["doctor"],
    ["clean"], ["run", "pipe", "--text", "--for", "0.3"],
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_without_hangul_is_told_in_english(words: list[str], encoding: str) -> None:
    done = run(["--lang", "ko", *words], PYTHONIOENCODING=encoding)
    assert done.returncode == (2 if words == ["rnu"] else 0), done.stderr
    both = done.stdout + done.stderr
    assert not HANGUL.search(both.decode("utf-8", "replace"))
    assert b"Error" not in done.stderr
    assert b"\\u" not in both


def test_no_catalogue_is_read_where_the_language_is_english() -> None:
    code = (
        "import sys\n"
        "from ipctui.cli import main\n"
        "for words in ('rnu', 'run pip', 'run pipe --set size=0', 'themes', 'doctor', 'list'):\n"
        "    main(words.split())\n"
        "known = sys.modules.get('ipctui.widgets.language')\n"
        "print(known._catalogue.cache_info().currsize if known else 0, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == "0", done.stderr


def test_the_language_is_not_loaded_for_a_word_in_english() -> None:
    code = "import sys; from ipctui.cli import main; main(['rnu']); sys.exit('ipctui.widgets.language' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False).returncode == 0


def test_long_texts_are_looked_up_in_no_time() -> None:
    """A hostile text is matched with every sentence; none of them may take it apart in more than a moment."""
    for text in ("'" * 1000, ": " * 500, "there is no a" * 70, "a whole number from 1 to " * 40, "x:1: " * 200):
        assert language.in_language("ko", text, outcome=False) is not None
