"""What the lanes keep from frame to frame: the picture is the very one that is drawn from nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ipctui.lab.fold import fold
from ipctui.lab.state import RECENT_LINKS, LabState, Link, ProcessState, Span
from ipctui.trace.records import Call, Record, State
from ipctui.widgets import lanes
from ipctui.widgets.lanes import Grid, cell_states

NAMES = ("a", "b", "c")
CELL = 10


def fresh() -> None:
    lanes._drawn.clear()
    lanes._crossed.clear()


def state(t: int, process: str, name: str, since: int) -> State:
    return State(t, process, 1, name, since=t - since if name == "blocked" else None)


def call(t: int, process: str, name: str, message: int) -> Call:
    return Call(process, 1, name, name, "", 8, t, t, fd=3, object="pipe:[1]", message=(f"a:{message}",))


steps = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.one_of(
            st.builds(
                lambda process, name, since: ("state", process, name, since),
                st.sampled_from(NAMES),
                st.sampled_from(("running", "blocked", "held", "paced", "exited")),
                st.integers(0, 60),
            ),
            st.builds(
                lambda name, message: ("call", "a" if name == "write" else "b", name, message),
                st.sampled_from(("write", "read")),
                st.integers(1, 4),
            ),
        ),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=300)
@given(steps, st.integers(4, 30), st.lists(st.integers(-80, 40), max_size=60))
def test_frame_by_frame_it_is_what_is_drawn_from_nothing(
    happened: list[tuple[int, tuple[str, str, str, int]]], columns: int, looks: list[int]
) -> None:
    fresh()
    now, folded = 0, LabState()
    for place, (later, (kind, process, name, number)) in enumerate(happened):
        now += later
        record: Record = state(now, process, name, number) if kind == "state" else call(now, process, name, number)
        folded = fold(folded, [record])
        # A person may look at the past, or at a moment that is still to come.
        look = max(0, now + (looks[place] if place < len(looks) else 0))
        grid = Grid(columns, CELL, look // CELL - columns + 1)
        for each in folded.processes.values():
            kept = cell_states(each, grid.first, columns, CELL)
            before = dict(lanes._drawn)
            lanes._drawn.clear()
            assert kept == cell_states(each, grid.first, columns, CELL)
            lanes._drawn.update(before)
        kept_marks = lanes._marks(folded.links, NAMES, grid)
        crossed = dict(lanes._crossed)
        lanes._crossed.clear()
        assert kept_marks == lanes._marks(folded.links, NAMES, grid)
        lanes._crossed.update(crossed)


changes = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(1, 30),
        st.sampled_from(("running", "blocked", "held")),
        st.sampled_from((0, 0, -3, None)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=300)
@given(changes)
def test_spans_that_turn_out_to_have_been_others_are_drawn_anew(
    happened: list[tuple[int, int, str, int | None]],
) -> None:
    fresh()
    latest = 0
    spans: tuple[Span, ...] = (Span(0, "running"),)
    for taken_back, later, name, looked in happened:
        spans = spans[: max(1, len(spans) - taken_back)]
        spans = (*spans, Span(spans[-1].t + later, name))
        process = ProcessState("a", 1, spans=spans)
        latest = max(latest, spans[-1].t)
        if looked is None:
            continue
        first = latest // CELL - 18 + looked
        kept = cell_states(process, first, 20, CELL)
        before = dict(lanes._drawn)
        lanes._drawn.clear()
        assert kept == cell_states(process, first, 20, CELL)
        lanes._drawn.update(before)


def test_a_span_that_became_another_at_the_same_time_is_drawn_anew() -> None:
    fresh()
    was = tuple(Span(10 * at, name) for at, name in enumerate(("running", "held", "running", "held")))
    now = tuple(Span(10 * at, name) for at, name in enumerate(("running", "paced", "running", "held", "running")))
    assert cell_states(ProcessState("a", 1, spans=was), 0, 5, CELL)[1] == "held"
    assert cell_states(ProcessState("a", 1, spans=now), 0, 5, CELL)[1] == "paced"


def test_a_message_that_is_forgotten_leaves_the_picture() -> None:
    fresh()
    links = tuple(Link(f"a:{number}", "a", 10 * number, "b", 10 * number + 1) for number in range(6))
    grid = Grid(10, CELL, 0)
    assert set(lanes._marks(links[:5], NAMES, grid)[0]) == {0, 1, 2, 3, 4}
    assert set(lanes._marks(links[2:], NAMES, grid)[0]) == {2, 3, 4, 5}


def test_what_is_kept_does_not_grow_with_the_session() -> None:
    fresh()
    links: tuple[Link, ...] = ()
    for number in range(3 * RECENT_LINKS):
        links = (*links, Link(f"a:{number}", "a", 10 * number, "b", 10 * number + 1))[-RECENT_LINKS:]
        marks = lanes._marks(links, NAMES, Grid(20, CELL, number - 19))
    assert marks[0] == dict.fromkeys(range(20), "╲")
    (kept,) = lanes._crossed.values()
    assert len(kept.links) == RECENT_LINKS
    assert len(kept.gaps[0]) <= 21
    for number in range(200):
        lanes._marks(links, (f"p{number}", "q"), Grid(20, CELL, 0))
    assert len(lanes._crossed) <= 64
    fresh()
