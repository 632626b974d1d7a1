"""Serving a data set in batches."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError
from ..random._bits import check_seed
from ._order import Purpose, random_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .dataset import Dataset


class DataLoader:
    """The batches of a data set, epoch by epoch.

    Each `iter` is one epoch. With `shuffle`, each epoch has an order of its own, which depends on the seed and on the
    number of the epoch and on nothing else: training that is resumed at an epoch sees what it would have seen.

    Parameters
    ----------
    dataset
        n samples.
    batch_size
        Samples in a batch, at least 1.
    shuffle
        Whether batches are drawn in random order. If not, they are views of the data set's arrays, not copies.
    seed
        0 to 2**64 - 1.
    drop_last
        Leave out the last batch of an epoch where it is smaller than the others. By default it is kept.

    Raises
    ------
    ConfigError
        For a batch size or seed outside its range, or where every batch would be left out.

    Examples
    --------
    >>> from deepcore.data import DataLoader, digits
    >>> loader = DataLoader(digits(), batch_size=512, shuffle=True, seed=1)
    >>> len(loader)
    4
    >>> [len(targets) for inputs, targets in loader]
    [512, 512, 512, 261]
    >>> loader.epoch
    1
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.batch_size = _integer("batch_size", batch_size, least=1)
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.drop_last = drop_last
        self.epoch = 0
        self._skipped = 0
        if len(self) == 0:
            message = (
                f"drop_last leaves no batch: {dataset.name!r} has {len(dataset)} samples, fewer than batch_size="
                f"{batch_size}; use a smaller batch, or drop_last=False"
            )
            raise ConfigError(message)

    @property
    def epoch(self) -> int:
        """The number of the epoch that the next `iter` begins, from 0. Set it to resume, or to repeat an epoch."""
        return self._epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._epoch = _integer("epoch", number, least=0)
        self._skipped = 0

    def resume_at(self, epoch: int, batch: int = 0) -> None:
        """Let the next `iter` begin at a batch of an epoch, both counted from 0, as if those before had been served.

        Examples
        --------
        >>> from deepcore.data import DataLoader, digits
        >>> loader = DataLoader(digits(), batch_size=512)
        >>> loader.resume_at(2, batch=3)
        >>> [len(targets) for inputs, targets in loader]
        [261]
        """
        skipped = _integer("batch", batch, least=0)
        if skipped > len(self):
            message = f"an epoch of {self.dataset.name!r} has {len(self)} batches, so none can be resumed at {skipped}"
            raise ConfigError(message)
        self.epoch = epoch
        self._skipped = skipped

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Begin an epoch, and return its batches of inputs and targets."""
        # Not a generator: the epoch begins here, and not when the first batch is asked for.
        epoch, skipped = self.epoch, self._skipped
        self.epoch = epoch + 1
        return self._batches(epoch, skipped)

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Return the rows of the data set in the order of an epoch, of shape (n,)."""
        if not self.shuffle:
            return np.arange(len(self.dataset))
        index = _integer("epoch", epoch, least=0)
        return random_order(len(self.dataset), seed=self.seed, purpose=Purpose.SHUFFLE, index=index)

    def _batches(self, epoch: int, skipped: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        order = self.order(epoch) if self.shuffle else None
        for start in range(skipped * self.batch_size, len(self) * self.batch_size, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield self.dataset[rows if order is None else order[rows]]


def _integer(name: str, value: int, *, least: int) -> int:
    """Return an option as an integer of 32 bits, or raise ConfigError."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not least <= number < 2**32:
        message = f"{name} is an integer from {least} to 2**32 - 1, not {value!r}"
        raise ConfigError(message)
    return number
