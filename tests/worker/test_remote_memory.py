"""Other processes' memory, large messages out of mapped memory, and what a worker measures: by a real worker."""

import ctypes
import errno
import os
import socket

import pytest

from ipctui.kernel.measures import find, parse, read
from ipctui.lab.strace import arguments
from ipctui.trace.ring import Key

from ..kernel.conftest import eventually
from .conftest import Start, Worker

pytestmark = pytest.mark.real


def entries(worker: Worker) -> list[tuple[str, int, str]]:
    """Name, result, and arguments as strace prints them, of everything that was done."""
    told = []
    for entry in worker.entries():
        name, where = worker.name(entry), Key.of(entry.key)
        args = arguments(name, where, entry.argument, entry.extra, entry.payload, entry.result)
        told.append((name, entry.result, args))
    return told


def test_memory_of_another_process_is_read_and_written(start: Start, worker: Worker) -> None:
    mine = ctypes.create_string_buffer(b"parent:7 hello\n", 4096)
    at, me = ctypes.addressof(mine), os.getpid()
    subordinate = start(
        f"""
def program(calls, given):
    data = calls.process_vm_readv({me}, {at}, 15)
    put = calls.process_vm_writev({me}, {at}, b"@seen")
    refused = []
    for pid, address in (({me}, 1), ({me}, -8), (2 ** 22 - 1, {at})):
        try:
            calls.process_vm_readv(pid, address, 8)
        except OSError as error:
            refused.append(errno.errorcode[error.errno])
    tell(data.decode(), put, refused)
""",
        paced=(),
    )
    data, put, refused = subordinate.told()
    assert (data, put) == ("parent:7 hello\n", 5)
    assert refused == ["EFAULT", "EFAULT", "ESRCH"]
    assert mine.raw.startswith(b"@seen")
    subordinate.ended()
    told = entries(worker)
    assert told[0][:2] == ("process_vm_readv", 15)
    assert told[0][2] == f"{me}, [{{iov_len=15}}], 1, [{{iov_base={at:#x}, iov_len=15}}], 1, 0"
    assert told[1][:2] == ("process_vm_writev", 5)
    assert [result for _, result, _ in told[2:]] == [-errno.EFAULT, -errno.EFAULT, -errno.ESRCH]


def test_large_messages_go_out_of_mapped_memory_and_into_it(start: Start, worker: Worker) -> None:
    subordinate = start(
        """
import mmap, socket
def program(calls, given):
    one, two = calls.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    out = calls.mmap(-1, 65536, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    into = calls.mmap(-1, 65536, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    out.view[100:200] = b"m" * 100
    sent = calls.send_from(one, out, 100, 100)
    length = calls.peek_length(two)
    again = calls.peek_length(two)
    got = calls.recv_into(two, into, 4096, 65536 - 4096)
    calls.close(one)
    end = calls.recv_into(two, into, 0, 100)
    tell(sent, length, again, got, bytes(into.view[4096:4196]) == b"m" * 100, end)
""",
        paced=(),
    )
    assert subordinate.told() == [100, 100, 100, 100, True, 0]
    subordinate.ended()
    told = entries(worker)
    peeks = [args for name, result, args in told if name == "recv" and result == 100 and "NULL" in args]
    assert len(peeks) == 2
    assert all(args.endswith("NULL, 0, MSG_PEEK|MSG_TRUNC") for args in peeks)


def test_a_program_gives_up_a_capability_and_withholds_its_memory(start: Start) -> None:
    subordinate = start(
        """
from ipctui.worker.remote_memory import CAP_SYS_PTRACE, PR_SET_DUMPABLE
def program(calls, given):
    calls.give_up(CAP_SYS_PTRACE)
    status = open("/proc/self/status").read()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    calls.prctl(PR_SET_DUMPABLE, 0)
    calls.prctl(PR_SET_DUMPABLE, 1)
    tell(effective >> CAP_SYS_PTRACE & 1, calls.lseek(os.memfd_create("x"), 0, os.SEEK_END))
""",
        paced=(),
    )
    assert subordinate.told() == [0, 0]
    subordinate.ended()


def test_what_a_worker_measures_is_read_from_outside(start: Start) -> None:
    subordinate = start(
        """
def program(calls, given):
    began = calls.clock()
    for number in range(40):
        calls.measured(1, 64, 1000 + number)
    calls.measured(2, 4096, calls.clock() - began)
    tell(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[-1] >= 200)
    sys.stdin.read()
    import time
    time.sleep(3600)
""",
        paced=(),
    )
    assert subordinate.told() == [True]
    process = subordinate.process.pid
    eventually(lambda: find(process) is not None)
    first, second = read(process, find(process) or 0)
    assert (first.way, first.size, first.count, first.last) == (1, 64, 40, 1039)
    assert first.least == 1008, "of the latest 32"
    assert first.median == 1023
    assert (second.way, second.size, second.count) == (2, 4096, 1)
    assert parse(b"") == ()


def test_names_of_message_flags() -> None:
    flags = socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT
    shown = arguments("send", Key(1, 0, 4, 0, 0), 2, int(flags), b"hi", 2)
    assert shown == '4, "hi", 2, MSG_DONTWAIT|MSG_NOSIGNAL'
    assert arguments("send", Key(1, 0, 4, 0, 0), 2, 0, b"hi", 2) == '4, "hi", 2, 0'
