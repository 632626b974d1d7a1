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
    chosen = np.arange(len(dataset)) < n_test
    if stratify:
        chosen = _stratified(dataset.targets, dataset.name, order, n_test)
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


def split(targets: Any, name: str, sizes: tuple[float, ...], *, seed: int, stratify: bool) -> list[NDArray[np.intp]]:
    """Return the rows of each part of a data set with these targets: what `Dataset.split` is made of."""
    counts = _counts(len(targets), sizes)
    order = random_order(len(targets), seed=seed, purpose=Purpose.SPLIT)
    if not stratify:
        return np.split(order, np.cumsum(counts)[:-1])
    labels = np.asarray(targets)
    parts: list[NDArray[np.intp]] = []
    for i, count in enumerate(counts[:-1]):
        chosen = _stratified(labels, name, order, count, parts=len(counts) - i)
        parts.append(order[chosen])
        order = order[~chosen]
    return [*parts, order]


def _counts(n: int, sizes: tuple[float, ...]) -> list[int]:
    """Return the number of samples of each part, by rounding the ends of the parts."""
    if len(sizes) < 2 or any(isinstance(size, bool) or not isinstance(size, Real) for size in sizes):
        message = f"a split has two sizes or more, which are numbers, not {sizes!r}"
        raise ConfigError(message)
    if all(isinstance(size, Integral) for size in sizes):
        counts, wanted = [int(size) for size in sizes], f"numbers of samples whose sum is {n}"
        fits = sum(counts) == n
    else:
        fits, wanted = abs(sum(sizes) - 1) < 1e-9 and min(sizes) > 0, "fractions whose sum is 1"
        ends = np.rint(np.cumsum(sizes) * n).astype(int) if fits else np.zeros(0, int)
        counts = np.diff(ends, prepend=0).tolist()
    if not fits or min(counts) < 1:
        message = (
            f"the sizes of a split of {n} samples are {wanted}, and leave none of its parts empty; they are {sizes!r}"
        )
        raise ConfigError(message)
    return counts


def _stratified(labels: Any, name: str, order: NDArray[np.intp], n_test: int, *, parts: int = 2) -> NDArray[np.bool_]:
    """Return which samples, taken in a random order, are for testing: the first few of each class.

    What is left over has a sample of every class for each of the other parts.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        message = (
            f"stratify needs one integer label for each sample, and the targets of {name!r} are "
            f"{labels.dtype} of shape {labels.shape}; use stratify=False"
        )
        raise DataError(message)
    names, classes, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    if counts.min() < parts:
        has = "one sample only" if counts.min() == 1 else f"{counts.min()} samples only"
        message = (
            f"class {names[counts.argmin()]} of {name!r} has {has}, which cannot be in {_all(parts)} parts; "
            "add samples of it, remove it, or use stratify=False"
        )
        raise DataError(message)
    most = len(order) - len(names) * (parts - 1)
    if not len(names) <= n_test <= most:
        message = (
            f"{n_test} samples for testing of {len(order)} do not leave one of each of the {len(names)} classes for "
            f"{_all(parts)} parts; choose a test_size from {len(names)} to {most}, or use stratify=False"
        )
        raise ConfigError(message)

    quota = _quota(counts, n_test, reserve=parts - 1)
    by_class = np.argsort(classes, kind="stable")
    rank = np.empty_like(order)  # the place of each sample among those of its class
    rank[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen: NDArray[np.bool_] = rank < quota[classes]
    return chosen


def _all(parts: int) -> str:
    return "both" if parts == 2 else f"all {parts}"


def _quota(counts: NDArray[np.intp], n_test: int, *, reserve: int = 1) -> NDArray[np.intp]:
    """Return how many samples of each class are for testing: its share, rounded so that the total is n_test.

    At least one sample is for testing, and those in reserve are not. The rounding errors are made up one sample at a
    time, in the class that is furthest from its share.
    """
    share = counts * (n_test / counts.sum())
    quota = np.clip(np.floor(share), 1, counts - reserve).astype(np.intp)
    while missing := int(n_test - quota.sum()):
        step = 1 if missing > 0 else -1
        has_room = quota < counts - reserve if step > 0 else quota > 1
        quota[np.argmax(np.where(has_room, step * (share - quota), -np.inf))] += step
    return quota
