"""A data set: inputs and targets, sample by sample, checked where it is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from .._errors import ConfigError, DataError
from .rows import ChosenRows, MappedRows, Rows, is_held, made_by, row_numbers, take
from .split import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Samples: TypeAlias = Any  # an array of NumPy or Rows, which mostly look alike

_CHUNK: Final = 1 << 22  # elements that are checked at once


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Inputs and targets in two arrays, whose rows are samples.

    An array may be memory-mapped, as by `read_npy`, or be :class:`Rows`, and then be larger than memory: samples are
    read when they are asked for, and nothing here reads them all at once.

    Parameters
    ----------
    inputs
        Numbers, of shape (n, ...) with n ≥ 1. They are held as they are, without a copy.
    targets
        Numbers, of shape (n, ...): class labels 0 .. C-1 of shape (n,), or what is to be predicted.
    name
        What error messages call the data set.
    classes
        The name of each class, in the order of the labels; empty where there are none.

    Raises
    ------
    DataError
        For arrays of different lengths, empty arrays, and elements that are not numbers.

    Examples
    --------
    >>> import numpy as np
    >>> data = Dataset(np.zeros((3, 2), np.float32), np.array([0, 1, 1]), name="coins", classes=("heads", "tails"))
    >>> data
    Dataset('coins', 3 samples, inputs (2,) float32, targets () int64, 2 classes)
    >>> inputs, target = data[1]
    >>> len(data.subset(data.targets == 1))
    2
    """

    inputs: Samples
    targets: Samples
    name: str = "data"
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_numbers(self.inputs, f"the inputs of {self.name!r}", "encode them as numbers")
        _check_numbers(
            self.targets,
            f"the targets of {self.name!r}",
            "encode labels as integers: numpy.unique(labels, return_inverse=True)",
        )
        if len(self.inputs) != len(self.targets):
            message = (
                f"{self.name!r} has {len(self.inputs)} inputs but {len(self.targets)} targets; "
                "give one target for each input, along the first axis of both"
            )
            raise DataError(message)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.inputs[index], self.targets[index]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return ((self.inputs[i], self.targets[i]) for i in range(len(self)))

    def __repr__(self) -> str:
        inputs, targets = (f"{a.shape[1:]} {a.dtype}" for a in (self.inputs, self.targets))
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"Dataset({self.name!r}, {len(self)} samples, inputs {inputs}, targets {targets}{classes})"

    @property
    def n_classes(self) -> int:
        """The number of classes: that of their names, or else the largest integer label + 1."""
        if self.classes:
            return len(self.classes)
        parts = [(part.min(), part.max()) for _, part in _chunks(self.targets)]
        least, most = (min(low for low, _ in parts), max(high for _, high in parts))
        if self.targets.dtype.kind not in "iu" or least < 0:
            message = (
                f"{self.name!r} has no classes: its targets are not integers ≥ 0 but {self.targets.dtype} from "
                f"{least} to {most}; for a classification, label the classes 0, 1, 2, ..."
            )
            raise DataError(message)
        return int(most) + 1

    def subset(self, indices: slice | Sequence[int] | NDArray[Any]) -> Dataset:
        """Return the samples at some rows, given as a slice (no copy is made), integers, or a mask.

        Rows of an array that is not held in memory are not read, but remembered.

        Raises DataError where the rows do not exist, or there are none.
        """
        if not isinstance(indices, slice):
            indices = np.asarray(indices)
            if indices.ndim != 1 or indices.size == 0:
                message = f"rows of {self.name!r} are chosen by a sequence of integers, not by {indices!r}"
                raise DataError(message)
        try:
            return replace(self, inputs=_chosen(self.inputs, indices), targets=_chosen(self.targets, indices))
        except IndexError as error:
            message = f"{self.name!r} has rows 0 to {len(self) - 1}, and not those asked for: {error}"
            raise DataError(message) from error

    def map(
        self,
        inputs: Callable[[Any], Any] | None = None,
        targets: Callable[[Any], Any] | None = None,
        *,
        classes: tuple[str, ...] | None = None,
    ) -> Dataset:
        """Return the samples with other inputs or targets, which functions make of them.

        Arrays in memory are mapped now, and others batch by batch, whenever they are read.

        Parameters
        ----------
        inputs
            What to do with the inputs: a function of several at once, of shape (m, ...), which returns as many.
        targets
            Likewise with the targets.
        classes
            The names of the new classes, where the targets change their meaning; the old ones by default.

        Raises
        ------
        DataError
            If a function makes another number of samples, or something that is not numbers.

        Examples
        --------
        >>> from deepcore.data import digits
        >>> digits().map(lambda x: x.reshape(len(x), 64), lambda y: y % 2, classes=("even", "odd"))
        Dataset('digits', 1797 samples, inputs (64,) float32, targets () int64, 2 classes)
        """
        return replace(
            self,
            inputs=_mapped(self.inputs, inputs, self.name),
            targets=_mapped(self.targets, targets, self.name),
            classes=self.classes if classes is None else classes,
        )

    def split(self, *sizes: float, seed: int = 0, stratify: bool = False) -> tuple[Dataset, ...]:
        """Split the samples at random into several parts, which together hold each once.

        Parameters
        ----------
        *sizes
            How many samples each part has: fractions of n whose sum is 1, or numbers whose sum is n.
        seed
            0 to 2**64 - 1. The same seed gives the same split on every machine.
        stratify
            Give all parts the same proportions of classes, up to rounding, and at least one sample of every class.

        Raises
        ------
        ConfigError
            For sizes or a seed out of range, or a part that would be empty or lack a class.
        DataError
            Stratified, for targets that are not labels, and classes of fewer samples than parts.

        Examples
        --------
        >>> from deepcore.data import digits
        >>> [len(part) for part in digits().split(0.8, 0.1, 0.1, seed=1)]
        [1438, 179, 180]
        """
        parts = split(self.targets, self.name, sizes, seed=seed, stratify=stratify)
        return tuple(self.subset(rows) for rows in parts)

    def check_finite(self) -> None:
        """Raise DataError if inputs or targets hold NaN or infinity, saying where first, and how many."""
        for what, values in (("inputs", self.inputs), ("targets", self.targets)):
            if values.dtype.kind in "biu" or getattr(values, "finite", False):
                continue
            count, first = 0, ""
            for start, part in _chunks(values):
                finite = np.isfinite(part)
                if finite.all():
                    continue
                if not count:
                    row, *position = (int(i) for i in np.unravel_index(np.argmin(finite), finite.shape))
                    first = f"{part[(row, *position)]} in sample {start + row} at position {tuple(position)}"
                count += finite.size - int(np.count_nonzero(finite))
            if count:
                message = (
                    f"the {what} of {self.name!r} hold {count} values that are NaN or infinite; the first is {first}; "
                    "remove these samples or fill in the values"
                )
                raise DataError(message)

    def check_labels(self, n_classes: int) -> None:
        """Raise DataError unless every target is an integer from 0 to n_classes - 1, naming the first that is not."""
        if n_classes < 1:
            message = f"n_classes is at least 1, not {n_classes}"
            raise ConfigError(message)
        dtype = self.targets.dtype
        if dtype.kind not in "iu":
            message = f"the labels of {self.name!r} are integers, not {dtype}; {_remedy(self.targets)}"
            raise DataError(message)
        count, found = 0, ""
        for start, labels in _chunks(self.targets):
            wrong = (labels < 0) | (labels >= n_classes)
            if wrong.any():
                first = np.unravel_index(np.argmax(wrong), labels.shape)
                found = found or f"{labels[first]} in sample {start + int(first[0])}"
                count += int(np.count_nonzero(wrong))
        if count:
            message = (
                f"the labels of {self.name!r} are 0 to {n_classes - 1}, but {count} are not; the first is {found}; "
                "correct them, or allow for more classes"
            )
            raise DataError(message)


def _chosen(values: Samples, rows: slice | NDArray[Any]) -> Samples:
    """Return some rows of an array, reading them only where the array is held in memory or they are single numbers."""
    if is_held(values) or (isinstance(rows, slice) and isinstance(values, np.memmap)):
        return values[rows]
    chosen = ChosenRows(values, row_numbers(rows, len(values)))
    return chosen[:] if chosen.ndim == 1 else chosen


def _mapped(values: Samples, function: Callable[[Any], Any] | None, name: str) -> Samples:
    if function is None:
        return values
    return made_by(function, values, name) if is_held(values) else MappedRows(values, function, name)


def _chunks(values: Samples) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield an array in parts of some megabytes, each with its first row; samples of different lengths one by one."""
    step = max(1, _CHUNK * len(values) // values.size)
    for start in range(0, len(values), step):
        part = take(values, slice(start, start + step))
        if part.dtype.kind != "O":
            yield start, part
        else:
            yield from ((start + i, sample[None]) for i, sample in enumerate(part) if sample.size)


def _remedy(targets: Samples) -> str:
    """Return what to do about labels that are not integers."""
    for start, labels in _chunks(targets) if targets.dtype.kind == "f" else ():
        broken = labels != np.floor(labels)
        if broken.any():
            first = np.unravel_index(np.argmax(broken), labels.shape)
            return f"the first that is not whole is {labels[first]} in sample {start + int(first[0])}"
    return "convert them with targets.astype(numpy.int64)"


def _check_numbers(values: object, what: str, remedy: str) -> None:
    """Raise DataError unless the values are an array of numbers with at least one sample."""
    if not isinstance(values, (np.ndarray, Rows)):
        message = f"{what} are a NumPy array, not {type(values).__name__}; convert them with numpy.asarray"
        raise DataError(message)
    # kind V are both records, which are not numbers, and the types of ml_dtypes, such as bfloat16, which are
    if values.dtype.kind in "OSUTMm" or values.dtype.type is np.void:
        message = f"{what} are numbers, not {values.dtype}; {remedy}"
        raise DataError(message)
    if values.size == 0 or values.ndim == 0:
        message = f"{what} are empty or a scalar (shape {values.shape}); give at least one sample, along the first axis"
        raise DataError(message)
