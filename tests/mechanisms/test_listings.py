"""The C listings compile, fit a narrow pane, and make the system calls of the Python programs that they stand for."""

import ast
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from ipctui.mechanisms.pipe import program
from ipctui.trace.operations import OPERATIONS

PIPE = Path(program.__file__).parent
LISTINGS = PIPE / "listing"
PROGRAMS = {
    "one-way": "parent",
    "two-way": "parent_two_way",
    "forgotten-end": "parent_of_forgetful",
    "deadlock": "parent_deadlock",
    "many-writers": "reading_parent",
    "packets": "parent_packets",
}
VARIANTS = sorted(PROGRAMS)
SYSTEM_CALLS = {operation.name for operation in OPERATIONS if operation.syscall}


def python_calls(function: str) -> list[str]:
    """The system calls met by a reader who follows each function where it is called, each at its first use."""
    functions = {
        node.name: node
        for node in ast.parse(Path(program.__file__).read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    met: dict[str, None] = {}

    def follow(name: str) -> None:
        found = [node for node in ast.walk(functions[name]) if isinstance(node, ast.Call)]
        for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
            match node.func:
                case ast.Attribute(ast.Name("calls"), called) if called in SYSTEM_CALLS:
                    met[called] = None
                case ast.Name(called) if called in functions:
                    follow(called)

    follow(function)
    return list(met)


def c_calls(source: str) -> list[str]:
    """The same of a C program, from main on."""
    bare = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', " ", source, flags=re.DOTALL)
    functions = {
        found[1]: found[2]
        for found in re.finditer(r"^[\w ]+?\b(\w+)\([^)]*\)\n\{\n(.*?)^\}", bare, re.DOTALL | re.MULTILINE)
    }
    met: dict[str, None] = {}

    def follow(name: str) -> None:
        for called in re.findall(r"\b(\w+)\s*\(", functions[name]):
            if called in functions:
                follow(called)
            elif called in SYSTEM_CALLS:
                met[called] = None

    follow("main")
    return list(met)


def test_every_variant_has_its_listing_and_no_listing_is_left_over() -> None:
    assert sorted(path.stem for path in LISTINGS.iterdir()) == VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_makes_the_system_calls_of_the_program_in_the_same_order(variant: str) -> None:
    expected = python_calls(PROGRAMS[variant])
    assert {"fork", "read", "write", "close"} <= set(expected)
    assert c_calls((LISTINGS / f"{variant}.c").read_text()) == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_fits_the_pane(variant: str) -> None:
    lines = (LISTINGS / f"{variant}.c").read_text().splitlines()
    assert 25 <= len(lines) <= 45
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() and "\t" not in line and line.isascii() for line in lines)
    assert lines[0].startswith(f"/* {variant}: ")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_compiles_without_a_warning(variant: str) -> None:
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(LISTINGS / f"{variant}.c")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_plain_narrow_text(language: str) -> None:
    lines = (PIPE / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == list(PROGRAMS)
    assert len(lines) < 120
    assert max(map(columns, lines)) <= 76
    assert not [line for line in lines if line.startswith(("|", "!["))]


def columns(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
