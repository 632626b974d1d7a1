"""Samplers: which samples an epoch serves, and in which order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError, DataError
from ..random._bits import uniforms
from ..random.generator import Generator
from ._order import Purpose, random_order, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sampler(ABC):
    """Which samples an epoch serves, and in which order: a function of the seed, the epoch and the batch size.

    A subclass defines `order` and `__len__`.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import DataLoader, Dataset, Sampler
    >>> class Backwards(Sampler):
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def order(self, *, seed, epoch, batch_size):
    ...         return np.array([2, 1, 0])
    >>> for inputs, targets in DataLoader(Dataset(np.arange(3), np.arange(3)), batch_size=2, sampler=Backwards()):
    ...     print(inputs)
    [2 1]
    [0]
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples of an epoch."""

    @abstractmethod
    def order(self, *, seed: int, epoch: int, batch_size: int) -> NDArray[np.intp]:
        """Return the rows of the data set that an epoch serves, in their order."""


class SequentialSampler(Sampler):
    """Each of n samples once, in the order of the data set."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def order(self, *, seed: int, epoch: int, batch_size: int) -> NDArray[np.intp]:
        """Return 0, 1, ..., n - 1."""
        return np.arange(self._n)


class RandomSampler(Sampler):
    """Each of n samples once, in random order: what `shuffle=True` means."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def order(self, *, seed: int, epoch: int, batch_size: int) -> NDArray[np.intp]:
        """Return the permutation of this epoch."""
        return random_order(self._n, seed=seed, purpose=Purpose.SHUFFLE, index=epoch)


class SubsetSampler(Sampler):
    """Some of the samples, each once, in random order or in theirs.

    Parameters
    ----------
    rows
        Integers from 0 to n - 1.
    shuffle
        Whether each epoch has a random order.

    Examples
    --------
    >>> SubsetSampler([4, 2], shuffle=False).order(seed=0, epoch=0, batch_size=1)
    array([4, 2])
    """

    def __init__(self, rows: Any, *, shuffle: bool = True) -> None:
        found = np.asarray(rows)
        if found.ndim != 1 or found.dtype.kind not in "iu" or not found.size:
            message = f"a subset is a sequence of at least one row number, not {rows!r}"
            raise ConfigError(message)
        self._rows: NDArray[np.intp] = found.astype(np.intp)
        self._shuffle = shuffle

    def __len__(self) -> int:
        return len(self._rows)

    def order(self, *, seed: int, epoch: int, batch_size: int) -> NDArray[np.intp]:
        """Return the rows, in random order if they are shuffled."""
        if not self._shuffle:
            return self._rows
        return self._rows[random_order(len(self._rows), seed=seed, purpose=Purpose.SHUFFLE, index=epoch)]


class WeightedSampler(Sampler):
    r"""Samples drawn at random, each with a probability proportional to its weight.

    With replacement, every draw gives row $i$ with probability $w_i / \sum_j w_j$. Without, that is the probability
    among the rows that are left.

    Parameters
    ----------
    weights
        A number for each sample of the data set, not negative and not all 0.
    n_samples
        The number of draws in an epoch; by default as many as there are weights.
    replacement
        Whether a sample can be drawn more than once in an epoch.

    Raises
    ------
    ConfigError
        For weights that are no such numbers, and more draws without replacement than weights that are not 0.

    Examples
    --------
    >>> WeightedSampler([0.1, 0.0, 0.9], 8).order(seed=0, epoch=0, batch_size=4)
    array([2, 2, 2, 2, 2, 2, 2, 2])

    References
    ----------
    P. S. Efraimidis and P. G. Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97,
    2006, for the draws without replacement.
    """

    def __init__(self, weights: Any, n_samples: int | None = None, *, replacement: bool = True) -> None:
        found = np.asarray(weights)
        if found.ndim != 1 or found.dtype.kind not in "biuf" or not found.size:
            message = f"weights are a number for each sample, not {found.dtype} of shape {found.shape}"
            raise ConfigError(message)
        w = found.astype(np.float64)
        if not np.isfinite(w).all() or w.min() < 0 or not w.max() > 0:
            message = f"weights are finite, not negative and not all 0; these are from {w.min()} to {w.max()}"
            raise ConfigError(message)
        w /= w.max()  # so that the sum cannot overflow
        self._p: NDArray[np.float64] = w / w.sum()
        self._n = len(w) if n_samples is None else n_samples
        self._replacement = replacement
        possible = int(np.count_nonzero(self._p))
        if self._n < 1 or (not replacement and self._n > possible):
            message = f"{self._n} samples cannot be drawn: {possible} of the weights are not 0"
            raise ConfigError(message)

    @classmethod
    def balanced(cls, labels: Any, n_samples: int | None = None) -> WeightedSampler:
        r"""Return the sampler that draws every class equally often: $w_i = 1 / n_c$ for a sample of class $c$.

        Examples
        --------
        >>> import numpy as np
        >>> labels = np.array([0] * 900 + [1] * 100)
        >>> order = WeightedSampler.balanced(labels, 2000).order(seed=0, epoch=0, batch_size=32)
        >>> bool(abs(labels[order].mean() - 0.5) < 0.05)
        True
        """
        _, classes, counts = np.unique(_labels(labels), return_inverse=True, return_counts=True)
        return cls(1.0 / counts[classes], n_samples)

    def __len__(self) -> int:
        return self._n

    def order(self, *, seed: int, epoch: int, batch_size: int) -> NDArray[np.intp]:
        """Return the draws of this epoch."""
        generator = Generator(seed, draw=stream(Purpose.WEIGHTED, epoch))
        drawn = generator.choice(len(self._p), self._n, replace=self._replacement, p=self._p, device="cpu")
        return drawn.numpy().astype(np.intp)


class StratifiedSampler(Sampler):
    r"""Each sample once, in random order, with the proportions of the classes the same in every batch.

    If a share of $p$ of the samples has a class, a batch of $b$ has $bp$ of them, rounded down or up (or by one more,
    where a last batch of another size takes part of the rounding).

    Parameters
    ----------
    labels
        The class of each sample: integers of shape (n,).

    Notes
    -----
    The samples, class by class and in random order within each, are dealt in turn to the batches, like cards. Those of
    a smaller last batch are set aside before, at equal distances.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([0] * 90 + [1] * 10)
    >>> order = StratifiedSampler(labels).order(seed=0, epoch=0, batch_size=20)
    >>> labels[order].reshape(5, 20).sum(axis=1)
    array([2, 2, 2, 2, 2])
    """

    def __init__(self, labels: Any) -> None:
        self._labels = _labels(labels)

    def __len__(self) -> int:
        return len(self._labels)

    def order(self, *, seed: int, epoch: int, batch_size: int) -> NDArray[np.intp]:
        """Return the order of this epoch."""
        n = len(self)
        random = random_order(n, seed=seed, purpose=Purpose.STRATIFIED, index=epoch)
        cards = random[np.argsort(self._labels[random], kind="stable")]
        u = uniforms(seed, stream(Purpose.OFFSET, epoch), 2, np.float64)
        whole, rest = divmod(n, batch_size)
        aside = np.zeros(n, bool)
        if rest:
            aside[((np.arange(rest) + u[0]) * (n / rest)).astype(np.intp)] = True
        dealt = cards[~aside]
        hands = random_order(max(whole, 1), seed=seed, purpose=Purpose.BATCHES, index=epoch)
        batch = np.full(n, whole)
        batch[dealt] = hands[(np.arange(len(dealt)) + int(u[1] * len(hands))) % len(hands)]
        mixed = random_order(n, seed=seed, purpose=Purpose.WITHIN, index=epoch)  # the classes, within a batch
        return mixed[np.argsort(batch[mixed], kind="stable")]


def _labels(labels: Any) -> NDArray[Any]:
    """Return labels as an array, or raise DataError."""
    found = np.asarray(labels)
    if found.ndim != 1 or found.dtype.kind not in "biu" or not found.size:
        message = f"one integer label for each sample is needed, not {found.dtype} of shape {found.shape}"
        raise DataError(message)
    return found
