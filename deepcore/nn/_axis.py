"""Checks of an axis at a layer's door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ShapeError

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ._module import Module


def length_along(layer: Module, x: Tensor, axis: int) -> int:
    """Return the length of an axis, or raise if the input has no such axis."""
    if not -x.ndim <= axis < x.ndim:
        msg = f"{layer!r}: there is no axis {axis} in an input of shape {x.shape}"
        raise ShapeError(msg)
    return x.shape[axis]
