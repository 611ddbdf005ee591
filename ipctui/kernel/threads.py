"""The threads of a process: proc_pid_task(5)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ipctui.kernel.process import parse_stat
from ipctui.kernel.syscalls import OutsideCall, decode


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread: its number, name and state letter, and the system call that it sleeps in.

    Attributes:
        call: The call's name; None while it runs, and where the kernel does not let it be read.
        fd: The descriptor that the call is made on, if it has one.
        reads: Read calls that it has made, whatever came of them (proc_pid_io(5), syscr); None where refused.
    """

    tid: int
    name: str
    letter: str
    call: str | None = None
    fd: int | None = None
    reads: int | None = None


def threads(pid: int) -> tuple[Thread, ...]:
    """The threads of a process, the first of them its main thread; none when it is gone."""
    try:
        numbers = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return ()
    # The numbers begin again at pid_max (proc_sys_kernel(5)): a thread's may be below its process's.
    numbers.sort(key=lambda tid: (tid != pid, tid))
    return tuple(found for tid in numbers if (found := _thread(f"/proc/{pid}/task/{tid}", tid)) is not None)


def _thread(folder: str, tid: int) -> Thread | None:
    stat = parse_stat(_text(f"{folder}/stat"))
    if stat is None:
        return None
    found = decode(_text(f"{folder}/syscall"))
    call = None if found is None or isinstance(found, OutsideCall) else found
    return Thread(
        tid,
        stat.name,
        stat.letter,
        call.name if call is not None else None,
        call.fd if call is not None else None,
        reads_in(_text(f"{folder}/io")),
    )


def reads_in(text: str) -> int | None:
    """`syscr` of a /proc/PID/io; None when the text has none."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "syscr" and value.strip().isdecimal():
            return int(value)
    return None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except OSError:
        return ""
