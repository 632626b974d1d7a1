"""Random numbers, made on the GPU: those of :class:`numpy.random.Philox`, bit for bit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._library import cupy, kernel, launch

if TYPE_CHECKING:
    from deepcore._typing import Raw, Shape

PER_THREAD: Final = {"words": 4, "uniform_float64": 4, "uniform_float32": 8}
"""How many elements one thread makes: what a block of four words gives."""


def draw(function: str, key: tuple[int, int], shape: Shape, dtype: Any) -> Raw:
    """Return a new array on the current device, filled by a kernel of ``philox.cu``.

    Parameters
    ----------
    function
        ``"words"`` (uint64), ``"uniform_float64"`` or ``"uniform_float32"``.
    key
        Seed and draw, each from 0 to 2**64 - 1.
    shape, dtype
        Those of the result.
    """
    out = cupy.empty(shape, dtype=dtype)
    size = math.prod(shape)
    threads = -(-size // PER_THREAD[function])
    seed, position = (np.uint64(part) for part in key)
    launch(kernel("philox.cu", function), threads, out, np.uint64(size), seed, position)
    return out
