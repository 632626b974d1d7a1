"""CIFAR-10: small colour photographs, from the archive in binary form, in which nothing is unpickled."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from .._errors import DataError, StorageError
from ._files import cache_directory, read_bytes, reading
from .dataset import Dataset

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

ARCHIVE: Final = "cifar-10-binary.tar.gz"
MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FOLDER: Final = "cifar-10-batches-bin"
_TRAIN: Final = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST: Final = ("test_batch.bin",)
_RECORD: Final = 1 + 3 * 32 * 32  # bytes: the label, and the red, green and blue pixels, row by row
_SAMPLES: Final = 10_000  # in a file


def cifar10(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> tuple[Dataset, Dataset]:
    """Return CIFAR-10: 50,000 colour photographs for training and 10,000 for testing, of 32 by 32 pixels.

    Parameters
    ----------
    data_dir
        The directory of the archive in binary form, ``cifar-10-binary.tar.gz``, or of the six files from it
        (``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, also in ``cifar-10-batches-bin``). By
        default ``cifar-10`` where `mnist` has ``mnist``.
    download
        Whether to fetch the archive (170 MB) where nothing of this is there, once.
    progress
        As that of `mnist`.

    Returns
    -------
    train, test
        Inputs are float32 of shape (n, 3, 32, 32), red, green and blue from 0 to 1: the bytes divided by 255. Targets
        are int64 labels 0 to 9 of shape (n,).

    Raises
    ------
    StorageError
        For files that are missing and cannot be fetched; the message says where to put them.
    DataError
        For files that are damaged.

    Examples
    --------
    >>> train, test = cifar10()  # doctest: +SKIP
    >>> train  # doctest: +SKIP
    Dataset('cifar-10-train', 50000 samples, inputs (3, 32, 32) float32, targets () int64, 10 classes)

    References
    ----------
    A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report, University of Toronto,
    2009, chapter 3.
    """
    directory = cache_directory("cifar-10") if data_dir is None else Path(data_dir)
    folders = (directory, directory / _FOLDER)
    folder = next((there for there in folders if all((there / file).is_file() for file in (*_TRAIN, *_TEST))), None)
    if folder is not None:
        records = {file: _from_file(folder / file) for file in (*_TRAIN, *_TEST)}
    else:
        archive = directory / ARCHIVE
        if not archive.is_file():
            _fetch(archive, download=download, progress=progress)
        records = _from_archive(archive)
    return (
        _dataset("cifar-10-train", [records[file] for file in _TRAIN]),
        _dataset("cifar-10-test", [records[file] for file in _TEST]),
    )


def _fetch(archive: Path, *, download: bool, progress: Callable[[str, int, int | None], None] | None) -> None:
    """Fetch the archive, or raise StorageError."""
    from ._download import fetch  # noqa: PLC0415 - urllib would be a tenth of what importing deepcore takes

    urls = [f"{mirror}{ARCHIVE}" for mirror in MIRRORS]
    if not download:
        message = f"{archive} is missing, and download is False. To put it there by hand, fetch it from {urls[0]}"
        raise StorageError(message)
    fetch(urls, archive, sha256=SHA256, packed=True, progress=progress)


def _from_archive(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the records of each file in the archive, of which nothing is unpacked to the disk."""
    wanted = {f"{_FOLDER}/{file}": file for file in (*_TRAIN, *_TEST)}
    records: dict[str, NDArray[np.uint8]] = {}
    try:
        with reading(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.name in wanted and member.isreg() and (content := archive.extractfile(member)) is not None:
                    data = read_bytes(content, min(member.size, _SAMPLES * _RECORD + 1))
                    records[wanted[member.name]] = _checked(data, f"{member.name} in {path}")
            while stream.read(1 << 20):  # gzip compares its checksum at the end
                pass
    except tarfile.TarError as error:
        message = f"{path} is a damaged archive ({error}); remove it, so that it is fetched again"
        raise DataError(message) from error
    if missing := [file for file in wanted.values() if file not in records]:
        message = f"{path} is not the archive of CIFAR-10 in binary form: {', '.join(missing)} are missing in it"
        raise DataError(message)
    return records


def _from_file(path: Path) -> NDArray[np.uint8]:
    """Return the records of one file."""
    try:
        with path.open("rb") as stream:
            return _checked(read_bytes(stream, _SAMPLES * _RECORD + 1), str(path))
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(message) from error


def _checked(data: bytearray, what: str) -> NDArray[np.uint8]:
    """Return records as an array, or raise DataError."""
    if not data or len(data) % _RECORD or len(data) > _SAMPLES * _RECORD:
        size = f"{len(data)} bytes" if len(data) <= _SAMPLES * _RECORD else "more bytes"
        message = f"{what} has {size}, and not up to {_SAMPLES} records of {_RECORD}; fetch it again"
        raise DataError(message)
    return np.frombuffer(data, np.uint8).reshape(-1, _RECORD)


def _dataset(name: str, parts: list[NDArray[np.uint8]]) -> Dataset:
    """Return a data set of records."""
    records = np.concatenate(parts)
    inputs = np.divide(records[:, 1:].reshape(-1, 3, 32, 32), np.float32(255), dtype=np.float32)
    dataset = Dataset(inputs, records[:, 0].astype(np.int64), name=name, classes=CLASSES)
    dataset.check_labels(10)
    return dataset
