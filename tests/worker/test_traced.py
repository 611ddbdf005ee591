import errno
import fcntl
import hashlib
import os
import struct
import termios
from itertools import pairwise
from types import CodeType

import pytest

from ipctui.trace.ring import ErrorRow, Key, Row

from ..kernel.conftest import PATIENCE, eventually
from .conftest import Subordinate, Worker

pytestmark = pytest.mark.real

READ, WRITE, CLOSE, FCNTL = 1, 2, 3, 8
OBJECT = 7


def test_results_are_the_kernels_and_so_are_the_records(worker: Worker) -> None:
    told = worker.told(
        """
long = b"0123456789" * 10
results = [traced.write(w, b"one"), traced.write(w, long), traced.write(w, b"")]
results += [len(traced.read(r, 50)), len(traced.read(r, 1000))]
tell(results)
"""
    )
    assert told == [3, 100, 0, 50, 53]
    entries = worker.entries()
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert [worker.name(entry) for entry in entries] == ["write"] * 3 + ["read"] * 2
    assert [entry.result for entry in entries] == told
    assert [entry.argument for entry in entries] == [3, 100, 0, 50, 1000]
    long = b"0123456789" * 10
    payloads = [entry.payload[: max(0, min(32, entry.result))] for entry in entries]
    assert payloads == [b"one", long[:32], b"", (b"one" + long)[:32], long[47 : 47 + 32]]
    keys = [Key.of(entry.key) for entry in entries]
    assert [key.fd for key in keys] == [worker.w] * 3 + [worker.r] * 2
    assert {key.object for key in keys} == {OBJECT}
    for before, after in pairwise(entries):
        assert before.begin <= before.end <= after.begin <= after.end


def test_offsets_are_cumulative_for_each_descriptor(worker: Worker) -> None:
    worker.told(
        """
r2, w2 = os.pipe()
for size in (10, 20, 30):
    traced.write(w, b"x" * size)
    traced.write(w2, b"y" * (size + 1))
for size in (15, 5, 1000):
    traced.read(r, size)
    traced.read(r2, size)
tell(None)
"""
    )
    offsets: dict[tuple[int, int | None], list[int]] = {}
    for entry in worker.entries():
        key = Key.of(entry.key)
        offsets.setdefault((key.operation, key.fd), []).append(entry.extra)
    assert offsets[WRITE, worker.w] == [0, 10, 30]
    assert offsets[READ, worker.r] == [0, 15, 20]
    (second_write,) = (value for key, value in offsets.items() if key[0] == WRITE and key[1] != worker.w)
    (second_read,) = (value for key, value in offsets.items() if key[0] == READ and key[1] != worker.r)
    assert (second_write, second_read) == ([0, 11, 32], [0, 15, 20])
    rows = {(row.operation, row.fd): (row.calls, row.bytes) for row in worker.reader.rows()}
    assert rows[WRITE, worker.w] == (3, 60)
    assert rows[READ, worker.r] == (3, 60)


def test_eagain_is_none_and_counted(worker: Worker) -> None:
    told = worker.told(
        """
os.set_blocking(r, False)
os.set_blocking(w, False)
results = [traced.read(r, 10) for _ in range(3)]
fcntl.fcntl(w, 1031, 4096)
results += [traced.write(w, b"x" * 4096), traced.write(w, b"y"), traced.write(w, b"z")]
results += [len(traced.read(r, 10000)), traced.write(w, b"ab")]
tell([results, settled == [r, r, r, w, w]])
"""
    )
    assert told == [[None, None, None, 4096, None, None, 4096, 2], True]
    assert [entry.result for entry in worker.entries()] == [-11, -11, -11, 4096, -11, -11, 4096, 2]
    assert sorted(worker.reader.errors(), key=repr) == [
        ErrorRow(READ, OBJECT, worker.r, errno.EAGAIN, 3),
        ErrorRow(WRITE, OBJECT, worker.w, errno.EAGAIN, 2),
    ]
    assert sorted(worker.reader.rows(), key=repr) == [
        Row(READ, OBJECT, worker.r, 4, 4096),
        Row(WRITE, OBJECT, worker.w, 4, 4098),
    ]


def test_a_write_without_reader_raises_and_is_counted(worker: Worker) -> None:
    fcntl.fcntl(worker.r, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    told = worker.told(
        """
a, b = os.pipe()
os.close(a)
names = []
for _ in range(2):
    try:
        traced.write(b, b"lost")
    except OSError as error:
        names.append(type(error).__name__)
for fd, act in ((w, lambda: traced.read(w, 1)), (999, lambda: traced.write(999, b"x"))):
    try:
        act()
    except OSError as error:
        names.append(errno.errorcode[error.errno])
tell([b, names, settled])
"""
    )
    b, names, settled = told
    assert names == ["BrokenPipeError", "BrokenPipeError", "EBADF", "EBADF"]
    assert settled == []
    assert sorted(worker.reader.errors(), key=repr) == sorted(
        [
            ErrorRow(WRITE, 0, b, errno.EPIPE, 2),
            ErrorRow(READ, OBJECT, worker.w, errno.EBADF, 1),
            ErrorRow(WRITE, 0, 999, errno.EBADF, 1),
        ],
        key=repr,
    )
    assert [entry.result for entry in worker.entries()] == [-32, -32, -9, -9]
    assert {entry.extra for entry in worker.entries()} <= {0}
    assert worker.reader.head() == 4


def test_end_of_file_is_empty_and_not_none(worker: Worker) -> None:
    os.write(worker.w, b"rest")
    told = worker.told(
        """
os.close(w)
a, b = os.pipe()
os.write(b, b"rest")
os.close(b)
tell([traced.read(a, 10).decode(), traced.read(a, 10).decode(), traced.read(a, 10) is None])
"""
    )
    assert told == ["rest", "", False]


def test_any_other_operation_records_what_its_function_says(worker: Worker) -> None:
    told = worker.told(
        """
class Calls:
    def act(self, function):
        return traced.operate("fcntl", w, 1032, 5, b"pay", function)
def fails():
    raise OSError(errno.EPERM, "no")
def not_yet():
    raise BlockingIOError(errno.EAGAIN, "later")
def program(calls):
    told = [calls.act(lambda: ("value", 4096, 77))]
    for function in (fails, not_yet):
        try:
            calls.act(function)
        except OSError as error:
            told.append(error.errno)
    return told
tell(program(Calls()))
"""
    )
    assert told == ["value", errno.EPERM, errno.EAGAIN]
    entries = worker.entries()
    assert [(entry.result, entry.argument, entry.extra) for entry in entries] == [
        (4096, 1032, 77),
        (-errno.EPERM, 1032, 5),
        (-errno.EAGAIN, 1032, 5),
    ]
    assert {(worker.name(entry), Key.of(entry.key).fd) for entry in entries} == {("fcntl", worker.w)}
    assert worker.reader.rows() == [Row(FCNTL, OBJECT, worker.w, 3, 0)]
    assert {worker.reader.code_name(Key.of(entry.key).code) for entry in entries} == {"program"}


PROGRAM = """
def sender(traced, w):
    for number in range(2):
        traced.write(w, b"first")
        if number:
            traced.write(
                w,
                b"second",
            )
    traced.write(w, b"third"); traced.write(w, b"fourth")

def receiver(traced, r):
    while True:
        data = traced.read(r, 6)
        if len(data) < 6:
            return data
"""


def test_the_code_position_leads_to_the_line_of_the_calling_function(worker: Worker) -> None:
    """What the program pane marks: the line of the function that called, not of what is between."""
    worker.told(PROGRAM + "sender(traced, w)\nreceiver(traced, r)\nsender(traced, w)\ntell(None)")
    functions = {
        const.co_name: const for const in compile(PROGRAM, "program", "exec").co_consts if isinstance(const, CodeType)
    }
    met = []
    for entry in worker.entries():
        key = Key.of(entry.key)
        code = functions[worker.reader.code_name(key.code) or ""]
        (line,) = [line for begin, end, line in code.co_lines() if begin <= key.lasti < end]
        assert line is not None
        met.append((code.co_name, PROGRAM.splitlines()[line - 1].strip(), entry.payload[: entry.result]))
    sent = [
        ("sender", 'traced.write(w, b"first")', b"first"),
        ("sender", 'traced.write(w, b"first")', b"first"),
        ("sender", "traced.write(", b"second"),
        ("sender", 'traced.write(w, b"third"); traced.write(w, b"fourth")', b"third"),
        ("sender", 'traced.write(w, b"third"); traced.write(w, b"fourth")', b"fourth"),
    ]
    # 27 bytes: four reads of 6 and a short one.
    everything = b"firstfirstsecondthirdfourth"
    received = [("receiver", "data = traced.read(r, 6)", everything[begin : begin + 6]) for begin in range(0, 27, 6)]
    assert met == [*sent, *received, *sent]


def held(fd: int) -> int:
    """Bytes in a pipe, FIONREAD of ioctl(2)."""
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])


def numbered(begin: int, size: int) -> bytes:
    """The stream of bytes in which none can be lost or doubled unseen."""
    return bytes((begin + place) * 31 % 251 for place in range(size))


WRITER = """
def program(calls, given):
    stream = bytes(place * 31 % 251 for place in range(251)) * 200
    done = 0
    while done < 200_000:
        begin = done % 251
        sent = calls.write(w, stream[begin : begin + 1 + done * 7 % 9000])
        done += sent or 0
    calls.close(w)
"""

READER = """
def program(calls, given):
    import hashlib
    total, digest = 0, hashlib.sha256()
    while (data := calls.read(r, 500)) != b"":
        if data is not None:
            total += len(data)
            digest.update(data)
    calls.close(r)
    os.write(1, f"{total} {digest.hexdigest()}".encode())
"""


def test_a_woken_writer_loses_no_byte_and_sends_none_twice(worker: Worker) -> None:
    fcntl.fcntl(worker.w, 1031, 4096)
    writer = Subordinate(worker, WRITER)
    done = woken = 0
    refused = []
    try:
        while done < 200_000:
            eventually(lambda: held(worker.r) > 0 or writer.process.poll() is not None)
            outcome, detail = writer.ask("wake") if woken < 40 else ("", "")
            if outcome == "done":
                woken += 1
            elif outcome:
                refused.append(detail)
            data = os.read(worker.r, 3000 + done % 1500)
            assert data == numbered(done, len(data))
            done += len(data)
        writer.process.wait(PATIENCE)
        assert woken == 40, refused
        assert os.get_blocking(worker.w)
        rows = {row.operation: row for row in worker.reader.rows()}
        assert rows[WRITE].bytes == done
        errors = {(row.operation, row.errno): row.count for row in worker.reader.errors()}
        # A wake that met the call asleep left an EINTR, one that came as it woke by itself left none.
        assert set(errors) <= {(WRITE, errno.EAGAIN), (WRITE, errno.EINTR)}
        assert errors[WRITE, errno.EAGAIN] > 0
        # Asking for the mode, setting it and setting it back are told as well.
        assert sum(row.calls for row in worker.reader.rows() if row.operation == FCNTL) >= 3 * 40
    finally:
        writer.close()


def test_a_woken_reader_loses_no_byte(worker: Worker) -> None:
    reader = Subordinate(worker, "os.close(w)\n" + READER)
    digest = hashlib.sha256()
    done = woken = 0
    try:
        eventually(lambda: worker.reader.head() > 0 or worker.reader.current().in_call)
        while woken < 40:
            eventually(lambda: not held(worker.r) and worker.reader.current().in_call)
            outcome, _ = reader.ask("wake")
            woken += outcome == "done"
            data = numbered(done, 700 + done % 900)
            digest.update(data)
            os.write(worker.w, data)
            done += len(data)
        assert os.get_blocking(worker.r)
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, worker.w)  # the last write end of the pipe is gone
        os.close(null)
        out, err = reader.process.communicate(timeout=PATIENCE)
        assert (out, err) == (f"{done} {digest.hexdigest()}", "")
        rows = {row.operation: row for row in worker.reader.rows()}
        assert rows[READ].bytes == done
        errors = {(row.operation, row.errno): row.count for row in worker.reader.errors()}
        assert set(errors) <= {(READ, errno.EAGAIN), (READ, errno.EINTR)}
        assert errors[READ, errno.EAGAIN] > 0
    finally:
        reader.close()
