"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from ._errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def replacing(destination: Path) -> Generator[BinaryIO]:
    """Write a file that appears at its destination when it is complete, and never in part.

    Several processes may write the same file: each has a temporary one of its own, and the last to finish wins.
    """
    partial = destination.with_name(f".{destination.name}.{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(destination)
    except OSError as error:
        message = f"cannot save to {destination}: {error.strerror or error}"
        raise StorageError(message) from error
    finally:
        with suppress(OSError):
            partial.unlink()
