"""The carriers that hold something: exactly how much, what stands half written, and where the true limit is."""

import os
from collections.abc import Iterator

import pytest

from ipctui.lab.parameters import UsageError
from ipctui.trace.records import Call, State
from tests.lab.conftest import Bench
from tests.mechanisms.cells import (
    CELLS,
    RECEIVERS,
    SENDERS,
    Open,
    between,
    channel,
    done,
    drained,
    opened,
    quick,
    settled,
    until_asleep,
    until_offered,
)

pytestmark = pytest.mark.real


@pytest.fixture
def cells() -> Iterator[Open]:
    yield from opened("sync")


def test_the_mailbox_takes_its_capacity_and_not_one_more(cells: Open) -> None:
    lab = quick(cells, "bounded", capacity=3)
    until_offered(lab, 3)
    hold_receivers(lab)
    lab.until(lambda: all(channel(lab, cell).used == 3 for cell in CELLS))
    for cell in ("bb", "bn"):
        until_asleep(lab, f"{cell}/sender", "mq_send")
    before = {cell: done(lab, f"{cell}/sender").refused for cell in ("nb", "nn")}
    lab.until(lambda: all(done(lab, f"{cell}/sender").refused > before[cell] + 5 for cell in before))
    assert all(channel(lab, cell).used == 3 for cell in CELLS)


@pytest.mark.parametrize(("name", "call"), [("bb/sender", "mq_send"), ("nn/receiver", "mq_receive")])
def test_an_end_of_a_mailbox_that_is_closed_ends_its_program_with_ebadf(cells: Open, name: str, call: str) -> None:
    lab = quick(cells, "bounded")
    until_offered(lab, 2)
    cell, _, role = name.partition("/")
    assert lab.do(f"close {name} 3").startswith("done")
    assert lab.until_ended(name) == "status 1"
    lab.until(lambda: bool(lab.events("failed")))
    (failed,) = lab.events("failed")
    assert (failed.cell, failed.process, failed.data["call"], failed.data["errno"]) == (cell, role, call, "EBADF")
    before = done(lab, "bn/receiver").received
    lab.until(lambda: done(lab, "bn/receiver").received > before + 3, what="the other cells go on")


def hold_receivers(lab: Bench) -> None:
    """Hold them, and wait until they are: one that was asleep takes a message more."""
    lab.do("hold receiver")
    lab.until(lambda: all(lab.is_in(name, "held") for name in RECEIVERS), 10, "all receivers held")


def test_a_blocking_write_stands_half_written_and_a_non_blocking_one_returns_a_short_count(cells: Open) -> None:
    lab = cells("pipe", rate=20, receive=40)
    until_offered(lab, 2)
    hold_receivers(lab)
    until_asleep(lab, "bb/sender", "write")
    lab.until(lambda: lab.state("bb/sender").progress is not None)
    written, size = lab.state("bb/sender").progress or (0, 0)
    assert size == 6000
    assert 0 < written < size
    assert channel(lab, "bb").used is not None
    lab.until(lambda: any(is_short(call) for call in lab.calls("sender", "write") if call.cell == "nn"))
    lab.do("release receiver")
    short = next(call for call in lab.calls("sender", "write") if call.cell == "nn" and is_short(call))
    message = short.message[0]
    # The rest was written by the program, in a call of its own: the kernel did not finish it.
    lab.until(lambda: sum(call.result for call in parts(lab, message) if call.result and call.result > 0) == 6000)
    assert len([call for call in parts(lab, message) if call.result and call.result > 0]) > 1


def is_short(call: Call) -> bool:
    return call.result is not None and 0 < call.result < int(call.args.rpartition(", ")[2])


def parts(lab: Bench, message: str) -> list[Call]:
    return [call for call in lab.calls("sender", "write") if call.cell == "nn" and message in call.message]


def test_the_growing_queue_never_lets_a_sender_sleep_and_gives_its_memory_back(cells: Open) -> None:
    lab = quick(cells, "unbounded", rate=1000, receive=0)
    until_offered(lab, 20)
    hold_receivers(lab)
    lab.until(lambda: (channel(lab, "bb").used or 0) > 500, 15)
    full = channel(lab, "bb").facts["resident"]
    assert full > 500 * 64, "a message of 64 bytes takes at least as much"
    path = channel(lab, "bb").object
    assert os.stat(path).st_blocks * 512 >= full
    drained(lab)
    lab.until(lambda: channel(lab, "bb").used == 0)
    assert os.stat(path).st_blocks * 512 <= 3 * 4096
    slept = [record for record in lab.records if isinstance(record, State) and record.state == "blocked"]
    assert not [record for record in slept if record.process == "sender"]


def test_the_growing_queue_refuses_at_its_limit_and_says_so(cells: Open) -> None:
    lab = cells("unbounded", rate=0, receive=0, limit=1)
    hold_receivers(lab)
    before = {name: done(lab, name).refused for name in SENDERS}
    lab.until(lambda: all(done(lab, name).refused > before[name] for name in SENDERS), 15)
    between(lab)
    lab.until(lambda: all(channel(lab, cell).used == channel(lab, cell).facts["limit"] for cell in CELLS))
    for cell in CELLS:
        now = channel(lab, cell)
        assert now.used == now.facts["limit"]
        assert now.facts["limit_bytes"] == 1 << 20
    lab.do("rate receiver 0")
    drained(lab)


def test_a_message_that_is_too_large_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="largest"):
        settled("sync", "zero", size=300)
    assert settled("sync", "pipe", size=9000)["size"] == 9000


def test_a_limited_number_of_messages_ends_the_senders(cells: Open) -> None:
    lab = quick(cells, "pipe", messages=5)
    for name in (*SENDERS, *RECEIVERS):
        assert lab.until_ended(name, 10) == "status 0"
    assert {done(lab, name).offered for name in SENDERS} == {5}
    for cell in CELLS:
        assert done(lab, f"{cell}/receiver").received == done(lab, f"{cell}/sender").accepted
