"""Adam on long vectors: no temporary arrays, and blocks that stay in the cache from the first operation to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from ._blocks import over_blocks, worth_threads

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
    numbers = _Numbers(gradient.dtype)
    numbers.set(lr=lr, beta1=beta1, beta2=beta2, factor=factor, eps=eps, penalty=penalty, decay=decay)
    vectors = (out, m_out, v_out, parameters, gradient, m, v)

    def work(begin: int, end: int) -> None:
        for block in _blocks(vectors, begin, end):
            _step(numbers, *block)

    over_blocks(work, len(gradient), SHARE, 1, threads=threads(len(gradient)))


class Adam:
    """Adam on vectors that stay where they are, on one thread.

    Parameters
    ----------
    vectors
        Those of :func:`adam_into`.
    known
        Numbers that stay the same; the others are given in each step.
    """

    def __init__(self, *vectors: Vector, **known: float) -> None:
        self._known = known
        self._numbers = _Numbers(vectors[0].dtype)
        self._blocks = _blocks(vectors, 0, len(vectors[0]))

    def __call__(self, **numbers: float) -> None:
        """Take a step."""
        self._numbers.set(**self._known, **numbers)
        for block in self._blocks:
            _step(self._numbers, *block)


def threads(size: int) -> int:
    """Return on how many threads so many parameters are updated.

    Products come before, whose threads stay awake for some 25 ms and take half of the time of each core that has
    something else to do: on two cores, two threads are no faster than one.
    """
    return max(1, worth_threads(size * WEIGHT) // 2)


class _Numbers:
    """The numbers of a step, as arrays: NumPy takes a microsecond to make one of a number of Python's."""

    def __init__(self, dtype: Any) -> None:
        self._values = np.empty(9, dtype)
        places = [self._values[i : i + 1].reshape(()) for i in range(9)]
        self.one_less_beta1, self.beta1, self.one_less_beta2, self.beta2, self.factor, self.eps, *places = places
        self.step, self.penalty, self.decay = places
        self.has_penalty = self.has_decay = False

    def set(
        self, *, lr: float, beta1: float, beta2: float, factor: float, eps: float, penalty: float, decay: float
    ) -> None:
        self._values[:] = (1 - beta1, beta1, 1 - beta2, beta2, factor, eps, -lr, penalty, decay)
        self.has_penalty, self.has_decay = penalty != 0, decay != 0


def _blocks(vectors: tuple[Vector, ...], begin: int, end: int) -> list[list[Vector]]:
    """Return the parts of vectors in each block, and memory for what is in between."""
    scratch = np.empty((2, min(BLOCK, end - begin)), vectors[0].dtype)
    blocks: list[list[Vector]] = []
    for start in range(begin, end, BLOCK):
        stop = min(start + BLOCK, end)
        blocks.append([*[vector[start:stop] for vector in vectors], *scratch[:, : stop - start]])
    return blocks


def _step(
    n: _Numbers,
    out: Vector,
    m_out: Vector,
    v_out: Vector,
    parameters: Vector,
    gradient: Vector,
    m: Vector,
    v: Vector,
    x: Vector,
    y: Vector,
) -> None:
    multiply, add = np.multiply, np.add
    if n.has_penalty:
        gradient = add(gradient, multiply(parameters, n.penalty, y), y)
    multiply(gradient, n.one_less_beta1, x)
    multiply(m, n.beta1, m_out)
    add(m_out, x, m_out)
    multiply(gradient, gradient, x)
    multiply(x, n.one_less_beta2, x)
    multiply(v, n.beta2, v_out)
    add(v_out, x, v_out)
    np.sqrt(v_out, x)
    multiply(x, n.factor, x)
    add(x, n.eps, x)
    np.divide(m_out, x, x)
    if n.has_decay:
        add(x, multiply(parameters, n.decay, y), x)
    multiply(x, n.step, x)
    add(parameters, x, out)
