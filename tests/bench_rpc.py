"""The benchmarks of remote procedure calls: what a round trip costs, what noise does, and exactly-once under loss."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms.rpc.channel import CHANNEL, PROGRAM
from ipctui.mechanisms.rpc.ledger import effects_of, entries
from ipctui.mechanisms.rpc.memory import counted
from ipctui.trace.records import Summary
from ipctui.worker.onc_rpc import Call, Reply, parse

Row = Callable[[str, str, str], None]
CALLS = 10_000
NOISE = 10_000
_TRIPS, _ROUNDS = 500, 9
_PATIENCE = 900.0


def bench_rpc(row: Row) -> None:
    """All three."""
    round_trips(row)
    noise(row)
    exactly_once(row, kills=0)
    exactly_once(row, kills=3)


def round_trips(row: Row) -> None:
    """An RPC, untraced and traced, against a bare UDP exchange of the same sizes."""
    script = Path(__file__).with_name("bench_rpc_loops.py")
    command = [sys.executable, str(script), str(_TRIPS), str(_ROUNDS)]
    environment = {**os.environ, "PYTHONPATH": str(script.parent.parent)}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    times = {name: float(figure) for name, figure in (line.split() for line in said.splitlines())}
    bare = times["bare"]
    row("bare UDP round trip, 84 and 32 bytes, two CPUs", f"{bare:.1f} µs", "")
    for kind in ("untraced", "traced"):
        row(f"RPC round trip {kind} / the bare one", f"{times[kind]:.1f} µs = {times[kind] / bare:.2f}", "told")


def opened(launcher: LauncherClient, variant: str, **values: object) -> Lab:
    """A laboratory without a screen."""
    chosen = next(one for one in CHANNEL.variants if one.name == variant)
    settled = settle(CHANNEL.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
    return Lab(CHANNEL, chosen, settled, launcher)


def until(lab: Lab, condition: Callable[[], Any]) -> None:
    """Tick until something is so."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        lab.batch()
        if time.monotonic() > deadline:
            raise TimeoutError("the laboratory did not get there")
        time.sleep(0.01)


def noise(row: Row) -> None:
    """Malformed packets, then a good call."""
    launcher = LauncherClient()
    lab = opened(launcher, "fixed-port", rate=1)
    try:
        until(lab, lambda: "listens" in lab.state.facts.get("heard", {}))
        good = Call(7, PROGRAM, 1, 1, bytes(12))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
            foreign.settimeout(10)
            foreign.connect(("127.0.0.1", lab.workers.plan.given["server"]))
            sent = 0
            whole = good.packed()
            for number in range(NOISE):
                cut = os.urandom(number % 200) if number % 2 else whole[: number % len(whole)]
                foreign.send(cut)
                sent += 1
                if number % 50 == 49:  # no faster than it reads, or the kernel drops them
                    foreign.send(Call(8, PROGRAM, 1, 0).packed())
                    while parse(foreign.recv(65507)) != Reply(8):
                        pass
            began = time.perf_counter()
            foreign.send(whole)
            while not (isinstance(reply := parse(foreign.recv(65507)), Reply) and reply.xid == 7):
                pass
            taken = time.perf_counter() - began
        until(lab, lambda: counted(lab.state.facts, "noise") > 0)
        last = lab.finish()[-1]
        assert isinstance(last, Summary)
        row(
            f"after {sent:,} malformed packets the next good call",
            f"{reply.said} in {taken * 1000:.1f} ms, {last.proofs['noise']:,} noise",
            "SUCCESS",
        )
    finally:
        lab.close()
        launcher.close()


def exactly_once(row: Row, kills: int, calls: int = CALLS) -> dict[str, Any]:
    """Calls over a link that loses, doubles and reorders; the server killed at different places meanwhile."""
    launcher = LauncherClient()
    lab = opened(launcher, "exactly-once", rate=0, messages=calls, timeout=10, loss=30, duplication=20, reordering=10)
    began = time.monotonic()
    try:
        for kill in range(kills):
            # In the first half: the client must still have calls to make when the order comes.
            share = calls * (kill + 1) // (2 * (kills + 1))
            until(lab, lambda share=share: counted(lab.state.facts, "deposit") >= share)  # type: ignore[misc]
            lab.command(f"crash {('uncommitted', 'unanswered', 'before')[kill % 3]}")
            until(lab, lambda: lab.state.processes["server"].exited is not None)
            lab.command("restart server")
            until(lab, lambda: lab.state.processes["server"].exited is None)
        until(lab, lambda: lab.state.processes["client"].exited is not None)
        raw = Path(lab.workers.plan.given["ledger"]).read_bytes()
        effects = effects_of(entries(raw)[0])
        last = lab.finish()[-1]
        assert isinstance(last, Summary)
        proofs = {**last.proofs, "ledger": effects.get(PROGRAM, 0)}
    finally:
        lab.close()
        launcher.close()
    killed = f", {kills} kills" if kills else ""
    row(
        f"exactly-once, {calls:,} calls, 30 % lost, 20 % doubled{killed}: committed",
        f"{proofs['ledger']:,} (ran {proofs['executions']:,})",
        f"{calls:,}",
    )
    row(
        "    packets sent, lost, doubled, duplicates suppressed; time",
        f"{proofs['packets_sent']:,}, {proofs['lost']:,}, {proofs['duplicated']:,}, "
        f"{proofs['duplicates_suppressed']:,}; {time.monotonic() - began:.0f} s",
        "",
    )
    return proofs


if __name__ == "__main__":
    bench_rpc(lambda name, figure, bound: print(f"{name:<70} {figure:>40}  {bound}", flush=True))
