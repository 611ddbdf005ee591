"""What a class must see of data representation, with real processes and, where there is one, a C compiler."""

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.session import Lab
from ipctui.lab.told import heard
from ipctui.mechanisms.xdr.caption import caption
from ipctui.mechanisms.xdr.channel import CHANNEL
from ipctui.mechanisms.xdr.machines import (
    KINDS,
    LONGEST,
    MACHINES,
    THIS,
    Kind,
    from_xdr,
    laid_out,
    padding,
    parsed,
    read,
    size_of,
    stored,
    to_xdr,
)
from ipctui.mechanisms.xdr.pane import PANE
from ipctui.widgets.view import View
from tests.lab.conftest import Bench, waited

Open = Callable[..., Bench]
LITTLE, BIG = MACHINES["little64"], MACHINES["big64"]


@pytest.fixture
def xdr() -> Iterator[Open]:
    """Opens laboratories: `xdr("int32", value=1)`; no segment is left at the end."""
    launcher = LauncherClient()
    labs: list[Lab] = []

    def open_lab(variant: str, **values: object) -> Bench:
        chosen = next(one for one in CHANNEL.variants if one.name == variant)
        settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
        CHANNEL.check(chosen, settled)
        labs.append(Lab(CHANNEL, chosen, settled, launcher))
        return Bench(labs[-1])

    yield open_lab
    names = [lab.workers.plan.given["agreed"] for lab in labs]
    for lab in labs:
        lab.close()
    launcher.close()
    waited(lambda: not any(Path(f"/dev/shm{name}").exists() for name in names), 5, "every segment gone")


def facts(lab: Bench) -> dict[str, Any]:
    return dict(lab.lab.state.facts)


# Machines


def test_one_in_the_wrong_order_reads_as_the_notes_say() -> None:
    assert read("int32", laid_out("int32", 1, LITTLE), BIG) == "16,777,216"
    assert from_xdr("int32", to_xdr("int32", 1)) == "1"


def test_xdr_has_no_16_bit_integer() -> None:
    assert to_xdr("int16", 1) == b"\0\0\0\1"
    assert laid_out("int16", 1, BIG) == b"\0\1"


def test_the_size_of_a_long_and_the_padding_differ_by_machine() -> None:
    assert {name: size_of("struct", machine) for name, machine in MACHINES.items()} == {
        "little64": 24,
        "big64": 24,
        "little32": 20,
        "big32": 24,
    }
    assert {name: padding(machine) for name, machine in MACHINES.items()} == {
        "little64": 1,
        "big64": 1,
        "little32": 1,
        "big32": 5,
    }


VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    "int16": st.integers(-(2**15), 2**15 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(),
    "string": st.binary(max_size=LONGEST).filter(lambda raw: b"\0" not in raw),
    "struct": st.integers(-(2**31), 2**31 - 1).map(lambda number: (1, 2, number, number, float(number))),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_every_machine_reads_its_own_bytes_right_and_xdr_is_read_right_everywhere(
    kind: Kind, data: st.DataObject
) -> None:
    value = data.draw(VALUES[kind])
    right = from_xdr(kind, to_xdr(kind, value))
    for machine in MACHINES.values():
        assert read(kind, laid_out(kind, value, machine), machine) == right


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_computed_for_this_machine_is_what_its_memory_holds(kind: Kind, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind].filter(lambda value: value == value))
    held = stored(kind, value)
    if kind == "struct":  # what fills up may hold anything
        assert len(held) == size_of(kind, MACHINES[THIS])
        assert read(kind, held, MACHINES[THIS]) == read(kind, laid_out(kind, value, MACHINES[THIS]), MACHINES[THIS])
    else:
        assert held == laid_out(kind, value, MACHINES[THIS])
    assert THIS.startswith(sys.byteorder)
    assert MACHINES[THIS].long == ctypes.sizeof(ctypes.c_long)


@given(st.sampled_from(KINDS), st.binary(max_size=60), st.sampled_from(sorted(MACHINES)))
def test_any_bytes_are_read_as_something_or_refused(kind: Kind, raw: bytes, machine: str) -> None:
    assert read(kind, raw, MACHINES[machine])
    assert from_xdr(kind, raw)


@given(st.sampled_from(KINDS), st.text(max_size=60))
def test_any_text_is_a_value_or_refused_in_one_line(kind: Kind, text: str) -> None:
    try:
        value = parsed(kind, text)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    for machine in MACHINES.values():
        assert isinstance(laid_out(kind, value, machine), bytes)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")
def test_the_compiler_lays_the_struct_out_as_was_computed(tmp_path: Path) -> None:
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <stdio.h>\n#include <stddef.h>\nstruct v { char c; short s; int i; long l; double d; };\n"
        'int main(void) { printf("%zu %zu", sizeof(struct v), offsetof(struct v, d)); return 0; }\n'
    )
    subprocess.run(["cc", "-o", str(tmp_path / "layout"), str(source)], check=True)
    said = subprocess.run([str(tmp_path / "layout")], capture_output=True, text=True, check=True).stdout.split()
    assert int(said[0]) == size_of("struct", MACHINES[THIS])
    assert int(said[1]) == size_of("struct", MACHINES[THIS]) - 8


# Real processes


@pytest.mark.real
def test_the_moment_one_is_read_as_16777216_and_with_xdr_as_one(xdr: Open) -> None:
    swapped = "big64" if sys.byteorder == "little" else "little64"
    lab = xdr("int32", rate=10, receiver=swapped)
    lab.until(lambda: facts(lab).get("read") == "16,777,216")
    assert "16,777,216 was read" in caption(lab.lab.state, "en")
    assert "16,777,216로 읽었다" in caption(lab.lab.state, "ko")
    assert lab.do("xdr on").startswith("done")
    lab.until(lambda: facts(lab).get("read") == "1" and facts(lab)["arrived"] == "00000001")
    assert "every machine reads 1" in caption(lab.lab.state, "en")
    picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 24).text()
    assert "00 00 00 01" in picture
    assert lab.do("xdr off").startswith("done")
    lab.until(lambda: facts(lab)["read"] == "16,777,216")
    assert lab.finish().proofs["read"] == 16_777_216


@pytest.mark.real
def test_the_bytes_on_the_wire_are_those_that_the_kernel_carried(xdr: Open) -> None:
    lab = xdr("struct", rate=20)
    lab.until(lambda: facts(lab).get("arrived"))
    assert facts(lab)["arrived"] == facts(lab)["stored"]
    lab.until(lambda: len([held for held in lab.lab.state.channels.values() if held.now.type == "socket"]) == 2)
    bound = {held.now.facts["local"] for held in lab.lab.state.channels.values() if held.now.type == "socket"}
    assert {place.partition(":")[0] for place in bound} == {"127.0.0.1"}, "nobody from another machine gets in"
    lab.do("hold receiver")
    lab.until(lambda: any(held.now.head for held in lab.lab.state.channels.values()), what="a datagram that waits")
    waiting = next(held.now for held in lab.lab.state.channels.values() if held.now.head)
    assert waiting.head == facts(lab)["stored"], "peeked at in the receiver's socket"
    lab.do("release receiver")


@pytest.mark.real
@pytest.mark.parametrize(("variant", "said"), [("string", "'Hello'"), ("double", "1"), ("int16", "1"), ("int64", "1")])
def test_with_xdr_every_type_is_read_right(xdr: Open, variant: str, said: str) -> None:
    lab = xdr(variant, rate=20, encoding="xdr")
    lab.until(lambda: facts(lab).get("read") == said)


@pytest.mark.real
def test_a_value_of_the_users_is_sent_and_nonsense_is_refused(xdr: Open) -> None:
    lab = xdr("int32", rate=4, receiver=THIS)

    def read_so_far() -> list[bytes]:  # the latest alone may be another one before anybody has looked
        return [told[1] for event in lab.events("read") if (told := heard(event)) is not None]

    lab.until(lambda: read_so_far()[-1:] == [b"1"])
    lab.do("inject sender 258")
    lab.until(lambda: b"258" in read_so_far())
    lab.do("inject sender nonsense")
    count = len(read_so_far())
    lab.until(lambda: len(read_so_far()) >= count + 4)
    assert set(read_so_far()) == {b"1", b"258"}, "nonsense is no value: the one that was set is sent"
    for variant, value in (("int16", "40000"), ("int32", "x"), ("double", ""), ("string", "x" * 99)):
        with pytest.raises(UsageError):
            xdr(variant, value=value)
    assert lab.do("xdr perhaps").startswith("refused")
