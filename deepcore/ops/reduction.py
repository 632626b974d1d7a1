r"""Reductions and cumulative functions. The cotangent of what was summed away is spread back over it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import primitive
from .complex_numbers import conjugate

if TYPE_CHECKING:
    from .._dtype import DType
    from .._typing import Array, Axis, Namespace, Shape

OVER_ALL: Final = Sample()
OVER_ONE: Final = Sample(((2, 3, 4),), parameters={"axis": 1})
OVER_TWO: Final = Sample(((2, 3, 4),), parameters={"axis": (0, -1), "keepdims": True})
ALONG: Final = Sample(((3, 4),), parameters={"axis": 1})


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction is over, counted from the first."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in ((axis,) if isinstance(axis, int) else axis))


def spread(x: Any, shape: Shape, axis: Axis, xp: Namespace) -> Any:
    """Repeat a reduced array over the axes that were reduced, whether they were kept or not."""
    if axis is None:
        return xp.broadcast_to(x, shape)
    axes = reduced_axes(axis, len(shape))
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return xp.broadcast_to(xp.reshape(x, kept), shape)


def _count(shape: Shape, axis: Axis) -> int:
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[i] for i in reduced_axes(axis, len(shape)))


@primitive(OVER_ALL, OVER_ONE, OVER_TWO)
def sum(x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    r"""Sum. $y = \sum_i x_i$, $\bar x_i = \bar y$."""
    ...


sum.vjp(x=lambda dy, shape, axis, xp: spread(dy, shape, axis, xp))


@primitive(OVER_ALL, OVER_ONE, OVER_TWO)
def mean(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""Arithmetic mean. $y = \frac1n \sum_i x_i$, $\bar x_i = \bar y / n$."""
    ...


mean.vjp(x=lambda dy, shape, axis, xp: spread(dy / _count(shape, axis), shape, axis, xp))


def _centred(x: Any, axis: Axis, xp: Namespace) -> Any:
    return conjugate(x - xp.mean(x, axis=axis, keepdims=True), xp)


@primitive(OVER_ALL, OVER_ONE, OVER_TWO, Sample(((2, 3),), parameters={"correction": 1.0}))
def var(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    r"""Variance. $y = \frac{1}{n - c} \sum_i (x_i - \mu)^2$, $\bar x_i = \bar y\,\frac{2 (x_i - \mu)}{n - c}$, with
    $c$ the ``correction``.
    """
    ...


var.vjp(
    x=lambda dy, x, shape, axis, correction, xp: (
        spread(dy * (2 / (_count(shape, axis) - correction)), shape, axis, xp) * _centred(x, axis, xp)
    )
)


@primitive(OVER_ALL, OVER_ONE, OVER_TWO, Sample(((2, 3),), parameters={"correction": 1.0}))
def std(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    r"""Standard deviation. $y = \sqrt{\operatorname{var} x}$, $\bar x_i = \bar y\,\frac{x_i - \mu}{(n - c)\,y}$."""
    ...


std.vjp(
    x=lambda dy, x, y, shape, axis, correction, xp: (
        spread(dy / (y * (_count(shape, axis) - correction)), shape, axis, xp) * _centred(x, axis, xp)
    )
)


def _extreme(dy: Any, x: Any, y: Any, shape: Shape, axis: Axis, xp: Namespace) -> Any:
    """Share the cotangent equally among the elements that reach the extreme."""
    reached = xp.astype(x == spread(y, shape, axis, xp), dy.dtype)
    ties = xp.sum(reached, axis=axis, keepdims=True)
    return spread(dy, shape, axis, xp) * (reached / ties)


@primitive(OVER_ALL, OVER_ONE, OVER_TWO)
def max(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""Largest value. $\bar x_i = \bar y / k$ for each of the $k$ elements that reach it, 0 for the others."""
    ...


max.vjp(x=lambda dy, x, y, shape, axis, xp: _extreme(dy, x, y, shape, axis, xp))


@primitive(OVER_ALL, OVER_ONE, OVER_TWO)
def min(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""Smallest value. $\bar x_i = \bar y / k$ for each of the $k$ elements that reach it, 0 for the others."""
    ...


min.vjp(x=lambda dy, x, y, shape, axis, xp: _extreme(dy, x, y, shape, axis, xp))


def _shifted(x: Any, n: int, fill: Any, xp: Namespace) -> Any:
    """Move the entries of the last axis n places to the left (right if n < 0) and fill what becomes free."""
    if not x.shape[-1]:
        return x
    free = fill(x[..., : n if n > 0 else -n])
    return xp.concat([x[..., n:], free] if n > 0 else [free, x[..., :n]], axis=-1)


def _prod(dy: Any, x: Any, shape: Shape, axis: Axis, xp: Namespace) -> Any:
    """Multiply by the product of the other elements, which is right where elements are zero (y / x would not be)."""
    axes = reduced_axes(axis, len(shape))
    order = (*(i for i in range(len(shape)) if i not in axes), *axes)
    moved = xp.permute_dims(x, order)
    flat = xp.reshape(moved, (*moved.shape[: len(shape) - len(axes)], _count(shape, axis)))
    before = _shifted(xp.cumulative_prod(flat, axis=-1), -1, xp.ones_like, xp)
    after = xp.flip(_shifted(xp.cumulative_prod(xp.flip(flat, axis=-1), axis=-1), -1, xp.ones_like, xp), axis=-1)
    others = xp.reshape(before * after, moved.shape)
    inverse = tuple(order.index(i) for i in range(len(shape)))
    return spread(dy, shape, axis, xp) * xp.permute_dims(others, inverse)


@primitive(OVER_ALL, OVER_ONE, OVER_TWO)
def prod(x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    r"""Product. $y = \prod_i x_i$, $\bar x_i = \bar y \prod_{j \ne i} x_j$."""
    ...


prod.vjp(x=lambda dy, x, shape, axis, xp: _prod(dy, x, shape, axis, xp))


def _along_last(function: Any, arrays: list[Any], axis: int | None, xp: Namespace) -> Any:
    axis = 0 if axis is None else axis
    return xp.moveaxis(function(*[xp.moveaxis(x, axis, -1) for x in arrays]), -1, axis)


def _cumulative_sum(dy: Any, axis: int | None, include_initial: bool, xp: Namespace) -> Any:
    def rule(dy: Any) -> Any:
        dy = dy[..., 1:] if include_initial else dy
        return xp.flip(xp.cumulative_sum(xp.flip(dy, axis=-1), axis=-1), axis=-1)

    return _along_last(rule, [dy], axis, xp)


@primitive(ALONG, Sample(((4,),), parameters={"include_initial": True}))
def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    r"""Running sum. $y_j = \sum_{i \le j} x_i$, $\bar x_i = \sum_{j \ge i} \bar y_j$."""
    ...


cumulative_sum.vjp(
    x=lambda dy, axis, include_initial, xp: _cumulative_sum(dy, axis, include_initial, xp),
)


def _cumulative_prod(dy: Any, x: Any, y: Any, axis: int | None, include_initial: bool, xp: Namespace) -> Any:
    r"""Compute $\bar x_i = p_i s_i$ with $p_i = \prod_{k<i} x_k$ and $s_i = \bar y_i + x_{i+1} s_{i+1}$.

    No division, so zeros do no harm. The recurrence is solved by doubling, in $\log_2 n$ steps over whole arrays:
    $s_i = b_i + a_i s_{i+d}$ becomes $s_i = (b_i + a_i b_{i+d}) + a_i a_{i+d}\,s_{i+2d}$.
    """

    def rule(dy: Any, x: Any, y: Any) -> Any:
        if include_initial:
            dy, y = dy[..., 1:], y[..., 1:]
        before = _shifted(y, -1, xp.ones_like, xp)
        a, b, d = _shifted(x, 1, xp.zeros_like, xp), dy, 1
        while d < x.shape[-1]:
            b = b + a * _shifted(b, d, xp.zeros_like, xp)
            a = a * _shifted(a, d, xp.zeros_like, xp)
            d *= 2
        return before * b

    return _along_last(rule, [dy, x, y], axis, xp)


@primitive(ALONG, Sample(((5,),), parameters={"include_initial": True}))
def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    r"""Running product. $y_j = \prod_{i \le j} x_i$,
    $\bar x_i = \sum_{j \ge i} \bar y_j \prod_{k \le j, k \ne i} x_k$.
    """
    ...


cumulative_prod.vjp(
    x=lambda dy, x, y, axis, include_initial, xp: _cumulative_prod(dy, x, y, axis, include_initial, xp),
)


@primitive(Sample(booleans=(0,)))
def all(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether all elements are true."""
    ...


@primitive(Sample(booleans=(0,)))
def any(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether any element is true."""
    ...


@primitive(Sample(integers={0: 2}))
def count_nonzero(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Count the elements that are not zero."""
    ...


all.not_differentiable("truth values")
any.not_differentiable("truth values")
count_nonzero.not_differentiable("a count")
