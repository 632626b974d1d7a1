"""The MNIST database of handwritten digits, or a relative of it in the same four files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import DataError, StorageError
from ._files import content_sha256
from .dataset import Dataset
from .idx import read_idx

if TYPE_CHECKING:
    from collections.abc import Callable

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
CHECKSUMS = {  # SHA-256 of each file, decompressed
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_SIDE = 28  # pixels


def mnist(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> tuple[Dataset, Dataset]:
    """Return MNIST: 60,000 handwritten digits for training and 10,000 for testing, in images of 28 by 28 pixels.

    Parameters
    ----------
    data_dir
        The directory of its four files, ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without ``.gz``, and also named as in
        ``train-images.idx3-ubyte``. By default ``mnist`` in the directory named by the environment variable
        ``DEEPCORE_DATA``, or else ``deepcore/mnist`` in that for caches (``XDG_CACHE_HOME``, or ``~/.cache``). Data in
        the form of MNIST, such as Fashion-MNIST, are read from there just as well.
    download
        Whether to fetch files that are missing (11 MB in all), once. They are not put into a `data_dir` that holds
        anything but files of MNIST, lest two data sets be mixed.
    progress
        Called in a download with the name of the file, the bytes received, and the bytes expected or None.

    Returns
    -------
    train, test
        Inputs are float32 of shape (n, 28, 28), from 0 (paper) to 1 (ink): the pixels divided by 255. Targets are
        int64 labels 0 to 9 of shape (n,).

    Raises
    ------
    StorageError
        For files that are missing and cannot be fetched; the message lists them, and where to put them.
    DataError
        For files that are damaged, or that do not fit together.

    Examples
    --------
    >>> train, test = mnist("data/mnist")  # doctest: +SKIP
    >>> train  # doctest: +SKIP
    Dataset('mnist-train', 60000 samples, inputs (28, 28) float32, targets () int64, 10 classes)
    >>> mnist("no/such/directory", download=False)
    Traceback (most recent call last):
        ...
    deepcore._errors.StorageError: these files of MNIST are missing in no/such/directory: train-images-idx3-ubyte, ...

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proceedings
    of the IEEE 86(11), 1998, section III.A.
    """
    directory = _default_directory() if data_dir is None else Path(data_dir)
    if missing := [name for name in CHECKSUMS if _find(directory, name) is None]:
        if not download:
            raise StorageError(_missing_message(directory, missing, "download is False."))
        if data_dir is not None and (stranger := _stranger(directory)) is not None:
            reason = f"Nothing is downloaded into that directory because it holds something else: {stranger}."
            raise StorageError(_missing_message(directory, missing, reason))
        _download(directory, missing, progress)
    return _read(directory, "train"), _read(directory, "t10k")


def _default_directory() -> Path:
    """Return where MNIST is kept unless told otherwise."""
    if data := os.environ.get("DEEPCORE_DATA"):
        return Path(data).expanduser() / "mnist"
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # the XDG Base Directory Specification: "consider the path invalid and ignore it"
        cache = Path.home() / ".cache"
    return cache / "deepcore" / "mnist"


def _find(directory: Path, name: str) -> Path | None:
    """Return a file under one of the names it goes by, if it is there."""
    candidates = (directory / (stem + end) for stem in (name, name.replace("-idx", ".idx")) for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _stranger(directory: Path) -> str | None:
    """Return the name of something in a directory that is not a file of MNIST, unfinished downloads apart."""
    known = {path: sha256 for name, sha256 in CHECKSUMS.items() if (path := _find(directory, name)) is not None}
    try:
        entries = sorted(directory.iterdir())
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"cannot list the directory {directory}: {error.strerror or error}"
        raise StorageError(message) from error
    for path in entries:
        if not path.name.startswith(".") and (path not in known or content_sha256(path) != known[path]):
            return path.name
    return None


def _download(directory: Path, names: list[str], progress: Callable[[str, int, int | None], None] | None) -> None:
    """Fetch files of MNIST into a directory."""
    from ._download import fetch  # noqa: PLC0415 - urllib would be a tenth of what importing deepcore takes

    for i, name in enumerate(names):
        urls = [f"{mirror}{name}.gz" for mirror in MIRRORS]
        try:
            fetch(urls, directory / f"{name}.gz", sha256=CHECKSUMS[name], progress=progress)
        except StorageError as error:
            raise StorageError(_missing_message(directory, names[i:], str(error))) from error


def _missing_message(directory: Path, missing: list[str], reason: str) -> str:
    """Return what to do about files that are missing."""
    return "\n".join(
        [
            f"these files of MNIST are missing in {directory}: {', '.join(missing)}.",
            reason,
            "To put them there by hand, fetch each (adding .gz to its name) from any of",
            *(f"  {mirror}" for mirror in MIRRORS),
        ]
    )


def _read(directory: Path, part: str) -> Dataset:
    """Return the part for training or testing, from files that are there."""
    images_path, labels_path = (
        _find(directory, f"{part}-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    if images_path is None or labels_path is None:
        message = f"the files of MNIST in {directory} were removed while they were read; call mnist again"
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
    name = "mnist-train" if part == "train" else "mnist-test"
    # one pass, without an intermediate array; 255/255 is 1 exactly, which 255 · (1/255) need not be
    inputs = np.divide(images, np.float32(255), dtype=np.float32)
    dataset = Dataset(inputs, labels.astype(np.int64), name=name, classes=tuple("0123456789"))
    dataset.check_labels(10)
    return dataset
