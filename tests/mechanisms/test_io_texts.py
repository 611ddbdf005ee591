"""Listings, lessons, captions and drawing of the five ways: whole, narrow, in two languages."""

import shutil
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from ipctui.lab.fold import fold
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.state import LabState
from ipctui.lab.state_json import state_from_json, state_to_json
from ipctui.mechanisms.io import channel
from ipctui.mechanisms.io.caption import caption
from ipctui.mechanisms.io.channel import WAYS
from ipctui.mechanisms.io.measures import CELLS, measures
from ipctui.mechanisms.io.pane import PANE, row_line, totals_line
from ipctui.trace.records import Before, Call, Channel, Count, Counters, Header, Process, Record, Settings, State
from ipctui.widgets.canvas import wrapped
from ipctui.widgets.view import View

FOLDER = Path(channel.__file__).parent
VARIANTS = [variant.name for variant in channel.CHANNEL.variants]
_SECOND = 1_000_000_000
_CALLS = {"sync-nonblocking": 50_000, "async-blocking": 20, "signal-driven": 30}


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def session(variant: str) -> list[Record]:
    """Two seconds of a session as its records tell it: ten messages, and of the poller a core burned."""
    ways = CELLS if variant == "all" else {None: variant}
    records: list[Record] = [Header("io", variant, {"rate": 5.0, "size": 64})]
    for place, (cell, way) in enumerate(ways.items()):
        pid = 100 + 10 * place
        records.append(Process(0, "collector", pid, "started", program=way.replace("-", "_"), cell=cell))
        for t in (1, 3):
            calls = _CALLS.get(way, 10) * (t - 1) // 2
            name = {"async-blocking": "epoll_wait", "async-nonblocking": "io_uring_enter"}.get(way, "read")
            row = Count(name, name, 3, "pipe:[1]", calls)
            cpu = (t - 1) * (_SECOND if way == "sync-nonblocking" else 5_000_000)
            records.append(
                Counters(
                    t * _SECOND,
                    *("collector", pid, (row,), 0, 5 * (t - 1), 5 * (t - 1), cpu, cell),
                    work=200 * t,
                    median=90_000,
                    p99=2_500_000,
                )
            )
        records.append(
            Call("collector", pid, "read", "read", '3, "x"', 64, _SECOND, _SECOND + 5, 3, "pipe:[1]", cell=cell)
        )
    return records


def drawn(variant: str, **view: object) -> LabState:
    return fold(LabState(), session(variant), channel.CHANNEL.reduce)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_its_listing_which_fits_the_pane(variant: str) -> None:
    lines = (FOLDER / "listing" / f"{variant}.c").read_text().splitlines()
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() and line.isascii() for line in lines)
    assert lines[0].startswith(f"/* {variant}: ")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_listing_compiles_and_delivers_every_message(variant: str, tmp_path: Path) -> None:
    binary = tmp_path / "listing"
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", str(binary)]
    command.append(str(FOLDER / "listing" / f"{variant}.c"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([str(binary)], capture_output=True, text=True, timeout=60, check=True).stdout.split("\n")
    wanted = (
        [f"way {number}" for number in range(1, 6)]
        if variant == "all"
        else [f"producer{producer}:{number}" for producer in (1, 2) for number in range(1, 6)]
    )
    assert sorted(line for line in said if line) == sorted(wanted)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_narrow_text(language: str) -> None:
    lines = (FOLDER / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    headings = [line[3:] for line in lines if line.startswith("## ")]
    assert headings[1:] == [*WAYS, "all"]
    assert max(map(columns, lines)) <= 76


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_caption_says_what_a_way_costs_by_the_figures(variant: str, language: str) -> None:
    state = drawn(variant)
    said = caption(state, language)
    figures = {"sync-blocking": "1.0", "signal-driven": "3.0", "async-nonblocking": "1.0"}
    assert ("5,000" if variant in ("all", "sync-nonblocking") else figures.get(variant, "2.0")) in said
    assert "100%" in said or variant not in ("all", "sync-nonblocking")
    assert len(wrapped(said, 78, 9)) <= 2, "a third line would take one away from the pipes"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_sums_are_whole_in_a_narrow_terminal(language: str) -> None:
    state = drawn("all")
    for name, process in state.processes.items():
        for width in (76, 118):
            line = totals_line(state, name, process, View(language=language), width)
            text = "".join(text for text, _ in line)
            assert cell_len(text) <= width
            assert text.endswith(" 600")
            assert text.startswith(f"{process.cell}: ")


def test_only_what_waits_for_those_who_are_held_is_counted_with_them() -> None:
    state = drawn("all")
    pipes = [Channel(3 * _SECOND, f"pipe:[{place}]", 64, 4096, count=place + 1, cell=cell, type="pipe")
             for place, cell in enumerate(CELLS)]  # fmt: skip
    process = state.processes["epoll/collector"]
    held = replace(process, state=State(0, "collector", process.pid, "held", Before("epoll_wait")))
    state = fold(state, pipes, channel.CHANNEL.reduce)
    state = replace(state, processes={**state.processes, "epoll/collector": held})
    assert "is held by you (space): 3 messages wait" in caption(state, "en")


def test_before_anything_is_measured_nothing_is_claimed() -> None:
    state = fold(LabState(), session("all")[:3], channel.CHANNEL.reduce)
    assert "%" not in caption(state, "en")
    assert measures(state, "block/collector").calls_each is None


def test_a_held_collector_is_said_first() -> None:
    state = drawn("all")
    name = "aio/collector"
    process = state.processes[name]
    held = replace(
        process,
        state=State(0, "collector", process.pid, "held", Before("work")),
        settings=Settings(0, "collector", True, 200.0, 64, cell="aio"),
    )
    state = replace(state, processes={**state.processes, name: held})
    assert caption(state, "en").startswith("async-nonblocking is held by you")
    assert "completed all the same" in caption(state, "en")
    assert caption(state, "ko").startswith("async-nonblocking를 붙잡고 있다")


def test_figures_are_of_the_window_and_sums_of_all() -> None:
    state = drawn("all")
    figures = measures(state, "poll/collector")
    assert (figures.calls, figures.messages, figures.share) == (50_000, 10, 1.0)
    assert figures.cpu == 2 * _SECOND
    assert figures.rate == 200.0


def test_a_restart_begins_the_figures_anew() -> None:
    again = [Process(4 * _SECOND, "collector", 999, "started", cell="block")]
    state = fold(drawn("all"), again, channel.CHANNEL.reduce)
    assert measures(state, "block/collector").share is None


def test_the_facts_survive_a_checkpoint() -> None:
    state = drawn("all")
    assert state_from_json(state_to_json(state)).facts == state.facts


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [(80, 23), (120, 35), (200, 59)])
def test_every_figure_is_on_the_pane_at_every_size(variant: str, language: str, size: tuple[int, int]) -> None:
    state = drawn(variant)
    selected = next(iter(state.processes))
    frame = PANE.draw(state, View(selected=selected, language=language, now=3 * _SECOND), *size)
    assert all(sum(cell_len(text) for text, _ in row) == size[0] for row in frame.rows)
    text = frame.text()
    for way in WAYS if variant == "all" else (variant,):
        assert way in text
    assert "90 µs" in text
    assert "2.5 ms" in text
    if variant in ("all", "sync-nonblocking"):
        assert "5,000" in text
        assert "100.0 %" in text


def test_a_row_says_everything_in_one_width() -> None:
    state = drawn("all")
    for name, process in state.processes.items():
        for width in (78, 118):
            line = row_line(state, name, process, View(), width)
            assert sum(cell_len(text) for text, _ in line) == width


def test_where_io_uring_is_refused_posix_aio_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    given = settle(channel.CHANNEL.parameters(), {}, [])
    alone = next(each for each in channel.CHANNEL.variants if each.name == "async-nonblocking")

    def program() -> str:
        return channel.CHANNEL.plan(alone, given).trees[0][0].program

    monkeypatch.setattr(channel, "io_uring_refused", lambda: "")
    assert program() == "async_nonblocking"
    monkeypatch.setattr(channel, "io_uring_refused", lambda: "io_uring_setup: Operation not permitted")
    assert program() == "async_nonblocking_aio"
    channel.CHANNEL.check(alone, given)
    with pytest.raises(UsageError, match="Operation not permitted; completion=aio"):
        channel.CHANNEL.check(alone, {**given, "completion": "io_uring"})
    others = next(each for each in channel.CHANNEL.variants if each.name == "sync-blocking")
    channel.CHANNEL.check(others, {**given, "completion": "io_uring"})
