"""What a class must see on the ordinary pipe, with real processes: each variant's moment, and bad luck."""

import os
import random
import signal
import time

import pytest

from ipctui.lab.state import cycle
from ipctui.trace.records import Lost, Process, State
from tests.lab.conftest import Bench, Open, bench

pytestmark = pytest.mark.real
__all__ = ["bench"]  # a fixture, found by its name

PAGE = os.sysconf("SC_PAGESIZE")


def until_full(lab: Bench) -> None:
    """Until nothing moves: first the child stands, and takes no more; from then on the parent fills up and sleeps."""
    lab.until_state("child", "held")
    lab.until(lambda: lab.is_in("parent", "blocked", "write") and lab.channel().slots_used == lab.channel().slots)


# one-way


def test_holding_the_child_fills_the_pipe_until_the_kernel_blocks_the_parent(bench: Open) -> None:
    lab = bench("one-way", rate=0)
    lab.until(lambda: lab.count("child", "read") > 0)
    assert lab.do("hold child").startswith(("done", "pending"))
    lab.until_state("child", "held", "read")
    state = lab.until_state("parent", "blocked", "write")
    assert "pipe full" in (state.reason or "")
    assert state.wakers == ("child",)
    assert state.waker
    assert state.syscall == "write"
    lab.until(lambda: lab.channel().used == lab.channel().capacity == PAGE, what="a pipe full to the last byte")
    sent = lab.count("parent", "write")
    assert lab.do("release child") == "done"
    lab.until(lambda: lab.count("parent", "write") > sent + 100, what="the parent runs on")


def test_no_byte_is_lost_by_holding_and_releasing(bench: Open) -> None:
    lab = bench("one-way", rate=0, size=700, messages=3000)
    for _ in range(5):
        lab.do("hold child")
        lab.do("release child")
    assert lab.until_ended("parent") == lab.until_ended("child") == "status 0"
    summary = lab.finish()
    assert summary.proofs["sent_messages"] == summary.proofs["received_messages"] == 3000
    (pipe,) = summary.channels.values()
    assert pipe["written"] == pipe["read"] == 3000 * 700


def test_the_reader_sees_end_of_file_when_the_writer_is_done(bench: Open) -> None:
    lab = bench("one-way", rate=0, messages=10)
    assert lab.until_ended("child") == "status 0"
    assert lab.until_ended("parent") == "status 0"
    assert lab.calls("child", "read")[-1].result == 0
    assert lab.calls("parent", "waitpid")[-1].result == lab.process("child").pid


def test_the_last_reader_gone_sigpipe_kills_the_writer(bench: Open) -> None:
    lab = bench("one-way", rate=50)
    assert lab.do("close child read").startswith(("done", "pending"))
    assert lab.until_ended("parent") == "signal SIGPIPE"
    summary = lab.finish()
    writes = [row for row in summary.processes["parent"]["calls"] if row["name"] == "write"]
    assert [row.get("in_flight") for row in writes] == [1], "the write that killed it never returned"


def test_a_writer_that_ignores_sigpipe_gets_epipe_by_name(bench: Open) -> None:
    lab = bench("one-way", rate=50, sigpipe="ignore")
    assert lab.do("close child 3").startswith(("done", "pending"))
    assert lab.until_ended("parent") == "status 1"
    assert lab.errors("parent", "write") == {"EPIPE": 1}
    assert lab.calls("parent", "write")[-1].errno == "EPIPE"
    (failed,) = (one for one in lab.events("failed") if one.process == "parent")
    assert (failed.process, failed.data["call"], failed.data["errno"]) == ("parent", "write", "EPIPE")


@pytest.mark.parametrize(("size", "capacity"), [(10_000, PAGE), (9000, 2 * PAGE), (100_000, 16 * PAGE)])
def test_a_message_larger_than_the_pipe_stands_half_written(bench: Open, size: int, capacity: int) -> None:
    lab = bench("one-way", rate=0, size=size, capacity=capacity)
    lab.until(lambda: lab.count("child", "read") > 0)
    lab.do("hold child")
    until_full(lab)
    # What the pipe holds can be the end of the message before, with nothing of the next one in it: read on, then.
    while lab.state("parent").progress is None:
        step_through(lab, "child", "read")
        until_full(lab)
    done, whole = lab.state("parent").progress or (0, 0)
    # All that was read, and what the pipe holds, less what the writes that returned had put in.
    summary = lab.finish()
    (pipe,) = summary.channels.values()
    assert whole == size
    assert done == pipe["read"] + lab.channel().used - pipe["written"]
    assert 0 < done < size
    assert summary.proofs["half_written_bytes"] >= done


def test_a_pipe_of_64_kib_is_full_at_32784_bytes(bench: Open) -> None:
    lab = bench("one-way", rate=0, size=2049, capacity=65536, start="held")
    lab.do("release parent")
    lab.until(lambda: "child" in lab.lab.state.processes, what="the fork")
    lab.do("hold child")
    lab.until_state("parent", "blocked", "write")
    assert lab.count("child", "read") == 0, "it was born held"
    lab.until(lambda: lab.channel().used == 32_784)
    channel = lab.channel()
    assert (channel.capacity, channel.slots, channel.slots_used) == (65536, 16, 16)
    state = lab.state("parent")
    assert "no free slot" in (state.reason or "")
    assert "32,784 of 65,536 bytes" in (state.reason or "")
    assert "16 of 16 slots" in (state.reason or "")


# The other variants.


def test_two_way_every_message_has_its_answer(bench: Open) -> None:
    lab = bench("two-way", rate=400, messages=200)
    assert lab.until_ended("parent") == lab.until_ended("child") == "status 0"
    summary = lab.finish()
    assert summary.processes["parent"]["sent"] == summary.processes["child"]["received"] == 200
    assert summary.processes["child"]["sent"] == summary.processes["parent"]["received"] == 200
    assert len(summary.channels) == 2


def test_forgotten_end_names_who_holds_what_and_closing_it_ends_both(bench: Open) -> None:
    lab = bench("forgotten-end", rate=0)
    lab.until(lambda: lab.is_in("child", "blocked", "read") and lab.is_in("parent", "blocked", "waitpid"))
    reason = lab.state("child").reason or ""
    assert "child" in reason
    assert "descriptor 4" in reason
    assert "end of file" in reason
    assert "descriptor 4" in (lab.state("child").waker or "")
    assert lab.state("parent").wakers == ("child",)
    time.sleep(0.1)  # not a hope: nothing may end by itself
    lab.tick()
    assert lab.process("child").exited is None
    assert lab.do("close child 4").startswith(("done", "pending"))
    assert lab.until_ended("child") == "status 0"
    assert lab.until_ended("parent") == "status 0"
    assert lab.calls("child", "read")[-1].result == 0


def test_deadlock_is_a_cycle_of_both_each_half_written(bench: Open) -> None:
    lab = bench("deadlock", rate=0)
    lab.until(lambda: set(cycle(lab.lab.state)) == {"parent", "child"}, what="the cycle")
    for role, other in (("parent", "child"), ("child", "parent")):
        state = lab.state(role)
        assert state.before is not None
        assert state.before.name == "write"
        assert state.wakers == (other,)
        assert state.progress == (PAGE, 10_000)
    assert {lab.channel(0).used, lab.channel(1).used} == {PAGE}
    assert lab.finish().proofs["half_written_bytes"] == PAGE


def test_a_killed_partner_ends_the_deadlock(bench: Open) -> None:
    lab = bench("deadlock", rate=0)
    lab.until(lambda: len(cycle(lab.lab.state)) == 2)
    lab.do("kill child")
    assert lab.until_ended("child") == "signal SIGKILL"
    lab.until(lambda: not cycle(lab.lab.state))
    assert lab.until_ended("parent") == "signal SIGPIPE"


@pytest.mark.parametrize(("size", "torn"), [(6000, True), (4096, False), (4097, True), (100, False)])
def test_writes_above_pipe_buf_are_torn_and_others_never(bench: Open, size: int, torn: bool) -> None:
    lab = bench("many-writers", size=size, producers=3)
    wanted = 500
    lab.until(lambda: (counters := lab.process("parent").counters) and counters.received >= wanted
              and (not torn or counters.received > counters.whole), 15)  # fmt: skip
    proofs = lab.finish().proofs
    assert proofs["received_messages"] >= wanted
    assert (proofs["torn_messages"] > 0) is torn


@pytest.mark.parametrize(
    ("capacity", "size"), [(PAGE, 1), (4 * PAGE, 1), (4 * PAGE, 64), (16 * PAGE, PAGE), (8 * PAGE, 100)]
)
def test_packets_as_many_messages_fit_as_there_are_slots(bench: Open, capacity: int, size: int) -> None:
    lab = bench("packets", rate=0, size=size, capacity=capacity, start="held")
    lab.do("release parent")
    lab.until_state("parent", "blocked", "write")
    slots = capacity // PAGE
    lab.until(lambda: lab.channel().slots_used == slots)
    assert lab.channel().used == slots * size
    assert lab.channel().packets
    lab.until(lambda: lab.count("parent", "write") == slots, what="the counters")
    assert "no free slot" in (lab.state("parent").reason or "")
    if size < PAGE:
        assert "each packet takes one" in (lab.state("parent").reason or "")
    assert lab.count("child", "read") == 0
    # One packet taken makes room for exactly one.
    for taken in range(1, 4):
        step_through(lab, "child", "read")
        lab.until(lambda taken=taken: lab.count("parent", "write") == slots + taken, what="room for one more")
        assert lab.calls("child", "read")[-1].result == size
        lab.until(lambda: lab.is_in("parent", "blocked", "write") and lab.channel().slots_used == slots)


# Stepping and commands.


def hold_before(lab: Bench, role: str, call: str) -> None:
    """Hold a worker that is well past its opening calls."""
    lab.until(lambda: lab.count(role, call) > 0, what=f"the first {call} of {role}")
    lab.do(f"hold {role}")
    lab.until_state(role, "held", call)


def step_through(lab: Bench, role: str, call: str) -> None:
    """Step until one more `call` of a role has been made."""
    before = len(lab.calls(role, call))
    while len(lab.calls(role, call)) == before:
        lab.until(lambda: lab.is_in(role, "held") or len(lab.calls(role, call)) > before)
        made = len(
            [record for record in lab.records if getattr(record, "process", "") == role and hasattr(record, "args")]
        )
        lab.do(f"step {role}")
        lab.until(
            lambda made=made: len(
                [one for one in lab.records if getattr(one, "process", "") == role and hasattr(one, "args")]
            ) > made
        )  # fmt: skip


def test_pipe_and_fork_are_stepped_like_any_other_call(bench: Open) -> None:
    lab = bench("one-way")
    lab.do("restart held")
    seen = []
    for name in ("pipe", "fcntl", "fork", "close", "write"):
        state = lab.until_state("parent", "held", name)
        assert state.before is not None
        seen.append(state.before.name)
        before = len(lab.calls("parent", name))
        if name in ("pipe", "fcntl", "fork"):
            assert "child" not in {
                role for role, one in lab.lab.state.processes.items() if one.exited is None and one.pid
            }
        assert lab.do("step parent") == "done"
        lab.until(lambda name=name, before=before: len(lab.calls("parent", name)) == before + 1, what=f"{name} made")
    assert seen == ["pipe", "fcntl", "fork", "close", "write"]
    lab.until_state("child", "held")
    assert lab.process("child").ppid == lab.process("parent").pid
    assert lab.calls("parent", "fork")[-1].result == lab.process("child").pid
    assert lab.calls("child", "fork")[-1].result == 0


def test_a_step_is_one_operation(bench: Open) -> None:
    lab = bench("one-way", rate=0)
    hold_before(lab, "parent", "write")
    lab.until(lambda: lab.is_in("child", "blocked", "read"))
    made = lab.count("parent", "write")
    for step in range(1, 6):
        lab.do("step parent")
        lab.until(lambda step=step: lab.count("parent", "write") == made + step)
        lab.until_state("parent", "held", "write")
        assert lab.count("parent", "write") == made + step


def test_nonblocking_gives_eagain_by_name_and_blocking_waits_again(bench: Open) -> None:
    lab = bench("one-way", rate=5)
    assert lab.do("nonblocking child").startswith("done")
    lab.until(lambda: lab.errors("child", "read").get("EAGAIN", 0) > 100)
    assert lab.calls("child", "read")[-1].fd == 3
    lab.until(lambda: any(row.fd == 3 and row.nonblocking for row in lab.process("child").descriptors))
    assert lab.do("blocking child").startswith("done")
    lab.until_state("child", "blocked", "read")
    lab.until(lambda: not any(row.nonblocking for row in lab.process("child").descriptors))
    lab.until(lambda: (counters := lab.process("child").counters) is not None and counters.received > 0)
    summary = lab.finish()
    reads = next(row for row in summary.processes["child"]["calls"] if row["name"] == "read")
    assert reads["errors"]["EAGAIN"] < reads["calls"]


def test_a_nonblocking_writer_is_never_blocked(bench: Open) -> None:
    lab = bench("one-way", rate=0)
    lab.do("nonblocking parent")
    # The mode concerns the next call: a write that slept already sleeps on until it has room.
    lab.until(lambda: lab.errors("parent", "write").get("EAGAIN", 0) > 0)
    lab.do("hold child")
    lab.until(lambda: lab.errors("parent", "write").get("EAGAIN", 0) > 1000)
    assert not lab.is_in("parent", "blocked")
    lab.do("blocking parent")
    lab.until_state("parent", "blocked", "write")


def test_unblock_releases_the_peer_that_is_held(bench: Open) -> None:
    lab = bench("one-way", rate=0)
    lab.do("hold child")
    until_full(lab)
    read = lab.count("child", "read")
    assert lab.do("unblock parent") == "done: released child, which parent waits for"
    lab.until(lambda: lab.count("child", "read") > read and not lab.is_in("child", "held"))


def test_unblock_ends_the_call_and_takes_no_message(bench: Open) -> None:
    lab = bench("one-way", rate=0.001)
    lab.until(lambda: lab.count("parent", "write") == lab.count("child", "read") == 1)
    lab.until_state("child", "blocked", "read")

    def received() -> int:
        counters = lab.process("child").counters
        return counters.received if counters is not None else 0

    lab.until(lambda: received() == 1, what="the counters")
    assert lab.do("unblock child").startswith("done")
    lab.until(lambda: lab.errors("child", "read") == {"EINTR": 1, "EAGAIN": 1})
    lab.until_state("child", "blocked", "read")
    assert not any(row.nonblocking for row in lab.process("child").descriptors), "the mode is restored"
    assert received() == 1


def test_unblock_refuses_where_nobody_is_blocked_and_where_it_cannot(bench: Open) -> None:
    lab = bench("forgotten-end", rate=0)
    lab.until(lambda: lab.is_in("child", "blocked", "read") and lab.is_in("parent", "blocked", "waitpid"))
    assert lab.do("unblock parent").startswith("refused: parent sleeps in waitpid")
    lab = bench("one-way", rate=0)
    hold_before(lab, "parent", "write")
    assert lab.do("unblock parent") == "refused: parent is not blocked"


def test_hold_on_a_sleeper_is_pending_until_it_returns(bench: Open) -> None:
    lab = bench("one-way", rate=0)
    lab.do("hold parent")
    lab.until_state("parent", "held")
    lab.until_state("child", "blocked", "read")
    assert lab.do("hold child").startswith("pending")
    lab.until(lambda: lab.state("child").pending)
    assert lab.is_in("child", "blocked")
    lab.do("step parent")
    lab.until_state("child", "held")
    assert lab.state("child").pending is None


def test_inject_goes_out_as_it_was_typed_and_arrives(bench: Open) -> None:
    lab = bench("one-way", rate=2)
    text = " 한국어 'quoted  text' 🙂"
    assert lab.do(f"inject parent {text}").startswith("done")
    lab.until(lambda: any("quoted" in call.args for call in lab.calls("parent", "write")))
    sent = next(call for call in lab.calls("parent", "write") if "quoted" in call.args)
    (name,) = sent.message
    assert sent.result == len(f"{name} {text.strip(' ')}\n".encode()) + 1
    lab.until(lambda: any(name in call.message for call in lab.calls("child", "read")))
    assert lab.do("inject child hello").startswith("refused: child sends no messages")


def test_writers_come_and_go(bench: Open) -> None:
    lab = bench("many-writers", rate=40, size=100)
    assert lab.do("add child").startswith(("done", "pending"))
    lab.until(lambda: "child3" in lab.lab.state.processes and lab.count("child3", "write") > 2)
    assert lab.process("child3").ppid in (lab.process("child1").pid, lab.process("child2").pid)
    assert lab.do("remove child3").startswith(("done", "pending"))
    assert lab.until_ended("child3") == "status 0"
    assert lab.do("remove child1").startswith(("done", "pending"))
    assert lab.until_ended("child1") == "status 0"
    assert lab.do("remove child2").startswith(("done", "pending"))
    # The last writer is gone: end of file.
    assert lab.until_ended("parent") == "status 0"
    assert lab.calls("parent", "read")[-1].result == 0
    assert lab.finish().proofs["torn_messages"] == 0


def test_nobody_can_be_added_where_one_child_is_forked(bench: Open) -> None:
    lab = bench("one-way")
    assert lab.do("add child").startswith("refused: add child: an end of a pipe can only be inherited")


def test_capacity_changes_the_kernels_and_refuses_with_ebusy(bench: Open) -> None:
    lab = bench("one-way", rate=0)
    lab.do("hold child")
    until_full(lab)
    assert lab.do("capacity 16384").startswith("done")
    lab.until(lambda: lab.channel().capacity == lab.channel().used == 16384)
    refused = lab.do("capacity 4096")
    assert refused.startswith("refused: capacity: EBUSY")
    assert "4,096" in refused
    assert lab.channel().capacity == 16384
    assert lab.do("capacity 3").startswith("refused: capacity: a whole number from 4,096")
    assert lab.do("capacity").startswith("refused: capacity")


def test_stop_and_continue(bench: Open) -> None:
    lab = bench("one-way", rate=20)
    lab.do("stop child")
    state = lab.until_state("child", "stopped")
    assert state.kernel == "T"
    lab.tick()  # the counts of the tick that found it stopped are perhaps older than its last read
    made = lab.count("child", "read")
    lab.until(lambda: lab.channel().used > 100, what="messages pile up")
    assert lab.count("child", "read") == made
    lab.do("continue child")
    lab.until(lambda: lab.count("child", "read") > made + 2)
    assert not lab.is_in("child", "stopped")


def test_what_cannot_be_is_refused_in_a_sentence(bench: Open) -> None:
    lab = bench("one-way")
    for text, said in [
        ("hold chidl", "did you mean 'child'"),
        ("hodl child", "did you mean 'hold'"),
        ("hold", "write: hold W"),
        ("hold child parent", "too many words"),
        ("rate parent -1", "messages a second from 0"),
        ("rate parent many", "messages a second from 0"),
        ("size parent 0", "a whole number from 1"),
        ("size parent 99999999999", "a whole number from 1"),
        ("close parent read", "no end 'read'"),
        ("set capacity 1", "a whole number from 4,096"),
        ("add butler", "an end of a pipe"),
        ("", "there is no command"),
        ("\x00\x1b[2J", "there is no command"),
    ]:
        outcome = lab.do(text)
        assert outcome.startswith("refused: "), text
        assert said in outcome, text
        assert "\n" not in outcome
        assert "\x1b" not in outcome
    lab.do("kill child")
    lab.until_ended("child")
    assert "has ended" in lab.do("hold child")
    assert "signal SIGKILL" in lab.do("hold child")


def test_rate_and_size_take_effect(bench: Open) -> None:
    lab = bench("one-way", rate=1)
    lab.do("size parent 300")
    lab.do("rate parent 0")
    lab.until(lambda: any(call.result == 300 for call in lab.calls("parent", "write")))
    lab.until(lambda: lab.count("parent", "write") > 1000)


def test_restart_keeps_the_counts_of_those_before(bench: Open) -> None:
    lab = bench("one-way", rate=50)
    lab.until(lambda: lab.count("parent", "write") > 5)
    first = lab.process("parent").pid
    assert lab.do("restart").startswith("done")
    lab.until(lambda: lab.process("parent").pid != first and lab.count("parent", "write") > 5)
    summary = lab.finish()
    writes = sum(row["calls"] for row in summary.processes["parent"]["calls"] if row["name"] == "write")
    assert writes > 10
    ended = [one for one in lab.records if isinstance(one, Process) and one.event == "exited"]
    assert len(ended) == 2
    # A child whose parent was killed first may see end of file, and end, before its own SIGKILL.
    assert {one.status for one in ended} <= {"signal SIGKILL", "status 0"}


# Bad luck.


@pytest.mark.parametrize("variant", ["one-way", "two-way", "deadlock", "many-writers", "packets"])
def test_killed_from_outside_at_any_instant_the_lab_goes_on(bench: Open, variant: str) -> None:
    lab = bench(variant, rate=0)
    draw = random.Random(variant)
    roles = list(lab.lab.state.processes)
    for _ in range(4):
        until = time.monotonic() + draw.random() * 0.15
        lab.until(lambda until=until: time.monotonic() >= until)
        role = draw.choice(roles)
        pid = lab.process(role).pid
        os.kill(pid, signal.SIGKILL)
        assert lab.until_ended(role) == "signal SIGKILL"
        lab.do("kill all")
        for other in roles:
            status = lab.until_ended(other)
            assert status in ("signal SIGKILL", "signal SIGPIPE", "status 0", "status 1"), (other, status)
        lab.tick()
        assert lab.lab.alive
        lab.do("restart")
        lab.until(lambda: all(one.exited is None for one in lab.lab.state.processes.values()))
    lab.finish()


def test_a_killed_reader_leaves_its_writer_with_sigpipe(bench: Open) -> None:
    lab = bench("one-way", rate=100)
    os.kill(lab.process("child").pid, signal.SIGKILL)
    assert lab.until_ended("child") == "signal SIGKILL"
    assert lab.until_ended("parent") == "signal SIGPIPE"


def test_a_killed_writer_leaves_its_reader_with_end_of_file(bench: Open) -> None:
    lab = bench("one-way", rate=100)
    os.kill(lab.process("parent").pid, signal.SIGKILL)
    assert lab.until_ended("parent") == "signal SIGKILL"
    assert lab.until_ended("child") == "status 0"
    assert lab.calls("child", "read")[-1].result == 0


def test_flat_out_the_counts_are_exact_however_many_records_are_lost(bench: Open) -> None:
    lab = bench("one-way", rate=0, size=64, messages=60_000)
    assert lab.until_ended("parent", 15) == lab.until_ended("child", 15) == "status 0"
    summary = lab.finish()
    assert summary.processes["parent"]["sent"] == summary.processes["child"]["received"] == 60_000
    told = len(lab.calls("parent", "write"))
    lost = sum(one.count for one in lab.records if isinstance(one, Lost) and one.process == "parent")
    others = sum(
        row["calls"] for row in summary.processes["parent"]["calls"] if row["name"] != "write"
    )  # fmt: skip
    all_told = len([one for one in lab.records if getattr(one, "process", "") == "parent" and hasattr(one, "args")])
    writes = sum(row["calls"] for row in summary.processes["parent"]["calls"] if row["name"] == "write")
    assert writes == 60_000
    assert told <= writes
    assert all_told + lost == writes + others


@pytest.mark.parametrize("variant", ["one-way", "two-way", "many-writers"])
def test_a_blocked_state_always_has_its_reason(bench: Open, variant: str) -> None:
    lab = bench(variant, rate=200)

    def blocked() -> list[State]:
        return [one for one in lab.records if isinstance(one, State) and one.state == "blocked"]

    lab.until(lambda: len(blocked()) > 5, 10)
    for one in blocked():
        assert one.reason
        assert "could not be" not in one.reason
        assert one.before is not None
        assert one.since is not None
