"""Cells, occupancy and lanes of more than two processes, drawn from made-up states."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.lab.state import LabState, Link, ProcessState, Span
from ipctui.widgets.canvas import Canvas
from ipctui.widgets.cells import LEAST_HEIGHT, Cell, draw_cells, met, states_of
from ipctui.widgets.lanes import Grid, draw_lanes, lanes_height, link_marks
from ipctui.widgets.occupancy import Track, draw_occupancy, levels
from ipctui.widgets.view import View

from .made import NOW, SECOND, laboratory, process

VIEW = View(selected="bb/sender", now=NOW, window=8 * SECOND)


def in_cell(cell: str, role: str, state: str = "running") -> ProcessState:
    made = process(role, state)
    assert made.state is not None
    return replace(made, cell=cell, state=replace(made.state, cell=cell, reason="nobody offers a message"))


def link(cell: str, number: int, sent: float, received: float | None = None, way: str = "sr") -> Link:
    names = {"s": f"{cell}/sender", "r": f"{cell}/receiver"}
    sender, receiver = names[way[0]], names[way[1]]
    ends = None if received is None else round(received * SECOND)
    return Link(f"{cell}/sender:{number}", sender, round(sent * SECOND), None if ends is None else receiver, ends)


def cell(name: str = "bb", touch: bool = True, loud: str = "RENDEZVOUS", links: Sequence[Link] = ()) -> Cell:
    return Cell(
        name,
        "send blocking · receive blocking",
        loud,
        "received by the receiver",
        in_cell(name, "sender", "blocked"),
        in_cell(name, "receiver", "held"),
        links,
        touch,
        lambda width, height: [[("what lies in it", "text")]][:height],
        lambda width: [[("12 = 11 + 0 + 1", "number")], [("received 11", "number")]],
    )


def drawn(cells: Sequence[Cell], width: int, height: int, columns: int = 2, view: View = VIEW) -> list[str]:
    canvas = Canvas(width, height, view.ascii)
    draw_cells(canvas, cells, view, 0, height, columns, ((("6", "hold senders"),), (("8", "faster"),)))
    return canvas.frame().text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 20), (80, 18), (120, 32), (200, 56)])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_cell_is_whole_at_every_size(width: int, height: int, language: str) -> None:
    four = [cell(name) for name in ("bb", "bn", "nb", "nn")]
    text = "\n".join(drawn(four, width, height, view=replace(VIEW, language=language)))
    for essential in ("RENDEZVOUS", "what lies in it", "12 = 11 + 0 + 1", "received 11", " bb ", " nn "):
        assert text.count(essential) in (1, 4), essential
    assert text.count("12 = 11") == 4
    assert "6 " in text
    assert "8 " in text
    assert text.isascii() is False
    plain = "\n".join(drawn(four, width, height, view=replace(VIEW, ascii=True)))
    assert plain.isascii()


def test_of_the_cells_the_selected_ones_frame_is_heavy_and_every_lane_answers_a_click() -> None:
    canvas = Canvas(80, 20)
    draw_cells(canvas, [cell("bb"), cell("nn")], VIEW, 0, 20, 2)
    frame = canvas.frame()
    assert frame.text().count("┏") == 1
    assert frame.text().splitlines()[0].startswith("┏")
    assert {hit.action for hit in frame.hits} == {
        f"select:{name}/{role}" for name in ("bb", "nn") for role in ("sender", "receiver")
    }


def test_with_a_line_too_few_the_definition_goes_and_the_word_stays() -> None:
    lines = drawn([cell()], 40, LEAST_HEIGHT - 1, 1)
    assert not any("received by the receiver" in line for line in lines)
    assert any("RENDEZVOUS" in line for line in lines)
    assert any("what lies in it" in line for line in lines)


def test_with_more_room_states_reasons_and_the_axis_come() -> None:
    text = "\n".join(drawn([cell()], 60, 16, 1))
    assert "S: nobody offers a message" in text
    assert "now" in text
    assert "HELD before" in text


def test_lanes_touch_in_the_columns_of_the_receipts() -> None:
    links = (link("bb", 1, 9.0, 9.0), link("bb", 2, 9.5), link("bb", 3, 1.0, 1.0))
    lines = drawn([cell(links=links)], 40, 10, 1)
    upper, between, lower = lines[3:6]
    assert upper.count("●") == between[1:-1].count("│") == lower.count("●") == 1
    assert upper.index("●") == lower.index("●")
    assert met(links, Grid.of(VIEW, 36)) == [Grid.of(VIEW, 36).column(9 * SECOND)]


def test_a_cells_state_has_nothing_of_the_others() -> None:
    processes = [in_cell(name, role) for name in ("bb", "nn") for role in ("sender", "receiver")]
    state = replace(
        laboratory("sync", [], []),
        processes={each.name: each for each in processes},
        links=(link("bb", 1, 1, 2), link("nn", 1, 1, 2)),
    )
    own = states_of(state)["nn"]
    assert list(own.processes) == ["nn/sender", "nn/receiver"]
    assert [each.id for each in own.links] == ["nn/sender:1"]


# Lanes of more than two processes.


def laned(names: Sequence[str], links: Sequence[Link], height: int, cells: Sequence[str | None] = ()) -> list[str]:
    kinds = cells or [None] * len(names)
    processes = {
        name: replace(process(name.rpartition("/")[2]), cell=kind, spans=(Span(0, "running"),))
        for name, kind in zip(names, kinds, strict=True)
    }
    canvas = Canvas(60, height)
    draw_lanes(canvas, LabState(processes=processes, links=tuple(links)), VIEW, 0, 0, 60, height)
    return canvas.frame().text().splitlines()


def test_messages_cross_between_three_lanes_each_in_its_gap() -> None:
    links = [
        Link("a:1", "a", 5 * SECOND, "b", 5 * SECOND),
        Link("b:1", "b", 6 * SECOND, "c", 6 * SECOND),
        Link("c:1", "c", 7 * SECOND, "a", 7 * SECOND),
    ]
    lines = laned(("a", "b", "c"), links, 6)
    grid = Grid.of(VIEW, 52)
    first, second = ({at - 8: glyph for at, glyph in enumerate(line) if glyph != " "} for line in (lines[1], lines[3]))
    assert first == {grid.column(5 * SECOND): "╲", grid.column(7 * SECOND): "╱"}
    assert second == {grid.column(6 * SECOND): "╲", grid.column(7 * SECOND): "╱"}
    assert lines[5].endswith("now")


def test_a_slow_message_has_its_foot_at_its_sender_and_its_head_at_its_receiver() -> None:
    lines = laned(("a", "b", "c"), [Link("a:1", "a", 4 * SECOND, "c", 8 * SECOND), Link("c:2", "c", 9 * SECOND)], 6)
    assert lines[1].strip() == "╵"
    assert lines[3].split() == ["╷", "╷"]


def test_between_two_cells_there_is_no_gap() -> None:
    names, cells = ("x/a", "x/b", "y/a", "y/b"), ("x", "x", "y", "y")
    lines = laned(names, [Link("x/a:1", "x/a", 5 * SECOND, "x/b", 5 * SECOND)], 8, cells)
    assert [line[:3] for line in lines[:6]] == ["x/a", "   ", "x/b", "y/a", "", "y/b"]
    assert "╲" in lines[1]


def test_where_the_messages_find_no_room_every_lane_still_has_its_line() -> None:
    lines = laned(("a", "b", "c"), [Link("a:1", "a", 5 * SECOND, "b", 5 * SECOND)], 4)
    assert [line[0] for line in lines[:3]] == ["a", "b", "c"]
    assert lanes_height(3, 6) == 4
    assert lanes_height(3, 8) == 6
    assert lanes_height(2, 4) == 4


def test_both_ways_in_one_column_cross() -> None:
    grid = Grid.of(VIEW, 40)
    links = [Link("a:1", "a", 5 * SECOND, "b", 5 * SECOND), Link("b:1", "b", 5 * SECOND, "a", 5 * SECOND)]
    assert link_marks(links, "a", "b", grid) == {grid.column(5 * SECOND): "╳"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Link,
            st.text("ab:1", max_size=4),
            st.sampled_from("abcd"),
            st.integers(-(10**10), 2 * 10**10),
            st.none() | st.sampled_from("abcd"),
            st.none() | st.integers(-(10**10), 2 * 10**10),
        ),
        max_size=30,
    ),
    st.integers(1, 12),
)
def test_any_messages_are_drawn_inside_the_lanes(links: list[Link], height: int) -> None:
    lines = laned(("a", "b", "c"), links, height)
    assert all(len(line) <= 60 for line in lines)


# Occupancy.


def test_a_level_holds_until_the_next_measure_and_peaks_are_kept() -> None:
    grid = Grid(5, 10, 100)
    track = Track("q", "■", "fill", ((990, 1), (1005, 4), (1007, 2), (1031, 0)))
    assert levels(track, grid) == [4, 2, 2, 2, 0]
    assert levels(Track("q", "■", "fill", ((1025, 3),)), grid) == [None, None, 3, 3, 3]
    assert levels(Track("q", "■", "fill", ()), grid) == [None] * 5


def test_three_channels_stand_on_one_scale_and_the_first_named_is_seen() -> None:
    canvas = Canvas(80, 9)
    tracks = [
        Track("zero", "○", "running", ((0, 0),)),
        Track("bounded", "■", "blocked", ((0, 5),)),
        Track("unbounded", "▲", "warning", ((0, 0), (NOW - 2 * SECOND, 18))),
    ]
    draw_occupancy(canvas, tracks, VIEW, 0, 0, 80, 9)
    lines = canvas.frame().text().splitlines()
    assert all(f"{name} {count}" in lines[0] for name, count in (("zero", 0), ("bounded", 5), ("unbounded", 18)))
    rows = {glyph: [at for at, line in enumerate(lines[1:8]) if glyph in line] for glyph in "○■▲"}
    assert rows["○"] == [6]
    assert rows["▲"] == [0]
    assert rows["■"][0] in range(1, 6)
    assert "20" in lines[1]
    assert lines[8].endswith("now")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2 * NOW), st.integers(0, 10**9)), max_size=40),
    st.integers(20, 120),
    st.integers(3, 20),
)
def test_any_fill_is_drawn_inside_its_box(fill: list[tuple[int, int]], width: int, height: int) -> None:
    canvas = Canvas(width, height)
    draw_occupancy(canvas, [Track("q", "■", "fill", sorted(fill))], VIEW, 0, 0, width, height)
    assert len(canvas.frame().rows) == height
