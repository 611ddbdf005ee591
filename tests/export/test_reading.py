"""Reading a recording for an export: the fast way takes what the slow way takes, and damage is told."""

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.export.reading import LATEST, Source, item_of
from ipctui.trace.record_json import RecordError, from_json, to_json
from ipctui.trace.recording import RecordingError, read_recording
from ipctui.trace.records import Call, State
from tests import recorded
from tests.export.given import call, state, stored
from tests.trace.given import ANY_RECORD, JSON

TIMES = ("t", "begin", "end", "since", "until")


def outcome(read: Any, body: Any) -> Any:
    try:
        made = read(body)
    except RecordError:
        return RecordError
    return from_json(made) if isinstance(made, dict) else made


def late(record: Any) -> bool:
    times = (getattr(record, name, None) for name in TIMES)
    return any(time is not None and not -LATEST < time < LATEST for time in times)


@given(ANY_RECORD)
@settings(max_examples=300)
def test_every_record_is_read_as_from_json_reads_it(record: Any) -> None:
    body = to_json(record)
    assert outcome(item_of, body) == (RecordError if late(record) else from_json(body))


@given(
    st.sampled_from([call("child", "read", 1, 2, message=("a",)), state("child", 9, "blocked", wakers=("a",))]),
    st.data(),
)
@settings(max_examples=300)
def test_one_wrong_value_is_refused_by_both(record: Call | State, data: st.DataObject) -> None:
    body = to_json(record)
    name = data.draw(st.sampled_from([*body, "before", "since", "new"]))
    value = data.draw(JSON.filter(lambda value: type(value) is not float))
    if data.draw(st.booleans()):
        body[name] = value
    else:
        body.pop(name, None)
    slow = outcome(from_json, body)
    assert outcome(item_of, body) == (RecordError if slow is not RecordError and late(slow) else slow)


@pytest.mark.parametrize("name", ["hostile", "torn", "twelve"])
def test_a_recording_is_read_as_a_whole_reading_reads_it(name: str) -> None:
    source = Source(recorded.path(name))
    assert tuple(source.records()) == read_recording(recorded.path(name)).records
    assert tuple(source.records()) == recorded.recording(name).records, "and again"
    assert source.told() == ()


def test_damaged_lines_are_skipped_and_told(tmp_path: Path) -> None:
    path = stored(tmp_path, call("child", "read", 1, 2))
    with path.open("a") as file:
        file.write('{"kind":"call"}\n{"kind":"state","t":1e9}\n\n{}{}\nnull\n')
        file.write('{"kind":"lost","t":99999999999999999,"count":1,"why":"x"}\n')
        file.write('{"kind":"lost","t":5,"count":1,"why":"x"}\n{"kind":"lo')
    source = Source(path)
    assert [record.kind for record in source.records()] == ["call", "lost"]
    told = source.told()
    assert [line.partition(":")[2].partition(":")[0] for line in told] == ["3", "4", "5", "6", "7", "8", "10"]
    assert "a time that no session has" in told[5]
    assert "cut off" in told[6]
    list(source.records())
    assert source.told() == told, "told once for each reading"


def test_many_damaged_lines_are_counted(tmp_path: Path) -> None:
    path = stored(tmp_path)
    with path.open("a") as file:
        file.write("x\n" * 500)
    source = Source(path)
    assert list(source.items()) == []
    assert len(source.told()) == 21
    assert source.told()[-1].endswith("480 more lines were skipped")


@pytest.mark.parametrize("content", [b"", b"x\n", b'{"kind":"call"}\n', b"\x1f\x8bno gzip", b'{"kind":"header"'])
def test_what_is_no_recording(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="file"):
        Source(path)


def test_the_earliest_time(tmp_path: Path) -> None:
    assert Source(stored(tmp_path, call("child", "read", 5, 9, -1))).earliest() == 0
    told = (call("child", "read", -5, 9), state("child", 3, "blocked", since=-17), call("child", "read", -6, -2, -1))
    path = stored(tmp_path, *told)
    assert Source(path).earliest() == -17
    path.write_text(path.read_text().replace('":', '": '))
    assert Source(path).earliest() == -17


def test_a_cut_or_flipped_file_is_exported_as_far_as_it_goes(tmp_path: Path) -> None:
    import io

    from ipctui.export.perfetto import write_perfetto
    from tests.export.chrome import load

    whole = gzip.decompress(recorded.path("held").read_bytes())
    chance = random.Random(5)
    refusals: list[str] = []
    for turn in range(60):
        raw = bytearray(whole)
        if turn % 2:
            del raw[chance.randrange(len(raw)) :]
        for _ in range(turn % 3 * 20):
            if raw:
                raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        path = tmp_path / "damaged.jsonl"
        path.write_bytes(gzip.compress(bytes(raw), 1) if turn % 4 == 0 else bytes(raw))
        out = io.StringIO()
        try:
            source = Source(path)
            write_perfetto(source, out)
        except RecordingError as error:
            refusals.append(str(error))
            continue
        load(out.getvalue())
    assert not [refusal for refusal in refusals if "\n" in refusal]
