"""Mirror images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._errors import ConfigError, DataError
from ._transform import Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..draws import Draws


class RandomFlip(Transform):
    """Each sample, or with some probability its mirror image.

    Parameters
    ----------
    p
        The probability.
    axis
        The axis along which the elements are reversed: -1 for left and right, -2 for top and bottom.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import transforms
    >>> transforms.RandomFlip(p=1)(np.array([[[1, 2, 3]]])).tolist()
    [[[3, 2, 1]]]
    """

    def __init__(self, p: float = 0.5, *, axis: int = -1) -> None:
        if not 0 <= p <= 1:
            message = f"RandomFlip: p is a probability, from 0 to 1, not {p!r}"
            raise ConfigError(message)
        self.p, self.axis = p, axis

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return each sample or its mirror image."""
        if self.axis not in range(1 - batch.ndim, batch.ndim) or self.axis == 0:
            message = f"RandomFlip: a batch of shape {batch.shape} has no axis {self.axis} besides that of the samples"
            raise DataError(message)
        flipped = draws.uniform()[:, 0] < self.p
        result = batch.copy()
        result[flipped] = np.flip(batch[flipped], axis=self.axis)
        return result
