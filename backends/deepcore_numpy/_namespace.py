"""The standard's namespace on NumPy's arrays: array-api-compat's, but for functions that are called all the time.

What NumPy's own are wrapped in (array-api-compat's checks, the dispatch to other libraries' arrays, Python code around
a reduction) costs as much as a small computation, and more than a view. These are the standard's, without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import array_api_compat.numpy
import numpy as np

if TYPE_CHECKING:
    from deepcore._typing import Axis, Shape

_add: Any = np.add.reduce

EXACT: Final = 1 << 24
"""Up to here a whole number is the same in float32."""

_SCALARS: Final = (np.float32, np.float64)


class Namespace:
    """The namespace. Its functions are looked up once for each library, so that ``self`` costs nothing."""

    matmul = staticmethod(np.matmul)

    @staticmethod
    def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
        if x.ndim:
            return np.ones_like(x, dtype)
        return np.ones((), x.dtype if dtype is None else dtype)  # where a reverse sweep begins

    @staticmethod
    def matrix_transpose(x: Any, /) -> Any:
        return x.mT

    @staticmethod
    def reshape(x: Any, /, shape: Shape, *, copy: bool | None = None) -> Any:
        return x.reshape(shape) if copy is None else x.reshape(shape, copy=copy)

    @staticmethod
    def broadcast_to(x: Any, /, shape: Shape) -> Any:
        if type(x) not in _SCALARS:
            return np.broadcast_to(x, shape)
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))  # a scalar's memory is not written to

    @staticmethod
    def sum(x: Any, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return _add(x, axis, dtype, None, keepdims)

    @staticmethod
    def mean(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Any:
        if x.dtype not in (np.float32, np.float64) or not 0 < x.size < EXACT:
            return np.mean(x, axis=axis, keepdims=keepdims)
        total = _add(x, axis, None, None, keepdims)
        return total / (x.size // total.size)

    def __getattr__(self, name: str) -> Any:
        return getattr(array_api_compat.numpy, name)
