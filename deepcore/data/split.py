"""Setting samples aside for testing."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError, DataError
from ._order import Purpose, random_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset


def train_test_split(
    dataset: Dataset, *, test_size: float = 0.2, seed: int = 0, stratify: bool = False
) -> tuple[Dataset, Dataset]:
    """Split a data set at random into one for training and one for testing.

    Parameters
    ----------
    dataset
        n samples.
    test_size
        How many samples are for testing: a fraction of n, strictly between 0 and 1 (a float, rounded to the nearest
        number of samples), or a number from 1 to n - 1 (an int).
    seed
        0 to 2**64 - 1. The same seed gives the same split on every machine.
    stratify
        Give both parts the same proportions of classes, up to rounding, and at least one sample of every class.

    Returns
    -------
    train, test
        Two data sets in random order, which together hold each sample once. Their arrays are copies.

    Raises
    ------
    ConfigError
        For a size or seed outside its range, or a part that would be empty or lack a class.
    DataError
        For one sample only; and, stratified, for targets that are not labels or classes of one sample.

    Examples
    --------
    >>> from deepcore.data import digits, train_test_split
    >>> train, test = train_test_split(digits(), test_size=500, seed=1, stratify=True)
    >>> len(train), len(test)
    (1297, 500)
    """
    n_test = _test_count(len(dataset), test_size)
    order = random_order(len(dataset), seed=seed, purpose=Purpose.SPLIT)
    chosen = _stratified(dataset, order, n_test) if stratify else np.arange(len(dataset)) < n_test
    return dataset.subset(order[~chosen]), dataset.subset(order[chosen])


def _test_count(n: int, test_size: Any) -> int:
    """Return the number of samples for testing."""
    if n < 2:
        message = "one sample cannot be split in two; give at least two"
        raise DataError(message)
    is_count = isinstance(test_size, Integral) and test_size is not True  # True == 1, but is no number of samples
    if is_count and 1 <= int(test_size) < n:
        return int(test_size)
    is_fraction = isinstance(test_size, Real) and not isinstance(test_size, Integral)
    if not is_fraction or not 0 < float(test_size) < 1:
        message = (
            f"test_size is a fraction strictly between 0 and 1, or for {n} samples a whole number from 1 to {n - 1}; "
            f"it was {test_size!r}"
        )
        raise ConfigError(message)
    count = round(n * float(test_size))
    if not 1 <= count < n:
        message = (
            f"test_size={test_size!r} of {n} samples leaves nothing for {'testing' if count < 1 else 'training'}; "
            f"choose a fraction between {1 / n:.3g} and {1 - 1 / n:.3g}, or a whole number from 1 to {n - 1}"
        )
        raise ConfigError(message)
    return count


def _stratified(dataset: Dataset, order: NDArray[np.intp], n_test: int) -> NDArray[np.bool_]:
    """Return which samples, taken in a random order, are for testing: the first few of each class."""
    labels = dataset.targets
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        message = (
            f"stratify needs one integer label for each sample, and the targets of {dataset.name!r} are "
            f"{labels.dtype} of shape {labels.shape}; use stratify=False"
        )
        raise DataError(message)
    names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        message = (
            f"class {names[counts.argmin()]} of {dataset.name!r} has one sample only, which cannot be in both parts; "
            "add samples of it, remove it, or use stratify=False"
        )
        raise DataError(message)
    if not len(names) <= n_test <= len(labels) - len(names):
        message = (
            f"{n_test} samples for testing of {len(labels)} do not leave one of each of the {len(names)} classes for "
            f"both parts; choose a test_size from {len(names)} to {len(labels) - len(names)}, or use stratify=False"
        )
        raise ConfigError(message)

    quota = _quota(counts, n_test)
    classes = classes[order]
    by_class = np.argsort(classes, kind="stable")
    rank = np.empty_like(order)  # the place of each sample among those of its class
    rank[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen: NDArray[np.bool_] = rank < quota[classes]
    return chosen


def _quota(counts: NDArray[np.intp], n_test: int) -> NDArray[np.intp]:
    """Return how many samples of each class are for testing: its share, rounded so that the total is n_test.

    The rounding errors are made up one sample at a time, in the class that is furthest from its share.
    """
    share = counts * (n_test / counts.sum())
    quota = np.clip(np.floor(share), 1, counts - 1).astype(np.intp)
    while missing := int(n_test - quota.sum()):
        step = 1 if missing > 0 else -1
        has_room = quota < counts - 1 if step > 0 else quota > 1
        quota[np.argmax(np.where(has_room, step * (share - quota), -np.inf))] += step
    return quota
