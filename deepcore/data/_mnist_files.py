"""Data sets in the four files of MNIST: images and labels, for training and for testing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import DataError, StorageError
from ._files import cache_directory, content_sha256, file_sha256
from .dataset import Dataset
from .idx import read_idx
from .rows import Rows

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_SIDE: Final = 28  # pixels


@dataclass(frozen=True)
class Family:
    """A data set in the form of MNIST.

    Attributes
    ----------
    title
        What it is called.
    name
        That of its directory, and the beginning of the names of its parts.
    classes
        The names of the classes.
    mirrors
        The addresses of its directory.
    checksums
        The SHA-256 checksum of each file, decompressed.
    packed
        Whether the checksums are rather those of the compressed files.
    """

    title: str
    name: str
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    checksums: Mapping[str, str]
    packed: bool = False

    def load(
        self,
        data_dir: str | os.PathLike[str] | None,
        *,
        download: bool,
        progress: Callable[[str, int, int | None], None] | None,
        compact: bool,
    ) -> tuple[Dataset, Dataset]:
        """Return the parts for training and testing, after a download where one is needed and allowed."""
        directory = cache_directory(self.name) if data_dir is None else Path(data_dir)
        if missing := [name for name in self.checksums if _find(directory, name) is None]:
            if not download:
                raise StorageError(self._missing_message(directory, missing, "download is False."))
            if data_dir is not None and (stranger := self._stranger(directory)) is not None:
                reason = f"Nothing is downloaded into that directory because it holds something else: {stranger}."
                raise StorageError(self._missing_message(directory, missing, reason))
            self._download(directory, missing, progress)
        with ThreadPoolExecutor(1) as other:  # decompressing leaves Python to other threads
            test = other.submit(self._read, directory, "t10k", compact=compact)
            return self._read(directory, "train", compact=compact), test.result()

    def _stranger(self, directory: Path) -> str | None:
        """Return the name of something that is not a file of this data set, unfinished downloads apart."""
        checksum = file_sha256 if self.packed else content_sha256
        known = {
            path: sha256 for name, sha256 in self.checksums.items() if (path := _find(directory, name)) is not None
        }
        try:
            entries = sorted(directory.iterdir())
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"cannot list the directory {directory}: {error.strerror or error}"
            raise StorageError(message) from error
        for path in entries:
            if not path.name.startswith(".") and (path not in known or checksum(path) != known[path]):
                return path.name
        return None

    def _download(
        self, directory: Path, names: list[str], progress: Callable[[str, int, int | None], None] | None
    ) -> None:
        """Fetch files into a directory."""
        from ._download import fetch  # noqa: PLC0415 - urllib would be a tenth of what importing deepcore takes

        for i, name in enumerate(names):
            urls = [f"{mirror}{name}.gz" for mirror in self.mirrors]
            try:
                fetch(
                    urls, directory / f"{name}.gz", sha256=self.checksums[name], packed=self.packed, progress=progress
                )
            except StorageError as error:
                raise StorageError(self._missing_message(directory, names[i:], str(error))) from error

    def _missing_message(self, directory: Path, missing: list[str], reason: str) -> str:
        """Return what to do about files that are missing."""
        return "\n".join(
            [
                f"these files of {self.title} are missing in {directory}: {', '.join(missing)}.",
                reason,
                "To put them there by hand, fetch each (adding .gz to its name) from any of",
                *(f"  {mirror}" for mirror in self.mirrors),
            ]
        )

    def _read(self, directory: Path, part: str, *, compact: bool) -> Dataset:
        """Return the part for training or testing, from files that are there."""
        images_path, labels_path = (
            _find(directory, f"{part}-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        if images_path is None or labels_path is None:
            message = f"the files of {self.title} in {directory} were removed while they were read; try again"
            raise StorageError(message)
        images, labels = read_idx(images_path), read_idx(labels_path)
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (_SIDE, _SIDE):
            message = f"{images_path} holds {images.dtype} of shape {images.shape}, and not uint8 of shape (n, 28, 28)"
            raise DataError(message)
        if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
            message = (
                f"{labels_path} holds {labels.dtype} of shape {labels.shape}, and not one uint8 label for each of the "
                f"{len(images)} images in {images_path}; are they parts of the same data set?"
            )
            raise DataError(message)
        name = f"{self.name}-{'train' if part == 'train' else 'test'}"
        inputs = Pixels(images) if compact else scaled(images)
        dataset = Dataset(inputs, labels.astype(np.int64), name=name, classes=self.classes)
        dataset.check_labels(10)
        return dataset


class Pixels(Rows):
    """Images of bytes that become numbers from 0 to 1 when they are asked for.

    Parameters
    ----------
    images
        Pixels from 0 to 255, of shape (n, ...).
    """

    dtype = np.dtype(np.float32)
    finite = True

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.shape = images.shape
        self._images = images

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the images at these rows."""
        return scaled(self._images[rows])


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pixels from 0 to 255 as numbers from 0 to 1."""
    # one pass, without an intermediate array; 255/255 is 1 exactly, which 255 · (1/255) need not be
    return np.divide(images, np.float32(255), dtype=np.float32)


def _find(directory: Path, name: str) -> Path | None:
    """Return a file under one of the names it goes by, if it is there."""
    candidates = (directory / (stem + end) for stem in (name, name.replace("-idx", ".idx")) for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)
