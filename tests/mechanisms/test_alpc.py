"""ALPC with real processes: the three ways by size, the handshake, refusals, and nothing left open."""

import array
import fcntl
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipctui.kernel.unix_sockets import table
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.alpc.caption import caption, latest, medians
from ipctui.mechanisms.alpc.channel import CHANNEL
from tests.lab.conftest import Bench, waited

pytestmark = pytest.mark.real

Open = Callable[..., Bench]


@pytest.fixture
def alpc() -> Iterator[Open]:
    """Opens laboratories of ALPC: `alpc("section", size=512)`; no name is left at the end."""
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


def pid(lab: Bench, role: str) -> int:
    return lab.process(role).pid


def descriptors(process: int) -> dict[int, str]:
    """`ls -l /proc/PID/fd`, the laboratory's own left out."""
    found = {}
    for name in os.listdir(f"/proc/{process}/fd"):
        if 2 < int(name) < 200:
            try:
                found[int(name)] = os.readlink(f"/proc/{process}/fd/{name}")
            except FileNotFoundError:
                continue
    return found


def maps(process: int, what: str) -> list[str]:
    return [line for line in Path(f"/proc/{process}/maps").read_text().splitlines() if what in line]


def accepted(lab: Bench, role: str = "client") -> None:
    lab.until(
        lambda: lab.lab.state.facts.get("made", {}).get(role, {}).get("outcome") == "accepted", 10, f"{role} accepted"
    )


def says(lab: Bench, *words: str, language: str = "en") -> None:
    """Wait until the caption has these words: what it is made of is told by several processes, tick by tick."""
    lab.until(
        lambda: all(word in caption(lab.lab.state, language) for word in words),
        15,
        f"{words} in the caption, which says: {caption(lab.lab.state, language)}",
    )


def at_rest(lab: Bench) -> dict[int, str]:
    """The server's descriptors when it has done all that it was asked for, and waits for more."""
    lab.until_state("server", "blocked", "poll", 15)
    return descriptors(pid(lab, "server"))


def way(lab: Bench) -> str:
    now = latest(lab.lab.state)
    return str(now["way"]) if now is not None else ""


def test_a_message_changes_its_way_at_both_thresholds_and_back(alpc: Open) -> None:
    lab = alpc("small", rate=100)
    lab.until(lambda: way(lab) == "port")
    for size, expected in ((256, "port"), (257, "section"), (4096, "section"), (4097, "direct"), (64, "port")):
        lab.do(f"size client {size}")
        lab.until(lambda size=size: (latest(lab.lab.state) or {}).get("size") == size)
        assert way(lab) == expected
    assert lab.count("server", "process_vm_readv") >= 1
    proofs = lab.finish().proofs
    assert set(proofs["ways"]) == {"port", "section", "direct"}
    assert proofs["received_messages"] in (proofs["sent_messages"], proofs["sent_messages"] - 1)


def test_ten_keystrokes_carry_a_message_across_both_thresholds() -> None:
    sizes = [64 << presses for presses in range(11)]
    assert sizes.index(next(size for size in sizes if size > 256)) == 3
    assert sizes.index(next(size for size in sizes if size > 4096)) == 7


def test_the_handshake_goes_its_five_steps_in_order(alpc: Open) -> None:
    lab = alpc("connect", rate=50)
    names = ("connect", "accept", "pair", "handle")
    # The client has its port before the server's sendmsg has returned: whose record comes first is chance.
    made = lambda: lab.lab.state.facts.get("made", {}).get("client", {"steps": {}})["steps"]  # noqa: E731
    lab.until(lambda: sorted(made()) == sorted((*names, "port")), 15, "all five steps")
    steps = made()
    order = [steps[name] for name in names]
    assert order == sorted(order)
    says(lab, "private port")
    lab.until(lambda: lab.lab.state.facts["accepted"] >= 3, 20, "it hung up and asked again")


def test_the_client_gets_a_socket_that_it_never_opened(alpc: Open) -> None:
    lab = alpc("connect", start="held", rate=0)
    lab.do("release server")
    before: dict[int, str] = {}
    state = lab.until_state("client", "held", "socket", 10)
    while state.before is None or state.before.name != "close":
        if state.before is not None and state.before.name == "recvmsg":
            before = descriptors(pid(lab, "client"))
        since = state.since
        lab.do("step client")
        lab.until(lambda since=since: lab.is_in("client", "held") and lab.state("client").since != since, 10)
        state = lab.state("client")
    lab.until(lambda: any(call.result for call in lab.calls("client", "recvmsg")))
    assert "msg_control=[1 descriptor]" in lab.calls("client", "recvmsg")[0].args
    came = set(descriptors(pid(lab, "client")).values()) - set(before.values())
    assert len(came) == 1
    assert came.pop().startswith("socket:[")
    opened = lab.calls("client", "socket")
    assert len(opened) == 1, "only the socket that it asked through"


def test_both_map_the_section_and_it_cannot_shrink(alpc: Open) -> None:
    lab = alpc("section", rate=50)
    lab.until(lambda: way(lab) == "section")
    mine, theirs = (maps(pid(lab, role), "/memfd:section-client") for role in ("client", "server"))
    assert len(mine) == len(theirs) == 1
    assert " rw-s " in mine[0]
    assert mine[0].split()[4] == theirs[0].split()[4], "one inode"
    sections = lambda: [  # noqa: E731
        one.now for one in lab.lab.state.channels.values() if one.now.facts.get("section") and not one.now.closed
    ]
    lab.until(lambda: sections() and set(sections()[0].facts["mapped"]) == {"client", "server"})
    said = lab.do("shrink")
    assert said.startswith("refused")
    assert "EPERM" in said
    says(lab, "F_SEAL_SHRINK")
    received = lab.process("server").counters
    lab.until(lambda: (now := lab.process("server").counters) and received and now.received > received.received + 5)


def test_a_section_that_could_shrink_is_refused_and_pieces_go_through_the_port(alpc: Open) -> None:
    lab = alpc("section", rate=50, seals="off")
    lab.until(lambda: way(lab) == "pieces")
    assert not maps(pid(lab, "server"), "/memfd:section")
    says(lab, "not sealed")
    assert "not sealed" in lab.do("shrink")
    lab.until(lambda: (counts := lab.process("server").counters) is not None and counts.received > 3)


def test_direct_reading_that_is_withheld_is_said_with_the_permission_that_it_needs(alpc: Open) -> None:
    lab = alpc("direct-read", rate=50, permission="withheld")
    lab.until(lambda: way(lab) == "pieces")
    assert lab.errors("server", "process_vm_readv").keys() <= {"EPERM"}
    lab.until(lambda: lab.lab.state.facts["unread"] >= 3)
    says(lab, "EPERM", "PR_SET_PTRACER")
    says(lab, "EPERM", language="ko")
    proofs = lab.finish().proofs
    assert proofs["received_messages"] >= 3
    assert proofs["refused_reads"] >= 3


@pytest.mark.strace
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace(1) on this machine")
def test_strace_sees_the_direct_read(alpc: Open, tmp_path: Path) -> None:
    lab = alpc("direct-read", rate=20)
    lab.until(lambda: way(lab) == "direct")
    log = tmp_path / "log"
    command = ["strace", "-f", "-e", "trace=process_vm_readv", "-o", str(log), "-p", str(pid(lab, "server"))]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        lab.until(lambda: log.exists() and log.read_text().count("= 65536") >= 2, 10, "two reads in strace's log")
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    assert f"process_vm_readv({pid(lab, 'client')}, " in log.read_text()


@pytest.mark.skipif(shutil.which("lsof") is None, reason="no lsof(8) on this machine")
def test_lsof_sees_the_connection_port(alpc: Open) -> None:
    lab = alpc("small")
    accepted(lab)
    command = ["lsof", "-w", "-a", "-U", "-p", str(pid(lab, "server"))]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert f"@{lab.lab.workers.plan.given['prefix']}/connection-port" in said


def test_the_second_client_is_refused_until_the_first_has_gone(alpc: Open) -> None:
    lab = alpc("refused", rate=20)
    made = lambda: lab.lab.state.facts.get("made", {})  # noqa: E731
    lab.until(lambda: sorted(one["outcome"] for one in made().values()) == ["accepted", "refused"], 10)
    inside = next(role for role, one in made().items() if one["outcome"] == "accepted")
    outside = next(role for role in made() if role != inside)
    says(lab, "Without a handle")
    sent = lab.process(outside).counters
    assert sent is None or sent.sent == 0
    lab.do(f"kill {inside}")
    accepted(lab, outside)
    lab.until(lambda: (now := lab.process(outside).counters) is not None and now.sent > 2)


def test_many_clients_have_a_pair_each_and_one_killed_hangs_up_its_own(alpc: Open) -> None:
    lab = alpc("many-clients", rate=50)
    for number in range(1, 5):
        accepted(lab, f"client{number}")
    pairs = lambda: [  # noqa: E731
        one.now.facts["client"]
        for one in lab.lab.state.channels.values()
        if one.now.facts.get("pair") and not one.now.closed
    ]
    lab.until(lambda: sorted(pairs()) == ["client1", "client2", "client3", "client4"])
    lab.do("kill client2")
    lab.until(lambda: sorted(pairs()) == ["client1", "client3", "client4"])
    says(lab, "hangs up its port")
    lab.do("add client")
    accepted(lab, "client5")


def test_a_killed_server_is_named_and_clients_ask_in_vain(alpc: Open) -> None:
    lab = alpc("small", rate=50)
    accepted(lab)
    lab.do("kill server")
    lab.until_ended("server")
    lab.until(lambda: lab.errors("client", "connect").get("ECONNREFUSED", 0) > 2, 10)
    says(lab, "ECONNREFUSED")
    lab.do("restart server")
    accepted(lab)


def test_every_size_is_measured_each_way_and_the_ratio_is_drawn(alpc: Open) -> None:
    lab = alpc("measure", rate=0)
    lab.until(
        lambda: all(len(medians(lab.lab.state).get(name, {})) == 9 for name in ("copied", "section", "direct")), 30
    )
    lab.until(lambda: {"bare", "port"} <= medians(lab.lab.state).keys(), 20)
    ways = medians(lab.lab.state)
    assert ways["copied"][1 << 24] > ways["copied"][256], "16 MiB take longer than 256 bytes"
    says(lab, "against copying")


@pytest.mark.parametrize(
    ("values", "why"),
    [({"small": 5000}, "section=4096"), ({"section": 256}, "small=256")],
)
def test_thresholds_out_of_order_are_said_in_a_line(values: dict[str, int], why: str) -> None:
    settled = settle(CHANNEL.parameters(), {}, [f"{name}={value}" for name, value in values.items()])
    with pytest.raises(UsageError, match=why) as raised:
        CHANNEL.check(CHANNEL.variants[1], settled)
    assert "\n" not in str(raised.value)


# Bad luck, a thousand times, played by clients of this test's own.


def knock(lab: Bench) -> socket.socket:
    asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asker.settimeout(20)
    asker.connect("\0" + lab.lab.workers.plan.given["prefix"] + "/connection-port")
    return asker


def test_a_thousand_clients_that_die_on_the_way_leave_nothing_open(alpc: Open) -> None:
    """Before asking, before the answer, after the handle, and between handing a section over and using it."""
    lab = alpc("small", rate=5)
    accepted(lab)
    server = pid(lab, "server")
    lab.do("hold client")
    # Its client has its port before the server has closed the socket that the port was asked through.
    lab.until(lambda: lab.is_in("client", "held") and lab.is_in("server", "blocked", "poll"), 20)
    before = descriptors(server)
    own = len(os.listdir("/proc/self/fd"))
    section = os.memfd_create("section-test", os.MFD_ALLOW_SEALING)
    os.ftruncate(section, 4096 + 8)
    fcntl.fcntl(section, 1033, 2 | 4)
    for number in range(1000):
        asker = knock(lab)
        if number % 4:
            asker.send(b"@connect stranger")
        if number % 4 >= 2:
            said, handles, _, _ = socket.recv_fds(asker, 256, 1)
            assert said == b"@accepted"
            port = socket.socket(fileno=handles[0])
            if number % 4 == 3:
                socket.send_fds(port, [b"@section 10"], [section])
            port.close()
        asker.close()
        if number % 50 == 0:
            lab.tick()
    os.close(section)
    lab.until(lambda: descriptors(server) == before, 30, "the server's table as before")
    assert not maps(server, "section-test")
    assert len(os.listdir("/proc/self/fd")) == own, "and none with the laboratory, which looks on"
    lab.do("release client")
    accepted(lab)
    assert lab.process("server").exited is None


@pytest.mark.parametrize(
    "note",
    [b"@direct 1 99999999999999999999", b"@direct x y", b"@section 5", b"@", b"\0\xff", b"@direct 0 64", b"x" * 256],
)
def test_whatever_a_stranger_says_the_server_goes_on(alpc: Open, note: bytes) -> None:
    lab = alpc("small", rate=50)
    accepted(lab)
    asker = knock(lab)
    asker.send(b"@connect stranger")
    _, handles, _, _ = socket.recv_fds(asker, 256, 1)
    with socket.socket(fileno=handles[0]) as port:
        port.settimeout(20)
        port.send(note)
        assert port.recv(256)[:1] == b"@"
    asker.close()
    received = lab.process("server").counters
    lab.until(lambda: (now := lab.process("server").counters) and (not received or now.received > received.received))
    assert lab.process("server").exited is None


def test_a_stranger_is_told_by_its_pid(alpc: Open) -> None:
    lab = alpc("small", rate=50)
    accepted(lab)
    asker = knock(lab)
    asker.send(b"@connect stranger")
    _, handles, _, _ = socket.recv_fds(asker, 256, 1)
    named = lambda: [  # noqa: E731
        one.now.facts["client"]
        for one in lab.lab.state.channels.values()
        if one.now.facts.get("pair") and not one.now.closed
    ]
    with socket.socket(fileno=handles[0]), asker:
        lab.until(lambda: sorted(named()) == ["client", f"pid {os.getpid()}"], 15, "the stranger's pid")
    lab.until(lambda: named() == ["client"], 15, "it is gone")


def test_more_handles_than_were_asked_for_are_closed_by_the_kernel(alpc: Open) -> None:
    lab = alpc("small", rate=50)
    accepted(lab)
    asker = knock(lab)
    asker.send(b"@connect stranger")
    _, handles, _, _ = socket.recv_fds(asker, 256, 1)
    lab.do("hold client")
    lab.until_state("client", "held", None, 10)
    before = at_rest(lab)
    with socket.socket(fileno=handles[0]) as port:
        port.settimeout(20)
        null = os.open("/dev/null", os.O_RDONLY)
        rights = array.array("i", [null] * 20)
        port.sendmsg([b"hello"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        os.close(null)
        assert port.recv(256) == b"@ok"
        assert at_rest(lab) == before
    asker.close()
