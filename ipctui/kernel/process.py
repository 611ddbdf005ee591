"""One process as /proc shows it: its state, the system call it is in, where in the kernel it sleeps."""

import errno
import os
import signal
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self

from ipctui.kernel.own import lift
from ipctui.kernel.syscalls import OutsideCall, SystemCall, decode

_BUFFER = 4096
_REFUSALS = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """What the kernel said of one process at one moment; call and wchan are those of its main thread."""

    pid: int
    alive: bool
    """False when the process has ended, a zombie included."""
    letter: str
    """R, S, D, T, t, Z, X or I (proc_pid_stat(5), field 3); empty when the process is gone."""
    name: str
    """comm, at most 15 bytes."""
    ppid: int
    start_time: int
    """Clock ticks since boot (field 22): with the pid it names a process for ever."""
    user_ns: int = 0
    """CPU time in user mode, nanoseconds, in steps of a clock tick."""
    system_ns: int = 0
    """CPU time in the kernel, nanoseconds, in steps of a clock tick."""
    exit_code: int | None = None
    """In the form of wait(2), of a zombie that we may read; else None."""
    running: bool = False
    """Whether /proc/PID/syscall said `running`."""
    call: SystemCall | None = None
    """The system call it is asleep in; None when it is in none, or when it cannot be read: see `refused`."""
    wchan: str | None = None
    """The kernel function it sleeps in; None when it sleeps in none or the kernel does not say."""
    voluntary: int | None = None
    """Voluntary context switches so far; None when they were not read."""
    refused: str | None = None
    """Why the system call could not be read, one sentence; None when it could be."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that are used here (proc_pid_stat(5))."""

    name: str
    letter: str
    ppid: int
    user_ticks: int
    system_ticks: int
    start_time: int
    exit_code: int | None
    """Field 52; None on a kernel without it. Zero also when the reader lacks permission."""


def parse_stat(text: str) -> Stat | None:
    """/proc/PID/stat read from its last `)`, for the name may hold spaces, parentheses and newlines.

    None when the text is not of that form.
    """
    begin, end = text.find("("), text.rfind(")")
    fields = text[end + 1 :].split()
    if begin < 0 or end < begin or len(fields) < 20:
        return None
    try:
        return Stat(
            name=text[begin + 1 : end],
            letter=fields[0],
            ppid=int(fields[1]),
            user_ticks=int(fields[11]),
            system_ticks=int(fields[12]),
            start_time=int(fields[19]),
            exit_code=int(fields[49]) if len(fields) > 49 else None,
        )
    except ValueError:
        return None


def parse_voluntary(text: str) -> int | None:
    """voluntary_ctxt_switches of /proc/PID/status (proc_pid_status(5)); None when the text has none."""
    _, found, rest = text.partition("\nvoluntary_ctxt_switches:")
    value = rest.split(maxsplit=1)[:1] if found else []
    return int(value[0]) if value and value[0].isdecimal() else None


class ProcessProbe:
    """A reader of one process that keeps its /proc files open: about 2 us a file and sample.

    The files stay bound to the process, not to its number: after the process is reaped they say that it is
    gone, whoever has the number then. Raises ProcessLookupError when there is no such process, OSError ENOSYS
    without /proc.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._start_time = 0
        self._files: dict[str, int] = {}
        self._refused: str | None = None
        try:
            self._files["stat"] = _open_above(f"/proc/{pid}/stat")
        except FileNotFoundError:
            if not os.path.isdir("/proc/self"):
                raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from None
        for name in ("syscall", "wchan", "status"):
            try:
                self._files[name] = _open_above(f"/proc/{pid}/{name}")
            except OSError as error:
                if error.errno not in (*_REFUSALS, errno.ENOENT, errno.ESRCH):
                    self.close()
                    raise
                if name == "syscall":
                    self._refused = self._sentence(error.errno or 0)

    def sample(self, switches: bool = False) -> ProcessSample:
        """What the kernel says now. Voluntary switches are read when asked for or when it sleeps in a call.

        The files are read one after the other: believe a sleep when two samples agree on call and switches.
        Never raises because of the process; after `close` it raises ValueError.
        """
        if not self._files:
            raise ValueError(f"the probe of process {self.pid} is closed")
        text, _ = self._read("stat")
        stat = parse_stat(text)
        if stat is None:
            return self._gone()
        self._start_time = stat.start_time
        ended = stat.letter in ("Z", "X")
        tick = _tick_ns()
        running, call, refused = (False, None, None) if ended else self._call()
        wchan = "" if ended or running else self._read("wchan")[0].strip()
        wanted = switches or (call is not None and stat.letter in ("S", "D"))
        return ProcessSample(
            pid=self.pid,
            alive=not ended,
            letter=stat.letter,
            name=stat.name,
            ppid=stat.ppid,
            start_time=stat.start_time,
            user_ns=stat.user_ticks * tick,
            system_ns=stat.system_ticks * tick,
            exit_code=_zombie_exit_code(self.pid, stat),
            running=running,
            call=call,
            wchan=None if wchan in ("", "0") else wchan,
            voluntary=parse_voluntary(self._read("status")[0]) if wanted else None,
            refused=refused,
        )

    def close(self) -> None:
        """Closes the /proc files; a second call does nothing."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, name: str) -> tuple[str, int]:
        fd = self._files.get(name)
        if fd is None:
            return "", 0
        try:
            return os.pread(fd, _BUFFER, 0).decode("utf-8", "replace"), 0
        except OSError as error:
            return "", error.errno or errno.EIO

    def _call(self) -> tuple[bool, SystemCall | None, str | None]:
        if "syscall" not in self._files:
            return False, None, self._refused
        text, failure = self._read("syscall")
        if failure:
            # A process that ended since its stat was read is refused like a foreign one.
            stat = parse_stat(self._read("stat")[0])
            ended = stat is None or stat.letter in ("Z", "X")
            return False, None, None if ended else self._sentence(failure)
        found = decode(text)
        if found is None:
            return False, None, f"/proc/{self.pid}/syscall has a form that is not known here"
        if isinstance(found, OutsideCall):
            return found is OutsideCall.RUNNING, None, None
        return False, found, None

    def _sentence(self, failure: int) -> str:
        if failure == errno.ENOENT:
            return "this kernel has no /proc/PID/syscall"
        if failure in _REFUSALS:
            return f"the kernel refuses /proc/{self.pid}/syscall to this user"
        return f"/proc/{self.pid}/syscall cannot be read: {os.strerror(failure)}"

    def _gone(self) -> ProcessSample:
        return ProcessSample(self.pid, alive=False, letter="", name="", ppid=0, start_time=self._start_time)


def start_time(pid: int) -> int | None:
    """When process `pid` began, in clock ticks since boot; None when there is no such process."""
    stat = _stat_of(pid)
    return None if stat is None else stat.start_time


def children(pid: int) -> tuple[int, ...]:
    """The children of `pid`, zombies included, in ascending order; empty when it has none or is gone.

    From /proc/PID/task/TID/children, or, on a kernel without CONFIG_PROC_CHILDREN, from every /proc/PID/stat.
    """
    found: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.update(int(word) for word in file.read().split())
    except OSError:
        found.update(_children_by_stat(pid))
    return tuple(sorted(found))


def command_line(pid: int) -> str:
    """The words of /proc/PID/cmdline joined by spaces; `[name]` when it has none; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    if words != [""]:
        return " ".join(words)
    stat = _stat_of(pid)
    return "" if stat is None else f"[{stat.name}]"


def exit_reason(status: int) -> str:
    """A wait status (wait(2)) in words: `status 1` or `signal SIGKILL`."""
    if not os.WIFSIGNALED(status):
        return f"status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def _open_above(path: str) -> int:
    return lift(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


@cache
def _tick_ns() -> int:
    return 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _stat_of(pid: int) -> Stat | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace", newline="") as file:
            return parse_stat(file.read())
    except OSError:
        return None


def _children_by_stat(pid: int) -> list[int]:
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []
    stats = ((number, _stat_of(number)) for number in numbers)
    return [number for number, stat in stats if stat is not None and stat.ppid == pid]


def _zombie_exit_code(pid: int, stat: Stat) -> int | None:
    """Field 52 of a zombie; None when its zero may stand for a refusal (fs/proc/array.c, do_task_stat)."""
    if stat.letter != "Z" or stat.exit_code is None or stat.exit_code != 0:
        return stat.exit_code if stat.letter == "Z" else None
    try:
        os.readlink(f"/proc/{pid}/exe")
    except FileNotFoundError:
        return 0  # the same permission is asked first: the link is missing, not refused
    except OSError:
        return None
    return 0
