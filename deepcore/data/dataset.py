"""A data set: inputs and targets, sample by sample, checked where it is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Inputs and targets in two arrays, whose rows are samples.

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

    inputs: NDArray[Any]
    targets: NDArray[Any]
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
        return zip(self.inputs, self.targets, strict=True)

    def __repr__(self) -> str:
        inputs, targets = (f"{a.shape[1:]} {a.dtype}" for a in (self.inputs, self.targets))
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"Dataset({self.name!r}, {len(self)} samples, inputs {inputs}, targets {targets}{classes})"

    @property
    def n_classes(self) -> int:
        """The number of classes: that of their names, or else the largest integer label + 1."""
        if self.classes:
            return len(self.classes)
        if self.targets.dtype.kind not in "iu" or self.targets.min() < 0:
            message = (
                f"{self.name!r} has no classes: its targets are not integers ≥ 0 but {self.targets.dtype} from "
                f"{self.targets.min()} to {self.targets.max()}; for a classification, label the classes 0, 1, 2, ..."
            )
            raise DataError(message)
        return int(self.targets.max()) + 1

    def subset(self, indices: slice | Sequence[int] | NDArray[Any]) -> Dataset:
        """Return the samples at some rows, given as a slice (no copy is made), integers, or a mask.

        Raises DataError where the rows do not exist, or there are none.
        """
        if not isinstance(indices, slice):
            indices = np.asarray(indices)
            if indices.ndim != 1 or indices.size == 0:
                message = f"rows of {self.name!r} are chosen by a sequence of integers, not by {indices!r}"
                raise DataError(message)
        try:
            return replace(self, inputs=self.inputs[indices], targets=self.targets[indices])
        except IndexError as error:
            message = f"{self.name!r} has rows 0 to {len(self) - 1}, and not those asked for: {error}"
            raise DataError(message) from error

    def check_finite(self) -> None:
        """Raise DataError if inputs or targets hold NaN or infinity, saying where first, and how many."""
        for what, values in (("inputs", self.inputs), ("targets", self.targets)):
            if values.dtype.kind in "biu":
                continue
            finite = np.isfinite(values)
            if finite.all():
                continue
            row, *position = (int(i) for i in np.unravel_index(np.argmin(finite), finite.shape))
            message = (
                f"the {what} of {self.name!r} hold {finite.size - np.count_nonzero(finite)} values that are NaN or "
                f"infinite; the first is {values[(row, *position)]} in sample {row} at position {tuple(position)}; "
                "remove these samples or fill in the values"
            )
            raise DataError(message)

    def check_labels(self, n_classes: int) -> None:
        """Raise DataError unless every target is an integer from 0 to n_classes - 1, naming the first that is not."""
        if n_classes < 1:
            message = f"n_classes is at least 1, not {n_classes}"
            raise ConfigError(message)
        labels = self.targets
        if labels.dtype.kind not in "iu":
            remedy = "convert them with targets.astype(numpy.int64)"
            if labels.dtype.kind == "f" and (broken := labels != np.floor(labels)).any():
                first = np.unravel_index(np.argmax(broken), labels.shape)
                remedy = f"the first that is not whole is {labels[first]} in sample {first[0]}"
            message = f"the labels of {self.name!r} are integers, not {labels.dtype}; {remedy}"
            raise DataError(message)
        wrong = (labels < 0) | (labels >= n_classes)
        if wrong.any():
            first = np.unravel_index(np.argmax(wrong), labels.shape)
            message = (
                f"the labels of {self.name!r} are 0 to {n_classes - 1}, but {np.count_nonzero(wrong)} are not; the "
                f"first is {labels[first]} in sample {first[0]}; correct them, or allow for more classes"
            )
            raise DataError(message)


def _check_numbers(values: object, what: str, remedy: str) -> None:
    """Raise DataError unless the values are an array of numbers with at least one sample."""
    if not isinstance(values, np.ndarray):
        message = f"{what} are a NumPy array, not {type(values).__name__}; convert them with numpy.asarray"
        raise DataError(message)
    # kind V are both records, which are not numbers, and the types of ml_dtypes, such as bfloat16, which are
    if values.dtype.kind in "OSUTMm" or values.dtype.type is np.void:
        message = f"{what} are numbers, not {values.dtype}; {remedy}"
        raise DataError(message)
    if values.size == 0 or values.ndim == 0:
        message = f"{what} are empty or a scalar (shape {values.shape}); give at least one sample, along the first axis"
        raise DataError(message)
