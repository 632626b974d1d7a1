"""The handwritten digits that come with deepcore: small enough to ship, real enough to learn from."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import Dataset
from .idx import read_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray


def digits() -> Dataset:
    """Return 1,797 handwritten digits in images of 8 by 8 pixels, without a download.

    Returns
    -------
    dataset
        Inputs are float32 of shape (1797, 8, 8), from 0 (paper) to 1 (ink) in steps of 1/16. Targets are int64 labels
        0 to 9 of shape (1797,). The order is that of the source. Each call returns arrays of its own.

    Examples
    --------
    >>> data = digits()
    >>> data
    Dataset('digits', 1797 samples, inputs (8, 8) float32, targets () int64, 10 classes)
    >>> image, label = data[0]
    >>> for row in image:
    ...     print("".join(" .:+#"[round(4 * pixel)] for pixel in row).rstrip())
      .+:
      +#:#.
     .#  +:
     .+  ::
     .:  ::
     .+  +:
      #.:+
      :+:
    >>> print(label)
    0

    References
    ----------
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, its test part; licence CC BY 4.0. See ``files/digits-SOURCE.md``.
    """
    images = _read("digits-images-idx3-ubyte.gz")
    labels = _read("digits-labels-idx1-ubyte.gz")
    return Dataset(
        np.divide(images, 16, dtype=np.float32),
        labels.astype(np.int64),
        name="digits",
        classes=tuple("0123456789"),
    )


def _read(name: str) -> NDArray[Any]:
    """Read an array that was installed with this package."""
    with as_file(files("deepcore.data") / "files" / name) as path:
        return read_idx(path)
