"""Fashion-MNIST: pictures of clothes in the form of MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._mnist_files import Family

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from .dataset import Dataset

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
CHECKSUMS = {  # SHA-256 of each file, compressed as it is published
    "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: Callable[[str, int, int | None], None] | None = None,
    compact: bool = False,
) -> tuple[Dataset, Dataset]:
    """Return Fashion-MNIST: 60,000 pictures of clothes for training and 10,000 for testing, of 28 by 28 pixels.

    Parameters
    ----------
    data_dir
        The directory of its four files, which are named as those of `mnist`. By default ``fashion-mnist`` where `mnist`
        has ``mnist``.
    download
        Whether to fetch files that are missing (31 MB in all), once.
    progress
        As that of `mnist`.
    compact
        Whether inputs are no array but :class:`Rows`, which hold the pixels as bytes, in a quarter of the memory, and
        give the same numbers when they are asked for. A `DataLoader` and a `Trainer` take them just as well.

    Returns
    -------
    train, test
        Inputs are float32 of shape (n, 28, 28), from 0 to 1: the pixels divided by 255. Targets are int64 labels 0 to 9
        of shape (n,).

    Raises
    ------
    StorageError
        For files that are missing and cannot be fetched; the message lists them, and where to put them.
    DataError
        For files that are damaged, or that do not fit together.

    Examples
    --------
    >>> train, test = fashion_mnist()  # doctest: +SKIP
    >>> train.classes[9]  # doctest: +SKIP
    'Ankle boot'

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
    arXiv 1708.07747, 2017.
    """
    family = Family("Fashion-MNIST", "fashion-mnist", CLASSES, MIRRORS, CHECKSUMS, packed=True)
    return family.load(data_dir, download=download, progress=progress, compact=compact)
