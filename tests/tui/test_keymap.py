from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.tui.actions import ACTIONS
from ipctui.tui.keymap import applied, check_keymap, default_path, load_keymap


def load(tmp_path: Path, text: str | bytes) -> tuple[dict[str, str], list[str]]:
    path = tmp_path / "keymap.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_keymap(path)


def test_a_missing_keymap_is_an_empty_one(tmp_path: Path) -> None:
    assert load_keymap(tmp_path / "none.toml") == ({}, [])


def test_the_default_place_is_in_the_configuration_folder(tmp_path: Path) -> None:
    assert default_path() == tmp_path / "config" / "ipctui" / "keymap.toml"
    default_path().parent.mkdir(parents=True)
    default_path().write_text('[keys]\nhold = "h"\n')
    assert load_keymap() == ({"hold": "h"}, [])


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ('"h"', "h"),
        ('"ctrl+h"', "ctrl+h"),
        ('"!"', "exclamation_mark"),
        ('","', "comma"),
        ('"+"', "plus"),
        ('" "', "space"),
        ('["h", "f2"]', "h,f2"),
        ('"h, f2"', "h,f2"),
        ('"ㅗ"', "ㅗ"),
    ],
)
def test_keys_are_read_in_all_their_ways(tmp_path: Path, value: str, keys: str) -> None:
    action = {"plus": "faster", "space": "hold", "comma": "call-back"}.get(keys, "hold")
    assert load(tmp_path, f"[keys]\n{action} = {value}\n") == ({action: keys}, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[keys]\nhodl = "h"', "nearest: hold"),
        ('[keys]\nhold = "pgeup"', "nearest: pageup"),
        ('[keys]\nhold = "ctlr+h"', "nearest: ctrl"),
        ('[keys]\nhold = "n"', "n is the key of step already"),
        ('[keys]\nhold = "ctrl+c"', "ctrl+c always quits"),
        ("[keys]\nhold = 3", "a key, or a list of keys"),
        ("[keys]\nhold = []", "a key, or a list of keys"),
        ('[keys]\nhold = ""', "is no key"),
        ('[keys]\nhold = "h+"', "is no modifier"),
        ('hold = "h"', "stands in no table"),
        ('[kyes]\nhold = "h"', "[kyes] is not known"),
        ("keys = 3", "write [keys]"),
        ("[keys", "cannot be used"),
        (b"\xff\xfe", "cannot be used"),
        ("x" * 70_000, "cannot be used"),
        ("a = " + "[" * 5000, "cannot be used"),
        ('[keys]\n"\\u001b[2J" = "h"', "is no action"),
    ],
)
def test_a_fault_is_said_in_one_line_and_changes_nothing(tmp_path: Path, text: str | bytes, said: str) -> None:
    keys, (problem,) = load(tmp_path, text)
    assert keys == {}
    assert said in problem
    assert problem.startswith("keymap.toml: ")
    assert problem.isprintable()
    assert len(problem) <= 160


def test_two_keys_may_be_swapped(tmp_path: Path) -> None:
    assert load(tmp_path, '[keys]\nhold = "n"\nstep = "space"') == ({"hold": "n", "step": "space"}, [])


def test_of_two_that_want_one_key_the_first_gets_it(tmp_path: Path) -> None:
    keys, (problem,) = load(tmp_path, '[keys]\nkill = "h"\nhold = "h"\nstep = "j"')
    assert keys == {"kill": "h", "step": "j"}
    assert "hold: h is the key of kill" in problem


def test_a_refused_half_of_a_swap_takes_the_other_half_with_it(tmp_path: Path) -> None:
    keys, problems = load(tmp_path, '[keys]\nhold = "n"\nstep = "nonsense"')
    assert keys == {}
    assert len(problems) == 2


def test_a_folder_or_a_queue_in_its_place_is_no_keymap(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "."):
        keys, problems = load_keymap(tmp_path / name)
        assert keys == {}
        assert "not a regular file" in problems[0]


def test_the_table_takes_the_users_keys() -> None:
    table = {action.id: action for action in applied({"hold": "h,f2", "help": "ctrl+h"})}
    assert table["hold"].keys == ("h", "f2")
    assert table["hold"].shown == "h"
    assert table["help"].shown == "Ctrl+H"
    assert table["step"] is next(action for action in ACTIONS if action.id == "step")


_keys = st.one_of(
    st.sampled_from([key for action in ACTIONS for key in action.keys]),
    st.text(max_size=8),
    st.characters(),
    st.sampled_from(["ctrl+", "alt+x", "f1", "shift+F1", ","]),
)
_entries = st.dictionaries(
    st.one_of(st.sampled_from([action.id for action in ACTIONS]), st.text(max_size=8)),
    st.one_of(_keys, st.lists(_keys, max_size=3), st.integers(), st.none()),
    max_size=6,
)


@given(st.one_of(_entries, st.integers(), st.text()))
def test_whatever_a_keymap_says_no_key_ends_up_with_two_actions(entries: object) -> None:
    keys, problems = check_keymap({"keys": entries})
    table = applied({action: ",".join(names) for action, names in keys.items()})
    given_out = [key for action in table for key in action.keys]
    assert len(set(given_out)) == len(given_out)
    assert all(given_out)
    assert all(action.shown for action in table)
    if isinstance(entries, dict):
        assert len(keys) + len(problems) >= len(entries)


@given(st.text())
def test_any_text_is_a_keymap_or_a_problem(text: str) -> None:
    try:
        table = tomllib.loads(text)
    except ValueError:
        return
    check_keymap(table)
