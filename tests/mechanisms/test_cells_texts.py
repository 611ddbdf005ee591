"""Captions, lessons, Korean and the drawing of the cells: there is a sentence for every moment, and it fits."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ipctui.lab.state import LabState
from ipctui.mechanisms import catalogue
from ipctui.mechanisms.buffering import pane as buffering_pane
from ipctui.mechanisms.sync import pane as sync_pane
from ipctui.mechanisms.sync.counts import Sums
from ipctui.mechanisms.sync.pane import next_rate
from ipctui.mechanisms.sync.words import count_lines, short, size_text
from ipctui.widgets.canvas import Frame, width_of, wrapped
from ipctui.widgets.language import is_translated
from ipctui.widgets.view import View
from tests.mechanisms.cells import CELLS, Open, done, opened

FOLDERS = [Path(module.__file__).parent for module in (sync_pane, buffering_pane)]
LISTINGS = [file for folder in FOLDERS for file in sorted((folder / "listing").glob("*.c"))]
HANGUL = re.compile("[가-힣]")


@pytest.fixture
def cells() -> Iterator[Open]:
    yield from opened("sync")


@pytest.fixture
def buffers() -> Iterator[Open]:
    yield from opened("buffering")


def fits(mechanism: str, state: LabState, part: str) -> None:
    english, korean = (catalogue.caption(mechanism)(state, language) for language in ("en", "ko"))
    assert part in english
    assert HANGUL.search(korean)
    for sentence in (english, korean):
        lines = wrapped(sentence, 78, 4)
        assert len(lines) <= 3, sentence
        assert not lines[-1].endswith("…")


def whole(frame: Frame, width: int, height: int) -> str:
    assert (frame.width, frame.height, len(frame.rows)) == (width, height, height)
    assert all(sum(width_of([span]) for span in row) == width for row in frame.rows)
    return frame.text()


@pytest.mark.real
@pytest.mark.parametrize(
    ("carrier", "ordinary", "held"),
    [
        ("zero", "bb is a rendezvous", "no receiver takes their message"),
        ("bounded", "by the mailbox", "the mailbox is full"),
        ("pipe", "larger than the pipe", "write sleeps over the rest"),
        ("unbounded", "takes every message at once", "no sender ever"),
    ],
)
def test_every_moment_of_the_cells_has_its_sentence_and_a_whole_picture(
    cells: Open, carrier: str, ordinary: str, held: str
) -> None:
    lab = cells(carrier, rate=20, receive=50)
    lab.until(lambda: all(done(lab, f"{cell}/sender").offered > 3 for cell in CELLS), 10)
    fits("sync", lab.lab.state, ordinary)
    view = View(selected="nb/receiver", now=lab.lab.now())
    for width, height in ((80, 22), (80, 23), (120, 35), (200, 59)):
        for zoom in ("", "cell", "processes", "contents", "time", "program", "calls"):
            for language in ("en", "ko"):
                shown = replace(view, zoom=zoom, language=language, ascii=width == 200)
                text = whole(sync_pane.PANE.draw(lab.lab.state, shown, width, height), width, height)
                if not zoom and language == "en":
                    assert all(f" {cell} " in text for cell in CELLS)
                    assert text.count("received") >= 4
                    assert ("RENDEZVOUS" in text) is (carrier == "zero")
                if width == 200:
                    assert text.isascii() or language == "ko"
    lab.do("hold receiver")
    lab.until(lambda: held in catalogue.caption("sync")(lab.lab.state, "en"), 15, held)
    fits("sync", lab.lab.state, held)
    lab.do("release receiver")
    lab.do("hold sender")
    lab.until(lambda: "You hold all senders" in catalogue.caption("sync")(lab.lab.state, "en"), 15)
    fits("sync", lab.lab.state, "You hold all senders")
    lab.do("nonblocking bb/sender")
    lab.do("release sender")
    lab.until(lambda: "You changed cell bb" in catalogue.caption("sync")(lab.lab.state, "en"), 15)
    fits("sync", lab.lab.state, "sender non-blocking")
    lab.do("kill nn/sender")
    lab.until(lambda: "nn/sender was ended by SIGKILL" in catalogue.caption("sync")(lab.lab.state, "en"), 15)


@pytest.mark.real
def test_the_word_rendezvous_leaves_the_cell_whose_end_no_longer_blocks(cells: Open) -> None:
    lab = cells("zero", rate=20, receive=50)
    view = View(selected="bb/sender")
    lab.until(lambda: "RENDEZVOUS" in sync_pane.PANE.draw(lab.lab.state, view, 80, 22).text(), 10)
    lab.do("nonblocking bb/receiver")
    lab.until(lambda: "RENDEZVOUS" not in sync_pane.PANE.draw(lab.lab.state, view, 80, 22).text(), 10)


@pytest.mark.real
def test_lanes_touch_where_messages_are_handed_over_and_never_where_nobody_waits(cells: Open) -> None:
    lab = cells("zero", rate=5, receive=20)
    lab.until(lambda: all(done(lab, f"{cell}/sender").accepted > 3 for cell in ("bb", "bn", "nb")), 10)
    view = View(selected="bb/sender", now=lab.lab.now())
    lines = sync_pane.PANE.draw(lab.lab.state, view, 80, 22).text().splitlines()
    upper, lower = lines[1:11], "\n".join(lines[11:])
    touched = [line for line in upper if line.count("●") > 4]
    # Both lanes of a cell, at the same columns.
    assert len(touched) == 2
    places = [[at for at, glyph in enumerate(line) if glyph == "●"] for line in touched]
    assert places[0] == places[1]
    right = "\n".join(line[40:] for line in lower.splitlines())
    assert "●" not in right
    assert "∅" in right


@pytest.mark.real
def test_every_moment_of_buffering_has_its_sentence_and_a_whole_picture(buffers: Open) -> None:
    lab = buffers("side-by-side", limit=1)
    lab.until(lambda: all(done(lab, f"{c}/producer").accepted > 1 for c in ("zero", "bounded", "unbounded")), 10)
    fits("buffering", lab.lab.state, "the three look alike")
    lab.do("rate producer 20")
    lab.until(lambda: "Producers are faster" in catalogue.caption("buffering")(lab.lab.state, "en"), 15)
    fits("buffering", lab.lab.state, "Producers are faster")
    view = View(selected="zero/producer", now=lab.lab.now())
    for width, height in ((80, 22), (120, 35), (200, 59)):
        for zoom in ("", "cell", "contents", "time"):
            for language in ("en", "ko"):
                shown = replace(view, zoom=zoom, language=language)
                text = whole(buffering_pane.PANE.draw(lab.lab.state, shown, width, height), width, height)
                if not zoom and language == "en":
                    assert "bounded, n = 5" in text
                    assert "1 MiB" in text
                    assert all(glyph in text for glyph in "○■▲")
    lab.do("hold consumer")
    lab.until(lambda: "You hold all consumers" in catalogue.caption("buffering")(lab.lab.state, "en"), 15)
    fits("buffering", lab.lab.state, "You hold all consumers")
    lab.do("rate producer 0")
    lab.until(lambda: "has met its limit of 1 MiB" in catalogue.caption("buffering")(lab.lab.state, "en"), 20)
    fits("buffering", lab.lab.state, "has met its limit")


@pytest.mark.parametrize("mechanism", ["sync", "buffering"])
def test_everything_that_is_said_is_said_in_korean(mechanism: str) -> None:
    channel, pane = catalogue.channel(mechanism), catalogue.pane(mechanism)
    texts = [channel.title, channel.about, *(variant.about for variant in channel.variants)]
    texts += [parameter.about for parameter in channel.parameters()]
    texts += [text for offer in pane.offers for text in (offer.name, offer.about)]
    assert [text for text in texts if not is_translated("ko", text)] == []
    assert HANGUL.search(pane.lesson("ko"))
    assert not HANGUL.search(pane.lesson("en"))
    for variant in channel.variants:
        assert channel.listing(variant)


@pytest.mark.parametrize(
    "reason",
    [
        "nobody offers a message",
        "no receiver has taken the message",
        "the receiver is putting the message away",
        "the mailbox is full (4 of 4 messages)",
        "the mailbox is empty",
        "the queue is empty, and bb/sender has ended",
    ],
)
def test_reasons_are_said_in_korean(reason: str) -> None:
    assert is_translated("ko", reason)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("file", LISTINGS, ids=lambda file: file.stem)
def test_the_listings_compile_without_a_warning(file: Path, tmp_path: Path) -> None:
    words = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "out"), str(file)]
    told = subprocess.run([*words, "-pthread", "-lrt"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert max(len(line) for line in file.read_text().splitlines()) <= 80


@pytest.mark.parametrize("width", [20, 24, 38, 58, 100])
@pytest.mark.parametrize("sent", [Sums(), Sums(12, 11, 0, 0, 0), Sums(12_345, 11_000, 1_344, 0, 9)])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_counts_are_an_equation_at_every_width(width: int, sent: Sums, language: str) -> None:
    first, second = count_lines(sent, Sums(received=7, empty=3), 2, language, width)
    numbers = [int(text.replace(",", "")) for text in re.findall(r"[\d,]+", "".join(text for text, _ in first))]
    assert numbers == [sent.offered, sent.accepted, sent.refused, sent.in_hand]
    assert numbers[0] == sum(numbers[1:])
    assert width_of(first) <= max(width, 26)
    assert any(text.strip() == "7" for text, _ in second)


@pytest.mark.parametrize(
    ("rate", "up", "expected"), [(2, True, 5), (1000, True, 0), (0, True, None), (0, False, 1000), (1, False, None)]
)
def test_the_next_rate(rate: float, up: bool, expected: int | None) -> None:
    assert next_rate(rate, up) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("sender:3 sssss…", "sender:3"), ("sender:4 hello\\n", "sender:4 hello")]
)
def test_a_message_is_shown_without_what_fills_it_up(text: str, expected: str) -> None:
    assert short(text) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 B"), (4096, "4 KiB"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"), (None, "?")]
)
def test_sizes_are_said_as_people_say_them(count: int | None, expected: str) -> None:
    assert size_text(count) == expected
