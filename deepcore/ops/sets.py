"""Sets: the distinct elements of an array, and membership."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .._primitive import Sample
from .._record import primitive

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Operand, Shape


class UniqueAllResult(NamedTuple):
    """Distinct values, where each is first, which one each element is, and how often each occurs."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    """Distinct values, and how often each occurs."""

    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    """Distinct values, and which one each element is."""

    values: Array
    inverse_indices: Array


def _shared(dy: Any, x: Any, shape: Shape, xp: Namespace) -> Any:
    """Share the cotangent of a value equally among the elements that have it."""
    inverse = xp.reshape(xp.unique_inverse(x)[1], (-1,))
    counts = xp.astype(xp.unique_counts(x)[1], dy.dtype)
    return xp.reshape(xp.take(dy / counts, inverse, axis=0), shape)


@primitive(Sample())
def unique_values(x: Array, /) -> Array:
    r"""Distinct values. $\bar x_i = \bar y_j / k$ for each of the $k$ elements that have the value $y_j$."""
    ...


unique_values.vjp(x=_shared)


@primitive(Sample(), result=UniqueCountsResult)
def unique_counts(x: Array, /) -> UniqueCountsResult:
    r"""Distinct values, and how often each occurs. $\bar x$ as for :func:`unique_values`: $\bar y_j / k$."""
    ...


@primitive(Sample(), result=UniqueInverseResult)
def unique_inverse(x: Array, /) -> UniqueInverseResult:
    r"""Distinct values, and which one each element is. $\bar x$ as for :func:`unique_values`: $\bar y_j / k$."""
    ...


@primitive(Sample(), result=UniqueAllResult)
def unique_all(x: Array, /) -> UniqueAllResult:
    r"""Distinct values, where each is first, which one each element is, and how often each occurs. $\bar x$ as for
    :func:`unique_values`: $\bar y_j / k$.
    """
    ...


def _none(dy: Any) -> None:
    """Positions and counts are integers, so that no cotangent ever reaches their rules."""


unique_counts.vjp(values=_shared, counts=_none)
unique_inverse.vjp(values=_shared, inverse_indices=_none)
unique_all.vjp(values=_shared, indices=_none, inverse_indices=_none, counts=_none)


@primitive(Sample(((2, 3), (4,)), integers={0: 5, 1: 5}))
def isin(x1: Operand, x2: Operand, /, *, invert: bool = False) -> Array:
    """Whether each element of the first array is in the second."""
    ...


isin.not_differentiable("truth values")
