"""Our RPC as outsiders see it: rpcinfo(8), a C client made by rpcgen(1), and tshark(1), where they are installed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ipctui.kernel.ports import port_free
from ipctui.mechanisms.rpc.channel import PROGRAM
from tests.lab.conftest import Bench, waited
from tests.mechanisms.test_rpc import Open, calling, facts, given_of, rpc, udp_port

__all__ = ["rpc"]
pytestmark = pytest.mark.real
RPCINFO = shutil.which("rpcinfo") or shutil.which("rpcinfo", path="/usr/sbin:/sbin")
TIRPC = Path("/usr/include/tirpc")
SPECIFICATION = f"""
struct deposit_args {{ hyper amount; string memo<>; }};
program ACCOUNT {{
    version ACCOUNT_VERSION {{
        hyper DEPOSIT(deposit_args) = 1;
        hyper BALANCE(void) = 2;
    }} = 1;
}} = {PROGRAM};
"""
CLIENT = """
#include "account.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CLIENT *reach(const char *transport, int port, unsigned long version)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval wait = { 10, 0 };
    int fd = RPC_ANYSOCK;
    return strcmp(transport, "udp") ? clnttcp_create(&to, ACCOUNT, version, &fd, 0, 0)
                                    : clntudp_create(&to, ACCOUNT, version, wait, &fd);
}

int main(int argc, char **argv)
{
    CLIENT *client = reach(argv[1], atoi(argv[2]), ACCOUNT_VERSION);
    deposit_args args = { 20, "from C" };
    quad_t *first = deposit_1(&args, client);
    quad_t before = first ? *first : -1;
    args.amount = 22;
    quad_t *second = deposit_1(&args, client);
    printf("%lld\\n", second ? (long long)(*second - before) : -1);
    CLIENT *other = reach(argv[1], atoi(argv[2]), 7);
    struct rpc_err error;
    if (balance_1(NULL, other) == NULL) {
        clnt_geterr(other, &error);
        printf("%d %lu %lu\\n", error.re_status == RPC_PROGVERSMISMATCH, (unsigned long)error.re_vers.low,
               (unsigned long)error.re_vers.high);
    }
    return argc > 9;
}
"""


def asked(*words: str) -> str:
    assert RPCINFO is not None
    done = subprocess.run([RPCINFO, *words], capture_output=True, text=True, timeout=40, check=False)
    return done.stdout + done.stderr


def universal(port: int) -> str:
    """An address as rpcinfo takes it: RFC 5665, section 5.2.3."""
    return f"127.0.0.1.{port // 256}.{port % 256}"


@pytest.fixture
def registered(rpc: Open) -> Bench:
    lab = rpc("matchmaker", rate=2)
    lab.until(lambda: "registered" in facts(lab).get("heard", {}))
    return lab


@pytest.mark.skipif(RPCINFO is None, reason="no rpcinfo(8) on this machine")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_rpcinfo_calls_our_server_and_our_matchmaker(registered: Bench, transport: str) -> None:
    server, matchmaker = given_of(registered)["server"], given_of(registered)["matchmaker"]
    assert "ready and waiting" in asked("-a", universal(server), "-T", transport, str(PROGRAM), "1")
    wrong = asked("-a", universal(server), "-T", transport, str(PROGRAM), "4")
    assert "low version = 1, high version = 1" in wrong
    assert "Program unavailable" in asked("-a", universal(server), "-T", transport, "99", "1")
    assert "ready and waiting" in asked("-a", universal(matchmaker), "-T", transport, "100000", "2")


@pytest.mark.skipif(RPCINFO is None, reason="no rpcinfo(8) on this machine")
@pytest.mark.skipif(not port_free(111), reason="port 111 is not ours to take here")
def test_rpcinfo_lists_our_programs_at_the_well_known_port(rpc: Open) -> None:
    lab = rpc("matchmaker", rate=2, port=111)
    lab.until(lambda: "registered" in facts(lab).get("heard", {}))
    said = asked("-p", "127.0.0.1")
    for protocol in ("udp", "tcp"):
        assert re.search(rf"{PROGRAM}\s+1\s+{protocol}\s+{given_of(lab)['server']}\b", said), said
        assert re.search(rf"100000\s+2\s+{protocol}\s+111\b", said), said


@pytest.mark.skipif(shutil.which("rpcgen") is None, reason="no rpcgen(1) on this machine")
@pytest.mark.skipif(shutil.which("cc") is None or not TIRPC.is_dir(), reason="no C compiler, or no libtirpc to compile")
def test_a_client_made_by_rpcgen_gets_right_answers_over_both_transports(rpc: Open, tmp_path: Path) -> None:
    (tmp_path / "account.x").write_text(SPECIFICATION)
    (tmp_path / "client.c").write_text(CLIENT)
    for flag, out in (("-h", "account.h"), ("-c", "account_xdr.c"), ("-l", "account_clnt.c")):
        subprocess.run(["rpcgen", "-C", flag, "-o", out, "account.x"], cwd=tmp_path, check=True)
    sources = ["client.c", "account_xdr.c", "account_clnt.c"]
    command = ["cc", "-w", f"-I{TIRPC}", "-o", "client", *sources, "-ltirpc"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"this libtirpc does not compile: {made.stderr.strip().splitlines()[-1]}")
    lab = rpc("fixed-port", rate=1)
    lab.until(lambda: udp_port(lab))
    lab.do("hold client")
    for transport in ("udp", "tcp"):
        call = [str(tmp_path / "client"), transport, str(udp_port(lab))]
        said = subprocess.run(call, capture_output=True, text=True, timeout=60, check=True).stdout.split("\n")
        assert said[0] == "22", transport
        assert said[1] == "1 1 1", transport


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark(1) on this machine")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_tshark_decodes_every_packet_and_warns_of_none(rpc: Open, tmp_path: Path, transport: str) -> None:
    lab = rpc("exactly-once", rate=20, transport=transport, timeout=2000)
    calling(lab)
    given, file = given_of(lab), tmp_path / "lo.pcapng"
    ports = f"port {given['port']} or port {given['server']}"
    capture = subprocess.Popen(
        ["tshark", "-i", "lo", "-f", ports, "-w", str(file), "-a", "duration:200"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert capture.stderr is not None
        for line in capture.stderr:
            if "Capturing on" in line or "denied" in line or "permission" in line.lower():
                break
        if "Capturing on" not in line:
            pytest.skip(f"tshark may not capture here: {line.strip()}")
        waited(file.exists, 60)
        calling(lab, 3)
        before = lab.count("client", "send")
        lab.until(lambda: lab.count("client", "send") > before + 40, 15)
        waited(lambda: file.stat().st_size > 8000, 60)
    finally:
        capture.terminate()
        capture.communicate(timeout=60)
    options = ["-o", "rpc.dissect_unknown_programs:TRUE"]
    for port in (given["port"], given["server"]):
        options += ["-d", f"{transport}.port=={port},rpc"] if transport == "tcp" else []
    fields = ["-T", "json"]
    for name in ("rpc.xid", "rpc.msgtyp", "rpc.program", "_ws.expert.severity"):
        fields += ["-e", name]
    wanted = "udp" if transport == "udp" else "tcp.len > 0"
    said = subprocess.run(
        ["tshark", "-r", str(file), *options, "-Y", wanted, *fields], capture_output=True, text=True, check=True
    )
    packets = [packet["_source"]["layers"] for packet in json.loads(said.stdout)]
    assert len(packets) > 60
    # The capture begins between calls and their replies, of which the last may be long on their way: a reply to a
    # call that was not captured tells no program.
    decoded = packets[len(packets) // 3 :]
    assert all("rpc.xid" in packet for packet in decoded), [packet for packet in decoded if "rpc.xid" not in packet][:3]
    errors = [
        packet
        for packet in decoded
        if any(int(level, 0) >= 0x600000 for level in packet.get("_ws.expert.severity", ()))
    ]
    assert errors == []
    programs = {int(number) for packet in decoded for number in packet.get("rpc.program", ())}
    assert programs == {PROGRAM}
