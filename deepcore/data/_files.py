"""Files that are read whether or not they are compressed, and written whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from .._errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedIOBase
    from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1


@contextmanager
def reading(path: Path) -> Generator[BufferedIOBase]:
    """Open a file for reading, decompressed if it begins as gzip does, whatever its name.

    A damaged gzip stream raises DataError, also where the damage shows only as it is read, and a file that cannot be
    opened or read StorageError.
    """
    try:
        with path.open("rb") as raw:
            if raw.peek(2)[:2] == _GZIP_MAGIC:
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield stream
            else:
                yield raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        size = path.stat().st_size
        message = f"{path} is a damaged gzip file of {size} bytes ({error}); fetch or make it again"
        raise DataError(message) from error
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(message) from error


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


def content_sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file's content, decompressed: the same however it was compressed."""
    with reading(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
