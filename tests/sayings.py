"""What a module says to people, collected from its source: texts of errors, of printed lines, of returned reasons.

Each is given as it might be said, its places filled: `'Q'` where a text of the user's is quoted, `7` where the number
of a line stands, `Q` elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Places = tuple[int | str, ...]
"""Which arguments of a call are said: by position, or by keyword."""


def sample(node: ast.expr) -> str | None:
    """A text as it might be said; None where the source does not tell."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    text = ""
    for part, after in zip(node.values, [*node.values[1:], None], strict=True):
        if isinstance(part, ast.Constant):
            text += str(part.value)
        elif isinstance(part, ast.FormattedValue):
            of_line = text.endswith(":") and isinstance(after, ast.Constant) and str(after.value).startswith(":")
            text += "7" if of_line else _filled(part, text)
    return text


def _filled(place: ast.FormattedValue, before: str) -> str:
    value = place.value
    if isinstance(value, ast.Call) and _name(value) == "unknown":
        return _unknown(value)
    if place.conversion == ord("r"):
        return "'Q'"
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    # What is set to the end of a word is a plural, or something that may be missing.
    return "" if before[-1:].isalpha() else "Q"


def _unknown(call: ast.Call) -> str:
    """What `lab.parameters.unknown` says."""
    return f"there is no {sample(call.args[0]) or 'Q'} 'Q'; did you mean 'Q'?"


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _choices(node: ast.expr) -> Iterator[ast.expr]:
    """An expression, and each that it may turn out to be."""
    if isinstance(node, ast.IfExp):
        yield from _choices(node.body)
        yield from _choices(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _choices(value)
    else:
        yield node


def _texts(node: ast.expr) -> Iterator[str]:
    for choice in _choices(node):
        if isinstance(choice, ast.Call) and _name(choice) == "unknown":
            yield _unknown(choice)
        elif (text := sample(choice)) is not None:
            yield text


def said_in_calls(path: Path, calls: Mapping[str, Places]) -> set[str]:
    """The texts that a module gives to functions by their names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _name(node) in calls:
            given: dict[int | str, ast.expr] = dict(enumerate(node.args))
            given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            for place in calls[_name(node)]:
                if place in given:
                    found.update(_texts(given[place]))
    return found


def said_by_returning(path: Path, *functions: str) -> set[str]:
    """The texts that functions of a module return, whatever stands inside them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    found.update(_texts(inner.value))
    return found
