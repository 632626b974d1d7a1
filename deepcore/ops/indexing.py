r"""Reading and writing parts of an array. The cotangent of what was read is added where it was read from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._backend import place
from .._primitive import Sample
from .._record import composite, primitive

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Operand, Shape


@composite(
    Sample(((4, 3),), parameters={"key": (slice(1, 3), 0)}),
    Sample(((4, 3),), parameters={"key": (slice(None, None, -2), None, ...)}),
)
def getitem(xp: Namespace, x: Array, /, *, key: Any) -> Any:
    r"""Elements by index. $y = x[k]$; $\bar x$ is 0 but for $\bar x[k]$, where $\bar y$ is added."""
    return x[key]


getitem.vjp(x=lambda dy, shape, key, xp: xp.scatter(dy, shape=shape, key=key))


@composite(
    Sample(((2,),), parameters={"shape": (4, 3), "key": (slice(1, 3), 0)}),
    Sample(((2, 3),), parameters={"shape": (2, 3), "key": ...}),
)
def scatter(xp: Namespace, x: Array, /, *, shape: Shape, key: Any) -> Any:
    r"""Zeros of a shape, with $x$ added at an index; the transpose of reading. $\bar x = \bar y[k]$."""
    if _has_integers(key):
        return _scatter_by_product(x, shape, key, xp)
    y = xp.zeros(shape, dtype=x.dtype, device=place(x))
    parts = key if isinstance(key, tuple) else (key,)
    if any(k is None for k in parts):  # the standard assigns to no new axes
        key = tuple(k for k in parts if k is not None) or ...
        x = xp.reshape(x, xp.getitem(y, key=key).shape)
    return xp.setitem(y, x, key=key)


scatter.vjp(x=lambda dy, key, xp: xp.getitem(dy, key=key))


def _has_integers(key: Any) -> bool:
    """Whether an index holds an array of integers, which may name an element twice."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(hasattr(k, "dtype") and "int" in str(k.dtype) for k in parts)


def _scatter_by_product(x: Any, shape: Shape, key: Any, xp: Namespace) -> Any:
    """Add by a one-hot matrix product: the standard has no function that adds at repeated indices.

    It costs the size of the result times that of the operand. Every adapter that can do better replaces `scatter`.
    """
    size = math.prod(shape)
    places = xp.getitem(xp.reshape(xp.arange(size, device=place(x)), shape), key=key)
    hits = xp.reshape(places, (-1,))[None, :] == xp.arange(size, device=place(x))[:, None]
    return xp.reshape(xp.matmul(xp.astype(hits, x.dtype), xp.reshape(x, (-1,))), shape)


@composite(
    Sample(((4, 3), (2,)), parameters={"key": (slice(1, 3), 0)}),
    Sample(((4, 3), (3,)), parameters={"key": (slice(None, 2),)}),
)
def setitem(xp: Namespace, x: Array, value: Operand, /, *, key: Any) -> Any:
    r"""The array with some elements replaced. $y = x$ but for $y[k] = v$; $\bar x = \bar y$ but for $\bar x[k] = 0$,
    and $\bar v = \bar y[k]$.
    """
    y = xp.asarray(x, copy=True)
    y[key] = value if getattr(value, "dtype", x.dtype) == x.dtype else xp.astype(value, x.dtype)
    return y


setitem.vjp(x=lambda dy, key, xp: xp.setitem(dy, 0, key=key), value=lambda dy, key, xp: xp.getitem(dy, key=key))


@primitive(Sample(((4, 3), (2,)), parameters={"axis": 0}, integers={1: 4}), Sample(((3,), (4,)), integers={1: 3}))
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    r"""Elements by position along an axis. $y_j = x_{i_j}$, $\bar x_i = \sum_{j: i_j = i} \bar y_j$."""
    ...


def _take(dy: Any, indices: Any, shape: Shape, axis: int | None, xp: Namespace) -> Any:
    lead = (slice(None),) * ((0 if axis is None else axis) % len(shape))
    return xp.scatter(dy, shape=shape, key=(*lead, raw(indices), ...))


take.vjp(x=_take)


@primitive(Sample(((4, 3), (2, 3)), parameters={"axis": 0}, integers={1: 4}), Sample(((2, 3), (2, 5)), integers={1: 3}))
def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    r"""Elements by position along an axis, each place with positions of its own. $y_{j} = x_{i_j}$,
    $\bar x_i = \sum_{j: i_j = i} \bar y_j$.
    """
    ...


def _take_along_axis(dy: Any, indices: Any, shape: Shape, axis: int, xp: Namespace) -> Any:
    indices = raw(indices)
    axis %= len(shape)
    key = [
        indices if i == axis else xp.reshape(raw(xp.arange(n, device=place(dy))), (-1,) + (1,) * (len(shape) - 1 - i))
        for i, n in enumerate(shape)
    ]
    return xp.scatter(dy, shape=shape, key=tuple(raw(k) for k in key))


take_along_axis.vjp(x=_take_along_axis)


def raw(x: Any) -> Any:
    """Return the raw array of a tensor, and a raw array as it is: indices are not differentiated."""
    return getattr(x, "_data", x)
