"""The MNIST database of handwritten digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._mnist_files import Family

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from .dataset import Dataset

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


def mnist(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: Callable[[str, int, int | None], None] | None = None,
    compact: bool = False,
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
    compact
        Whether inputs are no array but :class:`Rows`, which hold the pixels as bytes, in a quarter of the memory, and
        give the same numbers when they are asked for. A `DataLoader` and a `Trainer` take them just as well.

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
    family = Family("MNIST", "mnist", tuple("0123456789"), MIRRORS, CHECKSUMS)
    return family.load(data_dir, download=download, progress=progress, compact=compact)
