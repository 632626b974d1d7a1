"""Serving a data set in batches."""

from __future__ import annotations

import operator
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._errors import ConfigError, DataError, DeepcoreError, StateError
from ..random._bits import check_seed
from ._ahead import ahead
from .draws import Draws
from .rows import at, take
from .sampler import RandomSampler
from .transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .dataset import Dataset
    from .sampler import Sampler

    Batch: TypeAlias = tuple[NDArray[Any], NDArray[Any]]
    Collate: TypeAlias = Callable[[Sequence[tuple[Any, Any]]], tuple[Any, Any]]


class DataLoader:
    """The batches of a data set, epoch by epoch.

    Each `iter` is one epoch. With `shuffle`, each epoch has an order of its own, which depends on the seed and on the
    number of the epoch and on nothing else: training that is resumed at an epoch, or in the middle of one, sees what it
    would have seen.

    Parameters
    ----------
    dataset
        n samples.
    batch_size
        Samples in a batch, at least 1.
    shuffle
        Whether batches are drawn in random order. If not, they are views of arrays that the data set holds in memory.
    seed
        0 to 2**64 - 1.
    drop_last
        Leave out the last batch of an epoch where it is smaller than the others. By default it is kept.
    sampler
        Decides instead of `shuffle` which samples an epoch serves, and in which order.
    collate
        Makes a batch of samples: a function of a list of pairs (input, target). By default they are rows of one array;
        :class:`PadCollate` takes samples of different lengths.
    transform, target_transform
        What is done with the inputs and with the targets of a batch: a :class:`~deepcore.data.transforms.Transform` or
        another function of an array. Random ones draw the same numbers for the inputs and the targets of a sample.
    prefetch
        The number of batches that are prepared ahead, in threads; 0 for none. It bounds the memory: there are never
        more besides the one being used. NumPy and files are worked on at the same time as a model is trained;
        transforms in pure Python wait for each other.
    workers
        The number of threads. The batches are the same, and in the same order, for any.

    Raises
    ------
    ConfigError
        For an option outside its range, or where every batch would be left out.

    Notes
    -----
    An error of a transform, of `collate` or of a data set's own rows is raised where the batch would have been served,
    as a DataError that names the batch, with the error itself as its cause. Threads end with the iterator: when the
    epoch ends, the loop is left, or the iterator is dropped.

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
        sampler: Sampler | None = None,
        collate: Collate | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        prefetch: int = 0,
        workers: int = 1,
    ) -> None:
        self.dataset = dataset
        self.batch_size = _integer("batch_size", batch_size, least=1)
        self.shuffle = shuffle
        self.seed = check_seed(seed)
        self.drop_last = drop_last
        self.collate = collate
        self.transform = transform
        self.target_transform = target_transform
        self.prefetch = _integer("prefetch", prefetch, least=0)
        self.workers = _integer("workers", workers, least=1)
        if sampler is not None and shuffle:
            message = "a sampler decides on the order, so that there is nothing to shuffle; leave out shuffle=True"
            raise ConfigError(message)
        self.sampler = RandomSampler(len(dataset)) if shuffle else sampler
        self._iterations = 0
        self.epoch = 0
        if len(self) == 0:
            message = (
                f"drop_last leaves no batch: {dataset.name!r} has {self._samples} samples, fewer than batch_size="
                f"{batch_size}; use a smaller batch, or drop_last=False"
            )
            raise ConfigError(message)

    @property
    def epoch(self) -> int:
        """The number of the epoch that the next `iter` begins, from 0. Set it to resume, or to repeat an epoch."""
        return self._epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self.resume_at(number)

    def resume_at(self, epoch: int, batch: int = 0) -> None:
        """Let the next `iter` begin in the middle of an epoch, whose other batches are as they would have been.

        Parameters
        ----------
        epoch
            The number of the epoch, from 0.
        batch
            The number of batches of it that are left out: 0 to the length of the loader.

        Examples
        --------
        >>> from deepcore.data import DataLoader, digits
        >>> loader = DataLoader(digits(), batch_size=512, shuffle=True)
        >>> loader.resume_at(epoch=7, batch=3)
        >>> [len(targets) for inputs, targets in loader], loader.epoch
        ([261], 8)
        """
        epoch, batch = _integer("epoch", epoch, least=0), _integer("batch", batch, least=0)
        if batch > len(self):
            message = f"an epoch has {len(self)} batches, so that it cannot be resumed after {batch}"
            raise ConfigError(message)
        self._epoch, self._first = divmod(epoch * len(self) + batch, len(self)) if len(self) else (epoch, 0)
        self._position = (self._epoch, self._first)
        self._iterations += 1  # older iterators go on, but do not move the position any more

    def state_dict(self) -> dict[str, int]:
        """Return where the loader is: the epoch that was begun last, and how many of its batches were served.

        Examples
        --------
        >>> from deepcore.data import DataLoader, digits
        >>> loader = DataLoader(digits(), batch_size=512)
        >>> batches = iter(loader)
        >>> inputs, targets = next(batches)
        >>> loader.state_dict()
        {'epoch': 0, 'batch': 1}
        """
        epoch, batch = self._position
        return {"epoch": epoch, "batch": batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another loader was.

        Raises
        ------
        StateError
            If the state is not that of a loader with as many batches.
        """
        if set(state) != {"epoch", "batch"}:
            message = f"the state of a loader has the entries 'epoch' and 'batch', not {', '.join(map(repr, state))}"
            raise StateError(message)
        try:
            self.resume_at(state["epoch"], state["batch"])
        except ConfigError as error:
            message = f"the state does not fit the loader: {error}"
            raise StateError(message) from error

    @property
    def _samples(self) -> int:
        return len(self.dataset) if self.sampler is None else len(self.sampler)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        whole, rest = divmod(self._samples, self.batch_size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def __iter__(self) -> Iterator[Batch]:
        """Begin an epoch, and return its batches of inputs and targets."""
        # Not a generator: the epoch begins here, and not when the first batch is asked for.
        epoch, first = self._epoch, self._first
        self.resume_at(epoch + 1)
        self._position = (epoch, first)
        return self._batches(epoch, first, self._iterations)

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Return the rows of the data set in the order of an epoch, of shape (n,)."""
        if self.sampler is None:
            return np.arange(len(self.dataset))
        index = _integer("epoch", epoch, least=0)
        rows = np.asarray(self.sampler.order(seed=self.seed, epoch=index, batch_size=self.batch_size))
        n = len(self.dataset)
        if rows.shape != (len(self.sampler),) or rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n:
            what = f"{rows.dtype} of shape {rows.shape}"
            what += f", from {rows.min()} to {rows.max()}" if rows.size and rows.dtype.kind in "iuf" else ""
            message = (
                f"the sampler gave {what}, and not {len(self.sampler)} rows of {self.dataset.name!r}, from 0 to {n - 1}"
            )
            raise DataError(message)
        return rows

    def _batches(self, epoch: int, first: int, iteration: int) -> Generator[Batch, None, None]:
        order = None if self.sampler is None else self.order(epoch)
        repeats = None if order is None or self.transform is self.target_transform is None else _repeats(order)

        def prepare(i: int) -> Batch:
            rows = slice(i * self.batch_size, min((i + 1) * self.batch_size, self._samples))
            try:
                return self._prepared(epoch, rows, order, repeats)
            except DeepcoreError as error:
                error.add_note(f"while preparing batch {i} of epoch {epoch} of {self.dataset.name!r}")
                raise
            except Exception as error:
                message = (
                    f"batch {i} of epoch {epoch} of {self.dataset.name!r} could not be prepared: "
                    f"{type(error).__name__}: {error}"
                )
                raise DataError(message) from error

        numbers = range(first, len(self))
        if not self.prefetch:
            for i in numbers:
                batch = prepare(i)
                self._served(epoch, i + 1, iteration)
                yield batch
            return
        with closing(ahead(prepare, numbers, depth=self.prefetch, workers=self.workers)) as batches:
            for i, batch in zip(numbers, batches, strict=True):
                self._served(epoch, i + 1, iteration)
                yield batch

    def _served(self, epoch: int, batch: int, iteration: int) -> None:
        """Remember how many batches were served, if no other epoch was begun in the meantime."""
        if iteration == self._iterations:
            self._position = (epoch, batch) if batch < len(self) else (epoch + 1, 0)

    def _prepared(
        self, epoch: int, places: slice, order: NDArray[np.intp] | None, repeats: NDArray[np.intp] | None
    ) -> Batch:
        """Return the batch at some places of the order of an epoch."""
        if order is None:
            inputs, targets = take(self.dataset.inputs, places), take(self.dataset.targets, places)
        else:
            inputs, targets = (at(values, order[places]) for values in (self.dataset.inputs, self.dataset.targets))
        if self.collate is not None:
            inputs, targets = self.collate(list(zip(inputs, targets, strict=True)))
        elif inputs.dtype.kind == "O" or targets.dtype.kind == "O":
            message = f"the samples of {self.dataset.name!r} have different lengths; give collate=PadCollate()"
            raise DataError(message)
        if self.transform is None and self.target_transform is None:
            return inputs, targets
        found = np.arange(places.start, places.stop) if order is None else order[places]
        again = None if repeats is None else repeats[places]
        # the same numbers twice, so that an image and its mask are turned alike
        first, second = (Draws(self.seed, epoch, found, again) for _ in range(2))
        return _transformed(self.transform, inputs, first), _transformed(self.target_transform, targets, second)


def _transformed(transform: Callable[[Any], Any] | None, batch: Any, draws: Draws) -> Any:
    if transform is None:
        return batch
    return transform(batch, draws) if isinstance(transform, Transform) else transform(batch)


def _repeats(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return how often each row of an order came before."""
    by_row = np.argsort(order, kind="stable")
    ordered = order[by_row]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    repeats = np.empty_like(by_row)
    repeats[by_row] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return repeats


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
