"""Adam on long vectors: no temporary arrays, and blocks that stay in the cache from the first operation to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from ._blocks import over_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[Any]

BLOCK: Final = 131072
"""The elements of a block. Smaller ones lose more to calls than they gain from the cache."""

SHARE: Final = 4096
"""Threads have multiples of so many elements."""

WEIGHT: Final = 6
"""What an element counts as, of which a million are worth threads."""


def adam(parameters: Vector, gradient: Vector, m: Vector, v: Vector, **numbers: float) -> tuple[Vector, Vector, Vector]:
    """Return new parameters, in the memory of the gradient, and the moments in theirs: see ``deepcore.optim``."""
    adam_into(gradient, m, v, parameters, gradient, m, v, **numbers)
    return gradient, m, v


def adam_into(
    out: Vector,
    m_out: Vector,
    v_out: Vector,
    parameters: Vector,
    gradient: Vector,
    m: Vector,
    v: Vector,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    factor: float,
    eps: float,
    penalty: float,
    decay: float,
) -> None:
    """Write new parameters and moments. These may take the places of the old ones, and the parameters that of the
    gradient, which otherwise stays as it is.
    """
    multiply, add = np.multiply, np.add

    def work(begin: int, end: int) -> None:
        first, second = np.empty((2, min(BLOCK, end - begin)), gradient.dtype)
        for start in range(begin, end, BLOCK):
            block = slice(start, min(start + BLOCK, end))
            p, g, mean, variance = parameters[block], gradient[block], m_out[block], v_out[block]
            x, y = first[: len(p)], second[: len(p)]
            if penalty != 0:
                g = add(g, multiply(p, penalty, y), y)
            multiply(g, 1 - beta1, x)
            multiply(m[block], beta1, mean)
            add(mean, x, mean)
            multiply(g, g, y)
            multiply(y, 1 - beta2, y)
            multiply(v[block], beta2, variance)
            add(variance, y, variance)
            np.sqrt(variance, x)
            multiply(x, factor, x)
            add(x, eps, x)
            np.divide(mean, x, x)
            if decay != 0:
                add(x, multiply(p, decay, y), x)
            multiply(x, -lr, x)
            add(p, x, out[block])

    over_blocks(work, len(gradient), SHARE, 1, weight=WEIGHT)
