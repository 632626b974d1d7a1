"""One writer at a time."""

from __future__ import annotations

import os
import socket
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .._errors import StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

_FAR: Final = 1 << 20  # where Windows locks a byte, so that the others can be read


class Lock:
    """A file that one process holds. The operating system lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is held through this object."""
        return self._handle is not None

    def acquire(self) -> None:
        """Take it.

        Raises
        ------
        StorageError
            If somebody else holds it, or the file cannot be written.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            msg = f"cannot save to {self.path.parent}: {error.strerror or error}"
            raise StorageError(msg) from error
        try:
            _take(handle)
        except OSError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace") if hasattr(os, "pread") else ""
            os.close(handle)
            if not isinstance(error, (BlockingIOError, PermissionError)):
                msg = f"cannot save to {self.path.parent}: {error.strerror or error}"
                raise StorageError(msg) from error
            msg = (
                f"another run is saving to {self.path.parent}: {holder.strip() or 'an unknown process'}; two runs need "
                "two folders"
            )
            raise StorageError(msg) from None
        with suppress(OSError):  # the name is for people only, and a full disk is found when something is saved
            os.truncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._handle = handle
        _held.add(self)

    def release(self) -> None:
        """Let go. Doing so again does nothing."""
        if self._handle is not None:
            _give_back(self._handle)  # closing alone would do, were there not children that have it open for a moment
            self.forget()

    def forget(self) -> None:
        """Close the file, which gives nothing back where another process has it open."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _take(handle: int) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _give_back(handle: int) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_UN)


_held: Final[weakref.WeakSet[Lock]] = weakref.WeakSet()


def _let_go() -> None:
    """Close the files in a child of this process, which would otherwise hold them for longer than its parent lives."""
    for lock in list(_held):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
