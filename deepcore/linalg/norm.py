"""Norms of vectors and of matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from .._errors import ConfigError, ShapeError
from .._primitive import Sample
from .._record import primitive
from .._sweep import op
from ..ops.complex_numbers import conjugate, direction
from ..ops.reduction import spread
from .factorization import svdvals

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Array, Axis, Namespace, Shape


def _vector_norm(dy: Any, x: Any, y: Any, shape: Shape, axis: Axis, ord: float, xp: Namespace) -> Any:
    dy, y = spread(dy, shape, axis, xp), spread(y, shape, axis, xp)
    if ord == 0:
        return None  # a count
    magnitude = xp.abs(x)
    towards = conjugate(direction(x, magnitude, xp), xp)
    if math.isinf(ord):
        reached = xp.astype(magnitude == y, dy.dtype)
        return dy * (reached / xp.sum(reached, axis=axis, keepdims=True)) * towards
    if ord == 1:
        return dy * towards
    # (|x| / y)^(p - 1): the subgradient at the origin is 0
    ratio = magnitude / xp.where(y == 0, xp.ones_like(y), y)
    if ord < 1:  # the power of 0 would be infinite
        ratio = xp.where(ratio == 0, xp.ones_like(ratio), ratio)
    return dy * towards * (ratio if ord == 2 else xp.pow(ratio, xp.full_like(ratio, ord - 1)))


@primitive(
    Sample(),
    Sample(((2, 3, 4),), parameters={"axis": 1, "ord": 3}),
    Sample(((2, 3, 4),), parameters={"axis": (0, -1), "keepdims": True, "ord": 1}, kinks=(0.0,)),
    Sample(((3, 4),), parameters={"axis": -1, "ord": math.inf}, kinks=(0.0,)),
    Sample(((3, 4),), parameters={"axis": -1, "ord": -math.inf}, kinks=(0.0,)),
    Sample(((3, 4),), parameters={"ord": 0.5}, kinks=(0.0,)),
)
def vector_norm(x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Array:
    r"""Norm of vectors. $y = \bigl(\sum_i |x_i|^p\bigr)^{1/p}$,
    $\bar x_i = \bar y\,(|x_i| / y)^{p-1} \operatorname{sign} x_i$, 0 at the origin; of a complex $x_i$ the sign is
    conjugated. For $p = \pm\infty$ it is the extreme of $|x_i|$, and for 0 the number of elements that are not 0.
    """
    ...


vector_norm.vjp(x=_vector_norm)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | Literal["fro", "nuc"] | None = "fro") -> Tensor:
    r"""Return the norm of matrices.

    Parameters
    ----------
    x
        Matrices, of shape (..., m, n).
    keepdims
        Whether the last two axes are kept, with length 1.
    ord
        ``"fro"``: $\sqrt{\sum_{ij} |x_{ij}|^2}$. ``"nuc"``: the sum of the singular values. 2 and -2: the largest and
        the smallest singular value. 1 and -1: the largest and the smallest sum of $|x_{ij}|$ in a column; infinity and
        its negative: in a row.

    Raises
    ------
    ConfigError
        If the norm is none of these.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.linalg.matrix_norm(dc.asarray([[3.0, 0.0], [0.0, 4.0]]))
    Tensor(5., dtype=float32)
    """
    if x.ndim < 2:
        msg = f"linalg.matrix_norm: x has shape {x.shape}, and a matrix has at least two axes"
        raise ShapeError(msg)
    if ord in ("fro", None):
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        reduce = {"nuc": op.sum, 2: op.max, -2: op.min}[ord]
        norm = reduce(svdvals(x), axis=-1, keepdims=keepdims)
        return norm[..., None] if keepdims else norm
    if ord not in (1, -1, math.inf, -math.inf):
        msg = f"linalg.matrix_norm: ord is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {ord!r}"
        raise ConfigError(msg)
    columns = abs(ord) == 1
    sums = op.sum(op.abs(x), axis=-2 if columns else -1, keepdims=True)
    norm = (op.max if ord > 0 else op.min)(sums, axis=-1 if columns else -2, keepdims=True)
    return norm if keepdims else op.squeeze(norm, axis=(-2, -1))
