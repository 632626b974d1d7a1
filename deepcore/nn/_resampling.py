"""Linear maps along each spatial axis, as matrices, and the windows of adaptive pooling."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..ops.creation import asarray
from ..ops.linear_algebra import matmul
from ..ops.manipulation import reshape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .._tensor import Tensor


def windows_of(n: int, m: int) -> tuple[list[int], list[int]]:
    r"""Return where the m windows of adaptive pooling over n elements begin, $\lfloor in/m \rfloor$, and where they
    end, $\lceil (i + 1)n/m \rceil$.
    """
    return [i * n // m for i in range(m)], [-(-(i + 1) * n // m) for i in range(m)]


@lru_cache(maxsize=256)
def averaging(n: int, m: int) -> NDArray[np.float64]:
    """Return the matrix of adaptive averages: row i has 1 / length at the elements of window i."""
    weights = np.zeros((m, n))
    for i, (start, end) in enumerate(zip(*windows_of(n, m), strict=True)):
        weights[i, start:end] = 1 / (end - start)
    return weights


def interpolating(positions: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    r"""Return the matrix of linear interpolation at positions from 0 to n - 1: row i has $1 - w$ and $w$ at the
    neighbours of position i, with $w$ its fractional part.
    """
    low = np.minimum(np.floor(positions).astype(np.int64), n - 1)
    high, w = np.minimum(low + 1, n - 1), positions - low
    weights = np.zeros((len(positions), n))
    rows = np.arange(len(positions))
    weights[rows, low] = 1 - w
    weights[rows, high] += w
    return weights


def resampled(x: Tensor, matrices: Sequence[NDArray[np.float64]]) -> Tensor:
    """Multiply by a matrix along each of the last axes."""
    first = x.ndim - len(matrices)
    for axis, values in enumerate(matrices, first):
        matrix = asarray(asarray(values, device="cpu", dtype=x.dtype), device=x.device)
        shape = x.shape
        rows = reshape(x, (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])))
        x = reshape(matmul(matrix, rows), (*shape[:axis], len(values), *shape[axis + 1 :]))
    return x
