"""The code that the workers run: its text, and the line of a code position."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any


class Listing:
    """The source of one module of programs, or of several that it names in `PARTS`, one after another.

    Functions are told apart by their names: those of all parts must differ.

    Attributes:
        source: The files' text, as lines numbered from 1 in records.
    """

    def __init__(self, module: str) -> None:
        loaded = importlib.import_module(module)
        parts = [importlib.import_module(name) for name in getattr(loaded, "PARTS", ())] or [loaded]
        self.file = ", ".join(Path(inspect.getsourcefile(part) or "").name for part in parts)
        self.source = ""
        self._functions: dict[str, FunctionType] = {}
        self._offsets: dict[str, int] = {}
        for part in parts:
            self._add(part)
        self._lines: dict[str, dict[int, int]] = {}

    def _add(self, part: ModuleType) -> None:
        path = inspect.getsourcefile(part) or ""
        offset = self.source.count("\n")
        self.source += Path(path).read_text(encoding="utf-8") if path else ""
        for name, value in vars(part).items():
            if isinstance(value, FunctionType) and value.__module__ == part.__name__:
                self._functions[name], self._offsets[name] = value, offset

    def line(self, function: str | None, position: int) -> int | None:
        """The line of a function's code position (f_lasti), or None where it is not known."""
        if function is None or function not in self._functions:
            return None
        lines = self._lines.get(function)
        if lines is None:
            lines = _lines_of(self._functions[function].__code__, self._offsets[function])
            self._lines[function] = lines
        return lines.get(position)

    def describe(self) -> dict[str, Any]:
        """What a recording's header keeps of it: file, text, and each function's first and last line."""
        spans = {}
        for name, function in self._functions.items():
            offset = self._offsets[name]
            lines = [line for _, _, line in function.__code__.co_lines() if line is not None]
            spans[name] = [function.__code__.co_firstlineno + offset, max(lines) + offset]
        return {"file": self.file, "source": self.source, "functions": spans}


def _lines_of(code: CodeType, offset: int) -> dict[int, int]:
    return {
        position: line + offset
        for start, end, line in code.co_lines()
        if line is not None
        for position in range(start, end, 2)
    }
