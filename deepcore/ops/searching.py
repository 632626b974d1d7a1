"""Searching, sorting and choosing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._primitive import Sample
from .._record import primitive
from .._tensor import make

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Array, Namespace, Operand


@primitive(Sample(((2, 3), (2, 3), (3,)), booleans=(0,)))
def where(condition: Array, x1: Operand, x2: Operand, /) -> Array:
    r"""One of two. $y = x_1$ where the condition holds, else $x_2$; $\bar x_1 = \bar y$ where it holds, else 0, and
    $\bar x_2$ the other way round.
    """
    ...


where.vjp(
    x1=lambda dy, condition, xp: xp.where(condition, dy, xp.zeros_like(dy)),
    x2=lambda dy, condition, xp: xp.where(condition, xp.zeros_like(dy), dy),
)


@primitive(Sample(((2, 3),), parameters={"axis": 1}))
def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Position of the largest element; the first, where several are."""
    ...


@primitive(Sample(((2, 3),), parameters={"axis": 1}))
def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """Position of the smallest element; the first, where several are."""
    ...


@primitive(Sample(((5,), (3,)), integers={0: 1}))
def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Any = None) -> Array:
    """Positions at which elements would have to be inserted to keep the order."""
    ...


@primitive(Sample(((2, 3),), parameters={"axis": 0}))
def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Positions of the elements in order."""
    ...


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Return the positions of the elements that are not zero: for each axis an array of indices.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nonzero(dc.asarray([0, 3, 0, 5]))
    (Tensor([1, 3], dtype=int64),)
    """
    return tuple(make(raw, x.device) for raw in x.device.kernels.nonzero(x._data))


for _operation in (argmax, argmin, searchsorted, argsort):
    _operation.not_differentiable("positions")


def _sort(dy: Any, x: Any, axis: int, descending: bool, stable: bool, xp: Namespace) -> Any:
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(dy, xp.argsort(order, axis=axis), axis=axis)


@primitive(Sample(((2, 4),)), Sample(((4, 2),), parameters={"axis": 0, "descending": True}))
def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    r"""The elements in order. $y_j = x_{\pi(j)}$, $\bar x_{\pi(j)} = \bar y_j$."""
    ...


sort.vjp(x=lambda dy, x, axis, descending, stable, xp: _sort(dy, x, axis, descending, stable, xp))
