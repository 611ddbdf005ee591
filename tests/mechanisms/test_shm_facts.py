"""What a session on shared memory proves, from records alone."""

from ipctui.mechanisms.shm.channel import name_error
from ipctui.mechanisms.shm.facts import kernel_calls, lost_updates, processor_share, reduce, summary
from ipctui.trace.records import Access, Call, Channel, Count, Counters, Process

SEGMENT = "/dev/shm/ring"


def counted(pid: int, stores: int) -> Counters:
    rows = (Count("store", None, None, SEGMENT, stores), Count("store", None, None, SEGMENT, 1, 3))
    return Counters(0, f"adder{pid}", pid, rows)


def measured(counter: int, **stores: int) -> Channel:
    by_pid = {name.removeprefix("p"): count for name, count in stores.items()}
    return Channel(0, SEGMENT, facts={"counter": counter, "base": 0, "stores": by_pid})


def test_what_was_stored_and_is_not_there_is_lost() -> None:
    facts = reduce({}, [measured(7, p1=5, p2=5)])
    assert lost_updates(facts) == 3
    assert summary(facts, {})["lost_updates"] == 3


def test_a_count_taken_too_early_never_makes_the_loss_fall() -> None:
    facts = reduce({}, [measured(7, p1=5, p2=5)])
    assert lost_updates(reduce(facts, [measured(30, p1=10, p2=11)])) == 3


def test_what_stands_still_is_counted_anew() -> None:
    facts = reduce({}, [measured(7, p1=5, p2=5)])
    still = Channel(0, SEGMENT, facts={"counter": 9, "base": 0, "stores": {"1": 5, "2": 6}, "still": True})
    assert lost_updates(reduce(facts, [still])) == 2


def test_the_last_counts_of_the_dead_are_kept() -> None:
    facts = reduce({}, [measured(4, p1=5)])
    facts = reduce(facts, [counted(1, 9), measured(12, p2=4)])
    assert summary(facts, {})["lost_updates"] == 9 + 4 - 12


def test_a_counter_that_was_there_before_begins_where_it_stood() -> None:
    facts = reduce({}, [Channel(0, SEGMENT, facts={"counter": 103, "base": 100, "stores": {"1": 3}})])
    assert summary(facts, {})["lost_updates"] == 0


def test_what_an_adder_loaded_is_known_however_much_others_load_since() -> None:
    def load(role: str, value: int, offset: int = 0) -> Access:
        return Access(role, 1, "load", SEGMENT, offset, value, 0, 1)

    facts = reduce({}, [measured(4, p1=5)])
    others = [load("adder2", value) for value in range(1000)]
    facts = reduce(facts, [load("adder1", 7), load("adder1", 3, 64), *others])
    assert facts["loaded"] == {"adder1": 7, "adder2": 999}
    assert reduce(facts, [Process(9, "adder1", 5, "started")])["loaded"] == {"adder2": 999}, (
        "another has loaded nothing"
    )
    assert "loaded" not in reduce({}, [load("consumer", 1)]), "a ring's first word is no counter"


def test_only_a_lock_with_eownerdead_is_a_recovery() -> None:
    locks = [Call("m", 1, "pthread_mutex_lock", None, "", result, 0, 1) for result in (0, 130, -1)]
    assert reduce({}, locks).get("recovered") == 1


def test_system_calls_are_the_kernels_and_not_the_set_up() -> None:
    rows = (
        Count("mmap", "mmap", 3, SEGMENT, 1),
        Count("sem_wait", None, None, "sem", 100),
        Count("sem_wait", "futex", None, "sem", 7),
    )
    assert kernel_calls(rows) == 7


def test_a_slash_too_many_is_told() -> None:
    assert "slash too many" in name_error("/a/b")
    assert "slash too many" in name_error("//a")
    assert name_error("/ring") == name_error("ring") == ""
    assert name_error("/")
    assert name_error("/a b")


def burned(t: int, cpu: int, pid: int = 7) -> Counters:
    return Counters(t * 10**6, "consumer", pid, cpu=cpu * 10**6)


def test_the_processor_share_is_that_of_the_last_second() -> None:
    assert processor_share({}, "consumer") is None
    facts = reduce({}, [burned(0, 0)])
    assert processor_share(facts, "consumer") is None
    facts = reduce(facts, [burned(250, 250), burned(1000, 1000)])
    assert processor_share(facts, "consumer") == 100
    facts = reduce(facts, [burned(t, 1000) for t in range(1250, 3250, 250)])
    assert processor_share(facts, "consumer") == 0
    assert len(facts["cpu"]["consumer"]["times"]) <= 6
    # Another process in its place begins anew.
    assert processor_share(reduce(facts, [burned(3500, 20, pid=8)]), "consumer") is None
