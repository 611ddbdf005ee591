"""What posix_ipc says of errors, in the words of errno(3)."""

from __future__ import annotations

import errno
import os


def os_error(error: Exception) -> OSError:
    """The OSError that posix_ipc's own exception stands for: it keeps no number, only a class and a sentence."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    number = _number(error, str(error))
    return OSError(number, os.strerror(number))


def _number(error: Exception, text: str) -> int:
    import posix_ipc

    match error:
        case posix_ipc.BusyError():
            return errno.EAGAIN
        case posix_ipc.SignalError():
            return errno.EINTR
        case posix_ipc.PermissionsError():
            return errno.EACCES
        case posix_ipc.ExistentialError():
            if "not open" in text:
                return errno.EBADF
            return errno.EEXIST if "already exists" in text else errno.ENOENT
        case MemoryError():
            return errno.ENOMEM
        case OSError() if "space" in text:
            return errno.ENOSPC
        case OSError():
            return errno.EMFILE if "process" in text else errno.ENFILE
    if "name is too long" in text:
        return errno.ENAMETOOLONG
    return errno.EMSGSIZE if "message is too long" in text else errno.EINVAL
