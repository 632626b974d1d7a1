"""Mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._errors import ConfigError, DataError
from ..rows import take
from ._transform import Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..dataset import Dataset
    from ..draws import Draws

_CHUNK = 1 << 20  # elements that are read at once


class Normalize(Transform):
    r"""Subtract the mean and divide by the standard deviation: $y = (x - \mu) / \sigma$.

    Parameters
    ----------
    mean, std
        Numbers, or arrays that broadcast with a sample: of shape (C, 1, 1) for the channels of an image.

    Raises
    ------
    ConfigError
        For a standard deviation that is not above 0, or a mean that is not finite.

    Examples
    --------
    >>> from deepcore.data import digits, transforms
    >>> normalize = transforms.Normalize.fit(digits())
    >>> x = normalize(digits().inputs)
    >>> bool(abs(x.mean()) < 1e-5 and abs(x.std() - 1) < 1e-5)
    True
    """

    def __init__(self, mean: Any, std: Any) -> None:
        self.mean, self.std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            message = f"Normalize: means are finite and standard deviations above 0, not {mean!r} and {std!r}"
            raise ConfigError(message)

    @classmethod
    def fit(cls, dataset: Dataset, *, axis: int | None = None) -> Normalize:
        r"""Return the one that gives the inputs of a data set mean 0 and standard deviation 1.

        The data set is read in parts, once, and the moments of the parts are combined. A standard deviation that is 0
        counts as 1, so that a constant feature becomes 0.

        Parameters
        ----------
        axis
            The axis of the inputs that has a mean and a standard deviation for each position: 1 for the channels of
            images and for the columns of a table. By default there is one of each.

        Raises
        ------
        DataError
            For inputs that have no such axis.

        Examples
        --------
        >>> from deepcore.data import iris, transforms
        >>> transforms.Normalize.fit(iris(), axis=1).mean.round(2)
        array([5.84, 3.06, 3.76, 1.2 ])

        References
        ----------
        T. F. Chan, G. H. Golub and R. J. LeVeque, Updating formulae and a pairwise algorithm for computing sample
        variances, COMPSTAT 1982, equation (2.1).
        """
        inputs = dataset.inputs
        if axis is not None and not 1 <= axis < inputs.ndim:
            message = f"the inputs of {dataset.name!r} have axes 1 to {inputs.ndim - 1} besides that of the samples"
            raise DataError(message)
        along = tuple(i for i in range(inputs.ndim) if i != axis)
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        step = max(1, _CHUNK * len(inputs) // inputs.size)
        for start in range(0, len(inputs), step):
            part = take(inputs, slice(start, start + step)).astype(np.float64)
            own = part.mean(axis=along, keepdims=True)
            n = part.size // own.size
            squares = squares + ((part - own) ** 2).sum(axis=along, keepdims=True)
            squares = squares + (own - mean) ** 2 * (count * n / (count + n))
            mean = mean + (own - mean) * (n / (count + n))
            count += n
        deviation = np.sqrt(squares / count)
        shape = () if axis is None else (-1, *(1 for _ in range(axis + 1, inputs.ndim)))
        return cls(mean.reshape(shape), np.where(deviation > 0, deviation, 1.0).reshape(shape))

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the normalized batch: of float32, unless it has another floating-point type."""
        dtype = batch.dtype if batch.dtype.kind not in "biu" else np.dtype(np.float32)
        return (batch.astype(dtype, copy=False) - self.mean.astype(dtype)) / self.std.astype(dtype)
