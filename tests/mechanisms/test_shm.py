"""What a class must see on shared memory, with real processes; checked through /proc, os.stat, mmap and posix_ipc."""

import mmap
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest

from ipctui.lab.parameters import UsageError
from ipctui.mechanisms.shm.caption import caption
from tests.lab.conftest import Bench, Open
from tests.mechanisms.segments import hold_without_mutex, laboratories, segment, word
from tests.mechanisms.stepping import held, stepped, stepped_to

pytestmark = pytest.mark.real


@pytest.fixture
def shm() -> Iterator[Open]:
    """Opens laboratories of shared memory."""
    with laboratories() as opened:
        yield opened


def test_holding_the_consumer_fills_the_ring_but_for_one_slot_and_the_kernel_blocks_the_producer(shm: Open) -> None:
    lab = shm("semaphores", rate=50)
    hold_without_mutex(lab, "consumer")
    state = lab.until_state("producer", "blocked", "sem_wait")
    assert state.syscall == "futex"
    assert state.wakers == ("consumer",)
    lab.until(lambda: segment(lab).used == 7, what="seven of eight slots")
    facts = segment(lab).facts
    assert (facts["in"] + 1) % 8 == facts["out"] == word(lab, 64)
    assert facts["in"] == word(lab, 0)
    names = {held.now.name: held.now for held in lab.lab.state.channels.values() if held.now.type == "semaphore"}
    empty = posix_ipc.Semaphore(f"/{Path(segment(lab).object).name}.empty")
    assert names["empty"].used == empty.value == 0
    assert names["empty"].facts["waiters"] == 1
    empty.close()
    lab.until(lambda: "== out: full" in caption(lab.lab.state, "en"))
    sent = lab.count("producer", "sem_wait")
    lab.do("release consumer")
    lab.until(lambda: lab.count("producer", "sem_wait") > sent + 20)


def test_spinning_makes_no_system_call_and_burns_a_core(shm: Open) -> None:
    lab = shm("spin")
    lab.do("hold consumer")
    lab.until(lambda: segment(lab).used == 7, what="a full ring")
    pid = lab.process("producer").pid
    lab.until(lambda: "burned" in caption(lab.lab.state, "en"), what="the caption of a spinning producer")
    # Not at every look: its control thread has the interpreter's lock for a moment after each command.
    lab.until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "R")
    summary = lab.finish()
    assert summary.proofs["system_calls_after_set_up"] == 0
    assert summary.proofs["sent_messages"] >= 7


def test_every_mapping_is_told_with_the_address_that_proc_says(shm: Open) -> None:
    lab = shm("semaphores")
    lab.until(lambda: len(segment(lab).facts["mapped"]) == 2, what="two mappings")
    starts = set()
    for row in segment(lab).facts["mapped"]:
        lines = Path(f"/proc/{row['pid']}/maps").read_text().splitlines()
        (line,) = (line for line in lines if line.endswith(segment(lab).object))
        assert line.startswith(f"{row['start']:x}-{row['end']:x} rw-s")
        starts.add(row["start"])
    assert len(starts) == 2, "two processes, two addresses"


def test_unlinked_the_name_is_gone_and_items_go_on_crossing(shm: Open) -> None:
    lab = shm("semaphores", rate=100)
    path = segment(lab).object
    lab.until(lambda: len(segment(lab).facts["mapped"]) == 2)
    assert lab.do("unlink").startswith("done")
    assert not os.path.exists(path)
    lab.until(lambda: segment(lab).facts["links"] == 0)
    before = lab.count("consumer", "sem_post")
    lab.until(lambda: lab.count("consumer", "sem_post") > before + 10, what="items through the unlinked segment")
    lab.until(lambda: "name is gone" in caption(lab.lab.state, "en"))
    assert lab.do("unlink").startswith("refused")


def test_many_producers_and_consumers_lose_nothing_and_newcomers_join(shm: Open) -> None:
    lab = shm("many", rate=0, messages=300)
    # The others could be done before a newcomer has had its first turn: they wait for it.
    lab.do("hold all")
    assert lab.do("add consumer") == "done"
    lab.until(lambda: "consumer3" in lab.lab.state.processes, 20, "the newcomer")
    lab.until(lambda: lab.is_in("consumer3", "blocked", "sem_wait") or lab.count("consumer3", "sem_post"), 20)
    lab.do("release all")
    lab.until(lambda: all(lab.process(f"producer{number}").exited is not None for number in (1, 2)), 20)
    # An item is counted as received only when its consumer has given its slot back.
    lab.until(lambda: segment(lab).used == 0 and received(lab) == 600, what="an empty ring, and every item counted")
    summary = lab.finish()
    assert summary.proofs["sent_messages"] == summary.proofs["received_messages"] == 600
    assert summary.processes["consumer3"]["calls"]


def received(lab: Bench) -> int:
    """Items that all processes have received, as of the latest tick."""
    return sum(seen.counters.received for seen in lab.lab.seen if seen.counters is not None)


def test_what_the_hermit_stores_stays_its_own(shm: Open) -> None:
    lab = shm("private", rate=40)
    lab.until(lambda: segment(lab).facts.get("views", {}).get("hermit", [0, 0])[1] > 2, what="the hermit's stores")
    views = segment(lab).facts["views"]
    assert views["writer"][1] == views["reader"][1] == word(lab, 64) == 0
    stale = views["hermit"][0]
    lab.until(lambda: segment(lab).facts["views"]["reader"][0] > stale + 5)
    assert segment(lab).facts["views"]["hermit"][0] == stale
    assert "rw-p" in {row["permissions"] for row in segment(lab).facts["mapped"]}


def test_without_the_lock_updates_are_lost_and_with_it_no_more(shm: Open) -> None:
    lab = shm("race", rate=0, gap=500)
    lab.until(lambda: segment(lab).facts.get("counter", 0) > 300)
    assert lab.do("lock on") == "done: lock on"
    # A round that began before the switch may still lose one: let everybody begin another.
    before = {role: lab.count(role, "sem_post") for role in ("adder1", "adder2")}
    lab.until(lambda: all(lab.count(role, "sem_post") > before[role] + 5 for role in before), what="locked rounds")
    lab.do("hold all")
    # One may stand with the lock in hand, and the other sleep before it.
    lab.until(lambda: all(lab.state(role).state in ("held", "blocked") for role in ("adder1", "adder2")))
    lab.until(lambda: segment(lab).facts["still"], what="nobody storing")
    races = lab.lab.state.facts["races"][segment(lab).object]
    lost = races["lost"]
    assert lost == sum(races["stores"].values()) - word(lab, 0)
    assert lost * 100 >= sum(races["stores"].values()), "one in a hundred at least"
    stored = sum(races["stores"].values())
    lab.do("release all")
    lab.until(lambda: sum(lab.lab.state.facts["races"][segment(lab).object]["stores"].values()) > stored + 300)
    summary = lab.finish()
    assert summary.proofs["lost_updates"] == lost


def test_with_the_lock_from_the_beginning_none_is_lost(shm: Open) -> None:
    lab = shm("race", rate=0, gap=100, lock="on")
    lab.until(lambda: segment(lab).facts.get("counter", 0) > 1500, 10)
    summary = lab.finish()
    assert summary.proofs["lost_updates"] == 0
    assert summary.proofs["updates"] == word(lab, 0)


def test_the_gate_between_load_and_store_loses_updates_at_will(shm: Open) -> None:
    lab = shm("race", rate=100, gap=0)
    lab.until(lambda: all(lab.count(role, "store") > 10 for role in ("adder1", "adder2")), 10)
    held(lab, "adder1")
    stepped_to(lab, "adder1", "store")
    before = word(lab, 0)
    lab.until(lambda: word(lab, 0) > before + 30, 10, "the other's updates")
    lab.until(lambda: "undone" in caption(lab.lab.state, "en"))
    held(lab, "adder2")
    reached = word(lab, 0)
    stepped(lab, "adder1")
    lab.until(lambda: word(lab, 0) < reached - 20, what="the old value stored")
    assert lab.finish().proofs["lost_updates"] >= 20


def test_with_the_gate_between_load_and_store_nearly_every_second_update_is_lost(shm: Open) -> None:
    lab = shm("race", rate=50, provoke="on")
    lab.until(lambda: segment(lab).facts.get("counter", 0) > 40, 10)
    proofs = lab.finish().proofs
    assert proofs["lost_updates"] * 100 > proofs["updates"] * 25
    assert proofs["lost_updates"] == proofs["updates"] - word(lab, 0)


def test_under_the_lock_even_the_gate_between_load_and_store_loses_none(shm: Open) -> None:
    lab = shm("race", rate=50, provoke="on", lock="on")
    lab.until(lambda: segment(lab).facts.get("counter", 0) > 40, 10)
    assert lab.finish().proofs["lost_updates"] == 0


def test_a_dead_owner_leaves_the_semaphore_at_0_and_the_robust_mutex_recovers(shm: Open) -> None:
    lab = shm("dead-owner", rate=40)
    hold_with_both_locks(lab)
    lab.do("kill owner")
    lab.until_ended("owner")
    lab.until(lambda: lab.lab.state.facts.get("recovered"), what="EOWNERDEAD")
    lock = posix_ipc.Semaphore(f"/{Path(segment(lab).object).name}.lock")
    assert lock.value == 0
    lab.until_state("sem-waiter", "blocked", "sem_wait")
    lab.until(lambda: "dead" in (lab.state("sem-waiter").reason or ""), what="the reason")
    assert lab.state("sem-waiter").wakers == ()
    assert lab.do("unblock sem-waiter").startswith("refused")
    before = lab.count("mutex-waiter", "pthread_mutex_unlock")
    lab.until(lambda: lab.count("mutex-waiter", "pthread_mutex_unlock") > before + 2, what="the mutex goes round")
    lab.until(lambda: "EOWNERDEAD" in caption(lab.lab.state, "en"))
    waits = lab.count("sem-waiter", "sem_post")
    assert lab.do("post").startswith("done")
    lab.until(lambda: lab.count("sem-waiter", "sem_post") > waits + 1, what="the semaphore goes round again")
    lock.close()
    # Another owner dies in the same way: its recovery is its own, and told as such.
    recovered = lab.lab.state.facts["recovered"]
    assert lab.do("restart owner") == "done"
    lab.until(lambda: lab.process("owner").exited is None, what="another owner")
    assert lab.do("release owner") == "done"
    lab.until(lambda: "died" not in caption(lab.lab.state, "en"), what="nobody dead")
    hold_with_both_locks(lab)
    lab.do("stop mutex-waiter")
    lab.do("kill owner")
    lab.until_ended("owner")
    lab.until(lambda: "owner died with lock in hand" in caption(lab.lab.state, "en"), 10, "no recovery told yet")
    lab.do("continue mutex-waiter")
    lab.until(lambda: lab.lab.state.facts["recovered"] > recovered, 10, "EOWNERDEAD again")
    lab.until(lambda: "owner died with both locks" in caption(lab.lab.state, "en"), 10)
    assert lab.do("restart owner") == "done"
    lab.until(lambda: "An earlier owner died" in caption(lab.lab.state, "en"), 10)


def hold_with_both_locks(lab: Bench) -> None:
    """Hold the owner in the middle of its work, the others asleep before its locks."""
    lab.until(lambda: segment(lab).facts.get("work", 0) > 1, 10, "the owner at work")
    held(lab, "owner", seconds=10)
    stepped_to(lab, "owner", "store")
    lab.until(lambda: lab.is_in("sem-waiter", "blocked", "sem_wait") and lab.is_in("mutex-waiter", "blocked"), 10)


def test_cut_by_a_stranger_the_worker_dies_of_sigbus_and_the_lab_goes_on(shm: Open) -> None:
    lab = shm("semaphores", rate=100)
    # Whoever comes later sets the size once more.
    lab.until(lambda: lab.count("consumer", "sem_post") > 3, 10, "both at work")
    os.truncate(segment(lab).object, 0)
    lab.until(lambda: any(process.exited for process in lab.lab.state.processes.values()), what="SIGBUS")
    assert "signal SIGBUS" in {process.status for process in lab.lab.state.processes.values()}
    lab.until(lambda: "SIGBUS" in caption(lab.lab.state, "en"))
    assert lab.do("restart all").startswith("done")
    lab.until(lambda: lab.count("consumer", "sem_post") > 3, what="a new beginning")


def test_a_foreign_process_finds_the_items_where_the_pane_says(shm: Open) -> None:
    lab = shm("semaphores", rate=50)
    hold_without_mutex(lab, "consumer")
    lab.until(lambda: segment(lab).used == 7)
    with open(segment(lab).object, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        out = struct.unpack_from("=q", memory, 64)[0]
        at = 128 + 64 * out
        size = struct.unpack_from("=q", memory, at)[0]
        body = memory[at + 8 : at + 8 + size]
    assert body.decode().startswith(str(segment(lab).items[0].id))


def test_a_name_that_exists_is_joined_and_kept(shm: Open) -> None:
    name = f"/ipctui-test-{os.getpid()}-{time.monotonic_ns()}"
    made = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, 0o600, 640)
    made.close_fd()
    try:
        lab = shm("semaphores", name=name)
        lab.until(lambda: lab.count("consumer", "sem_post") > 2)
        assert segment(lab).object == f"/dev/shm{name}"
        assert lab.do("unlink").startswith("refused")
        lab.lab.close()
        assert os.path.exists(f"/dev/shm{name}")
        os.truncate(f"/dev/shm{name}", 100)
        with pytest.raises(UsageError, match="640 are needed"):
            shm("semaphores", name=name)
    finally:
        posix_ipc.unlink_shared_memory(name)
    with pytest.raises(UsageError, match="slash too many"):
        shm("semaphores", name="/a/b")
