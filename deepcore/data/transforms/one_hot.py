"""Class labels as unit vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._errors import ConfigError, DataError
from ._transform import Transform

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from ..draws import Draws


class OneHot(Transform):
    r"""Labels $c$ as unit vectors $e_c$: from shape (n, ...) to (n, ..., C).

    Parameters
    ----------
    n_classes
        The number C of classes, at least 1.
    smoothing
        Label smoothing $\varepsilon$: the result is $(1 - \varepsilon)\,e_c + \varepsilon / C$.
    dtype
        The type of the result.

    Raises
    ------
    ConfigError
        For options out of range.
    DataError
        For labels that are not integers from 0 to C - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import transforms
    >>> transforms.OneHot(3)(np.array([2, 0])).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]

    References
    ----------
    C. Szegedy et al., Rethinking the inception architecture for computer vision, CVPR 2016, section 7, for smoothing.
    """

    def __init__(self, n_classes: int, *, smoothing: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        if n_classes < 1 or not 0 <= smoothing <= 1:
            message = f"OneHot: n_classes is at least 1 and smoothing from 0 to 1, not {n_classes} and {smoothing}"
            raise ConfigError(message)
        self.n_classes, self.smoothing, self.dtype = n_classes, smoothing, dtype

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the unit vectors."""
        if batch.dtype.kind not in "iu" or batch.min(initial=0) < 0 or batch.max(initial=0) >= self.n_classes:
            message = (
                f"OneHot: labels are integers from 0 to {self.n_classes - 1}, not {batch.dtype} from "
                f"{batch.min(initial=0)} to {batch.max(initial=0)}"
            )
            raise DataError(message)
        result = np.full((*batch.shape, self.n_classes), self.smoothing / self.n_classes, self.dtype)
        on = 1 - self.smoothing + self.smoothing / self.n_classes
        np.put_along_axis(result, batch[..., None].astype(np.intp), on, axis=-1)
        return result
