"""The FIFO's listings in C: they compile, fit, and make the system calls of the programs that they stand for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ipctui.lab.channel import Variant
from ipctui.mechanisms.fifo import program
from ipctui.mechanisms.fifo.channel import CHANNEL
from ipctui.mechanisms.fifo.look import OPENS
from ipctui.trace.operations import OPERATIONS
from tests.mechanisms.test_listings import columns

FOLDER = Path(program.__file__).parent
VARIANTS = [variant.name for variant in CHANNEL.variants]
NEEDED = {
    "nonblocking-open": {"mkfifo(", "O_WRONLY | O_NONBLOCK", "O_RDONLY | O_NONBLOCK", "O_RDWR", "ENXIO"},
}
ALWAYS = {"mkfifo(", "open(", "O_WRONLY", "O_RDONLY", "read(", "write("}


def test_every_variant_has_its_listing_and_no_listing_is_left_over() -> None:
    assert sorted(path.stem for path in (FOLDER / "listing").iterdir()) == sorted(VARIANTS)


@pytest.mark.parametrize("variant", CHANNEL.variants, ids=VARIANTS)
def test_it_fits_and_makes_the_calls(variant: Variant) -> None:
    name = variant.name
    source = CHANNEL.listing(variant)
    lines = source.splitlines()
    assert 25 <= len(lines) <= 50
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() and "\t" not in line and line.isascii() for line in lines)
    assert lines[0].startswith(f"/* {name}: ")
    assert [part for part in ALWAYS | NEEDED.get(name, set()) if part not in source] == []


def test_the_deadlock_opens_in_the_opposite_order_and_two_way_in_the_same() -> None:
    def first(name: str, function: str) -> str:
        source = (FOLDER / "listing" / f"{name}.c").read_text()
        body = source[source.index(f"static void {function}(") :].split("\n}\n")[0]
        return min(("O_WRONLY", "O_RDONLY"), key=body.index)

    assert first("two-way", "client") == "O_WRONLY"
    assert first("deadlock", "client") == "O_RDONLY"
    assert first("two-way", "server") == first("deadlock", "server") == "O_RDONLY"


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
@pytest.mark.parametrize("name", VARIANTS)
def test_it_compiles_without_a_warning(name: str) -> None:
    path = FOLDER / "listing" / f"{name}.c"
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_program_of_a_plan_says_what_it_opens() -> None:
    values = {parameter.name: parameter.default for parameter in CHANNEL.parameters()}
    for variant in CHANNEL.variants:
        plan = CHANNEL.plan(variant, {**values, **variant.values})
        seats = [seat for tree in plan.trees for seat in tree] + list(plan.newcomers.values())
        assert {seat.program for seat in seats} <= OPENS.keys()
        assert all(callable(getattr(program, seat.program)) for seat in seats)
        assert {operation for seat in seats for operation in seat.paced} <= {row.name for row in OPERATIONS}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_lesson_speaks_of_every_variant_in_plain_narrow_text(language: str) -> None:
    lines = (FOLDER / f"lesson.{language}.md").read_text(encoding="utf-8").splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == VARIANTS
    assert len(lines) < 120
    assert max(map(columns, lines)) <= 76
    assert not [line for line in lines if line.startswith(("|", "!["))]
