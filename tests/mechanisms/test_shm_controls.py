"""Every control on every variant of shared memory: what it does, seen at the process, or why it is refused."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest

from ipctui.lab.fold import key
from ipctui.trace.records import Count
from tests.lab.conftest import Bench, Open
from tests.mechanisms.segments import laboratories, segment
from tests.mechanisms.stepping import held, stepped_to

pytestmark = pytest.mark.real

FIRST = {
    "semaphores": "producer",
    "spin": "producer",
    "many": "producer1",
    "private": "writer",
    "race": "adder1",
    "dead-owner": "owner",
}
SENDS = {"semaphores", "spin", "many"}
WAITS = {"semaphores", "many", "race", "dead-owner"}
GROWS = {"many": "consumer", "race": "adder"}
variants = pytest.mark.parametrize("variant", FIRST)


@pytest.fixture
def shm() -> Iterator[Open]:
    """Opens laboratories of shared memory."""
    with laboratories() as opened:
        yield opened


def running(shm: Open, variant: str, **values: object) -> tuple[Bench, str]:
    """A laboratory whose first process is past its set-up."""
    lab, role = shm(variant, **values), FIRST[variant]
    lab.until(lambda: segment(lab).facts.get("mapped"), 10, "a mapping")
    lab.until(lambda: done(lab, role) > 2, 10, f"{role} at work")
    return lab, role


def done(lab: Bench, role: str) -> int:
    """Loads and stores of a process so far."""
    return lab.count(role, "load") + lab.count(role, "store")


def mode(pid: int) -> str:
    """The kernel's letter for a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@variants
def test_held_a_process_stands_still_and_a_step_is_one_operation(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    lab.do("hold all")
    lab.until(lambda: all(lab.state(each).state in ("held", "blocked") for each in lab.lab.state.processes), 10)
    if lab.state(role).state == "blocked":
        # What would let it go on is held as well: the step comes when it is over.
        assert lab.do(f"step {role}").startswith("pending")
        return
    before = sum(row.calls for row in counts(lab, role))
    lab.do(f"step {role}")
    lab.until(
        lambda: sum(row.calls for row in counts(lab, role)) == before + 1 or lab.state(role).state == "blocked",
        10,
        "one operation",
    )
    for _ in range(20):
        lab.tick()
    assert sum(row.calls for row in counts(lab, role)) <= before + 1
    lab.do("release all")
    lab.until(lambda: sum(row.calls for row in counts(lab, role)) > before + 3, 10, "more operations")


def counts(lab: Bench, role: str) -> tuple[Count, ...]:
    (seen,) = (seen for seen in lab.lab.seen if seen.role == role)
    assert seen.counters is not None
    return seen.counters.calls


@variants
def test_a_text_is_injected_or_refused_with_its_reason(shm: Open, variant: str) -> None:
    # Slow, so that no other message soon takes the slot that the text has been in.
    lab, role = running(shm, variant, **({"rate": 1} if variant in SENDS else {}))
    outcome = lab.do(f"inject {role} hello there")
    if variant not in SENDS:
        assert outcome.startswith("refused: ")
        assert "sends no messages" in outcome
    else:
        assert outcome.startswith("done")
        lab.until(lambda: b"hello there" in Path(segment(lab).object).read_bytes(), 10, "the text in a slot")


@variants
def test_nonblocking_the_process_never_sleeps_in_the_kernel(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    if variant not in WAITS:
        for command in ("nonblocking", "blocking"):
            outcome = lab.do(f"{command} {role}")
            assert outcome.startswith(f"refused: {command}: nobody here asks the kernel to wait")
        return
    assert lab.do("nonblocking all").startswith("done")
    if variant in ("semaphores", "many"):
        consumer = "consumer" if variant == "semaphores" else "consumer1"
        lab.until(lambda: lab.count(consumer, "sem_trywait") > 5, 10, "sem_trywait in the place of sem_wait")
        lab.until(lambda: lab.errors(consumer, "sem_trywait").get("EAGAIN"), 10, "EAGAIN")
        assert lab.do("blocking all").startswith("done")
        lab.until_state(consumer, "blocked", "sem_wait", 10)
    elif variant == "race":
        lab.do("lock on")
        lab.until(lambda: lab.count(role, "sem_trywait"), 10, "the lock tried for")
    else:
        lab.until(lambda: lab.errors("mutex-waiter", "pthread_mutex_trylock").get("EBUSY"), 20, "EBUSY")


@variants
def test_a_size_is_taken_by_who_sends_messages_and_never_larger_than_a_slot(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    outcome = lab.do(f"size {role} 40")
    if variant not in SENDS:
        assert outcome.startswith("refused: size: this variant stores numbers of 8 bytes")
        return
    assert outcome == "done"
    lab.until(lambda: 40 in lengths(lab), 10, "a message of 40 bytes")
    assert lab.do(f"size {role} 57").startswith("refused: size=57: a slot holds 56 bytes")


def lengths(lab: Bench) -> set[int]:
    """The length words of the slots, read by an outsider."""
    data = Path(segment(lab).object).read_bytes()
    return {int.from_bytes(data[at : at + 8], "little") for at in range(128, len(data), 64)}


@variants
def test_a_rate_is_kept_and_flat_out_is_faster(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant, **({"gap": 0} if variant == "race" else {}))
    assert lab.do("rate all 1").startswith("done")
    before = done(lab, role)
    lab.do("rate all 0")
    lab.until(lambda: done(lab, role) > before + 200, 10, "two hundred operations")


@variants
def test_stopped_it_is_the_kernels_doing_and_continued_it_goes_on(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    assert lab.do(f"stop {role}") == "done"
    lab.until_state(role, "stopped", seconds=10)
    assert mode(lab.process(role).pid) == "T"
    before = done(lab, role)
    assert lab.do(f"continue {role}") == "done"
    lab.until(lambda: done(lab, role) > before, 10, "another operation")


@variants
def test_killed_and_restarted_alone_it_finds_the_segment_as_it_was_left(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    path, inode, pid = segment(lab).object, os.stat(segment(lab).object).st_ino, lab.process(role).pid
    assert lab.do(f"kill {role}") == "done"
    assert lab.until_ended(role, 10) == f"signal {signal.SIGKILL.name}"
    assert lab.do(f"restart {role}") == "done"
    lab.until(lambda: lab.process(role).pid != pid and lab.process(role).exited is None, 10, "another process")
    lab.until(
        lambda: any(row["pid"] == lab.process(role).pid for row in segment(lab).facts["mapped"]), 10, "its mapping"
    )
    assert (segment(lab).object, os.stat(path).st_ino) == (path, inode)


@variants
def test_all_restarted_have_another_segment(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    path, pid = segment(lab).object, lab.process(role).pid
    assert lab.do("restart all") == "done"
    lab.until(lambda: lab.process(role).pid not in (0, pid) and segment(lab).object != path, 10, "a new segment")
    lab.until(lambda: not os.path.exists(path), 10, "the old one's end")


@variants
def test_processes_are_added_where_they_make_sense_and_removed(shm: Open, variant: str) -> None:
    lab, _ = running(shm, variant)
    if variant not in GROWS:
        outcome = lab.do("add producer")
        assert outcome.startswith("refused: ")
        assert "one process for each part" in outcome
        return
    before = set(lab.lab.state.processes)
    assert lab.do(f"add {GROWS[variant]}") == "done"
    lab.until(lambda: set(lab.lab.state.processes) - before, 10, "a newcomer")
    (newcomer,) = set(lab.lab.state.processes) - before
    lab.until(lambda: newcomer in {row["process"] for row in segment(lab).facts["mapped"]}, 10, "its mapping")
    outcome = lab.do(f"remove {newcomer}")
    assert outcome.startswith("done")
    lab.until_ended(newcomer, 10)
    assert lab.do("add stranger").startswith("refused: ")


@variants
def test_the_descriptor_is_closed_and_the_mapping_stays(shm: Open, variant: str) -> None:
    lab, role = running(shm, variant)
    name, pid = key(role, None), lab.process(role).pid
    lab.until(lambda: [row.end for row in lab.process(role).descriptors] == ["read-write"], 10, "its descriptor told")
    assert not lab.do(f"close {role}").startswith("refused")
    lab.until(lambda: [row.end for row in lab.process(role).descriptors] == ["read-write closed"], 10, "the closed end")
    assert segment(lab).object not in {
        os.readlink(f"/proc/{pid}/fd/{entry}") for entry in os.listdir(f"/proc/{pid}/fd")
    }
    before = done(lab, role)
    lab.until(lambda: done(lab, role) > before, 10, "operations through the mapping")
    assert segment(lab).object in Path(f"/proc/{pid}/maps").read_text()
    again = lab.do(f"close {name}")
    assert again.startswith("refused: ")
    assert "no end open" in again


@variants
def test_the_switch_and_the_post_are_refused_where_they_mean_nothing(shm: Open, variant: str) -> None:
    lab, _ = running(shm, variant)
    if variant != "race":
        assert lab.do("lock on") == "refused: lock: only the variant race has this switch"
    assert lab.do("post").startswith("refused: post")
    assert lab.do("unlink another").startswith("refused: unlink: ")
    assert os.path.exists(segment(lab).object)
    assert lab.do("unlink").startswith("done")
    assert not os.path.exists(segment(lab).object)


@pytest.mark.parametrize("base", ["producer", "consumer"])
def test_who_is_removed_first_gives_back_what_it_has_taken(shm: Open, base: str) -> None:
    lab = shm("many", rate=0)
    leaver = f"{base}2"
    lab.until(lambda: lab.count(leaver, "sem_post") > 10, 10, "everybody at work")
    held(lab, leaver, seconds=10)
    stepped_to(lab, leaver, "load")  # the mutex in its hand, and a slot that only its last post gives to the others
    assert lab.do(f"remove {leaver}").startswith(("done", "pending"))
    assert lab.until_ended(leaver, 10) == "status 0"
    for role in ("producer1", *(["producer2"] if base == "consumer" else [])):
        held(lab, role, seconds=10)
        stepped_to(lab, role, "sem_getvalue")
    lab.until(lambda: segment(lab).used == 0 and lab.is_in("consumer1", "blocked", "sem_wait"), 10, "an empty ring")
    assert {name: value(lab, name) for name in ("empty", "full", "mutex")} == {"empty": 7, "full": 0, "mutex": 1}


def value(lab: Bench, name: str) -> int:
    """A semaphore's value, read by an outsider."""
    semaphore = posix_ipc.Semaphore(f"/{Path(segment(lab).object).name}.{name}")
    try:
        return int(semaphore.value)
    finally:
        semaphore.close()
