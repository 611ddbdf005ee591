"""What this machine lets a laboratory do and see, tried wherever trying leaves nothing behind."""

import errno
import mmap
import os
import platform
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ipctui.kernel import libc
from ipctui.kernel.syscalls import known_machine

_ENABLE_PTRACE = "run it outside the container, or give the container the capability SYS_PTRACE"
_PORTMAPPER = 111  # RFC 1833, section 3


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that this machine allows or does not."""

    name: str
    available: bool
    detail: str
    """One line for people: what was found, or what the kernel answered."""
    remedy: str | None
    """What would make it available; None when it is, or when nothing short of another machine would."""


def capabilities() -> tuple[Capability, ...]:
    """Everything that is worth knowing before a laboratory starts. Never raises; leaves nothing behind."""
    return tuple(_tried(name, check) for name, check in _CHECKS)


def _yes(name: str, detail: str) -> Capability:
    return Capability(name, available=True, detail=detail, remedy=None)


def _no(name: str, detail: str, remedy: str | None = None) -> Capability:
    return Capability(name, available=False, detail=detail, remedy=remedy)


def _tried(name: str, check: Callable[[str], Capability]) -> Capability:
    try:
        return check(name)
    except Exception as error:
        return _no(name, _answer(error))


def _answer(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        code = errno.errorcode.get(error.errno, str(error.errno))
        return f"refused: {code}, {os.strerror(error.errno)}"
    return f"unknown: {type(error).__name__}: {error}"


def _works(name: str, remedy: str | None, attempt: Callable[[], str]) -> Capability:
    try:
        return _yes(name, attempt())
    except (OSError, AttributeError) as error:
        detail = "not offered by this Python" if isinstance(error, AttributeError) else _answer(error)
        return _no(name, detail, remedy)


def _setting(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def _system(name: str) -> Capability:
    linux = sys.platform == "linux"
    remedy = None if linux else "laboratories need Linux; recordings can be replayed here"
    return Capability(name, linux, f"{platform.system()} {platform.release()}", remedy)


def _machine(name: str) -> Capability:
    machine = platform.machine()
    if known_machine(machine):
        return _yes(name, f"{machine}: system call numbers are known")
    return _no(name, f"{machine}: system calls are shown by number only")


def _python(name: str) -> Capability:
    return _yes(name, f"{platform.python_implementation()} {platform.python_version()}")


def _memfd(name: str) -> Capability:
    def attempt() -> str:
        os.close(os.memfd_create("ipctui", os.MFD_CLOEXEC))
        return "memory without a name can be shared"

    return _works(name, "needs Linux 3.17", attempt)


def _eventfd(name: str) -> Capability:
    def attempt() -> str:
        os.close(os.eventfd(0, os.EFD_CLOEXEC))
        return "workers can wait at the gate"

    return _works(name, "needs Linux 2.6.27", attempt)


def _pidfd_open(name: str) -> Capability:
    def attempt() -> str:
        os.close(os.pidfd_open(os.getpid()))
        return "processes are held by descriptor, not by number"

    return _works(name, "needs Linux 5.3", attempt)


def _pidfd_getfd(name: str) -> Capability:
    def attempt() -> str:
        pidfd = os.pidfd_open(os.getpid())
        try:
            os.close(libc.pidfd_getfd(pidfd, pidfd))
        finally:
            os.close(pidfd)
        return "any pipe, socket or queue of a worker can be looked at (tried on this process)"

    return _works(name, f"needs Linux 5.6; {_ENABLE_PTRACE}", attempt)


def _tee(name: str) -> Capability:
    def attempt() -> str:
        ends = [*os.pipe(), *os.pipe()]
        try:
            os.write(ends[1], b"ipctui")
            libc.tee(ends[0], ends[3], 6)
            seen, left = os.read(ends[2], 6), os.read(ends[0], 6)
        finally:
            for end in ends:
                os.close(end)
        if seen != left:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return "the contents of a pipe can be read without consuming them"

    return _works(name, "the system call is filtered; run it outside the container", attempt)


def _proc_syscall(name: str) -> Capability:
    def attempt() -> str:
        with open("/proc/self/syscall", encoding="ascii") as file:
            file.read()
        return "the system call that a process sleeps in can be read"

    return _works(name, f"needs CONFIG_HAVE_ARCH_TRACEHOOK and /proc; {_ENABLE_PTRACE}", attempt)


def _yama(name: str) -> Capability:
    scope = _setting("/proc/sys/kernel/yama/ptrace_scope")
    if scope is None:
        return _yes(name, "no Yama: every process of this user can be looked at")
    words = {
        "0": "0: every process of this user can be looked at",
        "1": "1: only descendants can be looked at, and workers are descendants",
        "2": "2: only a process with CAP_SYS_PTRACE may look at others",
        "3": "3: nobody may look at others",
    }
    remedy = None if scope in ("0", "1") else "sysctl kernel.yama.ptrace_scope=1 (3 lasts until reboot)"
    return Capability(name, scope in ("0", "1"), words.get(scope, f"{scope}: not known"), remedy)


def _process_vm_readv(name: str) -> Capability:
    def attempt() -> str:
        # A private page of our own; another process's memory also needs what Yama says.
        with mmap.mmap(-1, mmap.PAGESIZE) as page:
            address = libc.address_of(page)
            page[:6] = b"ipctui"
            if libc.process_vm_readv(os.getpid(), address, 6) != b"ipctui":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return "memory of another process can be read (tried on this process)"

    return _works(name, _ENABLE_PTRACE, attempt)


def _shared_memory(name: str) -> Capability:
    def attempt() -> str:
        mode = os.stat("/dev/shm").st_mode & 0o7777
        size = os.statvfs("/dev/shm")
        total, free = (blocks * size.f_frsize >> 20 for blocks in (size.f_blocks, size.f_bavail))
        if not os.access("/dev/shm", os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return f"writable, mode {mode:04o}, {total} MiB, {free} MiB free"

    return _works(name, "mount a tmpfs on /dev/shm, mode 1777", attempt)


def _queues(name: str) -> Capability:
    folder = "/proc/sys/fs/mqueue"
    values = [_setting(f"{folder}/{key}") for key in ("queues_max", "msg_max", "msgsize_max")]
    if None in values:
        return _no(name, f"no {folder}", "needs CONFIG_POSIX_MQUEUE")
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    allowance = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft} bytes"
    queues, messages, size = values
    detail = f"{queues} queues of {messages} messages of {size} bytes; RLIMIT_MSGQUEUE {allowance}"
    return _yes(name, detail)


def _pipes(name: str) -> Capability:
    largest = _setting("/proc/sys/fs/pipe-max-size")
    pages = _setting("/proc/sys/fs/pipe-user-pages-soft")
    if largest is None or pages is None:
        return _no(name, "unknown: no /proc/sys/fs/pipe-max-size")
    soft = "no limit" if pages == "0" else f"{pages} pages"
    return _yes(name, f"at most {largest} bytes each; all pipes of a user: {soft}")


def _io_uring(name: str) -> Capability:
    disabled = _setting("/proc/sys/kernel/io_uring_disabled")
    if disabled == "2" or (disabled == "1" and os.geteuid() != 0):
        detail = f"kernel.io_uring_disabled is {disabled}"
        return _no(name, detail, "sysctl kernel.io_uring_disabled=0")

    def attempt() -> str:
        os.close(libc.io_uring_setup(1))
        return "a ring could be set up"

    return _works(name, "needs Linux 5.1 and CONFIG_IO_URING; containers often filter it", attempt)


def _ports(name: str) -> Capability:
    first = _setting("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(("127.0.0.1", _PORTMAPPER))
        except PermissionError:
            remedy = f"sysctl net.ipv4.ip_unprivileged_port_start={_PORTMAPPER}, or a user namespace"
            return _no(name, f"ports begin at {first}; a portmapper wants {_PORTMAPPER}", remedy)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return _yes(name, f"allowed; something uses port {_PORTMAPPER} already")
    return _yes(name, f"port {_PORTMAPPER} could be bound, as a portmapper wants")


def _namespaces(name: str) -> Capability:
    most = _setting("/proc/sys/user/max_user_namespaces")
    if most is None:
        return _no(name, "no user.max_user_namespaces", "needs CONFIG_USER_NS")
    if most == "0":
        return _no(name, "user.max_user_namespaces is 0", "sysctl user.max_user_namespaces=1000")
    if _setting("/proc/sys/kernel/unprivileged_userns_clone") == "0" and os.geteuid() != 0:
        return _no(
            name,
            "kernel.unprivileged_userns_clone is 0",
            "sysctl kernel.unprivileged_userns_clone=1",
        )
    if _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" and os.geteuid() != 0:
        return _no(
            name,
            "AppArmor restricts them for unprivileged programs",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return _yes(name, f"at most {most} by the settings (none was made)")


_CHECKS: tuple[tuple[str, Callable[[str], Capability]], ...] = (
    ("system", _system),
    ("machine", _machine),
    ("python", _python),
    ("memfd_create", _memfd),
    ("eventfd", _eventfd),
    ("pidfd_open", _pidfd_open),
    ("pidfd_getfd", _pidfd_getfd),
    ("tee", _tee),
    ("/proc/self/syscall", _proc_syscall),
    ("ptrace_scope", _yama),
    ("process_vm_readv", _process_vm_readv),
    ("/dev/shm", _shared_memory),
    ("message queues", _queues),
    ("pipes", _pipes),
    ("io_uring", _io_uring),
    ("low ports", _ports),
    ("user namespaces", _namespaces),
)
