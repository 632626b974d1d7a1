"""Arrays of samples that are read when they are asked for: memory maps, files, and what a function makes of them."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from .._errors import BoundsError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Index: TypeAlias = "slice | Sequence[int] | NDArray[Any]"


class Rows(ABC):
    """Samples that are read from somewhere when they are asked for, and otherwise look like an array.

    A subclass sets `shape` and `dtype` and defines `read`; a :class:`Dataset` takes it for inputs or targets. Reading
    has to be possible in several threads at once if a loader has several workers.

    Attributes
    ----------
    shape
        (n, ...): the number of samples, and the shape of one.
    dtype
        The type of their elements.
    finite
        Whether no element can be NaN or infinite, so that `Dataset.check_finite` need not read them all.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import DataLoader, Dataset, Rows
    >>> class Squares(Rows):
    ...     shape, dtype = (1_000_000, 1), np.dtype(np.float32)
    ...
    ...     def read(self, rows):
    ...         return (rows.astype(np.float32) ** 2)[:, None]
    >>> dataset = Dataset(Squares(), np.zeros(1_000_000))
    >>> inputs, targets = dataset[[2, 3]]
    >>> inputs.tolist()
    [[4.0], [9.0]]
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    finite: bool = False

    @abstractmethod
    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the samples at these rows, each from 0 to n - 1, in their order."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def __getitem__(self, index: int | Index) -> NDArray[Any]:
        if isinstance(index, (int, np.integer)):
            return cast("NDArray[Any]", self.read(row_numbers([operator.index(index)], len(self)))[0])
        return self.read(row_numbers(index, len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            message = f"{self!r} is read when it is asked for, and so cannot be an array without a copy"
            raise DataError(message)
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype})"


class StoredRows(Rows):
    """The rows of an array in a file that another library reads, such as a data set of h5py or an array of Zarr.

    Rows are asked for in increasing order and once each, which h5py needs and disks like.

    Parameters
    ----------
    array
        It has `shape` and `dtype`, and gives an array of NumPy for an increasing array of rows.

    Examples
    --------
    >>> import numpy as np
    >>> StoredRows(np.arange(10.0))[[7, 2, 7]]
    array([7., 2., 7.])
    """

    def __init__(self, array: Any) -> None:
        self.shape, self.dtype = tuple(int(n) for n in array.shape), np.dtype(array.dtype)
        self._array = array

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the samples at these rows."""
        increasing, places = np.unique(rows, return_inverse=True)
        return np.asarray(self._array[increasing])[places]


class ChosenRows(Rows):
    """Some rows of an array that is not held in memory."""

    def __init__(self, values: Any, rows: NDArray[np.intp]) -> None:
        of_chosen = isinstance(values, ChosenRows)
        self.values: Any = values.values if of_chosen else values
        self.rows: NDArray[np.intp] = values.rows[rows] if of_chosen else rows
        self.shape, self.dtype = (len(rows), *values.shape[1:]), values.dtype
        self.finite = bool(getattr(values, "finite", False))

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the samples at these rows."""
        return take(self.values, self.rows[rows])


class MappedRows(Rows):
    """What a function makes of the rows of an array that is not held in memory, batch by batch."""

    def __init__(self, values: Any, function: Callable[[Any], Any], name: str) -> None:
        self.values, self._function, self._name = values, function, name
        first = self._made(take(values, slice(0, 1)))
        self.shape, self.dtype = (len(values), *first.shape[1:]), first.dtype

    def read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return what the function makes of the samples at these rows."""
        return self._made(take(self.values, rows))

    def _made(self, values: Any) -> NDArray[Any]:
        return made_by(self._function, values, self._name)


def made_by(function: Callable[[Any], Any], values: Any, name: str) -> NDArray[Any]:
    """Return what a function makes of samples, or raise DataError if that is not as many."""
    made = np.asarray(function(values))
    if made.shape[:1] != (len(values),):
        message = (
            f"the function that maps {name!r} made an array of shape {made.shape} of {len(values)} samples; it takes "
            "several samples at once, and returns as many, along the first axis"
        )
        raise DataError(message)
    return made


def is_held(values: Any) -> bool:
    """Return whether samples are held in memory, rather than read from somewhere."""
    return not isinstance(values, (np.memmap, Rows))


def take(values: Any, rows: slice | NDArray[np.intp]) -> Any:
    """Return the samples at some rows: a view, for a slice of an array in memory, and otherwise a copy."""
    found = values[rows]
    # A memory map is read here, and not when the batch is used, and is an array like every other afterwards.
    return np.array(found) if isinstance(found, np.memmap) else found


def at(values: Any, rows: NDArray[np.intp]) -> Any:
    """Return the samples at some rows, each of which is known to be from 0 to n - 1."""
    return values.read(rows) if isinstance(values, Rows) else take(values, rows)


def row_numbers(index: Index, n: int) -> NDArray[np.intp]:
    """Return the rows that an index means, from 0 to n - 1, or raise BoundsError."""
    if isinstance(index, slice):
        return np.arange(n)[index]
    rows = np.asarray(index)
    if rows.dtype.kind == "b" and rows.shape == (n,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        message = f"rows are a sequence of integers or a mask of {n}, not {rows.dtype} of shape {rows.shape}"
        raise BoundsError(message)
    wrong = (rows < -n) | (rows >= n)
    if wrong.any():
        message = f"row {rows[np.argmax(wrong)]} is out of bounds: there are {n}"
        raise BoundsError(message)
    return np.where(rows < 0, rows + n, rows).astype(np.intp)
