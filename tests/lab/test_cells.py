"""Several cells under one clock: how they are named and commanded, and that recordings and exports carry them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctui.lab.commands import named
from ipctui.lab.fold import fold
from ipctui.lab.parameters import UsageError
from ipctui.lab.player import summed_up
from ipctui.lab.state import LabState
from ipctui.lab.state_json import state_from_json, state_to_json
from ipctui.lab.summary import summary
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Access, Channel, Count, Counters, Process
from tests.lab.conftest import Bench, lines_of, ran
from tests.mechanisms.cells import CELLS, Open, channel, done, opened

pytestmark = pytest.mark.real
ROLES = [f"{cell}/{role}" for cell in CELLS for role in ("sender", "receiver")]


def stored(lab: Bench, cell: str) -> list[Access]:
    return [each for each in lab.records if isinstance(each, Access) and each.cell == cell and each.name == "store"]


@pytest.fixture
def cells() -> Iterator[Open]:
    yield from opened("sync")


def test_a_process_is_named_by_its_cell_and_its_role(cells: Open) -> None:
    lab = cells("zero", rate=20, receive=50)
    lab.until(lambda: list(lab.lab.state.processes) == ROLES and all(done(lab, f"{c}/sender").offered for c in CELLS))
    assert [handle.name for handle in lab.lab.handles] == ROLES
    for name in ROLES:
        process = lab.process(name)
        with open(f"/proc/{process.pid}/comm") as file:
            assert file.read().strip() == name[:15]


def test_a_role_alone_means_it_in_every_cell_and_a_cell_its_own(cells: Open) -> None:
    lab = cells("zero", rate=20, receive=50)
    lab.do("hold sender")
    lab.until(lambda: all(lab.is_in(f"{cell}/sender", "held") for cell in CELLS), what="all senders held")
    assert not any(lab.is_in(f"{cell}/receiver", "held") for cell in CELLS)
    lab.do("release sender")
    lab.do("hold nn/all")
    lab.until(lambda: lab.is_in("nn/sender", "held") and lab.is_in("nn/receiver", "held"))
    lab.do("rate bn/sender 7")
    lab.do("rate receiver 9")
    rates = {handle.name: round(handle.rate) for handle in lab.lab.handles}
    assert rates == {name: 9 if name.endswith("receiver") else 7 if name == "bn/sender" else 20 for name in ROLES}


def test_what_one_of_several_refuses_is_done_for_the_others(cells: Open) -> None:
    lab = cells("zero", rate=5, receive=5)
    lab.do("kill nb/sender")
    lab.until_ended("nb/sender")
    assert not lab.do("hold sender").startswith("refused")
    assert [handle.name for handle in lab.lab.handles if handle.held] == ["bb/sender", "bn/sender", "nn/sender"]
    lab.do("release sender")
    lab.do("inject bn/all hello")
    lab.until(lambda: any("hello" in (access.text or "") for access in stored(lab, "bn")), what="the user's message")
    assert lab.do("inject receiver hello").startswith("refused: bb/receiver sends no messages")


@pytest.mark.parametrize(
    ("name", "near"),
    [("bb/sendr", "bb/sender"), ("sendr", "sender"), ("bn/al", "bn/all"), ("nm/receiver", "nn/receiver")],
)
def test_a_name_that_nobody_has_is_answered_with_the_nearest(cells: Open, name: str, near: str) -> None:
    lab = cells("zero")
    with pytest.raises(UsageError, match=f"did you mean '{near}'"):
        named(lab.lab.handles, name)


def test_restarting_a_role_starts_a_new_one_in_every_cell(cells: Open) -> None:
    lab = cells("zero", rate=20, receive=50)
    before = {name: lab.lab.state.processes[name].pid for name in ROLES}
    lab.until(lambda: all(done(lab, f"{cell}/sender").offered > 2 for cell in CELLS))
    assert lab.do("restart receiver") == "done"
    lab.until(lambda: {name for name in ROLES if lab.process(name).pid != before[name]} == set(ROLES[1::2]))


def test_every_record_of_a_cell_says_so_and_the_summary_is_by_cell(cells: Open) -> None:
    lab = cells("unbounded", rate=20, receive=50)
    lab.until(lambda: all(done(lab, f"{cell}/receiver").received >= 3 for cell in CELLS), seconds=10)
    last = lab.finish()
    told = [record for record in lab.records if isinstance(record, Counters | Process | Channel | Access)]
    assert {record.cell for record in told} == set(CELLS)
    assert list(last.processes) == ROLES
    assert {name: row["cell"] for name, row in last.channels.items()} == {f"{cell}/growing 1": cell for cell in CELLS}
    for cell in CELLS:
        row, sent = last.channels[f"{cell}/growing 1"], last.processes[f"{cell}/sender"]
        assert row["written"] == 64 * sent["sent"]
        assert sent["offered"] == sent["sent"] + sent["refused"] + last.proofs["cells"][cell]["in_hand"]
        assert channel(lab, cell).cell == cell


def test_messages_of_one_number_in_two_cells_are_two_messages(cells: Open) -> None:
    lab = cells("unbounded", rate=20, receive=50)
    lab.until(lambda: all(done(lab, f"{cell}/receiver").received >= 3 for cell in CELLS), seconds=10)
    links = {link.id: link for link in lab.lab.state.links}
    for cell in CELLS:
        link = links[f"{cell}/sender:1"]
        assert (link.sender, link.receiver) == (f"{cell}/sender", f"{cell}/receiver")


def test_a_recording_replays_to_the_same_state_and_a_checkpoint_carries_cells(cells: Open) -> None:
    lab = cells("zero", rate=20, receive=50)
    lab.until(lambda: all(done(lab, f"{cell}/sender").offered > 3 for cell in CELLS), seconds=10)
    lab.finish()
    state = lab.lab.state
    again = fold(LabState(), lab.records, lab.lab.channel.reduce)
    assert summary(again, lab.lab.channel) == summary(state, lab.lab.channel)
    assert state_from_json(json.loads(json.dumps(state_to_json(state)))) == state


@pytest.mark.parametrize("carrier", ["zero", "pipe"])
def test_record_replay_and_export_carry_the_cells(tmp_path: Path, carrier: str) -> None:
    file = tmp_path / "cells.jsonl.gz"
    setting = ("--set", "rate=20", "--set", "receive=50")
    done = ran("run", "sync", "--variant", carrier, *setting, "--headless", "--for", "2", "--record", str(file))
    assert done.returncode == 0, done.stderr
    last = lines_of(done.stdout)[-1]
    total, problems = summed_up(file, catalogue.channel)
    assert problems == ()
    assert total.processes == last["processes"]
    assert total.proofs == last["proofs"]

    exported = ran("export", str(file), "--to", "perfetto", "-o", "-")
    assert exported.returncode == 0, exported.stderr
    names = [
        event["args"]["name"]
        for event in json.loads(exported.stdout)["traceEvents"]
        if event.get("name") in ("process_name", "thread_name")
    ]
    assert all(any(role in name for name in names) for role in ROLES), names

    text = ran("export", str(file), "--to", "text", "-o", "-", "--width", "200")
    assert text.returncode == 0, text.stderr
    assert all(role in text.stdout.decode() for role in ROLES)

    replayed = ran("replay", str(file), "--headless")
    assert replayed.returncode == 0, replayed.stderr
    assert lines_of(replayed.stdout)[-1]["processes"] == last["processes"]


def test_the_summary_names_a_cells_objects_by_the_cell_even_when_nobody_looked_at_them() -> None:
    count = Count("write", "write", 4, "pipe:[7]", 1, 64)
    records = [Counters(1, "sender", 10 + place, (count,), 1, cell=cell) for place, cell in enumerate(("bb", "nn"))]
    told = summary(fold(LabState(), records), None)
    assert told.processes["bb/sender"]["calls"][0]["object"].endswith("/pipe 1")
    assert set(told.processes) == {"bb/sender", "nn/sender"}


def test_told_as_text_every_line_and_the_sums_name_the_cell() -> None:
    done = ran("run", "sync", "--text", "--for", "1.5", "--lang", "en")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "bb/sender" in text
    assert "  nn: offered" in text
    assert not [line for line in text.splitlines() if " sender " in line]


def test_nobody_can_be_added_to_a_cell(cells: Open) -> None:
    lab = cells("zero")
    assert "a cell has one sender and one receiver" in lab.do("add bb/sender")
