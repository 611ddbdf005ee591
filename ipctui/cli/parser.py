"""The parser of the command line: its help in the person's language, its errors one line with what to do."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from ipctui.cli.speech import said, tell
from ipctui.lab.parameters import UsageError, printable

_LONGEST_COMPLAINT = 900
"""Characters of what is wrong; where to read on must find room behind it."""
_STAND_IN = "\0"
_COLUMN = re.compile(r"(\s{2,})")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises its errors, and whose help is said in a language.

    Raises:
        UsageError: the words are no command line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": HelpFormatter, **options})

    def error(self, message: str) -> NoReturn:
        """Raise what argparse has to say, with where to read on."""
        raise UsageError(f"{printable(message, _LONGEST_COMPLAINT)}; see {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        """Print the help, on an output that may not have all its characters."""
        if file is not None:
            super().print_help(file)
        else:
            tell(self.format_help().removesuffix("\n"))


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help as argparse lays it out, each of its sentences in the person's language.

    Each part comes to a formatter by a method of its own, and is translated there; `_get_help_string` and
    `_split_lines` are those that the formatters of the standard library override as well.
    """

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """The line of the usage; those below it are set in by as many cells as its first word has."""
        # argparse counts characters: something of one cell each stands in until it has counted.
        super().add_usage(usage, actions, groups, _STAND_IN * _cells(_usage()) if prefix is None else prefix)

    def format_help(self) -> str:
        """The help as a text."""
        return super().format_help().replace(_STAND_IN * _cells(_usage()), _usage(), 1)

    def start_section(self, heading: str | None) -> None:
        """A section's heading: `options`, `positional arguments`."""
        super().start_section(said(heading) if heading else heading)

    def add_text(self, text: str | None) -> None:
        """A paragraph: the last column of each of its lines is a sentence."""
        if text and text is not argparse.SUPPRESS:
            text = "\n".join(_last_column_said(line) for line in text.split("\n"))
        super().add_text(text)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return said(action.help) if action.help else action.help

    def _split_lines(self, text: str, width: int) -> list[str]:
        if text.isascii():
            return super()._split_lines(text, width)
        from ipctui.widgets.canvas import wrapped

        return wrapped(text, width, len(text))


def _usage() -> str:
    return f"{said('usage')}: "


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _last_column_said(line: str) -> str:
    *columns, sentence = _COLUMN.split(line)
    return "".join([*columns, said(sentence)])
