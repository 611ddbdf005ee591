import dataclasses
from itertools import permutations

import pytest

from ipctui.lab.state import LabState, ProcessState, cycle
from ipctui.trace.records import State


def lab(**wakers: tuple[str, ...] | None) -> LabState:
    """A laboratory of processes: blocked with these wakers, or running where they are None."""
    processes = {}
    for place, (role, names) in enumerate(wakers.items()):
        state = State(5, role, place, "running")
        if names is not None:
            state = State(5, role, place, "blocked", reason="pipe full", wakers=names)
        processes[role] = ProcessState(role, place, state=state)
    return LabState(processes=processes)


@pytest.mark.parametrize(
    ("wakers", "ring"),
    [
        ({}, set()),
        ({"parent": None, "child": None}, set()),
        # The pipe's own deadlock: each waits for the other's read.
        ({"parent": ("child",), "child": ("parent",)}, {"parent", "child"}),
        # The child is merely slow.
        ({"parent": ("child",), "child": None}, set()),
        # Nobody is named who could wake it: stuck, perhaps, but in no ring.
        ({"parent": (), "child": ("parent",)}, set()),
        ({"parent": ("nobody",)}, set()),
        # forgotten-end: the child holds the write end that it waits for, the parent waits for the child.
        ({"parent": ("child",), "child": ("child",)}, {"child"}),
        ({"a": ("b",), "b": ("c",), "c": ("a",)}, {"a", "b", "c"}),
        # d is stuck behind the ring and not in it.
        ({"a": ("b",), "b": ("c",), "c": ("a",), "d": ("a",)}, {"a", "b", "c"}),
        ({"a": ("d",), "b": ("c",), "c": ("b",), "d": ("b",)}, {"b", "c"}),
        # One of two wakers can still run, and so everybody behind it will.
        ({"a": ("b", "runner"), "b": ("a",), "runner": None}, set()),
        ({"a": ("b",), "b": ("c", "runner"), "c": ("a",), "runner": None}, set()),
        # Both wakers of a are blocked by a.
        ({"a": ("b", "c"), "b": ("a",), "c": ("a",)}, {"a", "b"}),
    ],
)
def test_a_ring_of_processes_is_found_where_there_is_one(
    wakers: dict[str, tuple[str, ...] | None], ring: set[str]
) -> None:
    for order in permutations(wakers):
        found = cycle(lab(**{role: wakers[role] for role in order}))
        assert set(found) == ring
        assert len(found) == len(ring)
        for role, waits_for in zip(found, found[1:] + found[:1], strict=True):
            assert waits_for in (wakers[role] or ())


def test_two_rings_give_one_of_them() -> None:
    found = cycle(lab(a=("b",), b=("a",), c=("d",), d=("c",)))
    assert set(found) in ({"a", "b"}, {"c", "d"})


@pytest.mark.parametrize("state", ["held", "paced", "running", "stopped", "exited", "unknown"])
def test_only_who_is_blocked_waits(state: str) -> None:
    processes = {
        "parent": ProcessState("parent", 1, state=State(5, "parent", 1, "blocked", wakers=("child",))),
        "child": ProcessState("child", 2, state=State(5, "child", 2, state, wakers=("parent",))),
    }
    assert cycle(LabState(processes=processes)) == ()


def test_a_process_of_which_nothing_is_known_waits_for_nobody() -> None:
    assert cycle(LabState(processes={"parent": ProcessState("parent", 1)})) == ()


def test_roles_keep_the_order_in_which_they_appeared() -> None:
    state = lab(parent=None, child2=None, child1=None)
    assert state.roles == ("parent", "child2", "child1")


def test_a_state_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LabState().t = 3  # type: ignore[misc]
