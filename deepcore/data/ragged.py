"""Samples of different lengths, and batches of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataError
from .rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


class Ragged(Rows):
    """Samples whose first axes have different lengths, such as sentences; all else is the same.

    As inputs of a data set they need a loader that puts them into one array, by :class:`PadCollate`.

    Parameters
    ----------
    samples
        Arrays of numbers, of shapes (T_i, ...), or lists of numbers.

    Raises
    ------
    DataError
        For no samples, samples that differ in more than their lengths, or are not numbers. The message names the first.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import DataLoader, Dataset, PadCollate, Ragged
    >>> words = Dataset(Ragged([[5, 2], [7, 1, 3], [4]]), np.array([0, 1, 0]))
    >>> inputs, targets = next(iter(DataLoader(words, collate=PadCollate())))
    >>> inputs
    array([[5, 2, 0],
           [7, 1, 3],
           [4, 0, 0]])
    """

    def __init__(self, samples: Iterable[Any]) -> None:
        self.samples: list[NDArray[Any]] = [np.asarray(sample) for sample in samples]
        if not self.samples:
            message = "there are no samples; give at least one"
            raise DataError(message)
        filled = [sample for sample in self.samples if sample.size] or self.samples
        for i, sample in enumerate(self.samples):
            if sample.dtype.kind in "OSUMmV" or sample.ndim == 0 or sample.shape[1:] != filled[0].shape[1:]:
                message = (
                    f"sample {i} is {sample.dtype} of shape {sample.shape}; samples are numbers, and have the shape "
                    f"{('T', *filled[0].shape[1:])} with any T"
                )
                raise DataError(message)
        self.dtype = np.result_type(*{sample.dtype for sample in filled})
        self.shape = (len(self.samples), max(len(sample) for sample in self.samples), *filled[0].shape[1:])

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the samples at these rows: an array of arrays, unless they have one length."""
        chosen = [self.samples[i].astype(self.dtype, copy=False) for i in rows]
        if len({len(sample) for sample in chosen}) == 1:
            return np.stack(chosen)
        result = np.empty(len(chosen), object)
        result[:] = chosen
        return result


class PadCollate:
    """A way to make a batch: samples are filled up at their ends, to the length of the longest.

    Parameters
    ----------
    value
        What inputs are filled with.
    target_value
        What targets are filled with, if they are sequences too. Losses leave out labels of ``ignore_index``.
    length
        A length that all batches have. Longer samples are cut. By default it is that of the longest in the batch.
    lengths
        Whether inputs become a pair, of the filled-up array and of the true lengths.

    Examples
    --------
    >>> PadCollate(value=-1)([([1, 2, 3], 0), ([4], 1)])
    (array([[ 1,  2,  3],
           [ 4, -1, -1]]), array([0, 1]))
    """

    def __init__(
        self, value: float = 0, *, target_value: float = -100, length: int | None = None, lengths: bool = False
    ) -> None:
        self.value, self.target_value, self.length, self.lengths = value, target_value, length, lengths

    def __call__(self, samples: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
        """Return the inputs and targets of a batch."""
        inputs, targets = ([np.asarray(part) for part in parts] for parts in zip(*samples, strict=True))
        padded = self._padded(inputs, self.value)
        known = self._padded(targets, self.target_value) if targets[0].ndim else np.stack(targets)
        if not self.lengths:
            return padded, known
        return (padded, np.minimum([len(sample) for sample in inputs], padded.shape[1])), known

    def _padded(self, samples: list[NDArray[Any]], value: float) -> NDArray[Any]:
        length = max(len(sample) for sample in samples) if self.length is None else self.length
        shape = max((sample for sample in samples), key=len).shape[1:]
        result = np.full((len(samples), length, *shape), value, np.result_type(*{sample.dtype for sample in samples}))
        for row, sample in zip(result, samples, strict=True):
            row[: len(sample)] = sample[:length]
        return result
