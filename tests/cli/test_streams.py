"""The laboratory without a screen: its output as a stream, a recording and a text, whatever reads it."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ipctui.cli.narrate import Narrator
from ipctui.cli.picture import replayed
from ipctui.kernel.own import FIRST_OWN_DESCRIPTOR
from ipctui.kernel.process import ProcessProbe
from ipctui.lab.summary import summary
from ipctui.mechanisms import catalogue
from ipctui.trace.record_json import to_json
from ipctui.trace.recording import lines_of as recording_lines
from ipctui.trace.recording import read_recording
from ipctui.trace.records import Lost, Summary
from tests.lab.conftest import IPCTUI, PATIENCE, Open, bench, lines_of, living, marked, new_mark, ran, waited

pytestmark = pytest.mark.real
__all__ = ["bench"]  # a fixture, found by its name

Started = subprocess.Popen[bytes]


def start(*words: str, env: dict[str, str] | None = None) -> Started:
    """Unbuffered, so that a line can be read alone and the rest later."""
    return subprocess.Popen(
        [*IPCTUI, *words], bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )


def at_their_gates(mark: str) -> list[int]:
    """The workers that sleep on a descriptor of the laboratory's own: one that is flat out does at its gate alone."""
    found = []
    for pid in living(mark):
        with contextlib.suppress(OSError), ProcessProbe(pid) as probe:
            sample = probe.sample()
            fd = sample.call.fd if sample.call is not None else None
            if sample.name in ("parent", "child") and fd is not None and fd >= FIRST_OWN_DESCRIPTOR:
                found.append(pid)
    return found


CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
VARIANTS = ("one-way", "two-way", "forgotten-end", "deadlock", "many-writers", "packets")


def counted(total: dict[str, object]) -> int:
    return sum(row["calls"] for one in total["processes"].values() for row in one["calls"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [
    ["run", "pipe", "--headless"], ["run", "pipe", "--headless", "--set", "rate=0"], ["run", "pipe", "--text"],
])  # fmt: skip
def test_stdout_that_closes_early_ends_it_quietly(words: list[str]) -> None:
    started = start(*words)
    assert started.stdout is not None
    assert started.stderr is not None
    assert started.stdout.readline()
    started.stdout.close()
    assert started.wait(PATIENCE) == 0
    assert started.stderr.read() == b""
    started.stderr.close()


@pytest.mark.parametrize(
    "words", [["list"], ["list", "--json"], ["keys"], ["themes"], ["doctor"], ["--help"], ["--version"]]
)
def test_nobody_reads_what_is_listed(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([*IPCTUI, *words], stdout=writer, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_shells_head_takes_one_line() -> None:
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" | head -1', "-", *IPCTUI, "run", "pipe", "--headless"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = lines_of(done.stdout)
    assert line["kind"] == "header"


@pytest.mark.parametrize("form", ["--headless", "--text"])
def test_sigint_ends_with_the_summary_and_status_0(form: str) -> None:
    started = start("run", "pipe", form)
    assert started.stdout is not None
    first = started.stdout.readline()
    started.send_signal(signal.SIGINT)
    rest, told = started.communicate(timeout=PATIENCE)
    assert (started.returncode, told) == (0, b"")
    if form == "--headless":
        lines = lines_of(first + rest)
        assert [place for place, line in enumerate(lines) if line["kind"] == "summary"] == [len(lines) - 1]
    else:
        assert b"\nsummary\n" in rest


def test_a_slow_reader_never_stalls_the_lab() -> None:
    mark = new_mark()
    started = start("run", "pipe", "--headless", "--set", "rate=0", "--for", "2", env=marked(mark))
    assert started.stdout is not None
    first = started.stdout.readline()
    # Nothing more is read until the laboratory has held everybody, as it does when its two seconds are over: the
    # parent may then sleep before a pipe that the held child has left full.
    waited(lambda: at_their_gates(mark), PATIENCE, "the end of the session, unread")
    rest, told = started.communicate(timeout=PATIENCE)
    assert (started.returncode, told) == (0, b"")
    lines = lines_of(first + rest)
    total = lines[-1]
    assert total["t"] > 1.9e9
    assert len({line["t"] for line in lines if line["kind"] == "counters"}) >= 4, "counters go on"
    # More was made than told; the counts are exact, and what is missing is counted.
    calls = [line for line in lines if line["kind"] == "call"]
    finished = sum(line["result"] is not None for line in calls)
    lost = sum(
        line["count"]
        for line in lines
        if line["kind"] == "lost" and line["why"] in ("overwritten", "not folded", "not written")
    )
    assert counted(total) > 10_000
    assert finished + lost == counted(total)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_output_in_a_file_is_a_recording_that_folds_to_its_own_summary(variant: str, tmp_path: Path) -> None:
    done = ran("run", "pipe", "--variant", variant, "--headless", "--for", "1", "--do", "0.3:hold child",
               "--do", "0.5:kill parent", "--do", "0.6:inject parent \x1b[2J", "--do", "0.7:restart all")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    file = tmp_path / "recording.jsonl"
    file.write_bytes(done.stdout)
    recording = read_recording(file)
    assert recording.problems == ()
    assert recording.header.variant == variant
    last = recording.records[-1]
    assert isinstance(last, Summary)
    again = summary(replayed(recording, None), catalogue.channel("pipe"))
    assert to_json(again) == to_json(last)
    # Written again it is the same, line by line.
    assert recording_lines([recording.header, *recording.records]).encode() == done.stdout


def test_a_picture_of_a_recording_shows_it(tmp_path: Path) -> None:
    file, picture = tmp_path / "recording.jsonl", tmp_path / "picture.svg"
    file.write_bytes(
        ran("run", "pipe", "--headless", "--set", "rate=0", "--for", "0.8", "--do", "0.2:hold child").stdout
    )
    for more in ((), ("--at", "0.5"), ("--lang", "ko"), ("--ascii",), ("--size", "80x24"), ("--theme", "projector")):
        done = ran("screenshot", str(file), "-o", str(picture), *more)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), more
        text = "".join(ET.fromstring(picture.read_bytes()).itertext()).replace("\xa0", " ")
        assert "parent" in text
        assert "pipe:[" in text or "write" in text
        picture.unlink()


def test_a_picture_of_a_mechanism_needs_no_terminal(tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    done = ran("screenshot", "pipe", "-o", str(picture), "--at", "0.5", "--variant", "deadlock", "--set", "rate=0")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert ET.fromstring(picture.read_bytes()).tag.endswith("svg")


def test_without_a_terminal_it_is_a_text_and_ends_by_itself() -> None:
    began = time.monotonic()
    done = ran(env={name: value for name, value in os.environ.items() if name != "TEXTUAL_DRIVER"})
    assert time.monotonic() - began > 4.5
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "write(4" in text
    assert "\nsummary\n" in text
    assert not CONTROL.search(text)


def test_list_and_keys_are_json() -> None:
    (pipe,) = (one for one in json.loads(ran("list", "--json").stdout) if one["name"] == "pipe")
    assert pipe["available"] is True
    assert [one["name"] for one in pipe["variants"]] == list(VARIANTS)
    for parameter in pipe["parameters"]:
        assert "default" in parameter
        assert ("choices" in parameter) or parameter["low"] <= parameter["default"] <= parameter["high"]
    keys = json.loads(ran("keys", "--json").stdout)
    assert len(keys["actions"]) > 20
    assert ran("list").stdout
    assert ran("keys").stdout


def test_doctor_and_clean_find_nothing_of_the_living() -> None:
    assert ran("doctor").returncode == 0
    assert ran("themes").returncode == 0


# Hostile payloads.

HOSTILE = [
    b"\x1b[2J\x1b[31mred", b"\x1b]0;title\x07", b"\x9b2J", "\u202eevil".encode(), b"\xff\xfe\xfa",
    b"tab\there\rthere\x08\x7f",
    "한국어 🙂".encode(), b"'\"\\%s{}$(reboot)",
]  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE, ids=repr)
def test_a_hostile_payload_is_shown_escaped(payload: bytes) -> None:
    words: list[bytes] = [
        word.encode() for word in (*IPCTUI, "run", "pipe", "--text", "--for", "0.8", "--set", "rate=2")
    ]
    done = subprocess.run(
        [*words, b"--do", b"0.1:inject parent " + payload],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert not CONTROL.search(text), repr(CONTROL.findall(text))
    assert "$ inject parent" in text
    assert re.search(r"write\(4, \"parent:\d+ ", text)


@pytest.mark.parametrize("payload", [
    "\x00\x01\x02nul", "\x1b[2J" * 5, "\udcff\udcc3(", "a\nb\x00\nc", "x" * 10_000_000, "\x1b[2J" * 2_500_000,
], ids=lambda text: f"{len(text)} {text[:12]!a}")  # fmt: skip
def test_a_payload_of_any_kind_goes_through_and_is_told_escaped_and_cut(bench: Open, payload: str) -> None:
    lab = bench("one-way", rate=2)
    caption = catalogue.caption("pipe")
    narrator = Narrator(lambda state: caption(state, "en"))
    told = io.StringIO()
    bytes_sent = len(os.fsencode(payload))
    outcome = lab.do(f"inject parent {payload}", 20)
    assert outcome.startswith("done"), outcome
    received = lambda: sum(row.bytes for row in lab.process("child").counters.calls if row.name == "read")  # noqa: E731
    lab.until(lambda: lab.process("child").counters is not None and received() > bytes_sent, 20, "all of it arrives")
    summary_of = lab.finish()
    told.write("\n".join(narrator.lines(lab.records, lab.lab.state)))
    text = told.getvalue()
    assert not CONTROL.search(text)
    assert len(text) < 200_000
    assert not any(isinstance(one, Lost) and one.why == "overwritten" for one in lab.records)
    # The JSON lines carry it, printable ASCII or letters; never a control character.
    for line in recording_lines(lab.records[1:] if len(payload) > 1000 else lab.records).split("\n"):
        assert not re.search(r"[\x00-\x1f]", line)
    if len(payload) > 1000:
        # Cut, with its true length: the message as the program wanted to write it.
        asked = [call.args for call in lab.calls("parent", "write") if call.args.startswith('4, "parent:')]
        length, name = max((int(args.rpartition(", ")[2]), args[4:].partition(" ")[0]) for args in asked)
        assert length == bytes_sent + len(f"{name} \n")
        assert f"({len(payload) + len('inject parent '):,} characters)" in text
    assert summary_of.processes["child"]["received"] >= 1
