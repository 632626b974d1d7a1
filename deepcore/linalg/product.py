"""Products of vectors, powers, and diagonals of matrices."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .._backend import place
from .._errors import ShapeError
from .._primitive import Sample
from .._record import primitive
from .._sweep import op

if TYPE_CHECKING:
    from .._dtype import DType
    from .._tensor import Tensor
    from .._typing import Array, Namespace, Shape


@primitive(Sample(((2, 3), (2, 3))), Sample(((3, 4), (3, 1)), parameters={"axis": -2}))
def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    r"""Vector product in three dimensions. $y = x_1 \times x_2$, $\bar x_1 = x_2 \times \bar y$,
    $\bar x_2 = \bar y \times x_1$.
    """
    ...


cross.vjp(
    x1=lambda dy, x2, axis, xp: xp.linalg.cross(x2, dy, axis=axis),
    x2=lambda dy, x1, axis, xp: xp.linalg.cross(dy, x1, axis=axis),
)


def _diagonal(dy: Any, shape: Shape, offset: int, xp: Namespace) -> Any:
    n = dy.shape[-1]
    if not n:
        return xp.zeros(shape, dtype=dy.dtype, device=place(dy))
    block = dy[..., None] * xp.eye(n, dtype=dy.dtype, device=place(dy))
    row, column = max(-offset, 0), max(offset, 0)
    return xp.scatter(block, shape=shape, key=(..., slice(row, row + n), slice(column, column + n)))


@primitive(
    Sample(((3, 3),)), Sample(((2, 3, 4),), parameters={"offset": 1}), Sample(((4, 2),), parameters={"offset": -1})
)
def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    r"""Diagonal of matrices. $y_i = X_{i,i+k}$; $\bar X$ has $\bar y$ there, and 0 elsewhere."""
    ...


diagonal.vjp(x=_diagonal)


def trace(x: Tensor, /, *, offset: int = 0, dtype: DType | None = None) -> Tensor:
    r"""Return the sum of the diagonal of matrices, $\sum_i X_{i,i+k}$.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.linalg.trace(dc.eye(3))
    Tensor(3., dtype=float32)
    """
    return op.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    r"""Return the product of all pairs of elements of two vectors, $Y_{ij} = x_{1,i}\,x_{2,j}$.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.linalg.outer(dc.asarray([1, 2]), dc.asarray([3, 4])).tolist()
    [[3, 4], [6, 8]]
    """
    if x1.ndim != 1 or x2.ndim != 1:
        msg = f"linalg.outer: both operands are vectors, and they have shapes {x1.shape} and {x2.shape}"
        raise ShapeError(msg)
    return op.multiply(x1[:, None], x2[None, :])


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    r"""Return a power of square matrices, $X^n$, by repeated squaring; of the inverse for a negative $n$.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.linalg.matrix_power(dc.asarray([[1, 1], [0, 1]]), 5).tolist()
    [[1, 5], [0, 1]]
    """
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        msg = f"linalg.matrix_power: x has shape {x.shape}, and powers are those of square matrices"
        raise ShapeError(msg)
    if n == 0:
        return op.broadcast_to(op.eye(x.shape[-1], dtype=x.dtype, device=place(x)), x.shape)
    squares = [op.linalg.inv(x) if n < 0 else x]
    while abs(n) >> len(squares):
        squares.append(op.matmul(squares[-1], squares[-1]))
    return functools.reduce(op.matmul, [square for i, square in enumerate(squares) if abs(n) >> i & 1])
