"""Fetching a file from the first mirror that has it whole."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from .._errors import DataError, StorageError
from .._files import replacing
from ._files import content_sha256, file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    Progress: TypeAlias = "Callable[[str, int, int | None], None]"

_CHUNK = 1 << 16  # bytes


class _MirrorError(Exception):
    """Why a mirror did not give the file."""


def fetch(
    urls: Sequence[str],
    destination: Path,
    *,
    sha256: str,
    packed: bool = False,
    progress: Progress | None = None,
    timeout: float = 30,
) -> None:
    """Fetch a file from the first of several mirrors that gives it whole.

    The file appears at its destination complete and checked, or not at all; several processes may fetch it at once.

    Parameters
    ----------
    urls
        The addresses, tried in order.
    destination
        The file to write, or to replace. Its directory is made where it is missing.
    sha256
        The checksum of the content, decompressed if it is compressed by gzip, in hexadecimal.
    packed
        Whether it is rather that of the file as it is.
    progress
        Called with the name of the file, the bytes received, and the bytes expected (None if the mirror does not say):
        first with 0 bytes, and again from 0 where another mirror is tried.
    timeout
        Seconds to wait for a connection, and then for each part of the file.

    Raises
    ------
    StorageError
        If no mirror gives the file, with the reason of each; or if it cannot be written.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the directory {destination.parent}: {error.strerror or error}"
        raise StorageError(message) from error
    reasons: list[str] = []
    for url in urls:
        try:
            _fetch_one(url, destination, sha256, packed, progress, timeout)
        except _MirrorError as error:
            reasons.append(f"  {url}: {error}")
        else:
            return
    message = "\n".join(
        [
            f"cannot fetch {destination.name}; each address was tried:",
            *reasons,
            "Check the network, or fetch the file from one of these addresses on another machine and put it at",
            f"  {destination}",
        ]
    )
    raise StorageError(message)


def _fetch_one(
    url: str, destination: Path, sha256: str, packed: bool, progress: Progress | None, timeout: float
) -> None:
    """Fetch a file from one mirror and check it, or raise _MirrorError."""
    with replacing(destination) as file, closing(_receive(url, timeout)) as parts:
        for chunk, done, total in parts:
            file.write(chunk)
            if progress is not None:
                progress(destination.name, done, total)
        file.flush()
        try:
            found = (file_sha256 if packed else content_sha256)(Path(file.name))
        except DataError as error:
            message = f"sent a damaged gzip file ({error.__cause__})"
            raise _MirrorError(message) from error
        if found != sha256:
            what = "it" if packed else "its content"
            message = f"sent another file: the SHA-256 of {what} is {found}, and {sha256} is expected"
            raise _MirrorError(message)


def _receive(url: str, timeout: float) -> Generator[tuple[bytes, int, int | None]]:
    """Yield a file in parts, each with the bytes received so far and expected; the first part is empty.

    What the network does wrong is raised as _MirrorError; what is done with the parts is not in the `try`.
    """
    try:
        with urllib.request.build_opener().open(url, timeout=timeout) as response:
            length = response.headers["Content-Length"]
            total = int(length) if length is not None else None
            done = 0
            yield b"", done, total
            while chunk := response.read(_CHUNK):
                done += len(chunk)
                yield chunk, done, total
    except urllib.error.HTTPError as error:
        error.close()
        message = f"HTTP status {error.code} ({error.reason})"
        raise _MirrorError(message) from error
    except urllib.error.URLError as error:
        raise _MirrorError(str(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorError(str(error) or type(error).__name__) from error
    if total is not None and done != total:
        message = f"broke off after {done} of {total} bytes"
        raise _MirrorError(message)
