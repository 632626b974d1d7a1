r"""The roofline of a device: the least time in which so many bytes can be moved and so many operations be done.

$t = \max(B / \beta, F / \pi)$, with the rate $\beta$ at which it copies memory and the rate $\pi$ at which it
multiplies matrices, both measured.

Source: S. Williams, A. Waterman and D. Patterson, Roofline: an insightful visual performance model for multicore
architectures, Communications of the ACM 52, 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._dtype import float32

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._device import Device

BYTES: Final = 2**25
"""The size of the array that is copied: larger than caches."""

LENGTH: Final = 768
"""The length of the matrices that are multiplied."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """What a device can do.

    Attributes
    ----------
    bandwidth
        Bytes a second, read and written, of a copy.
    rate
        Operations a second, of a product of float32 matrices.
    """

    bandwidth: float
    rate: float

    def seconds(self, nbytes: int, flops: int) -> float:
        """Return the least time for so many bytes and operations."""
        return max(nbytes / self.bandwidth, flops / self.rate)


@cache
def measured(device: Device) -> Roofline:
    """Return what a device can do, measured once in a process, in about half a second."""
    kernels, backend = device.kernels, device.backend
    dtype = backend.raw_dtype(float32)
    with device.current:
        x = kernels.ones((BYTES // 4,), dtype=dtype, device=device.raw)
        a = kernels.ones((LENGTH, LENGTH), dtype=dtype, device=device.raw)
        out = np.empty(BYTES // 4, np.float32) if isinstance(x, np.ndarray) else None

        def copy() -> Any:
            if out is None:
                return kernels.asarray(x, copy=True)
            return np.copyto(out, x)  # into memory that is there: fresh pages would cost more than the copy

        copying = _best(copy, backend.synchronize)
        multiplying = _best(lambda: kernels.matmul(a, a), backend.synchronize)
    return Roofline(2 * BYTES / copying, 2 * LENGTH**3 / multiplying)


def _best(function: Callable[[], Any], synchronize: Callable[[], None], runs: int = 5) -> float:
    return min(timed(function, synchronize, 1) for _ in range(runs + 1))


def timed(function: Callable[[], Any], synchronize: Callable[[], None], runs: int) -> float:
    """Return the median time of a function."""
    found: list[float] = []
    for _ in range(runs):
        start = perf_counter()
        _ = function()
        synchronize()
        found.append(perf_counter() - start)
    return median(found)
