"""The four cells on their four carriers: what is claimed of them, asked of the kernel and of the counts."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctui.kernel import semaphore_sets
from ipctui.mechanisms.sync.words import is_nonblocking, title
from ipctui.trace.records import REFUSED, Access, Event
from tests.lab.conftest import Bench
from tests.mechanisms.cells import (
    CELLS,
    RECEIVERS,
    Open,
    arrived,
    between,
    channel,
    counted,
    done,
    drained,
    kernel_call,
    kernel_letter,
    opened,
    quick,
    until_asleep,
    until_offered,
    until_orphaned,
)

pytestmark = pytest.mark.real
CARRIERS = ("zero", "bounded", "pipe", "unbounded")


@pytest.fixture
def cells() -> Iterator[Open]:
    yield from opened("sync")


def refused(lab: Bench, cell: str) -> list[int]:
    return [event.data["number"] for event in lab.records if is_refusal(event) and event.cell == cell]


def is_refusal(record: object) -> bool:
    return isinstance(record, Event) and record.name == REFUSED


def whole(lab: Bench, cell: str) -> list[int]:
    """The numbers that arrived; on a pipe by parts, each of which names its message, and the last may lack its end."""
    if channel(lab, cell).type != "pipe":
        return arrived(lab, cell)
    return list(dict.fromkeys(arrived(lab, cell)))[: done(lab, f"{cell}/receiver").received]


# Offered = accepted + refused, and what was accepted arrives exactly once, in order.


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_is_accepted_arrives_exactly_once_and_in_order(cells: Open, carrier: str) -> None:
    lab = quick(cells, carrier)
    until_offered(lab, 40)
    drained(lab)
    last = lab.finish()
    assert not lab.lab.state.lost
    if carrier == "zero":
        assert {row["peak"] for row in last.channels.values()} == {0}
    for cell in CELLS:
        sent, received = done(lab, f"{cell}/sender"), done(lab, f"{cell}/receiver")
        assert sent.in_hand in (0, 1)
        assert received.received == sent.accepted
        came, gone = whole(lab, cell), refused(lab, cell)
        assert len(came) == sent.accepted
        assert len(gone) == sent.refused
        assert came == sorted(set(came))
        # Every number offered is one of the two, but for the one in hand.
        assert sorted([*came, *gone]) == list(range(1, sent.accepted + sent.refused + 1))
        assert last.proofs["cells"][cell].get("out_of_order", 0) == 0


@pytest.mark.parametrize("carrier", ["zero", "bounded", "unbounded"])
@pytest.mark.parametrize("modes", ["", "flip"])
def test_holding_stepping_killing_and_stopping_lose_and_double_nothing(cells: Open, carrier: str, modes: str) -> None:
    lab = quick(cells, carrier)
    until_offered(lab, 5)
    kills = 0
    for role in ("receiver", "sender"):
        lab.do(f"hold {role}")
        for _ in range(7):
            lab.do(f"step {role}")
            lab.tick()
        if modes:
            lab.do("nonblocking bb/all")
            lab.do("blocking nn/all")
        lab.do(f"release {role}")
        until_offered(lab, 3)
        lab.do(f"stop {role}")
        lab.until(lambda role=role: lab.is_in(f"nn/{role}", "stopped"))
        lab.do(f"continue {role}")
        until_offered(lab, 3)
        lab.do(f"kill {role}")
        lab.until(lambda role=role: all(lab.process(f"{cell}/{role}").exited is not None for cell in CELLS))
        lab.do(f"restart {role}")
        lab.until(lambda role=role: all(lab.process(f"{cell}/{role}").exited is None for cell in CELLS))
        kills += 1
        until_offered(lab, 5)
    drained_of_the_living(lab)
    lab.finish()
    assert not lab.lab.state.lost
    for cell in CELLS:
        came, gone = arrived(lab, cell), refused(lab, cell)
        sent = done(lab, f"{cell}/sender")
        assert came == sorted(set(came)), cell
        assert not set(came) & set(gone), cell
        # What died with its process in a send or a receive is in hand, and nowhere else.
        missing = set(range(1, max([0, *came, *gone]) + 1)) - set(came) - set(gone)
        assert len(missing) <= 2 * kills + 1, cell
        assert 0 <= sent.in_hand <= kills + 1
        assert sent.offered == sent.accepted + sent.refused + sent.in_hand
        assert abs(sent.accepted - len(came)) <= 2 * kills


def drained_of_the_living(lab: Bench) -> None:
    """As `drained`, where what died with somebody was accepted, and is received by nobody."""
    lab.do("release all")
    between(lab)
    before: list[int] = []

    def still() -> bool:
        nonlocal before
        counted(lab)
        now = [done(lab, name).received for name in RECEIVERS]
        same, before = now == before, now
        return same and all((channel(lab, cell).used or 0) == 0 for cell in CELLS)

    lab.until(still, 10, "the channels are empty")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_laboratory_that_is_restarted_counts_anew(cells: Open, carrier: str) -> None:
    lab = quick(cells, carrier, rate=50, receive=30)
    until_offered(lab, 20)
    before = {cell: channel(lab, cell).object for cell in CELLS}
    lab.lab.restart()
    lab.until(lambda: all(channel(lab, cell).object != before[cell] for cell in CELLS), 10, "other channels")
    until_offered(lab, 5)
    drained(lab)
    last = lab.finish()
    for cell in CELLS:
        proofs = last.proofs["cells"][cell]
        # What lay in the channels of before is gone with them: it is neither owed nor out of order.
        assert proofs["accepted"] == proofs.get("received", 0)
        assert proofs.get("out_of_order", 0) == 0
        assert proofs["in_hand"] <= 1


# The rendezvous.


def test_non_blocking_both_ways_they_never_meet_however_fast(cells: Open) -> None:
    lab = cells("zero", rate=0, receive=0)
    lab.until(lambda: done(lab, "nn/sender").offered > 3000 and done(lab, "nn/receiver").empty > 3000, 15)
    lab.until(lambda: all(done(lab, f"{cell}/sender").accepted > 0 for cell in ("bb", "bn", "nb")), 15)
    assert done(lab, "nn/sender").accepted == 0
    assert done(lab, "nn/receiver").received == 0


def test_a_blocking_sender_sleeps_until_its_message_is_taken(cells: Open) -> None:
    lab = cells("zero", rate=100, receive=0)
    until_offered(lab, 3)
    lab.do("kill receiver")
    for cell in ("bb", "bn"):
        state = until_orphaned(lab, f"{cell}/sender", "semop")
        # Whoever died with the message in its hands has given it back: the kernel has undone what it did.
        lab.until(lambda cell=cell: "no receiver has taken" in (lab.state(f"{cell}/sender").reason or ""), what=cell)
        assert kernel_letter(state.pid) == "S"
        assert kernel_call(state.pid) in ("semtimedop", "semop")
    before = done(lab, "bb/sender").accepted
    lab.do("restart bb/receiver")
    lab.until(lambda: done(lab, "bb/sender").accepted > before)


def test_a_non_blocking_send_is_refused_unless_a_receiver_is_asleep_waiting(cells: Open) -> None:
    lab = cells("zero", rate=100, receive=0)
    lab.until(lambda: done(lab, "nb/sender").accepted > 5)
    lab.do("hold receiver")
    # Asleep when it was held, it takes one more message, and stands before the next operation.
    lab.until(lambda: lab.is_in("nb/receiver", "held"))
    counted(lab)
    accepted, count = done(lab, "nb/sender").accepted, done(lab, "nb/sender").refused
    lab.until(lambda: done(lab, "nb/sender").refused > count + 20)
    assert done(lab, "nb/sender").accepted <= accepted + 1
    lab.do("release receiver")
    lab.until(lambda: done(lab, "nb/sender").accepted > accepted + 5)


def test_a_send_that_is_interrupted_is_withdrawn(cells: Open) -> None:
    lab = cells("zero", rate=2, receive=0)
    lab.until(lambda: done(lab, "bb/sender").accepted >= 1)
    lab.do("kill bb/receiver")
    until_orphaned(lab, "bb/sender", "semop")
    assert lab.do("unblock bb/sender").startswith("done")
    lab.until(lambda: done(lab, "bb/sender").refused == 1)
    ended = [call for call in lab.calls("sender", "semop") if call.cell == "bb" and call.errno == "EINTR"]
    assert len(ended) == 1
    (number,) = refused(lab, "bb")
    lab.do("restart bb/receiver")
    lab.until(lambda: bool(set(arrived(lab, "bb")) & {number + 1, number + 2}))
    assert number not in arrived(lab, "bb")


def values(lab: Bench, cell: str) -> tuple[int, ...]:
    view = semaphore_sets.look(channel(lab, cell).facts["semaphores"], 2)
    assert view is not None
    return view.values


def test_the_kernel_withdraws_the_offer_of_a_sender_that_is_killed(cells: Open) -> None:
    lab = cells("zero", rate=100, receive=0)
    until_offered(lab, 2)
    # Killed asleep, with nothing in its hands: else it may have read the message that is offered again.
    between(lab)
    lab.until_state("bb/receiver", "blocked", "semop")
    lab.do("kill bb/receiver")
    lab.until_ended("bb/receiver")
    lab.do("release bb/sender")
    until_orphaned(lab, "bb/sender", "semop")
    assert values(lab, "bb") == (1, 0)
    number = max(link_numbers(lab, "bb"))
    lab.do("kill bb/sender")
    lab.until_ended("bb/sender")
    assert values(lab, "bb") == (0, 0)
    lab.do("restart bb/receiver")
    lab.until_state("bb/receiver", "blocked", "semop")
    assert number not in arrived(lab, "bb")


def link_numbers(lab: Bench, cell: str) -> list[int]:
    stores = [each for each in lab.records if isinstance(each, Access) and each.cell == cell and each.name == "store"]
    return [int(message.rpartition(":")[2]) for each in stores for message in each.message]


def test_an_offer_stands_again_when_its_receiver_dies_with_it_in_its_hands(cells: Open) -> None:
    lab = cells("zero", rate=100, receive=0)
    until_offered(lab, 2)
    # Held while it is asleep, it wakes with the message that it waited for, and has not read it yet.
    between(lab)
    lab.until_state("bb/receiver", "blocked", "semop")
    lab.do("hold bb/receiver")
    lab.do("release bb/sender")
    state = lab.until_state("bb/receiver", "held", "load")
    lab.until_state("bb/sender", "blocked", "semop")
    assert values(lab, "bb") == (0, 1)
    number = link_numbers(lab, "bb")[-1]
    assert number not in arrived(lab, "bb")
    os.kill(state.pid, 9)
    lab.until_ended("bb/receiver")
    assert values(lab, "bb") == (1, 0)
    lab.do("restart bb/receiver")
    # It begins held, as the one before it was.
    lab.until_state("bb/receiver", "held")
    lab.do("release bb/receiver")
    lab.until(lambda: number in arrived(lab, "bb"))
    assert arrived(lab, "bb").count(number) == 1


@pytest.mark.skipif(shutil.which("ipcs") is None, reason="needs ipcs(1)")
def test_ipcs_counts_the_sleepers_that_the_pane_shows(cells: Open) -> None:
    lab = cells("zero", rate=5, receive=0)
    until_offered(lab, 2)
    between(lab)
    lab.until_state("bb/receiver", "blocked", "semop")
    lab.until(lambda: channel(lab, "bb").facts["receivers_asleep"] == 1)
    identifier = channel(lab, "bb").facts["semaphores"]
    told = subprocess.run(["ipcs", "-s", "-i", str(identifier)], capture_output=True, text=True, check=True).stdout
    rows = [[int(word) for word in line.split()] for line in told.splitlines() if re.fullmatch(r"[\d ]+", line.strip())]
    assert [row[:4] for row in rows if len(row) == 5] == [[0, 0, 1, 0], [1, 0, 0, 0]]


# Modes.


def modes(lab: Bench, name: str) -> set[bool]:
    """Whether O_NONBLOCK (04000) is set, of every descriptor of a channel, by /proc/PID/fdinfo."""
    process = lab.process(name)
    found = set()
    for row in process.descriptors:
        if not row.end.endswith("closed"):
            text = Path(f"/proc/{process.pid}/fdinfo/{row.fd}").read_text()
            found.add(bool(int(re.search(r"flags:\s*([0-7]+)", text)[1], 8) & 0o4000))  # type: ignore[index]
    return found


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_mode_that_a_cell_claims_is_in_fdinfo(cells: Open, carrier: str) -> None:
    lab = quick(cells, carrier)
    until_offered(lab, 2)
    for cell in CELLS:
        lab.until(lambda cell=cell: modes(lab, f"{cell}/sender") == {cell[0] == "n"}, what=cell)
        lab.until(lambda cell=cell: modes(lab, f"{cell}/receiver") == {cell[1] == "n"}, what=cell)
    lab.do("nonblocking bb/receiver")
    lab.until(lambda: modes(lab, "bb/receiver") == {True})
    lab.do("blocking nn/sender")
    lab.until(lambda: modes(lab, "nn/sender") == {False})


def test_a_descriptor_that_is_closed_takes_no_mode_with_it(cells: Open) -> None:
    lab = quick(cells, "zero")
    until_offered(lab, 2)
    lab.do("close bn/receiver 3")
    lab.until(lambda: all(row.end.endswith("closed") for row in lab.process("bn/receiver").descriptors))
    empty = done(lab, "bn/receiver").empty
    lab.until(lambda: done(lab, "bn/receiver").empty > empty + 3, what="its receives go on, and come back empty-handed")
    assert title(lab.process("bn/sender"), lab.process("bn/receiver"), "en") == "send blocking · receive non-blocking"
    lab.do("blocking bn/receiver")
    lab.until(lambda: not is_nonblocking(lab.process("bn/receiver")))
    between(lab)
    until_asleep(lab, "bn/receiver", "semop")


@pytest.mark.parametrize(("carrier", "call"), [("zero", "semop"), ("bounded", "mq_send"), ("pipe", "write")])
def test_with_the_receivers_held_blocking_senders_sleep_and_the_others_are_refused(
    cells: Open, carrier: str, call: str
) -> None:
    lab = quick(cells, carrier)
    until_offered(lab, 3)
    lab.do("hold receiver")
    # A receiver that was asleep takes one message more, and then stands at its gate.
    lab.until(lambda: all(lab.is_in(name, "held") for name in RECEIVERS), what="all receivers held")
    for cell in ("bb", "bn"):
        state = until_asleep(lab, f"{cell}/sender", call)
        assert state.wakers == (f"{cell}/receiver",)
    counted(lab)
    before = {cell: done(lab, f"{cell}/sender") for cell in CELLS}
    lab.until(
        lambda: all(
            done(lab, f"{cell}/sender").refused + done(lab, f"{cell}/sender").empty
            > before[cell].refused + before[cell].empty + 3
            for cell in ("nb", "nn")
        )
    )
    for cell in ("bb", "bn"):
        assert done(lab, f"{cell}/sender").accepted <= before[cell].accepted + 1


@pytest.mark.parametrize(("carrier", "call"), [("zero", "semop"), ("bounded", "mq_receive"), ("pipe", "read")])
def test_with_the_senders_held_blocking_receivers_sleep_and_the_others_find_nothing(
    cells: Open, carrier: str, call: str
) -> None:
    lab = quick(cells, carrier)
    until_offered(lab, 3)
    drained(lab)
    for cell in ("bb", "nb"):
        state = until_asleep(lab, f"{cell}/receiver", call)
        assert state.wakers == (f"{cell}/sender",)
    before = {name: done(lab, name).empty for name in RECEIVERS}
    lab.until(
        lambda: all(done(lab, f"{cell}/receiver").empty > before[f"{cell}/receiver"] + 5 for cell in ("bn", "nn"))
    )
