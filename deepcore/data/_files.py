"""Files that are read whether or not they are compressed."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import DataError, StorageError
from .._files import cache_folder

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedIOBase
    from typing import IO

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_CHUNK = 1 << 20  # bytes


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


def content_sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file's content, decompressed: the same however it was compressed."""
    with reading(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file as it is."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(message) from error


def cache_directory(name: str) -> Path:
    """Return where a data set is kept unless told otherwise."""
    if data := os.environ.get("DEEPCORE_DATA"):
        return Path(data).expanduser() / name
    return cache_folder() / name


def read_bytes(stream: BufferedIOBase | IO[bytes], size: int) -> bytearray:
    """Read a number of bytes, or as many as there are, taking memory only for those."""
    data = bytearray()
    while len(data) < size and (chunk := stream.read(min(size - len(data), _CHUNK))):
        data += chunk
    return data
