"""Files that are read whether or not they are compressed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .._errors import DataError, StorageError
from .._files import cache_folder

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedIOBase
    from typing import IO

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_GZIP = 16 + zlib.MAX_WBITS  # what tells zlib to expect, and check, gzip's header and checksum
_CHUNK = 1 << 20  # bytes


class Gunzipped(io.RawIOBase):
    """What a gzip file has in it, of one member or several.

    It is decompressed in larger parts than Python's `gzip` does, for which other threads are not waited for as often.

    Parameters
    ----------
    packed
        The compressed file.

    Raises
    ------
    EOFError, gzip.BadGzipFile, zlib.error
        When it is read, and is damaged.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._waiting = b""  # what was read of it and is not decompressed
        self._member = zlib.decompressobj(_GZIP)

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, and none only at the end; or all that are left."""
        if size < 0:
            return self.readall()
        while size and (not self._member.eof or self._begins_another()):
            self._waiting = self._waiting or self._packed.read(_CHUNK)
            if not self._waiting:
                message = "it ends before its end-of-stream marker"
                raise EOFError(message)
            found = self._member.decompress(self._waiting, size)
            self._waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if found:
                return found
        return b""

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with bytes, and return how many there were."""
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def _begins_another(self) -> bool:
        """Return whether another member follows one that has ended, after zeros that may be between them."""
        while not (waiting := self._waiting.lstrip(b"\0")):
            if not (waiting := self._packed.read(_CHUNK)):
                self._waiting = b""
                return False
            self._waiting = waiting
        if len(waiting) < 2:
            waiting += self._packed.read(1)
        if waiting[:2] != _GZIP_MAGIC:
            message = f"it goes on after its end with {waiting[:2].hex(' ')}"
            raise gzip.BadGzipFile(message)
        self._waiting, self._member = waiting, zlib.decompressobj(_GZIP)
        return True


@contextmanager
def reading(path: Path) -> Generator[BufferedIOBase]:
    """Open a file for reading, decompressed if it begins as gzip does, whatever its name.

    A damaged gzip stream raises DataError, also where the damage shows only as it is read, and a file that cannot be
    opened or read StorageError.
    """
    try:
        with path.open("rb") as raw:
            if raw.peek(2)[:2] == _GZIP_MAGIC:
                with Gunzipped(raw) as stream:
                    yield cast("BufferedIOBase", stream)
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
