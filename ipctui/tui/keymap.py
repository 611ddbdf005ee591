"""The user's own keys: `keymap.toml` in the user's configuration folder, checked line by line, never a crash.

    [keys]
    hold = "h"
    faster = ["plus", "ctrl+up"]

A key is a character or Textual's name of one, with `ctrl+`, `alt+` or `shift+` before it where wanted.
"""

from __future__ import annotations

import difflib
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import platformdirs

from ipctui.trace.text import visible
from ipctui.tui.actions import ACTIONS, Action

RESERVED = frozenset({"ctrl+c", "ctrl+q"})
"""Keys that quit wherever one is, whatever a keymap says."""

_LARGEST = 65_536
_MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
_SHOWN = {
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "escape": "Escape",
    "enter": "Enter",
    "pageup": "PageUp",
    "pagedown": "PageDown",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "space": "space",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
}
_Keys = dict[str, tuple[str, ...]]


def default_path() -> Path:
    """Where the user's keymap is looked for."""
    return platformdirs.user_config_path("ipctui") / "keymap.toml"


def load_keymap(path: Path | None = None) -> tuple[dict[str, str], list[str]]:
    """The keymap of a file as (action's id to its keys, joined by commas; what is wrong, a line each).

    A file that is not there is an empty keymap. An entry with a fault is left out, and its action keeps its own keys.
    """
    path = path or default_path()
    try:
        table = _read(path)
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "nested too deeply"
        return {}, [_line(path, f"cannot be used: {why}")]
    keys, problems = check_keymap(table)
    return {action: ",".join(names) for action, names in keys.items()}, [_line(path, each) for each in problems]


def check_keymap(table: Mapping[str, object], actions: Sequence[Action] = ACTIONS) -> tuple[_Keys, list[str]]:
    """A parsed keymap as (action's id to its keys, what is wrong with the rest)."""
    problems = [
        f"[{key}] is not known; the keys stand in [keys]" if isinstance(value, dict) else f"{key} stands in no table"
        for key, value in table.items()
        if key != "keys"
    ]
    entries = table.get("keys", {})
    if not isinstance(entries, dict):
        return {}, [*problems, "keys must be a table: write [keys]"]
    known = [action.id for action in actions]
    wanted: _Keys = {}
    for action, value in entries.items():
        if action not in known:
            problems.append(f"{action!r} is no action{_nearest(action, known)}")
            continue
        try:
            wanted[action] = _keys(value)
        except ValueError as error:
            problems.append(f"{action}: {error}")
    return _without_shadows(wanted, actions, problems), problems


def applied(keymap: Mapping[str, str], actions: Sequence[Action] = ACTIONS) -> tuple[Action, ...]:
    """The table of actions with the user's keys in it."""

    def own(action: Action) -> Action:
        if action.id not in keymap:
            return action
        keys = tuple(keymap[action.id].split(","))
        return replace(action, keys=keys, shown=shown(keys[0]))

    return tuple(own(action) for action in actions)


def shown(key: str) -> str:
    """How a key is printed: `question_mark` as ?, `ctrl+h` as Ctrl+H."""
    if key in _SHOWN:
        return _SHOWN[key]
    *modifiers, base = key.split("+")
    character = _characters().get(base, base)
    if not modifiers:
        return character
    return "+".join([*(each.capitalize() for each in modifiers), _SHOWN.get(base) or character.upper()])


@cache
def _characters() -> dict[str, str]:
    """Textual's names of the keys that write a character of ASCII, and the characters."""
    from textual.keys import _character_to_key

    return {_character_to_key(chr(code)): chr(code) for code in range(0x21, 0x7F)}


def _read(path: Path) -> dict[str, object]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("not a regular file")
    if status.st_size > _LARGEST:
        raise ValueError(f"{status.st_size:,} bytes; a keymap has at most {_LARGEST:,}")
    return tomllib.loads(path.read_bytes().decode("utf-8"))


def _keys(value: object) -> tuple[str, ...]:
    """Textual's names of the keys that an entry gives. Raises ValueError with what is wrong."""
    if isinstance(value, str):
        value = [value] if len(value) == 1 else value.split(",")
    if not isinstance(value, list) or not value or not all(isinstance(key, str) for key in value):
        raise ValueError("a key, or a list of keys, is needed")
    return tuple(dict.fromkeys(_key(key if len(key) == 1 else key.strip()) for key in value))


def _key(text: str) -> str:
    from textual.keys import _character_to_key

    *modifiers, base = (text,) if len(text) == 1 else text.split("+")
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            raise ValueError(f"{text!r}: {modifier!r} is no modifier{_nearest(modifier, _MODIFIERS)}")
    if len(base) == 1 and base.isprintable():
        base = _character_to_key(base)
    elif base not in _names():
        raise ValueError(f"{text!r} is no key{_nearest(base, _names())}")
    key = "+".join([*modifiers, base])
    if key in RESERVED:
        raise ValueError(f"{key} always quits")
    return key


@cache
def _names() -> tuple[str, ...]:
    from textual.keys import Keys

    return (*(key.value for key in Keys if "+" not in key.value and "<" not in key.value), *_characters())


def _without_shadows(wanted: _Keys, actions: Sequence[Action], problems: list[str]) -> _Keys:
    """Entries none of whose keys another action has; of two that do, the later one of the file is left out."""
    kept = dict(wanted)
    while True:
        clash = _clash(kept, actions)
        if clash is None:
            return kept
        key, first, second = clash
        order = list(kept)
        loser = max((each for each in (first, second) if each in kept), key=order.index)
        winner = second if loser == first else first
        problems.append(f"{loser}: {shown(key)} is the key of {winner} already; give {winner} another one as well")
        del kept[loser]


def _clash(kept: _Keys, actions: Iterable[Action]) -> tuple[str, str, str] | None:
    owners: dict[str, str] = {}
    for action in actions:
        for key in kept.get(action.id, action.keys):
            owner = owners.setdefault(key, action.id)
            if owner != action.id:
                return key, owner, action.id
    return None


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:80], list(known), 1)
    return f"; nearest: {close[0]}" if close else ""


def _line(path: Path, problem: str) -> str:
    text = visible(" ".join(f"{path.name}: {problem}".split()))
    return text if len(text) <= 160 else f"{text[:159]}…"
