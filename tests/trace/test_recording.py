import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipctui.trace.recording import Recording, RecordingError, line_of, lines_of, read_recording
from ipctui.trace.records import VERSION, Event, Header, Lost, Record, Unknown

from .given import ANY_RECORD

HEADER = Header("pipe", "one-way", {"size": 64}, "2025-01-01T00:00:00.000Z")
BODY: list[Record] = [Lost(number, number, "overwritten", "parent") for number in range(1, 200)]
TEXT = lines_of([HEADER, *BODY]).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lesson.ipctui"


def written(path: Path, raw: bytes) -> Recording:
    path.write_bytes(raw)
    return read_recording(path)


def read_or_refused(path: Path, raw: bytes) -> Recording | None:
    """The recording, or None where the file was refused; any other exception fails the test."""
    try:
        return written(path, raw)
    except RecordingError:
        return None


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_recording_is_read_back_whole(path: Path, pack: type[bytes]) -> None:
    assert written(path, pack(TEXT)) == Recording(HEADER, tuple(BODY), ())


@given(records=st.lists(ANY_RECORD, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_records_are_read_back(path: Path, records: list[Record]) -> None:
    assert written(path, lines_of([HEADER, *records]).encode()) == Recording(HEADER, tuple(records), ())


def test_a_line_holds_no_newline_of_its_own() -> None:
    line = line_of(Event(1, "said", data={"text": "one\ntwo\u2028three\x85four"}))
    assert line.count("\n") == 1
    assert line.endswith("}\n")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_that_is_cut_off_is_left_out_and_told(path: Path, cut: int) -> None:
    recording = written(path, TEXT[:-cut])
    assert recording.records == tuple(BODY[:-1])
    (problem,) = recording.problems
    assert problem == f"{path}:{len(BODY) + 1}: the last line is cut off; it was left out"


@given(st.integers(1, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_gzip_file_that_is_cut_off_gives_what_is_whole(path: Path, cut: int) -> None:
    packed = gzip.compress(TEXT)
    cut = min(cut, len(packed) - 2)
    recording = read_or_refused(path, packed[:-cut])
    if recording is None:
        return
    assert recording.records == tuple(BODY[: len(recording.records)])
    assert recording.problems
    assert "cut off" in recording.problems[-1]


def test_a_damaged_gzip_file_is_told(path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 0xFF  # its check sum
    recording = written(path, bytes(packed))
    assert recording.records == tuple(BODY)
    assert "damaged" in recording.problems[0]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "no JSON"),
        ('{"kind":"lost","t":"noon","count":1,"why":""}', "lost: t: a whole number is needed, not text"),
        ("[1, 2]", "a record is an object with a kind"),
        ("[" * 100_000, "no JSON"),
        ("", "no JSON"),
    ],
    ids=["syntax", "type", "list", "deep", "blank"],
)
def test_a_damaged_line_is_skipped_and_told_by_its_number(path: Path, line: str, why: str) -> None:
    raw = lines_of([HEADER, *BODY[:2]]) + line + "\n" + lines_of(BODY[2:4])
    recording = written(path, raw.encode())
    assert recording.records == tuple(BODY[:4])
    assert recording.problems == (f"{path}:4: skipped: {why}",)


def test_a_newer_version_is_read_as_far_as_it_is_known(path: Path) -> None:
    newer = Header("pipe", "one-way", version=VERSION + 1)
    recording = written(path, (lines_of([newer, BODY[0]]) + '{"kind":"hologram","t":3}\n').encode())
    assert recording.records == (BODY[0], Unknown(3, "hologram"))
    (problem,) = recording.problems
    assert f"version {VERSION + 1}" in problem


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "the file is empty"),
        (b"root:x:0:0:root:/root:/bin/bash\n", ":1: this is no recording of ipctui: no JSON"),
        (b'{"kind":"header"}\n', ":1: this is no recording of ipctui: header: mechanism is missing"),
        (b'{"version":2,"width":80}\n[0.1,"o","x"]\n', ":1: this is no recording of ipctui: a record is an object"),
        (lines_of(BODY[:1]).encode(), ":1: this is no recording of ipctui: its first line is no header"),
        (line_of(Header("pipe", "one-way", format="other")).encode(), "its first line is no header"),
        (b"\x1f\x8b", ""),
        (b"\x1f\x8bnot gzip at all\n", ""),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(path: Path, raw: bytes, told: str) -> None:
    with pytest.raises(RecordingError) as raised:
        written(path, raw)
    assert str(raised.value).startswith(str(path))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_cannot_be_opened_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file or directory"):
        read_recording(tmp_path / "missing")
    with pytest.raises(RecordingError, match="Is a directory"):
        read_recording(tmp_path)
    if os.geteuid():
        (tmp_path / "closed").write_bytes(TEXT)
        (tmp_path / "closed").chmod(0)
        with pytest.raises(RecordingError, match="Permission denied"):
            read_recording(tmp_path / "closed")


@given(
    st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08", TEXT[:400], gzip.compress(TEXT)[:200], gzip.compress(b"")]),
    st.binary(max_size=300),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_garbage_is_refused_or_told(path: Path, beginning: bytes, garbage: bytes) -> None:
    recording = read_or_refused(path, beginning + garbage)
    if recording is not None:
        assert recording.header.mechanism == "pipe"
        assert recording.problems
