"""Adam on long vectors: no temporary arrays, and blocks that stay in the cache from the first operation to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[Any]

BLOCK: Final = 32768
"""Five blocks of float32, which is what a step needs at once, fit into the second-level cache of most processors."""


def adam(
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
) -> tuple[Vector, Vector, Vector]:
    """Return new parameters, in the memory of the gradient, and the moments in theirs: see ``deepcore.optim``."""
    scratch = np.empty(min(BLOCK, len(gradient)), gradient.dtype)
    multiply, add = np.multiply, np.add
    for start in range(0, len(gradient), BLOCK):
        block = slice(start, start + BLOCK)
        p, g, mean, square = parameters[block], gradient[block], m[block], v[block]
        x = scratch[: len(p)]
        if penalty != 0:
            add(g, multiply(p, penalty, x), g)
        multiply(g, 1 - beta1, x)
        multiply(mean, beta1, mean)
        add(mean, x, mean)
        multiply(g, g, g)
        multiply(g, 1 - beta2, g)
        multiply(square, beta2, square)
        add(square, g, square)
        np.sqrt(square, x)
        multiply(x, factor, x)
        add(x, eps, x)
        np.divide(mean, x, x)
        if decay != 0:
            add(x, multiply(p, decay, g), x)
        multiply(x, -lr, x)
        add(p, x, g)
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
    """Write new parameters and moments, which may take the places of the old ones. The gradient stays as it is."""
    n = min(BLOCK, len(gradient))
    scratch, square = np.empty(n, gradient.dtype), np.empty(n, gradient.dtype)
    multiply, add = np.multiply, np.add
    for start in range(0, len(gradient), BLOCK):
        block = slice(start, start + BLOCK)
        p, g, mean, variance = parameters[block], gradient[block], m_out[block], v_out[block]
        x, y = scratch[: len(p)], square[: len(p)]
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
