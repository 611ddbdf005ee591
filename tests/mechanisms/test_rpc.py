"""What a class must see of remote procedure calls, with real processes, checked by foreign clients, ss(8) and /proc."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipctui.kernel import ports
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import UsageError, settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.rpc.caption import caption
from ipctui.mechanisms.rpc.channel import CHANNEL, PROGRAM, SEMANTICS
from ipctui.mechanisms.rpc.ledger import effects_of, entries
from ipctui.mechanisms.rpc.memory import counted
from ipctui.mechanisms.rpc.pane import PANE, sockets
from ipctui.widgets.view import View
from ipctui.worker import onc_rpc, portmapper, xdr
from ipctui.worker.onc_rpc import Call, Records, Reply, marked, parse
from ipctui.worker.portmapper import TCP, UDP, Mapping
from tests.bench_rpc import exactly_once
from tests.lab.conftest import Bench, waited

pytestmark = pytest.mark.real

Open = Callable[..., Bench]


@pytest.fixture
def rpc() -> Iterator[Open]:
    """Opens laboratories: `rpc("maybe", rate=5)`; at the end no port, no segment and no file of theirs is left."""
    launcher = LauncherClient()
    labs: list[Lab] = []

    def open_lab(variant: str, **values: object) -> Bench:
        chosen = next(one for one in CHANNEL.variants if one.name == variant)
        settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
        CHANNEL.check(chosen, settled)
        labs.append(Lab(CHANNEL, chosen, settled, launcher))
        return Bench(labs[-1])

    yield open_lab
    given = [lab.workers.plan.given for lab in labs]
    for lab in labs:
        lab.close()
    launcher.close()
    for each in given:
        waited(lambda each=each: not Path(f"/dev/shm{each['orders']}").exists(), 5, "the orders gone")  # type: ignore[misc]
        for path in (each["ledger"], f"{each['ledger']}-new"):
            assert not path or not os.path.exists(path)


def given_of(lab: Bench) -> dict[str, Any]:
    return dict(lab.lab.workers.plan.given)


def facts(lab: Bench) -> dict[str, Any]:
    return dict(lab.lab.state.facts)


def met(lab: Bench, place: int = 0) -> dict[str, Any]:
    """The latest call of a program that met with loss."""
    return dict(facts(lab).get("met", {}).get(str(PROGRAM + place), {}))


def hit(lab: Bench) -> dict[str, Any]:
    """The call of which the link dropped or held up a packet: on a busy machine others are sent twice as well."""
    return next((dict(call) for call in facts(lab).get("calls", {}).values() if call["dropped"]), {})


def calling(lab: Bench, calls: int = 2) -> None:
    """Wait until calls are answered."""
    lab.until(lambda: sum(bool(call["believes"]) for call in facts(lab).get("calls", {}).values()) >= calls, 8)


def udp_port(lab: Bench, role: str = "server") -> int:
    found = [
        int(one.facts["local"].rpartition(":")[2])
        for one in sockets(lab.lab.state, role)
        if one.facts["protocol"] == "udp"
    ]
    return found[0] if found else 0


def committed(lab: Bench) -> dict[int, int]:
    """The effects by program, read from the ledger itself."""
    return effects_of(entries(Path(given_of(lab)["ledger"]).read_bytes())[0])


class Foreign:
    """A client that knows nothing of the laboratory but the RFCs, over UDP or TCP."""

    def __init__(self, port: int, kind: int = socket.SOCK_DGRAM) -> None:
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.stream = kind == socket.SOCK_STREAM

    def ask(self, raw: bytes, lab: Bench | None = None) -> Reply:
        self.socket.send(marked(raw) if self.stream else raw)
        found = parse(self.receive())
        assert isinstance(found, Reply)
        return found

    def receive(self) -> bytes:
        if not self.stream:
            return self.socket.recv(65536)
        records = Records()
        while True:
            piece = self.socket.recv(3)
            assert piece, "the server hung up"
            found = records.fed(piece)
            if found:
                return found[0]

    def __enter__(self) -> "Foreign":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def call(procedure: int = 0, **changed: Any) -> bytes:
    return Call(**{"xid": 9, "program": PROGRAM, "version": 1, "procedure": procedure, **changed}).packed()


BOTH = pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])


# The moment: a reply is dropped.


def test_the_four_semantics_stand_side_by_side(rpc: Open) -> None:
    lab = rpc("side-by-side", timeout=1000, tries=2, rate=4)
    calling(lab, 4)
    lab.do("drop reply 4")
    ends = {0: (1, "failed"), 1: (2, "done"), 2: (1, "unknown"), 3: (1, "done")}
    lab.until(
        lambda: all(
            (met(lab, place).get("ran"), met(lab, place).get("believes")) == end for place, end in ends.items()
        ),
        12,
        "the moment",
    )
    text = caption(lab.lab.state, "en")
    assert "at-least-once 2× done" in text
    assert "at-most-once 1× unknown" in text
    picture = PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 24).text()
    for name in SEMANTICS:
        assert name in picture
    last = lab.finish()
    proofs = last.proofs
    assert proofs["executions"] == proofs["committed"] == sum(committed(lab).values()) == proofs["calls_made"] + 1
    assert last.processes["server"]["told"]["executed"] == proofs["executions"]
    assert "tell" not in {row["name"] for row in last.processes["server"]["calls"]}
    assert proofs["lost"] == 4


def test_maybe_ran_once_and_is_thought_failed(rpc: Open) -> None:
    lab = rpc("maybe", timeout=500, rate=4)
    calling(lab)
    lab.do("drop reply")
    lab.until(lambda: (hit(lab).get("believes"), hit(lab).get("ran")) == ("failed", 1))
    assert hit(lab)["sent"] == 1
    assert "maybe never asks again" in caption(lab.lab.state, "en")


def test_at_most_once_answers_from_its_history_in_practice(rpc: Open) -> None:
    lab = rpc("at-most-once", timeout=500, history="answer", rate=4)
    calling(lab)
    lab.do("drop reply")
    lab.until(lambda: hit(lab).get("believes") == "done" and hit(lab)["suppressed"])
    assert hit(lab)["ran"] == 1
    assert hit(lab)["suppressed"] <= hit(lab)["sent"] - 1


def test_a_lost_call_never_ran(rpc: Open) -> None:
    lab = rpc("maybe", timeout=500, rate=4)
    calling(lab)
    lab.do("drop call")
    lab.until(lambda: hit(lab).get("believes") == "failed")
    assert hit(lab)["ran"] == 0


def test_a_doubled_call_runs_twice_without_a_history_and_once_with_one(rpc: Open) -> None:
    for variant, ran in (("maybe", 2), ("at-most-once", 1), ("exactly-once", 1)):
        lab = rpc(variant, rate=4)
        calling(lab)
        lab.do("duplicate call")
        lab.until(lambda lab=lab, ran=ran: met(lab).get("ran") == ran and met(lab)["suppressed"] == 2 - ran)  # type: ignore[misc]
        lab.lab.close()


def test_a_delayed_reply_comes_too_late_and_is_thrown_away(rpc: Open) -> None:
    lab = rpc("at-least-once", timeout=200, delay=300, rate=4)
    calling(lab)
    lab.do("delay reply")
    lab.until(lambda: met(lab).get("ran") == 2 and met(lab).get("believes") == "done")


def test_a_cut_link_lets_nothing_pass_until_it_is_mended(rpc: Open) -> None:
    lab = rpc("exactly-once", timeout=100, rate=4)
    calling(lab)
    lab.do("cut")
    lab.until(lambda: met(lab).get("dropped", 0) >= 2, what="retransmissions that are cut off")
    assert "link is cut" in caption(lab.lab.state, "en")
    lab.do("mend")
    lab.until(lambda: (hit(lab).get("believes"), hit(lab).get("ran")) == ("done", 1))


# The server is killed.


@pytest.mark.parametrize(("where", "ran"), [("before", 1), ("uncommitted", 2), ("unanswered", 1), ("after", 1)])
def test_exactly_once_survives_the_servers_death_wherever_it_comes(rpc: Open, where: str, ran: int) -> None:
    lab = rpc("exactly-once", timeout=150, rate=4)
    calling(lab)
    lab.do(f"crash {where}")
    assert lab.until_ended("server") == "signal SIGKILL"
    lab.until(lambda: f"killed {where}" in facts(lab)["heard"])
    assert "killed" in caption(lab.lab.state, "en")
    assert "죽었다" in caption(lab.lab.state, "ko")
    number = list(facts(lab)["calls"])[-1]
    assert lab.do("restart server") == "done"
    lab.until(lambda: facts(lab)["calls"].get(number, {"believes": "done"})["believes"] == "done", 8)
    calling(lab, 4)
    proofs = lab.finish().proofs
    assert proofs["executions"] == proofs["committed"] + ran - 1
    assert committed(lab) == {PROGRAM: proofs["committed"]}
    unanswered = proofs["calls_made"] - proofs["believes_done"]
    assert proofs["committed"] - proofs["believes_done"] in (0, unanswered)


def test_a_history_in_memory_dies_with_the_server(rpc: Open) -> None:
    """At-most-once is no promise across a crash: what the history in memory knew is gone."""
    lab = rpc("at-most-once", timeout=150, tries=1000, rate=4)
    calling(lab)
    lab.do("crash unanswered")
    lab.until_ended("server")
    lab.do("restart server")
    lab.until(lambda: met(lab).get("ran") == 2, 8)


@pytest.mark.parametrize("kills", [0, 3])
def test_exactly_once_keeps_its_word_under_loss_duplication_reordering_and_kills(kills: int) -> None:
    told: list[str] = []
    proofs = exactly_once(lambda *words: told.append(words[0]), kills=kills, calls=120)
    assert proofs["ledger"] == proofs["committed"] == proofs["calls_made"] == proofs["believes_done"] == 120
    assert proofs["executions"] >= 120
    assert proofs["lost"] > 50
    assert proofs["duplicates_suppressed"] > 20
    assert told


# Ports, and who knows them.


def test_the_server_moves_and_only_the_matchmakers_client_finds_it(rpc: Open) -> None:
    lab = rpc("matchmaker", rate=5, timeout=200)
    calling(lab, 4)
    old = udp_port(lab)
    lab.do("move")
    lab.until(lambda: udp_port(lab) not in (0, old))
    new = udp_port(lab)
    lab.until(lambda: facts(lab)["heard"].get("looked up", {}).get("number") == new, what="GETPORT")
    lab.until(lambda: facts(lab)["heard"].get("nobody there", {}).get("process") == "fixed")
    text = caption(lab.lab.state, "en")
    assert str(new) in text
    assert "GETPORT" in text
    with Foreign(given_of(lab)["matchmaker"]) as foreign:
        wanted = Mapping(PROGRAM, 1, UDP).packed()
        asked = Call(3, portmapper.PROGRAM, 2, portmapper.GETPORT, wanted).packed()
        assert foreign.ask(asked).result == xdr.unsigned(new)
    assert lab.do("move").startswith("done")
    lab.until(lambda: udp_port(lab) == old)
    lab.do("kill matchmaker")
    lab.until_ended("matchmaker")
    assert "nobody to ask" in caption(lab.lab.state, "en")


def test_the_fixed_port_client_calls_where_nobody_is(rpc: Open) -> None:
    lab = rpc("fixed-port", rate=5)
    calling(lab)
    lab.do("move")
    lab.until(lambda: facts(lab)["heard"].get("nobody there", {}).get("process") == "client")
    lab.until(lambda: "ECONNREFUSED" in caption(lab.lab.state, "en"))
    lab.until(
        lambda: any(lab.errors("client", name).get("ECONNREFUSED") for name in ("recv", "send")), what="the error"
    )
    lab.until_state("server", "blocked", "poll")


@BOTH
def test_a_matchmaker_of_ours_answers_as_a_portmapper_does(rpc: Open, kind: int) -> None:
    lab = rpc("matchmaker")
    lab.until(lambda: "registered" in facts(lab).get("heard", {}))
    with Foreign(given_of(lab)["matchmaker"], kind) as foreign:
        listed = foreign.ask(Call(1, portmapper.PROGRAM, 2, portmapper.DUMP).packed())
        found = portmapper.parsed_list(listed.result)
        port = given_of(lab)["server"]
        assert {Mapping(PROGRAM, 1, UDP, port), Mapping(PROGRAM, 1, TCP, port)} <= set(found)
        assert Mapping(portmapper.PROGRAM, 2, UDP, given_of(lab)["matchmaker"]) in found
        older = foreign.ask(Call(2, portmapper.PROGRAM, 4, 0).packed())
        assert (older.said, older.low, older.high) == ("PROG_MISMATCH", 2, 2)
        assert foreign.ask(Call(3, portmapper.PROGRAM, 2, portmapper.CALLIT).packed()).said == "PROC_UNAVAIL"
        assert foreign.ask(Call(4, portmapper.PROGRAM, 2, portmapper.SET, b"x").packed()).said == "GARBAGE_ARGS"


# Foreign clients.


@BOTH
def test_a_foreign_client_gets_right_answers(rpc: Open, kind: int) -> None:
    lab = rpc("fixed-port", rate=1)
    lab.until(lambda: udp_port(lab))
    with Foreign(udp_port(lab), kind) as foreign:
        assert foreign.ask(call(0)) == Reply(9), "the NULL procedure"
        first = foreign.ask(call(1, argument=xdr.hyper(40) + xdr.string("mine")))
        then = foreign.ask(call(2))
        assert xdr.Reader(first.result).hyper() >= 40
        assert xdr.Reader(then.result).hyper() >= xdr.Reader(first.result).hyper()
        assert foreign.ask(call(0, program=77)).said == "PROG_UNAVAIL"
        wrong = foreign.ask(call(0, version=5))
        assert (wrong.said, wrong.low, wrong.high) == ("PROG_MISMATCH", 1, 1)
        assert foreign.ask(call(99)).said == "PROC_UNAVAIL"
        assert foreign.ask(call(1, argument=b"xx")).said == "GARBAGE_ARGS"
        assert foreign.ask(call(1, argument=xdr.hyper(2**63 - 1) + xdr.string(""))).said == "GARBAGE_ARGS"
        assert foreign.ask(call(0, credential=onc_rpc.Auth(6, b"abcd"))).said == "AUTH_ERROR"
        other = bytearray(call(0))
        other[11] = 3
        assert foreign.ask(bytes(other)) == Reply(9, onc_rpc.RPC_MISMATCH, denied=True, low=2, high=2)
        assert foreign.ask(call(0)) == Reply(9)
    lab.until(lambda: counted(facts(lab), "refused GARBAGE_ARGS") >= 2)
    assert "server refused a call: " in caption(lab.lab.state, "en")


def test_noise_truncated_records_and_floods_leave_the_server_in_service(rpc: Open) -> None:
    lab = rpc("fixed-port", rate=2)
    lab.until(lambda: udp_port(lab))
    port = udp_port(lab)
    with Foreign(port) as noisy, contextlib.ExitStack() as many:
        for size in (0, 1, 3, 39, 1000):
            noisy.socket.send(os.urandom(size))
        assert noisy.ask(call(0)) == Reply(9)
        cut = many.enter_context(Foreign(port, socket.SOCK_STREAM))
        cut.socket.send(marked(call(0))[:20])
        huge = many.enter_context(Foreign(port, socket.SOCK_STREAM))
        huge.socket.send(b"\xff\xff\xff\xff" + bytes(100))
        lab.until(lambda: counted(facts(lab), "refused oversized record"))
        lab.until(lambda: "record that claims more than 65,507 bytes" in caption(lab.lab.state, "en"))
        cut.socket.shutdown(socket.SHUT_WR)
        lab.until(lambda: "in the midst of a record" in caption(lab.lab.state, "en"))
        noisy.socket.send(b"noise")
        lab.until(lambda: "5 bytes that are no call came to server" in caption(lab.lab.state, "en"))
        assert noisy.ask(call(0)) == Reply(9)
        with contextlib.suppress(ConnectionResetError):  # data that nobody read: a reset, not an end of file
            assert huge.socket.recv(1) == b""
        for _ in range(90):
            flood = many.enter_context(Foreign(port, socket.SOCK_STREAM))
        assert flood.ask(call(0)) == Reply(9)
        lab.until(lambda: counted(facts(lab), "too many connections") >= 20)
        lab.until(lambda: "the oldest one makes room" in caption(lab.lab.state, "en"))
    calling(lab)
    assert lab.process("server").exited is None


def test_a_client_that_never_reads_is_left(rpc: Open) -> None:
    lab = rpc("fixed-port", rate=1)
    lab.until(lambda: udp_port(lab))
    with Foreign(udp_port(lab), socket.SOCK_STREAM) as deaf:
        deaf.socket.setblocking(False)
        question = marked(call(0)) * 500

        def gone() -> bool:
            try:
                deaf.socket.send(question)
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                return True
            return counted(facts(lab), "never reads") > 0

        lab.until(gone, 15)
    with Foreign(udp_port(lab)) as other:
        assert other.ask(call(0)) == Reply(9)


def test_tcp_carries_the_same_calls_and_a_broken_connection_is_mended(rpc: Open) -> None:
    lab = rpc("exactly-once", transport="tcp", timeout=500, rate=4)
    calling(lab)
    lab.do("drop reply")
    lab.until(
        lambda: (hit(lab).get("believes"), hit(lab).get("ran"), hit(lab).get("committed")) == ("done", 1, 1),
    )
    assert lab.count("client", "connect") >= 2


def test_at_most_once_over_tcp_knows_a_client_that_had_to_connect_again(rpc: Open) -> None:
    lab = rpc("at-most-once", transport="tcp", timeout=500, tries=3, rate=4)
    calling(lab)
    lab.do("drop reply")
    lab.until(lambda: hit(lab).get("believes") == "unknown" and hit(lab)["suppressed"])
    assert (hit(lab)["ran"], hit(lab)["sent"]) == (1, 3)
    assert lab.count("client", "connect") >= 2, "the link has broken the connection"


@pytest.mark.skipif(shutil.which("ss") is None, reason="no ss(8) on this machine")
def test_ss_sees_the_servers_on_loopback_alone(rpc: Open) -> None:
    lab = rpc("matchmaker")
    calling(lab)
    said = subprocess.run(["ss", "-lunptH"], capture_output=True, text=True, check=True).stdout
    for role in ("server", "matchmaker"):
        pid = lab.process(role).pid
        bound = {line.split()[4] for line in said.splitlines() if f"pid={pid}," in line}
        assert bound == {one.facts["local"] for one in sockets(lab.lab.state, role)}
        assert all(place.startswith("127.0.0.1:") for place in bound)
    assert "loopback only" in PANE.draw(lab.lab.state, View(now=lab.lab.now()), 80, 24).text()


# Costs, and limits.


def test_the_same_procedure_costs_more_the_farther_away_it_is(rpc: Open) -> None:
    lab = rpc("local", rate=50)
    lab.until(lambda: len(facts(lab).get("costs", {}).get("over the network", ())) >= 5)
    costs = {name: min(times) for name, times in facts(lab)["costs"].items()}
    assert costs["plain function"] < min(costs["another process"], costs["over the network"])
    assert "loopback" in caption(lab.lab.state, "en")


def test_orders_that_make_no_sense_are_refused_in_one_line(rpc: Open) -> None:
    lab = rpc("maybe", rate=1)
    for order in ("drop everything", "drop reply 0", "drop 101%", "crash sometime", "move", "drop reply 1 2"):
        said = lab.do(order)
        assert said.startswith("refused"), order
        assert "\n" not in said
    assert lab.do("drop 30%").startswith("done")
    assert lab.do("drop 0%").startswith("done")
    assert "nobody here would find the server again" in lab.do("move")
    other = rpc("fixed-port", rate=1)
    assert other.do("move nowhere").startswith("refused: move nowhere: a port")
    assert "there is no link" in other.do("drop reply")


def test_a_port_in_use_or_forbidden_is_told(rpc: Open) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="EADDRINUSE"):
            rpc("fixed-port", server=port)
    free = ports.planned_port()
    ports.give_back(free)
    with pytest.raises(UsageError, match="a port of its own"):
        rpc("matchmaker", server=free, port=free)


def test_laboratories_that_are_opened_at_once_have_each_its_own_ports(rpc: Open) -> None:
    """Neither server has taken its port when the next one is planned."""
    labs = [rpc("fixed-port", rate=5) for _ in range(3)]
    served = [given_of(lab)["server"] for lab in labs]
    assert len(set(served)) == 3
    for lab in labs:
        calling(lab)
        assert udp_port(lab) == given_of(lab)["server"]
        assert lab.process("server").exited is None


def test_a_server_moves_only_where_it_may_and_stays_in_service(rpc: Open) -> None:
    lab = rpc("fixed-port", rate=5)
    calling(lab)
    at = udp_port(lab)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert f"another program has TCP port {port}" in lab.do(f"move {port}")
    assert lab.do(f"move {at}") == f"refused: move {at}: the server is there"
    assert (lab.process("server").exited, udp_port(lab)) == (None, at)
    elsewhere = ports.planned_port()
    ports.give_back(elsewhere)
    assert lab.do(f"move {elsewhere}") == f"done: the server moves from port {at} to {elsewhere}"
    lab.until(lambda: udp_port(lab) == elsewhere)
    assert lab.do("move") == f"done: the server moves from port {elsewhere} to {at}"
    lab.until(lambda: udp_port(lab) == at)
    calling(lab, 3)


def test_a_machine_without_ipv4_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    assert CHANNEL.unavailable() is None
    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert "127.0.0.1" in (CHANNEL.unavailable() or "")


def test_a_held_link_looks_like_a_slow_server_and_unblock_releases_it(rpc: Open) -> None:
    lab = rpc("exactly-once", timeout=60_000)
    calling(lab)
    lab.do("hold link")
    state = lab.until_state("client", "blocked", "poll", 10)
    assert state.reason == "no reply yet"
    assert "link" in state.wakers
    assert "hold" in caption(lab.lab.state, "en")
    assert "released link" in lab.do("unblock client")
    lab.until(lambda: lab.is_in("client", "paced"))


def test_the_session_can_be_stepped_call_by_call(rpc: Open) -> None:
    lab = rpc("maybe", rate=0, timeout=60_000)
    calling(lab)
    lab.do("hold client")
    lab.until_state("client", "held")
    names = []
    for _ in range(14):
        before = lab.state("client").before
        names.append(before.name if before else "")
        lab.do("step client")
        lab.until(lambda before=before: lab.is_in("client", "held") and lab.state("client").before != before, 5)  # type: ignore[misc]
    assert {"call", "tell", "send", "poll", "recv"} <= set(names)
