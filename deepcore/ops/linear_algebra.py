"""Matrix products."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._primitive import Sample
from .._record import primitive
from .complex_numbers import conjugate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._typing import Array, Namespace, Shape


def _left(dy: Any, x2: Any, shape: Shape, xp: Namespace) -> Any:
    if len(shape) == 1:
        return dy * x2 if x2.ndim == 1 else xp.matmul(x2, dy[..., None])[..., 0]
    if x2.ndim == 1:
        return dy[..., None] * x2
    return xp.matmul(dy, xp.matrix_transpose(x2))


def _right(dy: Any, x1: Any, shape: Shape, xp: Namespace) -> Any:
    if x1.ndim == 1:
        return dy * x1 if len(shape) == 1 else x1[:, None] * dy[..., None, :]
    if len(shape) == 1:
        return xp.matmul(xp.matrix_transpose(x1), dy[..., None])[..., 0]
    if len(shape) == 2 and x1.ndim > 2:  # one large product instead of a batch of products and a sum
        x1 = xp.reshape(x1, (-1, x1.shape[-1])) if math.prod(x1.shape) else x1
        dy = xp.reshape(dy, (x1.shape[0], dy.shape[-1])) if x1.ndim == 2 else dy
    return xp.matmul(xp.matrix_transpose(x1), dy)


@primitive(
    Sample(((2, 3), (3, 4))),
    Sample(((3,), (3,))),
    Sample(((3,), (3, 2))),
    Sample(((2, 3), (3,))),
    Sample(((2, 2, 3), (3, 2))),
    Sample(((3, 2, 3), (1, 3, 2))),
    Sample(((3,), (2, 3, 2))),
    Sample(((2, 2, 3), (3,))),
)
def matmul(x1: Array, x2: Array, /) -> Array:
    r"""Matrix product. $Y = X_1 X_2$, $\bar X_1 = \bar Y X_2^\top$, $\bar X_2 = X_1^\top \bar Y$."""
    ...


matmul.vjp(x1=_left, x2=_right)


@primitive(Sample(((2, 3),)), Sample(((2, 3, 4),)))
def matrix_transpose(x: Array, /) -> Array:
    r"""Transpose of the last two axes. $Y = X^\top$, $\bar X = \bar Y^\top$."""
    ...


matrix_transpose.vjp(x=lambda dy, xp: xp.matrix_transpose(dy))


def _contracted(
    dy: Any, other: Any, own: list[int], others: list[int], shape: Shape, *, left: bool, xp: Namespace
) -> Any:
    """Contract the cotangent with the other operand over the axes that the other kept, and put the axes in order."""
    kept = len(shape) - len(own)
    free = [i for i in range(other.ndim) if i not in others]
    if left:  # dy's axes: this operand's kept ones, then the other's
        dx = xp.tensordot(dy, other, axes=(list(range(kept, dy.ndim)), free))
    else:
        dx = xp.tensordot(other, dy, axes=(free, list(range(len(free)))))
    rest = [i for i in range(len(shape)) if i not in own]
    # The contracted axes come in the other operand's order.
    by_other = [own[j] for j in sorted(range(len(own)), key=lambda j: others[j])]
    order = [*rest, *by_other] if left else [*by_other, *rest]
    return xp.permute_dims(dx, tuple(order.index(i) for i in range(len(shape))))


def _axis_pairs(axes: Any, ndim1: int, ndim2: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(ndim1 - axes, ndim1)), list(range(axes))
    first, second = axes
    return [a % ndim1 for a in first], [a % ndim2 for a in second]


def _tensordot_left(dy: Any, x2: Any, shape: Shape, axes: Any, xp: Namespace) -> Any:
    own, others = _axis_pairs(axes, len(shape), x2.ndim)
    return _contracted(dy, x2, own, others, shape, left=True, xp=xp)


def _tensordot_right(dy: Any, x1: Any, shape: Shape, axes: Any, xp: Namespace) -> Any:
    others, own = _axis_pairs(axes, x1.ndim, len(shape))
    return _contracted(dy, x1, own, others, shape, left=False, xp=xp)


@primitive(
    Sample(((2, 3, 4), (3, 4, 2))),
    Sample(((2, 3), (4,)), parameters={"axes": 0}),
    Sample(((4, 2, 3), (3, 5, 4)), parameters={"axes": ((0, 2), (2, 0))}),
)
def tensordot(x1: Array, x2: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Array:
    r"""Contraction over several axes. $Y_{ij} = \sum_k X_{1,ik} X_{2,kj}$ for multi-indices $i, j, k$;
    $\bar X_{1,ik} = \sum_j \bar Y_{ij} X_{2,kj}$, $\bar X_{2,kj} = \sum_i X_{1,ik} \bar Y_{ij}$.
    """
    ...


tensordot.vjp(x1=_tensordot_left, x2=_tensordot_right)


@primitive(Sample(((2, 3), (2, 3))), Sample(((3, 2), (3, 1)), parameters={"axis": -2}), Sample(((2, 3), (3,))))
def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    r"""Dot product along an axis. $y = \sum_i x_{1,i}^*\,x_{2,i}$, $\bar x_1 = \bar y^* x_2^*$ and
    $\bar x_2 = \bar y\,x_1^*$, where the conjugates are those of complex numbers.
    """
    ...


vecdot.vjp(
    x1=lambda dy, x2, axis, xp: xp.expand_dims(conjugate(dy, xp), axis=axis) * conjugate(x2, xp),
    x2=lambda dy, x1, axis, xp: xp.expand_dims(dy, axis=axis) * conjugate(x1, xp),
)
