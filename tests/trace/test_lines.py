"""Lines of files, read once through and then anywhere."""

import gzip
import os
import random
import threading
import zlib
from pathlib import Path

import pytest

from ipctui.trace import lines
from ipctui.trace.lines import Line, LineFile

RANDOM = random.Random(7)
TEXT = b"".join(b"%d %d\n" % (number, RANDOM.getrandbits(RANDOM.randrange(8, 4000))) for number in range(9000))


def flushed(text: bytes) -> bytes:
    """As the recorder packs: pieces that are whole each."""
    packer = zlib.compressobj(3, zlib.DEFLATED, 31)
    parts = [
        packer.compress(text[at : at + 5000]) + packer.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(text), 5000)
    ]
    return b"".join(parts) + packer.flush()


PACKS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "flushed": flushed,
    "members": lambda text: gzip.compress(text[:1_000_000]) + gzip.compress(text[1_000_000:]),
}


@pytest.mark.parametrize("pack", PACKS)
def test_any_part_is_read_again(tmp_path: Path, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_BLOCK", 10_000)
    monkeypatch.setattr(lines, "_MOST_POINTS", 8)
    path = tmp_path / "text"
    path.write_bytes(PACKS[pack](TEXT))
    file = LineFile(path)
    file._spacing = 50_000
    problems: list[str] = []
    found = list(file.lines(problems))
    assert problems == []
    assert b"".join(line.raw + b"\n" for line in found) == TEXT
    assert [line.number for line in found] == list(range(1, 9001))
    assert file.at == file.size == path.stat().st_size
    assert len(file._points) <= 8
    for _ in range(60):
        place = RANDOM.randrange(len(TEXT))
        size = RANDOM.choice((1, 300, 60_000))
        assert file.read(place, size) == TEXT[place : place + size]
    line = RANDOM.choice(found)
    assert file.read(line.place, len(line.raw)) == line.raw
    assert file.read(len(TEXT) - 5, 300) == TEXT[-5:]
    file.close()
    file.close()


def test_a_line_without_end_stops_the_reading_and_not_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "zeros.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(b"first\n")
        for _ in range(40):
            file.write(bytes(1 << 20))
    opened = LineFile(path)
    problems: list[str] = []
    assert list(opened.lines(problems)) == [Line(1, 0, b"first")]
    assert problems == [f"{path}:2: a line of more than 16 MB; nothing is read after it"]
    opened.close()


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(gzip.compress(TEXT)))
    writer.start()
    file = LineFile(path)
    writer.join()
    problems: list[str] = []
    assert sum(len(line.raw) + 1 for line in file.lines(problems)) == len(TEXT)
    assert file.read(100, 50) == TEXT[100:150]
    file.close()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        LineFile(tmp_path)
    with pytest.raises(OSError, match="neither a file nor a pipe"):
        LineFile(Path("/dev/null"))
