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
from ipctui.mechanisms.sync.counts import Sums, died
from ipctui.mechanisms.sync.pane import next_rate
from ipctui.mechanisms.sync.words import count_lines, is_nonblocking, short, size_text
from ipctui.widgets.canvas import Frame, width_of, wrapped
from ipctui.widgets.cells import states_of
from ipctui.widgets.language import is_translated
from ipctui.widgets.view import View
from tests.lab.conftest import Bench
from tests.mechanisms.cells import CELLS, Open, done, opened

DEFINITIONS = {
    "zero": {
        "received by the receiver": 1,
        "received only if offered just then": 1,
        "received by one who waits, or refused": 1,
        "neither ever waits: they never meet": 1,
    },
    "bounded": {"received by the mailbox; full: waits": 2, "received by the mailbox; full: refused": 2},
    "pipe": {"sent = its last byte is in the pipe": 2, "short count: the rest is not written": 2},
    "unbounded": {"received by the queue, at once": 4},
}
"""What each carrier's cells say that a send or its receipt means, and how many of them."""
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
        assert len(wrapped(sentence, 78, 4)) <= 2, sentence  # a third line would take one away from every cell


def whole(frame: Frame, width: int, height: int) -> str:
    assert (frame.width, frame.height, len(frame.rows)) == (width, height, height)
    assert all(sum(width_of([span]) for span in row) == width for row in frame.rows)
    return frame.text()


def until_as_named(lab: Bench) -> None:
    """Wait until all eight have opened their ends, each in the mode that its cell's name says."""
    modes = {
        f"{cell}/{role}": mode == "n" for cell in CELLS for role, mode in zip(("sender", "receiver"), cell, strict=True)
    }
    lab.until(
        lambda: all(
            process.descriptors and is_nonblocking(process) is modes[name]
            for name, process in lab.lab.state.processes.items()
        ),
        10,
        "the modes of the cells",
    )


@pytest.mark.real
@pytest.mark.parametrize(
    ("carrier", "ordinary", "held"),
    [
        ("zero", "bb is a rendezvous", "their message is not received"),
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
    until_as_named(lab)
    lab.until(lambda: ordinary in catalogue.caption("sync")(lab.lab.state, "en"), 15, ordinary)
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
                    if height > 22:  # at 22, below a time bar, what is in the channels matters more
                        assert all(text.count(said) == times for said, times in DEFINITIONS[carrier].items()), text
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
    lab.until(lambda: "You changed bb" in catalogue.caption("sync")(lab.lab.state, "en"), 15)
    fits("sync", lab.lab.state, "send non-blocking")
    lab.do("kill nn/sender")
    lab.until(lambda: "nn/sender was ended by SIGKILL" in catalogue.caption("sync")(lab.lab.state, "en"), 15)


@pytest.mark.real
@pytest.mark.parametrize("carrier", sorted(DEFINITIONS))
def test_a_cell_by_itself_is_told_of_in_its_own_words(cells: Open, carrier: str) -> None:
    lab = cells(carrier, rate=20, receive=50)
    lab.until(lambda: all(done(lab, f"{cell}/sender").offered > 3 for cell in CELLS), 10)
    until_as_named(lab)
    receives = {
        "zero": ("A rendezvous", "at that very moment", "never waits: it hands over", "Neither ever waits"),
        "pipe": ("until then the sender sleeps. Empty, it lets", "EAGAIN", "short count", "short count"),
        "bounded": ("a full one lets the sender sleep", "EAGAIN", "refuses it", "EAGAIN"),
        "unbounded": ("lets the receiver sleep", "EAGAIN", "lets the receiver sleep", "EAGAIN"),
    }
    for cell, wanted in zip(CELLS, receives[carrier], strict=True):
        own = states_of(lab.lab.state)[cell]
        # On a busy machine somebody may have slept for long just now, which is told first.
        calm = {name: replace(process, state=None) for name, process in own.processes.items()}
        fits("sync", replace(own, processes=calm), wanted)
    lab.do("hold bb/receiver")
    if carrier != "unbounded":
        # Of a message that is larger than the pipe, what is in it already is told a moment later instead.
        told = ("bb/receiver could wake it, but you hold bb/receiver", "write sleeps over the rest")
        lab.until(
            lambda: any(each in catalogue.caption("sync")(states_of(lab.lab.state)["bb"], "en") for each in told), 15
        )


@pytest.mark.real
@pytest.mark.parametrize("carrier", sorted(DEFINITIONS))
def test_before_its_first_call_a_cell_is_what_it_will_begin_as(cells: Open, carrier: str) -> None:
    lab = cells(carrier, start="held")
    lab.until(lambda: lab.lab.state.processes and all(lab.is_in(name, "held") for name in lab.lab.state.processes), 10)
    view = View(selected="bb/sender")

    def as_named() -> None:
        text = sync_pane.PANE.draw(lab.lab.state, view, 120, 35).text()
        assert text.count("RENDEZVOUS") == (carrier == "zero")
        for process in lab.lab.state.processes.values():
            assert process.cell is not None
            assert is_nonblocking(process) is (process.cell[process.role == "receiver"] == "n")
        assert all(text.count(said) == times for said, times in DEFINITIONS[carrier].items()), text
        assert text.count("R – NOT STARTED") in ((3, 4) if carrier == "pipe" else (0,)), "there they are to be forked"

    as_named()
    fits("sync", lab.lab.state, "You hold everybody before the next call")
    for _ in range(4):  # with an end open, and its mode not set
        for name in ("nn/sender", "nn/receiver") if carrier != "pipe" else ("nn/sender",):
            lab.do(f"step {name}")
            lab.until_state(name, "held")
        as_named()


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

    def halves() -> tuple[list[str], str]:
        view = View(selected="bb/sender", now=lab.lab.now())
        lines = sync_pane.PANE.draw(lab.lab.state, view, 80, 22).text().splitlines()
        return [line for line in lines[1:11] if line.count("●") > 4], "\n".join(lines[11:])

    # Both lanes of a cell, at the same columns.
    lab.until(lambda: len(halves()[0]) == 2, what="lanes that touch")
    touched, lower = halves()
    places = [[at for at, glyph in enumerate(line) if glyph == "●"] for line in touched]
    assert places[0] == places[1]
    right = "\n".join(line[40:] for line in lower.splitlines())
    assert "●" not in right
    assert "∅" in right


def alone_of(lab: Bench, cell: str) -> str:
    """What the caption says of a cell by itself."""
    return catalogue.caption("buffering")(states_of(lab.lab.state)[cell], "en")


@pytest.mark.real
def test_every_moment_of_buffering_has_its_sentence_and_a_whole_picture(buffers: Open) -> None:
    lab = buffers("side-by-side", limit=1)
    lab.until(lambda: all(done(lab, f"{c}/producer").accepted > 1 for c in ("zero", "bounded", "unbounded")), 10)
    lab.until(lambda: "the three look alike" in catalogue.caption("buffering")(lab.lab.state, "en"), 15)
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
    # Alone, a cell is not told of in the words for three.
    for name in ("zero", "bounded", "unbounded"):
        lab.until(lambda name=name: "you hold" in alone_of(lab, name) or name == "unbounded", 15)
        assert "all consumers" not in alone_of(lab, name)
        assert "?" not in alone_of(lab, name)
        shown = replace(view, selected=f"{name}/producer", zoom="cell", now=lab.lab.now())
        assert "all consumers" not in buffering_pane.PANE.draw(lab.lab.state, shown, 80, 23).text()
        assert HANGUL.search(catalogue.caption("buffering")(states_of(lab.lab.state)[name], "ko"))
    lab.do("rate producer 0")
    lab.until(lambda: "has met its limit (1 MiB" in catalogue.caption("buffering")(lab.lab.state, "en"), 20)
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
    for lost in (0, 1):
        first, second = count_lines(sent, Sums(received=7, empty=3), 2, language, width, lost)
        text = "".join(text for text, _ in first)
        numbers = [int(each.replace(",", "")) for each in re.findall(r"[\d,]+", text)]
        every = [sent.offered, sent.accepted, sent.refused, sent.in_hand]
        # Where nothing was refused, a narrow cell may say so by leaving it out.
        assert numbers in ([every] if sent.refused or width > 30 else [every, [every[0], every[1], every[3]]])
        assert numbers[0] == sum(numbers[1:])
        assert width_of(first) <= max(width, 26)
        assert any(text.strip() == "7" for text, _ in second)
        words = ("in hand", "now", "보내는 중", "지금")
        assert not lost or not any(word in text for word in words), "what died is in nobody's hand"


def test_a_narrow_cell_says_what_its_first_number_is() -> None:
    (first, _) = count_lines(Sums(217, 216, 0, 0, 0), Sums(received=127), 0, "en", 24)
    assert "".join(text for text, _ in first) == "offered 217 = 216 + 1"


def test_what_dies_with_its_sender_is_counted_apart() -> None:
    facts = {"counts": {"bb/sender": {"10": [5, 4, 0, 0, 0], "11": [3, 1, 1, 0, 0]}}}
    assert [died(facts, "bb/sender", living) for living in (11, 10, None)] == [1, 1, 2]
    assert died({}, "bb/sender", 10) == 0


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
