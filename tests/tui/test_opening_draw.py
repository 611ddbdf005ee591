"""The opening screen as a picture: whole at every size, in both languages, in ASCII; and what its sentence claims."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ipctui.lab.pairs import Measured, Models, Sample
from ipctui.lab.parameters import settle
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import line_of
from ipctui.trace.records import Channel, Counters, Header, Item, Process, Record, State
from ipctui.tui.opening_draw import Opening, columns_of, costs_text, draw, first_row, fitting, rows_of
from ipctui.tui.opening_words import LESSON, verdict
from ipctui.tui.tiles import FOLDER, INSIDE, LARGEST, SHOWN, Miniature, Tile, tile

SECOND = 1_000_000_000
WAYS = ["spin", "semaphores", "pipe", "mailbox"]
RATES = st.floats(1000, 1e7)
SIZES = [(80, 24), (120, 36), (200, 60)]


def models(size: int = 64, problem: str = "", mailbox: bool = True, **rates: float) -> Models:
    rates = {"spin": 2e6, "semaphores": 6e5, "pipe": 1.2e6, "mailbox": 4e5} | rates
    ways = {way: Measured(Sample(rate, 2.0, 1e-6, 1.9, SECOND), t=SECOND) for way, rate in rates.items()}
    if not mailbox:
        ways["mailbox"] = Measured(refused="a message has at most 8,192 B", t=SECOND)
    return Models(size, ways, problem)


def session() -> list[Record]:
    """Four seconds in which a reader is held and a writer blocked by the full pipe."""
    records: list[Record] = [Header("pipe", "one-way")]
    for place, role in enumerate(("parent", "child")):
        records.append(Process(0, role, 10 + place, "started"))
        records.append(State(SECOND, role, 10 + place, "running"))
    records.append(Counters(SECOND, "parent", 10, (), 5, 0))
    records.append(State(2 * SECOND, "parent", 10, "blocked", since=2 * SECOND, reason="pipe full"))
    full = Channel(3 * SECOND, "pipe:[1]", 4096, 4096, items=(Item(None, "\x1b[2J", 3),))
    return [*records, full, State(4 * SECOND, "child", 11, "held")]


def stored(folder: Path, name: str = "pipe", records: list[Record] | None = None) -> Miniature:
    lines = "".join(line_of(record) for record in (session() if records is None else records))
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return Miniature(name, folder)


def tiles(count: int, folder: Path, refused: str = "") -> list[Tile]:
    made = [stored(folder, f"way{number}") for number in range(count)]
    return [Tile(each.name, f"title of {each.name}", "what it is about", refused, each) for each in made]


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_whole_at_every_size(size: tuple[int, int], language: str, ascii: bool, tmp_path: Path) -> None:
    shown = tiles(12, tmp_path)
    frame = draw(Opening(models(), shown, 12, 5, 20, t=3 * SECOND, ascii=ascii, language=language), *size)
    assert len(frame.rows) == size[1]
    assert all(sum(cell_len(text) for text, _ in row) == size[0] for row in frame.rows)
    text = frame.text()
    assert "1,200,000/s" in text
    assert text.count("2 s") >= 4, "the age of each way"
    assert "way5" in text, "the chosen tile is in sight"
    assert text.isascii() or not ascii or language == "ko"
    assert ("12/12" in text) is (size == SIZES[2])
    recorded = {"en": "recording", "ko": "기록"}[language]
    assert ascii or text.count(f" {recorded} ") >= min(12, columns_of(size[0]) * rows_of(size[1]))


def test_a_terminal_too_small_says_so() -> None:
    assert "80x24" in draw(Opening(models(), [], 0), 60, 20).text()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_cannot_be_measured_and_what_is_not_yet(language: str, tmp_path: Path) -> None:
    unknown = draw(Opening(Models(), tiles(1, tmp_path), 1, language=language), 80, 24).text()
    assert {"en": "measuring …", "ko": "재는 중 …"}[language] in unknown
    refused = draw(Opening(models(65536, mailbox=False), [], 1, language=language), 80, 24).text()
    assert "8,192 B" in refused
    failed = draw(Opening(models(problem="it has died"), [], 1, language=language), 80, 24).text()
    assert "it has died" in failed


def test_the_sentence_follows_the_figures_and_not_the_lecture() -> None:
    small = " ".join(verdict(models(spin=1e5), "en"))
    assert small.startswith("At 64 B the pipe was fastest, 2.0 times shared memory with semaphores.")
    assert "A write and a read cost less" in small
    large = " ".join(verdict(models(65536, pipe=3e4, spin=5e4, semaphores=9e4, mailbox=False), "en"))
    assert large.startswith("At 65,536 B shared memory with semaphores was fastest, 3.0 times the pipe.")
    assert "kernel page" in large
    assert "about even" in verdict(models(pipe=1e6, semaphores=1.05e6, spin=1e5), "en")[0]
    assert "kernel page" not in " ".join(verdict(models(pipe=1e6, semaphores=1.5e6), "en")), "64 B fill no page"


def test_spinning_without_two_cores_is_told_as_that() -> None:
    given_models = models()
    starved = Measured(Sample(900.0, 0.0, 1e-3, 0.4, SECOND), t=SECOND)
    given_models = Models(64, {**given_models.ways, "spin": starved})
    for language, words in (("en", "wants two cores and had 0.4"), ("ko", "0.4개만")):
        assert words in " ".join(verdict(given_models, language))


@given(st.dictionaries(st.sampled_from(["spin", "semaphores", "pipe", "mailbox"]), st.floats(1, 1e9)))
def test_any_figures_make_sentences_in_both_languages(rates: dict[str, float]) -> None:
    for language in ("en", "ko"):
        said = verdict(models(**rates), language)
        assert all(said)
        assert all(len(fitting(said, 78, most)) <= most for most in (2, 3))


@given(st.sampled_from([64, 1024, 4096, 65536]), st.dictionaries(st.sampled_from(WAYS), RATES))
def test_why_is_told_in_the_smallest_terminal_too(size: int, rates: dict[str, float]) -> None:
    for language in ("en", "ko"):
        said = verdict(models(size, **rates), language)
        lines = fitting(said, 78, 2)
        assert " ".join(lines).startswith(" ".join(" ".join(said[:2]).split()))


@pytest.mark.parametrize("cpu", [1.6e-6, 9.96e-6, 72.8e-6, 999.6e-6, 1.2e-3, 0.8, 12.0])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_costs_are_whole_in_the_smallest_terminal(cpu: float, language: str) -> None:
    figures = models()
    slow = {way: Measured(Sample(900.0, 18.0, cpu, 1.9, SECOND), t=SECOND) for way in figures.ways}
    text = draw(Opening(Models(65536, slow), [], 1, t=SECOND, language=language), 80, 24).text()
    assert text.count({"en": "1.9 cores", "ko": "코어 1.9"}[language]) == 4


def test_costs_are_told_with_their_units() -> None:
    sample = Sample(1e6, 2.04, 1.25e-6, 1.93, 0)
    assert costs_text(sample, "en") == "2.0 calls · CPU 1.2 µs · 1.9 cores"
    assert "코어 1.9" in costs_text(sample, "ko")


@given(st.integers(0, 30), st.integers(1, 8), st.integers(1, 31))
def test_the_chosen_row_is_always_in_sight(selected: int, rows: int, total: int) -> None:
    selected = min(selected, total - 1)
    first = first_row(selected, rows, total)
    assert 0 <= first <= max(0, total - rows)
    assert first <= selected < first + rows


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_help_is_narrow(language: str) -> None:
    assert max(map(cell_len, LESSON[language].splitlines())) <= 80


# Miniatures.


def test_a_miniature_plays_its_recording_round_and_round(tmp_path: Path) -> None:
    miniature = stored(tmp_path)
    pictures = [miniature.picture(step) for step in range(60)]
    assert miniature.ended
    length = miniature.length
    assert 20 <= length < 40
    assert pictures[length] == pictures[0]
    assert miniature.time_of(length) == miniature.time_of(0)
    last = "\n".join("".join(text for text, _ in row) for row in pictures[length - 1])
    assert "4,096" in last
    assert "parent ■ BLOCKED" in last
    assert all(sum(cell_len(text) for text, _ in row) == INSIDE[0] for row in pictures[0])


def test_a_miniature_counts_in_its_reader_s_language(tmp_path: Path) -> None:
    ring = Channel(2 * SECOND, "/dev/shm/ring", 3, 7, unit="slots", type="shm")
    stored(tmp_path, records=[*session()[:-2], ring, session()[-1]])
    lines = {
        language: "".join(text for row in Miniature("pipe", tmp_path, language=language).picture(8) for text, _ in row)
        for language in ("en", "ko")
    }
    assert "3 of 7 slots" in lines["en"]
    assert "3 / 7 슬롯" in lines["ko"]


def test_a_mechanism_without_a_recording_says_so(tmp_path: Path) -> None:
    miniature = Miniature("nothing", tmp_path)
    assert miniature.picture(3) == ()
    lacking = Tile("nothing", "Nothing", "about nothing", "", miniature)
    assert "no recording; Enter starts it" in draw(Opening(models(), [lacking], 1), 80, 24).text()
    refused = Tile("nothing", "Nothing", "about nothing", "no such kernel", miniature)
    assert "does not run here: no such kernel" in draw(Opening(models(), [refused], 1), 80, 24).text()


DAMAGED = {
    "empty": b"",
    "no gzip": b"no gzip at all",
    "cut off": gzip.compress(b"")[:-4],
    "no records": gzip.compress(b"[]\n{}\n"),
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_recording_is_told_and_nothing_else_happens(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "pipe.jsonl.gz").write_bytes(raw)
    miniature = Miniature("pipe", tmp_path)
    assert miniature.picture(0) == ()
    assert miniature.missing in ("the recording is damaged", "the recording is empty")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=40
)
@given(st.binary(max_size=300))
def test_any_bytes_in_a_recording_are_survived(tmp_path: Path, raw: bytes) -> None:
    whole = gzip.compress("".join(map(line_of, session())).encode() + b"\n" + raw)
    (tmp_path / "pipe.jsonl.gz").write_bytes(whole)
    assert Miniature("pipe", tmp_path).picture(100)


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.jsonl.gz")))
def test_what_is_shipped_plays_and_names_no_machine(name: str) -> None:
    path = FOLDER / f"{name}.jsonl.gz"
    assert path.stat().st_size <= LARGEST
    header = json.loads(gzip.decompress(path.read_bytes()).split(b"\n", 1)[0])
    assert header["mechanism"] == name
    assert header["machine"]["release"].replace(".", "").isdigit()
    made = tile(catalogue.channel(name))
    seen = {made.miniature.picture(step) for step in range(40)}
    assert len(seen) > 5, "it moves"


def test_what_a_tile_shows_can_be_run() -> None:
    assert set(SHOWN) <= set(catalogue.NAMES)
    for name, shown in SHOWN.items():
        channel = catalogue.channel(name)
        assert shown.variant is None or shown.variant in [variant.name for variant in channel.variants]
        settle(channel.parameters(), {}, shown.settings)
