"""The system calls that Python's standard library does not offer, made through the C library."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE, mmap

SPLICE_F_NONBLOCK = 2
"""Flag of tee(2): do not wait for data or for room (include/linux/splice.h)."""

MQUEUE_MAGIC = 0x19800202
"""What `filesystem_type` returns for a POSIX message queue (ipc/mqueue.c)."""

_SYS_PIDFD_GETFD = 438  # both the same on every machine: new numbers are shared since Linux 5.1
_SYS_IO_URING_SETUP = 425
_PR_SET_PDEATHSIG = 1
_MAP_FIXED = 0x10  # the same on x86_64 and aarch64 (asm-generic/mman-common.h)
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


class _IoVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@cache
def _function(name: str, result: type[ctypes.c_int | ctypes.c_long]) -> Callable[..., int]:
    if sys.platform != "linux":
        raise _error(errno.ENOSYS)
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError:
        raise _error(errno.ENOSYS) from None
    function.restype = result
    return function  # type: ignore[no-any-return]


def _checked(result: int) -> int:
    if result < 0:
        raise _error(ctypes.get_errno())
    return result


def tee(fd_in: int, fd_out: int, length: int, flags: int = SPLICE_F_NONBLOCK) -> int:
    """Bytes copied from the read end of one pipe into the write end of another, nothing consumed: tee(2).

    Returns 0 at end of file (empty and no writer). Raises OSError: EAGAIN when there is nothing to copy or no
    room, EBADF when `fd_in` is not open for reading or `fd_out` not for writing, EINVAL when one is no pipe.
    """
    call = _function("tee", ctypes.c_long)
    return _checked(call(fd_in, fd_out, ctypes.c_size_t(length), ctypes.c_uint(flags)))


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """A close-on-exec copy of another process's descriptor: pidfd_getfd(2).

    It shares the open file description and keeps the object's end open: close it at once. Raises OSError:
    EBADF (no such descriptor), ESRCH (the process has ended), EPERM (PTRACE_MODE_ATTACH_REALCREDS refused),
    ENOSYS (before Linux 5.6).
    """
    call = _function("syscall", ctypes.c_long)
    return _checked(call(ctypes.c_long(_SYS_PIDFD_GETFD), pidfd, fd, ctypes.c_uint(0)))


def socket_option(fd: int, level: int, option: int, question: bytes) -> bytes:
    """What getsockopt(2) answers where the buffer asks as well as answers, as for IP_MSFILTER.

    Raises OSError: EBADF, ENOTSOCK, ENOPROTOOPT, and what the option says of itself.
    """
    buffer, size = ctypes.create_string_buffer(question, len(question)), ctypes.c_uint(len(question))
    _checked(_function("getsockopt", ctypes.c_int)(fd, level, option, buffer, ctypes.byref(size)))
    return buffer.raw[: size.value]


def process_vm_readv(pid: int, address: int, length: int) -> bytes:
    """At most `length` bytes of another process's memory from `address`: process_vm_readv(2).

    Where the call is refused or missing, /proc/PID/mem is tried (proc_pid_mem(5)). Shorter than `length` when
    the memory ends before. Raises OSError: EFAULT or EIO (nothing mapped there), EPERM or EACCES, ESRCH.
    """
    buffer = ctypes.create_string_buffer(length)
    local = _IoVector(ctypes.addressof(buffer), length)
    remote = _IoVector(address, length)
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    try:
        call = _function("process_vm_readv", ctypes.c_long)
        copied = _checked(call(pid, ctypes.byref(local), one, ctypes.byref(remote), one, none))
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM) or sys.platform != "linux":
            raise
        return _read_memory_file(pid, address, length)
    return buffer.raw[:copied]


def _read_memory_file(pid: int, address: int, length: int) -> bytes:
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _error(errno.ESRCH) from None
    try:
        return os.pread(memory, length, address)
    finally:
        os.close(memory)


def map_shared(fd: int, length: int) -> mmap:
    """A shared mapping of a file's first `length` bytes that keeps no descriptor of its own: mmap(2).

    Python's own keeps a duplicate at the lowest free number (until 3.13), which is where a program's pipe belongs.
    Raises OSError as mmap(2) does.
    """
    memory = mmap(-1, length)
    call = _function("mmap", ctypes.c_long)
    _checked(
        call(
            ctypes.c_void_p(address_of(memory)),
            ctypes.c_size_t(length),
            PROT_READ | PROT_WRITE,
            MAP_SHARED | _MAP_FIXED,
            fd,
            ctypes.c_long(0),
        )
    )
    return memory


def address_of(memory: mmap) -> int:
    """The virtual address of a writable mapping of this process. Raises TypeError for a read-only one."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def io_uring_setup(entries: int) -> int:
    """The descriptor of a new io_uring of `entries` submissions, close-on-exec: io_uring_setup(2).

    Raises OSError: EPERM when it is disabled or filtered, ENOSYS before Linux 5.1.
    """
    parameters = (ctypes.c_uint32 * 30)()  # struct io_uring_params, zeroed
    call = _function("syscall", ctypes.c_long)
    return _checked(call(ctypes.c_long(_SYS_IO_URING_SETUP), ctypes.c_uint(entries), parameters))


def filesystem_type(path: str) -> int:
    """The magic number of the file system that `path` lies on: statfs(2), which does not open the object.

    Raises OSError as statfs(2) does.
    """
    # struct statfs takes 120 bytes on 64-bit machines; its first member, a long, is f_type.
    buffer = (ctypes.c_long * 64)()
    _checked(_function("statfs", ctypes.c_int)(os.fsencode(path), buffer))
    return int(buffer[0])


def _prctl(option: int, argument: ctypes.c_ulong | ctypes.c_char_p) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_function("prctl", ctypes.c_int)(option, argument, zero, zero, zero))


def set_child_subreaper() -> None:
    """Makes orphaned descendants children of this process: PR_SET_CHILD_SUBREAPER(2const); raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def set_parent_death_signal(sig: int) -> None:
    """The signal that this process gets when the *thread* that made it ends: PR_SET_PDEATHSIG(2const).

    Cleared in a child by fork(2), kept by an ordinary execve(2). Raises OSError: EINVAL for no such signal.
    """
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(sig))


def set_process_name(name: str) -> None:
    """Names the calling thread (comm), cut to 15 bytes: PR_SET_NAME(2const); raises OSError."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(os.fsencode(name)))
