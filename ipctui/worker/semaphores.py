"""Semaphores, sem_overview(7), and robust mutexes, pthread_mutex_lock(3p).

Neither asks the kernel but to sleep and to wake a sleeper. A wait is tried first, which is what the C library itself
does, and announced as futex(2) only when that failed: where the semaphore is posted between the two, a call is counted
that was not needed. A post is seen beforehand to wake somebody: glibc's sem_t on 64-bit machines is two numbers of 4
bytes, value and waiters; a mutex's word says it with FUTEX_WAITERS. Who begins to wait between the look and the post is
woken by a call that is not counted. A waiter killed by SIGKILL stays in a semaphore's count: each sem_post then calls
futex, and is counted so.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cached_property
from mmap import MAP_SHARED, PROT_READ
from typing import Any

from ipctui.trace.operations import CODES
from ipctui.trace.ring import W_NONBLOCKING
from ipctui.worker import clib
from ipctui.worker.files import tail
from ipctui.worker.places import MUTEX, Mutex
from ipctui.worker.posix import os_error
from ipctui.worker.seated import Seated
from ipctui.worker.shared_memory import FOLDER

_OPEN, _CLOSE, _UNLINK, _GETVALUE = (CODES[f"sem_{name}"] for name in ("open", "close", "unlink", "getvalue"))
_TRYWAIT, _WAIT, _WAIT_FUTEX = CODES["sem_trywait"], CODES["sem_wait"], CODES["sem_wait futex"]
_POST, _POST_FUTEX = CODES["sem_post"], CODES["sem_post futex"]
_INIT, _CONSISTENT, _TRYLOCK, _LOCK, _UNLOCK = (
    CODES[f"pthread_mutex_{name}"] for name in ("init", "consistent", "trylock", "lock", "unlock")
)
_LOCK_FUTEX, _UNLOCK_FUTEX = CODES["pthread_mutex_lock futex"], CODES["pthread_mutex_unlock futex"]
_TAKE = frozenset((_TRYWAIT, _WAIT, _WAIT_FUTEX, _TRYLOCK, _LOCK, _LOCK_FUTEX))
_GIVE = frozenset((_POST, _POST_FUTEX, _UNLOCK, _UNLOCK_FUTEX))
_SEM_SIZE = 32
_FUTEX_WAITERS = 0x80000000
_PROCESS_SHARED, _ROBUST = 1, 1  # PTHREAD_PROCESS_SHARED and PTHREAD_MUTEX_ROBUST, <pthread.h>


class Semaphore:
    """A named semaphore that this process has open.

    Attributes:
        object: The ordinal of its label, `/dev/shm/sem.NAME`.
        state: Its value and its waiters, to look at; None where the C library keeps it elsewhere.
        taken: Its name as records hold it.
    """

    __slots__ = ("_mapped", "handle", "name", "object", "state", "taken")

    def __init__(self, name: str, obj: int, handle: Any) -> None:
        self.name, self.object, self.handle = name, obj, handle
        self.taken = tail(name)
        self.state, self._mapped = _look_at(label_of(name))

    def forget(self) -> None:
        """Unmap what was mapped to look at it."""
        if self._mapped:
            self.state = None
            clib.function("munmap", clib.POINTER, clib.SIZE)(self._mapped, _SEM_SIZE)
            self._mapped = 0


def label_of(name: str) -> str:
    """The file of a named semaphore: sem_overview(7)."""
    return f"{FOLDER}/sem.{name.lstrip('/')}"


def _look_at(path: str) -> tuple[memoryview | None, int]:
    """A mapping of a semaphore's file to be read, and its address: the laboratory's own, no operation's."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None, 0
    try:
        if os.fstat(fd).st_size < _SEM_SIZE:
            return None, 0
        function = clib.function(
            "mmap",
            *(clib.POINTER, clib.SIZE, clib.INT, clib.INT, clib.INT, clib.LONG),
            result=clib.SIGNED_SIZE,
            brief=True,
        )
        address = clib.checked(function(None, _SEM_SIZE, PROT_READ, MAP_SHARED, fd, 0))
    finally:
        os.close(fd)
    return memoryview((ctypes.c_ubyte * 8).from_address(address)).cast("B").cast("I"), address


class Semaphores(Seated):
    """Traced operations on semaphores and robust mutexes."""

    def sem_open(self, name: str, flags: int = 0, mode: int = 0, value: int = 0) -> Semaphore:
        """sem_open(3): a named semaphore; `mode` and `value` count only where O_CREAT makes it."""
        import posix_ipc

        opened: list[Any] = []

        def open_semaphore() -> None:
            try:
                opened.append(posix_ipc.Semaphore(name, flags, mode, value))
            except Exception as error:
                raise os_error(error) from None

        extra, payload, obj = mode << 32 | value & 0xFFFFFFFF, tail(name), self._label(label_of(name))
        key = self._before(_OPEN, -1, flags, extra, payload, obj)
        self._call(key, open_semaphore, flags, extra, payload)
        return Semaphore(name, obj, opened[0])

    def sem_close(self, semaphore: Semaphore) -> None:
        """sem_close(3)."""
        key = self._before(_CLOSE, -1, 0, 0, semaphore.taken, semaphore.object)
        self._call(key, semaphore.handle.close, 0, 0, semaphore.taken)
        semaphore.forget()

    def sem_unlink(self, name: str) -> None:
        """sem_unlink(3): the name is gone, who has it open keeps it."""
        import posix_ipc

        def unlink() -> None:
            try:
                posix_ipc.unlink_semaphore(name)
            except Exception as error:
                raise os_error(error) from None

        payload = tail(name)
        key = self._before(_UNLINK, -1, 0, 0, payload, self._label(label_of(name)))
        self._call(key, unlink, 0, 0, payload)

    def sem_getvalue(self, semaphore: Semaphore) -> int:
        """sem_getvalue(3)."""
        key = self._before(_GETVALUE, -1, 0, 0, semaphore.taken, semaphore.object)
        value: int = semaphore.handle.value
        self._after(key, 0, value, 0, semaphore.taken)
        return value

    def sem_trywait(self, semaphore: Semaphore) -> bool | None:
        """sem_trywait(3): True, or None where it would have to wait (EAGAIN)."""
        return self._try(self._before(_TRYWAIT, -1, 0, 0, semaphore.taken, semaphore.object), semaphore)

    def sem_wait(self, semaphore: Semaphore) -> bool | None:
        """sem_wait(3): True once the value was more than 0 and is one less; None when a signal ended the wait (EINTR).

        While the user has set this worker to non-blocking, sem_trywait is made instead: None is EAGAIN then.
        """
        if self.words[W_NONBLOCKING]:
            return self._try(self._before(_TRYWAIT, -1, 0, 0, semaphore.taken, semaphore.object), semaphore)
        key = self._before(_WAIT, -1, 0, 0, semaphore.taken, semaphore.object)
        state, acquire = semaphore.state, semaphore.handle.acquire
        if state is None or state[0]:
            try:
                acquire(0)
            except Exception as error:
                if (number := os_error(error)).errno != errno.EAGAIN:
                    self._missed(key, 0, 0, semaphore.taken, number)
            else:
                self._after(key, 0, 0, 0, semaphore.taken)
                return True
        key = self._asleep(key, _WAIT_FUTEX)
        try:
            acquire()
        except Exception as error:
            self._missed(key, 0, 0, semaphore.taken, os_error(error))
            return None
        self._after(key, 0, 0, 0, semaphore.taken)
        return True

    def _try(self, key: int, semaphore: Semaphore) -> bool | None:
        try:
            semaphore.handle.acquire(0)
        except Exception as error:
            self._missed(key, 0, 0, semaphore.taken, os_error(error))
            return None
        self._after(key, 0, 0, 0, semaphore.taken)
        return True

    def sem_post(self, semaphore: Semaphore) -> None:
        """sem_post(3): the value is one more; a waiter is woken."""
        key = self._before(_POST, -1, 0, 0, semaphore.taken, semaphore.object)
        state = semaphore.state
        if state is not None and state[1]:
            key = self._asleep(key, _POST_FUTEX)
        try:
            semaphore.handle.release()
        except Exception as error:
            self._missed(key, 0, 0, semaphore.taken, os_error(error))
            return
        self._after(key, 0, 0, 0, semaphore.taken)

    def in_hand(self) -> int:
        """How many semaphores and mutexes this process has taken and not given back, by the counts of its calls."""
        return self.journal.successes(_TAKE) - self.journal.successes(_GIVE)

    # Mutexes. These functions return their error numbers: pthreads(7).

    def pthread_mutex_init(self, mutex: Mutex) -> None:
        """pthread_mutex_init(3p) of a robust mutex that processes share: once, by one of them."""
        attributes = (ctypes.c_ubyte * MUTEX)()
        there = ctypes.addressof(attributes)

        def init() -> None:
            _ok(_brief("pthread_mutexattr_init", clib.POINTER)(there))
            _ok(_brief("pthread_mutexattr_setpshared", clib.POINTER, clib.INT)(there, _PROCESS_SHARED))
            _ok(_brief("pthread_mutexattr_setrobust", clib.POINTER, clib.INT)(there, _ROBUST))
            _ok(_brief("pthread_mutex_init", clib.POINTER, clib.POINTER)(mutex.address, there))

        key = self._before(_INIT, -1, mutex.offset, 0, mutex.taken, mutex.object)
        self._call(key, init, mutex.offset, 0, mutex.taken)

    def pthread_mutex_lock(self, mutex: Mutex) -> int | None:
        """pthread_mutex_lock(3p): 0 when the mutex is this process's, EOWNERDEAD when it is, its last owner dead.

        After EOWNERDEAD the caller mends what the mutex guards and calls pthread_mutex_consistent. While the user has
        set this worker to non-blocking, pthread_mutex_trylock is made instead, and None says EBUSY. No signal ends
        the wait. Raises OSError: ENOTRECOVERABLE, EDEADLK.
        """
        if self.words[W_NONBLOCKING]:
            return self._trylock(self._before(_TRYLOCK, -1, mutex.offset, 0, mutex.taken, mutex.object), mutex)
        key = self._before(_LOCK, -1, mutex.offset, 0, mutex.taken, mutex.object)
        number = self._c_trylock(mutex.address)
        if number == errno.EBUSY:
            key = self._asleep(key, _LOCK_FUTEX)
            number = self._c_lock(mutex.address)
        return self._locked(key, mutex, number)

    def pthread_mutex_trylock(self, mutex: Mutex) -> int | None:
        """pthread_mutex_trylock(3p): as pthread_mutex_lock, but None where another process has it (EBUSY)."""
        return self._trylock(self._before(_TRYLOCK, -1, mutex.offset, 0, mutex.taken, mutex.object), mutex)

    def _trylock(self, key: int, mutex: Mutex) -> int | None:
        return self._locked(key, mutex, self._c_trylock(mutex.address))

    def _locked(self, key: int, mutex: Mutex, number: int) -> int | None:
        if number in (0, errno.EOWNERDEAD):
            self._after(key, number, mutex.offset, 0, mutex.taken)
            return number
        self._missed(key, mutex.offset, 0, mutex.taken, OSError(number, os.strerror(number)), (errno.EBUSY,))
        return None

    def pthread_mutex_unlock(self, mutex: Mutex) -> None:
        """pthread_mutex_unlock(3p); after EOWNERDEAD without pthread_mutex_consistent nobody can lock it again."""
        key = self._before(_UNLOCK, -1, mutex.offset, 0, mutex.taken, mutex.object)
        if mutex.word[0] & _FUTEX_WAITERS:
            key = self._asleep(key, _UNLOCK_FUTEX)
        number = self._c_unlock(mutex.address)
        if number:
            self._missed(key, mutex.offset, 0, mutex.taken, OSError(number, os.strerror(number)))
        else:
            self._after(key, 0, mutex.offset, 0, mutex.taken)

    def pthread_mutex_consistent(self, mutex: Mutex) -> None:
        """pthread_mutex_consistent(3p): what the mutex guards is whole again."""
        key = self._before(_CONSISTENT, -1, mutex.offset, 0, mutex.taken, mutex.object)
        function = _brief("pthread_mutex_consistent", clib.POINTER)
        self._call(key, lambda: _ok(function(mutex.address)), mutex.offset, 0, mutex.taken)

    @cached_property
    def _c_lock(self) -> clib.Function:
        return clib.function("pthread_mutex_lock", clib.POINTER)

    @cached_property
    def _c_trylock(self) -> clib.Function:
        return _brief("pthread_mutex_trylock", clib.POINTER)

    @cached_property
    def _c_unlock(self) -> clib.Function:
        return _brief("pthread_mutex_unlock", clib.POINTER)


def _brief(name: str, *arguments: type) -> clib.Function:
    return clib.function(name, *arguments, brief=True)


def _ok(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))
