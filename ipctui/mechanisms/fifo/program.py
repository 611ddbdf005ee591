"""The programs that unrelated processes run on a FIFO: all that they have in common is its name."""

from __future__ import annotations

from errno import ENXIO
from fcntl import F_SETPIPE_SZ
from os import O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from types import SimpleNamespace

from ipctui.worker.calls import Calls


def make(calls: Calls, given: SimpleNamespace, path: str) -> None:
    """mkfifo(3), unless the user named a FIFO that was there before, or an earlier process made it."""
    if given.joined:
        return
    try:
        calls.mkfifo(path, 0o600)
    except FileExistsError:
        pass


def writer(calls: Calls, given: SimpleNamespace) -> None:
    """one-way, many-readers: make the FIFO, and write; open() sleeps until somebody opens it for reading."""
    make(calls, given, given.path)
    while (w := calls.open(given.path, O_WRONLY)) is None:
        pass  # EINTR; or ENXIO, where the user made it non-blocking
    calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]  # None: EAGAIN, all of it is left
    calls.close(w)


def reader(calls: Calls, given: SimpleNamespace) -> None:
    """one-way: open() sleeps until a writer comes; read until end of file."""
    while (r := calls.open(given.path, O_RDONLY)) is None:
        pass
    while (data := calls.read(r, given.read_size)) != b"":
        calls.received(data)  # None: EAGAIN, nothing came
    calls.close(r)


def first_reader(calls: Calls, given: SimpleNamespace) -> None:
    """many-writers: the reader makes the FIFO; end of file comes when the last writer has closed."""
    make(calls, given, given.path)
    one_of_readers(calls, given)


def one_of_readers(calls: Calls, given: SimpleNamespace) -> None:
    """many-readers: what one has read, no other gets."""
    while (r := calls.open(given.path, O_RDONLY)) is None:
        pass
    while (data := calls.read(r, given.read_size)) != b"":
        calls.received(data)
    calls.close(r)


def client(calls: Calls, given: SimpleNamespace) -> None:
    """two-way: one FIFO there, one back; both sides open them in the same order."""
    while (there := calls.open(given.path, O_WRONLY)) is None:
        pass
    while (back := calls.open(given.back, O_RDONLY)) is None:
        pass
    calls.fcntl(there, F_SETPIPE_SZ, given.capacity)
    talk(calls, given, there, back)


def server(calls: Calls, given: SimpleNamespace) -> None:
    """two-way: make both FIFOs, open them in the client's order, and answer every message."""
    make(calls, given, given.path)
    make(calls, given, given.back)
    while (there := calls.open(given.path, O_RDONLY)) is None:
        pass
    while (back := calls.open(given.back, O_WRONLY)) is None:
        pass
    calls.fcntl(back, F_SETPIPE_SZ, given.capacity)
    answer(calls, given, there, back)


def client_deadlock(calls: Calls, given: SimpleNamespace) -> None:
    """deadlock: the client opens the FIFO back first, and so waits for the server to open it for writing."""
    while (back := calls.open(given.back, O_RDONLY)) is None:
        pass
    while (there := calls.open(given.path, O_WRONLY)) is None:
        pass
    talk(calls, given, there, back)


def server_deadlock(calls: Calls, given: SimpleNamespace) -> None:
    """deadlock: the server opens the FIFO there first, and so waits for the client to open it for writing."""
    make(calls, given, given.path)
    make(calls, given, given.back)
    while (there := calls.open(given.path, O_RDONLY)) is None:
        pass
    while (back := calls.open(given.back, O_WRONLY)) is None:
        pass
    answer(calls, given, there, back)


def talk(calls: Calls, given: SimpleNamespace, there: int, back: int) -> None:
    """A message there, and its answer back."""
    for message in calls.messages():
        while message:
            sent = calls.write(there, message)
            message = message[sent:]
        answered = 0
        while not answered:
            data = calls.read(back, given.read_size)
            if data == b"":
                return
            answered = calls.received(data)
    calls.close(there)
    calls.close(back)


def answer(calls: Calls, given: SimpleNamespace, there: int, back: int) -> None:
    """An answer for every message."""
    while (data := calls.read(there, given.read_size)) != b"":
        if calls.received(data):
            message = calls.message()
            while message:
                sent = calls.write(back, message)
                message = message[sent:]
    calls.close(there)
    calls.close(back)


def one_of_writers(calls: Calls, given: SimpleNamespace) -> None:
    """many-writers: a write of at most PIPE_BUF bytes is never torn apart, a larger one may be."""
    while (w := calls.open(given.path, O_WRONLY)) is None:
        pass
    calls.fcntl(w, F_SETPIPE_SZ, given.capacity)
    for message in calls.messages():
        while message:
            sent = calls.write(w, message)
            message = message[sent:]
    calls.close(w)


def impatient_writer(calls: Calls, given: SimpleNamespace) -> None:
    """nonblocking-open: ENXIO while nobody has the FIFO open for reading; three messages an opening."""
    make(calls, given, given.path)
    w: int | None = None
    for number, message in enumerate(calls.messages(), 1):
        while w is None:
            try:
                w = calls.open(given.path, O_WRONLY | O_NONBLOCK)
            except OSError as error:
                if error.errno != ENXIO:
                    raise
        while message:
            sent = calls.write(w, message)
            message = message[sent:]
        if number % 3 == 0:
            calls.close(w)
            w = None


def impatient_reader(calls: Calls, given: SimpleNamespace) -> None:
    """nonblocking-open: open() succeeds at once; read returns 0 without a writer, EAGAIN with a silent one."""
    while (r := calls.open(given.path, O_RDONLY | O_NONBLOCK)) is None:
        pass
    while True:
        data = calls.read(r, given.read_size)  # b"": no writer, now; it is no end
        calls.received(data)


def both_ends(calls: Calls, given: SimpleNamespace) -> None:
    """nonblocking-open: O_RDWR never waits for a partner, and pays: its own message comes back, and no end ever."""
    while (f := calls.open(given.path, O_RDWR)) is None:  # undefined in POSIX
        pass
    calls.write(f, calls.message())
    while (data := calls.read(f, given.read_size)) != b"":
        calls.received(data)


def caller(calls: Calls, given: SimpleNamespace) -> None:
    """turns: speak, close ("over"), and only then open the same FIFO to listen."""
    make(calls, given, given.path)
    if given.early == "yes":
        return caller_too_early(calls, given)
    for message in calls.messages():
        while (w := calls.open(given.path, O_WRONLY)) is None:
            pass
        speak(calls, w, message)
        calls.close(w)
        while (r := calls.open(given.path, O_RDONLY)) is None:
            pass
        listen(calls, given, r)
        calls.close(r)


def callee(calls: Calls, given: SimpleNamespace) -> None:
    """turns: listen first, then speak."""
    while True:
        while (r := calls.open(given.path, O_RDONLY)) is None:
            pass
        heard = listen(calls, given, r)
        calls.close(r)
        if heard:
            while (w := calls.open(given.path, O_WRONLY)) is None:
                pass
            speak(calls, w, calls.message())
            calls.close(w)


def caller_too_early(calls: Calls, given: SimpleNamespace) -> None:
    """turns, early=yes: open the FIFO both ways and read at once: mostly one's own message comes back."""
    while (f := calls.open(given.path, O_RDWR)) is None:  # undefined in POSIX
        pass
    for message in calls.messages():
        speak(calls, f, message)
        listen(calls, given, f)


def speak(calls: Calls, w: int, message: bytes) -> None:
    """All of a message."""
    while message:
        sent = calls.write(w, message)
        message = message[sent:]


def listen(calls: Calls, given: SimpleNamespace, r: int) -> int:
    """Read until a message has ended; 0 when the other side closed without one."""
    heard = 0
    while not heard:
        data = calls.read(r, given.read_size)
        if data == b"":
            break
        heard = calls.received(data)
    return heard
