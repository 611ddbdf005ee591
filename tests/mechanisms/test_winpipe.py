"""Windows pipes with real processes: handles across fork and exec, byte and message mode, instances."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipctui.kernel.unix_sockets import table
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms import catalogue
from ipctui.mechanisms.winpipe.caption import caption, place
from ipctui.mechanisms.winpipe.channel import CHANNEL
from ipctui.mechanisms.winpipe.memory import lost
from ipctui.widgets.view import View
from tests.lab.conftest import Bench, waited

pytestmark = pytest.mark.real

Open = Callable[..., Bench]


@pytest.fixture
def winpipe() -> Iterator[Open]:
    """Opens laboratories of Windows pipes: `winpipe("leaked", rate=50)`; no name is left at the end."""
    launcher = LauncherClient()
    labs: list[Lab] = []

    def open_lab(variant: str, **values: object) -> Bench:
        chosen = next(one for one in CHANNEL.variants if one.name == variant)
        settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
        CHANNEL.check(chosen, settled)
        labs.append(Lab(CHANNEL, chosen, settled, launcher))
        return Bench(labs[-1])

    yield open_lab
    prefixes = [lab.workers.plan.given["prefix"] for lab in labs]
    for lab in labs:
        lab.close()
    launcher.close()
    waited(lambda: not [row for row in table() for prefix in prefixes if prefix in row.name], 10, "every name gone")


def descriptors(process: int, below: int = 200) -> dict[int, str]:
    """`ls -l /proc/PID/fd` from 3 on."""
    found: dict[int, str] = {}
    for name in os.listdir(f"/proc/{process}/fd"):
        if 2 < int(name) < below:
            try:
                found[int(name)] = os.readlink(f"/proc/{process}/fd/{name}")
            except FileNotFoundError:
                continue
    return found


def pid(lab: Bench, role: str) -> int:
    return lab.process(role).pid


def says(lab: Bench, *words: str, language: str = "en") -> None:
    """Wait until the caption has these words: what it is made of is told by several processes, tick by tick."""
    lab.until(
        lambda: all(word in caption(lab.lab.state, language) for word in words),
        15,
        f"{words} in the caption, which says: {caption(lab.lab.state, language)}",
    )


def executed(lab: Bench) -> None:
    lab.until(lambda: lab.lab.state.facts.get("executed", 0) and lab.lab.state.facts.get("had"), 15, "execve")


# anonymous


def test_the_child_gets_what_was_stated_inheritable_and_nothing_else(winpipe: Open) -> None:
    lab = winpipe("anonymous", messages=0, rate=20)
    executed(lab)
    handles = lab.lab.state.facts["handles"]
    assert [one["what"] for one in handles.values()] == ["read end", "write end", "settings", "log"]
    stated = {int(fd) for fd, one in handles.items() if one["inherit"]}
    lab.until(lambda: lab.is_in("child", "blocked", "read") and set(lab.lab.state.facts["had"]) == {"3", "5"})
    has = descriptors(pid(lab, "child"))
    assert set(has) == stated == {3, 5}
    assert has[3] == descriptors(pid(lab, "parent"))[4], "one pipe, its other end in the parent"
    says(lab, "closed 4 (write end), 6 (log)")


def test_fork_copies_all_and_only_execve_withholds(winpipe: Open) -> None:
    lab = winpipe("anonymous", start="held", rate=0)
    while not lab.is_in("child", "held", "execve"):
        if lab.is_in("parent", "held") and "child" not in lab.lab.state.processes:
            lab.do("step parent")
        lab.tick()
    assert set(descriptors(pid(lab, "child"))) == {3, 4, 5, 6}
    before = Path(f"/proc/{pid(lab, 'child')}/cmdline").read_bytes()
    lab.do("step child")
    executed(lab)
    lab.until_state("child", "held", "read")
    assert set(descriptors(pid(lab, "child"))) == {3, 5}
    after = Path(f"/proc/{pid(lab, 'child')}/cmdline").read_bytes()
    assert before != after
    assert after.split(b"\0")[-3:-1] == [b"3", b"5"], "the numbers of its handles, on its command line"


def test_the_new_image_is_the_same_worker_held_stepped_and_counted_on(winpipe: Open) -> None:
    lab = winpipe("anonymous", messages=0, rate=50)
    executed(lab)
    child = pid(lab, "child")
    lab.until(lambda: (counts := lab.process("child").counters) is not None and counts.received > 5, 10)
    assert lab.count("child", "execve") == 1
    lab.do("hold child")
    lab.until_state("child", "held", "read")
    before = lab.count("child", "read")
    lab.do("step child")
    lab.until(lambda: lab.count("child", "read") == before + 1)
    lab.do("release child")
    lab.until(lambda: lab.count("child", "read") > before + 5)
    assert pid(lab, "child") == child
    assert Path(f"/proc/{child}/comm").read_text().strip() == "child"
    parents = Path(f"/proc/{child}/status").read_text()
    assert f"PPid:\t{pid(lab, 'parent')}\n" in parents


def test_end_of_file_comes_when_the_parent_closes(winpipe: Open) -> None:
    lab = winpipe("anonymous", messages=5, rate=0)
    assert lab.until_ended("child", 15) == "status 0"
    assert lab.until_ended("parent", 15) == "status 0"
    lab.until(lambda: lab.lab.state.facts.get("end_of_file"))
    says(lab, "end of file")
    proofs = lab.finish().proofs
    assert (proofs["sent_messages"], proofs["received_messages"]) == (5, 5)
    assert (proofs["inherited"], proofs["withheld"]) == (2, 2)


def test_a_leaked_write_end_keeps_end_of_file_away_until_it_is_closed(winpipe: Open) -> None:
    lab = winpipe("leaked", messages=5, rate=0)
    executed(lab)
    lab.until(lambda: lab.lab.state.facts.get("written") and lab.is_in("child", "blocked", "read"), 15)
    lab.until(lambda: lab.is_in("parent", "blocked", "waitpid"))
    lab.until(lambda: "itself holds the write end, handle 4" in (lab.state("child").reason or ""), 10, "the reason")
    says(lab, "end of file never comes", "handle 4")
    says(lab, "핸들 4번", language="ko")
    lab.do("close child 4")
    assert lab.until_ended("child", 15) == "status 0"
    assert lab.until_ended("parent", 15) == "status 0"


def test_nothing_of_the_laboratory_goes_over_to_the_child_but_its_seat(winpipe: Open) -> None:
    lab = winpipe("anonymous", messages=0)
    executed(lab)
    above = {fd: name for fd, name in descriptors(pid(lab, "child"), 1 << 20).items() if fd >= 200}
    rings = [name for name in above.values() if "ipctui-ring" in name]
    assert len(rings) == 1
    assert b"IPCTUI_SEAT" in Path(f"/proc/{pid(lab, 'child')}/environ").read_bytes()


# named


def test_three_sends_are_read_as_one_in_byte_mode(winpipe: Open) -> None:
    lab = winpipe("named-byte", rate=20, busy=100)
    lab.until(lambda: [192] in lab.lab.state.facts.get("reads", {}).values(), 20, "one read of 192 bytes")
    assert [call.result for call in lab.calls("client", "send")][:3] == [64, 64, 64]
    says(lab, "read as one")
    proofs = lab.finish().proofs
    assert proofs["torn_messages"] == 0


def test_three_sends_are_three_in_message_mode_and_short_reads_lose_nothing(winpipe: Open) -> None:
    lab = winpipe("named-message", rate=20, busy=30)
    lab.until(lambda: [64, 64, 64] in lab.lab.state.facts.get("reads", {}).values(), 20, "three messages")
    says(lab, "three messages")
    lab.until(lambda: (counts := lab.process("instance").counters) is not None and counts.received > 8, 15)
    counts = lab.process("instance").counters
    assert counts is not None
    assert counts.received == counts.whole, "each came whole though the buffer has 40 bytes"


def test_without_peeking_the_rest_of_every_short_read_is_lost_and_counted(winpipe: Open) -> None:
    lab = winpipe("named-message", rate=20, busy=30, peek="off", size=100)
    lab.until(lambda: lost(lab.lab.state.facts) >= 3 * 60, 20)
    says(lab, "throws the rest away")
    lab.until(lambda: (counts := lab.process("instance").counters) is not None and counts.whole < counts.received)
    # What is under way is not lost: hold the instance before it reads what has come.
    lab.do("hold instance")
    lab.until_state("instance", "held")
    queued = lambda: sum(  # noqa: E731
        end["waiting"]
        for one in lab.lab.state.channels.values()
        if one.now.facts.get("pair") and not one.now.closed
        for end in one.now.facts["ends"]
        if end["process"] == "instance"
    )
    while not queued():
        before = lab.state("instance").since
        lab.do("step instance")
        lab.until(lambda before=before: lab.is_in("instance", "held") and lab.state("instance").since != before, 10)
    lab.until_state("client", "blocked", "recv", 10)
    counts = lambda: (lab.process("client").counters, lab.process("instance").counters)  # noqa: E731
    told = counts()
    # Twice more everybody is counted.
    for _ in range(2):
        lab.until(lambda told=told: all(now.t > then.t for now, then in zip(counts(), told, strict=True)), 10)
        told = counts()
    read = sum(call.bytes for call in told[1].calls if call.name == "recv")
    sent = sum(call.bytes for call in told[0].calls if call.name == "send")
    assert queued() > 0
    assert lost(lab.lab.state.facts) == sent - read - queued()


def test_the_laboratorys_looking_never_leads_an_instances_peek_astray(winpipe: Open) -> None:
    """SO_PEEK_OFF is the socket's: set for a look at several messages, it would let a peek sleep before a message."""
    lab = winpipe("named-message", rate=0, busy=0, talk=100_000_000, size=100)
    lab.until(lambda: place(lab.lab.state).get("taken") and lab.count("instance", "recv") > 10, 15)
    observer = lab.lab.observer
    wanted = lab.count("instance", "recv") + 3000

    def looked() -> bool:
        for _ in range(50):
            observer.sample(lab.lab.now(), lab.lab.seen, {})
        return lab.count("instance", "recv") > wanted

    lab.until(looked, 30, "three thousand reads under the laboratory's eyes")


def test_a_name_is_full_duplex_on_one_object(winpipe: Open) -> None:
    lab = winpipe("named-byte", rate=50, busy=10)
    lab.until(lambda: len(lab.calls("client", "recv")) > 3 and len(lab.calls("instance", "recv")) > 3, 15)
    # The last message that it sent, and the answer that came to that: it may hang up and come again in between.
    answer = [call for call in lab.calls("client", "recv") if '"@' not in call.args][-1]
    asked = [call for call in lab.calls("client", "send") if call.end <= answer.end][-1]
    assert asked.object == answer.object


def test_a_client_waits_for_a_free_instance_and_gets_it(winpipe: Open) -> None:
    lab = winpipe("instances", rate=10, busy=20, talk=1000)

    def two_of_three() -> bool:
        now = place(lab.lab.state)
        return len(now.get("waiting", ())) == 1 and len(now["taken"]) == 2

    lab.until(two_of_three, 20, "two of three are served")
    waiting = place(lab.lab.state)["waiting"][0]
    state = lab.until_state(waiting, "blocked", "recv")
    assert "no free instance: all 2 are taken" in (state.reason or "")
    says(lab, "waits for a free one")
    served = next(role for role in ("client1", "client2", "client3") if role != waiting)
    lab.do(f"kill {served}")
    lab.until(lambda: waiting not in place(lab.lab.state).get("waiting", [waiting]), 20, "it is let in")


def test_an_instance_that_has_not_accepted_is_named_and_not_called_taken(winpipe: Open) -> None:
    lab = winpipe("named-byte", rate=20, start="held")
    lab.do("release client")
    while not lab.is_in("instance", "held", "accept"):
        before = lab.state("instance").since
        lab.do("step instance")
        lab.until(lambda before=before: lab.is_in("instance", "held") and lab.state("instance").since != before, 10)
    lab.until_state("client", "blocked", "recv", 15)
    lab.until(lambda: lab.state("client").reason == "not accepted yet by instance", 10, "the reason")
    assert lab.state("client").wakers == ("instance",)


def test_a_strangers_client_takes_an_instance_and_is_named(winpipe: Open) -> None:
    lab = winpipe("named-message", rate=20, clients=1)
    lab.until(lambda: place(lab.lab.state).get("taken"), 15)
    lab.do("kill client")
    lab.until_ended("client", 10)
    lab.until(lambda: not place(lab.lab.state).get("taken") and lab.is_in("instance", "blocked", "accept"), 15)
    name = "\0" + lab.lab.workers.plan.given["prefix"] + "/pipe/demo"
    script = (
        "import socket, sys; pipe = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); "
        "pipe.connect('\\0' + sys.argv[1]); pipe.recv(64); print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, name[1:]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdin is not None
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "in\n"
        who = f"pid {stranger.pid}"
        lab.until(lambda: place(lab.lab.state).get("strangers") == {"instance": who}, 10, "the stranger is seen")
        assert place(lab.lab.state)["taken"] == ["instance"]
        lab.until(lambda: (lab.state("instance").reason or "") == f"nothing sent by {who}", 10, "the reason")
        assert f"{who} ↔ instance" in catalogue.pane("winpipe").draw(lab.lab.state, View(), 80, 24).text()
        stranger.stdin.close()
    lab.until(lambda: not place(lab.lab.state)["taken"] and not place(lab.lab.state)["strangers"], 10, "it is gone")


def test_who_finds_no_room_in_the_names_queue_sleeps_in_connect(winpipe: Open) -> None:
    lab = winpipe("instances", rate=10, busy=20, talk=100000, clients=4, instances=1)
    lab.until(
        lambda: any(lab.is_in(f"client{number}", "blocked", "connect") for number in range(1, 5)),
        20,
        "blocked in connect",
    )


def test_without_instances_clients_are_refused_and_ask_again(winpipe: Open) -> None:
    lab = winpipe("named-byte", rate=20)
    lab.until(lambda: place(lab.lab.state).get("taken"), 15)
    lab.do("kill instance")
    lab.until_ended("instance", 10)
    lab.until(lambda: lab.errors("client", "connect").get("ECONNREFUSED", 0) > 1, 15)
    says(lab, "ECONNREFUSED")
    lab.do("restart instance")
    lab.until(lambda: place(lab.lab.state).get("taken"), 20, "served again")


def test_a_thousand_clients_that_hang_up_leave_nothing_open(winpipe: Open) -> None:
    lab = winpipe("named-message", rate=5, busy=0, talk=1)
    lab.until(lambda: place(lab.lab.state).get("taken"), 15)
    instance = pid(lab, "instance")
    lab.do("kill client")  # held, it might keep the instance
    lab.until_ended("client", 10)
    lab.until(lambda: not place(lab.lab.state).get("taken") and lab.is_in("instance", "blocked", "accept"), 20)
    before = descriptors(instance)
    for number in range(1000):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as pipe:
            pipe.connect("\0" + lab.lab.workers.plan.given["prefix"] + "/pipe/demo")
            if number % 2:
                assert pipe.recv(64).startswith(b"@instance")
            if number % 4 == 3:
                pipe.send(b"x" * 100)
        if number % 50 == 0:
            lab.tick()
    lab.until(lambda: descriptors(instance) == before, 30, "the instance's table as before")
    assert lab.process("instance").exited is None
