r"""Functions that move elements without computing. Each rule moves the cotangents back."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from .._backend import place
from .._errors import BoundsError, ShapeError
from .._primitive import Sample
from .._record import composite, primitive
from .._sweep import op
from .indexing import raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor
    from .._typing import Array, Namespace, Shape


@primitive(Sample(((2, 3),), parameters={"shape": (3, 2)}), Sample(((2, 3),), parameters={"shape": (-1,)}))
def reshape(x: Array, /, shape: Shape, *, copy: bool | None = None) -> Array:
    r"""The same elements in another shape; one length may be -1. $\bar x$ is $\bar y$ in the shape of $x$."""
    ...


# `shape` as a rule's argument is the shape of the operand, which is what the cotangent goes back to.
reshape.vjp(x=lambda dy, shape, xp: xp.reshape(dy, shape))


@primitive(Sample(((2, 3, 4),), parameters={"axes": (2, 0, 1)}), Sample(((2, 3, 4),), parameters={"axes": (-2, -1, 0)}))
def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    r"""The axes in another order. $\bar x$ is $\bar y$ with the axes put back."""
    ...


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    positive = [a % len(axes) for a in axes]
    return tuple(positive.index(i) for i in range(len(axes)))


permute_dims.vjp(x=lambda dy, axes, xp: xp.permute_dims(dy, _inverse(axes)))


@primitive(Sample(((2, 3, 4),), parameters={"source": (0, 1), "destination": (2, 0)}))
def moveaxis(x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Array:
    r"""Some axes in other places. $\bar x$ is $\bar y$ with the axes moved back."""
    ...


moveaxis.vjp(x=lambda dy, source, destination, xp: xp.moveaxis(dy, destination, source))


@primitive(Sample(((3, 1),), parameters={"shape": (2, 3, 4)}))
def broadcast_to(x: Array, /, shape: Shape) -> Array:
    r"""Repeated along axes of length 1, and along new leading ones. $\bar x$ is the sum of $\bar y$ over the copies."""
    ...


broadcast_to.vjp(x=lambda dy: dy)  # the engine sums over what was broadcast


@composite(Sample(((2, 3),), parameters={"axis": 1}), Sample(((2, 3),), parameters={"axis": (0, -1)}))
def expand_dims(xp: Namespace, x: Array, /, axis: int | tuple[int, ...]) -> Any:
    r"""More axes, of length 1, at some places of the result. $\bar x$ is $\bar y$ without them."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    n = x.ndim + len(axes)
    places = {a + n if a < 0 else a for a in axes}
    if len(places) < len(axes) or not all(0 <= a < n for a in places):
        msg = f"expand_dims: the places of new axes are from {-n} to {n - 1} and differ, but axis is {axis}"
        raise BoundsError(msg)
    lengths = iter(x.shape)
    return xp.reshape(x, tuple(1 if i in places else next(lengths) for i in range(n)))


expand_dims.vjp(x=lambda dy, shape, xp: xp.reshape(dy, shape))


@primitive(Sample(((2, 1, 3),), parameters={"axis": 1}))
def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    r"""Without some axes of length 1. $\bar x$ is $\bar y$ with them."""
    ...


squeeze.vjp(x=lambda dy, shape, xp: xp.reshape(dy, shape))


@primitive(Sample(), Sample(((2, 3),), parameters={"axis": 1}))
def flip(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    r"""The elements in reverse order along some axes, or all. $\bar x$ is $\bar y$ reversed."""
    ...


flip.vjp(x=lambda dy, axis, xp: xp.flip(dy, axis=axis))


def _negated(shift: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return -shift if isinstance(shift, int) else tuple(-s for s in shift)


@primitive(Sample(((2, 3),), parameters={"shift": 2}), Sample(((2, 3),), parameters={"shift": (1, -1), "axis": (0, 1)}))
def roll(x: Array, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None) -> Array:
    r"""The elements moved along some axes, those that fall off an end put back at the other. $\bar x$ is moved back."""
    ...


roll.vjp(x=lambda dy, shift, axis, xp: xp.roll(dy, _negated(shift), axis=axis))


def _tile(dy: Any, shape: Shape, repetitions: tuple[int, ...], xp: Namespace) -> Any:
    n = max(len(shape), len(repetitions))
    repetitions = (1,) * (n - len(repetitions)) + tuple(repetitions)
    full = (1,) * (n - len(shape)) + tuple(shape)
    split = tuple(itertools.chain.from_iterable(zip(repetitions, full, strict=True)))
    return xp.reshape(xp.sum(xp.reshape(dy, split), axis=tuple(range(0, 2 * n, 2))), shape)


@primitive(Sample(((2, 3),), parameters={"repetitions": (2, 1, 3)}))
def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    r"""The whole array several times along each axis. $\bar x$ is the sum of $\bar y$ over the copies."""
    ...


tile.vjp(x=lambda dy, shape, repetitions, xp: _tile(dy, shape, repetitions, xp))


def _repeat(dy: Any, shape: Shape, repeats: Any, axis: int | None, xp: Namespace) -> Any:
    flat = shape if axis is not None else (-1,)
    i = 0 if axis is None else axis % len(shape)
    if isinstance(repeats, int):
        split = (*flat[:i], *((flat[i], repeats) if axis is not None else (-1, repeats)), *flat[i + 1 :])
        return xp.reshape(xp.sum(xp.reshape(dy, split), axis=i + 1), shape)
    n = math.prod(shape) if axis is None else shape[axis]
    source = xp.repeat(xp.arange(n, device=place(dy)), repeats)
    whole = (math.prod(shape),) if axis is None else shape
    return xp.reshape(xp.scatter(dy, shape=whole, key=(*(slice(None),) * i, raw(source), ...)), shape)


@primitive(Sample(((2, 3),), parameters={"repeats": 2, "axis": 0}), Sample(((2, 3),), parameters={"repeats": 3}))
def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    r"""Each element several times along an axis: a number of times, or an array of numbers, one for each element.
    $\bar x$ is the sum of $\bar y$ over the copies.
    """
    ...


repeat.vjp(x=lambda dy, shape, repeats, axis, xp: _repeat(dy, shape, repeats, axis, xp))


def _concat(dy: Any, shapes: list[Shape], axis: int | None, xp: Namespace) -> list[Any]:
    lengths = [math.prod(shape) if axis is None else shape[axis] for shape in shapes]
    ends = list(itertools.accumulate(lengths))
    lead = () if axis is None else (slice(None),) * (axis % len(shapes[0]))
    parts = [dy[(*lead, slice(start, end), ...)] for start, end in zip([0, *ends], ends, strict=False)]
    return [xp.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


@primitive(
    Sample(([(2, 3), (1, 3), (2, 3)],)),
    Sample(([(2, 3), (2, 1)],), parameters={"axis": -1}),
    Sample(([(2, 3), (2,)],), parameters={"axis": None}),
)
def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    r"""Arrays joined along an axis. Each $\bar x$ is its part of $\bar y$."""
    ...


concat.vjp_all(lambda dy, shapes, axis, xp: _concat(dy, shapes, axis, xp))


def _stack(dy: Any, shapes: list[Shape], axis: int) -> list[Any]:
    lead = (slice(None),) * (axis % (len(shapes[0]) + 1))
    return [dy[(*lead, i, ...)] for i in range(len(shapes))]


@primitive(Sample(([(2, 3), (2, 3)],)), Sample(([(2, 3), (2, 3)],), parameters={"axis": -1}))
def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    r"""Arrays joined along a new axis. Each $\bar x$ is its part of $\bar y$."""
    ...


stack.vjp_all(lambda dy, shapes, axis: _stack(dy, shapes, axis))


@primitive(Sample(((3, 3),)), Sample(((2, 3, 4),), parameters={"k": 1}))
def tril(x: Array, /, *, k: int = 0) -> Array:
    r"""Lower triangle. $y_{ij} = x_{ij}$ for $j \le i + k$ and 0 elsewhere; $\bar x$ likewise."""
    ...


tril.vjp(x=lambda dy, k, xp: xp.tril(dy, k=k))


@primitive(Sample(((3, 3),)), Sample(((2, 3, 4),), parameters={"k": 1}))
def triu(x: Array, /, *, k: int = 0) -> Array:
    r"""Upper triangle. $y_{ij} = x_{ij}$ for $j \ge i + k$ and 0 elsewhere; $\bar x$ likewise."""
    ...


triu.vjp(x=lambda dy, k, xp: xp.triu(dy, k=k))


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the slices of an array along an axis."""
    lead = (slice(None),) * (axis % x.ndim)
    return tuple(op.getitem(x, key=(*lead, i, ...)) for i in range(x.shape[axis]))


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Return the differences of neighbours along an axis, $y_i = x_{i+1} - x_i$, repeated n times.

    Parameters
    ----------
    x
        An array with at least one axis.
    axis
        Along which axis.
    n
        How many times.
    prepend, append
        Arrays to put before and after ``x`` first.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.diff(dc.asarray([1, 4, 9, 16]), n=2)
    Tensor([2, 2], dtype=int64)
    """
    if not x.ndim or n < 0:
        msg = f"diff: x has shape {x.shape} and n is {n}; differences need an axis, and n is 0 or more"
        raise ShapeError(msg)
    parts = [part for part in (prepend, x, append) if part is not None]
    y = op.concat(parts, axis=axis) if len(parts) > 1 else op.positive(x)
    lead = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        y = op.subtract(y[(*lead, slice(1, None), ...)], y[(*lead, slice(None, -1), ...)])
    return y


def broadcast_shapes(*shapes: Shape) -> Shape:
    """Return the shape that arrays of these shapes broadcast to.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    result: list[int] = []
    for lengths in itertools.zip_longest(*[shape[::-1] for shape in shapes], fillvalue=1):
        stretched = {n for n in lengths if n != 1}
        if len(stretched) > 1:
            msg = f"shapes {', '.join(map(str, shapes))} do not broadcast: lengths {sorted(stretched)} meet on one axis"
            raise ShapeError(msg)
        result.append(stretched.pop() if stretched else 1)
    return tuple(result[::-1])


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Return the arrays, each broadcast to their common shape."""
    shape = broadcast_shapes(*[x.shape for x in arrays])
    return tuple(op.broadcast_to(x, shape) for x in arrays)
