"""The code that the workers run: its text, and the line of a code position."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any


class Listing:
    """The source of one module of programs.

    Attributes:
        source: The file's text, as lines numbered from 1 in records.
    """

    def __init__(self, module: str) -> None:
        loaded = importlib.import_module(module)
        path = inspect.getsourcefile(loaded) or ""
        self.file = Path(path).name
        self.source = Path(path).read_text(encoding="utf-8") if path else ""
        self._functions: dict[str, FunctionType] = {
            name: value
            for name, value in vars(loaded).items()
            if isinstance(value, FunctionType) and value.__module__ == module
        }
        self._lines: dict[str, dict[int, int]] = {}

    def line(self, function: str | None, position: int) -> int | None:
        """The line of a function's code position (f_lasti), or None where it is not known."""
        if function is None or function not in self._functions:
            return None
        lines = self._lines.get(function)
        if lines is None:
            lines = self._lines[function] = _lines_of(self._functions[function].__code__)
        return lines.get(position)

    def describe(self) -> dict[str, Any]:
        """What a recording's header keeps of it: file, text, and each function's first and last line."""
        spans = {}
        for name, function in self._functions.items():
            lines = [line for _, _, line in function.__code__.co_lines() if line is not None]
            spans[name] = [function.__code__.co_firstlineno, max(lines)]
        return {"file": self.file, "source": self.source, "functions": spans}


def _lines_of(code: CodeType) -> dict[int, int]:
    return {
        position: line for start, end, line in code.co_lines() if line is not None for position in range(start, end, 2)
    }
