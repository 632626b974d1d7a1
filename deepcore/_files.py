"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ._errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Generator


def cache_folder() -> Path:
    """Return the folder for what can be made or downloaded again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # the XDG Base Directory Specification: "consider the path invalid and ignore it"
        cache = Path.home() / ".cache"
    return cache / "deepcore"


@contextmanager
def replacing(destination: Path) -> Generator[BinaryIO]:
    """Write a file that appears at its destination when it is complete, and never in part.

    Several processes may write the same file: each has a temporary one of its own, and the last to finish wins.
    """
    partial = destination.with_name(f".{destination.name}.{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            yield file
            synchronize(file)
        partial.replace(destination)
        synchronize_folder(destination.parent)
    except OSError as error:
        message = f"cannot save to {destination}: {error.strerror or error}"
        raise StorageError(message) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def synchronize(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def synchronize_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where a system can say so."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
